/* SPDX-License-Identifier: Apache-2.0
 * See http_call.h.
 */
#include "query/http_call.h"

#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "query/service.h"

jaeger_str jg_http_param(const jg_http_call *c, const char *name)
{
    jaeger_str value = jg_query_get(c->call->arena, c->request->query, name);
    return value.ptr ? value : JAEGER_STR("");
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
