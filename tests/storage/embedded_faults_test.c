/* SPDX-License-Identifier: Apache-2.0
 * The embedded store when things go wrong: crashes, damaged files, a disk that fails or is full. What was
 * acknowledged is there afterwards.
 */
#include "storage/embedded_fixture.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/str.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

static void embedded_replays_its_log(void **state)
{
    (void)state;
    opened o;
    written w = {0};
    eb_init(&o);
    for (int i = 0; i < 6; i++) {
        eb_start(&o, "");
        eb_assert_all_come_back(&o, &w, 20);
        eb_write_random(&o, &w, 100, 20);
        if (i % 2)
            eb_flush(&o);
        eb_write_random(&o, &w, 100, 20);
        eb_crash(&o);
    }
    eb_start(&o, "");
    eb_assert_all_come_back(&o, &w, 20);
    eb_written_done(&w);
    eb_done(&o);
}

static void each_file(const char *dir, void (*fn)(const char *path, void *arg), void *arg)
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    assert_non_null(d);
    while ((entry = readdir(d)) != NULL) {
        char path[512];
        (void)snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        if (entry->d_name[0] != '.')
            fn(path, arg);
    }
    (void)closedir(d);
}

static void cut_in_half(const char *path, void *arg)
{
    uint64_t bytes;
    assert_int_equal(jg_io_size(path, &bytes), 0);
    if ((*(int *)arg)++ == 0)
        assert_int_equal(truncate(path, (off_t)(bytes / 2)), 0);
}

static void embedded_names_a_cut_segment_and_serves_the_others(void **state)
{
    (void)state;
    opened o;
    written w = {0};
    char dir[128];
    int n = 0;
    eb_init(&o);
    eb_start(&o, "");
    for (int i = 0; i < 3; i++) {
        eb_write_random(&o, &w, 50, 20);
        eb_flush(&o);
    }
    eb_stop(&o);
    (void)snprintf(dir, sizeof dir, "%s/t/default/seg", o.dir);
    each_file(dir, cut_in_half, &n);
    assert_int_equal(n, 3);
    eb_start(&o, "");
    assert_non_null(strstr(o.log, "segment refused"));
    assert_non_null(strstr(o.log, ".jsg"));
    jaeger_trace_query query = {.size = sizeof query, .limit = 1000};
    jaeger_trace_refs got = {0};
    assert_ok(o.storage.driver->find_trace_ids(o.storage.self, &query, &got, &o.call));
    assert_in_range(got.count, 1, 20);
    eb_written_done(&w);
    eb_done(&o);
}

static void flip_bits(const char *path, void *arg)
{
    uint64_t bytes;
    uint8_t byte;
    (void)arg;
    assert_int_equal(jg_io_size(path, &bytes), 0);
    int fd = open(path, O_RDWR);
    off_t at = (off_t)eb_rnd(bytes);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= (uint8_t)(1u << eb_rnd(8));
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    (void)close(fd);
}

static void embedded_survives_flipped_bits(void **state)
{
    (void)state;
    opened o;
    written w = {0};
    char dir[128];
    eb_init(&o);
    eb_start(&o, "");
    for (int i = 0; i < 2; i++) {
        eb_write_random(&o, &w, 100, 20);
        eb_flush(&o);
    }
    eb_stop(&o);
    (void)snprintf(dir, sizeof dir, "%s/t/default/seg", o.dir);
    for (int round = 0; round < 40; round++) {
        each_file(dir, flip_bits, NULL);
        eb_start(&o, "");
        jaeger_trace_query query;
        jaeger_attr attrs[4];
        char texts[8][64];
        for (int i = 0; i < 5; i++) {
            gathered got = {0};
            eb_random_query(&query, attrs, texts);
            assert_ok(o.storage.driver->find_traces(o.storage.self, &query, gather_into(&got), &o.call));
            gathered_done(&got);
            jaeger_arena_reset(o.arena);
        }
        o.log[0] = 0;
        eb_stop(&o);
    }
    eb_written_done(&w);
    eb_done(&o);
}

/* ---- disk faults
 * ----------------------------------------------------------------------------------------------- */

typedef struct fault_plan {
    jg_io_op op;
    int error;
    long after; /* calls that succeed first */
    long seen;
} fault_plan;

