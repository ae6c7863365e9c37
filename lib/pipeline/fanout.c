/* SPDX-License-Identifier: Apache-2.0
 * See fanout.h.
 *
 * The combined status: if any consumer failed for good, its status, so that the sender does not repeat what
 * others have stored; else that of the first one, with the longest advice about when to retry.
 */
#include "pipeline/fanout.h"

#include "core/arena.h"
#include "core/err.h"
#include <string.h>

typedef struct fanout {
    size_t count;
    jaeger_consumer to[];
} fanout;

static void combine(jaeger_error *sum, const jaeger_error *one)
{
    if (sum->status == JAEGER_OK) {
        *sum = *one;
        return;
    }
    if (jg_status_is_retryable(sum->status) && !jg_status_is_retryable(one->status))
        sum->status = one->status;
    sum->retry_after_ms = JG_MAX(sum->retry_after_ms, one->retry_after_ms);
    size_t len = strlen(sum->message), room = sizeof sum->message - len - 1;
    if (room > 2 && strcmp(sum->message, one->message) != 0) {
        size_t more = JG_MIN(strlen(one->message), room - 2);
        memcpy(sum->message + len, "; ", 2);
        memcpy(sum->message + len + 2, one->message, more);
        sum->message[len + 2 + more] = 0;
    }
}

static jaeger_status fanout_consume(void *self, jaeger_batch *take, jaeger_call *call)
{
    const fanout *f = self;
    jaeger_error sum = {0};
    for (size_t i = 0; i < f->count; i++) {
        jaeger_batch *batch = i + 1 < f->count ? jaeger_batch_ref(take) : take;
        call->error = (jaeger_error){0};
        jaeger_status status = f->to[i].consume(f->to[i].self, batch, call);
        if (status != JAEGER_OK) {
            call->error.status = status;
            combine(&sum, &call->error);
        }
    }
    call->error = sum;
    return sum.status;
}

static bool fanout_prompt(void *self)
{
    const fanout *f = self;
    size_t prompt = 0;
    while (prompt < f->count && jaeger_consumer_is_prompt(&f->to[prompt]))
        prompt++;
    return prompt == f->count;
}

static bool sink_defers(const jg_sink *sink)
{
    return sink->defers && sink->defers(sink->to.self);
}

/** Asks each time, as only the end that is called matters: one that is prompt need not know of `later`. */
static jaeger_status split_consume(void *self, jaeger_batch *take, jaeger_call *call)
{
    const jg_sink *to = self;
    const jg_sink *one = &to[jaeger_batch_signal(take) == JAEGER_TRACES    ? 0
                             : jaeger_batch_signal(take) == JAEGER_METRICS ? 1
                                                                           : 2];
    if (!one->to.consume) {
        jaeger_batch_unref(take);
        return jg_fail(&call->error, JAEGER_UNIMPLEMENTED, "no pipeline takes this signal");
    }
    const jaeger_later *later = jaeger_call_later(call);
    if (!later || sink_defers(one))
        return one->to.consume(one->to.self, take, call);
    call->later = NULL;
    jaeger_status status = one->to.consume(one->to.self, take, call);
    call->later = later;
    return status;
}

static bool split_prompt(void *self)
{
    const jg_sink *to = self;
    bool prompt = true;
    for (size_t i = 0; i < 3; i++)
        prompt = prompt && (!to[i].to.consume || jaeger_consumer_is_prompt(&to[i].to));
    return prompt;
}

static bool split_defers(void *self)
{
    const jg_sink *to = self;
    bool defers = true;
    for (size_t i = 0; i < 3; i++)
        defers = defers && (!to[i].to.consume || sink_defers(&to[i]) || jaeger_consumer_is_prompt(&to[i].to));
    return defers;
}

jg_sink jg_signals_split(jaeger_arena *arena, const jg_sink to[3])
{
    size_t count = 0, only = 0;
    for (size_t i = 0; i < 3; i++)
        if (to[i].to.consume) {
            count++;
            only = i;
        }
    if (count == 1)
        return to[only];
    jg_sink *copy = jaeger_arena_alloc(arena, 3 * sizeof *copy);
    if (!copy)
        return (jg_sink){0};
    memcpy(copy, to, 3 * sizeof *copy);
    return (jg_sink){{split_consume, copy, split_prompt}, split_defers};
}

jg_sink jg_fanout_new(jaeger_arena *arena, const jg_sink *to, size_t count)
{
    if (count == 1)
        return to[0];
    fanout *f = jaeger_arena_alloc(arena, sizeof *f + count * sizeof *f->to);
    if (!f)
        return (jg_sink){0};
    f->count = count;
    for (size_t i = 0; i < count; i++)
        f->to[i] = to[i].to;
    return (jg_sink){{fanout_consume, f, fanout_prompt}, NULL};
}
