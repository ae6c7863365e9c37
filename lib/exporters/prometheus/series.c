/* SPDX-License-Identifier: Apache-2.0
 * See series.h.
 */
#include "exporters/prometheus/series.h"

#include "core/alloc.h"
#include "core/arena.h"
#include "core/limits.h"
#include "core/str.h"
#include "model/otlp_fields.h"
#include "model/value_text.h"
#include <stdlib.h>

#define LABELS_MAX        512        /* of one series */
#define LABEL_BYTES_MAX   (1u << 20) /* all labels of one series */
#define SCRATCH_BYTES_MAX (4u << 20)

typedef struct labels {
    jg_prom_store *store;
    jaeger_pair items[LABELS_MAX];
    size_t count;
    bool failed; /* two with one name, or too many */
} labels;

bool jg_prom_store_init(jg_prom_store *store, const jg_prom_options *options)
{
    *store = (jg_prom_store){.options = *options,
                             .labels = JG_BUF_INIT(LABEL_BYTES_MAX),
                             .key = JG_BUF_INIT(LABEL_BYTES_MAX + 65536u),
                             .arena = jaeger_arena_new(SCRATCH_BYTES_MAX)};
    return store->arena != NULL;
}

static void series_free(jg_prom_store *store, jg_prom_series *s)
{
    store->bytes -= s->bytes;
    if (--s->family->series_count == 0) {
        (void)jg_map_remove(&store->families, s->family->name);
        jg_free(s->family);
    }
    jg_free(s);
}

void jg_prom_store_done(jg_prom_store *store)
{
    jg_map_entry e;
    for (size_t at = 0; jg_map_next(&store->series, &at, &e);)
        series_free(store, e.value);
    jg_map_done(&store->series);
    jg_map_done(&store->families);
    jg_buf_done(&store->labels);
    jg_buf_done(&store->key);
    jaeger_arena_free(store->arena);
    store->arena = NULL;
}

static void drop(jg_prom_store *store, const char *why)
{
    store->dropped++;
    store->dropped_why = why;
}

/* ---- labels ---- */

static void put_label(labels *l, jaeger_str name, jaeger_str value)
{
    if (l->count == LABELS_MAX || !name.ptr)
        l->failed = true;
    else
        l->items[l->count++] = (jaeger_pair){name, value};
}

static jaeger_str kept(labels *l, const jg_buf *text)
{
    jaeger_str copy =
        jg_buf_ok(text) ? jaeger_arena_str(l->store->arena, jg_buf_view(text)) : (jaeger_str){0};
    l->failed |= !copy.ptr;
    return copy;
}

static void put_attr(labels *l, const char *prefix, const jaeger_attr *attr)
{
    jg_buf *scratch = &l->store->labels;
    jg_buf_clear(scratch);
    jg_buf_str(scratch, jg_str(prefix));
    if (prefix[0])
        jg_buf_str(scratch, attr->key);
    jaeger_str key = prefix[0] ? kept(l, scratch) : attr->key;
    jg_buf_clear(scratch);
    jg_prom_write_label(scratch, key, l->store->options.keep_underscore);
    jaeger_str name = kept(l, scratch), value = attr->value.u.s;
    if (attr->value.type != JAEGER_VALUE_STRING) {
        jg_buf_clear(scratch);
        jg_value_text(scratch, &attr->value);
        value = kept(l, scratch);
    }
    put_label(l, name, value);
}

static jaeger_iter resource_attrs(const jg_metric_point *p)
{
    jaeger_span_group group = {.resource = p->resource};
    return jaeger_resource_attrs(&group);
}

static jaeger_str resource_text(const jg_metric_point *p, const char *key)
{
    jaeger_attr attr;
    return jaeger_find_attr(resource_attrs(p), jg_str(key), &attr) && attr.value.type == JAEGER_VALUE_STRING
               ? attr.value.u.s
               : (jaeger_str){0};
}

static void put_identity(labels *l, const jg_metric_point *p, jaeger_str *ret_job, jaeger_str *ret_instance)
{
    jaeger_str job = resource_text(p, "service.name"), space = resource_text(p, "service.namespace");
    if (job.len && space.len)
        job = jg_arena_printf(l->store->arena, "%.*s/%.*s", JAEGER_STR_ARGS(space), JAEGER_STR_ARGS(job));
    *ret_job = job;
    *ret_instance = resource_text(p, "service.instance.id");
    if (job.len)
        put_label(l, JAEGER_STR("job"), job);
    if (ret_instance->len)
        put_label(l, JAEGER_STR("instance"), *ret_instance);
}

