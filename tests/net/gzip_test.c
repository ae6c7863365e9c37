/* SPDX-License-Identifier: Apache-2.0 */
#include "net/gzip.h"

#include "core/alloc.h"
#include "net/encoding.h"
#include "support/test.h"

static uint32_t next_random(uint32_t *state)
{
    return (*state = *state * 1664525u + 1013904223u) >> 8;
}

static void pack(jg_gzip *gzip, jaeger_str text, size_t piece, jg_buf *out)
{
    jg_gzip_begin(gzip, out);
    for (size_t at = 0; at < text.len; at += piece)
        jg_gzip_add(gzip, (jaeger_str){text.ptr + at, JG_MIN(piece, text.len - at)});
    jg_gzip_end(gzip);
    assert_true(jg_buf_ok(out));
}

static void assert_comes_back(jg_gzip *gzip, jaeger_str text, size_t piece)
{
    jg_buf packed JG_AUTO_BUF = JG_BUF_INIT(8u << 20), back JG_AUTO_BUF = JG_BUF_INIT(text.len + 1);
    jaeger_error err = {0};
    pack(gzip, text, piece, &packed);
    if (jg_decode(JAEGER_STR("gzip"), jg_buf_view(&packed), &back, &err) != JAEGER_OK)
        fail_msg("%zu bytes in pieces of %zu: %s", text.len, piece, err.message);
    assert_int_equal(back.len, text.len);
    if (text.len)
        assert_memory_equal(back.data, text.ptr, text.len);
}

/** Bytes below `alphabet`, in which runs of `run` bytes come again. */
static void fill(uint8_t *bytes, size_t len, unsigned alphabet, unsigned run, uint32_t *random)
{
    for (size_t i = 0; i < len;) {
        size_t back = i ? next_random(random) % i : 0, n = 1 + next_random(random) % run;
        bool copies = i && next_random(random) % 2;
        for (size_t k = 0; k < n && i < len; k++, i++)
            bytes[i] = copies ? bytes[back + k] : (uint8_t)(next_random(random) % alphabet);
    }
}

static void what_goes_in_comes_out(void **state)
{
    (void)state;
    enum { BYTES = 400000 };
    static const struct {
        size_t len, piece;
        unsigned alphabet, run;
    } rows[] = {
        {0, 1, 1, 1},          {1, 1, 256, 1},         {7, 3, 256, 1},          {8, 8, 2, 4},
        {300, 299, 1, 300},    {300, 7, 256, 1},       {65536, 1000, 256, 1},   {98304, 98304, 64, 40},
        {98305, 50000, 4, 9},  {131072, 32768, 1, 1},  {BYTES, 1431, 90, 60},   {BYTES, BYTES, 256, 2000},
        {BYTES, 13, 2, 3},     {BYTES, 70000, 200, 9}, {BYTES, 98303, 256, 1},  {BYTES, 5000, 3, 500},
        {32768, 32768, 9, 99}, {32777, 4096, 17, 258}, {65537, 65536, 30, 261},
    };
    uint8_t *bytes = test_malloc(BYTES);
    jg_gzip *gzip = jg_gzip_new();
    uint32_t random = 1;
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        fill(bytes, rows[i].len, rows[i].alphabet, rows[i].run, &random);
        assert_comes_back(gzip, (jaeger_str){(const char *)bytes, rows[i].len}, rows[i].piece);
    }
    for (size_t len = 0; len < 600; len++) { /* ends at every place of a word and of a match */
        fill(bytes, len, 3 + (unsigned)len % 20, 30, &random);
        assert_comes_back(gzip, (jaeger_str){(const char *)bytes, len}, 1 + len / 3);
    }
    jg_gzip_free(gzip);
    test_free(bytes);
}

/** Uses that grow like Fibonacci's numbers want codes longer than are allowed. */
static void codes_are_cut_to_the_longest_allowed(void **state)
{
    (void)state;
    enum { SYMBOLS = 21, BYTES = 30000 };
    uint8_t *bytes = test_malloc(BYTES);
    size_t len = 0, a = 1, b = 1;
    uint32_t random = 3;
    for (unsigned symbol = 0; symbol < SYMBOLS; symbol++) {
        for (size_t i = 0; i < a && len < BYTES; i++)
            bytes[len++] = (uint8_t)(symbol * 11);
        size_t next = a + b;
        a = b;
        b = next;
    }
    for (size_t i = len; i-- > 1;) {
        size_t at = next_random(&random) % i;
        uint8_t byte = bytes[i];
        bytes[i] = bytes[at];
        bytes[at] = byte;
    }
    jg_gzip *gzip = jg_gzip_new();
    assert_comes_back(gzip, (jaeger_str){(const char *)bytes, len}, 1000);
    assert_comes_back(gzip, (jaeger_str){(const char *)bytes, len / 2}, 1000);
    jg_gzip_free(gzip);
    test_free(bytes);
}

static void text_that_repeats_shrinks_as_with_zlib(void **state)
{
    (void)state;
    jg_buf text JG_AUTO_BUF = JG_BUF_INIT(2u << 20), packed JG_AUTO_BUF = JG_BUF_INIT(2u << 20);
    jg_buf other JG_AUTO_BUF = JG_BUF_INIT(2u << 20);
    uint32_t random = 9;
    jaeger_error err = {0};
    for (unsigned i = 0; i < 5000; i++)
        jg_buf_printf(&text, "{\"key\":\"http.url\",\"type\":\"string\",\"value\":\"/orders/%u?q=%u\"},", i,
                      next_random(&random));
    assert_ok(jg_encode(JAEGER_STR("gzip"), 1, jg_buf_view(&text), &packed, &err));
    assert_ok(jg_encode(JAEGER_STR("gzip"), 9, jg_buf_view(&text), &other, &err));
    assert_in_range(packed.len, 1, other.len + other.len / 2);
}

static void a_full_buffer_fails_and_breaks_nothing(void **state)
{
    (void)state;
    uint8_t *bytes = test_malloc(200000);
    uint32_t random = 5;
    jg_gzip *gzip = jg_gzip_new();
    fill(bytes, 200000, 256, 2, &random);
    for (size_t max = 0; max < 100000; max += 9973) {
        jg_buf out JG_AUTO_BUF = JG_BUF_INIT(max);
        jg_gzip_begin(gzip, &out);
        jg_gzip_add(gzip, (jaeger_str){(const char *)bytes, 200000});
        jg_gzip_end(gzip);
        assert_false(jg_buf_ok(&out));
        assert_true(out.cap <= max);
    }
    assert_comes_back(gzip, (jaeger_str){(const char *)bytes, 100000}, 9999);
    jg_gzip_free(gzip);
    test_free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out),
        cmocka_unit_test(codes_are_cut_to_the_longest_allowed),
        cmocka_unit_test(text_that_repeats_shrinks_as_with_zlib),
        cmocka_unit_test(a_full_buffer_fails_and_breaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
