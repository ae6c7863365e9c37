/* SPDX-License-Identifier: Apache-2.0
 * Gathers spans into larger batches. acknowledge: through (our default) answers each request with the result
 * of its own spans (batch/through.c, batch/pass.c); early answers at once, as the Collector does
 * (batch/early.c). Requests
 * of different tenants or metadata_keys values never share a batch. Keys: opentelemetry-collector
 * processor/batchprocessor/README.md.
 */
#include "processors/batch/batch.h"

#include "core/alloc.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/cond.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "model/batch.h"
#include <string.h>
#include <time.h>

#define SHARD_KEY_BYTES_MAX (16u << 10) /* header lists are no larger */

/* ---- shared by both ways ---- */

bool jg_batch_wait(jg_batcher *b, pthread_cond_t *cond, uint64_t deadline_ns)
{
    uint64_t now = jg_clock_mono_ns();
    if (now >= deadline_ns)
        return false;
    struct timespec at = jg_cond_after(JG_MIN(deadline_ns - now, 3600 * JG_NS_PER_S));
    (void)pthread_cond_timedwait(cond, &b->state_mutex, &at);
    return true;
}

void jg_batch_note(const jg_batcher *b, const jaeger_batch *batch)
{
    if (!b->has_metrics)
        return;
    jg_metric_observe(b->send_size, (double)jg_batch_items(batch));
    jg_metric_observe(b->send_bytes, (double)jaeger_batch_otlp_size(batch));
}

jaeger_call jg_batch_call(const jg_batch_shard *shard, uint64_t deadline_ns, jaeger_arena *arena)
{
    jaeger_call call = JAEGER_CALL_INIT;
    call.deadline_ns = deadline_ns;
    call.tenant = shard->tenant;
    call.arena = arena;
    call.metadata = shard->metadata;
    call.metadata_count = shard->metadata_count;
    return call;
}

static jaeger_status send_piece(jg_batcher *b, const jg_batch_shard *shard, jaeger_batch *take,
                                uint64_t deadline_ns, jaeger_arena *arena, jaeger_error *err)
{
    jg_batch_note(b, take);
    jaeger_call call = jg_batch_call(shard, deadline_ns, arena);
    jaeger_status status = b->next.consume(b->next.self, take, &call);
    if (status != JAEGER_OK) {
        *err = call.error;
        err->status = status;
    }
    return status;
}

jaeger_status jg_batch_send(jg_batcher *b, const jg_batch_shard *shard, jaeger_batch *take,
                            uint64_t deadline_ns, jaeger_arena *arena, jaeger_error *err)
{
    JG_AUTO_BATCH jaeger_batch *whole = take;
    size_t max = b->config->send_batch_max_size, count = jaeger_batch_span_count(take);
    if (max == 0 || count <= max) {
        whole = NULL;
        return send_piece(b, shard, take, deadline_ns, arena, err);
    }
    JG_AUTO_FREE uint32_t *indexes = jg_alloc(max * sizeof *indexes);
    if (!indexes)
        return jg_fail_oom(err);
    jaeger_status status = JAEGER_OK;
    for (size_t from = 0; from < count && status == JAEGER_OK; from += max) {
        size_t n = JG_MIN(max, count - from);
        jaeger_batch *piece;
        for (size_t i = 0; i < n; i++)
            indexes[i] = (uint32_t)(from + i);
        status = jg_batch_select(whole, indexes, n, &piece, err);
        if (status == JAEGER_OK)
            status = send_piece(b, shard, piece, deadline_ns, arena, err);
    }
    return status;
}

/* ---- shards ---- */

static void shard_init(jg_batcher *b, jg_batch_shard *shard)
{
    shard->last = &shard->first;
    shard->next = b->shards;
    b->shards = shard;
    b->shard_count++;
    if (b->config->metadata_keys.count)
        jg_metric_set(b->cardinality, (double)b->shard_count);
}

/* Values of `name` in the call's metadata, each with its name, to `out` (may be NULL). @return how many */
static size_t collect(const jaeger_call *call, jaeger_str name, jaeger_pair *out)
{
    size_t n = 0;
    for (size_t i = 0; i < call->metadata_count; i++) {
        if (!jg_str_eq_nocase(call->metadata[i].key, name))
            continue;
        if (out)
            out[n] = call->metadata[i];
        n++;
    }
    return n;
}

