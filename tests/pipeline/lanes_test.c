/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/lanes.h"

#include "core/alloc.h"
#include "core/str.h"
#include "support/spans.h"

#define ITEMS 8

typedef struct given {
    size_t spans;
    const char *tenant;
    uint64_t arrived_ns;
} given;

typedef struct fixture {
    jg_lanes lanes;
    jg_queue_item items[ITEMS];
    size_t count;
} fixture;

static void put_all(fixture *f, const jg_lane_rules *rules, const given *items)
{
    *f = (fixture){.lanes.rules = *rules};
    for (; f->count < ITEMS && items[f->count].spans; f->count++) {
        jg_queue_item *it = &f->items[f->count];
        *it = (jg_queue_item){.batch = spans(items[f->count].spans),
                              .arrived_ns = items[f->count].arrived_ns,
                              .call = JAEGER_CALL_INIT};
        if (items[f->count].tenant)
            it->call.tenant = jg_str(items[f->count].tenant);
        jg_lanes_measure(&f->lanes, it);
        assert_true(jg_lanes_put(&f->lanes, it));
    }
}

static void done(fixture *f)
{
    jg_lanes_done(&f->lanes);
    for (size_t i = 0; i < f->count; i++)
        jaeger_batch_unref(f->items[i].batch);
}

/** Indexes of the next load as digits; "-": none. */
static const char *take(fixture *f, uint64_t now_ns, bool idle, bool all)
{
    static char text[ITEMS + 1];
    size_t n = 0;
    for (const jg_queue_item *it = jg_lanes_take(&f->lanes, now_ns, idle, all); it; it = it->next)
        text[n++] = (char)('0' + (it - f->items));
    if (!n)
        text[n++] = '-';
    text[n] = 0;
    return text;
}

static void loads_end_where_the_rules_say(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        jg_lane_rules rules;
        given items[ITEMS];
        const char *want[ITEMS]; /* loads when all may go */
    } cases[] = {
        {"without rules each goes alone", {.min = 0}, {{1, 0, 0}, {1, 0, 0}}, {"0", "1", "-"}},
        {"up to the least size", {.min = 4}, {{2, 0, 0}, {2, 0, 0}, {2, 0, 0}}, {"01", "2", "-"}},
        {"not above the largest size",
         {.min = 4, .max = 4},
         {{3, 0, 0}, {2, 0, 0}, {2, 0, 0}},
         {"0", "12", "-"}},
        {"one that is too large goes alone",
         {.min = 2, .max = 2},
         {{9, 0, 0}, {1, 0, 0}, {1, 0, 0}},
         {"0", "12"}},
        {"tenants are not mixed", {.min = 9}, {{1, "a", 0}, {1, "b", 0}, {1, "a", 0}}, {"02", "1", "-"}},
        {"a lane that was served goes to the end",
         {.min = 1},
         {{1, "a", 0}, {1, "a", 0}, {1, "b", 0}, {1, "a", 0}},
         {"0", "2", "1", "3", "-"}},
    };
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        fixture f;
        print_message("%s\n", cases[i].name);
        put_all(&f, &cases[i].rules, cases[i].items);
        for (size_t k = 0; k < ITEMS && cases[i].want[k]; k++)
            assert_string_equal(take(&f, 0, true, true), cases[i].want[k]);
        done(&f);
    }
}

static void a_load_is_ready_by_size_by_time_or_when_nothing_is_sent(void **state)
{
    (void)state;
    static const given two[ITEMS] = {{1, 0, 100}, {1, 0, 200}};
    const jg_lane_rules rules = {.min = 3, .wait_ns = 50};
    fixture f;
    put_all(&f, &rules, two);
    assert_true(jg_lanes_due_ns(&f.lanes) == 150);
    assert_string_equal(take(&f, 149, true, false), "-");
    assert_false(jg_lanes_full(&f.lanes, &f.items[1]));
    assert_string_equal(take(&f, 150, true, false), "01");
    assert_true(jg_lanes_due_ns(&f.lanes) == UINT64_MAX);
    done(&f);
    const jg_lane_rules eager = {.min = 3, .wait_ns = 50, .when_idle = true};
    put_all(&f, &eager, two);
    assert_string_equal(take(&f, 149, false, false), "-");
    assert_string_equal(take(&f, 149, true, false), "01");
    done(&f);
    static const given three[ITEMS] = {{1, 0, 100}, {1, 0, 200}, {1, 0, 300}};
    put_all(&f, &rules, three);
    assert_true(jg_lanes_full(&f.lanes, &f.items[2]));
    assert_string_equal(take(&f, 100, false, false), "012");
    done(&f);
}

static void metadata_tell_requests_apart(void **state)
{
    (void)state;
    const jaeger_pair a[] = {{JAEGER_STR("k"), JAEGER_STR("1")}}, b[] = {{JAEGER_STR("k"), JAEGER_STR("2")}};
    const jaeger_pair *metadata[] = {a, b, a, NULL};
    fixture f = {.lanes.rules = {.min = 9}};
    for (; f.count < JG_COUNT(metadata); f.count++) {
        jg_queue_item *it = &f.items[f.count];
        *it = (jg_queue_item){.batch = spans(1), .call = JAEGER_CALL_INIT};
        it->call.metadata = metadata[f.count];
        it->call.metadata_count = metadata[f.count] ? 1 : 0;
        jg_lanes_measure(&f.lanes, it);
        assert_true(jg_lanes_put(&f.lanes, it));
    }
    assert_string_equal(take(&f, 0, false, true), "02");
    assert_string_equal(take(&f, 0, false, true), "1");
    assert_string_equal(take(&f, 0, false, true), "3");
    done(&f);
}

static void no_memory_for_a_lane_is_told(void **state)
{
    (void)state;
    fixture f = {.count = 1};
    f.items[0] = (jg_queue_item){.batch = spans(1), .call = JAEGER_CALL_INIT};
    jg_alloc_fail_after(0);
    bool there = jg_lanes_put(&f.lanes, &f.items[0]);
    jg_alloc_fail_after(-1);
    assert_false(there);
    done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_end_where_the_rules_say),
        cmocka_unit_test(a_load_is_ready_by_size_by_time_or_when_nothing_is_sent),
        cmocka_unit_test(metadata_tell_requests_apart),
        cmocka_unit_test(no_memory_for_a_lane_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
