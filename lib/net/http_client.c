/* SPDX-License-Identifier: Apache-2.0
 * See http_client.h. A curl handle with its connection is one slot of the pool; slots are used last in, first
 * out, so that the idle ones age and are closed by curl's MAXAGE_CONN.
 */
#include "net/http_client.h"

#include "core/alloc.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/cond.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/self_span.h"
#include "core/str.h"
#include "net/encoding.h"
#include "net/sigpipe.h"
#include "net/tls.h"
#include <curl/curl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#define URL_BYTES_MAX    8192u
#define HEADER_BYTES_MAX (16u << 10) /* one line of a request */

struct jg_http_client {
    const jg_http_client_settings *settings;
    char *base;                 /* endpoint without slashes at its end */
    pthread_mutex_t pool_mutex; /* guards what follows */
    pthread_cond_t returned_cond;
    CURL *idle[JG_HTTP_CLIENT_IDLE_MAX];
    size_t idle_count, idle_max;
    uint64_t busy;
};

/** What the callbacks of one request see. */
typedef struct exchange {
    jg_http_client *client;
    jg_http_answer *answer;
    const jaeger_call *call;
    bool has_head; /* the last head came whole: curl takes one that ends early for the answer */
    jaeger_error tls_error;
    char text[CURL_ERROR_SIZE];
} exchange;

/* ---- the client -------------------------------------------------------------------------------------------
 */

static bool is_clean(jaeger_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] < 0x20 && s.ptr[i] != '\t')
            return false;
    return true;
}

jaeger_status jg_http_client_check(const jg_http_client_settings *s, jaeger_error *err)
{
    jaeger_str e = s->endpoint;
    if (e.len && !jg_str_starts(e, JAEGER_STR("http://")) && !jg_str_starts(e, JAEGER_STR("https://")))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "endpoint must be an http:// or https:// URL, not \"%.*s\"", JAEGER_STR_ARGS(e));
    if (!is_clean(e) || e.len > URL_BYTES_MAX)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "endpoint is not a URL");
    if (s->compression.len && !jg_str_is(s->compression, "none") && !jg_encoding_known(s->compression))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "unsupported compression type \"%.*s\"",
                       JAEGER_STR_ARGS(s->compression));
    for (size_t i = 0; i < s->headers.count; i++)
        if (!s->headers.items[i].key.len || !is_clean(s->headers.items[i].key) ||
            !is_clean(s->headers.items[i].value))
            return jg_fail(err, JAEGER_INVALID_ARGUMENT, "header \"%.*s\" cannot be sent",
                           JAEGER_STR_ARGS(s->headers.items[i].key));
    return jg_tls_check(&s->tls, false, err) == JAEGER_OK ? JAEGER_OK : jg_fail_prefix(err, "tls");
}

jaeger_status jg_http_client_new(const jg_http_client_settings *settings, jg_http_client **ret,
                                 jaeger_error *err)
{
    SSL_CTX *ctx;
    JG_TRY(jg_http_client_check(settings, err));
    JG_TRY(jg_tls_client_ctx(&settings->tls, NULL, &ctx, err));
    SSL_CTX_free(ctx);
    jg_http_client *client = jg_calloc(1, sizeof *client);
    jaeger_str base = settings->endpoint;
    while (base.len && base.ptr[base.len - 1] == '/')
        base.len--;
    if (!client || !(client->base = jg_strndup(base.len ? base.ptr : "", base.len))) {
        jg_free(client);
        return jg_fail_oom(err);
    }
    client->settings = settings;
    client->idle_max = JG_HTTP_CLIENT_IDLE_MAX;
    if (settings->max_idle_conns)
        client->idle_max = JG_MIN(client->idle_max, settings->max_idle_conns);
    if (settings->max_idle_conns_per_host)
        client->idle_max = JG_MIN(client->idle_max, settings->max_idle_conns_per_host);
    jg_cond_init(&client->returned_cond);
    (void)pthread_mutex_init(&client->pool_mutex, NULL);
    *ret = client;
    return JAEGER_OK;
}

