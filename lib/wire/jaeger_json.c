/* SPDX-License-Identifier: Apache-2.0
 * See jaeger_json.h. Spans are written straight from their wire bytes; what is kept meanwhile is the table of
 * distinct processes, and the warnings of spans whose id comes again.
 *
 * Warnings travel in an attribute. Jaeger hands them to the last span with the same id, and takes the
 * attribute away from that span only; so do we.
 */
#include "wire/jaeger_json.h"

#include "core/alloc.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/map.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/span_scan.h"
#include "model/value_text.h"
#include <math.h>
#include <stdio.h>

#define SAFE_INTEGER_MAX ((1ll << 53) - 1) /* above it a browser rounds */
#define TEXT_BYTES_MAX                                                                                       \
    (64u << 20) /* one process or value as text; it comes from one message, which is smaller */

/** A warning that waits for the last span with its id. */
typedef struct warning {
    struct warning *next;
    jaeger_str text;
} warning;

typedef struct warnings {
    warning *first, *last;
} warnings;

typedef struct jg_jaeger_json {
    jg_json_out *json;
    jg_json_flush flush;
    jaeger_error *err; /* of the call that runs */
    jaeger_status status;
    bool is_open; /* a trace is */
    uint8_t trace_id[16];
    jaeger_arena *arena; /* of the trace: process texts, and the tables below */
    jg_map processes;    /* text -> number as pointer */
    jaeger_str *process_texts;
    size_t process_count, process_cap;
    const jaeger_span_group *group; /* of the span before, in the same batch */
    jaeger_str process;             /* its process as it is written: "p1" */
    char process_text[16];
    jg_map waiting; /* span id -> warnings */
    jg_buf text;
} writer;

size_t jg_jaeger_trace_id_text(const uint8_t trace_id[16], char out[32])
{
    bool is_short = jg_id_is_zero(trace_id, 8);
    jg_hex_encode(trace_id + (is_short ? 8 : 0), is_short ? 8 : 16, out);
    return is_short ? 16 : 32;
}

static bool is_warnings(jaeger_str key)
{
    return key.len && key.ptr[0] == '@' && jg_str_is(key, JG_WARNINGS_ATTRIBUTE);
}

/** Give the buffer away if it is full enough. @return false: stop */
static bool keep_going(writer *w)
{
    if (w->status == JAEGER_OK && !jg_buf_ok(w->json->buf))
        w->status = jg_fail(w->err, JAEGER_RESOURCE_EXHAUSTED, "response buffer: out of memory");
    if (w->status == JAEGER_OK && w->json->buf->len >= w->flush.at_bytes)
        w->status = w->flush.flush(w->flush.self, w->json->buf);
    return w->status == JAEGER_OK;
}

/* ---- values and tags ---- */

static jaeger_status check_double(double d, jaeger_error *err)
{
    if (isfinite(d))
        return JAEGER_OK;
    return jg_fail(err, JAEGER_INTERNAL, "json: unsupported value: %s",
                   isnan(d) ? "NaN"
                   : d > 0  ? "+Inf"
                            : "-Inf");
}

static void write_id(jg_json_out *json, const uint8_t *id, size_t n)
{
    jg_json_hex(json, id, n);
}

static void write_trace_id(jg_json_out *json, const uint8_t trace_id[16])
{
    bool is_short = jg_id_is_zero(trace_id, 8);
    jg_json_hex(json, trace_id + (is_short ? 8 : 0), is_short ? 8 : 16);
}

/** @param type with its quotes */
JG_INLINE void begin_tag(jg_json_out *json, jaeger_str key, jaeger_str type)
{
    jg_json_object(json);
    jg_json_key_lit(json, "key");
    jg_json_str(json, key);
    jg_json_key_lit(json, "type");
    jg_json_literal(json, type.ptr, type.len);
    jg_json_key_lit(json, "value");
}

static void write_str_tag(jg_json_out *json, jaeger_str key, jaeger_str value)
{
    begin_tag(json, key, JAEGER_STR("\"string\""));
    jg_json_str(json, value);
    jg_json_end(json);
}

