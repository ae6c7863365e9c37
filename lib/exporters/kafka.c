/* SPDX-License-Identifier: Apache-2.0
 * The kafka exporter. A request is answered after the brokers acknowledged all its records; with a
 * sending_queue (the default, as in Jaeger) once it waits there. Deviations from contrib's: acks=all and
 * idempotent unless required_acks says otherwise, and batches are split instead of dropped.
 * Keys and defaults: opentelemetry-collector-contrib exporter/kafkaexporter.
 */
#include "core/alloc.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "exporters/kafka/records.h"
#include "model/batch.h"
#include "pipeline/queue.h"
#include <jaeger/component.h>

#define HEADERS_MAX       64 /* of a record: the configured ones, and those from metadata */
#define ATTEMPT_NS_MAX    (24 * 3600 * JG_NS_PER_S) /* of an attempt without a timeout */
#define TIMEOUT_MARGIN_NS (2 * JG_NS_PER_S) /* librdkafka looks for records that are late once a second */

typedef struct signal_config {
    jaeger_str topic, topic_from_metadata_key, message_key_from_metadata_key;
    int encoding;
} signal_config;

typedef struct ignored_signal_config {
    jaeger_str topic, topic_from_metadata_key, message_key_from_metadata_key, encoding;
} ignored_signal_config;

typedef struct empty_block {
    bool enabled;
} empty_block;

typedef struct exporter_config {
    jg_kafka_client_settings client;
    jg_kafka_producer_settings producer;
    uint64_t timeout_ns;
    jg_queue_config queue;
    jg_retry_config retry;
    signal_config traces;
    ignored_signal_config metrics, logs, profiles;
    jaeger_str topic_from_attribute;
    jaeger_str_list include_metadata_keys;
    jaeger_pair_list record_headers;
    bool partition_traces_by_id, partition_metrics_by_resource_attributes,
        partition_logs_by_resource_attributes, partition_logs_by_trace_id;
    struct {
        struct {
            int hasher;
        } sticky_key;
        empty_block round_robin, least_backup;
        jaeger_str extension;
    } partitioner;
} exporter_config;

typedef struct kafka_exporter {
    const char *id;
    const exporter_config *config;
    jaeger_host *host;
    const jaeger_logger *log;
    jg_queue *queue;
    jg_kafka_producer *producer;
    jg_metric *too_large;
} kafka_exporter;

/* ---- checks ---- */

static jaeger_status check_partitions(const exporter_config *c, jaeger_error *err)
{
    if (c->partition_traces_by_id && c->traces.message_key_from_metadata_key.len)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "traces: message_key_from_metadata_key and partition_traces_by_id exclude each other");
    if (c->partitioner.extension.len)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "record_partitioner: there are no partitioner extensions");
    if (c->partitioner.round_robin.enabled && c->partitioner.least_backup.enabled)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "record_partitioner: only one can be used");
    return JAEGER_OK;
}

/** What is read from a request's metadata must tell requests apart that a queue merges. */
static jaeger_status check_kept(const exporter_config *c, const char *name, jaeger_str key, jaeger_error *err)
{
    const jaeger_str_list *kept = &c->queue.batch.metadata_keys;
    for (size_t i = 0; i < kept->count; i++)
        if (jg_str_eq_nocase(kept->items[i], key))
            return JAEGER_OK;
    if (!key.len)
        return JAEGER_OK;
    return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                   "%s: add \"%.*s\" to sending_queue::batch::partition::metadata_keys", name,
                   JAEGER_STR_ARGS(key));
}

static jaeger_status check_metadata(const exporter_config *c, jaeger_error *err)
{
    if (!c->queue.enabled || !c->queue.batch.enabled)
        return JAEGER_OK;
    JG_TRY(check_kept(c, "topic_from_metadata_key", c->traces.topic_from_metadata_key, err));
    JG_TRY(check_kept(c, "message_key_from_metadata_key", c->traces.message_key_from_metadata_key, err));
    for (size_t i = 0; i < c->include_metadata_keys.count; i++)
        JG_TRY(check_kept(c, "include_metadata_keys", c->include_metadata_keys.items[i], err));
    return JAEGER_OK;
}

