/* SPDX-License-Identifier: Apache-2.0
 * The slot `write`: the documents of a batch, in requests of at most bulk_processing.max_bytes, each answered
 * before the next. OK means that the cluster has accepted every document.
 *
 * A service document is sent once a day and service, as the known ones say: a table of hashes in which a new
 * one overwrites the old one of its slot, so a lost entry costs one more document. A span that the cluster
 * refuses because of a field (a conflict of types, too many fields) is sent again with nested tags only.
 */
#include "storage/opensearch/store.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/hash.h"
#include "core/limits.h"
#include "core/str.h"
#include "model/batch.h"
#include "storage/opensearch/bulk.h"
#include "storage/opensearch/slots.h"
#include "wire/v1_tags.h"
#include <stdio.h>

#define NO_SPAN        UINT32_MAX  /* tag of a service document */
#define REFUSED_LOGGED 5u          /* of one write, one by one */
#define DOCUMENT_BYTES (32u << 20) /* one span; a batch of the receivers is smaller */
#define MINUTE_NS      (60 * JG_NS_PER_S)
#define SERVICE_TTL_NS (12 * 3600 * JG_NS_PER_S)
#define MINUTES_MASK   0xfffffu /* of a known service: two years; the other bits are its hash */

typedef struct name_at {
    uint64_t minute;
    jg_buf name;
    uint64_t hash;
} name_at;

typedef struct writer {
    jg_os_store *store;
    const jaeger_span *spans;
    jg_os_span_writer *docs;
    jg_os_bulk bulk;
    jg_buf document;
    name_at span_index, service_index;
    uint64_t *sent; /* service hashes of this request, not yet known */
    size_t sent_count, sent_cap;
    uint32_t *again; /* spans to be sent with nested tags */
    size_t again_count, again_cap;
    size_t refused_count, logged;
    char reason[400];
    bool failed; /* out of memory */
} writer;

/* ---- names, by minute ---- */

static jaeger_str index_of(const jg_os_index *index, name_at *at, uint64_t unix_ns)
{
    uint64_t minute = unix_ns / MINUTE_NS + 1;
    if (at->minute != minute) {
        jg_buf_clear(&at->name);
        jg_os_put_write_index(&at->name, index, unix_ns);
        at->minute = minute;
        at->hash = jg_hash_str(jg_buf_view(&at->name));
    }
    return jg_buf_view(&at->name);
}

/* ---- services ---- */

static bool is_known(const jg_os_store *store, uint64_t hash, uint64_t now_minute)
{
    uint64_t seen =
        __atomic_load_n(&store->services_known[hash & (JG_OS_SERVICES_KNOWN - 1)], __ATOMIC_RELAXED);
    return (seen ^ hash) >> 20 == 0 && (seen & MINUTES_MASK) > now_minute;
}

static uint64_t minute_now(void)
{
    return jg_clock_mono_ns() / MINUTE_NS & MINUTES_MASK;
}

static void know_sent(writer *w)
{
    const jg_os_store *store = w->store;
    uint64_t ttl_ns =
        store->config->service_cache_ttl_ns ? store->config->service_cache_ttl_ns : SERVICE_TTL_NS;
    uint64_t until = JG_MIN(minute_now() + ttl_ns / MINUTE_NS, MINUTES_MASK);
    for (size_t i = 0; i < w->sent_count; i++)
        __atomic_store_n(&store->services_known[w->sent[i] & (JG_OS_SERVICES_KNOWN - 1)],
                         (w->sent[i] & ~(uint64_t)MINUTES_MASK) | until, __ATOMIC_RELAXED);
    w->sent_count = 0;
}

static bool was_sent(const writer *w, uint64_t hash)
{
    for (size_t i = w->sent_count; i-- > 0;) /* those of neighbours are near the end */
        if (w->sent[i] == hash)
            return true;
    return false;
}

