/* SPDX-License-Identifier: Apache-2.0
 * The slot `write`: the documents of the batches that fly together (share.h), in requests of at most
 * bulk_processing.max_bytes. OK means that the cluster has accepted every document of a batch.
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

#define REFUSED_LOGGED 5u          /* of one flight, one by one */
#define DOCUMENT_BYTES (32u << 20) /* one span; a batch of the receivers is smaller */
#define MINUTE_NS      (60 * JG_NS_PER_S)
#define SERVICE_TTL_NS (12 * 3600 * JG_NS_PER_S)
#define MINUTES_MASK   0xfffffu /* of a known service: two years; the other bits are its hash */
#define SENT_NOW       4096u    /* services that are noted as sent in this flight; a power of two */

/* A tag: which ticket, what of it, and which of its spans. */
#define TICKET_SHIFT 40u
#define KIND_SHIFT   32u
typedef enum tag_kind { SPAN, NESTED_SPAN, SERVICE } tag_kind;

typedef struct name_at {
    uint64_t minute;
    jg_buf name;
    uint64_t hash;
} name_at;

/** What one flight needs; kept for the next one. */
typedef struct jg_os_writer {
    struct jg_os_writer *next_idle;
    jg_os_store *store;
    jg_os_span_writer *docs;
    jg_os_bulk bulk;
    jg_buf document;
    name_at span_index, service_index;
    uint64_t sent[SENT_NOW]; /* hashes of services, mixed with the number of the flight */
    uint64_t flight;
    jg_os_ticket *tickets[JG_OS_FLIGHT_TICKETS];
    size_t ticket_count, logged;
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

static uint64_t *known_slot(const jg_os_store *store, uint64_t key)
{
    return &store->services_known[key & (JG_OS_SERVICES_KNOWN - 1)];
}

static bool is_known(const jg_os_store *store, uint64_t key, uint64_t now_minute)
{
    uint64_t seen = __atomic_load_n(known_slot(store, key), __ATOMIC_RELAXED);
    return (seen ^ key) >> 20 == 0 && (seen & MINUTES_MASK) > now_minute;
}

static uint64_t minute_now(void)
{
    return jg_clock_mono_ns() / MINUTE_NS & MINUTES_MASK;
}

/** Of service, operation and the index of that day. */
static uint64_t service_key(writer *w, const jaeger_span *span)
{
    (void)index_of(&w->store->index[JG_OS_SERVICES], &w->service_index, span->start_unix_ns);
    jaeger_str service = jg_v1_service(span->group);
    uint64_t key = jg_hash(service.ptr, service.len, w->service_index.hash);
    return jg_hash(span->name.ptr, span->name.len, key);
}

/** @return false: its service need not be sent */
static bool is_new_service(writer *w, const jaeger_span *span, uint64_t now_minute)
{
    uint64_t key = service_key(w, span), mixed = key ^ w->flight << 12;
    uint64_t *sent = &w->sent[key & (SENT_NOW - 1)];
    if (is_known(w->store, key, now_minute) || *sent == mixed)
        return false;
    *sent = mixed;
    return true;
}

static void put_service(writer *w, jg_os_body *body, const jaeger_span *span)
{
    char id[24];
    jaeger_str service = jg_v1_service(span->group);
    jaeger_str index = index_of(&w->store->index[JG_OS_SERVICES], &w->service_index, span->start_unix_ns);
    int len = snprintf(id, sizeof id, "%llx", (unsigned long long)jg_os_service_hash(service, span->name));
    jg_buf_clear(&w->document);
    jg_os_put_service(&w->document, service, span->name);
    body->failed |= !jg_buf_ok(&w->document) || !jg_buf_ok(&w->service_index.name);
    jg_os_body_put(body, index, (jaeger_str){id, (size_t)len}, jg_buf_view(&w->document));
}

/* ---- tags ---- */

static uint64_t tag_of(size_t ticket, tag_kind kind, size_t span)
{
    return (uint64_t)ticket << TICKET_SHIFT | (uint64_t)kind << KIND_SHIFT | span;
}

static jg_os_ticket *ticket_of(const writer *w, uint64_t tag)
{
    return w->tickets[tag >> TICKET_SHIFT];
}

static tag_kind kind_of(uint64_t tag)
{
    return (tag_kind)(tag >> KIND_SHIFT & 0xff);
}

static const jaeger_span *span_of(const writer *w, uint64_t tag)
{
    return &jaeger_batch_spans(ticket_of(w, tag)->batch)[(uint32_t)tag];
}

/* ---- documents ---- */

static void put_span(writer *w, jg_os_body *body, const jaeger_span *span, bool nested_only)
{
    char id[JG_OS_ID_BYTES];
    jaeger_str index = index_of(&w->store->index[JG_OS_SPANS], &w->span_index, span->start_unix_ns);
    if (w->docs->nested_only != nested_only) {
        w->docs->nested_only = nested_only;
        w->docs->group = NULL; /* its process is of the other kind */
    }
    body->failed |= !jg_buf_ok(&w->span_index.name);
    jg_os_put_span(w->docs, jg_os_body_open(body, index, jg_os_span_id(id, span)), span);
    jg_os_body_close(body);
}

static void put_document(void *self, jg_os_body *body, uint64_t tag)
{
    writer *w = self;
    if (kind_of(tag) == SERVICE)
        put_service(w, body, span_of(w, tag));
    else
        put_span(w, body, span_of(w, tag), kind_of(tag) == NESTED_SPAN);
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

static void log_refusal(writer *w, uint64_t tag, jaeger_str reason)
{
    const jaeger_span *span = span_of(w, tag);
    char id[JG_OS_ID_BYTES];
    if (w->logged++ >= REFUSED_LOGGED)
        return;
    jaeger_log(w->store->log, JAEGER_ERROR,
               "the cluster refuses a document for good kind=%s id=%.*s reason=\"%.*s\"",
               kind_of(tag) == SERVICE ? "service" : "span", JAEGER_STR_ARGS(jg_os_span_id(id, span)),
               (int)JG_MIN(reason.len, 300u), reason.ptr ? reason.ptr : "");
}

static bool take_refusal(void *self, uint64_t *tag, jaeger_str reason)
{
    writer *w = self;
    jg_os_ticket *ticket = ticket_of(w, *tag);
    if (kind_of(*tag) == SPAN && is_about_fields(reason)) {
        *tag = tag_of(*tag >> TICKET_SHIFT, NESTED_SPAN, (uint32_t)*tag);
        return true;
    }
    jg_metric_add(w->store->refused, 1);
    if (!ticket->refused++)
        (void)snprintf(ticket->reason, sizeof ticket->reason, "%.*s", JAEGER_STR_ARGS(reason));
    log_refusal(w, *tag, reason);
    return false;
}

/* ---- a flight ---- */

/** Of a ticket without documents that wait. */
static void judge(const writer *w, jg_os_ticket *t)
{
    t->status = JAEGER_OK;
    if (!t->refused)
        return;
    size_t count = jaeger_batch_span_count(t->batch);
    if (w->store->config->poison_pill_handling == JG_OS_POISON_DROP)
        jaeger_log(w->store->log, JAEGER_WARN,
                   "dropping documents that the cluster refuses documents=%zu reason=\"%s\"", t->refused,
                   t->reason);
    else
        t->status =
            jg_fail(&t->error, JAEGER_INVALID_ARGUMENT,
                    "the cluster refused %zu documents of %zu spans for good, the others are stored: %s",
                    t->refused, count, t->reason);
}

static void land(writer *w, jaeger_status status, const jaeger_error *err)
{
    const jg_os_store *store = w->store;
    uint64_t ttl_ns =
        store->config->service_cache_ttl_ns ? store->config->service_cache_ttl_ns : SERVICE_TTL_NS;
    uint64_t until = JG_MIN(minute_now() + ttl_ns / MINUTE_NS, MINUTES_MASK);
    for (size_t i = 0; i < w->ticket_count; i++)
        judge(w, w->tickets[i]);
    for (size_t i = 0; i < w->bulk.count; i++) {
        const jg_os_item *item = &w->bulk.items[i];
        if (item->state == JG_OS_ITEM_WAITS && status != JAEGER_OK) {
            ticket_of(w, item->tag)->status = status;
            ticket_of(w, item->tag)->error = *err;
        } else if (item->state == JG_OS_ITEM_STORED && kind_of(item->tag) == SERVICE) {
            uint64_t key = service_key(w, span_of(w, item->tag));
            __atomic_store_n(known_slot(store, key), (key & ~(uint64_t)MINUTES_MASK) | until,
                             __ATOMIC_RELAXED);
        }
    }
}

static void gather(writer *w, jg_os_ticket *list)
{
    uint64_t now_minute = minute_now();
    w->ticket_count = w->logged = 0;
    w->docs->group = NULL;
    w->flight++;
    jg_os_bulk_clear(&w->bulk);
    w->bulk.bytes_max = __atomic_load_n(&w->store->request_bytes, __ATOMIC_RELAXED);
    for (; list; list = list->next) {
        const jaeger_span *spans = jaeger_batch_spans(list->batch);
        size_t count = jaeger_batch_span_count(list->batch), ticket = w->ticket_count++;
        w->tickets[ticket] = list;
        for (size_t i = 0; i < count; i++) {
            if (is_new_service(w, &spans[i], now_minute))
                jg_os_bulk_add(&w->bulk, tag_of(ticket, SERVICE, i));
            jg_os_bulk_add(&w->bulk, tag_of(ticket, SPAN, i));
        }
    }
}

/** What the leader's call says, up to the latest deadline of all. */
static jaeger_call call_of(const jg_os_ticket *list)
{
    jaeger_call call = *list->call;
    for (const jg_os_ticket *t = list->next; t; t = t->next) {
        bool forever = !call.deadline_ns || !t->call->deadline_ns;
        call.deadline_ns = forever ? 0 : JG_MAX(call.deadline_ns, t->call->deadline_ns);
        call.cancelled = NULL;
    }
    return call;
}

static void fly(writer *w, jg_os_ticket *list)
{
    jaeger_call call = call_of(list);
    size_t bytes_max;
    gather(w, list);
    bytes_max = w->bulk.bytes_max;
    jaeger_status status =
        jg_os_bulk_send(&w->bulk, w->store->client, (jg_os_documents){put_document, take_refusal, w}, &call);
    if (w->bulk.bytes_max < bytes_max) {
        __atomic_store_n(&w->store->request_bytes, w->bulk.bytes_max, __ATOMIC_RELAXED);
        jaeger_log(
            w->store->log, JAEGER_WARN,
            "the cluster takes no requests as large as bulk_processing.max_bytes, sending smaller ones "
            "bytes=%zu",
            w->bulk.bytes_max);
    }
    land(w, status, &call.error);
}

/* ---- writers ---- */

static void writer_free(writer *w)
{
    if (!w)
        return;
    jg_os_span_writer_free(w->docs);
    jg_os_bulk_done(&w->bulk);
    jg_buf_done(&w->document);
    jg_buf_done(&w->span_index.name);
    jg_buf_done(&w->service_index.name);
    jg_free(w);
}

static writer *writer_new(jg_os_store *store)
{
    writer *w = jg_calloc(1, sizeof *w);
    const jg_os_config *config = store->config;
    if (!w)
        return NULL;
    w->store = store;
    w->docs = jg_os_span_writer_new(&store->choice);
    w->document = JG_BUF_INIT(DOCUMENT_BYTES);
    w->span_index.name = w->service_index.name = JG_BUF_INIT(1024);
    bool ok = jg_os_bulk_init(&w->bulk, config->client.http_compression, config->bulk_processing.max_bytes,
                              DOCUMENT_BYTES);
    w->bulk.refresh = (jg_os_refresh)config->bulk_processing.refresh;
    if (ok && w->docs)
        return w;
    writer_free(w);
    return NULL;
}

static writer *borrow_writer(jg_os_store *store)
{
    (void)pthread_mutex_lock(&store->writers_mutex);
    writer *w = store->idle_writers;
    if (w)
        store->idle_writers = w->next_idle;
    (void)pthread_mutex_unlock(&store->writers_mutex);
    return w ? w : writer_new(store);
}

static void fly_tickets(void *self, jg_os_ticket *list)
{
    jg_os_store *store = self;
    writer *w = borrow_writer(store);
    if (!w) {
        for (; list; list = list->next)
            list->status = jg_fail_oom(&list->error);
        return;
    }
    fly(w, list);
    (void)pthread_mutex_lock(&store->writers_mutex);
    w->next_idle = store->idle_writers; /* as many as fly at once */
    store->idle_writers = w;
    (void)pthread_mutex_unlock(&store->writers_mutex);
}

void jg_os_writers_open(jg_os_store *store)
{
    const __typeof__(store->config->bulk_processing) *bulk = &store->config->bulk_processing;
    store->request_bytes = bulk->max_bytes;
    store->share = (jg_os_share){.fly = fly_tickets,
                                 .self = store,
                                 .flights_max = JG_MAX(bulk->workers, 1),
                                 .bytes_max = bulk->max_bytes};
    jg_os_share_init(&store->share);
    (void)pthread_mutex_init(&store->writers_mutex, NULL);
}

void jg_os_writers_close(jg_os_store *store)
{
    for (writer *w = store->idle_writers, *next; w; w = next) {
        next = w->next_idle;
        writer_free(w);
    }
    store->idle_writers = NULL;
    jg_os_share_done(&store->share);
    (void)pthread_mutex_destroy(&store->writers_mutex);
}

/* ---- the slot ---- */

/** About what the documents of the batch take. */
static uint64_t document_bytes(const jaeger_batch *batch)
{
    return 4 * (uint64_t)jaeger_batch_bytes(batch);
}

jaeger_status jg_os_write(void *self, jaeger_batch *take, jaeger_call *call)
{
    jg_os_store *store = self;
    JG_AUTO_BATCH jaeger_batch *batch = take;
    jg_os_ticket ticket = {.batch = batch, .bytes = document_bytes(batch), .call = call};
    JG_TRY(jg_os_store_ready(store, call));
    JG_TRY(jaeger_call_check(call));
    uint64_t flight = __atomic_add_fetch(&store->flight_bytes, ticket.bytes, __ATOMIC_RELAXED);
    jaeger_status status;
    if (flight > JG_MAX(JG_OS_FLIGHT_BYTES_MAX, ticket.bytes)) {
        status =
            jg_fail(&call->error, JAEGER_UNAVAILABLE,
                    "%u MiB of documents are being written: too many at once", JG_OS_FLIGHT_BYTES_MAX >> 20);
        call->error.retry_after_ms = JG_RETRY_AFTER_MS;
    } else {
        status = jg_os_share_write(&store->share, &ticket);
        if (status != JAEGER_OK)
            call->error = ticket.error;
    }
    (void)__atomic_sub_fetch(&store->flight_bytes, ticket.bytes, __ATOMIC_RELAXED);
    return status;
}