void jg_http_client_free(jg_http_client *client)
{
    if (!client)
        return;
    jg_sigpipe sigpipe;
    jg_sigpipe_hold(&sigpipe); /* closing a TLS connection writes */
    for (size_t i = 0; i < client->idle_count; i++)
        curl_easy_cleanup(client->idle[i]);
    jg_sigpipe_release(&sigpipe);
    (void)pthread_cond_destroy(&client->returned_cond);
    (void)pthread_mutex_destroy(&client->pool_mutex);
    jg_free(client->base);
    jg_free(client);
}

/* ---- the pool ---------------------------------------------------------------------------------------------
 */

/** With the mutex held, wait for a request to end. @return false: the deadline has passed */
static bool wait_returned(jg_http_client *client, uint64_t deadline_ns)
{
    uint64_t now = jg_clock_mono_ns();
    if (now >= deadline_ns)
        return false;
    struct timespec until = jg_cond_after(JG_MIN(deadline_ns - now, 3600 * JG_NS_PER_S));
    (void)pthread_cond_timedwait(&client->returned_cond, &client->pool_mutex, &until);
    return true;
}

static jaeger_status borrow(jg_http_client *client, uint64_t deadline_ns, CURL **ret, jaeger_error *err)
{
    uint64_t busy_max =
        client->settings->max_conns_per_host ? client->settings->max_conns_per_host : UINT64_MAX;
    bool in_time = true;
    (void)pthread_mutex_lock(&client->pool_mutex);
    while (client->busy >= busy_max && in_time)
        in_time = wait_returned(client, deadline_ns);
    if (in_time)
        client->busy++;
    *ret = in_time && client->idle_count ? client->idle[--client->idle_count] : NULL;
    (void)pthread_mutex_unlock(&client->pool_mutex);
    if (!in_time)
        return jg_fail(err, JAEGER_DEADLINE_EXCEEDED, "no connection became free in time");
    if (*ret || (*ret = curl_easy_init()))
        return JAEGER_OK;
    (void)pthread_mutex_lock(&client->pool_mutex);
    client->busy--;
    (void)pthread_mutex_unlock(&client->pool_mutex);
    return jg_fail_oom(err);
}

static void give_back(jg_http_client *client, CURL *curl)
{
    curl_easy_reset(curl); /* keeps the connection */
    (void)pthread_mutex_lock(&client->pool_mutex);
    client->busy--;
    bool kept = client->idle_count < client->idle_max;
    if (kept)
        client->idle[client->idle_count++] = curl;
    (void)pthread_cond_signal(&client->returned_cond);
    (void)pthread_mutex_unlock(&client->pool_mutex);
    if (!kept)
        curl_easy_cleanup(curl);
}

/* ---- callbacks of curl ------------------------------------------------------------------------------------
 */

static size_t take_body(char *bytes, size_t size, size_t count, void *user)
{
    jg_http_answer *answer = ((exchange *)user)->answer;
    size_t len = size * count, room = answer->body.max - answer->body.len;
    jg_buf_append(&answer->body, bytes, JG_MIN(len, room));
    answer->cut = len > room;
    return answer->cut || !jg_buf_ok(&answer->body) ? 0 : len;
}

/** One line, with its end. */
static size_t take_head_line(char *bytes, size_t size, size_t count, void *user)
{
    exchange *x = user;
    jaeger_str line = {bytes, size * count};
    if (jg_str_starts(line, JAEGER_STR("HTTP/")))
        x->has_head = false; /* another one, after 100 Continue */
    else if (jg_str_is(line, "\r\n") || jg_str_is(line, "\n"))
        x->has_head = true;
    return line.len;
}

static int watch(void *user, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
    (void)down_total, (void)down, (void)up_total, (void)up;
    const int *cancelled = ((exchange *)user)->call->cancelled;
    return cancelled && __atomic_load_n(cancelled, __ATOMIC_RELAXED);
}

static CURLcode set_up_tls(CURL *curl, void *ctx, void *user)
{
    (void)curl;
    exchange *x = user;
    return jg_tls_client_apply(ctx, &x->client->settings->tls, &x->tls_error) == JAEGER_OK
               ? CURLE_OK
               : CURLE_SSL_CERTPROBLEM;
}

