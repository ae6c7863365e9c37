/* SPDX-License-Identifier: Apache-2.0
 * Clock skew: a child on another host than its parent must lie within the parent. If it does not, the child
 * and all that follows on its host are moved so that it does.
 *
 * Walks the trace breadth first over index arrays, never by recursion: traces are as deep as clients make
 * them.
 */
#include "core/arena.h"
#include "core/err.h"
#include "core/str.h"
#include "model/id_table.h"
#include "model/value_text.h"
#include "query/adjust/work.h"
#include <stdio.h>

#define HOST_KEY_BYTES_MAX (1u << 20)

/** A span in its tree. */
typedef struct node {
    uint32_t first_child, next_sibling, parent;
    int64_t delta_ns; /* moved by so much, own host and those below on it */
    jaeger_str host;  /* the host that delta_ns was computed for */
} node;

typedef struct skew {
    jg_adjust_work *work;
    node *nodes;
    uint32_t *queue;
    size_t queued;
    jaeger_str *hosts; /* by group */
} skew;

/** Go's time.Duration: saturating difference of two times. */
static int64_t between(uint64_t later, uint64_t earlier)
{
    int64_t ns;
    if (__builtin_sub_overflow((int64_t)later, (int64_t)earlier, &ns))
        return (int64_t)later < 0 ? INT64_MIN : INT64_MAX;
    return ns;
}

static jaeger_str string_or_empty(const jaeger_value *value)
{
    return value->type == JAEGER_VALUE_STRING ? value->u.s : JAEGER_STR("");
}

/** @return false: out of memory */
static bool first_as_text(jaeger_arena *arena, const jaeger_value *first, jaeger_str *ret)
{
    if (first->type == JAEGER_VALUE_STRING) {
        *ret = first->u.s;
        return true;
    }
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(HOST_KEY_BYTES_MAX);
    jg_value_text(&text, first);
    *ret = jaeger_arena_str(arena, jg_buf_view(&text));
    return ret->ptr && !text.failed;
}

/** host.id, else host.ip (one, or the first of several), else host.name. */
static bool host_key(jaeger_arena *arena, const jaeger_span_group *group, jaeger_str *ret)
{
    jaeger_iter attrs = jaeger_resource_attrs(group);
    jaeger_attr attr;
    *ret = JAEGER_STR("");
    if (jaeger_find_attr(attrs, JAEGER_STR("host.id"), &attr)) {
        *ret = string_or_empty(&attr.value);
        return true;
    }
    if (jaeger_find_attr(attrs, JAEGER_STR("host.ip"), &attr)) {
        jaeger_value first = attr.value;
        jaeger_iter values = jaeger_array_values(attr.value);
        if (attr.value.type == JAEGER_VALUE_STRING ||
            (attr.value.type == JAEGER_VALUE_ARRAY && jaeger_next_value(&values, &first)))
            return first_as_text(arena, &first, ret);
    }
    if (jaeger_find_attr(attrs, JAEGER_STR("host.name"), &attr))
        *ret = string_or_empty(&attr.value);
    return true;
}

static jaeger_status read_hosts(skew *s)
{
    const jaeger_span_group *groups = jg_batch_groups(s->work->trace);
    size_t n = jg_batch_group_count(s->work->trace);
    s->hosts = jaeger_arena_alloc(s->work->arena, n * sizeof *s->hosts);
    if (!s->hosts)
        return jg_fail_oom(s->work->err);
    for (size_t i = 0; i < n; i++) {
        if (i && groups[i].resource_index == groups[i - 1].resource_index)
            s->hosts[i] = s->hosts[i - 1];
        else if (!host_key(s->work->arena, &groups[i], &s->hosts[i]))
            return jg_fail_oom(s->work->err);
    }
    return JAEGER_OK;
}

static jaeger_str host_of(const skew *s, uint32_t index)
{
    return s->hosts[s->work->spans[index].group - jg_batch_groups(s->work->trace)];
}

static jaeger_status warn(skew *s, uint32_t index, jaeger_str text)
{
    return jg_adjust_note_warning(s->work, index, text);
}

static jaeger_status warn_no_parent(skew *s, uint32_t index)
{
    char text[96], id[16];
    jg_hex_encode(s->work->spans[index].parent_span_id, 8, id);
    int len = snprintf(text, sizeof text,
                       "parent span ID=%.16s is not in the trace; skipping clock skew adjustment", id);
    return warn(s, index, (jaeger_str){text, (size_t)len});
}