static int plan_fault(void *user, jg_io_op op)
{
    fault_plan *plan = user;
    if (op != plan->op)
        return 0;
    return __atomic_fetch_add(&plan->seen, 1, __ATOMIC_RELAXED) >= plan->after ? plan->error : 0;
}

/** Let the n-th call of a kind and all later ones fail, write and flush; what was acknowledged must be there
 * afterwards, also after a crash. */
static void embedded_loses_nothing_acknowledged_when_the_disk_fails(void **state)
{
    (void)state;
    static const struct {
        jg_io_op op;
        int error;
    } rows[] = {{JG_IO_WRITE, EIO},     {JG_IO_WRITE, ENOSPC}, {JG_IO_SYNC, EIO},  {JG_IO_ALLOCATE, ENOSPC},
                {JG_IO_RENAME, ENOSPC}, {JG_IO_OPEN, EMFILE},  {JG_IO_MAP, ENOMEM}};
    for (size_t r = 0; r < JG_COUNT(rows); r++) {
        for (long after = 0; after < 12; after++) {
            opened o;
            written w = {0};
            eb_init(&o);
            eb_start(&o, ", flush: {spans: 60}");
            fault_plan plan = {rows[r].op, rows[r].error, after, 0};
            jg_io_set_fault(plan_fault, &plan);
            size_t refused = 0;
            for (int i = 0; i < 8; i++) {
                jaeger_batch *batch = eb_random_batch(40, 20);
                jaeger_status status =
                    o.storage.driver->write(o.storage.self, jaeger_batch_ref(batch), &o.call);
                if (status == JAEGER_OK) {
                    w.batches[w.count++] = batch;
                    continue;
                }
                assert_true(status == JAEGER_UNAVAILABLE || status == JAEGER_RESOURCE_EXHAUSTED);
                assert_true(status != JAEGER_UNAVAILABLE || o.call.error.retry_after_ms > 0);
                jaeger_batch_unref(batch);
                refused++;
            }
            jg_io_set_fault(NULL, NULL);
            if (refused == 0) {
                eb_assert_all_come_back(&o, &w, 20);
            } else { /* it recovers by itself once the disk works */
                jaeger_batch *batch = eb_random_batch(40, 20);
                jaeger_status status = JAEGER_UNKNOWN;
                for (int i = 0; i < 100 && status != JAEGER_OK; i++) {
                    status = o.storage.driver->write(o.storage.self, jaeger_batch_ref(batch), &o.call);
                    if (status != JAEGER_OK)
                        (void)usleep(20000);
                }
                assert_ok(status);
                jaeger_batch_unref(batch);
            }
            eb_crash(&o);
            eb_start(&o, "");
            size_t found = 0, wanted = 0; /* refused spans may be there, acknowledged ones must */
            gathered got = {0};
            jaeger_trace_ref refs[20] = {0};
            for (size_t t = 0; t < 20; t++) {
                refs[t].trace_id[0] = 7;
                refs[t].trace_id[15] = (uint8_t)(t + 1);
            }
            assert_ok(o.storage.driver->get_traces(o.storage.self, refs, 20, gather_into(&got), &o.call));
            for (size_t b = 0; b < w.count; b++) {
                for (size_t i = 0; i < jaeger_batch_span_count(w.batches[b]); i++, wanted++) {
                    const jaeger_span *span = &jaeger_batch_spans(w.batches[b])[i];
                    bool same = false;
                    for (size_t g = 0; g < got.count && !same; g++)
                        for (size_t k = 0; k < jaeger_batch_span_count(got.batches[g]) && !same; k++) {
                            const jaeger_span *back = &jaeger_batch_spans(got.batches[g])[k];
                            same = back->len == span->len && memcmp(back->bytes, span->bytes, span->len) == 0;
                        }
                    found += same;
                }
            }
            assert_int_equal(found, wanted);
            gathered_done(&got);
            eb_written_done(&w);
            eb_done(&o);
        }
    }
}

/* ---- kill -9
 * ------------------------------------------------------------------------------------------------- */

enum { KILL_WRITERS = 4, KILL_SPANS = 20 };

typedef struct kill_writer {
    opened *o;
    int pipe;
    uint64_t number, round;
} kill_writer;

