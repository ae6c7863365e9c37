/* SPDX-License-Identifier: Apache-2.0
 * telemetry.sdk.* and telemetry.distro.* say what made the span, so they belong to the resource: they are
 * moved there, unless the resource says something else.
 */
#include "core/arena.h"
#include "core/err.h"
#include "core/pb.h"
#include "core/str.h"
#include "model/otlp_fields.h"
#include "query/adjust/work.h"
#include <stdio.h>

/** What a resource says, and in which order keys were added. */
typedef struct library {
    jaeger_attr known[JG_LIBRARY_KEY_COUNT];
    uint8_t has; /* bits */
    uint8_t added[JG_LIBRARY_KEY_COUNT];
    uint8_t added_count;
} library;

static bool values_equal(const jaeger_value *a, const jaeger_value *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case JAEGER_VALUE_EMPTY:
        return true;
    case JAEGER_VALUE_BOOL:
        return a->u.b == b->u.b;
    case JAEGER_VALUE_INT:
        return a->u.i == b->u.i;
    case JAEGER_VALUE_DOUBLE:
        return a->u.d == b->u.d;
    default:
        return jg_str_eq(a->u.s, b->u.s);
    }
}

static library *library_of(jg_adjust_work *work, library **by_resource, const jaeger_span_group *group)
{
    library **slot = &by_resource[group->resource_index];
    if (*slot)
        return *slot;
    *slot = jg_arena_zalloc(work->arena, sizeof **slot);
    jaeger_attr attr;
    for (jaeger_iter it = jaeger_resource_attrs(group); *slot && jaeger_next_attr(&it, &attr);) {
        int key = jg_library_key(attr.key);
        if (key < 0)
            continue;
        (*slot)->known[key] = attr;
        (*slot)->has |= (uint8_t)(1 << key);
    }
    return *slot;
}

static jaeger_status move_attrs(jg_adjust_work *work, size_t index, library *lib)
{
    jaeger_attr attr;
    for (jaeger_iter it = jaeger_span_attrs(&work->spans[index]); jaeger_next_attr(&it, &attr);) {
        int key = jg_library_key(attr.key);
        if (key < 0)
            continue;
        if (lib->has >> key & 1 && !values_equal(&lib->known[key].value, &attr.value)) {
            char text[96];
            int len =
                snprintf(text, sizeof text, "conflicting values between Span and Resource for attribute %.*s",
                         JAEGER_STR_ARGS(attr.key));
            JG_TRY(jg_adjust_note_warning(work, index, (jaeger_str){text, (size_t)len}));
            continue;
        }
        if (!(lib->has >> key & 1)) {
            lib->known[key] = attr;
            lib->has |= (uint8_t)(1 << key);
            lib->added[lib->added_count++] = (uint8_t)key;
        }
        work->edits[index].moved_keys |= (uint8_t)(1 << key);
        work->edits[index].is_new = true;
    }
    return JAEGER_OK;
}

static jaeger_status write_resources(jg_adjust_work *work, library *const *by_resource)
{
    const jaeger_span_group *groups = jg_batch_groups(work->trace);
    for (size_t i = 0; i < jg_batch_group_count(work->trace); i++) {
        const library *lib = by_resource[groups[i].resource_index];
        if (!lib || !lib->added_count || (i && groups[i].resource_index == groups[i - 1].resource_index))
            continue;
        jg_buf_clear(&work->out);
        jg_buf_str(&work->out, groups[i].resource);
        for (uint8_t k = 0; k < lib->added_count; k++)
            jg_pb_write_str(&work->out, JG_OTLP_RESOURCE_ATTRIBUTES, lib->known[lib->added[k]].raw);
        if (work->out.failed)
            return jg_fail_oom(work->err);
        JG_TRY(jg_batch_replace_resource(work->trace, groups[i].resource_index, work->out.data, work->out.len,
                                         work->err));
    }
    return JAEGER_OK;
}

jaeger_status jg_adjust_library(jg_adjust_work *work)
{
    const jaeger_span_group *groups = jg_batch_groups(work->trace);
    size_t group_count = jg_batch_group_count(work->trace), resources;
    library **by_resource = NULL;
    for (size_t i = 0; i < work->count; i++) {
        if (!(work->notes[i] & JG_NOTE_LIBRARY_ATTR))
            continue;
        if (!by_resource) { /* groups are in the order of their resources */
            resources = groups[group_count - 1].resource_index + (size_t)1;
            by_resource = jg_arena_zalloc(work->arena, resources * sizeof(*by_resource));
        }
        library *lib = by_resource ? library_of(work, by_resource, work->spans[i].group) : NULL;
        if (!lib)
            return jg_fail_oom(work->err);
        JG_TRY(move_attrs(work, i, lib));
    }
    return by_resource ? write_resources(work, by_resource) : JAEGER_OK;
}
