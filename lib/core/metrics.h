/* SPDX-License-Identifier: Apache-2.0
 * Metrics of a service: counters, gauges, histograms with labels, and their Prometheus text form. A registry
 * belongs to one service; there is no global one. All functions accept a NULL registry and then return an
 * instrument that counts for nobody, so callers need no checks. Format:
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
#ifndef JG_CORE_METRICS_H
#define JG_CORE_METRICS_H

#include "core/buf.h"

typedef struct jg_metrics jg_metrics;
typedef struct jg_metric jg_metric;

jg_metrics *jg_metrics_new(void);
void jg_metrics_free(jg_metrics *metrics);

/** One series, made at first use; same name and labels give the same one. `labels`: `count` pairs, copied;
 * sorted by the caller. Keep the pointer: the look-up takes a lock. Lives as long as the registry. */
jg_metric *jg_metrics_counter(jg_metrics *metrics, const char *name, const char *help,
                              const jaeger_pair *labels, size_t count);
jg_metric *jg_metrics_gauge(jg_metrics *metrics, const char *name, const char *help,
                            const jaeger_pair *labels, size_t count);
/** @param bounds upper bounds, ascending; at most 32; static */
jg_metric *jg_metrics_histogram(jg_metrics *metrics, const char *name, const char *help,
                                const jaeger_pair *labels, size_t count, const double *bounds,
                                size_t bound_count);
/** Called at each scrape, before the text is written: to set gauges that are read from elsewhere. Not
 * removable: `user` must outlive the registry or the service's stop. */
void jg_metrics_on_scrape(jg_metrics *metrics, void (*fill)(void *user), void *user);
void jg_metrics_off_scrape(jg_metrics *metrics, void *user);

void jg_metric_add(jg_metric *metric, double amount); /* counter, gauge; any thread */
void jg_metric_set(jg_metric *metric, double value);  /* gauge */
void jg_metric_observe(jg_metric *metric, double value);
double jg_metric_value(const jg_metric *metric);

void jg_metrics_write(jg_metrics *metrics, jg_buf *out);

/** How names and labels are written; zeroes: as they were registered. */
typedef struct jg_metrics_style {
    bool total;                               /* counters end in _total */
    const char *(*unit_of)(const char *name); /* the unit a name shall end in; NULL, or returns NULL: none */
    bool (*skip)(const char *name);           /* families that are left out; NULL: none */
    const char *labels; /* a="b",c="d" put before the labels of every series; may be NULL */
} jg_metrics_style;
void jg_metrics_write_styled(jg_metrics *metrics, const jg_metrics_style *style, jg_buf *out);

typedef enum jg_metric_kind { JG_METRIC_COUNTER, JG_METRIC_LEVEL, JG_METRIC_DISTRIBUTION } jg_metric_kind;
/** One series as it is now. */
typedef struct jg_metric_view {
    const char *name, *help;
    const char *labels; /* a="b",c="d" with \\, \" and \n escaped */
    jg_metric_kind kind;
    double value; /* distribution: the sum */
    const double *bounds;
    size_t bound_count;
    uint64_t buckets[33]; /* bound_count + 1 of them; not summed up */
} jg_metric_view;
/** Look at all series, those of one name after another, as a scrape would. The registry is locked meanwhile.
 */
void jg_metrics_each(jg_metrics *metrics, void (*see)(void *user, const jg_metric_view *view), void *user);

#endif
