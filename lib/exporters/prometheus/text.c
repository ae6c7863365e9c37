/* SPDX-License-Identifier: Apache-2.0
 * See series.h: the page, in Prometheus' text format or OpenMetrics.
 * Spec: https://prometheus.io/docs/instrumenting/exposition_formats/,
 * https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md
 */
#include "core/alloc.h"
#include "core/clock.h"
#include "core/str.h"
#include "exporters/prometheus/series.h"
#include <math.h>
#include <stdlib.h>

typedef struct writer {
    const jg_prom_page *page;
    jg_buf *out;
} writer;

static void write_labels(writer *w, const jg_prom_series *s, const char *name, double number)
{
    jg_buf *out = w->out;
    if (!s->labels.len && !name)
        return;
    jg_buf_byte(out, '{');
    jg_buf_str(out, s->labels);
    if (name) {
        jg_buf_printf(out, "%s%s=\"", s->labels.len ? "," : "", name);
        jg_prom_write_number(out, number, w->page->open_metrics);
        jg_buf_byte(out, '"');
    }
    jg_buf_byte(out, '}');
}

static void write_exemplar(writer *w, const jg_exemplar *x)
{
    char id[32];
    jg_buf *out = w->out;
    jg_buf_lit(out, " # {");
    if (x->has_trace) {
        jg_hex_encode(x->trace_id, 16, id);
        jg_buf_printf(out, "trace_id=\"%.32s\"", id);
        jg_hex_encode(x->span_id, 8, id);
        jg_buf_printf(out, ",span_id=\"%.16s\"", id);
    }
    jg_buf_lit(out, "} ");
    jg_prom_write_number(out, x->value, true);
    if (x->time_unix_ns) {
        jg_buf_byte(out, ' ');
        jg_prom_write_number(out, (double)x->time_unix_ns / 1e9, true);
    }
}

/** The time, the exemplar, the end of the line. */
static void end_line(writer *w, const jg_prom_series *s, const jg_exemplar *exemplar)
{
    bool timed = w->page->timestamps && s->time_unix_ns; /* target_info has no time */
    if (timed && w->page->open_metrics) {
        jg_buf_byte(w->out, ' ');
        jg_prom_write_number(w->out, (double)(s->time_unix_ns / JG_NS_PER_MS) / 1e3, true);
    } else if (timed) {
        jg_buf_printf(w->out, " %llu", (unsigned long long)(s->time_unix_ns / JG_NS_PER_MS));
    }
    if (exemplar && w->page->open_metrics)
        write_exemplar(w, exemplar);
    jg_buf_byte(w->out, '\n');
}

static void write_count(writer *w, uint64_t n)
{
    jg_buf_printf(w->out, " %llu", (unsigned long long)n);
}

static void write_sum_and_count(writer *w, const jg_prom_series *s)
{
    jg_buf_str(w->out, s->family->name);
    jg_buf_lit(w->out, "_sum");
    write_labels(w, s, NULL, 0);
    jg_buf_byte(w->out, ' ');
    jg_prom_write_number(w->out, s->sum, w->page->open_metrics);
    end_line(w, s, NULL);
    jg_buf_str(w->out, s->family->name);
    jg_buf_lit(w->out, "_count");
    write_labels(w, s, NULL, 0);
    write_count(w, s->count);
    end_line(w, s, NULL);
}

/** The last exemplar of the bucket (low, high]. */
static const jg_exemplar *exemplar_in(const jg_prom_series *s, double low, double high)
{
    for (size_t i = s->exemplar_count; i-- > 0;)
        if (s->exemplars[i].value > low && s->exemplars[i].value <= high)
            return &s->exemplars[i];
    return NULL;
}

static void write_histogram(writer *w, const jg_prom_series *s)
{
    uint64_t total = 0;
    double low = -INFINITY;
    for (size_t i = 0; i <= s->bound_count; i++) {
        bool last = i == s->bound_count;
        double high = last ? INFINITY : s->bounds[i];
        total += s->counts[i];
        jg_buf_str(w->out, s->family->name);
        jg_buf_lit(w->out, "_bucket");
        write_labels(w, s, "le", high);
        write_count(w, last ? s->count : total);
        end_line(w, s, exemplar_in(s, low, high));
        low = high;
    }
    write_sum_and_count(w, s);
}

static void write_summary(writer *w, const jg_prom_series *s)
{
    for (size_t i = 0; i < s->bound_count; i++) {
        jg_buf_str(w->out, s->family->name);
        write_labels(w, s, "quantile", s->bounds[i]);
        jg_buf_byte(w->out, ' ');
        jg_prom_write_number(w->out, s->quantiles[i], w->page->open_metrics);
        end_line(w, s, NULL);
    }
    write_sum_and_count(w, s);
}

static bool ends_in_total(jaeger_str name)
{
    return name.len > 6 && memcmp(name.ptr + name.len - 6, "_total", 6) == 0;
}

static void write_number(writer *w, const jg_prom_series *s)
{
    bool counter = s->family->type == JG_PROM_COUNTER;
    jg_buf_str(w->out, s->family->name);
    if (w->page->open_metrics && counter && !ends_in_total(s->family->name))
        jg_buf_lit(w->out, "_total");
    write_labels(w, s, NULL, 0);
    jg_buf_byte(w->out, ' ');
    jg_prom_write_number(w->out, s->value, w->page->open_metrics);
    end_line(w, s, counter && s->exemplar_count ? &s->exemplars[s->exemplar_count - 1] : NULL);
}

static void write_head(writer *w, const jg_prom_family *family)
{
    static const char *const types[] = {"counter", "gauge", "histogram", "summary"};
    jaeger_str name = family->name;
    if (w->page->open_metrics && family->type == JG_PROM_COUNTER && ends_in_total(name))
        name.len -= 6;
    jg_buf_printf(w->out, "# HELP %.*s ", JAEGER_STR_ARGS(name));
    jg_prom_write_escaped(w->out, family->help, w->page->open_metrics);
    jg_buf_printf(w->out, "\n# TYPE %.*s %s\n", JAEGER_STR_ARGS(name), types[family->type]);
}

static int by_key(const void *a, const void *b)
{
    const jg_prom_series *x = *(const jg_prom_series *const *)a, *y = *(const jg_prom_series *const *)b;
    return jg_str_cmp(x->key, y->key);
}

void jg_prom_write_page(const jg_prom_store *store, const jg_prom_page *page, jg_buf *out)
{
    writer w = {page, out};
    JG_AUTO_FREE const jg_prom_series **sorted = jg_alloc((store->series.count + 1) * sizeof *sorted);
    const jg_prom_family *family = NULL;
    size_t n = 0;
    jg_map_entry e;
    if (!sorted) {
        out->failed = true;
        return;
    }
    for (size_t at = 0; jg_map_next(&store->series, &at, &e);)
        sorted[n++] = e.value;
    qsort(sorted, n, sizeof *sorted, by_key);
    for (size_t i = 0; i < n; i++) {
        if (sorted[i]->family != family)
            write_head(&w, sorted[i]->family);
        family = sorted[i]->family;
        if (family->type == JG_PROM_HISTOGRAM)
            write_histogram(&w, sorted[i]);
        else if (family->type == JG_PROM_SUMMARY)
            write_summary(&w, sorted[i]);
        else
            write_number(&w, sorted[i]);
    }
    if (page->open_metrics)
        jg_buf_lit(out, "# EOF\n");
}
