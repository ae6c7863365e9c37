/* SPDX-License-Identifier: Apache-2.0 */
#include "core/alloc.h"
#include "core/str.h"
#include "net/encoding.h"
#include "support/test.h"

static const char *const codings[] = {"gzip", "zlib", "deflate", "zstd", "snappy", "x-snappy-framed", "lz4"};

/** Text that shrinks, of any size. */
static jg_buf sample(size_t bytes)
{
    jg_buf text = JG_BUF_INIT(bytes + 64);
    for (unsigned i = 0; text.len < bytes; i++)
        jg_buf_printf(&text, "span %u of service-%u;", i * 7919, i % 13);
    text.len = bytes;
    return text;
}

static void each_coding_round_trips(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 100, 65535, 65536, 65537, 1000000};
    for (size_t i = 0; i < JG_COUNT(codings); i++)
        for (size_t j = 0; j < JG_COUNT(sizes); j++) {
            jg_buf text JG_AUTO_BUF = sample(sizes[j]);
            jg_buf packed JG_AUTO_BUF = JG_BUF_INIT(4u << 20);
            jg_buf back JG_AUTO_BUF = JG_BUF_INIT(sizes[j] ? sizes[j] : 1); /* exactly the ceiling */
            jaeger_error err = {0};
            assert_ok(jg_encode(jg_str(codings[i]), 0, jg_buf_view(&text), &packed, &err));
            if (jg_decode(jg_str(codings[i]), jg_buf_view(&packed), &back, &err) != JAEGER_OK)
                fail_msg("%s %zu: %s", codings[i], sizes[j], err.message);
            assert_int_equal(back.len, sizes[j]);
            if (sizes[j])
                assert_memory_equal(back.data, text.data, text.len);
        }
}

static void output_one_byte_over_the_ceiling_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < JG_COUNT(codings); i++) {
        jg_buf text JG_AUTO_BUF = sample(100001);
        jg_buf packed JG_AUTO_BUF = JG_BUF_INIT(4u << 20);
        jg_buf back JG_AUTO_BUF = JG_BUF_INIT(100000);
        jaeger_error err = {0};
        assert_ok(jg_encode(jg_str(codings[i]), 0, jg_buf_view(&text), &packed, &err));
        if (jg_decode(jg_str(codings[i]), jg_buf_view(&packed), &back, &err) != JAEGER_RESOURCE_EXHAUSTED)
            fail_msg("%s", codings[i]);
        assert_true(back.cap <= 100000);
    }
}

static void bombs_stop_at_the_ceiling(void **state)
{
    (void)state;
    for (size_t i = 0; i < JG_COUNT(codings); i++) {
        jg_buf zeros JG_AUTO_BUF = JG_BUF_INIT(32u << 20);
        jg_buf packed JG_AUTO_BUF = JG_BUF_INIT(64u << 20);
        jg_buf back JG_AUTO_BUF = JG_BUF_INIT(1u << 20);
        jaeger_error err = {0};
        assert_true(jg_buf_reserve(&zeros, 32u << 20));
        memset(zeros.data, 0, 32u << 20);
        zeros.len = 32u << 20;
        assert_ok(jg_encode(jg_str(codings[i]), 0, jg_buf_view(&zeros), &packed, &err));
        assert_int_equal(jg_decode(jg_str(codings[i]), jg_buf_view(&packed), &back, &err),
                         JAEGER_RESOURCE_EXHAUSTED);
        assert_true(back.cap <= 1u << 20);
    }
}

static void every_cut_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < JG_COUNT(codings); i++) {
        jg_buf text JG_AUTO_BUF = sample(3000);
        jg_buf packed JG_AUTO_BUF = JG_BUF_INIT(1u << 20);
        jaeger_error err = {0};
        assert_ok(jg_encode(jg_str(codings[i]), 0, jg_buf_view(&text), &packed, &err));
        for (size_t len = 0; len < packed.len; len++) {
            jg_buf back JG_AUTO_BUF = JG_BUF_INIT(1u << 20);
            jaeger_status status =
                jg_decode(jg_str(codings[i]), (jaeger_str){(char *)packed.data, len}, &back, &err);
            bool empty_stream =
                i == 5 && (len == 0 || len == 10); /* framed: no chunk at all is an empty text */
            empty_stream |= i == 3 && len == 0;    /* zstd: no frame at all */
            if (status == JAEGER_OK && !empty_stream)
                fail_msg("%s cut at %zu of %zu", codings[i], len, packed.len);
        }
    }
}

static void gzip_members_follow_each_other(void **state)
{
    (void)state;
    jg_buf packed JG_AUTO_BUF = JG_BUF_INIT(1u << 20), back JG_AUTO_BUF = JG_BUF_INIT(1u << 20);
    jaeger_error err = {0};
    assert_ok(jg_encode(JAEGER_STR("gzip"), 1, JAEGER_STR("one "), &packed, &err));
    assert_ok(jg_encode(JAEGER_STR("gzip"), 9, JAEGER_STR("two"), &packed, &err));
    assert_ok(jg_decode(JAEGER_STR("gzip"), jg_buf_view(&packed), &back, &err));
    assert_str(jg_buf_view(&back), "one two");
    jg_buf_lit(&packed, "junk");
    jg_buf_clear(&back);
    assert_int_equal(jg_decode(JAEGER_STR("gzip"), jg_buf_view(&packed), &back, &err),
                     JAEGER_INVALID_ARGUMENT);
}

