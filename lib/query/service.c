/* SPDX-License-Identifier: Apache-2.0
 * The query service: the primary store, then the archive; what a driver cannot do is done here.
 */
#include "query/service.h"

#include "core/alloc.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/expr.h"
#include "query/aggregate.h"
#include "query/gate.h"
#include "query/ranking.h"
#include "query/scan.h"
#include "query/summary.h"

#define LIMIT_DEFAULT   100               /* traces of a search that does not say how many */
#define SUGGEST_TIME_NS JG_NS_PER_S       /* of an index for suggestions: someone is typing */
#define CAPS_TIMEOUT_NS (5 * JG_NS_PER_S) /* a remote store that does not answer is the least capable one */

/** A store and how its calls are measured. */
typedef struct store {
    jaeger_storage storage;
    jg_measure measure;
} store;

struct jaeger_query {
    jaeger_query_options options;
    store traces, archive;
    jg_gate gate; /* of searches */
};

jaeger_status jaeger_query_new(const jaeger_query_options *options, jaeger_query **ret, jaeger_error *err)
{
    jaeger_query *query = jg_calloc(1, sizeof *query);
    if (!query)
        return jg_fail_oom(err);
    memcpy(&query->options, options, JG_MIN(options->size, sizeof query->options));
    if (!query->options.traces.driver) {
        jg_free(query);
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "query: no storage for traces");
    }
    query->traces.storage = query->options.traces;
    query->archive.storage = query->options.archive;
    if (!query->options.scan_traces)
        query->options.scan_traces = JG_SEARCH_TRACES_MAX;
    jg_gate_init(&query->gate, 0);
    *ret = query;
    return JAEGER_OK;
}

void jaeger_query_free(jaeger_query *query)
{
    if (query)
        jg_gate_done(&query->gate);
    jg_free(query);
}

void jg_query_measure(jaeger_query *query, jg_metrics *metrics, jaeger_str traces_name,
                      jaeger_str archive_name)
{
    jg_measure_init(&query->traces.measure, metrics, traces_name);
    if (jaeger_query_has_archive(query))
        jg_measure_init(&query->archive.measure, metrics, archive_name);
}

bool jg_query_takes_structured(const jaeger_query *query)
{
    return query->options.structured_filters;
}

bool jaeger_query_has_archive(const jaeger_query *query)
{
    return query->archive.storage.driver != NULL;
}

static void read_caps(const store *s, jaeger_storage_caps *ret)
{
    jaeger_call call = JAEGER_CALL_INIT;
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX);
    call.arena = arena;
    call.deadline_ns = jg_clock_mono_ns() + CAPS_TIMEOUT_NS;
    *ret = (jaeger_storage_caps){.size = sizeof *ret};
    if (!arena || !s->storage.driver->caps ||
        s->storage.driver->caps(s->storage.self, ret, &call) != JAEGER_OK)
        *ret = (jaeger_storage_caps){.size = sizeof *ret};
}

void jaeger_query_caps(jaeger_query *query, jaeger_storage_caps *ret)
{
    read_caps(&query->traces, ret);
}

/* ---- one trace ---- */

/** Passes chunks on and knows whether there was one. */
typedef struct forward {
    jaeger_consumer out;
    uint64_t count;
    jg_gate_pass pass; /* of a search: given back once it hands something out, as clients may be slow */
    jg_scan *scan;     /* NULL: not a search, or what takes the chunks is a part of it */
} forward;

static jaeger_status forward_chunk(void *self, jaeger_batch *take, jaeger_call *call)
{
    forward *f = self;
    jaeger_status status = jaeger_call_check(call);
    if (status != JAEGER_OK || jaeger_batch_span_count(take) == 0) {
        jaeger_batch_unref(take);
        return status;
    }
    f->count++;
    jg_gate_leave(&f->pass);
    if (f->scan)
        jg_scan_pause(f->scan, call);
    status = f->out.consume(f->out.self, take, call);
    if (f->scan)
        jg_scan_resume(f->scan, call);
    return status;
}

