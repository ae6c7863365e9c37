/* SPDX-License-Identifier: Apache-2.0
 * Reading traces by id: one _msearch for a group of traces, further pages one by one behind a cursor.
 *
 * An answer too large for us is asked for again in smaller parts: fewer traces, then smaller pages.
 */
#include "storage/opensearch/read.h"

#include "core/arena.h"
#include "core/err.h"
#include "core/str.h"
#include "storage/opensearch/span_read.h"

#define GROUP_MAX       32u        /* traces of one request */
#define CHUNK_BYTES_MAX (8u << 20) /* of spans handed out at once */
#define BODY_BYTES_MAX  (16u << 20)

typedef struct reading {
    jg_os_store *store;
    jaeger_consumer out;
    jaeger_call *call;
    bool brief;
    jg_os_span_reader reader;
    uint64_t page;            /* documents of one answer */
    const jg_os_trace *first; /* of this request */
    jg_os_partial partial;
    jg_os_cursor cursor;  /* behind the last span of the last page */
    jaeger_status status; /* of the consumer */
    uint64_t handed;      /* batches */
} reading;

/* ---- asking ---- */

static void put_one(reading *r, jg_buf *body, const jg_os_trace *trace, const jg_os_cursor *cursor)
{
    const jg_os_index *index = &r->store->index[JG_OS_SPANS];
    jg_buf_lit(body, "{\"ignore_unavailable\":true,\"index\":");
    jg_os_put_read_indices(body, index, trace->window.start_unix_ns, trace->window.end_unix_ns,
                           &r->store->config->remote_read_clusters, JG_OS_LIST_JSON);
    jg_buf_lit(body, "}\n");
    jg_os_put_trace(body, trace->id, trace->window, r->page, cursor, r->brief);
    jg_buf_byte(body, '\n');
}

static jaeger_status ask(reading *r, const jg_os_trace *traces, size_t n, const jg_os_cursor *cursor,
                         jg_http_answer *ret)
{
    JG_AUTO_BUF jg_buf body = JG_BUF_INIT(BODY_BYTES_MAX);
    for (size_t i = 0; i < n; i++)
        put_one(r, &body, &traces[i], cursor);
    if (!jg_buf_ok(&body))
        return jg_fail_oom(&r->call->error);
    const jg_os_request request = {.path = "/_msearch", .body = jg_buf_view(&body), .lines = true};
    return jg_os_ask(r->store->client, &request, ret, r->call);
}

/* ---- taking ---- */

static bool hand_out(reading *r)
{
    jaeger_batch *batch;
    if (!r->reader.count)
        return true;
    r->status = jg_os_span_reader_take(&r->reader, &batch, &r->call->error);
    r->handed++;
    if (r->status == JAEGER_OK)
        r->status = r->out.consume(r->out.self, batch, r->call);
    return r->status == JAEGER_OK;
}

static bool take_hit(void *self, jg_json_in *in)
{
    reading *r = self;
    if (!jg_os_read_span(&r->reader, in))
        return false;
    return jg_os_span_reader_bytes(&r->reader) < CHUNK_BYTES_MAX || hand_out(r) ||
           jg_json_in_fail(in, "stopped");
}

static void move_cursor(reading *r)
{
    r->cursor = (jg_os_cursor){.set = true, .start_us = r->reader.start_us};
    memcpy(r->cursor.span_id, r->reader.span_id, 8);
}

static jaeger_status end_page(void *self, size_t index, size_t hits, jaeger_call *call)
{
    reading *r = self;
    (void)index, (void)hits;
    move_cursor(r);
    JG_TRY(jaeger_call_check(call));
    return hand_out(r) ? JAEGER_OK : r->status;
}

/** @param end called after each trace */
static jaeger_status read_answer(reading *r, const jg_http_answer *answer,
                                 jaeger_status (*end)(void *, size_t, size_t, jaeger_call *))
{
    jaeger_status status =
        jg_os_read_msearch(jg_buf_view(&answer->body), (jg_os_hits){take_hit, end, r}, &r->partial, r->call);
    if (r->status != JAEGER_OK)
        return r->status; /* the consumer's own */
    return r->reader.model.groups.failed ? jg_fail_oom(&r->call->error) : status;
}

