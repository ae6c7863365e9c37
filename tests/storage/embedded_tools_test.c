/* SPDX-License-Identifier: Apache-2.0
 * The tools for a store's directory: stats, verify, compact, export.
 */
#include "storage/embedded/tools.h"

#include "core/str.h"
#include "storage/embedded_fixture.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static void write_one(opened *o, uint64_t trace, uint64_t id, uint64_t parent, const char *service)
{
    const span_spec spec = {
        .trace = trace, .id = id, .parent = parent, .service = service, .start = id * SEC};
    eb_write_take(o, make_batch(&spec, 1));
}

static bool says(const jg_buf *out, const char *text)
{
    return memmem(out->data, out->len, text, strlen(text)) != NULL;
}

static void tools_count_and_check_a_store(void **state)
{
    (void)state;
    opened o;
    written w = {0};
    jaeger_error err = {0};
    JG_AUTO_BUF jg_buf out = JG_BUF_INIT(1 << 20);
    eb_init(&o);
    eb_start(&o, "");
    eb_write_random(&o, &w, 150, 20);
    eb_flush(&o);
    eb_write_random(&o, &w, 70, 20);
    assert_ok(jg_tool_stats(o.dir, &out, &err)); /* beside the open store */
    assert_true(says(&out, "\"segments\":1,\"spans\":150,\"log_spans\":70"));
    jg_buf_clear(&out);
    assert_ok(jg_tool_verify(o.dir, &out, &err));
    assert_true(says(&out, "\"spans\":150,\"faults\":0"));
    eb_stop(&o);
    char path[128];
    uint8_t byte;
    (void)snprintf(path, sizeof path, "%s/t/default/seg/%016x.jsg", o.dir, 1);
    int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, &byte, 1, 5000), 1);
    byte ^= 4;
    assert_int_equal(pwrite(fd, &byte, 1, 5000), 1);
    (void)close(fd);
    jg_buf_clear(&out);
    assert_int_equal(jg_tool_verify(o.dir, &out, &err), JAEGER_DATA_LOSS);
    assert_true(says(&out, path));
    assert_true(says(&out, "\"faults\":1"));
    eb_written_done(&w);
    eb_done(&o);
}

static void assert_calls(opened *o, uint64_t want)
{
    jaeger_dependencies got = {0};
    uint64_t have = 0;
    assert_ok(o->storage.driver->dependencies(o->storage.self, BASE, BASE + 3600 * SEC, &got, &o->call));
    for (size_t i = 0; i < got.count; i++)
        have += got.items[i].call_count;
    assert_int_equal(have, want);
}

static void tools_merge_small_segments(void **state)
{
    (void)state;
    opened o;
    written w = {0};
    jaeger_error err = {0};
    JG_AUTO_BUF jg_buf out = JG_BUF_INIT(1 << 20);
    eb_init(&o);
    eb_start(&o, "");
    write_one(&o, 1, 1, 0, "a");
    write_one(&o, 1, 2, 1, "b");
    eb_flush(&o);
    write_one(&o, 1, 3, 2, "c"); /* a call over the border of two segments that become one */
    eb_flush(&o);
    assert_calls(&o, 2);
    assert_int_equal(jg_tool_compact(o.dir, &out, &err), JAEGER_FAILED_PRECONDITION); /* the store is open */
    eb_stop(&o);
    assert_ok(jg_tool_compact(o.dir, &out, &err));
    assert_true(says(&out, "\"segments_merged_away\":1"));
    eb_start(&o, "");
    assert_calls(&o, 2);
    assert_ok(o.storage.driver->purge(o.storage.self, &o.call));
    for (int i = 0; i < 5; i++) {
        eb_write_random(&o, &w, 120, 20);
        eb_flush(&o);
    }
    eb_stop(&o);
    jg_buf_clear(&out);
    assert_ok(jg_tool_compact(o.dir, &out, &err));
    assert_true(says(&out, "\"segments_merged_away\":4"));
    eb_start(&o, "");
    jg_snapshot *snapshot = jg_snapshot_take(eb_store_of(&o));
    assert_int_equal(snapshot->seg_count, 1);
    jg_snapshot_unref(snapshot);
    eb_assert_all_come_back(&o, &w, 20);
    eb_written_done(&w);
    eb_done(&o);
}

static bool append(void *user, const void *bytes, size_t len)
{
    jg_buf_append(user, bytes, len);
    return true;
}

static void tools_export_what_was_written(void **state)
{
    (void)state;
    opened o;
    written w = {0};
    jaeger_error err = {0};
    JG_AUTO_BUF jg_buf out = JG_BUF_INIT(8 << 20);
    eb_init(&o);
    eb_start(&o, "");
    eb_write_random(&o, &w, 300, 20);
    jg_tool_export_options options = {.directory = o.dir};
    assert_int_equal(jg_tool_export(&options, append, &out, &err), JAEGER_FAILED_PRECONDITION);
    eb_stop(&o);
    assert_ok(jg_tool_export(&options, append, &out, &err));
    JG_AUTO_BATCH jaeger_batch *all = NULL, *one = NULL;
    assert_ok(jaeger_batch_from_otlp(out.data, out.len, NULL, NULL, &all, &err));
    assert_int_equal(jaeger_batch_span_count(all), 300);
    gathered got = {.batches = &all, .count = 1};
    assert_same_spans(w.batches, w.count, &got);
    jaeger_trace_ref ref = {.trace_id = {[0] = 7, [15] = 3}};
    options.trace = &ref;
    jg_buf_clear(&out);
    assert_ok(jg_tool_export(&options, append, &out, &err));
    assert_ok(jaeger_batch_from_otlp(out.data, out.len, NULL, NULL, &one, &err));
    assert_in_range(jaeger_batch_span_count(one), 1, 100);
    options.tenant = JAEGER_STR("nobody");
    assert_int_equal(jg_tool_export(&options, append, &out, &err), JAEGER_NOT_FOUND);
    options.directory = "/nonexistent";
    assert_int_equal(jg_tool_export(&options, append, &out, &err), JAEGER_FAILED_PRECONDITION);
    eb_written_done(&w);
    eb_done(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tools_count_and_check_a_store),
        cmocka_unit_test(tools_merge_small_segments),
        cmocka_unit_test(tools_export_what_was_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
