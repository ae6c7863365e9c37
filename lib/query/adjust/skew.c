/* SPDX-License-Identifier: Apache-2.0
 * Clock skew: a child on another host than its parent must lie within the parent. If it does not, the child
 * and all that follows on its host are moved so that it does.
 *
 * A parent is moved before its children. From each span a walk climbs to the first ancestor that is done and
 * comes back down, never by recursion: traces are as deep as clients make them. The way back is in the upper
 * half of row.parent.
 */
#include "core/arena.h"
#include "core/str.h"
#include "model/id_table.h"
#include "model/otlp_fields.h"
#include "model/value_text.h"
#include "query/adjust/plan.h"

#define HOST_KEY_BYTES_MAX (1u << 20)

/* ---- hosts ---- */

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

bool jg_plan_host_of(jg_plan *plan, const jaeger_span_group *group, uint32_t *ret)
{
    bool is_new;
    jaeger_str key;
    jaeger_span_group canonical = {
        .resource = jg_header_write(&plan->writer, group->resource, JG_OTLP_RESOURCE_ATTRIBUTES)};
    if (!jg_span_writer_ok(&plan->writer) || !host_key(plan->writer.scratch, &canonical, &key))
        return false;
    *ret = 0;
    if (key.len == 0)
        return true;
    void *known = jg_map_get(&plan->hosts, key);
    if (!known) {
        key = jaeger_arena_str(plan->names, key);
        jg_map_entry *entry = key.ptr ? jg_map_put(&plan->hosts, key, &is_new) : NULL;
        if (!entry)
            return false;
        entry->value = known = (void *)(uintptr_t)plan->hosts.count;
    }
    *ret = (uint32_t)(uintptr_t)known;
    return true;
}

/* ---- warnings ---- */

static jaeger_str join(jaeger_arena *arena, jaeger_str a, jaeger_str b, jaeger_str c)
{
    char *text = jaeger_arena_alloc(arena, a.len + b.len + c.len);
    if (!text)
        return (jaeger_str){0};
    memcpy(text, a.ptr, a.len);
    memcpy(text + a.len, b.ptr, b.len);
    memcpy(text + a.len + b.len, c.ptr, c.len);
    return (jaeger_str){text, a.len + b.len + c.len};
}

static jaeger_str warning_of(const jg_plan *plan, const jg_plan_row *row, jaeger_arena *arena)
{
    char delta[JG_DURATION_TEXT_MAX], max[JG_DURATION_TEXT_MAX];
    if (row->bits & JG_ROW_DUPLICATE)
        return JAEGER_STR("duplicate span IDs; skipping clock skew adjustment");
    if (row->bits & JG_ROW_ORPHAN) {
        uint8_t id[8];
        char hex[16];
        jg_span_id_from_number(row->parent, id);
        jg_hex_encode(id, sizeof id, hex);
        return join(arena, JAEGER_STR("parent span ID="), (jaeger_str){hex, sizeof hex},
                    JAEGER_STR(" is not in the trace; skipping clock skew adjustment"));
    }
    jaeger_str moved = {delta, jg_duration_to_text(row->delta_ns, delta)};
    if (row->bits & JG_ROW_MOVED)
        return join(arena, JAEGER_STR("This span's timestamps were adjusted by "), moved, JAEGER_STR(""));
    if (plan->max_skew_ns == 0)
        return join(arena, JAEGER_STR("clock skew adjustment disabled; not applying calculated delta of "),
                    moved, JAEGER_STR(""));
    (void)jg_duration_to_text((int64_t)plan->max_skew_ns, max);
    return jg_arena_printf(
        arena, "max clock skew adjustment delta of %s exceeded; not applying calculated delta of %s", max,
        delta);
}

bool jg_plan_skew_warning(const jg_plan *plan, const jg_plan_row *row, jaeger_arena *arena, jaeger_str *ret)
{
    *ret = (jaeger_str){0};
    if (!(row->bits & (JG_ROW_DUPLICATE | JG_ROW_ORPHAN | JG_ROW_MOVED | JG_ROW_NOT_MOVED)))
        return true;
    *ret = warning_of(plan, row, arena);
    return ret->ptr != NULL;
}

/* ---- moving ---- */

/** Go's time.Duration: saturating difference of two times. */
static int64_t between(uint64_t later, uint64_t earlier)
{
    int64_t ns;
    if (__builtin_sub_overflow((int64_t)later, (int64_t)earlier, &ns))
        return (int64_t)later < 0 ? INT64_MIN : INT64_MAX;
    return ns;
}

/** How far the child must move. The parent has been moved already. */
static int64_t needed_delta(const jg_plan_row *child, const jg_plan_row *parent)
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

static void move(jg_plan *plan, jg_plan_row *row)
{
    uint64_t delta = (uint64_t)row->delta_ns, distance = row->delta_ns < 0 ? 0 - delta : delta;
    if (distance == 0)
        return;
    if (distance > plan->max_skew_ns) {
        row->bits |= JG_ROW_NOT_MOVED;
        return;
    }
    row->start_unix_ns += delta;
    row->end_unix_ns += delta;
    row->bits |= JG_ROW_MOVED;
}

/** Find the parents. */
static void link_parents(jg_plan *plan)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        jg_plan_row *row = jg_plan_row_at(plan, i);
        row->delta_ns = 0;
        if (row->bits & (JG_ROW_COPY | JG_ROW_DUPLICATE) || row->parent == 0) {
            row->bits |= JG_ROW_DONE; /* a root, or in no tree */
            continue;
        }
        uint32_t parent = jg_plan_find(plan, row->parent);
        if (parent != JG_NO_ROW) {
            row->parent = parent;
            row->bits |= JG_ROW_HAS_PARENT;
        } else {
            row->bits |= JG_ROW_ORPHAN | JG_ROW_DONE;
        }
    }
}

static void settle_child(jg_plan *plan, jg_plan_row *row, const jg_plan_row *parent)
{
    row->bits = (row->bits & ~(uint32_t)JG_ROW_ON_PATH) | JG_ROW_DONE;
    if (parent->bits & JG_ROW_ADRIFT) {
        row->bits |= JG_ROW_ADRIFT;
        return;
    }
    row->delta_ns =
        row->host == 0 || row->host != parent->host ? needed_delta(row, parent) : parent->delta_ns;
    move(plan, row);
}

static void walk_from(jg_plan *plan, uint32_t index)
{
    uint32_t below = JG_NO_ROW;
    jg_plan_row *row = jg_plan_row_at(plan, index);
    while (!(row->bits & (JG_ROW_DONE | JG_ROW_ON_PATH))) {
        uint32_t parent = (uint32_t)row->parent;
        row->parent = (uint64_t)below << 32 | parent;
        row->bits |= JG_ROW_ON_PATH;
        below = index;
        index = parent;
        row = jg_plan_row_at(plan, index);
    }
    if (row->bits & JG_ROW_ON_PATH)
        row->bits |= JG_ROW_ADRIFT; /* a circle: found again before it was done */
    for (const jg_plan_row *parent = row; below != JG_NO_ROW; parent = row) {
        row = jg_plan_row_at(plan, below);
        below = (uint32_t)(row->parent >> 32);
        settle_child(plan, row, parent);
    }
}

void jg_plan_skew(jg_plan *plan)
{
    link_parents(plan);
    for (uint32_t i = 0; i < plan->count; i++)
        walk_from(plan, i);
}
