/* SPDX-License-Identifier: Apache-2.0
 * Filter expressions as queries. See query_body.h.
 *
 * The index does not know all that an expression asks for: it holds values as texts of at most 256
 * characters, without types, and neither links nor attributes of scopes. So a filter becomes a query that
 * finds all spans which meet it, and perhaps more; the driver tests the traces it reads. What cannot be said
 * at all narrows nothing.
 */
#include "storage/opensearch/query_body.h"

#include "core/clock.h"
#include "core/str.h"
#include "model/expr.h"

#define INDEXED_BYTES_MAX 256u /* ignore_above */

/* ---- what narrows ---- */

static unsigned places_of(const jg_expr_ref *ref)
{
    switch (ref->level) {
    case JG_LEVEL_ANY:
        return JG_OS_IN_SPAN | JG_OS_IN_PROCESS;
    case JG_LEVEL_SPAN:
        return JG_OS_IN_SPAN;
    case JG_LEVEL_RESOURCE:
        return JG_OS_IN_PROCESS;
    case JG_LEVEL_EVENT:
        return JG_OS_IN_LOGS;
    default:
        return 0;
    }
}

static bool is_tag(const jg_expr_ref *ref)
{
    return ref->field == JG_FIELD_ATTR && places_of(ref) && ref->key.len &&
           ref->key.len <= INDEXED_BYTES_MAX && !jg_str_is(ref->key, "service.name");
}

static bool is_indexed_text(const jg_literal *l)
{
    return l->text.text.len && l->text.text.len <= INDEXED_BYTES_MAX && (!l->is_number || l->is_int);
}

/** Keyword fields of spans. NULL: it is none */
static const char *keyword_of(const jg_expr_ref *ref)
{
    if (ref->level == JG_LEVEL_RESOURCE && ref->field == JG_FIELD_SERVICE)
        return "process.serviceName";
    if (ref->level != JG_LEVEL_SPAN)
        return NULL;
    return ref->field == JG_FIELD_NAME ? "operationName" : NULL;
}

static bool is_duration(const jg_expr_ref *ref)
{
    return ref->level == JG_LEVEL_SPAN && ref->field == JG_FIELD_DURATION;
}

static bool is_word(const jg_expr_ref *ref, jg_expr_field field, const jg_expr *node, const char *not_this)
{
    if (ref->level != JG_LEVEL_SPAN || ref->field != field || node->op != JG_EXPR_EQ)
        return false;
    for (size_t i = 0; i < node->literal_count; i++)
        if (jg_str_is(node->literals[i].text.text, not_this))
            return false;
    return true;
}

static bool is_kind(const jg_expr *node)
{
    return is_word(&node->ref, JG_FIELD_KIND, node, "unspecified");
}

/** status = error, and nothing else. */
static bool is_error(const jg_expr *node)
{
    return is_word(&node->ref, JG_FIELD_STATUS, node, "ok") && node->literal_count == 1 &&
           jg_str_is(node->literals[0].text.text, "error");
}

static bool all_indexed(const jg_expr *node)
{
    for (size_t i = 0; i < node->literal_count; i++)
        if (!is_indexed_text(&node->literals[i]))
            return false;
    return node->literal_count > 0;
}

static bool condition_narrows(const jg_expr *node)
{
    if (node->against_ref)
        return is_tag(&node->ref);
    if (is_duration(&node->ref))
        return node->op >= JG_EXPR_LT && node->op <= JG_EXPR_GE && node->literal_count == 1 &&
               node->literals[0].is_int && node->literals[0].i >= 0;
    if (keyword_of(&node->ref))
        return node->op == JG_EXPR_EQ && all_indexed(node);
    return is_kind(node) || is_error(node) || is_tag(&node->ref);
}

