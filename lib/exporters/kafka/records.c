/* SPDX-License-Identifier: Apache-2.0
 * See records.h. The usual batch is one record, written without any regrouping. Otherwise span indexes are
 * sorted by topic and trace, and each run becomes a batch that shares the wire buffers.
 */
#include "exporters/kafka/records.h"

#include "core/alloc.h"
#include "core/err.h"
#include "core/str.h"
#include "model/batch.h"
#include "wire/jaeger_model_json.h"
#include "wire/jaeger_pb.h"
#include "wire/otlp_json.h"
#include "wire/zipkin.h"
#include <stdlib.h>

typedef struct work {
    const jg_kafka_plan *plan;
    jg_kafka_flight *flight;
    size_t too_large;
    jaeger_error *err;
} work;

static jaeger_str topic_of(const jg_kafka_plan *plan, const jaeger_span_group *group)
{
    jaeger_attr attr;
    if (plan->topic_attribute.len &&
        jaeger_find_attr(jaeger_resource_attrs(group), plan->topic_attribute, &attr) &&
        attr.value.type == JAEGER_VALUE_STRING && attr.value.u.s.len)
        return attr.value.u.s;
    return plan->topic;
}

/** Jaeger's text of an id: 16 digits if the high half is zero. */
static void write_jaeger_key(jg_buf *out, const uint8_t trace_id[16])
{
    size_t skip = jg_id_is_zero(trace_id, 8) ? 8 : 0;
    if (!jg_buf_reserve(out, 32))
        return;
    jg_hex_encode(trace_id + skip, 16 - skip, (char *)out->data + out->len);
    out->len += 2 * (16 - skip);
}

/** @return the place after the key */
static size_t write_key(const work *w, jg_buf *out, const uint8_t trace_id[16])
{
    if (!w->plan->by_trace) {
        jg_buf_str(out, w->plan->key);
    } else if (jg_buf_reserve(out, 32)) {
        jg_hex_encode(trace_id, 16, (char *)out->data + out->len);
        out->len += 32;
    }
    return out->len;
}

/* ---- one span a record ---- */

static void write_span(const work *w, jg_buf *out, const jaeger_span *span)
{
    if (w->plan->encoding == JG_KAFKA_JAEGER_PROTO) {
        jg_jaeger_pb_write_span(out, span, true);
    } else {
        jg_json_out json = JG_JSON_OUT_INIT(out);
        json.html = true;
        jg_jaeger_model_json_write(&json, span);
    }
}

static void add_each_span(work *w, const jaeger_batch *batch)
{
    const jaeger_span *spans = jaeger_batch_spans(batch);
    jg_buf *out = jg_kafka_flight_buf(w->flight);
    for (size_t i = 0; i < jaeger_batch_span_count(batch); i++) {
        size_t key_at = out->len;
        write_jaeger_key(out, spans[i].trace_id);
        size_t value_at = out->len;
        write_span(w, out, &spans[i]);
        if (jg_buf_ok(out) && out->len - key_at > w->plan->bytes_max) {
            out->len = key_at;
            w->too_large++;
            continue;
        }
        jg_kafka_flight_add(w->flight, topic_of(w->plan, spans[i].group), key_at, value_at);
    }
}

/* ---- many spans a record ---- */

static jaeger_status encode(work *w, jg_buf *out, const jaeger_batch *batch)
{
    switch (w->plan->encoding) {
    case JG_KAFKA_OTLP_JSON: {
        jg_json_out json = JG_JSON_OUT_INIT(out);
        jg_otlp_json_write(&json, batch);
        return JAEGER_OK;
    }
    case JG_KAFKA_ZIPKIN_PROTO:
        return jg_zipkin_pb_write(out, batch, w->err);
    case JG_KAFKA_ZIPKIN_JSON:
        return jg_zipkin_json_write(out, batch, w->err);
    default:
        if (jg_buf_reserve(out, jaeger_batch_otlp_size(batch))) {
            jaeger_batch_write_otlp(batch, out->data + out->len);
            out->len += jaeger_batch_otlp_size(batch);
        }
        return JAEGER_OK;
    }
}

/** Known to be larger than a record, before it is written. */
static bool is_surely_large(const work *w, const jaeger_batch *batch)
{
    return w->plan->encoding == JG_KAFKA_OTLP_PROTO && jaeger_batch_otlp_size(batch) > w->plan->bytes_max;
}

