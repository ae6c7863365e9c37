/* SPDX-License-Identifier: Apache-2.0
 * From Kafka to storage. All of it is config.yaml.
 */
#include <jaeger/service.h>

extern const char config_yaml[];

int main(int argc, char **argv)
{
    return jaeger_main(argc, argv, "jaeger-ingester", config_yaml);
}
