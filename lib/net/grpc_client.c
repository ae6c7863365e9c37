/* SPDX-License-Identifier: Apache-2.0
 * Callers' side: get a connection (one caller dials, the others wait), hand the call to the loop, take its
 * messages.
 */
#include "net/grpc_client.h"

#include "core/clock.h"
#include "core/cond.h"
#include "core/err.h"
#include "core/self_span.h"
#include "core/str.h"
#include "net/encoding.h"
#include "net/grpc_client_conn.h"
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define BACKOFF_FIRST_NS                                                                                     \
    (JG_NS_PER_S) /* gRPC's connection backoff, with a lower ceiling: stores come back                       \
                   */
#define BACKOFF_LAST_NS (20 * JG_NS_PER_S)
#define DIAL_NS         (20 * JG_NS_PER_S)
#define POLL_NS         (50 * JG_NS_PER_MS) /* how often a waiting caller looks at its cancelled flag */
#define TRIES_MAX       3                   /* of calls that no server saw */
#define OWN_HEADERS     12
#define CALL_BYTES_MAX  (1u << 20) /* headers of one call, beside its message */

/* ---- the client -------------------------------------------------------------------------------------------
 */

jaeger_status jg_grpc_client_check(const jg_grpc_client_settings *s, jaeger_error *err)
{
    jg_dial_target target;
    jaeger_str c = s->compression;
    JG_TRY(jg_dial_parse(s->endpoint, &target, err));
    if (c.len && !jg_str_is(c, "none") && !jg_str_is(c, "gzip") && !jg_str_is(c, "snappy") &&
        !jg_str_is(c, "zstd"))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "unsupported compression type \"%.*s\"",
                       JAEGER_STR_ARGS(c));
    return jg_tls_check(&s->tls, false, err) == JAEGER_OK ? JAEGER_OK : jg_fail_prefix(err, "tls");
}

static jaeger_status client_open(jg_grpc_client *client, jaeger_error *err)
{
    const jg_grpc_client_settings *s = client->settings;
    JG_TRY(jg_grpc_client_check(s, err));
    JG_TRY(jg_dial_parse(s->endpoint, &client->target, err));
    bool has_ca = s->tls.ca_file.len || s->tls.ca_pem.len;
    client->uses_tls =
        client->target.forces_tls || (!client->target.forces_plain && (!s->tls.insecure || has_ca));
    if (client->uses_tls)
        JG_TRY(jg_tls_new(&s->tls, false, "h2", jg_net_log(client->net), &client->tls, err));
    if (s->authority.len)
        (void)snprintf(client->authority, sizeof client->authority, "%.*s", JAEGER_STR_ARGS(s->authority));
    else if (client->target.path[0])
        (void)snprintf(client->authority, sizeof client->authority, "localhost");
    else
        (void)snprintf(client->authority, sizeof client->authority,
                       memchr(client->target.host, ':', strlen(client->target.host)) ? "[%s]:%s" : "%s:%s",
                       client->target.host, client->target.port);
    return jg_grpc_client_callbacks_init(client) ? JAEGER_OK : jg_fail_oom(err);
}

jaeger_status jg_grpc_client_new(jg_net *net, const jg_grpc_client_settings *settings, size_t recv_bytes_max,
                                 jg_grpc_client **ret, jaeger_error *err)
{
    jg_grpc_client *client = jg_calloc(1, sizeof *client);
    if (!client)
        return jg_fail_oom(err);
    client->net = net;
    client->settings = settings;
    jg_grpc_later_init(client);
    client->recv_bytes_max = recv_bytes_max ? recv_bytes_max : JG_GRPC_MESSAGE_BYTES_MAX;
    (void)pthread_mutex_init(&client->state_mutex, NULL);
    jg_cond_init(&client->state_cond);
    jaeger_status status = client_open(client, err);
    if (status == JAEGER_OK)
        *ret = client;
    else
        jg_grpc_client_free(client);
    return status;
}

