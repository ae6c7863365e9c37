/* SPDX-License-Identifier: Apache-2.0
 * The keys of sending_queue, and what cannot work among them.
 */
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "pipeline/queue.h"

#define AT(member)    .offset = offsetof(jg_queue_config, member)
#define DISK(member)  .offset = offsetof(jg_queue_persistent, member)
#define BATCH(member) .offset = offsetof(jg_queue_batch, member)

static const jaeger_field persistent_fields[] = {
    {.name = "directory", .kind = JAEGER_FIELD_STR, DISK(directory), .doc = "of this queue alone; required"},
    {.name = "max_bytes",
     .kind = JAEGER_FIELD_U64,
     DISK(bytes_max),
     .fallback = "1073741824",
     .doc = "ceiling of what may wait; instead of queue_size"},
    {0}};

static const jaeger_field partition_fields[] = {
    {.name = "metadata_keys",
     .kind = JAEGER_FIELD_STRS,
     .doc = "requests with different values of these metadata keys are not merged"},
    {0}};

static const jaeger_field batch_fields[] = {
    {.name = "flush_timeout",
     .kind = JAEGER_FIELD_DURATION,
     BATCH(flush_timeout_ns),
     .fallback = "200ms",
     .doc = "a request waits so long for others"},
    {.name = "min_size",
     .kind = JAEGER_FIELD_I64,
     BATCH(size_min),
     .fallback = "8192",
     .doc = "send once so much waits; 0: each request by itself"},
    {.name = "max_size",
     .kind = JAEGER_FIELD_I64,
     BATCH(size_max),
     .fallback = "0",
     .doc = "merge up to this, split what is larger; 0: no limit"},
    {.name = "sizer",
     .kind = JAEGER_FIELD_ENUM,
     BATCH(sizer),
     .choices = "|items|bytes",
     .doc = "what the sizes count; unset: as the queue, or items if that counts requests"},
    {.name = "partition",
     .kind = JAEGER_FIELD_BLOCK,
     BATCH(metadata_keys),
     .sub = partition_fields,
     .sub_size = sizeof(jaeger_str_list),
     .doc = "what is not merged; tenants and tokens never are"},
    {0}};

const jaeger_field jg_queue_fields[] = {
    {.name = "num_consumers",
     .kind = JAEGER_FIELD_I64,
     AT(num_consumers),
     .fallback = "10",
     .doc = "threads that send"},
    {.name = "queue_size",
     .kind = JAEGER_FIELD_I64,
     AT(queue_size),
     .fallback = "1000",
     .doc = "what may wait, counted by `sizer`"},
    {.name = "sizer",
     .kind = JAEGER_FIELD_ENUM,
     AT(sizer),
     .fallback = "requests",
     .choices = "requests|items|bytes",
     .doc = "what queue_size counts"},
    {.name = "block_on_overflow",
     .kind = JAEGER_FIELD_BOOL,
     AT(block_on_overflow),
     .fallback = "false",
     .doc = "wait for room instead of refusing"},
    {.name = "wait_for_result",
     .kind = JAEGER_FIELD_BOOL,
     AT(wait_for_result),
     .fallback = "false",
     .doc = "answer when the request was sent, not when it waits"},
    {.name = "storage",
     .kind = JAEGER_FIELD_STR,
     AT(storage),
     .doc = "not supported: there is no storage extension; use persistent"},
    {.name = "batch",
     .kind = JAEGER_FIELD_OPTIONAL_D,
     AT(batch),
     .sub = batch_fields,
     .sub_size = sizeof(jg_queue_batch),
     .doc = "merge requests that wait. Without it otlp_grpc, otlp_http and kafka merge what waits while they "
            "send, up to 2 MiB"},
    {.name = "persistent",
     .kind = JAEGER_FIELD_OPTIONAL_D,
     AT(persistent),
     .sub = persistent_fields,
     .sub_size = sizeof(jg_queue_persistent),
     .doc = "ours: keep requests on disk; they are acknowledged once they are there, and survive restarts"},
    {0}};

static bool counts_bytes(const jg_queue_config *c)
{
    return c->batch.sizer == JG_BATCH_SIZER_BYTES ||
           (c->batch.sizer == JG_BATCH_SIZER_UNSET && c->sizer == JG_SIZER_BYTES);
}

static jaeger_status check_batch(const jg_queue_config *c, jaeger_error *err)
{
    const jg_queue_batch *b = &c->batch;
    bool same_sizer = c->sizer == (counts_bytes(c) ? JG_SIZER_BYTES : JG_SIZER_ITEMS);
    const char *why = NULL;
    if (!b->flush_timeout_ns)
        why = "`flush_timeout` must be positive";
    else if (b->size_min < 0)
        why = "`min_size` must be non-negative";
    else if (b->size_max < 0)
        why = "`max_size` must be non-negative";
    else if (b->size_max && b->size_max < b->size_min)
        why = "`max_size` must be greater or equal to `min_size`";
    if (why)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "batch: %s", why);
    if (same_sizer && b->size_min > c->queue_size)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "`min_size` must be less than or equal to `queue_size`");
    for (size_t i = 0; i < b->metadata_keys.count; i++)
        for (size_t k = 0; k < i; k++)
            if (jg_str_eq_nocase(b->metadata_keys.items[i], b->metadata_keys.items[k]))
                return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                               "batch: duplicate entry in metadata_keys: \"%.*s\" (case-insensitive)",
                               JAEGER_STR_ARGS(b->metadata_keys.items[i]));
    return JAEGER_OK;
}

jaeger_status jg_queue_check(const jg_queue_config *c, jaeger_error *err)
{
    if (!c->enabled)
        return JAEGER_OK;
    if (c->num_consumers <= 0)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "`num_consumers` must be positive");
    if (c->queue_size <= 0)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "`queue_size` must be positive");
    if (c->persistent.enabled && !c->persistent.directory.len)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "`persistent` requires a `directory`");
    if (c->persistent.enabled && c->wait_for_result)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "`wait_for_result` is not supported with a persistent queue");
    if (c->storage.len)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "no storage client extension found");
    return c->batch.enabled ? check_batch(c, err) : JAEGER_OK;
}

jg_lane_rules jg_queue_rules(const jg_queue_config *c, bool merges)
{
    if (c && c->batch.enabled)
        return (jg_lane_rules){.by_bytes = counts_bytes(c),
                               .min = (uint64_t)c->batch.size_min,
                               .max = (uint64_t)c->batch.size_max,
                               .wait_ns = c->batch.flush_timeout_ns};
    if (merges)
        return (jg_lane_rules){.by_bytes = true,
                               .min = JG_MERGE_BYTES_MIN,
                               .max = JG_MERGE_BYTES_MAX,
                               .wait_ns = JG_MERGE_WAIT_NS,
                               .when_idle = true};
    return (jg_lane_rules){0};
}
