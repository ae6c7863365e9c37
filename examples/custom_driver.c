/* SPDX-License-Identifier: Apache-2.0
 * A storage driver of our own: a ring of the last batches. It declares nothing in caps, so the query service
 * expects little of it. In the YAML it is a kind of backend like `memory`.
 */
#include <jaeger/jaeger.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define RING_MAX 64

typedef struct ring_config {
    uint32_t batches;
} ring_config;

static const jaeger_field ring_fields[] = {
    {.name = "batches",
     .kind = JAEGER_FIELD_U32,
     .offset = offsetof(ring_config, batches),
     .fallback = "16",
     .doc = "how many are kept, 64 at most"},
    {0},
};

typedef struct ring {
    pthread_mutex_t mutex; /* guards what follows */
    jaeger_batch *batches[RING_MAX];
    size_t next, count;
} ring;

static jaeger_status ring_open(void *self, const void *config, const jaeger_logger *log,
                               struct jg_metrics *metrics, jaeger_error *err)
{
    ring *r = self;
    (void)log;
    (void)metrics;
    r->count = ((const ring_config *)config)->batches;
    if (r->count == 0 || r->count > RING_MAX)
        return jaeger_fail(err, JAEGER_INVALID_ARGUMENT, "batches must be 1 to %d", RING_MAX);
    pthread_mutex_init(&r->mutex, NULL);
    return JAEGER_OK;
}

static void ring_close(void *self)
{
    ring *r = self;
    for (size_t i = 0; i < RING_MAX; i++)
        jaeger_batch_unref(r->batches[i]);
    pthread_mutex_destroy(&r->mutex);
}

static jaeger_status ring_write(void *self, jaeger_batch *take, jaeger_call *call)
{
    ring *r = self;
    (void)call;
    pthread_mutex_lock(&r->mutex);
    jaeger_batch **slot = &r->batches[r->next++ % r->count], *old = *slot;
    *slot = take;
    pthread_mutex_unlock(&r->mutex);
    jaeger_batch_unref(old);
    return JAEGER_OK;
}

static bool is_of_trace(void *user, const jaeger_span *span)
{
    return memcmp(span->trace_id, user, 16) == 0;
}

/* No lock is held while `out` runs: it may be slow, or write into us. */
static jaeger_status ring_get_traces(void *self, const jaeger_trace_ref *refs, size_t n, jaeger_consumer out,
                                     jaeger_call *call)
{
    ring *r = self;
    jaeger_status status = JAEGER_OK;
    for (size_t i = 0; i < n * r->count && status == JAEGER_OK; i++) {
        jaeger_trace_ref ref = refs[i / r->count];
        pthread_mutex_lock(&r->mutex);
        jaeger_batch *batch = r->batches[i % r->count];
        batch = batch ? jaeger_batch_ref(batch) : NULL;
        pthread_mutex_unlock(&r->mutex);
        if (!batch)
            continue;
        status = jaeger_batch_own(&batch, &call->error);
        if (status == JAEGER_OK)
            jaeger_batch_filter(batch, is_of_trace, ref.trace_id);
        if (status == JAEGER_OK && jaeger_batch_span_count(batch))
            status = out.consume(out.self, batch, call);
        else
            jaeger_batch_unref(batch);
    }
    return status;
}

static const jaeger_storage_driver ring_driver = {
    .size = sizeof(jaeger_storage_driver),
    .name = "ring",
    .doc = "the last batches, in memory",
    .fields = ring_fields,
    .config_size = sizeof(ring_config),
    .state_size = sizeof(ring),
    .open = ring_open,
    .close = ring_close,
    .write = ring_write,
    .get_traces = ring_get_traces,
};

static const char yaml[] =
    "extensions: {jaeger_storage: {backends: {mine: {ring: {batches: 4}}}}}\n"
    "receivers: {nop: }\n"
    "exporters: {jaeger_storage_exporter: {trace_storage: mine}}\n"
    "service:\n"
    "  extensions: [jaeger_storage]\n"
    "  telemetry: {metrics: {level: none}}\n"
    "  pipelines: {traces: {receivers: [nop], exporters: [jaeger_storage_exporter]}}\n";

static jaeger_status count_spans(void *self, jaeger_batch *take, jaeger_call *call)
{
    (void)call;
    *(size_t *)self += jaeger_batch_span_count(take);
    jaeger_batch_unref(take);
    return JAEGER_OK;
}

/* Six batches of one span each, all of one trace; the ring keeps the last four. */
static jaeger_status run(jaeger_service *service, jaeger_error *err)
{
    jaeger_call call = JAEGER_CALL_INIT;
    jaeger_storage storage;
    jaeger_trace_ref ref = {.trace_id = {7}};
    size_t spans = 0;
    jaeger_status status = jaeger_service_storage(service, "mine", &storage, err);
    for (uint8_t i = 1; i <= 6 && status == JAEGER_OK; i++) {
        jaeger_batch *batch = NULL;
        jaeger_builder *b = jaeger_builder_new(4096);
        jaeger_builder_resource(b, JAEGER_STR(""));
        jaeger_builder_scope(b, JAEGER_STR(""), JAEGER_STR(""), JAEGER_STR(""));
        jaeger_builder_span(
            b, &(jaeger_span_start){.trace_id = {7}, .span_id = {i}, .name = JAEGER_STR("tick")});
        status = jaeger_builder_finish(b, &batch, err);
        jaeger_builder_free(b);
        if (status == JAEGER_OK &&
            (status = jaeger_service_consume(service, "traces", batch, &call)) != JAEGER_OK)
            *err = call.error;
    }
    if (status == JAEGER_OK)
        status =
            storage.driver->get_traces(storage.self, &ref, 1, (jaeger_consumer){count_spans, &spans}, &call);
    printf("spans kept: %zu\n", spans);
    return status;
}

int main(void)
{
    const jaeger_storage_driver *drivers[] = {&ring_driver};
    jaeger_service_options options = JAEGER_SERVICE_OPTIONS_INIT;
    jaeger_service *service = NULL;
    jaeger_error err = {0};
    options.yaml = yaml;
    options.drivers = drivers;
    options.driver_count = 1;
    if (jaeger_service_new(&options, &service, &err) != JAEGER_OK ||
        jaeger_service_start(service, &err) != JAEGER_OK || run(service, &err) != JAEGER_OK)
        fprintf(stderr, "failed: %s\n", err.message);
    jaeger_service_free(service);
    return err.status != JAEGER_OK;
}
