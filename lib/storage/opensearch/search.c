/* SPDX-License-Identifier: Apache-2.0
 * The slots that search for traces and read them by id.
 *
 * A filter is first asked for as far as the index knows (query_filter.c); then the traces are read and
 * tested, newest first, until enough have passed.
 */
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/match.h"
#include "model/trace.h"
#include "storage/opensearch/read.h"
#include "storage/opensearch/slots.h"
#include "storage/opensearch/span_read.h"

#define LIMIT_DEFAULT  100u
#define TESTED_AT_ONCE 32u
#define BUCKETS_MAX    10000u /* search.max_buckets of older clusters; they refuse more */

/* ---- asking ---- */

jg_os_window jg_os_default_window(const jg_os_store *store)
{
    uint64_t now = jg_clock_unix_ns(), age = store->config->max_span_age_ns;
    bool any = store->index[JG_OS_SPANS].by_alias || age >= now;
    return (jg_os_window){any ? 0 : now - age, UINT64_MAX};
}

jaeger_status jg_os_search(jg_os_store *store, jg_os_kind kind, jg_os_window window, const jg_buf *body,
                           jg_http_answer *ret, jaeger_call *call)
{
    JG_AUTO_BUF jg_buf path = JG_BUF_INIT(16u << 10);
    jg_buf_byte(&path, '/');
    jg_os_put_read_indices(&path, &store->index[kind], window.start_unix_ns, window.end_unix_ns,
                           kind == JG_OS_SAMPLING ? NULL : &store->config->remote_read_clusters,
                           JG_OS_LIST_PATH);
    jg_buf_printf(&path, "/_search?ignore_unavailable=true&rest_total_hits_as_int=true%c", 0);
    if (!jg_buf_ok(&path) || !jg_buf_ok(body))
        return jg_fail_oom(&call->error);
    const jg_os_request request = {.path = (const char *)path.data, .body = jg_buf_view(body)};
    for (unsigned n = 0;; n++) {
        jaeger_status status = jg_os_ask(store->client, &request, ret, call);
        if (status != JAEGER_UNAVAILABLE || n + 1 == JG_OS_READ_TRIES ||
            !jg_os_wait(JG_OS_READ_WAIT_NS << n, call))
            return status;
    }
}

void jg_os_note_partial(jg_os_store *store, const jg_os_partial *partial)
{
    if (!partial->failed_shards && !partial->timed_out)
        return;
    jg_metric_add(store->partial, 1);
    jaeger_log(store->log, JAEGER_WARN, "a search was answered in part failed_shards=%llu timed_out=%s",
               (unsigned long long)partial->failed_shards, partial->timed_out ? "true" : "false");
}

/* ---- ids ---- */

typedef struct id_list {
    jg_os_traces *list;
    uint64_t reach_ns; /* how far a trace may go beyond its span */
} id_list;

static jaeger_status add_id(void *self, const jg_os_bucket *bucket, jaeger_call *call)
{
    const id_list *ids = self;
    jg_os_trace trace = {.window = {0, UINT64_MAX}};
    if (!jg_os_read_id(bucket->key, trace.id, 16))
        return JAEGER_OK; /* not a trace's */
    if (bucket->value > 0 && bucket->value < 9e15) {
        uint64_t at = (uint64_t)bucket->value * JG_NS_PER_US;
        trace.window.start_unix_ns = at > ids->reach_ns ? at - ids->reach_ns : 0;
        trace.window.end_unix_ns = at + ids->reach_ns;
    }
    jg_os_trace *grown =
        jg_arena_grow(call->arena, ids->list->items, ids->list->count, &ids->list->cap, sizeof *grown);
    if (!grown)
        return jg_fail_oom(&call->error);
    ids->list->items = grown;
    grown[ids->list->count++] = trace;
    return JAEGER_OK;
}

jaeger_status jg_os_find_ids(jg_os_store *store, const jaeger_trace_query *query, uint64_t limit,
                             jg_os_traces *ret, jaeger_call *call)
{
    JG_AUTO_BUF jg_buf body = JG_BUF_INIT(4u << 20);
    jg_http_answer answer JG_CLEANUP(jg_os_answer_done) = {0};
    jg_os_partial partial = {0};
    jg_os_window window = jg_os_default_window(store);
    id_list ids = {ret, store->config->max_trace_duration_ns};
    if (query->start_min_unix_ns)
        window.start_unix_ns = query->start_min_unix_ns;
    if (query->start_max_unix_ns)
        window.end_unix_ns = query->start_max_unix_ns;
    if (window.end_unix_ns < window.start_unix_ns)
        return JAEGER_OK;
    jg_os_put_find_ids(&body, query, window, JG_MIN(limit, BUCKETS_MAX),
                       store->config->tags_as_fields.dot_replacement);
    JG_TRY(jg_os_search(store, JG_OS_SPANS, window, &body, &answer, call));
    JG_TRY(jg_os_read_buckets(jg_buf_view(&answer.body), "traceIDs", add_id, &ids, &partial, call));
    jg_os_note_partial(store, &partial);
    return JAEGER_OK;
}