static void put_scope(labels *l, const jg_metric_point *p)
{
    jaeger_span_group group = {.scope = p->scope};
    jaeger_scope scope;
    jaeger_scope_read(&group, &scope);
    put_label(l, JAEGER_STR("otel_scope_name"), scope.name);
    put_label(l, JAEGER_STR("otel_scope_version"), scope.version);
    put_label(l, JAEGER_STR("otel_scope_schema_url"), p->scope_schema_url);
    jaeger_iter it = jaeger_scope_attrs(&group);
    for (jaeger_attr attr; jaeger_next_attr(&it, &attr);)
        put_attr(l, "otel_scope_", &attr);
}

static bool is_identity(jaeger_str key)
{
    return jg_str_is(key, "service.name") || jg_str_is(key, "service.namespace") ||
           jg_str_is(key, "service.instance.id");
}

static bool becomes_label(const jg_prom_options *o, jaeger_str key)
{
    return o->resource_labels && !(o->exclude_service_labels && is_identity(key));
}

static void put_attrs(labels *l, const jg_metric_point *p)
{
    const jg_prom_options *o = &l->store->options;
    jaeger_iter it = jg_point_attrs(p);
    jaeger_attr attr, same;
    while (jaeger_next_attr(&it, &attr))
        if (!becomes_label(o, attr.key) || !jaeger_find_attr(resource_attrs(p), attr.key, &same))
            put_attr(l, "", &attr);
    it = resource_attrs(p);
    while (o->resource_labels && jaeger_next_attr(&it, &attr))
        if (becomes_label(o, attr.key))
            put_attr(l, "", &attr);
    for (size_t i = 0; i < o->const_label_count; i++)
        put_label(l, o->const_labels[i].key, o->const_labels[i].value);
}

static int by_name(const void *a, const void *b)
{
    return jg_str_cmp(((const jaeger_pair *)a)->key, ((const jaeger_pair *)b)->key);
}

/** The text of all labels into store->labels. @return false: not to be shown */
static bool join(labels *l)
{
    jg_buf *out = &l->store->labels;
    jg_buf_clear(out);
    qsort(l->items, l->count, sizeof *l->items, by_name);
    for (size_t i = 0; i < l->count; i++) {
        if (i && jg_str_eq(l->items[i].key, l->items[i - 1].key))
            return false;
        if (i)
            jg_buf_byte(out, ',');
        jg_buf_str(out, l->items[i].key);
        jg_buf_lit(out, "=\"");
        jg_prom_write_escaped(out, l->items[i].value, true);
        jg_buf_byte(out, '"');
    }
    return !l->failed && jg_buf_ok(out);
}

/* ---- families and series ---- */

static jg_prom_family *family_of(jg_prom_store *store, jaeger_str name, jaeger_str help, jg_prom_type type)
{
    jg_prom_family *family = jg_map_get(&store->families, name);
    bool is_new;
    if (family)
        return family;
    family = jg_calloc(1, sizeof *family + name.len + help.len);
    if (!family)
        return NULL;
    char *at = (char *)(family + 1);
    memcpy(at, name.ptr, name.len);
    if (help.len)
        memcpy(at + name.len, help.ptr, help.len);
    family->name = (jaeger_str){at, name.len};
    family->help = (jaeger_str){at + name.len, help.len};
    family->type = type;
    jg_map_entry *e = jg_map_put(&store->families, family->name, &is_new);
    if (!e) {
        jg_free(family);
        return NULL;
    }
    e->value = family;
    return family;
}

static jg_prom_series *series_new(jg_prom_store *store, jg_prom_family *family, size_t bounds,
                                  size_t exemplars)
{
    jaeger_str key = jg_buf_view(&store->key);
    size_t bytes = sizeof(jg_prom_series) + bounds * 2 * sizeof(double) + (bounds + 1) * sizeof(uint64_t) +
                   exemplars * sizeof(jg_exemplar) + key.len;
    jg_prom_series *s = jg_calloc(1, bytes);
    if (!s)
        return NULL;
    s->family = family;
    s->bytes = bytes;
    s->bound_count = bounds;
    s->bounds = (double *)(void *)(s + 1);
    s->quantiles = s->bounds + bounds;
    s->counts = (uint64_t *)(void *)(s->quantiles + bounds);
    s->exemplars = (jg_exemplar *)(void *)(s->counts + bounds + 1);
    char *text = (char *)(s->exemplars + exemplars);
    memcpy(text, key.ptr, key.len);
    s->key = (jaeger_str){text, key.len};
    s->labels = jg_str_skip(s->key, family->name.len + 1);
    store->bytes += bytes;
    family->series_count++;
    return s;
}