/* ---- a request --------------------------------------------------------------------------------------------
 */

typedef struct headers {
    struct curl_slist *list;
    bool failed;
} headers;

static void add_header(headers *h, jaeger_str name, jaeger_str value)
{
    jg_buf line JG_AUTO_BUF = JG_BUF_INIT(HEADER_BYTES_MAX);
    if (!is_clean(name) || !is_clean(value))
        return;
    jg_buf_str(&line, name);
    if (value.len) {
        jg_buf_lit(&line, ": ");
        jg_buf_str(&line, value);
    } else {
        jg_buf_lit(&line, ";"); /* curl's way to say "with an empty value" */
    }
    jg_buf_byte(&line, 0);
    struct curl_slist *longer = jg_buf_ok(&line) ? curl_slist_append(h->list, (const char *)line.data) : NULL;
    if (longer)
        h->list = longer;
    else
        h->failed = true;
}

static bool has_header(const jaeger_pair *pairs, size_t count, jaeger_str name)
{
    for (size_t i = 0; i < count; i++)
        if (jg_str_eq_nocase(pairs[i].key, name))
            return true;
    return false;
}

/** The context of our own span, if this is part of one. */
static void add_trace(headers *h, const jaeger_call *call)
{
    jaeger_pair pairs[JG_SELF_SPAN_HEADERS_MAX];
    if (!call->trace)
        return;
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(HEADER_BYTES_MAX);
    size_t count = arena ? jg_self_span_headers(call, arena, pairs) : 0;
    for (size_t i = 0; i < count; i++)
        add_header(h, pairs[i].key, pairs[i].value);
}

static headers make_headers(const jg_http_client *client, const jg_http_client_request *r, jaeger_str coding,
                            const jaeger_call *call)
{
    headers h = {0};
    const jaeger_pair_list *own = &client->settings->headers;
    jaeger_str agent = JAEGER_STR("User-Agent");
    add_header(&h, JAEGER_STR("Content-Type"), r->content_type ? jg_str(r->content_type) : JAEGER_STR(""));
    if (coding.len)
        add_header(&h, JAEGER_STR("Content-Encoding"), coding);
    if (!has_header(own->items, own->count, agent) && !has_header(r->headers, r->header_count, agent))
        add_header(&h, agent, JAEGER_STR("libjaeger/" JAEGER_VERSION));
    for (size_t i = 0; i < own->count; i++)
        if (!has_header(r->headers, r->header_count, own->items[i].key))
            add_header(&h, own->items[i].key, own->items[i].value);
    for (size_t i = 0; i < r->header_count; i++)
        add_header(&h, r->headers[i].key, r->headers[i].value);
    add_trace(&h, call);
    struct curl_slist *longer = curl_slist_append(h.list, "Expect:"); /* no wait for 100 Continue */
    if (longer)
        h.list = longer;
    h.failed |= !longer;
    return h;
}

#define SET(option, value) (curl_easy_setopt(curl, (option), (value)) == CURLE_OK)

static bool set_body(CURL *curl, const char *method, jaeger_str body)
{
    if (!method || strcmp(method, "POST") == 0 || body.len)
        if (!SET(CURLOPT_POST, 1L) || !SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len) ||
            !SET(CURLOPT_POSTFIELDS, body.len ? body.ptr : ""))
            return false;
    if (method && strcmp(method, "HEAD") == 0) /* else curl waits for a body */
        return SET(CURLOPT_NOBODY, 1L);
    return !method || SET(CURLOPT_CUSTOMREQUEST, method);
}

