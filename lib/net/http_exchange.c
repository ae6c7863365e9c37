/* SPDX-License-Identifier: Apache-2.0
 * One exchange: the request as a loop gathers it, and the job that answers it on a worker: CORS, auth,
 * decoding of the body, the handler. The order is that of the Collector's confighttp.
 */
#include "core/alloc.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/cond.h"
#include "core/limits.h"
#include "core/self_span.h"
#include "core/str.h"
#include "net/encoding.h"
#include "net/http_impl.h"
#include "net/requests.h"
#include <stdio.h>

#define BODY_BYTES_FIRST (64u << 10)
#define SPAN_NAME_BYTES  160

/* ---- making and freeing
 * ----------------------------------------------------------------------------------------- */

static void init_output(jg_http_reply *ex)
{
    jg_cond_init(&ex->out_room);
    (void)pthread_mutex_init(&ex->out_mutex, NULL);
    ex->headers = JG_BUF_INIT(JG_HTTP_HEAD_BYTES_MAX);
    ex->waiting = JG_BUF_INIT(JG_HTTP_REPLY_BYTES_MAX);
    ex->sending = JG_BUF_INIT(JG_HTTP_REPLY_BYTES_MAX);
}

static void free_exchange(jg_http_reply *ex)
{
    jg_http_server *server = ex->server;
    jg_http_exchange_drop_body(ex);
    jaeger_arena_free(ex->call.arena);
    jg_buf_done(&ex->headers);
    jg_buf_done(&ex->waiting);
    jg_buf_done(&ex->sending);
    (void)pthread_cond_destroy(&ex->out_room);
    (void)pthread_mutex_destroy(&ex->out_mutex);
    jg_free(ex);
    (void)pthread_mutex_lock(&server->live_mutex);
    if (--server->exchange_count == 0)
        (void)pthread_cond_broadcast(&server->live_cond);
    (void)pthread_mutex_unlock(&server->live_mutex);
}

void jg_http_exchange_unref(jg_http_reply *ex)
{
    if (__atomic_sub_fetch(&ex->refs, 1, __ATOMIC_ACQ_REL) == 0)
        free_exchange(ex);
}

static jg_http_reply *alloc_exchange(jg_http_conn *conn)
{
    jg_http_reply *ex = jg_calloc(1, sizeof *ex);
    jaeger_arena *arena = ex ? jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX) : NULL;
    if (!arena) {
        jg_free(ex);
        return NULL;
    }
    ex->refs = 1;
    ex->server = conn->server;
    ex->loop = conn->loop;
    ex->conn = conn;
    ex->call = JAEGER_CALL_INIT;
    ex->call.arena = arena;
    ex->call.cancelled = &ex->cancelled;
    init_output(ex);
    (void)pthread_mutex_lock(&conn->server->live_mutex);
    conn->server->exchange_count++;
    (void)pthread_mutex_unlock(&conn->server->live_mutex);
    return ex;
}

static void fill_request(jg_http_reply *ex, const char *peer)
{
    const jg_http_server_settings *settings = ex->server->options.settings;
    uint64_t limit = settings->write_timeout_ns ? settings->write_timeout_ns : JG_TIMEOUT_DEFAULT_NS;
    ex->call.deadline_ns = jg_clock_mono_ns() + limit;
    if (settings->include_metadata) {
        ex->call.metadata = ex->head.headers;
        ex->call.metadata_count = ex->head.header_count;
    }
    ex->request = (jg_http_request){
        .method = ex->head.method,
        .path = ex->head.path,
        .query = ex->head.query,
        .content_type = jg_http_head_get(&ex->head, "content-type"),
        .peer = jaeger_arena_str(ex->call.arena, jg_str(peer)),
        .headers = ex->head.headers,
        .header_count = ex->head.header_count,
        .call = &ex->call,
    };
}

jg_http_reply *jg_http_exchange_new(jg_http_conn *conn, const char *head, size_t head_len, int *ret_refuse,
                                    const char **ret_why)
{
    *ret_refuse = 503;
    *ret_why = "out of memory";
    jg_http_reply *ex = alloc_exchange(conn);
    if (!ex)
        return NULL;
    char *copy = jaeger_arena_alloc(ex->call.arena, head_len);
    if (copy) {
        memcpy(copy, head, head_len);
        *ret_refuse = jg_http_head_parse(copy, head_len, &ex->head, ret_why);
    }
    if (*ret_refuse) {
        jg_http_exchange_unref(ex);
        return NULL;
    }
    fill_request(ex, conn->peer);
    return ex;
}

/* ---- the body
 * --------------------------------------------------------------------------------------------------- */

