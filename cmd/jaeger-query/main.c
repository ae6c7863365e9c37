/* SPDX-License-Identifier: Apache-2.0
 * Serves the user interface and the query APIs over a storage server. All of it is config.yaml.
 */
#include <jaeger/service.h>

extern const char config_yaml[];

int main(int argc, char **argv)
{
    return jaeger_main(argc, argv, "jaeger-query", config_yaml);
}
