/* SPDX-License-Identifier: Apache-2.0
 * What the built-in user interface asks beside the public APIs: a trace as columns (what a waterfall draws,
 * and no attributes), the full spans of the few rows that are looked at, and a search within the trace.
 * Format: docs/ui.md, "Trace columns". Numbers are little-endian, each column begins at a multiple of 8
 * bytes.
 */
#include "query/http_ui.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/id_table.h"
#include "query/http_api.h"
#include "query/span_find.h"
#include "wire/jaeger_json.h"
#include "wire/otlp_json.h"
#include <inttypes.h>

/** Bits of the flags column. */
enum { FLAG_ERROR = 1, FLAG_ORPHAN = 2, FLAG_EVENTS = 4, FLAG_LINKS = 8, FLAG_WARNINGS = 16, FLAG_OK = 32 };

/** One of the three requests while its trace is read. */
typedef struct trace_read {
    jg_http_call *c;
    jaeger_status (*write)(jg_http_call *c, jaeger_batch *trace);
    bool done; /* a trace comes in one batch; what else a driver sends is not ours */
} trace_read;

static jaeger_status on_trace(void *self, jaeger_batch *take, jaeger_call *call)
{
    trace_read *read = self;
    JG_AUTO_BATCH jaeger_batch *trace = take;
    (void)call;
    if (read->done)
        return JAEGER_OK;
    read->done = true;
    return read->write(read->c, trace);
}

void jg_ui_answer_from_trace(jg_http_call *c, jaeger_status (*write)(jg_http_call *c, jaeger_batch *trace))
{
    trace_read read = {.c = c, .write = write};
    jaeger_trace_ref ref = {0};
    jaeger_error err = {0};
    if (jg_trace_id_from_text(c->variable, ref.trace_id, &err) != JAEGER_OK) {
        jg_api_fail_parse(c, &err);
        return;
    }
    jg_http_json_begin(c, false);
    jaeger_status status = jaeger_query_get_trace(c->http->query, ref, (jaeger_read_options){0},
                                                  (jaeger_consumer){on_trace, &read}, c->call);
    if (status == JAEGER_OK && !read.done)
        status = jg_fail(&c->call->error, JAEGER_NOT_FOUND, "trace not found");
    if (status != JAEGER_OK)
        jg_api_fail_query(c, status);
    else if (c->status == 0 || c->begun)
        jg_http_json_end(c);
}

/* ---- columns ---- */

void jg_ui_strings_done(jg_ui_strings *list)
{
    jg_map_done(&list->numbers);
}

bool jg_ui_strings_put(jg_ui_strings *list, jaeger_arena *arena, jaeger_str text, uint32_t *ret)
{
    bool is_new;
    if (!text.ptr)
        text = JAEGER_STR("");
    jg_map_entry *entry = jg_map_put(&list->numbers, text, &is_new);
    if (!entry)
        return false;
    if (is_new) {
        jaeger_str *grown = jg_arena_grow(arena, list->items, list->count, &list->cap, sizeof *grown);
        if (!grown)
            return false;
        list->items = grown;
        list->items[list->count++] = text;
        entry->value = (void *)(uintptr_t)list->count;
    }
    *ret = (uint32_t)((uintptr_t)entry->value - 1);
    return true;
}

typedef struct columns {
    jg_ui_strings services, names;
    uint32_t *service, *name, *parent; /* parent: JG_NO_INDEX for none */
    uint8_t *flags;
    uint64_t begin_unix_ns;
} columns;

static void columns_done(columns *cols)
{
    jg_ui_strings_done(&cols->services);
    jg_ui_strings_done(&cols->names);
}

static uint8_t flags_of(const jaeger_span *span, bool is_orphan)
{
    jaeger_iter events = jaeger_span_events(span), links = jaeger_span_links(span);
    jaeger_event event;
    jaeger_link link;
    jaeger_attr warnings;
    uint8_t flags = is_orphan ? FLAG_ORPHAN : 0;
    if (span->status_code == JAEGER_STATUS_ERROR)
        flags |= FLAG_ERROR;
    if (span->status_code == JAEGER_STATUS_OK)
        flags |= FLAG_OK;
    if (jaeger_next_event(&events, &event))
        flags |= FLAG_EVENTS;
    if (jaeger_next_link(&links, &link))
        flags |= FLAG_LINKS;
    if (jaeger_find_attr(jaeger_span_attrs(span), jg_str(JG_WARNINGS_ATTRIBUTE), &warnings))
        flags |= FLAG_WARNINGS;
    return flags;
}

