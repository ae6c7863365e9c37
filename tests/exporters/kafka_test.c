/* SPDX-License-Identifier: Apache-2.0
 * The exporter inside a service, against librdkafka's mock cluster.
 */
#include "core/alloc.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "support/kafka.h"
#include "wire/jaeger_model_json.h"
#include "wire/jaeger_pb.h"
#include <jaeger/ingest.h>

#define TOPIC      "spans"
#define PARTITIONS 4
#define READ_MAX   64

/** Three spans of two traces, two resources. */
static const char three_spans[] =
    "{\"resourceSpans\":["
    "{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"a\"}},"
    "{\"key\":\"dest\",\"value\":{\"stringValue\":\"other\"}}]},\"scopeSpans\":[{\"spans\":["
    "{\"traceId\":\"000102030405060708090a0b0c0d0e0f\",\"spanId\":\"0000000000000001\",\"name\":\"one\"},"
    "{\"traceId\":\"0000000000000000a0a1a2a3a4a5a6a7\",\"spanId\":\"0000000000000002\",\"name\":\"two\"}]}]},"
    "{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"b\"}}]},"
    "\"scopeSpans\":[{\"spans\":["
    "{\"traceId\":\"000102030405060708090a0b0c0d0e0f\",\"spanId\":\"0000000000000003\",\"name\":\"three\"}]}]"
    "}]"
    "}";

static jaeger_status service_of(const char *brokers, const char *more, jaeger_service **ret,
                                jaeger_error *err)
{
    char yaml[2048];
    (void)snprintf(yaml, sizeof yaml,
                   "receivers: {nop: }\n"
                   "exporters: {kafka: {brokers: ['%s'], %sretry_on_failure: {enabled: false}%s}}\n"
                   "service: {telemetry: {metrics: {level: none}},\n"
                   "  pipelines: {traces: {receivers: [nop], exporters: [kafka]}}}\n",
                   brokers, strstr(more, "sending_queue") ? "" : "sending_queue: {enabled: false}, ", more);
    jaeger_service_options options = JAEGER_SERVICE_OPTIONS_INIT;
    options.yaml = yaml;
    *ret = NULL;
    jaeger_status status = jaeger_service_new(&options, ret, err);
    if (status == JAEGER_OK)
        status = jaeger_service_start(*ret, err);
    if (status != JAEGER_OK) {
        jaeger_service_free(*ret);
        *ret = NULL;
    }
    return status;
}

static jaeger_status send_batch(jaeger_service *service, jaeger_batch *take, jaeger_call *call)
{
    call->deadline_ns = jg_clock_mono_ns() + 10 * JG_NS_PER_S;
    return jaeger_service_consume(service, "traces", take, call);
}

/** Send the three spans with this configuration; read what was written. @return how many messages */
static size_t written(const char *more, const char *topic, size_t want, rd_kafka_message_t **out)
{
    kafka_fixture k;
    jaeger_error err = {0};
    jaeger_service *service;
    jaeger_pair metadata[] = {{JAEGER_STR("x-tenant"), JAEGER_STR("acme")},
                              {JAEGER_STR("x-topic"), JAEGER_STR("other")},
                              {JAEGER_STR("x-key"), JAEGER_STR("the-key")}};
    jaeger_call call = JAEGER_CALL_INIT;
    call.metadata = metadata;
    call.metadata_count = JG_COUNT(metadata);
    kafka_start(&k, TOPIC, PARTITIONS);
    assert_int_equal(rd_kafka_mock_topic_create(k.cluster, "other", PARTITIONS, 1), 0);
    if (service_of(k.brokers, more, &service, &err) != JAEGER_OK)
        fail_msg("%s", err.message);
    if (send_batch(service, batch_of_json(three_spans), &call) != JAEGER_OK)
        fail_msg("%s", call.error.message);
    size_t n = kafka_read(&k, topic, PARTITIONS, out, want);
    jaeger_service_free(service);
    kafka_stop(&k);
    return n;
}

