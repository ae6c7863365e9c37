/* SPDX-License-Identifier: Apache-2.0
 * See library.h.
 */
#include "query/adjust/library.h"

#include "core/arena.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/pb.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/otlp_fields.h"

/** What a resource says, and in which order keys were added. */
typedef struct jg_library {
    jaeger_attr known[JG_LIBRARY_KEY_COUNT];
    uint8_t has; /* bits */
    uint8_t added[JG_LIBRARY_KEY_COUNT];
    uint8_t added_count;
} jg_library;

void jg_libraries_done(jg_libraries *libraries)
{
    jaeger_arena_free(libraries->arena);
}

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

static int key_index(jaeger_str key)
{
    jg_span_item item = {.key = key};
    if (key.len < sizeof item.prefix)
        return -1;
    memcpy(&item.prefix, key.ptr, sizeof item.prefix);
    item.prefix = __builtin_bswap64(item.prefix);
    return jg_library_key(&item);
}

static bool make(jg_libraries *libraries, const jaeger_batch *chunk)
{
    const jaeger_span_group *groups = jg_batch_groups(chunk);
    libraries->arena = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX);
    if (!libraries->arena)
        return false;
    /* groups are in the order of their resources */
    size_t resources = groups[jg_batch_group_count(chunk) - 1].resource_index + (size_t)1;
    libraries->by_resource = jg_arena_zalloc(libraries->arena, resources * sizeof(*libraries->by_resource));
    return libraries->by_resource != NULL;
}

static jg_library *library_of(jg_libraries *libraries, const jaeger_span_group *group)
{
    jg_library **slot = &libraries->by_resource[group->resource_index];
    if (*slot)
        return *slot;
    *slot = jg_arena_zalloc(libraries->arena, sizeof **slot);
    jaeger_attr attr;
    for (jaeger_iter it = jaeger_resource_attrs(group); *slot && jaeger_next_attr(&it, &attr);) {
        int key = key_index(attr.key);
        if (key < 0)
            continue;
        (*slot)->known[key] = attr;
        (*slot)->has |= (uint8_t)(1 << key);
    }
    return *slot;
}

static bool move(jg_library *lib, int key, jaeger_str raw, jg_span_writer *writer, jg_span_edit *edit)
{
    jaeger_attr attr = jg_attr_read(raw);
    if (lib->has >> key & 1 && !values_equal(&lib->known[key].value, &attr.value)) {
        jaeger_str text = jg_arena_printf(writer->scratch,
                                          "conflicting values between Span and Resource for attribute %.*s",
                                          JAEGER_STR_ARGS(attr.key));
        return text.ptr && jg_span_warn(writer, edit, text);
    }
    if (!(lib->has >> key & 1)) {
        lib->known[key] = attr;
        lib->has |= (uint8_t)(1 << key);
        lib->added[lib->added_count++] = (uint8_t)key;
    }
    edit->moved_keys |= (uint8_t)(1 << key);
    return true;
}

bool jg_library_move(jg_libraries *libraries, const jaeger_batch *chunk, const jaeger_span *span,
                     jg_span_writer *writer, jg_span_edit *edit)
{
    jg_library *lib = NULL;
    for (size_t i = 0; i < writer->attrs.count; i++) {
        int key = jg_library_key(&writer->attrs.list[i]);
        if (JG_LIKELY(key < 0))
            continue;
        if (!libraries->by_resource && !make(libraries, chunk))
            return false;
        if (!lib && !(lib = library_of(libraries, span->group)))
            return false;
        if (!move(lib, key, writer->attrs.list[i].raw, writer, edit))
            return false;
    }
    return true;
}

jaeger_status jg_library_write(const jg_libraries *libraries, jaeger_batch *chunk, jg_buf *buf,
                               jaeger_error *err)
{
    const jaeger_span_group *groups = jg_batch_groups(chunk);
    size_t n = libraries->by_resource ? jg_batch_group_count(chunk) : 0;
    for (size_t i = 0; i < n; i++) {
        const jg_library *lib = libraries->by_resource[groups[i].resource_index];
        if (!lib || !lib->added_count || (i && groups[i].resource_index == groups[i - 1].resource_index))
            continue;
        jg_buf_clear(buf);
        jg_buf_str(buf, groups[i].resource);
        for (uint8_t k = 0; k < lib->added_count; k++)
            jg_pb_write_str(buf, JG_OTLP_RESOURCE_ATTRIBUTES, lib->known[lib->added[k]].raw);
        if (buf->failed)
            return jg_fail_oom(err);
        JG_TRY(jg_batch_replace_resource(chunk, groups[i].resource_index, buf->data, buf->len, err));
    }
    return JAEGER_OK;
}