static bool narrows(const jg_expr *node)
{
    const jg_expr *c;
    switch (node->op) {
    case JG_EXPR_AND:
        for (c = node->first; c; c = c->next)
            if (narrows(c))
                return true;
        return false;
    case JG_EXPR_OR:
        for (c = node->first; c; c = c->next)
            if (!narrows(c))
                return false;
        return node->first != NULL;
    case JG_EXPR_SOME:
        return node->ref.level == JG_LEVEL_EVENT && narrows(node->first);
    case JG_EXPR_TRUE:
    case JG_EXPR_NOT:
    case JG_EXPR_ANY_SPAN:
        return false;
    default:
        return condition_narrows(node);
    }
}

bool jg_os_filter_narrows(const jaeger_filter *filter)
{
    return narrows(filter->root);
}

/* ---- writing ---- */

static void begin_bool(jg_json_out *j, const char *clause)
{
    jg_json_object(j);
    jg_json_key_lit(j, "bool");
    jg_json_object(j);
    jg_json_key(j, jg_str(clause));
    jg_json_array(j);
}

static void end_bool(jg_json_out *j)
{
    jg_json_end(j);
    jg_json_end(j);
    jg_json_end(j);
}

static void put_error(jg_json_out *j, jaeger_str dot)
{
    begin_bool(j, "should");
    jg_os_put_tag(j, JAEGER_STR("error"), JG_OS_EQUALS, JAEGER_STR("true"), JG_OS_IN_SPAN, dot);
    jg_os_put_tag(j, JAEGER_STR("otel.status_code"), JG_OS_EXISTS, (jaeger_str){0}, JG_OS_IN_SPAN, dot);
    jg_os_put_tag(j, JAEGER_STR("http.response.status_code"), JG_OS_EXISTS, (jaeger_str){0}, JG_OS_IN_SPAN,
                  dot);
    end_bool(j);
}

static void put_duration(jg_json_out *j, const jg_expr *node)
{
    bool is_max = node->op == JG_EXPR_LT || node->op == JG_EXPR_LE;
    uint64_t us = (uint64_t)node->literals[0].i / JG_NS_PER_US;
    jg_os_put_range(j, "duration", !is_max, us, is_max, us);
}

static void put_equals(jg_json_out *j, const jg_expr *node, jaeger_str dot)
{
    const char *keyword = keyword_of(&node->ref);
    begin_bool(j, "should");
    for (size_t i = 0; i < node->literal_count; i++) {
        jaeger_str text = node->literals[i].text.text;
        if (keyword)
            jg_os_put_term(j, keyword, text);
        else if (node->ref.field == JG_FIELD_KIND)
            jg_os_put_tag(j, JAEGER_STR("span.kind"), JG_OS_EQUALS, text, JG_OS_IN_SPAN, dot);
        else
            jg_os_put_tag(j, node->ref.key, JG_OS_EQUALS, text, places_of(&node->ref), dot);
    }
    end_bool(j);
}

static void put_condition(jg_json_out *j, const jg_expr *node, jaeger_str dot)
{
    if (is_duration(&node->ref))
        put_duration(j, node);
    else if (is_error(node))
        put_error(j, dot);
    else if (keyword_of(&node->ref) || is_kind(node))
        put_equals(j, node, dot);
    else if (node->op == JG_EXPR_EQ && !node->against_ref && all_indexed(node))
        put_equals(j, node, dot);
    else
        jg_os_put_tag(j, node->ref.key, JG_OS_EXISTS, (jaeger_str){0}, places_of(&node->ref), dot);
}

/** A node that narrows. */
static void put_node(jg_json_out *j, const jg_expr *node, jaeger_str dot)
{
    switch (node->op) {
    case JG_EXPR_AND:
    case JG_EXPR_OR:
        begin_bool(j, node->op == JG_EXPR_AND ? "must" : "should");
        for (const jg_expr *c = node->first; c; c = c->next)
            if (narrows(c))
                put_node(j, c, dot);
        end_bool(j);
        break;
    case JG_EXPR_SOME:
        put_node(j, node->first, dot);
        break;
    default:
        put_condition(j, node, dot);
        break;
    }
}

void jg_os_put_filter(jg_json_out *j, const jaeger_filter *filter, jaeger_str dot)
{
    put_node(j, filter->root, dot);
}
