/* SPDX-License-Identifier: Apache-2.0
 * See client.h. A node is an address with an HTTP client of its own, so that its connections stay with it.
 */
#include "storage/opensearch/client.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/secret.h"
#include "core/str.h"
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#define AWAY_NS_MIN      (1 * JG_NS_PER_S)
#define AWAY_NS_MAX      (60 * JG_NS_PER_S)
#define HEADER_BYTES_MAX (64u << 10)
#define REASON_BYTES_MAX 300u
#define WAIT_SLICE_NS    (50 * JG_NS_PER_MS) /* how long a caller that is cancelled may still wait */

typedef struct node {
    char *url;
    jg_http_client_settings settings;
    jg_http_client *http;
    uint64_t away_until_ns; /* atomic; 0: it answers */
    uint32_t failures;      /* atomic; one after the other */
} node;

struct jg_os_client {
    const jg_os_client_config *config;
    const jaeger_logger *log;
    jg_tls_settings tls;
    node nodes[JG_OS_NODES_MAX];
    size_t node_count; /* atomic: grows once, when the cluster's nodes are found */
    uint32_t turn;     /* atomic; round robin */
    jg_secret password, bearer_token, api_key;
    const jg_client_auth_interface *authenticator; /* NULL: none */
    void *authenticator_self;
    pthread_mutex_t version_mutex; /* guards what follows; held while the cluster is asked */
    bool version_known;
    jg_os_version version;
};

/* ---- nodes ---- */

static jaeger_status add_node(jg_os_client *client, jaeger_str url, jaeger_error *err)
{
    const jg_os_client_config *c = client->config;
    size_t count = client->node_count;
    if (count == JG_OS_NODES_MAX)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "server_urls: more than %u addresses", JG_OS_NODES_MAX);
    if (!url.len)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "server_urls: an address is empty");
    node *n = &client->nodes[count];
    if (!(n->url = jg_strndup(url.ptr, url.len)))
        return jg_fail_oom(err);
    n->settings =
        (jg_http_client_settings){.endpoint = jg_str(n->url),
                                  .tls = client->tls,
                                  .timeout_ns = c->query_timeout_ns,
                                  .headers = c->custom_headers,
                                  .compression = c->http_compression ? JAEGER_STR("gzip") : (jaeger_str){0},
                                  .compression_params = {.level = 1},
                                  .idle_conn_timeout_ns = 90 * JG_NS_PER_S};
    jaeger_status status = jg_http_client_new(&n->settings, &n->http, err);
    if (status != JAEGER_OK) {
        jg_free(n->url);
        n->url = NULL;
        return jg_fail_prefix(err, "server_urls");
    }
    __atomic_store_n(&client->node_count, count + 1, __ATOMIC_RELEASE);
    return JAEGER_OK;
}

/** The node for the next try, of those not in `tried`: in turn among those that answer, else the one whose
 * time comes first. */
static size_t pick_node(jg_os_client *client, uint64_t tried)
{
    size_t count = __atomic_load_n(&client->node_count, __ATOMIC_ACQUIRE), best = count;
    uint32_t turn = __atomic_fetch_add(&client->turn, 1, __ATOMIC_RELAXED);
    uint64_t now = jg_clock_mono_ns(), earliest = UINT64_MAX;
    for (size_t i = 0; i < count; i++) {
        size_t at = (turn + i) % count;
        uint64_t until = __atomic_load_n(&client->nodes[at].away_until_ns, __ATOMIC_RELAXED);
        if (tried >> at & 1)
            continue;
        if (until <= now)
            return at;
        if (until < earliest) {
            earliest = until;
            best = at;
        }
    }
    return best;
}

static void mark_node(jg_os_client *client, node *n, bool answers, const char *why)
{
    if (answers) {
        if (!__atomic_load_n(&n->failures, __ATOMIC_RELAXED))
            return;
        __atomic_store_n(&n->away_until_ns, 0, __ATOMIC_RELAXED);
        if (__atomic_exchange_n(&n->failures, 0, __ATOMIC_RELAXED))
            jaeger_log(client->log, JAEGER_INFO, "node answers again url=%s", n->url);
        return;
    }
    uint32_t failures = __atomic_fetch_add(&n->failures, 1, __ATOMIC_RELAXED);
    uint64_t away = failures < 6 ? AWAY_NS_MIN << failures : AWAY_NS_MAX;
    __atomic_store_n(&n->away_until_ns, jg_clock_mono_ns() + away, __ATOMIC_RELAXED);
    if (!failures)
        jaeger_log(client->log, JAEGER_WARN,
                   "node does not answer, leaving it alone for a while url=%s error=\"%s\"", n->url, why);
}