static jaeger_status check(const exporter_config *c, jaeger_error *err)
{
    JG_TRY(jg_kafka_client_check(&c->client, err));
    if (jg_kafka_producer_check(&c->producer, c->timeout_ns, err) != JAEGER_OK)
        return jg_fail_prefix(err, "producer");
    JG_TRY(check_partitions(c, err));
    if (c->include_metadata_keys.count + c->record_headers.count > HEADERS_MAX)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "more than %u headers", HEADERS_MAX);
    if (jg_queue_check(&c->queue, err) != JAEGER_OK)
        return jg_fail_prefix(err, "sending_queue");
    if (jg_retry_check(&c->retry, err) != JAEGER_OK)
        return jg_fail_prefix(err, "retry_on_failure");
    return check_metadata(c, err);
}

static jaeger_status exporter_validate(const void *config, const jaeger_config *node, jaeger_error *err)
{
    if (check(config, err) != JAEGER_OK)
        return jg_fail_prefix(err, "%s", node ? jaeger_config_path(node) : "exporters::kafka");
    return JAEGER_OK;
}

/* ---- sending ---- */

static jaeger_str metadata(const jaeger_call *call, jaeger_str key)
{
    for (size_t i = 0; i < call->metadata_count; i++)
        if (key.len && jg_str_eq_nocase(call->metadata[i].key, key))
            return call->metadata[i].value;
    return (jaeger_str){0};
}

/** The configured headers and those that the request brought. @return how many */
static size_t gather_headers(const exporter_config *c, const jaeger_call *call, jaeger_pair out[HEADERS_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < c->record_headers.count; i++)
        out[n++] = c->record_headers.items[i];
    for (size_t i = 0; i < c->include_metadata_keys.count; i++) {
        jaeger_str value = metadata(call, c->include_metadata_keys.items[i]);
        if (value.ptr)
            out[n++] = (jaeger_pair){c->include_metadata_keys.items[i], value};
    }
    return n;
}

static jg_kafka_plan make_plan(const kafka_exporter *e, const jaeger_call *call, const jaeger_pair *headers,
                               size_t header_count)
{
    const exporter_config *c = e->config;
    size_t overhead = JG_KAFKA_RECORD_OVERHEAD, max = c->producer.max_message_bytes;
    for (size_t i = 0; i < header_count; i++)
        overhead += headers[i].key.len + headers[i].value.len + 10;
    jg_kafka_plan plan = {.encoding = (jg_kafka_encoding)c->traces.encoding,
                          .topic = metadata(call, c->traces.topic_from_metadata_key),
                          .by_trace = c->partition_traces_by_id,
                          .key = metadata(call, c->traces.message_key_from_metadata_key),
                          .bytes_max = max > overhead ? max - overhead : 0};
    if (!plan.topic.len) {
        plan.topic = c->traces.topic;
        plan.topic_attribute = c->topic_from_attribute;
    }
    return plan;
}

static uint64_t attempt_deadline(const kafka_exporter *e, const jaeger_call *call)
{
    uint64_t timeout = e->config->timeout_ns;
    uint64_t latest = jg_clock_mono_ns() + (timeout ? timeout + TIMEOUT_MARGIN_NS : ATTEMPT_NS_MAX);
    return call->deadline_ns && call->deadline_ns < latest ? call->deadline_ns : latest;
}

/** Gather the records and hand them to `flight`. */
static jaeger_status load_flight(kafka_exporter *e, jg_kafka_flight *flight, jaeger_batch *batch,
                                 jaeger_call *call, jaeger_pair headers[HEADERS_MAX], size_t *ret_too_large)
{
    size_t header_count = gather_headers(e->config, call, headers);
    jg_kafka_plan plan = make_plan(e, call, headers, header_count);
    JG_TRY(jg_kafka_records_add(&plan, batch, flight, ret_too_large, &call->error));
    jg_kafka_flight_headers(flight, headers, header_count);
    return JAEGER_OK;
}

