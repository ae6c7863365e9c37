/* SPDX-License-Identifier: Apache-2.0
 * The tail sampler with four policies (status, latency, a string attribute, 10 % by id): 100,000 traces of
 * ten spans, all in flight, whose spans come spread over ten batches of 1000; then the decision. CPU is that
 * of consume and of the sampler's thread; memory what the process grew by, batches included. Prints one JSON
 * line.
 */
#include "core/clock.h"
#include "core/str.h"
#include "core/sysmem.h"
#include <jaeger/component.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

extern const jaeger_component_type jg_processor_tail_sampling;

enum { TRACES = 100000, SPANS_OF_TRACE = 10, BATCH = 1000 };

static const char yaml[] =
    "{decision_wait: 60s, num_traces: 100000, max_memory_mib: 4096, policies: ["
    "{name: e, type: status_code, status_code: {status_codes: [ERROR]}}, "
    "{name: l, type: latency, latency: {threshold_ms: 900}}, "
    "{name: s, type: string_attribute, string_attribute: {key: user, values: [u7, u8]}}, "
    "{name: p, type: probabilistic, probabilistic: {sampling_percentage: 10}}]}";

static unsigned long long spans_out, wire_bytes;

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    (void)fprintf(stderr, "%s failed\n", what);
    exit(1);
}

static jaeger_status count(void *self, jaeger_batch *take, jaeger_call *call)
{
    (void)self;
    (void)call;
    spans_out += jaeger_batch_span_count(take);
    jaeger_batch_unref(take);
    return JAEGER_OK;
}

static uint64_t cpu_ns(clockid_t clock)
{
    struct timespec at;
    must(clock_gettime(clock, &at) == 0, "clock_gettime");
    return (uint64_t)at.tv_sec * JG_NS_PER_S + (uint64_t)at.tv_nsec;
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

static void add_span(jaeger_builder *b, unsigned trace, unsigned k)
{
    char user[16], url[64];
    uint64_t high = mix(trace + 1), low = mix(high), random = mix(low + k),
             start = 1700000000ull * JG_NS_PER_S;
    jaeger_span_start span = {.kind = JAEGER_KIND_SERVER, .name = JAEGER_STR("GET /api/v1/orders/{id}")};
    memcpy(span.trace_id, &high, 8);
    memcpy(span.trace_id + 8, &low, 8);
    memcpy(span.span_id, &random, 8);
    span.parent_span_id[0] = k > 0;
    span.start_unix_ns = start + k * JG_NS_PER_MS;
    span.end_unix_ns = span.start_unix_ns + random % (JG_NS_PER_S / 2) + (low % 50 == 0) * JG_NS_PER_S;
    jaeger_builder_span(b, &span);
    (void)snprintf(user, sizeof user, "u%llu", (unsigned long long)(low % 1000));
    (void)snprintf(url, sizeof url, "https://shop.example.com/api/v1/orders/%llu",
                   (unsigned long long)random);
    jaeger_builder_attr_str(b, JAEGER_STR("user"), jg_str(user));
    jaeger_builder_attr_str(b, JAEGER_STR("url.full"), jg_str(url));
    jaeger_builder_attr_str(b, JAEGER_STR("http.request.method"), JAEGER_STR("GET"));
    jaeger_builder_attr_int(b, JAEGER_STR("http.response.status_code"), 200);
    jaeger_builder_attr_str(b, JAEGER_STR("network.protocol.version"), JAEGER_STR("1.1"));
    if (random % 500 == 0)
        jaeger_builder_status(b, JAEGER_STATUS_ERROR, JAEGER_STR("boom"));
}

/* Span k of the traces from `first` on, as a receiver hands it over. */
static jaeger_batch *make_batch(jaeger_builder *b, unsigned first, unsigned k)
{
    jaeger_batch *built, *batch;
    jaeger_builder_resource(b, JAEGER_STR(""));
    jaeger_builder_attr_str(b, JAEGER_STR("service.name"), JAEGER_STR("orders"));
    jaeger_builder_attr_str(b, JAEGER_STR("host.name"), JAEGER_STR("node-17"));
    jaeger_builder_scope(b, JAEGER_STR("http"), JAEGER_STR("1.0"), JAEGER_STR(""));
    for (unsigned i = 0; i < BATCH; i++)
        add_span(b, first + i, k);
    must(jaeger_builder_finish(b, &built, NULL) == JAEGER_OK, "building");
    size_t len = jaeger_batch_otlp_size(built);
    void *bytes = malloc(len);
    must(bytes != NULL, "malloc");
    jaeger_batch_write_otlp(built, bytes);
    jaeger_batch_unref(built);
    must(jaeger_batch_from_otlp(bytes, len, NULL, NULL, &batch, NULL) == JAEGER_OK, "indexing");
    free(bytes);
    wire_bytes += len;
    return batch;
}

int main(void)
{
    const jaeger_component_type *type = &jg_processor_tail_sampling;
    void *config = calloc(1, type->config_size), *self = calloc(1, type->state_size);
    jaeger_config *root;
    jaeger_builder *b = jaeger_builder_new(4 << 20);
    uint64_t consume_ns = 0, before = jg_sysmem_resident_bytes();
    must(config && self && b, "calloc");
    must(jaeger_config_parse(jg_str(yaml), "bench", &root, NULL) == JAEGER_OK &&
             jaeger_config_bind(root, type->fields, config, NULL) == JAEGER_OK,
         "configuring");
    jaeger_component_create in = {
        .size = sizeof in, .id = "tail_sampling", .config = config, .next = {count, NULL}};
    must(type->create(self, &in, NULL) == JAEGER_OK && type->start(self, NULL) == JAEGER_OK, "starting");
    for (unsigned first = 0; first < TRACES; first += BATCH) {
        for (unsigned k = 0; k < SPANS_OF_TRACE; k++) {
            jaeger_call call = JAEGER_CALL_INIT;
            jaeger_batch *batch = make_batch(b, first, k);
            uint64_t start = cpu_ns(CLOCK_THREAD_CPUTIME_ID);
            must(type->consume(self, batch, &call) == JAEGER_OK, "consuming");
            consume_ns += cpu_ns(CLOCK_THREAD_CPUTIME_ID) - start;
        }
    }
    uint64_t held = jg_sysmem_resident_bytes() - before;
    uint64_t start = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
    type->stop(self, 0); /* decides them all */
    uint64_t decide_ns = cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
    double spans = (double)TRACES * SPANS_OF_TRACE;
    (void)printf("{\"bench\":\"tail_sampling\",\"traces\":%d,\"spans\":%.0f,\"policies\":4,\"wire_bytes_per_"
                 "span\":%.0f,"
                 "\"held_bytes_per_span\":%.0f,\"spans_out\":%llu,\"consume_ns_per_span\":%.0f,"
                 "\"decide_ns_per_span\":%.0f,\"spans_per_cpu_s\":%.0f}\n",
                 TRACES, spans, (double)wire_bytes / spans, (double)held / spans, spans_out,
                 (double)consume_ns / spans, (double)decide_ns / spans,
                 spans * 1e9 / (double)(consume_ns + decide_ns));
    type->destroy(self);
    jaeger_builder_free(b);
    jaeger_config_free(root);
    free(config);
    free(self);
    return 0;
}
