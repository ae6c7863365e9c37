/* SPDX-License-Identifier: Apache-2.0
 * The tracer: a fixed set of span objects moves between two lock-free queues, `idle` and `ended`. A span
 * writes its OTLP bytes while it runs, into a buffer that is kept for the next span; the tracer's thread
 * joins ended spans to batches.
 */
#include "core/alloc.h"
#include "core/clock.h"
#include "core/cond.h"
#include "core/err.h"
#include "core/hash.h"
#include "core/pb.h"
#include "core/str.h"
#include "model/otlp_fields.h"
#include "tracer/ring.h"
#include <jaeger/tracer.h>
#include <pthread.h>
#include <sys/random.h>

#define SPANS_MAX_DEFAULT      2048u
#define SPAN_BYTES_MAX_DEFAULT (64u << 10)
#define SPAN_BYTES_KEPT        4096u /* larger buffers are given back after their span */
#define FLUSH_INTERVAL_DEFAULT (200 * JG_NS_PER_MS)
#define BATCH_BYTES_MAX        (4u << 20) /* gRPC's default message limit, should the consumer send it on */
#define BATCH_SPANS_DEFAULT    512u
#define RETRY_MAX              5 /* then the batch counts as failed */
#define STOP_NS                (5 * JG_NS_PER_S)

struct jaeger_live_span {
    jaeger_tracer *tracer;
    jg_buf buf; /* body of the Span message */
    jaeger_context context;
    uint32_t dropped_attributes;
};

struct jaeger_tracer {
    jaeger_consumer out;
    jaeger_trace_sampler sampler;
    jg_buf resource, scope; /* message bodies */
    jg_ring idle, ended;
    jaeger_live_span *spans;
    uint32_t span_count, batch_spans_max;
    unsigned propagators;
    uint64_t flush_interval_ns;
    uint64_t ids; /* counter behind the random ids */
    uint64_t seed[2];
    jaeger_tracer_stats stats;
    pthread_mutex_t wake_mutex;
    pthread_cond_t wake, flushed;
    uint64_t flushes_asked, flushes_done;
    bool stopping;
    pthread_t thread;
    bool has_thread;
};

/* ---- ids
 * ------------------------------------------------------------------------------------------------------- */

/** Random enough for ids: a counter hashed with a secret seed. Never zero. */
static void make_id(jaeger_tracer *tracer, uint8_t *id, size_t n)
{
    uint64_t counter = __atomic_add_fetch(&tracer->ids, 1, __ATOMIC_RELAXED);
    for (size_t i = 0; i < n; i += 8) {
        uint64_t part = jg_hash(&counter, sizeof counter, tracer->seed[i / 8]) | 1;
        memcpy(id + i, &part, 8);
    }
}

/* ---- a span
 * ---------------------------------------------------------------------------------------------------- */

jaeger_live_span *jaeger_span_begin(jaeger_tracer *tracer, const jaeger_context *parent, jaeger_str name,
                                    uint32_t kind)
{
    return jaeger_span_begin_at(tracer, parent, name, kind, jg_clock_unix_ns());
}

static void write_head(jaeger_live_span *span, const jaeger_context *parent, jaeger_str name, uint32_t kind,
                       uint64_t start_unix_ns)
{
    jg_buf *buf = &span->buf;
    jg_pb_write_bytes(buf, JG_OTLP_SPAN_TRACE_ID, span->context.trace_id, 16);
    jg_pb_write_bytes(buf, JG_OTLP_SPAN_SPAN_ID, span->context.span_id, 8);
    if (span->context.trace_state_len)
        jg_pb_write_bytes(buf, JG_OTLP_SPAN_TRACE_STATE, span->context.trace_state,
                          span->context.trace_state_len);
    if (parent)
        jg_pb_write_bytes(buf, JG_OTLP_SPAN_PARENT_SPAN_ID, parent->span_id, 8);
    jg_pb_write_str(buf, JG_OTLP_SPAN_NAME, name);
    if (kind)
        jg_pb_write_varint(buf, JG_OTLP_SPAN_KIND, kind);
    jg_pb_write_fixed64(buf, JG_OTLP_SPAN_START, start_unix_ns);
    /* SpanFlags: the low byte is W3C's; 0x100 says that "is remote" is known, 0x200 that it is so */
    uint32_t flags = 1u | 0x100u | (parent && parent->remote ? 0x200u : 0);
    jg_pb_write_fixed32(buf, JG_OTLP_SPAN_FLAGS, flags);
}