/* ---- authorization ---- */

static jaeger_status put_secret(jg_secret *secret, jg_buf *out, jaeger_error *err)
{
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(HEADER_BYTES_MAX);
    JG_TRY(jg_secret_get(secret, &text, err));
    jg_buf_str(out, jg_str_trim(jg_buf_view(&text)));
    return JAEGER_OK;
}

static jaeger_status put_token(const jg_os_token_config *config, jg_secret *file, const char *scheme,
                               const jaeger_call *call, jg_buf *out, jaeger_error *err)
{
    bool from_call = config->from_context && call->bearer_token.len;
    if (!from_call && !config->file_path.len)
        return JAEGER_OK; /* nothing to send: the cluster decides */
    jg_buf_str(out, jg_str(scheme));
    if (!from_call)
        return put_secret(file, out, err);
    jg_buf_str(out, call->bearer_token);
    return JAEGER_OK;
}

static jaeger_status put_basic(jg_os_client *client, jg_buf *out, jaeger_error *err)
{
    const jg_os_basic_config *basic = &client->config->auth.basic;
    JG_AUTO_BUF jg_buf pair = JG_BUF_INIT(HEADER_BYTES_MAX);
    jg_buf_str(&pair, basic->username);
    jg_buf_byte(&pair, ':');
    if (basic->password_file.len)
        JG_TRY(put_secret(&client->password, &pair, err));
    else
        jg_buf_str(&pair, basic->password);
    size_t size = jg_base64_size(pair.len);
    jg_buf_lit(out, "Basic ");
    if (!jg_buf_ok(&pair) || !jg_buf_reserve(out, size))
        return jg_fail_oom(err);
    jg_base64_encode(pair.data, pair.len, (char *)out->data + out->len);
    out->len += size;
    return JAEGER_OK;
}

static jaeger_status put_authorization(jg_os_client *client, const jaeger_call *call, jg_buf *out,
                                       jaeger_error *err)
{
    const jg_os_client_config *c = client->config;
    jaeger_status status = JAEGER_OK;
    if (c->auth.basic.enabled)
        status = put_basic(client, out, err);
    else if (c->auth.bearer_token.enabled)
        status = put_token(&c->auth.bearer_token, &client->bearer_token, "Bearer ", call, out, err);
    else if (c->auth.api_key.enabled)
        status = put_token(&c->auth.api_key, &client->api_key, "ApiKey ", call, out, err);
    return status != JAEGER_OK ? status : jg_buf_ok(out) ? JAEGER_OK : jg_fail_oom(err);
}

/* ---- requests ---- */

static bool may_go_on(const jg_os_request *request, jaeger_status status, int http_status)
{
    if (status == JAEGER_OK)
        return http_status == 502 || http_status == 503 || (http_status == 504 && !request->once);
    return status == JAEGER_UNAVAILABLE && !request->once;
}

static jaeger_status try_node(jg_os_client *client, node *n, const jg_http_client_request *http,
                              jg_http_answer *ret, jaeger_call *call)
{
    jaeger_call own = *call; /* the deadline of calls that have none */
    if (!own.deadline_ns && !client->config->query_timeout_ns)
        own.deadline_ns = jg_clock_mono_ns() + JG_TIMEOUT_DEFAULT_NS;
    jg_buf_clear(&ret->body);
    ret->status = 0;
    jaeger_status status = jg_http_client_send(n->http, http, ret, &own);
    call->error = own.error;
    bool failed = status == JAEGER_UNAVAILABLE || status == JAEGER_DEADLINE_EXCEEDED;
    if (status == JAEGER_OK || failed)
        mark_node(client, n, !failed, call->error.message);
    if (status == JAEGER_OK && ret->cut)
        status = jg_fail(&call->error, JAEGER_RESOURCE_EXHAUSTED, "%s: the answer is larger than %zu bytes",
                         n->url, ret->body.max);
    return status;
}

