/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/spool.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/metrics.h"
#include "pipeline/queue.h"
#include "support/test.h"
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[128], file[160];
static char log_text[65536];
static pthread_mutex_t log_mutex = PTHREAD_MUTEX_INITIALIZER;

static void keep_line(void *user, jaeger_level level, jaeger_str line)
{
    (void)user, (void)level;
    pthread_mutex_lock(&log_mutex);
    size_t len = strlen(log_text);
    (void)snprintf(log_text + len, sizeof log_text - len, "%.*s\n", JAEGER_STR_ARGS(line));
    pthread_mutex_unlock(&log_mutex);
}

static bool logged(const char *text)
{
    pthread_mutex_lock(&log_mutex);
    bool found = strstr(log_text, text) != NULL;
    pthread_mutex_unlock(&log_mutex);
    return found;
}

static const jaeger_log_sink sink = {.write = keep_line};
static const jaeger_logger logger = {&sink, "test"};

static void clear_directory(void)
{
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[512];
        (void)snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        (void)unlink(path);
    }
    if (d)
        (void)closedir(d);
    log_text[0] = 0;
}

static int make_directory(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof dir, "/tmp/jg_spool_XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void)snprintf(file, sizeof file, "%s/queue.mdb", dir);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    clear_directory();
    return rmdir(dir);
}

static int clear(void **state)
{
    (void)state;
    clear_directory();
    return 0;
}

/** One span with number `n` in its id, and a name of `bytes` bytes. */
static jaeger_batch *numbered(unsigned n, size_t bytes)
{
    jaeger_builder *b = jaeger_builder_new(bytes + 4096);
    char *name = jg_calloc(1, bytes + 1);
    memset(name, 'a' + (int)(n % 26), bytes);
    jaeger_builder_span(b, &(jaeger_span_start){.trace_id = {(uint8_t)(n >> 8), (uint8_t)n, [15] = 1},
                                                .span_id = {1},
                                                .name = {name, bytes}});
    jaeger_batch *batch = NULL;
    assert_ok(jaeger_builder_finish(b, &batch, NULL));
    jaeger_builder_free(b);
    jg_free(name);
    return batch;
}

static unsigned number_of(const jaeger_batch *batch)
{
    const jaeger_span *span = jaeger_batch_spans(batch);
    unsigned n = (unsigned)span->trace_id[0] << 8 | span->trace_id[1];
    for (size_t i = 0; i < span->name.len; i++)
        assert_int_equal(span->name.ptr[i], 'a' + (int)(n % 26));
    return n;
}

static jg_spool *open_with(uint64_t bytes_max)
{
    jg_spool *spool = NULL;
    jaeger_error err = {0};
    if (jg_spool_open(dir, bytes_max, &logger, &spool, &err) != JAEGER_OK)
        fail_msg("%s", err.message);
    return spool;
}

static uint64_t put_ms; /* how long a put may take; 0: very long, machines are busy */

static jaeger_status put(jg_spool *spool, unsigned n, size_t bytes, bool waits, jaeger_error *err)
{
    jaeger_call call = JAEGER_CALL_INIT;
    call.tenant = JAEGER_STR("acme");
    call.deadline_ns = jg_clock_mono_ns() + (put_ms ? put_ms : 20000) * JG_NS_PER_MS;
    JG_AUTO_BATCH jaeger_batch *batch = numbered(n, bytes);
    jaeger_status status = jg_spool_put(spool, batch, waits, &call);
    if (err)
        *err = call.error;
    return status;
}

static unsigned take(jg_spool *spool, bool removes)
{
    jg_spool_item item;
    assert_true(jg_spool_take(spool, true, &item));
    assert_str(((jaeger_str){item.tenant, item.tenant_len}), "acme");
    unsigned n = number_of(item.batch);
    jaeger_batch_unref(item.batch);
    if (removes)
        jg_spool_remove(spool, item.seq);
    return n;
}

