/* SPDX-License-Identifier: Apache-2.0
 * See splits.h. The hashes of all trace ids are put into one table, a slice of the hashes' range after the
 * other, so that the table stays small: a million traces take about 20 ms.
 */
#include "storage/embedded/splits.h"

#include "core/alloc.h"
#include "core/buf.h"
#include "core/err.h"
#include <stdlib.h>

#define SLICE_TRACES (32u << 10)  /* in one table, on average */
#define TABLE_SLOTS  (128u << 10) /* 1.5 MB */
#define SPLIT_MAX    (64u << 20)  /* traces; more are an error */
#define SECTIONS     (JG_SEC(TRACES) | JG_SEC(TRACE_HASHES) | JG_SEC(TRACE_ORDINALS))

typedef struct slot {
    uint32_t hash, seg, number; /* seg: 0 free, else index + 1 */
} slot;

typedef struct finder {
    const jg_seg_view **views;  /* NULL: cannot be read */
    uint32_t *at;               /* the next hash of each segment */
    uint32_t seg_count, factor; /* factor: odd and secret, so that nobody can make slots collide */
    slot *table;
    jg_buf found; /* uint64_t: segment << 32 | number; with repetitions */
} finder;

static void mark(finder *f, uint32_t seg, uint32_t number)
{
    uint64_t item = (uint64_t)seg << 32 | number;
    jg_buf_append(&f->found, &item, sizeof item);
}

static void note(finder *f, uint32_t hash, uint32_t seg, uint32_t number)
{
    uint32_t i = (hash * f->factor) >> 15;
    while (f->table[i].seg && f->table[i].hash != hash)
        i = (i + 1) % TABLE_SLOTS;
    if (f->table[i].seg) {
        mark(f, f->table[i].seg - 1, f->table[i].number);
        mark(f, seg, number);
    } else {
        f->table[i] = (slot){hash, seg + 1, number};
    }
}

/** Hashes up to `last`. @return false: out of memory */
static bool find_in_slice(finder *f, uint32_t last)
{
    uint32_t used = 0;
    memset(f->table, 0, TABLE_SLOTS * sizeof *f->table);
    for (uint32_t s = 0; s < f->seg_count; s++) {
        const jg_seg_view *view = f->views[s];
        if (!view)
            continue;
        const uint32_t *hashes = (const uint32_t *)view->sections[JG_SEC_TRACE_HASHES].ptr;
        const uint32_t *numbers = (const uint32_t *)view->sections[JG_SEC_TRACE_ORDINALS].ptr;
        uint32_t at = f->at[s], count = view->header.trace_count;
        for (; at < count && hashes[at] <= last; at++) {
            if (numbers[at] >= count)
                continue;
            if (++used < TABLE_SLOTS)
                note(f, hashes[at], s, numbers[at]);
            else
                mark(f, s, numbers[at]); /* hashes may be chosen by clients: taken as split, to be safe */
        }
        f->at[s] = at;
    }
    return jg_buf_ok(&f->found);
}

static bool find_all(finder *f)
{
    uint64_t total = 0, slices = 1;
    for (uint32_t s = 0; s < f->seg_count; s++)
        total += f->views[s] ? f->views[s]->header.trace_count : 0;
    while (slices * SLICE_TRACES < total)
        slices *= 2;
    for (uint64_t i = 1; i <= slices; i++)
        if (!find_in_slice(f, (uint32_t)(i * (1ull << 32) / slices - 1)))
            return false;
    return true;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static jg_splits *make(const jg_snapshot *snapshot, const finder *f)
{
    uint64_t *found = (uint64_t *)(void *)f->found.data;
    size_t n = f->found.len / sizeof *found, segs = snapshot->seg_count, count = 0;
    if (n)
        qsort(found, n, sizeof *found, by_number);
    jg_splits *splits = jg_calloc(1, sizeof *splits + segs * 8 + (segs + 1) * 4 + n * 4);
    if (!splits)
        return NULL;
    splits->refs = 1;
    splits->seg_count = snapshot->seg_count;
    splits->gens = (uint64_t *)(splits + 1);
    splits->first = (uint32_t *)(splits->gens + segs);
    splits->numbers = splits->first + segs + 1;
    size_t at = 0;
    for (uint32_t s = 0; s < segs; s++) {
        splits->gens[s] = snapshot->segs[s]->meta.gen;
        for (; at < n && found[at] >> 32 == s; at++)
            if (at == 0 || found[at] != found[at - 1])
                splits->numbers[count++] = (uint32_t)found[at];
        splits->first[s + 1] = (uint32_t)count;
    }
    return splits;
}

static jg_splits *compute(jg_store *store, const jg_snapshot *snapshot)
{
    uint32_t n = snapshot->seg_count;
    finder f = {
        .seg_count = n, .factor = (uint32_t)store->seed | 1, .found = JG_BUF_INIT((size_t)SPLIT_MAX * 8)};
    jg_splits *splits = NULL;
    f.views = jg_calloc(n + 1, sizeof *f.views);
    f.at = jg_calloc(n + 1, sizeof *f.at);
    f.table = jg_alloc(TABLE_SLOTS * sizeof *f.table);
    for (uint32_t i = 0; f.views && i < n; i++)
        f.views[i] = jg_seg_use(store, snapshot->segs[i], SECTIONS);
    if (f.views && f.at && f.table && find_all(&f))
        splits = make(snapshot, &f);
    jg_free(f.views);
    jg_free(f.at);
    jg_free(f.table);
    jg_buf_done(&f.found);
    return splits;
}

static bool is_of(const jg_splits *splits, const jg_snapshot *snapshot)
{
    bool same = splits && splits->seg_count == snapshot->seg_count;
    for (uint32_t i = 0; same && i < snapshot->seg_count; i++)
        same = splits->gens[i] == snapshot->segs[i]->meta.gen;
    return same;
}

jaeger_status jg_splits_get(jg_store *store, const jg_snapshot *snapshot, jg_splits **ret, jaeger_call *call)
{
    (void)pthread_mutex_lock(&store->lock);
    jg_splits *splits = is_of(store->splits, snapshot) ? store->splits : NULL;
    if (splits)
        __atomic_add_fetch(&splits->refs, 1, __ATOMIC_RELAXED);
    (void)pthread_mutex_unlock(&store->lock);
    if (!splits) {
        splits = compute(store, snapshot);
        if (!splits)
            return jg_fail_oom(&call->error);
        __atomic_add_fetch(&splits->refs, 1, __ATOMIC_RELAXED);
        (void)pthread_mutex_lock(&store->lock);
        jg_splits *old = store->splits;
        store->splits = splits;
        (void)pthread_mutex_unlock(&store->lock);
        jg_splits_unref(old);
    }
    *ret = splits;
    return JAEGER_OK;
}

void jg_splits_unref(jg_splits *splits)
{
    if (splits && __atomic_sub_fetch(&splits->refs, 1, __ATOMIC_ACQ_REL) == 0)
        jg_free(splits);
}
