/* SPDX-License-Identifier: Apache-2.0
 * Members of a group against librdkafka's mock cluster: order, the budget of bytes, joining and leaving under
 * load. The handler notes what it got; waits have generous limits, conditions decide.
 */
#include "core/alloc.h"
#include "core/clock.h"
#include "core/limits.h"
#include "net/kafka_consumer.h"
#include "support/kafka.h"
#include "support/test.h"
#include <stdatomic.h>

#define TOPIC        "spans"
#define GROUP        "members"
#define PARTITIONS   12
#define MESSAGES_MAX 20000
#define VALUE_MAX    10000
#define LIMIT_NS     (90 * JG_NS_PER_S)

/** What handlers saw; behind `lock`. */
static struct {
    pthread_mutex_t lock;
    uint8_t seen[PARTITIONS][MESSAGES_MAX]; /* how often */
    size_t distinct, copies;
    bool shared; /* partitions come and go: a member may get one again, from its last commit */
    bool hold;   /* handlers wait until it is off or they are given up */
    const char *wrong;
} notes = {.lock = PTHREAD_MUTEX_INITIALIZER};

typedef struct member {
    jg_kafka_consumer *consumer;
    jg_kafka_consumer_settings settings;
    jg_kafka_client_settings client;
    jg_metrics *metrics;
    jg_metric *in_flight, *assigned, *rebalances;
    atomic_bool busy[PARTITIONS];
    atomic_size_t handled;
    int64_t last[PARTITIONS]; /* behind lock */
} member;

static kafka_fixture kafka;
static rd_kafka_t *writer;

static void note(member *m, const jg_kafka_message *messages, size_t n)
{
    (void)pthread_mutex_lock(&notes.lock);
    for (size_t i = 0; i < n; i++) {
        int32_t partition = messages[i].partition;
        int64_t offset = messages[i].offset;
        if (offset <= m->last[partition] && (i || !notes.shared))
            notes.wrong = "messages of a partition came out of order, or twice";
        m->last[partition] = offset;
        if (notes.seen[partition][offset]++)
            notes.copies++;
        else
            notes.distinct++;
    }
    (void)pthread_mutex_unlock(&notes.lock);
}

static bool is_held(void)
{
    (void)pthread_mutex_lock(&notes.lock);
    bool hold = notes.hold;
    (void)pthread_mutex_unlock(&notes.lock);
    return hold;
}

static size_t handle(void *user, const jg_kafka_message *messages, size_t n, const int *given_up)
{
    member *m = user;
    if (atomic_exchange(&m->busy[messages->partition], true))
        notes.wrong = "two runs of one partition at the same time";
    while (is_held() && !__atomic_load_n(given_up, __ATOMIC_ACQUIRE))
        (void)poll(NULL, 0, 5);
    bool dropped = is_held(); /* given up before anything was done */
    if (!dropped)
        note(m, messages, n);
    m->handled += dropped ? 0 : n;
    atomic_store(&m->busy[messages->partition], false);
    return dropped ? 0 : n;
}

static void fatal(void *user, const jaeger_error *err)
{
    (void)user, (void)err;
    notes.wrong = "the consumer gave up";
}

static void hold(bool on)
{
    (void)pthread_mutex_lock(&notes.lock);
    notes.hold = on;
    (void)pthread_mutex_unlock(&notes.lock);
}

