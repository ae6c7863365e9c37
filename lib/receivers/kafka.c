/* SPDX-License-Identifier: Apache-2.0
 * The kafka receiver. By default an offset is committed after the pipeline took the spans (at least once);
 * message_marking asks for other ways. A message that cannot be decoded is counted, logged and skipped, or
 * moved to a dead-letter topic.
 * Keys and defaults: opentelemetry-collector-contrib receiver/kafkareceiver; docs/deploy-kafka.md has what
 * differs.
 */
#include "core/attr.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/metrics.h"
#include "core/str.h"
#include "receivers/kafka/deliver.h"
#include <jaeger/component.h>

#define DEAD_LETTER_TIMEOUT_NS (20 * JG_NS_PER_S)
#define DEAD_LETTER_BYTES_MAX  (100u << 20) /* the broker's own limit decides */

typedef struct traces_config {
    jaeger_str_list topics, exclude_topics;
    int encoding;
} traces_config;

typedef struct ignored_signal_config {
    jaeger_str_list topics, exclude_topics;
    jaeger_str encoding;
} ignored_signal_config;

typedef struct receiver_config {
    jg_kafka_client_settings client;
    jg_kafka_consumer_settings consumer;
    traces_config traces;
    ignored_signal_config metrics, logs, profiles;
    struct {
        bool after, on_error, on_permanent_error;
    } marking;
    struct {
        bool extract;
        jaeger_str_list headers;
    } header_extraction;
    struct {
        bool enabled;
        uint64_t initial_interval_ns, max_interval_ns, max_elapsed_time_ns;
        double randomization_factor, multiplier;
    } backoff;
    const jaeger_config *telemetry;
    jaeger_str dead_letter_topic;
} receiver_config;

typedef struct kafka_receiver {
    const char *id;
    const receiver_config *config;
    const jaeger_config *node;
    jaeger_host *host;
    const jaeger_logger *log;
    jg_kafka_deliver deliver;
    jg_kafka_producer_settings dead_letter_settings;
    jg_kafka_consumer *consumer;
} kafka_receiver;

/* ---- checks ---- */

static jaeger_status check_topics(const traces_config *traces, jaeger_error *err)
{
    bool regex = false;
    if (!traces->topics.count)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "traces::topics: must not be empty");
    for (size_t i = 0; i < traces->topics.count; i++)
        regex = regex || jg_str_starts(traces->topics.items[i], JAEGER_STR("^"));
    if (traces->exclude_topics.count && !regex)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "traces::exclude_topics: is only for topics that begin with ^ (regular expressions)");
    return JAEGER_OK;
}

static jaeger_status check(const receiver_config *c, jaeger_error *err)
{
    JG_TRY(jg_kafka_client_check(&c->client, err));
    JG_TRY(jg_kafka_consumer_check(&c->consumer, err));
    JG_TRY(check_topics(&c->traces, err));
    if (c->backoff.multiplier < 0 || c->backoff.randomization_factor < 0 ||
        c->backoff.randomization_factor > 1)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "error_backoff: multiplier must not be negative, randomization_factor be in [0, 1]");
    return JAEGER_OK;
}

static jaeger_status receiver_validate(const void *config, const jaeger_config *node, jaeger_error *err)
{
    if (check(config, err) != JAEGER_OK)
        return jg_fail_prefix(err, "%s", node ? jaeger_config_path(node) : "receivers::kafka");
    return JAEGER_OK;
}

/* ---- life ---- */

/** message_marking::<key>, or what holds if the configuration does not say. */
static bool marking(const kafka_receiver *r, const char *key, bool value, bool otherwise)
{
    const jaeger_config *block = jaeger_config_get(r->node, "message_marking");
    return jaeger_config_get(block, key) ? value : otherwise;
}

static bool is_after(const kafka_receiver *r)
{
    return marking(r, "after", r->config->marking.after, true);
}

static void make_metrics(kafka_receiver *r)
{
    jg_metrics *m = jaeger_host_metrics(r->host);
    jg_kafka_deliver *d = &r->deliver;
    const jaeger_pair labels[] = {{JAEGER_STR("receiver"), jg_str(r->id)},
                                  {JAEGER_STR("transport"), JAEGER_STR("kafka")}};
    d->accepted = jg_metrics_counter(m, "otelcol_receiver_accepted_spans",
                                     "Number of spans successfully pushed into the pipeline.", labels, 2);
    d->refused = jg_metrics_counter(m, "otelcol_receiver_refused_spans",
                                    "Number of spans that could not be pushed into the pipeline.", labels, 2);
    d->messages =
        jg_metrics_counter(m, "otelcol_kafka_receiver_messages", "Messages that were dealt with.", labels, 1);
    d->poison = jg_metrics_counter(m, "jaeger_kafka_poison_messages",
                                   "Messages that cannot be decoded or that the pipeline refuses for good.",
                                   labels, 1);
}

