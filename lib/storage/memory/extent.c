/* SPDX-License-Identifier: Apache-2.0
 * The memory that a shard's traces live in: extents, filled from the front and given back as a whole with the
 * last piece in them. Traces are evicted in the order in which they came, so extents empty in the order in
 * which they were filled, and the budget counts what the system really lent, not what malloc might keep.
 *
 * Why not malloc: a store that fills touches every page of it for the first time. Inside malloc that happens
 * under the lock of its arena and one page fault at a time; here it costs half, and nobody waits for it. A
 * store at its ceiling takes an emptied extent again, and touches nothing new at all.
 */
#include "storage/memory/store.h"

#include "core/alloc.h"
#include <sys/mman.h>

#define EXTENT_BYTES_MIN 4096u
#define EXTENT_BYTES_MAX (4u << 20)
#define SHARE            32u /* of the shard's bytes: what the first and the last extent may leave unused */
#define SMALL_SHARE      8u  /* the same of a small shard */
#define SPARE_BYTES_MAX  (8u << 20)
#define MAP_BYTES_MIN    (64u << 10)  /* smaller extents come from malloc */
#define READY_STEP       (128u << 10) /* pages touched in one call */
#define PIECE_SHARE      4u           /* a larger part of an extent gets one of its own */

struct jg_mem_extent {
    jg_mem_tenant *tenant;
    jg_mem_shard *shard;
    jg_mem_extent *next;       /* of the spare ones */
    size_t bytes, used, ready; /* all with this head: its size, what is taken, what has been touched */
    uint32_t refs;             /* atomic; pieces, and one while it is open */
};

static bool is_mapped(size_t bytes)
{
    return bytes >= MAP_BYTES_MIN;
}

/** Of an extent in a store near its ceiling. */
static size_t bytes_most(const jg_mem_store *store)
{
    size_t bytes = EXTENT_BYTES_MIN;
    while (bytes < EXTENT_BYTES_MAX && bytes * 2 <= store->max_bytes / JG_MEM_SHARDS / SHARE / 2)
        bytes *= 2;
    return bytes;
}

/* ---- spare extents: emptied ones of the largest size, which is that of a store at its ceiling
 * ---------------------------------------------------------------- */

static jg_mem_extent *spare_take(jg_mem_store *store, size_t bytes)
{
    pthread_mutex_lock(&store->spares.lock);
    jg_mem_extent **at = &store->spares.first;
    while (*at && (*at)->bytes != bytes)
        at = &(*at)->next;
    jg_mem_extent *extent = *at;
    if (extent) {
        *at = extent->next;
        store->spares.bytes -= bytes;
    }
    pthread_mutex_unlock(&store->spares.lock);
    return extent;
}

static bool spare_keep(jg_mem_store *store, jg_mem_extent *extent)
{
    if (extent->bytes != bytes_most(store))
        return false;
    pthread_mutex_lock(&store->spares.lock);
    bool keep = store->spares.bytes + extent->bytes <= JG_MIN(SPARE_BYTES_MAX, store->max_bytes / SHARE);
    if (keep) {
        extent->next = store->spares.first;
        store->spares.first = extent;
        store->spares.bytes += extent->bytes;
    }
    pthread_mutex_unlock(&store->spares.lock);
    return keep;
}

void jg_mem_spares_done(jg_mem_store *store)
{
    for (jg_mem_extent *extent = store->spares.first, *next; extent; extent = next) {
        next = extent->next;
        (void)munmap(extent, extent->bytes);
    }
    pthread_mutex_destroy(&store->spares.lock);
}

/* ---- extents
 * ---------------------------------------------------------------------------------------------------- */

static jg_mem_extent *extent_map(jg_mem_store *store, size_t bytes)
{
    jg_mem_extent *extent = spare_take(store, bytes);
    if (extent)
        return extent;
    extent = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (extent == MAP_FAILED)
        return NULL;
    extent->ready = sizeof *extent;
    return extent;
}

