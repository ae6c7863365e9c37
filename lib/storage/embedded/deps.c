/* SPDX-License-Identifier: Apache-2.0
 * The service graph. Calls whose parent lies in the same segment are counted when the segment is written and
 * stay in it; a parent in another of the last segments is looked up by its id at flush time, and the count
 * goes to the catalog; spans still in memory are counted when someone asks. A call is counted once, at the
 * minute its child began. See store.h.
 */
#include "core/alloc.h"
#include "core/err.h"
#include "core/str.h"
#include "storage/embedded/segment_build.h"
#include "storage/embedded/segment_writer.h"
#include "storage/embedded/span_order.h"
#include "storage/embedded/store.h"
#include <stdlib.h>

#define RECENT_SEGMENTS 8u      /* where a parent is looked for: about a million spans */
#define PENDING_MAX     262144u /* children that wait for a parent; the oldest are given up */
#define SERVICES_MAX    65536u  /* names in the graph */

typedef struct pending {
    jg_seg_pending child; /* service: number in `names` */
    uint64_t gen;         /* of the child's segment */
} pending;

struct jg_deps {
    pthread_mutex_t lock;
    jg_map numbers; /* service name -> number + 1 */
    jaeger_str *names;
    uint32_t name_count, name_cap;
    pending *items;
    uint32_t count, cap;
    bool rebuilt;
    jg_span_orders orders; /* while the lock is held */
};

jg_deps *jg_deps_new(void)
{
    jg_deps *deps = jg_calloc(1, sizeof *deps);
    if (deps)
        (void)pthread_mutex_init(&deps->lock, NULL);
    return deps;
}

void jg_deps_free(jg_deps *deps)
{
    if (!deps)
        return;
    for (uint32_t i = 0; i < deps->name_count; i++)
        jg_free((void *)(uintptr_t)deps->names[i].ptr);
    jg_map_done(&deps->numbers);
    jg_free(deps->names);
    jg_free(deps->items);
    (void)pthread_mutex_destroy(&deps->lock);
    jg_free(deps);
}

void jg_deps_clear(jg_deps *deps)
{
    (void)pthread_mutex_lock(&deps->lock);
    deps->count = 0;
    (void)pthread_mutex_unlock(&deps->lock);
}

/** Number of a service name; the lock is held. @return JG_NONE: out of memory or too many */
static uint32_t number_of(jg_deps *deps, jaeger_str name)
{
    uintptr_t known = (uintptr_t)jg_map_get(&deps->numbers, name);
    if (known)
        return (uint32_t)known - 1;
    if (deps->name_count == deps->name_cap) {
        uint32_t cap = deps->name_cap ? deps->name_cap * 2 : 64;
        jaeger_str *names = cap > SERVICES_MAX ? NULL : jg_realloc(deps->names, cap * sizeof *names);
        if (!names)
            return JG_NONE;
        deps->names = names;
        deps->name_cap = cap;
    }
    bool is_new;
    char *copy = jg_strndup(name.ptr, name.len);
    jg_map_entry *entry = copy ? jg_map_put(&deps->numbers, (jaeger_str){copy, name.len}, &is_new) : NULL;
    if (!entry) {
        jg_free(copy);
        return JG_NONE;
    }
    deps->names[deps->name_count++] = (jaeger_str){copy, name.len};
    entry->value = (void *)(uintptr_t)deps->name_count;
    return deps->name_count - 1;
}

/* ---- parents in segments
 * -------------------------------------------------------------------------------------- */

static uint32_t service_in(jg_deps *deps, const jg_seg_view *view, uint32_t service)
{
    jaeger_str name;
    return jg_seg_string(view, JG_SEC_SERVICES, service, &name) ? number_of(deps, name) : JG_NONE;
}

