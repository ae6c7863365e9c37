/* SPDX-License-Identifier: Apache-2.0
 * The legacy API: its envelope {"data":…,"errors":…}, names, dependencies. Traces are in
 * http_traces.c. Contract: docs/compatibility.md; encoding/json's dialect.
 */
#include "query/http_api.h"

#include "core/clock.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/map.h"
#include "core/str.h"
#include "wire/jaeger_json.h"
#include <stdlib.h>

#define LOOKBACK_DEFAULT_MS (24 * 3600 * 1000ll) /* of dependencies */

/* ---- the envelope ---- */

void jg_api_begin(jg_http_call *c)
{
    jaeger_str pretty = jg_http_param(c, "prettyPrint");
    jg_http_json_begin(c, pretty.len && !jg_str_is(pretty, "false"));
    jg_json_object(&c->json);
    jg_json_key_lit(&c->json, "data");
}

void jg_api_error_object(jg_json_out *json, int code, jaeger_str message, const uint8_t *trace_id)
{
    jg_json_object(json);
    if (code) {
        jg_json_key_lit(json, "code");
        jg_json_i64(json, code);
    }
    jg_json_key_lit(json, "msg");
    jg_json_str(json, message);
    if (trace_id) {
        char text[32];
        size_t len = jg_jaeger_trace_id_text(trace_id, text);
        jg_json_key_lit(json, "traceID");
        jg_json_str(json, (jaeger_str){text, len});
    }
    jg_json_end(json);
}

/** total, limit, offset and the key of errors; its value follows. */
void jg_api_rest(jg_json_out *json, size_t total)
{
    jg_json_key_lit(json, "total");
    jg_json_u64(json, total);
    jg_json_key_lit(json, "limit");
    jg_json_i64(json, 0);
    jg_json_key_lit(json, "offset");
    jg_json_i64(json, 0);
    jg_json_key_lit(json, "errors");
}

void jg_api_end(jg_http_call *c, size_t total)
{
    jg_api_rest(&c->json, total);
    jg_json_null(&c->json);
    jg_json_end(&c->json);
    jg_http_json_end(c);
}

void jg_api_fail(jg_http_call *c, int status, jaeger_str message)
{
    JG_AUTO_BUF jg_buf body = JG_BUF_INIT(JG_RESPONSE_BYTES);
    jg_json_out json = {.buf = &body, .html = true};
    if (c->begun) {
        jg_http_cut(c);
        return;
    }
    jg_json_object(&json);
    jg_json_key_lit(&json, "data");
    jg_json_null(&json);
    jg_api_rest(&json, 0);
    jg_json_array(&json);
    jg_api_error_object(&json, status, message, NULL);
    jg_json_end(&json);
    jg_json_end(&json);
    jg_http_error(c, status, jg_buf_view(&body));
}

void jg_api_fail_parse(jg_http_call *c, const jaeger_error *err)
{
    jg_api_fail(c, 400, jg_str(err->message));
}

void jg_api_fail_query(jg_http_call *c, jaeger_status status)
{
    int code = jg_http_status_of(status, &c->call->error);
    if (code == 500)
        jaeger_log(c->http->log, JAEGER_ERROR, "query failed, answering 500 error=\"%s\"",
                   c->call->error.message);
    jg_api_fail(c, code, jg_str(c->call->error.message));
}

/* ---- parameters ---- */

jaeger_status jg_api_prefix_param(jaeger_error *err, const char *name)
{
    return jg_fail_prefix(err, "unable to parse param '%s'", name);
}

/** An integer parameter; `ret` keeps its value if it is absent. */
jaeger_status jg_api_int_param(const jg_http_call *c, const char *name, int64_t *ret, jaeger_error *err)
{
    jaeger_str text = jg_http_param(c, name);
    if (text.len == 0 || jg_go_int(text, "ParseInt", 64, ret, err) == JAEGER_OK)
        return JAEGER_OK;
    return jg_api_prefix_param(err, name);
}

jaeger_status jg_api_bool_param(const jg_http_call *c, const char *name, bool *ret, jaeger_error *err)
{
    jaeger_str text = jg_http_param(c, name);
    if (text.len == 0 || jg_go_bool(text, ret, err) == JAEGER_OK)
        return JAEGER_OK;
    return jg_api_prefix_param(err, name);
}

/** From a time in units since 1970 to ns; what does not fit is cut. */
uint64_t jg_api_unix_ns(int64_t value, uint64_t unit_ns)
{
    if (value <= 0)
        return 0;
    return (uint64_t)value > UINT64_MAX / unit_ns ? UINT64_MAX : (uint64_t)value * unit_ns;
}

/* ---- names ---- */

void jg_api_services(jg_http_call *c)
{
    jaeger_strs services = {0};
    jaeger_status status = jaeger_query_services(c->http->query, &services, c->call);
    if (status != JAEGER_OK) {
        jg_api_fail_query(c, status);
        return;
    }
    jg_api_begin(c);
    jg_json_array(&c->json);
    for (size_t i = 0; i < services.count; i++)
        jg_json_str(&c->json, services.items[i]);
    jg_json_end(&c->json);
    jg_api_end(c, services.count);
}

