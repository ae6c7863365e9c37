/* SPDX-License-Identifier: Apache-2.0
 * See kafka_producer.h. One thread serves the delivery reports. A flight is counted: its owner holds one
 * reference, each record under way another, so that an owner who gives up leaves the memory to the records.
 */
#include "net/kafka_producer.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/cond.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/map.h"
#include "core/str.h"
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <time.h>

#define POLL_MS       100 /* how soon the polling thread sees the end */
#define RECORD_FIELDS 6   /* of rd_kafka_produceva */

struct jg_kafka_producer {
    const jaeger_logger *log; /* first: see jg_kafka_conf_new */
    jg_kafka_producer_options options;
    rd_kafka_t *rk;
    pthread_t poller;
    bool polling;
    int stopping;  /* atomic */
    unsigned turn; /* atomic: round robin */
    pthread_mutex_t topics_mutex;
    jg_map topics; /* name -> rd_kafka_topic_t; the names are theirs */
};

typedef struct record {
    jaeger_str topic;
    size_t key_at, value_at, end;
} record;

struct jg_kafka_flight {
    jg_kafka_producer *producer;
    jg_buf buf;
    record *records;
    size_t count, cap;
    bool failed; /* out of memory while gathering */
    const jaeger_pair *headers;
    size_t header_count;
    unsigned refs; /* atomic */

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t landed_cond;
    size_t under_way;
    int first_error;                                  /* of librdkafka */
    void (*landed)(void *user, jaeger_status status); /* NULL: somebody waits, or gave up */
    void *user;
    jaeger_call *call;
};

/* ---- configuration ---- */

#define KEY(type, member, key, field_kind, ...)                                                              \
    {                                                                                                        \
        .name = (key), .kind = (field_kind), .offset = offsetof(type, member), __VA_ARGS__                   \
    }
typedef __typeof__(((jg_kafka_producer_settings *)0)->compression_params) compression_params;
static const jaeger_field compression_fields[] = {
    KEY(compression_params, level, "level", JAEGER_FIELD_I64, .doc = "0: the codec's default"), {0}};

#define PRODUCER(member, key, kind, ...) KEY(jg_kafka_producer_settings, member, key, kind, __VA_ARGS__)
#define COMPRESSIONS                     "none|gzip|snappy|lz4|zstd"
static const char *const compressions[] = {"none", "gzip", "snappy", "lz4", "zstd"};
const jaeger_field jg_kafka_producer_fields[] = {
    PRODUCER(max_message_bytes, "max_message_bytes", JAEGER_FIELD_U64, .fallback = "1000000",
             .doc = "of a record before compression; larger batches are split"),
    PRODUCER(max_broker_write_bytes, "max_broker_write_bytes", JAEGER_FIELD_U64, .fallback = "104857600",
             .doc = "accepted for compatibility"),
    PRODUCER(required_acks, "required_acks", JAEGER_FIELD_NODE,
             .doc = "0, 1, -1 or all; absent: all, idempotent (Jaeger: 1)"),
    PRODUCER(compression, "compression", JAEGER_FIELD_ENUM, .fallback = "none", .choices = COMPRESSIONS,
             .doc = "of the record batches"),
    PRODUCER(compression_params, "compression_params", JAEGER_FIELD_BLOCK, .sub = compression_fields,
             .sub_size = sizeof(compression_params), .doc = "of the codec"),
    PRODUCER(flush_max_messages, "flush_max_messages", JAEGER_FIELD_I64, .fallback = "10000",
             .doc = "records of one request"),
    PRODUCER(allow_auto_topic_creation, "allow_auto_topic_creation", JAEGER_FIELD_BOOL, .fallback = "true",
             .doc = "brokers may create the topic"),
    PRODUCER(linger_ns, "linger", JAEGER_FIELD_DURATION, .fallback = "10ms",
             .doc = "how long a record waits for others"),
    {0}};

static bool acks_are_all(jaeger_str acks)
{
    return !acks.len || jg_str_is(acks, "all") || jg_str_is(acks, "-1");
}