static void write_text_value(writer *w, jg_json_out *json, const jaeger_value *value)
{
    jg_buf_clear(&w->text);
    jg_value_text(&w->text, value);
    if (!jg_buf_ok(&w->text))
        json->buf->failed = true;
    jg_json_str(json, jg_buf_view(&w->text));
}

static void write_tag(writer *w, jg_json_out *json, jaeger_str key, const jaeger_value *value)
{
    static const jaeger_str types[] = {
        [JAEGER_VALUE_EMPTY] = {"\"string\"", 8},   [JAEGER_VALUE_STRING] = {"\"string\"", 8},
        [JAEGER_VALUE_BOOL] = {"\"bool\"", 6},      [JAEGER_VALUE_INT] = {"\"int64\"", 7},
        [JAEGER_VALUE_DOUBLE] = {"\"float64\"", 9}, [JAEGER_VALUE_ARRAY] = {"\"string\"", 8},
        [JAEGER_VALUE_MAP] = {"\"string\"", 8},     [JAEGER_VALUE_BYTES] = {"\"binary\"", 8}};
    begin_tag(json, key, types[value->type]);
    switch (value->type) {
    case JAEGER_VALUE_EMPTY:
        jg_json_str(json, JAEGER_STR(""));
        break;
    case JAEGER_VALUE_STRING:
        jg_json_str(json, value->u.s);
        break;
    case JAEGER_VALUE_BOOL:
        jg_json_bool(json, value->u.b);
        break;
    case JAEGER_VALUE_INT:
        if (value->u.i > SAFE_INTEGER_MAX || value->u.i < -SAFE_INTEGER_MAX)
            jg_json_i64_str(json, value->u.i);
        else
            jg_json_i64(json, value->u.i);
        break;
    case JAEGER_VALUE_DOUBLE:
        if (w->status == JAEGER_OK)
            w->status = check_double(value->u.d, w->err);
        jg_json_double(json, value->u.d, 1);
        break;
    case JAEGER_VALUE_BYTES:
        if (value->u.s.len)
            jg_json_base64(json, value->u.s);
        else
            jg_json_null(json); /* a nil slice */
        break;
    case JAEGER_VALUE_ARRAY:
    case JAEGER_VALUE_MAP:
        write_text_value(w, json, value);
        break;
    }
    jg_json_end(json);
}

static void write_attr(writer *w, const jaeger_attr *attr)
{
    if (JG_LIKELY(attr->value.type == JAEGER_VALUE_STRING))
        write_str_tag(w->json, attr->key, attr->value.u.s);
    else
        write_tag(w, w->json, attr->key, &attr->value);
}

/* ---- processes ---- */

/** {"serviceName":…,"tags":[…]} as it will stand in the answer: equal texts are one process. */
static void write_process(writer *w, jg_json_out *json, const jaeger_span_group *group)
{
    jaeger_attr attr;
    jaeger_str service = group->service.ptr ? group->service : JAEGER_STR("");
    jaeger_iter first = jaeger_resource_attrs(group);
    if (!jaeger_next_attr(&first, &attr))
        service = JAEGER_STR("OTLPResourceNoServiceName");
    jg_json_object(json);
    jg_json_key_lit(json, "serviceName");
    jg_json_str(json, service);
    jg_json_key_lit(json, "tags");
    jg_json_array(json);
    for (jaeger_iter it = jaeger_resource_attrs(group); jaeger_next_attr(&it, &attr);)
        if (!jg_str_is(attr.key, "service.name"))
            write_tag(w, json, attr.key, &attr.value);
    jg_json_end(json);
    jg_json_end(json);
}

/** The depth at which process texts stand, so that their indentation fits: data[] > trace > processes. */
static uint16_t process_depth(const writer *w)
{
    return (uint16_t)(w->json->depth -
                      1); /* called inside spans[] > span: one level deeper than processes{} */
}