void jg_grpc_client_free(jg_grpc_client *client)
{
    if (!client)
        return;
    if (client->loop)
        jg_loop_sync(client->loop, jg_grpc_client_close, client);
    (void)pthread_mutex_lock(&client->state_mutex);
    while (client->conn_count || client->later_dials)
        (void)pthread_cond_wait(&client->state_cond, &client->state_mutex);
    (void)pthread_mutex_unlock(&client->state_mutex);
    (void)pthread_cond_destroy(&client->state_cond);
    (void)pthread_mutex_destroy(&client->state_mutex);
    nghttp2_session_callbacks_del(client->callbacks);
    nghttp2_option_del(client->option);
    jg_tls_free(client->tls);
    jg_free(client);
}

/* ---- waiting ----------------------------------------------------------------------------------------------
 */

/** Wait for `cond` until `until_ns`, or until it is time to look at the cancelled flag. */
static void wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, uint64_t until_ns,
                       const jaeger_call *call)
{
    uint64_t now = jg_clock_mono_ns(), left = until_ns > now ? until_ns - now : 0;
    if (call->cancelled)
        left = JG_MIN(left, POLL_NS);
    struct timespec until = jg_cond_after(left);
    (void)pthread_cond_timedwait(cond, mutex, &until);
}

static jaeger_status check(const jaeger_call *call, uint64_t deadline_ns, jaeger_error *err)
{
    if (call->cancelled && __atomic_load_n(call->cancelled, __ATOMIC_RELAXED))
        return jg_fail(err, JAEGER_CANCELLED, "context canceled");
    if (jg_clock_mono_ns() >= deadline_ns)
        return jg_fail(err, JAEGER_DEADLINE_EXCEEDED, "context deadline exceeded");
    return JAEGER_OK;
}

/* ---- connections ------------------------------------------------------------------------------------------
 */

typedef struct attach {
    jg_grpc_client *client;
    int fd;
    SSL *ssl;
    bool ok;
} attach;

static void attach_on_loop(void *arg)
{
    attach *a = arg;
    a->ok = jg_grpc_client_attach(a->client, a->fd, a->ssl);
}

static jaeger_status shake_hands(jg_grpc_client *client, int fd, uint64_t deadline_ns, SSL **ret,
                                 jaeger_error *err)
{
    SSL_CTX *ctx = jg_tls_get(client->tls);
    SSL *ssl = NULL;
    jaeger_status status = jg_tls_client_ssl(ctx, &client->settings->tls, client->target.host, &ssl, err);
    SSL_CTX_free(ctx);
    if (status == JAEGER_OK)
        status = jg_dial_tls(ssl, fd, deadline_ns, err);
    if (status == JAEGER_OK)
        *ret = ssl;
    else
        SSL_free(ssl);
    return status;
}

jg_loop *jg_grpc_client_loop(jg_grpc_client *client)
{
    (void)pthread_mutex_lock(&client->state_mutex);
    if (!client->loop)
        client->loop = jg_net_loop(client->net);
    jg_loop *loop = client->loop;
    (void)pthread_mutex_unlock(&client->state_mutex);
    return loop;
}

static jaeger_status dial(jg_grpc_client *client, uint64_t deadline_ns, jaeger_error *err)
{
    attach a = {.client = client, .fd = -1};
    uint64_t latest = JG_MIN(deadline_ns, jg_clock_mono_ns() + DIAL_NS);
    if (!jg_grpc_client_loop(client))
        return jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "I/O threads could not be started");
    JG_TRY(jg_dial(&client->target, latest, &a.fd, err));
    jaeger_status status = client->uses_tls ? shake_hands(client, a.fd, latest, &a.ssl, err) : JAEGER_OK;
    if (status == JAEGER_OK) {
        jg_loop_sync(client->loop, attach_on_loop, &a);
        if (a.ok)
            return JAEGER_OK;
        status = jg_fail_oom(err);
    }
    SSL_free(a.ssl);
    (void)close(a.fd);
    return status;
}