static void batches_come_back_in_order_and_removed_ones_are_gone(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 10, 1900, 2100, 5000, 100000, 3000000};
    jg_spool *spool = open_with(64 << 20);
    for (unsigned i = 0; i < JG_COUNT(sizes); i++)
        assert_ok(put(spool, i, sizes[i], false, NULL));
    assert_int_equal(jg_spool_measure(spool).batches, JG_COUNT(sizes));
    for (unsigned i = 0; i < JG_COUNT(sizes); i++)
        assert_int_equal(take(spool, i % 2 == 0), i);
    jg_spool_close(spool);
    spool = open_with(64 << 20);
    assert_int_equal(jg_spool_measure(spool).batches, 3);
    assert_int_equal(jg_spool_measure(spool).spans, 3);
    for (unsigned i = 1; i < JG_COUNT(sizes); i += 2)
        assert_int_equal(take(spool, true), i);
    jg_spool_flush(spool);
    assert_int_equal(jg_spool_measure(spool).batches, 0);
    assert_int_equal(jg_spool_measure(spool).bytes, 0);
    jg_spool_close(spool);
    assert_string_equal(log_text, "");
}

static void what_was_accepted_survives_kill_9(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        jg_spool *spool = NULL;
        if (jg_spool_open(dir, 64 << 20, NULL, &spool, NULL) != JAEGER_OK)
            _exit(1);
        for (unsigned n = 0;; n++) {
            JG_AUTO_BATCH jaeger_batch *batch = numbered(n, 3000);
            jaeger_call call = JAEGER_CALL_INIT;
            call.tenant = JAEGER_STR("acme");
            if (jg_spool_put(spool, batch, false, &call) != JAEGER_OK || write(ends[1], &n, sizeof n) < 0)
                _exit(2);
        }
    }
    unsigned accepted = 0;
    while (accepted < 50)
        assert_int_equal(read(ends[0], &accepted, sizeof accepted), sizeof accepted);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    (void)close(ends[1]);
    while (read(ends[0], &accepted, sizeof accepted) > 0)
        ;
    (void)close(ends[0]);
    jg_spool *spool = open_with(64 << 20);
    assert_true(jg_spool_measure(spool).batches > accepted);
    for (unsigned n = 0; n <= accepted; n++)
        assert_int_equal(take(spool, true), n);
    jg_spool_close(spool);
    assert_string_equal(log_text, "");
}

static void *make_room(void *arg)
{
    usleep(50000);
    (void)take(arg, true);
    return NULL;
}

static void a_full_one_refuses_or_waits(void **state)
{
    (void)state;
    jaeger_error err;
    jg_spool *spool = open_with(40000);
    for (unsigned i = 0; i < 3; i++)
        assert_ok(put(spool, i, 10000, false, NULL));
    assert_int_equal(put(spool, 3, 10000, false, &err), JAEGER_RESOURCE_EXHAUSTED);
    assert_true(err.retry_after_ms > 0);
    put_ms = 200;
    assert_int_equal(put(spool, 3, 10000, true, &err), JAEGER_RESOURCE_EXHAUSTED);
    put_ms = 0;
    assert_int_equal(put(spool, 3, 50000, true, &err), JAEGER_INVALID_ARGUMENT);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, make_room, spool), 0);
    assert_ok(put(spool, 3, 10000, true, NULL));
    assert_int_equal(pthread_join(thread, NULL), 0);
    for (unsigned i = 1; i < 4; i++)
        assert_int_equal(take(spool, false), i);
    jg_spool_stop(spool);
    jg_spool_item item;
    assert_false(jg_spool_take(spool, true, &item));
    assert_int_equal(put(spool, 4, 1, false, &err), JAEGER_UNAVAILABLE);
    jg_spool_close(spool);
}

static void a_disk_that_is_full_refuses_and_keeps_what_is_there(void **state)
{
    (void)state;
    struct rlimit before, little = {1 << 20, 1 << 20};
    jaeger_error err = {0};
    jg_spool *spool = open_with(64 << 20);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    little.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    unsigned accepted = 0;
    while (put(spool, accepted, 100000, false, &err) == JAEGER_OK)
        accepted++;
    assert_int_equal(err.status, JAEGER_RESOURCE_EXHAUSTED);
    assert_true(err.retry_after_ms > 0);
    assert_true(accepted > 3 && accepted < 20);
    for (unsigned i = 0; i < 3; i++) /* removing works, and makes room */
        assert_int_equal(take(spool, true), i);
    jaeger_status status = JAEGER_RESOURCE_EXHAUSTED;
    for (int tries = 0; tries < 50 && status != JAEGER_OK; tries++) {
        usleep(50000);
        status = put(spool, accepted, 50000, false, &err);
    }
    assert_ok(status);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    for (unsigned i = 3; i <= accepted; i++)
        assert_int_equal(take(spool, true), i);
    jg_spool_close(spool);
    assert_non_null(strstr(log_text, "cannot write the persistent queue"));
}

