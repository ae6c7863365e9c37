/* SPDX-License-Identifier: Apache-2.0
 * See adjust.h: the last reading, and whole traces. Order of the adjusters: ids, sort, copies dropped, clock
 * skew, IP addresses, library attributes, links. What depends on one span alone (the canonical form, IP
 * addresses, links) is done while it is rewritten.
 */
#include "query/adjust.h"

#include "core/arena.h"
#include "core/err.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/id_table.h"
#include "query/adjust/library.h"
#include "query/adjust/plan.h"

/** @return whether `written` is another form than `message` */
static bool differs(jaeger_str written, const void *message, size_t len)
{
    return written.len != len || (len && memcmp(written.ptr, message, len) != 0);
}

/** Resources and scopes in canonical form. */
static jaeger_status sort_headers(jg_span_writer *writer, jaeger_batch *chunk, jaeger_error *err)
{
    const jaeger_span_group *groups = jg_batch_groups(chunk);
    for (size_t i = 0; i < jg_batch_group_count(chunk); i++) {
        const jaeger_span_group *group = &groups[i];
        jaeger_str header;
        if (i == 0 || group->resource_index != groups[i - 1].resource_index) {
            header = jg_header_write(writer, group->resource, JG_OTLP_RESOURCE_ATTRIBUTES);
            if (jg_span_writer_ok(writer) && differs(header, group->resource.ptr, group->resource.len))
                JG_TRY(jg_batch_replace_resource(chunk, group->resource_index, header.ptr, header.len, err));
        }
        header = jg_header_write(writer, group->scope, JG_OTLP_SCOPE_ATTRIBUTES);
        if (jg_span_writer_ok(writer) && differs(header, group->scope.ptr, group->scope.len))
            JG_TRY(jg_batch_replace_scope(chunk, group, header.ptr, header.len, err));
    }
    return jg_span_writer_ok(writer) ? JAEGER_OK : jg_fail_oom(err);
}

/** @return false: out of memory */
static bool edit_of(jg_plan *plan, const jg_plan_row *row, jg_libraries *libraries, const jaeger_batch *chunk,
                    const jaeger_span *span, jg_span_edit *ret)
{
    jg_span_writer *writer = &plan->writer;
    jaeger_str warning;
    *ret = (jg_span_edit){.event_shift_ns = row->bits & JG_ROW_MOVED ? row->delta_ns : 0};
    if (!jg_plan_skew_warning(plan, row, writer->scratch, &warning) ||
        (warning.ptr && !jg_span_warn(writer, ret, warning)))
        return false;
    ret->warned_early = warning.ptr != NULL;
    if (!jg_library_move(libraries, chunk, span, writer, ret))
        return false;
    for (size_t i = 0; i < writer->links.count; i++) {
        if (!jg_link_is_empty(writer->links.list[i].raw))
            continue;
        ret->drops_links = true;
        if (!jg_span_warn(writer, ret, JAEGER_STR("Invalid span link removed")))
            return false;
    }
    return true;
}

static uint8_t marks_of(const jg_plan_row *row)
{
    return (uint8_t)((row->bits & JG_ROW_DUPLICATE ? JAEGER_ID_CAME_BEFORE : 0) |
                     (row->bits & JG_ROW_AGAIN ? JAEGER_ID_COMES_AGAIN : 0));
}

static jaeger_status adjust_span(jg_plan *plan, const jg_plan_row *row, jg_libraries *libraries,
                                 jaeger_batch *chunk, size_t index, jaeger_error *err)
{
    jaeger_span *span = &jg_batch_spans_mutable(chunk)[index];
    jg_span_edit edit;
    span->start_unix_ns = row->start_unix_ns;
    span->end_unix_ns = row->end_unix_ns;
    jg_span_id_from_number(row->id, span->span_id);
    jg_span_id_from_number(jg_plan_parent_id(plan, row), span->parent_span_id);
    jg_span_take_apart(&plan->writer, span);
    if (!edit_of(plan, row, libraries, chunk, span, &edit))
        return jg_fail_oom(err);
    jaeger_str bytes = jg_span_put_together(&plan->writer, span, &edit);
    if (!jg_span_writer_ok(&plan->writer))
        return jg_fail_oom(err);
    if (differs(bytes, span->bytes, span->len))
        return jg_batch_put_span(chunk, index, bytes.ptr, bytes.len, false, err);
    return JAEGER_OK;
}