/** Write one batch after the other; say over the pipe which were acknowledged. */
static void *write_until_killed(void *arg)
{
    kill_writer *w = arg;
    jaeger_call call = JAEGER_CALL_INIT;
    for (uint64_t n = 1;; n++) {
        span_spec specs[KILL_SPANS];
        uint64_t trace = w->round << 40 | w->number << 32 | n;
        for (uint64_t i = 0; i < KILL_SPANS; i++)
            specs[i] = (span_spec){.trace = trace, .id = i + 1, .parent = i, .service = "killed"};
        jaeger_status status =
            w->o->storage.driver->write(w->o->storage.self, make_batch(specs, KILL_SPANS), &call);
        if (status == JAEGER_OK && write(w->pipe, &trace, sizeof trace) != (ssize_t)sizeof trace)
            return NULL;
    }
}

static void run_child(opened *o, int pipe, uint64_t round)
{
    pthread_t threads[KILL_WRITERS];
    kill_writer writers[KILL_WRITERS];
    eb_start(o, ", flush: {spans: 500}");
    for (uint64_t i = 0; i < KILL_WRITERS; i++) {
        writers[i] = (kill_writer){o, pipe, i, round};
        assert_int_equal(pthread_create(&threads[i], NULL, write_until_killed, &writers[i]), 0);
    }
    for (;;)
        (void)pause();
}

/** Every acknowledged trace has all its spans. */
static void check_acknowledged(opened *o, const uint64_t *traces, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        gathered got = {0};
        jaeger_trace_ref ref = {0};
        trace_id_of(0, traces[i], ref.trace_id);
        assert_ok(o->storage.driver->get_traces(o->storage.self, &ref, 1, gather_into(&got), &o->call));
        assert_int_equal(gathered_spans(&got), KILL_SPANS);
        gathered_done(&got);
        jaeger_arena_reset(o->arena);
    }
}

/** JG_KILL_ROUNDS: how often; a few by default. */
static void embedded_keeps_what_it_acknowledged_when_killed(void **state)
{
    (void)state;
    opened o;
    uint64_t rounds = 6, trace;
    size_t count = 0, cap = 1 << 16;
    uint64_t *traces = jg_alloc(cap * sizeof *traces);
    const char *wanted = getenv("JG_KILL_ROUNDS");
    if (wanted)
        (void)jg_str_to_u64(jg_str(wanted), &rounds);
    eb_init(&o);
    for (uint64_t round = 1; round <= rounds; round++) {
        int ends[2], status;
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            (void)close(ends[0]);
            run_child(&o, ends[1], round);
        }
        (void)close(ends[1]);
        uint64_t end = jg_clock_mono_ns() + (20 + eb_rnd(300)) * 1000000;
        while (jg_clock_mono_ns() < end && read(ends[0], &trace, sizeof trace) == (ssize_t)sizeof trace)
            if (count < cap)
                traces[count++] = trace;
        assert_int_equal(kill(child, SIGKILL), 0);
        while (read(ends[0], &trace, sizeof trace) == (ssize_t)sizeof trace)
            if (count < cap)
                traces[count++] = trace;
        (void)close(ends[0]);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        if (round % 2 == 0) {
            eb_start(&o, "");
            check_acknowledged(&o, traces, count);
            assert_null(strstr(o.log, "refused"));
            eb_stop(&o);
        }
    }
    assert_true(count > rounds);
    eb_start(&o, "");
    check_acknowledged(&o, traces, count);
    jg_free(traces);
    eb_done(&o);
}

/* ---- a full disk
 * --------------------------------------------------------------------------------------------- */

