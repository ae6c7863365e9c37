/* SPDX-License-Identifier: Apache-2.0
 * /api/v3 over HTTP: the JSON mapping of jaeger.api_v3.QueryService. Traces are OTLP-JSON in {"result":…};
 * the rest is in gogo's jsonpb dialect. Spec: jaeger-idl swagger/api_v3; docs/compatibility.md.
 */
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "model/batch.h"
#include "query/aggregate.h"
#include "query/http_call.h"
#include "query/service.h"
#include "wire/otlp_json.h"

#define SEARCH_DEPTH_DEFAULT 100

/* ---- errors ---- */

static void fail(jg_http_call *c, int status, jaeger_str message)
{
    JG_AUTO_BUF jg_buf body = JG_BUF_INIT(JG_RESPONSE_BYTES);
    jg_json_out json = {.buf = &body, .html = true};
    if (c->begun) {
        jg_http_cut(c);
        return;
    }
    jg_json_object(&json);
    jg_json_key_lit(&json, "error");
    jg_json_object(&json);
    jg_json_key_lit(&json, "httpCode");
    jg_json_i64(&json, status);
    jg_json_key_lit(&json, "message");
    jg_json_str(&json, message);
    jg_json_end(&json);
    jg_json_end(&json);
    jg_http_error(c, status, jg_buf_view(&body));
}

static void fail_query(jg_http_call *c, jaeger_status status)
{
    int code = jg_http_status_of(status, &c->call->error);
    if (code == 500)
        jaeger_log(c->http->log, JAEGER_ERROR, "query failed, answering 500 error=\"%s\"",
                   c->call->error.message);
    fail(c, code, jg_str(c->call->error.message));
}

/* ---- parameters ---- */

/** Value of a parameter under its name, else under the one it had before. @param ret_name which it was */
static jaeger_str param(const jg_http_call *c, const char *name, const char *old_name, const char **ret_name)
{
    jaeger_str value = jg_http_param(c, name);
    *ret_name = name;
    if (value.len)
        return value;
    *ret_name = old_name;
    return jg_http_param(c, old_name);
}

static jaeger_status malformed(jaeger_error *err, const char *name)
{
    return jg_fail_prefix(err, "malformed parameter %s", name);
}

static jaeger_status time_param(const jg_http_call *c, const char *name, const char *old_name, uint64_t *ret,
                                jaeger_error *err)
{
    jaeger_str text = param(c, name, old_name, &name);
    return text.len == 0 || jg_go_time(text, ret, err) == JAEGER_OK ? JAEGER_OK : malformed(err, name);
}

static jaeger_status duration_param(const jg_http_call *c, const char *name, const char *old_name,
                                    uint64_t *ret, jaeger_error *err)
{
    int64_t ns = 0;
    jaeger_str text = param(c, name, old_name, &name);
    if (text.len && jg_go_duration(text, &ns, err) != JAEGER_OK)
        return malformed(err, name);
    *ret = (uint64_t)JG_MAX(ns, 0);
    return JAEGER_OK;
}

static jaeger_status bool_param(const jg_http_call *c, const char *name, const char *old_name, bool *ret,
                                jaeger_error *err)
{
    jaeger_str text = param(c, name, old_name, &name);
    return text.len == 0 || jg_go_bool(text, ret, err) == JAEGER_OK ? JAEGER_OK : malformed(err, name);
}

static jaeger_status window_of(const jg_http_call *c, jaeger_trace_query *find, jaeger_error *err)
{
    const char *name;
    if (param(c, "query.startTimeMin", "query.start_time_min", &name).len == 0 ||
        param(c, "query.startTimeMax", "query.start_time_max", &name).len == 0)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "query.startTimeMin and query.startTimeMax are required");
    JG_TRY(time_param(c, "query.startTimeMin", "query.start_time_min", &find->start_min_unix_ns, err));
    JG_TRY(time_param(c, "query.startTimeMax", "query.start_time_max", &find->start_max_unix_ns, err));
    if (find->start_min_unix_ns >= find->start_max_unix_ns)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "query.startTimeMin must be before query.startTimeMax");
    return JAEGER_OK;
}

static jaeger_status depth_of(const jg_http_call *c, uint32_t *ret, jaeger_error *err)
{
    const char *name;
    int64_t depth = SEARCH_DEPTH_DEFAULT;
    jaeger_str text = param(c, "query.searchDepth", "query.search_depth", &name);
    if (text.len == 0)
        text = jg_http_param(c, name = "query.num_traces");
    if (text.len && jg_go_int(text, "Atoi", 64, &depth, err) != JAEGER_OK)
        return malformed(err, name);
    *ret = depth <= 0 ? SEARCH_DEPTH_DEFAULT : (uint32_t)JG_MIN(depth, (int64_t)UINT32_MAX);
    return JAEGER_OK;
}

/** A page, if the search asks for one. */
typedef struct v3_page {
    bool on;
    jaeger_page page; /* stopped_early counts whether it is on or not */
} v3_page;

