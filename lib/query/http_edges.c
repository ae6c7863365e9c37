/* SPDX-License-Identifier: Apache-2.0
 * Calls between services with their errors and times, of the newest traces: what the map shows beside the
 * counts of /api/dependencies, which know no errors. One span whose parent belongs to another service is one
 * call. Traces are read, newest first, until a time is over; the answer says of how many it is, and whether
 * these are all.
 */
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/map.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/id_table.h"
#include "query/http_api.h"

#define TRACES_DEFAULT 300
#define TRACES_MAX     20000
#define TIME_NS        (3 * JG_NS_PER_S) /* a page waits for it */
#define EDGES_MAX      20000             /* a map of so many cannot be drawn */

typedef struct edge {
    jaeger_str parent, child;
    uint64_t calls, errors;
    double total_ns;
} edge;

typedef struct edges {
    jg_map at; /* "parent\0child" -> index + 1 */
    edge *items;
    size_t count, cap;
    size_t traces;
    uint64_t end_ns; /* CLOCK_MONOTONIC: no trace is begun after it */
    bool late;       /* it came before the traces ended */
    bool stopped_early;
    jaeger_arena *scratch; /* of one trace */
} edges;

static void edges_done(edges *list)
{
    jg_map_done(&list->at);
    jaeger_arena_free(list->scratch);
}

static edge *edge_of(edges *list, jaeger_str parent, jaeger_str child, jaeger_arena *arena)
{
    bool is_new;
    jaeger_str key =
        jg_arena_printf(list->scratch, "%.*s%c%.*s", JAEGER_STR_ARGS(parent), 0, JAEGER_STR_ARGS(child));
    if (!key.ptr)
        return NULL;
    size_t index = (size_t)(uintptr_t)jg_map_get(&list->at, key);
    if (index)
        return &list->items[index - 1];
    if (list->count == EDGES_MAX)
        return NULL;
    edge *grown = jg_arena_grow(arena, list->items, list->count, &list->cap, sizeof *grown);
    char *kept = grown ? jaeger_arena_alloc(arena, key.len + 1) : NULL;
    if (!kept)
        return NULL;
    memcpy(kept, key.ptr, key.len);
    list->items = grown;
    jg_map_entry *entry = jg_map_put(&list->at, (jaeger_str){kept, key.len}, &is_new);
    if (!entry)
        return NULL;
    list->items[list->count++] =
        (edge){.parent = {kept, parent.len}, .child = {kept + parent.len + 1, child.len}};
    entry->value = (void *)(uintptr_t)list->count;
    return &list->items[list->count - 1];
}

/** The spans of one trace whose parent is another service's. */
static bool count_calls(edges *list, const jaeger_span *spans, size_t n, jaeger_arena *arena)
{
    jg_id_table ids;
    jaeger_arena_reset(list->scratch);
    if (!jg_id_table_of_spans(&ids, list->scratch, spans, n))
        return false;
    for (uint32_t i = 0; i < n; i++) {
        const jaeger_span *span = &spans[i];
        uint64_t parent = jg_span_id_number(span->parent_span_id);
        uint32_t at = parent ? jg_id_table_slot(&ids, parent)->index : JG_NO_INDEX;
        if (at == JG_NO_INDEX || jg_str_eq(spans[at].group->service, span->group->service))
            continue;
        edge *e = edge_of(list, spans[at].group->service, span->group->service, arena);
        if (!e)
            return false;
        e->calls++;
        e->errors += span->status_code == JAEGER_STATUS_ERROR;
        e->total_ns +=
            span->end_unix_ns > span->start_unix_ns ? (double)(span->end_unix_ns - span->start_unix_ns) : 0;
    }
    return true;
}

static jaeger_status on_trace(void *self, jaeger_batch *take, jaeger_call *call)
{
    edges *list = self;
    JG_AUTO_BATCH jaeger_batch *trace = take;
    JG_TRY(jaeger_call_check(call));
    if (list->traces && jg_clock_mono_ns() >= list->end_ns) {
        list->late = true;
        return JAEGER_CANCELLED; /* enough */
    }
    list->traces++;
    if (!count_calls(list, jaeger_batch_spans(trace), jaeger_batch_span_count(trace), call->arena))
        return jg_fail(&call->error, JAEGER_RESOURCE_EXHAUSTED, "too many connections to count");
    return JAEGER_OK;
}

/** @param limit how many traces could be read */
static void write_edges(jg_http_call *c, const edges *list, size_t limit)
{
    jg_json_out *json = &c->json;
    jg_json_object(json);
    jg_json_key_lit(json, "traces");
    jg_json_u64(json, list->traces);
    jg_json_key_lit(json, "more");
    jg_json_bool(json, list->late || list->stopped_early || list->traces >= limit);
    if (list->stopped_early) {
        jg_json_key_lit(json, "stoppedEarly");
        jg_json_bool(json, true);
    }
    jg_json_key_lit(json, "edges");
    jg_json_array(json);
    for (size_t i = 0; i < list->count; i++) {
        const edge *e = &list->items[i];
        jg_json_object(json);
        jg_json_key_lit(json, "parent");
        jg_json_str(json, e->parent);
        jg_json_key_lit(json, "child");
        jg_json_str(json, e->child);
        jg_json_key_lit(json, "calls");
        jg_json_u64(json, e->calls);
        jg_json_key_lit(json, "errors");
        jg_json_u64(json, e->errors);
        jg_json_key_lit(json, "meanNs");
        jg_json_u64(json, (uint64_t)(e->total_ns / (double)e->calls));
        jg_json_end(json);
    }
    jg_json_end(json);
    jg_json_end(json);
}

void jg_ui_api_edges(jg_http_call *c)
{
    JG_CLEANUP(edges_done)
    edges list = {.scratch = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX),
                  .end_ns = jg_clock_mono_ns() + TIME_NS};
    jaeger_error err = {0};
    int64_t end_ms = (int64_t)(jg_clock_unix_ns() / 1000000), lookback_ms = 3600000, limit = TRACES_DEFAULT;
    if (jg_api_int_param(c, "endTs", &end_ms, &err) != JAEGER_OK ||
        jg_api_int_param(c, "lookback", &lookback_ms, &err) != JAEGER_OK ||
        jg_api_int_param(c, "limit", &limit, &err) != JAEGER_OK) {
        jg_api_fail_parse(c, &err);
        return;
    }
    jaeger_trace_query find = {.size = sizeof find,
                               .service = jg_http_param(c, "service"),
                               .start_max_unix_ns = jg_api_unix_ns(end_ms, 1000000),
                               .limit = limit < 1 ? 1 : (uint32_t)JG_MIN(limit, TRACES_MAX),
                               .stopped_early = &list.stopped_early};
    uint64_t back = jg_api_unix_ns(lookback_ms, 1000000);
    find.start_min_unix_ns = find.start_max_unix_ns > back ? find.start_max_unix_ns - back : 0;
    jaeger_status status = list.scratch
                               ? jaeger_query_find_traces(c->http->query, &find, (jaeger_read_options){0},
                                                          (jaeger_consumer){on_trace, &list}, c->call)
                               : jg_fail_oom(&c->call->error);
    if (status != JAEGER_OK && !list.late) {
        jg_api_fail_query(c, status);
        return;
    }
    jg_http_json_begin(c, false);
    write_edges(c, &list, find.limit);
    jg_http_json_end(c);
}
