/* SPDX-License-Identifier: Apache-2.0 */
#include "config/load.h"
#include "core/alloc.h"
#include "core/str.h"
#include "support/test.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* A struct with one field of each scalar type, so that typed targets can be compared with string targets. */
typedef struct target {
    jaeger_str s;
    int64_t i;
    bool b;
    uint64_t d;
    jaeger_str_list l;
} target;

static const jaeger_field fields[] = {
    {.name = "s", .kind = JAEGER_FIELD_STR, .offset = offsetof(target, s), .fallback = "default"},
    {.name = "i", .kind = JAEGER_FIELD_I64, .offset = offsetof(target, i), .fallback = "-7"},
    {.name = "b", .kind = JAEGER_FIELD_BOOL, .offset = offsetof(target, b), .fallback = "true"},
    {.name = "d", .kind = JAEGER_FIELD_DURATION, .offset = offsetof(target, d), .fallback = "1s"},
    {.name = "l", .kind = JAEGER_FIELD_STRS, .offset = offsetof(target, l)},
    {0}};

static const char *environment(void *user, const char *name)
{
    (void)user;
    static const char *const vars[][2] = {{"NUM", "012"},
                                          {"EMPTY", ""},
                                          {"TRUE", "true"},
                                          {"QUOTED", "\"true\""},
                                          {"LIST", "[a, b]"},
                                          {"MAP", "{s: in, i: 3}"},
                                          {"HOST", "h1"},
                                          {"REF", "${env:HOST}"},
                                          {"LOOP", "${env:LOOP}"},
                                          {"GROW", "x${env:GROW}"},
                                          {"DEEP", "x: ${env:DEEP}"},
                                          {"BAD", "a: b: c"},
                                          {"NAME", "HOST"},
                                          {"DOLLAR", "a$$b"},
                                          {"DUR", "5s"},
                                          {"CFG", "s: from env\ni: 4"},
                                          {"SPLIT", "a,b"},
                                          {"TWICE", "${env:TWICE}${env:TWICE}"},
                                          {"NULLS", "null"},
                                          {"TREE", "s: ${env:HOST}"}};
    for (size_t i = 0; i < JG_COUNT(vars); i++)
        if (strcmp(vars[i][0], name) == 0)
            return vars[i][1];
    return NULL;
}

static jaeger_status load(const char *const *uris, size_t uri_count, const char *const *sets,
                          size_t set_count, jaeger_config **ret, jaeger_error *err)
{
    jg_config_sources sources = {
        .uris = uris, .uri_count = uri_count, .sets = sets, .set_count = set_count, .getenv = environment};
    *ret = NULL;
    return jg_config_load(&sources, ret, err);
}

static jaeger_status load_text(const char *yaml, jaeger_config **ret, jaeger_error *err)
{
    jg_config_sources sources = {.yaml = yaml, .getenv = environment};
    *ret = NULL;
    return jg_config_load(&sources, ret, err);
}