/** The end of an attempt whose records ended with `status`. */
static jaeger_status result_of(kafka_exporter *e, size_t too_large, jaeger_status status, jaeger_error *err)
{
    if (status != JAEGER_OK || !too_large)
        return status;
    jg_metric_add(e->too_large, (double)too_large);
    return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                   "%zu spans are larger than producer::max_message_bytes; the others were sent", too_large);
}

static jaeger_status send_flight(kafka_exporter *e, jg_kafka_flight *flight, jaeger_batch *batch,
                                 jaeger_call *call)
{
    jaeger_pair headers[HEADERS_MAX];
    size_t too_large;
    JG_TRY(load_flight(e, flight, batch, call, headers, &too_large));
    jaeger_call attempt = *call;
    attempt.deadline_ns = attempt_deadline(e, call);
    jaeger_status status = jg_kafka_flight_send(flight, &attempt);
    call->error = attempt.error;
    return result_of(e, too_large, status, &call->error);
}

/** An attempt that nobody waits for. */
typedef struct departure {
    kafka_exporter *exporter;
    jg_kafka_flight *flight;
    jaeger_call *call;
    size_t too_large;
} departure;

static void landed(void *user, jaeger_status status)
{
    departure d = *(departure *)user;
    jg_free(user);
    jg_kafka_flight_free(d.flight);
    status = result_of(d.exporter, d.too_large, status, &d.call->error);
    d.call->later->done(d.call->later->user, status);
}

/** Takes the flight. */
static jaeger_status start_flight(kafka_exporter *e, jg_kafka_flight *flight, jaeger_batch *batch,
                                  jaeger_call *call)
{
    jaeger_pair headers[HEADERS_MAX];
    departure *d = jg_alloc(sizeof *d);
    if (!d) {
        jg_kafka_flight_free(flight);
        return jg_fail_oom(&call->error);
    }
    *d = (departure){e, flight, call, 0};
    jaeger_status status = load_flight(e, flight, batch, call, headers, &d->too_large);
    if (status == JAEGER_OK)
        status = jg_kafka_flight_start(flight, call, landed, d);
    if (status == JAEGER_PENDING)
        return status;
    status = result_of(e, d->too_large, status, &call->error);
    jg_free(d);
    jg_kafka_flight_free(flight);
    return status;
}

/** One attempt. */
static jaeger_status send_batch(void *user, jaeger_batch *take, jaeger_call *call)
{
    kafka_exporter *e = user;
    JG_AUTO_BATCH jaeger_batch *batch = take;
    jg_kafka_flight *flight = jg_kafka_flight_new(e->producer);
    if (!flight)
        return jg_fail_oom(&call->error);
    if (jaeger_call_later(call))
        return start_flight(e, flight, batch, call);
    jaeger_status status = send_flight(e, flight, batch, call);
    jg_kafka_flight_free(flight);
    return status;
}

static void abandon(void *user)
{
    jg_kafka_producer_abandon(((kafka_exporter *)user)->producer);
}

/* ---- life ---- */

static jaeger_status exporter_create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    kafka_exporter *e = self;
    jg_metrics *metrics = jaeger_host_metrics(in->host);
    const jaeger_pair label = {JAEGER_STR("exporter"), jg_str(in->id)};
    *e = (kafka_exporter){.id = in->id, .config = in->config, .host = in->host, .log = in->log};
    e->too_large =
        jg_metrics_counter(metrics, "jaeger_kafka_exporter_too_large_spans",
                           "Spans that are larger than max_message_bytes and were not sent.", &label, 1);
    e->queue = jg_queue_new(&(jg_queue_options){.id = in->id,
                                                .host = in->host,
                                                .config = &e->config->queue,
                                                .retry = &e->config->retry,
                                                .send = send_batch,
                                                .user = e,
                                                .defers = e->config->traces.encoding == JG_KAFKA_OTLP_PROTO,
                                                .abandon = abandon,
                                                .merges = true,
                                                .metrics = metrics,
                                                .log = in->log});
    return e->queue ? JAEGER_OK : jg_fail_oom(err);
}

static void on_fatal(void *user, const jaeger_error *err)
{
    kafka_exporter *e = user;
    jaeger_log(e->log, JAEGER_ERROR, "%s", err->message);
    jaeger_host_fail(e->host, e->id, err);
}

