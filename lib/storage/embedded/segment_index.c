/* SPDX-License-Identifier: Apache-2.0
 * Building a segment, third step: the index. Lists of rows by term, by operation; of resources and scopes by
 * term; of traces by hash of the id.
 */
#include "storage/embedded/segment_build.h"

#include "core/alloc.h"
#include "core/pb.h"
#include "storage/embedded/attr_key.h"
#include <stdlib.h>

#define TERMS_PER_BUCKET 8u

uint32_t jg_seg_write_list(jg_buf *postings, const uint32_t *items, uint32_t count)
{
    if (count == 1)
        return items[0] | JG_REF_ROW;
    uint32_t ref = (uint32_t)postings->len, last = 0;
    jg_pb_write_varint_raw(postings, count);
    for (uint32_t i = 0; i < count; i++) {
        jg_pb_write_varint_raw(postings, items[i] - last);
        last = items[i];
    }
    return ref;
}

/* ---- terms
 * -------------------------------------------------------------------------------------------------- */

typedef struct term {
    uint64_t hash;
    uint32_t first, count; /* of `items` */
} term;

typedef struct term_set {
    term *terms;
    uint32_t count;
    uint32_t *items; /* rows of row terms, in order */
    jg_buf entities; /* uint32_t: resources (2 n) and scopes (2 n + 1) of the other terms */
    uint32_t row_terms;
} term_set;

static void prefetch(const jg_seg_build *b, uint32_t at, const uint32_t *next)
{
    if (at + 12 >= b->row_count)
        return;
    __builtin_prefetch(&jg_mt_row(b->mem, b->order[at + 12])->token0);
    __builtin_prefetch(jg_mt_tokens(b->mem, jg_mt_row(b->mem, b->order[at + 7])));
    const jg_row *row = jg_mt_row(b->mem, b->order[at + 3]);
    for (uint32_t i = 0; i < row->token_count; i++)
        __builtin_prefetch(&next[jg_mt_tokens(b->mem, row)[i]], 1);
}

/** Rows by token: a counting sort, in the order of the segment; and the index by key, which is drawn from it.
 */
static bool sort_tokens(jg_seg_build *b, term_set *set)
{
    const jg_mt *mem = b->mem;
    uint64_t total = 0;
    JG_AUTO_FREE uint32_t *next = jg_alloc(mem->attrs.count * sizeof *next);
    if (!next)
        return false;
    for (uint32_t i = 0; i < mem->attrs.count; i++) {
        next[i] = (uint32_t)total;
        total += b->token_freq[i];
    }
    set->items = total < UINT32_MAX ? jg_alloc(total * sizeof *set->items) : NULL;
    if (!set->items)
        return false;
    JG_AUTO_FREE uint32_t *begin = jg_alloc(mem->attrs.count * sizeof *begin);
    if (!begin)
        return false;
    memcpy(begin, next, mem->attrs.count * sizeof *begin);
    for (uint32_t at = 0; at < b->row_count; at++) {
        prefetch(b, at, next);
        const jg_row *row = jg_mt_row(mem, b->order[at]);
        const uint32_t *tokens = jg_mt_tokens(mem, row);
        for (uint32_t i = 0; i < row->token_count; i++) {
            uint32_t token = tokens[i];
            if (next[token] == begin[token] || set->items[next[token] - 1] != at)
                set->items[next[token]++] = at;
        }
    }
    for (uint32_t i = 0; i < mem->attrs.count; i++)
        if (b->token_freq[i])
            set->terms[set->count++] =
                (term){jg_intern_at(&mem->attrs, i)->hash.lo, begin[i], next[i] - begin[i]};
    set->row_terms = set->count;
    return jg_seg_index_keys(b, &(jg_token_rows){set->items, begin, next});
}

typedef struct entity_term {
    uint64_t hash;
    uint32_t entity;
} entity_term;

static int by_hash(const void *a, const void *b)
{
    const entity_term *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return x->entity < y->entity ? -1 : x->entity > y->entity;
}

