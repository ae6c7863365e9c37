/* SPDX-License-Identifier: Apache-2.0
 * Who answers what: identity first, then the base path, then one table of routes. Unknown paths under /api/
 * are 404 whatever the method; every other path is the user interface.
 */
#include "query/http.h"

#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "query/compress.h"
#include "query/http_call.h"
#include <stdio.h>

/** One '{}' in a pattern stands for one segment of the path, which becomes c->variable. */
typedef struct route {
    const char *method, *pattern, *name; /* name: the metric's http_route */
    jg_http_route_fn handle;
} route;

static const route routes[] = {
    {"GET", "/api/traces/{}", "/api/traces/{traceID}", jg_api_trace},
    {"GET", "/api/traces", "/api/traces", jg_api_search},
    {"POST", "/api/archive/{}", "/api/archive/{traceID}", jg_api_archive},
    {"GET", "/api/services", "/api/services", jg_api_services},
    {"GET", "/api/operations", "/api/operations", jg_api_operations},
    {"GET", "/api/services/{}/operations", "/api/services/{service}/operations", jg_api_service_operations},
    {"GET", "/api/dependencies", "/api/dependencies", jg_api_dependencies},
    {"POST", "/api/transform", "/api/transform", jg_api_transform},
    {"GET", "/api/metrics/latencies", "/api/metrics/latencies", jg_api_latencies},
    {"GET", "/api/metrics/calls", "/api/metrics/calls", jg_api_calls},
    {"GET", "/api/metrics/errors", "/api/metrics/errors", jg_api_errors},
    {"GET", "/api/deep-dependencies", "/api/deep-dependencies", jg_api_deep_dependencies},
    {"GET", "/api/quality-metrics", "/api/quality-metrics", jg_api_quality_metrics},
    {"GET", "/api/attributes", "/api/attributes", jg_api_attributes},
    {"GET", "/api/attributes/{}/values", "/api/attributes/{key}/values", jg_api_attribute_values},
    {"GET", "/tempo/api/echo", "/tempo/api/echo", jg_tempo_echo},
    {"GET", "/tempo/api/traces/{}", "/tempo/api/traces/{traceID}", jg_tempo_trace},
    {"GET", "/tempo/api/v2/traces/{}", "/tempo/api/v2/traces/{traceID}", jg_tempo_trace_v2},
    {"GET", "/tempo/api/search", "/tempo/api/search", jg_tempo_search},
    {"GET", "/tempo/api/search/tags", "/tempo/api/search/tags", jg_tempo_tags},
    {"GET", "/tempo/api/v2/search/tags", "/tempo/api/v2/search/tags", jg_tempo_tags_v2},
    {"GET", "/tempo/api/v2/search/tag/{}/values", "/tempo/api/v2/search/tag/{tag}/values", jg_tempo_values},
    {"GET", "/api/v3/services", "/api/v3/services", jg_v3_services},
    {"GET", "/api/v3/operations", "/api/v3/operations", jg_v3_operations},
    {"GET", "/api/v3/traces/{}", "/api/v3/traces/{trace_id}", jg_v3_trace},
    {"GET", "/api/v3/traces", "/api/v3/traces", jg_v3_traces},
    {"GET", "/api/v3/trace-summaries", "/api/v3/trace-summaries", jg_v3_summaries},
    {"GET", "/api/ui/v1/session", "/api/ui/v1/session", jg_ui_api_session},
    {"GET", "/api/ui/v1/trace/{}", "/api/ui/v1/trace/{traceID}", jg_ui_api_trace},
    {"GET", "/api/ui/v1/trace/{}/spans", "/api/ui/v1/trace/{traceID}/spans", jg_ui_api_spans},
    {"GET", "/api/ui/v1/trace/{}/find", "/api/ui/v1/trace/{traceID}/find", jg_ui_api_find},
    {"GET", "/api/ui/v1/trace/{}/keys", "/api/ui/v1/trace/{traceID}/keys", jg_ui_api_keys},
    {"GET", "/api/ui/v1/trace/{}/values", "/api/ui/v1/trace/{traceID}/values", jg_ui_api_values},
    {"GET", "/api/ui/v1/trace/{}/links", "/api/ui/v1/trace/{traceID}/links", jg_ui_api_links},
    {"GET", "/api/ui/v1/trace/{}/watch", "/api/ui/v1/trace/{traceID}/watch", jg_ui_api_watch},
    {"GET", "/api/ui/v1/edges", "/api/ui/v1/edges", jg_ui_api_edges},
    {"GET", "/api/ui/v1/telemetry", "/api/ui/v1/telemetry", jg_ui_api_telemetry},
    {"GET", "/api/ui/v1/sampling", "/api/ui/v1/sampling", jg_ui_api_sampling},
};

