/* SPDX-License-Identifier: Apache-2.0
 * Takes spans on a host and forwards them to a collector. All of it is config.yaml.
 */
#include <jaeger/service.h>

extern const char config_yaml[];

int main(int argc, char **argv)
{
    return jaeger_main(argc, argv, "jaeger-agent", config_yaml);
}