static bool set_connection(CURL *curl, const jg_http_client_settings *s, exchange *x, uint64_t deadline_ns)
{
    uint64_t now = jg_clock_mono_ns(), ms = deadline_ns > now ? (deadline_ns - now) / JG_NS_PER_MS + 1 : 1;
    uint64_t age_s = s->idle_conn_timeout_ns ? s->idle_conn_timeout_ns / JG_NS_PER_S + 1 : LONG_MAX / 4;
    bool verifies = !s->tls.insecure_skip_verify;
    return SET(CURLOPT_PROTOCOLS_STR, "http,https") && SET(CURLOPT_NOSIGNAL, 1L) &&
           SET(CURLOPT_TIMEOUT_MS, (long)JG_MIN(ms, (uint64_t)INT_MAX)) &&
           SET(CURLOPT_CONNECTTIMEOUT_MS, (long)JG_MIN(ms, (uint64_t)INT_MAX)) &&
           SET(CURLOPT_MAXAGE_CONN, (long)JG_MIN(age_s, (uint64_t)INT_MAX)) && SET(CURLOPT_MAXCONNECTS, 1L) &&
           SET(CURLOPT_FORBID_REUSE, s->disable_keep_alives ? 1L : 0L) && SET(CURLOPT_TCP_NODELAY, 1L) &&
           SET(CURLOPT_PROXY, s->proxy_url.len ? s->proxy_url.ptr : "") &&
           SET(CURLOPT_HTTP_VERSION,
               s->force_attempt_http2 ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1) &&
           SET(CURLOPT_CAINFO, (char *)NULL) && SET(CURLOPT_CAPATH, (char *)NULL) &&
           SET(CURLOPT_CA_CACHE_TIMEOUT,
               0L) && /* or it keeps the authorities of the first connection for a day */
           SET(CURLOPT_SSL_VERIFYPEER, verifies ? 1L : 0L) &&
           SET(CURLOPT_SSL_VERIFYHOST, verifies && !s->tls.server_name_override.len ? 2L : 0L) &&
           SET(CURLOPT_SSL_CTX_FUNCTION, set_up_tls) && SET(CURLOPT_SSL_CTX_DATA, (void *)x);
}

static bool set_callbacks(CURL *curl, exchange *x)
{
    return SET(CURLOPT_WRITEFUNCTION, take_body) && SET(CURLOPT_WRITEDATA, (void *)x) &&
           SET(CURLOPT_HEADERFUNCTION, take_head_line) && SET(CURLOPT_HEADERDATA, (void *)x) &&
           SET(CURLOPT_XFERINFOFUNCTION, watch) && SET(CURLOPT_XFERINFODATA, (void *)x) &&
           SET(CURLOPT_NOPROGRESS, 0L) && SET(CURLOPT_ERRORBUFFER, x->text) &&
           SET(CURLOPT_ACCEPT_ENCODING, "gzip");
}

static jaeger_status fail_with(const exchange *x, CURLcode code, const char *url, jaeger_error *err)
{
    jaeger_status status = code == CURLE_OPERATION_TIMEDOUT    ? JAEGER_DEADLINE_EXCEEDED
                           : code == CURLE_ABORTED_BY_CALLBACK ? JAEGER_CANCELLED
                           : code == CURLE_OUT_OF_MEMORY       ? JAEGER_RESOURCE_EXHAUSTED
                           : code == CURLE_URL_MALFORMAT       ? JAEGER_INVALID_ARGUMENT
                                                               : JAEGER_UNAVAILABLE;
    const char *text = x->tls_error.status ? x->tls_error.message
                       : x->text[0]        ? x->text
                                           : curl_easy_strerror(code);
    return jg_fail(err, status, "request to \"%.200s\": %s", url, text);
}

static void read_answer(CURL *curl, jg_http_answer *ret)
{
    long status = 0;
    char *type = NULL;
    struct curl_header *after = NULL;
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
    ret->status = (int)status;
    (void)snprintf(ret->content_type, sizeof ret->content_type, "%s", type ? type : "");
    if (curl_easy_header(curl, "Retry-After", 0, CURLH_HEADER, -1, &after) == CURLHE_OK)
        ret->retry_after_ms = jg_retry_after_ms(jg_str(after->value), jg_clock_unix_ns());
}