static size_t count_files(const char *name)
{
    size_t count = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));)
        count += strncmp(e->d_name, name, strlen(name)) == 0;
    (void)closedir(d);
    return count;
}

static void write_file(const char *bytes, size_t len)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    (void)close(fd);
}

static void a_foreign_file_is_set_aside(void **state)
{
    (void)state;
    static char junk[20000];
    memset(junk, 'x', sizeof junk);
    static const size_t lengths[] = {1, 100, 4096, 20000};
    for (size_t i = 0; i < JG_COUNT(lengths); i++) {
        clear_directory();
        write_file(junk, lengths[i]);
        jg_spool *spool = open_with(1 << 20);
        assert_int_equal(count_files("queue.mdb.bad-"), 1);
        assert_non_null(strstr(log_text, "torn or not ours, it was set aside"));
        assert_non_null(strstr(log_text, file));
        assert_ok(put(spool, 7, 10, false, NULL));
        assert_int_equal(take(spool, true), 7);
        jg_spool_close(spool);
    }
}

static char *read_file(size_t *ret_len)
{
    struct stat st;
    int fd = open(file, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    char *bytes = malloc((size_t)st.st_size);
    assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
    (void)close(fd);
    *ret_len = (size_t)st.st_size;
    return bytes;
}

/** Open, take all; each must be whole, none twice, none of the removed. @return how many */
static unsigned take_what_is_left(unsigned first_live)
{
    bool seen[64] = {false};
    jg_spool *spool = open_with(8 << 20);
    unsigned count = (unsigned)jg_spool_measure(spool).batches;
    for (unsigned i = 0; i < count; i++) {
        unsigned n = take(spool, true);
        assert_true(n >= first_live && n < 64 && !seen[n]);
        seen[n] = true;
    }
    assert_ok(put(spool, 1, 100, false, NULL));
    assert_int_equal(take(spool, true), 1);
    jg_spool_close(spool);
    return count;
}

static void torn_files_keep_what_is_whole(void **state)
{
    (void)state;
    jg_spool *spool = open_with(8 << 20);
    for (unsigned n = 0; n < 40; n++)
        assert_ok(put(spool, n, n % 3 ? 6000 : 300, false, NULL));
    for (unsigned n = 0; n < 10; n++)
        assert_int_equal(take(spool, true), n);
    usleep(300000); /* removals are written down */
    for (unsigned n = 40; n < 50; n++)
        assert_ok(put(spool, n, 6000, false, NULL));
    jg_spool_close(spool);
    size_t len;
    char *whole = read_file(&len);
    clear_directory();
    write_file(whole, len);
    assert_int_equal(take_what_is_left(10), 40);
    assert_int_equal(count_files("queue.mdb.bad-"), 0);
    unsigned most = 0;
    for (size_t cut = 4096; cut < len; cut += 4096) { /* a shorter file */
        clear_directory();
        write_file(whole, len - cut);
        unsigned kept = take_what_is_left(0);
        most = JG_MAX(most, kept);
        if (len - cut > 8192)
            assert_non_null(strstr(log_text, "set aside"));
    }
    assert_true(most >= 30);
    char *broken = malloc(len);
    for (size_t at = 8192; at < len; at += 4096) { /* a page of zeroes */
        clear_directory();
        memcpy(broken, whole, len);
        memset(broken + at, 0, 4096);
        write_file(broken, len);
        jg_spool *s = open_with(8 << 20);
        jg_spool_close(s);
    }
    free(broken);
    free(whole);
}

static void a_directory_has_one_user(void **state)
{
    (void)state;
    jg_spool *spool = open_with(1 << 20), *second = NULL;
    jaeger_error err = {0};
    assert_int_equal(jg_spool_open(dir, 1 << 20, NULL, &second, &err), JAEGER_FAILED_PRECONDITION);
    assert_non_null(strstr(err.message, "another exporter or process uses it"));
    jg_spool_close(spool);
    assert_int_equal(jg_spool_open("/proc/nowhere", 1 << 20, NULL, &second, &err), JAEGER_UNAVAILABLE);
}

static jg_spool *shared;

static void *put_many(void *arg)
{
    for (unsigned i = 0; i < 50; i++)
        assert_ok(put(shared, *(unsigned *)arg * 50 + i, 500, true, NULL));
    return NULL;
}

static void *take_many(void *arg)
{
    unsigned char *seen = arg;
    jg_spool_item item;
    while (jg_spool_take(shared, true, &item)) {
        __atomic_add_fetch(&seen[number_of(item.batch)], 1, __ATOMIC_RELAXED);
        jaeger_batch_unref(item.batch);
        jg_spool_remove(shared, item.seq);
    }
    return NULL;
}

static void many_threads_put_and_take(void **state)
{
    (void)state;
    static unsigned char seen[400];
    unsigned numbers[8];
    pthread_t putters[8], takers[3];
    shared = open_with(8 << 20);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&takers[i], NULL, take_many, seen), 0);
    for (unsigned i = 0; i < 8; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&putters[i], NULL, put_many, &numbers[i]), 0);
    }
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(pthread_join(putters[i], NULL), 0);
    for (int tries = 0; tries < 200 && jg_spool_measure(shared).batches; tries++)
        usleep(20000);
    assert_int_equal(jg_spool_measure(shared).batches, 0);
    jg_spool_stop(shared);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(pthread_join(takers[i], NULL), 0);
    for (unsigned i = 0; i < 400; i++)
        assert_int_equal(seen[i], 1);
    jg_spool_close(shared);
}