jaeger_status jg_kafka_producer_check(const jg_kafka_producer_settings *s, uint64_t timeout_ns,
                                      jaeger_error *err)
{
    jaeger_str acks = jaeger_config_text(s->required_acks);
    if (!acks_are_all(acks) && !jg_str_is(acks, "0") && !jg_str_is(acks, "1"))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "required_acks: expected 'all' (-1), 0, or 1; configured value is %.*s",
                       JAEGER_STR_ARGS(acks));
    if (s->max_message_bytes < JG_KAFKA_RECORD_BYTES_MIN || s->max_message_bytes > 1000000000)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "max_message_bytes: must be between %u and 1000000000",
                       JG_KAFKA_RECORD_BYTES_MIN);
    if (s->max_broker_write_bytes < s->max_message_bytes)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "max_broker_write_bytes: must not be less than max_message_bytes");
    if (s->flush_max_messages < 1 || s->flush_max_messages > 1000000)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "flush_max_messages: must be between 1 and 1000000");
    if (timeout_ns && timeout_ns <= s->linger_ns)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "linger: must be less than the timeout");
    return JAEGER_OK;
}

/* ---- delivery ---- */

static void flight_unref(jg_kafka_flight *f)
{
    if (__atomic_sub_fetch(&f->refs, 1, __ATOMIC_ACQ_REL))
        return;
    jg_buf_done(&f->buf);
    jg_free(f->records);
    (void)pthread_mutex_destroy(&f->mutex);
    (void)pthread_cond_destroy(&f->landed_cond);
    jg_free(f);
}

/** How a flight ended whose first failure is `code`. */
static jaeger_status result_of(int code, jaeger_error *err)
{
    return code
               ? jg_fail(err, jg_kafka_status(code), "Kafka: %s", rd_kafka_err2str((rd_kafka_resp_err_t)code))
               : JAEGER_OK;
}

static void land(jg_kafka_flight *f, int code)
{
    void (*landed)(void *user, jaeger_status status) = NULL;
    (void)pthread_mutex_lock(&f->mutex);
    if (code && !f->first_error)
        f->first_error = code;
    if (--f->under_way == 0) {
        landed = f->landed;
        (void)pthread_cond_signal(&f->landed_cond);
    }
    (void)pthread_mutex_unlock(&f->mutex);
    if (landed)
        landed(f->user, result_of(f->first_error, &f->call->error));
    flight_unref(f);
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk, (void)opaque;
    land(message->_private, message->err);
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    jg_kafka_producer *p = opaque;
    jaeger_error err = {0};
    char why[256];
    if (code != RD_KAFKA_RESP_ERR__FATAL) {
        jaeger_log(p->log, JAEGER_WARN, "Kafka producer error=\"%s\" code=%s", reason,
                   rd_kafka_err2name((rd_kafka_resp_err_t)code));
        return;
    }
    (void)rd_kafka_fatal_error(rk, why, sizeof why);
    (void)jg_fail(&err, JAEGER_INTERNAL, "the Kafka producer can send no more: %s", why);
    if (p->options.fatal)
        p->options.fatal(p->options.user, &err);
}

static int32_t round_robin(const rd_kafka_topic_t *topic, const void *key, size_t key_len, int32_t partitions,
                           void *opaque, void *message_opaque)
{
    (void)key, (void)key_len, (void)message_opaque;
    jg_kafka_producer *p = opaque;
    for (int32_t tries = 0; tries < partitions; tries++) {
        unsigned turn = __atomic_fetch_add(&p->turn, 1, __ATOMIC_RELAXED);
        int32_t partition = (int32_t)(turn % (unsigned)partitions);
        if (rd_kafka_topic_partition_available(topic, partition))
            return partition;
    }
    return 0;
}

static void *poll_reports(void *arg)
{
    jg_kafka_producer *p = arg;
    while (!__atomic_load_n(&p->stopping, __ATOMIC_ACQUIRE))
        (void)rd_kafka_poll(p->rk, POLL_MS);
    return NULL;
}

/* ---- life ---- */

static void set_partitioner(rd_kafka_conf_t *conf, jg_kafka_producer *p, jaeger_error *err)
{
    if (p->options.partitioner != JG_KAFKA_ROUND_ROBIN) {
        jg_kafka_conf_set(conf, "partitioner",
                          p->options.partitioner == JG_KAFKA_MURMUR2 ? "murmur2_random" : "fnv1a_random",
                          err);
        return;
    }
    rd_kafka_topic_conf_t *topic = rd_kafka_topic_conf_new();
    rd_kafka_topic_conf_set_partitioner_cb(topic, round_robin);
    rd_kafka_topic_conf_set_opaque(topic, p);
    rd_kafka_conf_set_default_topic_conf(conf, topic);
}

