/* SPDX-License-Identifier: Apache-2.0
 * See metrics.h. A mutex guards the lists; values are atomics.
 */
#include "core/metrics.h"

#include "core/alloc.h"
#include "core/str.h"
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define BOUNDS_MAX 32
#define SERIES_MAX                                                                                           \
    10000u /* labels come from configuration and protocol names; a bug must not grow without end */

struct jg_metric {
    struct jg_metric *next;
    char *labels; /* a="b",c="d" */
    jg_metric_kind kind;
    const double *bounds;
    size_t bound_count;
    double value; /* histogram: sum */
    uint64_t buckets[BOUNDS_MAX + 1];
};

typedef struct family {
    struct family *next;
    char *name, *help;
    jg_metric_kind kind;
    jg_metric *series, **last;
} family;

typedef struct scrape_hook {
    struct scrape_hook *next;
    void (*fill)(void *user);
    void *user;
} scrape_hook;

struct jg_metrics {
    pthread_mutex_t mutex;
    family *families, **last;
    scrape_hook *hooks;
    size_t series_count;
};

static jg_metric nobody; /* written, never read */

jg_metrics *jg_metrics_new(void)
{
    jg_metrics *metrics = jg_calloc(1, sizeof *metrics);
    if (!metrics)
        return NULL;
    (void)pthread_mutex_init(&metrics->mutex, NULL);
    metrics->last = &metrics->families;
    return metrics;
}

void jg_metrics_free(jg_metrics *metrics)
{
    if (!metrics)
        return;
    while (metrics->families) {
        family *f = metrics->families;
        metrics->families = f->next;
        while (f->series) {
            jg_metric *m = f->series;
            f->series = m->next;
            jg_free(m->labels);
            jg_free(m);
        }
        jg_free(f->name);
        jg_free(f->help);
        jg_free(f);
    }
    while (metrics->hooks) {
        scrape_hook *h = metrics->hooks;
        metrics->hooks = h->next;
        jg_free(h);
    }
    (void)pthread_mutex_destroy(&metrics->mutex);
    jg_free(metrics);
}

static family *find_family(jg_metrics *metrics, const char *name, const char *help, jg_metric_kind kind)
{
    for (family *f = metrics->families; f; f = f->next)
        if (strcmp(f->name, name) == 0)
            return f->kind == kind ? f : NULL;
    family *f = jg_calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->name = jg_strndup(name, strlen(name));
    f->help = jg_strndup(help, strlen(help));
    if (!f->name || !f->help) {
        jg_free(f->name);
        jg_free(f->help);
        jg_free(f);
        return NULL;
    }
    f->kind = kind;
    f->last = &f->series;
    *metrics->last = f;
    metrics->last = &f->next;
    return f;
}

static bool label_text(jg_buf *out, const jaeger_pair *labels, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i)
            jg_buf_byte(out, ',');
        jg_buf_str(out, labels[i].key);
        jg_buf_lit(out, "=\"");
        for (size_t k = 0; k < labels[i].value.len; k++) {
            char c = labels[i].value.ptr[k];
            if (c == '\\' || c == '"')
                jg_buf_byte(out, '\\');
            if (c == '\n')
                jg_buf_lit(out, "\\n");
            else
                jg_buf_byte(out, (uint8_t)c);
        }
        jg_buf_byte(out, '"');
    }
    jg_buf_byte(out, 0);
    return jg_buf_ok(out);
}

