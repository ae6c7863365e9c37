/* SPDX-License-Identifier: Apache-2.0
 * Zipkin clients give the client and the server span of one call the same id. A server span that shares its
 * id with a client span gets the smallest id that is free, becomes a child of the shared id, and takes over
 * its children.
 */
#include "core/arena.h"
#include "core/err.h"
#include "model/id_table.h"
#include "query/adjust/work.h"

typedef struct shared_id {
    bool has_client;
    uint64_t server_id; /* the new id of its (last) server span; 0: none */
} shared_id;

static bool has_both_kinds(const jg_adjust_work *work)
{
    bool client = false, server = false;
    for (size_t i = 0; i < work->count && !(client && server); i++) {
        client |= work->spans[i].kind == JAEGER_KIND_CLIENT;
        server |= work->spans[i].kind == JAEGER_KIND_SERVER;
    }
    return client && server;
}

/** The smallest id after `last` that no span has; 0: all are taken. */
static uint64_t next_free_id(const jg_id_table *table, uint64_t last)
{
    uint64_t id = last + 1;
    while (id != 0 && jg_id_table_slot(table, id)->index != JG_NO_INDEX)
        id++;
    return id;
}

static void replace_ids(jg_adjust_work *work, const jg_id_table *table, shared_id *shared)
{
    uint64_t last = 0;
    bool any = false;
    for (size_t i = 0; i < work->count; i++) {
        jaeger_span *span = &work->spans[i];
        shared_id *s = &shared[jg_id_table_slot(table, jg_span_id_number(span->span_id))->index];
        if (span->kind != JAEGER_KIND_SERVER || !s->has_client)
            continue;
        last = next_free_id(table, last);
        s->server_id = last;
        memcpy(span->parent_span_id, span->span_id, 8);
        jg_span_id_from_number(last, span->span_id);
        any = true;
    }
    for (size_t i = 0; any && i < work->count; i++) {
        jaeger_span *span = &work->spans[i];
        uint32_t index = jg_id_table_slot(table, jg_span_id_number(span->parent_span_id))->index;
        uint64_t server_id = index == JG_NO_INDEX ? 0 : shared[index].server_id;
        if (server_id && server_id != jg_span_id_number(span->span_id))
            jg_span_id_from_number(server_id, span->parent_span_id);
    }
}

jaeger_status jg_adjust_ids(jg_adjust_work *work)
{
    jg_id_table table;
    if (!has_both_kinds(work))
        return JAEGER_OK;
    shared_id *shared = jg_arena_zalloc(work->arena, work->count * sizeof *shared);
    if (!shared || !jg_id_table_init(&table, work->arena, work->count))
        return jg_fail_oom(work->err);
    for (uint32_t i = 0; i < work->count; i++) {
        jg_id_slot *slot = jg_id_table_slot(&table, jg_span_id_number(work->spans[i].span_id));
        if (slot->index == JG_NO_INDEX)
            slot->index = i;
        shared[slot->index].has_client |= work->spans[i].kind == JAEGER_KIND_CLIENT;
    }
    replace_ids(work, &table, shared);
    return JAEGER_OK;
}
