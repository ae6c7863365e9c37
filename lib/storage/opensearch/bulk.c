/* SPDX-License-Identifier: Apache-2.0
 * See bulk.h.
 */
#include "storage/opensearch/bulk.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include <stdio.h>

#define WAIT_NS_MIN  (100 * JG_NS_PER_MS) /* four times as long after each try */
#define WAIT_NS_MAX  (5 * JG_NS_PER_S)
#define REASON_BYTES (16u << 10)
/* below it, it is one document that is too large, and later requests need not be smaller */
#define BYTES_LEARNED (256u << 10)

bool jg_os_bulk_init(jg_os_bulk *bulk, bool gzip, size_t bytes_max, size_t document_bytes_max)
{
    *bulk = (jg_os_bulk){.bytes_max = bytes_max};
    return jg_os_body_init(&bulk->body, gzip, bytes_max, document_bytes_max);
}

void jg_os_bulk_done(jg_os_bulk *bulk)
{
    jg_os_body_done(&bulk->body);
    jg_free(bulk->items);
    *bulk = (jg_os_bulk){0};
}

void jg_os_bulk_clear(jg_os_bulk *bulk)
{
    bulk->count = bulk->refused_count = 0;
    bulk->failed = false;
    bulk->reason[0] = 0;
}

void jg_os_bulk_add(jg_os_bulk *bulk, uint64_t tag)
{
    if (bulk->count == bulk->cap) {
        size_t cap = bulk->cap ? 2 * bulk->cap : 256;
        jg_os_item *items = jg_realloc(bulk->items, cap * sizeof *items);
        if (!items) {
            bulk->failed = true;
            return;
        }
        bulk->items = items;
        bulk->cap = cap;
    }
    bulk->items[bulk->count++] = (jg_os_item){.tag = tag};
}

/* ---- answers ---- */

static void keep_reason(jg_os_bulk *bulk, jaeger_str reason)
{
    if (!bulk->reason[0])
        (void)snprintf(bulk->reason, sizeof bulk->reason, "%.*s", JAEGER_STR_ARGS(reason));
}

/** A full disk closes an index for writes, with a status that otherwise means "never". */
static bool will_pass(int64_t status, jaeger_str reason)
{
    return status == 429 || status >= 500 || status == 0 ||
           jg_str_starts(reason, JAEGER_STR("cluster_block_exception"));
}

static void settle(jg_os_bulk *bulk, jg_os_item *item, int64_t status, jaeger_str reason,
                   jg_os_documents documents)
{
    if ((status >= 200 && status <= 299) || status == 409) { /* 409: an earlier try has written it */
        item->state = JG_OS_ITEM_STORED;
        return;
    }
    keep_reason(bulk, reason);
    if (will_pass(status, reason))
        return;
    if (documents.refused && documents.refused(documents.self, &item->tag, reason)) {
        bulk->changed = true;
        return;
    }
    item->state = JG_OS_ITEM_REFUSED;
    bulk->refused_count++;
}

/** {"index": {"status": 400, "error": {...}}} */
static bool read_item(jg_json_in *in, int64_t *status, jg_buf *reason)
{
    jg_json_text op, key;
    bool ok = jg_json_in_object(in);
    while (ok && jg_json_in_key(in, &op)) {
        ok = jg_json_in_object(in);
        while (ok && jg_json_in_key(in, &key)) {
            if (jg_json_in_is(key, JAEGER_STR("status")))
                ok = jg_json_in_i64(in, false, status);
            else if (jg_json_in_is(key, JAEGER_STR("error")))
                ok = jg_os_read_reason(in, reason);
            else
                ok = jg_json_in_skip(in);
        }
    }
    return ok && !in->fault;
}

static bool read_items(jg_os_bulk *bulk, size_t at, size_t to, jg_json_in *in, jg_os_documents documents)
{
    JG_AUTO_BUF jg_buf reason = JG_BUF_INIT(REASON_BYTES);
    bool ok = jg_json_in_array(in);
    while (ok && jg_json_in_item(in)) {
        int64_t status = 0;
        jg_buf_clear(&reason);
        ok = read_item(in, &status, &reason);
        while (at < to && bulk->items[at].state != JG_OS_ITEM_WAITS)
            at++;
        if (!ok || at == to)
            return ok ? jg_json_in_fail(in, "more answers than documents") : false;
        settle(bulk, &bulk->items[at++], status, jg_buf_view(&reason), documents);
    }
    for (; ok && at < to; at++)
        if (bulk->items[at].state == JG_OS_ITEM_WAITS)
            return jg_json_in_fail(in, "fewer answers than documents");
    return ok;
}

jaeger_status jg_os_bulk_read(jg_os_bulk *bulk, size_t from, size_t to, jaeger_str answer,
                              jg_os_documents documents, jaeger_error *err)
{
    jg_json_in in = jg_json_in_of(answer);
    jg_json_text key;
    bool seen = false, ok = jg_json_in_object(&in);
    while (ok && jg_json_in_key(&in, &key)) {
        if (!seen && jg_json_in_is(key, JAEGER_STR("items"))) {
            seen = true;
            ok = read_items(bulk, from, to, &in, documents);
        } else {
            ok = jg_json_in_skip(&in);
        }
    }
    if (ok && jg_json_in_end(&in) && seen)
        return JAEGER_OK;
    for (size_t i = from; i < to; i++) /* such an answer says nothing of any of them */
        if (bulk->items[i].state == JG_OS_ITEM_STORED)
            bulk->items[i].state = JG_OS_ITEM_WAITS;
    return jg_fail(err, JAEGER_INTERNAL, "unexpected answer of _bulk: %s", in.fault ? in.fault : "no items");
}

/* ---- sending ---- */

