/* SPDX-License-Identifier: Apache-2.0
 * What the statistics and the references of a trace page need of all its spans, without sending the spans:
 * the keys of attributes, the values of one key as numbers into a list, and the links within the trace.
 * Indexes are those of the columns (http_ui.c). Format: docs/ui.md, "Trace columns".
 */
#include "core/arena.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/id_table.h"
#include "model/value_text.h"
#include "query/http_ui.h"

static jaeger_status flush_if_full(jg_http_call *c)
{
    jg_json_flush flush = jg_http_flush(c);
    return c->body.len >= flush.at_bytes ? flush.flush(flush.self, &c->body) : JAEGER_OK;
}

/* ---- keys ---- */

/** How many spans have a key, of their own or of their resource. */
typedef struct key_counts {
    jg_ui_strings keys;
    uint64_t *spans;
    uint32_t *last; /* span that was counted last, + 1: a key in span and resource counts once */
} key_counts;

static void key_counts_done(key_counts *counts)
{
    jg_ui_strings_done(&counts->keys);
}

static bool count_keys(key_counts *counts, jaeger_iter attrs, uint32_t span, jaeger_arena *arena)
{
    jaeger_attr attr;
    uint32_t at;
    while (jaeger_next_attr(&attrs, &attr)) {
        if (counts->keys.count == JG_UI_KEYS_MAX && !jg_map_get(&counts->keys.numbers, attr.key))
            continue;
        if (!jg_ui_strings_put(&counts->keys, arena, attr.key, &at))
            return false;
        if (counts->last[at] != span + 1)
            counts->spans[at]++;
        counts->last[at] = span + 1;
    }
    return true;
}

static jaeger_status write_keys(jg_http_call *c, jaeger_batch *trace)
{
    JG_CLEANUP(key_counts_done) key_counts counts = {0};
    jaeger_arena *arena = c->call->arena;
    const jaeger_span *spans = jaeger_batch_spans(trace);
    size_t n = jaeger_batch_span_count(trace);
    counts.spans = jg_arena_zalloc(arena, JG_UI_KEYS_MAX * sizeof *counts.spans);
    counts.last = jg_arena_zalloc(arena, JG_UI_KEYS_MAX * sizeof *counts.last);
    bool ok = counts.spans && counts.last;
    for (uint32_t i = 0; i < n && ok; i++)
        ok = count_keys(&counts, jaeger_span_attrs(&spans[i]), i, arena) &&
             count_keys(&counts, jaeger_resource_attrs(spans[i].group), i, arena);
    if (!ok)
        return jg_fail_oom(&c->call->error);
    jg_json_object(&c->json);
    jg_json_key_lit(&c->json, "keys");
    jg_json_array(&c->json);
    for (size_t i = 0; i < counts.keys.count; i++) {
        jg_json_object(&c->json);
        jg_json_key_lit(&c->json, "key");
        jg_json_str(&c->json, counts.keys.items[i]);
        jg_json_key_lit(&c->json, "spans");
        jg_json_u64(&c->json, counts.spans[i]);
        jg_json_end(&c->json);
    }
    jg_json_end(&c->json);
    jg_json_end(&c->json);
    return JAEGER_OK;
}

void jg_ui_api_keys(jg_http_call *c)
{
    jg_ui_answer_from_trace(c, write_keys);
}

/* ---- values of a key ---- */

typedef struct key_values {
    jg_ui_strings values;
    jg_buf text; /* of a value that is not a string */
} key_values;

static void key_values_done(key_values *list)
{
    jg_ui_strings_done(&list->values);
    jg_buf_done(&list->text);
}

/** Whole characters of UTF-8. */
static jaeger_str shortened(jaeger_str text)
{
    if (text.len <= JG_UI_VALUE_BYTES_MAX)
        return text;
    text.len = JG_UI_VALUE_BYTES_MAX;
    while (text.len && ((uint8_t)text.ptr[text.len] & 0xc0) == 0x80)
        text.len--;
    return text;
}

