/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/embedded_fixture.h"

#include "core/alloc.h"
#include "core/arena.h"
#include "core/str.h"
#include "model/expr.h"
#include "storage/embedded/segment_lists.h"
#include "support/traces.h"

#define TRACES 200u

static const char *const filters[] = {
    "k1 = v3",
    "k1 = 3",
    "k2 = 2.5",
    "k2 = 0",
    "k3 = true",
    "k1 = 3.0 or k2 = \"3\"",
    "k1 >= 7 and k2 < 3",
    "span.k1 > 20 or resource.k1 > 4",
    "resource.k2 in (v1, 3, 1.25) or scope.k3 = v2",
    "event.k1 exists or link.k2 exists",
    "some(event, event.name = hit and event.k1 >= 3)",
    "k5 =~ \"^v[12]\" and status = error",
    "(status = error or k4 >= 25) and name =~ \"GET\"",
    "(status = ok and k1 exists) or (kind = client and k2 !~ \"1\")",
    "k3 != 5 and k3 < 6",
    "not k3 = 5 and k3 exists",
    "not (status = unset) and k6 <= 2",
    "status != error and k1 > v1",
    "duration > 20ms or k7 = v9",
    "duration = 0 or duration < 1us or k7 = v9",
    "duration != 0 and k7 = v9",
    "service = web and (k1 = v1 or name = SELECT)",
    "service in (cart, db) or k1 = v1",
    "{ k1 = v1 } and k2 = v2",
    "k1 = span.k2",
    "nosuchkey = 1 or nosuchkey exists or name = publish",
    "k1 =~ \"a\" or k2 =~ \"a\"",
    "k4 = \"[\\\"a\\\",3]\" or k4 = \"\"",
};

static void expect(const written *w, const jaeger_filter *filter, bool want[TRACES + 1])
{
    memset(want, 0, TRACES + 1);
    for (size_t b = 0; b < w->count; b++)
        for (size_t i = 0; i < jaeger_batch_span_count(w->batches[b]); i++) {
            const jaeger_span *span = &jaeger_batch_spans(w->batches[b])[i];
            want[span->trace_id[15]] |= jaeger_filter_test(filter, span);
        }
}

static jaeger_status note(void *self, const jaeger_trace_ref *ref, const jaeger_rank *rank, jaeger_call *call)
{
    bool *found = self;
    (void)rank, (void)call;
    assert_false(found[ref->trace_id[15]]); /* once */
    found[ref->trace_id[15]] = true;
    return JAEGER_OK;
}

static void check(opened *o, const written *w, const char *text)
{
    bool want[TRACES + 1], found[TRACES + 1] = {0}, ranked[TRACES + 1] = {0};
    const jaeger_storage_driver *driver = o->storage.driver;
    jaeger_trace_refs refs = {0};
    const jaeger_filter *filter;
    jaeger_error err;
    jaeger_arena_reset(o->arena);
    if (jaeger_filter_parse(jg_str(text), o->arena, &filter, &err) != JAEGER_OK)
        fail_msg("%s: %s", text, err.message);
    expect(w, filter, want);
    jaeger_trace_query query = {.size = sizeof query, .limit = 1000, .filter = filter};
    assert_ok(driver->find_trace_ids(o->storage.self, &query, &refs, &o->call));
    for (size_t i = 0; i < refs.count; i++)
        found[refs.items[i].trace_id[15]] = true;
    assert_ok(driver->rank_traces(o->storage.self, &query, JAEGER_ORDER_LONGEST, NULL,
                                  (jaeger_rank_sink){note, ranked}, &o->call));
    for (size_t t = 0; t <= TRACES; t++)
        if (found[t] != want[t] || ranked[t] != want[t])
            fail_msg("%s: trace %zu: found %d, ranked %d, wanted %d", text, t, found[t], ranked[t], want[t]);
}

/** Of keys with few and with many rare values, in memtables and in several segments. */
static void filters_find_in_segments_what_a_look_at_every_span_finds(void **state)
{
    (void)state;
    static const size_t sizes[] = {40, 900, 9000, 300};
    opened o;
    written w = {0};
    eb_init(&o);
    eb_start(&o, ", flush: {spans: 1000000}");
    for (size_t i = 0; i < JG_COUNT(sizes); i++) {
        eb_write_random(&o, &w, sizes[i], TRACES);
        if (i + 1 < JG_COUNT(sizes))
            eb_flush(&o); /* the last ones stay in memory */
    }
    for (size_t i = 0; i < JG_COUNT(filters); i++)
        check(&o, &w, filters[i]);
    eb_written_done(&w);
    eb_done(&o);
}

