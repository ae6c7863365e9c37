/* SPDX-License-Identifier: Apache-2.0
 * What adaptive sampling keeps, as Jaeger's documents in the indices of sampling: one for the throughput of
 * each operation and interval, one for all probabilities. Leases are in state.h.
 *
 * Names of operations would become fields of the index, without bound: our template maps none of them, so it
 * is installed before the first write.
 * Spec: jaeger internal/storage/v1/elasticsearch/samplingstore.
 */
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/json_out.h"
#include "core/map.h"
#include "core/str.h"
#include "storage/opensearch/bulk.h"
#include "storage/opensearch/read.h"
#include "storage/opensearch/slots.h"
#include "storage/opensearch/state.h"
#include "wire/rfc3339.h"
#include <stdlib.h>

#define DOCUMENT_BYTES_MAX (32u << 20) /* probabilities of some 200,000 operations */
#define BODY_BYTES_MAX     4096u
#define LATEST_SETS        4u /* read: their times may be equal in the index, which keeps milliseconds */

/* ---- writing ---- */

static size_t time_text(uint64_t unix_ns, char out[48])
{
    return jg_rfc3339_format((int64_t)(unix_ns / JG_NS_PER_S), (uint32_t)(unix_ns % JG_NS_PER_S), out);
}

static void put_time(jg_json_out *j, uint64_t unix_ns)
{
    char text[48];
    jg_json_key_lit(j, "timestamp");
    jg_json_str(j, (jaeger_str){text, time_text(unix_ns, text)});
}

static void put_throughput(jg_buf *out, uint64_t time_unix_ns, const jaeger_throughput *item)
{
    jg_json_out j = JG_JSON_OUT_INIT(out);
    jg_json_object(&j);
    put_time(&j, time_unix_ns);
    jg_json_key_lit(&j, "throughputs");
    jg_json_object(&j);
    jg_json_key_lit(&j, "Service");
    jg_json_str(&j, item->service);
    jg_json_key_lit(&j, "Operation");
    jg_json_str(&j, item->operation);
    jg_json_key_lit(&j, "Count");
    jg_json_i64(&j, item->count);
    jg_json_key_lit(&j, "Probabilities");
    jg_json_object(&j);
    for (size_t i = 0; i < item->probability_count; i++) {
        jg_json_key(&j, item->probabilities[i]);
        jg_json_object(&j);
        jg_json_end(&j);
    }
    jg_json_end(&j);
    jg_json_end(&j);
    jg_json_end(&j);
}

static int by_names(const void *a, const void *b)
{
    const jaeger_probability *x = a, *y = b;
    int order = jg_str_cmp(x->service, y->service);
    return order ? order : jg_str_cmp(x->operation, y->operation);
}

/** Services with their operations. @param items sorted */
static void put_rates(jg_json_out *j, const char *key, const jaeger_probability *items, size_t n, bool qps)
{
    jg_json_key(j, jg_str(key));
    jg_json_object(j);
    for (size_t i = 0; i < n; i++) {
        bool first = !i || !jg_str_eq(items[i].service, items[i - 1].service);
        if (first && i)
            jg_json_end(j);
        if (first) {
            jg_json_key(j, items[i].service);
            jg_json_object(j);
        } else if (jg_str_eq(items[i].operation, items[i - 1].operation)) {
            continue; /* the clusters refuse the same key twice */
        }
        jg_json_key(j, items[i].operation);
        jg_json_double(j, qps ? items[i].qps : items[i].probability, 2);
    }
    if (n)
        jg_json_end(j);
    jg_json_end(j);
}

static void put_probabilities(jg_buf *out, uint64_t time_unix_ns, jaeger_str host,
                              const jaeger_probability *items, size_t n)
{
    jg_json_out j = JG_JSON_OUT_INIT(out);
    jg_json_object(&j);
    put_time(&j, time_unix_ns);
    jg_json_key_lit(&j, "probabilitiesandqps");
    jg_json_object(&j);
    jg_json_key_lit(&j, "Hostname");
    jg_json_str(&j, host);
    put_rates(&j, "Probabilities", items, n, false);
    put_rates(&j, "QPS", items, n, true);
    jg_json_end(&j);
    jg_json_end(&j);
}

