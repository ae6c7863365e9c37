/* SPDX-License-Identifier: Apache-2.0
 * Takes spans of every client and writes them to a storage server. All of it is config.yaml.
 */
#include <jaeger/service.h>

extern const char config_yaml[];

int main(int argc, char **argv)
{
    return jaeger_main(argc, argv, "jaeger-collector", config_yaml);
}
