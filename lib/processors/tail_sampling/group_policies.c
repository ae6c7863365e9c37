/* SPDX-License-Identifier: Apache-2.0
 * Policies made of others: and, not, drop, composite.
 */
#include "core/arena.h"
#include "core/err.h"
#include "core/str.h"
#include "processors/tail_sampling/policy.h"

typedef struct subs_config {
    const jaeger_config *subs;
} subs_config;

#define SUBS_FIELDS(key, what)                                                                               \
    {                                                                                                        \
        {.name = key, .kind = JAEGER_FIELD_NODE, .offset = offsetof(subs_config, subs), .doc = what},        \
        {                                                                                                    \
            0                                                                                                \
        }                                                                                                    \
    }
static const jaeger_field and_fields[] = SUBS_FIELDS("and_sub_policy", "all of these");
static const jaeger_field drop_fields[] = SUBS_FIELDS("drop_sub_policy", "drop if all of these sample");
static const jaeger_field not_fields[] = SUBS_FIELDS("not_sub_policy", "the policy to turn around");

static bool any_is_stateful(const jg_policy *p)
{
    for (size_t i = 0; i < p->sub_count; i++)
        if (jg_policy_is_stateful(&p->subs[i]))
            return true;
    return false;
}

/* ---- and, drop ---- */

static jaeger_status and_make(jg_policy *p, jaeger_arena *arena, jaeger_error *err)
{
    return jg_policy_make_subs(p, ((const subs_config *)p->config)->subs, JG_POLICY_NOT, arena, err);
}

/* `all` if all sub-policies sample. */
static jg_decision every(jg_policy *p, const jg_tail_view *view, jg_decision all, jaeger_error *err)
{
    for (size_t i = 0; i < p->sub_count; i++) {
        jg_decision decision = p->subs[i].type->evaluate(&p->subs[i], view, err);
        if (decision != JG_SAMPLED)
            return decision;
    }
    return all;
}

static jg_decision and (jg_policy * p, const jg_tail_view *view, jaeger_error *err)
{
    return every(p, view, JG_SAMPLED, err);
}

static jg_decision drop(jg_policy *p, const jg_tail_view *view, jaeger_error *err)
{
    return every(p, view, JG_DROPPED, err);
}

/* ---- not ---- */

static jaeger_status not_make(jg_policy *p, jaeger_arena *arena, jaeger_error *err)
{
    const jaeger_config *node = ((const subs_config *)p->config)->subs;
    p->subs = jg_arena_zalloc(arena, sizeof *p->subs);
    if (!p->subs)
        return jg_fail_oom(err);
    p->sub_count = 1;
    return jg_policy_make(node, 0, arena, p->subs, err);
}

static jg_decision not(jg_policy * p, const jg_tail_view *view, jaeger_error *err)
{
    jg_decision decision = p->subs[0].type->evaluate(&p->subs[0], view, err);
    return decision == JG_SAMPLED ? JG_NOT_SAMPLED : decision == JG_NOT_SAMPLED ? JG_SAMPLED : decision;
}

/* ---- composite ---- */

typedef struct allocation {
    jaeger_str policy;
    int64_t percent;
} allocation;

typedef struct composite_config {
    int64_t max_total_spans_per_second;
    jaeger_str_list policy_order;
    const jaeger_config *subs;
    jaeger_block_list allocations;
} composite_config;

static const jaeger_field allocation_fields[] = {
    {.name = "policy", .kind = JAEGER_FIELD_STR, .offset = offsetof(allocation, policy), .doc = "sub-policy"},
    {.name = "percent",
     .kind = JAEGER_FIELD_I64,
     .offset = offsetof(allocation, percent),
     .doc = "its part of the spans; 0: an equal part"},
    {0}};

static const jaeger_field composite_fields[] = {
    {.name = "max_total_spans_per_second",
     .kind = JAEGER_FIELD_I64,
     .offset = offsetof(composite_config, max_total_spans_per_second),
     .doc = "most spans a second"},
    {.name = "policy_order",
     .kind = JAEGER_FIELD_STRS,
     .offset = offsetof(composite_config, policy_order),
     .doc = "accepted for compatibility"},
    {.name = "composite_sub_policy",
     .kind = JAEGER_FIELD_NODE,
     .offset = offsetof(composite_config, subs),
     .doc = "the first that samples decides"},
    {.name = "rate_allocation",
     .kind = JAEGER_FIELD_LIST,
     .offset = offsetof(composite_config, allocations),
     .sub = allocation_fields,
     .sub_size = sizeof(allocation),
     .doc = "parts of the spans; none: equal parts"},
    {0}};

static jaeger_status composite_make(jg_policy *p, jaeger_arena *arena, jaeger_error *err)
{
    const composite_config *c = p->config;
    const allocation *parts = c->allocations.items;
    double total = (double)c->max_total_spans_per_second;
    JG_TRY(jg_policy_make_subs(p, c->subs, JG_POLICY_AND | JG_POLICY_NOT, arena, err));
    for (size_t i = 0; i < p->sub_count; i++) {
        double equal = total / (double)p->sub_count;
        p->subs[i].share = c->allocations.count ? 0 : equal;
        for (size_t k = 0; k < c->allocations.count; k++)
            if (jg_str_eq(parts[k].policy, p->subs[i].name))
                p->subs[i].share = parts[k].percent > 0 ? (double)parts[k].percent / 100 * total : equal;
    }
    return JAEGER_OK;
}

/* The first sub-policy that samples decides, within what it may use of this second. */
static jg_decision composite(jg_policy *p, const jg_tail_view *view, jaeger_error *err)
{
    const composite_config *c = p->config;
    if (p->second != view->unix_s) {
        p->second = view->unix_s;
        for (size_t i = 0; i < p->sub_count; i++)
            p->subs[i].sampled = 0;
    }
    for (size_t i = 0; i < p->sub_count; i++) {
        jg_policy *sub = &p->subs[i];
        jg_decision decision = sub->type->evaluate(sub, view, err);
        if (decision == JG_UNDECIDED)
            return decision;
        if (decision != JG_SAMPLED)
            continue;
        uint64_t used = sub->sampled + view->span_count;
        if (used > (uint64_t)JG_MAX(sub->share, 0) ||
            used > (uint64_t)JG_MAX(c->max_total_spans_per_second, 0))
            return JG_NOT_SAMPLED;
        sub->sampled = used;
        return JG_SAMPLED;
    }
    return JG_NOT_SAMPLED;
}

const jg_policy_type jg_policy_group_types[] = {
    {"and", and_fields, sizeof(subs_config), and_make, and, any_is_stateful, true},
    {"not", not_fields, sizeof(subs_config), not_make, not, any_is_stateful, true},
    {"drop", drop_fields, sizeof(subs_config), and_make, drop, any_is_stateful, true},
    {"composite", composite_fields, sizeof(composite_config), composite_make, composite, any_is_stateful,
     true},
    {0}};
