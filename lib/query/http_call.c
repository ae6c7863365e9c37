/* SPDX-License-Identifier: Apache-2.0
 * See http_call.h.
 */
#include "query/http_call.h"

#include "core/arena.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "model/expr.h"
#include "query/ranking.h"
#include "query/service.h"

jaeger_str jg_http_param(const jg_http_call *c, const char *name)
{
    jaeger_str value = jg_query_get(c->call->arena, c->request->query, name);
    return value.ptr ? value : JAEGER_STR("");
}

jaeger_str jg_http_call_header(const jg_http_call *c, const char *name)
{
    const jg_http_request *request = c->request;
    for (size_t i = 0; i < request->header_count; i++)
        if (jg_str_is(request->headers[i].key, name))
            return request->headers[i].value;
    return (jaeger_str){0};
}

bool jg_http_param_next(const jg_http_call *c, const char *name, size_t *at, jaeger_str *ret)
{
    jaeger_pair pair;
    while (jg_query_next(c->call->arena, c->request->query, at, &pair)) {
        if (jg_str_is(pair.key, name)) {
            *ret = pair.value;
            return true;
        }
    }
    return false;
}

void jg_http_json_begin(jg_http_call *c, bool pretty)
{
    c->content_type = "application/json";
    jg_buf_clear(&c->body);
    c->json = (jg_json_out){.buf = &c->body, .html = true, .indent = pretty ? 4 : 0};
}

static jaeger_status flush(void *self, jg_buf *buf)
{
    jg_http_call *c = self;
    if (!c->begun) {
        c->begun = true;
        c->status = 200;
        c->reply->begin(c->reply->self, 200, c->content_type);
    }
    jaeger_status status = c->reply->write(c->reply->self, jg_buf_view(buf));
    jg_buf_clear(buf);
    return status == JAEGER_OK ? status : jg_fail(&c->call->error, status, "the client went away");
}

jg_json_flush jg_http_flush(jg_http_call *c)
{
    return (jg_json_flush){flush, c, JG_RESPONSE_BYTES};
}

void jg_http_json_end(jg_http_call *c)
{
    if (!jg_buf_ok(&c->body)) {
        if (c->begun)
            jg_http_cut(c);
        else
            jg_http_error(c, 503, JAEGER_STR("response: out of memory"));
    } else if (!c->begun) {
        jg_http_answer(c, 200, c->content_type, jg_buf_view(&c->body));
    } else {
        bool ok = c->body.len == 0 || flush(c, &c->body) == JAEGER_OK;
        c->reply->end(c->reply->self, ok);
    }
}

void jg_http_cut(jg_http_call *c)
{
    c->reply->end(c->reply->self, false);
}

void jg_http_answer(jg_http_call *c, int status, const char *content_type, jaeger_str body)
{
    c->status = status;
    c->reply->send(c->reply->self, status, content_type, body);
}

void jg_http_error(jg_http_call *c, int status, jaeger_str text)
{
    JG_AUTO_BUF jg_buf body = JG_BUF_INIT(JG_RESPONSE_BYTES);
    jg_buf_str(&body, text);
    jg_buf_byte(&body, '\n');
    c->reply->add_header(c->reply->self, "X-Content-Type-Options", JAEGER_STR("nosniff"));
    jg_http_answer(c, status, "text/plain; charset=utf-8", jg_buf_view(&body));
}

void jg_http_not_found(jg_http_call *c)
{
    jg_http_error(c, 404, JAEGER_STR("404 page not found"));
}

static jaeger_str page_param(const jg_http_call *c, const char *prefix, const char *name)
{
    jaeger_str full = jg_arena_printf(c->call->arena, "%s%s", prefix, name);
    return full.ptr ? jg_http_param(c, full.ptr) : JAEGER_STR("");
}

jaeger_status jg_http_page_params(const jg_http_call *c, const char *prefix, jaeger_trace_query *find,
                                  jaeger_page *page, bool *ret_paged, jaeger_error *err)
{
    jaeger_str filter = page_param(c, prefix, "filter"), order = page_param(c, prefix, "order");
    *page = (jaeger_page){.size = sizeof *page, .cursor = page_param(c, prefix, "cursor")};
    find->stopped_early = &page->stopped_early;
    *ret_paged = filter.len || order.len || page->cursor.len;
    if (*prefix && filter.len && jg_filter_is_json(filter) && !jg_query_takes_structured(c->http->query))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s", JG_STRUCTURED_DISABLED);
    if (filter.len && jaeger_filter_parse(filter, c->call->arena, &find->filter, err) != JAEGER_OK)
        return jg_fail_prefix(err, "%sfilter", prefix);
    if (order.len && !jg_order_of(order, &page->order))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%sorder: expected newest, longest, spans or errors",
                       prefix);
    return jg_page_check(page, err) == JAEGER_OK ? JAEGER_OK : jg_fail_prefix(err, "%scursor", prefix);
}

void jg_http_page_result(jg_json_out *json, const jaeger_page *page)
{
    jg_json_key_lit(json, "nextCursor");
    jg_json_str(json, page->next);
    jg_json_key_lit(json, "stoppedEarly");
    jg_json_bool(json, page->stopped_early);
}

int jg_http_status_of(jaeger_status status, const jaeger_error *err)
{
    switch (status) {
    case JAEGER_NOT_FOUND:
        return 404;
    case JAEGER_RESOURCE_EXHAUSTED:
        return 503;
    case JAEGER_DEADLINE_EXCEEDED:
        return 504;
    case JAEGER_INVALID_ARGUMENT: /* of a store: its fault, but for this one */
        return jg_str_is(jg_str(err->message), JG_SERVICE_NAME_REQUIRED) ? 400 : 500;
    default:
        return 500;
    }
}