/* ---- routing ---- */

/** @param ret_variable the segment at '{}', still escaped */
static bool pattern_matches(const char *pattern, jaeger_str path, jaeger_str *ret_variable)
{
    size_t at = 0;
    for (const char *p = pattern; *p; p++) {
        if (*p == '{') {
            jaeger_str rest = jg_str_skip(path, at);
            *ret_variable = (jaeger_str){rest.ptr, jg_str_find(rest, '/')};
            if (ret_variable->len == 0)
                return false;
            at += ret_variable->len;
            p++; /* the closing brace */
        } else if (at >= path.len || path.ptr[at++] != *p) {
            return false;
        }
    }
    return at == path.len;
}

static bool method_matches(const char *wanted, jaeger_str method)
{
    return jg_str_is(method, wanted) || (jg_str_is(method, "HEAD") && jg_str_is(jg_str(wanted), "GET"));
}

/** @param ret_variable still escaped; ptr NULL: the route has none */
static const route *match_route(jaeger_str method, jaeger_str path, jaeger_str *ret_variable)
{
    *ret_variable = (jaeger_str){0};
    for (size_t i = 0; i < JG_COUNT(routes); i++)
        if (method_matches(routes[i].method, method) &&
            pattern_matches(routes[i].pattern, path, ret_variable))
            return &routes[i];
    return NULL;
}

static const route *find_route(jg_http_call *c, jaeger_str path)
{
    jaeger_str variable;
    const route *r = match_route(c->request->method, path, &variable);
    bool ok = !r || variable.len == 0 || jg_url_decode(c->call->arena, variable, false, &c->variable);
    return ok ? r : NULL;
}

/** What has no route of its own. */
static const char *other_route(jaeger_str path)
{
    if (jg_str_starts(path, JAEGER_STR("/api/")) || jg_str_starts(path, JAEGER_STR("/tempo/api/")))
        return "/api/";
    return jg_str_starts(path, JAEGER_STR("/static/")) ? "/static/" : "/";
}

const char *jg_query_http_route(const jg_query_http *http, jaeger_str method, jaeger_str path)
{
    jaeger_str variable;
    if (!jg_str_starts(path, http->base_path))
        return "";
    path = jg_str_skip(path, http->base_path.len);
    const route *r = match_route(method, path, &variable);
    return r ? r->name : other_route(path);
}

/** The path names a folder: say so with a '/' at its end. */
static void redirect_to_folder(jg_http_call *c)
{
    jaeger_arena *arena = c->call->arena;
    jaeger_str path = c->request->path, query = c->request->query;
    jaeger_str to = query.len
                        ? jg_arena_printf(arena, "%.*s/?%.*s", JAEGER_STR_ARGS(path), JAEGER_STR_ARGS(query))
                        : jg_arena_printf(arena, "%.*s/", JAEGER_STR_ARGS(path));
    JG_AUTO_BUF jg_buf body = JG_BUF_INIT(JG_RESPONSE_BYTES);
    jg_buf_lit(&body, "<a href=\"");
    for (size_t i = 0; i < to.len; i++) {
        if (to.ptr[i] == '&')
            jg_buf_lit(&body, "&amp;");
        else if (to.ptr[i] == '<' || to.ptr[i] == '>' || to.ptr[i] == '"' || to.ptr[i] == '\'')
            jg_buf_printf(&body, "&#%d;", to.ptr[i]);
        else
            jg_buf_byte(&body, (uint8_t)to.ptr[i]);
    }
    jg_buf_lit(&body, "\">Temporary Redirect</a>.\n\n");
    c->reply->add_header(c->reply->self, "Location", to);
    jg_http_answer(c, 307, "text/html; charset=utf-8", jg_buf_view(&body));
}