static void expand_gives_values_by_the_type_of_the_target(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *s;
        int64_t i;
        bool b;
    } cases[] = {
        {"s: ${env:NUM}\ni: ${env:NUM}\n", "012", 10, true},
        {"s: ${NUM}\ni: ${env:NOPE:-0x10}\n", "012", 16, true},
        {"s: ${env:EMPTY}\ni: ${env:NOPE}\nb: ${env:NOPE}\n", "", 0, false}, /* zero, not the default */
        {"s: ${env:EMPTY:-x}", "", -7, true},                                /* set, though empty */
        {"s: ${env:NOPE:-${env:HOST}}", "h1", -7, true},
        {"s: ${env:NOPE:-a:-b}", "a:-b", -7, true},
        {"s: ${env:TRUE}\nb: ${env:TRUE}", "true", -7, true},
        {"s: ${env:QUOTED}", "\"true\"", -7, true},
        {"s: ${env:LIST}\nl: ${env:LIST}", "[a, b]", -7, true},
        {"s: http://${env:HOST}:${env:NUM}/", "http://h1:012/", -7, true},
        {"s: ${env:${env:NAME}}", "h1", -7, true},
        {"s: ${env:REF}", "h1", -7, true},
        {"s: ${env:BAD}", "a: b: c", -7, true},
        {"s: ${env:NULLS}\ni: ${env:NULLS}", "null", 0, true},
        {"s: $$x $y $$${env:HOST} $z", "$x $y $h1 $z", -7, true},
        {"s: $${env:HOST} ${env:HOST}", "${env:HOST} ${env:HOST}", -7, true},
        {"s: $${env:HOST}", "${env:HOST}", -7, true},
        {"s: $$$${env:HOST}", "$${env:HOST}", -7, true},
        {"s: ${env:DOLLAR}", "a$b", -7, true},
        {"s: ${env:HOST", "${env:HOST", -7, true},
        {"s: '} ${env:HOST}'", "} h1", -7, true},
        {"s: ${yaml:3}\ni: ${yaml:3}", "3", 3, true},
        {"\"${env:NAME}\": 1", NULL, 0, true}, /* keys stay */
        {"s: ${env:SPLIT}\nl: ${env:SPLIT}", "a,b", -7, true},
        {"s: ${env:TREE}", "s: h1", -7, true},
        {"s: \"${env:TRUE}\"\nb: \"${env:TRUE}\"", "true", -7, true},
        {"d: ${env:DUR}\ns: ${env:DUR}", "5s", -7, true},
    };
    for (size_t n = 0; n < JG_COUNT(cases); n++) {
        jaeger_config *root;
        jaeger_error err = {0};
        target t;
        jaeger_status status = load_text(cases[n].yaml, &root, &err);
        if (status == JAEGER_OK)
            status = jaeger_config_bind(root, fields, &t, &err);
        if (!cases[n].s) {
            assert_int_equal(status, JAEGER_INVALID_ARGUMENT);
            assert_non_null(strstr(err.message, "has invalid keys: ${env:NAME}"));
            jaeger_config_free(root);
            continue;
        }
        if (status != JAEGER_OK)
            fail_msg("%s: %s", cases[n].yaml, err.message);
        if (!jg_str_is(t.s, cases[n].s) && strstr(cases[n].yaml, "s: "))
            fail_msg("%s: got %.*s", cases[n].yaml, JAEGER_STR_ARGS(t.s));
        if (t.i != cases[n].i || t.b != cases[n].b)
            fail_msg("%s: got %lld %d", cases[n].yaml, (long long)t.i, t.b);
        if (strstr(cases[n].yaml, "l: "))
            assert_int_equal(t.l.count, 2);
        if (strstr(cases[n].yaml, "d: "))
            assert_int_equal(t.d, 5000000000);
        jaeger_config_free(root);
    }
}

static void expand_refuses_what_cannot_be_expanded(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *want;
    } cases[] = {
        {"\ns: ${NAME:-default}",
         "built-in configuration:2: scheme \"NAME\" is not supported for uri \"NAME:-default\""},
        {"s: ${env:1X}", "has invalid name: must match regex"},
        {"s: ${env:}", "has invalid name"},
        {"s: ${x:y}", "invalid uri: \"x:y\""},
        {"s: ${env:HO$ST}", "contains unsupported characters ('$')"},
        {"s: ${env:LOOP}", "too many recursive expansions"},
        {"s: ${env:GROW}", "too many recursive expansions"},
        {"s: ${env:DEEP}", "too many recursive expansions"},
        {"s: ${env:TWICE}", "an expanded value is larger than"},
        {"s: ${file:/nowhere/x.yaml}", "unable to read the file file:/nowhere/x.yaml: No such file"},
        {"s: ${http://127.0.0.1:1/}", "unable to download"},
        {"", "empty configuration file"},
        {"# only a comment", "empty configuration file"},
        {"[a]", "retrieved value (type=[]interface {}) cannot be used as a Conf"},
    };
    for (size_t n = 0; n < JG_COUNT(cases); n++) {
        jaeger_config *root;
        jaeger_error err = {0};
        if (load_text(cases[n].yaml, &root, &err) == JAEGER_OK)
            fail_msg("%s: loaded", cases[n].yaml);
        if (!strstr(err.message, cases[n].want))
            fail_msg("%s\ngot:  %s\nwant: %s", cases[n].yaml, err.message, cases[n].want);
        assert_null(root);
    }
}