static void append_part(jg_buf *key, jaeger_str part)
{
    uint32_t len = (uint32_t)part.len;
    jg_buf_append(key, &len, sizeof len);
    jg_buf_str(key, part);
}

/* Tenant, then the values of each key in the order of the configuration; lengths in front, so nothing is
 * ambiguous. */
static void make_key(const jg_batcher *b, const jaeger_call *call, jg_buf *key)
{
    append_part(key, call->tenant);
    for (size_t k = 0; k < b->config->metadata_keys.count; k++) {
        jaeger_str name = b->config->metadata_keys.items[k];
        for (size_t i = 0; i < call->metadata_count; i++)
            if (jg_str_eq_nocase(call->metadata[i].key, name))
                append_part(key, call->metadata[i].value);
        append_part(key, JAEGER_STR(""));
    }
}

static bool copy_pair(jaeger_arena *arena, jaeger_pair *pair)
{
    pair->key = jaeger_arena_str(arena, pair->key);
    pair->value = jaeger_arena_str(arena, pair->value);
    return pair->key.ptr && pair->value.ptr;
}

static jg_batch_shard *shard_new(const jg_batcher *b, const jaeger_call *call, jaeger_str key)
{
    jaeger_arena *arena = jaeger_arena_new(0);
    jg_batch_shard *shard = arena ? jg_arena_zalloc(arena, sizeof *shard) : NULL;
    size_t count = 0, at = 0;
    const jaeger_str_list *names = &b->config->metadata_keys;
    for (size_t k = 0; k < names->count; k++)
        count += collect(call, names->items[k], NULL);
    jaeger_pair *pairs = shard ? jaeger_arena_alloc(arena, (count + 1) * sizeof *pairs) : NULL;
    bool ok = pairs != NULL;
    for (size_t k = 0; k < names->count && ok; k++)
        at += collect(call, names->items[k], pairs + at);
    for (size_t i = 0; i < count && ok; i++)
        ok = copy_pair(arena, &pairs[i]);
    if (ok) {
        shard->arena = arena;
        shard->metadata = pairs;
        shard->metadata_count = count;
        shard->key = jaeger_arena_str(arena, key);
        shard->tenant = jaeger_arena_str(arena, call->tenant);
        ok = shard->key.ptr && shard->tenant.ptr;
    }
    if (!ok) {
        jaeger_arena_free(arena);
        return NULL;
    }
    return shard;
}

/* With state_mutex held. */
static jaeger_status find_shard(jg_batcher *b, jaeger_str key, jaeger_call *call, jg_batch_shard **ret)
{
    *ret = jg_map_get(&b->shards_by_key, key);
    if (*ret)
        return JAEGER_OK;
    if (b->config->metadata_cardinality_limit && b->shard_count >= b->config->metadata_cardinality_limit)
        return jg_fail(&call->error, JAEGER_RESOURCE_EXHAUSTED,
                       "too many batcher metadata-value combinations");
    bool is_new;
    jg_batch_shard *shard = shard_new(b, call, key);
    jg_map_entry *entry = shard ? jg_map_put(&b->shards_by_key, shard->key, &is_new) : NULL;
    if (!entry) {
        jaeger_arena_free(shard ? shard->arena : NULL);
        return jg_fail_oom(&call->error);
    }
    entry->value = shard;
    shard_init(b, shard);
    *ret = shard;
    return JAEGER_OK;
}

static jaeger_status shard_of(jg_batcher *b, jaeger_call *call, jg_batch_shard **ret)
{
    if (b->config->metadata_keys.count == 0 && call->tenant.len == 0) {
        *ret = &b->single;
        return JAEGER_OK;
    }
    JG_AUTO_BUF jg_buf key = JG_BUF_INIT(SHARD_KEY_BYTES_MAX);
    make_key(b, call, &key);
    if (!jg_buf_ok(&key))
        return jg_fail(&call->error, JAEGER_RESOURCE_EXHAUSTED, "batch: metadata values are too long");
    (void)pthread_mutex_lock(&b->state_mutex);
    jaeger_status status = find_shard(b, jg_buf_view(&key), call, ret);
    (void)pthread_mutex_unlock(&b->state_mutex);
    return status;
}

