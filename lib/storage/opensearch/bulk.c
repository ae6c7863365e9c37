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

void jg_os_bulk_init(jg_os_bulk *bulk, size_t bytes_max)
{
    *bulk = (jg_os_bulk){.body = JG_BUF_INIT(bytes_max)};
}

void jg_os_bulk_done(jg_os_bulk *bulk)
{
    jg_buf_done(&bulk->body);
    jg_free(bulk->items);
    *bulk = (jg_os_bulk){0};
}

void jg_os_bulk_clear(jg_os_bulk *bulk)
{
    jg_buf_clear(&bulk->body);
    bulk->count = bulk->refused_count = 0;
    bulk->failed = false;
    bulk->reason[0] = 0;
}

void jg_os_bulk_put(jg_os_bulk *bulk, jaeger_str index, jaeger_str id, jaeger_str document, uint32_t tag)
{
    jg_buf *body = &bulk->body;
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
    size_t at = body->len;
    jg_buf_lit(body, "{\"index\":{\"_index\":\"");
    jg_buf_str(body, index);
    if (id.len) {
        jg_buf_lit(body, "\",\"_id\":\"");
        jg_buf_str(body, id);
    }
    jg_buf_lit(body, "\"}}\n");
    jg_buf_str(body, document);
    jg_buf_byte(body, '\n');
    bulk->items[bulk->count++] = (jg_os_item){.at = at, .len = body->len - at, .tag = tag};
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
                   jg_os_refusals refusals)
{
    if ((status >= 200 && status <= 299) || status == 409) { /* 409: an earlier try has written it */
        item->state = JG_OS_ITEM_STORED;
        return;
    }
    keep_reason(bulk, reason);
    if (will_pass(status, reason))
        return;
    item->state = JG_OS_ITEM_REFUSED;
    bulk->refused_count++;
    if (refusals.refused)
        refusals.refused(refusals.self, item,
                         (jaeger_str){(const char *)bulk->body.data + item->at, item->len}, reason);
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

static bool read_items(jg_os_bulk *bulk, jg_json_in *in, jg_os_refusals refusals)
{
    JG_AUTO_BUF jg_buf reason = JG_BUF_INIT(REASON_BYTES);
    size_t at = 0;
    bool ok = jg_json_in_array(in);
    while (ok && jg_json_in_item(in)) {
        int64_t status = 0;
        jg_buf_clear(&reason);
        ok = read_item(in, &status, &reason);
        while (at < bulk->count && bulk->items[at].state != JG_OS_ITEM_WAITS)
            at++;
        if (!ok || at == bulk->count)
            return ok ? jg_json_in_fail(in, "more answers than documents") : false;
        settle(bulk, &bulk->items[at++], status, jg_buf_view(&reason), refusals);
    }
    for (; ok && at < bulk->count; at++)
        if (bulk->items[at].state == JG_OS_ITEM_WAITS)
            return jg_json_in_fail(in, "fewer answers than documents");
    return ok;
}

jaeger_status jg_os_bulk_read(jg_os_bulk *bulk, jaeger_str answer, jg_os_refusals refusals, jaeger_error *err)
{
    jg_json_in in = jg_json_in_of(answer);
    jg_json_text key;
    bool seen = false, ok = jg_json_in_object(&in);
    while (ok && jg_json_in_key(&in, &key)) {
        if (!seen && jg_json_in_is(key, JAEGER_STR("items"))) {
            seen = true;
            ok = read_items(bulk, &in, refusals);
        } else {
            ok = jg_json_in_skip(&in);
        }
    }
    if (ok && jg_json_in_end(&in) && seen)
        return JAEGER_OK;
    return jg_fail(err, JAEGER_INTERNAL, "unexpected answer of _bulk: %s", in.fault ? in.fault : "no items");
}

/* ---- sending ---- */

/** Keep the lines of those that wait. @return how many do */
static size_t compact(jg_os_bulk *bulk)
{
    size_t to = 0, waiting = 0;
    for (size_t i = 0; i < bulk->count; i++) {
        jg_os_item *item = &bulk->items[i];
        if (item->state != JG_OS_ITEM_WAITS)
            continue;
        memmove(bulk->body.data + to, bulk->body.data + item->at, item->len);
        item->at = to;
        to += item->len;
        waiting++;
    }
    bulk->body.len = to;
    return waiting;
}

static jaeger_status send_once(jg_os_bulk *bulk, jg_os_client *client, jg_os_refusals refusals,
                               jaeger_call *call)
{
    jg_http_answer answer JG_CLEANUP(jg_os_answer_done) = {0};
    static const char *const paths[] = {
        [JG_OS_REFRESH_NONE] = "/_bulk?filter_path=errors,items.*.status,items.*.error",
        [JG_OS_REFRESH_NOW] = "/_bulk?refresh=true&filter_path=errors,items.*.status,items.*.error",
        [JG_OS_REFRESH_WAIT] = "/_bulk?refresh=wait_for&filter_path=errors,items.*.status,items.*.error"};
    const jg_os_request request = {
        .path = paths[bulk->refresh], .body = jg_buf_view(&bulk->body), .lines = true};
    JG_TRY(jg_os_ask(client, &request, &answer, call));
    return jg_os_bulk_read(bulk, jg_buf_view(&answer.body), refusals, &call->error);
}

jaeger_status jg_os_bulk_send(jg_os_bulk *bulk, jg_os_client *client, jg_os_refusals refusals,
                              jaeger_call *call)
{
    uint64_t wait_ns = WAIT_NS_MIN;
    if (bulk->failed || !jg_buf_ok(&bulk->body))
        return jg_fail(&call->error, JAEGER_RESOURCE_EXHAUSTED, "out of memory for documents");
    for (unsigned n = 1; bulk->count; n++) {
        jaeger_status status = send_once(bulk, client, refusals, call);
        if (status != JAEGER_OK && status != JAEGER_UNAVAILABLE)
            return status;
        size_t waiting = status == JAEGER_OK ? compact(bulk) : bulk->count;
        if (!waiting)
            break;
        uint64_t asked_ns = status == JAEGER_OK ? 0 : call->error.retry_after_ms * JG_NS_PER_MS;
        if (n >= JG_OS_BULK_TRIES || !jg_os_wait(JG_MIN(JG_MAX(wait_ns, asked_ns), WAIT_NS_MAX), call)) {
            if (status == JAEGER_OK)
                status = jg_fail(&call->error, JAEGER_UNAVAILABLE,
                                 "the cluster did not take %zu of %zu documents: %s", waiting, bulk->count,
                                 bulk->reason);
            if (!call->error.retry_after_ms)
                call->error.retry_after_ms = JG_RETRY_AFTER_MS;
            return status;
        }
        wait_ns *= 4;
    }
    return JAEGER_OK;
}
