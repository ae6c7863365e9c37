/* SPDX-License-Identifier: Apache-2.0
 * A load generator: sends realistic spans as OTLP over gRPC or HTTP and prints one line of JSON about what
 * came of it. loadgen --target host:port [--protocol grpc|http|json] [--spans N] [--rate spans/s]
 * [--connections C] [--streams S]
 *           [--pid SERVER] [--seed N] [--span-count spans of a request]
 * Requests are encoded once; ids and times are patched into a copy for each. With --rate, latency counts from
 * the time a request was due, so that a slow server cannot hide behind a waiting generator. Exit code 1:
 * errors.
 */
#include "bench/loadgen.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/pb.h"
#include "core/str.h"
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define TEMPLATES  64   /* different requests; patches make every one unique */
#define BUCKETS    2000 /* of latencies: each 1 % wider than the one before, from 1 us */
#define BUCKET_LOG 0.00995033085316808284

static struct {
    const load_transport *transport;
    load_options options;
    uint64_t spans, rate, seed, span_count;
    int pid;
    /* the loop's */
    jg_loop *loop;
    load_template templates[TEMPLATES], last; /* last: what is left over */
    load_slot **slots;
    size_t slot_count;
    load_slot *idle;
    uint64_t random, requests_begun, requests_ended, requests, begin_ns, end_ns;
    uint64_t acknowledged, rejected, errors;
    uint64_t latencies[BUCKETS];
    char first_error[160];
    jg_timer pace;
    const char *start_error;
    /* main waits for it */
    pthread_mutex_t end_mutex;
    pthread_cond_t end_cond;
    bool ended;
} run = {.end_mutex = PTHREAD_MUTEX_INITIALIZER, .end_cond = PTHREAD_COND_INITIALIZER};

int load_connect(const load_options *options)
{
    char port[8];
    (void)snprintf(port, sizeof port, "%u", options->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    if (getaddrinfo(options->host, port, &hints, &found))
        return -1;
    int fd = -1, on = 1;
    for (struct addrinfo *a = found; a && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen)) {
            (void)close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    if (fd >= 0) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    }
    return fd;
}

uint64_t load_rejected_pb(const uint8_t *bytes, size_t len)
{
    jg_pb_field partial, field;
    for (jg_pb pb = jg_pb_of(bytes, len); jg_pb_next(&pb, &partial);)
        if (partial.number == 1 && partial.wire == JG_PB_LEN)
            for (jg_pb in = jg_pb_of(partial.ptr, partial.len); jg_pb_next(&in, &field);)
                if (field.number == 1 && field.wire == JG_PB_VARINT)
                    return field.varint;
    return 0;
}

/* ---- pacing -----------------------------------------------------------------------------------------------
 */

static void note_latency(uint64_t ns)
{
    double us = (double)ns / 1000;
    size_t bucket = us <= 1 ? 0 : (size_t)(log(us) / BUCKET_LOG);
    run.latencies[JG_MIN(bucket, BUCKETS - 1)]++;
}

static double percentile_ms(double share)
{
    uint64_t total = 0, seen = 0;
    for (size_t i = 0; i < BUCKETS; i++)
        total += run.latencies[i];
    for (size_t i = 0; i < BUCKETS; i++) {
        seen += run.latencies[i];
        if (total && (double)seen >= share * (double)total)
            return exp((double)(i + 1) * BUCKET_LOG) / 1000;
    }
    return 0;
}

/** When request `number` should leave. */
static uint64_t due_ns(uint64_t number)
{
    return run.rate
               ? run.begin_ns + (uint64_t)((double)number * (double)run.span_count * 1e9 / (double)run.rate)
               : 0;
}

static void begin_request(load_slot *slot, uint64_t now)
{
    uint64_t number = run.requests_begun++, left = run.spans - number * run.span_count;
    const load_template *t = left < run.span_count ? &run.last : &run.templates[number % TEMPLATES];
    load_template_fill(t, slot->bytes + run.transport->head_bytes, &run.random);
    slot->len = t->bytes.len;
    slot->spans = t->spans;
    slot->due_ns = run.rate ? due_ns(number) : now;
    run.transport->send(slot);
}

static void pump(void)
{
    uint64_t now = jg_clock_mono_ns();
    while (run.idle && run.requests_begun < run.requests) {
        uint64_t due = due_ns(run.requests_begun);
        if (due > now) {
            jg_loop_timer_set(run.loop, &run.pace, due);
            return;
        }
        load_slot *slot = run.idle;
        run.idle = slot->next_idle;
        begin_request(slot, now);
    }
}

