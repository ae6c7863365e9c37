/* SPDX-License-Identifier: Apache-2.0
 * What Grafana's Tempo data source reads, under /tempo, and suggestions for search forms. Traces are OTLP in
 * protobuf or JSON, by the Accept header. Spec: grafana.com/docs/tempo/latest/api_docs; docs/search.md.
 */
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/pb.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/expr_build.h"
#include "query/http_api.h"
#include "query/suggest.h"
#include "wire/otlp_json.h"

#define LIMIT_DEFAULT 20
#define LIMIT_MAX     1000
#define SPANS_SHOWN   3 /* of a trace, when the request does not say (spss) */

/* ---- errors and parameters ---- */

static void fail_tempo(jg_http_call *c, jaeger_status status, const jaeger_error *err)
{
    int code = status == JAEGER_INVALID_ARGUMENT ? 400 : jg_http_status_of(status, err);
    if (c->begun)
        jg_http_cut(c);
    else
        jg_http_error(c, code, jg_str(err->message));
}

static bool wants_protobuf(const jg_http_call *c)
{
    for (size_t i = 0; i < c->request->header_count; i++) {
        jaeger_str value = c->request->headers[i].value;
        if (jg_str_is(c->request->headers[i].key, "accept") &&
            memmem(value.ptr ? value.ptr : "", value.len, "application/protobuf", 20))
            return true;
    }
    return false;
}

static jaeger_status number_param(const jg_http_call *c, const char *name, int64_t max, int64_t *ret,
                                  jaeger_error *err)
{
    JG_TRY(jg_api_int_param(c, name, ret, err));
    if (*ret < 0 || *ret > max)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "invalid %s: out of range", name);
    return JAEGER_OK;
}

void jg_tempo_echo(jg_http_call *c)
{
    jg_http_answer(c, 200, "text/plain; charset=utf-8", JAEGER_STR("echo"));
}

/* ---- one trace ---- */

static jaeger_status keep_trace(void *self, jaeger_batch *take, jaeger_call *call)
{
    (void)call;
    jaeger_batch **ret = self;
    jaeger_batch_unref(*ret);
    *ret = take;
    return JAEGER_OK;
}

static void send_protobuf(jg_http_call *c, const jaeger_batch *trace, bool wrapped)
{
    size_t len = jaeger_batch_otlp_size(trace), head = wrapped ? jg_pb_len_size(1, len) - len : 0;
    jg_buf_clear(&c->body);
    if (!jg_buf_reserve(&c->body, head + len)) {
        jg_http_error(c, 503, JAEGER_STR("response: out of memory"));
        return;
    }
    if (wrapped)
        (void)jg_pb_put_len_header(c->body.data, 1, len);
    jaeger_batch_write_otlp(trace, c->body.data + head);
    c->body.len = head + len;
    jg_http_answer(c, 200, "application/protobuf", jg_buf_view(&c->body));
}

static void send_json(jg_http_call *c, const jaeger_batch *trace, bool wrapped)
{
    jg_http_json_begin(c, false);
    jg_json_object(&c->json);
    if (wrapped) {
        jg_json_key_lit(&c->json, "trace");
        jg_json_object(&c->json);
    }
    jg_json_key(&c->json, wrapped ? JAEGER_STR("resourceSpans") : JAEGER_STR("batches"));
    jg_json_array(&c->json);
    jaeger_status status = jg_otlp_json_stream_resource_spans(&c->json, trace, jg_http_flush(c));
    if (status != JAEGER_OK) {
        (void)jg_fail(&c->call->error, status, "the trace could not be written");
        fail_tempo(c, status, &c->call->error);
        return;
    }
    for (int level = wrapped ? 3 : 2; level > 0; level--)
        jg_json_end(&c->json);
    jg_http_json_end(c);
}

static void send_trace(jg_http_call *c, bool wrapped)
{
    jaeger_trace_ref ref = {0};
    jaeger_error err = {0};
    JG_AUTO_BATCH jaeger_batch *trace = NULL;
    if (jg_trace_id_from_hex(c->variable, ref.trace_id, &err) != JAEGER_OK) {
        fail_tempo(c, JAEGER_INVALID_ARGUMENT, &err);
        return;
    }
    jaeger_status status = jaeger_query_get_trace(c->http->query, ref, (jaeger_read_options){0},
                                                  (jaeger_consumer){keep_trace, &trace}, c->call);
    if (status != JAEGER_OK)
        fail_tempo(c, status, &c->call->error);
    else if (wants_protobuf(c))
        send_protobuf(c, trace, wrapped);
    else
        send_json(c, trace, wrapped);
}