static jaeger_status receiver_create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    kafka_receiver *r = self;
    const receiver_config *c = in->config;
    (void)err;
    *r = (kafka_receiver){.id = in->id, .config = c, .node = in->node, .host = in->host, .log = in->log};
    bool after = is_after(r), on_error = !after || c->marking.on_error;
    r->deliver = (jg_kafka_deliver){
        .decoding = (jg_kafka_decoding)c->traces.encoding,
        .next = in->next,
        .extract_headers = c->header_extraction.extract && c->header_extraction.headers.count
                               ? &c->header_extraction.headers
                               : NULL,
        .skip_failed = on_error,
        .rest_on_poison = after && !marking(r, "on_permanent_error", c->marking.on_permanent_error, true),
        .initial_wait_ns =
            c->backoff.initial_interval_ns ? c->backoff.initial_interval_ns : 100 * JG_NS_PER_MS,
        .max_wait_ns = c->backoff.max_interval_ns ? c->backoff.max_interval_ns : 5 * JG_NS_PER_S,
        .multiplier = c->backoff.multiplier >= 1 ? c->backoff.multiplier : 1.5,
        .dead_letter_topic = c->dead_letter_topic,
        .log = in->log};
    make_metrics(r);
    return JAEGER_OK;
}

static void on_fatal(void *user, const jaeger_error *err)
{
    kafka_receiver *r = JG_CONTAINER(user, kafka_receiver, deliver);
    jaeger_log(r->log, JAEGER_ERROR, "%s", err->message);
    jaeger_host_fail(r->host, r->id, err);
}

static jaeger_status open_dead_letters(kafka_receiver *r, jaeger_error *err)
{
    if (!r->config->dead_letter_topic.len)
        return JAEGER_OK;
    JG_TRY(jaeger_config_bind(NULL, jg_kafka_producer_fields, &r->dead_letter_settings, err));
    r->dead_letter_settings.max_message_bytes = DEAD_LETTER_BYTES_MAX;
    return jg_kafka_producer_new(&(jg_kafka_producer_options){.client = &r->config->client,
                                                              .settings = &r->dead_letter_settings,
                                                              .timeout_ns = DEAD_LETTER_TIMEOUT_NS,
                                                              .log = r->log,
                                                              .fatal = on_fatal,
                                                              .user = &r->deliver},
                                 &r->deliver.dead_letters, err);
}

static jaeger_status receiver_start(void *self, jaeger_error *err)
{
    kafka_receiver *r = self;
    JG_TRY(open_dead_letters(r, err));
    jg_kafka_consumer_options options = {.id = r->id,
                                         .client = &r->config->client,
                                         .settings = &r->config->consumer,
                                         .topics = r->config->traces.topics,
                                         .exclude_topics = r->config->traces.exclude_topics,
                                         .handler = {.handle = jg_kafka_deliver_run,
                                                     .fatal = on_fatal,
                                                     .user = &r->deliver,
                                                     .before = !is_after(r)},
                                         .metrics = jaeger_host_metrics(r->host),
                                         .log = r->log};
    return jg_kafka_consumer_start(&options, &r->consumer, err);
}

static void receiver_stop(void *self, uint64_t deadline_ns)
{
    kafka_receiver *r = self;
    jg_kafka_consumer_stop(r->consumer, deadline_ns);
    r->consumer = NULL;
    jg_kafka_producer_free(r->deliver.dead_letters, deadline_ns);
    r->deliver.dead_letters = NULL;
}

static void receiver_destroy(void *self)
{
    receiver_stop(self, 0);
}

/* ---- keys ---- */

#define KEY(type, member, key, field_kind, ...)                                                              \
    {                                                                                                        \
        .name = (key), .kind = (field_kind), .offset = offsetof(type, member), __VA_ARGS__                   \
    }
static const jaeger_field traces_fields[] = {
    KEY(traces_config, topics, "topics", JAEGER_FIELD_STRS, .fallback = "[\"otlp_spans\"]",
        .doc = "names; regular expressions begin with ^"),
    KEY(traces_config, exclude_topics, "exclude_topics", JAEGER_FIELD_STRS,
        .doc = "regular expressions of topics that are left out"),
    KEY(traces_config, encoding, "encoding", JAEGER_FIELD_ENUM, .fallback = "otlp_proto",
        .choices = JG_KAFKA_DECODINGS, .doc = "of the messages"),
    {0}};
static const jaeger_field ignored_fields[] = {
    KEY(ignored_signal_config, topics, "topics", JAEGER_FIELD_STRS,
        .doc = "accepted: only traces are received"),
    KEY(ignored_signal_config, exclude_topics, "exclude_topics", JAEGER_FIELD_STRS,
        .doc = "accepted: only traces are received"),
    KEY(ignored_signal_config, encoding, "encoding", JAEGER_FIELD_STR,
        .doc = "accepted: only traces are received"),
    {0}};