static jg_metric *series(jg_metrics *metrics, const char *name, const char *help, const jaeger_pair *labels,
                         size_t count, jg_metric_kind kind, const double *bounds, size_t bound_count)
{
    if (!metrics || bound_count > BOUNDS_MAX)
        return &nobody;
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(4096);
    if (!label_text(&text, labels, count))
        return &nobody;
    jg_metric *found = NULL;
    (void)pthread_mutex_lock(&metrics->mutex);
    family *f = find_family(metrics, name, help, kind);
    for (found = f ? f->series : NULL; found; found = found->next)
        if (strcmp(found->labels, (const char *)text.data) == 0)
            break;
    if (f && !found && metrics->series_count < SERIES_MAX) {
        jg_metric *m = jg_calloc(1, sizeof *m);
        char *copy = jg_strndup((const char *)text.data, text.len - 1);
        if (m && copy) {
            m->labels = copy;
            m->kind = kind;
            m->bounds = bounds;
            m->bound_count = bound_count;
            *f->last = m;
            f->last = &m->next;
            metrics->series_count++;
            found = m;
        } else {
            jg_free(m);
            jg_free(copy);
        }
    }
    (void)pthread_mutex_unlock(&metrics->mutex);
    return found ? found : &nobody;
}

jg_metric *jg_metrics_counter(jg_metrics *metrics, const char *name, const char *help,
                              const jaeger_pair *labels, size_t count)
{
    return series(metrics, name, help, labels, count, JG_METRIC_COUNTER, NULL, 0);
}

jg_metric *jg_metrics_gauge(jg_metrics *metrics, const char *name, const char *help,
                            const jaeger_pair *labels, size_t count)
{
    return series(metrics, name, help, labels, count, JG_METRIC_LEVEL, NULL, 0);
}

jg_metric *jg_metrics_histogram(jg_metrics *metrics, const char *name, const char *help,
                                const jaeger_pair *labels, size_t count, const double *bounds,
                                size_t bound_count)
{
    return series(metrics, name, help, labels, count, JG_METRIC_DISTRIBUTION, bounds, bound_count);
}

void jg_metrics_on_scrape(jg_metrics *metrics, void (*fill)(void *user), void *user)
{
    scrape_hook *h = metrics ? jg_alloc(sizeof *h) : NULL;
    if (!h)
        return;
    (void)pthread_mutex_lock(&metrics->mutex);
    *h = (scrape_hook){metrics->hooks, fill, user};
    metrics->hooks = h;
    (void)pthread_mutex_unlock(&metrics->mutex);
}

void jg_metrics_off_scrape(jg_metrics *metrics, void *user)
{
    if (!metrics)
        return;
    (void)pthread_mutex_lock(&metrics->mutex);
    for (scrape_hook **at = &metrics->hooks; *at;) {
        scrape_hook *h = *at;
        if (h->user == user) {
            *at = h->next;
            jg_free(h);
        } else {
            at = &h->next;
        }
    }
    (void)pthread_mutex_unlock(&metrics->mutex);
}

