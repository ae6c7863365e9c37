/* SPDX-License-Identifier: Apache-2.0
 * A filter as a set of rows that may meet it. Conditions on attributes are answered from the terms (texts
 * that are equal), else from the dictionary: each frequent value of the key that fits has a list of its rows,
 * and the rows with rare values are listed by key. What has no list is taken as met by every row, so nothing
 * is known of `or` with such a branch, nor of `not`.
 */
#include "storage/embedded/segment_lists.h"

#include "core/alloc.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/expr.h"
#include "model/span_check.h"
#include "storage/embedded/attr_key.h"
#include <math.h>

#define EXACT_MAX 9007199254740992.0 /* 2^53: integers up to here are doubles of their own */

typedef struct walker {
    jg_lists *lists;
    const jg_seg_view *view;
    size_t words;
} walker;

static bool add_rows(walker *w, const jg_expr *node, bool top, uint64_t *out);

static void set_found(jg_lists *lists, void *user, uint32_t ref)
{
    jg_list_set(lists, ref, user);
}

/* ---- attributes of spans, events and links ---- */

/** The texts and numbers that equal a literal, as terms. @return false: others may, too */
static bool add_equal(walker *w, jaeger_str key, const jg_literal *literal, uint64_t *out)
{
    jg_hash128 terms[JG_TERMS_MAX];
    jg_match_attr attr = {.where = JG_MATCH_ANYWHERE, .key = key, .want = {.text = literal->text.text}};
    if (literal->is_number && literal->type != JG_LITERAL_STRING) {
        double d = literal->d;
        if (!(fabs(d) < EXACT_MAX) || d == 0)
            return false;
        attr.want.is_double = true;
        memcpy(&attr.want.double_bits, &d, sizeof d);
        attr.want.is_int = d == trunc(d);
        attr.want.i = attr.want.is_int ? (int64_t)d : 0;
    }
    int n = jg_attr_terms(&attr, w->view->header.seed + JG_SEED_ATTR, terms);
    w->lists->failed |= n < 0;
    for (int i = 0; i < n; i++)
        jg_term_find(w->lists, terms[i].lo, set_found, out);
    return n >= 0;
}

/** @return the key's number; `count`: no attribute has it */
static uint32_t number_of_key(const walker *w, jaeger_str key, uint32_t count)
{
    jaeger_str text;
    uint32_t i = 0;
    while (i < count && jg_seg_string(w->view, JG_SEC_KEYS, i, &text) && !jg_str_eq(text, key))
        i++;
    return i;
}

/** @return false: too many rows to be listed */
static bool add_key_rows(walker *w, uint32_t number, uint64_t *out)
{
    uint32_t ref = jg_u32_at(&w->view->sections[JG_SEC_KEY_ROWS], number);
    if (ref != JG_REF_NONE && ref != JG_REF_ANY)
        jg_list_set(w->lists, ref, out);
    return ref != JG_REF_ANY;
}

static void add_value(walker *w, const jg_expr *node, uint32_t number, uint64_t *out)
{
    jaeger_str kv;
    if (!jg_seg_string(w->view, JG_SEC_DICT, number, &kv) ||
        !jg_attr_valid((const uint8_t *)kv.ptr, kv.len)) {
        w->lists->damaged = true;
        return;
    }
    jaeger_attr attr = jg_attr_read(kv);
    if (!jg_expr_value_fits(node, &attr.value))
        return;
    uint64_t term = jg_hash_piece(kv.ptr, kv.len, w->view->header.seed + JG_SEED_ATTR).lo;
    jg_term_find(w->lists, term, set_found, out);
}