static jaeger_batch *batch_of(const rd_kafka_message_t *message)
{
    jaeger_batch *batch;
    assert_ok(jaeger_batch_from_otlp(message->payload, message->len, NULL, NULL, &batch, NULL));
    return batch;
}

static void a_batch_is_one_record_without_a_key(void **state)
{
    (void)state;
    rd_kafka_message_t *got[READ_MAX] = {0};
    assert_int_equal(written(", traces: {topic: spans}", TOPIC, 1, got), 1);
    jaeger_batch *batch = batch_of(got[0]);
    assert_int_equal(jaeger_batch_span_count(batch), 3);
    assert_int_equal(got[0]->key_len, 0);
    assert_null(got[0]->_private);
    jaeger_batch_unref(batch);
    kafka_free(got, 1);
}

/** FNV-1a as Sarama uses it, written down again. */
static int32_t sarama_place(const char *key, size_t len, int32_t partitions)
{
    uint32_t h = 0x811c9dc5u;
    for (size_t i = 0; i < len; i++)
        h = (h ^ (uint8_t)key[i]) * 16777619u;
    int32_t place = (int32_t)h % partitions;
    return place < 0 ? -place : place;
}

static void traces_are_kept_together_and_placed_as_sarama_places_them(void **state)
{
    (void)state;
    rd_kafka_message_t *got[READ_MAX] = {0};
    assert_int_equal(written(", traces: {topic: spans}, partition_traces_by_id: true", TOPIC, 2, got), 2);
    for (size_t i = 0; i < 2; i++) {
        jaeger_batch *batch = batch_of(got[i]);
        const jaeger_span *spans = jaeger_batch_spans(batch);
        char hex[33] = {0};
        jg_hex_encode(spans[0].trace_id, 16, hex);
        assert_int_equal(got[i]->key_len, 32);
        assert_memory_equal(got[i]->key, hex, 32);
        assert_int_equal(got[i]->partition, sarama_place(hex, 32, PARTITIONS));
        assert_int_equal(jaeger_batch_span_count(batch), spans[0].trace_id[1] ? 2 : 1);
        jaeger_batch_unref(batch);
    }
    kafka_free(got, 2);
}

static void jaeger_encodings_write_a_span_a_record(void **state)
{
    (void)state;
    static const struct {
        const char *more;
        jaeger_encoding encoding;
    } rows[] = {{", traces: {topic: spans, encoding: jaeger_proto}", JAEGER_ENCODING_JAEGER_PROTO},
                {", traces: {topic: spans, encoding: jaeger_json}", JAEGER_ENCODING_JAEGER_JSON}};
    for (size_t r = 0; r < JG_COUNT(rows); r++) {
        rd_kafka_message_t *got[READ_MAX] = {0};
        size_t short_keys = 0;
        assert_int_equal(written(rows[r].more, TOPIC, 3, got), 3);
        for (size_t i = 0; i < 3; i++) {
            jaeger_batch *batch;
            assert_ok(jaeger_ingest(rows[r].encoding, got[i]->payload, got[i]->len, NULL, &batch, NULL));
            assert_int_equal(jaeger_batch_span_count(batch), 1);
            assert_int_equal(jaeger_batch_spans(batch)->group->service.len, 1);
            short_keys += got[i]->key_len == 16 && !memcmp(got[i]->key, "a0a1a2a3a4a5a6a7", 16);
            jaeger_batch_unref(batch);
        }
        assert_int_equal(short_keys, 1);
        kafka_free(got, 3);
    }
}

