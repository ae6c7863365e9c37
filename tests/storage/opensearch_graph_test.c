/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/opensearch/graph_job.h"
#include "storage/opensearch/graph_read.h"
#include "storage/opensearch/state.h"

#include "core/arena.h"
#include "core/clock.h"
#include "support/opensearch.h"
#include <stdlib.h>

#define TRACE "\"traceID\":\"5b8efff798038103d269b633813fc60c\""

static void a_span_document_says_who_called_whom(void **state)
{
    (void)state;
    static const struct {
        const char *json, *service, *peer;
        uint8_t parent; /* last byte; 0: none */
        bool is_server;
    } cases[] = {
        {"{" TRACE
         ",\"spanID\":\"02\",\"parentSpanID\":\"0000000000000007\",\"process\":{\"serviceName\":\"a\"}}",
         "a", "", 7, false},
        {"{" TRACE ",\"spanID\":\"02\",\"references\":[{\"refType\":\"FOLLOWS_FROM\"," TRACE
         ",\"spanID\":\"05\"},"
         "{\"refType\":\"CHILD_OF\"," TRACE ",\"spanID\":\"06\"}],\"process\":{\"serviceName\":\"a\"},"
         "\"tag\":{\"span@kind\":\"server\"}}",
         "a", "", 6, true},
        {"{" TRACE ",\"spanID\":\"02\",\"references\":[{\"refType\":\"CHILD_OF\",\"traceID\":\"99\","
         "\"spanID\":\"06\"}],\"process\":{\"serviceName\":\"a\"}}",
         "a", "", 0, false}, /* of another trace */
        {"{" TRACE ",\"spanID\":\"02\",\"references\":null,\"process\":{\"serviceName\":\"a\"},\"tags\":["
         "{\"key\":\"peer.service\",\"type\":\"string\",\"value\":\"db\"}]}",
         "a", "db", 0, false},
        {"{" TRACE
         ",\"spanID\":\"02\",\"tag\":{\"peer@service\":\"db\"},\"process\":{\"serviceName\":\"a\"}}",
         "a", "db", 0, false},
        {"{" TRACE ",\"spanID\":\"no hex\",\"process\":{\"serviceName\":\"a\"}}", "", "", 0, false},
        {"{\"process\":7,\"tags\":{},\"tag\":[],\"references\":[3]}", "", "", 0, false},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        jaeger_arena *arena = jaeger_arena_new(1u << 20);
        jg_os_call_span span;
        jg_json_in in = jg_json_in_of(jg_str(cases[i].json));
        assert_true(jg_os_read_call_span(&in, JAEGER_STR("@"), &span, arena));
        assert_str(span.service, cases[i].service);
        assert_str(span.peer, cases[i].peer);
        assert_int_equal(span.has_parent, cases[i].parent != 0);
        assert_int_equal(span.parent_id[7], cases[i].parent);
        assert_int_equal(span.is_server, cases[i].is_server);
        jaeger_arena_free(arena);
    }
}

static void a_graph_is_jaegers_document(void **state)
{
    (void)state;
    JG_AUTO_BUF jg_buf out = JG_BUF_INIT(4096);
    jaeger_dependency item = {JAEGER_STR("a\"b"), JAEGER_STR("c"), 7};
    jaeger_dependencies links = {&item, 1, 1};
    jg_os_put_graph(&out, 1628208000000000000ull, &links);
    assert_str(jg_buf_view(&out),
               "{\"timestamp\":\"2021-08-06T00:00:00Z\",\"dependencies\":[{\"parent\":\"a\\\"b\","
               "\"child\":\"c\",\"callCount\":7}]}");
}

/* ---- leases, against a node that keeps one document ---- */

typedef struct keeper {
    fake_node node;
    char document[512]; /* "": none */
    unsigned seq;
    bool interfere; /* another writes between read and write */
    jg_os_config config;
    jg_os_store store;
    jaeger_config *yaml;
    jaeger_call call;
} keeper;

static void send_conflict(jg_http_reply *reply)
{
    jg_http_send(reply, 409, "application/json", JAEGER_STR("{\"error\":{\"type\":\"version_conflict\"}}"));
}

