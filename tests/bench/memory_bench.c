/* SPDX-License-Identifier: Apache-2.0
 * The memory store: CPU of writing 1 M spans in batches of 100 (450 B a span), then reads while a writer goes
 * on. Spans of a trace are spread over many batches: 1000 traces are under way at a time, 29 spans each on
 * average, four of 50 services. Prints one JSON line.
 */
#include "core/alloc.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/sanitize.h"
#include "registry.h"
#include "storage/open.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    SPANS = 1000000,
    BATCH = 100,
    SERVICES = 50,
    OPERATIONS = 20,
    UNDER_WAY = 1000,
    PER_TRACE = 29,
    RUNS = 100
};

static uint64_t seed = 42;

static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    (void)fprintf(stderr, "memory_bench: %s failed\n", what);
    exit(1);
}

static uint64_t cpu_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * JG_NS_PER_S + (uint64_t)t.tv_nsec;
}

static void trace_id(uint64_t trace, uint8_t ret[16])
{
    uint64_t mixed = trace * 0x9e3779b97f4a7c15ull;
    memcpy(ret, &mixed, 8);
    memcpy(ret + 8, &trace, 8);
}

static jaeger_str text(char *to, size_t cap, const char *format, unsigned a, unsigned b)
{
    return (jaeger_str){to, (size_t)snprintf(to, cap, format, a, b)};
}

static void add_span(jaeger_builder *b, uint64_t number, unsigned service)
{
    char t[64];
    uint64_t base = number / PER_TRACE, trace = base / UNDER_WAY * UNDER_WAY + next_random() % UNDER_WAY;
    trace -= trace % SERVICES; /* of the traces that have this service: one in fifty, four ways */
    trace += (service + next_random() % 4 * 7) % SERVICES;
    jaeger_span_start s = {.name = text(t, sizeof t, "operation-%u", next_random() % OPERATIONS, 0),
                           .kind = 1 + (uint32_t)(number % 5),
                           .start_unix_ns = 1700000000ull * JG_NS_PER_S + number * 1000};
    trace_id(trace, s.trace_id);
    memcpy(s.span_id, &number, 8);
    s.span_id[7] = 1;
    if (next_random() % 8)
        memcpy(s.parent_span_id, &number, 7);
    s.end_unix_ns = s.start_unix_ns + next_random() % 1000000000;
    jaeger_builder_span(b, &s);
    jaeger_builder_attr_str(b, JAEGER_STR("http.method"), JAEGER_STR("GET"));
    jaeger_builder_attr_str(
        b, JAEGER_STR("http.url"),
        text(t, sizeof t, "https://shop.example.com/api/v1/items/%u", next_random() % 500, 0));
    jaeger_builder_attr_int(b, JAEGER_STR("http.status_code"), next_random() % 50 ? 200 : 500);
    jaeger_builder_attr_str(b, JAEGER_STR("user.id"), text(t, sizeof t, "user-%u", next_random() % 20000, 0));
    jaeger_builder_attr_str(b, JAEGER_STR("thread.name"),
                            text(t, sizeof t, "worker-%u", next_random() % 16, 0));
    jaeger_builder_attr_str(b, JAEGER_STR("net.peer.name"), text(t, sizeof t, "10.0.%u.%u", service, 1));
    jaeger_builder_attr_str(b, JAEGER_STR("db.system"), JAEGER_STR("postgresql"));
    jaeger_builder_attr_bool(b, JAEGER_STR("cache.hit"), next_random() % 2);
    jaeger_builder_attr_int(b, JAEGER_STR("retry"), (int64_t)(next_random() % 3));
    jaeger_builder_attr_str(b, JAEGER_STR("region"), JAEGER_STR("eu-central-1"));
}

