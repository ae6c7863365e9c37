/* SPDX-License-Identifier: Apache-2.0
 * See metrics_edit.h.
 */
#include "model/metrics_edit.h"

#include "core/alloc.h"
#include "core/err.h"
#include "core/limits.h"
#include "model/batch.h"

typedef struct edit {
    const jg_metric_editor *by;
    jg_buf *out;
    bool changed;
} edit;

static void copy_field(edit *e, const jg_pb_field *f, const uint8_t *end)
{
    jg_buf_append(e->out, f->start, (size_t)(end - f->start));
}

/** @return false: it is left out */
static bool edit_point(edit *e, const jg_metric_point *metric, jaeger_str metric_body, const jg_pb_field *f,
                       const uint8_t *end)
{
    jg_metric_point point;
    size_t before = e->out->len, mark = jg_pb_begin(e->out, JG_OTLP_DATA_POINTS, 2);
    jg_metric_verdict verdict = jg_metric_point_read(metric, jg_pb_str(f), &point)
                                    ? e->by->point(e->by->self, &point, metric_body, e->out)
                                    : JG_METRIC_KEEP;
    e->changed |= verdict != JG_METRIC_KEEP;
    if (verdict == JG_METRIC_WRITTEN) {
        jg_pb_end(e->out, mark, 2);
        return true;
    }
    e->out->len = before;
    if (verdict == JG_METRIC_KEEP)
        copy_field(e, f, end);
    return verdict == JG_METRIC_KEEP;
}

/** @return false: all its points were left out */
static bool edit_data(edit *e, const jg_metric_point *metric, jaeger_str metric_body, jaeger_str data)
{
    size_t points = 0, kept = 0;
    jg_pb pb = jg_pb_of_str(data);
    for (jg_pb_field f; jg_pb_next(&pb, &f);) {
        if (f.number != JG_OTLP_DATA_POINTS || f.wire != JG_PB_LEN) {
            copy_field(e, &f, pb.pos);
            continue;
        }
        points++;
        kept += edit_point(e, metric, metric_body, &f, pb.pos);
    }
    return !points || kept;
}

static bool edit_metric(edit *e, const jg_metric_point *scope, jaeger_str body)
{
    jg_metric_point metric;
    jaeger_str data;
    if (jg_metric_read(scope, body, &metric, &data) && e->by->metric &&
        e->by->metric(e->by->self, &metric, body, data) == JG_METRIC_LEAVE_OUT)
        return false;
    if (!e->by->point || !data.ptr) {
        jg_buf_str(e->out, body);
        return true;
    }
    bool kept = true;
    jg_pb pb = jg_pb_of_str(body);
    for (jg_pb_field f; jg_pb_next(&pb, &f);) {
        if (f.ptr != (const uint8_t *)data.ptr || f.wire != JG_PB_LEN) {
            copy_field(e, &f, pb.pos);
            continue;
        }
        size_t mark = jg_pb_begin(e->out, f.number, 3);
        kept = edit_data(e, &metric, body, data);
        jg_pb_end(e->out, mark, 3);
    }
    return kept;
}

/** ResourceMetrics or ScopeMetrics. @return false: nothing of it is left */
static bool edit_group(edit *e, const jg_metric_point *above, jaeger_str body, bool is_scope)
{
    jg_metric_point here = *above;
    size_t items = 0, kept = 0;
    jg_metrics_group_read(body, is_scope, &here);
    jg_metric_verdict (*ask)(void *, const jg_metric_point *) = is_scope ? e->by->scope : e->by->resource;
    if (ask && ask(e->by->self, &here) == JG_METRIC_LEAVE_OUT)
        return false;
    jg_pb pb = jg_pb_of_str(body);
    for (jg_pb_field f; jg_pb_next(&pb, &f);) {
        if (f.number != JG_OTLP_METRICS_ITEMS || f.wire != JG_PB_LEN) {
            copy_field(e, &f, pb.pos);
            continue;
        }
        size_t before = e->out->len, mark = jg_pb_begin(e->out, JG_OTLP_METRICS_ITEMS, 3);
        bool left =
            is_scope ? edit_metric(e, &here, jg_pb_str(&f)) : edit_group(e, &here, jg_pb_str(&f), true);
        items++;
        kept += left;
        e->changed |= !left;
        if (left)
            jg_pb_end(e->out, mark, 3);
        else
            e->out->len = before;
    }
    return !items || kept;
}

bool jg_metrics_edit(jaeger_str message, const jg_metric_editor *editor, jg_buf *out, bool *ret_changed)
{
    edit e = {.by = editor, .out = out};
    const jg_metric_point none = {0};
    bool any = false;
    jg_pb pb = jg_pb_of_str(message);
    for (jg_pb_field f; jg_pb_next(&pb, &f);) {
        if (f.number != JG_OTLP_RESOURCE_METRICS || f.wire != JG_PB_LEN) {
            copy_field(&e, &f, pb.pos);
            continue;
        }
        size_t before = out->len, mark = jg_pb_begin(out, JG_OTLP_RESOURCE_METRICS, 3);
        bool left = edit_group(&e, &none, jg_pb_str(&f), false);
        any |= left;
        e.changed |= !left;
        if (left)
            jg_pb_end(out, mark, 3);
        else
            out->len = before;
    }
    *ret_changed |= e.changed;
    return any;
}

static void release_bytes(void *user, void *bytes, size_t len)
{
    (void)user, (void)len;
    jg_free(bytes);
}

jaeger_status jg_metrics_edit_batch(jaeger_batch **batch, const jg_metric_editor *editor, jaeger_error *err)
{
    JG_AUTO_BUF jg_buf out = JG_BUF_INIT(2 * JG_HTTP_BODY_BYTES_MAX + jaeger_batch_otlp_size(*batch));
    jaeger_str part;
    jaeger_batch *edited = NULL;
    bool changed = false, any = false;
    for (size_t i = 0; jg_batch_payload(*batch, i, &part); i++)
        any |= jg_metrics_edit(part, editor, &out, &changed);
    if (!jg_buf_ok(&out))
        return jg_fail_oom(err);
    if (!changed)
        return JAEGER_OK;
    if (any) {
        size_t len;
        void *bytes = jg_buf_take(&out, &len);
        jaeger_context origin;
        JG_TRY(jaeger_batch_from_otlp_metrics(bytes, len, release_bytes, NULL, &edited, err));
        if (jg_batch_origin(*batch, &origin))
            jg_batch_set_origin(edited, &origin);
    }
    jaeger_batch_unref(*batch);
    *batch = edited;
    return JAEGER_OK;
}