static void add_entity_term(jg_buf *out, jaeger_str kv, uint64_t seed, uint32_t entity)
{
    jaeger_str key;
    entity_term item = {jg_hash_piece(kv.ptr, kv.len, seed).lo, entity};
    jg_buf_append(out, &item, sizeof item);
    if (jg_kv_form_of((const uint8_t *)kv.ptr, kv.len, &key) == JG_KV_PLAIN)
        return;
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(JG_WAL_FILE_BYTES_MAX);
    jg_kv_as_text(&text, (const uint8_t *)kv.ptr, kv.len);
    item.hash = jg_hash_piece(text.data, text.len, seed).lo;
    out->failed = out->failed || !jg_buf_ok(&text);
    jg_buf_append(out, &item, sizeof item);
}

static void add_entities(jg_buf *out, const jg_mt *mem, const jg_intern *table, bool is_scope)
{
    uint64_t seed = mem->seed + JG_SEED_ORIGIN_ATTR;
    for (uint32_t i = 0; i < table->count; i++) {
        jaeger_str url;
        jaeger_span_group group = {0};
        jaeger_attr attr;
        if (!jg_entity_read(jg_mt_str(mem, jg_intern_at(table, i)), &url,
                            is_scope ? &group.scope : &group.resource))
            continue;
        jaeger_iter it = is_scope ? jaeger_scope_attrs(&group) : jaeger_resource_attrs(&group);
        while (jaeger_next_attr(&it, &attr))
            add_entity_term(out, attr.raw, seed, i * 2 + is_scope);
    }
}

static bool collect_entities(term_set *set, jg_buf *pairs)
{
    size_t n = pairs->len / sizeof(entity_term);
    entity_term *items = (entity_term *)pairs->data;
    if (n)
        qsort(items, n, sizeof *items, by_hash);
    term *terms = jg_realloc(set->terms, (set->count + n) * sizeof *terms);
    if (!terms)
        return false;
    set->terms = terms;
    for (size_t i = 0; i < n; i++) {
        if (i && items[i].hash == items[i - 1].hash) {
            if (items[i].entity == items[i - 1].entity)
                continue;
        } else {
            set->terms[set->count++] = (term){items[i].hash, (uint32_t)(set->entities.len / 4), 0};
        }
        set->terms[set->count - 1].count++;
        jg_buf_append(&set->entities, &items[i].entity, 4);
    }
    return jg_buf_ok(&set->entities);
}

static bool write_terms(jg_seg_build *b, const term_set *set)
{
    unsigned bits = 0;
    while (bits < 28 && (uint64_t)set->count >> bits > TERMS_PER_BUCKET)
        bits++;
    uint32_t buckets = 1u << bits;
    JG_AUTO_FREE uint32_t *start = jg_calloc(buckets + 1, sizeof *start);
    JG_AUTO_FREE uint32_t *sorted = jg_alloc(set->count * sizeof *sorted);
    JG_AUTO_FREE uint32_t *next = jg_alloc(buckets * sizeof *next);
    if (!start || !sorted || !next)
        return false;
    for (uint32_t i = 0; i < set->count; i++)
        start[(bits ? set->terms[i].hash >> (64 - bits) : 0) + 1]++;
    for (uint32_t i = 0; i < buckets; i++)
        start[i + 1] += start[i];
    memcpy(next, start, buckets * sizeof *next);
    for (uint32_t i = 0; i < set->count; i++)
        sorted[next[bits ? set->terms[i].hash >> (64 - bits) : 0]++] = i;
    jg_buf_append(&b->sections[JG_SEC_TERM_BUCKETS], start, (buckets + 1) * sizeof *start);
    for (uint32_t i = 0; i < set->count; i++) {
        const term *t = &set->terms[sorted[i]];
        const uint32_t *items =
            sorted[i] < set->row_terms ? set->items : (const uint32_t *)set->entities.data;
        uint16_t print = (uint16_t)t->hash;
        uint32_t ref = jg_seg_write_list(&b->sections[JG_SEC_POSTINGS], items + t->first, t->count);
        jg_buf_append(&b->sections[JG_SEC_TERM_PRINTS], &print, sizeof print);
        jg_buf_append(&b->sections[JG_SEC_TERM_REFS], &ref, sizeof ref);
    }
    return true;
}

