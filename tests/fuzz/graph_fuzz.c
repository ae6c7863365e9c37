/* SPDX-License-Identifier: Apache-2.0
 * A configuration from any bytes: parsed, decoded, checked, built into a graph of the built-in components,
 * never started. Nothing is read but the bytes: references are not expanded.
 */
#include "core/arena.h"
#include "pipeline/host_state.h"
#include "registry.h"
#include "service/telemetry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    jaeger_error err;
    jaeger_config *root;
    if (jaeger_config_parse((jaeger_str){(const char *)data, size}, "fuzz.yaml", &root, &err) != JAEGER_OK)
        return 0;
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(64u << 20);
    JG_AUTO_REPORT jg_report report = JG_REPORT_INIT;
    jg_types types = {.builtin = jg_registry_components};
    jg_sections sections;
    jg_telemetry telemetry;
    jaeger_host host;
    jg_graph graph = {0};
    jg_host_init(&host);
    host.graph = &graph;
    host.drivers = jg_registry_drivers;
    bool sound = jg_sections_decode(root, &types, arena, &sections, &report);
    if (jg_telemetry_decode(sections.telemetry, arena, &telemetry, &report) && sound) {
        jg_sections_validate(&sections, false, &report);
        if (!report.count)
            (void)jg_graph_init(&graph, &(jg_graph_options){.sections = &sections, .host = &host}, &report);
    }
    jg_graph_done(&graph);
    jg_host_done(&host);
    jaeger_config_free(root);
    return 0;
}
