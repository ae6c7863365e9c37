/* SPDX-License-Identifier: Apache-2.0
 * Opening a backend: its section, its names, its templates. See store.h.
 */
#include "storage/opensearch/store.h"

#include "core/alloc.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/str.h"
#include "storage/opensearch/graph_job.h"
#include "storage/opensearch/slots.h"
#include "storage/opensearch/templates.h"
#include <jaeger/component.h>
#include <stddef.h>

#define OPEN_TIMEOUT_NS (5 * JG_NS_PER_S) /* a cluster that does not answer at start is asked again later */
#define BULK_BYTES_MAX  (100u << 20)      /* http.max_content_length of both engines */
#define WORKERS_MAX     64u               /* as many writes block at once: JG_WORKERS_MAX */
#define CONNECT_NS_MIN  (1 * JG_NS_PER_S)
#define CONNECT_NS_MAX  (15 * JG_NS_PER_S)
#define DOC_COUNT_MAX   10000u /* index.max_result_window */

/** With tokens that only callers have, nothing can be asked at start. */
static bool has_own_identity(const jg_os_client_config *c)
{
    const jg_os_token_config *token = c->auth.bearer_token.enabled ? &c->auth.bearer_token : &c->auth.api_key;
    return c->auth.basic.enabled || !token->enabled || !token->from_context || token->file_path.len;
}

jaeger_status jg_os_validate(const void *config, jaeger_error *err)
{
    const jg_os_config *c = config;
    jg_os_index index;
    for (size_t i = 0; i < JG_COUNT(c->refused); i++)
        if (c->refused[i])
            return jg_fail(
                err, JAEGER_INVALID_ARGUMENT,
                "deprecated ES rotation flags (use_aliases, use_ilm, span_read_alias, span_write_alias, "
                "service_read_alias, service_write_alias) are no longer supported; use "
                "indices.<type>.rotation.manual_rollover or auto_rollover");
    if (c->bulk_processing.max_bytes < 1024 || c->bulk_processing.max_bytes > BULK_BYTES_MAX)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "bulk_processing.max_bytes must be from 1024 to %u",
                       BULK_BYTES_MAX);
    if (c->bulk_processing.workers > WORKERS_MAX)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "bulk_processing.workers must be at most %u",
                       WORKERS_MAX);
    if (!c->max_doc_count || c->max_doc_count > DOC_COUNT_MAX)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "max_doc_count must be from 1 to %u", DOC_COUNT_MAX);
    const jg_os_job_config *job = &c->dependencies_job;
    if (job->enabled && !has_own_identity(&c->client))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "dependencies_job needs credentials of its own, not those of callers");
    if (job->enabled && (job->interval_ns < JG_NS_PER_S || job->interval_ns % JG_NS_PER_S))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "dependencies_job.interval must be whole seconds, from 1s");
    if (!c->tags_as_fields.dot_replacement.len ||
        jg_str_find(c->tags_as_fields.dot_replacement, '.') != c->tags_as_fields.dot_replacement.len)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "tags_as_fields.dot_replacement must not be empty and must not contain '.'");
    for (int kind = 0; kind < JG_OS_KINDS; kind++)
        JG_TRY(jg_os_index_init(&index, &c->indices, (jg_os_kind)kind, err));
    return JAEGER_OK;
}

/** By the extension that the configuration names. */
static jaeger_status authenticate(jg_os_store *store, jaeger_error *err)
{
    const jaeger_str id = store->config->client.auth.authenticator;
    void *self = NULL;
    if (!id.len)
        return JAEGER_OK;
    const jg_client_auth_interface *by =
        store->host ? jaeger_host_extension(store->host, id.ptr, JG_CLIENT_AUTH_INTERFACE, &self) : NULL;
    if (!by)
        return jg_fail(
            err, JAEGER_INVALID_ARGUMENT,
            "auth.authenticator: failed to resolve authenticator \"%.*s\": authenticator not found",
            JAEGER_STR_ARGS(id));
    jg_os_client_authenticate(store->client, by, self);
    return JAEGER_OK;
}

