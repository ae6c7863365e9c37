/* SPDX-License-Identifier: Apache-2.0
 * See expr.h: the test of a span, and conditions drawn out of a filter.
 */
#include "model/expr.h"

#include "core/arena.h"
#include "core/err.h"
#include "core/str.h"
#include "model/value_text.h"
#include <math.h>

/** What a test looks at. */
typedef struct scene {
    const jaeger_span *span;
    const jg_trace_facts *facts; /* NULL: unknown */
    const jaeger_event *event;   /* inside SOME: the one meant */
    const jaeger_link *link;
    unsigned known; /* jg_expr_known bits: the other fields are not there yet; 0: all are */
} scene;

/** Called for each value of a reference; true: enough. */
typedef bool (*value_fn)(void *user, const jaeger_value *value);

/* ---- values of a reference ---- */

static jaeger_value text_value(jaeger_str s)
{
    return (jaeger_value){.type = JAEGER_VALUE_STRING, .u.s = s};
}

static jaeger_value int_value(uint64_t n)
{
    return (jaeger_value){.type = JAEGER_VALUE_INT, .u.i = (int64_t)JG_MIN(n, (uint64_t)INT64_MAX)};
}

static bool give_text(jaeger_str s, value_fn fn, void *user)
{
    jaeger_value value = text_value(s);
    return s.ptr && s.len && fn(user, &value);
}

static bool give_int(uint64_t n, value_fn fn, void *user)
{
    jaeger_value value = int_value(n);
    return fn(user, &value);
}

static bool give_id(const uint8_t *id, size_t n, value_fn fn, void *user)
{
    char hex[32];
    if (jg_id_is_zero(id, n))
        return false;
    jg_hex_encode(id, n, hex);
    jaeger_value value = text_value((jaeger_str){hex, 2 * n});
    return fn(user, &value);
}

static bool give_attr(jaeger_iter iter, jaeger_str key, value_fn fn, void *user)
{
    jaeger_attr attr;
    return jaeger_find_attr(iter, key, &attr) && fn(user, &attr.value);
}

static bool give_span_field(const jaeger_span *span, jg_expr_field field, value_fn fn, void *user)
{
    jaeger_span_rest rest;
    jaeger_str kind;
    switch (field) {
    case JG_FIELD_TRACE_ID:
        return give_id(span->trace_id, 16, fn, user);
    case JG_FIELD_SPAN_ID:
        return give_id(span->span_id, 8, fn, user);
    case JG_FIELD_PARENT_ID:
        return give_id(span->parent_span_id, 8, fn, user);
    case JG_FIELD_NAME:
        return give_text(span->name, fn, user);
    case JG_FIELD_KIND:
        kind = jg_kind_text(span->kind);
        return give_text(kind.len ? kind : JAEGER_STR("unspecified"), fn, user);
    case JG_FIELD_STATUS:
        return give_text(span->status_code == JAEGER_STATUS_ERROR ? JAEGER_STR("error")
                         : span->status_code == JAEGER_STATUS_OK  ? JAEGER_STR("ok")
                                                                  : JAEGER_STR("unset"),
                         fn, user);
    case JG_FIELD_START:
        return give_int(span->start_unix_ns, fn, user);
    case JG_FIELD_END:
        return give_int(span->end_unix_ns, fn, user);
    case JG_FIELD_DURATION:
        return give_int(span->end_unix_ns > span->start_unix_ns ? span->end_unix_ns - span->start_unix_ns : 0,
                        fn, user);
    default:
        jaeger_span_read_rest(span, &rest);
        return give_text(field == JG_FIELD_TRACE_STATE ? rest.trace_state : rest.status_message, fn, user);
    }
}

static bool give_scope_field(const jaeger_span_group *group, jg_expr_field field, value_fn fn, void *user)
{
    jaeger_scope scope;
    if (field == JG_FIELD_SCHEMA_URL)
        return give_text(group->scope_schema_url, fn, user);
    jaeger_scope_read(group, &scope);
    return give_text(field == JG_FIELD_NAME ? scope.name : scope.version, fn, user);
}

