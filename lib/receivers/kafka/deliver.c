/* SPDX-License-Identifier: Apache-2.0
 * See deliver.h. Messages without headers go down the pipeline joined, so that a store syncs once for many.
 * If such a batch is refused for good, its messages go one by one, to find the one that is at fault.
 */
#include "receivers/kafka/deliver.h"

#include "core/alloc.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "model/batch.h"
#include "wire/otlp_out.h"
#include <jaeger/ingest.h>
#include <poll.h>
#include <stdio.h>

#define HEADERS_MAX       64 /* of a message, that become metadata */
#define WAIT_SLICE_MS     20 /* while waiting to try again: how soon a revoked partition is noticed */
#define POISON_LOGGED_MAX 10 /* a second; all are counted */

static bool is_given_up(const int *given_up)
{
    return __atomic_load_n(given_up, __ATOMIC_ACQUIRE);
}

/** @return false: given up meanwhile */
static bool wait_ns(uint64_t ns, const int *given_up)
{
    for (uint64_t end = jg_clock_mono_ns() + ns; jg_clock_mono_ns() < end;) {
        if (is_given_up(given_up))
            return false;
        (void)poll(NULL, 0, WAIT_SLICE_MS);
    }
    return !is_given_up(given_up);
}

static uint64_t next_wait(const jg_kafka_deliver *d, uint64_t ns)
{
    double next = (double)ns * d->multiplier;
    return next < (double)d->max_wait_ns ? (uint64_t)next : d->max_wait_ns;
}

/** Trying again helps, unless the spans themselves are refused. */
static bool is_permanent(jaeger_status status)
{
    return status == JAEGER_INVALID_ARGUMENT;
}

/* ---- decoding ---- */

static jaeger_status decode(const jg_kafka_deliver *d, const jg_kafka_message *m, jaeger_batch **ret,
                            jaeger_error *err)
{
    static const jaeger_encoding encodings[] = {
        [JG_KAFKA_READ_OTLP_JSON] = JAEGER_ENCODING_OTLP_JSON,
        [JG_KAFKA_READ_JAEGER_PROTO] = JAEGER_ENCODING_JAEGER_PROTO,
        [JG_KAFKA_READ_JAEGER_JSON] = JAEGER_ENCODING_JAEGER_JSON,
        [JG_KAFKA_READ_ZIPKIN_PROTO] = JAEGER_ENCODING_ZIPKIN_V2_PROTO,
        [JG_KAFKA_READ_ZIPKIN_JSON] = JAEGER_ENCODING_ZIPKIN_V2_JSON,
        [JG_KAFKA_READ_ZIPKIN_THRIFT] = JAEGER_ENCODING_ZIPKIN_V1_THRIFT};
    const char *bytes = m->value.len ? m->value.ptr : "";
    if (d->decoding == JG_KAFKA_READ_OTLP_PROTO)
        return jaeger_batch_from_otlp((void *)(uintptr_t)bytes, m->value.len, NULL, NULL, ret, err);
    return jaeger_ingest(encodings[d->decoding], bytes, m->value.len, NULL, ret, err);
}

/** The value of header `name` of a message. @return false: it has none */
static bool find_header(const jg_kafka_message *m, jaeger_str name, jaeger_str *ret)
{
    jaeger_pair header;
    for (size_t i = 0; jg_kafka_message_header(m, i, &header); i++) {
        if (jg_str_eq(header.key, name)) {
            *ret = header.value;
            return true;
        }
    }
    return false;
}

/** The attributes that a message's headers give to each of its resources. */
static void write_header_attrs(const jg_kafka_deliver *d, const jg_kafka_message *m, jg_buf *out)
{
    char key[256];
    jaeger_str value;
    for (size_t i = 0; i < d->extract_headers->count; i++) {
        if (!find_header(m, d->extract_headers->items[i], &value))
            continue;
        (void)snprintf(key, sizeof key, "kafka.header.%.*s", JAEGER_STR_ARGS(d->extract_headers->items[i]));
        jg_otlp_attr_str(out, 1, jg_str(key), value);
    }
}

