/* SPDX-License-Identifier: Apache-2.0
 * See text.h: batches of metrics.
 */
#include "model/metrics.h"
#include "core/str.h"
#include "exporters/debug/text.h"
#include "model/batch.h"
#include "model/value_text.h"

typedef struct counter {
    jg_debug_counts n;
    const char *resource, *name; /* of the last point */
} counter;

static bool count_point(void *self, const jg_metric_point *p)
{
    counter *c = self;
    c->n.resources += !c->n.points || p->resource.ptr != c->resource;
    c->n.metrics += !c->n.points || p->name.ptr != c->name;
    c->n.points++;
    c->resource = p->resource.ptr;
    c->name = p->name.ptr;
    return true;
}

jg_debug_counts jg_debug_metric_counts(const jaeger_batch *batch)
{
    counter c = {0};
    jaeger_str part;
    for (size_t i = 0; jg_batch_payload(batch, i, &part); i++)
        (void)jg_metrics_walk(part, (jg_metric_sink){count_point, &c});
    return c.n;
}

static bool write_point(void *self, const jg_metric_point *p)
{
    jg_buf *out = self;
    jaeger_iter it = jg_point_attrs(p);
    jg_buf_printf(out, "%.*s{", JAEGER_STR_ARGS(p->name));
    bool first = true;
    for (jaeger_attr attr; jaeger_next_attr(&it, &attr); first = false) {
        jg_buf_printf(out, "%s%.*s=", first ? "" : ",", JAEGER_STR_ARGS(attr.key));
        jg_value_text(out, &attr.value);
    }
    if (p->type == JG_METRIC_GAUGE || p->type == JG_METRIC_SUM)
        jg_buf_printf(out, "} %.17g\n", p->value);
    else
        jg_buf_printf(out, "} count=%llu sum=%.17g\n", (unsigned long long)p->count, p->sum);
    return jg_buf_ok(out);
}

void jg_debug_text_metrics(jg_buf *out, const jaeger_batch *batch)
{
    jaeger_str part;
    for (size_t i = 0; jg_batch_payload(batch, i, &part); i++)
        (void)jg_metrics_walk(part, (jg_metric_sink){write_point, out});
}