/** With the mutex held: dial, for all who wait. */
static void dial_for_all(jg_grpc_client *client, uint64_t deadline_ns)
{
    jaeger_error err = {0};
    client->dialing = true;
    client->conn_count++; /* before it can close */
    client->ready = true;
    (void)pthread_mutex_unlock(&client->state_mutex);
    jaeger_status status = dial(client, deadline_ns, &err);
    (void)pthread_mutex_lock(&client->state_mutex);
    client->dialing = false;
    if (status == JAEGER_OK) {
        client->backoff_ns = 0;
    } else {
        client->ready = false;
        client->conn_count--;
        client->dial_error = err;
        client->backoff_ns =
            client->backoff_ns ? JG_MIN(client->backoff_ns * 8 / 5, BACKOFF_LAST_NS) : BACKOFF_FIRST_NS;
        client->retry_at_ns = jg_clock_mono_ns() + client->backoff_ns;
    }
    (void)pthread_cond_broadcast(&client->state_cond);
}

jaeger_status jg_grpc_client_ready(jg_grpc_client *client, uint64_t deadline_ns, const jaeger_call *call,
                                   jaeger_error *err)
{
    jaeger_status status = JAEGER_OK;
    bool tried = false;
    (void)pthread_mutex_lock(&client->state_mutex);
    while (status == JAEGER_OK && (client->dialing || !client->ready)) {
        uint64_t now = jg_clock_mono_ns();
        bool pausing = client->backoff_ns && now < client->retry_at_ns;
        if (client->dialing) {
            wait_until(&client->state_cond, &client->state_mutex, deadline_ns, call);
            tried = true;
        } else if ((pausing || tried) && !client->settings->wait_for_ready && client->dial_error.status) {
            *err = client->dial_error;
            err->status = status = JAEGER_UNAVAILABLE;
        } else if (pausing) {
            wait_until(&client->state_cond, &client->state_mutex, JG_MIN(deadline_ns, client->retry_at_ns),
                       call);
        } else {
            client->dial_error = (jaeger_error){0};
            dial_for_all(client, deadline_ns);
            tried = true;
        }
        if (status == JAEGER_OK)
            status = check(call, deadline_ns, err);
    }
    (void)pthread_mutex_unlock(&client->state_mutex);
    return status;
}

/* ---- one call ---------------------------------------------------------------------------------------------
 */

static void add_header(jg_grpc_client_call *c, jaeger_str name, jaeger_str value)
{
    c->nv[c->nv_count++] = (nghttp2_nv){(uint8_t *)(uintptr_t)name.ptr, (uint8_t *)(uintptr_t)value.ptr,
                                        name.len, value.len, NGHTTP2_NV_FLAG_NONE};
}

/** Values of "-bin" keys go as base64. @return false: out of memory */
static bool add_metadata(jg_grpc_client_call *c, jaeger_arena *arena, const jaeger_pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        jaeger_str key = pairs[i].key, value = pairs[i].value;
        if (jg_grpc_header_is_reserved(key))
            continue;
        char *lower = jaeger_arena_alloc(arena, key.len + 1);
        if (!lower)
            return false;
        for (size_t k = 0; k < key.len; k++)
            lower[k] = (char)(key.ptr[k] >= 'A' && key.ptr[k] <= 'Z' ? key.ptr[k] + 32 : key.ptr[k]);
        if (key.len > 4 && memcmp(lower + key.len - 4, "-bin", 4) == 0) {
            char *text = jaeger_arena_alloc(arena, jg_base64_size(value.len) + 1);
            if (!text)
                return false;
            jg_base64_encode((const uint8_t *)value.ptr, value.len, text);
            value = (jaeger_str){text, jg_base64_size(value.len)};
        }
        if (nghttp2_check_header_name((const uint8_t *)lower, key.len) &&
            nghttp2_check_header_value((const uint8_t *)value.ptr, value.len))
            add_header(c, (jaeger_str){lower, key.len}, value);
    }
    return true;
}