static bool index_terms(jg_seg_build *b)
{
    term_set set = {.entities = {.max = UINT32_MAX}};
    JG_AUTO_BUF jg_buf pairs = JG_BUF_INIT(UINT32_MAX);
    set.terms = jg_alloc((size_t)b->mem->attrs.count * sizeof *set.terms);
    bool ok = set.terms && sort_tokens(b, &set);
    if (ok) {
        add_entities(&pairs, b->mem, &b->mem->resources, false);
        add_entities(&pairs, b->mem, &b->mem->scopes, true);
        ok = jg_buf_ok(&pairs) && collect_entities(&set, &pairs) && write_terms(b, &set);
    }
    jg_free(set.terms);
    jg_free(set.items);
    jg_buf_done(&set.entities);
    return ok;
}

/* ---- operations, origins, traces
 * ------------------------------------------------------------------------------ */

/** Lists of rows by a number each row has. */
static bool index_numbers(jg_seg_build *b, uint32_t count, bool by_op, jg_buf *refs)
{
    JG_AUTO_FREE uint32_t *start = jg_calloc((size_t)count + 1, sizeof *start);
    JG_AUTO_FREE uint32_t *next = jg_alloc((size_t)count * sizeof *next);
    JG_AUTO_FREE uint32_t *rows = jg_alloc((size_t)b->row_count * sizeof *rows);
    if (!start || !next || !rows)
        return false;
    for (uint32_t i = 0; i < b->row_count; i++) {
        const jg_row *row = jg_mt_row(b->mem, i);
        start[(by_op ? row->op : row->origin) + 1]++;
    }
    for (uint32_t i = 0; i < count; i++)
        start[i + 1] += start[i];
    memcpy(next, start, count * sizeof *next);
    for (uint32_t at = 0; at < b->row_count; at++) {
        const jg_row *row = jg_mt_row(b->mem, b->order[at]);
        rows[next[by_op ? row->op : row->origin]++] = at;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t ref =
            jg_seg_write_list(&b->sections[JG_SEC_POSTINGS], rows + start[i], start[i + 1] - start[i]);
        jg_buf_append(refs, &ref, sizeof ref);
    }
    return true;
}

static bool index_traces(jg_seg_build *b)
{
    JG_AUTO_FREE entity_term *keys = jg_alloc((size_t)b->trace_count * sizeof *keys);
    if (!keys)
        return false;
    for (uint32_t t = 0; t < b->trace_count; t++)
        keys[t] = (entity_term){jg_trace_hash(b->traces[t].trace_id), t};
    qsort(keys, b->trace_count, sizeof *keys, by_hash);
    for (uint32_t t = 0; t < b->trace_count; t++) {
        uint32_t hash = (uint32_t)keys[t].hash;
        jg_buf_append(&b->sections[JG_SEC_TRACE_HASHES], &hash, sizeof hash);
        jg_buf_append(&b->sections[JG_SEC_TRACE_ORDINALS], &keys[t].entity, sizeof keys[t].entity);
    }
    return true;
}

bool jg_seg_index(jg_seg_build *b)
{
    uint64_t latest = 0;
    for (uint32_t t = 0; t < b->trace_count; t++) {
        latest = JG_MAX(latest, b->traces[t].max_start);
        if (t % JG_TRACES_PER_MAX == JG_TRACES_PER_MAX - 1 || t + 1 == b->trace_count)
            jg_buf_append(&b->sections[JG_SEC_LATEST], &latest, sizeof latest);
    }
    jg_buf_append(&b->sections[JG_SEC_TRACES], b->traces, (size_t)b->trace_count * sizeof *b->traces);
    return index_terms(b) && index_numbers(b, b->mem->ops.count, true, &b->sections[JG_SEC_OP_REFS]) &&
           index_numbers(b, b->mem->origins.count, false, &b->sections[JG_SEC_ORIGIN_REFS]) &&
           index_traces(b);
}