static void pace(jg_timer *timer)
{
    (void)timer;
    pump();
}

static void finish_run(void)
{
    run.end_ns = jg_clock_mono_ns();
    run.transport->stop();
    (void)pthread_mutex_lock(&run.end_mutex);
    run.ended = true;
    (void)pthread_cond_signal(&run.end_cond);
    (void)pthread_mutex_unlock(&run.end_mutex);
}

void load_answered(load_slot *slot, bool ok, uint64_t rejected, const char *error)
{
    slot->len = 0;
    run.requests_ended++;
    if (ok) {
        note_latency(jg_clock_mono_ns() - slot->due_ns);
        run.acknowledged += slot->spans - JG_MIN(rejected, slot->spans);
        run.rejected += rejected;
    } else {
        run.errors++;
        if (!run.first_error[0])
            (void)snprintf(run.first_error, sizeof run.first_error, "%s", error);
    }
    slot->next_idle = run.idle;
    run.idle = slot;
    if (run.requests_ended == run.requests)
        finish_run();
    else if (!run.pace.due_ns) /* not from here: a transport may be in the middle of something */
        jg_loop_timer_set(run.loop, &run.pace, 1);
}

static void start(void *arg)
{
    (void)arg;
    run.start_error = run.transport->start(run.loop, &run.options, run.slots, run.slot_count);
    if (run.start_error)
        return;
    run.begin_ns = jg_clock_mono_ns();
    run.pace.fire = pace;
    pump();
}

/* ---- the server -------------------------------------------------------------------------------------------
 */

/** CPU time of a process [s]: user and system, from /proc/PID/stat. */
static double cpu_s(int pid)
{
    char path[64], text[1024] = "";
    (void)snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    size_t len = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    text[len] = 0;
    unsigned long user = 0, system = 0;
    const char *after = strrchr(text, ')');
    if (!after ||
        sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
        return 0;
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

/** A number after "name:" in a file of /proc/PID. */
static double proc_number(int pid, const char *file_name, const char *name)
{
    char path[64], line[256];
    double value = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/%s", pid, file_name);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
            (void)sscanf(line + strlen(name) + 1, "%lf", &value);
    if (file)
        (void)fclose(file);
    return value;
}

/* ---- main -------------------------------------------------------------------------------------------------
 */

static void usage(void)
{
    (void)fputs("usage: loadgen --target host:port [--protocol grpc|http|json] [--spans N] [--rate spans/s]\n"
                "               [--connections C] [--streams S] [--pid SERVER] [--seed N] [--span-count N]\n",
                stderr);
    exit(2);
}

static uint64_t number(const char *text)
{
    uint64_t value = 0;
    if (!jg_str_to_u64(jg_str(text), &value))
        usage();
    return value;
}

static void read_target(const char *text)
{
    const char *colon = strrchr(text, ':');
    if (!colon)
        usage();
    (void)snprintf(run.options.host, sizeof run.options.host, "%.*s", (int)(colon - text), text);
    run.options.port = (uint16_t)number(colon + 1);
}

static void read_options(int argc, char **argv)
{
    static const struct option options[] = {{"target", 1, NULL, 't'},      {"protocol", 1, NULL, 'p'},
                                            {"spans", 1, NULL, 'n'},       {"rate", 1, NULL, 'r'},
                                            {"connections", 1, NULL, 'c'}, {"streams", 1, NULL, 's'},
                                            {"pid", 1, NULL, 'P'},         {"seed", 1, NULL, 'S'},
                                            {"span-count", 1, NULL, 'k'},  {NULL, 0, NULL, 0}};
    run.transport = &load_grpc;
    run.spans = 1000000;
    run.span_count = 100;
    run.seed = 1;
    run.options.connections = 4;
    run.options.streams = 16;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 't')
            read_target(optarg);
        else if (c == 'p' && (strcmp(optarg, "http") == 0 || strcmp(optarg, "json") == 0))
            run.transport = &load_http, run.options.json = optarg[0] == 'j';
        else if (c == 'p' && strcmp(optarg, "grpc") != 0)
            usage();
        else if (c == 'n')
            run.spans = number(optarg);
        else if (c == 'r')
            run.rate = number(optarg);
        else if (c == 'c')
            run.options.connections = (unsigned)number(optarg);
        else if (c == 's')
            run.options.streams = (unsigned)number(optarg);
        else if (c == 'P')
            run.pid = (int)number(optarg);
        else if (c == 'S')
            run.seed = number(optarg);
        else if (c == 'k')
            run.span_count = number(optarg);
        else if (c == '?')
            usage();
    }
    if (!run.options.port || !run.spans || !run.options.connections || !run.options.streams ||
        !run.span_count || run.span_count > 100)
        usage();
}