/** Service of a span, if the segment has it. */
static uint32_t span_service(jg_deps *deps, const jg_seg *seg, const jg_seg_view *view,
                             const uint8_t trace_id[16], const uint8_t span_id[8])
{
    uint32_t number, origin, parts[3];
    if (!jg_filter_has(seg->filter, seg->filter_bytes, trace_id) ||
        !jg_seg_find_trace(view, trace_id, &number))
        return JG_NONE;
    const jg_seg_trace *trace = &jg_seg_traces(view)[number];
    uint32_t end = (uint32_t)JG_MIN((uint64_t)trace->row0 + trace->row_count, view->header.span_count);
    uint32_t row = trace->row0 < end
                       ? jg_span_orders_find(&deps->orders, seg->meta.gen, view, trace->row0, end, span_id)
                       : end;
    if (row == end || !jg_seg_row_origin(view, row, &origin) || !jg_seg_origin_parts(view, origin, parts))
        return JG_NONE;
    return service_in(deps, view, parts[2]);
}

#define JG_SEC_FOR_CALLS                                                                                     \
    (JG_SEC(TRACES) | JG_SEC(TRACE_HASHES) | JG_SEC(TRACE_ORDINALS) | JG_SEC(SPAN_IDS) |                     \
     JG_SEC(ROW_ORIGINS) | JG_SEC(ORIGINS) | JG_SEC(SERVICES) | JG_SEC(CALLS) | JG_SEC(PENDING))

/** The last segments before `gen`, newest first, mapped. */
typedef struct recent {
    jg_seg *segs[RECENT_SEGMENTS];
    jg_seg_view *views[RECENT_SEGMENTS];
    uint32_t count;
} recent;

static void find_recent(jg_store *store, const jg_snapshot *snapshot, uint64_t gen, recent *ret)
{
    ret->count = 0;
    for (uint64_t below = gen; ret->count < RECENT_SEGMENTS;) {
        jg_seg *best = NULL;
        for (uint32_t i = 0; i < snapshot->seg_count; i++) {
            jg_seg *seg = snapshot->segs[i];
            if (seg->meta.gen < below && (!best || seg->meta.gen > best->meta.gen))
                best = seg;
        }
        if (!best)
            return;
        below = best->meta.gen;
        jg_seg_view *view = jg_seg_use(store, best, JG_SEC_FOR_CALLS);
        if (!view)
            continue;
        ret->segs[ret->count] = best;
        ret->views[ret->count++] = view;
    }
}

static uint32_t find_in_recent(jg_deps *deps, const recent *r, const uint8_t trace_id[16],
                               const uint8_t span_id[8])
{
    uint32_t service = JG_NONE;
    for (uint32_t i = 0; i < r->count && service == JG_NONE; i++)
        service = span_service(deps, r->segs[i], r->views[i], trace_id, span_id);
    return service;
}

static bool add_pending(jg_deps *deps, const jg_seg_pending *child, uint64_t gen)
{
    if (deps->count == deps->cap) {
        uint32_t cap = deps->cap ? deps->cap * 2 : 4096;
        pending *items = cap > PENDING_MAX ? NULL : jg_realloc(deps->items, cap * sizeof *items);
        if (!items && cap <= PENDING_MAX)
            return false;
        if (!items) { /* full: give up the oldest quarter */
            deps->count -= deps->cap / 4;
            memmove(deps->items, deps->items + deps->cap / 4, deps->count * sizeof *deps->items);
        } else {
            deps->items = items;
            deps->cap = cap;
        }
    }
    deps->items[deps->count++] = (pending){*child, gen};
    return true;
}

/** Children that waited: is their parent in this segment? */
static bool resolve_waiting(jg_deps *deps, const jg_seg *seg, const jg_seg_view *view, jg_calls *calls)
{
    uint32_t kept = 0;
    bool ok = true;
    for (uint32_t i = 0; i < deps->count; i++) {
        const pending *p = &deps->items[i];
        uint32_t parent = span_service(deps, seg, view, p->child.trace_id, p->child.parent_id);
        if (parent != JG_NONE && calls)
            ok = ok && jg_calls_add(calls, p->child.minute, parent, p->child.service, 1);
        if (parent == JG_NONE && p->gen + RECENT_SEGMENTS >= seg->meta.gen)
            deps->items[kept++] = *p;
    }
    deps->count = kept;
    return ok;
}

