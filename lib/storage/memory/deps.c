/* SPDX-License-Identifier: Apache-2.0
 * Dependencies, computed on read: for each span whose parent is in the trace, one call from the parent's
 * service to the span's, also within one service. Traces count that lie wholly in the window.
 */
#include "storage/memory/store.h"

#include "core/alloc.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/map.h"
#include "core/str.h"
#include "model/batch.h"
#include <stdlib.h>

#define PIN_ROWS 64u /* pinned under one lock */

typedef struct node { /* a span */
    uint8_t id[8], parent[8];
    jaeger_str service;
    uint32_t order;
} node;

typedef struct tally {
    jg_map pairs; /* key: length of the parent, parent, child; value: link */
    jaeger_arena *arena;
    uint64_t start_unix_ns, end_unix_ns;
} tally;

typedef struct link {
    jaeger_str parent, child;
    uint64_t count;
} link;

static jaeger_status count_call(tally *t, jaeger_str parent, jaeger_str child, jaeger_call *call)
{
    uint32_t len = (uint32_t)parent.len;
    jaeger_str key = {NULL, sizeof len + parent.len + child.len};
    char *text = jg_alloc(key.len);
    if (!text)
        return jg_fail_oom(&call->error);
    key.ptr = text;
    memcpy(text, &len, sizeof len);
    if (parent.len)
        memcpy(text + sizeof len, parent.ptr, parent.len);
    if (child.len)
        memcpy(text + sizeof len + parent.len, child.ptr, child.len);
    link *known = jg_map_get(&t->pairs, key);
    if (!known) {
        bool is_new;
        jaeger_str kept = jaeger_arena_str(t->arena, key);
        known = jg_arena_zalloc(t->arena, sizeof *known);
        jg_map_entry *entry = kept.ptr && known ? jg_map_put(&t->pairs, kept, &is_new) : NULL;
        if (!entry) {
            jg_free(text);
            return jg_fail_oom(&call->error);
        }
        entry->value = known;
        known->parent = (jaeger_str){kept.ptr + sizeof len, parent.len};
        known->child = jg_str_skip(kept, sizeof len + parent.len);
    }
    known->count++;
    jg_free(text);
    return JAEGER_OK;
}

static int node_order(const void *a, const void *b)
{
    const node *x = a, *y = b;
    int order = memcmp(x->id, y->id, 8);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

/** The first span stored under `id`; NULL: none. */
static const node *node_find(const node *nodes, size_t n, const uint8_t id[8])
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (memcmp(nodes[mid].id, id, 8) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low < n && memcmp(nodes[low].id, id, 8) == 0 ? &nodes[low] : NULL;
}

static jaeger_status count_trace(tally *t, const jg_mem_pin *pinned, jaeger_call *call)
{
    JG_AUTO_FREE node *nodes = jg_alloc(pinned->span_count * sizeof *nodes);
    if (!nodes)
        return jg_fail_oom(&call->error);
    jaeger_span span = {0};
    const char *why;
    uint32_t n = 0;
    jg_mem_walk walk = jg_mem_walk_of(pinned);
    while (jg_mem_walk_next(&walk, &span)) {
        jaeger_str service = span.group->service;
        if (!jg_span_index(span.bytes, span.len, &span, &why))
            continue;
        nodes[n] = (node){.service = service, .order = n};
        memcpy(nodes[n].id, span.span_id, 8);
        memcpy(nodes[n++].parent, span.parent_span_id, 8);
    }
    qsort(nodes, n, sizeof *nodes, node_order);
    for (uint32_t i = 0; i < n; i++) {
        const node *parent = jg_id_is_zero(nodes[i].parent, 8) ? NULL : node_find(nodes, n, nodes[i].parent);
        if (parent)
            JG_TRY(count_call(t, parent->service, nodes[i].service, call));
    }
    return jaeger_call_check(call);
}

static size_t pin_some(const tally *t, jg_mem_shard *shard, uint64_t *pos, uint64_t *ret_end,
                       jg_mem_pin ret[PIN_ROWS])
{
    size_t n = 0;
    pthread_mutex_lock(&shard->lock);
    uint64_t at = JG_MAX(*pos, shard->tail), end = JG_MIN(at + PIN_ROWS, shard->head);
    for (; at < end; at++) {
        jg_mem_row *row = jg_mem_row_at(shard, at);
        if (row->facts.start_min < t->start_unix_ns || row->facts.end_max > t->end_unix_ns ||
            !row->trace->span_count)
            continue;
        jg_mem_trace_ref(row->trace);
        ret[n++] = (jg_mem_pin){row->trace, row->trace->span_count};
    }
    *pos = at;
    *ret_end = shard->head;
    pthread_mutex_unlock(&shard->lock);
    return n;
}

static jaeger_status count_shard(tally *t, jg_mem_shard *shard, jaeger_call *call)
{
    jg_mem_pin pins[PIN_ROWS];
    jaeger_status status = JAEGER_OK;
    for (uint64_t pos = 0, end = 1; pos < end && status == JAEGER_OK;) {
        size_t n = pin_some(t, shard, &pos, &end, pins);
        for (size_t i = 0; i < n; i++) {
            if (status == JAEGER_OK)
                status = count_trace(t, &pins[i], call);
            jg_mem_unpin(&pins[i]);
        }
    }
    return status;
}

jaeger_status jg_mem_dependencies(void *self, uint64_t start_unix_ns, uint64_t end_unix_ns,
                                  jaeger_dependencies *ret, jaeger_call *call)
{
    jg_mem_tenant *tenant;
    JG_TRY(jg_mem_tenant_get(self, call->tenant, false, &tenant, &call->error));
    if (!tenant)
        return JAEGER_OK;
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX);
    if (!arena)
        return jg_fail_oom(&call->error);
    tally t = {.arena = arena,
               .start_unix_ns = start_unix_ns,
               .end_unix_ns = end_unix_ns ? end_unix_ns : UINT64_MAX};
    jaeger_status status = JAEGER_OK;
    for (size_t i = 0; i < JG_MEM_SHARDS && status == JAEGER_OK; i++)
        status = count_shard(&t, &tenant->shards[i], call);
    jg_map_entry entry;
    for (size_t at = 0; status == JAEGER_OK && jg_map_next(&t.pairs, &at, &entry);) {
        const link *l = entry.value;
        status = jaeger_dependencies_add(ret, (jaeger_dependency){l->parent, l->child, l->count}, call);
    }
    jg_map_done(&t.pairs);
    return status;
}