static void other_encodings_write_a_batch_a_record(void **state)
{
    (void)state;
    static const struct {
        const char *more;
        jaeger_encoding encoding;
    } rows[] = {{", traces: {topic: spans, encoding: otlp_json}", JAEGER_ENCODING_OTLP_JSON},
                {", traces: {topic: spans, encoding: zipkin_json}", JAEGER_ENCODING_ZIPKIN_V2_JSON},
                {", traces: {topic: spans, encoding: zipkin_proto}", JAEGER_ENCODING_ZIPKIN_V2_PROTO}};
    for (size_t r = 0; r < JG_COUNT(rows); r++) {
        rd_kafka_message_t *got[READ_MAX] = {0};
        jaeger_batch *batch;
        assert_int_equal(written(rows[r].more, TOPIC, 1, got), 1);
        assert_ok(jaeger_ingest(rows[r].encoding, got[0]->payload, got[0]->len, NULL, &batch, NULL));
        assert_int_equal(jaeger_batch_span_count(batch), 3);
        jaeger_batch_unref(batch);
        kafka_free(got, 1);
    }
}

static void the_topic_comes_from_metadata_or_a_resource(void **state)
{
    (void)state;
    static const struct {
        const char *more;
        size_t spans;
    } rows[] = {{", traces: {topic: spans, topic_from_metadata_key: x-topic}", 3},
                {", traces: {topic: spans}, topic_from_attribute: dest", 2}};
    for (size_t r = 0; r < JG_COUNT(rows); r++) {
        rd_kafka_message_t *got[READ_MAX] = {0};
        assert_int_equal(written(rows[r].more, "other", 1, got), 1);
        jaeger_batch *batch = batch_of(got[0]);
        assert_int_equal(jaeger_batch_span_count(batch), rows[r].spans);
        jaeger_batch_unref(batch);
        kafka_free(got, 1);
    }
}

static void headers_and_key_are_written(void **state)
{
    (void)state;
    rd_kafka_message_t *got[READ_MAX] = {0};
    const void *value;
    size_t len;
    assert_int_equal(written(", traces: {topic: spans, message_key_from_metadata_key: x-key}, "
                             "include_metadata_keys: [x-tenant, absent], "
                             "record_headers: [{name: from, value: test}]",
                             TOPIC, 1, got),
                     1);
    assert_int_equal(got[0]->key_len, 7);
    assert_memory_equal(got[0]->key, "the-key", 7);
    assert_non_null(got[0]->_private);
    assert_int_equal(rd_kafka_header_cnt(got[0]->_private), 2);
    assert_int_equal(rd_kafka_header_get_last(got[0]->_private, "x-tenant", &value, &len), 0);
    assert_memory_equal(value, "acme", 4);
    assert_int_equal(rd_kafka_header_get_last(got[0]->_private, "from", &value, &len), 0);
    assert_memory_equal(value, "test", 4);
    kafka_free(got, 1);
}

/** `count` spans with names of `bytes`. */
static jaeger_batch *large_batch(size_t count, size_t bytes)
{
    jaeger_batch *batch;
    jaeger_builder *b = jaeger_builder_new(16u << 20);
    char *name = jg_calloc(1, bytes);
    memset(name, 'x', bytes);
    for (size_t i = 0; i < count; i++)
        jaeger_builder_span(
            b, &(jaeger_span_start){.trace_id = {1}, .span_id = {(uint8_t)(i + 1)}, .name = {name, bytes}});
    assert_ok(jaeger_builder_finish(b, &batch, NULL));
    jaeger_builder_free(b);
    jg_free(name);
    return batch;
}