/* ---- pages of one trace ---- */

typedef struct page {
    reading *r;
    size_t hits;
} page;

static bool page_hit(void *self, jg_json_in *in)
{
    return take_hit(((page *)self)->r, in);
}

static jaeger_status page_end(void *self, size_t index, size_t hits, jaeger_call *call)
{
    page *p = self;
    p->hits = hits;
    return end_page(p->r, index, hits, call);
}

/** @param ret_hits how many the page had; a full one is followed by another */
static jaeger_status read_page(reading *r, const jg_os_trace *trace, const jg_os_cursor *cursor,
                               size_t *ret_hits)
{
    page p = {r, 0};
    for (;;) {
        jg_http_answer answer JG_CLEANUP(jg_os_answer_done) = {0};
        jaeger_status status = ask(r, trace, 1, cursor, &answer);
        if (status == JAEGER_RESOURCE_EXHAUSTED && answer.cut && r->page > 1) {
            r->page = JG_MAX(r->page / 8, 1u);
            continue;
        }
        JG_TRY(status);
        status = jg_os_read_msearch(jg_buf_view(&answer.body), (jg_os_hits){page_hit, page_end, &p},
                                    &r->partial, r->call);
        *ret_hits = p.hits;
        return r->status != JAEGER_OK ? r->status : status;
    }
}

/** The pages behind `cursor`. */
static jaeger_status read_pages(reading *r, const jg_os_trace *trace, jg_os_cursor cursor)
{
    size_t hits;
    do {
        JG_TRY(read_page(r, trace, &cursor, &hits));
        cursor = r->cursor;
    } while (hits && hits >= r->page);
    r->page = r->store->config->max_doc_count;
    return JAEGER_OK;
}

/* ---- a group ---- */

static jaeger_status end_trace(void *self, size_t index, size_t hits, jaeger_call *call)
{
    reading *r = self;
    JG_TRY(end_page(r, index, hits, call));
    return hits >= r->page ? read_pages(r, &r->first[index], r->cursor) : JAEGER_OK;
}

static jaeger_status read_group(reading *r, const jg_os_trace *traces, size_t n);

static jaeger_status try_group(reading *r, const jg_os_trace *traces, size_t n)
{
    jg_http_answer answer JG_CLEANUP(jg_os_answer_done) = {0};
    const jg_os_cursor none = {0};
    if (n == 1)
        return read_pages(r, traces, none);
    jaeger_status status = ask(r, traces, n, &none, &answer);
    if (status == JAEGER_RESOURCE_EXHAUSTED && answer.cut) {
        JG_TRY(read_group(r, traces, n / 2));
        return read_group(r, traces + n / 2, n - n / 2);
    }
    JG_TRY(status);
    r->first = traces;
    return read_answer(r, &answer, end_trace);
}

static void begin_reader(reading *r)
{
    jg_os_span_reader_init(&r->reader, r->store->config->tags_as_fields.dot_replacement);
}

static jaeger_status read_group(reading *r, const jg_os_trace *traces, size_t n)
{
    uint64_t handed = r->handed;
    for (unsigned k = 0;; k++) {
        jaeger_status status = try_group(r, traces, n);
        if (status != JAEGER_UNAVAILABLE || r->status != JAEGER_OK || r->handed != handed ||
            k + 1 == JG_OS_READ_TRIES || !jg_os_wait(JG_OS_READ_WAIT_NS << k, r->call))
            return status;
        jg_os_span_reader_done(&r->reader);
        begin_reader(r);
    }
}

jaeger_status jg_os_read_traces(jg_os_store *store, const jg_os_trace *traces, size_t n, bool brief,
                                jaeger_consumer out, jaeger_call *call)
{
    reading r = {
        .store = store, .out = out, .call = call, .brief = brief, .page = store->config->max_doc_count};
    jaeger_status status = JAEGER_OK;
    begin_reader(&r);
    for (size_t at = 0; at < n && status == JAEGER_OK; at += GROUP_MAX)
        status = read_group(&r, traces + at, JG_MIN(n - at, GROUP_MAX));
    jg_os_span_reader_done(&r.reader);
    jg_os_note_partial(store, &r.partial);
    return status;
}