static void free_arena(jaeger_arena **arena)
{
    jaeger_arena_free(*arena);
}

jaeger_status jg_os_send(jg_os_client *client, const jg_os_request *request, jg_http_answer *ret,
                         jaeger_call *call)
{
    JG_AUTO_BUF jg_buf authorization = JG_BUF_INIT(2 * HEADER_BYTES_MAX);
    jaeger_arena *arena JG_CLEANUP(free_arena) = NULL; /* of the authenticator's header */
    if (!ret->body.max)
        ret->body.max = JG_OS_ANSWER_BYTES_MAX;
    JG_TRY(jaeger_call_check(call));
    JG_TRY(put_authorization(client, call, &authorization, &call->error));
    jaeger_pair headers[2];
    size_t header_count = 0;
    if (client->authenticator) {
        if (!(arena = jaeger_arena_new(0)))
            return jg_fail_oom(&call->error);
        JG_TRY(client->authenticator->header(client->authenticator_self, arena, &headers[header_count++],
                                             &call->error));
    }
    if (authorization.len)
        headers[header_count++] = (jaeger_pair){JAEGER_STR("Authorization"), jg_buf_view(&authorization)};
    if (request->is_gzip)
        headers[header_count++] = (jaeger_pair){JAEGER_STR("Content-Encoding"), JAEGER_STR("gzip")};
    const jg_http_client_request http = {
        .method = request->method,
        .path = request->path,
        .body = request->body,
        .content_type = request->lines ? "application/x-ndjson" : "application/json", /* also of nothing */
        .plain = request->is_gzip,
        .headers = headers,
        .header_count = header_count};
    jaeger_status status = JAEGER_UNAVAILABLE;
    size_t count = __atomic_load_n(&client->node_count, __ATOMIC_ACQUIRE);
    uint64_t tried = 0;
    for (size_t i = 0; i < count; i++) {
        size_t at = pick_node(client, tried);
        if (at >= count)
            break;
        tried |= UINT64_C(1) << at;
        status = try_node(client, &client->nodes[at], &http, ret, call);
        if (!may_go_on(request, status, ret->status) || jaeger_call_check(call) != JAEGER_OK)
            break;
    }
    return status;
}

void jg_os_answer_done(jg_http_answer *answer)
{
    jg_buf_done(&answer->body);
}

jaeger_status jg_os_ask(jg_os_client *client, const jg_os_request *request, jg_http_answer *ret,
                        jaeger_call *call)
{
    JG_TRY(jg_os_send(client, request, ret, call));
    if (ret->status >= 200 && ret->status <= 299)
        return JAEGER_OK;
    return jg_os_fail(ret, request->path, &call->error);
}

bool jg_os_wait(uint64_t ns, const jaeger_call *call)
{
    uint64_t until = jg_clock_mono_ns() + ns;
    if (call->deadline_ns && until >= call->deadline_ns)
        return false;
    for (uint64_t now = jg_clock_mono_ns(); now < until; now = jg_clock_mono_ns()) {
        if (call->cancelled && __atomic_load_n(call->cancelled, __ATOMIC_RELAXED))
            return false;
        uint64_t slice = JG_MIN(until - now, WAIT_SLICE_NS);
        (void)nanosleep(&(struct timespec){.tv_nsec = (long)slice}, NULL);
    }
    return true;
}

/* ---- failures ---- */

jaeger_status jg_os_status_of(int http_status)
{
    switch (http_status) {
    case 401:
        return JAEGER_UNAUTHENTICATED;
    case 403:
        return JAEGER_PERMISSION_DENIED;
    case 404:
        return JAEGER_NOT_FOUND;
    case 409:
        return JAEGER_ALREADY_EXISTS;
    case 429:
    case 502:
    case 503:
    case 504:
        return JAEGER_UNAVAILABLE;
    default:
        if (http_status >= 200 && http_status <= 299)
            return JAEGER_OK;
        return http_status >= 400 && http_status <= 499 ? JAEGER_INVALID_ARGUMENT : JAEGER_INTERNAL;
    }
}

static void put_part(jg_buf *out, const char *before, jg_json_text text)
{
    jg_buf_str(out, jg_str(before));
    jg_json_in_append(out, text);
}