/** Link children to parents; roots go into the queue. */
static jaeger_status build_trees(skew *s)
{
    jg_adjust_work *work = s->work;
    jg_id_table table;
    if (!jg_id_table_init(&table, work->arena, work->count))
        return jg_fail_oom(work->err);
    for (uint32_t i = 0; i < work->count; i++) {
        jg_id_slot *slot = jg_id_table_slot(&table, jg_span_id_number(work->spans[i].span_id));
        s->nodes[i] = (node){JG_NO_INDEX, JG_NO_INDEX, JG_NO_INDEX, 0, {"", 0}};
        if (slot->index == JG_NO_INDEX)
            slot->index = i;
        else
            JG_TRY(warn(s, i, JAEGER_STR("duplicate span IDs; skipping clock skew adjustment")));
    }
    for (uint32_t i = 0; i < work->count; i++) {
        const jaeger_span *span = &work->spans[i];
        if (jg_id_table_slot(&table, jg_span_id_number(span->span_id))->index != i)
            continue; /* a duplicate: in no tree */
        bool has_parent = !jg_id_is_zero(span->parent_span_id, 8);
        uint32_t parent = has_parent
                              ? jg_id_table_slot(&table, jg_span_id_number(span->parent_span_id))->index
                              : JG_NO_INDEX;
        if (parent == JG_NO_INDEX) {
            s->queue[s->queued++] = i;
            if (has_parent)
                JG_TRY(warn_no_parent(s, i));
            continue;
        }
        s->nodes[i].parent = parent;
        s->nodes[i].next_sibling = s->nodes[parent].first_child;
        s->nodes[parent].first_child = i;
    }
    return JAEGER_OK;
}

/** How far the child must move. The parent has been moved already. */
static int64_t needed_delta(const jaeger_span *child, const jaeger_span *parent)
{
    int64_t child_start = (int64_t)child->start_unix_ns, parent_start = (int64_t)parent->start_unix_ns;
    int64_t child_ns = between(child->end_unix_ns, child->start_unix_ns);
    int64_t parent_ns = between(parent->end_unix_ns, parent->start_unix_ns);
    if (child_ns >
        parent_ns) /* asynchronous, or the parent gave up: it must not start earlier, that is all */
        return child_start < parent_start ? between(parent->start_unix_ns, child->start_unix_ns) : 0;
    if (child_start >= parent_start && (int64_t)child->end_unix_ns <= (int64_t)parent->end_unix_ns)
        return 0;
    /* as much time for the request as for the answer */
    int64_t latency = (int64_t)((uint64_t)parent_ns - (uint64_t)child_ns) / 2;
    return between(parent->start_unix_ns + (uint64_t)latency, child->start_unix_ns);
}

static jaeger_status warn_not_applied(skew *s, uint32_t index, int64_t delta)
{
    char text[192], calculated[JG_DURATION_TEXT_MAX], max[JG_DURATION_TEXT_MAX];
    (void)jg_duration_to_text(delta, calculated);
    (void)jg_duration_to_text((int64_t)s->work->max_skew_ns, max);
    int len =
        s->work->max_skew_ns == 0
            ? snprintf(text, sizeof text,
                       "clock skew adjustment disabled; not applying calculated delta of %s", calculated)
            : snprintf(text, sizeof text,
                       "max clock skew adjustment delta of %s exceeded; not applying calculated delta of %s",
                       max, calculated);
    return warn(s, index, (jaeger_str){text, (size_t)len});
}

static jaeger_status move(skew *s, uint32_t index, int64_t delta)
{
    char text[96], moved[JG_DURATION_TEXT_MAX];
    uint64_t distance = delta < 0 ? 0 - (uint64_t)delta : (uint64_t)delta;
    if (delta == 0)
        return JAEGER_OK;
    if (distance > s->work->max_skew_ns)
        return warn_not_applied(s, index, delta);
    jaeger_span *span = &s->work->spans[index];
    span->start_unix_ns += (uint64_t)delta;
    span->end_unix_ns += (uint64_t)delta;
    s->work->edits[index].event_shift_ns = delta;
    s->work->edits[index].is_new = true;
    (void)jg_duration_to_text(delta, moved);
    int len = snprintf(text, sizeof text, "This span's timestamps were adjusted by %s", moved);
    return warn(s, index, (jaeger_str){text, (size_t)len});
}

jaeger_status jg_adjust_skew(jg_adjust_work *work)
{
    skew s = {.work = work};
    s.nodes = jaeger_arena_alloc(work->arena, work->count * sizeof *s.nodes);
    s.queue = jaeger_arena_alloc(work->arena, work->count * sizeof *s.queue);
    if (!s.nodes || !s.queue)
        return jg_fail_oom(work->err);
    JG_TRY(read_hosts(&s));
    JG_TRY(build_trees(&s));
    for (size_t at = 0; at < s.queued; at++) {
        uint32_t i = s.queue[at];
        node *n = &s.nodes[i], *parent = n->parent == JG_NO_INDEX ? NULL : &s.nodes[n->parent];
        jaeger_str host = host_of(&s, i);
        n->host = host;
        if (parent && (host.len == 0 || !jg_str_eq(host, parent->host)))
            n->delta_ns = needed_delta(&work->spans[i], &work->spans[n->parent]);
        else if (parent)
            n->delta_ns = parent->delta_ns;
        JG_TRY(move(&s, i, n->delta_ns));
        for (uint32_t c = n->first_child; c != JG_NO_INDEX; c = s.nodes[c].next_sibling)
            s.queue[s.queued++] = c;
    }
    return JAEGER_OK;
}