static void expect_yaml(const jaeger_config *root, const char *want)
{
    JG_AUTO_BUF jg_buf out = JG_BUF_INIT(1 << 16);
    jg_config_write_yaml(&out, root, 0);
    jg_buf_byte(&out, 0);
    assert_true(jg_buf_ok(&out));
    assert_string_equal((const char *)out.data, want);
}

static void load_merges_sources_in_order_and_sets_last(void **state)
{
    (void)state;
    static const struct {
        const char *uris[4], *sets[4], *want;
    } cases[] = {
        {{"yaml:{a: {x: 1, y: [1, 2]}, b: 2}", "yaml:{a: {y: [3], z: s}}"},
         {0},
         "a:\n  x: 1\n  y:\n    - 3\n  z: s\nb: 2\n"},
        {{"yaml:a::b::c: 5", "yaml:a::b::d: '5'"}, {0}, "a:\n  b:\n    c: 5\n    d: \"5\"\n"},
        {{"yaml:{a: {x: 1}}", "yaml:{a: null}"}, {0}, "a: null\n"},
        {{"yaml:{a: {x: 1}}", "yaml:{a: {}}"}, {0}, "a:\n  x: 1\n"},
        {{"yaml:{a: {x: 1}}", "yaml:{a: 3}"}, {0}, "a: 3\n"},
        {{"yaml:{a: null}", "yaml:{a: {x: 1}}"}, {0}, "a:\n  x: 1\n"},
        {{"env:CFG", "yaml:i: 5"}, {0}, "s: from env\ni: 5\n"},
        {{"yaml:{a: {x: 1}}"},
         {"a.x=2", "a.y = [p, {q: r}]", "b="},
         "a:\n  x: 2\n  y:\n    - p\n    - q: r\nb: null\n"},
        {{"yaml:{a: {x: '${env:HOST}'}}"}, {"a.y=${env:NUM}"}, "a:\n  x: h1\n  y: 10\n"},
        {{"yaml:a: {b::c: 1, b: {d: 2}}"}, {0}, "a:\n  b:\n    c: 1\n    d: 2\n"},
        {{"yaml:a: '${env:MAP}'"}, {0}, "a:\n  s: in\n  i: 3\n"},
    };
    for (size_t n = 0; n < JG_COUNT(cases); n++) {
        jaeger_config *root;
        jaeger_error err = {0};
        size_t uris = 0, sets = 0;
        while (cases[n].uris[uris])
            uris++;
        while (cases[n].sets[sets])
            sets++;
        if (load(cases[n].uris, uris, cases[n].sets, sets, &root, &err) != JAEGER_OK)
            fail_msg("%s: %s", cases[n].uris[0], err.message);
        expect_yaml(root, cases[n].want);
        jaeger_config_free(root);
    }
}

static void load_refuses_bad_sources(void **state)
{
    (void)state;
    static const struct {
        const char *uri, *set, *want;
        jaeger_status status;
    } cases[] = {
        {"s3:foo", NULL, "unsupported scheme on URI \"s3:foo\"", JAEGER_INVALID_ARGUMENT},
        {"file:/nowhere/c.yaml", NULL, "cannot retrieve the configuration: unable to read the file",
         JAEGER_NOT_FOUND},
        {"/nowhere/c.yaml", NULL, "No such file", JAEGER_NOT_FOUND},
        {"/tmp", NULL, "Is a directory", JAEGER_INVALID_ARGUMENT},
        {"yaml:a: 1", "a.b", "--set a.b: missing equal sign", JAEGER_INVALID_ARGUMENT},
        {"yaml:a: [", NULL, "yaml:a: [:2:1: yaml:", JAEGER_INVALID_ARGUMENT},
        {"env:NOPE", NULL, "empty configuration file", JAEGER_INVALID_ARGUMENT},
        {"http://127.0.0.1:1/x", NULL, "unable to download", JAEGER_UNAVAILABLE},
    };
    for (size_t n = 0; n < JG_COUNT(cases); n++) {
        jaeger_config *root;
        jaeger_error err = {0};
        assert_int_equal(load(&cases[n].uri, 1, &cases[n].set, cases[n].set != NULL, &root, &err),
                         cases[n].status);
        if (!strstr(err.message, cases[n].want))
            fail_msg("%s\ngot:  %s\nwant: %s", cases[n].uri, err.message, cases[n].want);
    }
    jaeger_config *root;
    jaeger_error err = {0};
    assert_int_equal(load(NULL, 0, NULL, 0, &root, &err), JAEGER_INVALID_ARGUMENT);
    assert_string_equal(err.message, "at least one config flag must be provided");
}

