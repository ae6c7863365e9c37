/* SPDX-License-Identifier: Apache-2.0
 * The batch: one block of memory holds the object, its span entries, its groups and its list of wire buffers.
 *
 * Reading takes two passes: the first finds boundaries and counts (3-5 ns a span), so that the index is
 * allocated once and exactly; the second checks every byte and fills the entries.
 */
#include "model/batch.h"

#include "core/alloc.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/pb.h"
#include "model/metrics.h"
#include "model/otlp_fields.h"
#include "model/span_check.h"

/** Bytes that several batches may share. */
typedef struct wire {
    int refs;
    void *bytes;
    size_t len;
    jaeger_release_fn release;
    void *user;
} wire;

typedef enum origin_state { ORIGIN_UNKNOWN, ORIGIN_UNSAMPLED, ORIGIN_SAMPLED } origin_state;
typedef struct origin {
    uint8_t trace_id[16], span_id[8], state;
} origin;

struct jaeger_batch {
    int refs;
    uint32_t span_count, group_count, wire_count, wire_cap;
    uint32_t signal;
    bool whole; /* the wires, one after the other, are the message: nothing was left out or changed */
    size_t wire_bytes, point_count; /* points: of metrics */
    jaeger_span *spans;
    jaeger_span_group *groups;
    wire **wires;
    jaeger_arena *arena; /* replaced spans; owned by the wire that wraps it */
    origin origin;
};

static void release_malloc(void *user, void *bytes, size_t len)
{
    (void)user, (void)len;
    jg_free(bytes);
}

static void release_arena(void *user, void *bytes, size_t len)
{
    (void)bytes, (void)len;
    jaeger_arena_free(user);
}

static wire *wire_new(void *bytes, size_t len, jaeger_release_fn release, void *user)
{
    wire *w = jg_alloc(sizeof *w);
    if (w)
        *w = (wire){1, bytes, len, release, user};
    return w;
}

static wire *wire_ref(wire *w)
{
    __atomic_add_fetch(&w->refs, 1, __ATOMIC_RELAXED);
    return w;
}