/** {"type": …, "reason": …, "root_cause": [{…}]}: the first root cause says most. */
static bool read_error_object(jg_json_in *in, jg_buf *out, unsigned depth)
{
    jg_json_text key, type = {0}, reason = {0};
    JG_AUTO_BUF jg_buf cause = JG_BUF_INIT(out->max);
    bool ok = jg_json_in_object(in);
    while (ok && jg_json_in_key(in, &key)) {
        bool is_text = jg_json_in_peek(in) == JG_JSON_STRING;
        if (is_text && jg_json_in_is(key, JAEGER_STR("type")))
            ok = jg_json_in_str(in, &type);
        else if (is_text && jg_json_in_is(key, JAEGER_STR("reason")))
            ok = jg_json_in_str(in, &reason);
        else if (depth && jg_json_in_is(key, JAEGER_STR("caused_by")) &&
                 jg_json_in_peek(in) == JG_JSON_OBJECT) {
            jg_buf_clear(&cause);
            ok = read_error_object(in, &cause, depth - 1);
        } else
            ok = jg_json_in_skip(in);
    }
    put_part(out, "", type);
    put_part(out, ": ", reason);
    if (cause.len) {
        jg_buf_lit(out, ": ");
        jg_buf_str(out, jg_buf_view(&cause));
    }
    return ok && !in->fault;
}

bool jg_os_read_reason(jg_json_in *in, jg_buf *out)
{
    jg_json_text text;
    if (jg_json_in_peek(in) == JG_JSON_OBJECT)
        return read_error_object(in, out, 4);
    if (jg_json_in_peek(in) != JG_JSON_STRING)
        return jg_json_in_skip(in);
    if (!jg_json_in_str(in, &text))
        return false;
    jg_json_in_append(out, text);
    return true;
}

static bool read_body_reason(jaeger_str body, jg_buf *out)
{
    jg_json_in in = jg_json_in_of(body);
    jg_json_text key;
    bool ok = jg_json_in_peek(&in) == JG_JSON_OBJECT && jg_json_in_object(&in);
    while (ok && jg_json_in_key(&in, &key))
        ok = jg_json_in_is(key, JAEGER_STR("error")) ? jg_os_read_reason(&in, out) : jg_json_in_skip(&in);
    return ok && out->len;
}

jaeger_status jg_os_fail(const jg_http_answer *answer, const char *what, jaeger_error *err)
{
    JG_AUTO_BUF jg_buf reason = JG_BUF_INIT(1u << 16);
    jaeger_str text = jg_buf_view(&answer->body);
    if (read_body_reason(text, &reason))
        text = jg_buf_view(&reason);
    jaeger_status status = jg_os_status_of(answer->status);
    if (status == JAEGER_OK)
        status = JAEGER_INTERNAL;
    jg_fail(err, status, "%.100s: HTTP status %d: %.*s", what, answer->status,
            (int)JG_MIN(text.len, REASON_BYTES_MAX), text.ptr ? text.ptr : "");
    if (err)
        err->retry_after_ms = answer->retry_after_ms         ? answer->retry_after_ms
                              : status == JAEGER_UNAVAILABLE ? JG_RETRY_AFTER_MS
                                                             : 0;
    return status;
}

/* ---- opening ---- */

static jaeger_status check_auth(const jg_os_client_config *c, jaeger_error *err)
{
    if (c->auth.basic.enabled + c->auth.bearer_token.enabled + c->auth.api_key.enabled +
            (c->auth.authenticator.len != 0) >
        1)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "auth: only one of basic, bearer_token, api_key and authenticator may be set");
    if (c->auth.basic.enabled && c->auth.basic.password.len && c->auth.basic.password_file.len)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "auth.basic: only one of password and password_file may be set");
    return JAEGER_OK;
}

static jaeger_status check_version(uint32_t version, jaeger_error *err)
{
    static const uint32_t known[] = {0, 7, 8, 9, 101, 102, 103};
    for (size_t i = 0; i < JG_COUNT(known); i++)
        if (version == known[i])
            return JAEGER_OK;
    return jg_fail(
        err, JAEGER_INVALID_ARGUMENT,
        "version: %u is not known (0: ask the cluster; 7, 8, 9: Elasticsearch; 101, 102, 103: OpenSearch)",
        version);
}

