/* SPDX-License-Identifier: Apache-2.0 */
#include "core/clock.h"
#include "core/str.h"
#include "query/http.h"
#include "query/ui.h"
#include "support/test.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/jg_assets_XXXXXX";

static void write_file(const char *name, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs(text, file);
    (void)fclose(file);
}

static void remove_file(const char *name)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    (void)(unlink(path) == 0 || rmdir(path) == 0);
}

static int make_folder(void **state)
{
    char path[128];
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(path, sizeof path, "%s/static", folder);
    if (mkdir(path, 0700) != 0)
        return -1;
    write_file("index.html", "<html>JAEGER_CONFIG = DEFAULT_CONFIG;</html>");
    write_file("static/app.js", "let x;");
    write_file("ui.json", "{\"first\":1}");
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    remove_file("static/app.js");
    remove_file("static");
    remove_file("index.html");
    remove_file("ui.json");
    return rmdir(folder);
}

typedef struct answer {
    int status;
    char type[64], tag[64], cache[64];
    jg_buf body;
} answer;

static void add_header(void *self, const char *name, jaeger_str value)
{
    answer *a = self;
    char *to = strcmp(name, "ETag") == 0 ? a->tag : strcmp(name, "Cache-Control") == 0 ? a->cache : NULL;
    if (to)
        (void)snprintf(to, 64, "%.*s", JAEGER_STR_ARGS(value));
}

static void begin(void *self, int status, const char *type)
{
    answer *a = self;
    a->status = status;
    (void)snprintf(a->type, sizeof a->type, "%s", type ? type : "");
}

static void send(void *self, int status, const char *type, jaeger_str body)
{
    begin(self, status, type);
    jg_buf_str(&((answer *)self)->body, body);
}

static jaeger_status write_piece(void *self, jaeger_str bytes)
{
    jg_buf_str(&((answer *)self)->body, bytes);
    return JAEGER_OK;
}

static void end(void *self, bool ok)
{
    (void)self;
    assert_true(ok);
}

static jg_query_reply reply_to(answer *a)
{
    jg_buf_clear(&a->body);
    a->tag[0] = a->cache[0] = 0;
    return (jg_query_reply){add_header, send, begin, write_piece, end, a};
}

static jg_ui *ui_of(const char *config)
{
    jg_ui *ui = NULL;
    char path[128];
    jaeger_error err = {0};
    (void)snprintf(path, sizeof path, "%s/%s", folder, config ? config : "");
    jg_ui_options options = {.assets_path = jg_str(folder)};
    if (config)
        options.config_file = jg_str(path);
    if (jg_ui_new(&options, &ui, &err) != JAEGER_OK)
        fail_msg("%s", err.message);
    return ui;
}

static void ui_serves_files_of_the_assets_only(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int status;
    } rows[] = {{"/static/app.js", 200},        {"/static/none.js", 404},        {"/static/", 404},
                {"/static/../index.html", 404}, {"/static/..\\index.html", 404}, {"/static/app.js/", 404}};
    answer a = {.body = JG_BUF_INIT(4096)};
    jg_ui *ui = ui_of(NULL);
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jg_query_reply reply = reply_to(&a);
        if (jg_ui_send_file(ui, jg_str(rows[i].path), (jaeger_str){0}, JAEGER_STR(""), &reply) !=
                rows[i].status ||
            a.status != rows[i].status)
            fail_msg("%s: %d", rows[i].path, a.status);
    }
    jg_query_reply reply = reply_to(&a);
    assert_int_equal(
        jg_ui_send_file(ui, JAEGER_STR("/static/app.js\0"), (jaeger_str){0}, JAEGER_STR(""), &reply), 404);
    reply = reply_to(&a);
    (void)jg_ui_send_file(ui, JAEGER_STR("/static/app.js"), (jaeger_str){0}, JAEGER_STR(""), &reply);
    assert_str(jg_buf_view(&a.body), "let x;");
    assert_string_equal(a.type, "text/javascript; charset=utf-8");
    assert_string_equal(a.cache, "public, max-age=31536000, immutable");
    char tag[64];
    memcpy(tag, a.tag, sizeof tag);
    reply = reply_to(&a);
    assert_int_equal(jg_ui_send_file(ui, JAEGER_STR("/static/app.js"), jg_str(tag), JAEGER_STR(""), &reply),
                     304);
    assert_int_equal(a.body.len, 0);
    jg_ui_free(ui);
    jg_buf_done(&a.body);
}

static void ui_reads_its_configuration_again_and_keeps_it_if_it_is_bad(void **state)
{
    (void)state;
    answer a = {.body = JG_BUF_INIT(4096)};
    jg_ui *ui = ui_of("ui.json");
    jg_query_reply reply = reply_to(&a);
    assert_int_equal(jg_ui_send_index(ui, JAEGER_STR("/search"), false, false, &reply), 200);
    assert_str(jg_buf_view(&a.body), "<html>JAEGER_CONFIG = {\"first\":1};</html>");
    assert_string_equal(a.cache, "no-cache");
    write_file("ui.json", "{\"second\":2}");
    reply = reply_to(&a);
    (void)jg_ui_send_index(ui, JAEGER_STR("/search"), false, false, &reply);
    assert_str(jg_buf_view(&a.body), "<html>JAEGER_CONFIG = {\"first\":1};</html>");
    jg_clock_advance((int64_t)(11 * JG_NS_PER_S));
    reply = reply_to(&a);
    (void)jg_ui_send_index(ui, JAEGER_STR("/search"), false, false, &reply);
    assert_str(jg_buf_view(&a.body), "<html>JAEGER_CONFIG = {\"second\":2};</html>");
    write_file("ui.json", "{");
    jg_clock_advance((int64_t)(11 * JG_NS_PER_S));
    reply = reply_to(&a);
    (void)jg_ui_send_index(ui, JAEGER_STR("/search"), false, false, &reply);
    assert_str(jg_buf_view(&a.body), "<html>JAEGER_CONFIG = {\"second\":2};</html>");
    jg_ui_free(ui);
    jg_buf_done(&a.body);
}

static void ui_without_an_index_page_does_not_start(void **state)
{
    (void)state;
    jg_ui *ui;
    jaeger_error err = {0};
    jg_ui_options options = {.assets_path = JAEGER_STR("/nowhere")};
    assert_int_equal(jg_ui_new(&options, &ui, &err), JAEGER_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "cannot load index.html: "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ui_serves_files_of_the_assets_only),
        cmocka_unit_test(ui_reads_its_configuration_again_and_keeps_it_if_it_is_bad),
        cmocka_unit_test(ui_without_an_index_page_does_not_start),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