/** How many rows of a fresh segment does the index leave for a filter? */
static void filters_are_answered_from_the_index(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool known;
    } cases[] = {
        {"k1 >= 28", true},
        {"k1 = v3 or k2 > 28", true},
        {"resource.k1 =~ \"v5\" or k7 =~ \"^v29$\"", true},
        {"span.k1 exists", true},
        {"k1 > 28 or not k2 = 3", false},
        {"k1 = 3 or k1 = span.k2", false},
        {"k1 = 3 or startTime > \"2030-01-01T00:00:00Z\"", false},
        {"rootService = web or k1 = 3", false},
    };
    opened o;
    written w = {0};
    const jaeger_filter *filter;
    eb_init(&o);
    eb_start(&o, ", flush: {spans: 1000000}");
    eb_write_random(&o, &w, 20000, TRACES);
    eb_flush(&o);
    jg_store *store = eb_store_of(&o);
    jg_snapshot *snapshot = jg_snapshot_take(store);
    assert_int_equal(snapshot->seg_count, 1);
    jg_seg_view *view = jg_seg_use(store, snapshot->segs[0], JG_SEC_ALL);
    assert_non_null(view);
    size_t words = view->header.span_count / 64 + 1;
    uint64_t *bits = jg_alloc(words * 8);
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        jg_lists lists = {.view = view};
        uint64_t rows = 0;
        assert_ok(jaeger_filter_parse(jg_str(cases[i].text), o.arena, &filter, NULL));
        memset(bits, 0, words * 8);
        assert_int_equal(jg_filter_rows(&lists, filter, bits, words), cases[i].known);
        for (size_t k = 0; k < words; k++)
            rows += jg_bits_of(bits[k]);
        assert_true(!cases[i].known || (rows > 0 && rows < view->header.span_count / 2));
        /* a segment of an earlier version: only equal texts are known */
        jg_seg_view old = *view;
        old.sections[JG_SEC_KEY_VALUES] = old.sections[JG_SEC_KEY_ROWS] = (jg_bytes){0};
        lists.view = &old;
        assert_false(jg_filter_rows(&lists, filter, bits, words));
        assert_false(lists.damaged || lists.failed);
    }
    jg_free(bits);
    jg_snapshot_unref(snapshot);
    eb_written_done(&w);
    eb_done(&o);
}

typedef struct seen {
    const written *all;
    const char *service;
    size_t count;
} seen;

/** Some span of the service has what the index says it has. */
static jaeger_status is_there(void *self, jaeger_attr_place place, const jaeger_attr *attr, jaeger_call *call)
{
    seen *s = self;
    jaeger_attr found;
    bool there = false;
    (void)call;
    s->count++;
    for (size_t b = 0; b < s->all->count && !there; b++)
        for (size_t i = 0; i < jaeger_batch_span_count(s->all->batches[b]) && !there; i++) {
            const jaeger_span *span = &jaeger_batch_spans(s->all->batches[b])[i];
            jaeger_event event;
            jaeger_link link;
            if (!jg_str_is(span->group->service, s->service))
                continue;
            there = place == JAEGER_ATTR_OF_RESOURCE
                        ? jaeger_find_attr(jaeger_resource_attrs(span->group), attr->key, &found)
                    : place == JAEGER_ATTR_OF_SCOPE
                        ? jaeger_find_attr(jaeger_scope_attrs(span->group), attr->key, &found)
                        : jaeger_find_attr(jaeger_span_attrs(span), attr->key, &found);
            for (jaeger_iter it = jaeger_span_events(span); !there && jaeger_next_event(&it, &event);)
                there = jaeger_find_attr(jaeger_event_attrs(&event), attr->key, &found);
            for (jaeger_iter it = jaeger_span_links(span); !there && jaeger_next_link(&it, &link);)
                there = jaeger_find_attr(jaeger_link_attrs(&link), attr->key, &found);
        }
    assert_true(there);
    return JAEGER_OK;
}

static void attributes_of_one_service_are_its_own(void **state)
{
    (void)state;
    opened o;
    written w = {0};
    eb_init(&o);
    eb_start(&o, ", flush: {spans: 1000000}");
    eb_write_random(&o, &w, 3000, TRACES);
    w.batches[w.count++] = batch_of_json(
        "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{"
        "\"stringValue\":"
        "\"lone\"}}]},\"scopeSpans\":[{\"spans\":[{\"traceId\":\"07000000000000000000000000000001\","
        "\"spanId\":"
        "\"0000000000000001\",\"name\":\"op\",\"startTimeUnixNano\":\"1700000000000000000\",\"attributes\":[{"
        "\"key\":\"lonely\",\"value\":{\"intValue\":\"5\"}}]}]}]}]}");
    eb_write_take(&o, jaeger_batch_ref(w.batches[w.count - 1]));
    eb_flush(&o);
    static const struct {
        const char *service, *key;
        bool some;
    } cases[] = {{"web", "", true},
                 {"db", "k1", true},
                 {"lone", "", true},
                 {"web", "lonely", false},
                 {"none", "", false}};
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        seen s = {&w, cases[i].service, 0};
        assert_ok(o.storage.driver->attributes(o.storage.self, jg_str(cases[i].service), jg_str(cases[i].key),
                                               (jaeger_attr_sink){is_there, &s}, &o.call));
        assert_int_equal(s.count > 0, cases[i].some);
    }
    eb_written_done(&w);
    eb_done(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_find_in_segments_what_a_look_at_every_span_finds),
        cmocka_unit_test(filters_are_answered_from_the_index),
        cmocka_unit_test(attributes_of_one_service_are_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
