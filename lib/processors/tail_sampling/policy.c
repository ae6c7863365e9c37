/* SPDX-License-Identifier: Apache-2.0
 * Making policies from their nodes. Beside its own block a policy may carry any other key, as in the
 * Collector; inside the block unknown keys are refused.
 */
#include "processors/tail_sampling/policy.h"

#include "core/arena.h"
#include "core/err.h"
#include "core/str.h"

static const jg_policy_type *find_type(jaeger_str name)
{
    for (const jg_policy_type *t = jg_policy_span_types; t->name; t++)
        if (jg_str_is(name, t->name))
            return t;
    for (const jg_policy_type *t = jg_policy_group_types; t->name; t++)
        if (jg_str_is(name, t->name))
            return t;
    return NULL;
}

static unsigned group_bit(const jg_policy_type *type)
{
    static const char *const groups[] = {"and", "not", "composite", "drop"};
    for (unsigned i = 0; type->is_group && i < JG_COUNT(groups); i++)
        if (strcmp(groups[i], type->name) == 0)
            return 1u << i;
    return 0;
}

jaeger_status jg_policy_make(const jaeger_config *node, unsigned types, jaeger_arena *arena, jg_policy *ret,
                             jaeger_error *err)
{
    jaeger_str type = jaeger_config_text(jaeger_config_get(node, "type"));
    if (jaeger_config_kind(node) != JAEGER_CONFIG_MAP)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s: a policy must be a map", jaeger_config_path(node));
    ret->name = jaeger_config_text(jaeger_config_get(node, "name"));
    ret->type = find_type(type);
    if (!ret->type || (ret->type->is_group && !(group_bit(ret->type) & types)))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s: unknown sampling policy type %.*s",
                       jaeger_config_path(node), JAEGER_STR_ARGS(type));
    ret->config = jg_arena_zalloc(arena, ret->type->config_size + 1);
    if (!ret->config)
        return jg_fail_oom(err);
    if (ret->type->fields)
        JG_TRY(jaeger_config_bind(jaeger_config_get(node, ret->type->name), ret->type->fields, ret->config,
                                  err));
    jaeger_status status = ret->type->make ? ret->type->make(ret, arena, err) : JAEGER_OK;
    return status == JAEGER_OK || !err ? status : jg_fail_prefix(err, "%.*s", JAEGER_STR_ARGS(ret->name));
}

jaeger_status jg_policy_make_subs(jg_policy *policy, const jaeger_config *list, unsigned types,
                                  jaeger_arena *arena, jaeger_error *err)
{
    size_t n = jaeger_config_count(list);
    if (jaeger_config_kind(list) != JAEGER_CONFIG_LIST && jaeger_config_kind(list) != JAEGER_CONFIG_NULL)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s: must be a list", jaeger_config_path(list));
    policy->subs = jg_arena_zalloc(arena, (n + 1) * sizeof *policy->subs);
    if (!policy->subs)
        return jg_fail_oom(err);
    for (; policy->sub_count < n;) {
        jg_policy *sub = &policy->subs[policy->sub_count++];
        JG_TRY(jg_policy_make(jaeger_config_at(list, policy->sub_count - 1, NULL), types, arena, sub, err));
    }
    return JAEGER_OK;
}

static jaeger_status check_name(const jg_policy *policies, size_t i, jaeger_error *err)
{
    if (policies[i].name.len == 0)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "policy name cannot be empty");
    for (size_t k = 0; k < i; k++)
        if (jg_str_eq(policies[k].name, policies[i].name))
            return jg_fail(err, JAEGER_INVALID_ARGUMENT, "duplicate policy name \"%.*s\"",
                           JAEGER_STR_ARGS(policies[i].name));
    return JAEGER_OK;
}

/* Dropped wins over all else, so those come first; else the order stays. */
static jaeger_status sort_drops(jg_policy *policies, size_t n, jaeger_arena *arena, jaeger_error *err)
{
    jg_policy *sorted = jaeger_arena_alloc(arena, (n + 1) * sizeof *sorted);
    size_t at = 0;
    if (!sorted)
        return jg_fail_oom(err);
    for (int drops = 1; drops >= 0; drops--)
        for (size_t i = 0; i < n; i++)
            if (jg_policy_is_drop(&policies[i]) == drops)
                sorted[at++] = policies[i];
    memcpy(policies, sorted, n * sizeof *sorted);
    return JAEGER_OK;
}

jaeger_status jg_policies_make(const jaeger_config *list, jaeger_arena *arena, jg_policy **ret,
                               size_t *ret_count, jaeger_error *err)
{
    const unsigned all = JG_POLICY_AND | JG_POLICY_NOT | JG_POLICY_COMPOSITE | JG_POLICY_DROP;
    jg_policy top = {0};
    jaeger_status status = jg_policy_make_subs(&top, list, all, arena, err);
    *ret = top.subs;
    *ret_count = top.sub_count;
    for (size_t i = 0; i < top.sub_count && status == JAEGER_OK; i++)
        status = check_name(top.subs, i, err);
    return status == JAEGER_OK ? sort_drops(top.subs, top.sub_count, arena, err) : status;
}

void jg_policies_done(jg_policy *policies, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        jg_policy *p = &policies[i];
        for (size_t k = 0; k < p->regex_count; k++)
            jg_regex_done(&p->regexes[k]);
        jg_ottl_set_done(&p->span);
        jg_ottl_set_done(&p->spanevent);
        jg_policies_done(p->subs,
                         p->sub_count); /* at most three levels: groups name what may stand in them */
    }
}

bool jg_policy_is_stateful(const jg_policy *policy)
{
    return policy->type->is_stateful && policy->type->is_stateful(policy);
}

bool jg_policy_is_drop(const jg_policy *policy)
{
    return policy->type && strcmp(policy->type->name, "drop") == 0;
}

/* ---- what policies read ---- */

jg_tail_spans jg_tail_spans_of(const jg_tail_view *view)
{
    return (jg_tail_spans){view->pieces, view->pieces ? view->pieces->first : JG_NO_SPAN};
}

const jaeger_span *jg_tail_next(jg_tail_spans *spans)
{
    if (spans->at == JG_NO_SPAN)
        return NULL;
    const jg_tail_load *load = spans->piece->load;
    const jaeger_span *span = &jaeger_batch_spans(load->batch)[spans->at];
    spans->at = load->next[spans->at];
    if (spans->at == JG_NO_SPAN && (spans->piece = spans->piece->next))
        spans->at = spans->piece->first;
    return span;
}

bool jg_tail_bucket_take(jg_tail_bucket *b, uint64_t n, uint64_t now_ns)
{
    if (b->last_ns == 0)
        b->tokens = b->burst;
    else if (now_ns > b->last_ns)
        b->tokens = JG_MIN(b->burst, b->tokens + (double)(now_ns - b->last_ns) * b->rate / 1e9);
    b->last_ns = JG_MAX(now_ns, b->last_ns);
    if ((double)n > b->tokens)
        return false;
    b->tokens -= (double)n;
    return true;
}