static jg_kafka_partitioner partitioner_of(const exporter_config *c)
{
    return c->partitioner.round_robin.enabled || c->partitioner.least_backup.enabled
               ? JG_KAFKA_ROUND_ROBIN
               : (jg_kafka_partitioner)c->partitioner.sticky_key.hasher;
}

static jaeger_status exporter_start(void *self, jaeger_error *err)
{
    kafka_exporter *e = self;
    const exporter_config *c = e->config;
    JG_TRY(jg_kafka_producer_new(&(jg_kafka_producer_options){.client = &c->client,
                                                              .settings = &c->producer,
                                                              .partitioner = partitioner_of(c),
                                                              .timeout_ns = c->timeout_ns,
                                                              .log = e->log,
                                                              .fatal = on_fatal,
                                                              .user = e},
                                 &e->producer, err));
    return jg_queue_start(e->queue, err);
}

static jaeger_status exporter_consume(void *self, jaeger_batch *take, jaeger_call *call)
{
    return jg_queue_send(((kafka_exporter *)self)->queue, take, call);
}

static bool exporter_prompt(void *self)
{
    return jg_queue_is_prompt(((const kafka_exporter *)self)->queue);
}

static bool exporter_defers(void *self)
{
    return jg_queue_defers(((const kafka_exporter *)self)->queue);
}

static void exporter_stop(void *self, uint64_t deadline_ns)
{
    kafka_exporter *e = self;
    jg_queue_stop(e->queue, deadline_ns);
    jg_kafka_producer_free(e->producer, deadline_ns);
    e->producer = NULL;
}

static void exporter_destroy(void *self)
{
    kafka_exporter *e = self;
    exporter_stop(e, 0);
    jg_queue_free(e->queue);
    e->queue = NULL;
}

/* ---- keys ---- */

#define KEY(type, member, key, field_kind, ...)                                                              \
    {                                                                                                        \
        .name = (key), .kind = (field_kind), .offset = offsetof(type, member), __VA_ARGS__                   \
    }
#define FROM_METADATA(type)                                                                                  \
    KEY(type, topic_from_metadata_key, "topic_from_metadata_key", JAEGER_FIELD_STR,                          \
        .doc = "request header whose value is the topic"),                                                   \
        KEY(type, message_key_from_metadata_key, "message_key_from_metadata_key", JAEGER_FIELD_STR,          \
            .doc = "request header whose value is the records' key")

static const jaeger_field traces_fields[] = {
    KEY(signal_config, topic, "topic", JAEGER_FIELD_STR, .fallback = "otlp_spans", .doc = "where spans go"),
    KEY(signal_config, encoding, "encoding", JAEGER_FIELD_ENUM, .fallback = "otlp_proto",
        .choices = JG_KAFKA_ENCODINGS, .doc = "of the records"),
    FROM_METADATA(signal_config),
    {0}};
static const jaeger_field ignored_fields[] = {
    KEY(ignored_signal_config, topic, "topic", JAEGER_FIELD_STR, .doc = "accepted: only traces are sent"),
    KEY(ignored_signal_config, encoding, "encoding", JAEGER_FIELD_STR,
        .doc = "accepted: only traces are sent"),
    FROM_METADATA(ignored_signal_config),
    {0}};

typedef __typeof__(((exporter_config *)0)->partitioner) partitioner_config;
typedef __typeof__(((partitioner_config *)0)->sticky_key) sticky_key_config;
static const jaeger_field sticky_fields[] = {
    KEY(sticky_key_config, hasher, "hasher", JAEGER_FIELD_ENUM, .fallback = "sarama_compat",
        .choices = "sarama_compat|murmur2", .doc = "how a key finds its partition"),
    {0}};