static jaeger_status extract_headers(const jg_kafka_deliver *d, const jg_kafka_message *m,
                                     jaeger_batch **batch, jaeger_error *err)
{
    JG_AUTO_BUF jg_buf attrs = JG_BUF_INIT(JG_KAFKA_RUN_BYTES_MAX);
    JG_AUTO_BUF jg_buf resource = JG_BUF_INIT(JG_KAFKA_RUN_BYTES_MAX);
    write_header_attrs(d, m, &attrs);
    if (!attrs.len)
        return jg_buf_ok(&attrs) ? JAEGER_OK : jg_fail_oom(err);
    JG_TRY(jaeger_batch_own(batch, err));
    size_t count = jg_batch_group_count(*batch);
    for (size_t i = 0; i < count; i++) {
        const jaeger_span_group *group = &jg_batch_groups(*batch)[i];
        if (i && group->resource_index == group[-1].resource_index)
            continue;
        jg_buf_clear(&resource);
        jg_buf_str(&resource, group->resource);
        jg_buf_str(&resource, jg_buf_view(&attrs));
        if (!jg_buf_ok(&resource))
            return jg_fail_oom(err);
        JG_TRY(jg_batch_replace_resource(*batch, group->resource_index, resource.data, resource.len, err));
    }
    return JAEGER_OK;
}

/** @param ret set on success only */
static jaeger_status read_message(const jg_kafka_deliver *d, const jg_kafka_message *m, jaeger_batch **ret,
                                  jaeger_error *err)
{
    JG_AUTO_BATCH jaeger_batch *batch = NULL;
    JG_TRY(decode(d, m, &batch, err));
    if (d->extract_headers)
        JG_TRY(extract_headers(d, m, &batch, err));
    *ret = batch;
    batch = NULL;
    return JAEGER_OK;
}

/* ---- poison ---- */

static bool may_log(jg_kafka_deliver *d)
{
    uint64_t second = jg_clock_mono_ns() / JG_NS_PER_S;
    if (__atomic_exchange_n(&d->logged_second, second, __ATOMIC_RELAXED) != second)
        __atomic_store_n(&d->logged, 0, __ATOMIC_RELAXED);
    return __atomic_fetch_add(&d->logged, 1, __ATOMIC_RELAXED) < POISON_LOGGED_MAX;
}

static jaeger_status send_dead_letter(jg_kafka_deliver *d, const jg_kafka_message *m,
                                      const jaeger_pair *headers, size_t count, jaeger_error *err)
{
    jaeger_call call = JAEGER_CALL_INIT;
    call.deadline_ns = jg_clock_mono_ns() + JG_TIMEOUT_DEFAULT_NS;
    jg_kafka_flight *flight = jg_kafka_flight_new(d->dead_letters);
    if (!flight)
        return jg_fail_oom(err);
    jg_buf *out = jg_kafka_flight_buf(flight);
    jg_buf_str(out, m->key);
    size_t value_at = out->len;
    jg_buf_str(out, m->value);
    jg_kafka_flight_add(flight, d->dead_letter_topic, 0, value_at);
    jg_kafka_flight_headers(flight, headers, count);
    jaeger_status status = jg_kafka_flight_send(flight, &call);
    *err = call.error;
    jg_kafka_flight_free(flight);
    return status;
}