void jg_api_operations(jg_http_call *c)
{
    jaeger_operations operations = {0};
    jaeger_str service = jg_http_param(c, "service");
    if (service.len == 0) {
        jg_api_fail(c, 400, JAEGER_STR("parameter 'service' is required"));
        return;
    }
    jaeger_status status =
        jaeger_query_operations(c->http->query, service, jg_http_param(c, "spanKind"), &operations, c->call);
    if (status != JAEGER_OK) {
        jg_api_fail_query(c, status);
        return;
    }
    jg_api_begin(c);
    jg_json_array(&c->json);
    for (size_t i = 0; i < operations.count; i++) {
        jg_json_object(&c->json);
        jg_json_key_lit(&c->json, "name");
        jg_json_str(&c->json, operations.items[i].name);
        jg_json_key_lit(&c->json, "spanKind");
        jg_json_str(&c->json, operations.items[i].span_kind);
        jg_json_end(&c->json);
    }
    jg_json_end(&c->json);
    jg_api_end(c, operations.count);
}

/** Keep the first operation of each name. */
static bool unique_names(jaeger_operations *list)
{
    jg_map seen = {0};
    size_t kept = 0;
    bool ok = true, is_new;
    for (size_t i = 0; i < list->count && ok; i++) {
        ok = jg_map_put(&seen, list->items[i].name, &is_new) != NULL;
        if (ok && is_new)
            list->items[kept++] = list->items[i];
    }
    list->count = kept;
    jg_map_done(&seen);
    return ok;
}

void jg_api_service_operations(jg_http_call *c)
{
    jaeger_operations operations = {0};
    jaeger_str service; /* unescaped a second time, as clients escape it twice */
    if (!jg_url_decode(c->call->arena, c->variable, true, &service))
        service = JAEGER_STR("");
    jaeger_status status =
        jaeger_query_operations(c->http->query, service, JAEGER_STR(""), &operations, c->call);
    if (status == JAEGER_OK && !unique_names(&operations))
        status = jg_fail_oom(&c->call->error);
    if (status != JAEGER_OK) {
        jg_api_fail_query(c, status);
        return;
    }
    jg_api_begin(c);
    if (operations.count == 0) {
        jg_json_null(&c->json);
    } else {
        jg_json_array(&c->json);
        for (size_t i = 0; i < operations.count; i++)
            jg_json_str(&c->json, operations.items[i].name);
        jg_json_end(&c->json);
    }
    jg_api_end(c, operations.count);
}

/* ---- dependencies ---- */

static int dependency_order(const void *a, const void *b)
{
    const jaeger_dependency *x = a, *y = b;
    int order = jg_str_cmp(x->parent, y->parent);
    return order ? order : jg_str_cmp(x->child, y->child);
}

/** Those of `service` (empty: all), one for each pair, in order. */
static void merge_dependencies(jaeger_dependencies *list, jaeger_str service)
{
    size_t kept = 0, last = 0;
    for (size_t i = 0; i < list->count; i++)
        if (service.len == 0 || jg_str_eq(list->items[i].parent, service) ||
            jg_str_eq(list->items[i].child, service))
            list->items[kept++] = list->items[i];
    list->count = kept;
    if (kept == 0)
        return;
    qsort(list->items, kept, sizeof *list->items, dependency_order);
    for (size_t i = 1; i < kept; i++) {
        if (dependency_order(&list->items[last], &list->items[i]) == 0)
            list->items[last].call_count += list->items[i].call_count;
        else
            list->items[++last] = list->items[i];
    }
    list->count = last + 1;
}

void jg_api_dependencies(jg_http_call *c)
{
    jaeger_dependencies list = {0};
    jaeger_error err = {0};
    int64_t end = (int64_t)(jg_clock_unix_ns() / JG_NS_PER_MS), lookback = LOOKBACK_DEFAULT_MS, start;
    if (jg_api_int_param(c, "endTs", &end, &err) != JAEGER_OK ||
        jg_api_int_param(c, "lookback", &lookback, &err) != JAEGER_OK) {
        jg_api_fail_parse(c, &err);
        return;
    }
    if (__builtin_sub_overflow(end, lookback, &start))
        start = 0;
    jaeger_status status = jaeger_query_dependencies(c->http->query, jg_api_unix_ns(start, JG_NS_PER_MS),
                                                     jg_api_unix_ns(end, JG_NS_PER_MS), &list, c->call);
    if (status != JAEGER_OK) {
        jg_api_fail_query(c, status);
        return;
    }
    merge_dependencies(&list, jg_http_param(c, "service"));
    jg_api_begin(c);
    jg_json_array(&c->json);
    for (size_t i = 0; i < list.count; i++) {
        jg_json_object(&c->json);
        jg_json_key_lit(&c->json, "parent");
        jg_json_str(&c->json, list.items[i].parent);
        jg_json_key_lit(&c->json, "child");
        jg_json_str(&c->json, list.items[i].child);
        jg_json_key_lit(&c->json, "callCount");
        jg_json_u64(&c->json, list.items[i].call_count);
        jg_json_end(&c->json);
    }
    jg_json_end(&c->json);
    jg_api_end(c, 0);
}

/* ---- what only a backend of its own could answer ---- */

void jg_api_deep_dependencies(jg_http_call *c)
{
    jg_http_answer(c, 200, "application/json", JAEGER_STR("{\"dependencies\":[]}"));
}
