/* SPDX-License-Identifier: Apache-2.0
 * The legacy API's traces: one, several by id, a search, archiving, and OTLP-JSON turned into Jaeger's.
 * Contract: docs/compatibility.md.
 */
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/map.h"
#include "core/str.h"
#include "model/batch.h"
#include "query/adjust.h"
#include "query/http_api.h"
#include "wire/jaeger_json.h"
#include "wire/otlp_json.h"

#define LOOKBACK_DEFAULT_US (48 * 3600 * 1000000ll) /* of a search without `start` */
#define LIMIT_DEFAULT       100

/* ---- parameters ---- */

static jaeger_status duration_param(const jg_http_call *c, const char *name, int64_t *ret_ns,
                                    jaeger_error *err)
{
    jaeger_str text = jg_http_param(c, name);
    if (text.len == 0 || jg_go_duration(text, ret_ns, err) == JAEGER_OK)
        return JAEGER_OK;
    return jg_api_prefix_param(err, name);
}

typedef struct trace_params {
    jaeger_trace_ref ref;
    jaeger_read_options read;
} trace_params;

static jaeger_status trace_params_of(const jg_http_call *c, trace_params *ret, jaeger_error *err)
{
    int64_t start = 0, end = 0;
    *ret = (trace_params){.read.streamed = true};
    JG_TRY(jg_trace_id_from_text(c->variable, ret->ref.trace_id, err));
    JG_TRY(jg_api_int_param(c, "start", &start, err));
    JG_TRY(jg_api_int_param(c, "end", &end, err));
    JG_TRY(jg_api_bool_param(c, "raw", &ret->read.raw, err));
    ret->ref.start_unix_ns = jg_api_unix_ns(start, JG_NS_PER_US);
    ret->ref.end_unix_ns = jg_api_unix_ns(end, JG_NS_PER_US);
    return JAEGER_OK;
}

/* ---- traces ---- */

/** Traces on their way into "data":[…]. */
typedef struct trace_output {
    jg_http_call *c;
    jg_jaeger_json *writer;
} trace_output;

static jaeger_status begin_traces(jg_http_call *c, trace_output *ret)
{
    *ret = (trace_output){c, jg_jaeger_json_new(&c->json, jg_http_flush(c))};
    jg_json_array(&c->json);
    return ret->writer ? JAEGER_OK : jg_fail_oom(&c->call->error);
}

/** The next piece of a trace. */
static jaeger_status write_trace(void *self, jaeger_batch *take, jaeger_call *call)
{
    trace_output *out = self;
    JG_AUTO_BATCH jaeger_batch *trace = take;
    /* once the answer has begun, the writer finds it soon enough to cut it off */
    if (!out->c->begun && jg_jaeger_json_check_trace(trace, &call->error) != JAEGER_OK)
        return jg_fail_prefix(&call->error,
                              "failed writing HTTP response: failed marshalling HTTP response to JSON");
    return jg_jaeger_json_add(out->writer, trace, &call->error);
}

/** @return `status`, or why the last trace could not be ended */
static jaeger_status end_traces(trace_output *out, jaeger_status status)
{
    if (status == JAEGER_OK)
        status = jg_jaeger_json_end(out->writer, &out->c->call->error);
    jg_jaeger_json_free(out->writer);
    if (status == JAEGER_OK)
        jg_json_end(&out->c->json);
    return status;
}

static jaeger_consumer traces_consumer(trace_output *out)
{
    return (jaeger_consumer){write_trace, out};
}

void jg_api_trace(jg_http_call *c)
{
    trace_params params;
    jaeger_error err = {0};
    if (trace_params_of(c, &params, &err) != JAEGER_OK) {
        jg_api_fail_parse(c, &err);
        return;
    }
    trace_output out;
    jg_api_begin(c);
    jaeger_status status = begin_traces(c, &out);
    if (status == JAEGER_OK)
        status =
            jaeger_query_get_trace(c->http->query, params.ref, params.read, traces_consumer(&out), c->call);
    status = end_traces(&out, status);
    if (status != JAEGER_OK)
        jg_api_fail_query(c, status);
    else
        jg_api_end(c, 0);
}

void jg_api_archive(jg_http_call *c)
{
    trace_params params;
    jaeger_error err = {0};
    if (trace_params_of(c, &params, &err) != JAEGER_OK) {
        jg_api_fail_parse(c, &err);
        return;
    }
    jaeger_status status = jaeger_query_archive(c->http->query, params.ref, c->call);
    if (status != JAEGER_OK) {
        jg_api_fail_query(c, status);
        return;
    }
    jg_api_begin(c);
    jg_json_array(&c->json);
    jg_json_end(&c->json);
    jg_api_rest(&c->json, 0);
    jg_json_array(&c->json);
    jg_json_end(&c->json);
    jg_json_end(&c->json);
    jg_http_json_end(c);
}

/** What a search asks for. */
typedef struct search {
    jaeger_trace_query find;
    jg_attr_list attrs;
    bool raw;
    bool paged; /* a filter, an order or a cursor was given */
    jaeger_page page;
    jaeger_trace_refs ids; /* if any, they are fetched instead */
} search;