static jaeger_status open_parts(jg_os_store *store, jaeger_error *err)
{
    for (int kind = 0; kind < JG_OS_KINDS; kind++)
        JG_TRY(jg_os_index_init(&store->index[kind], &store->config->indices, (jg_os_kind)kind, err));
    JG_TRY(jg_os_tag_choice_init(&store->choice, &store->config->tags_as_fields, err));
    if (!(store->services_known = jg_calloc(JG_OS_SERVICES_KNOWN, sizeof *store->services_known)))
        return jg_fail_oom(err);
    JG_TRY(jg_os_client_new(&store->config->client, store->log, &store->client, err));
    return authenticate(store, err);
}

jaeger_status jg_os_store_open(jg_os_store *store, const jg_os_config *config, const jaeger_logger *log,
                               struct jg_metrics *metrics, jaeger_error *err)
{
    JG_TRY(jg_os_validate(config, err));
    *store = (jg_os_store){.config = config, .log = log, .host = store->host};
    (void)pthread_mutex_init(&store->ready_mutex, NULL);
    jg_os_writers_open(store);
    store->refused = jg_metrics_counter(metrics, "jaeger_search_refused_documents",
                                        "Documents that the cluster will never take", NULL, 0);
    store->partial = jg_metrics_counter(metrics, "jaeger_search_partial_answers",
                                        "Searches that some shards of the cluster did not answer", NULL, 0);
    jaeger_status status = open_parts(store, err);
    if (status != JAEGER_OK)
        jg_os_store_close(store);
    return status;
}

void jg_os_store_close(jg_os_store *store)
{
    __atomic_store_n(&store->closing, 1, __ATOMIC_RELAXED);
    jg_waiter_stop(&store->connecting);
    jg_os_job_stop(store);
    jg_os_writers_close(store);
    jg_os_client_free(store->client);
    jg_os_tag_choice_done(&store->choice);
    jg_free(store->services_known);
    (void)pthread_mutex_destroy(&store->ready_mutex);
}

/* ---- readiness ---- */

static jaeger_status install(jg_os_store *store, jg_os_kind kind, jg_os_version version, jaeger_call *call)
{
    const jg_os_index_config *c = &store->config->indices.kinds[kind];
    jg_os_template t = {.kind = kind,
                        .index_prefix = store->config->indices.index_prefix,
                        .shards = c->shards,
                        .replicas = c->replicas,
                        .priority = c->priority,
                        .use_ilm = c->rotation.auto_rollover.enabled,
                        .policy = c->rotation.auto_rollover.policy_name,
                        .version = version};
    jaeger_status status = jg_os_install_template(store->client, &t, call);
    if (status == JAEGER_PERMISSION_DENIED)
        return jg_fail_prefix(&call->error,
                              "cannot install the index template (grant the right, or install it "
                              "otherwise and set create_mappings: false)");
    return status == JAEGER_OK ? status : jg_fail_prefix(&call->error, "cannot install the index template");
}

static jaeger_status make_ready(jg_os_store *store, jaeger_call *call)
{
    jg_os_version version;
    JG_TRY(jg_os_client_version(store->client, &version, call));
    if (store->config->create_mappings) {
        JG_TRY(install(store, JG_OS_SPANS, version, call));
        JG_TRY(install(store, JG_OS_SERVICES, version, call));
    }
    jaeger_log(store->log, JAEGER_INFO, "connected to the cluster engine=%s version=%u templates=%s",
               version.is_opensearch ? "opensearch" : "elasticsearch", version.major,
               !store->config->create_mappings ? "not ours"
               : jg_os_is_composable(version)  ? "composable"
                                               : "legacy");
    return JAEGER_OK;
}