/** @param ret_found whether the store had the trace */
static jaeger_status read_trace(jaeger_query *query, const store *s, const jaeger_trace_ref *ref,
                                jaeger_read_options options, jaeger_consumer out, bool *ret_found,
                                jaeger_call *call)
{
    const jaeger_storage *storage = &s->storage;
    bool gathers = !options.raw || options.streamed;
    forward f = {.out = out};
    jg_aggregate whole = jg_aggregate_of(
        &(jg_aggregate_options){.out = {forward_chunk, &f},
                                .adjusts = !options.raw,
                                .marks_ids = options.streamed,
                                .reread = options.streamed ? storage : NULL,
                                .single = true,
                                .max_skew_ns = query->options.max_clock_skew_adjust_ns,
                                .max_spans = options.raw ? 0 : query->options.max_trace_spans});
    jaeger_consumer to = gathers ? jg_aggregate_consumer(&whole) : (jaeger_consumer){forward_chunk, &f};
    jg_measuring m;
    jg_measure_begin(&m, JG_OP_GET_TRACE, call);
    jaeger_status status = storage->driver->get_traces(storage->self, ref, 1, to, call);
    jg_measure_end(&s->measure, &m, status, f.count + (whole.count || whole.is_large));
    if (status == JAEGER_NOT_FOUND)
        status = JAEGER_OK;
    if (gathers)
        status = jg_aggregate_finish(&whole, status, call);
    *ret_found = f.count > 0;
    return status;
}

jaeger_status jaeger_query_get_trace(jaeger_query *query, jaeger_trace_ref ref, jaeger_read_options options,
                                     jaeger_consumer out, jaeger_call *call)
{
    bool found;
    JG_TRY(read_trace(query, &query->traces, &ref, options, out, &found, call));
    if (!found && jaeger_query_has_archive(query))
        JG_TRY(read_trace(query, &query->archive, &ref, options, out, &found, call));
    return found ? JAEGER_OK : jg_fail(&call->error, JAEGER_NOT_FOUND, "trace not found");
}

static jaeger_status write_chunk(void *self, jaeger_batch *take, jaeger_call *call)
{
    const jaeger_storage *archive = self;
    return archive->driver->write(archive->self, take, call);
}

jaeger_status jaeger_query_archive(jaeger_query *query, jaeger_trace_ref ref, jaeger_call *call)
{
    if (!jaeger_query_has_archive(query))
        return jg_fail(&call->error, JAEGER_FAILED_PRECONDITION, "archive span storage was not configured");
    jaeger_consumer to = {write_chunk, &query->archive.storage};
    return jaeger_query_get_trace(query, ref, (jaeger_read_options){.raw = true}, to, call);
}

/* ---- search ---- */

/** A search about to run: what the driver is asked, and what is left to us. */
typedef struct search {
    jaeger_query *query;
    jaeger_trace_query find;
    uint32_t limit; /* of traces handed out; the driver may be asked for more */
    jg_match compiled;
    const jg_match *match;       /* NULL: the driver does it all */
    const jaeger_filter *filter; /* what of it is left to us; NULL: nothing */
    bool has_pass;               /* of the gate, and a scan that runs; else the search asks for them */
    jg_scan scan;
} search;

/** Conditions that a driver without same_span_conjunction may have met on different spans. */
static size_t condition_count(const jaeger_trace_query *find)
{
    return (find->service.len > 0) + (find->operation.len > 0) + find->attr_count +
           (find->duration_min_ns > 0) + (find->duration_max_ns > 0);
}