static const jaeger_field no_fields[] = {{0}};
static const jaeger_field partitioner_fields[] = {
    KEY(partitioner_config, sticky_key, "sticky_key", JAEGER_FIELD_BLOCK, .sub = sticky_fields,
        .sub_size = sizeof(sticky_key_config), .doc = "by the key's hash; without a key: any"),
    KEY(partitioner_config, round_robin, "round_robin", JAEGER_FIELD_OPTIONAL_D, .sub = no_fields,
        .sub_size = sizeof(empty_block), .doc = "one after the other"),
    KEY(partitioner_config, least_backup, "least_backup", JAEGER_FIELD_OPTIONAL_D, .sub = no_fields,
        .sub_size = sizeof(empty_block), .doc = "as round_robin"),
    KEY(partitioner_config, extension, "extension", JAEGER_FIELD_STR, .doc = "not supported"),
    {0}};

#define EXPORTER(member, key, kind, ...) KEY(exporter_config, member, key, kind, __VA_ARGS__)
#define IGNORED(member, key)                                                                                 \
    EXPORTER(member, key, JAEGER_FIELD_BLOCK, .sub = ignored_fields,                                         \
             .sub_size = sizeof(ignored_signal_config), .doc = "accepted: only traces are sent")
#define IGNORED_FLAG(member)                                                                                 \
    EXPORTER(member, #member, JAEGER_FIELD_BOOL, .doc = "accepted: only traces are sent")
static const jaeger_field exporter_fields[] = {
    {.kind = JAEGER_FIELD_SQUASH,
     .offset = offsetof(exporter_config, client),
     .sub = jg_kafka_client_fields,
     .sub_size = sizeof(jg_kafka_client_settings)},
    EXPORTER(producer, "producer", JAEGER_FIELD_BLOCK, .sub = jg_kafka_producer_fields,
             .sub_size = sizeof(jg_kafka_producer_settings), .doc = "how records are sent"),
    EXPORTER(timeout_ns, "timeout", JAEGER_FIELD_DURATION, .fallback = "5s",
             .doc = "until the brokers acknowledged; 0: none"),
    EXPORTER(queue, "sending_queue", JAEGER_FIELD_OPTIONAL_S, .sub = jg_queue_fields,
             .sub_size = sizeof(jg_queue_config), .doc = "answer before sending"),
    EXPORTER(retry, "retry_on_failure", JAEGER_FIELD_BLOCK, .sub = jg_retry_fields,
             .sub_size = sizeof(jg_retry_config), .doc = "send again after failures that may pass"),
    EXPORTER(traces, "traces", JAEGER_FIELD_BLOCK, .sub = traces_fields, .sub_size = sizeof(signal_config),
             .doc = "what spans become"),
    IGNORED(metrics, "metrics"),
    IGNORED(logs, "logs"),
    IGNORED(profiles, "profiles"),
    EXPORTER(topic_from_attribute, "topic_from_attribute", JAEGER_FIELD_STR,
             .doc = "resource attribute whose text is the topic of its spans"),
    EXPORTER(include_metadata_keys, "include_metadata_keys", JAEGER_FIELD_STRS,
             .doc = "request headers that become record headers"),
    EXPORTER(record_headers, "record_headers", JAEGER_FIELD_PAIRS, .doc = "headers of every record"),
    EXPORTER(partition_traces_by_id, "partition_traces_by_id", JAEGER_FIELD_BOOL,
             .doc = "a record has spans of one trace, whose id is its key"),
    IGNORED_FLAG(partition_metrics_by_resource_attributes),
    IGNORED_FLAG(partition_logs_by_resource_attributes),
    IGNORED_FLAG(partition_logs_by_trace_id),
    EXPORTER(partitioner, "record_partitioner", JAEGER_FIELD_BLOCK, .sub = partitioner_fields,
             .sub_size = sizeof(partitioner_config), .doc = "which partition a record gets"),
    {0}};

const jaeger_component_type jg_exporter_kafka = {
    .size = sizeof(jaeger_component_type),
    .name = "kafka",
    .doc = "sends traces to Kafka",
    .kind = JAEGER_EXPORTER,
    .takes = JAEGER_TRACES,
    .fields = exporter_fields,
    .config_size = sizeof(exporter_config),
    .state_size = sizeof(kafka_exporter),
    .validate = exporter_validate,
    .create = exporter_create,
    .start = exporter_start,
    .consume = exporter_consume,
    .stop = exporter_stop,
    .destroy = exporter_destroy,
    .prompt = exporter_prompt,
    .defers = exporter_defers,
};