static const char *coding_of(const jg_grpc_client *client)
{
    jaeger_str c = client->settings->compression;
    return c.len && !jg_str_is(c, "none") ? c.ptr : NULL;
}

bool jg_grpc_client_headers(jg_grpc_client_call *c, jaeger_arena *arena, const jg_grpc_request *request,
                            const jaeger_call *call)
{
    const jg_grpc_client_settings *s = c->client->settings;
    jaeger_pair trace[JG_SELF_SPAN_HEADERS_MAX];
    size_t trace_count = jg_self_span_headers(call, arena, trace);
    c->nv = jaeger_arena_alloc(
        arena, (OWN_HEADERS + s->headers.count + request->metadata_count + trace_count) * sizeof *c->nv);
    char *timeout = jaeger_arena_alloc(arena, JG_GRPC_TIMEOUT_BYTES);
    if (!c->nv || !timeout)
        return false;
    uint64_t now = jg_clock_mono_ns();
    jg_grpc_timeout_write(c->deadline_ns > now ? c->deadline_ns - now : 1, timeout);
    add_header(c, JAEGER_STR(":method"), JAEGER_STR("POST"));
    add_header(c, JAEGER_STR(":scheme"), c->client->uses_tls ? JAEGER_STR("https") : JAEGER_STR("http"));
    add_header(c, JAEGER_STR(":path"), jg_str(request->path));
    add_header(c, JAEGER_STR(":authority"), jg_str(c->client->authority));
    add_header(c, JAEGER_STR("content-type"), JAEGER_STR("application/grpc"));
    add_header(c, JAEGER_STR("user-agent"),
               s->user_agent.len ? s->user_agent : JAEGER_STR("libjaeger/" JAEGER_VERSION));
    add_header(c, JAEGER_STR("te"), JAEGER_STR("trailers"));
    add_header(c, JAEGER_STR("grpc-timeout"), jg_str(timeout));
    add_header(c, JAEGER_STR("grpc-accept-encoding"), JAEGER_STR("gzip,zstd,snappy"));
    if (coding_of(c->client))
        add_header(c, JAEGER_STR("grpc-encoding"), jg_str(coding_of(c->client)));
    return add_metadata(c, arena, s->headers.items, s->headers.count) &&
           add_metadata(c, arena, request->metadata, request->metadata_count) &&
           add_metadata(c, arena, trace, trace_count);
}

static size_t parts_len(const jg_grpc_request *request)
{
    size_t len = 0;
    for (size_t i = 0; i < request->part_count; i++)
        len += request->parts[i].len;
    return len;
}

/** The message in one piece; in `room` if it is not. ptr NULL: out of memory */
static jaeger_str join(const jg_grpc_request *request, jg_buf *room)
{
    jaeger_str message =
        request->framed ? jg_str_skip(request->message, JG_GRPC_PREFIX_BYTES) : request->message;
    if (!request->part_count)
        return message;
    jg_buf_str(room, message);
    for (size_t i = 0; i < request->part_count; i++)
        jg_buf_str(room, request->parts[i]);
    return jg_buf_ok(room) ? jg_buf_view(room) : (jaeger_str){0};
}

/** @param ret the framed message: the caller's own, before its parts, or in `out` */
static jaeger_status build_body(const jg_grpc_client *client, const jg_grpc_request *request, jg_buf *out,
                                jaeger_str *ret, jaeger_error *err)
{
    uint8_t prefix[JG_GRPC_PREFIX_BYTES] = {0};
    size_t len = request->message.len + parts_len(request) - (request->framed ? sizeof prefix : 0);
    if (len > JG_GRPC_SEND_BYTES_MAX)
        return jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "trying to send message larger than max (%zu vs. %u)",
                       len, JG_GRPC_SEND_BYTES_MAX);
    if (request->framed && !coding_of(client)) {
        *ret = request->message;
        return JAEGER_OK;
    }
    JG_AUTO_BUF jg_buf joined = JG_BUF_INIT(JG_GRPC_SEND_BYTES_MAX);
    jaeger_str message = join(request, &joined);
    if ((len && !message.ptr) || (!coding_of(client) && !jg_buf_reserve(out, sizeof prefix + len)))
        return jg_fail_oom(err);
    jg_buf_append(out, prefix, sizeof prefix);
    if (coding_of(client))
        JG_TRY(jg_encode(jg_str(coding_of(client)), 0, message, out, err));
    else
        jg_buf_str(out, message);
    if (!jg_buf_ok(out))
        return jg_fail_oom(err);
    jg_grpc_prefix_write(out->data, coding_of(client) != NULL, (uint32_t)(out->len - sizeof prefix));
    *ret = jg_buf_view(out);
    return JAEGER_OK;
}