static uint32_t process_number(writer *w, const jaeger_span_group *group)
{
    JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(TEXT_BYTES_MAX);
    jg_json_out json = {.buf = &buf, .html = w->json->html, .indent = w->json->indent, .after_key = true};
    json.depth = process_depth(w);
    write_process(w, &json, group);
    bool is_new = false;
    jaeger_str text = jg_buf_view(&buf);
    void *number = jg_buf_ok(&buf) ? jg_map_get(&w->processes, text) : NULL;
    if (!number && jg_buf_ok(&buf)) {
        text = jaeger_arena_str(w->arena, text);
        jaeger_str *grown =
            jg_arena_grow(w->arena, w->process_texts, w->process_count, &w->process_cap, sizeof *grown);
        jg_map_entry *entry = text.ptr && grown ? jg_map_put(&w->processes, text, &is_new) : NULL;
        if (entry) {
            w->process_texts = grown;
            grown[w->process_count++] = text;
            entry->value = number = (void *)(uintptr_t)w->process_count;
        }
    }
    if (!number && w->status == JAEGER_OK)
        w->status = jg_fail_oom(w->err);
    return (uint32_t)(uintptr_t)number;
}

static jaeger_str process_of(writer *w, const jaeger_span_group *group)
{
    if (group != w->group) {
        int len = snprintf(w->process_text, sizeof w->process_text, "p%u", process_number(w, group));
        w->process = (jaeger_str){w->process_text, (size_t)len};
        w->group = group;
    }
    return w->process;
}

/** Keys in bytewise order: p1, p10, p11, …, p2. */
static void write_processes(writer *w)
{
    jg_json_key_lit(w->json, "processes");
    jg_json_object(w->json);
    uint32_t count = (uint32_t)w->process_count, n = 1;
    for (uint32_t i = 0; i < count && keep_going(w); i++) {
        char key[16];
        int len = snprintf(key, sizeof key, "p%u", n);
        jg_json_key(w->json, (jaeger_str){key, (size_t)len});
        jg_json_raw(w->json, w->process_texts[n - 1]);
        if (n <= count / 10) {
            n *= 10;
        } else {
            while (n % 10 == 9 || n + 1 > count)
                n /= 10;
            n++;
        }
    }
    jg_json_end(w->json);
}

/* ---- warnings ---- */

/** The warnings of one span. */
typedef struct own_warnings {
    bool seen;  /* the first attribute of that name, which decides */
    bool there; /* and it is no empty list */
    bool shown; /* as warnings, not as a tag */
    jaeger_value value;
} own_warnings;

static bool is_empty_list(jaeger_value value)
{
    jaeger_value item;
    jaeger_iter items = jaeger_array_values(value);
    return value.type == JAEGER_VALUE_ARRAY && !jaeger_next_value(&items, &item);
}

static void add_waiting(writer *w, warnings *to, jaeger_str text)
{
    warning *item = jaeger_arena_alloc(w->arena, sizeof *item);
    if (item)
        *item = (warning){NULL, jaeger_arena_str(w->arena, text)};
    if (!item || !item->text.ptr) {
        w->status = jg_fail_oom(w->err);
        return;
    }
    *(to->last ? &to->last->next : &to->first) = item;
    to->last = item;
}

/** The warnings of earlier spans with this id. @param make if there are none yet. @return NULL: none */
static warnings *waiting_of(writer *w, const jaeger_span *span, bool make)
{
    bool is_new;
    warnings *list = jg_map_get(&w->waiting, (jaeger_str){(const char *)span->span_id, 8});
    if (list || !make)
        return list;
    jaeger_str id = jaeger_arena_str(w->arena, (jaeger_str){(const char *)span->span_id, 8});
    list = jg_arena_zalloc(w->arena, sizeof *list);
    jg_map_entry *entry = id.ptr && list ? jg_map_put(&w->waiting, id, &is_new) : NULL;
    if (!entry) {
        w->status = jg_fail_oom(w->err);
        return NULL;
    }
    entry->value = list;
    return list;
}