static bool is_sampled(const jaeger_trace_sampler *sampler, const uint8_t trace_id[16], jaeger_str name,
                       jaeger_sample *ret)
{
    if (sampler->sample_as)
        return sampler->sample_as(sampler->self, trace_id, name, ret);
    return !sampler->sample || sampler->sample(sampler->self, trace_id, name);
}

jaeger_live_span *jaeger_span_begin_at(jaeger_tracer *tracer, const jaeger_context *parent, jaeger_str name,
                                       uint32_t kind, uint64_t start_unix_ns)
{
    jaeger_context context = {.sampled = true};
    jaeger_sample sample = {0};
    if (parent && jg_id_is_zero(parent->trace_id, 16))
        parent = NULL;
    if (parent) {
        if (!parent->sampled)
            return NULL;
        context = *parent;
        context.remote = false;
    } else {
        make_id(tracer, context.trace_id, 16);
        if (!is_sampled(&tracer->sampler, context.trace_id, name, &sample))
            return NULL;
    }
    jaeger_live_span *span = jg_ring_pop(&tracer->idle);
    if (!span) {
        __atomic_add_fetch(&tracer->stats.dropped, 1, __ATOMIC_RELAXED);
        return NULL;
    }
    make_id(tracer, context.span_id, 8);
    span->context = context;
    span->dropped_attributes = 0;
    jg_buf_clear(&span->buf);
    write_head(span, parent, name, kind, start_unix_ns);
    if (sample.type) {
        jaeger_span_set_str(span, JAEGER_STR("sampler.type"), jg_str(sample.type));
        jaeger_span_set_double(span, JAEGER_STR("sampler.param"), sample.param);
    }
    return span;
}

/** What does not fit is taken back whole, so that the bytes stay a valid message. */
static void keep_or_undo(jaeger_live_span *span, size_t len_before, uint32_t attributes)
{
    if (jg_buf_ok(&span->buf))
        return;
    span->buf.failed = false;
    span->buf.len = len_before;
    span->dropped_attributes += attributes;
}

#define SET_ATTR(span, key, write_value)                                                                     \
    do {                                                                                                     \
        if (!(span))                                                                                         \
            return;                                                                                          \
        jg_buf *buf = &(span)->buf;                                                                          \
        size_t before = buf->len, attr = jg_pb_begin(buf, JG_OTLP_SPAN_ATTRIBUTES, 1);                       \
        jg_pb_write_str(buf, JG_OTLP_KEY_VALUE_KEY, (key));                                                  \
        size_t any = jg_pb_begin(buf, JG_OTLP_KEY_VALUE_VALUE, 1);                                           \
        write_value;                                                                                         \
        jg_pb_end(buf, any, 1);                                                                              \
        jg_pb_end(buf, attr, 1);                                                                             \
        keep_or_undo((span), before, 1);                                                                     \
    } while (0)

void jaeger_span_set_str(jaeger_live_span *span, jaeger_str key, jaeger_str value)
{
    SET_ATTR(span, key, jg_pb_write_str(buf, JG_OTLP_ANY_STRING, value));
}

void jaeger_span_set_int(jaeger_live_span *span, jaeger_str key, int64_t value)
{
    SET_ATTR(span, key, jg_pb_write_varint(buf, JG_OTLP_ANY_INT, (uint64_t)value));
}

