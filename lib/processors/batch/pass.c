/* SPDX-License-Identifier: Apache-2.0
 * Acknowledge through, before an exporter that defers: the exporter merges what waits for it, so there is
 * nothing to gather here. A request goes on at once, in pieces one after the other if it is too large; the
 * first failure is the last piece.
 */
#include "processors/batch/batch.h"

#include "core/alloc.h"
#include "core/err.h"
#include "model/batch.h"

enum { TURN_OPEN, TURN_RETURNED, TURN_ENDED };

/** A request on its way; in the arena of its call. */
typedef struct passage {
    jg_batcher *batcher;
    jaeger_batch *whole;
    size_t sent; /* spans */
    jaeger_call call, *outer;
    jaeger_later later;
    int turn; /* atomic: of consume's return and the piece's end, which came first */
    jaeger_status ended;
} passage;

/** NULL, with the text: out of memory */
static jaeger_batch *next_piece(passage *p)
{
    size_t max = p->batcher->config->send_batch_max_size, count = jaeger_batch_span_count(p->whole);
    size_t n = max ? JG_MIN(max, count - p->sent) : count;
    jaeger_batch *piece = NULL;
    if (n == count) { /* metrics have no spans */
        p->sent = count;
        return jaeger_batch_ref(p->whole);
    }
    JG_AUTO_FREE uint32_t *indexes = jg_alloc(n * sizeof *indexes);
    for (size_t i = 0; indexes && i < n; i++)
        indexes[i] = (uint32_t)(p->sent + i);
    p->sent += n;
    if (!indexes)
        (void)jg_fail_oom(&p->call.error);
    else if (jg_batch_select(p->whole, indexes, n, &piece, &p->call.error) != JAEGER_OK)
        piece = NULL;
    return piece;
}

static bool has_more(const passage *p)
{
    return p->sent < jaeger_batch_span_count(p->whole);
}

/** Send until a piece is pending or the end. A piece may end before its consume returns: then it is this
 * thread that goes on, so that pieces do not pile up on the stack. */
static jaeger_status go_on(passage *p)
{
    jaeger_status status = JAEGER_OK;
    do {
        jaeger_batch *piece = next_piece(p);
        if (!piece)
            return JAEGER_RESOURCE_EXHAUSTED;
        p->turn = TURN_OPEN;
        jg_batch_note(p->batcher, piece);
        status = p->batcher->next.consume(p->batcher->next.self, piece, &p->call);
        if (status == JAEGER_PENDING) {
            if (__atomic_exchange_n(&p->turn, TURN_RETURNED, __ATOMIC_ACQ_REL) == TURN_OPEN)
                return status;
            status = p->ended;
        }
    } while (status == JAEGER_OK && has_more(p));
    return status;
}

/** @return what `outer` ends with */
static jaeger_status end(passage *p, jaeger_status status)
{
    jaeger_batch_unref(p->whole);
    if (status != JAEGER_OK)
        p->outer->error = p->call.error;
    return status;
}

static void piece_ended(void *user, jaeger_status status)
{
    passage *p = user;
    p->ended = status;
    if (__atomic_exchange_n(&p->turn, TURN_ENDED, __ATOMIC_ACQ_REL) == TURN_OPEN)
        return; /* who is in consume goes on */
    if (status == JAEGER_OK && has_more(p))
        status = go_on(p);
    if (status == JAEGER_PENDING)
        return;
    const jaeger_call *outer = p->outer;
    status = end(p, status);
    outer->later->done(outer->later->user, status);
}

jaeger_status jg_batch_pass(jg_batcher *b, const jg_batch_shard *shard, jaeger_batch *take, jaeger_call *call)
{
    passage *p = jaeger_arena_alloc(call->arena, sizeof *p);
    if (!p) {
        jaeger_batch_unref(take);
        return jg_fail_oom(&call->error);
    }
    *p = (passage){.batcher = b, .whole = take, .outer = call, .later = {piece_ended, p}};
    p->call = jg_batch_call(shard, call->deadline_ns, NULL);
    p->call.later = &p->later;
    jaeger_status status = go_on(p);
    return status == JAEGER_PENDING ? status : end(p, status);
}