/** What Jaeger's answers do not have: only searches beyond it, and those that stopped early, say so. */
static void write_page_result(jg_json_out *json, const v3_page *paging)
{
    if (paging->on) {
        jg_http_page_result(json, &paging->page);
    } else if (paging->page.stopped_early) {
        jg_json_key_lit(json, "stoppedEarly");
        jg_json_bool(json, true);
    }
}

/** @param attrs backs find->attrs */
static jaeger_status find_of(const jg_http_call *c, jaeger_trace_query *find, jg_attr_list *attrs,
                             bool *ret_raw, v3_page *ret_paging, jaeger_error *err)
{
    const char *name;
    *find = (jaeger_trace_query){.size = sizeof *find};
    find->service = param(c, "query.serviceName", "query.service_name", &name);
    find->operation = param(c, "query.operationName", "query.operation_name", &name);
    jaeger_str json = jg_http_param(c, "query.attributes");
    if (json.len && jg_go_string_map(json, c->call->arena, attrs, err) != JAEGER_OK)
        return malformed(err, "query.attributes");
    JG_TRY(jg_http_page_params(c, "query.", find, &ret_paging->page, &ret_paging->on, err));
    JG_TRY(window_of(c, find, err));
    JG_TRY(depth_of(c, &find->limit, err));
    JG_TRY(duration_param(c, "query.durationMin", "query.duration_min", &find->duration_min_ns, err));
    JG_TRY(duration_param(c, "query.durationMax", "query.duration_max", &find->duration_max_ns, err));
    JG_TRY(bool_param(c, "query.rawTraces", "query.raw_traces", ret_raw, err));
    find->attrs = attrs->items;
    find->attr_count = attrs->count;
    return JAEGER_OK;
}

/* ---- traces ---- */

static void write_result_begin(jg_http_call *c)
{
    jg_http_json_begin(c, false);
    c->json.html = false;
    jg_json_object(&c->json);
    jg_json_key_lit(&c->json, "result");
    jg_json_object(&c->json);
    jg_json_key_lit(&c->json, "resourceSpans");
    jg_json_array(&c->json);
}

typedef struct trace_writer {
    jg_http_call *c;
    bool any;
    const v3_page *paging; /* NULL: not a search */
} trace_writer;

static jaeger_status write_trace(void *self, jaeger_batch *take, jaeger_call *call)
{
    trace_writer *w = self;
    JG_AUTO_BATCH jaeger_batch *trace = take;
    w->any = true;
    jaeger_status status = jg_otlp_json_stream_resource_spans(&w->c->json, trace, jg_http_flush(w->c));
    if (status == JAEGER_RESOURCE_EXHAUSTED)
        return jg_fail_oom(&call->error);
    return status;
}

static void end_traces(trace_writer *w, jaeger_status status)
{
    jg_http_call *c = w->c;
    if (status == JAEGER_OK && !w->any && !(w->paging && w->paging->page.stopped_early)) {
        fail(c, 404, JAEGER_STR("No traces found"));
        return;
    }
    if (status != JAEGER_OK) {
        if (status == JAEGER_NOT_FOUND)
            fail(c, 404, JAEGER_STR("No traces found"));
        else
            fail_query(c, status);
        return;
    }
    jg_json_end(&c->json);
    jg_json_end(&c->json);
    if (w->paging)
        write_page_result(&c->json, w->paging);
    jg_json_end(&c->json);
    jg_http_json_end(c);
}

void jg_v3_trace(jg_http_call *c)
{
    jaeger_trace_ref ref = {0};
    jaeger_read_options read = {0};
    jaeger_error err = {0};
    jaeger_status status = jg_trace_id_from_text(c->variable, ref.trace_id, &err);
    if (status != JAEGER_OK)
        (void)malformed(&err, "trace_id");
    if (status == JAEGER_OK)
        status = time_param(c, "startTime", "start_time", &ref.start_unix_ns, &err);
    if (status == JAEGER_OK)
        status = time_param(c, "endTime", "end_time", &ref.end_unix_ns, &err);
    if (status == JAEGER_OK)
        status = bool_param(c, "rawTraces", "raw_traces", &read.raw, &err);
    if (status != JAEGER_OK) {
        fail(c, 400, jg_str(err.message));
        return;
    }
    trace_writer w = {.c = c};
    read.streamed = !read.raw;
    write_result_begin(c);
    status = jaeger_query_get_trace(c->http->query, ref, read, (jaeger_consumer){write_trace, &w}, c->call);
    end_traces(&w, status);
}

void jg_v3_traces(jg_http_call *c)
{
    v3_page paging;
    jaeger_trace_query find;
    jg_attr_list attrs = {0};
    jaeger_read_options read = {0};
    jaeger_error err = {0};
    if (find_of(c, &find, &attrs, &read.raw, &paging, &err) != JAEGER_OK) {
        fail(c, 400, jg_str(err.message));
        return;
    }
    trace_writer w = {.c = c, .paging = &paging};
    jaeger_consumer out = {write_trace, &w};
    read.streamed = !read.raw;
    write_result_begin(c);
    jaeger_status status =
        paging.on ? jaeger_query_find_page(c->http->query, &find, &paging.page, read, out, c->call)
                  : jaeger_query_find_traces(c->http->query, &find, read, out, c->call);
    end_traces(&w, status);
}