/** From the values of the key. @return false: unknown */
static bool add_values(walker *w, const jg_expr *node, uint64_t *out)
{
    const jg_bytes *values = &w->view->sections[JG_SEC_KEY_VALUES],
                   *rows = &w->view->sections[JG_SEC_KEY_ROWS];
    uint32_t count = jg_seg_string_count(w->view, JG_SEC_KEYS);
    if (rows->len / 4 != count + 1ull || values->len / 4 < count + 1ull)
        return false; /* a segment of an earlier version */
    uint32_t key = number_of_key(w, node->ref.key, count);
    if (!add_key_rows(w, count, out) || (key < count && !add_key_rows(w, key, out)))
        return false;
    if (key == count)
        return true;
    uint32_t from = jg_u32_at(values, key), to = jg_u32_at(values, key + 1);
    if (from > to || to > values->len / 4 - count - 1) {
        w->lists->damaged = true;
        return false;
    }
    for (uint32_t i = from; i < to; i++)
        add_value(w, node, jg_u32_at(values, count + 1ull + i), out);
    return true;
}

static bool add_attr_rows(walker *w, const jg_expr *node, uint64_t *out)
{
    if (node->op != JG_EXPR_EQ)
        return add_values(w, node, out);
    for (size_t i = 0; i < node->literal_count; i++)
        if (!add_equal(w, node->ref.key, &node->literals[i], out))
            return add_values(w, node, out);
    return true;
}

/** Rows of resources and scopes whose attribute fits. */
static void add_origin_rows(walker *w, const jg_expr *node, uint64_t *out)
{
    const jg_bytes *refs = &w->view->sections[JG_SEC_ORIGIN_REFS];
    bool is_scope = node->ref.level == JG_LEVEL_SCOPE;
    jaeger_span_group group;
    jaeger_attr attr;
    for (uint32_t o = 0; o < jg_seg_origin_count(w->view) && (o + 1ull) * 4 <= refs->len; o++) {
        if (!jg_seg_origin(w->view, o, &group))
            w->lists->damaged = true;
        else if (jaeger_find_attr(is_scope ? jaeger_scope_attrs(&group) : jaeger_resource_attrs(&group),
                                  node->ref.key, &attr) &&
                 jg_expr_value_fits(node, &attr.value))
            jg_list_set(w->lists, jg_u32_at(refs, o), out);
    }
}

static bool add_attr(walker *w, const jg_expr *node, uint64_t *out)
{
    jg_expr_level level = node->ref.level;
    if (level != JG_LEVEL_RESOURCE && level != JG_LEVEL_SCOPE && !add_attr_rows(w, node, out))
        return false;
    if (level == JG_LEVEL_RESOURCE || level == JG_LEVEL_SCOPE || level == JG_LEVEL_ANY)
        add_origin_rows(w, node, out);
    return true;
}

/* ---- fields ---- */

static bool add_ops(walker *w, const jg_expr *node, uint64_t *out)
{
    const jaeger_filter filter = {.root = node};
    const jg_bytes *refs = &w->view->sections[JG_SEC_OP_REFS];
    jaeger_span_group group = {0};
    jaeger_span span = {.group = &group};
    uint32_t service, kind, count = jg_seg_string_count(w->view, JG_SEC_OPS);
    jaeger_str raw;
    for (uint32_t i = 0; i < count && (i + 1ull) * 4 <= refs->len; i++) {
        if (!jg_seg_op(w->view, i, &service, &span.name, &kind, &raw) ||
            !jg_seg_string(w->view, JG_SEC_SERVICES, service, &group.service))
            w->lists->damaged = true;
        span.kind = (uint8_t)kind;
        if (jg_filter_may_match(&filter, &span, JG_KNOWN_OPERATION))
            jg_list_set(w->lists, jg_u32_at(refs, i), out);
    }
    return true;
}

static bool add_status(walker *w, const jg_expr *node, uint64_t *out)
{
    static const uint32_t codes[] = {JAEGER_STATUS_UNSET, JAEGER_STATUS_OK, JAEGER_STATUS_ERROR};
    const jaeger_filter filter = {.root = node};
    for (size_t i = 0; i < JG_COUNT(codes); i++) {
        if (!jg_filter_may_match(&filter, &(jaeger_span){.status_code = codes[i]}, JG_KNOWN_STATUS))
            continue;
        if (codes[i] == JAEGER_STATUS_UNSET)
            return false; /* rows without a status have no list */
        jg_term_find(w->lists, jg_status_term(w->view, codes[i]), set_found, out);
    }
    return true;
}