/** Write the texts of a warnings attribute, or keep them in `to`. */
static void put_warnings(writer *w, const jaeger_value *value, warnings *to)
{
    jaeger_value item;
    if (value->type != JAEGER_VALUE_ARRAY) {
        jg_buf_clear(&w->text);
        jg_value_text(&w->text, value);
        if (!jg_buf_ok(&w->text))
            w->json->buf->failed = true;
        else if (to)
            add_waiting(w, to, jg_buf_view(&w->text));
        else
            jg_json_str(w->json, jg_buf_view(&w->text));
        return;
    }
    for (jaeger_iter it = jaeger_array_values(*value); jaeger_next_value(&it, &item) && keep_going(w);) {
        jaeger_str text = item.type == JAEGER_VALUE_STRING ? item.u.s : JAEGER_STR("");
        if (to)
            add_waiting(w, to, text);
        else
            jg_json_str(w->json, text);
    }
}

/** @param earlier those of spans with its id; NULL: none */
static void write_warnings(writer *w, const own_warnings *own, const warnings *earlier)
{
    jg_json_key_lit(w->json, "warnings");
    if (!own->shown) {
        jg_json_null(w->json);
        return;
    }
    jg_json_array(w->json);
    for (const warning *item = earlier ? earlier->first : NULL; item && keep_going(w); item = item->next)
        jg_json_str(w->json, item->text);
    if (own->there)
        put_warnings(w, &own->value, NULL);
    jg_json_end(w->json);
}

/* ---- spans ---- */

static uint64_t epoch_us(uint64_t unix_ns)
{
    return (uint64_t)((int64_t)unix_ns / 1000);
}

/** Truncated, saturating like Go's time.Duration; a negative one wraps. */
static uint64_t duration_us(const jaeger_span *span)
{
    int64_t ns;
    if (__builtin_sub_overflow((int64_t)span->end_unix_ns, (int64_t)span->start_unix_ns, &ns))
        ns = (int64_t)span->end_unix_ns < 0 ? INT64_MIN : INT64_MAX;
    return (uint64_t)(ns / 1000);
}

static void write_reference(writer *w, bool child_of, const uint8_t *trace_id, const uint8_t *span_id)
{
    jg_json_object(w->json);
    jg_json_key_lit(w->json, "refType");
    if (child_of)
        jg_json_str_lit(w->json, "CHILD_OF");
    else
        jg_json_str_lit(w->json, "FOLLOWS_FROM");
    jg_json_key_lit(w->json, "traceID");
    write_trace_id(w->json, trace_id);
    jg_json_key_lit(w->json, "spanID");
    write_id(w->json, span_id, 8);
    jg_json_end(w->json);
}

static bool link_is_child_of(const jaeger_link *link)
{
    jaeger_attr attr;
    return jaeger_find_attr(jaeger_link_attrs(link), JAEGER_STR("opentracing.ref_type"), &attr) &&
           attr.value.type == JAEGER_VALUE_STRING && jg_str_is(attr.value.u.s, "child_of");
}

static bool link_is_to_parent(const jaeger_span *span, const jaeger_link *link)
{
    return memcmp(link->trace_id, span->trace_id, 16) == 0 &&
           memcmp(link->span_id, span->parent_span_id, 8) == 0;
}

static void write_references(writer *w, const jaeger_span *span, jaeger_iter links)
{
    jaeger_link link;
    bool has_parent = !jg_id_is_zero(span->parent_span_id, 8), parent_is_child_of = true;
    jg_json_key_lit(w->json, "references");
    jg_json_array(w->json);
    if (has_parent) { /* first; a link to the parent only says of which type the reference is */
        for (jaeger_iter it = links; jaeger_next_link(&it, &link);)
            if (link_is_to_parent(span, &link))
                parent_is_child_of = link_is_child_of(&link);
        write_reference(w, parent_is_child_of, span->trace_id, span->parent_span_id);
    }
    for (jaeger_iter it = links; jaeger_next_link(&it, &link) && keep_going(w);)
        if (!has_parent || !link_is_to_parent(span, &link))
            write_reference(w, link_is_child_of(&link), link.trace_id, link.span_id);
    jg_json_end(w->json);
}