static bool give_of_event(const scene *s, const jaeger_event *event, const jg_expr_ref *ref, value_fn fn,
                          void *user)
{
    uint64_t start = s->span->start_unix_ns;
    switch (ref->field) {
    case JG_FIELD_ATTR:
        return give_attr(jaeger_event_attrs(event), ref->key, fn, user);
    case JG_FIELD_NAME:
        return give_text(event->name, fn, user);
    case JG_FIELD_TIME:
        return give_int(event->time_unix_ns, fn, user);
    default:
        return give_int(event->time_unix_ns > start ? event->time_unix_ns - start : 0, fn, user);
    }
}

static bool give_of_link(const jaeger_link *link, const jg_expr_ref *ref, value_fn fn, void *user)
{
    switch (ref->field) {
    case JG_FIELD_ATTR:
        return give_attr(jaeger_link_attrs(link), ref->key, fn, user);
    case JG_FIELD_TRACE_ID:
        return give_id(link->trace_id, 16, fn, user);
    case JG_FIELD_SPAN_ID:
        return give_id(link->span_id, 8, fn, user);
    default:
        return give_text(link->trace_state, fn, user);
    }
}

static bool give_events(const scene *s, const jg_expr_ref *ref, value_fn fn, void *user)
{
    jaeger_event event;
    if (s->event)
        return give_of_event(s, s->event, ref, fn, user);
    for (jaeger_iter it = jaeger_span_events(s->span); jaeger_next_event(&it, &event);)
        if (give_of_event(s, &event, ref, fn, user))
            return true;
    return false;
}

static bool give_links(const scene *s, const jg_expr_ref *ref, value_fn fn, void *user)
{
    jaeger_link link;
    if (s->link)
        return give_of_link(s->link, ref, fn, user);
    for (jaeger_iter it = jaeger_span_links(s->span); jaeger_next_link(&it, &link);)
        if (give_of_link(&link, ref, fn, user))
            return true;
    return false;
}

static bool give_trace_field(const jg_trace_facts *facts, jg_expr_field field, value_fn fn, void *user)
{
    jaeger_value value = {.type = JAEGER_VALUE_BOOL, .u.b = facts->has_error};
    switch (field) {
    case JG_FIELD_ROOT_SERVICE:
        return give_text(facts->root_service, fn, user);
    case JG_FIELD_ROOT_NAME:
        return give_text(facts->root_name, fn, user);
    case JG_FIELD_TRACE_DURATION:
        return give_int(facts->end_unix_ns > facts->start_unix_ns ? facts->end_unix_ns - facts->start_unix_ns
                                                                  : 0,
                        fn, user);
    case JG_FIELD_SPAN_COUNT:
        return give_int(facts->span_count, fn, user);
    default:
        return fn(user, &value);
    }
}

/** Hand every value to `fn`. @return whether it had enough */
static bool give(const scene *s, const jg_expr_ref *ref, value_fn fn, void *user)
{
    const jaeger_span_group *group = s->span->group;
    bool is_attr = ref->field == JG_FIELD_ATTR;
    switch (ref->level) {
    case JG_LEVEL_ANY:
        return give_attr(jaeger_span_attrs(s->span), ref->key, fn, user) ||
               give_attr(jaeger_resource_attrs(group), ref->key, fn, user);
    case JG_LEVEL_SPAN:
        return is_attr ? give_attr(jaeger_span_attrs(s->span), ref->key, fn, user)
                       : give_span_field(s->span, ref->field, fn, user);
    case JG_LEVEL_RESOURCE:
        if (is_attr)
            return give_attr(jaeger_resource_attrs(group), ref->key, fn, user);
        return give_text(ref->field == JG_FIELD_SERVICE ? group->service : group->resource_schema_url, fn,
                         user);
    case JG_LEVEL_SCOPE:
        return is_attr ? give_attr(jaeger_scope_attrs(group), ref->key, fn, user)
                       : give_scope_field(group, ref->field, fn, user);
    case JG_LEVEL_EVENT:
        return give_events(s, ref, fn, user);
    case JG_LEVEL_LINK:
        return give_links(s, ref, fn, user);
    case JG_LEVEL_TRACE:
        return s->facts && give_trace_field(s->facts, ref->field, fn, user);
    }
    return false;
}