static void serve_ui(jg_http_call *c, jaeger_str path)
{
    jaeger_storage_caps caps;
    jaeger_str file;
    if (jg_str_starts(path, JAEGER_STR("/static/"))) {
        if (jg_url_decode(c->call->arena, path, false, &file))
            c->status = jg_ui_send_file(c->http->ui, file, jg_http_call_header(c, "if-none-match"),
                                        jg_http_call_header(c, "accept-encoding"), c->reply);
        else
            jg_http_not_found(c);
        return;
    }
    jaeger_query_caps(c->http->query, &caps);
    c->status = jg_ui_send_index(c->http->ui, path, jaeger_query_has_archive(c->http->query),
                                 caps.without_service_name, c->reply);
}

/** @return the name of the route, for the metric */
static const char *dispatch(jg_http_call *c)
{
    jaeger_str path = c->request->path, base = c->http->base_path, decoded;
    if (!jg_url_decode(c->call->arena, path, false, &decoded)) {
        jg_http_answer(c, 400, "text/plain; charset=utf-8", JAEGER_STR("400 Bad Request"));
        return "";
    }
    if ((base.len && jg_str_eq(path, base)) ||
        (jg_str_starts(path, base) && jg_str_is(jg_str_skip(path, base.len), "/api"))) {
        redirect_to_folder(c);
        return "";
    }
    if (!jg_str_starts(path, base) || path.len == base.len || path.ptr[base.len] != '/') {
        jg_http_not_found(c);
        return "";
    }
    path = jg_str_skip(path, base.len);
    const route *r = find_route(c, path);
    if (r) {
        r->handle(c);
        return r->name;
    }
    const char *other = other_route(path);
    if (strcmp(other, "/api/") == 0)
        jg_http_not_found(c);
    else
        serve_ui(c, path);
    return other;
}

/* ---- identity ---- */

/** "Bearer x", or a value of one word; what the header says otherwise (Basic, …) is nobody's token. */
static jaeger_str bearer_token(const jg_http_call *c)
{
    jaeger_str value = jg_http_call_header(c, "authorization");
    if (value.len == 0)
        value = jg_http_call_header(c, "x-forwarded-access-token");
    size_t space = jg_str_find(value, ' ');
    if (space == value.len)
        return value;
    jaeger_str token = jg_str_skip(value, space + 1);
    bool is_bearer =
        jg_str_is((jaeger_str){value.ptr, space}, "Bearer") && jg_str_find(token, ' ') == token.len;
    return is_bearer ? token : (jaeger_str){0};
}

/** The headers that storage may pass on. */
static void forward_headers(jg_http_call *c)
{
    const jaeger_str_list *names = &c->http->forwarded_headers;
    size_t n = 0;
    jaeger_pair *pairs =
        names->count ? jaeger_arena_alloc(c->call->arena, names->count * sizeof *pairs) : NULL;
    for (size_t i = 0; pairs && i < names->count; i++) {
        jaeger_str value = jg_http_call_header(c, names->items[i].ptr);
        if (value.ptr)
            pairs[n++] = (jaeger_pair){names->items[i], value};
    }
    if (n) {
        c->call->metadata = pairs;
        c->call->metadata_count = n;
    }
}

/** The tenant that a page has chosen: a link or a download cannot set headers. A choice that is not (any
 *  more) this login's counts for nothing. @return ptr NULL: none */
