/* SPDX-License-Identifier: Apache-2.0
 * Result lists of the storage interface: they grow in call->arena.
 */
#include "core/arena.h"
#include "core/err.h"
#include <jaeger/storage.h>

#define LIST_GROW(list, call)                                                                                \
    do {                                                                                                     \
        void *grown =                                                                                        \
            jg_arena_grow((call)->arena, (list)->items, (list)->count, &(list)->cap, sizeof *(list)->items); \
        if (!grown)                                                                                          \
            return jg_fail((call) ? &(call)->error : NULL, JAEGER_RESOURCE_EXHAUSTED,                        \
                           "result too large or out of memory");                                             \
        (list)->items = grown;                                                                               \
    } while (0)

#define COPY(field, call)                                                                                    \
    do {                                                                                                     \
        (field) = jaeger_arena_str((call)->arena, (field));                                                  \
        if (!(field).ptr)                                                                                    \
            return jg_fail(&(call)->error, JAEGER_RESOURCE_EXHAUSTED, "result too large or out of memory");  \
    } while (0)

jaeger_status jaeger_trace_refs_add(jaeger_trace_refs *list, jaeger_trace_ref item, jaeger_call *call)
{
    LIST_GROW(list, call);
    list->items[list->count++] = item;
    return JAEGER_OK;
}

jaeger_status jaeger_strs_add(jaeger_strs *list, jaeger_str item, jaeger_call *call)
{
    LIST_GROW(list, call);
    COPY(item, call);
    list->items[list->count++] = item;
    return JAEGER_OK;
}

jaeger_status jaeger_operations_add(jaeger_operations *list, jaeger_operation item, jaeger_call *call)
{
    LIST_GROW(list, call);
    COPY(item.name, call);
    COPY(item.span_kind, call);
    list->items[list->count++] = item;
    return JAEGER_OK;
}

jaeger_status jaeger_dependencies_add(jaeger_dependencies *list, jaeger_dependency item, jaeger_call *call)
{
    LIST_GROW(list, call);
    COPY(item.parent, call);
    COPY(item.child, call);
    list->items[list->count++] = item;
    return JAEGER_OK;
}