jaeger_status jg_os_store_ready(jg_os_store *store, jaeger_call *call)
{
    jaeger_status status = JAEGER_OK;
    if (__atomic_load_n(&store->ready, __ATOMIC_ACQUIRE))
        return JAEGER_OK;
    (void)pthread_mutex_lock(&store->ready_mutex);
    if (!store->ready)
        status = make_ready(store, call);
    if (status == JAEGER_OK)
        __atomic_store_n(&store->ready, true, __ATOMIC_RELEASE);
    (void)pthread_mutex_unlock(&store->ready_mutex);
    return status;
}

jaeger_status jg_os_store_ready_for(jg_os_store *store, jg_os_kind kind, jaeger_call *call)
{
    jg_os_version version;
    jaeger_status status = JAEGER_OK;
    JG_TRY(jg_os_store_ready(store, call));
    if (!store->config->create_mappings || __atomic_load_n(&store->ready_for[kind], __ATOMIC_ACQUIRE))
        return JAEGER_OK;
    JG_TRY(jg_os_client_version(store->client, &version, call));
    (void)pthread_mutex_lock(&store->ready_mutex);
    if (!store->ready_for[kind])
        status = install(store, kind, version, call);
    if (status == JAEGER_OK)
        __atomic_store_n(&store->ready_for[kind], true, __ATOMIC_RELEASE);
    (void)pthread_mutex_unlock(&store->ready_mutex);
    return status;
}

/* ---- slots ---- */

/** Until it answers; its faults are those of the writes from then on. */
static void *connect_later(void *arg)
{
    jg_os_store *store = arg;
    uint64_t wait_ns = CONNECT_NS_MIN;
    while (!jg_waiter_sleep(&store->connecting, wait_ns)) {
        jaeger_call call = JAEGER_CALL_INIT;
        call.deadline_ns = jg_clock_mono_ns() + OPEN_TIMEOUT_NS;
        call.cancelled = &store->closing;
        jaeger_status status = jg_os_store_ready(store, &call);
        if (status == JAEGER_OK)
            break;
        if (status != JAEGER_UNAVAILABLE && status != JAEGER_DEADLINE_EXCEEDED && status != JAEGER_CANCELLED)
            jaeger_log(store->log, JAEGER_ERROR, "cannot use the cluster, trying again error=\"%s\"",
                       call.error.message);
        wait_ns = JG_MIN(2 * wait_ns, CONNECT_NS_MAX);
    }
    return NULL;
}

/** A cluster that does not answer yet is no fault. */
static jaeger_status greet(jg_os_store *store, jaeger_error *err)
{
    jaeger_call call = JAEGER_CALL_INIT;
    if (!has_own_identity(&store->config->client))
        return JAEGER_OK;
    call.deadline_ns = jg_clock_mono_ns() + OPEN_TIMEOUT_NS;
    jaeger_status status = jg_os_store_ready(store, &call);
    if (status == JAEGER_UNAVAILABLE || status == JAEGER_DEADLINE_EXCEEDED) {
        jaeger_log(store->log, JAEGER_WARN,
                   "the cluster does not answer yet, trying again until it does error=\"%s\"",
                   call.error.message);
        return jg_waiter_start(&store->connecting, connect_later, store, err);
    }
    if (status != JAEGER_OK)
        *err = call.error;
    return status;
}

jaeger_status jg_os_open(void *self, const void *config, const jaeger_logger *log, struct jg_metrics *metrics,
                         jaeger_error *err)
{
    jg_os_store *store = self;
    JG_TRY(jg_os_store_open(store, config, log, metrics, err));
    jaeger_status status = greet(store, err);
    if (status == JAEGER_OK && store->config->dependencies_job.enabled)
        status = jg_os_job_start(store, metrics, err);
    if (status != JAEGER_OK)
        jg_os_store_close(store);
    return status;
}

void jg_os_close(void *self)
{
    jg_os_store_close(self);
}

void jg_os_attach(void *self, struct jaeger_host *host)
{
    ((jg_os_store *)self)->host = host;
}

jaeger_status jg_os_health(void *self, jaeger_error *err)
{
    const jg_os_store *store = self;
    if (__atomic_load_n(&store->ready, __ATOMIC_ACQUIRE) || !has_own_identity(&store->config->client))
        return JAEGER_OK;
    return jg_fail(err, JAEGER_UNAVAILABLE, "the cluster has not answered yet");
}