/** The message as it is, with its headers and where it came from. @return false: given up */
static bool bury(jg_kafka_deliver *d, const jg_kafka_message *m, const jaeger_error *why, const int *given_up)
{
    char partition[16], offset[24];
    jaeger_pair headers[HEADERS_MAX + 4];
    jaeger_error err = {0};
    size_t n = 0;
    (void)snprintf(partition, sizeof partition, "%d", (int)m->partition);
    (void)snprintf(offset, sizeof offset, "%lld", (long long)m->offset);
    headers[n++] = (jaeger_pair){JAEGER_STR("jaeger.error"), jg_str(why->message)};
    headers[n++] = (jaeger_pair){JAEGER_STR("jaeger.topic"), jg_str(m->topic)};
    headers[n++] = (jaeger_pair){JAEGER_STR("jaeger.partition"), jg_str(partition)};
    headers[n++] = (jaeger_pair){JAEGER_STR("jaeger.offset"), jg_str(offset)};
    for (size_t i = 0; i < HEADERS_MAX && jg_kafka_message_header(m, i, &headers[n]); i++)
        n++;
    for (uint64_t ns = d->initial_wait_ns;; ns = next_wait(d, ns)) {
        jaeger_status status = send_dead_letter(d, m, headers, n, &err);
        if (status == JAEGER_OK)
            return true;
        jaeger_log(d->log, JAEGER_ERROR, "cannot write to the dead-letter topic error=\"%s\"", err.message);
        if (is_permanent(status))
            return true;
        if (!wait_ns(ns, given_up))
            return false;
    }
}

/** A message that nobody can take. @return true: it is dealt with */
static bool set_aside(jg_kafka_deliver *d, const jg_kafka_message *m, const jaeger_error *why,
                      const int *given_up)
{
    jg_metric_add(d->poison, 1);
    if (may_log(d))
        jaeger_log(d->log, JAEGER_ERROR, "%s a Kafka message topic=%s partition=%d offset=%lld error=\"%s\"",
                   d->rest_on_poison ? "stopping at"
                   : d->dead_letters ? "moving to the dead-letter topic"
                                     : "skipping",
                   m->topic, (int)m->partition, (long long)m->offset, why->message);
    if (d->rest_on_poison)
        return false;
    return !d->dead_letters || bury(d, m, why, given_up);
}

/* ---- the pipeline ---- */

static size_t gather_metadata(const jg_kafka_message *m, jaeger_arena *arena,
                              jaeger_pair out[HEADERS_MAX + 3])
{
    char text[32];
    size_t n = 0;
    out[n++] = (jaeger_pair){JAEGER_STR("kafka.topic"), jg_str(m->topic)};
    (void)snprintf(text, sizeof text, "%d", (int)m->partition);
    out[n++] = (jaeger_pair){JAEGER_STR("kafka.partition"), jaeger_arena_str(arena, jg_str(text))};
    (void)snprintf(text, sizeof text, "%lld", (long long)m->offset);
    out[n++] = (jaeger_pair){JAEGER_STR("kafka.offset"), jaeger_arena_str(arena, jg_str(text))};
    for (size_t i = 0; i < HEADERS_MAX && jg_kafka_message_header(m, i, &out[n]); i++) {
        jaeger_str name = jaeger_arena_str(arena, out[n].key); /* metadata has lower-case names */
        for (size_t c = 0; name.ptr && c < name.len; c++)
            if (name.ptr[c] >= 'A' && name.ptr[c] <= 'Z')
                ((char *)(uintptr_t)name.ptr)[c] += 'a' - 'A';
        out[n].key = name;
        n += name.ptr != NULL;
    }
    return n;
}

static jaeger_status attempt(jg_kafka_deliver *d, const jg_kafka_message *m, jaeger_batch *batch,
                             jaeger_error *err)
{
    jaeger_pair metadata[HEADERS_MAX + 3];
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX);
    if (!arena)
        return jg_fail_oom(err);
    jaeger_call call = JAEGER_CALL_INIT;
    call.deadline_ns = jg_clock_mono_ns() + JG_TIMEOUT_DEFAULT_NS;
    call.arena = arena;
    call.metadata_count = gather_metadata(m, arena, metadata);
    call.metadata = metadata;
    jaeger_status status = d->next.consume(d->next.self, jaeger_batch_ref(batch), &call);
    *err = call.error;
    err->status = status;
    return status;
}

