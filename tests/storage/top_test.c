/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/top.h"
#include "support/test.h"
#include <stdlib.h>

#define TRACES 2000u

/** Some keys are the same, some are offered too large. */
static uint64_t key_of(uint32_t i)
{
    return i * 2654435761u % 500;
}

static uint64_t offered_key(uint32_t i)
{
    return key_of(i) + (i % 3 == 0 ? i % 70 : 0);
}

static jaeger_rank rank_of(uint32_t i, uint64_t key)
{
    jaeger_rank rank = {.key = key};
    uint32_t mixed = i * 40503u;
    memcpy(rank.trace_id, &mixed, 4);
    memcpy(rank.trace_id + 8, &i, 4);
    return rank;
}

static int best_first(const void *a, const void *b)
{
    return jg_rank_is_before(a, b) ? -1 : jg_rank_is_before(b, a);
}

static void top_gives_all_in_order_however_little_it_keeps(void **state)
{
    (void)state;
    static jaeger_rank want[TRACES];
    for (uint32_t i = 0; i < TRACES; i++)
        want[i] = rank_of(i, key_of(i));
    qsort(want, TRACES, sizeof *want, best_first);
    static const size_t keeps[] = {400, 1000, 1999, 5000};
    for (size_t k = 0; k < JG_COUNT(keeps); k++) {
        jg_top top;
        size_t got = 0, at;
        assert_true(jg_top_init(&top, keeps[k], NULL));
        do {
            for (uint32_t i = 0; i < TRACES; i++) {
                jg_top_item item = {.rank = rank_of(i, offered_key(i)), .where = i};
                if (jg_top_wants(&top, item.rank.key))
                    jg_top_offer(&top, &item);
            }
            jg_top_sort(&top);
            for (at = 0; at < top.count && !jg_top_must_wait(&top, &top.items[at]);) {
                uint64_t exact = key_of((uint32_t)top.items[at].where);
                if (top.items[at].rank.key > exact) {
                    jg_top_sink(&top, at, exact);
                    continue;
                }
                assert_true(got < TRACES);
                assert_memory_equal(&top.items[at].rank, &want[got], sizeof *want);
                got++;
                at++;
            }
        } while (jg_top_next_round(&top, at));
        assert_int_equal(got, TRACES);
        jg_top_done(&top);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(top_gives_all_in_order_however_little_it_keeps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