static jaeger_str tenant_of_cookie(const jg_http_call *c)
{
    const jg_tenancy *tenancy = &c->http->tenancy;
    jaeger_str rest = jg_http_call_header(c, "cookie"), tenant, name = JAEGER_STR(JG_TENANT_COOKIE "=");
    while (rest.len) {
        jaeger_str pair = {rest.ptr, jg_str_find(rest, ';')};
        rest = jg_str_skip(rest, pair.len + 1);
        pair = jg_str_trim(pair);
        if (jg_str_starts(pair, name) &&
            jg_url_decode(c->call->arena, jg_str_skip(pair, name.len), false, &tenant) &&
            jg_tenancy_allows(tenancy, tenant, c->call))
            return tenant;
    }
    return (jaeger_str){0};
}

/** By the header, else by the cookie. */
static jaeger_status find_tenant(const jg_http_call *c)
{
    const jg_http_request *request = c->request;
    const jg_tenancy *tenancy = &c->http->tenancy;
    jaeger_str name = jg_tenancy_header(tenancy);
    jaeger_pair chosen = {name, {0}};
    bool in_header = false;
    if (!tenancy->enabled && !c->call->user_tenants)
        return JAEGER_OK;
    for (size_t i = 0; i < request->header_count; i++)
        in_header |= jg_str_eq_nocase(request->headers[i].key, name);
    if (!in_header)
        chosen.value = tenant_of_cookie(c);
    return chosen.value.ptr ? jg_tenancy_check(tenancy, &chosen, 1, c->call)
                            : jg_tenancy_check(tenancy, request->headers, request->header_count, c->call);
}

static bool identify(jg_http_call *c)
{
    jaeger_call *call = c->call;
    if (c->http->bearer_token_propagation)
        call->bearer_token = bearer_token(c);
    forward_headers(c);
    if (find_tenant(c) == JAEGER_OK)
        return true;
    jg_http_error(c, call->user_tenants ? 403 : 401, jg_str(call->error.message));
    return false;
}

/** W3C trace context: 00-<32 hex>-<16 hex>-<2 hex>. */
static bool is_traceparent(jaeger_str s)
{
    uint8_t bytes[16];
    return s.len == 55 && s.ptr[2] == '-' && s.ptr[35] == '-' && s.ptr[52] == '-' &&
           jg_hex_decode((jaeger_str){s.ptr + 3, 32}, bytes, 16) && !jg_id_is_zero(bytes, 16) &&
           jg_hex_decode((jaeger_str){s.ptr + 36, 16}, bytes, 8) && !jg_id_is_zero(bytes, 8);
}

/* ---- one request ---- */

static const double duration_bounds_s[] = {0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25,
                                           0.5,   0.75, 1,     2.5,  5,     7.5, 10};

static const double size_bounds[] = {0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000};

/** A reply that counts what goes through it. */
typedef struct counted_reply {
    const jg_query_reply *to;
    uint64_t bytes;
} counted_reply;

static void count_header(void *self, const char *name, jaeger_str value)
{
    const jg_query_reply *to = ((counted_reply *)self)->to;
    to->add_header(to->self, name, value);
}

static void count_send(void *self, int status, const char *content_type, jaeger_str body)
{
    counted_reply *c = self;
    c->bytes += body.len;
    c->to->send(c->to->self, status, content_type, body);
}

static void count_begin(void *self, int status, const char *content_type)
{
    const jg_query_reply *to = ((counted_reply *)self)->to;
    to->begin(to->self, status, content_type);
}

static jaeger_status count_write(void *self, jaeger_str bytes)
{
    counted_reply *c = self;
    c->bytes += bytes.len;
    return c->to->write(c->to->self, bytes);
}

static void count_end(void *self, bool ok)
{
    const jg_query_reply *to = ((counted_reply *)self)->to;
    to->end(to->self, ok);
}

