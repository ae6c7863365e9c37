/* SPDX-License-Identifier: Apache-2.0 */
#include "core/limits.h"
#include "core/str.h"
#include "support/test.h"
#include "wire/thrift.h"

static const jg_thrift_protocol protocols[] = {JG_THRIFT_BINARY, JG_THRIFT_COMPACT};

/** A struct with one field of each kind, far ids among them. */
static void write_all(jg_thrift_out *out)
{
    int16_t last = 0, inner = 0;
    jg_thrift_put_field(out, &last, 1, JG_THRIFT_I16);
    jg_thrift_put_i16(out, -300);
    jg_thrift_put_field(out, &last, 2, JG_THRIFT_I32);
    jg_thrift_put_i32(out, INT32_MIN);
    jg_thrift_put_field(out, &last, 3, JG_THRIFT_I64);
    jg_thrift_put_i64(out, INT64_MIN);
    jg_thrift_put_bool(out, &last, 4, true);
    jg_thrift_put_bool(out, &last, 5, false);
    jg_thrift_put_field(out, &last, 300, JG_THRIFT_DOUBLE);
    jg_thrift_put_double(out, -2.5);
    jg_thrift_put_field(out, &last, 301, JG_THRIFT_STRING);
    jg_thrift_put_str(out, JAEGER_STR("text"));
    jg_thrift_put_field(out, &last, 302, JG_THRIFT_LIST);
    jg_thrift_put_list(out, JG_THRIFT_STRUCT, 20);
    for (int i = 0; i < 20; i++) {
        inner = 0;
        jg_thrift_put_bool(out, &inner, 1, true);
        jg_thrift_put_stop(out);
    }
    jg_thrift_put_stop(out);
}

static void thrift_reads_what_it_writes(void **state)
{
    (void)state;
    for (size_t p = 0; p < JG_COUNT(protocols); p++) {
        JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(4096);
        jg_thrift_out out = {&buf, protocols[p]};
        write_all(&out);
        jg_thrift in = jg_thrift_of(protocols[p], buf.data, buf.len), skipped = in;
        int16_t last = 0, i16;
        int32_t i32;
        int64_t i64;
        bool b;
        double d;
        jaeger_str s;
        uint8_t type;
        uint32_t count;
        jg_thrift_field f;
        assert_true(jg_thrift_next(&in, &last, &f) && f.id == 1 && jg_thrift_i16(&in, &i16) && i16 == -300);
        assert_true(jg_thrift_next(&in, &last, &f) && f.id == 2 && jg_thrift_i32(&in, &i32) &&
                    i32 == INT32_MIN);
        assert_true(jg_thrift_next(&in, &last, &f) && f.id == 3 && jg_thrift_i64(&in, &i64) &&
                    i64 == INT64_MIN);
        assert_true(jg_thrift_next(&in, &last, &f) && f.type == JG_THRIFT_BOOL &&
                    jg_thrift_bool(&in, &f, &b) && b);
        assert_true(jg_thrift_next(&in, &last, &f) && f.id == 5 && jg_thrift_bool(&in, &f, &b) && !b);
        assert_true(jg_thrift_next(&in, &last, &f) && f.id == 300 && jg_thrift_double(&in, &d) && d == -2.5);
        assert_true(jg_thrift_next(&in, &last, &f) && f.id == 301 && jg_thrift_str(&in, &s) &&
                    jg_str_is(s, "text"));
        assert_true(jg_thrift_next(&in, &last, &f) && f.id == 302 && jg_thrift_list(&in, &type, &count));
        assert_int_equal(type, JG_THRIFT_STRUCT);
        assert_int_equal(count, 20);
        f.type = JG_THRIFT_STRUCT;
        assert_true(jg_thrift_skip(&skipped, &f));
        assert_ptr_equal(skipped.pos, skipped.end);
        for (size_t n = 0; n < buf.len; n++) {
            jg_thrift cut = jg_thrift_of(protocols[p], buf.data, n);
            assert_false(jg_thrift_skip(&cut, &f));
            assert_non_null(cut.fault);
        }
    }
}

static void thrift_reads_each_kind_of_envelope(void **state)
{
    (void)state;
    static const struct {
        jg_thrift_protocol protocol;
        const char *bytes;
        size_t len;
        bool want;
    } rows[] = {
        {JG_THRIFT_BINARY, "\x80\x01\x00\x04\x00\x00\x00\x01m\x00\x00\x00\x07", 13, true},
        {JG_THRIFT_BINARY, "\x00\x00\x00\x01m\x04\x00\x00\x00\x07", 10, true},
        {JG_THRIFT_COMPACT, "\x82\x81\x07\x01m", 5, true},
        {JG_THRIFT_COMPACT, "\x82\x81\xac\x02\x01m", 6, true},
        {JG_THRIFT_BINARY, "\x80\x02\x00\x04\x00\x00\x00\x01m\x00\x00\x00\x07", 13, false},
        {JG_THRIFT_BINARY, "\x7f\xff\xff\xff", 4, false},
        {JG_THRIFT_BINARY, "\x80\x01\x00\x04\xff\xff\xff\xff", 8, false},
        {JG_THRIFT_COMPACT, "\x80\x01\x00\x04\x00\x00\x00\x01m\x00\x00\x00\x07", 13, false},
        {JG_THRIFT_COMPACT, "\x82\x82\x07\x01m", 5, false},
        {JG_THRIFT_COMPACT, "\x82\x81\x07\xff\xff\xff\xff\x0fm", 9, false},
        {JG_THRIFT_COMPACT, "", 0, false},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jg_thrift in = jg_thrift_of(rows[i].protocol, rows[i].bytes, rows[i].len);
        jaeger_str name;
        uint8_t type;
        if (jg_thrift_message(&in, &name, &type) != rows[i].want)
            fail_msg("row %zu", i);
        if (rows[i].want) {
            assert_int_equal(type, JG_THRIFT_ONEWAY);
            assert_str(name, "m");
            assert_ptr_equal(in.pos, in.end);
        }
    }
}

static void thrift_limits_depth_and_sizes(void **state)
{
    (void)state;
    static const uint8_t lists[100000] = {0}; /* binary: type 0 */
    uint8_t nested[64];
    jg_thrift_field f = {.type = JG_THRIFT_LIST};
    memset(nested, 0x19, sizeof nested); /* compact: a list with one list */
    jg_thrift in = jg_thrift_of(JG_THRIFT_COMPACT, nested, sizeof nested);
    assert_false(jg_thrift_skip(&in, &f));
    assert_string_equal(in.fault, "nested too deeply");
    in = jg_thrift_of(JG_THRIFT_BINARY, "\x0c\x7f\xff\xff\xff\x00\x00", 7);
    assert_false(jg_thrift_skip(&in, &f));
    assert_string_equal(in.fault, "list longer than the message");
    in = jg_thrift_of(JG_THRIFT_BINARY, lists, sizeof lists);
    f.type = 99;
    assert_false(jg_thrift_skip(&in, &f));
    f.type = JG_THRIFT_MAP;
    in = jg_thrift_of(JG_THRIFT_BINARY, "\x0b\x0b\x00\x00\x10\x00", 6);
    assert_false(jg_thrift_skip(&in, &f));
    f.type = JG_THRIFT_STRING;
    in = jg_thrift_of(JG_THRIFT_COMPACT, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11);
    assert_false(jg_thrift_skip(&in, &f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thrift_reads_what_it_writes),
        cmocka_unit_test(thrift_reads_each_kind_of_envelope),
        cmocka_unit_test(thrift_limits_depth_and_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