static jaeger_status prepare(jaeger_query *query, const jaeger_trace_query *find, search *ret,
                             jaeger_call *call)
{
    *ret = (search){.query = query};
    memcpy(&ret->find, find, JG_MIN(find->size, sizeof ret->find));
    ret->find.size = sizeof ret->find;
    ret->limit = ret->find.limit;
    const jaeger_filter *filter = ret->find.filter;
    jaeger_storage_caps caps;
    if (filter) {
        read_caps(&query->traces, &caps);
        if (!caps.value_patterns) /* it would take the filter's texts for patterns */
            JG_TRY(jg_filter_narrow(filter, &ret->find, call->arena, &call->error));
    }
    bool is_compound = condition_count(&ret->find) > 1;
    if (ret->find.service.len && !is_compound && !filter)
        return JAEGER_OK;
    if (!filter)
        read_caps(&query->traces, &caps);
    if (filter && (!caps.filter || filter->needs_trace)) {
        ret->filter = filter;
        ret->find.limit = JG_MAX(ret->find.limit, query->options.scan_traces);
        is_compound = true; /* one span must meet the filter and the conditions: our test of it decides */
        caps.same_span_conjunction = false;
    }
    if (!caps.filter)
        ret->find.filter = NULL;
    if (ret->find.service.len == 0 && !caps.without_service_name)
        return jg_fail(&call->error, JAEGER_INVALID_ARGUMENT, JG_SERVICE_NAME_REQUIRED);
    if (is_compound && !caps.same_span_conjunction) {
        JG_TRY(jg_match_compile(&ret->compiled, &ret->find, call->arena, &call->error));
        ret->match = &ret->compiled;
    }
    return JAEGER_OK;
}

/** The scan of a search that is no page; only one that can tell of it ends by a budget. */
static void scan_of_search(search *f, jaeger_call *call)
{
    uint64_t configured = f->query->options.scan_time_ns;
    if (f->find.stopped_early)
        jg_scan_begin(&f->scan, configured ? configured : UINT64_MAX, call);
}

/** Ask for ids, then for their traces. */
static jaeger_status find_by_ids(const store *s, const jaeger_trace_query *find, jaeger_consumer out,
                                 jaeger_call *call)
{
    jaeger_trace_refs refs = {0};
    const jaeger_storage *storage = &s->storage;
    jg_measuring m;
    jg_measure_begin(&m, JG_OP_FIND_TRACE_IDS, call);
    jaeger_status status = storage->driver->find_trace_ids(storage->self, find, &refs, call);
    jg_measure_end(&s->measure, &m, status, refs.count);
    if (status != JAEGER_OK || refs.count == 0)
        return status;
    jg_measure_begin(&m, JG_OP_GET_TRACE, call);
    status = storage->driver->get_traces(storage->self, refs.items, refs.count, out, call);
    jg_measure_end(&s->measure, &m, status, refs.count);
    return status;
}

/** After it the scan stands still. */
static jaeger_status find_chunks(search *f, jaeger_consumer out, uint64_t *ret_count, jaeger_call *call)
{
    const store *s = &f->query->traces;
    const jaeger_storage_driver *driver = s->storage.driver;
    forward counted = {.out = out};
    if (!driver->find_traces && !driver->find_trace_ids)
        return jg_fail(&call->error, JAEGER_UNIMPLEMENTED, "storage '%s' cannot search for traces",
                       driver->name);
    if (!driver->find_traces)
        return find_by_ids(s, &f->find, out, call);
    if (!f->has_pass) {
        JG_TRY(jg_gate_enter(&f->query->gate, &counted.pass, call));
        scan_of_search(f, call);
        counted.scan = &f->scan;
    }
    jg_measuring m;
    jg_measure_begin(&m, JG_OP_FIND_TRACES, call);
    jaeger_status status =
        driver->find_traces(s->storage.self, &f->find, (jaeger_consumer){forward_chunk, &counted}, call);
    if (counted.scan)
        jg_scan_pause(counted.scan, call);
    jg_gate_leave(&counted.pass);
    jg_measure_end(&s->measure, &m, status, counted.count);
    *ret_count = counted.count;
    return status;
}

