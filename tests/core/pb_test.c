/* SPDX-License-Identifier: Apache-2.0 */
#include "core/pb.h"
#include "support/test.h"

static void pb_reads_what_it_wrote(void **state)
{
    (void)state;
    static const uint64_t values[] = {0, 1, 127, 128, 16383, 16384, 1ull << 32, UINT64_MAX};
    JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(4096);
    for (size_t i = 0; i < JG_COUNT(values); i++)
        jg_pb_write_varint(&buf, (uint32_t)i + 1, values[i]);
    jg_pb_write_double(&buf, 100, 1.5);
    jg_pb_write_fixed32(&buf, 101, 7);
    jg_pb pb = jg_pb_of(buf.data, buf.len);
    jg_pb_field f;
    for (size_t i = 0; i < JG_COUNT(values); i++) {
        assert_true(jg_pb_next(&pb, &f));
        assert_int_equal(f.number, i + 1);
        assert_true(f.varint == values[i]);
    }
    assert_true(jg_pb_next(&pb, &f) && f.wire == JG_PB_FIXED64);
    assert_true(jg_pb_next(&pb, &f) && f.wire == JG_PB_FIXED32 && f.varint == 7);
    assert_false(jg_pb_next(&pb, &f));
    assert_false(pb.bad);
}

static void pb_nested_lengths_of_any_size(void **state)
{
    (void)state;
    for (unsigned guess = 1; guess <= 4; guess++) {
        for (size_t size = 1; size < 3000000; size *= 13) {
            JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(8 << 20);
            size_t mark = jg_pb_begin(&buf, 3, guess);
            for (size_t i = 0; i < size; i++)
                jg_buf_byte(&buf, (uint8_t)i);
            jg_pb_end(&buf, mark, guess);
            jg_pb_write_varint(&buf, 4, 9);
            jg_pb pb = jg_pb_of(buf.data, buf.len);
            jg_pb_field f;
            assert_true(jg_pb_next(&pb, &f));
            assert_int_equal(f.len, size);
            assert_int_equal(f.ptr[size - 1], (uint8_t)(size - 1));
            assert_true(jg_pb_next(&pb, &f) && f.varint == 9);
        }
    }
}

static void pb_refuses_bad_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *bytes;
        size_t len;
    } rows[] = {
        {"field number 0", "\x00\x01", 2},
        {"cut varint", "\x08\x80", 2},
        {"varint of eleven bytes", "\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 12},
        {"varint above 64 bits", "\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02", 11},
        {"length beyond the end",
         "\x0a\x05"
         "abc",
         5},
        {"huge length", "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11},
        {"cut fixed64", "\x09\x01\x02", 3},
        {"cut fixed32", "\x0d\x01", 2},
        {"wire type 6", "\x0e", 1},
        {"group without an end", "\x0b\x08\x01", 3},
        {"stray end of a group", "\x0c", 1},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jg_pb pb = jg_pb_of(rows[i].bytes, rows[i].len);
        jg_pb_field f;
        while (jg_pb_next(&pb, &f))
            ;
        if (!pb.bad)
            fail_msg("%s was accepted", rows[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pb_reads_what_it_wrote),
        cmocka_unit_test(pb_nested_lengths_of_any_size),
        cmocka_unit_test(pb_refuses_bad_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
