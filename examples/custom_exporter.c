/* SPDX-License-Identifier: Apache-2.0
 * An exporter of our own: it is a table, given to the service beside the built-in ones, and a key in the YAML
 * like any other. This one prints spans that took longer than `slower_than`.
 */
#include <jaeger/jaeger.h>
#include <stdio.h>

typedef struct slow_config {
    uint64_t slower_than_ns;
} slow_config;

static const jaeger_field slow_fields[] = {
    {.name = "slower_than",
     .kind = JAEGER_FIELD_DURATION,
     .offset = offsetof(slow_config, slower_than_ns),
     .fallback = "1s",
     .doc = "spans that took longer are printed"},
    {0},
};

typedef struct slow {
    const slow_config *config;
} slow;

static jaeger_status slow_create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    (void)err;
    ((slow *)self)->config = in->config;
    return JAEGER_OK;
}

/* Any thread may call; the batch is ours to give back, whatever happens. */
static jaeger_status slow_consume(void *self, jaeger_batch *take, jaeger_call *call)
{
    const slow *s = self;
    const jaeger_span *spans = jaeger_batch_spans(take);
    (void)call;
    for (size_t i = 0; i < jaeger_batch_span_count(take); i++) {
        uint64_t took_ns = spans[i].end_unix_ns - spans[i].start_unix_ns;
        if (took_ns > s->config->slower_than_ns)
            printf("slow: %.*s %.*s %.1f ms\n", JAEGER_STR_ARGS(spans[i].group->service),
                   JAEGER_STR_ARGS(spans[i].name), (double)took_ns / 1e6);
    }
    jaeger_batch_unref(take);
    return JAEGER_OK;
}

static const jaeger_component_type slow_exporter = {
    .size = sizeof(jaeger_component_type),
    .name = "slow",
    .doc = "prints slow spans",
    .kind = JAEGER_EXPORTER,
    .takes = JAEGER_TRACES,
    .fields = slow_fields,
    .config_size = sizeof(slow_config),
    .state_size = sizeof(slow),
    .create = slow_create,
    .consume = slow_consume,
};

static const char yaml[] = "receivers: {nop: }\n"
                           "exporters: {slow: {slower_than: 100ms}}\n"
                           "service:\n"
                           "  telemetry: {metrics: {level: none}}\n"
                           "  pipelines: {traces: {receivers: [nop], exporters: [slow]}}\n";

int main(void)
{
    const jaeger_component_type *types[] = {&slow_exporter};
    jaeger_service_options options = JAEGER_SERVICE_OPTIONS_INIT;
    jaeger_service *service = NULL;
    jaeger_batch *batch = NULL;
    jaeger_error err;
    jaeger_call call = JAEGER_CALL_INIT;
    options.yaml = yaml;
    options.components = types;
    options.component_count = 1;
    jaeger_builder *b = jaeger_builder_new(1 << 20);
    jaeger_builder_resource(b, JAEGER_STR(""));
    jaeger_builder_attr_str(b, JAEGER_STR("service.name"), JAEGER_STR("shop"));
    jaeger_builder_scope(b, JAEGER_STR("example"), JAEGER_STR(""), JAEGER_STR(""));
    for (uint8_t i = 1; i <= 3; i++)
        jaeger_builder_span(b, &(jaeger_span_start){.trace_id = {i},
                                                    .span_id = {i},
                                                    .name = JAEGER_STR("checkout"),
                                                    .start_unix_ns = 1000000000,
                                                    .end_unix_ns = 1000000000 + i * 60000000ull});
    if (jaeger_builder_finish(b, &batch, &err) != JAEGER_OK ||
        jaeger_service_new(&options, &service, &err) != JAEGER_OK ||
        jaeger_service_start(service, &err) != JAEGER_OK)
        return printf("failed: %s\n", err.message), 1;
    if (jaeger_service_consume(service, "traces", batch, &call) != JAEGER_OK)
        return printf("failed: %s\n", call.error.message), 1;
    jaeger_service_free(service);
    jaeger_builder_free(b);
    return 0;
}