/* ---- comparing ---- */

/** A number, also from a text that is one. */
static bool number_of(const jaeger_value *value, double *ret)
{
    switch (value->type) {
    case JAEGER_VALUE_INT:
        *ret = (double)value->u.i;
        return true;
    case JAEGER_VALUE_DOUBLE:
        *ret = value->u.d;
        return !isnan(value->u.d);
    case JAEGER_VALUE_STRING:
        return jg_str_to_double(value->u.s, ret);
    default:
        return false;
    }
}

static bool equals_literal(const jg_literal *l, const jaeger_value *value)
{
    switch (l->type) {
    case JG_LITERAL_STRING:
        return value->type == JAEGER_VALUE_STRING && jg_str_eq(value->u.s, l->text.text);
    case JG_LITERAL_BOOL:
        return value->type == JAEGER_VALUE_BOOL && value->u.b == l->b;
    case JG_LITERAL_INT:
    case JG_LITERAL_DOUBLE:
        if (value->type != JAEGER_VALUE_INT && value->type != JAEGER_VALUE_DOUBLE)
            return false;
        break;
    case JG_LITERAL_ANY:
        break;
    }
    if (value->type == JAEGER_VALUE_INT && l->is_int)
        return value->u.i == l->i;
    if (value->type == JAEGER_VALUE_INT || value->type == JAEGER_VALUE_DOUBLE) {
        double d = value->type == JAEGER_VALUE_INT ? (double)value->u.i : value->u.d;
        if (l->is_number)
            return d == l->d;
    }
    return jg_match_value(&l->text, value);
}

/** -1, 0, 1; 2: there is no order between them. */
static int order_to_literal(const jaeger_value *value, const jg_literal *l)
{
    double d;
    if (value->type == JAEGER_VALUE_INT && l->is_int)
        return value->u.i < l->i ? -1 : value->u.i > l->i;
    if (l->is_number) {
        if (!number_of(value, &d))
            return 2;
        return d < l->d ? -1 : d > l->d;
    }
    if (value->type != JAEGER_VALUE_STRING)
        return 2;
    int order = jg_str_cmp(value->u.s, l->text.text);
    return order < 0 ? -1 : order > 0;
}

static int order_of_values(const jaeger_value *a, const jaeger_value *b)
{
    double x, y;
    if (a->type == JAEGER_VALUE_INT && b->type == JAEGER_VALUE_INT)
        return a->u.i < b->u.i ? -1 : a->u.i > b->u.i;
    if (a->type == JAEGER_VALUE_STRING && b->type == JAEGER_VALUE_STRING) {
        int order = jg_str_cmp(a->u.s, b->u.s);
        return order < 0 ? -1 : order > 0;
    }
    if (a->type == JAEGER_VALUE_BOOL && b->type == JAEGER_VALUE_BOOL)
        return (int)a->u.b - (int)b->u.b;
    if (a->type == JAEGER_VALUE_BYTES && b->type == JAEGER_VALUE_BYTES)
        return jg_str_eq(a->u.s, b->u.s) ? 0 : 2;
    if (!number_of(a, &x) || !number_of(b, &y))
        return 2;
    return x < y ? -1 : x > y;
}

static bool order_fits(jg_expr_op op, int order)
{
    switch (op) {
    case JG_EXPR_EQ:
    case JG_EXPR_NE:
        return order == 0;
    case JG_EXPR_LT:
        return order == -1;
    case JG_EXPR_LE:
        return order == -1 || order == 0;
    case JG_EXPR_GT:
        return order == 1;
    case JG_EXPR_GE:
        return order == 1 || order == 0;
    default:
        return false;
    }
}