/** The last span with an id keeps its warnings from the tags. */
static bool is_tag(const jaeger_span *span, const jaeger_attr *attr, own_warnings *own)
{
    if (JG_LIKELY(!is_warnings(attr->key)))
        return true;
    if (!own->seen && !is_empty_list(attr->value)) {
        own->there = true;
        own->value = attr->value;
        own->shown |= !(span->id_marks & JAEGER_ID_COMES_AGAIN);
    }
    own->seen = true;
    return !own->shown;
}

static void write_span_tags(writer *w, const jaeger_span *span, const jg_span_scan *scan, own_warnings *own)
{
    jg_json_out *json = w->json;
    jaeger_scope scope;
    jaeger_scope_read(span->group, &scope);
    jg_json_key_lit(json, "tags");
    jg_json_array(json);
    if (scope.name.len)
        write_str_tag(json, JAEGER_STR("otel.scope.name"), scope.name);
    if (scope.version.len)
        write_str_tag(json, JAEGER_STR("otel.scope.version"), scope.version);
    jaeger_attr attr;
    for (jaeger_iter it = scan->attrs; jg_attr_next(&it, &attr) && keep_going(w);)
        if (is_tag(span, &attr, own))
            write_attr(w, &attr);
    jaeger_str kind = jg_kind_text(span->kind);
    if (kind.len)
        write_str_tag(json, JAEGER_STR("span.kind"), kind);
    if (span->status_code == JAEGER_STATUS_OK)
        write_str_tag(json, JAEGER_STR("otel.status_code"), JAEGER_STR("OK"));
    if (span->status_code == JAEGER_STATUS_ERROR) {
        write_str_tag(json, JAEGER_STR("otel.status_code"), JAEGER_STR("ERROR"));
        begin_tag(json, JAEGER_STR("error"), JAEGER_STR("\"bool\""));
        jg_json_bool(json, true);
        jg_json_end(json);
    }
    if (scan->rest.status_message.len)
        write_str_tag(json, JAEGER_STR("otel.status_description"), scan->rest.status_message);
    if (scan->rest.trace_state.len)
        write_str_tag(json, JAEGER_STR("w3c.tracestate"), scan->rest.trace_state);
    jg_json_end(json);
}

static void write_logs(writer *w, jaeger_iter events)
{
    jaeger_event event;
    jaeger_attr attr;
    jg_json_key_lit(w->json, "logs");
    jg_json_array(w->json);
    while (jaeger_next_event(&events, &event) && keep_going(w)) {
        jg_json_object(w->json);
        jg_json_key_lit(w->json, "timestamp");
        jg_json_u64(w->json, epoch_us(event.time_unix_ns));
        jg_json_key_lit(w->json, "fields");
        jg_json_array(w->json);
        if (event.name.len && !jaeger_find_attr(jaeger_event_attrs(&event), JAEGER_STR("event"), &attr))
            write_str_tag(w->json, JAEGER_STR("event"), event.name);
        for (jaeger_iter it = jaeger_event_attrs(&event); jg_attr_next(&it, &attr) && keep_going(w);)
            write_attr(w, &attr);
        jg_json_end(w->json);
        jg_json_end(w->json);
    }
    jg_json_end(w->json);
}

static void write_span(writer *w, const jaeger_span *span)
{
    jg_json_out *json = w->json;
    jg_span_scan scan;
    jg_span_scan_of(span, &scan);
    const warnings *earlier = span->id_marks == JAEGER_ID_CAME_BEFORE ? waiting_of(w, span, false) : NULL;
    own_warnings own = {.shown = earlier != NULL};
    jg_json_object(json);
    jg_json_key_lit(json, "traceID");
    write_trace_id(json, span->trace_id);
    jg_json_key_lit(json, "spanID");
    write_id(json, span->span_id, 8);
    jg_json_key_lit(json, "operationName");
    jg_json_str(json, span->name);
    write_references(w, span, scan.links);
    jg_json_key_lit(json, "startTime");
    jg_json_u64(json, epoch_us(span->start_unix_ns));
    jg_json_key_lit(json, "duration");
    jg_json_u64(json, duration_us(span));
    write_span_tags(w, span, &scan, &own);
    write_logs(w, scan.events);
    jg_json_key_lit(json, "processID");
    jg_json_str(json, process_of(w, span->group));
    write_warnings(w, &own, earlier);
    jg_json_end(json);
    if (own.there && span->id_marks & JAEGER_ID_COMES_AGAIN) {
        warnings *waiting = waiting_of(w, span, true);
        if (waiting)
            put_warnings(w, &own.value, waiting);
    }
}

