/* SPDX-License-Identifier: Apache-2.0
 * Jaeger inside a program: a pipeline into a memory store and the query service over it, without a socket.
 * Spans are built, pushed into the pipeline, and read back.
 */
#include <jaeger/jaeger.h>
#include <stdio.h>

static const char yaml[] =
    "extensions:\n"
    "  jaeger_storage: {backends: {main: {memory: {max_traces: 1000}}}}\n"
    "  jaeger_query: {storage: {traces: main}, http: {endpoint: 'localhost:0'}, grpc: {endpoint: "
    "'localhost:0'}}\n"
    "receivers: {nop: }\n"
    "processors: {batch: }\n"
    "exporters: {jaeger_storage_exporter: {trace_storage: main}}\n"
    "service:\n"
    "  extensions: [jaeger_storage, jaeger_query]\n"
    "  telemetry: {metrics: {level: none}}\n"
    "  pipelines:\n"
    "    traces: {receivers: [nop], processors: [batch], exporters: [jaeger_storage_exporter]}\n";

static const uint8_t trace_id[16] = {0x5b, 0x8e, 0xff, 0xf7, 0x98, 0x03, 0x81, 0x03,
                                     0xd2, 0x69, 0xb6, 0x33, 0x81, 0x3f, 0xc6, 0x0c};

static jaeger_batch *build_spans(jaeger_error *err)
{
    const uint64_t start = 1700000000000000000;
    jaeger_batch *batch = NULL;
    jaeger_builder *b = jaeger_builder_new(1 << 20);
    jaeger_span_start root = {.span_id = {1}, .name = JAEGER_STR("GET /cart"), .kind = JAEGER_KIND_SERVER};
    jaeger_span_start child = {.span_id = {2}, .parent_span_id = {1}, .name = JAEGER_STR("SELECT")};
    for (int i = 0; i < 16; i++)
        root.trace_id[i] = child.trace_id[i] = trace_id[i];
    root.start_unix_ns = child.start_unix_ns = start;
    root.end_unix_ns = start + 30000000;
    child.end_unix_ns = start + 10000000;
    jaeger_builder_resource(b, JAEGER_STR(""));
    jaeger_builder_attr_str(b, JAEGER_STR("service.name"), JAEGER_STR("shop"));
    jaeger_builder_scope(b, JAEGER_STR("example"), JAEGER_STR("1.0"), JAEGER_STR(""));
    jaeger_builder_span(b, &root);
    jaeger_builder_attr_int(b, JAEGER_STR("http.response.status_code"), 200);
    jaeger_builder_span(b, &child);
    jaeger_status status = jaeger_builder_finish(b, &batch, err);
    jaeger_builder_free(b);
    return status == JAEGER_OK ? batch : NULL;
}

/* A consumer like any other: query results stream into it. */
static jaeger_status print_spans(void *self, jaeger_batch *take, jaeger_call *call)
{
    const jaeger_span *spans = jaeger_batch_spans(take);
    (void)self;
    (void)call;
    for (size_t i = 0; i < jaeger_batch_span_count(take); i++)
        printf("%.*s: %.*s %.0f ms\n", JAEGER_STR_ARGS(spans[i].group->service),
               JAEGER_STR_ARGS(spans[i].name), (double)(spans[i].end_unix_ns - spans[i].start_unix_ns) / 1e6);
    jaeger_batch_unref(take);
    return JAEGER_OK;
}

static jaeger_status run(jaeger_service *service, jaeger_error *err)
{
    jaeger_call call = JAEGER_CALL_INIT;
    jaeger_strs services = {0};
    jaeger_trace_ref ref = {0};
    jaeger_batch *batch = build_spans(err);
    if (!batch)
        return err->status;
    call.arena = jaeger_arena_new(1 << 20);
    jaeger_status status = jaeger_service_consume(service, "traces", batch, &call);
    jaeger_query *query = jaeger_service_query(service);
    if (status == JAEGER_OK)
        status = jaeger_query_services(query, &services, &call);
    for (size_t i = 0; i < services.count; i++)
        printf("service: %.*s\n", JAEGER_STR_ARGS(services.items[i]));
    for (int i = 0; i < 16; i++)
        ref.trace_id[i] = trace_id[i];
    if (status == JAEGER_OK)
        status = jaeger_query_get_trace(query, ref, (jaeger_read_options){0},
                                        (jaeger_consumer){print_spans, NULL}, &call);
    *err = call.error;
    jaeger_arena_free(call.arena);
    return status;
}

int main(void)
{
    jaeger_service_options options = JAEGER_SERVICE_OPTIONS_INIT;
    jaeger_service *service = NULL;
    jaeger_error err = {0};
    options.yaml = yaml;
    if (jaeger_service_new(&options, &service, &err) != JAEGER_OK ||
        jaeger_service_start(service, &err) != JAEGER_OK || run(service, &err) != JAEGER_OK)
        fprintf(stderr, "failed: %s\n", err.message);
    jaeger_service_free(service);
    return err.status != JAEGER_OK;
}
