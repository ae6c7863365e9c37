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

static jaeger_status split_consume(void *self, jaeger_batch *take, jaeger_call *call)
{
    const jaeger_consumer *to = self;
    const jaeger_consumer *one = &to[jaeger_batch_signal(take) == JAEGER_TRACES    ? 0
                                     : jaeger_batch_signal(take) == JAEGER_METRICS ? 1
                                                                                   : 2];
    if (one->consume)
        return one->consume(one->self, take, call);
    jaeger_batch_unref(take);
    return jg_fail(&call->error, JAEGER_UNIMPLEMENTED, "no pipeline takes this signal");
}

static bool split_prompt(void *self)
{
    const jaeger_consumer *to = self;
    bool prompt = true;
    for (size_t i = 0; i < 3; i++)
        prompt = prompt && (!to[i].consume || jaeger_consumer_is_prompt(&to[i]));
    return prompt;
}

jaeger_consumer jg_signals_split(jaeger_arena *arena, const jaeger_consumer to[3])
{
    size_t count = 0, only = 0;
    for (size_t i = 0; i < 3; i++)
        if (to[i].consume) {
            count++;
            only = i;
        }
    if (count == 1)
        return to[only];
    jaeger_consumer *copy = jaeger_arena_alloc(arena, 3 * sizeof *copy);
    if (!copy)
        return (jaeger_consumer){0};
    memcpy(copy, to, 3 * sizeof *copy);
    return (jaeger_consumer){split_consume, copy, split_prompt};
}

jaeger_consumer jg_fanout_new(jaeger_arena *arena, const jaeger_consumer *to, size_t count)
{
    if (count == 1)
        return to[0];
    fanout *f = jaeger_arena_alloc(arena, sizeof *f + count * sizeof *to);
    if (!f)
        return (jaeger_consumer){0};
    f->count = count;
    memcpy(f->to, to, count * sizeof *to);
    return (jaeger_consumer){fanout_consume, f, fanout_prompt};
}
