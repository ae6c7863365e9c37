/* SPDX-License-Identifier: Apache-2.0
 * The receiver inside a service, against librdkafka's mock cluster.
 */
#include "core/alloc.h"
#include "core/arena.h"
#include "support/file.h"
#include "support/kafka.h"

#define TOPIC "spans"
#define GROUP "readers"

static const char one_span[] =
    "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":"
    "\"shop\"}}]},\"scopeSpans\":[{\"spans\":[{\"traceId\":\"000102030405060708090a0b0c0d0e0f\",\"spanId\":"
    "\"0000000000000001\",\"name\":\"buy\"}]}]}]}";

static kafka_fixture kafka;
static rd_kafka_t *writer;

static void begin(int partitions)
{
    kafka_start(&kafka, TOPIC, partitions);
    (void)rd_kafka_mock_topic_create(kafka.cluster, "dead", 1, 1);
    writer = kafka_client(&kafka, RD_KAFKA_PRODUCER, NULL);
}

static void end(jaeger_service *service)
{
    jaeger_service_free(service);
    rd_kafka_destroy(writer);
    kafka_stop(&kafka);
}

static jaeger_service *start(const char *more)
{
    char yaml[1024];
    (void)snprintf(yaml, sizeof yaml,
                   "kafka: {brokers: ['%s'], group_id: " GROUP ", initial_offset: earliest, "
                   "traces: {topics: [" TOPIC "]%s}",
                   kafka.brokers, more);
    return pipeline_start(yaml, "kafka");
}

static void write_spans(int partition, size_t n)
{
    jaeger_str value = kafka_otlp(one_span);
    for (size_t i = 0; i < n; i++)
        kafka_write(writer, TOPIC, partition, value);
    jg_free((void *)(uintptr_t)value.ptr);
}

static bool wait_committed(int partition, int64_t offset)
{
    for (int i = 0; i < 300; i++) {
        if (kafka_committed(&kafka, GROUP, TOPIC, partition) == offset)
            return true;
        (void)poll(NULL, 0, 50);
    }
    return false;
}

static void spans_arrive_and_their_offsets_are_committed(void **state)
{
    (void)state;
    begin(2);
    jaeger_service *service = start("}");
    write_spans(0, 20);
    write_spans(1, 10);
    assert_true(sink_wait(30));
    assert_string_equal(sink.service, "shop");
    assert_string_equal(sink.name, "buy");
    assert_true(wait_committed(0, 20));
    assert_true(wait_committed(1, 10));
    end(service);
}

static void each_encoding_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *encoding, *file;
        size_t spans;
    } rows[] = {
        {"zipkin_json", "wire/zipkin_v2_0.zipkin_v2", 20},
        {"zipkin_proto", "wire/zipkin_proto_0.zipkin_proto", 20},
        {"zipkin_thrift", "wire/zipkin_thrift_0.zipkin_thrift", 20},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        char more[64];
        JG_AUTO_DATA jaeger_str value = read_data(rows[i].file);
        begin(1);
        kafka_write(writer, TOPIC, 0, value);
        (void)snprintf(more, sizeof more, ", encoding: %s}", rows[i].encoding);
        jaeger_service *service = start(more);
        if (!sink_wait(rows[i].spans))
            fail_msg("%s: %zu spans", rows[i].encoding, sink.spans);
        end(service);
    }
    begin(1);
    kafka_write(writer, TOPIC, 0, jg_str(one_span));
    jaeger_service *service = start(", encoding: otlp_json}");
    assert_true(sink_wait(1));
    end(service);
}

/** What is not stored is not committed, and the next member of the group gets it again. */
static void an_offset_is_committed_only_after_the_pipeline(void **state)
{
    (void)state;
    begin(1);
    write_spans(0, 5);
    jaeger_service *service = start("}");
    pthread_mutex_lock(&sink.lock);
    sink.answer = (jaeger_error){.status = JAEGER_UNAVAILABLE, .message = "the disk is full"};
    pthread_mutex_unlock(&sink.lock);
    assert_true(sink_wait(1));
    (void)poll(NULL, 0, 600);
    assert_true(kafka_committed(&kafka, GROUP, TOPIC, 0) <= 0);
    jaeger_service_free(service);
    service = start("}");
    assert_true(sink_wait(5) || sink_wait(5) || sink_wait(5)); /* the mock is slow to let a member in again */
    assert_true(wait_committed(0, 5));
    end(service);
}

static void a_refused_batch_is_tried_again_until_it_is_taken(void **state)
{
    (void)state;
    begin(1);
    jaeger_service *service = start("}, error_backoff: {initial_interval: 10ms}");
    pthread_mutex_lock(&sink.lock);
    sink.answer = (jaeger_error){.status = JAEGER_INTERNAL, .message = "no"};
    pthread_mutex_unlock(&sink.lock);
    write_spans(0, 1);
    assert_true(sink_wait(3)); /* the same one, three times */
    pthread_mutex_lock(&sink.lock);
    sink.answer = (jaeger_error){0};
    pthread_mutex_unlock(&sink.lock);
    assert_true(wait_committed(0, 1));
    end(service);
}

