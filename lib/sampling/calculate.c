/* SPDX-License-Identifier: Apache-2.0
 * See calculate.h. A service may not be sampled adaptively at all, or its clients may not have polled the
 * newest probability yet: an operation is only adjusted while the spans seen last carry the probability given
 * last.
 */
#include "sampling/calculate.h"

#include "core/alloc.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "sampling/throughput.h"
#include <math.h>

#define GROWTH_MAX    1.0   /* of a probability in one round: +100 % */
#define SAME_DISTANCE 1e-10 /* probabilities and rates this close are equal */

typedef struct bucket {
    jg_throughput_table *seen;
    double seconds;
} bucket;

/** What the round before said of one operation. */
typedef struct past {
    double probability;        /* its result */
    double before;             /* what it started from */
    bool was_adaptive, is_own; /* is_own: computed here, `before` and `was_adaptive` are known */
} past;

/** Operations and their past. The entry of an operation in `names` has its index as `count`. */
typedef struct past_set {
    jg_throughput_table *names;
    past *items; /* in the arena of names */
    size_t count, cap;
} past_set;

struct jg_calculation {
    jg_calculation_options options;
    bucket *buckets; /* newest first */
    size_t count, max;
    past_set pasts;
};

jg_calculation *jg_calculation_new(const jg_calculation_options *options)
{
    jg_calculation *c = jg_calloc(1, sizeof *c);
    size_t max = (size_t)JG_MIN(JG_MAX(options->aggregation_buckets, 1), JG_SAMPLING_BUCKETS_MAX);
    if (!c)
        return NULL;
    c->options = *options;
    c->max = max;
    c->buckets = jg_calloc(max, sizeof *c->buckets);
    if (c->buckets)
        return c;
    jg_free(c);
    return NULL;
}

void jg_calculation_free(jg_calculation *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->count; i++)
        jg_throughput_table_free(c->buckets[i].seen);
    jg_throughput_table_free(c->pasts.names);
    jg_free(c->buckets);
    jg_free(c);
}

/* ---- buckets ---- */

/** Sum what several hosts and intervals saw. What is over the bounds is left out. */
static void sum(jg_throughput_table *table, const jaeger_throughputs *seen)
{
    for (size_t i = 0; i < seen->count; i++) {
        const jaeger_throughput *t = &seen->items[i];
        jaeger_throughput *entry = jg_throughput_entry(table, t->service, t->operation);
        if (!entry)
            continue;
        entry->count += JG_MAX(t->count, 0);
        for (size_t k = 0; k < t->probability_count; k++)
            jg_throughput_add_param(table, entry, t->probabilities[k]);
    }
}

jaeger_status jg_calculation_add(jg_calculation *c, const jaeger_throughputs *seen, uint64_t interval_ns,
                                 bool oldest, jaeger_error *err)
{
    if (oldest && c->count == c->max)
        return JAEGER_OK;
    jg_throughput_table *table = jg_throughput_table_new();
    if (!table)
        return jg_fail_oom(err);
    sum(table, seen);
    if (c->count == c->max)
        jg_throughput_table_free(c->buckets[--c->count].seen);
    bucket added = {table, (double)JG_MAX(interval_ns, 1u) / 1e9};
    if (!oldest)
        memmove(c->buckets + 1, c->buckets, c->count * sizeof *c->buckets);
    c->buckets[oldest ? c->count : 0] = added;
    c->count++;
    return JAEGER_OK;
}

/* ---- the past ---- */

static bool past_add(past_set *set, jaeger_throughput *name, past value)
{
    past *grown = jg_arena_grow(set->names->arena, set->items, set->count, &set->cap, sizeof *grown);
    if (!grown)
        return false;
    set->items = grown;
    grown[set->count] = value;
    name->count = (int64_t)set->count++;
    return true;
}

static const past *past_of(const past_set *set, jaeger_str service, jaeger_str operation)
{
    const jaeger_throughput *name = set->names ? jg_throughput_find(set->names, service, operation) : NULL;
    return name ? &set->items[name->count] : NULL;
}

static void take_pasts(jg_calculation *c, past_set take)
{
    jg_throughput_table_free(c->pasts.names);
    c->pasts = take;
}

jaeger_status jg_calculation_seed(jg_calculation *c, const jaeger_probabilities *from, jaeger_error *err)
{
    past_set set = {.names = jg_throughput_table_new()};
    if (!set.names)
        return jg_fail_oom(err);
    for (size_t i = 0; i < from->count; i++) {
        const jaeger_probability *p = &from->items[i];
        bool usable = p->probability > 0 && p->probability <= 1; /* what the store says may be damaged */
        if (!usable || jg_throughput_find(set.names, p->service, p->operation))
            continue;
        jaeger_throughput *name = jg_throughput_entry(set.names, p->service, p->operation);
        if (name && !past_add(&set, name, (past){.probability = p->probability})) {
            jg_throughput_table_free(set.names);
            return jg_fail_oom(err);
        }
    }
    take_pasts(c, set);
    return JAEGER_OK;
}