static bool grow(void *array, size_t count, size_t *cap, size_t item_bytes)
{
    void *items;
    if (count < *cap)
        return true;
    memcpy(&items, array, sizeof items);
    size_t more = *cap ? 2 * *cap : 64;
    if (!(items = jg_realloc(items, more * item_bytes)))
        return false;
    memcpy(array, &items, sizeof items);
    *cap = more;
    return true;
}

static void put_service(writer *w, const jaeger_span *span)
{
    char id[24];
    jaeger_str service = jg_v1_service(span->group);
    jaeger_str index = index_of(&w->store->index[JG_OS_SERVICES], &w->service_index, span->start_unix_ns);
    uint64_t hash = jg_os_service_hash(service, span->name);
    uint64_t key = jg_hash(&hash, sizeof hash, w->service_index.hash);
    if (is_known(w->store, key, minute_now()) || was_sent(w, key))
        return;
    if (!grow(&w->sent, w->sent_count, &w->sent_cap, sizeof *w->sent)) {
        w->failed = true;
        return;
    }
    w->sent[w->sent_count++] = key;
    jg_buf_clear(&w->document);
    jg_os_put_service(&w->document, service, span->name);
    int len = snprintf(id, sizeof id, "%llx", (unsigned long long)hash);
    w->failed |= w->document.failed;
    jg_os_bulk_put(&w->bulk, index, (jaeger_str){id, (size_t)len}, jg_buf_view(&w->document), NO_SPAN);
}

static void put_span(writer *w, uint32_t at)
{
    char id[JG_OS_ID_BYTES];
    const jaeger_span *span = &w->spans[at];
    jaeger_str index = index_of(&w->store->index[JG_OS_SPANS], &w->span_index, span->start_unix_ns);
    jg_buf_clear(&w->document);
    jg_os_put_span(w->docs, &w->document, span);
    jaeger_str document = jg_buf_view(&w->document);
    w->failed |= w->document.failed;
    jg_os_bulk_put(&w->bulk, index, (jaeger_str){id, jg_os_span_id(id, span, document)}, document, at);
}

/* ---- refusals ---- */

/** Would the span be taken without fields of its own? */
static bool is_about_fields(jaeger_str reason)
{
    static const char *const types[] = {"mapper_parsing_exception", "document_parsing_exception",
                                        "illegal_argument_exception", "strict_dynamic_mapping_exception",
                                        "mapper_exception"};
    for (size_t i = 0; i < JG_COUNT(types); i++)
        if (jg_str_starts(reason, jg_str(types[i])))
            return true;
    return false;
}

static void take_refusal(void *self, const jg_os_item *item, jaeger_str lines, jaeger_str reason)
{
    writer *w = self;
    if (item->tag != NO_SPAN && !w->docs->nested_only && is_about_fields(reason)) {
        if (grow(&w->again, w->again_count, &w->again_cap, sizeof *w->again))
            w->again[w->again_count++] = item->tag;
        else
            w->failed = true;
        return;
    }
    w->refused_count++;
    jg_metric_add(w->store->refused, 1);
    if (w->refused_count == 1)
        (void)snprintf(w->reason, sizeof w->reason, "%.*s", JAEGER_STR_ARGS(reason));
    if (w->logged++ < REFUSED_LOGGED) {
        jaeger_str head = {lines.ptr, JG_MIN(jg_str_find(lines, '\n'), 200u)};
        jaeger_log(w->store->log, JAEGER_ERROR,
                   "the cluster refuses a document for good action=%.*s reason=\"%.*s\"",
                   JAEGER_STR_ARGS(head), (int)JG_MIN(reason.len, 300u), reason.ptr ? reason.ptr : "");
    }
}

static jaeger_status flush(writer *w, jaeger_call *call)
{
    if (w->failed)
        return jg_fail_oom(&call->error);
    JG_TRY(jg_os_bulk_send(&w->bulk, w->store->client, (jg_os_refusals){take_refusal, w}, call));
    know_sent(w);
    jg_os_bulk_clear(&w->bulk);
    return w->failed ? jg_fail_oom(&call->error) : JAEGER_OK;
}

/* ---- a batch ---- */