void jg_tempo_trace(jg_http_call *c)
{
    send_trace(c, false);
}

void jg_tempo_trace_v2(jg_http_call *c)
{
    send_trace(c, true);
}

/* ---- search ---- */

typedef struct search {
    jg_http_call *c;
    jaeger_trace_query find;
    jaeger_page page;
    int64_t spans_shown;
} search;

static jaeger_status search_of(const jg_http_call *c, search *ret, jaeger_error *err)
{
    int64_t limit = LIMIT_DEFAULT, start = 0, end = 0, min = 0, max = 0;
    jaeger_str q = jg_http_param(c, "q"), min_text = jg_http_param(c, "minDuration"),
               max_text = jg_http_param(c, "maxDuration");
    ret->find = (jaeger_trace_query){.size = sizeof ret->find};
    ret->page = (jaeger_page){.size = sizeof ret->page};
    ret->spans_shown = SPANS_SHOWN;
    JG_TRY(number_param(c, "limit", LIMIT_MAX, &limit, err));
    JG_TRY(number_param(c, "spss", LIMIT_MAX, &ret->spans_shown, err));
    JG_TRY(number_param(c, "start", UINT32_MAX, &start, err));
    JG_TRY(number_param(c, "end", UINT32_MAX, &end, err));
    if (min_text.len)
        JG_TRY(jg_go_duration(min_text, &min, err));
    if (max_text.len)
        JG_TRY(jg_go_duration(max_text, &max, err));
    if (q.len && jg_filter_parse(JG_EXPR_TRACEQL, q, c->call->arena, &ret->find.filter, err) != JAEGER_OK)
        return jg_fail_prefix(err, "invalid TraceQL query");
    ret->find.limit = (uint32_t)(limit ? limit : LIMIT_DEFAULT);
    ret->find.start_min_unix_ns = (uint64_t)start * JG_NS_PER_S;
    ret->find.start_max_unix_ns = (uint64_t)end * JG_NS_PER_S;
    ret->find.duration_min_ns = (uint64_t)JG_MAX(min, 0);
    ret->find.duration_max_ns = (uint64_t)JG_MAX(max, 0);
    return JAEGER_OK;
}

static void write_span(jg_json_out *json, const jaeger_span *span)
{
    jg_json_object(json);
    jg_json_key_lit(json, "spanID");
    jg_json_hex(json, span->span_id, 8);
    jg_json_key_lit(json, "name");
    jg_json_str(json, span->name);
    jg_json_key_lit(json, "startTimeUnixNano");
    jg_json_u64_str(json, span->start_unix_ns);
    jg_json_key_lit(json, "durationNanos");
    jg_json_u64_str(json,
                    span->end_unix_ns > span->start_unix_ns ? span->end_unix_ns - span->start_unix_ns : 0);
    jg_json_key_lit(json, "attributes");
    jg_json_array(json);
    jg_json_end(json);
    jg_json_end(json);
}

static void write_spans(search *s, const jaeger_batch *trace, const jg_trace_facts *facts)
{
    jg_json_out *json = &s->c->json;
    uint64_t matched = 0;
    jg_json_key_lit(json, "spanSets");
    jg_json_array(json);
    jg_json_object(json);
    jg_json_key_lit(json, "spans");
    jg_json_array(json);
    for (size_t i = 0; i < facts->span_count; i++) {
        const jaeger_span *span = &jaeger_batch_spans(trace)[i];
        if (s->find.filter && jg_filter_test(s->find.filter, span, facts) != JG_EXPR_YES)
            continue;
        if (matched++ < (uint64_t)s->spans_shown)
            write_span(json, span);
    }
    jg_json_end(json);
    jg_json_key_lit(json, "matched");
    jg_json_u64(json, matched);
    jg_json_end(json);
    jg_json_end(json);
}