/** Documents of one call, which are items or all probabilities together. */
typedef struct writing {
    jg_os_store *store;
    uint64_t time_unix_ns;
    jaeger_str host;
    const jaeger_throughput *throughput;
    const jaeger_probability *probabilities;
    size_t probability_count;
    jg_buf document, index;
} writing;

static void put_document(void *self, jg_os_body *body, uint64_t tag)
{
    writing *w = self;
    jg_buf_clear(&w->document);
    if (w->throughput)
        put_throughput(&w->document, w->time_unix_ns, &w->throughput[tag]);
    else
        put_probabilities(&w->document, w->time_unix_ns, w->host, w->probabilities, w->probability_count);
    body->failed |= !jg_buf_ok(&w->document);
    jg_os_body_put(body, jg_buf_view(&w->index), (jaeger_str){0}, jg_buf_view(&w->document));
}

static jaeger_status send_all(writing *w, jg_os_bulk *bulk, size_t count, jaeger_call *call)
{
    jg_os_put_write_index(&w->index, &w->store->index[JG_OS_SAMPLING], w->time_unix_ns);
    for (size_t i = 0; i < count; i++)
        jg_os_bulk_add(bulk, i);
    if (!jg_buf_ok(&w->index))
        return jg_fail_oom(&call->error);
    JG_TRY(jg_os_bulk_send(bulk, w->store->client, (jg_os_documents){.put = put_document, .self = w}, call));
    if (bulk->refused_count)
        return jg_fail(&call->error, JAEGER_INVALID_ARGUMENT,
                       "the cluster refused %zu sampling documents: %s", bulk->refused_count, bulk->reason);
    return JAEGER_OK;
}

static jaeger_status write_documents(writing *w, size_t count, jaeger_call *call)
{
    const jg_os_config *config = w->store->config;
    jg_os_bulk bulk;
    w->document = JG_BUF_INIT(DOCUMENT_BYTES_MAX);
    w->index = JG_BUF_INIT(BODY_BYTES_MAX);
    bool ok = jg_os_bulk_init(&bulk, config->client.http_compression, config->bulk_processing.max_bytes,
                              DOCUMENT_BYTES_MAX);
    bulk.refresh = (jg_os_refresh)config->bulk_processing.refresh;
    jaeger_status status = ok ? send_all(w, &bulk, count, call) : jg_fail_oom(&call->error);
    jg_os_bulk_done(&bulk);
    jg_buf_done(&w->document);
    jg_buf_done(&w->index);
    return status;
}

static jaeger_status insert_throughput(void *self, uint64_t time_unix_ns, const jaeger_throughput *items,
                                       size_t n, jaeger_call *call)
{
    writing w = {.store = self, .time_unix_ns = time_unix_ns, .throughput = items};
    JG_TRY(jg_os_store_ready_for(self, JG_OS_SAMPLING, call));
    return n ? write_documents(&w, n, call) : JAEGER_OK;
}

static jaeger_status insert_probabilities(void *self, jaeger_str host, const jaeger_probability *items,
                                          size_t n, jaeger_call *call)
{
    JG_TRY(jg_os_store_ready_for(self, JG_OS_SAMPLING, call));
    jaeger_probability *sorted = jaeger_arena_alloc(call->arena, (n + 1) * sizeof *sorted);
    if (!sorted)
        return jg_fail_oom(&call->error);
    for (size_t i = 0; i < n; i++)
        sorted[i] = items[i];
    qsort(sorted, n, sizeof *sorted, by_names);
    writing w = {.store = self,
                 .time_unix_ns = jg_clock_unix_ns(),
                 .host = host,
                 .probabilities = sorted,
                 .probability_count = n};
    return write_documents(&w, 1, call);
}

/* ---- reading: parts ---- */

