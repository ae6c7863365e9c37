/* SPDX-License-Identifier: Apache-2.0
 * Writes and reads while the cluster is busy, refuses documents, answers nonsense or is not there.
 */
#include "core/arena.h"
#include "model/batch.h"
#include "registry.h"
#include "storage/open.h"
#include "storage/opensearch/bulk.h"
#include "support/opensearch.h"
#include <jaeger/storage.h>

static const jaeger_logger quiet;

typedef struct fixture {
    fake_node node;
    jaeger_config *config;
    jaeger_storage storage;
    jaeger_call call;
    int bulks; /* atomic: of the script below */
} fixture;

/** Answers of _bulk, one after the other; the last is repeated. NULL status: 200. */
typedef struct script {
    const char *const *bodies;
    const int *statuses;
    size_t count;
    fixture *f;
} script;

static const char version[] = "{\"tagline\":\"The OpenSearch Project\",\"version\":{\"number\":\"2.19.1\"}}";

static void play(fake_node *node, jg_http_request *request, jg_http_reply *reply)
{
    const script *s = node->user;
    if (jg_str_is(request->path, "/")) {
        jg_http_send(reply, 200, "application/json", jg_str(version));
    } else if (!jg_str_is(request->path, "/_bulk")) {
        jg_http_send(reply, 200, "application/json", JAEGER_STR("{\"acknowledged\":true}"));
    } else {
        size_t n = (size_t)__atomic_fetch_add(&s->f->bulks, 1, __ATOMIC_SEQ_CST);
        n = n < s->count ? n : s->count - 1;
        jg_http_send(reply, s->statuses ? s->statuses[n] : 200, "application/json", jg_str(s->bodies[n]));
    }
}

static void start(fixture *f, script *s, const char *more)
{
    char yaml[512];
    jaeger_error err = {0};
    s->f = f;
    f->node.answer = play;
    f->node.user = s;
    fake_start(&f->node);
    (void)snprintf(yaml, sizeof yaml, "{server_urls: ['%s']%s}", f->node.url, more);
    assert_ok(jaeger_config_parse(jg_str(yaml), "test", &f->config, &err));
    for (size_t i = 0; jg_registry_drivers[i]; i++)
        if (strcmp(jg_registry_drivers[i]->name, "opensearch") == 0 &&
            jg_storage_open(jg_registry_drivers[i], f->config, &quiet, NULL, &f->storage, &err) != JAEGER_OK)
            fail_msg("%s", err.message);
    f->call = JAEGER_CALL_INIT;
    f->call.arena = jaeger_arena_new(0);
}

static void stop(fixture *f)
{
    jg_storage_close(&f->storage);
    jaeger_config_free(f->config);
    jaeger_arena_free(f->call.arena);
    fake_stop(&f->node);
}

/** Two spans of one operation: with its service three documents. */
static jaeger_batch *two_spans(void)
{
    jaeger_batch *batch = NULL;
    jaeger_builder *b = jaeger_builder_new(1u << 20);
    jaeger_builder_resource(b, (jaeger_str){0});
    jaeger_builder_attr_str(b, JAEGER_STR("service.name"), JAEGER_STR("s"));
    jaeger_builder_scope(b, (jaeger_str){0}, (jaeger_str){0}, (jaeger_str){0});
    for (uint8_t i = 1; i <= 2; i++)
        jaeger_builder_span(b, &(jaeger_span_start){.trace_id = {i},
                                                    .span_id = {i},
                                                    .name = JAEGER_STR("op"),
                                                    .kind = JAEGER_KIND_SERVER,
                                                    .start_unix_ns = 1700000000ull << 30});
    assert_ok(jaeger_builder_finish(b, &batch, NULL));
    jaeger_builder_free(b);
    return batch;
}

static jaeger_status write_two(fixture *f)
{
    f->call.error = (jaeger_error){0};
    return f->storage.driver->write(f->storage.self, two_spans(), &f->call);
}

static size_t lines_of(fixture *f)
{
    size_t n = 0;
    for (size_t i = 0; i < f->node.body.len; i++)
        n += f->node.body.data[i] == '\n';
    return n;
}

#define OK1 "{\"index\":{\"status\":201}}"
#define BUSY1                                                                                                \
    "{\"index\":{\"status\":429,\"error\":{\"type\":\"es_rejected_execution_exception\",\"reason\":"         \
    "\"queue\"}}}"
#define FULL1                                                                                                \
    "{\"index\":{\"status\":403,\"error\":{\"type\":\"cluster_block_exception\",\"reason\":\"read-only\"}}}"