void jg_http_exchange_drop_body(jg_http_reply *ex)
{
    jg_free(ex->body);
    if (ex->body_cap)
        jg_net_release(ex->server->net, ex->body_cap);
    ex->body = NULL;
    ex->body_len = ex->body_cap = 0;
}

jg_http_body_result jg_http_exchange_body(jg_http_reply *ex, const void *bytes, size_t len)
{
    size_t max = ex->head.chunked ? ex->server->body_bytes_max : ex->head.content_length;
    if (len > max - ex->body_len)
        return JG_BODY_TOO_LARGE;
    if (len > ex->body_cap - ex->body_len) {
        /* not the whole Content-Length at once: who only announces much gets little */
        size_t cap = JG_MAX(JG_MAX(ex->body_cap * 2, BODY_BYTES_FIRST), ex->body_len + len);
        cap = JG_MIN(cap, max);
        if (!jg_net_admit(ex->server->net, cap - ex->body_cap))
            return JG_BODY_OVER_BUDGET;
        uint8_t *body = jg_realloc(ex->body, cap);
        if (!body) {
            jg_net_release(ex->server->net, cap - ex->body_cap);
            return JG_BODY_OVER_BUDGET;
        }
        ex->body = body;
        ex->body_cap = cap;
    }
    if (len)
        memcpy(ex->body + ex->body_len, bytes, len);
    ex->body_len += len;
    return JG_BODY_OK;
}

static bool admit(void *user, size_t bytes)
{
    return jg_net_admit(user, bytes);
}

static bool coding_allowed(const jg_http_server_settings *settings, jaeger_str name)
{
    const jaeger_str_list *allowed = &settings->compression_algorithms;
    for (size_t i = 0; i < allowed->count; i++)
        if (jg_str_eq_nocase(allowed->items[i], name))
            return true;
    return allowed->count == 0;
}

/** Replace the body by what it decodes to. */
static jaeger_status decode_body(jg_http_reply *ex, jaeger_str coding, jaeger_error *err)
{
    jg_buf out = JG_BUF_INIT(ex->server->body_bytes_max);
    jg_decode_budget budget = {admit, ex->server->net, 0};
    jaeger_str in = {(const char *)ex->body, ex->body_len};
    jaeger_status status = jg_decode_within(coding, in, &out, &budget, err);
    jg_http_exchange_drop_body(ex);
    if (status != JAEGER_OK) {
        jg_buf_done(&out);
        jg_net_release(ex->server->net, budget.admitted);
        return status;
    }
    ex->body_cap = budget.admitted;
    ex->body = jg_buf_take(&out, &ex->body_len);
    return JAEGER_OK;
}

/** @return false: answered */
static bool prepare_body(jg_http_reply *ex)
{
    jaeger_error *err = &ex->request_error;
    jaeger_str coding = jg_http_head_get(&ex->head, "content-encoding");
    if (err->status == JAEGER_OK && coding.len && !jg_str_eq_nocase(coding, JAEGER_STR("identity"))) {
        if (!jg_encoding_known(coding) || !coding_allowed(ex->server->options.settings, coding))
            (void)jaeger_fail(err, JAEGER_INVALID_ARGUMENT, "unsupported Content-Encoding: %.*s",
                              JAEGER_STR_ARGS(coding));
        else if (decode_body(ex, coding, err) == JAEGER_UNAVAILABLE) {
            jg_http_add_header(ex, "Retry-After", JAEGER_STR("1"));
            jg_http_send_error(ex, 503, jg_str(err->message));
            return false;
        }
    }
    if (err->status != JAEGER_OK) {
        jg_http_exchange_drop_body(ex);
        if (!ex->server->options.recovers_errors) {
            jg_http_send_error(ex, 400, jg_str(err->message));
            return false;
        }
    }
    ex->request.body = (jaeger_str){(const char *)ex->body, ex->body_len};
    return true;
}

/* ---- the job
 * ---------------------------------------------------------------------------------------------------- */

/** @return false: answered */
static bool authorize(jg_http_reply *ex)
{
    const jg_http_server_options *options = &ex->server->options;
    if (!options->auth.check)
        return true;
    jaeger_status status = options->auth.check(options->auth.self, &ex->request, &ex->call);
    if (status == JAEGER_OK)
        return true;
    if (status != JAEGER_PERMISSION_DENIED && options->auth.challenge)
        jg_http_add_header(ex, "WWW-Authenticate", jg_str(options->auth.challenge));
    if (!options->recovers_errors) {
        jg_http_send_error(ex, status == JAEGER_PERMISSION_DENIED ? 403 : 401,
                           jg_str(ex->call.error.message));
        return false;
    }
    ex->request_error = ex->call.error;
    if (status != JAEGER_PERMISSION_DENIED)
        ex->request_error.status = JAEGER_UNAUTHENTICATED;
    return true;
}