/* ---- traces ---- */

jg_jaeger_json *jg_jaeger_json_new(jg_json_out *json, jg_json_flush flush)
{
    writer *w = jg_calloc(1, sizeof *w);
    if (!w)
        return NULL;
    *w = (writer){.json = json, .flush = flush, .text = JG_BUF_INIT(TEXT_BYTES_MAX)};
    w->arena = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX);
    if (w->arena)
        return w;
    jg_free(w);
    return NULL;
}

static void forget_trace(writer *w)
{
    jg_map_done(&w->processes);
    jg_map_done(&w->waiting);
    w->process_texts = NULL;
    w->process_count = w->process_cap = 0;
    jaeger_arena_reset(w->arena);
}

void jg_jaeger_json_free(jg_jaeger_json *w)
{
    if (!w)
        return;
    forget_trace(w);
    jaeger_arena_free(w->arena);
    jg_buf_done(&w->text);
    jg_free(w);
}

static void begin_trace(writer *w, const uint8_t *trace_id)
{
    memcpy(w->trace_id, trace_id, sizeof w->trace_id);
    w->is_open = true;
    jg_json_object(w->json);
    jg_json_key_lit(w->json, "traceID");
    write_trace_id(w->json, trace_id);
    jg_json_key_lit(w->json, "spans");
    jg_json_array(w->json);
}

static void end_trace(writer *w)
{
    if (!w->is_open)
        return;
    w->is_open = false;
    jg_json_end(w->json);
    write_processes(w);
    jg_json_key_lit(w->json, "warnings");
    jg_json_null(w->json);
    jg_json_end(w->json);
    forget_trace(w);
    (void)keep_going(w);
}

jaeger_status jg_jaeger_json_add(jg_jaeger_json *w, const jaeger_batch *batch, jaeger_error *err)
{
    const jaeger_span *spans = jaeger_batch_spans(batch);
    size_t n = jaeger_batch_span_count(batch);
    w->err = err;
    w->group = NULL;
    if (n && (!w->is_open || memcmp(w->trace_id, spans[0].trace_id, sizeof w->trace_id) != 0)) {
        end_trace(w);
        begin_trace(w, spans[0].trace_id);
    }
    for (size_t i = 0; i < n && keep_going(w); i++)
        write_span(w, &spans[i]);
    return w->status;
}

jaeger_status jg_jaeger_json_end(jg_jaeger_json *w, jaeger_error *err)
{
    w->err = err;
    end_trace(w);
    return w->status;
}

/* ---- what encoding/json refuses ---- */

static jaeger_status check_attrs(jaeger_iter attrs, jaeger_error *err)
{
    jaeger_attr attr;
    while (jaeger_next_attr(&attrs, &attr))
        if (attr.value.type == JAEGER_VALUE_DOUBLE)
            JG_TRY(check_double(attr.value.u.d, err));
    return JAEGER_OK;
}

jaeger_status jg_jaeger_json_check_trace(const jaeger_batch *trace, jaeger_error *err)
{
    const jaeger_span *spans = jaeger_batch_spans(trace);
    const jaeger_span_group *checked = NULL;
    jaeger_event event;
    for (size_t i = 0; i < jaeger_batch_span_count(trace); i++) {
        JG_TRY(check_attrs(jaeger_span_attrs(&spans[i]), err));
        for (jaeger_iter it = jaeger_span_events(&spans[i]); jaeger_next_event(&it, &event);)
            JG_TRY(check_attrs(jaeger_event_attrs(&event), err));
        if (spans[i].group != checked)
            JG_TRY(check_attrs(jaeger_resource_attrs(spans[i].group), err));
        checked = spans[i].group;
    }
    return JAEGER_OK;
}
