/* SPDX-License-Identifier: Apache-2.0
 * Cross-origin requests, answered as the Collector answers them (github.com/rs/cors with credentials
 * allowed): methods GET, POST, HEAD; a block without allowed_origins does nothing. Spec:
 * https://fetch.spec.whatwg.org/#http-cors-protocol
 */
#include "core/arena.h"
#include "core/str.h"
#include "net/http_impl.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool ends_with_nocase(jaeger_str s, jaeger_str end)
{
    return s.len >= end.len && jg_str_eq_nocase(jg_str_skip(s, s.len - end.len), end);
}

/** One '*' in the pattern stands for anything. */
static bool origin_matches(jaeger_str pattern, jaeger_str origin)
{
    size_t star = jg_str_find(pattern, '*');
    if (star == pattern.len)
        return jg_str_eq_nocase(pattern, origin);
    jaeger_str before = {pattern.ptr, star}, after = jg_str_skip(pattern, star + 1);
    return origin.len >= before.len + after.len && ends_with_nocase(origin, after) &&
           jg_str_eq_nocase((jaeger_str){origin.ptr, before.len}, before);
}

static bool all_allowed(const jaeger_str_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (jg_str_is(list->items[i], "*"))
            return true;
    return false;
}

static bool origin_allowed(const jg_cors_settings *cors, jaeger_str origin)
{
    for (size_t i = 0; i < cors->allowed_origins.count; i++)
        if (origin_matches(cors->allowed_origins.items[i], origin))
            return true;
    return false;
}

static bool method_allowed(jaeger_str method)
{
    return jg_str_is(method, "GET") || jg_str_is(method, "POST") || jg_str_is(method, "HEAD") ||
           jg_str_is(method, "OPTIONS");
}

static bool header_allowed(const jg_cors_settings *cors, jaeger_str name)
{
    static const char *const always[] = {"accept", "content-type", "x-requested-with", "origin"};
    for (size_t i = 0; i < cors->allowed_headers.count; i++)
        if (jg_str_eq_nocase(cors->allowed_headers.items[i], name))
            return true;
    for (size_t i = 0; i < JG_COUNT(always) && !cors->allowed_headers.count; i++)
        if (jg_str_eq_nocase(jg_str(always[i]), name))
            return true;
    return jg_str_eq_nocase(name, JAEGER_STR("origin"));
}

static bool headers_allowed(const jg_cors_settings *cors, jaeger_str names)
{
    if (all_allowed(&cors->allowed_headers))
        return true;
    while (names.len) {
        size_t comma = jg_str_find(names, ',');
        jaeger_str name = jg_str_trim((jaeger_str){names.ptr, comma});
        if (name.len && !header_allowed(cors, name))
            return false;
        names = jg_str_skip(names, comma + 1);
    }
    return true;
}

static void add_origin(const jg_cors_settings *cors, jaeger_str origin, jg_http_reply *reply)
{
    jaeger_str allowed = all_allowed(&cors->allowed_origins) ? JAEGER_STR("*") : origin;
    jg_http_add_header(reply, "Access-Control-Allow-Origin", allowed);
    jg_http_add_header(reply, "Access-Control-Allow-Credentials", JAEGER_STR("true"));
}

static void preflight(const jg_cors_settings *cors, const jg_http_request *request, jg_http_reply *reply)
{
    jaeger_str origin = jg_http_header(request, "origin");
    jaeger_str method = jg_http_header(request, "access-control-request-method");
    jaeger_str headers = jg_http_header(request, "access-control-request-headers");
    jg_http_add_header(reply, "Vary",
                       JAEGER_STR("Origin, Access-Control-Request-Method, Access-Control-Request-Headers"));
    if (origin.len && origin_allowed(cors, origin) && method_allowed(method) &&
        headers_allowed(cors, headers)) {
        add_origin(cors, origin, reply);
        jg_http_add_header(reply, "Access-Control-Allow-Methods", method);
        if (headers.len)
            jg_http_add_header(reply, "Access-Control-Allow-Headers", headers);
        if (cors->max_age_s)
            jg_http_add_header(
                reply, "Access-Control-Max-Age",
                jg_arena_printf(request->call->arena, "%llu", (unsigned long long)cors->max_age_s));
    }
    jg_http_send(reply, 204, NULL, JAEGER_STR(""));
}

static void add_exposed(const jg_cors_settings *cors, jg_http_reply *reply)
{
    jg_buf names JG_AUTO_BUF = JG_BUF_INIT(8192);
    for (size_t i = 0; i < cors->exposed_headers.count; i++) {
        if (i)
            jg_buf_lit(&names, ", ");
        for (size_t j = 0; j < cors->exposed_headers.items[i].len; j++) { /* Canonical-Form */
            char c = cors->exposed_headers.items[i].ptr[j];
            bool first = j == 0 || cors->exposed_headers.items[i].ptr[j - 1] == '-';
            c = lower(c);
            jg_buf_byte(&names, (uint8_t)(first && c >= 'a' && c <= 'z' ? c - 0x20 : c));
        }
    }
    if (names.len && jg_buf_ok(&names))
        jg_http_add_header(reply, "Access-Control-Expose-Headers", jg_buf_view(&names));
}

bool jg_http_cors(const jg_cors_settings *cors, const jg_http_request *request, jg_http_reply *reply)
{
    if (!cors->enabled || !cors->allowed_origins.count)
        return false;
    if (jg_str_is(request->method, "OPTIONS") &&
        jg_http_header(request, "access-control-request-method").len) {
        preflight(cors, request, reply);
        return true;
    }
    jaeger_str origin = jg_http_header(request, "origin");
    jg_http_add_header(reply, "Vary", JAEGER_STR("Origin"));
    if (origin.len && origin_allowed(cors, origin) && method_allowed(request->method)) {
        add_origin(cors, origin, reply);
        add_exposed(cors, reply);
    }
    return false;
}