static void large_batches_are_split_and_larger_spans_refused(void **state)
{
    (void)state;
    kafka_fixture k;
    jaeger_service *service;
    rd_kafka_message_t *got[READ_MAX] = {0};
    jaeger_call call = JAEGER_CALL_INIT;
    kafka_start(&k, TOPIC, PARTITIONS);
    assert_ok(service_of(k.brokers, ", traces: {topic: spans}, producer: {max_message_bytes: 5000}", &service,
                         NULL));
    assert_ok(send_batch(service, large_batch(20, 1000), &call));
    size_t n = kafka_read(&k, TOPIC, PARTITIONS, got, 8), spans = 0;
    assert_int_equal(n, 8); /* 20 -> 10 -> 5 -> 2 and 3 */
    for (size_t i = 0; i < n; i++) {
        jaeger_batch *batch = batch_of(got[i]);
        assert_true(got[i]->len <= 5000);
        spans += jaeger_batch_span_count(batch);
        jaeger_batch_unref(batch);
    }
    assert_int_equal(spans, 20);
    kafka_free(got, n);
    assert_int_equal(send_batch(service, large_batch(1, 6000), &call), JAEGER_INVALID_ARGUMENT);
    assert_non_null(strstr(call.error.message, "1 spans are larger than producer::max_message_bytes"));
    jaeger_service_free(service);
    kafka_stop(&k);
}

static void the_answer_waits_for_the_broker(void **state)
{
    (void)state;
    kafka_fixture k;
    jaeger_service *service;
    jaeger_call call = JAEGER_CALL_INIT;
    kafka_start(&k, TOPIC, 1);
    assert_ok(service_of(k.brokers, ", timeout: 1s, traces: {topic: spans}", &service, NULL));
    assert_ok(send_batch(service, batch_of_json(three_spans), &call));
    assert_int_equal(rd_kafka_mock_broker_set_rtt(k.cluster, 1, 300), 0);
    uint64_t begin = jg_clock_mono_ns();
    assert_ok(send_batch(service, batch_of_json(three_spans), &call));
    assert_true(jg_clock_mono_ns() - begin >= 250 * JG_NS_PER_MS);
    assert_int_equal(rd_kafka_mock_broker_set_rtt(k.cluster, 1, 0), 0);
    assert_int_equal(rd_kafka_mock_broker_set_down(k.cluster, 1), 0);
    assert_true(jg_status_is_retryable(send_batch(service, batch_of_json(three_spans), &call)));
    assert_int_equal(rd_kafka_mock_broker_set_up(k.cluster, 1), 0);
    jaeger_status status = JAEGER_UNAVAILABLE;
    for (int i = 0; i < 10 && status != JAEGER_OK; i++)
        status = send_batch(service, batch_of_json(three_spans), &call);
    assert_ok(status);
    jaeger_service_free(service);
    kafka_stop(&k);
}

static void a_caller_that_gives_up_leaves_its_records_to_the_client(void **state)
{
    (void)state;
    kafka_fixture k;
    jaeger_service *service;
    rd_kafka_message_t *got[READ_MAX] = {0};
    jaeger_call call = JAEGER_CALL_INIT;
    kafka_start(&k, TOPIC, 1);
    assert_ok(service_of(k.brokers, ", traces: {topic: spans}, producer: {linger: 500ms}", &service, NULL));
    call.deadline_ns = jg_clock_mono_ns() + 50 * JG_NS_PER_MS;
    assert_int_equal(jaeger_service_consume(service, "traces", batch_of_json(three_spans), &call),
                     JAEGER_DEADLINE_EXCEEDED);
    assert_int_equal(kafka_read(&k, TOPIC, 1, got, 1), 1);
    kafka_free(got, 1);
    jaeger_service_free(service);
    kafka_stop(&k);
}