/** The first span with an id is its owner; a span is never its own parent. */
static bool find_parents(columns *cols, const jaeger_span *spans, size_t n, jaeger_arena *arena)
{
    jg_id_table ids;
    if (!jg_id_table_of_spans(&ids, arena, spans, n))
        return false;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t parent = jg_span_id_number(spans[i].parent_span_id);
        uint32_t index = parent ? jg_id_table_slot(&ids, parent)->index : JG_NO_INDEX;
        bool found = index != JG_NO_INDEX && index != i;
        cols->parent[i] = found ? index : JG_NO_INDEX;
        cols->flags[i] = flags_of(&spans[i], parent && !found);
    }
    return true;
}

static jaeger_status gather(columns *cols, const jaeger_span *spans, size_t n, jaeger_call *call)
{
    jaeger_arena *arena = call->arena;
    cols->service = jaeger_arena_alloc(arena, n * sizeof *cols->service);
    cols->name = jaeger_arena_alloc(arena, n * sizeof *cols->name);
    cols->parent = jaeger_arena_alloc(arena, n * sizeof *cols->parent);
    cols->flags = jaeger_arena_alloc(arena, n);
    bool ok =
        cols->service && cols->name && cols->parent && cols->flags && find_parents(cols, spans, n, arena);
    cols->begin_unix_ns = UINT64_MAX;
    for (size_t i = 0; i < n && ok; i++) {
        ok = jg_ui_strings_put(&cols->services, arena, spans[i].group->service, &cols->service[i]) &&
             jg_ui_strings_put(&cols->names, arena, spans[i].name, &cols->name[i]);
        if (spans[i].start_unix_ns)
            cols->begin_unix_ns = JG_MIN(cols->begin_unix_ns, spans[i].start_unix_ns);
    }
    if (cols->begin_unix_ns == UINT64_MAX)
        cols->begin_unix_ns = 0;
    return ok ? JAEGER_OK : jg_fail_oom(&call->error);
}

static void put_number(jg_buf *out, uint64_t number, size_t bytes)
{
    uint8_t little[8];
    for (size_t i = 0; i < bytes; i++, number >>= 8)
        little[i] = (uint8_t)number;
    jg_buf_append(out, little, bytes);
}

/** As a double: exact up to 2^53 ns (104 days), and what the page computes with. */
static void put_double(jg_buf *out, double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    put_number(out, bits, 8);
}

void jg_ui_strings_write(jg_json_out *json, const jg_ui_strings *list)
{
    jg_json_array(json);
    for (size_t i = 0; i < list->count; i++)
        jg_json_str(json, list->items[i]);
    jg_json_end(json);
}

/** "JTC1", length of the JSON, the JSON; blanks up to a multiple of 8. */
static jaeger_status put_head(jg_http_call *c, const columns *cols, const jaeger_span *first, size_t n,
                              jaeger_str etag)
{
    JG_AUTO_BUF jg_buf head = JG_BUF_INIT(JG_CALL_ARENA_BYTES_MAX);
    jg_json_out json = {.buf = &head};
    jg_json_object(&json);
    jg_json_key_lit(&json, "n");
    jg_json_u64(&json, n);
    jg_json_key_lit(&json, "traceId");
    jg_json_hex(&json, first->trace_id, 16);
    jg_json_key_lit(&json, "t0");
    jg_json_u64_str(&json, cols->begin_unix_ns);
    jg_json_key_lit(&json, "services");
    jg_ui_strings_write(&json, &cols->services);
    jg_json_key_lit(&json, "names");
    jg_ui_strings_write(&json, &cols->names);
    jg_json_key_lit(&json, "etag");
    jg_json_str(&json, etag);
    jg_json_end(&json);
    while (head.len % 8 && jg_buf_ok(&head))
        jg_buf_byte(&head, ' ');
    if (!jg_buf_ok(&head))
        return jg_fail_oom(&c->call->error);
    jg_buf_lit(&c->body, "JTC1");
    put_number(&c->body, head.len, 4);
    jg_buf_append(&c->body, head.data, head.len);
    return JAEGER_OK;
}

enum { COL_START, COL_DURATION, COL_ID, COL_PARENT, COL_SERVICE, COL_NAME, COL_KIND, COL_FLAGS, COL_COUNT };