static jaeger_status tags_of(const jg_http_call *c, search *s, jaeger_error *err)
{
    jaeger_str value;
    jaeger_arena *arena = c->call->arena;
    for (size_t at = 0; jg_http_param_next(c, "tag", &at, &value);) {
        size_t colon = jg_str_find(value, ':');
        if (colon == value.len)
            return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                           "malformed 'tag' parameter, expecting key:value, received: %.*s",
                           JAEGER_STR_ARGS(value));
        JG_TRY(jg_attr_list_set(&s->attrs, arena, (jaeger_str){value.ptr, colon},
                                jg_str_skip(value, colon + 1), err));
    }
    for (size_t at = 0; jg_http_param_next(c, "tags", &at, &value);)
        if (jg_go_string_map(value, arena, &s->attrs, err) != JAEGER_OK)
            return jg_fail_prefix(err, "malformed 'tags' parameter, cannot unmarshal JSON");
    return JAEGER_OK;
}

static jaeger_status ids_of(const jg_http_call *c, search *s, jaeger_error *err)
{
    jaeger_str value;
    for (size_t at = 0; jg_http_param_next(c, "traceID", &at, &value);) {
        jaeger_trace_ref ref = {.start_unix_ns = s->find.start_min_unix_ns,
                                .end_unix_ns = s->find.start_max_unix_ns};
        if (jg_trace_id_from_hex(value, ref.trace_id, err) != JAEGER_OK)
            return jg_fail_prefix(err, "cannot parse traceID param");
        bool repeated = false;
        for (size_t i = 0; i < s->ids.count; i++)
            repeated |= memcmp(s->ids.items[i].trace_id, ref.trace_id, 16) == 0;
        if (!repeated)
            JG_TRY(jaeger_trace_refs_add(&s->ids, ref, c->call));
    }
    return JAEGER_OK;
}

static jaeger_status search_of(const jg_http_call *c, search *ret, jaeger_error *err)
{
    int64_t now_us = (int64_t)(jg_clock_unix_ns() / JG_NS_PER_US), min_ns = 0, max_ns = 0,
            limit = LIMIT_DEFAULT;
    int64_t start = now_us - LOOKBACK_DEFAULT_US, end = now_us;
    *ret = (search){.find.size = sizeof ret->find};
    ret->find.service = jg_http_param(c, "service");
    ret->find.operation = jg_http_param(c, "operation");
    JG_TRY(jg_api_int_param(c, "start", &start, err));
    JG_TRY(jg_api_int_param(c, "end", &end, err));
    ret->find.start_min_unix_ns = jg_api_unix_ns(start, JG_NS_PER_US);
    ret->find.start_max_unix_ns = jg_api_unix_ns(end, JG_NS_PER_US);
    JG_TRY(tags_of(c, ret, err));
    jaeger_str limit_text = jg_http_param(c, "limit");
    if (limit_text.len)
        JG_TRY(jg_go_int(limit_text, "ParseInt", 32, &limit, err));
    JG_TRY(duration_param(c, "minDuration", &min_ns, err));
    JG_TRY(duration_param(c, "maxDuration", &max_ns, err));
    JG_TRY(ids_of(c, ret, err));
    JG_TRY(jg_api_bool_param(c, "raw", &ret->raw, err));
    JG_TRY(jg_http_page_params(c, "", &ret->find, &ret->page, &ret->paged, err));
    if (ret->ids.count == 0 && ret->find.service.len == 0 && !ret->paged)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "parameter 'service' is required");
    if (min_ns != 0 && max_ns != 0 && max_ns < min_ns)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "'maxDuration' should be greater than 'minDuration'");
    ret->find.duration_min_ns = (uint64_t)JG_MAX(min_ns, 0);
    ret->find.duration_max_ns = (uint64_t)JG_MAX(max_ns, 0);
    ret->find.limit = (uint32_t)JG_MAX(limit, 0);
    ret->find.attrs = ret->attrs.items;
    ret->find.attr_count = ret->attrs.count;
    return JAEGER_OK;
}

static jaeger_status find_traces(jg_http_call *c, search *s, trace_output *out)
{
    jaeger_read_options read = {.raw = s->raw, .streamed = true};
    if (s->paged)
        return jaeger_query_find_page(c->http->query, &s->find, &s->page, read, traces_consumer(out),
                                      c->call);
    return jaeger_query_find_traces(c->http->query, &s->find, read, traces_consumer(out), c->call);
}

/** Fetch the traces of `ids`; those that are not there stay in the list. */
static jaeger_status get_by_ids(jg_http_call *c, search *s, trace_output *out)
{
    size_t missing = 0;
    for (size_t i = 0; i < s->ids.count; i++) {
        jaeger_trace_ref ref = s->ids.items[i];
        jaeger_status status = jaeger_query_get_trace(c->http->query, ref,
                                                      (jaeger_read_options){.raw = s->raw, .streamed = true},
                                                      traces_consumer(out), c->call);
        if (status == JAEGER_NOT_FOUND)
            s->ids.items[missing++] = ref;
        else if (status != JAEGER_OK)
            return status;
    }
    s->ids.count = missing;
    return JAEGER_OK;
}