/** Put `s` where `old` (may be NULL) was. */
static bool put_series(jg_prom_store *store, jg_prom_series *s, jg_prom_series *old)
{
    bool is_new;
    if (old) {
        (void)jg_map_remove(&store->series, old->key);
        series_free(store, old);
    }
    jg_map_entry *e = jg_map_put(&store->series, s->key, &is_new);
    if (e)
        e->value = s;
    return e != NULL;
}

/* ---- values ---- */

static size_t quantile_count(const jg_metric_point *p)
{
    jg_pb pb = jg_pb_of_str(p->body);
    jg_pb_field f;
    size_t n = 0;
    while (jg_pb_next(&pb, &f))
        n += f.number == JG_OTLP_SUMMARY_QUANTILES && f.wire == JG_PB_LEN;
    return n;
}

static void set_quantiles(jg_prom_series *s, const jg_metric_point *p)
{
    jg_pb pb = jg_pb_of_str(p->body);
    jg_pb_field f, g;
    size_t n = 0;
    while (jg_pb_next(&pb, &f)) {
        if (f.number != JG_OTLP_SUMMARY_QUANTILES || f.wire != JG_PB_LEN)
            continue;
        jg_pb one = jg_pb_of(f.ptr, f.len);
        while (jg_pb_next(&one, &g))
            if (g.wire == JG_PB_FIXED64 && (g.number == 1 || g.number == 2))
                memcpy(g.number == 1 ? &s->bounds[n] : &s->quantiles[n], &g.varint, 8);
        n++;
    }
}

static size_t bounds_of(const jg_metric_point *p)
{
    size_t bounds = p->bounds.len / 8;
    if (p->type == JG_METRIC_SUMMARY)
        return quantile_count(p);
    return p->type == JG_METRIC_HISTOGRAM && p->counts.len / 8 == bounds + 1 ? bounds : 0;
}

static void set_exemplars(jg_prom_series *s, const jg_metric_point *p, size_t max)
{
    jg_pb iter = jg_pb_of_str(p->body);
    jg_exemplar one;
    for (s->exemplar_count = 0; s->exemplar_count < max && jg_point_next_exemplar(p, &iter, &one);)
        s->exemplars[s->exemplar_count++] = one;
}

static size_t exemplars_of(const jg_metric_point *p)
{
    jg_pb iter = jg_pb_of_str(p->body);
    jg_exemplar one;
    size_t n = 0;
    while (n < JG_PROM_EXEMPLARS_MAX && jg_point_next_exemplar(p, &iter, &one))
        n++;
    return n;
}

static bool same_bounds(const jg_prom_series *a, const jg_prom_series *b)
{
    return a->bound_count == b->bound_count &&
           memcmp(a->bounds, b->bounds, a->bound_count * sizeof *a->bounds) == 0;
}

static void set_values(jg_prom_series *s, const jg_metric_point *p)
{
    s->time_unix_ns = p->time_unix_ns;
    s->value = p->value;
    s->count = p->count;
    s->sum = p->sum;
    if (p->type == JG_METRIC_SUMMARY) {
        set_quantiles(s, p);
    } else if (s->bound_count) {
        for (size_t i = 0; i < s->bound_count; i++)
            s->bounds[i] = jg_packed_double(p->bounds, i);
        for (size_t i = 0; i <= s->bound_count; i++)
            s->counts[i] = jg_packed_u64(p->counts, i);
    }
}

/** What was there before a delta that follows on it. */
static void accumulate(jg_prom_series *s, const jg_prom_series *old)
{
    s->value += old->value;
    s->count += old->count;
    s->sum += old->sum;
    for (size_t i = 0; s->bound_count && i <= s->bound_count; i++)
        s->counts[i] += old->counts[i];
}

static jg_prom_type type_of(const jg_metric_point *p)
{
    switch (p->type) {
    case JG_METRIC_SUM:
        return p->monotonic ? JG_PROM_COUNTER : JG_PROM_GAUGE;
    case JG_METRIC_HISTOGRAM:
    case JG_METRIC_EXPONENTIAL:
        return JG_PROM_HISTOGRAM;
    case JG_METRIC_SUMMARY:
        return JG_PROM_SUMMARY;
    default:
        return JG_PROM_GAUGE;
    }
}