static void poison_is_skipped_and_moved_aside(void **state)
{
    (void)state;
    rd_kafka_message_t *got[4] = {0};
    const void *value;
    size_t len;
    begin(1);
    write_spans(0, 2);
    kafka_write(writer, TOPIC, 0, JAEGER_STR("\xff\xff poison"));
    write_spans(0, 2);
    jaeger_service *service = start("}, dead_letter_topic: dead");
    assert_true(sink_wait(4));
    assert_true(wait_committed(0, 5));
    assert_int_equal(kafka_read(&kafka, "dead", 1, got, 1), 1);
    assert_int_equal(got[0]->len, 9);
    assert_memory_equal(got[0]->payload, "\xff\xff poison", 9);
    assert_int_equal(rd_kafka_header_get_last(got[0]->_private, "jaeger.offset", &value, &len), 0);
    assert_memory_equal(value, "2", 1);
    kafka_free(got, 1);
    end(service);
}

static void on_permanent_error_false_stops_the_partition(void **state)
{
    (void)state;
    begin(2);
    write_spans(0, 1);
    kafka_write(writer, TOPIC, 0, JAEGER_STR("\xff\xff poison"));
    write_spans(0, 1);
    write_spans(1, 3);
    jaeger_service *service = start("}, message_marking: {after: true, on_permanent_error: false}");
    assert_true(sink_wait(4));
    assert_true(wait_committed(0, 1));
    assert_true(wait_committed(1, 3));
    (void)poll(NULL, 0, 300);
    assert_int_equal(sink.spans, 4);
    end(service);
}

static void after_false_commits_before_the_pipeline(void **state)
{
    (void)state;
    begin(1);
    write_spans(0, 1);
    sink_hold(true);
    jaeger_service *service = start("}, message_marking: {after: false}");
    assert_true(sink_wait(1));
    assert_true(wait_committed(0, 1)); /* while the pipeline still has it */
    sink_hold(false);
    end(service);
}

/** Far more than the budget waits while the pipeline is slow; all of it arrives. */
static void partitions_pause_above_the_budget(void **state)
{
    (void)state;
    begin(2);
    jaeger_service *service = start("}, in_flight_bytes: 20000");
    sink_hold(true);
    write_spans(0, 300);
    write_spans(1, 300);
    (void)poll(NULL, 0, 500);
    sink_hold(false);
    assert_true(sink_wait(600));
    assert_true(wait_committed(0, 300));
    assert_true(wait_committed(1, 300));
    assert_int_equal(sink.spans, 600); /* none twice */
    end(service);
}

static void a_second_member_takes_over_without_loss(void **state)
{
    (void)state;
    begin(4);
    jaeger_service *first = start("}");
    for (int i = 0; i < 4; i++)
        write_spans(i, 25);
    assert_true(sink_wait(50));
    char yaml[512];
    jaeger_service *second;
    (void)snprintf(yaml, sizeof yaml,
                   "kafka: {brokers: ['%s'], group_id: " GROUP ", initial_offset: earliest, traces: {topics: "
                   "[" TOPIC "]}}",
                   kafka.brokers);
    assert_ok(pipeline_new(yaml, "kafka", &second, NULL)); /* sets the sink's counts to zero */
    assert_ok(jaeger_service_start(second, NULL));
    for (int i = 0; i < 4; i++)
        write_spans(i, 25);
    jaeger_service_free(first);
    for (int i = 0; i < 4; i++)
        write_spans(i, 25);
    for (int i = 0; i < 4; i++)
        if (!wait_committed(i, 75))
            fail_msg("partition %d: %lld", i, (long long)kafka_committed(&kafka, GROUP, TOPIC, i));
    end(second);
}

static void wrong_configurations_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *section, *want;
    } rows[] = {
        {"kafka: {traces: {topics: []}}", "topics: must not be empty"},
        {"kafka: {traces: {exclude_topics: [a]}}", "exclude_topics"},
        {"kafka: {traces: {encoding: raw}}", "raw"},
        {"kafka: {topic: a}", "topic"},
        {"kafka: {encoding: otlp_proto}", "encoding"},
        {"kafka: {group_id: ''}", "group_id"},
        {"kafka: {group_rebalance_strategies: [sticky]}", "'sticky' is not supported"},
        {"kafka: {group_rebalance_strategies: [range], group_rebalance_strategy: range}",
         "exclude each other"},
        {"kafka: {heartbeat_interval: 20s}", "heartbeat_interval"},
        {"kafka: {min_fetch_size: 10, max_fetch_size: 5}", "max_fetch_size"},
        {"kafka: {initial_offset: middle}", "middle"},
        {"kafka: {brokers: []}", "brokers"},
    };
    for (size_t i = 0; i < JG_COUNT(rows); i++) {
        jaeger_service *service = NULL;
        jaeger_error err = {0};
        if (pipeline_new(rows[i].section, "kafka", &service, &err) == JAEGER_OK)
            fail_msg("accepted: %s", rows[i].section);
        if (!strstr(err.message, rows[i].want))
            fail_msg("%s: %s", rows[i].section, err.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_arrive_and_their_offsets_are_committed),
        cmocka_unit_test(each_encoding_is_read),
        cmocka_unit_test(an_offset_is_committed_only_after_the_pipeline),
        cmocka_unit_test(a_refused_batch_is_tried_again_until_it_is_taken),
        cmocka_unit_test(poison_is_skipped_and_moved_aside),
        cmocka_unit_test(on_permanent_error_false_stops_the_partition),
        cmocka_unit_test(after_false_commits_before_the_pipeline),
        cmocka_unit_test(partitions_pause_above_the_budget),
        cmocka_unit_test(a_second_member_takes_over_without_loss),
        cmocka_unit_test(wrong_configurations_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