#define BAD1                                                                                                 \
    "{\"index\":{\"status\":400,\"error\":{\"type\":\"mapper_parsing_exception\",\"reason\":\"conflict\"}}}"
#define SAME1                                                                                                \
    "{\"create\":{\"status\":409,\"error\":{\"type\":\"version_conflict_engine_exception\",\"reason\":"      \
    "\"x\"}}}"
#define ITEMS(list) "{\"errors\":true,\"items\":[" list "]}"

static void all_stored_is_ok_and_services_are_sent_once(void **state)
{
    (void)state;
    static const char *const bodies[] = {ITEMS(OK1 "," OK1 "," SAME1), ITEMS(OK1 "," OK1)};
    fixture f = {0};
    script s = {.bodies = bodies, .count = 2};
    start(&f, &s, "");
    assert_ok(write_two(&f));
    assert_int_equal(lines_of(&f), 6);
    assert_ok(write_two(&f));
    assert_int_equal(lines_of(&f), 4);
    stop(&f);
}

static void only_the_refused_documents_are_sent_again(void **state)
{
    (void)state;
    static const char *const bodies[] = {ITEMS(OK1 "," BUSY1 "," FULL1), ITEMS(OK1 "," BUSY1), ITEMS(OK1)};
    fixture f = {0};
    script s = {.bodies = bodies, .count = 3};
    start(&f, &s, "");
    assert_ok(write_two(&f));
    assert_int_equal(f.bulks, 3);
    assert_int_equal(lines_of(&f), 2);
    stop(&f);
}

static void a_cluster_that_stays_busy_is_unavailable(void **state)
{
    (void)state;
    static const char *const bodies[] = {ITEMS(OK1 "," BUSY1 "," OK1), ITEMS(BUSY1)};
    fixture f = {0};
    script s = {.bodies = bodies, .count = 2};
    start(&f, &s, "");
    f.call.deadline_ns = jg_clock_mono_ns() + 5 * JG_NS_PER_S;
    assert_int_equal(write_two(&f), JAEGER_UNAVAILABLE);
    assert_non_null(strstr(f.call.error.message, "1 of 3 documents: es_rejected_execution_exception: queue"));
    assert_true(f.call.error.retry_after_ms > 0);
    stop(&f);
}

static void a_conflict_of_fields_is_tried_with_nested_tags(void **state)
{
    (void)state;
    static const char *const bodies[] = {ITEMS(OK1 "," BAD1 "," OK1), ITEMS(OK1)};
    fixture f = {0};
    script s = {.bodies = bodies, .count = 2};
    start(&f, &s, "");
    assert_ok(write_two(&f));
    assert_int_equal(lines_of(&f), 2);
    jg_buf_byte(&f.node.body, 0);
    assert_null(strstr((const char *)f.node.body.data, "\"tag\":"));
    stop(&f);
}

static void what_is_refused_for_good_is_reported_or_dropped(void **state)
{
    (void)state;
    static const char *const bodies[] = {ITEMS(OK1 "," BAD1 "," OK1), ITEMS(BAD1)};
    for (int drops = 0; drops < 2; drops++) {
        fixture f = {0};
        script s = {.bodies = bodies, .count = 2};
        start(&f, &s, drops ? ", poison_pill_handling: drop" : "");
        assert_int_equal(write_two(&f), drops ? JAEGER_OK : JAEGER_INVALID_ARGUMENT);
        if (!drops)
            assert_non_null(strstr(f.call.error.message, "refused 1 documents of 2 spans"));
        stop(&f);
    }
}

static void whole_answers_that_fail_fail_the_write(void **state)
{
    (void)state;
    static const struct {
        int http;
        const char *body;
        jaeger_status want;
    } rows[] = {
        {200, "{\"errors\":false,\"items\":[]}", JAEGER_INTERNAL}, /* not one answer a document */
        {200, ITEMS(OK1 "," OK1 "," OK1 "," OK1), JAEGER_INTERNAL},
        {200, "nonsense", JAEGER_INTERNAL},
        {401, "{}", JAEGER_UNAUTHENTICATED},
        {403, "{\"error\":{\"type\":\"security_exception\",\"reason\":\"no rights\"}}",
         JAEGER_PERMISSION_DENIED},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        fixture f = {0};
        script s = {.bodies = &rows[i].body, .statuses = &rows[i].http, .count = 1};
        start(&f, &s, "");
        assert_int_equal(write_two(&f), rows[i].want);
        stop(&f);
    }
}