static void embedded_goes_on_when_a_full_disk_has_room_again(void **state)
{
    (void)state;
    opened o;
    char path[128];
    eb_init(&o);
    if (mount("tmpfs", o.dir, "tmpfs", 0, "size=24m") != 0) {
        print_message("skipped: no tmpfs for a full disk (%s)\n", strerror(errno));
        assert_int_equal(rmdir(o.dir), 0);
        jaeger_arena_free(o.arena);
        skip();
    }
    (void)snprintf(path, sizeof path, "%s/filler", o.dir);
    eb_start(&o, "");
    written w = {0};
    eb_write_random(&o, &w, 100, 20);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    for (int error = 0; error == 0;) /* someone else fills the disk */
        error = posix_fallocate(fd, lseek(fd, 0, SEEK_END), 65536);
    jaeger_status status = JAEGER_OK;
    size_t accepted = 0;
    while (accepted < 400 && status == JAEGER_OK) {
        status = o.storage.driver->write(o.storage.self, eb_random_batch(100, 20), &o.call);
        accepted += status == JAEGER_OK;
    }
    assert_true(status == JAEGER_UNAVAILABLE || status == JAEGER_RESOURCE_EXHAUSTED);
    assert_true(o.call.error.retry_after_ms > 0);
    jaeger_trace_query query = {.size = sizeof query};
    jaeger_trace_refs refs = {0};
    assert_ok(o.storage.driver->find_trace_ids(o.storage.self, &query, &refs, &o.call)); /* reads go on */
    assert_int_equal(refs.count, 20);
    (void)close(fd);
    assert_int_equal(unlink(path), 0);
    for (int i = 0; i < 200 && status != JAEGER_OK; i++) {
        (void)usleep(50000);
        status = o.storage.driver->write(o.storage.self, eb_random_batch(100, 20), &o.call);
    }
    assert_ok(status);
    eb_written_done(&w);
    eb_stop(&o);
    assert_int_equal(umount(o.dir), 0);
    eb_done(&o);
}

static void embedded_says_so_when_it_may_not_write(void **state)
{
    (void)state;
    opened o;
    jaeger_error err = {0};
    eb_init(&o);
    if (mount("tmpfs", o.dir, "tmpfs", MS_RDONLY, "size=1m") != 0) {
        print_message("skipped: no tmpfs for a read-only disk (%s)\n", strerror(errno));
        assert_int_equal(rmdir(o.dir), 0);
        jaeger_arena_free(o.arena);
        skip();
    }
    assert_int_equal(eb_try_open(&o, &jg_storage_embedded, "", &err), JAEGER_FAILED_PRECONDITION);
    assert_non_null(strstr(err.message, "Read-only"));
    assert_non_null(strstr(err.message, o.dir));
    assert_int_equal(umount(o.dir), 0);
    eb_done(&o);
}

/** Start while the n-th allocation fails, for n = 0, 1, ...: an error each time, and nothing is lost. */
static void embedded_opens_or_fails_when_memory_is_short(void **state)
{
    (void)state;
    opened o;
    written w = {0};
    jaeger_error err = {0};
    eb_init(&o);
    eb_start(&o, "");
    eb_write_random(&o, &w, 60, 20);
    eb_flush(&o);
    eb_write_random(&o, &w, 60, 20);
    eb_crash(&o);
    jaeger_status status = JAEGER_UNKNOWN;
    for (long n = 0; status != JAEGER_OK && n < 3000; n++) {
        jg_store *store = NULL;
        char dir[128];
        jg_store_options options = {
            .flush_rows = 1000, .flush_bytes = 1 << 20, .flush_memory = 1 << 24, .frozen_max = 2};
        (void)snprintf(dir, sizeof dir, "%s/t/default", o.dir);
        jg_alloc_fail_after(n);
        status = jg_store_open(dir, &options, NULL, NULL, NULL, &store, &err);
        jg_alloc_fail_after(-1);
        if (status == JAEGER_OK)
            jg_store_abandon(store);
        else
            assert_int_equal(status, JAEGER_RESOURCE_EXHAUSTED);
    }
    assert_ok(status);
    eb_start(&o, "");
    eb_assert_all_come_back(&o, &w, 20);
    eb_written_done(&w);
    eb_done(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(embedded_replays_its_log),
        cmocka_unit_test(embedded_names_a_cut_segment_and_serves_the_others),
        cmocka_unit_test(embedded_survives_flipped_bits),
        cmocka_unit_test(embedded_loses_nothing_acknowledged_when_the_disk_fails),
        cmocka_unit_test(embedded_keeps_what_it_acknowledged_when_killed),
        cmocka_unit_test(embedded_goes_on_when_a_full_disk_has_room_again),
        cmocka_unit_test(embedded_says_so_when_it_may_not_write),
        cmocka_unit_test(embedded_opens_or_fails_when_memory_is_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