jaeger_status jg_os_client_new(const jg_os_client_config *config, const jaeger_logger *log,
                               jg_os_client **ret, jaeger_error *err)
{
    JG_TRY(check_auth(config, err));
    JG_TRY(check_version(config->version, err));
    if (!config->server_urls.count)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "server_urls: at least one address is needed");
    jg_os_client *client = jg_calloc(1, sizeof *client);
    if (!client)
        return jg_fail_oom(err);
    client->config = config;
    client->log = log;
    client->tls = config->tls;
    client->tls.insecure_skip_verify |= config->tls.insecure; /* what it means for these backends */
    client->version_known = config->version != 0;
    client->version = (jg_os_version){.is_opensearch = config->version > 100, .major = config->version % 100};
    (void)pthread_mutex_init(&client->version_mutex, NULL);
    jg_secret_init(&client->password, config->auth.basic.password_file.ptr);
    jg_secret_init(&client->bearer_token, config->auth.bearer_token.file_path.ptr);
    jg_secret_init(&client->api_key, config->auth.api_key.file_path.ptr);
    jaeger_status status = JAEGER_OK;
    for (size_t i = 0; i < config->server_urls.count && status == JAEGER_OK; i++)
        status = add_node(client, jg_str_trim(config->server_urls.items[i]), err);
    if (status != JAEGER_OK) {
        jg_os_client_free(client);
        return status;
    }
    *ret = client;
    return JAEGER_OK;
}

void jg_os_client_authenticate(jg_os_client *client, const jg_client_auth_interface *by, void *self)
{
    client->authenticator = by;
    client->authenticator_self = self;
}

void jg_os_client_free(jg_os_client *client)
{
    if (!client)
        return;
    for (size_t i = 0; i < client->node_count; i++) {
        jg_http_client_free(client->nodes[i].http);
        jg_free(client->nodes[i].url);
    }
    jg_secret_done(&client->password);
    jg_secret_done(&client->bearer_token);
    jg_secret_done(&client->api_key);
    (void)pthread_mutex_destroy(&client->version_mutex);
    jg_free(client);
}

/* ---- version and nodes of the cluster ---- */

static bool contains(jaeger_str text, jaeger_str part)
{
    return text.len >= part.len && memmem(text.ptr, text.len, part.ptr, part.len) != NULL;
}

static bool read_number(jg_json_in *in, jg_os_version *ret)
{
    jg_json_text key, text;
    bool ok = jg_json_in_object(in);
    while (ok && jg_json_in_key(in, &key)) {
        if (!jg_json_in_is(key, JAEGER_STR("number"))) {
            ok = jg_json_in_skip(in);
        } else if ((ok = jg_json_in_str(in, &text))) {
            uint64_t major;
            text.raw.len = jg_str_find(text.raw, '.');
            ret->major = jg_str_to_u64(text.raw, &major) && major < 1000 ? (uint32_t)major : 0;
        }
    }
    return ok;
}

static bool read_version(jaeger_str body, jg_os_version *ret)
{
    jg_json_in in = jg_json_in_of(body);
    jg_json_text key, text;
    bool ok = jg_json_in_object(&in);
    while (ok && jg_json_in_key(&in, &key)) {
        if (jg_json_in_is(key, JAEGER_STR("version"))) {
            ok = read_number(&in, ret);
        } else if (jg_json_in_is(key, JAEGER_STR("tagline"))) {
            ok = jg_json_in_str(&in, &text);
            ret->is_opensearch = ok && contains(text.raw, JAEGER_STR("OpenSearch"));
        } else {
            ok = jg_json_in_skip(&in);
        }
    }
    if (ret->is_opensearch && ret->major == 7) /* compatibility.override_main_response_version */
        ret->major = 1;
    return ok && jg_json_in_end(&in);
}