static bool prepare(void)
{
    run.random =
        run.seed ^ jg_clock_unix_ns(); /* ids must differ between runs; the shape comes from the seed alone */
    run.requests = (run.spans + run.span_count - 1) / run.span_count;
    size_t bytes_max = 0;
    for (size_t i = 0; i < TEMPLATES; i++) {
        if (!load_template_make(&run.templates[i], run.options.json, (unsigned)run.span_count,
                                run.seed * 1000 + i))
            return false;
        bytes_max = JG_MAX(bytes_max, run.templates[i].bytes.len);
    }
    if (run.spans % run.span_count &&
        !load_template_make(&run.last, run.options.json, (unsigned)(run.spans % run.span_count), run.seed))
        return false;
    run.slot_count = run.options.connections * (run.transport == &load_grpc ? run.options.streams : 1);
    run.slots = jg_calloc(run.slot_count, sizeof *run.slots);
    for (size_t i = 0; run.slots && i < run.slot_count; i++) {
        load_slot *slot = jg_calloc(1, run.transport->slot_bytes);
        if (!slot || !(slot->bytes = jg_alloc(run.transport->head_bytes + bytes_max)))
            return false;
        run.slots[i] = slot;
        slot->next_idle = run.idle;
        run.idle = slot;
    }
    return run.slots != NULL;
}

static void print_figures(double server_cpu_s, double written)
{
    struct rusage own;
    (void)getrusage(RUSAGE_SELF, &own);
    double seconds = (double)(run.end_ns - run.begin_ns) / 1e9;
    double own_s = (double)(own.ru_utime.tv_sec + own.ru_stime.tv_sec) +
                   (double)(own.ru_utime.tv_usec + own.ru_stime.tv_usec) / 1e6;
    (void)printf(
        "{\"spans\": %llu, \"acknowledged_spans\": %llu, \"rejected_spans\": %llu, \"errors\": %llu, "
        "\"seconds\": %.3f, \"spans_per_s\": %.0f, \"ack_p50_ms\": %.3f, \"ack_p99_ms\": %.3f, "
        "\"ack_max_ms\": %.3f, "
        "\"request_bytes\": %zu, \"loadgen_cpu_s\": %.2f",
        (unsigned long long)run.spans, (unsigned long long)run.acknowledged, (unsigned long long)run.rejected,
        (unsigned long long)run.errors, seconds, seconds > 0 ? (double)run.acknowledged / seconds : 0,
        percentile_ms(0.5), percentile_ms(0.99), percentile_ms(1), run.templates[0].bytes.len, own_s);
    if (run.pid)
        (void)printf(", \"server_cpu_s\": %.2f, \"server_cpu_s_per_million_spans\": %.3f, "
                     "\"server_peak_rss_mib\": %.1f, "
                     "\"server_write_bytes\": %.0f",
                     server_cpu_s, run.acknowledged ? server_cpu_s * 1e6 / (double)run.acknowledged : 0,
                     proc_number(run.pid, "status", "VmHWM") / 1024, written);
    if (run.errors)
        (void)fprintf(stderr, "loadgen: first error: %s\n", run.first_error);
    (void)puts("}");
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    run.loop = jg_loop_new("loadgen", 0);
    if (!run.loop || !prepare()) {
        (void)fputs("loadgen: out of memory\n", stderr);
        return 1;
    }
    double cpu = run.pid ? cpu_s(run.pid) : 0,
           written = run.pid ? proc_number(run.pid, "io", "write_bytes") : 0;
    jg_loop_sync(run.loop, start, NULL);
    if (run.start_error) {
        (void)fprintf(stderr, "loadgen: %s:%u: %s\n", run.options.host, run.options.port, run.start_error);
        return 1;
    }
    (void)pthread_mutex_lock(&run.end_mutex);
    while (!run.ended)
        (void)pthread_cond_wait(&run.end_cond, &run.end_mutex);
    (void)pthread_mutex_unlock(&run.end_mutex);
    print_figures(run.pid ? cpu_s(run.pid) - cpu : 0,
                  run.pid ? proc_number(run.pid, "io", "write_bytes") - written : 0);
    return run.errors ? 1 : 0;
}