static void wrong_configurations_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *more, *want;
    } rows[] = {
        {", producer: {required_acks: 2}",
         "required_acks: expected 'all' (-1), 0, or 1; configured value is 2"},
        {", producer: {flush_max_messages: 0}", "flush_max_messages: must be between 1"},
        {", producer: {max_message_bytes: 10}", "max_message_bytes: must be between"},
        {", producer: {linger: 10s}", "linger: must be less than the timeout"},
        {", traces: {encoding: zipkin_thrift}", "zipkin_thrift"},
        {", traces: {message_key_from_metadata_key: k}, partition_traces_by_id: true", "exclude each other"},
        {", auth: {sasl: {mechanism: PLAIN}}", "username is required"},
        {", auth: {sasl: {mechanism: AWS_MSK_IAM_OAUTHBEARER}}", "mechanism should be one of"},
        {", auth: {sasl: {mechanism: OAUTHBEARER}}", "OAUTHBEARER needs"},
        {", auth: {sasl: {mechanism: PLAIN, username: u, password: p}, plain_text: {username: u}}",
         "only one of"},
        {", tls: {cert_file: x}", "certificate and key belong together"},
        {", librdkafka: {no.such.key: '1'}", "No such configuration property"},
        {", record_partitioner: {extension: x}", "no partitioner extensions"},
        {", topic: x", "topic"},
        {", sending_queue: {batch: }, include_metadata_keys: [x-tenant]",
         "include_metadata_keys: add \"x-tenant\" to sending_queue::batch::partition::metadata_keys"},
        {", sending_queue: {batch: {partition: {metadata_keys: [x-a]}}}, traces: {topic_from_metadata_key: "
         "x-b}",
         "topic_from_metadata_key: add \"x-b\""},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jaeger_service *service;
        jaeger_error err = {0};
        if (service_of("127.0.0.1:1", rows[i].more, &service, &err) == JAEGER_OK)
            fail_msg("accepted: %s", rows[i].more);
        if (!strstr(err.message, rows[i].want))
            fail_msg("%s: %s", rows[i].more, err.message);
    }
}

static void what_jaegers_configurations_say_is_accepted(void **state)
{
    (void)state;
    static const char *const rows[] = {
        ", producer: {required_acks: all, compression: zstd, compression_params: {level: 3}}",
        ", producer: {required_acks: -1, compression: gzip, allow_auto_topic_creation: false}",
        ", producer: {required_acks: 1, compression: lz4}",
        ", sending_queue: {batch: {partition: {metadata_keys: [X-Tenant]}}}, include_metadata_keys: "
        "[x-tenant]",
        ", producer: {required_acks: 0, compression: snappy, flush_max_messages: 1}",
        ", record_partitioner: {sticky_key: {hasher: murmur2}}",
        ", record_partitioner: {round_robin: {}}",
        ", record_partitioner: {least_backup: }",
        ", auth: {sasl: {mechanism: SCRAM-SHA-512, username: u, password: p, version: 1}}",
        ", auth: {plain_text: {username: u, password: p}}, tls: {insecure_skip_verify: true}",
        ", auth: {sasl: {mechanism: OAUTHBEARER}}, librdkafka: {enable.sasl.oauthbearer.unsecure.jwt: "
        "'true', "
        "sasl.oauthbearer.config: principal=me}",
        ", protocol_version: 2.1.0, client_id: x, rack_id: r, conn_idle_timeout: 1m, "
        "metadata: {full: false, refresh_interval: 1m, retry: {max: 5, backoff: 1s}}",
        ", metrics: {topic: m}, logs: {topic: l, encoding: raw}, profiles: {}, timeout: 0s",
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jaeger_service *service;
        jaeger_error err = {0};
        if (service_of("127.0.0.1:1", rows[i], &service, &err) != JAEGER_OK)
            fail_msg("%s: %s", rows[i], err.message);
        jaeger_service_free(service);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_is_one_record_without_a_key),
        cmocka_unit_test(traces_are_kept_together_and_placed_as_sarama_places_them),
        cmocka_unit_test(jaeger_encodings_write_a_span_a_record),
        cmocka_unit_test(other_encodings_write_a_batch_a_record),
        cmocka_unit_test(the_topic_comes_from_metadata_or_a_resource),
        cmocka_unit_test(headers_and_key_are_written),
        cmocka_unit_test(large_batches_are_split_and_larger_spans_refused),
        cmocka_unit_test(the_answer_waits_for_the_broker),
        cmocka_unit_test(a_caller_that_gives_up_leaves_its_records_to_the_client),
        cmocka_unit_test(wrong_configurations_are_refused),
        cmocka_unit_test(what_jaegers_configurations_say_is_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