typedef struct test {
    const scene *scene;
    const jg_expr *node;
    const jaeger_value *left; /* of a comparison between two references */
    bool present, holds;
} test;

static bool matches_regex(const jg_nfa *regex, const jaeger_value *value)
{
    char number[128];
    switch (value->type) {
    case JAEGER_VALUE_STRING:
        return jg_nfa_match(regex, value->u.s);
    case JAEGER_VALUE_BOOL:
        return jg_nfa_match(regex, value->u.b ? JAEGER_STR("true") : JAEGER_STR("false"));
    case JAEGER_VALUE_INT:
    case JAEGER_VALUE_DOUBLE: {
        jg_buf buf = {.data = (uint8_t *)number, .cap = sizeof number, .max = sizeof number};
        jg_value_text(&buf, value);
        return jg_buf_ok(&buf) && jg_nfa_match(regex, jg_buf_view(&buf));
    }
    default:
        return false;
    }
}

static bool right_value(void *user, const jaeger_value *value)
{
    test *t = user;
    t->present = true;
    t->holds = t->holds || order_fits(t->node->op, order_of_values(t->left, value));
    return t->holds;
}

static bool left_value(void *user, const jaeger_value *value)
{
    test *t = user;
    const jg_expr *node = t->node;
    if (node->against_ref) {
        t->left = value;
        return give(t->scene, &node->right, right_value, t);
    }
    t->present = true;
    if (node->op == JG_EXPR_REGEX || node->op == JG_EXPR_NOT_REGEX) {
        t->holds = t->holds || matches_regex(node->regex, value);
        return t->holds;
    }
    for (size_t i = 0; i < node->literal_count && !t->holds; i++)
        t->holds = node->op == JG_EXPR_EQ || node->op == JG_EXPR_NE
                       ? equals_literal(&node->literals[i], value)
                       : order_fits(node->op, order_to_literal(value, &node->literals[i]));
    return t->holds || node->op == JG_EXPR_EXISTS;
}

static jg_expr_answer answer(bool yes)
{
    return yes ? JG_EXPR_YES : JG_EXPR_NO;
}

static bool is_known(const scene *s, const jg_expr_ref *ref)
{
    bool of_span = ref->level == JG_LEVEL_SPAN;
    return !s->known ||
           (s->known & JG_KNOWN_OPERATION &&
            (ref->field == JG_FIELD_SERVICE ||
             (of_span && (ref->field == JG_FIELD_NAME || ref->field == JG_FIELD_KIND)))) ||
           (s->known & JG_KNOWN_STATUS && of_span && ref->field == JG_FIELD_STATUS);
}

static jg_expr_answer test_condition(const scene *s, const jg_expr *node)
{
    if (!is_known(s, &node->ref) || (node->against_ref && !is_known(s, &node->right)))
        return JG_EXPR_MAYBE;
    if (!s->facts &&
        (node->ref.level == JG_LEVEL_TRACE || (node->against_ref && node->right.level == JG_LEVEL_TRACE)))
        return JG_EXPR_MAYBE;
    test t = {.scene = s, .node = node};
    (void)give(s, &node->ref, left_value, &t);
    if (node->op == JG_EXPR_EXISTS)
        return answer(t.present);
    if (node->op == JG_EXPR_NE || node->op == JG_EXPR_NOT_REGEX)
        return answer(t.present && !t.holds);
    return answer(t.holds);
}

bool jg_expr_value_fits(const jg_expr *condition, const jaeger_value *value)
{
    test t = {.node = condition};
    (void)left_value(&t, value);
    return condition->op == JG_EXPR_EXISTS ||
           t.holds != (condition->op == JG_EXPR_NE || condition->op == JG_EXPR_NOT_REGEX);
}

/* ---- the tree ---- */

static jg_expr_answer test_node(const scene *s, const jg_expr *node);