static jaeger_status write_trace(void *self, jaeger_batch *take, jaeger_call *call)
{
    static const jg_expr yes = {.op = JG_EXPR_TRUE};
    static const jaeger_filter all = {.root = &yes};
    search *s = self;
    JG_AUTO_BATCH jaeger_batch *trace = take;
    jg_json_out *json = &s->c->json;
    jg_trace_facts facts;
    jg_trace_facts_of(trace, s->find.filter ? s->find.filter : &all, &facts);
    jg_json_object(json);
    jg_json_key_lit(json, "traceID");
    jg_json_hex(json, jaeger_batch_spans(trace)[0].trace_id, 16);
    jg_json_key_lit(json, "rootServiceName");
    jg_json_str(json,
                facts.root_service.len ? facts.root_service : JAEGER_STR("<root span not yet received>"));
    jg_json_key_lit(json, "rootTraceName");
    jg_json_str(json, facts.root_name.ptr ? facts.root_name : JAEGER_STR(""));
    jg_json_key_lit(json, "startTimeUnixNano");
    jg_json_u64_str(json, facts.start_unix_ns);
    jg_json_key_lit(json, "durationMs");
    jg_json_u64(json, facts.end_unix_ns > facts.start_unix_ns
                          ? (facts.end_unix_ns - facts.start_unix_ns) / JG_NS_PER_MS
                          : 0);
    write_spans(s, trace, &facts);
    jg_json_end(json);
    if (!jg_buf_ok(json->buf))
        return jg_fail_oom(&call->error);
    jg_json_flush flush = jg_http_flush(s->c);
    return json->buf->len < flush.at_bytes ? JAEGER_OK : flush.flush(flush.self, json->buf);
}

void jg_tempo_search(jg_http_call *c)
{
    search s = {.c = c};
    jaeger_error err = {0};
    if (search_of(c, &s, &err) != JAEGER_OK) {
        fail_tempo(c, JAEGER_INVALID_ARGUMENT, &err);
        return;
    }
    jg_http_json_begin(c, false);
    jg_json_object(&c->json);
    jg_json_key_lit(&c->json, "traces");
    jg_json_array(&c->json);
    jaeger_status status = jaeger_query_find_page(c->http->query, &s.find, &s.page, (jaeger_read_options){0},
                                                  (jaeger_consumer){write_trace, &s}, c->call);
    if (status != JAEGER_OK) {
        fail_tempo(c, status, &c->call->error);
        return;
    }
    jg_json_end(&c->json);
    jg_json_key_lit(&c->json, "metrics");
    jg_json_object(&c->json);
    jg_json_end(&c->json);
    if (s.page.stopped_early) { /* as Tempo says it of a trace */
        jg_json_key_lit(&c->json, "status");
        jg_json_str(&c->json, JAEGER_STR("PARTIAL"));
        jg_json_key_lit(&c->json, "message");
        jg_json_str(&c->json, JAEGER_STR(JG_STOPPED_EARLY));
    }
    jg_json_end(&c->json);
    jg_http_json_end(c);
}

/* ---- suggestions ---- */

static jaeger_status suggest(jg_http_call *c, jg_suggest *s)
{
    int64_t limit = 0;
    jaeger_error err = {0};
    if (number_param(c, "limit", JG_SUGGEST_LIMIT_MAX, &limit, &err) != JAEGER_OK) {
        fail_tempo(c, JAEGER_INVALID_ARGUMENT, &err);
        return JAEGER_INVALID_ARGUMENT;
    }
    s->limit = (size_t)limit;
    jaeger_status status = jg_suggest_run(s, c->http->query, c->call);
    if (status != JAEGER_OK)
        fail_tempo(c, status, &c->call->error);
    return status;
}

void jg_tempo_tags(jg_http_call *c)
{
    jg_suggest s = {0};
    if (suggest(c, &s) != JAEGER_OK)
        return;
    jg_http_json_begin(c, false);
    jg_json_object(&c->json);
    jg_json_key_lit(&c->json, "tagNames");
    jg_json_array(&c->json);
    for (size_t i = 0; i < s.count; i++)
        if (i == 0 || !jg_str_eq(s.items[i].text, s.items[i - 1].text))
            jg_json_str(&c->json, s.items[i].text);
    jg_json_end(&c->json);
    jg_json_end(&c->json);
    jg_http_json_end(c);
}

void jg_tempo_tags_v2(jg_http_call *c)
{
    static const char *const scopes[] = {[JG_LEVEL_SPAN] = "span",
                                         [JG_LEVEL_RESOURCE] = "resource",
                                         [JG_LEVEL_SCOPE] = "instrumentation",
                                         [JG_LEVEL_EVENT] = "event",
                                         [JG_LEVEL_LINK] = "link"};
    static const char *const intrinsics[] = {"duration",        "kind",   "name",          "rootName",
                                             "rootServiceName", "status", "statusMessage", "traceDuration"};
    jg_suggest s = {0};
    jg_json_out *json = &c->json;
    if (suggest(c, &s) != JAEGER_OK)
        return;
    jg_http_json_begin(c, false);
    jg_json_object(json);
    jg_json_key_lit(json, "scopes");
    jg_json_array(json);
    for (size_t level = JG_LEVEL_ANY; level < JG_COUNT(scopes); level++) {
        jg_json_object(json);
        jg_json_key_lit(json, "name");
        jg_json_str(json, level ? jg_str(scopes[level]) : JAEGER_STR("intrinsic"));
        jg_json_key_lit(json, "tags");
        jg_json_array(json);
        for (size_t i = 0; level == JG_LEVEL_ANY && i < JG_COUNT(intrinsics); i++)
            jg_json_str(json, jg_str(intrinsics[i]));
        for (size_t i = 0; i < s.count; i++)
            if (s.items[i].level == level)
                jg_json_str(json, s.items[i].text);
        jg_json_end(json);
        jg_json_end(json);
    }
    jg_json_end(json);
    jg_json_end(json);
    jg_http_json_end(c);
}