/* ---- component ---- */

static jaeger_status batch_validate(const void *config, const jaeger_config *node, jaeger_error *err)
{
    const jg_batch_config *c = config;
    const char *path = jaeger_config_path(node), *joint = path[0] ? ": " : "";
    if (c->send_batch_max_size && c->send_batch_max_size < c->send_batch_size)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "%s%ssend_batch_max_size must be greater or equal to send_batch_size", path, joint);
    for (size_t i = 0; i < c->metadata_keys.count; i++)
        for (size_t k = 0; k < i; k++)
            if (jg_str_eq_nocase(c->metadata_keys.items[i], c->metadata_keys.items[k]))
                return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                               "%s%sduplicate entry in metadata_keys: \"%.*s\" (case-insensitive)", path,
                               joint, JAEGER_STR_ARGS(c->metadata_keys.items[i]));
    return JAEGER_OK;
}

static void make_metrics(jg_batcher *b, jg_metrics *metrics, const char *id)
{
    static const double sizes[] = {10,   25,   50,   75,   100,  250,  500,   750,   1000,  2000,  3000,
                                   4000, 5000, 6000, 7000, 8000, 9000, 10000, 20000, 30000, 50000, 100000};
    static const double bytes[] = {10,     25,      50,      75,      100,     250,     500,    750,
                                   1000,   2000,    3000,    4000,    5000,    6000,    7000,   8000,
                                   9000,   10000,   20000,   30000,   50000,   100000,  200000, 300000,
                                   500000, 1000000, 2000000, 3000000, 5000000, 7000000, 9000000};
    const jaeger_pair label = {JAEGER_STR("processor"), jg_str(id)};
    b->has_metrics = metrics != NULL;
    b->send_size = jg_metrics_histogram(metrics, "otelcol_processor_batch_batch_send_size",
                                        "Number of units in the batch", &label, 1, sizes, JG_COUNT(sizes));
    b->send_bytes =
        jg_metrics_histogram(metrics, "otelcol_processor_batch_batch_send_size_bytes",
                             "Number of bytes in batch that was sent", &label, 1, bytes, JG_COUNT(bytes));
    b->timeout_sends =
        jg_metrics_counter(metrics, "otelcol_processor_batch_timeout_trigger_send",
                           "Number of times the batch was sent due to a timeout trigger", &label, 1);
    b->size_sends = jg_metrics_counter(metrics, "otelcol_processor_batch_batch_size_trigger_send",
                                       "Number of times the batch was sent due to a size trigger", &label, 1);
    b->cardinality =
        jg_metrics_gauge(metrics, "otelcol_processor_batch_metadata_cardinality",
                         "Number of distinct metadata value combinations being processed", &label, 1);
}

static jaeger_status batch_create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    jg_batcher *b = self;
    b->config = in->config;
    b->next = in->next;
    b->next_defers = in->next_defers;
    b->log = in->log;
    make_metrics(b, jaeger_host_metrics(in->host), in->id);
    if (pthread_mutex_init(&b->state_mutex, NULL))
        return jg_fail_oom(err);
    jg_cond_init(&b->work);
    b->ready = true;
    if (b->config->metadata_keys.count == 0)
        shard_init(b, &b->single);
    return JAEGER_OK;
}

static jaeger_status batch_start(void *self, jaeger_error *err)
{
    jg_batcher *b = self;
    b->next_is_prompt = jaeger_consumer_is_prompt(&b->next);
    return b->config->acknowledge == JG_BATCH_EARLY ? jg_batch_early_start(b, err) : JAEGER_OK;
}

