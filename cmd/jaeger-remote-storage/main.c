/* SPDX-License-Identifier: Apache-2.0
 * One embedded store for collectors and queries on other hosts. All of it is config.yaml.
 */
#include <jaeger/service.h>

extern const char config_yaml[];

int main(int argc, char **argv)
{
    return jaeger_main(argc, argv, "jaeger-remote-storage", config_yaml);
}
