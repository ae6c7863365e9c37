/* SPDX-License-Identifier: Apache-2.0
 * Canonical form of all spans, resources and scopes, and copies of spans dropped: a store may return a span
 * twice, as writing one twice is harmless by design. Two spans are copies if their bytes and the attributes
 * of their resources and scopes are equal.
 */
#include "core/arena.h"
#include "core/err.h"
#include "core/hash.h"
#include "core/str.h"
#include "model/id_table.h"
#include "model/otlp_fields.h"
#include "query/adjust/work.h"

/** Sort a resource or scope. @return whether `work->out` holds another form than `message` */
static bool changed_header(jg_adjust_work *work, jaeger_str message, uint32_t attributes)
{
    jg_buf_clear(&work->out);
    jaeger_arena_reset(work->scratch);
    jg_header_write(&work->out, work->scratch, message, attributes);
    return !jg_str_eq(jg_buf_view(&work->out), message);
}

static uint64_t hash_attrs(jaeger_iter attrs, uint64_t hash)
{
    jaeger_attr attr;
    while (jaeger_next_attr(&attrs, &attr))
        hash = jg_hash(attr.raw.ptr, attr.raw.len, hash);
    return hash;
}

/** Sort the headers of all groups. @param ret_hashes by group: of the attributes of resource and scope */
static jaeger_status sort_headers(jg_adjust_work *work, uint64_t *ret_hashes)
{
    const jaeger_span_group *groups = jg_batch_groups(work->trace);
    size_t n = jg_batch_group_count(work->trace);
    uint64_t resource_hash = 0;
    for (size_t i = 0; i < n; i++) {
        bool is_new = i == 0 || groups[i].resource_index != groups[i - 1].resource_index;
        if (is_new && changed_header(work, groups[i].resource, JG_OTLP_RESOURCE_ATTRIBUTES) &&
            !work->out.failed)
            JG_TRY(jg_batch_replace_resource(work->trace, groups[i].resource_index, work->out.data,
                                             work->out.len, work->err));
        if (!work->out.failed && changed_header(work, groups[i].scope, JG_OTLP_SCOPE_ATTRIBUTES) &&
            !work->out.failed)
            JG_TRY(jg_batch_replace_scope(work->trace, &groups[i], work->out.data, work->out.len, work->err));
        if (work->out.failed)
            return jg_fail_oom(work->err);
        if (is_new)
            resource_hash = hash_attrs(jaeger_resource_attrs(&groups[i]), 1);
        ret_hashes[i] = hash_attrs(jaeger_scope_attrs(&groups[i]), resource_hash);
    }
    return JAEGER_OK;
}

static jaeger_status sort_span(jg_adjust_work *work, size_t index)
{
    const jaeger_span *span = &work->spans[index];
    jg_buf_clear(&work->out);
    jaeger_arena_reset(work->scratch);
    jg_span_write(&work->out, work->scratch, span, NULL, &work->notes[index]);
    if (work->out.failed)
        return jg_fail_oom(work->err);
    if (work->out.len == span->len && memcmp(work->out.data, span->bytes, span->len) == 0)
        return JAEGER_OK;
    return jaeger_batch_replace_span(work->trace, index, work->out.data, work->out.len, work->err);
}

static jaeger_status note_copies(jg_adjust_work *work, const uint64_t *group_hashes)
{
    const jaeger_span_group *groups = jg_batch_groups(work->trace);
    jg_id_table table;
    if (!jg_id_table_init(&table, work->arena, work->count))
        return jg_fail_oom(work->err);
    for (uint32_t i = 0; i < work->count; i++) {
        const jaeger_span *span = &work->spans[i], *other;
        uint64_t group_hash = group_hashes[span->group - groups];
        jg_id_slot *slot = jg_id_table_slot(&table, jg_hash(span->bytes, span->len, group_hash ^ table.seed));
        other = slot->index == JG_NO_INDEX ? NULL : &work->spans[slot->index];
        if (!other)
            slot->index = i;
        else if (span->len == other->len && memcmp(span->bytes, other->bytes, span->len) == 0 &&
                 group_hash == group_hashes[other->group - groups])
            work->notes[i] |= JG_NOTE_COPY;
    }
    return JAEGER_OK;
}

typedef struct keeping {
    jg_adjust_work *work;
    const jaeger_span *first;
    size_t kept;
} keeping;

static bool keep_original(void *user, const jaeger_span *span)
{
    keeping *k = user;
    uint8_t note = k->work->notes[span - k->first];
    if (note & JG_NOTE_COPY)
        return false;
    k->work->notes[k->kept++] = note;
    return true;
}

jaeger_status jg_adjust_sort(jg_adjust_work *work)
{
    uint64_t *hashes = jaeger_arena_alloc(work->arena, jg_batch_group_count(work->trace) * sizeof *hashes);
    work->notes = jg_arena_zalloc(work->arena, work->count);
    if (!hashes || !work->notes)
        return jg_fail_oom(work->err);
    JG_TRY(sort_headers(work, hashes));
    for (size_t i = 0; i < work->count; i++)
        JG_TRY(sort_span(work, i));
    JG_TRY(note_copies(work, hashes));
    jaeger_batch_filter(work->trace, keep_original, &(keeping){work, work->spans, 0});
    work->count = jaeger_batch_span_count(work->trace);
    return JAEGER_OK;
}