static void load_names_files_in_errors_and_includes_them(void **state)
{
    (void)state;
    char path[] = "/tmp/jg_load_XXXXXX", uri[64], yaml[128], want[64];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    static const char text[] = "a: 1\nb:\n  c: [x]\n";
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    (void)close(fd);
    (void)snprintf(uri, sizeof uri, "file:%s", path);
    (void)snprintf(yaml, sizeof yaml, "yaml:inc: '${file:%s}'", path);
    (void)snprintf(want, sizeof want, "%s:3", path);
    const char *uris[] = {uri, path, yaml};
    jaeger_config *root;
    jaeger_error err = {0};
    assert_ok(load(uris, JG_COUNT(uris), NULL, 0, &root, &err));
    const jaeger_config *c = jaeger_config_get(jaeger_config_get(root, "b"), "c");
    assert_string_equal(jaeger_config_where(c), want);
    c = jaeger_config_get(jaeger_config_get(jaeger_config_get(root, "inc"), "b"), "c");
    assert_string_equal(jaeger_config_where(c), want);
    assert_string_equal(jaeger_config_path(c), "inc::b::c");
    (void)jg_config_fail(&err, c, "is %s", "odd");
    (void)snprintf(yaml, sizeof yaml, "inc::b::c: is odd (%s)", want);
    assert_string_equal(err.message, yaml);
    jaeger_config_free(root);
    (void)unlink(path);
}

static void *serve(void *listener)
{
    static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\na: 42";
    char request[2048];
    int fd = accept(*(int *)listener, NULL, NULL);
    if (fd >= 0 && read(fd, request, sizeof request) > 0)
        assert_int_equal(write(fd, reply, sizeof reply - 1), sizeof reply - 1);
    (void)close(fd);
    return NULL;
}

static void load_reads_http(void **state)
{
    (void)state;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, serve, &listener), 0);
    char url[64];
    const char *uri = url;
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/c.yaml", ntohs(at.sin_port));
    jaeger_config *root;
    jaeger_error err = {0};
    jaeger_status status = load(&uri, 1, NULL, 0, &root, &err);
    (void)pthread_join(thread, NULL);
    (void)close(listener);
    if (status != JAEGER_OK)
        fail_msg("%s", err.message);
    expect_yaml(root, "a: 42\n");
    jaeger_config_free(root);
}

static void load_survives_every_failing_allocation(void **state)
{
    (void)state;
    static const char *const uris[] = {"yaml:{a::b: '${env:MAP}', c: 'x${env:HOST}$$'}", "env:CFG"};
    static const char *const sets[] = {"a.c=[1]"};
    jaeger_status status = JAEGER_RESOURCE_EXHAUSTED;
    for (long n = 0; status != JAEGER_OK; n++) {
        jaeger_config *root;
        jaeger_error err = {0};
        jg_alloc_fail_after(n);
        status = load(uris, 2, sets, 1, &root, &err);
        jg_alloc_fail_after(-1);
        assert_true(status == JAEGER_OK || status == JAEGER_RESOURCE_EXHAUSTED);
        jaeger_config_free(root);
        assert_true(n < 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expand_gives_values_by_the_type_of_the_target),
        cmocka_unit_test(expand_refuses_what_cannot_be_expanded),
        cmocka_unit_test(load_merges_sources_in_order_and_sets_last),
        cmocka_unit_test(load_refuses_bad_sources),
        cmocka_unit_test(load_names_files_in_errors_and_includes_them),
        cmocka_unit_test(load_reads_http),
        cmocka_unit_test(load_survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