static jaeger_status ask_version(jg_os_client *client, jaeger_call *call)
{
    jg_os_version version = {0};
    jg_http_answer answer JG_CLEANUP(jg_os_answer_done) = {0};
    JG_TRY(jg_os_ask(client, &(jg_os_request){.method = "GET", .path = "/"}, &answer, call));
    if (!read_version(jg_buf_view(&answer.body), &version))
        return jg_fail(&call->error, JAEGER_FAILED_PRECONDITION,
                       "what answers is neither OpenSearch nor Elasticsearch");
    uint32_t least = version.is_opensearch ? 1 : 7, most = version.is_opensearch ? 3 : 9;
    if (version.major < least || version.major > most)
        return jg_fail(&call->error, JAEGER_FAILED_PRECONDITION,
                       "%s %u is not supported (OpenSearch 1 to 3, Elasticsearch 7 to 9)",
                       version.is_opensearch ? "OpenSearch" : "Elasticsearch", version.major);
    client->version = version;
    return JAEGER_OK;
}

/** "127.0.0.1:9200", or "name/127.0.0.1:9200". */
static jaeger_status add_found(jg_os_client *client, jaeger_str address, jaeger_error *err)
{
    char url[300];
    size_t slash = jg_str_find(address, '/');
    if (slash < address.len)
        address = jg_str_skip(address, slash + 1);
    if (!address.len || address.len > 250 || client->node_count == JG_OS_NODES_MAX)
        return JAEGER_OK;
    (void)snprintf(url, sizeof url, "%s://%.*s", client->config->sniffing.use_https ? "https" : "http",
                   JAEGER_STR_ARGS(address));
    for (size_t i = 0; i < client->node_count; i++)
        if (jg_str_is(jg_str(client->nodes[i].url), url))
            return JAEGER_OK;
    return add_node(client, jg_str(url), err);
}

static bool read_node(jg_os_client *client, jg_json_in *in)
{
    jg_json_text key, inner, text;
    bool ok = jg_json_in_object(in);
    while (ok && jg_json_in_key(in, &key)) {
        if (!jg_json_in_is(key, JAEGER_STR("http"))) {
            ok = jg_json_in_skip(in);
            continue;
        }
        ok = jg_json_in_object(in);
        while (ok && jg_json_in_key(in, &inner))
            ok = jg_json_in_is(inner, JAEGER_STR("publish_address"))
                     ? jg_json_in_str(in, &text) && add_found(client, text.raw, NULL) == JAEGER_OK
                     : jg_json_in_skip(in);
    }
    return ok;
}

static jaeger_status find_nodes(jg_os_client *client, jaeger_call *call)
{
    jg_http_answer answer JG_CLEANUP(jg_os_answer_done) = {0};
    JG_TRY(jg_os_ask(client, &(jg_os_request){.method = "GET", .path = "/_nodes/http"}, &answer, call));
    jg_json_in in = jg_json_in_of(jg_buf_view(&answer.body));
    jg_json_text key, id;
    bool ok = jg_json_in_object(&in);
    while (ok && jg_json_in_key(&in, &key)) {
        if (!jg_json_in_is(key, JAEGER_STR("nodes"))) {
            ok = jg_json_in_skip(&in);
            continue;
        }
        ok = jg_json_in_object(&in);
        while (ok && jg_json_in_key(&in, &id))
            ok = read_node(client, &in);
    }
    if (!ok || in.fault)
        return jg_fail(&call->error, JAEGER_INTERNAL, "/_nodes/http: unexpected answer");
    jaeger_log(client->log, JAEGER_INFO, "found the cluster's nodes nodes=%zu", client->node_count);
    return JAEGER_OK;
}

jaeger_status jg_os_client_version(jg_os_client *client, jg_os_version *ret, jaeger_call *call)
{
    jaeger_status status = JAEGER_OK;
    (void)pthread_mutex_lock(&client->version_mutex);
    if (!client->version_known) {
        status = ask_version(client, call);
        if (status == JAEGER_OK && client->config->sniffing.enabled)
            status = find_nodes(client, call);
        client->version_known = status == JAEGER_OK;
    }
    *ret = client->version;
    (void)pthread_mutex_unlock(&client->version_mutex);
    return status;
}

/* ---- keys ---- */

#define FIELD(type, member, key, field_kind, ...)                                                            \
    {                                                                                                        \
        .name = (key), .kind = (field_kind), .offset = offsetof(type, member), __VA_ARGS__                   \
    }

