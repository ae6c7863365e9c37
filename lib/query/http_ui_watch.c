/* SPDX-License-Identifier: Apache-2.0
 * A trace that still grows, for a page that looks at it: one answer that stays open for a bounded time and in
 * which the trace comes anew, as columns (http_ui.c), whenever it has changed, and a beat now and then
 * between. Stores do not tell what they are given, so the trace is read again and again; the longer that
 * takes the seldomer. A page goes on where a lost answer ended by naming the etag of the last trace it has.
 */
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "model/batch.h"
#include "query/http_api.h"
#include "query/http_ui.h"
#include "query/watch.h"

#define EVERY_NS    (500 * JG_NS_PER_MS)
#define SELDOMER    20 /* of a watcher's time at most a twentieth is reading */
#define BEAT_NS     (5 * JG_NS_PER_S)
#define STAY_NS     (25 * JG_NS_PER_S) /* below what proxies cut: 30 to 60 s */
#define BEAT        "JTB1\0\0\0\0"     /* as a document, but with an empty head and without columns */
#define KNOWN_BYTES 64

typedef struct watched {
    jg_http_call *c;
    char known[KNOWN_BYTES]; /* etag of what the page has */
    uint64_t beaten_ns;      /* when something was last written */
} watched;

static jaeger_status flush_now(watched *w)
{
    jg_json_flush flush = jg_http_flush(w->c);
    w->beaten_ns = jg_clock_mono_ns();
    return flush.flush(flush.self, &w->c->body);
}

static jaeger_status on_trace(void *self, jaeger_batch *take, jaeger_call *call)
{
    watched *w = self;
    JG_AUTO_BATCH jaeger_batch *trace = take;
    const jaeger_span *spans = jaeger_batch_spans(trace);
    size_t n = jaeger_batch_span_count(trace);
    jaeger_str etag = n ? jg_ui_etag(w->c, spans, n) : JAEGER_STR("");
    if (!etag.ptr)
        return jg_fail_oom(&call->error);
    if (etag.len == 0 || etag.len >= KNOWN_BYTES || jg_str_is(etag, w->known))
        return JAEGER_OK;
    JG_TRY(jg_ui_put_columns(w->c, spans, n, etag));
    JG_TRY(flush_now(w));
    memcpy(w->known, etag.ptr, etag.len);
    w->known[etag.len] = 0;
    return JAEGER_OK;
}

/** Read it once, in memory of its own. */
static jaeger_status look(watched *w, jaeger_trace_ref ref, jaeger_arena *arena)
{
    jg_http_call *c = w->c;
    jaeger_call *whole = c->call, round = *whole;
    jaeger_arena_reset(arena);
    round.arena = arena;
    c->call = &round;
    jaeger_status status = jaeger_query_get_trace(c->http->query, ref, (jaeger_read_options){0},
                                                  (jaeger_consumer){on_trace, w}, &round);
    c->call = whole;
    return status == JAEGER_NOT_FOUND ? JAEGER_OK : status; /* it may come */
}

static jaeger_status beat(watched *w)
{
    jg_buf_append(&w->c->body, BEAT, 8);
    return flush_now(w);
}

static jaeger_status follow(watched *w, jaeger_trace_ref ref, jaeger_arena *arena)
{
    uint64_t begin = jg_clock_mono_ns(), now = begin;
    JG_TRY(beat(w)); /* tells the page that nothing on the way gathers answers */
    while (now - begin < STAY_NS) {
        JG_TRY(look(w, ref, arena));
        uint64_t took = jg_clock_mono_ns() - now;
        if (!jg_watch_sleep(w->c->http->watch, JG_MAX(EVERY_NS, SELDOMER * took), w->c->call))
            return JAEGER_OK;
        now = jg_clock_mono_ns();
        if (now - w->beaten_ns >= BEAT_NS)
            JG_TRY(beat(w));
    }
    return JAEGER_OK;
}

static void answer(jg_http_call *c, jaeger_trace_ref ref)
{
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX);
    watched w = {.c = c};
    jaeger_str known = jg_http_param(c, "after");
    if (!arena) {
        jg_http_error(c, 503, JAEGER_STR("out of memory"));
        return;
    }
    if (known.len < KNOWN_BYTES)
        memcpy(w.known, known.ptr, known.len);
    c->content_type = JG_UI_COLUMNS_TYPE;
    c->reply->add_header(c->reply->self, "Cache-Control", JAEGER_STR("no-store"));
    c->reply->add_header(c->reply->self, "X-Accel-Buffering",
                         JAEGER_STR("no")); /* nginx passes it on at once */
    if (follow(&w, ref, arena) == JAEGER_OK)
        jg_http_json_end(c);
    else
        jg_http_cut(c);
}

void jg_ui_api_watch(jg_http_call *c)
{
    jaeger_trace_ref ref = {0};
    jaeger_error err = {0};
    if (jg_trace_id_from_text(c->variable, ref.trace_id, &err) != JAEGER_OK) {
        jg_api_fail_parse(c, &err);
        return;
    }
    if (!c->http->watch) {
        jg_api_fail(c, 501, JAEGER_STR("this server does not watch traces"));
        return;
    }
    if (jg_watch_enter(c->http->watch, &err) != JAEGER_OK) {
        jg_api_fail(c, 503, jg_str(err.message));
        return;
    }
    answer(c, ref);
    jg_watch_leave(c->http->watch);
}