static void put_cell(jg_buf *out, const columns *cols, const jaeger_span *span, size_t i, int column)
{
    switch (column) {
    case COL_START: /* a span without a start is drawn at the begin */
        put_double(out, span->start_unix_ns ? (double)(span->start_unix_ns - cols->begin_unix_ns) : 0);
        break;
    case COL_DURATION:
        put_double(out, span->start_unix_ns && span->end_unix_ns > span->start_unix_ns
                            ? (double)(span->end_unix_ns - span->start_unix_ns)
                            : 0);
        break;
    case COL_ID:
        jg_buf_append(out, span->span_id, 8);
        break;
    case COL_PARENT:
        put_number(out, cols->parent[i], 4);
        break;
    case COL_SERVICE:
        put_number(out, cols->service[i], 4);
        break;
    case COL_NAME:
        put_number(out, cols->name[i], 4);
        break;
    case COL_KIND:
        jg_buf_byte(out, span->kind);
        break;
    default:
        jg_buf_byte(out, cols->flags[i]);
    }
}

static jaeger_status put_column(jg_http_call *c, const columns *cols, const jaeger_span *spans, size_t n,
                                int column)
{
    static const uint8_t widths[COL_COUNT] = {8, 8, 8, 4, 4, 4, 1, 1};
    jg_json_flush flush = jg_http_flush(c);
    for (size_t i = 0; i < n; i++) {
        put_cell(&c->body, cols, &spans[i], i, column);
        if (c->body.len >= flush.at_bytes)
            JG_TRY(flush.flush(flush.self, &c->body));
    }
    for (size_t bytes = n * widths[column]; bytes % 8; bytes++)
        jg_buf_byte(&c->body, 0);
    return jg_buf_ok(&c->body) ? JAEGER_OK : jg_fail_oom(&c->call->error);
}

jaeger_str jg_ui_etag(jg_http_call *c, const jaeger_span *spans, size_t n)
{
    uint64_t sum = n;
    for (size_t i = 0; i < n; i++)
        sum = (sum << 7 | sum >> 57) ^ jg_span_id_number(spans[i].span_id) ^ spans[i].end_unix_ns;
    return jg_arena_printf(c->call->arena, "\"%zx-%" PRIx64 "\"", n, sum);
}

jaeger_status jg_ui_put_columns(jg_http_call *c, const jaeger_span *spans, size_t n, jaeger_str etag)
{
    JG_CLEANUP(columns_done) columns cols = {0};
    JG_TRY(gather(&cols, spans, n, c->call));
    c->content_type = JG_UI_COLUMNS_TYPE;
    JG_TRY(put_head(c, &cols, spans, n, etag));
    for (int column = 0; column < COL_COUNT; column++)
        JG_TRY(put_column(c, &cols, spans, n, column));
    return JAEGER_OK;
}

static jaeger_status write_columns(jg_http_call *c, jaeger_batch *trace)
{
    const jaeger_span *spans = jaeger_batch_spans(trace);
    size_t n = jaeger_batch_span_count(trace);
    if (n == 0)
        return jg_fail(&c->call->error, JAEGER_NOT_FOUND, "trace not found");
    jaeger_str etag = jg_ui_etag(c, spans, n);
    if (etag.ptr) {
        c->reply->add_header(c->reply->self, "ETag", etag);
        c->reply->add_header(c->reply->self, "Cache-Control", JAEGER_STR("no-cache"));
        if (jg_str_eq(jg_http_call_header(c, "if-none-match"), etag)) {
            jg_http_answer(c, 304, NULL, JAEGER_STR(""));
            return JAEGER_OK;
        }
    }
    return jg_ui_put_columns(c, spans, n, etag);
}

void jg_ui_api_trace(jg_http_call *c)
{
    jg_ui_answer_from_trace(c, write_columns);
}

/* ---- full spans ---- */

/** Indexes of the spans named in ?ids=, in wire order. @return how many */
static size_t chosen(const jaeger_batch *trace, const uint64_t *ids, size_t id_count, uint32_t *ret)
{
    const jaeger_span *spans = jaeger_batch_spans(trace);
    size_t n = jaeger_batch_span_count(trace), count = 0;
    for (uint32_t i = 0; i < n && count < JG_UI_SPANS_MAX; i++) {
        uint64_t id = jg_span_id_number(spans[i].span_id);
        for (size_t k = 0; k < id_count; k++) {
            if (ids[k] == id) {
                ret[count++] = i;
                break;
            }
        }
    }
    return count;
}