/** Whole traces. @param max_spans 0: all */
static jaeger_status find_whole(search *f, jaeger_read_options options, uint64_t max_spans,
                                jaeger_consumer out, jaeger_call *call)
{
    uint64_t count = 0;
    jg_aggregate whole =
        jg_aggregate_of(&(jg_aggregate_options){.out = out,
                                                .adjusts = !options.raw,
                                                .marks_ids = options.streamed,
                                                .reread = options.streamed ? &f->query->traces.storage : NULL,
                                                .max_skew_ns = f->query->options.max_clock_skew_adjust_ns,
                                                .max_spans = max_spans,
                                                .max_traces = f->limit,
                                                .match = f->match,
                                                .filter = f->filter});
    jaeger_status status = find_chunks(f, jg_aggregate_consumer(&whole), &count, call);
    status = jg_aggregate_finish(&whole, status, call);
    if (f->filter && f->find.stopped_early && whole.seen_count >= f->find.limit &&
        whole.trace_count < (f->limit ? f->limit : LIMIT_DEFAULT))
        *f->find.stopped_early = true;
    return jg_scan_end(&f->scan, status, f->find.stopped_early, call);
}

jaeger_status jaeger_query_find_traces(jaeger_query *query, const jaeger_trace_query *find,
                                       jaeger_read_options options, jaeger_consumer out, jaeger_call *call)
{
    search f;
    uint64_t count = 0;
    JG_TRY(prepare(query, find, &f, call));
    if (options.raw && !options.streamed && !f.match)
        return jg_scan_end(&f.scan, find_chunks(&f, out, &count, call), f.find.stopped_early, call);
    return find_whole(&f, options, options.raw ? 0 : query->options.max_trace_spans, out, call);
}

/** Collects the ids of traces. */
static jaeger_status note_id(void *self, jaeger_batch *take, jaeger_call *call)
{
    jaeger_trace_ref ref = {0};
    const jaeger_span *spans = jaeger_batch_spans(take);
    memcpy(ref.trace_id, spans[0].trace_id, 16);
    ref.start_unix_ns = UINT64_MAX;
    for (size_t i = 0; i < jaeger_batch_span_count(take); i++) {
        ref.start_unix_ns = JG_MIN(ref.start_unix_ns, spans[i].start_unix_ns);
        ref.end_unix_ns = JG_MAX(ref.end_unix_ns, spans[i].end_unix_ns);
    }
    jaeger_batch_unref(take);
    return jaeger_trace_refs_add(self, ref, call);
}

jaeger_status jaeger_query_find_trace_ids(jaeger_query *query, const jaeger_trace_query *find,
                                          jaeger_trace_refs *ret, jaeger_call *call)
{
    search f;
    JG_TRY(prepare(query, find, &f, call));
    const store *s = &query->traces;
    if (f.match || !s->storage.driver->find_trace_ids)
        return find_whole(&f, (jaeger_read_options){.raw = true}, 0, (jaeger_consumer){note_id, ret}, call);
    jg_gate_pass pass;
    JG_TRY(jg_gate_enter(&query->gate, &pass, call));
    scan_of_search(&f, call);
    jg_measuring m;
    jg_measure_begin(&m, JG_OP_FIND_TRACE_IDS, call);
    jaeger_status status = s->storage.driver->find_trace_ids(s->storage.self, &f.find, ret, call);
    jg_scan_pause(&f.scan, call);
    jg_gate_leave(&pass);
    jg_measure_end(&s->measure, &m, status, ret->count);
    return jg_scan_end(&f.scan, status, f.find.stopped_early, call);
}

/* ---- summaries ---- */

typedef struct summarizer {
    jaeger_summary_sink out;
    jaeger_arena *arena; /* of one trace */
    uint64_t count;
    jg_gate_pass pass;
    jg_scan *scan;
} summarizer;