static void end_with_missing(jg_http_call *c, const search *s)
{
    jg_api_rest(&c->json, 0);
    jg_json_array(&c->json);
    for (size_t i = 0; i < s->ids.count; i++)
        jg_api_error_object(&c->json, 0, JAEGER_STR("trace not found"), s->ids.items[i].trace_id);
    jg_json_end(&c->json);
    jg_json_end(&c->json);
    jg_http_json_end(c);
}

static void end_found(jg_http_call *c, const search *s)
{
    jg_api_rest(&c->json, 0);
    if (s->page.stopped_early) {
        jg_json_array(&c->json);
        jg_api_error_object(&c->json, 0, JAEGER_STR(JG_STOPPED_EARLY), NULL);
        jg_json_end(&c->json);
    } else {
        jg_json_null(&c->json);
    }
    if (s->paged)
        jg_http_page_result(&c->json, &s->page);
    jg_json_end(&c->json);
    jg_http_json_end(c);
}

void jg_api_search(jg_http_call *c)
{
    search s;
    jaeger_error err = {0};
    if (search_of(c, &s, &err) != JAEGER_OK) {
        jg_api_fail_parse(c, &err);
        return;
    }
    if (s.ids.count == 0 && s.find.limit == 0) {
        jg_api_fail(c, 500, JAEGER_STR("search depth must be greater than 0 and less than max traces"));
        return;
    }
    trace_output out;
    jg_api_begin(c);
    jaeger_status status = begin_traces(c, &out);
    if (status == JAEGER_OK)
        status = s.ids.count ? get_by_ids(c, &s, &out) : find_traces(c, &s, &out);
    status = end_traces(&out, status);
    if (status != JAEGER_OK) {
        jg_api_fail_query(c, status);
        return;
    }
    if (s.ids.count)
        end_with_missing(c, &s);
    else
        end_found(c, &s);
}

/** The traces of a batch, in the order of their first spans; each is selected without copying its bytes. */
static jaeger_status write_all_traces(trace_output *out, jaeger_batch *batch)
{
    jaeger_call *call = out->c->call;
    size_t n = jaeger_batch_span_count(batch), count = 0;
    const jaeger_span *spans = jaeger_batch_spans(batch);
    jg_map numbers = {0};
    /* spans of one trace as a list: first[trace], next[span] */
    uint32_t *first = jaeger_arena_alloc(call->arena, n * sizeof *first);
    uint32_t *last = jaeger_arena_alloc(call->arena, n * sizeof *last);
    uint32_t *next = jaeger_arena_alloc(call->arena, n * sizeof *next);
    uint32_t *indexes = jaeger_arena_alloc(call->arena, n * sizeof *indexes);
    jaeger_status status = first && last && next && indexes ? JAEGER_OK : jg_fail_oom(&call->error);
    for (uint32_t i = 0; i < n && status == JAEGER_OK; i++) {
        bool is_new;
        jg_map_entry *entry =
            jg_map_put(&numbers, (jaeger_str){(const char *)spans[i].trace_id, 16}, &is_new);
        if (!entry) {
            status = jg_fail_oom(&call->error);
            break;
        }
        if (is_new)
            entry->value = (void *)(uintptr_t)++count;
        uintptr_t trace = (uintptr_t)entry->value - 1;
        if (is_new)
            first[trace] = i;
        else
            next[last[trace]] = i;
        last[trace] = i;
        next[i] = UINT32_MAX;
    }
    for (size_t t = 0; t < count && status == JAEGER_OK; t++) {
        size_t of_trace = 0;
        jaeger_batch *part;
        for (uint32_t i = first[t]; i != UINT32_MAX; i = next[i])
            indexes[of_trace++] = i;
        status = jg_batch_select(batch, indexes, of_trace, &part, &call->error);
        if (status != JAEGER_OK)
            break;
        status = jg_mark_ids(&part, &call->error);
        if (status == JAEGER_OK)
            status = write_trace(out, part, call);
        else
            jaeger_batch_unref(part);
    }
    jg_map_done(&numbers);
    return status;
}

void jg_api_transform(jg_http_call *c)
{
    JG_AUTO_BATCH jaeger_batch *batch = NULL;
    jaeger_error err = {0};
    jaeger_status status = jg_otlp_json_to_batch(c->request->body, &batch, &err);
    if (status != JAEGER_OK) {
        (void)jg_fail_prefix(&err, "cannot unmarshal OTLP ");
        jg_api_fail(c, status == JAEGER_RESOURCE_EXHAUSTED ? 503 : 400, jg_str(err.message));
        return;
    }
    trace_output out;
    jg_api_begin(c);
    status = begin_traces(c, &out);
    if (status == JAEGER_OK)
        status = write_all_traces(&out, batch);
    status = end_traces(&out, status);
    if (status != JAEGER_OK)
        jg_api_fail_query(c, status);
    else
        jg_api_end(c, 0);
}
