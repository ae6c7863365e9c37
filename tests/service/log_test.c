/* SPDX-License-Identifier: Apache-2.0 */
#include "core/clock.h"
#include "core/str.h"
#include "service/log.h"
#include "support/test.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct lines {
    size_t count;
    char last[1024];
} lines;

static void keep(void *user, jaeger_level level, jaeger_str line)
{
    lines *l = user;
    (void)level;
    l->count++;
    (void)snprintf(l->last, sizeof l->last, "%.*s", JAEGER_STR_ARGS(line));
}

static jg_log *open_log(lines *l, jg_log_options *o)
{
    static jaeger_str path = {"stderr", 6};
    jg_log *log;
    jaeger_error err;
    jaeger_log_sink sink = {.write = keep, .user = l};
    *l = (lines){0};
    o->sink = &sink;
    if (!o->paths.count)
        o->paths = (jaeger_str_list){&path, 1};
    assert_ok(jg_log_open(o, &log, &err));
    return log;
}

static void say(const jg_log *log, int number)
{
    jaeger_log(&(jaeger_logger){jg_log_sink(log), "c"}, JAEGER_WARN, "disk is slow ms=%d", number);
}

static void repeats_are_dropped_within_a_tick(void **state)
{
    (void)state;
    lines l;
    jg_log_options o = {
        .sampling = {.enabled = true, .tick_ns = 10 * JG_NS_PER_S, .initial = 3, .thereafter = 5}};
    jg_log *log = open_log(&l, &o);
    for (int i = 0; i < 13; i++)
        say(log, i * 1000);
    assert_int_equal(l.count, 3 + 2);
    jaeger_log(&(jaeger_logger){jg_log_sink(log), "c"}, JAEGER_WARN, "something else");
    assert_int_equal(l.count, 6);
    jg_clock_advance(11 * (int64_t)JG_NS_PER_S);
    say(log, 1);
    assert_int_equal(l.count, 7);
    jg_log_close(log);
}

static void levels_of_sink_and_configuration_both_hold(void **state)
{
    (void)state;
    lines l;
    jg_log_options o = {.level = JAEGER_ERROR};
    jg_log *log = open_log(&l, &o);
    say(log, 1);
    assert_int_equal(l.count, 0);
    jg_log_close(log);
}

static void fields_are_added_in_both_forms(void **state)
{
    (void)state;
    lines l;
    jg_log_options o = {.json = true, .fields = JAEGER_STR("\"a\":\"b\"")};
    jg_log *log = open_log(&l, &o);
    say(log, 1);
    assert_non_null(strstr(l.last, "\"msg\":\"disk is slow ms=1\",\"a\":\"b\"}"));
    jg_log_close(log);
    o.json = false;
    log = open_log(&l, &o);
    say(log, 1);
    assert_non_null(strstr(l.last, "disk is slow ms=1\t{\"a\":\"b\"}"));
    jg_log_close(log);
}

static void lines_go_to_files(void **state)
{
    (void)state;
    char path[] = "/tmp/jaeger-log-test-XXXXXX", text[256] = "";
    int fd = mkstemp(path);
    lines l;
    jaeger_str paths[] = {jg_str(path)};
    jg_log_options o = {.paths = {paths, 1}};
    assert_true(fd >= 0);
    jg_log *log = open_log(&l, &o);
    say(log, 1);
    say(log, 2);
    jg_log_close(log);
    assert_int_equal(l.count, 0);
    assert_true(read(fd, text, sizeof text - 1) > 0);
    assert_non_null(strstr(text, "ms=1\n"));
    assert_non_null(strstr(text, "ms=2\n"));
    (void)close(fd);
    (void)unlink(path);
}

static void a_file_that_cannot_be_opened_is_an_error(void **state)
{
    (void)state;
    jaeger_str paths[] = {JAEGER_STR("/no/such/folder/log")};
    jg_log_options o = {.paths = {paths, 1}};
    jg_log *log = NULL;
    jaeger_error err;
    assert_int_equal(jg_log_open(&o, &log, &err), JAEGER_NOT_FOUND);
    assert_non_null(strstr(err.message, "couldn't open sink \"/no/such/folder/log\""));
    assert_null(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repeats_are_dropped_within_a_tick),
        cmocka_unit_test(levels_of_sink_and_configuration_both_hold),
        cmocka_unit_test(fields_are_added_in_both_forms),
        cmocka_unit_test(lines_go_to_files),
        cmocka_unit_test(a_file_that_cannot_be_opened_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