jaeger_status jg_grpc_client_body(jg_grpc_client_call *c, const jg_grpc_request *request, jg_buf *room,
                                  jaeger_error *err)
{
    JG_TRY(build_body(c->client, request, room, &c->framed, err));
    c->own_body = c->framed.ptr != request->message.ptr;
    return JAEGER_OK;
}

void jg_grpc_client_load(jg_grpc_client_call *c, const jg_grpc_request *request)
{
    c->body = c->framed;
    c->body_len = c->framed.len;
    if (!c->own_body) {
        c->parts = request->parts;
        c->part_count = request->part_count;
        c->body_len += parts_len(request);
    }
}

jaeger_status jg_grpc_client_unpack(const jg_grpc_client_call *c, const jg_grpc_answer *answer, jg_buf *plain,
                                    jaeger_str *ret, jaeger_error *err)
{
    *ret = (jaeger_str){(const char *)answer->bytes, answer->len};
    if (!answer->compressed)
        return JAEGER_OK;
    if (!c->encoding[0])
        return jg_fail(err, JAEGER_INTERNAL, "grpc: compressed flag set with identity or empty encoding");
    JG_TRY(jg_decode(jg_str(c->encoding), *ret, plain, err));
    *ret = jg_buf_view(plain);
    return JAEGER_OK;
}

static jaeger_status deliver(const jg_grpc_client_call *c, const jg_grpc_request *request,
                             const jg_grpc_answer *answer, jaeger_call *call)
{
    jaeger_str message;
    JG_AUTO_BUF jg_buf plain = JG_BUF_INIT(c->client->recv_bytes_max);
    JG_TRY(jg_grpc_client_unpack(c, answer, &plain, &message, &call->error));
    return request->on_message ? request->on_message(request->user, message, call) : JAEGER_OK;
}

/** With the mutex held: the next message; asks for more window when the last one is taken. */
static jg_grpc_answer *take_answer(jg_grpc_client_call *c, bool *ret_post)
{
    jg_grpc_answer *answer = c->answers;
    if (!answer)
        return NULL;
    c->answers = answer->next;
    if (!c->answers) {
        c->last = &c->answers;
        *ret_post = !c->done && !c->credit_posted;
        c->credit_posted |= *ret_post;
    }
    return answer;
}

/** Take messages until the end. On return the loop is done with the call. */
static jaeger_status take_all(jg_grpc_client_call *c, const jg_grpc_request *request, jaeger_call *call)
{
    jaeger_status status = JAEGER_OK;
    (void)pthread_mutex_lock(&c->answer_mutex);
    while (status == JAEGER_OK) {
        bool post = false;
        jg_grpc_answer *answer = take_answer(c, &post);
        if (answer) {
            (void)pthread_mutex_unlock(&c->answer_mutex);
            if (post)
                jg_loop_post(c->client->loop, &c->credit);
            status = deliver(c, request, answer, call);
            jg_free(answer);
            (void)pthread_mutex_lock(&c->answer_mutex);
        } else if (c->done) {
            break;
        } else if ((status = check(call, c->deadline_ns, &call->error)) == JAEGER_OK) {
            wait_until(&c->answer_cond, &c->answer_mutex, c->deadline_ns, call);
        }
    }
    bool busy = !c->done || c->credit_posted;
    (void)pthread_mutex_unlock(&c->answer_mutex);
    if (busy) /* also behind what this thread posted */
        jg_loop_sync(c->client->loop, jg_grpc_client_detach, c);
    for (jg_grpc_answer *answer; (answer = c->answers);) {
        c->answers = answer->next;
        jg_free(answer);
    }
    return status;
}