static const jaeger_field basic_fields[] = {
    FIELD(jg_os_basic_config, username, "username", JAEGER_FIELD_STR, .doc = "user"),
    FIELD(jg_os_basic_config, password, "password", JAEGER_FIELD_STR, .doc = "password"),
    FIELD(jg_os_basic_config, password_file, "password_file", JAEGER_FIELD_STR,
          .doc = "file with the password, read again when it changes"),
    FIELD(jg_os_basic_config, reload_interval_ns, "reload_interval", JAEGER_FIELD_DURATION,
          .doc = "accepted; a changed file counts at once"),
    {.kind = JAEGER_FIELD_END},
};

static const jaeger_field token_fields[] = {
    FIELD(jg_os_token_config, file_path, "file_path", JAEGER_FIELD_STR,
          .doc = "file with the token, read again when it changes"),
    FIELD(jg_os_token_config, from_context, "from_context", JAEGER_FIELD_BOOL,
          .doc = "use the caller's token, if there is one"),
    FIELD(jg_os_token_config, reload_interval_ns, "reload_interval", JAEGER_FIELD_DURATION,
          .doc = "accepted; a changed file counts at once"),
    {.kind = JAEGER_FIELD_END},
};

typedef __typeof__(((jg_os_client_config *)0)->auth) auth_config;
typedef __typeof__(((jg_os_client_config *)0)->sniffing) sniffing_config;

static const jaeger_field auth_fields[] = {
    FIELD(auth_config, basic, "basic", JAEGER_FIELD_OPTIONAL_N, .sub = basic_fields,
          .sub_size = sizeof(jg_os_basic_config), .doc = "user and password"),
    FIELD(auth_config, bearer_token, "bearer_token", JAEGER_FIELD_OPTIONAL_N, .sub = token_fields,
          .sub_size = sizeof(jg_os_token_config), .doc = "Authorization: Bearer"),
    FIELD(auth_config, api_key, "api_key", JAEGER_FIELD_OPTIONAL_N, .sub = token_fields,
          .sub_size = sizeof(jg_os_token_config), .doc = "Authorization: ApiKey"),
    FIELD(auth_config, authenticator, "authenticator", JAEGER_FIELD_STR,
          .doc = "id of an extension that gives the header: bearertokenauth, basicauth with client_auth"),
    {.kind = JAEGER_FIELD_END},
};

static const jaeger_field sniffing_fields[] = {
    FIELD(sniffing_config, enabled, "enabled", JAEGER_FIELD_BOOL,
          .doc = "ask the cluster for its nodes, once"),
    FIELD(sniffing_config, use_https, "use_https", JAEGER_FIELD_BOOL,
          .doc = "the nodes found are asked over TLS"),
    {.kind = JAEGER_FIELD_END},
};

const jaeger_field jg_os_client_fields[] = {
    FIELD(jg_os_client_config, server_urls, "server_urls", JAEGER_FIELD_STRS,
          .fallback = "[http://127.0.0.1:9200]", .doc = "addresses of nodes"),
    FIELD(jg_os_client_config, auth, "auth", JAEGER_FIELD_BLOCK, .sub = auth_fields,
          .sub_size = sizeof(auth_config), .doc = "who we are: at most one of these"),
    FIELD(jg_os_client_config, tls, "tls", JAEGER_FIELD_BLOCK, .sub = jg_tls_client_fields,
          .sub_size = sizeof(jg_tls_settings), .doc = "TLS of https:// addresses; insecure: do not verify"),
    FIELD(jg_os_client_config, sniffing, "sniffing", JAEGER_FIELD_BLOCK, .sub = sniffing_fields,
          .sub_size = sizeof(sniffing_config), .doc = "finding nodes"),
    FIELD(jg_os_client_config, query_timeout_ns, "query_timeout", JAEGER_FIELD_DURATION,
          .doc = "of one request; 0: what the call has, else 30s"),
    FIELD(jg_os_client_config, http_compression, "http_compression", JAEGER_FIELD_BOOL, .fallback = "true",
          .doc = "send bodies gzipped"),
    FIELD(jg_os_client_config, custom_headers, "custom_headers", JAEGER_FIELD_PAIRS,
          .doc = "headers of every request"),
    FIELD(jg_os_client_config, version, "version", JAEGER_FIELD_U32, .fallback = "0",
          .doc = "7, 8, 9: Elasticsearch; 101, 102, 103: OpenSearch; 0: ask"),
    {.kind = JAEGER_FIELD_END},
};
