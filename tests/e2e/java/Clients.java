// SPDX-License-Identifier: Apache-2.0
// Old clients for Java, unmodified; run from its source.
//   Clients send CLIENT COMPACT_PORT HTTP_PORT ZIPKIN_PORT   sends the trace of test_clients.py, prints its id
//   Clients sampler HOST:PORT SERVICE OPERATION...           polls until it samples all of the first operation; prints the
//                                                            share it samples of each
import brave.Span.Kind;
import brave.Tracing;
import io.jaegertracing.internal.JaegerTracer;
import io.jaegertracing.internal.metrics.Metrics;
import io.jaegertracing.internal.metrics.NoopMetricsFactory;
import io.jaegertracing.internal.reporters.RemoteReporter;
import io.jaegertracing.internal.samplers.ConstSampler;
import io.jaegertracing.internal.samplers.HttpSamplingManager;
import io.jaegertracing.internal.samplers.RemoteControlledSampler;
import io.jaegertracing.spi.Sampler;
import io.jaegertracing.spi.Sender;
import io.jaegertracing.thrift.internal.senders.HttpSender;
import io.jaegertracing.thrift.internal.senders.UdpSender;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import zipkin2.reporter.AsyncReporter;
import zipkin2.reporter.SpanBytesEncoder;
import zipkin2.reporter.brave.ZipkinSpanHandler;
import zipkin2.reporter.urlconnection.URLConnectionSender;

public final class Clients {
    private static void jaeger(Sender sender) {
        JaegerTracer tracer = new JaegerTracer.Builder("shop").withTraceId128Bit().withSampler(new ConstSampler(true))
            .withReporter(new RemoteReporter.Builder().withSender(sender).build()).build();
        var root = tracer.buildSpan("GET /cart").withTag("span.kind", "server").withTag("http.method", "GET").withTag("n", 42)
            .withTag("ratio", 0.25).withTag("yes", true).withTag("text", "ü <&>").start();
        var child = tracer.buildSpan("SELECT").asChildOf(root).withTag("span.kind", "client").withTag("error", true).start();
        child.log(Map.of("event", "row", "index", 7));
        child.finish();
        root.finish();
        tracer.close();
        System.out.println("{\"traceId\": \"" + root.context().toTraceId() + "\"}");
    }

    private static void zipkin(SpanBytesEncoder encoder, String url) throws Exception {
        var sender = URLConnectionSender.newBuilder().endpoint(url).encoding(encoder.encoding()).build();
        var reporter = AsyncReporter.builder(sender).build(encoder);
        var tracing = Tracing.newBuilder().localServiceName("shop").traceId128Bit(true)
            .addSpanHandler(ZipkinSpanHandler.create(reporter)).build();
        var root = tracing.tracer().newTrace().name("GET /cart").kind(Kind.SERVER).tag("http.method", "GET").tag("n", "42")
            .tag("ratio", "0.25").tag("yes", "true").tag("text", "ü <&>").start();
        var child = tracing.tracer().newChild(root.context()).name("SELECT").kind(Kind.CLIENT).start();
        child.annotate("row").tag("error", "broken").finish();
        root.finish();
        tracing.close();
        reporter.flush();
        reporter.close();
        sender.close();
        System.out.println("{\"traceId\": \"" + root.context().traceIdString() + "\"}");
    }

    private static double share(Sampler sampler, Random random, String operation) {
        int sampled = 0;
        for (int i = 0; i < 1000; i++)
            if (sampler.sample(operation, random.nextLong() >>> 1).isSampled())
                sampled++;
        return sampled / 1000.0;
    }

    private static void sampler(String server, String service, String[] operations) throws Exception {
        var sampler = new RemoteControlledSampler.Builder(service).withSamplingManager(new HttpSamplingManager(server))
            .withInitialSampler(new ConstSampler(false)).withMetrics(new Metrics(new NoopMetricsFactory()))
            .withPollingInterval(100).build();
        var random = new Random();
        for (int i = 0; i < 600 && share(sampler, random, operations[0]) < 1; i++)
            Thread.sleep(50);
        List<String> shares = new ArrayList<>();
        for (String operation : operations)
            shares.add("\"" + operation + "\": " + share(sampler, random, operation));
        System.out.println("{" + String.join(", ", shares) + "}");
        sampler.close();
    }

    public static void main(String[] args) throws Exception {
        if (args[0].equals("sampler")) {
            sampler(args[1], args[2], java.util.Arrays.copyOfRange(args, 3, args.length));
            return;
        }
        switch (args[1]) {
        case "jaeger_udp" -> jaeger(new UdpSender("127.0.0.1", Integer.parseInt(args[2]), 0));
        case "jaeger_http" -> jaeger(new HttpSender.Builder("http://127.0.0.1:" + args[3] + "/api/traces").build());
        case "brave_v1_json" -> zipkin(SpanBytesEncoder.JSON_V1, "http://127.0.0.1:" + args[4] + "/api/v1/spans");
        case "brave_v1_thrift" -> zipkin(SpanBytesEncoder.THRIFT, "http://127.0.0.1:" + args[4] + "/api/v1/spans");
        case "brave_v2_json" -> zipkin(SpanBytesEncoder.JSON_V2, "http://127.0.0.1:" + args[4] + "/api/v2/spans");
        case "brave_v2_proto" -> zipkin(SpanBytesEncoder.PROTO3, "http://127.0.0.1:" + args[4] + "/api/v2/spans");
        default -> throw new IllegalArgumentException(args[1]);
        }
    }
}