static jaeger_status try_call(jg_grpc_client_call *c, const jg_grpc_request *request, jaeger_call *call)
{
    JG_TRY(jg_grpc_client_ready(c->client, c->deadline_ns, call, &call->error));
    c->begin.run = jg_grpc_client_begin;
    c->credit.run = jg_grpc_client_credit;
    c->grpc_status = -1;
    c->last = &c->answers;
    (void)pthread_mutex_init(&c->answer_mutex, NULL);
    jg_cond_init(&c->answer_cond);
    jg_loop_post(c->client->loop, &c->begin);
    jaeger_status status = take_all(c, request, call);
    (void)pthread_cond_destroy(&c->answer_cond);
    (void)pthread_mutex_destroy(&c->answer_mutex);
    if (status == JAEGER_OK && c->end.status != JAEGER_OK) {
        call->error = c->end;
        status = c->end.status;
    }
    return status;
}

jaeger_status jg_grpc_call(jg_grpc_client *client, const jg_grpc_request *request, jaeger_call *call)
{
    uint64_t deadline_ns = call->deadline_ns ? call->deadline_ns : jg_clock_mono_ns() + JG_TIMEOUT_DEFAULT_NS;
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(CALL_BYTES_MAX);
    if (!arena)
        return jg_fail_oom(&call->error);
    JG_AUTO_BUF jg_buf body = JG_BUF_INIT(JG_GRPC_SEND_BYTES_MAX + JG_GRPC_PREFIX_BYTES);
    jg_grpc_client_call model = {.client = client, .deadline_ns = deadline_ns};
    JG_TRY(jg_grpc_client_body(&model, request, &body, &call->error));
    jaeger_status status = JAEGER_UNAVAILABLE;
    bool again = true;
    for (int tries = 0; again && tries < TRIES_MAX; tries++) {
        jg_grpc_client_call c = model;
        jg_grpc_client_load(&c, request);
        if (!jg_grpc_client_headers(&c, arena, request, call))
            return jg_fail_oom(&call->error);
        status = try_call(&c, request, call);
        again = status != JAEGER_OK && c.unsent;
    }
    return status;
}

/* ---- unary ------------------------------------------------------------------------------------------------
 */

typedef struct unary {
    jg_buf *answer;
    unsigned count;
} unary;

static jaeger_status keep_answer(void *user, jaeger_str message, jaeger_call *call)
{
    unary *u = user;
    u->count++;
    jg_buf_str(u->answer, message);
    return jg_buf_ok(u->answer) ? JAEGER_OK : jg_fail_oom(&call->error);
}

jaeger_status jg_grpc_unary_with(jg_grpc_client *client, const jg_grpc_request *request, jg_buf *answer,
                                 jaeger_call *call)
{
    unary u = {.answer = answer};
    jg_grpc_request unary_request = *request;
    unary_request.on_message = keep_answer;
    unary_request.user = &u;
    JG_TRY(jg_grpc_call(client, &unary_request, call));
    return u.count == 1 ? JAEGER_OK
                        : jg_fail(&call->error, JAEGER_INTERNAL,
                                  "cardinality violation: %u answers to a unary call", u.count);
}

jaeger_status jg_grpc_unary(jg_grpc_client *client, const char *path, jaeger_str message, jg_buf *answer,
                            jaeger_call *call)
{
    return jg_grpc_unary_with(client, &(jg_grpc_request){.path = path, .message = message}, answer, call);
}

bool jg_grpc_client_uses_tls(const jg_grpc_client *client)
{
    return client->uses_tls;
}