void jaeger_span_set_double(jaeger_live_span *span, jaeger_str key, double value)
{
    SET_ATTR(span, key, jg_pb_write_double(buf, JG_OTLP_ANY_DOUBLE, value));
}

void jaeger_span_set_bool(jaeger_live_span *span, jaeger_str key, bool value)
{
    SET_ATTR(span, key, jg_pb_write_varint(buf, JG_OTLP_ANY_BOOL, value));
}

static void write_pair(jg_buf *buf, uint32_t field, const jaeger_pair *pair)
{
    size_t attr = jg_pb_begin(buf, field, 1);
    jg_pb_write_str(buf, JG_OTLP_KEY_VALUE_KEY, pair->key);
    size_t any = jg_pb_begin(buf, JG_OTLP_KEY_VALUE_VALUE, 1);
    jg_pb_write_str(buf, JG_OTLP_ANY_STRING, pair->value);
    jg_pb_end(buf, any, 1);
    jg_pb_end(buf, attr, 1);
}

void jaeger_span_add_event(jaeger_live_span *span, jaeger_str name, const jaeger_pair *attrs, size_t count)
{
    if (!span)
        return;
    jg_buf *buf = &span->buf;
    size_t before = buf->len, event = jg_pb_begin(buf, JG_OTLP_SPAN_EVENTS, 1);
    jg_pb_write_fixed64(buf, JG_OTLP_EVENT_TIME, jg_clock_unix_ns());
    jg_pb_write_str(buf, JG_OTLP_EVENT_NAME, name);
    for (size_t i = 0; i < count; i++)
        write_pair(buf, JG_OTLP_EVENT_ATTRIBUTES, &attrs[i]);
    jg_pb_end(buf, event, 1);
    keep_or_undo(span, before, 0);
}

void jaeger_span_add_link(jaeger_live_span *span, const jaeger_context *to)
{
    if (!span || jg_id_is_zero(to->trace_id, 16))
        return;
    jg_buf *buf = &span->buf;
    size_t before = buf->len, link = jg_pb_begin(buf, JG_OTLP_SPAN_LINKS, 1);
    jg_pb_write_bytes(buf, JG_OTLP_LINK_TRACE_ID, to->trace_id, 16);
    jg_pb_write_bytes(buf, JG_OTLP_LINK_SPAN_ID, to->span_id, 8);
    if (to->trace_state_len)
        jg_pb_write_bytes(buf, JG_OTLP_LINK_TRACE_STATE, to->trace_state, to->trace_state_len);
    jg_pb_write_fixed32(buf, JG_OTLP_LINK_FLAGS, (to->sampled ? 1u : 0) | 0x100u | (to->remote ? 0x200u : 0));
    jg_pb_end(buf, link, 1);
    keep_or_undo(span, before, 0);
}

void jaeger_span_set_status(jaeger_live_span *span, uint32_t code, jaeger_str message)
{
    if (!span)
        return;
    jg_buf *buf = &span->buf;
    size_t before = buf->len, status = jg_pb_begin(buf, JG_OTLP_SPAN_STATUS, 1);
    jg_pb_write_str(buf, JG_OTLP_STATUS_MESSAGE, message);
    jg_pb_write_varint(buf, JG_OTLP_STATUS_CODE, code); /* a later status wins: protobuf merges */
    jg_pb_end(buf, status, 1);
    keep_or_undo(span, before, 0);
}

bool jaeger_live_span_context(const jaeger_live_span *span, jaeger_context *ret)
{
    *ret = span ? span->context : (jaeger_context){0};
    return span != NULL;
}

void jaeger_span_end(jaeger_live_span *span)
{
    if (span)
        jaeger_span_end_at(span, jg_clock_unix_ns());
}