static member *join(uint64_t in_flight_bytes)
{
    static jaeger_str topics[1];
    member *m = jg_calloc(1, sizeof *m);
    const jaeger_pair label = {JAEGER_STR("receiver"), JAEGER_STR("kafka")};
    static jaeger_str brokers[1];
    assert_ok(jaeger_config_bind(NULL, jg_kafka_client_fields, &m->client, NULL));
    assert_ok(jaeger_config_bind(NULL, jg_kafka_consumer_fields, &m->settings, NULL));
    brokers[0] = jg_str(kafka.brokers);
    topics[0] = JAEGER_STR(TOPIC);
    m->client.brokers = (jaeger_str_list){brokers, 1};
    m->settings.group_id = JAEGER_STR(GROUP);
    m->settings.initial_offset = 1; /* earliest */
    m->settings.session_timeout_ns = 6 * JG_NS_PER_S;
    m->settings.heartbeat_interval_ns = JG_NS_PER_S;
    m->settings.in_flight_bytes = in_flight_bytes;
    m->metrics = jg_metrics_new();
    m->in_flight = jg_metrics_gauge(m->metrics, "jaeger_kafka_in_flight_bytes", "", &label, 1);
    m->assigned = jg_metrics_gauge(m->metrics, "jaeger_kafka_assigned_partitions", "", &label, 1);
    m->rebalances = jg_metrics_counter(m->metrics, "jaeger_kafka_rebalances", "", &label, 1);
    for (int i = 0; i < PARTITIONS; i++)
        m->last[i] = -1;
    jaeger_error err = {0};
    if (jg_kafka_consumer_start(&(jg_kafka_consumer_options){.id = "kafka",
                                                             .client = &m->client,
                                                             .settings = &m->settings,
                                                             .topics = {topics, 1},
                                                             .handler = {handle, fatal, m, false},
                                                             .metrics = m->metrics},
                                &m->consumer, &err) != JAEGER_OK)
        fail_msg("%s", err.message);
    return m;
}

static void leave(member *m)
{
    jg_kafka_consumer_stop(m->consumer, jg_clock_mono_ns() + 10 * JG_NS_PER_S);
    jg_metrics_free(m->metrics);
    jg_free(m);
}

static void begin(void)
{
    kafka_start(&kafka, TOPIC, PARTITIONS);
    writer = kafka_client(&kafka, RD_KAFKA_PRODUCER, NULL);
    memset(notes.seen, 0, sizeof notes.seen);
    notes.distinct = notes.copies = 0;
    notes.hold = notes.shared = false;
    notes.wrong = NULL;
}

static void end(void)
{
    rd_kafka_destroy(writer);
    kafka_stop(&kafka);
    if (notes.wrong)
        fail_msg("%s", notes.wrong);
}