/** A segment in its turn: resolve those that wait, look up its own parents, keep the rest waiting. */
static bool add_segment(jg_deps *deps, const recent *r, const jg_seg *seg, const jg_seg_view *view,
                        jg_calls *calls)
{
    const jg_bytes *section = &view->sections[JG_SEC_PENDING];
    bool ok = resolve_waiting(deps, seg, view, calls);
    for (size_t i = 0; ok && i < section->len / sizeof(jg_seg_pending); i++) {
        jg_seg_pending child;
        memcpy(&child, section->ptr + i * sizeof child, sizeof child);
        child.service = service_in(deps, view, child.service);
        if (child.service == JG_NONE)
            continue;
        uint32_t parent = find_in_recent(deps, r, child.trace_id, child.parent_id);
        if (parent == JG_NONE)
            ok = add_pending(deps, &child, seg->meta.gen);
        else if (calls)
            ok = jg_calls_add(calls, child.minute, parent, child.service, 1);
    }
    return ok;
}

void jg_deps_rebuild(jg_store *store, const jg_snapshot *snapshot)
{
    recent last, before;
    jg_deps *deps = store->deps;
    find_recent(store, snapshot, UINT64_MAX, &last);
    for (uint32_t i = last.count; i-- > 0;) {
        find_recent(store, snapshot, last.segs[i]->meta.gen, &before);
        (void)add_segment(deps, &before, last.segs[i], last.views[i], NULL);
    }
}

/* ---- calls in the catalog
 * -------------------------------------------------------------------------------------- */

/** count of calls, the calls, then a string table of the service names they number. */
static void encode_calls(const jg_deps *deps, const jg_calls *calls, jg_buf *ret)
{
    if (!calls->used)
        return;
    jg_seg_strings names = {0};
    jg_buf_append(ret, &calls->used, sizeof calls->used);
    for (uint32_t i = 0; i < calls->cap; i++) {
        jg_seg_call call = calls->slots[i];
        if (!call.count)
            continue;
        jg_seg_strings_add(&names, deps->names[call.parent]);
        jg_seg_strings_add(&names, deps->names[call.child]);
        call.parent = names.count - 2;
        call.child = names.count - 1;
        jg_buf_append(ret, &call, sizeof call);
    }
    jg_seg_strings_end(&names, ret);
}

bool jg_deps_flush(jg_store *store, const jg_snapshot *snapshot, jg_seg *seg, jg_buf *ret)
{
    recent r;
    jg_calls calls = {0};
    jg_deps *deps = store->deps;
    jg_seg_view *view = jg_seg_use(store, seg, JG_SEC_FOR_CALLS);
    if (!view && jg_seg_is_busy(seg))
        return false;
    if (!view)
        return true; /* named in the log; the spans' own counts are lost with it */
    (void)pthread_mutex_lock(&deps->lock);
    if (!deps->rebuilt)
        jg_deps_rebuild(store, snapshot);
    deps->rebuilt = true;
    find_recent(store, snapshot, seg->meta.gen, &r);
    bool ok = add_segment(deps, &r, seg, view, &calls);
    encode_calls(deps, &calls, ret);
    jg_span_orders_done(&deps->orders);
    (void)pthread_mutex_unlock(&deps->lock);
    jg_calls_done(&calls);
    return ok && jg_buf_ok(ret);
}

/* ---- asking
 * ---------------------------------------------------------------------------------------------------- */

typedef struct asked {
    jg_store *store;
    uint32_t minute_min, minute_max;
    uint64_t gen_max; /* newest segment of the snapshot: calls of a newer one are counted from memory */
    jg_calls sum;     /* minute 0; services by number in deps->names */
    bool ok;
} asked;

static void add(asked *a, uint32_t minute, uint32_t parent, uint32_t child, uint32_t count)
{
    if (minute >= a->minute_min && minute <= a->minute_max && parent != JG_NONE && child != JG_NONE && count)
        a->ok = a->ok && jg_calls_add(&a->sum, 0, parent, child, count);
}