static jaeger_status perform(CURL *curl, exchange *x, const char *url, jaeger_error *err)
{
    jg_sigpipe sigpipe;
    jg_sigpipe_hold(&sigpipe);
    CURLcode code = curl_easy_perform(curl);
    jg_sigpipe_release(&sigpipe);
    if (!jg_buf_ok(&x->answer->body))
        return jg_fail_oom(err);
    if (code != CURLE_OK && !(code == CURLE_WRITE_ERROR && x->answer->cut))
        return fail_with(x, code, url, err);
    if (!x->has_head)
        return jg_fail(err, JAEGER_UNAVAILABLE, "request to \"%.200s\": the answer ends within its headers",
                       url);
    read_answer(curl, x->answer);
    return JAEGER_OK;
}

/** In the coding of the settings. @param ret_coding empty: it goes as it is */
static jaeger_status encode(const jg_http_client *client, const jg_http_client_request *r, jg_buf *room,
                            jaeger_str *ret_body, jaeger_str *ret_coding, jaeger_error *err)
{
    jaeger_str coding = client->settings->compression;
    *ret_body = r->body;
    *ret_coding = (jaeger_str){"", 0};
    if (r->plain || !r->body.len || !coding.len || jg_str_is(coding, "none"))
        return JAEGER_OK;
    JG_TRY(jg_encode(coding, (int)client->settings->compression_params.level, r->body, room, err));
    *ret_body = jg_buf_view(room);
    *ret_coding = coding;
    return JAEGER_OK;
}

static bool make_url(const jg_http_client *client, const jg_http_client_request *r, jg_buf *out)
{
    if (r->url) {
        jg_buf_str(out, jg_str(r->url));
    } else {
        const char *path = r->path ? r->path : "";
        jg_buf_str(out, jg_str(client->base));
        if (*path && *path != '/')
            jg_buf_byte(out, '/');
        jg_buf_str(out, jg_str(path));
    }
    jg_buf_byte(out, 0);
    return jg_buf_ok(out);
}

jaeger_status jg_http_client_send(jg_http_client *client, const jg_http_client_request *r,
                                  jg_http_answer *ret, jaeger_call *call)
{
    jaeger_error *err = &call->error;
    uint64_t deadline_ns = call->deadline_ns ? call->deadline_ns : UINT64_MAX;
    if (client->settings->timeout_ns)
        deadline_ns = JG_MIN(deadline_ns, jg_clock_mono_ns() + client->settings->timeout_ns);
    JG_AUTO_BUF jg_buf url = JG_BUF_INIT(2 * URL_BYTES_MAX);
    JG_AUTO_BUF jg_buf room = JG_BUF_INIT(JG_GRPC_SEND_BYTES_MAX);
    jaeger_str body, coding;
    CURL *curl;
    if (!make_url(client, r, &url))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "URL is too long");
    JG_TRY(encode(client, r, &room, &body, &coding, err));
    headers h = make_headers(client, r, coding, call);
    exchange x = {.client = client, .answer = ret, .call = call};
    jaeger_status status = h.failed ? jg_fail_oom(err) : borrow(client, deadline_ns, &curl, err);
    if (status == JAEGER_OK) {
        bool ok = SET(CURLOPT_URL, (const char *)url.data) && SET(CURLOPT_HTTPHEADER, h.list) &&
                  set_body(curl, r->method, body) &&
                  set_connection(curl, client->settings, &x, deadline_ns) && set_callbacks(curl, &x);
        status = ok ? perform(curl, &x, (const char *)url.data, err) : jg_fail_oom(err);
        give_back(client, curl);
    }
    curl_slist_free_all(h.list);
    return status;
}

uint32_t jg_retry_after_ms(jaeger_str value, uint64_t now_unix_ns)
{
    uint64_t seconds, ms = 0;
    char text[64];
    value = jg_str_trim(value);
    if (jg_str_to_u64(value, &seconds)) {
        ms = JG_MIN(seconds, UINT32_MAX) * 1000;
    } else if (value.len && value.len < sizeof text && is_clean(value)) {
        (void)snprintf(text, sizeof text, "%.*s", JAEGER_STR_ARGS(value));
        time_t date = curl_getdate(text, NULL);
        uint64_t now_s = now_unix_ns / JG_NS_PER_S;
        if (date > 0 && (uint64_t)date > now_s)
            ms = ((uint64_t)date - now_s) * 1000;
    }
    return (uint32_t)JG_MIN(ms, UINT32_MAX);
}