jaeger_status jg_os_caps(void *self, jaeger_storage_caps *ret, jaeger_call *call)
{
    (void)self, (void)call;
    ret->without_service_name = true;
    ret->same_span_conjunction = true;
    ret->durable = true;
    ret->filter = true;
    ret->value_patterns = true;
    return JAEGER_OK;
}

jaeger_status jg_os_purge(void *self, jaeger_call *call)
{
    jg_os_store *store = self;
    for (int kind = 0; kind < JG_OS_KINDS; kind++) {
        JG_AUTO_BUF jg_buf path = JG_BUF_INIT(4096);
        jg_http_answer answer JG_CLEANUP(jg_os_answer_done) = {0};
        const jg_os_index *index = &store->index[kind];
        if (index->by_alias)
            return jg_fail(&call->error, JAEGER_UNIMPLEMENTED,
                           "indices behind aliases are emptied by es-index-cleaner, not by purge");
        jg_buf_byte(&path, '/');
        jg_os_put_all(&path, index);
        jg_buf_printf(&path, "?ignore_unavailable=true&allow_no_indices=true%c", 0);
        if (!jg_buf_ok(&path))
            return jg_fail_oom(&call->error);
        JG_TRY(jg_os_ask(store->client, &(jg_os_request){.method = "DELETE", .path = (const char *)path.data},
                         &answer, call));
    }
    for (size_t i = 0; i < JG_OS_SERVICES_KNOWN; i++)
        __atomic_store_n(&store->services_known[i], 0, __ATOMIC_RELAXED);
    return JAEGER_OK;
}

/* ---- keys ---- */

#define FIELD(member, key, field_kind, ...)                                                                  \
    {                                                                                                        \
        .name = (key), .kind = (field_kind), .offset = offsetof(jg_os_config, member), __VA_ARGS__           \
    }

typedef __typeof__(((jg_os_config *)0)->bulk_processing) bulk_config;
#define BULK(member, key, field_kind, ...)                                                                   \
    {                                                                                                        \
        .name = (key), .kind = (field_kind), .offset = offsetof(bulk_config, member), __VA_ARGS__            \
    }

static const jaeger_field bulk_fields[] = {
    BULK(max_bytes, "max_bytes", JAEGER_FIELD_U64, .fallback = "5000000", .doc = "of one request"),
    BULK(flush_interval_ns, "flush_interval", JAEGER_FIELD_DURATION, .fallback = "200ms",
         .doc = "accepted: a write waits only for those before it"),
    BULK(workers, "workers", JAEGER_FIELD_U64, .fallback = "1",
         .doc = "requests on their way at once; writes that come meanwhile share the next one"),
    BULK(refresh, "refresh", JAEGER_FIELD_ENUM, .fallback = "none", .choices = "none|now|wait_for",
         .doc = "ours: whether a written span can be found at once; now costs the cluster much"),
    BULK(max_actions, "max_actions", JAEGER_FIELD_U64, .fallback = "1000", .doc = "accepted"),
    {.kind = JAEGER_FIELD_END},
};

#define JOB(member, key, field_kind, ...)                                                                    \
    {                                                                                                        \
        .name = (key), .kind = (field_kind), .offset = offsetof(jg_os_job_config, member), __VA_ARGS__       \
    }

static const jaeger_field job_fields[] = {
    JOB(interval_ns, "interval", JAEGER_FIELD_DURATION, .fallback = "15m",
        .doc = "time of one document; the graph is that much behind, and the delay"),
    JOB(delay_ns, "delay", JAEGER_FIELD_DURATION, .fallback = "10m",
        .doc = "how long spans may take to arrive; later ones are not counted"),
    JOB(lookback_ns, "lookback", JAEGER_FIELD_DURATION, .fallback = "24h",
        .doc = "how far back the first run of all begins"),
    JOB(peer_service, "peer_service", JAEGER_FIELD_BOOL, .fallback = "true",
        .doc = "a span without children calls what its tag peer.service names"),
    {.kind = JAEGER_FIELD_END},
};