static jaeger_status summarize_trace(void *self, jaeger_batch *take, jaeger_call *call)
{
    summarizer *s = self;
    JG_AUTO_BATCH jaeger_batch *trace = take;
    jaeger_trace_summary summary;
    jaeger_arena_reset(s->arena);
    JG_TRY(jg_summarize(trace, s->arena, &summary, &call->error));
    return s->out.summary(s->out.self, &summary, call);
}

static jaeger_status count_summary(void *self, const jaeger_trace_summary *summary, jaeger_call *call)
{
    summarizer *s = self;
    JG_TRY(jaeger_call_check(call));
    s->count++;
    jg_gate_leave(&s->pass);
    jg_scan_pause(s->scan, call);
    jaeger_status status = s->out.summary(s->out.self, summary, call);
    jg_scan_resume(s->scan, call);
    return status;
}

jaeger_status jaeger_query_find_summaries(jaeger_query *query, const jaeger_trace_query *find,
                                          jaeger_summary_sink out, jaeger_call *call)
{
    search f;
    JG_TRY(prepare(query, find, &f, call));
    const store *s = &query->traces;
    summarizer sum = {.out = out, .scan = &f.scan};
    if (!f.match && s->storage.driver->find_summaries) {
        JG_TRY(jg_gate_enter(&query->gate, &sum.pass, call));
        scan_of_search(&f, call);
        jg_measuring m;
        jg_measure_begin(&m, JG_OP_FIND_SUMMARIES, call);
        jaeger_status status = s->storage.driver->find_summaries(
            s->storage.self, &f.find, (jaeger_summary_sink){count_summary, &sum}, call);
        jg_scan_pause(&f.scan, call);
        jg_gate_leave(&sum.pass);
        jg_measure_end(&s->measure, &m, status, sum.count);
        if (status != JAEGER_UNIMPLEMENTED || sum.count)
            return jg_scan_end(&f.scan, status, f.find.stopped_early, call);
        call->error = (jaeger_error){0};
    }
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX);
    sum.arena = arena;
    if (!arena)
        return jg_fail_oom(&call->error);
    return find_whole(&f, (jaeger_read_options){0}, 0, (jaeger_consumer){summarize_trace, &sum}, call);
}

/* ---- pages ---- */

/** Look at whole traces for the ranking; the driver's limit says how far it may go. */
static jaeger_status rank_some(search *f, uint32_t limit, jg_ranking *ranking, uint64_t *ret_seen,
                               jaeger_call *call)
{
    jg_aggregate whole = jg_aggregate_of(
        &(jg_aggregate_options){.out = jg_ranking_consumer(ranking), .match = f->match, .filter = f->filter});
    uint64_t chunks = 0;
    f->find.limit = limit;
    jaeger_status status = find_chunks(f, jg_aggregate_consumer(&whole), &chunks, call);
    status = jg_aggregate_finish(&whole, status, call);
    *ret_seen = whole.seen_count;
    return status == JAEGER_CANCELLED && ranking->has_enough ? JAEGER_OK : status;
}

/** The newest ones are first: ask for little more than the page, and for more if that was not enough. */
static jaeger_status rank_traces(search *f, jg_ranking *ranking, bool *ret_stopped, jaeger_call *call)
{
    bool newest = ranking->order == JAEGER_ORDER_NEWEST && !f->filter;
    uint64_t max = f->query->options.scan_traces, ask = newest ? JG_MIN(ranking->limit + 1, max) : max,
             seen = 0;
    for (;; ask = JG_MIN(ask * 8, max)) {
        jg_ranking_restart(ranking);
        JG_TRY(rank_some(f, (uint32_t)ask, ranking, &seen, call));
        if (ranking->has_enough || seen < ask)
            return JAEGER_OK;
        *ret_stopped |= ask == max;
        if (*ret_stopped)
            return JAEGER_OK;
    }
}

/** The store hands traces out best first; what of the filter it cannot test is tested here. */
typedef struct ranked_search {
    const search *f;
    jg_ranking *ranking;
} ranked_search;