/* ---- one operation ---- */

/** Samples per second: buckets that know the operation, newest first, weighted by rank to the fourth power.
 */
static double rate_of(const jg_calculation *c, const jaeger_throughput *name)
{
    size_t want = (size_t)JG_MAX(c->options.calculation_buckets, 1), n = 0;
    double counted[JG_SAMPLING_BUCKETS_MAX], weights = 0, sum_of = 0;
    for (size_t i = 0; i < c->count && n < want; i++) {
        const jaeger_throughput *t = jg_throughput_find(c->buckets[i].seen, name->service, name->operation);
        if (t)
            counted[n++] = (double)t->count / c->buckets[i].seconds;
    }
    for (size_t i = 0; i < n; i++) {
        double weight = pow((double)(n - i), 4);
        sum_of += counted[i] * weight;
        weights += weight;
    }
    return n ? sum_of / weights : 0;
}

static bool same(double a, double b)
{
    return fabs(a - b) < SAME_DISTANCE;
}

static bool was_seen(const bucket *b, const jaeger_throughput *name, jaeger_str text, bool *ret_alone)
{
    const jaeger_throughput *t = jg_throughput_find(b->seen, name->service, name->operation);
    *ret_alone = t && t->probability_count == 1;
    return t && jg_throughput_has_param(t, text);
}

/** Do its clients use the probability that was given last? In the interval in which they begin to, most spans
 * may still be sampled by the one before: adjusting by their rate again would overshoot, without end. So the
 * new one must stand alone, or have been there an interval earlier. */
static bool is_adaptive(const jg_calculation *c, const jaeger_throughput *name, double probability,
                        const past *before)
{
    char text[JG_PARAM_TEXT_MAX];
    jaeger_str shown = {text, jg_param_text(probability, text)};
    bool alone;
    if (same(probability, c->options.initial_sampling_probability))
        return true; /* new: nothing is known yet */
    if (jg_throughput_find(c->buckets[0].seen, name->service, name->operation))
        return was_seen(&c->buckets[0], name, shown, &alone) &&
               (alone || (c->count > 1 && was_seen(&c->buckets[1], name, shown, &alone)));
    return before && before->is_own && before->was_adaptive &&
           !same(before->before, c->options.initial_sampling_probability);
}

static double adjusted(const jg_calculation_options *o, double rate, double probability)
{
    double next = probability * 2; /* nothing sampled: so that something will be */
    if (!same(rate, 0)) {
        next = probability * o->target_samples_per_second / rate;
        next = JG_MIN(next, probability * (1 + GROWTH_MAX)); /* up slowly, down at once */
    }
    return JG_MIN(1.0, JG_MAX(o->min_sampling_probability, next));
}

static past next_of(const jg_calculation *c, const jaeger_throughput *name, double rate)
{
    const jg_calculation_options *o = &c->options;
    const past *before = past_of(&c->pasts, name->service, name->operation);
    double probability = before ? before->probability : o->initial_sampling_probability;
    past next = {.probability = probability, .before = probability, .is_own = true};
    next.was_adaptive = is_adaptive(c, name, probability, before);
    bool near_target =
        fabs(rate - o->target_samples_per_second) / o->target_samples_per_second < o->delta_tolerance;
    if (!near_target && next.was_adaptive)
        next.probability = adjusted(o, rate, probability);
    return next;
}

/* ---- all ---- */

static bool add_result(const jg_calculation *c, past_set *set, jaeger_arena *arena,
                       const jaeger_throughput *seen, jaeger_probabilities *ret)
{
    if (jg_throughput_find(set->names, seen->service, seen->operation))
        return true; /* a newer bucket had it */
    jaeger_throughput *name = jg_throughput_entry(set->names, seen->service, seen->operation);
    if (!name)
        return true; /* over the bounds */
    double rate = rate_of(c, name);
    past next = next_of(c, name, rate);
    jaeger_probability *grown = jg_arena_grow(arena, ret->items, ret->count, &ret->cap, sizeof *grown);
    if (!grown || !past_add(set, name, next))
        return false;
    ret->items = grown;
    grown[ret->count++] = (jaeger_probability){name->service, name->operation, next.probability, rate};
    return true;
}

jaeger_status jg_calculation_run(jg_calculation *c, jaeger_arena *arena, jaeger_probabilities *ret,
                                 jaeger_error *err)
{
    past_set set = {.names = jg_throughput_table_new()};
    *ret = (jaeger_probabilities){0};
    if (!set.names)
        return jg_fail_oom(err);
    for (size_t i = 0; i < c->count; i++) {
        jg_map_entry entry;
        size_t at = 0;
        while (jg_map_next(&c->buckets[i].seen->entries, &at, &entry)) {
            if (!add_result(c, &set, arena, entry.value, ret)) {
                jg_throughput_table_free(set.names);
                *ret = (jaeger_probabilities){0};
                return jg_fail_oom(err);
            }
        }
    }
    take_pasts(c, set);
    return JAEGER_OK;
}
