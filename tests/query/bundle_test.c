/* SPDX-License-Identifier: Apache-2.0
 * A build without the web UI has an empty table: what needs a file of it is skipped then.
 */
#include "core/str.h"
#include "query/bundle.h"
#include "query/http.h"
#include "support/test.h"
#include <stdio.h>

typedef struct answer {
    int status;
    char headers[512];
    jg_buf body;
} answer;

static void add_header(void *self, const char *name, jaeger_str value)
{
    answer *a = self;
    size_t n = strlen(a->headers);
    (void)snprintf(a->headers + n, sizeof a->headers - n, "%s: %.*s\n", name, JAEGER_STR_ARGS(value));
}

static void send(void *self, int status, const char *type, jaeger_str body)
{
    answer *a = self;
    a->status = status;
    if (type)
        add_header(a, "Content-Type", jg_str(type));
    jg_buf_str(&a->body, body);
}

static const jg_bundle_file *script(void)
{
    for (size_t i = 0; i < jg_bundle_file_count; i++)
        if (strstr(jg_bundle_files[i].path, ".js"))
            return &jg_bundle_files[i];
    skip();
    return NULL;
}

static answer ask(const char *path, const char *etag, const char *accept)
{
    answer a = {.body = JG_BUF_INIT(4 << 20)};
    jg_query_reply reply = {.add_header = add_header, .send = send, .self = &a};
    (void)jg_bundle_send_file(jg_str(path), jg_str(etag), jg_str(accept), &reply);
    return a;
}

static void bundle_sends_gzip_to_those_who_take_it(void **state)
{
    (void)state;
    static const struct {
        const char *accept;
        bool gzip;
    } rows[] = {{"gzip", true},        {"br, GZIP ;q=0.5", true}, {"gzip;q=0", false},
                {"gzip ; q=0", false}, {"identity", false},       {"", false}};
    const jg_bundle_file *file = script();
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        answer a = ask(file->path, "", rows[i].accept);
        bool gzip = strstr(a.headers, "Content-Encoding: gzip") != NULL;
        if (a.status != 200 || gzip != rows[i].gzip || a.body.len != (gzip ? file->gzip_bytes : file->bytes))
            fail_msg("%s: %d, %zu bytes, %s", rows[i].accept, a.status, a.body.len, a.headers);
        assert_non_null(strstr(a.headers, "Content-Type: text/javascript; charset=utf-8\n"));
        assert_non_null(strstr(a.headers, "Cache-Control: public, max-age=31536000, immutable\n"));
        jg_buf_done(&a.body);
    }
}

static void bundle_answers_304_to_its_own_etag(void **state)
{
    (void)state;
    const jg_bundle_file *file = script();
    answer a = ask(file->path, file->etag, "gzip");
    assert_int_equal(a.status, 304);
    assert_int_equal(a.body.len, 0);
}

static void bundle_has_no_other_files(void **state)
{
    (void)state;
    static const char *const paths[] = {"/static/", "/static/none.js", "/index.html", ""};
    for (size_t i = 0; i < JG_COUNT(paths); i++) {
        answer a = ask(paths[i], "", "gzip");
        assert_int_equal(a.status, 404);
        jg_buf_done(&a.body);
    }
}

static void bundle_page_has_a_base_by_depth_and_the_nonce(void **state)
{
    (void)state;
    static const struct {
        const char *path, *want;
    } rows[] = {{"/", "<base href=\"./\">"},
                {"/search", "<base href=\"./\">"},
                {"/trace/abc", "<base href=\"./../\">"},
                {"/a/b/c", "<base href=\"./../../\">"}};
    if (jg_bundle_page.len == 0)
        skip();
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        JG_AUTO_BUF jg_buf out = JG_BUF_INIT(1 << 20);
        jg_bundle_write_page(&out, jg_str(rows[i].path), JAEGER_STR("n0nce"));
        jg_buf_byte(&out, 0);
        const char *page = (const char *)out.data;
        if (!strstr(page, rows[i].want) || !strstr(page, "<script nonce=\"n0nce\">") || strstr(page, "{{"))
            fail_msg("%s: %s", rows[i].path, page);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bundle_sends_gzip_to_those_who_take_it),
        cmocka_unit_test(bundle_answers_304_to_its_own_etag),
        cmocka_unit_test(bundle_has_no_other_files),
        cmocka_unit_test(bundle_page_has_a_base_by_depth_and_the_nonce),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