static void add_from_segments(asked *a, const jg_snapshot *snapshot)
{
    for (uint32_t i = 0; i < snapshot->seg_count; i++) {
        jg_seg *seg = snapshot->segs[i];
        if (jg_minute_of(seg->meta.max_start) < a->minute_min ||
            jg_minute_of(seg->meta.min_start) > a->minute_max)
            continue;
        jg_seg_view *view = jg_seg_use(a->store, seg, JG_SEC(CALLS) | JG_SEC(SERVICES));
        const jg_bytes *section = view ? &view->sections[JG_SEC_CALLS] : NULL;
        for (size_t k = 0; section && k < section->len / sizeof(jg_seg_call); k++) {
            jg_seg_call call;
            memcpy(&call, section->ptr + k * sizeof call, sizeof call);
            if (call.minute >= a->minute_min && call.minute <= a->minute_max)
                add(a, call.minute, service_in(a->store->deps, view, call.parent),
                    service_in(a->store->deps, view, call.child), call.count);
        }
    }
}

bool jg_calls_split(jaeger_str value, uint32_t *ret_count, const char **ret_calls, const char **ret_table)
{
    if (value.len < sizeof *ret_count)
        return false;
    memcpy(ret_count, value.ptr, sizeof *ret_count);
    if (*ret_count > (value.len - sizeof *ret_count) / sizeof(jg_seg_call))
        return false;
    *ret_calls = value.ptr + sizeof *ret_count;
    *ret_table = *ret_calls + (size_t)*ret_count * sizeof(jg_seg_call);
    return true;
}

static bool add_from_catalog(void *user, jaeger_str key, jaeger_str value)
{
    asked *a = user;
    uint32_t count;
    const char *calls, *table;
    if (key.len != 8 || jg_get_u64be((const uint8_t *)key.ptr) > a->gen_max ||
        !jg_calls_split(value, &count, &calls, &table))
        return true;
    jg_seg_view names = {0};
    names.sections[JG_SEC_SERVICES] =
        (jg_bytes){(const uint8_t *)table, (size_t)(value.ptr + value.len - table)};
    for (uint32_t i = 0; i < count; i++) {
        jg_seg_call call;
        memcpy(&call, calls + (size_t)i * sizeof call, sizeof call);
        if (call.minute >= a->minute_min && call.minute <= a->minute_max)
            add(a, call.minute, service_in(a->store->deps, &names, call.parent),
                service_in(a->store->deps, &names, call.child), call.count);
    }
    return true;
}

static int read_calls(jg_txn *txn, void *user)
{
    return jg_txn_each(txn, JG_TABLE_CALLS, (jaeger_str){0}, add_from_catalog, user);
}

/** Spans in memory by (trace, span) -> service. */
typedef struct span_map {
    struct {
        uint64_t key;
        uint32_t service; /* + 1; 0: free */
    } * slots;
    uint64_t mask;
} span_map;

static uint64_t span_key(const uint8_t trace_id[16], const uint8_t span_id[8])
{
    uint64_t seed;
    memcpy(&seed, span_id, 8);
    return jg_hash(trace_id, 16, seed);
}

static bool fill_map(span_map *map, jg_deps *deps, const jg_snapshot *snapshot)
{
    uint64_t rows = 0, slots = 1024;
    for (uint32_t m = 0; m < snapshot->mem_count; m++)
        rows += jg_mt_count(snapshot->mems[m]);
    while (slots < (rows + JG_MEM_ROWS_MAX / 16) * 2)
        slots *= 2;
    map->slots = jg_calloc(slots, sizeof *map->slots);
    map->mask = slots - 1;
    uint64_t left = slots / 2;
    for (uint32_t m = 0; map->slots && m < snapshot->mem_count; m++) {
        const jg_mt *mem = snapshot->mems[m];
        for (uint32_t i = 0, n = jg_mt_count(mem); i < n && left > 0; i++, left--) {
            const jg_row *row = jg_mt_row(mem, i);
            uint64_t key = span_key(row->trace_id, row->span_id), at = key & map->mask;
            while (map->slots[at].service && map->slots[at].key != key)
                at = (at + 1) & map->mask;
            uint32_t service = number_of(deps, jg_mt_origin(mem, row->origin)->group.service);
            if (map->slots[at].service || service == JG_NONE)
                continue;
            map->slots[at].key = key;
            map->slots[at].service = service + 1;
        }
    }
    return map->slots != NULL;
}