static rd_kafka_conf_t *make_conf(jg_kafka_producer *p, jaeger_error *err)
{
    const jg_kafka_producer_settings *s = p->options.settings;
    jaeger_str acks = jaeger_config_text(s->required_acks);
    rd_kafka_conf_t *conf = jg_kafka_conf_new(p->options.client, err);
    if (!conf)
        return NULL;
    set_partitioner(conf, p, err); /* first: it replaces the topic's defaults */
    bool all = acks_are_all(acks);
    jg_kafka_conf_set(conf, "enable.idempotence", all ? "true" : "false", err);
    jg_kafka_conf_set(conf, "acks", all ? "all" : acks.ptr, err);
    jg_kafka_conf_num(conf, "message.max.bytes", (int64_t)s->max_message_bytes, err);
    jg_kafka_conf_num(conf, "batch.num.messages", s->flush_max_messages, err);
    jg_kafka_conf_ms(conf, "linger.ms", s->linger_ns, err);
    jg_kafka_conf_ms(conf, "message.timeout.ms", p->options.timeout_ns, err);
    jg_kafka_conf_num(conf, "queue.buffering.max.kbytes", JG_KAFKA_PRODUCER_BYTES_MAX / 1024, err);
    jg_kafka_conf_num(conf, "queue.buffering.max.messages", JG_KAFKA_PRODUCER_RECORDS_MAX, err);
    jg_kafka_conf_set(conf, "compression.codec", compressions[s->compression], err);
    if (s->compression_params.level)
        jg_kafka_conf_num(conf, "compression.level", s->compression_params.level, err);
    if (!s->allow_auto_topic_creation)
        jg_kafka_conf_set(conf, "allow.auto.create.topics", "false", err);
    jg_kafka_conf_more(conf, p->options.client, err);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_opaque(conf, p);
    if (err->status == JAEGER_OK)
        return conf;
    rd_kafka_conf_destroy(conf);
    return NULL;
}

static jaeger_status open_client(jg_kafka_producer *p, jaeger_error *err)
{
    char why[256];
    *err = (jaeger_error){0};
    rd_kafka_conf_t *conf = make_conf(p, err);
    if (!conf)
        return err->status;
    p->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (!p->rk) {
        rd_kafka_conf_destroy(conf);
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "librdkafka: %s", why);
    }
    jg_kafka_client_warn(p->options.client, p->log);
    p->polling = pthread_create(&p->poller, NULL, poll_reports, p) == 0;
    if (!p->polling)
        return jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "no thread for Kafka");
    (void)pthread_setname_np(p->poller, "jg-kafka");
    return JAEGER_OK;
}

jaeger_status jg_kafka_producer_new(const jg_kafka_producer_options *options, jg_kafka_producer **ret,
                                    jaeger_error *err)
{
    jaeger_error own = {0};
    jg_kafka_producer *p = jg_calloc(1, sizeof *p);
    if (!p)
        return jg_fail_oom(err);
    p->log = options->log;
    p->options = *options;
    (void)pthread_mutex_init(&p->topics_mutex, NULL);
    jaeger_status status = open_client(p, &own);
    if (status != JAEGER_OK) {
        jg_kafka_producer_free(p, 0);
        if (err)
            *err = own;
        return status;
    }
    *ret = p;
    return JAEGER_OK;
}