/** @param ret 0: not a time */
static bool read_time(jg_json_in *in, uint64_t *ret, jaeger_call *call)
{
    jaeger_str text = {0};
    int64_t s;
    uint32_t ns;
    bool ok = jg_os_read_text(in, &text, call->arena);
    if (ok && jg_rfc3339_parse(text, &s, &ns) && s > 0 && s < (int64_t)(INT64_MAX / JG_NS_PER_S))
        *ret = (uint64_t)s * JG_NS_PER_S + ns;
    return ok;
}

/** Into an object, or over what is there instead. @return false: nothing to be read there, or a fault */
static bool enter(jg_json_in *in)
{
    if (jg_json_in_peek(in) == JG_JSON_OBJECT)
        return jg_json_in_object(in);
    (void)jg_json_in_skip(in);
    return false;
}

/* ---- throughput ---- */

typedef struct throughput_reader {
    jaeger_throughputs found;
    uint64_t after_ns, until_ns;
    jaeger_call *call;
} throughput_reader;

static void read_used(jg_json_in *in, jaeger_throughput *item, jaeger_call *call)
{
    jaeger_str *list = NULL;
    size_t count = 0, cap = 0;
    jg_json_text key;
    bool ok = enter(in);
    while (ok && jg_json_in_key(in, &key)) {
        jaeger_str *grown = jg_arena_grow(call->arena, list, count, &cap, sizeof *grown);
        ok = grown ? jg_os_keep(in, key, &grown[count], call->arena) : jg_json_in_fail(in, "out of memory");
        if (!ok)
            return;
        list = grown;
        count++;
        ok = jg_json_in_skip(in);
    }
    item->probabilities = list;
    item->probability_count = count;
}

static void read_item(jg_json_in *in, jaeger_throughput *item, jaeger_call *call)
{
    jg_json_text key;
    bool ok = enter(in);
    while (ok && jg_json_in_key(in, &key)) {
        if (jg_json_in_is(key, JAEGER_STR("Service")))
            ok = jg_os_read_text(in, &item->service, call->arena);
        else if (jg_json_in_is(key, JAEGER_STR("Operation")))
            ok = jg_os_read_text(in, &item->operation, call->arena);
        else if (jg_json_in_is(key, JAEGER_STR("Count")) && jg_json_in_peek(in) == JG_JSON_NUMBER)
            ok = jg_json_in_i64(in, false, &item->count);
        else if (jg_json_in_is(key, JAEGER_STR("Probabilities")))
            read_used(in, item, call);
        else
            ok = jg_json_in_skip(in);
    }
}

static bool take_throughput(void *self, jg_json_in *in)
{
    throughput_reader *r = self;
    jaeger_throughput item = {0};
    uint64_t time = 0;
    jg_json_text key;
    bool ok = jg_json_in_object(in);
    while (ok && jg_json_in_key(in, &key)) {
        if (jg_json_in_is(key, JAEGER_STR("timestamp")))
            ok = read_time(in, &time, r->call);
        else if (jg_json_in_is(key, JAEGER_STR("throughputs")))
            read_item(in, &item, r->call);
        else
            ok = jg_json_in_skip(in);
    }
    if (in->fault)
        return false;
    if (!item.service.len || time <= r->after_ns || time > r->until_ns)
        return true;
    jaeger_throughput *grown =
        jg_arena_grow(r->call->arena, r->found.items, r->found.count, &r->found.cap, sizeof *grown);
    if (!grown)
        return jg_json_in_fail(in, "out of memory");
    r->found.items = grown;
    grown[r->found.count++] = item;
    return true;
}

typedef struct counted {
    jg_os_hits hits;
    size_t count;
} counted;

static bool count_hit(void *self, jg_json_in *in)
{
    counted *c = self;
    c->count++;
    return c->hits.hit(c->hits.self, in);
}

static void put_window(jg_buf *out, uint64_t start, uint64_t end, uint64_t size)
{
    char from[48], to[48];
    int from_len = (int)time_text(start - start % JG_NS_PER_MS, from), to_len = (int)time_text(end, to);
    jg_buf_printf(
        out,
        "{\"size\":%llu,\"query\":{\"bool\":{\"filter\":[{\"exists\":{\"field\":\"throughputs.Count\"}},"
        "{\"range\":{\"timestamp\":{\"gte\":\"%.*s\",\"lte\":\"%.*s\"}}}]}}}",
        (unsigned long long)size, from_len, from, to_len, to);
}