static jg_expr_answer test_some(const scene *s, const jg_expr *node)
{
    jg_expr_answer best = JG_EXPR_NO;
    scene inner = *s;
    jaeger_event event;
    jaeger_link link;
    if (node->ref.level == JG_LEVEL_EVENT) {
        inner.event = &event;
        for (jaeger_iter it = jaeger_span_events(s->span);
             best != JG_EXPR_YES && jaeger_next_event(&it, &event);)
            best = JG_MAX(best, test_node(&inner, node->first));
    } else {
        inner.link = &link;
        for (jaeger_iter it = jaeger_span_links(s->span);
             best != JG_EXPR_YES && jaeger_next_link(&it, &link);)
            best = JG_MAX(best, test_node(&inner, node->first));
    }
    return best;
}

static jg_expr_answer test_node(const scene *s, const jg_expr *node)
{
    jg_expr_answer result;
    switch (node->op) {
    case JG_EXPR_TRUE:
        return JG_EXPR_YES;
    case JG_EXPR_AND:
        result = JG_EXPR_YES;
        for (const jg_expr *c = node->first; c && result != JG_EXPR_NO; c = c->next)
            result = JG_MIN(result, test_node(s, c));
        return result;
    case JG_EXPR_OR:
        result = JG_EXPR_NO;
        for (const jg_expr *c = node->first; c && result != JG_EXPR_YES; c = c->next)
            result = JG_MAX(result, test_node(s, c));
        return result;
    case JG_EXPR_NOT:
        return (jg_expr_answer)(JG_EXPR_YES - test_node(s, node->first));
    case JG_EXPR_SOME:
        return s->known ? JG_EXPR_MAYBE : test_some(s, node);
    case JG_EXPR_ANY_SPAN:
        return s->facts ? (jg_expr_answer)s->facts->sets[node->set] : JG_EXPR_MAYBE;
    default:
        return test_condition(s, node);
    }
}

jg_expr_answer jg_filter_test(const jaeger_filter *filter, const jaeger_span *span,
                              const jg_trace_facts *facts)
{
    scene s = {.span = span, .facts = facts};
    return test_node(&s, filter->root);
}

bool jg_filter_may_match(const jaeger_filter *filter, const jaeger_span *span, unsigned known)
{
    scene s = {.span = span, .known = known};
    return test_node(&s, filter->root) != JG_EXPR_NO;
}

bool jaeger_filter_test(const jaeger_filter *filter, const jaeger_span *span)
{
    return jg_filter_test(filter, span, NULL) != JG_EXPR_NO;
}

/* ---- whole traces ---- */

void jg_trace_facts_of(const jaeger_batch *trace, const jaeger_filter *filter, jg_trace_facts *ret)
{
    const jaeger_span *spans = jaeger_batch_spans(trace), *root = NULL;
    *ret = (jg_trace_facts){.start_unix_ns = UINT64_MAX, .span_count = jaeger_batch_span_count(trace)};
    for (size_t i = 0; i < ret->span_count; i++) {
        const jaeger_span *span = &spans[i];
        ret->start_unix_ns = JG_MIN(ret->start_unix_ns, span->start_unix_ns);
        ret->end_unix_ns = JG_MAX(ret->end_unix_ns, span->end_unix_ns);
        ret->has_error = ret->has_error || span->status_code == JAEGER_STATUS_ERROR;
        if (jg_id_is_zero(span->parent_span_id, 8) && (!root || span->start_unix_ns < root->start_unix_ns))
            root = span;
    }
    if (root) {
        ret->root_service = root->group->service;
        ret->root_name = root->name;
    }
    for (unsigned set = 0; set < filter->set_count; set++) {
        ret->sets[set] = JG_EXPR_NO;
        for (size_t i = 0; i < ret->span_count && ret->sets[set] != JG_EXPR_YES; i++) {
            scene s = {.span = &spans[i], .facts = ret};
            ret->sets[set] = (uint8_t)test_node(&s, filter->sets[set]->first);
        }
    }
}

bool jg_filter_test_trace(const jaeger_filter *filter, const jaeger_batch *trace)
{
    jg_trace_facts facts;
    jg_trace_facts_of(trace, filter, &facts);
    for (size_t i = 0; i < facts.span_count; i++)
        if (jg_filter_test(filter, &jaeger_batch_spans(trace)[i], &facts) == JG_EXPR_YES)
            return true;
    return false;
}