static jaeger_status note_match(void *self, jaeger_batch *take, jaeger_call *call)
{
    (void)call;
    *(bool *)self = true;
    jaeger_batch_unref(take);
    return JAEGER_OK;
}

static jaeger_status test_trace(const search *f, const jaeger_trace_ref *ref, bool *ret, jaeger_call *call)
{
    const jaeger_storage *storage = &f->query->traces.storage;
    jg_aggregate whole = jg_aggregate_of(
        &(jg_aggregate_options){.out = {note_match, ret}, .match = f->match, .filter = f->filter});
    *ret = false;
    jaeger_status status =
        storage->driver->get_traces(storage->self, ref, 1, jg_aggregate_consumer(&whole), call);
    return jg_aggregate_finish(&whole, status, call);
}

static jaeger_status take_ranked(void *self, const jaeger_trace_ref *ref, const jaeger_rank *rank,
                                 jaeger_call *call)
{
    const ranked_search *s = self;
    jg_ranking *ranking = s->ranking;
    bool matches = true;
    JG_TRY(jaeger_call_check(call));
    if (s->f->filter)
        JG_TRY(test_trace(s->f, ref, &matches, call));
    if (!matches)
        return JAEGER_OK;
    if (ranking->count == ranking->limit) {
        ranking->more = ranking->has_enough = true;
        return JAEGER_CANCELLED;
    }
    ranking->items[ranking->count++] = (jg_ranked){.key = rank->key, .ref = *ref};
    return JAEGER_OK;
}

static bool store_ranks(const search *f, const jg_ranking *ranking)
{
    return f->query->traces.storage.driver->rank_traces && ranking->order != JAEGER_ORDER_NEWEST;
}

static jaeger_status rank_in_store(search *f, jg_ranking *ranking, jaeger_call *call)
{
    const jaeger_storage *storage = &f->query->traces.storage;
    ranked_search s = {f, ranking};
    jaeger_rank after = {.key = ranking->after.key};
    memcpy(after.trace_id, ranking->after.ref.trace_id, 16);
    f->find.limit = (uint32_t)ranking->limit + 1;
    jg_measuring m;
    jg_measure_begin(&m, JG_OP_FIND_TRACE_IDS, call);
    jaeger_status status = storage->driver->rank_traces(storage->self, &f->find, ranking->order,
                                                        ranking->has_cursor ? &after : NULL,
                                                        (jaeger_rank_sink){take_ranked, &s}, call);
    jg_measure_end(&f->query->traces.measure, &m, status, ranking->count);
    return status == JAEGER_CANCELLED && ranking->has_enough ? JAEGER_OK : status;
}

/** Choose the traces of the page within its share of the call's time. */
static jaeger_status rank(search *f, jg_ranking *ranking, jaeger_page *page, jaeger_call *call)
{
    jg_gate_pass pass;
    uint64_t configured = f->query->options.scan_time_ns;
    JG_TRY(jg_gate_enter(&f->query->gate, &pass, call));
    f->has_pass = true;
    f->find.stopped_early = &page->stopped_early;
    jg_scan_begin(&f->scan, configured ? configured : JG_SEARCH_TIME_NS, call);
    jaeger_status status = store_ranks(f, ranking) ? rank_in_store(f, ranking, call)
                                                   : rank_traces(f, ranking, &page->stopped_early, call);
    jg_scan_pause(&f->scan, call);
    jg_gate_leave(&pass);
    return jg_scan_end(&f->scan, status, &page->stopped_early, call);
}