/** Duration codes of what compares so with `ns`. @return false: any */
static bool codes_of(jg_expr_op op, uint64_t ns, uint16_t *ret_min, uint16_t *ret_max)
{
    bool above = op == JG_EXPR_GT || op == JG_EXPR_GE, below = op == JG_EXPR_LT || op == JG_EXPR_LE;
    if (!above && !below && op != JG_EXPR_EQ)
        return false;
    *ret_min = below ? 0 : jg_duration_code(ns);
    *ret_max = above ? UINT16_MAX : jg_duration_code(ns);
    return true;
}

static bool add_durations(walker *w, const jg_expr *node, uint64_t *out)
{
    const uint8_t *codes = w->view->sections[JG_SEC_DURATIONS].ptr;
    for (size_t i = 0; i < node->literal_count; i++) {
        const jg_literal *literal = &node->literals[i];
        uint16_t min, max, code;
        if (!literal->is_int || literal->i < 0 || !codes_of(node->op, (uint64_t)literal->i, &min, &max))
            return false;
        for (uint32_t row = 0; row < w->view->header.span_count; row++) {
            memcpy(&code, codes + (size_t)row * 2, 2);
            out[row / 64] |= (uint64_t)(code >= min && code <= max) << (row & 63);
        }
    }
    return true;
}

/** @param top every row must meet it: operation and status are seen to elsewhere */
static bool add_condition(walker *w, const jg_expr *node, bool top, uint64_t *out)
{
    const jg_expr_ref *ref = &node->ref;
    if (node->against_ref)
        return false;
    if (ref->field == JG_FIELD_ATTR)
        return add_attr(w, node, out);
    if (ref->field == JG_FIELD_SERVICE)
        return !top && add_ops(w, node, out);
    if (ref->level != JG_LEVEL_SPAN)
        return false;
    switch (ref->field) {
    case JG_FIELD_NAME:
    case JG_FIELD_KIND:
        return !top && add_ops(w, node, out);
    case JG_FIELD_STATUS:
        return !top && add_status(w, node, out);
    case JG_FIELD_DURATION:
        return add_durations(w, node, out);
    default:
        return false;
    }
}

/* ---- the tree ---- */

/** Rows of all children of which something is known. */
static bool add_common(walker *w, const jg_expr *node, bool top, uint64_t *out)
{
    JG_AUTO_FREE uint64_t *common = jg_alloc(w->words * 8);
    JG_AUTO_FREE uint64_t *one = jg_alloc(w->words * 8);
    bool known = false;
    if (!common || !one) {
        w->lists->failed = true;
        return false;
    }
    for (const jg_expr *child = node->first; child; child = child->next) {
        memset(one, 0, w->words * 8);
        if (!add_rows(w, child, top, one))
            continue;
        for (size_t i = 0; i < w->words; i++)
            common[i] = known ? common[i] & one[i] : one[i];
        known = true;
    }
    for (size_t i = 0; known && i < w->words; i++)
        out[i] |= common[i];
    return known;
}

/** Add rows to `out`. @return false: it may be any row */
static bool add_rows(walker *w, const jg_expr *node, bool top, uint64_t *out)
{
    bool known = true;
    switch (node->op) {
    case JG_EXPR_AND:
        return add_common(w, node, top, out);
    case JG_EXPR_OR:
        for (const jg_expr *child = node->first; child && known; child = child->next)
            known = add_rows(w, child, false, out);
        return known;
    case JG_EXPR_SOME:
        return add_rows(w, node->first, false, out);
    case JG_EXPR_TRUE:
    case JG_EXPR_NOT:
    case JG_EXPR_ANY_SPAN:
        return false;
    default:
        return add_condition(w, node, top, out);
    }
}

bool jg_filter_rows(jg_lists *lists, const jaeger_filter *filter, uint64_t *bits, size_t words)
{
    walker w = {lists, lists->view, words};
    return add_rows(&w, filter->root, true, bits) && !lists->damaged && !lists->failed;
}