/** Show `p` under the family's name in store->key and the labels in store->labels. */
static void show(jg_prom_store *store, const jg_metric_point *p, jg_prom_type type, uint64_t now_ns)
{
    jaeger_str name = jg_buf_view(&store->key);
    jg_prom_family *family = family_of(store, name, p->description, type);
    if (!family) {
        drop(store, "out of memory");
        return;
    }
    jg_buf_byte(&store->key, 0);
    jg_buf_str(&store->key, jg_buf_view(&store->labels));
    jg_prom_series *old = jg_map_get(&store->series, jg_buf_view(&store->key)), *s = NULL;
    if (family->type != type)
        drop(store, "instrument types conflict");
    else if (!jg_buf_ok(&store->key) || (!old && (store->series.count >= JG_PROMETHEUS_SERIES_MAX ||
                                                  store->bytes >= JG_PROMETHEUS_BYTES_MAX)))
        drop(store, "too many series");
    else if (!old || p->time_unix_ns >= old->time_unix_ns)
        s = series_new(store, family, bounds_of(p), exemplars_of(p));
    if (!s) {
        if (family->series_count == 0) {
            (void)jg_map_remove(&store->families, family->name);
            jg_free(family);
        }
        return;
    }
    set_values(s, p);
    set_exemplars(s, p, exemplars_of(p));
    s->updated_ns = now_ns;
    if (old && p->temporality == JG_TEMPORALITY_DELTA && p->type != JG_METRIC_GAUGE &&
        p->start_unix_ns == old->time_unix_ns && same_bounds(s, old))
        accumulate(s, old);
    if (!put_series(store, s, old)) {
        series_free(store, s);
        drop(store, "out of memory");
    }
}

static void show_target(jg_prom_store *store, const jg_metric_point *p, uint64_t now_ns)
{
    labels l = {.store = store};
    jaeger_str job, instance;
    put_identity(&l, p, &job, &instance);
    if (!job.len || !instance.len)
        return;
    jaeger_iter it = resource_attrs(p);
    for (jaeger_attr attr; jaeger_next_attr(&it, &attr);)
        if (!is_identity(attr.key))
            put_attr(&l, "", &attr);
    if (!join(&l)) {
        drop(store, "labels of target_info collide");
        return;
    }
    jg_metric_point target = {
        .type = JG_METRIC_GAUGE, .description = JAEGER_STR("Target metadata"), .value = 1};
    jg_prom_name name = {.space = store->options.space, .name = JAEGER_STR("target_info")};
    jg_buf_clear(&store->key);
    jg_prom_write_name(&store->key, &name, JG_PROM_UNDERSCORES);
    show(store, &target, JG_PROM_GAUGE, now_ns);
}

typedef struct taking {
    jg_prom_store *store;
    uint64_t now_ns;
    const char *resource; /* whose target_info is shown */
} taking;

static bool take_point(void *self, const jg_metric_point *p)
{
    taking *t = self;
    jg_prom_store *store = t->store;
    labels l;
    jaeger_str job, instance;
    if (p->no_value)
        return true;
    jaeger_arena_reset(store->arena);
    if (p->resource.ptr && p->resource.ptr != t->resource) {
        show_target(store, p, t->now_ns);
        t->resource = p->resource.ptr;
    }
    l.store = store;
    l.count = 0;
    l.failed = false;
    put_identity(&l, p, &job, &instance);
    if (!store->options.without_scope)
        put_scope(&l, p);
    put_attrs(&l, p);
    if (!join(&l)) {
        drop(store, "labels collide, or are too many");
        return true;
    }
    jg_prom_type type = type_of(p);
    jg_prom_name name = {store->options.space, p->name, p->unit, type == JG_PROM_COUNTER,
                         type == JG_PROM_GAUGE};
    jg_buf_clear(&store->key);
    jg_prom_write_name(&store->key, &name, store->options.strategy);
    show(store, p, type, t->now_ns);
    return true;
}

void jg_prom_store_take(jg_prom_store *store, jaeger_str message, uint64_t now_ns)
{
    taking t = {store, now_ns, NULL};
    (void)jg_metrics_walk(message, (jg_metric_sink){take_point, &t});
}

void jg_prom_store_expire(jg_prom_store *store, uint64_t now_ns)
{
    jg_map_entry e;
    for (size_t at = 0; jg_map_next(&store->series, &at, &e);) {
        jg_prom_series *s = e.value;
        if (now_ns - s->updated_ns <= store->options.expiry_ns)
            continue;
        (void)jg_map_remove(&store->series, s->key);
        series_free(store, s);
        at--; /* a later entry may have moved here */
    }
}