typedef __typeof__(((receiver_config *)0)->marking) marking_config;
static const jaeger_field marking_fields[] = {
    KEY(marking_config, after, "after", JAEGER_FIELD_BOOL, .fallback = "true",
        .doc = "commit after the pipeline took the spans (Jaeger: false)"),
    KEY(marking_config, on_error, "on_error", JAEGER_FIELD_BOOL,
        .doc = "go on after a failure that may pass, instead of trying again"),
    KEY(marking_config, on_permanent_error, "on_permanent_error", JAEGER_FIELD_BOOL, .fallback = "true",
        .doc = "go on after a message that nobody can take (Jaeger: as on_error)"),
    {0}};

typedef __typeof__(((receiver_config *)0)->header_extraction) extraction_config;
static const jaeger_field extraction_fields[] = {
    KEY(extraction_config, extract, "extract_headers", JAEGER_FIELD_BOOL,
        .doc = "record headers become resource attributes kafka.header.<name>"),
    KEY(extraction_config, headers, "headers", JAEGER_FIELD_STRS, .doc = "which"),
    {0}};

typedef __typeof__(((receiver_config *)0)->backoff) backoff_config;
static const jaeger_field backoff_fields[] = {
    KEY(backoff_config, enabled, "enabled", JAEGER_FIELD_BOOL,
        .doc = "accepted: failures are always tried again"),
    KEY(backoff_config, initial_interval_ns, "initial_interval", JAEGER_FIELD_DURATION, .doc = "0: 100ms"),
    KEY(backoff_config, randomization_factor, "randomization_factor", JAEGER_FIELD_DOUBLE,
        .doc = "accepted for compatibility"),
    KEY(backoff_config, multiplier, "multiplier", JAEGER_FIELD_DOUBLE, .doc = "below 1: 1.5"),
    KEY(backoff_config, max_interval_ns, "max_interval", JAEGER_FIELD_DURATION, .doc = "0: 5s"),
    KEY(backoff_config, max_elapsed_time_ns, "max_elapsed_time", JAEGER_FIELD_DURATION,
        .doc = "accepted: tried until the spans are stored"),
    {0}};

#define RECEIVER(member, key, kind, ...) KEY(receiver_config, member, key, kind, __VA_ARGS__)
#define IGNORED(member, key)                                                                                 \
    RECEIVER(member, key, JAEGER_FIELD_BLOCK, .sub = ignored_fields,                                         \
             .sub_size = sizeof(ignored_signal_config), .doc = "accepted: only traces are received")
static const jaeger_field receiver_fields[] = {
    {.kind = JAEGER_FIELD_SQUASH,
     .offset = offsetof(receiver_config, client),
     .sub = jg_kafka_client_fields,
     .sub_size = sizeof(jg_kafka_client_settings)},
    {.kind = JAEGER_FIELD_SQUASH,
     .offset = offsetof(receiver_config, consumer),
     .sub = jg_kafka_consumer_fields,
     .sub_size = sizeof(jg_kafka_consumer_settings)},
    RECEIVER(traces, "traces", JAEGER_FIELD_BLOCK, .sub = traces_fields, .sub_size = sizeof(traces_config),
             .doc = "what is read"),
    IGNORED(metrics, "metrics"),
    IGNORED(logs, "logs"),
    IGNORED(profiles, "profiles"),
    RECEIVER(marking, "message_marking", JAEGER_FIELD_BLOCK, .sub = marking_fields,
             .sub_size = sizeof(marking_config), .doc = "when an offset may be committed"),
    RECEIVER(header_extraction, "header_extraction", JAEGER_FIELD_BLOCK, .sub = extraction_fields,
             .sub_size = sizeof(extraction_config), .doc = "record headers"),
    RECEIVER(backoff, "error_backoff", JAEGER_FIELD_BLOCK, .sub = backoff_fields,
             .sub_size = sizeof(backoff_config), .doc = "waits between tries"),
    RECEIVER(telemetry, "telemetry", JAEGER_FIELD_NODE, .doc = "accepted for compatibility"),
    RECEIVER(dead_letter_topic, "dead_letter_topic", JAEGER_FIELD_STR,
             .doc = "topic for messages that nobody can take; default: none. Not in Jaeger"),
    {0}};

const jaeger_component_type jg_receiver_kafka = {
    .size = sizeof(jaeger_component_type),
    .name = "kafka",
    .doc = "receives traces from Kafka",
    .kind = JAEGER_RECEIVER,
    .gives = JAEGER_TRACES,
    .fields = receiver_fields,
    .config_size = sizeof(receiver_config),
    .state_size = sizeof(kafka_receiver),
    .validate = receiver_validate,
    .create = receiver_create,
    .start = receiver_start,
    .stop = receiver_stop,
    .destroy = receiver_destroy,
};