static uint32_t limit_of(const jaeger_trace_query *query)
{
    return query->limit ? query->limit : LIMIT_DEFAULT;
}

/* ---- filters ---- */

/** One trace at a time is gathered, tested, and handed out if it passes. */
typedef struct sieve {
    jg_match match; /* without attributes: those were asked for */
    jaeger_consumer out;
    jg_os_traces *passed; /* NULL: nobody asks for ids */
    const jg_os_trace *traces;
    size_t trace_count;
    jaeger_batch **held;
    size_t held_count, held_cap, held_bytes;
    uint64_t left; /* traces that may still be handed out */
    bool fits;
} sieve;

static const uint8_t *held_id(const sieve *s)
{
    return jaeger_batch_spans(s->held[0])->trace_id;
}

static void drop_held(sieve *s)
{
    for (size_t i = 0; i < s->held_count; i++)
        jaeger_batch_unref(s->held[i]);
    s->held_count = s->held_bytes = 0;
    s->fits = false;
}

static jaeger_status note_passed(sieve *s, jaeger_call *call)
{
    for (size_t i = 0; s->passed && i < s->trace_count; i++) {
        if (memcmp(s->traces[i].id, held_id(s), 16) != 0)
            continue;
        jg_os_trace *grown =
            jg_arena_grow(call->arena, s->passed->items, s->passed->count, &s->passed->cap, sizeof *grown);
        if (!grown)
            return jg_fail_oom(&call->error);
        s->passed->items = grown;
        grown[s->passed->count++] = s->traces[i];
        break;
    }
    return JAEGER_OK;
}

/** The trace is complete. */
static jaeger_status pass_held(sieve *s, jaeger_call *call)
{
    jaeger_status status = JAEGER_OK;
    if (s->held_count && s->fits) {
        status = note_passed(s, call);
        for (size_t i = 0; i < s->held_count && status == JAEGER_OK && s->out.consume; i++)
            status = s->out.consume(s->out.self, jaeger_batch_ref(s->held[i]), call);
        s->left--;
    }
    drop_held(s);
    return status == JAEGER_OK && !s->left ? JAEGER_CANCELLED : status;
}

static jaeger_status sift(void *self, jaeger_batch *take, jaeger_call *call)
{
    sieve *s = self;
    JG_AUTO_BATCH jaeger_batch *batch = take;
    const jaeger_span *spans = jaeger_batch_spans(batch);
    if (s->held_count && memcmp(held_id(s), spans->trace_id, 16) != 0)
        JG_TRY(pass_held(s, call));
    for (size_t i = 0; i < jaeger_batch_span_count(batch) && !s->fits; i++)
        s->fits = jg_match_span(&s->match, &spans[i]);
    s->held_bytes += jaeger_batch_bytes(batch);
    if (s->held_bytes > JG_TRACE_BYTES_MAX)
        return jg_fail(&call->error, JAEGER_RESOURCE_EXHAUSTED, "a trace is larger than %u MiB",
                       JG_TRACE_BYTES_MAX >> 20);
    jaeger_batch **grown =
        jg_arena_grow(call->arena, s->held, s->held_count, &s->held_cap, sizeof(jaeger_batch *));
    if (!grown)
        return jg_fail_oom(&call->error);
    s->held = grown;
    grown[s->held_count++] = jaeger_batch_ref(batch);
    return JAEGER_OK;
}

/** @param passed NULL, or gets what was found */
static jaeger_status find_filtered(jg_os_store *store, const jaeger_trace_query *query, jaeger_consumer out,
                                   jg_os_traces *passed, jaeger_call *call)
{
    jg_os_traces found = {0};
    jaeger_trace_query simple = *query;
    sieve s = {.out = out, .passed = passed, .left = limit_of(query)};
    simple.attrs = NULL;
    simple.attr_count = 0;
    JG_TRY(jg_match_compile(&s.match, &simple, call->arena, &call->error));
    JG_TRY(jg_os_find_ids(store, query, JG_SEARCH_TRACES_MAX, &found, call));
    jaeger_status status = JAEGER_OK;
    for (size_t at = 0; at < found.count && status == JAEGER_OK; at += TESTED_AT_ONCE) {
        s.traces = found.items + at;
        s.trace_count = JG_MIN(found.count - at, TESTED_AT_ONCE);
        status = jg_os_read_traces(store, s.traces, s.trace_count, false, (jaeger_consumer){sift, &s}, call);
        if (status == JAEGER_OK)
            status = pass_held(&s, call);
    }
    drop_held(&s);
    return status == JAEGER_CANCELLED && !s.left ? JAEGER_OK : status;
}

/* ---- slots ---- */