static void answer(jg_http_reply *ex)
{
    const jg_http_server_options *options = &ex->server->options;
    const jaeger_pair_list *extra = &options->settings->response_headers;
    for (size_t i = 0; i < extra->count; i++)
        jg_http_add_header(ex, jg_str_z(ex->call.arena, extra->items[i].key), extra->items[i].value);
    if (jg_http_cors(&options->settings->cors, &ex->request, ex) || !authorize(ex) || !prepare_body(ex))
        return;
    options->handler.handle(options->handler.self, &ex->request, ex);
}

static void begin_span(jg_http_reply *ex, jg_self_span *span)
{
    const jg_http_server_options *o = &ex->server->options;
    jaeger_tracer *tracer = o->untraced ? NULL : jg_net_tracer(ex->server->net);
    jaeger_str method = ex->request.method, path = ex->request.path;
    char name[SPAN_NAME_BYTES] = "";
    if (tracer) {
        jaeger_str route = o->route ? jg_str(o->route(o->handler.self, method, path)) : path;
        (void)snprintf(name, sizeof name, "%.*s%s%.*s", JAEGER_STR_ARGS(method), route.len ? " " : "",
                       JAEGER_STR_ARGS(route));
    }
    jg_self_span_serve(span, tracer, &ex->call, name, ex->request.headers, ex->request.header_count);
    if (!span->live)
        return;
    jaeger_span_set_str(span->live, JAEGER_STR("http.request.method"), method);
    jaeger_span_set_str(span->live, JAEGER_STR("url.path"), path);
    jaeger_span_set_str(span->live, JAEGER_STR("component"), jg_str(o->name ? o->name : ""));
}

static void end_span(jg_http_reply *ex, jg_self_span *span)
{
    jaeger_span_set_int(span->live, JAEGER_STR("http.response.status_code"), ex->status);
    jg_self_span_end(span, ex->status >= 500, &ex->call.error);
}

void jg_http_exchange_run(jg_job *job)
{
    jg_http_reply *ex = JG_CONTAINER(job, jg_http_reply, job);
    jg_request_mark mark;
    jg_requests_begin(jg_net_requests(ex->server->net, false), &mark, ex->server->options.name,
                      ex->request.method, ex->request.path);
    jg_self_span span;
    begin_span(ex, &span);
    answer(ex);
    if (!ex->begun)
        jg_http_send_error(ex, 500, JAEGER_STR("Internal Server Error"));
    if (!ex->ended)
        jg_http_end(ex, false);
    end_span(ex, &span);
    jg_requests_end(&mark, ex->status, ex->status >= 400, ex->status == 404, ex->call.error.message);
    jg_http_exchange_drop_body(ex);
    jg_http_exchange_unref(ex);
}

/* ---- what handlers ask
 * ------------------------------------------------------------------------------------------ */

static jg_http_reply *exchange_of(const jg_http_request *request)
{
    return JG_CONTAINER((char *)(uintptr_t)request, jg_http_reply, request);
}

jaeger_status jg_http_request_error(const jg_http_request *request, jaeger_error *ret)
{
    const jg_http_reply *ex = exchange_of(request);
    if (ex->request_error.status != JAEGER_OK && ret)
        *ret = ex->request_error;
    return ex->request_error.status;
}

jaeger_str jg_http_header(const jg_http_request *request, const char *name)
{
    return jg_http_head_get(&exchange_of(request)->head, name);
}

typedef struct taken_body {
    jg_net *net;
    size_t admitted;
} taken_body;

static void release_body(void *user, void *bytes, size_t len)
{
    (void)len;
    taken_body *taken = user;
    jg_net_release(taken->net, taken->admitted);
    jg_free(bytes);
    jg_free(taken);
}

bool jg_http_take_body(jg_http_request *request, void **ret_bytes, size_t *ret_len,
                       jaeger_release_fn *ret_release, void **ret_user)
{
    jg_http_reply *ex = exchange_of(request);
    taken_body *taken = ex->body_len ? jg_alloc(sizeof *taken) : NULL;
    if (!taken)
        return false;
    *taken = (taken_body){ex->server->net, ex->body_cap};
    *ret_bytes = ex->body;
    *ret_len = ex->body_len;
    *ret_release = release_body;
    *ret_user = taken;
    ex->body = NULL;
    ex->body_len = ex->body_cap = 0;
    request->body = (jaeger_str){NULL, 0};
    return true;
}