/** With one reference. @return NULL: see credit->need */
static jg_mem_extent *extent_new(jg_mem_tenant *tenant, jg_mem_shard *shard, size_t bytes,
                                 jg_mem_credit *credit)
{
    if (is_mapped(bytes))
        bytes = (bytes + 4095) & ~(size_t)4095;
    if (!jg_mem_charge(tenant, credit, bytes))
        return NULL;
    jg_mem_extent *extent = is_mapped(bytes) ? extent_map(tenant->store, bytes) : jg_alloc(bytes);
    if (!extent) {
        jg_mem_uncharge(tenant, bytes);
        credit->need = 0;
        return NULL;
    }
    *extent = (jg_mem_extent){.tenant = tenant,
                              .shard = shard,
                              .bytes = bytes,
                              .used = sizeof *extent,
                              .ready = is_mapped(bytes) ? extent->ready : bytes,
                              .refs = 1};
    __atomic_add_fetch(&shard->extent_bytes, bytes, __ATOMIC_RELAXED);
    return extent;
}

void jg_mem_extent_unref(jg_mem_extent *extent)
{
    if (!extent || __atomic_sub_fetch(&extent->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    jg_mem_tenant *tenant = extent->tenant;
    size_t bytes = extent->bytes;
    __atomic_sub_fetch(&extent->shard->extent_bytes, bytes, __ATOMIC_RELAXED);
    if (!is_mapped(bytes))
        jg_free(extent);
    else if (!spare_keep(tenant->store, extent))
        (void)munmap(extent, bytes);
    jg_mem_uncharge(tenant, bytes);
}

/** Touch the pages up to `end`, many in one call. If that cannot be, they are touched by their use. */
static void make_ready(jg_mem_extent *extent, size_t end)
{
    size_t page = extent->ready & ~(size_t)4095;
    size_t ready = JG_MIN(extent->bytes, (end + READY_STEP - 1) & ~(size_t)(READY_STEP - 1));
#ifdef MADV_POPULATE_WRITE
    (void)madvise((uint8_t *)extent + page, ready - page, MADV_POPULATE_WRITE);
#endif
    extent->ready = ready;
}

static void *take(jg_mem_extent *extent, size_t bytes)
{
    void *piece = (uint8_t *)extent + extent->used;
    extent->used += bytes;
    if (extent->used > extent->ready)
        make_ready(extent, extent->used);
    return piece;
}

/** A power of two, in proportion to what the shard has. */
static size_t bytes_of_next(const jg_mem_store *store, const jg_mem_shard *shard)
{
    size_t have = __atomic_load_n(&shard->extent_bytes, __ATOMIC_RELAXED), most = bytes_most(store);
    size_t want = JG_MAX(have / SHARE, JG_MIN(have / SMALL_SHARE, MAP_BYTES_MIN)), bytes = EXTENT_BYTES_MIN;
    while (bytes < most && bytes * 2 <= want)
        bytes *= 2;
    return bytes;
}

void *jg_mem_extent_alloc(jg_mem_tenant *tenant, jg_mem_shard *shard, size_t bytes, jg_mem_credit *credit,
                          jg_mem_extent **ret)
{
    bytes = (bytes + 15) & ~(size_t)15;
    jg_mem_extent *open = shard->open;
    if (!open || bytes > open->bytes - open->used) {
        size_t size = bytes_of_next(tenant->store, shard);
        bool alone = bytes > size / PIECE_SHARE;
        jg_mem_extent *made = extent_new(tenant, shard, alone ? sizeof *made + bytes : size, credit);
        if (!made)
            return NULL;
        if (alone) {
            *ret = made;
            return take(made, bytes);
        }
        jg_mem_extent_unref(open);
        shard->open = open = made;
    }
    __atomic_add_fetch(&open->refs, 1, __ATOMIC_RELAXED);
    *ret = open;
    return take(open, bytes);
}
