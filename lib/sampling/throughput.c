/* SPDX-License-Identifier: Apache-2.0
 * See throughput.h.
 */
#include "sampling/throughput.h"

#include "core/alloc.h"
#include "core/arena.h"
#include "core/limits.h"
#include "core/str.h"
#include <stdio.h>

#define KEY_BYTES_MAX 4096u /* service and operation; longer names are cut off by nobody sane */

jg_throughput_table *jg_throughput_table_new(void)
{
    jg_throughput_table *table = jg_calloc(1, sizeof *table);
    if (table)
        table->arena = jaeger_arena_new(JG_SAMPLING_BUCKET_BYTES_MAX);
    if (table && table->arena)
        return table;
    jg_free(table);
    return NULL;
}

void jg_throughput_table_free(jg_throughput_table *table)
{
    if (!table)
        return;
    jg_map_done(&table->entries);
    jg_map_done(&table->service_names);
    jaeger_arena_free(table->arena);
    jg_free(table);
}

size_t jg_param_text(double param, char out[JG_PARAM_TEXT_MAX])
{
    int n = snprintf(out, JG_PARAM_TEXT_MAX, "%.6f", param);
    return n > 0 && n < JG_PARAM_TEXT_MAX ? (size_t)n : 0;
}

/** @return false: too long */
static bool make_key(jaeger_str service, jaeger_str operation, char out[KEY_BYTES_MAX], jaeger_str *ret)
{
    uint32_t len = (uint32_t)service.len;
    if (service.len > KEY_BYTES_MAX || operation.len > KEY_BYTES_MAX ||
        sizeof len + service.len + operation.len > KEY_BYTES_MAX)
        return false;
    memcpy(out, &len, sizeof len);
    if (service.len)
        memcpy(out + sizeof len, service.ptr, service.len);
    if (operation.len)
        memcpy(out + sizeof len + service.len, operation.ptr, operation.len);
    *ret = (jaeger_str){out, sizeof len + service.len + operation.len};
    return true;
}

const jaeger_throughput *jg_throughput_find(const jg_throughput_table *table, jaeger_str service,
                                            jaeger_str operation)
{
    char text[KEY_BYTES_MAX];
    jaeger_str key;
    return make_key(service, operation, text, &key) ? jg_map_get(&table->entries, key) : NULL;
}

static bool note_service(jg_throughput_table *table, jaeger_str service)
{
    bool is_new;
    jg_map_entry *slot = jg_map_put(&table->service_names, service, &is_new);
    if (slot)
        slot->value = table;
    table->services += slot && is_new;
    return slot;
}

jaeger_throughput *jg_throughput_entry(jg_throughput_table *table, jaeger_str service, jaeger_str operation)
{
    char text[KEY_BYTES_MAX];
    jaeger_str key;
    if (!make_key(service, operation, text, &key))
        return NULL;
    jaeger_throughput *entry = jg_map_get(&table->entries, key);
    if (entry || table->entries.count >= JG_SAMPLING_RECORDED_MAX)
        return entry;
    jaeger_str kept = jaeger_arena_str(table->arena, key);
    jaeger_str *params = jaeger_arena_alloc(table->arena, JG_THROUGHPUT_PARAMS_MAX * sizeof *params);
    entry = jaeger_arena_alloc(table->arena, sizeof *entry);
    if (!kept.ptr || !params || !entry)
        return NULL;
    *entry = (jaeger_throughput){.probabilities = params};
    entry->service = (jaeger_str){kept.ptr + sizeof(uint32_t), service.len};
    entry->operation = (jaeger_str){entry->service.ptr + service.len, operation.len};
    if (!note_service(table, entry->service))
        return NULL;
    jg_map_entry *slot = jg_map_put(&table->entries, kept, &(bool){false});
    if (!slot)
        return NULL;
    slot->value = entry;
    return entry;
}

bool jg_throughput_has_param(const jaeger_throughput *entry, jaeger_str text)
{
    for (size_t i = 0; i < entry->probability_count; i++)
        if (jg_str_eq(entry->probabilities[i], text))
            return true;
    return false;
}

void jg_throughput_add_param(jg_throughput_table *table, jaeger_throughput *entry, jaeger_str text)
{
    if (entry->probability_count == JG_THROUGHPUT_PARAMS_MAX || jg_throughput_has_param(entry, text))
        return;
    jaeger_str *params =
        (jaeger_str *)(uintptr_t)entry->probabilities; /* ours: made by jg_throughput_entry */
    jaeger_str kept = jaeger_arena_str(table->arena, text);
    if (kept.ptr)
        params[entry->probability_count++] = kept;
}