static void close_client(jg_kafka_producer *p, uint64_t deadline_ns)
{
    uint64_t now = jg_clock_mono_ns();
    uint64_t left_ms = deadline_ns > now ? (deadline_ns - now) / JG_NS_PER_MS : 0;
    (void)rd_kafka_flush(p->rk, (int)JG_MIN(left_ms, 3600000u));
    (void)rd_kafka_purge(p->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    (void)rd_kafka_flush(p->rk, POLL_MS); /* serves the reports of what was purged */
    __atomic_store_n(&p->stopping, 1, __ATOMIC_RELEASE);
    if (p->polling)
        (void)pthread_join(p->poller, NULL);
    while (rd_kafka_poll(p->rk, 0)) {
    }
    for (size_t i = 0; i < p->topics.cap; i++)
        if (p->topics.slots[i].key.ptr)
            rd_kafka_topic_destroy(p->topics.slots[i].value);
    rd_kafka_destroy(p->rk);
}

void jg_kafka_producer_free(jg_kafka_producer *p, uint64_t deadline_ns)
{
    if (!p)
        return;
    if (p->rk)
        close_client(p, deadline_ns);
    jg_map_done(&p->topics);
    (void)pthread_mutex_destroy(&p->topics_mutex);
    jg_free(p);
}

void jg_kafka_producer_abandon(jg_kafka_producer *p)
{
    (void)rd_kafka_purge(p->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
}

/* ---- flights ---- */

jg_kafka_flight *jg_kafka_flight_new(jg_kafka_producer *producer)
{
    jg_kafka_flight *f = jg_calloc(1, sizeof *f);
    if (!f)
        return NULL;
    jg_cond_init(&f->landed_cond);
    (void)pthread_mutex_init(&f->mutex, NULL);
    f->producer = producer;
    f->buf = JG_BUF_INIT(JG_KAFKA_FLIGHT_BYTES_MAX);
    f->refs = 1;
    return f;
}

void jg_kafka_flight_free(jg_kafka_flight *f)
{
    if (f)
        flight_unref(f);
}

jg_buf *jg_kafka_flight_buf(jg_kafka_flight *f)
{
    return &f->buf;
}

void jg_kafka_flight_headers(jg_kafka_flight *f, const jaeger_pair *headers, size_t count)
{
    f->headers = headers;
    f->header_count = count;
}

size_t jg_kafka_flight_count(const jg_kafka_flight *f)
{
    return f->count;
}

void jg_kafka_flight_add(jg_kafka_flight *f, jaeger_str topic, size_t key_at, size_t value_at)
{
    if (f->count == f->cap) {
        size_t cap = f->cap ? f->cap * 2 : 4;
        record *records = jg_realloc(f->records, cap * sizeof *records);
        if (!records) {
            f->failed = true;
            return;
        }
        f->records = records;
        f->cap = cap;
    }
    f->records[f->count++] = (record){topic, key_at, value_at, f->buf.len};
}

/** The handle of a topic, made at its first use. @return NULL with the text */
static rd_kafka_topic_t *find_topic(jg_kafka_producer *p, jaeger_str name, jaeger_error *err)
{
    char z[256];
    bool is_new;
    if (!name.len || name.len >= sizeof z) {
        (void)jg_fail(err, JAEGER_INVALID_ARGUMENT, "a Kafka topic has between 1 and 249 characters");
        return NULL;
    }
    (void)pthread_mutex_lock(&p->topics_mutex);
    rd_kafka_topic_t *topic = jg_map_get(&p->topics, name);
    if (!topic && p->topics.count >= JG_KAFKA_TOPICS_MAX) {
        (void)jg_fail(err, JAEGER_INVALID_ARGUMENT, "more than %u Kafka topics", JG_KAFKA_TOPICS_MAX);
    } else if (!topic) {
        memcpy(z, name.ptr, name.len);
        z[name.len] = 0;
        topic = rd_kafka_topic_new(p->rk, z, NULL);
        jg_map_entry *entry =
            topic ? jg_map_put(&p->topics, jg_str(rd_kafka_topic_name(topic)), &is_new) : NULL;
        if (entry) {
            entry->value = topic;
        } else {
            (void)jg_fail(err, topic ? JAEGER_RESOURCE_EXHAUSTED : jg_kafka_status(rd_kafka_last_error()),
                          "Kafka topic %s: %s", z,
                          topic ? "out of memory" : rd_kafka_err2str(rd_kafka_last_error()));
            if (topic)
                rd_kafka_topic_destroy(topic);
            topic = NULL;
        }
    }
    (void)pthread_mutex_unlock(&p->topics_mutex);
    return topic;
}

static rd_kafka_headers_t *make_headers(const jg_kafka_flight *f)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(f->header_count);
    for (size_t i = 0; i < f->header_count; i++)
        (void)rd_kafka_header_add(headers, f->headers[i].key.ptr, (ssize_t)f->headers[i].key.len,
                                  f->headers[i].value.ptr, (ssize_t)f->headers[i].value.len);
    return headers;
}

/** Hand one record to librdkafka. */
static jaeger_status produce(jg_kafka_flight *f, const record *r, rd_kafka_topic_t *topic, jaeger_error *err)
{
    rd_kafka_vu_t fields[RECORD_FIELDS];
    size_t n = 0, key_len = r->value_at - r->key_at;
    fields[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = topic};
    fields[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_VALUE,
                                  .u.mem = {f->buf.data + r->value_at, r->end - r->value_at}};
    fields[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = f};
    if (key_len)
        fields[n++] =
            (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {f->buf.data + r->key_at, key_len}};
    rd_kafka_headers_t *headers = f->header_count ? make_headers(f) : NULL;
    if (headers)
        fields[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers};
    (void)pthread_mutex_lock(&f->mutex);
    f->under_way++;
    (void)pthread_mutex_unlock(&f->mutex);
    __atomic_add_fetch(&f->refs, 1, __ATOMIC_RELAXED);
    rd_kafka_error_t *failed = rd_kafka_produceva(f->producer->rk, fields, n);
    if (!failed)
        return JAEGER_OK;
    int code = rd_kafka_error_code(failed);
    (void)jg_fail(err, jg_kafka_status(code), "Kafka: %s", rd_kafka_error_string(failed));
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        err->retry_after_ms = JG_RETRY_AFTER_MS;
    rd_kafka_error_destroy(failed);
    if (headers)
        rd_kafka_headers_destroy(headers);
    land(f, 0);
    return err->status;
}

static jaeger_status produce_all(jg_kafka_flight *f, jaeger_error *err)
{
    jaeger_str name = {0};
    rd_kafka_topic_t *topic = NULL;
    for (size_t i = 0; i < f->count; i++) {
        if (!topic || !jg_str_eq(name, f->records[i].topic)) {
            name = f->records[i].topic;
            topic = find_topic(f->producer, name, err);
            if (!topic)
                return err->status;
        }
        JG_TRY(produce(f, &f->records[i], topic, err));
    }
    return JAEGER_OK;
}

/** Wait until no record is under way. */
static jaeger_status await(jg_kafka_flight *f, jaeger_call *call)
{
    int timed_out = 0, code;
    uint64_t now = jg_clock_mono_ns();
    struct timespec until = jg_cond_after(call->deadline_ns > now ? call->deadline_ns - now : 0);
    (void)pthread_mutex_lock(&f->mutex);
    while (f->under_way && !timed_out)
        timed_out = call->deadline_ns ? pthread_cond_timedwait(&f->landed_cond, &f->mutex, &until)
                                      : pthread_cond_wait(&f->landed_cond, &f->mutex);
    bool all = !f->under_way;
    code = f->first_error;
    (void)pthread_mutex_unlock(&f->mutex);
    if (code)
        return result_of(code, &call->error);
    return all ? JAEGER_OK
               : jg_fail(&call->error, JAEGER_DEADLINE_EXCEEDED, "no answer from Kafka before the deadline");
}

static jaeger_status check_flight(const jg_kafka_flight *f, jaeger_error *err)
{
    return f->failed || !jg_buf_ok(&f->buf)
               ? jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "batch is too large to encode")
               : JAEGER_OK;
}

jaeger_status jg_kafka_flight_send(jg_kafka_flight *f, jaeger_call *call)
{
    JG_TRY(check_flight(f, &call->error));
    JG_TRY(produce_all(f, &call->error));
    return await(f, call);
}

jaeger_status jg_kafka_flight_start(jg_kafka_flight *f, jaeger_call *call,
                                    void (*landed)(void *user, jaeger_status status), void *user)
{
    JG_TRY(check_flight(f, &call->error));
    f->under_way = 1; /* so that none of the records is the last one to land before all are sent */
    jaeger_status status = produce_all(f, &call->error);
    (void)pthread_mutex_lock(&f->mutex);
    bool pending = --f->under_way > 0 && status == JAEGER_OK;
    int code = f->first_error;
    if (pending) {
        f->landed = landed;
        f->user = user;
        f->call = call;
    }
    (void)pthread_mutex_unlock(&f->mutex);
    if (pending)
        return JAEGER_PENDING;
    return status == JAEGER_OK ? result_of(code, &call->error) : status;
}