typedef struct keeping {
    const jg_plan *plan;
    const jaeger_span *first;
    uint32_t at; /* row of the first */
} keeping;

static bool is_no_copy(void *user, const jaeger_span *span)
{
    const keeping *k = user;
    return !(jg_plan_row_at(k->plan, k->at + (uint32_t)(span - k->first))->bits & JG_ROW_COPY);
}

static jaeger_status adjust_chunk(jg_plan *plan, jg_libraries *libraries, jaeger_batch *chunk,
                                  jaeger_error *err)
{
    bool has_copies = false;
    keeping kept = {plan, jaeger_batch_spans(chunk), plan->at};
    if (plan->adjusts)
        JG_TRY(sort_headers(&plan->writer, chunk, err));
    for (size_t i = 0; i < jaeger_batch_span_count(chunk); i++) {
        jaeger_span *span = &jg_batch_spans_mutable(chunk)[i];
        const jg_plan_row *row = plan->at < plan->count ? jg_plan_row_at(plan, plan->at) : NULL;
        if (!row || !jg_plan_is_next(plan, row, span))
            return jg_plan_changed(err);
        plan->at++;
        span->id_marks = marks_of(row);
        if (row->bits & JG_ROW_COPY)
            has_copies = true;
        else if (plan->adjusts)
            JG_TRY(adjust_span(plan, row, libraries, chunk, i, err));
    }
    if (has_copies)
        jaeger_batch_filter(chunk, is_no_copy, &kept);
    return jg_library_write(libraries, chunk, &plan->writer.out, err);
}

jaeger_status jg_plan_apply(jg_plan *plan, jaeger_batch **chunk, jaeger_error *err)
{
    if (jaeger_batch_span_count(*chunk) == 0)
        return JAEGER_OK;
    JG_TRY(jaeger_batch_own(chunk, err));
    jg_libraries libraries = {0};
    jaeger_status status = adjust_chunk(plan, &libraries, *chunk, err);
    jg_libraries_done(&libraries);
    return status;
}

/* ---- whole traces ---- */

static jaeger_status run(jg_plan *plan, jaeger_batch **trace, jaeger_error *err)
{
    bool compares;
    if (!plan)
        return jg_fail_oom(err);
    JG_TRY(jg_plan_add(plan, *trace, err));
    JG_TRY(jg_plan_settle(plan, &compares, err));
    if (compares)
        JG_TRY(jg_plan_compare(plan, *trace, err));
    JG_TRY(jg_plan_finish(plan, err));
    return jg_plan_apply(plan, trace, err);
}

static jaeger_status adjust_whole(jaeger_batch **trace, bool adjusts, uint64_t max_skew_ns, jaeger_error *err)
{
    if (jaeger_batch_span_count(*trace) == 0)
        return JAEGER_OK;
    jg_plan *plan = jg_plan_new(adjusts, max_skew_ns);
    jaeger_status status = run(plan, trace, err);
    jg_plan_free(plan);
    return status;
}

jaeger_status jg_adjust(jaeger_batch **trace, uint64_t max_skew_ns, jaeger_error *err)
{
    return adjust_whole(trace, true, max_skew_ns, err);
}

jaeger_status jg_mark_ids(jaeger_batch **trace, jaeger_error *err)
{
    return adjust_whole(trace, false, 0, err);
}

jaeger_status jg_adjust_warn(jaeger_batch *trace, size_t index, jaeger_str warning, jaeger_error *err)
{
    jg_span_writer writer;
    jg_warning one = {NULL, warning};
    jg_span_edit edit = {.warnings = &one, .warnings_last = &one};
    bool ok = jg_span_writer_init(&writer);
    jaeger_str bytes =
        ok ? jg_span_write(&writer, &jaeger_batch_spans(trace)[index], &edit) : (jaeger_str){0};
    jaeger_status status = ok && jg_span_writer_ok(&writer)
                               ? jg_batch_put_span(trace, index, bytes.ptr, bytes.len, false, err)
                               : jg_fail_oom(err);
    jg_span_writer_done(&writer);
    return status;
}