/** A cluster that takes only requests of one document; `user`: how many it has taken. */
static void take_one(fake_node *node, jg_http_request *request, jg_http_reply *reply)
{
    int *taken = node->user;
    size_t lines = 0;
    for (size_t i = 0; i < request->body.len; i++)
        lines += request->body.ptr[i] == '\n';
    if (!jg_str_is(request->path, "/_bulk")) {
        jg_http_send(reply, 200, "application/json",
                     jg_str_is(request->path, "/") ? jg_str(version) : JAEGER_STR("{\"acknowledged\":true}"));
    } else if (lines > 2 || memmem(request->body.ptr, request->body.len, "huge", 4)) {
        jg_http_send(reply, 413, "text/plain", JAEGER_STR("too large"));
    } else {
        (void)__atomic_fetch_add(taken, 1, __ATOMIC_SEQ_CST);
        jg_http_send(reply, 200, "application/json", JAEGER_STR(ITEMS(OK1)));
    }
}

static void requests_that_are_too_large_are_sent_in_parts(void **state)
{
    (void)state;
    fixture f = {0};
    script s = {0};
    int taken = 0;
    start(&f, &s, "");
    f.node.user = &taken;
    f.node.answer = take_one;
    assert_ok(write_two(&f));
    assert_int_equal(taken, 3);
    jaeger_builder *b = jaeger_builder_new(1u << 20);
    jaeger_batch *batch;
    jaeger_builder_resource(b, (jaeger_str){0});
    jaeger_builder_scope(b, (jaeger_str){0}, (jaeger_str){0}, (jaeger_str){0});
    jaeger_builder_span(b, &(jaeger_span_start){.trace_id = {9}, .span_id = {9}, .name = JAEGER_STR("huge")});
    assert_ok(jaeger_builder_finish(b, &batch, NULL));
    jaeger_builder_free(b);
    assert_int_equal(f.storage.driver->write(f.storage.self, batch, &f.call), JAEGER_INVALID_ARGUMENT);
    assert_non_null(strstr(f.call.error.message, "larger than the cluster takes"));
    stop(&f);
}

static void a_cluster_that_is_down_is_waited_for(void **state)
{
    (void)state;
    static const char *const bodies[] = {"{}", ITEMS(OK1 "," OK1 "," OK1)};
    static const int statuses[] = {503, 200};
    fixture f = {0};
    script s = {.bodies = bodies, .statuses = statuses, .count = 2};
    start(&f, &s, "");
    assert_ok(write_two(&f));
    assert_int_equal(f.bulks, 2);
    stop(&f);
}

static void open_goes_on_without_a_cluster_but_not_with_a_wrong_one(void **state)
{
    (void)state;
    static const char *const bodies[] = {"{}"};
    fixture f = {0};
    script s = {.bodies = bodies, .count = 1};
    start(&f, &s, ", version: 102"); /* a node that knows no version is not asked */
    stop(&f);
    static const char *const yaml[] = {"{server_urls: ['http://127.0.0.1:1']}", "{use_ilm: true}",
                                       "{max_doc_count: 0}",
                                       "{indices: {spans: {rotation: {data_stream: {}}}}}"};
    for (size_t i = 0; i < JG_COUNT(yaml); i++) {
        jaeger_config *config;
        jaeger_storage storage;
        jaeger_error err = {0};
        assert_ok(jaeger_config_parse(jg_str(yaml[i]), "test", &config, NULL));
        for (size_t k = 0; jg_registry_drivers[k]; k++) {
            if (strcmp(jg_registry_drivers[k]->name, "elasticsearch") != 0)
                continue;
            jaeger_status status =
                jg_storage_open(jg_registry_drivers[k], config, &quiet, NULL, &storage, &err);
            assert_int_equal(status, i ? JAEGER_INVALID_ARGUMENT : JAEGER_OK);
            if (!i)
                jg_storage_close(&storage);
        }
        jaeger_config_free(config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_stored_is_ok_and_services_are_sent_once),
        cmocka_unit_test(only_the_refused_documents_are_sent_again),
        cmocka_unit_test(a_cluster_that_stays_busy_is_unavailable),
        cmocka_unit_test(a_conflict_of_fields_is_tried_with_nested_tags),
        cmocka_unit_test(what_is_refused_for_good_is_reported_or_dropped),
        cmocka_unit_test(whole_answers_that_fail_fail_the_write),
        cmocka_unit_test(requests_that_are_too_large_are_sent_in_parts),
        cmocka_unit_test(a_cluster_that_is_down_is_waited_for),
        cmocka_unit_test(open_goes_on_without_a_cluster_but_not_with_a_wrong_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