static void wire_unref(wire *w)
{
    if (__atomic_sub_fetch(&w->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    w->release(w->user, w->bytes, w->len);
    jg_free(w);
}

/** Room for one more wire than asked for: the arena of replaced spans. */
static jaeger_batch *batch_new(size_t spans, size_t groups, size_t wires)
{
    if (spans > UINT32_MAX || groups > UINT32_MAX || wires >= UINT32_MAX)
        return NULL;
    wires++;
    jaeger_batch *batch = jg_alloc(sizeof *batch + spans * sizeof(jaeger_span) +
                                   groups * sizeof(jaeger_span_group) + wires * sizeof(wire *));
    if (!batch)
        return NULL;
    *batch = (jaeger_batch){.refs = 1, .wire_cap = (uint32_t)wires, .signal = JAEGER_TRACES};
    batch->spans = (jaeger_span *)(batch + 1);
    batch->groups = (jaeger_span_group *)(batch->spans + spans);
    batch->wires = (wire **)(batch->groups + groups);
    return batch;
}

jaeger_batch *jaeger_batch_ref(jaeger_batch *batch)
{
    __atomic_add_fetch(&batch->refs, 1, __ATOMIC_RELAXED);
    return batch;
}

void jaeger_batch_unref(jaeger_batch *batch)
{
    if (!batch || __atomic_sub_fetch(&batch->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    for (uint32_t i = 0; i < batch->wire_count; i++)
        wire_unref(batch->wires[i]);
    jg_free(batch);
}

/* ---- reading
 * --------------------------------------------------------------------------------------------------- */

typedef struct counts {
    size_t spans, groups;
} counts;

static bool count_scope_spans(const jg_pb_field *scope_spans, counts *ret)
{
    jg_pb pb = jg_pb_of(scope_spans->ptr, scope_spans->len);
    jg_pb_field f;
    while (jg_pb_next(&pb, &f))
        ret->spans += f.number == JG_OTLP_SCOPE_SPANS_SPANS && f.wire == JG_PB_LEN;
    ret->groups++;
    return !pb.bad;
}

static bool count_spans(const uint8_t *bytes, size_t len, counts *ret)
{
    jg_pb request = jg_pb_of(bytes, len);
    jg_pb_field f, g;
    while (jg_pb_next(&request, &f)) {
        if (f.number != JG_OTLP_REQUEST_RESOURCE_SPANS)
            continue;
        if (f.wire != JG_PB_LEN)
            return false;
        jg_pb rs = jg_pb_of(f.ptr, f.len);
        while (jg_pb_next(&rs, &g))
            if (g.number == JG_OTLP_RESOURCE_SPANS_SCOPE_SPANS &&
                (g.wire != JG_PB_LEN || !count_scope_spans(&g, ret)))
                return false;
        if (rs.bad)
            return false;
    }
    return !request.bad;
}

/** service.name, if it is a string. */
static jaeger_str resource_service(jaeger_str resource)
{
    jaeger_span_group group = {.resource = resource};
    jaeger_attr attr;
    if (!jaeger_find_attr(jaeger_resource_attrs(&group), JAEGER_STR("service.name"), &attr) ||
        attr.value.type != JAEGER_VALUE_STRING)
        return (jaeger_str){0};
    return attr.value.u.s;
}

static const char *read_scope_spans(jaeger_batch *batch, const jg_pb_field *scope_spans,
                                    jaeger_span_group *group)
{
    jg_pb pb = jg_pb_of(scope_spans->ptr, scope_spans->len);
    jg_pb_field f;
    const char *why;
    while (jg_pb_next(&pb, &f)) {
        if (f.number >= JG_OTLP_SCOPE_SPANS_SCOPE && f.number <= JG_OTLP_SCOPE_SPANS_SCHEMA_URL &&
            f.wire != JG_PB_LEN)
            return "wrong wire type in ScopeSpans";
        switch (f.number) {
        case JG_OTLP_SCOPE_SPANS_SCOPE:
            if (!jg_scope_valid(f.ptr, f.len))
                return "invalid InstrumentationScope";
            group->scope = jg_pb_str(&f);
            break;
        case JG_OTLP_SCOPE_SPANS_SPANS:
            if (!jg_span_index(f.ptr, f.len, &batch->spans[batch->span_count], &why))
                return why;
            batch->spans[batch->span_count++].group = group;
            break;
        case JG_OTLP_SCOPE_SPANS_SCHEMA_URL:
            group->scope_schema_url = jg_pb_str(&f);
            break;
        }
    }
    return pb.bad ? "truncated ScopeSpans" : NULL;
}

static const char *read_resource_spans(jaeger_batch *batch, const jg_pb_field *resource_spans, uint32_t index)
{
    jaeger_span_group shared = {.resource_index = index};
    uint32_t first = batch->group_count;
    jg_pb pb = jg_pb_of(resource_spans->ptr, resource_spans->len);
    jg_pb_field f;
    while (jg_pb_next(&pb, &f)) {
        if (f.number >= JG_OTLP_RESOURCE_SPANS_RESOURCE && f.number <= JG_OTLP_RESOURCE_SPANS_SCHEMA_URL &&
            f.wire != JG_PB_LEN)
            return "wrong wire type in ResourceSpans";
        switch (f.number) {
        case JG_OTLP_RESOURCE_SPANS_RESOURCE:
            if (!jg_resource_valid(f.ptr, f.len))
                return "invalid Resource";
            shared.resource = jg_pb_str(&f);
            break;
        case JG_OTLP_RESOURCE_SPANS_SCOPE_SPANS: {
            jaeger_span_group *group = &batch->groups[batch->group_count++];
            *group = (jaeger_span_group){0};
            const char *why = read_scope_spans(batch, &f, group);
            if (why)
                return why;
            break;
        }
        case JG_OTLP_RESOURCE_SPANS_SCHEMA_URL:
            shared.resource_schema_url = jg_pb_str(&f);
            break;
        }
    }
    if (pb.bad)
        return "truncated ResourceSpans";
    shared.service = resource_service(shared.resource);
    for (uint32_t i = first; i < batch->group_count; i++) { /* the resource may come after its spans */
        jaeger_span_group *group = &batch->groups[i];
        shared.scope = group->scope;
        shared.scope_schema_url = group->scope_schema_url;
        *group = shared;
    }
    return NULL;
}

static jaeger_status read_request(const uint8_t *bytes, size_t len, jaeger_batch **ret, jaeger_error *err)
{
    counts n = {0};
    if (len > UINT32_MAX || !count_spans(bytes, len, &n))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "invalid OTLP message: truncated or not protobuf");
    jaeger_batch *batch = batch_new(n.spans, n.groups, 1);
    if (!batch)
        return jg_fail_oom(err);
    jg_pb request = jg_pb_of(bytes, len);
    jg_pb_field f;
    uint32_t resources = 0;
    while (jg_pb_next(&request, &f)) {
        if (f.number != JG_OTLP_REQUEST_RESOURCE_SPANS)
            continue;
        const char *why = read_resource_spans(batch, &f, resources++);
        if (why) {
            jaeger_batch_unref(batch);
            return jg_fail(err, JAEGER_INVALID_ARGUMENT, "invalid OTLP message: %s", why);
        }
    }
    *ret = batch;
    return JAEGER_OK;
}

static jaeger_status read_metrics(const uint8_t *bytes, size_t len, jaeger_batch **ret, jaeger_error *err)
{
    size_t points;
    if (len > UINT32_MAX || !jg_metrics_valid((jaeger_str){(const char *)bytes, len}, &points))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "invalid OTLP message: not metrics");
    jaeger_batch *batch = batch_new(0, 0, 1);
    if (!batch)
        return jg_fail_oom(err);
    batch->signal = JAEGER_METRICS;
    batch->point_count = points;
    *ret = batch;
    return JAEGER_OK;
}

typedef jaeger_status (*read_fn)(const uint8_t *bytes, size_t len, jaeger_batch **ret, jaeger_error *err);

static jaeger_status from_otlp(read_fn read, void *bytes, size_t len, jaeger_release_fn release, void *user,
                               jaeger_batch **ret, jaeger_error *err)
{
    if (!release) {
        void *copy = jg_alloc(len);
        if (!copy)
            return jg_fail_oom(err);
        if (len)
            memcpy(copy, bytes, len);
        bytes = copy;
        release = release_malloc;
    }
    jaeger_batch *batch = NULL;
    jaeger_status status = read(bytes, len, &batch, err);
    wire *w = status == JAEGER_OK ? wire_new(bytes, len, release, user) : NULL;
    if (!w) {
        release(user, bytes, len);
        jaeger_batch_unref(batch);
        return status == JAEGER_OK ? jg_fail_oom(err) : status;
    }
    batch->wires[batch->wire_count++] = w;
    batch->wire_bytes = len;
    batch->whole = true;
    *ret = batch;
    return JAEGER_OK;
}

jaeger_status jaeger_batch_from_otlp(void *bytes, size_t len, jaeger_release_fn release, void *user,
                                     jaeger_batch **ret, jaeger_error *err)
{
    return from_otlp(read_request, bytes, len, release, user, ret, err);
}

jaeger_status jaeger_batch_from_otlp_metrics(void *bytes, size_t len, jaeger_release_fn release, void *user,
                                             jaeger_batch **ret, jaeger_error *err)
{
    return from_otlp(read_metrics, bytes, len, release, user, ret, err);
}

uint32_t jaeger_batch_signal(const jaeger_batch *batch)
{
    return batch->signal;
}

size_t jg_batch_items(const jaeger_batch *batch)
{
    return batch->signal == JAEGER_METRICS ? batch->point_count : batch->span_count;
}

bool jg_batch_payload(const jaeger_batch *batch, size_t index, jaeger_str *ret)
{
    if (!batch->whole || index >= batch->wire_count)
        return false;
    *ret = (jaeger_str){batch->wires[index]->bytes, batch->wires[index]->len};
    return true;
}

/* ---- merging, selecting, changing
 * ------------------------------------------------------------------------------ */

/** Append the index of `from`; spans[i] = from->spans[indexes ? indexes[i] : i]. */
static void append_index(jaeger_batch *to, const jaeger_batch *from, const uint32_t *indexes, size_t n,
                         uint32_t resource_base)
{
    jaeger_span_group *groups = to->groups + to->group_count;
    for (uint32_t i = 0; i < from->group_count; i++) {
        groups[i] = from->groups[i];
        groups[i].resource_index += resource_base;
    }
    to->group_count += from->group_count;
    for (size_t i = 0; i < n; i++) {
        jaeger_span *span = &to->spans[to->span_count++];
        *span = from->spans[indexes ? indexes[i] : i];
        span->group = groups + (span->group - from->groups);
    }
    for (uint32_t i = 0; i < from->wire_count; i++)
        to->wires[to->wire_count++] = wire_ref(from->wires[i]);
    to->wire_bytes += from->wire_bytes;
    to->point_count += from->point_count;
    to->signal = from->signal;
    if (from->origin.state > to->origin.state)
        to->origin = from->origin;
}

void jg_batch_set_origin(jaeger_batch *batch, const jaeger_context *context)
{
    batch->origin.state = context->sampled ? ORIGIN_SAMPLED : ORIGIN_UNSAMPLED;
    memcpy(batch->origin.trace_id, context->trace_id, sizeof batch->origin.trace_id);
    memcpy(batch->origin.span_id, context->span_id, sizeof batch->origin.span_id);
}

bool jg_batch_origin(const jaeger_batch *batch, jaeger_context *ret)
{
    if (batch->origin.state == ORIGIN_UNKNOWN)
        return false;
    *ret = (jaeger_context){.sampled = batch->origin.state == ORIGIN_SAMPLED};
    memcpy(ret->trace_id, batch->origin.trace_id, sizeof ret->trace_id);
    memcpy(ret->span_id, batch->origin.span_id, sizeof ret->span_id);
    return true;
}

jaeger_status jg_batch_merge(jaeger_batch *const *batches, size_t n, jaeger_batch **ret, jaeger_error *err)
{
    size_t spans = 0, groups = 0, wires = 0;
    for (size_t i = 0; i < n; i++) {
        spans += batches[i]->span_count;
        groups += batches[i]->group_count;
        wires += batches[i]->wire_count;
    }
    jaeger_batch *batch = batch_new(spans, groups, wires);
    if (!batch)
        return jg_fail_oom(err);
    uint32_t resource_base = 0;
    batch->whole = n > 0;
    for (size_t i = 0; i < n; i++) {
        batch->whole = batch->whole && batches[i]->whole;
        uint32_t first = batch->group_count, next_base = resource_base;
        append_index(batch, batches[i], NULL, batches[i]->span_count, resource_base);
        for (uint32_t g = first; g < batch->group_count; g++)
            next_base = JG_MAX(next_base, batch->groups[g].resource_index + 1);
        resource_base = next_base;
    }
    *ret = batch;
    return JAEGER_OK;
}

jaeger_status jg_batch_select(jaeger_batch *from, const uint32_t *indexes, size_t n, jaeger_batch **ret,
                              jaeger_error *err)
{
    jaeger_batch *batch = batch_new(n, from->group_count, from->wire_count);
    if (!batch)
        return jg_fail_oom(err);
    append_index(batch, from, indexes, n, 0);
    *ret = batch;
    return JAEGER_OK;
}

jaeger_status jaeger_batch_own(jaeger_batch **batch, jaeger_error *err)
{
    jaeger_batch *copy = NULL;
    if (__atomic_load_n(&(*batch)->refs, __ATOMIC_ACQUIRE) == 1)
        return JAEGER_OK;
    JG_TRY(jg_batch_merge(batch, 1, &copy, err));
    jaeger_batch_unref(*batch);
    *batch = copy;
    return JAEGER_OK;
}

static bool same_str(jaeger_str a, jaeger_str b)
{
    return a.len == b.len && !a.ptr == !b.ptr &&
           (a.len == 0 || a.ptr == b.ptr || !memcmp(a.ptr, b.ptr, a.len));
}

static bool same_resource(const jaeger_span_group *a, const jaeger_span_group *b)
{
    return same_str(a->resource, b->resource) && same_str(a->resource_schema_url, b->resource_schema_url);
}

/** Copy to *at and move it on. An absent string stays absent. */
static jaeger_str copy_to(uint8_t **at, jaeger_str s)
{
    jaeger_str copy = {s.ptr ? (const char *)*at : NULL, s.len};
    if (s.len)
        memcpy(*at, s.ptr, s.len);
    *at += s.len;
    return copy;
}

static void copy_group(jaeger_batch *batch, const jaeger_span_group *from, uint8_t **at)
{
    jaeger_span_group *to = &batch->groups[batch->group_count], *before = batch->group_count ? to - 1 : NULL;
    *to = (jaeger_span_group){.scope = copy_to(at, from->scope),
                              .scope_schema_url = copy_to(at, from->scope_schema_url)};
    if (before && same_resource(before, from)) {
        to->resource_index = before->resource_index;
        to->resource = before->resource;
        to->resource_schema_url = before->resource_schema_url;
        to->service = before->service;
    } else {
        to->resource_index = before ? before->resource_index + 1 : 0;
        to->resource = copy_to(at, from->resource);
        to->resource_schema_url = copy_to(at, from->resource_schema_url);
        to->service = copy_to(at, from->service);
    }
    batch->group_count++;
}

jaeger_status jg_batch_copy_spans(const jaeger_span *spans, size_t n, jaeger_batch **ret, jaeger_error *err)
{
    size_t bytes = 0, groups = 0;
    for (size_t i = 0; i < n; i++) {
        const jaeger_span_group *g = spans[i].group;
        bytes += spans[i].len;
        if (i && spans[i - 1].group == g)
            continue;
        groups++;
        bytes += g->resource.len + g->resource_schema_url.len + g->scope.len + g->scope_schema_url.len +
                 g->service.len;
    }
    uint8_t *copy = jg_alloc(bytes), *at = copy;
    wire *w = copy ? wire_new(copy, bytes, release_malloc, NULL) : NULL;
    jaeger_batch *batch = w ? batch_new(n, groups, 1) : NULL;
    if (!batch) {
        jg_free(copy);
        jg_free(w);
        return jg_fail_oom(err);
    }
    batch->wires[batch->wire_count++] = w;
    batch->wire_bytes = bytes;
    for (size_t i = 0; i < n; i++) {
        const char *why;
        if (!i || spans[i - 1].group != spans[i].group)
            copy_group(batch, spans[i].group, &at);
        jaeger_str body = copy_to(&at, (jaeger_str){(const char *)spans[i].bytes, spans[i].len});
        if (!jg_span_index((const uint8_t *)body.ptr, body.len, &batch->spans[i], &why)) {
            jaeger_batch_unref(batch);
            return jg_fail(err, JAEGER_DATA_LOSS, "stored span is damaged: %s", why);
        }
        batch->spans[i].group = &batch->groups[batch->group_count - 1];
        batch->span_count++;
    }
    *ret = batch;
    return JAEGER_OK;
}

/** Copy bytes into the batch's own arena. */
static uint8_t *keep_bytes(jaeger_batch *batch, const void *bytes, size_t len)
{
    batch->whole = false;
    if (!batch->arena) {
        jaeger_arena *arena = batch->wire_count < batch->wire_cap ? jaeger_arena_new(0) : NULL;
        wire *w = arena ? wire_new(NULL, 0, release_arena, arena) : NULL;
        if (!w) {
            jaeger_arena_free(arena);
            return NULL;
        }
        batch->wires[batch->wire_count++] = w;
        batch->arena = arena;
    }
    uint8_t *copy = jaeger_arena_alloc(batch->arena, len);
    if (copy && len)
        memcpy(copy, bytes, len);
    return copy;
}

jaeger_status jaeger_batch_replace_span(jaeger_batch *batch, size_t index, const void *span_bytes, size_t len,
                                        jaeger_error *err)
{
    const char *why;
    jaeger_span span;
    uint8_t *copy = len > UINT32_MAX ? NULL : keep_bytes(batch, span_bytes, len);
    if (!copy)
        return jg_fail_oom(err);
    if (!jg_span_index(copy, len, &span, &why))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "invalid span: %s", why);
    span.group = batch->spans[index].group;
    batch->spans[index] = span;
    return JAEGER_OK;
}

jaeger_status jg_batch_put_span(jaeger_batch *batch, size_t index, const void *bytes, size_t len,
                                bool bad_text, jaeger_error *err)
{
    uint8_t *copy = len > UINT32_MAX ? NULL : keep_bytes(batch, bytes, len);
    if (!copy)
        return jg_fail_oom(err);
    jaeger_span *span = &batch->spans[index]; /* its name stays in the old bytes, which the batch keeps */
    span->bytes = copy;
    span->len = (uint32_t)len;
    span->has_bad_text |= bad_text;
    return JAEGER_OK;
}

jaeger_status jg_batch_replace_resource(jaeger_batch *batch, uint32_t resource_index, const void *resource,
                                        size_t len, jaeger_error *err)
{
    uint8_t *copy = keep_bytes(batch, resource, len);
    if (!copy)
        return jg_fail_oom(err);
    if (!jg_resource_valid(copy, len))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "invalid Resource");
    jaeger_str body = {(const char *)copy, len}, service = resource_service(body);
    uint32_t first = 0, end = batch->group_count; /* groups are in the order of their resources */
    while (first < end) {
        uint32_t middle = first + (end - first) / 2;
        if (batch->groups[middle].resource_index < resource_index)
            first = middle + 1;
        else
            end = middle;
    }
    for (; first < batch->group_count && batch->groups[first].resource_index == resource_index; first++) {
        batch->groups[first].resource = body;
        batch->groups[first].service = service;
    }
    return JAEGER_OK;
}