static bool is_full(const writer *w)
{
    return w->bulk.body.len + w->document.len > w->store->config->bulk_processing.max_bytes;
}

static jaeger_status write_all(writer *w, size_t count, jaeger_call *call)
{
    for (size_t i = 0; i < count; i++) {
        put_service(w, &w->spans[i]);
        put_span(w, (uint32_t)i);
        if (is_full(w))
            JG_TRY(flush(w, call));
    }
    JG_TRY(flush(w, call));
    w->docs->nested_only = true;
    w->docs->group = NULL; /* its process has fields */
    for (size_t i = 0; i < w->again_count; i++) {
        put_span(w, w->again[i]);
        if (is_full(w))
            JG_TRY(flush(w, call));
    }
    return flush(w, call);
}

static jaeger_status judge(const writer *w, size_t count, jaeger_call *call)
{
    if (!w->refused_count)
        return JAEGER_OK;
    if (w->store->config->poison_pill_handling == JG_OS_POISON_DROP) {
        jaeger_log(w->store->log, JAEGER_WARN,
                   "dropping documents that the cluster refuses documents=%zu reason=\"%s\"",
                   w->refused_count, w->reason);
        return JAEGER_OK;
    }
    return jg_fail(&call->error, JAEGER_INVALID_ARGUMENT,
                   "the cluster refused %zu documents of %zu spans for good, the others are stored: %s",
                   w->refused_count, count, w->reason);
}

static jaeger_status write_batch(jg_os_store *store, const jaeger_batch *batch, jaeger_call *call)
{
    writer w = {.store = store,
                .spans = jaeger_batch_spans(batch),
                .docs = jg_os_span_writer_new(&store->choice),
                .document = JG_BUF_INIT(DOCUMENT_BYTES),
                .span_index = {.name = JG_BUF_INIT(1024)},
                .service_index = {.name = JG_BUF_INIT(1024)}};
    size_t count = jaeger_batch_span_count(batch);
    jg_os_bulk_init(&w.bulk, store->config->bulk_processing.max_bytes + 2 * DOCUMENT_BYTES);
    w.bulk.refresh = (jg_os_refresh)store->config->bulk_processing.refresh;
    jaeger_status status = w.docs ? write_all(&w, count, call) : jg_fail_oom(&call->error);
    if (status == JAEGER_OK)
        status = judge(&w, count, call);
    jg_os_span_writer_free(w.docs);
    jg_os_bulk_done(&w.bulk);
    jg_buf_done(&w.document);
    jg_buf_done(&w.span_index.name);
    jg_buf_done(&w.service_index.name);
    jg_free(w.sent);
    jg_free(w.again);
    return status;
}

/** What the documents of the batch will take at once. */
static uint64_t bytes_in_flight(const jg_os_store *store, const jaeger_batch *batch)
{
    return JG_MIN(store->config->bulk_processing.max_bytes, 4 * (uint64_t)jaeger_batch_bytes(batch));
}

jaeger_status jg_os_write(void *self, jaeger_batch *take, jaeger_call *call)
{
    jg_os_store *store = self;
    JG_AUTO_BATCH jaeger_batch *batch = take;
    JG_TRY(jg_os_store_ready(store, call));
    uint64_t bytes = bytes_in_flight(store, batch);
    uint64_t flight = __atomic_add_fetch(&store->flight_bytes, bytes, __ATOMIC_RELAXED);
    jaeger_status status;
    if (flight > JG_MAX(JG_OS_FLIGHT_BYTES_MAX, bytes)) {
        call->error.retry_after_ms = 0;
        status =
            jg_fail(&call->error, JAEGER_UNAVAILABLE,
                    "%u MiB of documents are being written: too many at once", JG_OS_FLIGHT_BYTES_MAX >> 20);
        call->error.retry_after_ms = JG_RETRY_AFTER_MS;
    } else {
        status = write_batch(store, batch, call);
    }
    (void)__atomic_sub_fetch(&store->flight_bytes, bytes, __ATOMIC_RELAXED);
    return status;
}