static void snappy_takes_the_framed_form_too(void **state)
{
    (void)state;
    jg_buf packed JG_AUTO_BUF = JG_BUF_INIT(1u << 20), back JG_AUTO_BUF = JG_BUF_INIT(1u << 20);
    jaeger_error err = {0};
    assert_ok(jg_encode(JAEGER_STR("x-snappy-framed"), 0, JAEGER_STR("hello hello hello"), &packed, &err));
    assert_ok(jg_decode(JAEGER_STR("snappy"), jg_buf_view(&packed), &back, &err));
    assert_str(jg_buf_view(&back), "hello hello hello");
    packed.data[15] ^= 1; /* the checksum */
    jg_buf_clear(&back);
    assert_int_equal(jg_decode(JAEGER_STR("snappy"), jg_buf_view(&packed), &back, &err),
                     JAEGER_INVALID_ARGUMENT);
}

/** Bytes of a chunk "abc" as the framing format's own implementation writes it. */
static void snappy_framed_checksum_is_crc32c(void **state)
{
    (void)state;
    static const char stream[] = "\xff\x06\x00\x00sNaPpY\x01\x07\x00\x00\x6e\x57\xf1\x21"
                                 "abc";
    jg_buf back JG_AUTO_BUF = JG_BUF_INIT(100);
    jaeger_error err = {0};
    assert_ok(jg_decode(JAEGER_STR("x-snappy-framed"), (jaeger_str){stream, sizeof stream - 1}, &back, &err));
    assert_str(jg_buf_view(&back), "abc");
}

static void a_snappy_block_that_lies_about_its_size_takes_no_memory(void **state)
{
    (void)state;
    jg_buf back JG_AUTO_BUF = JG_BUF_INIT(20u << 20);
    jaeger_error err = {0};
    assert_int_equal(jg_decode(JAEGER_STR("snappy"), JAEGER_STR("\x80\x80\x80\x08zz"), &back, &err),
                     JAEGER_INVALID_ARGUMENT);
    assert_int_equal(back.cap, 0);
}

static bool admit_up_to(void *user, size_t bytes)
{
    size_t *left = user;
    if (bytes > *left)
        return false;
    *left -= bytes;
    return true;
}

static void the_budget_is_asked_before_memory_is_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < JG_COUNT(codings); i++) {
        jg_buf text JG_AUTO_BUF = sample(500000);
        jg_buf packed JG_AUTO_BUF = JG_BUF_INIT(4u << 20), back JG_AUTO_BUF = JG_BUF_INIT(20u << 20);
        size_t left = 400000;
        jg_decode_budget budget = {admit_up_to, &left, 0};
        jaeger_error err = {0};
        assert_ok(jg_encode(jg_str(codings[i]), 0, jg_buf_view(&text), &packed, &err));
        assert_int_equal(jg_decode_within(jg_str(codings[i]), jg_buf_view(&packed), &back, &budget, &err),
                         JAEGER_UNAVAILABLE);
        assert_int_equal(budget.admitted, back.cap);
        assert_int_equal(budget.admitted + left, 400000);
    }
}

static void unknown_codings_are_named(void **state)
{
    (void)state;
    jg_buf back JG_AUTO_BUF = JG_BUF_INIT(100);
    jaeger_error err = {0};
    assert_false(jg_encoding_known(JAEGER_STR("foo")));
    assert_true(jg_encoding_known(JAEGER_STR("GZIP")));
    assert_true(jg_encoding_known((jaeger_str){NULL, 0}));
    assert_int_equal(jg_decode(JAEGER_STR("foo"), JAEGER_STR("x"), &back, &err), JAEGER_INVALID_ARGUMENT);
    assert_string_equal(err.message, "unsupported Content-Encoding: foo");
}

static void failing_allocations_are_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < JG_COUNT(codings); i++) {
        jg_buf text JG_AUTO_BUF = sample(30000);
        jg_buf packed JG_AUTO_BUF = JG_BUF_INIT(1u << 20);
        jaeger_error err = {0};
        assert_ok(jg_encode(jg_str(codings[i]), 0, jg_buf_view(&text), &packed, &err));
        jaeger_status status = JAEGER_RESOURCE_EXHAUSTED;
        for (long n = 0; n < 50 && status != JAEGER_OK; n++) {
            jg_buf back JG_AUTO_BUF = JG_BUF_INIT(1u << 20);
            jg_alloc_fail_after(n);
            status = jg_decode(jg_str(codings[i]), jg_buf_view(&packed), &back, &err);
            jg_alloc_fail_after(-1);
            if (status != JAEGER_OK && status != JAEGER_RESOURCE_EXHAUSTED)
                fail_msg("%s: %s", codings[i], err.message);
        }
        assert_ok(status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_coding_round_trips),
        cmocka_unit_test(output_one_byte_over_the_ceiling_is_refused),
        cmocka_unit_test(bombs_stop_at_the_ceiling),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(gzip_members_follow_each_other),
        cmocka_unit_test(snappy_takes_the_framed_form_too),
        cmocka_unit_test(snappy_framed_checksum_is_crc32c),
        cmocka_unit_test(a_snappy_block_that_lies_about_its_size_takes_no_memory),
        cmocka_unit_test(the_budget_is_asked_before_memory_is_taken),
        cmocka_unit_test(unknown_codings_are_named),
        cmocka_unit_test(failing_allocations_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