static jaeger_status add_record(work *w, jaeger_batch *batch);

/** Both halves of a batch; a single span is counted. The depth of the recursion is the logarithm of the
 * spans. */
static jaeger_status add_halves(work *w, jaeger_batch *batch)
{
    size_t count = jaeger_batch_span_count(batch), half = count / 2;
    if (count < 2) {
        w->too_large++;
        return JAEGER_OK;
    }
    JG_AUTO_FREE uint32_t *indexes = jg_alloc(count * sizeof *indexes);
    if (!indexes)
        return jg_fail_oom(w->err);
    for (size_t i = 0; i < count; i++)
        indexes[i] = (uint32_t)i;
    JG_AUTO_BATCH jaeger_batch *first = NULL;
    JG_AUTO_BATCH jaeger_batch *second = NULL;
    JG_TRY(jg_batch_select(batch, indexes, half, &first, w->err));
    JG_TRY(jg_batch_select(batch, indexes + half, count - half, &second, w->err));
    JG_TRY(add_record(w, first));
    return add_record(w, second);
}

/** One record of all spans, which have one topic and, if that counts, one trace. */
static jaeger_status add_record(work *w, jaeger_batch *batch)
{
    jg_buf *out = jg_kafka_flight_buf(w->flight);
    const jaeger_span *first = jaeger_batch_spans(batch);
    if (is_surely_large(w, batch))
        return add_halves(w, batch);
    size_t key_at = out->len, value_at = write_key(w, out, first->trace_id);
    JG_TRY(encode(w, out, batch));
    if (jg_buf_ok(out) && out->len - key_at > w->plan->bytes_max) {
        out->len = key_at;
        return add_halves(w, batch);
    }
    jg_kafka_flight_add(w->flight, topic_of(w->plan, first->group), key_at, value_at);
    return JAEGER_OK;
}

/* ---- grouping ---- */

typedef struct sorting {
    const jg_kafka_plan *plan;
    const jaeger_span *spans;
} sorting;

static int compare_groups(const sorting *s, uint32_t a, uint32_t b)
{
    const jaeger_span *x = &s->spans[a], *y = &s->spans[b];
    if (s->plan->topic_attribute.len && x->group->resource_index != y->group->resource_index) {
        int order = jg_str_cmp(topic_of(s->plan, x->group), topic_of(s->plan, y->group));
        if (order)
            return order;
    }
    return s->plan->by_trace ? memcmp(x->trace_id, y->trace_id, 16) : 0;
}

static int compare(const void *a, const void *b, void *user)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    int order = compare_groups(user, x, y);
    return order ? order : x < y ? -1 : x > y; /* spans keep their order */
}

static jaeger_status add_groups(work *w, jaeger_batch *batch)
{
    size_t count = jaeger_batch_span_count(batch);
    sorting s = {w->plan, jaeger_batch_spans(batch)};
    JG_AUTO_FREE uint32_t *indexes = jg_alloc(count * sizeof *indexes);
    if (!indexes)
        return jg_fail_oom(w->err);
    for (size_t i = 0; i < count; i++)
        indexes[i] = (uint32_t)i;
    qsort_r(indexes, count, sizeof *indexes, compare, &s);
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && compare_groups(&s, indexes[from], indexes[to]) == 0;)
            to++;
        JG_AUTO_BATCH jaeger_batch *part = NULL;
        JG_TRY(jg_batch_select(batch, indexes + from, to - from, &part, w->err));
        JG_TRY(add_record(w, part));
    }
    return JAEGER_OK;
}

jaeger_status jg_kafka_records_add(const jg_kafka_plan *plan, jaeger_batch *batch, jg_kafka_flight *flight,
                                   size_t *ret_too_large, jaeger_error *err)
{
    work w = {.plan = plan, .flight = flight, .err = err};
    jaeger_status status = JAEGER_OK;
    if (!jaeger_batch_span_count(batch))
        status = JAEGER_OK;
    else if (plan->encoding == JG_KAFKA_JAEGER_PROTO || plan->encoding == JG_KAFKA_JAEGER_JSON)
        add_each_span(&w, batch);
    else if (plan->by_trace || plan->topic_attribute.len)
        status = add_groups(&w, batch);
    else
        status = add_record(&w, batch);
    *ret_too_large = w.too_large;
    return status;
}