void jaeger_span_end_at(jaeger_live_span *span, uint64_t end_unix_ns)
{
    if (!span)
        return;
    jaeger_tracer *tracer = span->tracer;
    span->buf.max += 32; /* the fields that every span ends with always fit */
    jg_pb_write_fixed64(&span->buf, JG_OTLP_SPAN_END, end_unix_ns);
    if (span->dropped_attributes)
        jg_pb_write_varint(&span->buf, JG_OTLP_SPAN_DROPPED_ATTRIBUTES, span->dropped_attributes);
    span->buf.max -= 32;
    if (!jg_buf_ok(&span->buf)) { /* out of memory */
        __atomic_add_fetch(&tracer->stats.dropped, 1, __ATOMIC_RELAXED);
        (void)jg_ring_push(&tracer->idle, span);
        return;
    }
    __atomic_add_fetch(&tracer->stats.ended, 1, __ATOMIC_RELAXED);
    (void)jg_ring_push(&tracer->ended, span); /* both rings have room for all spans */
}

/* ---- the thread
 * ------------------------------------------------------------------------------------------------ */

/** Join ended spans to one request and give their objects back. @return how many */
static uint32_t gather(jaeger_tracer *tracer, jg_buf *request)
{
    uint32_t n = 0;
    jg_buf_clear(request);
    size_t resource_spans = jg_pb_begin(request, JG_OTLP_REQUEST_RESOURCE_SPANS, 3);
    jg_pb_write_str(request, JG_OTLP_RESOURCE_SPANS_RESOURCE, jg_buf_view(&tracer->resource));
    size_t scope_spans = jg_pb_begin(request, JG_OTLP_RESOURCE_SPANS_SCOPE_SPANS, 3);
    jg_pb_write_str(request, JG_OTLP_SCOPE_SPANS_SCOPE, jg_buf_view(&tracer->scope));
    while (n < tracer->batch_spans_max && request->len < BATCH_BYTES_MAX / 2) {
        jaeger_live_span *span = jg_ring_pop(&tracer->ended);
        if (!span)
            break;
        jg_pb_write_str(request, JG_OTLP_SCOPE_SPANS_SPANS, jg_buf_view(&span->buf));
        if (span->buf.cap > SPAN_BYTES_KEPT)
            jg_buf_done(&span->buf);
        (void)jg_ring_push(&tracer->idle, span);
        n++;
    }
    jg_pb_end(request, scope_spans, 3);
    jg_pb_end(request, resource_spans, 3);
    return n;
}

static bool sleep_or_stop(jaeger_tracer *tracer, uint64_t ns);

static void send_request(jaeger_tracer *tracer, const jg_buf *request, uint32_t n)
{
    jaeger_status status = JAEGER_RESOURCE_EXHAUSTED;
    uint64_t wait_ns = 50 * JG_NS_PER_MS;
    for (int attempt = 0; attempt < RETRY_MAX && jg_buf_ok(request); attempt++) {
        jaeger_batch *batch;
        jaeger_call call = JAEGER_CALL_INIT;
        call.deadline_ns = jg_clock_mono_ns() + STOP_NS;
        call.arena = jaeger_arena_new(16u << 20);
        status = call.arena
                     ? jaeger_batch_from_otlp(request->data, request->len, NULL, NULL, &batch, &call.error)
                     : JAEGER_RESOURCE_EXHAUSTED;
        if (status == JAEGER_OK)
            status = tracer->out.consume(tracer->out.self, batch, &call);
        jaeger_arena_free(call.arena);
        if (status == JAEGER_OK || !jg_status_is_retryable(status))
            break;
        if (attempt + 1 < RETRY_MAX && sleep_or_stop(tracer, wait_ns))
            break;
        wait_ns *= 2;
    }
    __atomic_add_fetch(status == JAEGER_OK ? &tracer->stats.sent : &tracer->stats.failed, n,
                       __ATOMIC_RELAXED);
}