/* ---- the queue above it ---- */

#define POINTS 3

/** A gauge of POINTS points. */
static jaeger_batch *metrics(void)
{
    jaeger_batch *batch = NULL;
    jaeger_error err = {0};
    JG_AUTO_BUF jg_buf out = JG_BUF_INIT(256);
    size_t resource = jg_pb_begin(&out, JG_OTLP_RESOURCE_METRICS, 1);
    size_t scope = jg_pb_begin(&out, JG_OTLP_METRICS_ITEMS, 1);
    size_t metric = jg_pb_begin(&out, JG_OTLP_METRICS_ITEMS, 1);
    jg_pb_write_str(&out, JG_OTLP_METRIC_NAME, JAEGER_STR("g"));
    size_t data = jg_pb_begin(&out, JG_METRIC_GAUGE, 1);
    for (int i = 0; i < POINTS; i++) {
        size_t point = jg_pb_begin(&out, JG_OTLP_DATA_POINTS, 1);
        jg_pb_write_double(&out, JG_OTLP_NUMBER_DOUBLE, 1.5);
        jg_pb_end(&out, point, 1);
    }
    jg_pb_end(&out, data, 1);
    jg_pb_end(&out, metric, 1);
    jg_pb_end(&out, scope, 1);
    jg_pb_end(&out, resource, 1);
    assert_ok(jaeger_batch_from_otlp_metrics(out.data, out.len, NULL, NULL, &batch, &err));
    return batch;
}

typedef struct target {
    int fails, spans, status, hangs; /* atomic */
} target;

static jaeger_status send_to(void *user, jaeger_batch *batch, jaeger_call *call)
{
    target *t = user;
    int n = (int)jg_batch_items(batch);
    assert_true(jaeger_batch_signal(batch) == JAEGER_TRACES || n % POINTS == 0); /* never mixed */
    jaeger_batch_unref(batch);
    while (__atomic_load_n(&t->hangs, __ATOMIC_RELAXED) && jaeger_call_check(call) == JAEGER_OK)
        usleep(1000);
    if (__atomic_load_n(&t->fails, __ATOMIC_RELAXED))
        return jg_fail(&call->error, (jaeger_status)__atomic_load_n(&t->status, __ATOMIC_RELAXED), "no");
    __atomic_add_fetch(&t->spans, n, __ATOMIC_RELAXED);
    return JAEGER_OK;
}

static jg_queue *start_queue(target *t)
{
    static jg_queue_config config;
    static const jg_retry_config retry = {.enabled = true,
                                          .initial_interval_ns = JG_NS_PER_MS,
                                          .max_interval_ns = JG_NS_PER_MS,
                                          .max_elapsed_time_ns = 1,
                                          .multiplier = 1};
    config = (jg_queue_config){
        .enabled = true, .num_consumers = 2, .queue_size = 1, .persistent = {true, jg_str(dir), 1 << 20}};
    jg_queue *queue = jg_queue_new(&(jg_queue_options){.id = "x",
                                                       .config = &config,
                                                       .retry = &retry,
                                                       .send = send_to,
                                                       .user = t,
                                                       .takes_metrics = true,
                                                       .log = &logger});
    jaeger_error err = {0};
    if (jg_queue_start(queue, &err) != JAEGER_OK)
        fail_msg("%s", err.message);
    return queue;
}