static size_t ids_of(jaeger_str list, uint64_t ret[JG_UI_SPANS_MAX])
{
    size_t count = 0;
    while (list.len && count < JG_UI_SPANS_MAX) {
        uint8_t id[8];
        size_t len = jg_str_find(list, ',');
        if (jg_hex_decode((jaeger_str){list.ptr, len}, id, 8))
            ret[count++] = jg_span_id_number(id);
        list = jg_str_skip(list, JG_MIN(len + 1, list.len));
    }
    return count;
}

static jaeger_status write_spans(jg_http_call *c, jaeger_batch *trace)
{
    JG_AUTO_BATCH jaeger_batch *part = NULL;
    uint64_t ids[JG_UI_SPANS_MAX];
    uint32_t indexes[JG_UI_SPANS_MAX];
    size_t count = chosen(trace, ids, ids_of(jg_http_param(c, "ids"), ids), indexes);
    JG_TRY(jg_batch_select(trace, indexes, count, &part, &c->call->error));
    jg_json_object(&c->json);
    jg_json_key_lit(&c->json, "resourceSpans");
    jg_json_array(&c->json);
    JG_TRY(jg_otlp_json_stream_resource_spans(&c->json, part, jg_http_flush(c)));
    jg_json_end(&c->json);
    jg_json_end(&c->json);
    return JAEGER_OK;
}

void jg_ui_api_spans(jg_http_call *c)
{
    jg_ui_answer_from_trace(c, write_spans);
}

/* ---- search ---- */

static jaeger_status write_matches(jg_http_call *c, jaeger_batch *trace)
{
    JG_CLEANUP(jg_span_find_done) jg_span_find find = {0};
    const jaeger_span *spans = jaeger_batch_spans(trace);
    size_t n = jaeger_batch_span_count(trace);
    jg_json_flush flush = jg_http_flush(c);
    jg_span_find_init(&find, jg_http_param(c, "q"));
    jg_json_object(&c->json);
    jg_json_key_lit(&c->json, "n");
    jg_json_u64(&c->json, n);
    jg_json_key_lit(&c->json, "matches");
    jg_json_array(&c->json);
    for (size_t i = 0; i < n; i++) {
        if (jg_span_find_matches(&find, &spans[i]))
            jg_json_u64(&c->json, i);
        if (c->body.len >= flush.at_bytes)
            JG_TRY(flush.flush(flush.self, &c->body));
    }
    jg_json_end(&c->json);
    jg_json_end(&c->json);
    return jg_buf_ok(&find.text) ? JAEGER_OK : jg_fail_oom(&c->call->error);
}

void jg_ui_api_find(jg_http_call *c)
{
    jg_ui_answer_from_trace(c, write_matches);
}

/* ---- who is logged in ---- */

static void put_tenants(jg_json_out *json, const jg_tenancy *tenancy, const jaeger_call *call)
{
    const jaeger_str_list *known = &tenancy->tenants;
    bool any = call->user_tenants && jg_tenancy_allows(&(jg_tenancy){0}, JAEGER_STR("*"), call);
    size_t n = any ? (tenancy->enabled ? known->count : 0) : call->user_tenant_count;
    const jaeger_str *items = any ? known->items : call->user_tenants;
    jg_json_key_lit(json, "tenants");
    jg_json_array(json);
    for (size_t i = 0; i < n; i++)
        if (jg_tenancy_allows(tenancy, items[i], call) && !jg_str_is(items[i], "*"))
            jg_json_str(json, items[i]);
    jg_json_end(json);
    jg_json_key_lit(json, "anyTenant");
    jg_json_bool(json, any && !(tenancy->enabled && known->count));
}

void jg_ui_api_session(jg_http_call *c)
{
    const jg_tenancy *tenancy = &c->http->tenancy;
    jg_json_out *json = &c->json;
    jg_http_json_begin(c, false);
    jg_json_object(json);
    jg_json_key_lit(json, "user");
    jg_json_str(json, c->call->user);
    jg_json_key_lit(json, "tenant");
    jg_json_str(json, c->call->tenant);
    put_tenants(json, tenancy, c->call);
    jg_json_key_lit(json, "header");
    jg_json_str(json, jg_tenancy_header(tenancy));
    jg_json_key_lit(json, "cookie");
    jg_json_str(json, JAEGER_STR(JG_TENANT_COOKIE));
    jg_json_end(json);
    c->reply->add_header(c->reply->self, "Cache-Control", JAEGER_STR("no-store"));
    jg_http_json_end(c);
}
