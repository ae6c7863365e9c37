/* SPDX-License-Identifier: Apache-2.0 */
#include "core/clock.h"
#include "net/loop.h"
#include "support/test.h"
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define TIMERS 200

typedef struct mark {
    jg_timer timer;
    uint64_t due_ns;
} mark;

typedef struct timer_case {
    jg_loop *loop;
    mark marks[TIMERS];
    uint64_t fired[TIMERS];
    size_t fired_count;
} timer_case;

static timer_case timing;

static void note(jg_timer *timer)
{
    timing.fired[timing.fired_count++] = JG_CONTAINER(timer, mark, timer)->due_ns;
}

static void set_timers(void *arg)
{
    (void)arg;
    uint64_t now = jg_clock_mono_ns();
    srand(7);
    for (size_t i = 0; i < TIMERS; i++) {
        timing.marks[i].timer.fire = note;
        timing.marks[i].due_ns = now + (uint64_t)(rand() % 1000) * 20000;
        jg_loop_timer_set(timing.loop, &timing.marks[i].timer, timing.marks[i].due_ns);
    }
    for (size_t i = 0; i < TIMERS; i += 3)
        jg_loop_timer_clear(timing.loop, &timing.marks[i].timer);
    for (size_t i = 1; i < TIMERS; i += 3) { /* set again: later */
        timing.marks[i].due_ns += 5 * JG_NS_PER_MS;
        jg_loop_timer_set(timing.loop, &timing.marks[i].timer, timing.marks[i].due_ns);
    }
}

static void loop_fires_timers_in_order_and_not_those_cleared(void **state)
{
    (void)state;
    timing = (timer_case){.loop = jg_loop_new("test", 0)};
    assert_non_null(timing.loop);
    jg_loop_sync(timing.loop, set_timers, NULL);
    usleep(80000);
    jg_loop_free(timing.loop);
    assert_int_equal(timing.fired_count, TIMERS - (TIMERS + 2) / 3);
    for (size_t i = 1; i < timing.fired_count; i++)
        assert_true(timing.fired[i - 1] <= timing.fired[i]);
}

typedef struct pair_case {
    jg_loop *loop;
    jg_watch watches[2];
    int fds[2][2];
    int ready;
} pair_case;

static pair_case pair;

/** Both are readable in one round; the first that is served drops the other. */
static void drop_other(jg_watch *watch, uint32_t events)
{
    (void)events;
    pair.ready++;
    jg_loop_unwatch(pair.loop, &pair.watches[watch == &pair.watches[0]]);
    jg_loop_unwatch(pair.loop, watch);
}

static void watch_pair(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        pair.watches[i] = (jg_watch){.ready = drop_other, .fd = pair.fds[i][0]};
        assert_true(jg_loop_watch(pair.loop, &pair.watches[i], EPOLLIN));
    }
}

static void loop_delivers_nothing_to_a_watch_dropped_in_the_same_round(void **state)
{
    (void)state;
    pair = (pair_case){.loop = jg_loop_new("test", 0)};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pipe(pair.fds[i]), 0);
        assert_int_equal(write(pair.fds[i][1], "x", 1), 1);
    }
    jg_loop_sync(pair.loop, watch_pair, NULL);
    usleep(20000);
    jg_loop_free(pair.loop);
    assert_int_equal(pair.ready, 1);
    for (int i = 0; i < 4; i++)
        (void)close(pair.fds[i / 2][i % 2]);
}

typedef struct numbered {
    jg_post post;
    int number;
} numbered;

static int last_number, out_of_order;

static void count_up(jg_post *post)
{
    int number = JG_CONTAINER(post, numbered, post)->number;
    out_of_order += number != last_number + 1;
    last_number = number;
}

static void loop_runs_posts_in_order(void **state)
{
    (void)state;
    static numbered posts[5000];
    last_number = out_of_order = 0;
    jg_loop *loop = jg_loop_new("test", 0);
    for (int i = 0; i < 5000; i++) {
        posts[i] = (numbered){{count_up, NULL}, i + 1};
        jg_loop_post(loop, &posts[i].post);
    }
    jg_loop_free(loop);
    assert_int_equal(last_number, 5000);
    assert_int_equal(out_of_order, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loop_fires_timers_in_order_and_not_those_cleared),
        cmocka_unit_test(loop_delivers_nothing_to_a_watch_dropped_in_the_same_round),
        cmocka_unit_test(loop_runs_posts_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
