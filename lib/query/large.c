/* SPDX-License-Identifier: Apache-2.0
 * See large.h.
 */
#include "query/large.h"

#include "core/alloc.h"
#include "core/err.h"
#include "model/batch.h"
#include "query/adjust.h"
#include <stdio.h>

enum { READING_ADD, READING_COMPARE, READING_APPLY };

jaeger_status jg_large_cut(jaeger_batch **chunk, size_t n, jaeger_error *err)
{
    jaeger_batch *part;
    JG_AUTO_FREE uint32_t *indexes = jg_alloc(n * sizeof *indexes);
    if (!indexes)
        return jg_fail_oom(err);
    for (uint32_t i = 0; i < n; i++)
        indexes[i] = i;
    JG_TRY(jg_batch_select(*chunk, indexes, n, &part, err));
    jaeger_batch_unref(*chunk);
    *chunk = part;
    return JAEGER_OK;
}

jaeger_status jg_large_warn_cut(uint64_t max_spans, jaeger_batch **first, jaeger_error *err)
{
    char text[96];
    int len = snprintf(text, sizeof text, "trace has more than %llu spans, showing first %llu spans only",
                       (unsigned long long)max_spans, (unsigned long long)max_spans);
    JG_TRY(jaeger_batch_own(first, err));
    return jg_adjust_warn(*first, 0, (jaeger_str){text, (size_t)len}, err);
}

/** Leave out what is above max_spans; all readings come to the same. @return RESOURCE_EXHAUSTED */
static jaeger_status cut(jg_large *l, jaeger_batch **chunk, jaeger_error *err)
{
    size_t n = jaeger_batch_span_count(*chunk);
    bool is_first = l->seen == 0;
    if (l->max_spans && n > l->max_spans - l->seen) {
        n = (size_t)(l->max_spans - l->seen);
        l->is_cut = true;
        JG_TRY(jg_large_cut(chunk, n, err));
    }
    l->seen += n;
    return l->is_cut && is_first && l->reading != READING_ADD ? jg_large_warn_cut(l->max_spans, chunk, err)
                                                              : JAEGER_OK;
}

static jaeger_status consume(void *self, jaeger_batch *take, jaeger_call *call)
{
    jg_large *l = self;
    JG_AUTO_BATCH jaeger_batch *chunk = take;
    JG_TRY(jaeger_call_check(call));
    JG_TRY(cut(l, &chunk, &call->error));
    if (l->reading == READING_ADD)
        return jg_plan_add(l->plan, chunk, &call->error);
    if (l->reading == READING_COMPARE)
        return jg_plan_compare(l->plan, chunk, &call->error);
    JG_TRY(jg_plan_apply(l->plan, &chunk, &call->error));
    if (jaeger_batch_span_count(chunk) == 0)
        return JAEGER_OK;
    jaeger_batch *given = chunk;
    chunk = NULL;
    return l->out.consume(l->out.self, given, call);
}

static jaeger_status again(void *self, bool *ret, jaeger_call *call)
{
    jg_large *l = self;
    bool compares = false;
    *ret = l->seen && l->reading != READING_APPLY;
    l->seen = 0;
    if (l->reading != READING_ADD && !jg_plan_is_complete(l->plan))
        return jg_plan_changed(&call->error);
    if (!*ret)
        return JAEGER_OK;
    if (l->reading == READING_ADD)
        JG_TRY(jg_plan_settle(l->plan, &compares, &call->error));
    l->reading = compares ? READING_COMPARE : READING_APPLY;
    return compares ? JAEGER_OK : jg_plan_finish(l->plan, &call->error);
}

jaeger_status jg_large_read(jg_large *l, const jaeger_storage *storage, const jaeger_trace_ref *ref,
                            jaeger_call *call)
{
    l->plan = jg_plan_new(l->adjusts, l->max_skew_ns);
    if (!l->plan)
        return jg_fail_oom(&call->error);
    jaeger_status status = storage->driver->reread_trace(
        storage->self, ref, (jaeger_rereader){.out = {consume, l}, .again = again}, call);
    jg_plan_free(l->plan);
    return status;
}