/** "resource.service.name", ".key", "name": what the values are wanted of. */
static jg_expr_ref ref_of(jaeger_str tag)
{
    jg_expr_ref ref = {.level = JG_LEVEL_ANY, .field = JG_FIELD_ATTR, .key = tag};
    size_t dot = jg_str_find(tag, '.');
    jg_expr_level level;
    if (jg_str_is(tag, "name") || jg_str_is(tag, "rootName"))
        ref.field = JG_FIELD_NAME;
    else if (jg_str_is(tag, "service.name") || jg_str_is(tag, "resource.service.name") ||
             jg_str_is(tag, ".service.name") || jg_str_is(tag, "rootServiceName"))
        ref.field = JG_FIELD_SERVICE;
    else if (dot == 0)
        ref.key = jg_str_skip(tag, 1);
    else if (dot < tag.len && jg_expr_level_of((jaeger_str){tag.ptr, dot}, &level)) {
        ref.level = level;
        ref.key = jg_str_skip(tag, dot + 1);
    }
    return ref;
}

static const char *type_name(jaeger_value_type type)
{
    return type == JAEGER_VALUE_INT      ? "int"
           : type == JAEGER_VALUE_DOUBLE ? "float"
           : type == JAEGER_VALUE_BOOL   ? "bool"
                                         : "string";
}

static void write_typed(jg_json_out *json, const char *type, jaeger_str value)
{
    jg_json_object(json);
    jg_json_key_lit(json, "type");
    jg_json_str(json, jg_str(type));
    jg_json_key_lit(json, "value");
    jg_json_str(json, value);
    jg_json_end(json);
}

void jg_tempo_values(jg_http_call *c)
{
    static const char *const kinds[] = {"client",   "consumer", "internal",
                                        "producer", "server",   "unspecified"};
    static const char *const statuses[] = {"error", "ok", "unset"};
    bool is_kind = jg_str_is(c->variable, "kind"), is_status = jg_str_is(c->variable, "status");
    jg_suggest s = {.values = true, .ref = ref_of(c->variable)};
    if (!is_kind && !is_status && suggest(c, &s) != JAEGER_OK)
        return;
    jg_http_json_begin(c, false);
    jg_json_object(&c->json);
    jg_json_key_lit(&c->json, "tagValues");
    jg_json_array(&c->json);
    for (size_t i = 0; is_kind && i < JG_COUNT(kinds); i++)
        write_typed(&c->json, "keyword", jg_str(kinds[i]));
    for (size_t i = 0; is_status && i < JG_COUNT(statuses); i++)
        write_typed(&c->json, "keyword", jg_str(statuses[i]));
    for (size_t i = 0; i < s.count; i++)
        write_typed(&c->json, type_name(s.items[i].type), s.items[i].text);
    jg_json_end(&c->json);
    jg_json_end(&c->json);
    jg_http_json_end(c);
}

/** /api/attributes and /api/attributes/{key}/values, in the legacy envelope. */
static void answer_list(jg_http_call *c, jg_suggest *s)
{
    size_t count = 0;
    s->service = jg_http_param(c, "service");
    s->part = jg_http_param(c, "q");
    if (suggest(c, s) != JAEGER_OK)
        return;
    jg_api_begin(c);
    jg_json_array(&c->json);
    for (size_t i = 0; i < s->count; i++) {
        if (i && jg_str_eq(s->items[i].text, s->items[i - 1].text))
            continue;
        jg_json_str(&c->json, s->items[i].text);
        count++;
    }
    jg_json_end(&c->json);
    jg_api_end(c, count);
}

void jg_api_attributes(jg_http_call *c)
{
    answer_list(c, &(jg_suggest){0});
}

void jg_api_attribute_values(jg_http_call *c)
{
    answer_list(c, &(jg_suggest){.values = true, .ref = ref_of(c->variable)});
}