static uint32_t map_find(const span_map *map, const uint8_t trace_id[16], const uint8_t span_id[8])
{
    uint64_t key = span_key(trace_id, span_id);
    for (uint64_t at = key & map->mask; map->slots[at].service; at = (at + 1) & map->mask)
        if (map->slots[at].key == key)
            return map->slots[at].service - 1;
    return JG_NONE;
}

static void add_from_memory(asked *a, const jg_snapshot *snapshot)
{
    recent r;
    span_map map;
    jg_deps *deps = a->store->deps;
    if (snapshot->mem_count == 0)
        return;
    if (!fill_map(&map, deps, snapshot)) {
        a->ok = false;
        return;
    }
    find_recent(a->store, snapshot, UINT64_MAX, &r);
    for (uint32_t m = 0; m < snapshot->mem_count; m++) {
        const jg_mt *mem = snapshot->mems[m];
        for (uint32_t i = 0, n = jg_mt_count(mem); i < n; i++) {
            const jg_row *row = jg_mt_row(mem, i);
            uint32_t minute = jg_minute_of(row->start);
            if (minute < a->minute_min || minute > a->minute_max || jg_id_is_zero(row->parent_id, 8))
                continue;
            uint32_t parent = map_find(&map, row->trace_id, row->parent_id);
            if (parent == JG_NONE)
                parent = find_in_recent(deps, &r, row->trace_id, row->parent_id);
            add(a, minute, parent, number_of(deps, jg_mt_origin(mem, row->origin)->group.service), 1);
        }
    }
    for (uint32_t i = 0; i < deps->count; i++) {
        const jg_seg_pending *child = &deps->items[i].child;
        add(a, child->minute, map_find(&map, child->trace_id, child->parent_id), child->service, 1);
    }
    jg_free(map.slots);
}

static int call_order(const void *a, const void *b)
{
    const jaeger_dependency *x = a, *y = b;
    int order = jg_str_cmp(x->parent, y->parent);
    return order ? order : jg_str_cmp(x->child, y->child);
}

jaeger_status jg_store_dependencies(jg_store *store, uint64_t start_unix_ns, uint64_t end_unix_ns,
                                    jaeger_dependencies *ret, jaeger_call *call)
{
    jg_deps *deps = store->deps;
    asked a = {.store = store, .ok = true};
    a.minute_min = jg_minute_of(start_unix_ns);
    a.minute_max = end_unix_ns ? jg_minute_of(end_unix_ns) : UINT32_MAX;
    jg_snapshot *snapshot = jg_snapshot_take(store);
    for (uint32_t i = 0; i < snapshot->seg_count; i++)
        a.gen_max = JG_MAX(a.gen_max, snapshot->segs[i]->meta.gen);
    (void)pthread_mutex_lock(&deps->lock);
    add_from_segments(&a, snapshot);
    add_from_memory(&a, snapshot);
    jaeger_status status = jg_catalog_read(store->catalog, read_calls, &a, &call->error);
    if (status == JAEGER_OK && !a.ok)
        status = jg_fail_oom(&call->error);
    for (uint32_t i = 0; status == JAEGER_OK && i < a.sum.cap; i++) {
        const jg_seg_call *c = &a.sum.slots[i];
        if (c->count)
            status = jaeger_dependencies_add(
                ret, (jaeger_dependency){deps->names[c->parent], deps->names[c->child], c->count}, call);
    }
    jg_span_orders_done(&deps->orders);
    (void)pthread_mutex_unlock(&deps->lock);
    jg_snapshot_unref(snapshot);
    jg_calls_done(&a.sum);
    if (status == JAEGER_OK && ret->count)
        qsort(ret->items, ret->count, sizeof *ret->items, call_order);
    return status;
}