/* ---- summaries ---- */

static void write_text(jg_json_out *json, jaeger_str key, jaeger_str value)
{
    if (value.len == 0)
        return;
    jg_json_key(json, key);
    jg_json_str(json, value);
}

static void write_count(jg_json_out *json, jaeger_str key, uint32_t value)
{
    if (value == 0)
        return;
    jg_json_key(json, key);
    jg_json_u64(json, value);
}

static void write_nanos(jg_json_out *json, jaeger_str key, uint64_t value)
{
    if (value == 0)
        return;
    jg_json_key(json, key);
    jg_json_u64_str(json, value);
}

static jaeger_status write_summary(void *self, const jaeger_trace_summary *summary, jaeger_call *call)
{
    jg_http_call *c = self;
    jg_json_out *json = &c->json;
    jg_json_object(json);
    jg_json_key_lit(json, "traceId");
    jg_json_hex(json, summary->trace_id, 16);
    write_text(json, JAEGER_STR("rootServiceName"), summary->root_service);
    write_text(json, JAEGER_STR("rootOperationName"), summary->root_operation);
    write_nanos(json, JAEGER_STR("minStartTimeUnixNano"), summary->min_start_unix_ns);
    write_nanos(json, JAEGER_STR("maxEndTimeUnixNano"), summary->max_end_unix_ns);
    write_count(json, JAEGER_STR("spanCount"), summary->span_count);
    write_count(json, JAEGER_STR("errorSpanCount"), summary->error_span_count);
    write_count(json, JAEGER_STR("orphanSpanCount"), summary->orphan_span_count);
    jg_json_key_lit(json, "services");
    jg_json_array(json);
    for (size_t i = 0; i < summary->service_count; i++) {
        jg_json_object(json);
        write_text(json, JAEGER_STR("name"), summary->services[i].name);
        write_count(json, JAEGER_STR("spanCount"), summary->services[i].span_count);
        write_count(json, JAEGER_STR("errorSpanCount"), summary->services[i].error_span_count);
        jg_json_end(json);
    }
    jg_json_end(json);
    jg_json_end(json);
    if (!jg_buf_ok(json->buf))
        return jg_fail_oom(&call->error);
    jg_json_flush flush = jg_http_flush(c);
    return json->buf->len < flush.at_bytes ? JAEGER_OK : flush.flush(flush.self, json->buf);
}

void jg_v3_summaries(jg_http_call *c)
{
    v3_page paging;
    jaeger_trace_query find;
    jg_attr_list attrs = {0};
    bool raw = false; /* has no effect here */
    jaeger_error err = {0};
    if (find_of(c, &find, &attrs, &raw, &paging, &err) != JAEGER_OK) {
        fail(c, 400, jg_str(err.message));
        return;
    }
    jg_http_json_begin(c, false);
    jg_json_object(&c->json);
    jg_json_key_lit(&c->json, "summaries");
    jg_json_array(&c->json);
    jaeger_summary_sink out = {write_summary, c};
    jaeger_status status = paging.on
                               ? jg_query_find_summary_page(c->http->query, &find, &paging.page, out, c->call)
                               : jaeger_query_find_summaries(c->http->query, &find, out, c->call);
    if (status != JAEGER_OK) {
        fail_query(c, status);
        return;
    }
    jg_json_end(&c->json);
    write_page_result(&c->json, &paging);
    jg_json_end(&c->json);
    jg_http_json_end(c);
}

/* ---- names ---- */

void jg_v3_services(jg_http_call *c)
{
    jaeger_strs services = {0};
    jaeger_status status = jaeger_query_services(c->http->query, &services, c->call);
    if (status != JAEGER_OK) {
        fail_query(c, status);
        return;
    }
    jg_http_json_begin(c, false);
    jg_json_object(&c->json);
    jg_json_key_lit(&c->json, "services");
    jg_json_array(&c->json);
    for (size_t i = 0; i < services.count; i++)
        jg_json_str(&c->json, services.items[i]);
    jg_json_end(&c->json);
    jg_json_end(&c->json);
    jg_http_json_end(c);
}

void jg_v3_operations(jg_http_call *c)
{
    const char *name;
    jaeger_operations operations = {0};
    jaeger_status status =
        jaeger_query_operations(c->http->query, jg_http_param(c, "service"),
                                param(c, "spanKind", "span_kind", &name), &operations, c->call);
    if (status != JAEGER_OK) {
        fail_query(c, status);
        return;
    }
    jg_http_json_begin(c, false);
    jg_json_object(&c->json);
    jg_json_key_lit(&c->json, "operations");
    jg_json_array(&c->json);
    for (size_t i = 0; i < operations.count; i++) {
        jaeger_str kind = operations.items[i].span_kind;
        jg_json_object(&c->json);
        write_text(&c->json, JAEGER_STR("name"), operations.items[i].name);
        write_text(&c->json, JAEGER_STR("spanKind"), kind.len ? kind : JAEGER_STR("internal"));
        jg_json_end(&c->json);
    }
    jg_json_end(&c->json);
    jg_json_end(&c->json);
    jg_http_json_end(c);
}