static jaeger_status send_numbered(jg_queue *queue, unsigned n)
{
    jaeger_call call = JAEGER_CALL_INIT;
    return jg_queue_send(queue, numbered(n, 10), &call);
}

static void a_queue_goes_on_where_the_last_one_stopped(void **state)
{
    (void)state;
    target t = {.fails = 1, .status = JAEGER_UNAVAILABLE};
    jg_queue *queue = start_queue(&t);
    for (unsigned i = 0; i < 20; i++)
        assert_ok(send_numbered(queue, i)); /* more than queue_size: the disk bounds it */
    usleep(100000);                         /* longer than max_elapsed_time */
    jg_queue_stop(queue, jg_clock_mono_ns() + JG_NS_PER_S);
    assert_int_equal(send_numbered(queue, 21), JAEGER_UNAVAILABLE);
    jg_queue_free(queue);
    assert_non_null(strstr(log_text, "batches=20 spans=20"));
    assert_int_equal(t.spans, 0);
    __atomic_store_n(&t.fails, 0, __ATOMIC_RELAXED);
    queue = start_queue(&t);
    assert_non_null(strstr(log_text, "going on with what is in the persistent queue batches=20 spans=20"));
    for (int tries = 0; tries < 500 && __atomic_load_n(&t.spans, __ATOMIC_RELAXED) < 20; tries++)
        usleep(10000);
    jg_queue_free(queue);
    assert_int_equal(t.spans, 20);
    log_text[0] = 0;
    queue = start_queue(&t);
    jg_queue_free(queue);
    assert_string_equal(log_text, "");
}

static void metrics_wait_beside_spans(void **state)
{
    (void)state;
    target t = {.fails = 1, .status = JAEGER_UNAVAILABLE};
    jg_queue *queue = start_queue(&t);
    for (unsigned i = 0; i < 12; i++) {
        jaeger_call call = JAEGER_CALL_INIT;
        assert_ok(i % 3 ? jg_queue_send(queue, metrics(), &call) : send_numbered(queue, i));
    }
    jg_queue_stop(queue, jg_clock_mono_ns() + JG_NS_PER_S);
    jg_queue_free(queue);
    assert_non_null(strstr(log_text, "batches=12 spans=28"));
    __atomic_store_n(&t.fails, 0, __ATOMIC_RELAXED);
    queue = start_queue(&t);
    for (int tries = 0; tries < 2000 && __atomic_load_n(&t.spans, __ATOMIC_RELAXED) < 28; tries++)
        usleep(10000);
    jg_queue_free(queue);
    assert_int_equal(t.spans, 28);
}

static void what_cannot_be_sent_is_dropped_and_what_hangs_stays(void **state)
{
    (void)state;
    target t = {.fails = 1, .status = JAEGER_INVALID_ARGUMENT};
    jg_queue *queue = start_queue(&t);
    assert_ok(send_numbered(queue, 1));
    for (int tries = 0; tries < 500 && !logged("dropping spans spans=1"); tries++)
        usleep(10000);
    assert_true(logged("dropping spans spans=1"));
    __atomic_store_n(&t.hangs, 1, __ATOMIC_RELAXED);
    assert_ok(send_numbered(queue, 2));
    usleep(50000);
    uint64_t begin = jg_clock_mono_ns();
    __atomic_store_n(&t.status, JAEGER_CANCELLED, __ATOMIC_RELAXED);
    jg_queue_stop(queue, begin + 100 * JG_NS_PER_MS);
    assert_true(jg_clock_mono_ns() - begin < 3 * JG_NS_PER_S);
    jg_queue_free(queue);
    assert_non_null(strstr(log_text, "batches=1 spans=1"));
}

#define TEST(name) cmocka_unit_test_setup(name, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(batches_come_back_in_order_and_removed_ones_are_gone),
        TEST(what_was_accepted_survives_kill_9),
        TEST(a_full_one_refuses_or_waits),
        TEST(a_disk_that_is_full_refuses_and_keeps_what_is_there),
        TEST(a_foreign_file_is_set_aside),
        TEST(torn_files_keep_what_is_whole),
        TEST(a_directory_has_one_user),
        TEST(many_threads_put_and_take),
        TEST(a_queue_goes_on_where_the_last_one_stopped),
        TEST(metrics_wait_beside_spans),
        TEST(what_cannot_be_sent_is_dropped_and_what_hangs_stays),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