/** Documents of (start, end]; milliseconds count in the index, nanoseconds in `r`. */
static jaeger_status read_window(jg_os_store *store, uint64_t start, uint64_t end, throughput_reader *r,
                                 size_t *ret_hits)
{
    JG_AUTO_BUF jg_buf body = JG_BUF_INIT(BODY_BYTES_MAX);
    jg_http_answer answer JG_CLEANUP(jg_os_answer_done) = {0};
    jg_os_partial partial = {0};
    counted c = {.hits = {take_throughput, NULL, r}};
    put_window(&body, start, end, store->config->max_doc_count);
    r->after_ns = start;
    r->until_ns = end;
    JG_TRY(jg_os_search(store, JG_OS_SAMPLING, (jg_os_window){start, end}, &body, &answer, r->call));
    JG_TRY(
        jg_os_read_search(jg_buf_view(&answer.body), (jg_os_hits){count_hit, NULL, &c}, &partial, r->call));
    jg_os_note_partial(store, &partial);
    *ret_hits = c.count;
    return JAEGER_OK;
}

/** An answer that is full may lack some: its half of the time is asked for instead. */
static jaeger_status get_throughput(void *self, uint64_t start_unix_ns, uint64_t end_unix_ns,
                                    jaeger_throughputs *ret, jaeger_call *call)
{
    jg_os_store *store = self;
    throughput_reader r = {.found = *ret, .call = call};
    uint64_t start = start_unix_ns, end = end_unix_ns;
    while (start < end_unix_ns) {
        size_t before = r.found.count, hits = 0;
        JG_TRY(read_window(store, start, end, &r, &hits));
        if (hits >= store->config->max_doc_count && end - start > JG_NS_PER_MS) {
            r.found.count = before;
            end = start + (end - start) / 2;
            continue;
        }
        if (hits >= store->config->max_doc_count)
            jaeger_log(store->log, JAEGER_WARN,
                       "more throughput in one millisecond than max_doc_count, leaving out the rest");
        start = end;
        end = end_unix_ns;
    }
    *ret = r.found;
    return JAEGER_OK;
}

/* ---- probabilities ---- */

typedef struct probability_reader {
    jaeger_probabilities found, newest;
    uint64_t newest_ns;
    jaeger_call *call;
} probability_reader;

static jaeger_str pair_key(jaeger_str service, jaeger_str operation, jaeger_call *call)
{
    return jg_arena_printf(call->arena, "%zu:%.*s%.*s", service.len, JAEGER_STR_ARGS(service),
                           JAEGER_STR_ARGS(operation));
}

/** The item of a pair, made if it is new. NULL when out of memory. */
static jaeger_probability *item_of(probability_reader *r, jg_map *known, jaeger_str service,
                                   jaeger_str operation)
{
    bool is_new = false;
    jaeger_str key = pair_key(service, operation, r->call);
    jg_map_entry *entry = key.ptr ? jg_map_put(known, key, &is_new) : NULL;
    if (!entry)
        return NULL;
    if (!is_new)
        return &r->found.items[(uintptr_t)entry->value - 1];
    jaeger_probability *grown =
        jg_arena_grow(r->call->arena, r->found.items, r->found.count, &r->found.cap, sizeof *grown);
    if (!grown)
        return NULL;
    r->found.items = grown;
    grown[r->found.count++] = (jaeger_probability){.service = service, .operation = operation};
    entry->value = (void *)(uintptr_t)r->found.count;
    return &grown[r->found.count - 1];
}

static bool read_rate(probability_reader *r, jg_map *known, jaeger_str service, jg_json_text operation,
                      bool qps, jg_json_in *in)
{
    jaeger_str name;
    double value;
    if (jg_json_in_peek(in) != JG_JSON_NUMBER)
        return jg_json_in_skip(in);
    if (!jg_os_keep(in, operation, &name, r->call->arena))
        return false;
    jaeger_probability *item = item_of(r, known, service, name);
    if (!item)
        return jg_json_in_fail(in, "out of memory");
    if (!jg_json_in_double(in, false, &value))
        return false;
    *(qps ? &item->qps : &item->probability) = value;
    return true;
}