static void measure(const jg_http_call *c, const char *route_name, uint64_t begin_ns, uint64_t response_bytes)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"};
    jaeger_str method = JAEGER_STR("_OTHER");
    char status[16];
    for (size_t i = 0; i < JG_COUNT(methods); i++)
        if (jg_str_is(c->request->method, methods[i]))
            method = jg_str(methods[i]);
    int len = snprintf(status, sizeof status, "%d", c->status);
    jaeger_pair labels[] = {{JAEGER_STR("http_request_method"), method},
                            {JAEGER_STR("http_response_status_code"), {status, (size_t)len}},
                            {JAEGER_STR("http_route"), jg_str(route_name)},
                            {JAEGER_STR("network_protocol_name"), JAEGER_STR("http")},
                            {JAEGER_STR("network_protocol_version"), JAEGER_STR("1.1")},
                            {JAEGER_STR("url_scheme"), JAEGER_STR("http")}};
    jg_metric *histogram = jg_metrics_histogram(
        c->http->metrics, "http_server_request_duration", "duration of HTTP requests in seconds", labels,
        JG_COUNT(labels), duration_bounds_s, JG_COUNT(duration_bounds_s));
    jg_metric_observe(histogram, (double)(jg_clock_mono_ns() - begin_ns) / 1e9);
    jg_metric_observe(jg_metrics_histogram(c->http->metrics, "http_server_request_body_size",
                                           "size of HTTP request bodies in bytes", labels, JG_COUNT(labels),
                                           size_bounds, JG_COUNT(size_bounds)),
                      (double)c->request->body.len);
    jg_metric_observe(jg_metrics_histogram(c->http->metrics, "http_server_response_body_size",
                                           "size of HTTP response bodies in bytes", labels, JG_COUNT(labels),
                                           size_bounds, JG_COUNT(size_bounds)),
                      (double)response_bytes);
}

void jg_query_http_handle(const jg_query_http *http, jg_http_request *request, const jg_query_reply *reply)
{
    uint64_t begin = jg_clock_mono_ns();
    counted_reply counted = {.to = reply};
    const jg_query_reply counting = {count_header, count_send, count_begin, count_write, count_end, &counted};
    jg_http_call c = {.http = http,
                      .request = request,
                      .reply = &counting,
                      .call = request->call,
                      .body = JG_BUF_INIT(JG_CALL_ARENA_BYTES_MAX)};
    jg_compress compress;
    jg_query_reply packs;
    if (http->compresses) {
        packs = jg_compress_begin(&compress, &counting, jg_http_call_header(&c, "accept-encoding"));
        c.reply = &packs;
    }
    jaeger_str parent = jg_http_call_header(&c, "traceparent");
    reply->add_header(reply->self, "Traceresponse", is_traceparent(parent) ? parent : JAEGER_STR(""));
    const char *route_name = "";
    if (identify(&c))
        route_name = dispatch(&c);
    if (http->compresses)
        jg_compress_done(&compress);
    measure(&c, route_name, begin, counted.bytes);
    jg_buf_done(&c.body);
}

/* ---- paths ---- */

jaeger_status jg_query_base_path(jaeger_str path, jaeger_str *ret, jaeger_error *err)
{
    if (path.len && path.ptr[0] != '/')
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "invalid base path '%.*s'. Must start but not end with a slash '/'",
                       JAEGER_STR_ARGS(path));
    if (path.len && path.ptr[path.len - 1] == '/')
        path.len--;
    bool ok = path.len == 0 || path.ptr[path.len - 1] != '/';
    for (size_t at = 1; at < path.len;) {
        jaeger_str rest = jg_str_skip(path, at), segment = {rest.ptr, jg_str_find(rest, '/')};
        ok = ok && segment.len && !jg_str_is(segment, ".") && !jg_str_is(segment, "..");
        at += segment.len + 1;
    }
    if (!ok)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "invalid base path '%.*s': empty or dot segments",
                       JAEGER_STR_ARGS(path));
    *ret = path;
    return JAEGER_OK;
}
