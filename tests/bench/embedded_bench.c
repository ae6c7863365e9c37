/* SPDX-License-Identifier: Apache-2.0
 * Benchmark of the embedded store, in process: embedded_bench DIR [SPANS [WRITERS [DURABILITY [MEMORY
 * [ingest]]]]] Prints JSON lines: ingest (CPU without the generator's), disk, memory, queries, restart.
 *
 * Spans look like real ones: 50 services with 20 operations and 4 pods each, traces of 5 to 100 spans that
 * are in flight together and spread over requests of one pod each, about 460 bytes a span.
 */
#include "core/alloc.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/pb.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/otlp_fields.h"
#include "storage/embedded/engine.h"
#include "storage/open.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

extern const jaeger_storage_driver jg_storage_embedded;

enum { SERVICES = 50, OPERATIONS = 20, PODS = 4, REQUEST_SPANS = 260, IN_FLIGHT = 200, WRITERS_MAX = 64 };

static uint64_t rnd(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

/* ---- spans
 * ---------------------------------------------------------------------------------------------------- */

typedef struct trace {
    uint8_t id[16];
    uint64_t start;
    uint32_t made, spans;
    uint64_t parents[8];
} trace;

typedef struct generator {
    uint64_t random, now;
    trace traces[IN_FLIGHT];
    uint64_t cpu_ns;
} generator;

static void attr_str(jg_buf *b, uint32_t field, const char *key, const char *value)
{
    size_t kv = jg_pb_begin(b, field, 1);
    jg_pb_write_str(b, JG_OTLP_KEY_VALUE_KEY, jg_str(key));
    size_t any = jg_pb_begin(b, JG_OTLP_KEY_VALUE_VALUE, 1);
    jg_pb_write_str(b, JG_OTLP_ANY_STRING, jg_str(value));
    jg_pb_end(b, any, 1);
    jg_pb_end(b, kv, 1);
}

static void attr_int(jg_buf *b, const char *key, uint64_t value)
{
    size_t kv = jg_pb_begin(b, JG_OTLP_SPAN_ATTRIBUTES, 1);
    jg_pb_write_str(b, JG_OTLP_KEY_VALUE_KEY, jg_str(key));
    size_t any = jg_pb_begin(b, JG_OTLP_KEY_VALUE_VALUE, 1);
    jg_pb_write_varint(b, JG_OTLP_ANY_INT, value);
    jg_pb_end(b, any, 1);
    jg_pb_end(b, kv, 1);
}

static void new_trace(generator *g, trace *t)
{
    uint64_t id[2] = {rnd(&g->random), rnd(&g->random)}, r = rnd(&g->random) % 100;
    memcpy(t->id, id, 16);
    t->start = g->now;
    t->made = 0;
    t->spans = r < 70 ? 5 + (uint32_t)(rnd(&g->random) % 25) : 30 + (uint32_t)(rnd(&g->random) % 71);
}

static void put_span(generator *g, jg_buf *b, uint32_t service)
{
    trace *t = &g->traces[rnd(&g->random) % IN_FLIGHT];
    char text[96];
    uint64_t r = rnd(&g->random), id = rnd(&g->random), op = r % OPERATIONS, skew = r >> 40;
    uint64_t start = t->start + t->made * 700000ull + skew % 500000,
             length = (50000 + skew % 50000) << ((r >> 12) % 9 + ((r >> 13) % 500 == 0 ? 6 : 0));
    bool error = (r >> 20) % 100 == 0;
    if (t->made == t->spans)
        new_trace(g, t);
    size_t span = jg_pb_begin(b, JG_OTLP_SCOPE_SPANS_SPANS, 2);
    jg_pb_write_bytes(b, JG_OTLP_SPAN_TRACE_ID, t->id, 16);
    jg_pb_write_bytes(b, JG_OTLP_SPAN_SPAN_ID, &id, 8);
    if (t->made)
        jg_pb_write_bytes(b, JG_OTLP_SPAN_PARENT_SPAN_ID, &t->parents[(r >> 8) % JG_MIN(t->made, 8u)], 8);
    t->parents[t->made++ % 8] = id;
    (void)snprintf(text, sizeof text, "GET /api/v1/resource%02u/{id}", (unsigned)op);
    jg_pb_write_str(b, JG_OTLP_SPAN_NAME, jg_str(text));
    jg_pb_write_varint(b, JG_OTLP_SPAN_KIND, 1 + op % 5);
    jg_pb_write_fixed64(b, JG_OTLP_SPAN_START, start);
    jg_pb_write_fixed64(b, JG_OTLP_SPAN_END, start + length);
    attr_str(b, JG_OTLP_SPAN_ATTRIBUTES, "http.method", op % 3 ? "GET" : "POST");
    attr_int(b, "http.status_code", error ? 500 : op % 7 ? 200 : 204);
    (void)snprintf(text, sizeof text, "/api/v1/resource%02u/%u?expand=items", (unsigned)op,
                   (unsigned)(r >> 24) % 3000);
    attr_str(b, JG_OTLP_SPAN_ATTRIBUTES, "http.target", text);
    (void)snprintf(text, sizeof text, "u-%07u", (unsigned)(rnd(&g->random) % 2000000));
    attr_str(b, JG_OTLP_SPAN_ATTRIBUTES, "user.id", text);
    (void)snprintf(text, sizeof text, "10.%u.%u.%u", service, (unsigned)op, (unsigned)(r >> 32) % 200);
    attr_str(b, JG_OTLP_SPAN_ATTRIBUTES, "net.peer.ip", text);
    attr_int(b, "net.peer.port", 8080 + op);
    attr_int(b, "thread.id", (r >> 16) % 64);
    attr_str(b, JG_OTLP_SPAN_ATTRIBUTES, "http.user_agent",
             (r >> 50) % 4 ? "okhttp/4.9.3 (prod)" : "curl/7.88.1");
    attr_str(b, JG_OTLP_SPAN_ATTRIBUTES, "db.system", op % 2 ? "postgresql" : "redis");
    (void)snprintf(text, sizeof text, "SELECT id, state FROM resource%02u WHERE id = ?", (unsigned)op);
    attr_str(b, JG_OTLP_SPAN_ATTRIBUTES, "db.statement", text);
    if ((r >> 55) % 5 == 0) {
        size_t event = jg_pb_begin(b, JG_OTLP_SPAN_EVENTS, 1);
        jg_pb_write_fixed64(b, JG_OTLP_EVENT_TIME, start + length / 2);
        jg_pb_write_str(b, JG_OTLP_EVENT_NAME, JAEGER_STR("cache.miss"));
        attr_str(b, JG_OTLP_EVENT_ATTRIBUTES, "cache.tier", (r >> 58) % 2 ? "l1" : "l2");
        jg_pb_end(b, event, 1);
    }
    size_t status = jg_pb_begin(b, JG_OTLP_SPAN_STATUS, 1);
    if (error)
        jg_pb_write_varint(b, JG_OTLP_STATUS_CODE, JAEGER_STATUS_ERROR);
    jg_pb_end(b, status, 1);
    jg_pb_end(b, span, 2);
}

static void put_request(generator *g, jg_buf *b, uint32_t spans)
{
    char text[96];
    uint32_t service = (uint32_t)(rnd(&g->random) % SERVICES), pod = (uint32_t)(rnd(&g->random) % PODS);
    jg_buf_clear(b);
    size_t rs = jg_pb_begin(b, JG_OTLP_REQUEST_RESOURCE_SPANS, 3);
    size_t resource = jg_pb_begin(b, JG_OTLP_RESOURCE_SPANS_RESOURCE, 2);
    (void)snprintf(text, sizeof text, "service-%02u", service);
    attr_str(b, JG_OTLP_RESOURCE_ATTRIBUTES, "service.name", text);
    (void)snprintf(text, sizeof text, "service-%02u-7d9c5b6f4-%05u", service, pod * 7919);
    attr_str(b, JG_OTLP_RESOURCE_ATTRIBUTES, "k8s.pod.name", text);
    attr_str(b, JG_OTLP_RESOURCE_ATTRIBUTES, "service.version", "1.14.2");
    attr_str(b, JG_OTLP_RESOURCE_ATTRIBUTES, "deployment.environment", "production");
    attr_str(b, JG_OTLP_RESOURCE_ATTRIBUTES, "telemetry.sdk.language", "java");
    jg_pb_end(b, resource, 2);
    size_t ss = jg_pb_begin(b, JG_OTLP_RESOURCE_SPANS_SCOPE_SPANS, 3);
    size_t scope = jg_pb_begin(b, JG_OTLP_SCOPE_SPANS_SCOPE, 1);
    jg_pb_write_str(b, JG_OTLP_SCOPE_NAME, JAEGER_STR("io.opentelemetry.tomcat-10.0"));
    jg_pb_end(b, scope, 1);
    for (uint32_t i = 0; i < spans; i++)
        put_span(g, b, service);
    jg_pb_end(b, ss, 3);
    jg_pb_end(b, rs, 3);
}

/* ---- ingest
 * --------------------------------------------------------------------------------------------------- */

typedef struct writer {
    jaeger_storage *storage;
    generator g;
    uint64_t spans, wire_bytes;
    uint32_t *latencies_us;
    size_t latency_count;
    uint64_t pace_ns; /* one request in so long; 0: as fast as it goes */
    pthread_t thread;
} writer;

static uint64_t clock_ns(clockid_t id)
{
    struct timespec t;
    (void)clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void release(void *user, void *bytes, size_t len)
{
    (void)user, (void)bytes, (void)len;
}

static void *write_spans(void *arg)
{
    writer *w = arg;
    JG_AUTO_BUF jg_buf b = JG_BUF_INIT(4 << 20);
    jaeger_call call = JAEGER_CALL_INIT;
    uint64_t begin = clock_ns(CLOCK_MONOTONIC);
    size_t requests = w->spans / REQUEST_SPANS;
    w->latencies_us = jg_calloc(requests, sizeof *w->latencies_us);
    for (size_t i = 0; i < requests && w->latencies_us; i++) {
        uint64_t cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
        w->g.now = jg_clock_unix_ns();
        put_request(&w->g, &b, REQUEST_SPANS);
        w->g.cpu_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
        w->wire_bytes += b.len;
        uint64_t now = clock_ns(CLOCK_MONOTONIC), due = w->pace_ns ? begin + i * w->pace_ns : now;
        if (due > now)
            (void)usleep((useconds_t)((due - now) / 1000));
        jaeger_batch *batch = NULL;
        jaeger_status status = jaeger_batch_from_otlp(b.data, b.len, release, NULL, &batch, &call.error);
        while (status == JAEGER_OK &&
               (status = w->storage->driver->write(w->storage->self, jaeger_batch_ref(batch), &call)) ==
                   JAEGER_UNAVAILABLE)
            (void)usleep(call.error.retry_after_ms * 1000), status = JAEGER_OK;
        jaeger_batch_unref(batch);
        if (status != JAEGER_OK) {
            (void)fprintf(stderr, "write: %s\n", call.error.message);
            exit(1);
        }
        w->latencies_us[w->latency_count++] = (uint32_t)((clock_ns(CLOCK_MONOTONIC) - due) / 1000);
    }
    return NULL;
}

static int u32_order(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static uint64_t proc_value(const char *file, const char *name)
{
    char line[256];
    unsigned long long value = 0;
    FILE *f = fopen(file, "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, name, strlen(name)) == 0)
            (void)sscanf(line + strlen(name), "%llu", &value);
    if (f)
        (void)fclose(f);
    return value;
}

/** CPU of the threads that live, but this one: the store's. [ns] */
static uint64_t background_ns(void)
{
    FILE *f = popen("cat /proc/$PPID/task/*/schedstat | sort -n", "r");
    unsigned long long ns, sum = 0, wait, slices;
    while (f && fscanf(f, "%llu %llu %llu", &ns, &wait, &slices) == 3)
        sum += ns;
    if (f)
        (void)pclose(f);
    return sum - clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static uint64_t dir_bytes(const char *dir)
{
    char command[512];
    unsigned long long kb = 0;
    (void)snprintf(command, sizeof command, "du -sk %s", dir);
    FILE *f = popen(command, "r");
    if (f) {
        (void)!fscanf(f, "%llu", &kb);
        (void)pclose(f);
    }
    return kb * 1024;
}

static void ingest(jaeger_storage *storage, uint64_t spans, unsigned writers, uint64_t rate, const char *name)
{
    static writer all[WRITERS_MAX];
    uint64_t cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID), wall = clock_ns(CLOCK_MONOTONIC), generated = 0,
             wire = 0;
    uint64_t written = proc_value("/proc/self/io", "write_bytes:"), rss_max = 0, flusher = background_ns();
    for (unsigned i = 0; i < writers; i++) {
        all[i] = (writer){.storage = storage, .spans = spans / writers};
        all[i].g.random = 42 + i + cpu;
        all[i].pace_ns = rate ? 1000000000ull * REQUEST_SPANS * writers / rate : 0;
        for (size_t t = 0; t < IN_FLIGHT; t++) {
            all[i].g.now = jg_clock_unix_ns();
            new_trace(&all[i].g, &all[i].g.traces[t]);
        }
        if (pthread_create(&all[i].thread, NULL, write_spans, &all[i]) != 0)
            exit(1);
    }
    size_t n = 0, requests = spans / REQUEST_SPANS + writers;
    uint32_t *latencies = jg_calloc(requests, sizeof *latencies);
    for (unsigned i = 0; i < writers; i++) {
        while (pthread_tryjoin_np(all[i].thread, NULL) != 0) {
            rss_max = JG_MAX(rss_max, proc_value("/proc/self/status", "RssAnon:"));
            (void)usleep(20000);
        }
        generated += all[i].g.cpu_ns;
        wire += all[i].wire_bytes;
        memcpy(latencies + n, all[i].latencies_us, all[i].latency_count * sizeof *latencies);
        n += all[i].latency_count;
        jg_free(all[i].latencies_us);
    }
    wall = clock_ns(CLOCK_MONOTONIC) - wall;
    (void)usleep(1500000); /* the flusher finishes */
    cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu - generated;
    written = proc_value("/proc/self/io", "write_bytes:") - written;
    flusher = background_ns() - flusher;
    qsort(latencies, n, sizeof *latencies, u32_order);
    uint64_t done = n * REQUEST_SPANS;
    (void)printf("{\"bench\":\"%s\",\"spans\":%llu,\"cpu_s_per_million\":%.3f,\"of_it_flusher\":%.3f,\"spans_"
                 "per_s\":%.0f,\"wire_bytes_per_span\":"
                 "%.0f,\"device_bytes_per_span\":%.0f,\"rss_anon_mb_max\":%.0f,\"ack_p50_ms\":%.2f,\"ack_p99_"
                 "ms\":%.2f,"
                 "\"ack_max_ms\":%.2f}\n",
                 name, (unsigned long long)done, (double)cpu / (double)done / 1e3,
                 (double)flusher / (double)done / 1e3, (double)done * 1e9 / (double)wall,
                 (double)wire / (double)done, (double)written / (double)done, (double)rss_max / 1024,
                 latencies[n / 2] / 1e3, latencies[n * 99 / 100] / 1e3, latencies[n - 1] / 1e3);
    jg_free(latencies);
    (void)fflush(stdout);
}

/* ---- queries
 * -------------------------------------------------------------------------------------------------- */

static jaeger_status count(void *self, jaeger_batch *take, jaeger_call *call)
{
    (void)call;
    *(uint64_t *)self += jaeger_batch_span_count(take);
    jaeger_batch_unref(take);
    return JAEGER_OK;
}

static jaeger_attr tag(const char *key, const char *value)
{
    return (jaeger_attr){.key = jg_str(key), .value = {.type = JAEGER_VALUE_STRING, .u.s = jg_str(value)}};
}

/** Wall time and CPU time of one query: on a busy machine only the second tells something. */
typedef struct samples {
    uint32_t wall_us[2000], cpu_us[2000];
    size_t count;
    uint64_t wall_begin, cpu_begin;
    uint32_t first_us;
} samples;

static void begin_sample(samples *s)
{
    s->wall_begin = clock_ns(CLOCK_MONOTONIC);
    s->cpu_begin = clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static void end_sample(samples *s)
{
    s->cpu_us[s->count] = (uint32_t)((clock_ns(CLOCK_THREAD_CPUTIME_ID) - s->cpu_begin) / 1000);
    s->wall_us[s->count] = (uint32_t)((clock_ns(CLOCK_MONOTONIC) - s->wall_begin) / 1000);
    s->first_us = s->count ? s->first_us : s->wall_us[0];
    s->count++;
}

static void report(const char *name, samples *s, uint64_t results)
{
    size_t n = s->count;
    qsort(s->wall_us, n, sizeof *s->wall_us, u32_order);
    qsort(s->cpu_us, n, sizeof *s->cpu_us, u32_order);
    (void)printf("{\"bench\":\"query\",\"name\":\"%s\",\"cpu_p50_ms\":%.3f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,"
                 "\"first_ms\":%.1f,"
                 "\"results\":%llu}\n",
                 name, s->cpu_us[n / 2] / 1e3, s->wall_us[n / 2] / 1e3, s->wall_us[n * 99 / 100] / 1e3,
                 s->first_us / 1e3, (unsigned long long)results);
    (void)fflush(stdout);
}

static void find(jaeger_storage *storage, const char *name, jaeger_trace_query query)
{
    static samples s;
    uint64_t spans = 0;
    query.size = sizeof query;
    query.limit = 20;
    for (s.count = 0; s.count < 41;) {
        JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
        jaeger_call call = JAEGER_CALL_INIT;
        call.arena = arena;
        spans = 0;
        begin_sample(&s);
        if (storage->driver->find_traces(storage->self, &query, (jaeger_consumer){count, &spans}, &call) !=
            JAEGER_OK)
            (void)fprintf(stderr, "%s: %s\n", name, call.error.message);
        end_sample(&s);
    }
    report(name, &s, spans);
}

/** Traces at random: ids from searches with a start that moves through the time range. */
static void get(jaeger_storage *storage, uint64_t from, uint64_t to)
{
    static samples s;
    uint64_t state = 7, spans = 0;
    s.count = 0;
    while (s.count < JG_COUNT(s.wall_us)) {
        JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
        jaeger_call call = JAEGER_CALL_INIT;
        call.arena = arena;
        jaeger_trace_refs refs = {0};
        jaeger_trace_query query = {
            .size = sizeof query, .limit = 50, .start_max_unix_ns = from + rnd(&state) % (to - from)};
        if (storage->driver->find_trace_ids(storage->self, &query, &refs, &call) != JAEGER_OK)
            return;
        for (size_t i = 0; i < refs.count && s.count < JG_COUNT(s.wall_us); i += 5) {
            jaeger_trace_ref ref = {0};
            begin_sample(&s);
            memcpy(ref.trace_id, refs.items[i].trace_id, 16);
            (void)!storage->driver->get_traces(storage->self, &ref, 1, (jaeger_consumer){count, &spans},
                                               &call);
            end_sample(&s);
        }
    }
    report("get-trace", &s, spans);
}

static void names_and_calls(jaeger_storage *storage)
{
    static samples s;
    uint64_t results = 0;
    static const char *const names[] = {"services", "operations", "dependencies-24h"};
    for (int which = 0; which < 3; which++) {
        for (s.count = 0; s.count < 40;) {
            JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
            jaeger_call call = JAEGER_CALL_INIT;
            call.arena = arena;
            jaeger_strs services = {0};
            jaeger_operations operations = {0};
            jaeger_dependencies calls = {0};
            uint64_t now = jg_clock_unix_ns();
            begin_sample(&s);
            if (which == 0)
                (void)!storage->driver->services(storage->self, &services, &call);
            else if (which == 1)
                (void)!storage->driver->operations(storage->self, JAEGER_STR("service-07"), (jaeger_str){0},
                                                   &operations, &call);
            else
                (void)!storage->driver->dependencies(storage->self, now - 86400 * 1000000000ull, now, &calls,
                                                     &call);
            end_sample(&s);
            results = services.count + operations.count + calls.count;
        }
        report(names[which], &s, results);
    }
}

static void queries(jaeger_storage *storage, uint64_t from, uint64_t to)
{
    const jaeger_str service = JAEGER_STR("service-07"), op = JAEGER_STR("GET /api/v1/resource03/{id}");
    jaeger_attr common[] = {tag("http.method", "POST"), tag("db.system", "postgresql"),
                            tag("thread.id", "7")};
    jaeger_attr rare[] = {tag("user.id", "u-0012345"), tag("http.method", "GET"), tag("db.system", "redis")};
    jaeger_attr error[] = {tag("http.status_code", "500")}, absent[] = {tag("user.id", "nobody")};
    jaeger_attr empty[] = {tag("thread.id", "7"), tag("net.peer.ip", "10.7.3.77"),
                           tag("http.status_code", "500")};
    jaeger_attr resource[] = {tag("k8s.pod.name", "service-07-7d9c5b6f4-07919")},
                event[] = {tag("cache.tier", "l1")};
    get(storage, from, to);
    find(storage, "service", (jaeger_trace_query){.service = service});
    find(storage, "service+operation", (jaeger_trace_query){.service = service, .operation = op});
    find(storage, "error-500", (jaeger_trace_query){.attrs = error, .attr_count = 1});
    find(storage, "rare-tag", (jaeger_trace_query){.attrs = rare, .attr_count = 1});
    find(storage, "three-tags-common", (jaeger_trace_query){.attrs = common, .attr_count = 3});
    find(storage, "three-tags-rare", (jaeger_trace_query){.attrs = rare, .attr_count = 3});
    find(storage, "three-tags-few", (jaeger_trace_query){.attrs = empty, .attr_count = 3});
    find(storage, "absent-value", (jaeger_trace_query){.attrs = absent, .attr_count = 1});
    find(storage, "min-duration", (jaeger_trace_query){.duration_min_ns = 1000000000});
    find(storage, "min-duration-none", (jaeger_trace_query){.duration_min_ns = 60000000000});
    find(storage, "resource-tag", (jaeger_trace_query){.attrs = resource, .attr_count = 1});
    find(storage, "event-tag", (jaeger_trace_query){.attrs = event, .attr_count = 1});
    names_and_calls(storage);
}

static double open_store(const char *yaml, jaeger_storage *ret, jaeger_config **config)
{
    jaeger_error err;
    static const jaeger_logger silent = {0};
    if (jaeger_config_parse(jg_str(yaml), "bench", config, &err) != JAEGER_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    uint64_t begin = clock_ns(CLOCK_MONOTONIC);
    if (jg_storage_open(&jg_storage_embedded, *config, &silent, NULL, ret, &err) != JAEGER_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    return (double)(clock_ns(CLOCK_MONOTONIC) - begin) / 1e6;
}

static void memory_line(const char *when)
{
    (void)printf("{\"bench\":\"memory\",\"when\":\"%s\",\"rss_anon_mb\":%.1f,\"rss_file_mb\":%.1f}\n", when,
                 (double)proc_value("/proc/self/status", "RssAnon:") / 1024,
                 (double)proc_value("/proc/self/status", "RssFile:") / 1024);
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    char yaml[512];
    jaeger_storage storage = {0};
    jaeger_config *config = NULL;
    uint64_t spans = 200000, writers = 8, from = jg_clock_unix_ns();
    if (argc < 2) {
        (void)fprintf(stderr, "usage: %s DIR [SPANS [WRITERS [DURABILITY [MEMORY [ingest]]]]]\n", argv[0]);
        return 2;
    }
    if (argc > 2)
        (void)jg_str_to_u64(jg_str(argv[2]), &spans);
    if (argc > 3)
        (void)jg_str_to_u64(jg_str(argv[3]), &writers);
    writers = JG_MAX(1u, JG_MIN(writers, (uint64_t)WRITERS_MAX));
    (void)snprintf(yaml, sizeof yaml, "{directory: '%s', durability: %s, memory: %s}", argv[1],
                   argc > 4 ? argv[4] : "sync", argc > 5 ? argv[5] : "268435456");
    (void)open_store(yaml, &storage, &config);
    ingest(&storage, spans, (unsigned)writers, 0, "ingest");
    memory_line("after ingest");
    if (argc > 6) { /* for profilers */
        jg_storage_close(&storage);
        jaeger_config_free(config);
        return 0;
    }
    ingest(&storage, JG_MIN(spans, 300000u), (unsigned)writers, 50000, "ingest at 50000/s");
    uint64_t to = jg_clock_unix_ns();
    queries(&storage, from, to);
    memory_line("after queries");
    jg_storage_close(&storage);
    jaeger_config_free(config);
    (void)printf("{\"bench\":\"disk\",\"bytes_per_span\":%.1f}\n",
                 (double)dir_bytes(argv[1]) / (double)(spans + JG_MIN(spans, 300000u)));
    (void)printf("{\"bench\":\"open\",\"ms\":%.1f}\n", open_store(yaml, &storage, &config));
    memory_line("after open");
    queries(&storage, from, to);
    memory_line("idle");
    jg_storage_close(&storage);
    jaeger_config_free(config);
    return 0;
}
