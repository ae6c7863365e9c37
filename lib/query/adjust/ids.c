/* SPDX-License-Identifier: Apache-2.0
 * Zipkin clients give the client and the server span of one call the same id. A server span that shares its
 * id with a client span gets the smallest id that is free, becomes a child of the shared id, and takes over
 * its children.
 *
 * New ids wait in delta_ns until all children have been looked up: the table knows the old ones.
 */
#include "core/alloc.h"
#include "core/err.h"
#include "query/adjust/plan.h"

/** The smallest id after `last` that no span has; 0: all are taken. */
static uint64_t next_free_id(const jg_plan *plan, uint64_t last)
{
    uint64_t id = last + 1;
    while (id != 0 && jg_plan_find(plan, id) != JG_NO_ROW)
        id++;
    return id;
}

static uint32_t kind_of(const jg_plan_row *row)
{
    return row->bits & JG_ROW_KIND;
}

/** @return whether a server span shares its id with a client span */
static bool note_clients(jg_plan *plan)
{
    bool any = false;
    for (uint32_t i = 0; i < plan->count; i++) {
        const jg_plan_row *row = jg_plan_row_at(plan, i);
        if (!(row->bits & JG_ROW_SHARES))
            continue;
        jg_plan_row *first = jg_plan_row_at(plan, jg_plan_find(plan, row->id));
        if (kind_of(row) == JAEGER_KIND_CLIENT)
            first->bits |= JG_ROW_HAS_CLIENT;
        if (kind_of(row) == JAEGER_KIND_SERVER)
            first->bits |= JG_ROW_HAS_SERVER;
        any |= first->bits & JG_ROW_HAS_CLIENT && first->bits & JG_ROW_HAS_SERVER;
    }
    return any;
}

/** @param last_server by first row of an id: the last server span that had it, + 1 */
static void choose_ids(jg_plan *plan, uint32_t *last_server)
{
    uint64_t last = 0;
    for (uint32_t i = 0; i < plan->count; i++) {
        jg_plan_row *row = jg_plan_row_at(plan, i);
        if (!(row->bits & JG_ROW_SHARES) || kind_of(row) != JAEGER_KIND_SERVER)
            continue;
        uint32_t first = jg_plan_find(plan, row->id);
        if (!(jg_plan_row_at(plan, first)->bits & JG_ROW_HAS_CLIENT))
            continue;
        last = next_free_id(plan, last);
        row->delta_ns = (int64_t)last;
        row->parent = row->id;
        row->bits |= JG_ROW_NEW_ID;
        last_server[first] = i + 1;
    }
}

static void move_children(jg_plan *plan, const uint32_t *last_server)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        jg_plan_row *row = jg_plan_row_at(plan, i);
        uint32_t first = jg_plan_find(plan, row->parent);
        if (first == JG_NO_ROW || !last_server[first])
            continue;
        uint64_t server_id = (uint64_t)jg_plan_row_at(plan, last_server[first] - 1)->delta_ns;
        uint64_t own_id = row->bits & JG_ROW_NEW_ID ? (uint64_t)row->delta_ns : row->id;
        if (server_id && server_id != own_id)
            row->parent = server_id;
    }
}

jaeger_status jg_plan_ids(jg_plan *plan, jaeger_error *err)
{
    if (!note_clients(plan))
        return JAEGER_OK;
    JG_AUTO_FREE uint32_t *last_server = jg_calloc(plan->count, sizeof *last_server);
    if (!last_server)
        return jg_fail_oom(err);
    choose_ids(plan, last_server);
    move_children(plan, last_server);
    for (uint32_t i = 0; i < plan->count; i++) {
        jg_plan_row *row = jg_plan_row_at(plan, i);
        if (row->bits & JG_ROW_NEW_ID)
            row->id = (uint64_t)row->delta_ns;
    }
    return jg_plan_index_ids(plan, err);
}
