/* SPDX-License-Identifier: Apache-2.0
 * See lanes.h. Lanes are few (one, unless there are tenants or metadata), so they are searched one by one;
 * a hash keeps that cheap. A lane that was served goes to the end, so that a busy one starves no other.
 */
#include "pipeline/lanes.h"

#include "core/alloc.h"
#include "core/hash.h"
#include "core/str.h"
#include "model/batch.h"
#include <string.h>

void jg_lanes_done(jg_lanes *l)
{
    jg_free(l->lanes);
    l->lanes = NULL;
}

uint64_t jg_lanes_units(const jg_lane_rules *rules, const jaeger_batch *batch)
{
    return rules->by_bytes ? jaeger_batch_otlp_size(batch) : jg_batch_items(batch);
}

static uint64_t add_str(uint64_t hash, jaeger_str s)
{
    return s.len ? jg_hash(s.ptr, s.len, hash) : hash + 1;
}

void jg_lanes_measure(const jg_lanes *l, jg_queue_item *it)
{
    const jaeger_call *call = &it->call;
    it->units = l->rules.min ? jg_lanes_units(&l->rules, it->batch) : 1;
    it->hash = jaeger_batch_signal(it->batch);
    if (!call->tenant.len && !call->bearer_token.len && !call->metadata_count)
        return;
    it->hash = add_str(add_str(it->hash, call->tenant), call->bearer_token);
    for (size_t i = 0; i < call->metadata_count; i++)
        it->hash = add_str(add_str(it->hash, call->metadata[i].key), call->metadata[i].value);
}

static bool may_share(const jg_queue_item *a, const jg_queue_item *b)
{
    if (a->hash != b->hash || a->call.metadata_count != b->call.metadata_count ||
        jaeger_batch_signal(a->batch) != jaeger_batch_signal(b->batch) ||
        !jg_str_eq(a->call.tenant, b->call.tenant) || !jg_str_eq(a->call.bearer_token, b->call.bearer_token))
        return false;
    for (size_t i = 0; i < a->call.metadata_count; i++)
        if (!jg_str_eq(a->call.metadata[i].key, b->call.metadata[i].key) ||
            !jg_str_eq(a->call.metadata[i].value, b->call.metadata[i].value))
            return false;
    return true;
}

static jg_lane *lane_of(jg_lanes *l, const jg_queue_item *it)
{
    for (size_t i = 0; i < l->count; i++)
        if (!l->rules.min || may_share(l->lanes[i].first, it))
            return &l->lanes[i];
    if (l->count == l->capacity) {
        size_t capacity = l->capacity ? 2 * l->capacity : 4;
        jg_lane *longer = jg_realloc(l->lanes, capacity * sizeof *longer);
        if (!longer)
            return NULL;
        l->lanes = longer;
        l->capacity = capacity;
    }
    l->lanes[l->count] = (jg_lane){0};
    return &l->lanes[l->count++];
}

bool jg_lanes_put(jg_lanes *l, jg_queue_item *it)
{
    jg_lane *lane = lane_of(l, it);
    if (!lane)
        return false;
    it->next = NULL;
    if (lane->first)
        lane->last->next = it;
    else
        lane->first = it;
    lane->last = it;
    lane->units += it->units;
    return true;
}

bool jg_lanes_full(const jg_lanes *l, const jg_queue_item *it)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->lanes[i].last == it)
            return l->lanes[i].units >= l->rules.min;
    return false;
}

bool jg_lanes_fits(const jg_lane_rules *rules, uint64_t units, uint64_t more)
{
    return units < rules->min && (!rules->max || units + more <= rules->max);
}

static jg_queue_item *take_from(jg_lanes *l, size_t at)
{
    jg_lane lane = l->lanes[at];
    jg_queue_item *first = lane.first, *end = first;
    uint64_t units = first->units;
    while (end->next && jg_lanes_fits(&l->rules, units, end->next->units)) {
        end = end->next;
        units += end->units;
    }
    lane.first = end->next;
    lane.units -= units;
    end->next = NULL;
    l->count--;
    memmove(&l->lanes[at], &l->lanes[at + 1], (l->count - at) * sizeof *l->lanes);
    if (lane.first)
        l->lanes[l->count++] = lane;
    return first;
}

jg_queue_item *jg_lanes_take(jg_lanes *l, uint64_t now_ns, bool idle, bool all)
{
    all = all || !l->rules.min || (idle && l->rules.when_idle);
    for (size_t i = 0; i < l->count; i++)
        if (all || l->lanes[i].units >= l->rules.min ||
            l->lanes[i].first->arrived_ns + l->rules.wait_ns <= now_ns)
            return take_from(l, i);
    return NULL;
}

uint64_t jg_lanes_due_ns(const jg_lanes *l)
{
    uint64_t due = UINT64_MAX;
    for (size_t i = 0; i < l->count; i++)
        due = JG_MIN(due, l->lanes[i].first->arrived_ns + l->rules.wait_ns);
    return due;
}