static void write_each(size_t n, size_t bytes)
{
    static const char value[VALUE_MAX] = "a message";
    for (size_t i = 0; i < n; i++)
        for (int partition = 0; partition < PARTITIONS; partition++)
            while (rd_kafka_producev(writer, RD_KAFKA_V_TOPIC(TOPIC), RD_KAFKA_V_PARTITION(partition),
                                     RD_KAFKA_V_VALUE((void *)(uintptr_t)value, bytes),
                                     RD_KAFKA_V_END) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
                (void)rd_kafka_poll(writer, 10);
    assert_int_equal(rd_kafka_flush(writer, 60000), 0);
}

static size_t seen(void)
{
    (void)pthread_mutex_lock(&notes.lock);
    size_t n = notes.distinct;
    (void)pthread_mutex_unlock(&notes.lock);
    return n;
}

static void wait_seen(size_t want)
{
    for (uint64_t until = jg_clock_mono_ns() + LIMIT_NS; seen() < want; (void)poll(NULL, 0, 10))
        if (jg_clock_mono_ns() > until)
            fail_msg("%zu of %zu messages came", seen(), want);
}

static void wait_assigned(const member *m, int want)
{
    for (uint64_t until = jg_clock_mono_ns() + LIMIT_NS; (int)jg_metric_value(m->assigned) != want;
         (void)poll(NULL, 0, 10))
        if (jg_clock_mono_ns() > until)
            fail_msg("%d partitions instead of %d", (int)jg_metric_value(m->assigned), want);
}

/** Until the group has committed this offset of every partition. */
static void wait_committed(int64_t want)
{
    rd_kafka_t *rk = kafka_client(&kafka, RD_KAFKA_CONSUMER, GROUP);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(PARTITIONS);
    (void)rd_kafka_topic_partition_list_add_range(list, TOPIC, 0, PARTITIONS - 1);
    uint64_t until = jg_clock_mono_ns() + LIMIT_NS;
    for (int done = 0; done < PARTITIONS;) {
        done = 0;
        assert_int_equal(rd_kafka_committed(rk, list, 10000), 0);
        for (int i = 0; i < list->cnt; i++)
            done += list->elems[i].offset == want;
        if (done < PARTITIONS && jg_clock_mono_ns() > until)
            fail_msg("%d partitions are committed up to %lld", done, (long long)want);
    }
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(rk);
}

static void a_partition_comes_in_order_one_run_at_a_time(void **state)
{
    (void)state;
    begin();
    member *m = join(0);
    write_each(500, 100);
    wait_seen(500 * PARTITIONS);
    wait_committed(500);
    assert_int_equal(notes.copies, 0);
    leave(m);
    end();
}

/** 54 MB wait (the mock keeps 5 MB a partition) while the handler stands still: no more is fetched than the
 * documentation says, and all of it comes once. */
static void partitions_pause_above_the_budget(void **state)
{
    (void)state;
    enum {
        BUDGET = 4 << 20,
        EACH = 450,
        HIGHEST = BUDGET + JG_KAFKA_FETCHED_BYTES_MAX + PARTITIONS * (1 << 20)
    };
    begin();
    hold(true);
    member *m = join(BUDGET);
    write_each(EACH, VALUE_MAX);
    double highest = 0;
    for (uint64_t until = jg_clock_mono_ns() + LIMIT_NS; highest <= BUDGET; (void)poll(NULL, 0, 5)) {
        highest = JG_MAX(highest, jg_metric_value(m->in_flight));
        assert_true(jg_clock_mono_ns() < until);
    }
    for (int i = 0; i < 200; i++) { /* long enough to fetch everything, were nothing paused */
        highest = JG_MAX(highest, jg_metric_value(m->in_flight));
        (void)poll(NULL, 0, 5);
    }
    if (highest > HIGHEST)
        fail_msg("%.0f bytes in flight", highest);
    hold(false);
    wait_seen(EACH * PARTITIONS);
    wait_committed(EACH);
    assert_int_equal(notes.copies, 0);
    assert_int_equal((int)jg_metric_value(m->in_flight), 0);
    leave(m);
    end();
}

static atomic_bool writing;
static size_t written; /* of each partition */

static void *write_on(void *arg)
{
    (void)arg;
    while (writing && written < MESSAGES_MAX - 100) {
        write_each(10, 100);
        written += 10;
        (void)poll(NULL, 0, 5);
    }
    return NULL;
}

/** Each gets its share, both work, the first leaves, and no message is missing. */
static void a_member_joins_and_another_leaves_under_load(void **state)
{
    (void)state;
    pthread_t thread;
    begin();
    notes.shared = true;
    written = 0;
    writing = true;
    member *first = join(0);
    assert_int_equal(pthread_create(&thread, NULL, write_on, NULL), 0);
    wait_assigned(first, PARTITIONS);
    wait_seen(100);
    member *second = join(0);
    wait_assigned(first, PARTITIONS / 2);
    wait_assigned(second, PARTITIONS / 2);
    size_t first_had = first->handled;
    for (uint64_t until = jg_clock_mono_ns() + LIMIT_NS; first->handled == first_had || !second->handled;
         (void)poll(NULL, 0, 10))
        assert_true(jg_clock_mono_ns() < until);
    assert_true(jg_metric_value(first->rebalances) >= 2);
    leave(first);
    wait_assigned(second, PARTITIONS);
    writing = false;
    (void)pthread_join(thread, NULL);
    wait_seen(written * PARTITIONS);
    wait_committed((int64_t)written);
    leave(second);
    end();
}

/** Runs that end undone when their partitions go are not committed: the next owner gets them. */
static void what_a_leaving_member_did_not_do_goes_to_the_next(void **state)
{
    (void)state;
    begin();
    hold(true);
    member *first = join(0);
    write_each(200, 100);
    for (uint64_t until = jg_clock_mono_ns() + LIMIT_NS; jg_metric_value(first->in_flight) == 0;
         (void)poll(NULL, 0, 10))
        assert_true(jg_clock_mono_ns() < until);
    leave(first);
    assert_int_equal(seen(), 0);
    assert_true(kafka_committed(&kafka, GROUP, TOPIC, 0) <= 0);
    hold(false);
    member *second = join(0);
    wait_seen(200 * PARTITIONS);
    wait_committed(200);
    assert_int_equal(notes.copies, 0);
    leave(second);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_partition_comes_in_order_one_run_at_a_time),
        cmocka_unit_test(partitions_pause_above_the_budget),
        cmocka_unit_test(a_member_joins_and_another_leaves_under_load),
        cmocka_unit_test(what_a_leaving_member_did_not_do_goes_to_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
