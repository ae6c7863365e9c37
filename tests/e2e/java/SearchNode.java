// SPDX-License-Identifier: Apache-2.0
// One OpenSearch node from the folder HOME, whose config/opensearch.yml says the rest: SearchNode HOME MODULE...
// The jars come from Maven; a module is a plugin class among them.
import java.io.Closeable;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.function.Supplier;

public class SearchNode {
  public static void main(String[] args) throws Exception {
    Path home = Paths.get(args[0]);
    List<Class<?>> modules = new ArrayList<>();
    for (int i = 1; i < args.length; i++) {
      modules.add(Class.forName(args[i]));
    }
    Class<?> settings = Class.forName("org.opensearch.common.settings.Settings");
    Object builder = settings.getMethod("builder").invoke(null);
    builder.getClass().getMethod("put", String.class, String.class).invoke(builder, "path.home", home.toString());
    Object built = builder.getClass().getMethod("build").invoke(builder);
    Supplier<String> name = () -> "node";
    Object environment = Class.forName("org.opensearch.node.InternalSettingsPreparer")
        .getMethod("prepareEnvironment", settings, Map.class, Path.class, Supplier.class)
        .invoke(null, built, new HashMap<String, String>(), home.resolve("config"), name);
    Closeable node = (Closeable) Class.forName("org.codelibs.opensearch.runner.node.OpenSearchRunnerNode")
        .getConstructor(Class.forName("org.opensearch.env.Environment"), Collection.class)
        .newInstance(environment, modules);
    node.getClass().getMethod("start").invoke(node);
    new CountDownLatch(1).await();
  }
}