jaeger_status jaeger_query_find_page(jaeger_query *query, const jaeger_trace_query *find, jaeger_page *page,
                                     jaeger_read_options options, jaeger_consumer out, jaeger_call *call)
{
    search f;
    jg_ranking ranking;
    JG_TRY(prepare(query, find, &f, call));
    if (!f.match) { /* the ranking tests spans anyway */
        JG_TRY(jg_match_compile(&f.compiled, &f.find, call->arena, &call->error));
        f.match = &f.compiled;
    }
    JG_TRY(jg_ranking_init(&ranking, page, f.limit ? f.limit : LIMIT_DEFAULT, f.match, call));
    if (page->order == JAEGER_ORDER_NEWEST && ranking.has_cursor)
        f.find.start_max_unix_ns = ranking.after.key;
    JG_TRY(rank(&f, &ranking, page, call));
    JG_TRY(jg_ranking_finish(&ranking, page, call));
    for (size_t i = 0; i < ranking.count; i++) {
        bool found;
        jaeger_trace_ref ref = ranking.items[i].ref;
        JG_TRY(read_trace(query, &query->traces, &ref, options, out, &found, call));
    }
    return JAEGER_OK;
}

jaeger_status jg_query_find_summary_page(jaeger_query *query, const jaeger_trace_query *find,
                                         jaeger_page *page, jaeger_summary_sink out, jaeger_call *call)
{
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX);
    summarizer sum = {.out = out, .arena = arena};
    if (!arena)
        return jg_fail_oom(&call->error);
    return jaeger_query_find_page(query, find, page, (jaeger_read_options){0},
                                  (jaeger_consumer){summarize_trace, &sum}, call);
}

/* ---- names ---- */

static jaeger_status unimplemented(const store *s, const char *what, jaeger_call *call)
{
    return jg_fail(&call->error, JAEGER_UNIMPLEMENTED, "storage '%s' has no %s", s->storage.driver->name,
                   what);
}

jaeger_status jaeger_query_services(jaeger_query *query, jaeger_strs *ret, jaeger_call *call)
{
    const store *s = &query->traces;
    if (!s->storage.driver->services)
        return unimplemented(s, "list of services", call);
    jg_measuring m;
    jg_measure_begin(&m, JG_OP_GET_SERVICES, call);
    jaeger_status status = s->storage.driver->services(s->storage.self, ret, call);
    jg_measure_end(&s->measure, &m, status, ret->count);
    return status;
}

jaeger_status jaeger_query_operations(jaeger_query *query, jaeger_str service, jaeger_str kind,
                                      jaeger_operations *ret, jaeger_call *call)
{
    const store *s = &query->traces;
    if (!s->storage.driver->operations)
        return unimplemented(s, "list of operations", call);
    jg_measuring m;
    jg_measure_begin(&m, JG_OP_GET_OPERATIONS, call);
    jaeger_status status = s->storage.driver->operations(s->storage.self, service, kind, ret, call);
    jg_measure_end(&s->measure, &m, status, ret->count);
    return status;
}

jaeger_status jaeger_query_dependencies(jaeger_query *query, uint64_t start_unix_ns, uint64_t end_unix_ns,
                                        jaeger_dependencies *ret, jaeger_call *call)
{
    const store *s = &query->traces;
    if (!s->storage.driver->dependencies)
        return unimplemented(s, "dependencies", call);
    jg_gate_pass pass;
    JG_TRY(jg_gate_enter(&query->gate, &pass, call));
    jaeger_status status =
        s->storage.driver->dependencies(s->storage.self, start_unix_ns, end_unix_ns, ret, call);
    jg_gate_leave(&pass);
    return status;
}

jaeger_status jg_query_attributes(jaeger_query *query, jaeger_str service, jaeger_str key,
                                  jaeger_attr_sink out, jaeger_call *call)
{
    const jaeger_storage *storage = &query->traces.storage;
    jg_gate_pass pass;
    if (!storage->driver->attributes)
        return JAEGER_OK;
    JG_TRY(jg_gate_enter(&query->gate, &pass, call));
    jg_scan scan;
    bool stopped; /* suggestions are of what was seen */
    jg_scan_begin(&scan, SUGGEST_TIME_NS, call);
    jaeger_status status = storage->driver->attributes(storage->self, service, key, out, call);
    jg_scan_pause(&scan, call);
    jg_gate_leave(&pass);
    return jg_scan_end(&scan, status, &stopped, call);
}