/** @return true: the tracer stops */
static bool sleep_or_stop(jaeger_tracer *tracer, uint64_t ns)
{
    struct timespec until = jg_cond_after(ns);
    (void)pthread_mutex_lock(&tracer->wake_mutex);
    while (!tracer->stopping && pthread_cond_timedwait(&tracer->wake, &tracer->wake_mutex, &until) == 0)
        ;
    bool stopping = tracer->stopping;
    (void)pthread_mutex_unlock(&tracer->wake_mutex);
    return stopping;
}

static void *run(void *arg)
{
    jaeger_tracer *tracer = arg;
    JG_AUTO_BUF jg_buf request = JG_BUF_INIT(2 * BATCH_BYTES_MAX);
    bool stopping = false;
    while (!stopping) {
        struct timespec until = jg_cond_after(tracer->flush_interval_ns);
        (void)pthread_mutex_lock(&tracer->wake_mutex);
        while (!tracer->stopping && tracer->flushes_asked == tracer->flushes_done &&
               pthread_cond_timedwait(&tracer->wake, &tracer->wake_mutex, &until) == 0)
            ;
        uint64_t asked = tracer->flushes_asked;
        stopping = tracer->stopping;
        (void)pthread_mutex_unlock(&tracer->wake_mutex);
        for (uint32_t n; (n = gather(tracer, &request)) > 0;)
            send_request(tracer, &request, n);
        (void)pthread_mutex_lock(&tracer->wake_mutex);
        tracer->flushes_done = asked;
        (void)pthread_cond_broadcast(&tracer->flushed);
        (void)pthread_mutex_unlock(&tracer->wake_mutex);
    }
    return NULL;
}

jaeger_status jaeger_tracer_flush(jaeger_tracer *tracer, uint64_t timeout_ns)
{
    struct timespec until = jg_cond_after(timeout_ns);
    int timed_out = 0;
    (void)pthread_mutex_lock(&tracer->wake_mutex);
    uint64_t mine = ++tracer->flushes_asked;
    (void)pthread_cond_signal(&tracer->wake);
    while (tracer->flushes_done < mine && !timed_out)
        timed_out = pthread_cond_timedwait(&tracer->flushed, &tracer->wake_mutex, &until);
    bool done = tracer->flushes_done >= mine;
    (void)pthread_mutex_unlock(&tracer->wake_mutex);
    return done ? JAEGER_OK : JAEGER_DEADLINE_EXCEEDED;
}

unsigned jaeger_tracer_propagators(const jaeger_tracer *tracer)
{
    return tracer->propagators;
}

void jaeger_tracer_get_stats(const jaeger_tracer *tracer, jaeger_tracer_stats *ret)
{
    ret->ended = __atomic_load_n(&tracer->stats.ended, __ATOMIC_RELAXED);
    ret->sent = __atomic_load_n(&tracer->stats.sent, __ATOMIC_RELAXED);
    ret->dropped = __atomic_load_n(&tracer->stats.dropped, __ATOMIC_RELAXED);
    ret->failed = __atomic_load_n(&tracer->stats.failed, __ATOMIC_RELAXED);
}

/* ---- life
 * ------------------------------------------------------------------------------------------------------ */

static bool write_identity(jaeger_tracer *tracer, const jaeger_tracer_options *options)
{
    tracer->resource = JG_BUF_INIT(1u << 20);
    tracer->scope = JG_BUF_INIT(1u << 16);
    const jaeger_pair service = {JAEGER_STR("service.name"), options->service};
    write_pair(&tracer->resource, JG_OTLP_RESOURCE_ATTRIBUTES, &service);
    for (size_t i = 0; i < options->resource_count; i++)
        write_pair(&tracer->resource, JG_OTLP_RESOURCE_ATTRIBUTES, &options->resource[i]);
    if (options->scope_name.len)
        jg_pb_write_str(&tracer->scope, JG_OTLP_SCOPE_NAME, options->scope_name);
    if (options->scope_version.len)
        jg_pb_write_str(&tracer->scope, JG_OTLP_SCOPE_VERSION, options->scope_version);
    return jg_buf_ok(&tracer->resource) && jg_buf_ok(&tracer->scope);
}