static void keep_document(fake_node *node, jg_http_request *request, jg_http_reply *reply)
{
    keeper *k = node->user;
    char answer[1024], condition[64];
    bool create = jg_str_starts(request->path, JAEGER_STR("/jaeger-state/_create/"));
    bool on_document = create || jg_str_starts(request->path, JAEGER_STR("/jaeger-state/_doc/"));
    if (!on_document) { /* the index */
        jg_http_send(reply, 200, "application/json", JAEGER_STR("{}"));
    } else if (jg_str_is(request->method, "GET")) {
        (void)snprintf(answer, sizeof answer,
                       "{\"_seq_no\":%u,\"_primary_term\":1,\"found\":%s,\"_source\":%s}", k->seq,
                       *k->document ? "true" : "false", *k->document ? k->document : "null");
        jg_http_send(reply, *k->document ? 200 : 404, "application/json", jg_str(answer));
        k->seq += k->interfere;
    } else {
        (void)snprintf(condition, sizeof condition, "if_seq_no=%u&if_primary_term=1", k->seq);
        if (create ? *k->document != 0 : !jg_str_is(request->query, condition)) {
            send_conflict(reply);
            return;
        }
        bool gone = jg_str_is(request->method, "DELETE");
        (void)snprintf(k->document, sizeof k->document, "%.*s", gone ? 0 : (int)request->body.len,
                       request->body.ptr);
        k->seq++;
        jg_http_send(reply, 200, "application/json", JAEGER_STR("{}"));
    }
}

static void keeper_begin(keeper *k)
{
    static const jaeger_logger quiet;
    char yaml[256];
    fake_start(&k->node);
    k->node.answer = keep_document;
    k->node.user = k;
    k->call = JAEGER_CALL_INIT;
    k->call.arena = jaeger_arena_new(16u << 20);
    (void)snprintf(yaml, sizeof yaml, "{server_urls: ['%s'], version: 102, http_compression: false}",
                   k->node.url);
    assert_ok(jaeger_config_parse(jg_str(yaml), "test", &k->yaml, &k->call.error));
    assert_ok(jaeger_config_bind(k->yaml, jg_os_fields, &k->config, &k->call.error));
    assert_ok(jg_os_store_open(&k->store, &k->config, &quiet, NULL, &k->call.error));
}

static void keeper_end(keeper *k)
{
    jg_os_store_close(&k->store);
    jaeger_config_free(k->yaml);
    jaeger_arena_free(k->call.arena);
    fake_stop(&k->node);
    free(k);
}

static bool acquire(keeper *k, const char *owner)
{
    bool held = false;
    assert_ok(jg_os_acquire(&k->store, JAEGER_STR("x/y"), jg_str(owner), 60 * JG_NS_PER_S, &held, &k->call));
    return held;
}

static void a_lease_is_lost_to_who_writes_first(void **state)
{
    (void)state;
    keeper *k = calloc(1, sizeof *k);
    keeper_begin(k);
    assert_true(acquire(k, "one"));
    assert_string_equal(k->node.path, "/jaeger-state/_create/lease-x%2Fy");
    assert_true(acquire(k, "one"));
    assert_false(acquire(k, "two"));
    jg_clock_step_unix(61 * (int64_t)JG_NS_PER_S);
    k->interfere = true;
    assert_false(acquire(k, "two")); /* it has run out, but another was faster */
    k->interfere = false;
    assert_true(acquire(k, "two"));
    assert_ok(jg_os_forfeit(&k->store, JAEGER_STR("x/y"), JAEGER_STR("one"), &k->call));
    assert_true(*k->document);
    assert_ok(jg_os_forfeit(&k->store, JAEGER_STR("x/y"), JAEGER_STR("two"), &k->call));
    assert_false(*k->document);
    assert_true(acquire(k, "one"));
    bool held;
    assert_int_equal(jg_os_acquire(&k->store, JAEGER_STR(""), JAEGER_STR("one"), 1, &held, &k->call),
                     JAEGER_INVALID_ARGUMENT);
    jg_clock_step_unix(-61 * (int64_t)JG_NS_PER_S);
    keeper_end(k);
}

static void a_mark_is_not_overwritten(void **state)
{
    (void)state;
    keeper *k = calloc(1, sizeof *k);
    jg_os_state mine, theirs;
    keeper_begin(k);
    assert_ok(jg_os_state_get(&k->store, JAEGER_STR("mark"), &mine, &k->call));
    assert_false(mine.exists);
    assert_ok(jg_os_state_put(&k->store, JAEGER_STR("mark"), &mine, JAEGER_STR("me"), 1000, &k->call));
    assert_int_equal(jg_os_state_put(&k->store, JAEGER_STR("mark"), &mine, JAEGER_STR("me"), 2000, &k->call),
                     JAEGER_ABORTED);
    assert_ok(jg_os_state_get(&k->store, JAEGER_STR("mark"), &mine, &k->call));
    theirs = mine;
    assert_str(mine.text, "me");
    assert_true(mine.number_ms == 1000);
    assert_ok(jg_os_state_put(&k->store, JAEGER_STR("mark"), &theirs, JAEGER_STR("you"), 3000, &k->call));
    assert_int_equal(jg_os_state_put(&k->store, JAEGER_STR("mark"), &mine, JAEGER_STR("me"), 2000, &k->call),
                     JAEGER_ABORTED);
    keeper_end(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_span_document_says_who_called_whom),
        cmocka_unit_test(a_graph_is_jaegers_document),
        cmocka_unit_test(a_lease_is_lost_to_who_writes_first),
        cmocka_unit_test(a_mark_is_not_overwritten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