/** Until the pipeline took the batch, refuses it for good, or the partition is given up (CANCELLED). */
static jaeger_status push(jg_kafka_deliver *d, const jg_kafka_message *m, jaeger_batch *batch,
                          const int *given_up, jaeger_error *err)
{
    double spans = (double)jaeger_batch_span_count(batch);
    if (spans == 0)
        return JAEGER_OK;
    for (uint64_t ns = d->initial_wait_ns;; ns = next_wait(d, ns)) {
        jaeger_status status = attempt(d, m, batch, err);
        jg_metric_add(status == JAEGER_OK ? d->accepted : d->refused, spans);
        if (status == JAEGER_OK || is_permanent(status))
            return status;
        if (d->skip_failed || may_log(d))
            jaeger_log(d->log, JAEGER_WARN, "%s topic=%s partition=%d offset=%lld error=\"%s\"",
                       d->skip_failed ? "dropping a Kafka message that the pipeline refused"
                                      : "the pipeline refused a Kafka message, trying again",
                       m->topic, (int)m->partition, (long long)m->offset, err->message);
        if (d->skip_failed)
            return JAEGER_OK;
        if (!wait_ns(JG_MAX(ns, err->retry_after_ms * JG_NS_PER_MS), given_up))
            return JAEGER_CANCELLED;
    }
}

/** One message. @return true: it is dealt with */
static bool deliver_one(jg_kafka_deliver *d, const jg_kafka_message *m, const int *given_up)
{
    jaeger_error err = {0};
    JG_AUTO_BATCH jaeger_batch *batch = NULL;
    uint64_t ns = d->initial_wait_ns;
    jaeger_status status;
    while ((status = read_message(d, m, &batch, &err)) == JAEGER_RESOURCE_EXHAUSTED) {
        if (m->value.len > JG_KAFKA_RUN_BYTES_MAX) /* it may never fit */
            return set_aside(d, m, &err, given_up);
        if (!wait_ns(ns, given_up))
            return false;
        ns = next_wait(d, ns);
    }
    if (status == JAEGER_OK)
        status = push(d, m, batch, given_up, &err);
    if (status == JAEGER_OK)
        return true;
    return status != JAEGER_CANCELLED && set_aside(d, m, &err, given_up);
}

static bool has_headers(const jg_kafka_message *m)
{
    jaeger_pair header;
    return jg_kafka_message_header(m, 0, &header);
}

/** Decode all as one batch. @return NULL: one of them cannot be decoded, or memory is short */
static jaeger_batch *join(const jg_kafka_deliver *d, const jg_kafka_message *messages, size_t n)
{
    JG_AUTO_FREE jaeger_batch **parts = jg_calloc(n, sizeof *parts);
    jaeger_batch *joined = NULL;
    size_t count = 0;
    if (!parts)
        return NULL;
    while (count < n && decode(d, &messages[count], &parts[count], NULL) == JAEGER_OK)
        count++;
    if (count < n || jg_batch_merge(parts, n, &joined, NULL) != JAEGER_OK)
        joined = NULL;
    for (size_t i = 0; i < count; i++)
        jaeger_batch_unref(parts[i]);
    return joined;
}

/** @return how many are dealt with */
static size_t deliver_joined(jg_kafka_deliver *d, const jg_kafka_message *messages, size_t n,
                             const int *given_up)
{
    jaeger_error err = {0};
    JG_AUTO_BATCH jaeger_batch *batch = n > 1 ? join(d, messages, n) : NULL;
    if (batch) {
        jaeger_status status = push(d, messages, batch, given_up, &err);
        if (status == JAEGER_OK || status == JAEGER_CANCELLED)
            return status == JAEGER_OK ? n : 0;
    }
    size_t done = 0;
    while (done < n && deliver_one(d, &messages[done], given_up))
        done++;
    return done;
}

size_t jg_kafka_deliver_run(void *deliver, const jg_kafka_message *messages, size_t n, const int *given_up)
{
    jg_kafka_deliver *d = deliver;
    size_t done = 0;
    while (done < n && !is_given_up(given_up)) {
        size_t count = 1;
        if (!has_headers(&messages[done]))
            while (done + count < n && !has_headers(&messages[done + count]))
                count++;
        size_t good = deliver_joined(d, messages + done, count, given_up);
        jg_metric_add(d->messages, (double)good);
        done += good;
        if (good < count)
            break;
    }
    return done;
}