/* ---- conditions for a driver ---- */

/** An attribute condition that is at least as wide as `node`: one text that nothing but a string prints as.
 */
static bool attr_condition(const jg_expr *node, jaeger_attr *ret)
{
    const jg_literal *l = node->literals;
    const jg_match_text *text = &l->text;
    static const char *const special[] = {"error", "span.kind", "span.status", "scope.name", "scope.version"};
    if (node->ref.field != JG_FIELD_ATTR || node->literal_count != 1 || text->is_int || text->is_double ||
        text->is_nan || l->is_number || text->text.len == 0 ||
        jg_str_starts(node->ref.key, JAEGER_STR("resource.")))
        return false;
    for (size_t i = 0; i < JG_COUNT(special); i++)
        if (jg_str_is(node->ref.key, special[i]))
            return false;
    *ret = (jaeger_attr){.key = node->ref.key, .value = text_value(text->text)};
    return true;
}

/** Bounds that [min, max] must have for `op` against `ns`; the strict ones are taken as the others. */
static void narrow_duration(const jg_expr *node, jaeger_trace_query *query)
{
    uint64_t ns = (uint64_t)JG_MAX(node->literals[0].i, 0);
    bool lower = node->op == JG_EXPR_GT || node->op == JG_EXPR_GE || node->op == JG_EXPR_EQ;
    bool upper = node->op == JG_EXPR_LT || node->op == JG_EXPR_LE || node->op == JG_EXPR_EQ;
    if (lower)
        query->duration_min_ns = JG_MAX(query->duration_min_ns, ns);
    if (upper && ns) /* 0 would mean: open */
        query->duration_max_ns = query->duration_max_ns ? JG_MIN(query->duration_max_ns, ns) : ns;
}

static jaeger_status narrow_by(const jg_expr *node, jaeger_trace_query *query, size_t *cap,
                               jaeger_arena *arena, jaeger_error *err)
{
    jaeger_attr attr;
    if (node->op == JG_EXPR_AND) {
        for (const jg_expr *c = node->first; c; c = c->next)
            JG_TRY(narrow_by(c, query, cap, arena, err));
        return JAEGER_OK;
    }
    if (node->against_ref || node->literal_count != 1 || node->op < JG_EXPR_EQ || node->op > JG_EXPR_GE)
        return JAEGER_OK;
    bool is_equal = node->op == JG_EXPR_EQ;
    jaeger_str text = node->literals[0].text.text;
    if (node->ref.field == JG_FIELD_DURATION)
        narrow_duration(node, query);
    else if (is_equal && node->ref.field == JG_FIELD_SERVICE && !query->service.len)
        query->service = text;
    else if (is_equal && node->ref.field == JG_FIELD_NAME && node->ref.level == JG_LEVEL_SPAN &&
             !query->operation.len)
        query->operation = text;
    else if (is_equal && attr_condition(node, &attr)) {
        jaeger_attr *attrs =
            jg_arena_grow(arena, (void *)query->attrs, query->attr_count, cap, sizeof *attrs);
        if (!attrs)
            return jg_fail_oom(err);
        attrs[query->attr_count++] = attr;
        query->attrs = attrs;
    }
    return JAEGER_OK;
}

jaeger_status jg_filter_narrow(const jaeger_filter *filter, jaeger_trace_query *query, jaeger_arena *arena,
                               jaeger_error *err)
{
    size_t cap = query->attr_count; /* full: the caller's list is copied before it grows */
    const jg_expr *root = filter->root;
    if (root->op == JG_EXPR_AND && root->first->op == JG_EXPR_ANY_SPAN)
        root = root->first; /* conditions must hold on one span: those of one group can be used */
    if (root->op == JG_EXPR_ANY_SPAN)
        root = root->first;
    return narrow_by(root, query, &cap, arena, err);
}