static jaeger_batch *make_batch(jaeger_builder *b, uint64_t first)
{
    char t[64];
    unsigned service = (unsigned)(next_random() % SERVICES);
    jaeger_batch *batch = NULL;
    jaeger_builder_resource(b, (jaeger_str){0});
    jaeger_builder_attr_str(b, JAEGER_STR("service.name"), text(t, sizeof t, "service-%u", service, 0));
    jaeger_builder_attr_str(b, JAEGER_STR("service.version"), JAEGER_STR("1.2.3"));
    jaeger_builder_attr_str(b, JAEGER_STR("k8s.namespace.name"), JAEGER_STR("production"));
    jaeger_builder_attr_str(b, JAEGER_STR("k8s.pod.name"),
                            text(t, sizeof t, "service-%u-pod-%u", service, 1));
    jaeger_builder_attr_str(b, JAEGER_STR("host.name"), text(t, sizeof t, "node-%u", service % 10, 0));
    jaeger_builder_scope(b, JAEGER_STR("io.opentelemetry.http"), JAEGER_STR("1.30.0"), (jaeger_str){0});
    for (uint64_t i = 0; i < BATCH; i++)
        add_span(b, first + i, service);
    must(jaeger_builder_finish(b, &batch, NULL) == JAEGER_OK, "building");
    return batch;
}

typedef struct bench {
    jaeger_storage storage;
    jaeger_builder *builder;
    uint64_t written, wire_bytes, write_ns, sanitize_ns;
    int stop;
} bench;

/** Only the sanitizer and the write are timed. */
static void write_next(bench *b)
{
    jaeger_call call = JAEGER_CALL_INIT;
    jaeger_batch *batch = make_batch(b->builder, b->written);
    __atomic_add_fetch(&b->written, BATCH, __ATOMIC_RELAXED);
    b->wire_bytes += jaeger_batch_otlp_size(batch);
    uint64_t begin = cpu_ns();
    must(jg_sanitize(&batch, NULL) == JAEGER_OK, "sanitizing");
    uint64_t middle = cpu_ns();
    must(b->storage.driver->write(b->storage.self, batch, &call) == JAEGER_OK, "writing");
    b->sanitize_ns += middle - begin;
    b->write_ns += cpu_ns() - middle;
}

static void *keep_writing(void *arg)
{
    bench *b = arg;
    while (!__atomic_load_n(&b->stop, __ATOMIC_RELAXED))
        write_next(b);
    return NULL;
}

static jaeger_status count(void *self, jaeger_batch *take, jaeger_call *call)
{
    (void)call;
    *(uint64_t *)self += jaeger_batch_span_count(take);
    jaeger_batch_unref(take);
    return JAEGER_OK;
}