static void add_double(double *at, double amount)
{
    double old, sum;
    __atomic_load(at, &old, __ATOMIC_RELAXED);
    do
        sum = old + amount;
    while (!__atomic_compare_exchange(at, &old, &sum, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

void jg_metric_add(jg_metric *metric, double amount)
{
    add_double(&metric->value, amount);
}

void jg_metric_set(jg_metric *metric, double value)
{
    __atomic_store(&metric->value, &value, __ATOMIC_RELAXED);
}

void jg_metric_observe(jg_metric *metric, double value)
{
    size_t i = 0;
    while (i < metric->bound_count && value > metric->bounds[i])
        i++;
    __atomic_add_fetch(&metric->buckets[i], 1, __ATOMIC_RELAXED);
    add_double(&metric->value, value);
}

double jg_metric_value(const jg_metric *metric)
{
    double value;
    __atomic_load(&metric->value, &value, __ATOMIC_RELAXED);
    return value;
}

static void write_value(jg_buf *out, double value)
{
    char text[32];
    if (isnan(value) || isinf(value))
        jg_buf_str(out, isnan(value) ? JAEGER_STR("NaN")
                        : value > 0  ? JAEGER_STR("+Inf")
                                     : JAEGER_STR("-Inf"));
    else
        jg_buf_append(out, text, jg_double_to_text(value, 2, text));
}

/* One line: name, suffix, {fixed labels, the series' own, le}, value. */
static void write_sample(jg_buf *out, const char *name, const char *suffix, const char *fixed,
                         const char *labels, const char *le, double value)
{
    jg_buf_printf(out, "%s%s", name, suffix);
    if (*fixed || *labels || le) {
        jg_buf_printf(out, "{%s%s%s", fixed, *fixed && *labels ? "," : "", labels);
        if (le)
            jg_buf_printf(out, "%sle=\"%s\"", *fixed || *labels ? "," : "", le);
        jg_buf_byte(out, '}');
    }
    jg_buf_byte(out, ' ');
    write_value(out, value);
    jg_buf_byte(out, '\n');
}

static void write_histogram(jg_buf *out, const char *name, const char *fixed, const jg_metric *m)
{
    uint64_t total = 0;
    for (size_t i = 0; i <= m->bound_count; i++) {
        char le[32] = "+Inf";
        total += __atomic_load_n(&m->buckets[i], __ATOMIC_RELAXED);
        if (i < m->bound_count)
            le[jg_double_to_text(m->bounds[i], 2, le)] = 0;
        write_sample(out, name, "_bucket", fixed, m->labels, le, (double)total);
    }
    write_sample(out, name, "_sum", fixed, m->labels, NULL, jg_metric_value(m));
    write_sample(out, name, "_count", fixed, m->labels, NULL, (double)total);
}

static bool ends_in(const char *name, const char *end)
{
    size_t len = strlen(name), tail = strlen(end);
    return len > tail && name[len - tail - 1] == '_' && strcmp(name + len - tail, end) == 0;
}

static void write_family(jg_buf *out, const family *f, const jg_metrics_style *style)
{
    static const char *const type_names[] = {"counter", "gauge", "histogram"};
    char name[256];
    const char *unit = style->unit_of ? style->unit_of(f->name) : NULL,
               *fixed = style->labels ? style->labels : "";
    bool add_unit = unit && !ends_in(f->name, unit);
    bool add_total = style->total && f->kind == JG_METRIC_COUNTER && !ends_in(f->name, "total");
    (void)snprintf(name, sizeof name, "%s%s%s%s", f->name, add_unit ? "_" : "", add_unit ? unit : "",
                   add_total ? "_total" : "");
    jg_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, f->help, name, type_names[f->kind]);
    for (const jg_metric *m = f->series; m; m = m->next) {
        if (f->kind == JG_METRIC_DISTRIBUTION)
            write_histogram(out, name, fixed, m);
        else
            write_sample(out, name, "", fixed, m->labels, NULL, jg_metric_value(m));
    }
}

void jg_metrics_write_styled(jg_metrics *metrics, const jg_metrics_style *style, jg_buf *out)
{
    if (!metrics)
        return;
    (void)pthread_mutex_lock(&metrics->mutex);
    for (scrape_hook *h = metrics->hooks; h; h = h->next)
        h->fill(h->user);
    for (const family *f = metrics->families; f; f = f->next)
        if (!style->skip || !style->skip(f->name))
            write_family(out, f, style);
    (void)pthread_mutex_unlock(&metrics->mutex);
}

void jg_metrics_each(jg_metrics *metrics, void (*see)(void *user, const jg_metric_view *view), void *user)
{
    if (!metrics)
        return;
    (void)pthread_mutex_lock(&metrics->mutex);
    for (scrape_hook *h = metrics->hooks; h; h = h->next)
        h->fill(h->user);
    for (const family *f = metrics->families; f; f = f->next)
        for (const jg_metric *m = f->series; m; m = m->next) {
            jg_metric_view view = {.name = f->name,
                                   .help = f->help,
                                   .labels = m->labels,
                                   .kind = f->kind,
                                   .value = jg_metric_value(m),
                                   .bounds = m->bounds,
                                   .bound_count = m->bound_count};
            for (size_t i = 0; i <= m->bound_count; i++)
                view.buckets[i] = __atomic_load_n(&m->buckets[i], __ATOMIC_RELAXED);
            see(user, &view);
        }
    (void)pthread_mutex_unlock(&metrics->mutex);
}

void jg_metrics_write(jg_metrics *metrics, jg_buf *out)
{
    jg_metrics_write_styled(metrics, &(jg_metrics_style){0}, out);
}