typedef struct sending {
    jg_os_bulk *bulk;
    jg_os_client *client;
    jg_os_documents documents;
    jaeger_call *call;
    size_t documents_max; /* of one request: half as many after one that was too large, then twice as many
                             again */
} sending;

static jaeger_status post(const sending *s, jaeger_str body, jg_http_answer *answer)
{
    static const char *const paths[] = {
        [JG_OS_REFRESH_NONE] = "/_bulk?filter_path=errors,items.*.status,items.*.error",
        [JG_OS_REFRESH_NOW] = "/_bulk?refresh=true&filter_path=errors,items.*.status,items.*.error",
        [JG_OS_REFRESH_WAIT] = "/_bulk?refresh=wait_for&filter_path=errors,items.*.status,items.*.error"};
    const jg_os_bulk *bulk = s->bulk;
    const jg_os_request request = {
        .path = paths[bulk->refresh], .body = body, .lines = true, .is_gzip = bulk->body.gzip != NULL};
    if (bulk->body.failed)
        return jg_fail(&s->call->error, JAEGER_RESOURCE_EXHAUSTED, "out of memory for documents");
    return jg_os_send(s->client, &request, answer, s->call);
}

/** Documents from `from` on that wait, as many as one request takes. @return where it ends */
static size_t make_body(const sending *s, size_t from, size_t *ret_documents)
{
    jg_os_bulk *bulk = s->bulk;
    size_t at = from, before = 0, last = 0;
    *ret_documents = 0;
    jg_os_body_begin(&bulk->body);
    while (at < bulk->count && *ret_documents < s->documents_max &&
           (!*ret_documents || bulk->body.bytes + last <= bulk->bytes_max)) {
        const jg_os_item *item = &bulk->items[at++];
        if (item->state != JG_OS_ITEM_WAITS)
            continue;
        s->documents.put(s->documents.self, &bulk->body, item->tag);
        last = bulk->body.bytes - before; /* the next one is about as large */
        before = bulk->body.bytes;
        ++*ret_documents;
    }
    return at;
}

/** The only document of a request that is too large, by itself. */
static void refuse_large(const sending *s, size_t from, size_t to)
{
    for (; from < to; from++)
        if (s->bulk->items[from].state == JG_OS_ITEM_WAITS)
            settle(s->bulk, &s->bulk->items[from], 413,
                   JAEGER_STR(
                       "too_large: the document is larger than the cluster takes (http.max_content_length)"),
                   s->documents);
}

/** One request. @param at moves behind it */
static jaeger_status send_next(sending *s, size_t *at)
{
    jg_http_answer answer JG_CLEANUP(jg_os_answer_done) = {0};
    jg_os_bulk *bulk = s->bulk;
    size_t documents, to = make_body(s, *at, &documents);
    jaeger_str body = jg_os_body_end(&bulk->body);
    if (!documents) {
        *at = to;
        return JAEGER_OK;
    }
    JG_TRY(post(s, body, &answer));
    if (answer.status == 413 && documents > 1) { /* this and the next ones in halves */
        bulk->bytes_max = JG_MIN(bulk->bytes_max, JG_MAX(bulk->body.bytes / 2, BYTES_LEARNED));
        s->documents_max = documents / 2;
        return JAEGER_OK;
    }
    if (answer.status == 413)
        refuse_large(s, *at, to);
    else if (answer.status < 200 || answer.status > 299)
        return jg_os_fail(&answer, "/_bulk", &s->call->error);
    else
        JG_TRY(jg_os_bulk_read(bulk, *at, to, jg_buf_view(&answer.body), s->documents, &s->call->error));
    *at = to;
    s->documents_max = s->documents_max > SIZE_MAX / 2 ? SIZE_MAX : 2 * s->documents_max;
    return JAEGER_OK;
}

static size_t count_waiting(const jg_os_bulk *bulk)
{
    size_t n = 0;
    for (size_t i = 0; i < bulk->count; i++)
        n += bulk->items[i].state == JG_OS_ITEM_WAITS;
    return n;
}

static jaeger_status give_up(const sending *s, jaeger_status status, size_t waiting)
{
    jaeger_error *err = &s->call->error;
    if (status == JAEGER_OK)
        status = jg_fail(err, JAEGER_UNAVAILABLE, "the cluster did not take %zu of %zu documents: %s",
                         waiting, s->bulk->count, s->bulk->reason);
    if (!err->retry_after_ms)
        err->retry_after_ms = JG_RETRY_AFTER_MS;
    return status;
}

jaeger_status jg_os_bulk_send(jg_os_bulk *bulk, jg_os_client *client, jg_os_documents documents,
                              jaeger_call *call)
{
    sending s = {bulk, client, documents, call, SIZE_MAX};
    uint64_t wait_ns = WAIT_NS_MIN;
    if (bulk->failed)
        return jg_fail(&call->error, JAEGER_RESOURCE_EXHAUSTED, "out of memory for documents");
    for (unsigned n = 1;;) {
        jaeger_status status = JAEGER_OK;
        bulk->changed = false;
        for (size_t at = 0; at < bulk->count && status == JAEGER_OK;)
            status = send_next(&s, &at);
        if (status != JAEGER_OK && status != JAEGER_UNAVAILABLE)
            return status;
        size_t waiting = count_waiting(bulk);
        if (!waiting)
            return JAEGER_OK;
        if (status == JAEGER_OK && bulk->changed)
            continue;
        uint64_t asked_ns = status == JAEGER_OK ? 0 : call->error.retry_after_ms * JG_NS_PER_MS;
        if (n++ >= JG_OS_BULK_TRIES || !jg_os_wait(JG_MIN(JG_MAX(wait_ns, asked_ns), WAIT_NS_MAX), call))
            return give_up(&s, status, waiting);
        wait_ns *= 4;
    }
}