static bool find_value(const jaeger_span *span, jaeger_str key, jaeger_attr *ret)
{
    return jaeger_find_attr(jaeger_span_attrs(span), key, ret) ||
           jaeger_find_attr(jaeger_resource_attrs(span->group), key, ret);
}

/** The value's number; -1: the span has none. Values beyond the ceiling share a number that has no text. */
static bool number_of(key_values *list, const jaeger_span *span, jaeger_str key, jaeger_arena *arena,
                      int64_t *ret)
{
    jaeger_attr attr;
    uint32_t at;
    *ret = -1;
    if (!find_value(span, key, &attr))
        return true;
    jg_buf_clear(&list->text);
    jg_value_text(&list->text, &attr.value);
    jaeger_str text = shortened(jg_buf_view(&list->text));
    bool is_new = !jg_map_get(&list->values.numbers, text);
    if (is_new && list->values.count == JG_UI_VALUES_MAX) {
        *ret = JG_UI_VALUES_MAX;
        return true;
    }
    if (is_new)
        text = jaeger_arena_str(arena, text);
    if (!jg_buf_ok(&list->text) || !text.ptr || !jg_ui_strings_put(&list->values, arena, text, &at))
        return false;
    *ret = at;
    return true;
}

static jaeger_status write_values(jg_http_call *c, jaeger_batch *trace)
{
    JG_CLEANUP(key_values_done) key_values list = {.text = JG_BUF_INIT(JG_CALL_ARENA_BYTES_MAX)};
    const jaeger_span *spans = jaeger_batch_spans(trace);
    size_t n = jaeger_batch_span_count(trace);
    jaeger_str key = jg_http_param(c, "key");
    jg_json_object(&c->json);
    jg_json_key_lit(&c->json, "n");
    jg_json_u64(&c->json, n);
    jg_json_key_lit(&c->json, "of");
    jg_json_array(&c->json);
    for (size_t i = 0; i < n; i++) {
        int64_t number;
        if (!number_of(&list, &spans[i], key, c->call->arena, &number))
            return jg_fail_oom(&c->call->error);
        jg_json_i64(&c->json, number);
        JG_TRY(flush_if_full(c));
    }
    jg_json_end(&c->json);
    jg_json_key_lit(&c->json, "values");
    jg_ui_strings_write(&c->json, &list.values);
    jg_json_end(&c->json);
    return JAEGER_OK;
}

void jg_ui_api_values(jg_http_call *c)
{
    jg_ui_answer_from_trace(c, write_values);
}

/* ---- links within the trace ---- */

static jaeger_status put_links(jg_http_call *c, const jg_id_table *ids, const jaeger_span *span,
                               uint32_t from, size_t *left)
{
    jaeger_link link;
    for (jaeger_iter it = jaeger_span_links(span); *left && jaeger_next_link(&it, &link);) {
        if (memcmp(link.trace_id, span->trace_id, 16) != 0)
            continue;
        uint32_t to = jg_id_table_slot(ids, jg_span_id_number(link.span_id))->index;
        if (to == JG_NO_INDEX)
            continue;
        jg_json_u64(&c->json, from);
        jg_json_u64(&c->json, to);
        --*left;
        JG_TRY(flush_if_full(c));
    }
    return JAEGER_OK;
}

static jaeger_status write_links(jg_http_call *c, jaeger_batch *trace)
{
    const jaeger_span *spans = jaeger_batch_spans(trace);
    size_t n = jaeger_batch_span_count(trace), left = JG_UI_LINKS_MAX;
    jg_id_table ids;
    if (!jg_id_table_of_spans(&ids, c->call->arena, spans, n))
        return jg_fail_oom(&c->call->error);
    jg_json_object(&c->json);
    jg_json_key_lit(&c->json, "n");
    jg_json_u64(&c->json, n);
    jg_json_key_lit(&c->json, "links");
    jg_json_array(&c->json);
    for (uint32_t i = 0; i < n; i++)
        JG_TRY(put_links(c, &ids, &spans[i], i, &left));
    jg_json_end(&c->json);
    jg_json_end(&c->json);
    return JAEGER_OK;
}

void jg_ui_api_links(jg_http_call *c)
{
    jg_ui_answer_from_trace(c, write_links);
}