static bool make_spans(jaeger_tracer *tracer, const jaeger_tracer_options *options)
{
    tracer->span_count = options->spans_max ? options->spans_max : SPANS_MAX_DEFAULT;
    tracer->spans = jg_calloc(tracer->span_count, sizeof *tracer->spans);
    if (!tracer->spans || !jg_ring_init(&tracer->idle, tracer->span_count) ||
        !jg_ring_init(&tracer->ended, tracer->span_count))
        return false;
    for (uint32_t i = 0; i < tracer->span_count; i++) {
        tracer->spans[i].tracer = tracer;
        tracer->spans[i].buf =
            JG_BUF_INIT(options->span_bytes_max ? options->span_bytes_max : SPAN_BYTES_MAX_DEFAULT);
        (void)jg_ring_push(&tracer->idle, &tracer->spans[i]);
    }
    return true;
}

static void init_sync(jaeger_tracer *tracer)
{
    (void)pthread_mutex_init(&tracer->wake_mutex, NULL);
    jg_cond_init(&tracer->wake);
    jg_cond_init(&tracer->flushed);
}

jaeger_status jaeger_tracer_new(const jaeger_tracer_options *in, jaeger_tracer **ret, jaeger_error *err)
{
    jaeger_tracer_options options = {0};
    memcpy(&options, in, JG_MIN(in->size, sizeof options));
    if (!options.out.consume)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "tracer: out.consume is missing");
    jaeger_tracer *tracer = jg_calloc(1, sizeof *tracer);
    if (!tracer)
        return jg_fail_oom(err);
    init_sync(tracer);
    tracer->out = options.out;
    tracer->sampler = options.sampler;
    tracer->flush_interval_ns =
        options.flush_interval_ns ? options.flush_interval_ns : FLUSH_INTERVAL_DEFAULT;
    tracer->batch_spans_max = options.batch_spans_max ? options.batch_spans_max : BATCH_SPANS_DEFAULT;
    tracer->propagators = options.propagators ? options.propagators : JAEGER_W3C;
    if (getrandom(tracer->seed, sizeof tracer->seed, 0) != sizeof tracer->seed)
        tracer->seed[0] = jg_clock_unix_ns(), tracer->seed[1] = jg_clock_mono_ns();
    if (!write_identity(tracer, &options) || !make_spans(tracer, &options)) {
        jaeger_tracer_free(tracer);
        return jg_fail_oom(err);
    }
    tracer->has_thread = pthread_create(&tracer->thread, NULL, run, tracer) == 0;
    if (!tracer->has_thread) {
        jaeger_tracer_free(tracer);
        return jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "tracer: cannot start a thread");
    }
    (void)pthread_setname_np(tracer->thread, "jaeger-tracer");
    *ret = tracer;
    return JAEGER_OK;
}

void jaeger_tracer_free(jaeger_tracer *tracer)
{
    if (!tracer)
        return;
    if (tracer->has_thread) {
        (void)pthread_mutex_lock(&tracer->wake_mutex);
        tracer->stopping = true;
        (void)pthread_cond_broadcast(&tracer->wake);
        (void)pthread_mutex_unlock(&tracer->wake_mutex);
        (void)pthread_join(tracer->thread, NULL);
    }
    for (uint32_t i = 0; tracer->spans && i < tracer->span_count; i++)
        jg_buf_done(&tracer->spans[i].buf);
    jg_free(tracer->spans);
    jg_ring_done(&tracer->idle);
    jg_ring_done(&tracer->ended);
    jg_buf_done(&tracer->resource);
    jg_buf_done(&tracer->scope);
    (void)pthread_cond_destroy(&tracer->wake);
    (void)pthread_cond_destroy(&tracer->flushed);
    (void)pthread_mutex_destroy(&tracer->wake_mutex);
    jg_free(tracer);
}