#define OLD(index, key)                                                                                      \
    FIELD(refused[index], key, JAEGER_FIELD_NODE, .doc = "refused: use indices.*.rotation")
#define NO_EFFECT(index, key)                                                                                \
    FIELD(accepted[index], key, JAEGER_FIELD_NODE, .doc = "accepted, without effect")

const jaeger_field jg_os_fields[] = {
    {.kind = JAEGER_FIELD_SQUASH,
     .offset = offsetof(jg_os_config, client),
     .sub = jg_os_client_fields,
     .sub_size = sizeof(jg_os_client_config)},
    FIELD(remote_read_clusters, "remote_read_clusters", JAEGER_FIELD_STRS,
          .doc = "clusters that reads look into, too"),
    FIELD(bulk_processing, "bulk_processing", JAEGER_FIELD_BLOCK, .sub = bulk_fields,
          .sub_size = sizeof(bulk_config), .doc = "size of requests"),
    FIELD(write_mode, "write_mode", JAEGER_FIELD_ENUM, .fallback = "async", .choices = "async|sync",
          .doc = "both: a write is answered when the cluster has it"),
    FIELD(poison_pill_handling, "poison_pill_handling", JAEGER_FIELD_ENUM, .fallback = "fail",
          .choices = "fail|drop", .doc = "what a write answers if the cluster will never take a span of it"),
    FIELD(log_level, "log_level", JAEGER_FIELD_STR, .fallback = "error",
          .doc = "accepted: the service's level counts"),
    FIELD(create_mappings, "create_mappings", JAEGER_FIELD_BOOL, .fallback = "true",
          .doc = "install index templates before the first write"),
    FIELD(max_doc_count, "max_doc_count", JAEGER_FIELD_U64, .fallback = "10000",
          .doc = "documents of one answer; larger traces are read page by page"),
    FIELD(max_span_age_ns, "max_span_age", JAEGER_FIELD_DURATION, .fallback = "72h",
          .doc = "how far back traces are looked for where no time is given; not with aliases"),
    FIELD(max_trace_duration_ns, "max_trace_duration", JAEGER_FIELD_DURATION, .fallback = "24h",
          .doc = "how far spans of a found trace may lie outside the searched time"),
    FIELD(service_cache_ttl_ns, "service_cache_ttl", JAEGER_FIELD_DURATION, .fallback = "0s",
          .doc = "how long a service is not written again; 0: 12h"),
    FIELD(adaptive_sampling_lookback_ns, "adaptive_sampling_lookback", JAEGER_FIELD_DURATION,
          .fallback = "72h", .doc = "how far back probabilities of adaptive sampling are looked for"),
    FIELD(tags_as_fields, "tags_as_fields", JAEGER_FIELD_BLOCK, .sub = jg_os_tags_fields,
          .sub_size = sizeof(jg_os_tags_config), .doc = "tags that become fields of their own"),
    FIELD(indices, "indices", JAEGER_FIELD_BLOCK, .sub = jg_os_indices_fields,
          .sub_size = sizeof(jg_os_indices_config), .doc = "names and settings of indices"),
    FIELD(dependencies_job, "dependencies_job", JAEGER_FIELD_OPTIONAL_D, .sub = job_fields,
          .sub_size = sizeof(jg_os_job_config),
          .doc = "ours: compute the service graph now and then; one process of all at a time"),
    OLD(0, "use_aliases"),
    OLD(1, "use_ilm"),
    OLD(2, "span_read_alias"),
    OLD(3, "span_write_alias"),
    OLD(4, "service_read_alias"),
    OLD(5, "service_write_alias"),
    NO_EFFECT(0, "disable_health_check"),
    NO_EFFECT(1, "health_check_timeout_startup"),
    NO_EFFECT(2, "send_get_body_as"),
    {.kind = JAEGER_FIELD_END},
};
