/* SPDX-License-Identifier: Apache-2.0
 * See jaeger_json.h. Spans are written straight from their wire bytes; what is kept meanwhile is the table of
 * distinct processes and some 40 bytes a span to know spans that share an id.
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
#include "model/id_table.h"
#include "model/value_text.h"
#include <math.h>
#include <stdio.h>

#define SAFE_INTEGER_MAX ((1ll << 53) - 1) /* above it a browser rounds */
#define TEXT_BYTES_MAX                                                                                       \
    (64u << 20) /* one process or value as text; it comes from one message, which is smaller */

typedef struct writer {
    jg_json_out *json;
    jg_json_flush flush;
    jaeger_error *err;
    jaeger_status status;
    const jaeger_batch *trace;
    jaeger_arena *arena; /* process texts, and the tables below */
    jg_map processes;    /* text -> number as pointer */
    jaeger_str *process_texts;
    size_t process_count, process_cap;
    uint32_t *group_process;  /* by group; 0: not seen yet */
    uint32_t *same_id_before; /* by span: the one before with the same id, or JG_NO_INDEX */
    jg_id_table last_of_id;
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

static void begin_tag(jg_json_out *json, jaeger_str key, const char *type)
{
    jg_json_object(json);
    jg_json_key_lit(json, "key");
    jg_json_str(json, key);
    jg_json_key_lit(json, "type");
    jg_json_str(json, jg_str(type));
    jg_json_key_lit(json, "value");
}

static void write_str_tag(jg_json_out *json, jaeger_str key, jaeger_str value)
{
    begin_tag(json, key, "string");
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
    static const char *const types[] = {
        [JAEGER_VALUE_EMPTY] = "string", [JAEGER_VALUE_STRING] = "string",  [JAEGER_VALUE_BOOL] = "bool",
        [JAEGER_VALUE_INT] = "int64",    [JAEGER_VALUE_DOUBLE] = "float64", [JAEGER_VALUE_ARRAY] = "string",
        [JAEGER_VALUE_MAP] = "string",   [JAEGER_VALUE_BYTES] = "binary"};
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

/** @param without_warnings leave the warnings attribute out */
static void write_tags(writer *w, jaeger_iter attrs, bool without_warnings)
{
    jaeger_attr attr;
    while (jaeger_next_attr(&attrs, &attr) && keep_going(w))
        if (!(without_warnings && is_warnings(attr.key)))
            write_tag(w, w->json, attr.key, &attr.value);
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

static uint32_t process_of(writer *w, const jaeger_span_group *group)
{
    uint32_t *known = &w->group_process[group - jg_batch_groups(w->trace)];
    if (*known)
        return *known;
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
    *known = (uint32_t)(uintptr_t)number;
    return *known;
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

/* ---- spans that share an id ---- */

static jg_id_slot *last_slot(const writer *w, const uint8_t span_id[8])
{
    return jg_id_table_slot(&w->last_of_id, jg_span_id_number(span_id));
}

static jaeger_status index_ids(writer *w)
{
    size_t n = jaeger_batch_span_count(w->trace);
    w->same_id_before = jaeger_arena_alloc(w->arena, n * sizeof(uint32_t));
    w->group_process = jg_arena_zalloc(w->arena, jg_batch_group_count(w->trace) * sizeof(uint32_t));
    if (!w->same_id_before || !w->group_process || !jg_id_table_init(&w->last_of_id, w->arena, n))
        return jg_fail_oom(w->err);
    for (uint32_t i = 0; i < n; i++) {
        jg_id_slot *slot = last_slot(w, jaeger_batch_spans(w->trace)[i].span_id);
        w->same_id_before[i] = slot->index;
        slot->index = i;
    }
    return JAEGER_OK;
}

static size_t warning_count(const jaeger_span *span, jaeger_value *ret)
{
    jaeger_attr attr;
    jaeger_value item;
    size_t n = 0;
    if (!jaeger_find_attr(jaeger_span_attrs(span), JAEGER_STR(JG_WARNINGS_ATTRIBUTE), &attr))
        return 0;
    *ret = attr.value;
    if (attr.value.type != JAEGER_VALUE_ARRAY)
        return 1;
    for (jaeger_iter it = jaeger_array_values(attr.value); jaeger_next_value(&it, &item);)
        n++;
    return n;
}

/** Do span `index` and those before it with its id have warnings that it shall show? */
static bool shows_warnings(const writer *w, uint32_t index)
{
    const jaeger_span *spans = jaeger_batch_spans(w->trace);
    jaeger_value value;
    if (last_slot(w, spans[index].span_id)->index != index)
        return false;
    for (uint32_t i = index; i != JG_NO_INDEX; i = w->same_id_before[i])
        if (warning_count(&spans[i], &value))
            return true;
    return false;
}

static void write_span_warnings(writer *w, const jaeger_span *span)
{
    jaeger_value value, item;
    if (!warning_count(span, &value))
        return;
    if (value.type != JAEGER_VALUE_ARRAY) {
        write_text_value(w, w->json, &value);
        return;
    }
    for (jaeger_iter it = jaeger_array_values(value); jaeger_next_value(&it, &item) && keep_going(w);)
        jg_json_str(w->json, item.type == JAEGER_VALUE_STRING ? item.u.s : JAEGER_STR(""));
}

static void write_warnings(writer *w, uint32_t index, bool shown)
{
    jg_json_key_lit(w->json, "warnings");
    if (!shown) {
        jg_json_null(w->json);
        return;
    }
    jg_json_array(w->json);
    /* oldest first: turn the list around, write, and turn it back */
    uint32_t first = JG_NO_INDEX, i = index;
    while (i != JG_NO_INDEX) {
        uint32_t before = w->same_id_before[i];
        w->same_id_before[i] = first;
        first = i;
        i = before;
    }
    uint32_t back = JG_NO_INDEX;
    for (i = first; i != JG_NO_INDEX;) {
        write_span_warnings(w, &jaeger_batch_spans(w->trace)[i]);
        uint32_t after = w->same_id_before[i];
        w->same_id_before[i] = back;
        back = i;
        i = after;
    }
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
    jg_json_str(w->json, child_of ? JAEGER_STR("CHILD_OF") : JAEGER_STR("FOLLOWS_FROM"));
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

static void write_references(writer *w, const jaeger_span *span)
{
    jaeger_link link;
    bool has_parent = !jg_id_is_zero(span->parent_span_id, 8), parent_is_child_of = true;
    jg_json_key_lit(w->json, "references");
    jg_json_array(w->json);
    if (has_parent) { /* first; a link to the parent only says of which type the reference is */
        for (jaeger_iter it = jaeger_span_links(span); jaeger_next_link(&it, &link);)
            if (link_is_to_parent(span, &link))
                parent_is_child_of = link_is_child_of(&link);
        write_reference(w, parent_is_child_of, span->trace_id, span->parent_span_id);
    }
    for (jaeger_iter it = jaeger_span_links(span); jaeger_next_link(&it, &link) && keep_going(w);)
        if (!has_parent || !link_is_to_parent(span, &link))
            write_reference(w, link_is_child_of(&link), link.trace_id, link.span_id);
    jg_json_end(w->json);
}

static void write_span_tags(writer *w, const jaeger_span *span, bool without_warnings)
{
    jg_json_out *json = w->json;
    jaeger_scope scope;
    jaeger_span_rest rest;
    jaeger_scope_read(span->group, &scope);
    jaeger_span_read_rest(span, &rest);
    jg_json_key_lit(json, "tags");
    jg_json_array(json);
    if (scope.name.len)
        write_str_tag(json, JAEGER_STR("otel.scope.name"), scope.name);
    if (scope.version.len)
        write_str_tag(json, JAEGER_STR("otel.scope.version"), scope.version);
    write_tags(w, jaeger_span_attrs(span), without_warnings);
    jaeger_str kind = jg_kind_text(span->kind);
    if (kind.len)
        write_str_tag(json, JAEGER_STR("span.kind"), kind);
    if (span->status_code == JAEGER_STATUS_OK)
        write_str_tag(json, JAEGER_STR("otel.status_code"), JAEGER_STR("OK"));
    if (span->status_code == JAEGER_STATUS_ERROR) {
        write_str_tag(json, JAEGER_STR("otel.status_code"), JAEGER_STR("ERROR"));
        begin_tag(json, JAEGER_STR("error"), "bool");
        jg_json_bool(json, true);
        jg_json_end(json);
    }
    if (rest.status_message.len)
        write_str_tag(json, JAEGER_STR("otel.status_description"), rest.status_message);
    if (rest.trace_state.len)
        write_str_tag(json, JAEGER_STR("w3c.tracestate"), rest.trace_state);
    jg_json_end(json);
}

static void write_logs(writer *w, const jaeger_span *span)
{
    jaeger_event event;
    jaeger_attr attr;
    jg_json_key_lit(w->json, "logs");
    jg_json_array(w->json);
    for (jaeger_iter it = jaeger_span_events(span); jaeger_next_event(&it, &event) && keep_going(w);) {
        jg_json_object(w->json);
        jg_json_key_lit(w->json, "timestamp");
        jg_json_u64(w->json, epoch_us(event.time_unix_ns));
        jg_json_key_lit(w->json, "fields");
        jg_json_array(w->json);
        if (event.name.len && !jaeger_find_attr(jaeger_event_attrs(&event), JAEGER_STR("event"), &attr))
            write_str_tag(w->json, JAEGER_STR("event"), event.name);
        write_tags(w, jaeger_event_attrs(&event), false);
        jg_json_end(w->json);
        jg_json_end(w->json);
    }
    jg_json_end(w->json);
}

static void write_span(writer *w, uint32_t index)
{
    const jaeger_span *span = &jaeger_batch_spans(w->trace)[index];
    jg_json_out *json = w->json;
    char process[16];
    bool shown = shows_warnings(w, index);
    jg_json_object(json);
    jg_json_key_lit(json, "traceID");
    write_trace_id(json, span->trace_id);
    jg_json_key_lit(json, "spanID");
    write_id(json, span->span_id, 8);
    jg_json_key_lit(json, "operationName");
    jg_json_str(json, span->name);
    write_references(w, span);
    jg_json_key_lit(json, "startTime");
    jg_json_u64(json, epoch_us(span->start_unix_ns));
    jg_json_key_lit(json, "duration");
    jg_json_u64(json, duration_us(span));
    write_span_tags(w, span, shown);
    write_logs(w, span);
    jg_json_key_lit(json, "processID");
    int len = snprintf(process, sizeof process, "p%u", process_of(w, span->group));
    jg_json_str(json, (jaeger_str){process, (size_t)len});
    write_warnings(w, index, shown);
    jg_json_end(json);
}

static void write_trace(writer *w)
{
    jg_json_out *json = w->json;
    size_t n = jaeger_batch_span_count(w->trace);
    jg_json_object(json);
    jg_json_key_lit(json, "traceID");
    if (n)
        write_trace_id(json, jaeger_batch_spans(w->trace)[0].trace_id);
    else
        jg_json_str(json, JAEGER_STR(""));
    jg_json_key_lit(json, "spans");
    jg_json_array(json);
    for (uint32_t i = 0; i < n && keep_going(w); i++)
        write_span(w, i);
    jg_json_end(json);
    write_processes(w);
    jg_json_key_lit(json, "warnings");
    jg_json_null(json);
    jg_json_end(json);
    (void)keep_going(w);
}

jaeger_status jg_jaeger_json_write_trace(jg_json_out *json, const jaeger_batch *trace, jg_json_flush flush,
                                         jaeger_error *err)
{
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX);
    writer w = {.json = json,
                .flush = flush,
                .err = err,
                .trace = trace,
                .arena = arena,
                .text = JG_BUF_INIT(TEXT_BYTES_MAX)};
    if (!arena)
        return jg_fail_oom(err);
    w.status = index_ids(&w);
    if (w.status == JAEGER_OK)
        write_trace(&w);
    jg_map_done(&w.processes);
    jg_buf_done(&w.text);
    return w.status;
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
