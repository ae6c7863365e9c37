/* SPDX-License-Identifier: Apache-2.0
 * See adjust.h and adjust/work.h. Order: ids, sort, copies dropped, clock skew, IP addresses, library
 * attributes, links. Numeric IP addresses are made text while spans are sorted; nothing between depends on
 * them.
 */
#include "query/adjust.h"

#include "core/arena.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "query/adjust/work.h"

jaeger_status jg_adjust_note_warning(jg_adjust_work *work, size_t index, jaeger_str text)
{
    jg_span_edit *edit = &work->edits[index];
    jg_warning *warning = jaeger_arena_alloc(work->arena, sizeof *warning);
    jaeger_str copy = jaeger_arena_str(work->arena, text);
    if (!warning || !copy.ptr)
        return jg_fail_oom(work->err);
    *warning = (jg_warning){NULL, copy};
    if (edit->warnings_last)
        edit->warnings_last->next = warning;
    else
        edit->warnings = warning;
    edit->warnings_last = warning;
    edit->is_new = true;
    return JAEGER_OK;
}

static jaeger_status drop_links(jg_adjust_work *work)
{
    jaeger_link link;
    for (size_t i = 0; i < work->count; i++) {
        if (!(work->notes[i] & JG_NOTE_EMPTY_LINK))
            continue;
        work->edits[i].drops_links = work->edits[i].is_new = true;
        for (jaeger_iter it = jaeger_span_links(&work->spans[i]); jaeger_next_link(&it, &link);)
            if (jg_id_is_zero(link.trace_id, 16))
                JG_TRY(jg_adjust_note_warning(work, i, JAEGER_STR("Invalid span link removed")));
    }
    return JAEGER_OK;
}

static jaeger_status write_edit(jg_adjust_work *work, size_t index, const jg_span_edit *edit)
{
    jg_buf_clear(&work->out);
    jaeger_arena_reset(work->scratch);
    jg_span_write(&work->out, work->scratch, &work->spans[index], edit, NULL);
    if (work->out.failed)
        return jg_fail_oom(work->err);
    return jaeger_batch_replace_span(work->trace, index, work->out.data, work->out.len, work->err);
}

static jaeger_status run(jg_adjust_work *work)
{
    if (!work->arena || !work->scratch)
        return jg_fail_oom(work->err);
    JG_TRY(jg_adjust_ids(work));
    JG_TRY(jg_adjust_sort(work));
    work->edits = jg_arena_zalloc(work->arena, work->count * sizeof *work->edits);
    if (!work->edits)
        return jg_fail_oom(work->err);
    JG_TRY(jg_adjust_skew(work));
    for (size_t i = 0; i < work->count; i++)
        work->edits[i].warned_early = work->edits[i].warnings != NULL;
    JG_TRY(jg_adjust_library(work));
    JG_TRY(drop_links(work));
    for (size_t i = 0; i < work->count; i++)
        if (work->edits[i].is_new)
            JG_TRY(write_edit(work, i, &work->edits[i]));
    return JAEGER_OK;
}

jaeger_status jg_adjust(jaeger_batch **trace, uint64_t max_skew_ns, jaeger_error *err)
{
    if (jaeger_batch_span_count(*trace) == 0)
        return JAEGER_OK;
    JG_TRY(jaeger_batch_own(trace, err));
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX);
    JG_AUTO_ARENA jaeger_arena *scratch = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX);
    jg_adjust_work work = {.trace = *trace,
                           .spans = jg_batch_spans_mutable(*trace),
                           .count = jaeger_batch_span_count(*trace),
                           .arena = arena,
                           .scratch = scratch,
                           .out = JG_BUF_INIT(JG_SPAN_BYTES_MAX),
                           .max_skew_ns = max_skew_ns,
                           .err = err};
    jaeger_status status = run(&work);
    jg_buf_done(&work.out);
    return status;
}

jaeger_status jg_adjust_warn(jaeger_batch *trace, size_t index, jaeger_str warning, jaeger_error *err)
{
    JG_AUTO_ARENA jaeger_arena *scratch = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX);
    JG_AUTO_BUF jg_buf out = JG_BUF_INIT(JG_SPAN_BYTES_MAX);
    jg_warning one = {NULL, warning};
    jg_span_edit edit = {.warnings = &one, .warnings_last = &one};
    if (!scratch)
        return jg_fail_oom(err);
    jg_span_write(&out, scratch, &jaeger_batch_spans(trace)[index], &edit, NULL);
    return out.failed ? jg_fail_oom(err) : jaeger_batch_replace_span(trace, index, out.data, out.len, err);
}