static void read_rates(probability_reader *r, jg_map *known, bool qps, jg_json_in *in)
{
    jg_json_text service, operation;
    bool ok = enter(in);
    while (ok && jg_json_in_key(in, &service)) {
        jaeger_str name;
        if (!jg_os_keep(in, service, &name, r->call->arena))
            return;
        bool inside = enter(in);
        while (inside && jg_json_in_key(in, &operation))
            inside = read_rate(r, known, name, operation, qps, in);
    }
}

static void read_set(probability_reader *r, jg_map *known, jg_json_in *in)
{
    jg_json_text key;
    bool ok = enter(in);
    while (ok && jg_json_in_key(in, &key)) {
        if (jg_json_in_is(key, JAEGER_STR("Probabilities")))
            read_rates(r, known, false, in);
        else if (jg_json_in_is(key, JAEGER_STR("QPS")))
            read_rates(r, known, true, in);
        else
            ok = jg_json_in_skip(in);
    }
}

static bool take_probabilities(void *self, jg_json_in *in)
{
    probability_reader *r = self;
    jg_map known = {0};
    uint64_t time = 0;
    jg_json_text key;
    bool ok = jg_json_in_object(in);
    r->found = (jaeger_probabilities){0};
    while (ok && jg_json_in_key(in, &key)) {
        if (jg_json_in_is(key, JAEGER_STR("timestamp")))
            ok = read_time(in, &time, r->call);
        else if (jg_json_in_is(key, JAEGER_STR("probabilitiesandqps")))
            read_set(r, &known, in);
        else
            ok = jg_json_in_skip(in);
    }
    jg_map_done(&known);
    if (!in->fault && time >= r->newest_ns) {
        r->newest_ns = time;
        r->newest = r->found;
    }
    return !in->fault;
}

static jaeger_status get_probabilities(void *self, jaeger_probabilities *ret, jaeger_call *call)
{
    jg_os_store *store = self;
    JG_AUTO_BUF jg_buf body = JG_BUF_INIT(BODY_BYTES_MAX);
    jg_http_answer answer JG_CLEANUP(jg_os_answer_done) = {0};
    jg_os_partial partial = {0};
    probability_reader r = {.call = call};
    uint64_t now = jg_clock_unix_ns(), lookback = store->config->adaptive_sampling_lookback_ns;
    jg_buf_printf(&body,
                  "{\"size\":%u,\"sort\":[{\"timestamp\":{\"order\":\"desc\",\"unmapped_type\":\"date\"}}],"
                  "\"query\":{\"bool\":{\"must_not\":[{\"exists\":{\"field\":\"throughputs.Count\"}}]}}}",
                  LATEST_SETS);
    JG_TRY(jg_os_search(store, JG_OS_SAMPLING, (jg_os_window){now > lookback ? now - lookback : 0, now},
                        &body, &answer, call));
    JG_TRY(jg_os_read_search(jg_buf_view(&answer.body), (jg_os_hits){take_probabilities, NULL, &r}, &partial,
                             call));
    jg_os_note_partial(store, &partial);
    *ret = r.newest;
    return JAEGER_OK;
}

/* ---- leases ---- */

static jaeger_status acquire(void *self, jaeger_str resource, jaeger_str owner, uint64_t ttl_ns, bool *ret,
                             jaeger_call *call)
{
    return jg_os_acquire(self, resource, owner, ttl_ns, ret, call);
}

static jaeger_status forfeit(void *self, jaeger_str resource, jaeger_str owner, jaeger_call *call)
{
    return jg_os_forfeit(self, resource, owner, call);
}

const jaeger_sampling_store jg_os_sampling_store = {
    .size = sizeof(jaeger_sampling_store),
    .insert_throughput = insert_throughput,
    .get_throughput = get_throughput,
    .insert_probabilities = insert_probabilities,
    .get_probabilities = get_probabilities,
    .acquire = acquire,
    .forfeit = forfeit,
};