static jaeger_status batch_consume(void *self, jaeger_batch *take, jaeger_call *call)
{
    jg_batcher *b = self;
    jg_batch_shard *shard;
    jaeger_status status = shard_of(b, call, &shard);
    if (status != JAEGER_OK || jg_batch_items(take) == 0) {
        jaeger_batch_unref(take);
        return status;
    }
    if (b->config->acknowledge == JG_BATCH_EARLY)
        return jg_batch_early(b, shard, take, call);
    if (b->next_is_prompt) /* nothing would gather while it works */
        return jg_batch_send(b, shard, take, call->deadline_ns, call->arena, &call->error);
    if (jaeger_call_later(call)) /* who defers gathers by itself */
        return jg_batch_pass(b, shard, take, call);
    return jg_batch_through(b, shard, take, call);
}

static bool batch_prompt(void *self)
{
    const jg_batcher *b = self;
    return b->config->acknowledge == JG_BATCH_THROUGH && b->next_is_prompt;
}

static bool batch_defers(void *self)
{
    const jg_batcher *b = self;
    return b->config->acknowledge == JG_BATCH_THROUGH && b->next_defers && b->next_defers(b->next.self);
}

static void batch_stop(void *self, uint64_t deadline_ns)
{
    jg_batcher *b = self;
    if (!b->ready)
        return;
    (void)pthread_mutex_lock(&b->state_mutex);
    b->stopping = true;
    if (b->has_sender)
        jg_batch_early_stop(b, deadline_ns);
    else
        jg_batch_through_stop(b, deadline_ns);
    (void)pthread_mutex_unlock(&b->state_mutex);
}

static void batch_destroy(void *self)
{
    jg_batcher *b = self;
    if (!b->ready)
        return;
    for (jg_batch_shard *shard = b->shards, *next; shard; shard = next) {
        next = shard->next;
        for (size_t i = 0; i < shard->pending_count; i++)
            jaeger_batch_unref(shard->pending[i]);
        jg_free(shard->pending);
        jaeger_arena_free(shard->arena); /* the shard lies in it */
    }
    jg_map_done(&b->shards_by_key);
    jaeger_arena_free(b->sender_arena);
    (void)pthread_cond_destroy(&b->work);
    (void)pthread_mutex_destroy(&b->state_mutex);
    b->ready = false;
}

#define AT(member) .offset = offsetof(jg_batch_config, member)
static const jaeger_field batch_fields[] = {
    {.name = "timeout",
     .kind = JAEGER_FIELD_DURATION,
     AT(timeout_ns),
     .fallback = "200ms",
     .doc = "early: send what is older; 0: at once"},
    {.name = "send_batch_size",
     .kind = JAEGER_FIELD_U32,
     AT(send_batch_size),
     .fallback = "8192",
     .doc = "early: send when so many spans wait; 0: at once"},
    {.name = "send_batch_max_size",
     .kind = JAEGER_FIELD_U32,
     AT(send_batch_max_size),
     .fallback = "0",
     .doc = "largest batch [spans]; 0: no limit"},
    {.name = "metadata_keys",
     .kind = JAEGER_FIELD_STRS,
     AT(metadata_keys),
     .doc = "requests with different values of these metadata keys are not mixed"},
    {.name = "metadata_cardinality_limit",
     .kind = JAEGER_FIELD_U32,
     AT(metadata_cardinality_limit),
     .fallback = "1000",
     .doc = "most combinations of metadata_keys values"},
    {.name = "acknowledge",
     .kind = JAEGER_FIELD_ENUM,
     AT(acknowledge),
     .fallback = "through",
     .choices = "through|early",
     .doc = "through: answer with the result of what follows; early: at once, as the Collector does"},
    {0}};

const jaeger_component_type jg_processor_batch = {
    .size = sizeof(jaeger_component_type),
    .name = "batch",
    .doc = "gathers spans into larger batches",
    .kind = JAEGER_PROCESSOR,
    .takes = JAEGER_TRACES | JAEGER_METRICS | JAEGER_LOGS,
    .gives = JAEGER_TRACES | JAEGER_METRICS | JAEGER_LOGS,
    .fields = batch_fields,
    .config_size = sizeof(jg_batch_config),
    .state_size = sizeof(jg_batcher),
    .validate = batch_validate,
    .create = batch_create,
    .start = batch_start,
    .consume = batch_consume,
    .prompt = batch_prompt,
    .defers = batch_defers,
    .stop = batch_stop,
    .destroy = batch_destroy,
};