jaeger_status jg_batch_replace_scope(jaeger_batch *batch, const jaeger_span_group *group, const void *scope,
                                     size_t len, jaeger_error *err)
{
    uint8_t *copy = keep_bytes(batch, scope, len);
    if (!copy)
        return jg_fail_oom(err);
    if (!jg_scope_valid(copy, len))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "invalid InstrumentationScope");
    batch->groups[group - batch->groups].scope = (jaeger_str){(const char *)copy, len};
    return JAEGER_OK;
}

void jaeger_batch_filter(jaeger_batch *batch, bool (*keep)(void *user, const jaeger_span *span), void *user)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < batch->span_count; i++)
        if (keep(user, &batch->spans[i]))
            batch->spans[kept++] = batch->spans[i];
    batch->whole = batch->whole && kept == batch->span_count;
    batch->span_count = kept;
}

size_t jaeger_batch_span_count(const jaeger_batch *batch)
{
    return batch->span_count;
}

const jaeger_span *jaeger_batch_spans(const jaeger_batch *batch)
{
    return batch->spans;
}

jaeger_span *jg_batch_spans_mutable(jaeger_batch *batch)
{
    batch->whole = false;
    return batch->spans;
}

size_t jg_batch_group_count(const jaeger_batch *batch)
{
    return batch->group_count;
}

jaeger_span_group *jg_batch_groups_mutable(jaeger_batch *batch)
{
    batch->whole = false;
    return batch->groups;
}

const jaeger_span_group *jg_batch_groups(const jaeger_batch *batch)
{
    return batch->groups;
}

size_t jaeger_batch_bytes(const jaeger_batch *batch)
{
    return sizeof *batch + batch->wire_bytes + (batch->arena ? jg_arena_bytes(batch->arena) : 0) +
           batch->span_count * sizeof(jaeger_span) + batch->group_count * sizeof(jaeger_span_group);
}