/** A hint of the caller is widened by what a trace may be longer. */
static jg_os_trace trace_of(const jg_os_store *store, const jaeger_trace_ref *ref)
{
    uint64_t reach = store->config->max_trace_duration_ns;
    jg_os_trace trace = {.window = jg_os_default_window(store)};
    memcpy(trace.id, ref->trace_id, 16);
    if (ref->start_unix_ns)
        trace.window.start_unix_ns = ref->start_unix_ns;
    if (ref->end_unix_ns)
        trace.window.end_unix_ns =
            ref->end_unix_ns > UINT64_MAX - reach ? UINT64_MAX : ref->end_unix_ns + reach;
    trace.window.start_unix_ns = trace.window.start_unix_ns > reach ? trace.window.start_unix_ns - reach : 0;
    return trace;
}

jaeger_status jg_os_get_traces(void *self, const jaeger_trace_ref *refs, size_t n, jaeger_consumer out,
                               jaeger_call *call)
{
    jg_os_trace *traces = n ? jaeger_arena_alloc(call->arena, n * sizeof *traces) : NULL;
    if (n && !traces)
        return jg_fail_oom(&call->error);
    for (size_t i = 0; i < n; i++)
        traces[i] = trace_of(self, &refs[i]);
    return jg_os_read_traces(self, traces, n, false, out, call);
}

jaeger_status jg_os_find_traces(void *self, const jaeger_trace_query *query, jaeger_consumer out,
                                jaeger_call *call)
{
    jg_os_traces found = {0};
    if (query->filter)
        return find_filtered(self, query, out, NULL, call);
    JG_TRY(jg_os_find_ids(self, query, limit_of(query), &found, call));
    return jg_os_read_traces(self, found.items, found.count, false, out, call);
}

static jaeger_status find(jg_os_store *store, const jaeger_trace_query *query, jg_os_traces *ret,
                          jaeger_call *call)
{
    if (query->filter)
        return find_filtered(store, query, (jaeger_consumer){0}, ret, call);
    return jg_os_find_ids(store, query, limit_of(query), ret, call);
}

jaeger_status jg_os_find_trace_ids(void *self, const jaeger_trace_query *query, jaeger_trace_refs *ret,
                                   jaeger_call *call)
{
    jg_os_traces found = {0};
    JG_TRY(find(self, query, &found, call));
    for (size_t i = 0; i < found.count; i++) {
        const jg_os_window *w = &found.items[i].window;
        jaeger_trace_ref ref = {.start_unix_ns = w->start_unix_ns,
                                .end_unix_ns = w->end_unix_ns == UINT64_MAX ? 0 : w->end_unix_ns};
        memcpy(ref.trace_id, found.items[i].id, 16);
        JG_TRY(jaeger_trace_refs_add(ret, ref, call));
    }
    return JAEGER_OK;
}

/* ---- summaries ---- */

typedef struct summarizer {
    jaeger_summary_sink out;
    jg_summary summary;
    jaeger_batch *last; /* keeps the texts of the summary */
    jaeger_arena *arena, *texts;
    bool open;
} summarizer;

static jaeger_status end_summary(summarizer *s, jaeger_call *call)
{
    if (!s->open)
        return JAEGER_OK;
    s->open = false;
    jaeger_status status = s->out.summary(s->out.self, jg_summary_result(&s->summary), call);
    jg_summary_done(&s->summary);
    jaeger_arena_reset(s->arena);
    jaeger_arena_reset(s->texts);
    return status;
}

/** The spans' texts go with their batch: those that a summary keeps are copied. */
static jaeger_status summarize(void *self, jaeger_batch *take, jaeger_call *call)
{
    summarizer *s = self;
    JG_AUTO_BATCH jaeger_batch *batch = take;
    const jaeger_span *spans = jaeger_batch_spans(batch);
    if (s->open && memcmp(s->summary.sum.trace_id, spans->trace_id, 16) != 0)
        JG_TRY(end_summary(s, call));
    if (!s->open)
        jg_summary_init(&s->summary, s->arena);
    s->open = true;
    for (size_t i = 0; i < jaeger_batch_span_count(batch); i++) {
        jaeger_span span = spans[i];
        jaeger_span_group group = *span.group;
        group.service = group.service.ptr ? jaeger_arena_str(s->texts, group.service) : group.service;
        span.name = jaeger_arena_str(s->texts, span.name);
        span.group = &group;
        if ((spans[i].group->service.ptr && !group.service.ptr) || !span.name.ptr)
            return jg_fail_oom(&call->error);
        if (jg_summary_add(&s->summary, &span) != JAEGER_OK)
            return jg_fail_oom(&call->error);
    }
    return JAEGER_OK;
}

jaeger_status jg_os_find_summaries(void *self, const jaeger_trace_query *query, jaeger_summary_sink out,
                                   jaeger_call *call)
{
    jg_os_traces found = {0};
    JG_TRY(find(self, query, &found, call));
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX);
    JG_AUTO_ARENA jaeger_arena *texts = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX);
    if (!arena || !texts)
        return jg_fail_oom(&call->error);
    summarizer s = {.out = out, .arena = arena, .texts = texts};
    jaeger_status status =
        jg_os_read_traces(self, found.items, found.count, true, (jaeger_consumer){summarize, &s}, call);
    if (status == JAEGER_OK)
        return end_summary(&s, call);
    if (s.open)
        jg_summary_done(&s.summary);
    return status;
}