static int u64_order(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

typedef enum { GET, SERVICE, SERVICE_TAG, RARE_TAG, ABSENT, SLOW } shape;

static void run_one(bench *b, shape what, uint64_t *found)
{
    char t[32], v[32];
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
    jaeger_call call = JAEGER_CALL_INIT;
    call.arena = arena;
    jaeger_consumer out = {count, found};
    jaeger_trace_ref ref = {0};
    jaeger_attr attr = {.key = JAEGER_STR("http.status_code"),
                        .value = {JAEGER_VALUE_STRING, .u.s = {"500", 3}}};
    jaeger_trace_query query = {.size = sizeof query, .limit = 20, .attrs = &attr};
    trace_id((__atomic_load_n(&b->written, __ATOMIC_RELAXED) - next_random() % (SPANS / 2)) / PER_TRACE,
             ref.trace_id);
    if (what != RARE_TAG)
        query.service = text(t, sizeof t, "service-%u", next_random() % SERVICES, 0);
    query.attr_count = what == SERVICE_TAG || what == RARE_TAG || what == ABSENT;
    query.duration_min_ns = what == SLOW ? 999000000 : 0;
    if (what == RARE_TAG || what == ABSENT) {
        attr.key = JAEGER_STR("user.id");
        attr.value.u.s =
            text(v, sizeof v, what == ABSENT ? "nobody-%u" : "user-%u", next_random() % 20000, 0);
    }
    jaeger_status status = what == GET ? b->storage.driver->get_traces(b->storage.self, &ref, 1, out, &call)
                                       : b->storage.driver->find_traces(b->storage.self, &query, out, &call);
    must(status == JAEGER_OK, "reading");
}

static void measure(bench *b, shape what, const char *name)
{
    static uint64_t ns[RUNS], cpu[RUNS];
    uint64_t found = 0;
    for (size_t i = 0; i < RUNS; i++) {
        uint64_t begin = jg_clock_mono_ns(), cpu_begin = cpu_ns();
        run_one(b, what, &found);
        cpu[i] = cpu_ns() - cpu_begin;
        ns[i] = jg_clock_mono_ns() - begin;
    }
    qsort(ns, RUNS, sizeof *ns, u64_order);
    qsort(cpu, RUNS, sizeof *cpu, u64_order);
    (void)printf(",\"%s_ms\":{\"p50\":%.3f,\"p99\":%.3f,\"cpu_p50\":%.3f,\"spans\":%llu}", name,
                 (double)ns[RUNS / 2] / 1e6, (double)ns[RUNS * 99 / 100] / 1e6, (double)cpu[RUNS / 2] / 1e6,
                 (unsigned long long)(found / RUNS));
}

static uint64_t rss_bytes(void)
{
    uint64_t rss = 0;
    unsigned long long kb;
    char line[128];
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmRSS: %llu", &kb) == 1)
            rss = kb * 1024;
    if (f)
        (void)fclose(f);
    return rss;
}

int main(void)
{
    static const jaeger_logger silent;
    bench b = {.builder = jaeger_builder_new(4u << 20)};
    pthread_t writer;
    jaeger_config *config = NULL;
    size_t i = 0;
    while (jg_registry_drivers[i] && strcmp(jg_registry_drivers[i]->name, "memory") != 0)
        i++;
    must(jg_registry_drivers[i] != NULL, "finding the driver");
    /* as many traces as 1 M spans make: the writer beside the readers evicts as much as it adds */
    must(jaeger_config_parse(JAEGER_STR("max_traces: 34500"), "bench", &config, NULL) == JAEGER_OK,
         "parsing");
    must(jg_storage_open(jg_registry_drivers[i], config, &silent, NULL, &b.storage, NULL) == JAEGER_OK,
         "opening");
    while (b.written < SPANS)
        write_next(&b);
    (void)printf(
        "{\"bench\":\"memory\",\"spans\":%llu,\"wire_bytes_per_span\":%.0f,\"rss_bytes_per_span\":%.0f,"
        "\"write_spans_per_cpu_s\":%.0f,\"write_ns_per_span\":%.0f,\"sanitize_ns_per_span\":%.0f",
        (unsigned long long)b.written, (double)b.wire_bytes / (double)b.written,
        (double)rss_bytes() / (double)b.written, (double)b.written * 1e9 / (double)b.write_ns,
        (double)b.write_ns / (double)b.written, (double)b.sanitize_ns / (double)b.written);
    must(pthread_create(&writer, NULL, keep_writing, &b) == 0, "starting a thread");
    measure(&b, GET, "get_trace");
    measure(&b, SERVICE, "service");
    measure(&b, SERVICE_TAG, "service_tag");
    measure(&b, RARE_TAG, "rare_tag");
    measure(&b, ABSENT, "service_absent_tag");
    measure(&b, SLOW, "service_slow");
    __atomic_store_n(&b.stop, 1, __ATOMIC_RELAXED);
    (void)pthread_join(writer, NULL);
    (void)printf(",\"spans_at_end\":%llu}\n", (unsigned long long)b.written);
    jg_storage_close(&b.storage);
    jaeger_config_free(config);
    jaeger_builder_free(b.builder);
    return 0;
}
