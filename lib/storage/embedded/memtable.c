/* SPDX-License-Identifier: Apache-2.0
 * See memtable.h. Appending: take the span apart (layout.h), hash all its attributes and prefetch their
 * slots, then look them up: the misses overlap.
 */
#include "storage/embedded/memtable.h"

#include "core/alloc.h"
#include "core/pb.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/otlp_fields.h"
#include "model/value_text.h"
#include "storage/embedded/attr_key.h"

#define TOKENS_MAX     (96u << 20) /* a frame of 64 MiB has at most 32 M attributes, each with a second token */
#define ATTRS_MAX      (32u << 20) /* different ones: real ones take ten bytes and more */
#define EVENTS_MAX     (48u << 20) /* an event takes two bytes of wire and more */
#define SIDE_BYTES_MAX (1u << 30)  /* offsets are 31 bits */

static bool tables_init(jg_mt *mem)
{
    return jg_vmem_init(&mem->rows, (size_t)JG_MEM_ROWS_MAX * sizeof(jg_row)) &&
           jg_vmem_init(&mem->tokens, (size_t)TOKENS_MAX * sizeof(uint32_t)) &&
           jg_vmem_init(&mem->trace_last, (size_t)JG_MEM_ROWS_MAX * sizeof(uint32_t)) &&
           jg_vmem_init(&mem->chunk_max, (JG_MEM_ROWS_MAX / JG_MEM_CHUNK + 1) * sizeof(uint64_t)) &&
           jg_vmem_init(&mem->side, SIDE_BYTES_MAX) &&
           jg_vmem_init(&mem->events, (size_t)EVENTS_MAX * sizeof(jg_event_head)) &&
           jg_vmem_init(&mem->op_infos, (size_t)JG_MEM_ROWS_MAX * sizeof(jg_op)) &&
           jg_vmem_init(&mem->origin_infos, (size_t)JG_MEM_ROWS_MAX * sizeof(jg_origin)) &&
           jg_intern_init(&mem->attrs, ATTRS_MAX) && jg_intern_init(&mem->ops, JG_MEM_ROWS_MAX) &&
           jg_intern_init(&mem->tails, JG_MEM_ROWS_MAX) && jg_intern_init(&mem->keys, ATTRS_MAX) &&
           jg_intern_init(&mem->services, JG_MEM_ROWS_MAX) &&
           jg_intern_init(&mem->resources, JG_MEM_ROWS_MAX) &&
           jg_intern_init(&mem->scopes, JG_MEM_ROWS_MAX) && jg_intern_init(&mem->origins, JG_MEM_ROWS_MAX) &&
           jg_intern_init(&mem->traces, JG_MEM_ROWS_MAX);
}

jg_mt *jg_mt_new(uint64_t gen, uint64_t seed, jg_wal_file *wal, void (*release_wal)(void *, jg_wal_file *),
                 void *release_user)
{
    jg_mt *mem = jg_calloc(1, sizeof *mem);
    if (!mem) {
        release_wal(release_user, wal);
        return NULL;
    }
    mem->refs = 1;
    mem->gen = gen;
    mem->seed = seed;
    mem->wal = wal;
    mem->release_wal = release_wal;
    mem->release_user = release_user;
    mem->min_start = mem->arrival_min = UINT64_MAX;
    if (!tables_init(mem)) {
        jg_mt_unref(mem);
        return NULL;
    }
    return mem;
}

jg_mt *jg_mt_ref(jg_mt *mem)
{
    __atomic_add_fetch(&mem->refs, 1, __ATOMIC_RELAXED);
    return mem;
}

void jg_mt_unref(jg_mt *mem)
{
    if (!mem || __atomic_sub_fetch(&mem->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    jg_vmem *areas[] = {&mem->rows, &mem->tokens, &mem->trace_last, &mem->chunk_max,
                        &mem->side, &mem->events, &mem->op_infos,   &mem->origin_infos};
    jg_intern *tables[] = {&mem->attrs,     &mem->ops,    &mem->tails,   &mem->keys,  &mem->services,
                           &mem->resources, &mem->scopes, &mem->origins, &mem->traces};
    for (size_t i = 0; i < JG_COUNT(areas); i++)
        jg_vmem_done(areas[i]);
    for (size_t i = 0; i < JG_COUNT(tables); i++)
        jg_intern_done(tables[i]);
    jg_layout_done(&mem->layout);
    jg_free(mem->hashes);
    mem->release_wal(mem->release_user, mem->wal);
    jg_free(mem);
}

size_t jg_mt_bytes_used(const jg_mt *mem)
{
    const jg_intern *tables[] = {&mem->attrs,     &mem->ops,    &mem->tails,   &mem->keys,  &mem->services,
                                 &mem->resources, &mem->scopes, &mem->origins, &mem->traces};
    size_t total = mem->rows.used + mem->tokens.used + mem->trace_last.used + mem->side.used +
                   mem->op_infos.used + mem->origin_infos.used;
    for (size_t i = 0; i < JG_COUNT(tables); i++)
        total += jg_intern_bytes(tables[i]);
    return total;
}

/* ---- interning -------------------------------------------------------------------------------------------
 */

/** Copy bytes into the side memory. @return the offset with JG_OFF_SIDE; 0: out of memory */
static uint32_t side_copy(jg_mt *mem, const void *bytes, size_t len)
{
    size_t at = mem->side.used;
    uint8_t *to = at + len < SIDE_BYTES_MAX ? jg_vmem_room(&mem->side, len) : NULL;
    if (!to)
        return 0;
    if (len)
        memcpy(to, bytes, len);
    mem->side.used += len;
    return (uint32_t)at | JG_OFF_SIDE;
}

/** Intern bytes that are copied when they are new. */
static uint32_t put_copy(jg_mt *mem, jg_intern *table, const void *bytes, size_t len, uint64_t seed,
                         bool *ret_new)
{
    uint32_t number = jg_intern_put(table, jg_hash_piece(bytes, len, mem->seed + seed), ret_new);
    if (number == JG_NONE || !*ret_new)
        return number;
    jg_entry *entry = jg_intern_at(table, number);
    entry->off = side_copy(mem, bytes, len);
    entry->len = (uint32_t)len;
    if (!entry->off) {
        jg_intern_undo(table);
        return JG_NONE;
    }
    jg_intern_publish(table, number);
    return number;
}

/** A new attribute: find its key, and if its value is not plain, intern its text too. */
static bool describe_attr(jg_mt *mem, uint32_t number, const uint8_t *kv, uint32_t len)
{
    jaeger_str key;
    bool is_new;
    jg_kv_form form = jg_kv_form_of(kv, len, &key);
    if (form != JG_KV_ODD) {
        uint32_t n = put_copy(mem, &mem->keys, key.ptr, key.len, JG_SEED_OTHER, &is_new);
        if (n == JG_NONE)
            return false;
        jg_intern_at(&mem->attrs, number)->key = n;
    }
    if (form == JG_KV_PLAIN)
        return true;
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(JG_WAL_FILE_BYTES_MAX);
    jg_kv_as_text(&text, kv, len);
    uint32_t alt =
        jg_buf_ok(&text) ? put_copy(mem, &mem->attrs, text.data, text.len, JG_SEED_ATTR, &is_new) : JG_NONE;
    if (alt == JG_NONE)
        return false;
    jg_intern_at(&mem->attrs, number)->alt = alt;
    return true;
}

/** Intern a piece that lies in the log file at `off`. */
static uint32_t put_piece(jg_mt *mem, const jg_piece *piece, jg_hash128 hash, uint32_t off)
{
    bool is_new;
    uint32_t number = jg_intern_put(&mem->attrs, hash, &is_new);
    if (number == JG_NONE || !is_new)
        return number;
    jg_entry *entry = jg_intern_at(&mem->attrs, number);
    entry->off = off;
    entry->len = piece->len;
    if (!piece->is_name && !describe_attr(mem, number, piece->ptr, piece->len))
        return JG_NONE;
    jg_intern_publish(&mem->attrs, number);
    return number;
}

static bool add_token(jg_mt *mem, jg_row *row, uint32_t token)
{
    uint32_t *to = jg_vmem_room(&mem->tokens, sizeof *to);
    if (token == JG_NONE || !to)
        return false;
    *to = token;
    mem->tokens.used += sizeof *to;
    row->token_count++;
    return true;
}

/** Hash the pieces and ask for their slots; the answers arrive while the next ones are hashed. */
static bool hash_pieces(jg_mt *mem)
{
    const jg_layout *l = &mem->layout;
    if (l->piece_count > mem->hash_cap) {
        jg_hash128 *hashes = jg_realloc(mem->hashes, l->piece_cap * sizeof *hashes);
        if (!hashes)
            return false;
        mem->hashes = hashes;
        mem->hash_cap = l->piece_cap;
    }
    for (size_t i = 0; i < l->piece_count; i++) {
        uint64_t seed = mem->seed + (l->pieces[i].is_name ? JG_SEED_EVENT_NAME : JG_SEED_ATTR);
        mem->hashes[i] = jg_hash_piece(l->pieces[i].ptr, l->pieces[i].len, seed);
        jg_intern_prefetch(&mem->attrs, mem->hashes[i]);
    }
    for (size_t i = 0; i < l->piece_count; i++)
        jg_intern_prefetch_entry(&mem->attrs, mem->hashes[i]);
    return true;
}

static bool add_link_attrs(jg_mt *mem, jg_row *row, const jaeger_span *span)
{
    jaeger_link link;
    jaeger_attr attr;
    for (jaeger_iter links = jaeger_span_links(span); jaeger_next_link(&links, &link);) {
        for (jaeger_iter attrs = jaeger_link_attrs(&link); jaeger_next_attr(&attrs, &attr);) {
            jg_piece piece = {(const uint8_t *)attr.raw.ptr, (uint32_t)attr.raw.len, 0};
            uint32_t off = row->off + (uint32_t)(piece.ptr - span->bytes);
            uint32_t token =
                put_piece(mem, &piece, jg_hash_piece(piece.ptr, piece.len, mem->seed + JG_SEED_ATTR), off);
            if (!add_token(mem, row, token))
                return false;
            uint32_t alt = jg_intern_at(&mem->attrs, token)->alt;
            if (alt != JG_NONE && !add_token(mem, row, alt))
                return false;
        }
    }
    return true;
}

static bool add_status(jg_mt *mem, jg_row *row)
{
    bool is_new;
    return row->status == JAEGER_STATUS_UNSET ||
           add_token(mem, row, put_copy(mem, &mem->attrs, &row->status, 1, JG_SEED_STATUS, &is_new));
}

static bool add_tokens(jg_mt *mem, jg_row *row, const jaeger_span *span)
{
    const jg_layout *l = &mem->layout;
    if (!hash_pieces(mem))
        return false;
    row->token0 = (uint32_t)(mem->tokens.used / sizeof(uint32_t));
    bool alts = false;
    for (size_t i = 0; i < l->piece_count; i++) {
        uint32_t off = row->off + (uint32_t)(l->pieces[i].ptr - span->bytes);
        uint32_t token = put_piece(mem, &l->pieces[i], mem->hashes[i], off);
        if (!add_token(mem, row, token))
            return false;
        alts = alts || jg_intern_at(&mem->attrs, token)->alt != JG_NONE;
    }
    row->main_count = l->whole ? 0 : row->token_count;
    for (uint32_t i = 0, n = row->token_count; alts && i < n; i++) {
        uint32_t alt = jg_intern_at(&mem->attrs, jg_mt_tokens(mem, row)[i])->alt;
        if (alt != JG_NONE && !add_token(mem, row, alt))
            return false;
    }
    return add_status(mem, row) && (!l->has_links || add_link_attrs(mem, row, span));
}

/* ---- origins, operations, tails
 * ---------------------------------------------------------------------------- */

/** url length, url, then 0 or 1 + length, body: how resources and scopes are kept, here and in segments. */
static uint32_t put_entity(jg_mt *mem, jg_intern *table, jaeger_str url, jaeger_str body)
{
    bool is_new;
    JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(JG_WAL_FILE_BYTES_MAX);
    jg_pb_write_varint_raw(&buf, url.len);
    jg_buf_str(&buf, url);
    jg_pb_write_varint_raw(&buf, body.ptr ? body.len + 1 : 0);
    jg_buf_str(&buf, body);
    return jg_buf_ok(&buf) ? put_copy(mem, table, buf.data, buf.len, JG_SEED_OTHER, &is_new) : JG_NONE;
}

bool jg_entity_read(jaeger_str bytes, jaeger_str *ret_url, jaeger_str *ret_body)
{
    jg_pb pb = jg_pb_of_str(bytes);
    uint64_t url, body;
    if (!jg_pb_varint(&pb, &url) || url > (uint64_t)(pb.end - pb.pos))
        return false;
    *ret_url = (jaeger_str){(const char *)pb.pos, (size_t)url};
    pb.pos += url;
    if (!jg_pb_varint(&pb, &body) || (body && body - 1 != (uint64_t)(pb.end - pb.pos)))
        return false;
    *ret_body = body ? (jaeger_str){(const char *)pb.pos, (size_t)body - 1} : (jaeger_str){0};
    return true;
}

static uint32_t put_origin(jg_mt *mem, uint32_t resource, uint32_t scope, uint32_t service)
{
    bool is_new;
    uint32_t pair[2] = {resource, scope};
    jg_origin *info = jg_vmem_room(&mem->origin_infos, sizeof *info);
    if (!info)
        return JG_NONE;
    uint32_t number = jg_intern_put(&mem->origins, jg_hash_piece(pair, sizeof pair, mem->seed), &is_new);
    if (number == JG_NONE || !is_new)
        return number;
    *info = (jg_origin){.resource = resource, .scope = scope, .service = service};
    jaeger_span_group *group = &info->group;
    (void)jg_entity_read(jg_mt_str(mem, jg_intern_at(&mem->resources, resource)), &group->resource_schema_url,
                         &group->resource);
    (void)jg_entity_read(jg_mt_str(mem, jg_intern_at(&mem->scopes, scope)), &group->scope_schema_url,
                         &group->scope);
    group->service = jg_mt_str(mem, jg_intern_at(&mem->services, service));
    group->resource_index = resource;
    __atomic_store_n(&mem->origin_infos.used, mem->origin_infos.used + sizeof *info, __ATOMIC_RELEASE);
    jg_intern_publish(&mem->origins, number);
    return number;
}

static uint32_t put_op(jg_mt *mem, const jaeger_span *span, jg_slice raw, uint32_t service)
{
    bool is_new;
    uint8_t made[64];
    JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(JG_WAL_FILE_BYTES_MAX);
    if (mem->layout.whole) { /* its fields may be scattered: make the usual form, for searching */
        if (span->name.len)
            jg_pb_write_str(&buf, JG_OTLP_SPAN_NAME, span->name);
        if (span->kind)
            jg_pb_write_varint(&buf, JG_OTLP_SPAN_KIND, span->kind);
        if (!jg_buf_ok(&buf))
            return JG_NONE;
        raw = (jg_slice){buf.data ? buf.data : made, (uint32_t)buf.len};
    }
    jg_op *info = jg_vmem_room(&mem->op_infos, sizeof *info);
    if (!info)
        return JG_NONE;
    jg_hash128 hash = jg_hash_piece(raw.ptr ? raw.ptr : made, raw.len, mem->seed + ((uint64_t)service << 32));
    uint32_t number = jg_intern_put(&mem->ops, hash, &is_new);
    if (number == JG_NONE || !is_new)
        return number;
    jg_entry *entry = jg_intern_at(&mem->ops, number);
    entry->off = side_copy(mem, raw.ptr, raw.len);
    entry->len = raw.len;
    if (!entry->off) {
        jg_intern_undo(&mem->ops);
        return JG_NONE;
    }
    jaeger_str bytes = jg_mt_str(mem, entry);
    *info = (jg_op){.raw = bytes, .service = service, .kind = span->kind, .name = {bytes.ptr, 0}};
    jg_pb pb = jg_pb_of_str(bytes);
    jg_pb_field f;
    while (jg_pb_next(&pb, &f))
        if (f.number == JG_OTLP_SPAN_NAME)
            info->name = jg_pb_str(&f);
    __atomic_store_n(&mem->op_infos.used, mem->op_infos.used + sizeof *info, __ATOMIC_RELEASE);
    jg_intern_publish(&mem->ops, number);
    return number;
}

static uint32_t put_tail(jg_mt *mem, const jg_layout *l)
{
    bool is_new;
    uint8_t small[256];
    size_t len = 30u + l->a.len + l->m.len + l->b.len + l->c.len;
    JG_AUTO_FREE uint8_t *big = len > sizeof small ? jg_alloc(len) : NULL;
    uint8_t *out = big ? big : small, *at = out;
    if (len > sizeof small && !big)
        return JG_NONE;
    at = jg_pb_put_varint(at, l->a.len);
    at = jg_pb_put_varint(at, l->m.len);
    at = jg_pb_put_varint(at, l->b.len);
    const jg_slice *slices[] = {&l->a, &l->m, &l->b, &l->c};
    for (size_t i = 0; i < JG_COUNT(slices); i++) {
        if (slices[i]->len)
            memcpy(at, slices[i]->ptr, slices[i]->len);
        at += slices[i]->len;
    }
    return put_copy(mem, &mem->tails, out, (size_t)(at - out), JG_SEED_OTHER, &is_new);
}

/* ---- rows -------------------------------------------------------------------------------------------------
 */

/** The origin of the group last seen, so that a request hashes each resource once. */
typedef struct origin_cache {
    const jaeger_span_group *group;
    const char *resource_ptr;
    uint32_t resource, service, origin;
} origin_cache;

static bool find_origin(jg_mt *mem, origin_cache *cache, const jaeger_span_group *group)
{
    bool is_new;
    if (cache->group == group)
        return true;
    if (!cache->group || cache->group->resource_index != group->resource_index ||
        cache->resource_ptr != group->resource.ptr) {
        jaeger_str service = group->service.ptr ? group->service : (jaeger_str){"", 0};
        cache->resource_ptr = group->resource.ptr;
        cache->resource = put_entity(mem, &mem->resources, group->resource_schema_url, group->resource);
        cache->service = put_copy(mem, &mem->services, service.ptr, service.len, JG_SEED_OTHER, &is_new);
    }
    uint32_t scope = put_entity(mem, &mem->scopes, group->scope_schema_url, group->scope);
    if (cache->resource == JG_NONE || cache->service == JG_NONE || scope == JG_NONE)
        return false;
    cache->origin = put_origin(mem, cache->resource, scope, cache->service);
    cache->group = group;
    return cache->origin != JG_NONE;
}

static void note_times(jg_mt *mem, const jg_row *row)
{
    mem->min_start = JG_MIN(mem->min_start, row->start);
    mem->max_start = JG_MAX(mem->max_start, row->start);
    mem->max_end = JG_MAX(mem->max_end, row->end);
    if (row->end > row->start)
        mem->max_duration = JG_MAX(mem->max_duration, row->end - row->start);
    uint64_t *max = (uint64_t *)mem->chunk_max.base + mem->pending / JG_MEM_CHUNK;
    if (mem->pending % JG_MEM_CHUNK == 0 || row->start > *max)
        __atomic_store_n(max, row->start, __ATOMIC_RELAXED);
}

static uint32_t *last_of(const jg_mt *mem, uint32_t trace)
{
    return (uint32_t *)mem->trace_last.base + trace;
}

/** Put the row at the end of its trace's chain. */
static bool link_trace(jg_mt *mem, jg_row *row)
{
    bool is_new;
    uint32_t *room = jg_vmem_room(&mem->trace_last, sizeof *room);
    if (!room)
        return false;
    row->trace = jg_intern_put(&mem->traces, jg_hash_piece(row->trace_id, 16, mem->seed), &is_new);
    if (row->trace == JG_NONE)
        return false;
    if (is_new) {
        *room = JG_NONE;
        mem->trace_last.used += sizeof *room;
        jg_intern_publish(&mem->traces, row->trace);
    }
    row->previous = *last_of(mem, row->trace);
    __atomic_store_n(last_of(mem, row->trace), mem->pending, __ATOMIC_RELEASE);
    return true;
}

uint32_t jg_mt_last_of_trace(const jg_mt *mem, const uint8_t trace_id[16], uint32_t count)
{
    uint32_t trace = jg_intern_find(&mem->traces, jg_hash_piece(trace_id, 16, mem->seed));
    if (trace == JG_NONE)
        return JG_NONE;
    uint32_t row = __atomic_load_n(last_of(mem, trace), __ATOMIC_ACQUIRE);
    while (row != JG_NONE && row >= count)
        row = jg_mt_row(mem, row)->previous;
    return row;
}

static bool keep_events(jg_mt *mem, jg_row *row)
{
    size_t bytes = mem->layout.event_count * sizeof(jg_event_head);
    if (row->whole || !bytes)
        return true;
    void *to = jg_vmem_room(&mem->events, bytes);
    if (!to)
        return false;
    row->event0 = (uint32_t)(mem->events.used / sizeof(jg_event_head));
    memcpy(to, mem->layout.events, bytes);
    mem->events.used += bytes;
    return true;
}

static bool append_span(jg_mt *mem, const jaeger_span *span, uint32_t off, const origin_cache *cache)
{
    jg_layout *l = &mem->layout;
    jg_row *row = jg_vmem_room(&mem->rows, sizeof *row);
    if (!row || mem->pending >= JG_MEM_ROWS_MAX || !jg_layout_span(l, span->bytes, span->len))
        return false;
    if (mem->pending % JG_MEM_CHUNK == 0) {
        if (!jg_vmem_room(&mem->chunk_max, sizeof(uint64_t)))
            return false;
    }
    *row = (jg_row){.start = span->start_unix_ns, .end = span->end_unix_ns, .off = off, .len = span->len};
    memcpy(row->trace_id, span->trace_id, 16);
    memcpy(row->span_id, span->span_id, 8);
    memcpy(row->parent_id, span->parent_span_id, 8);
    row->whole = l->whole;
    row->parent = l->parent;
    row->kind = span->kind;
    row->status = span->status_code;
    row->attr_count = l->attr_count;
    row->event_count = (uint32_t)l->event_count;
    row->origin = cache->origin;
    row->op = put_op(mem, span, l->op, cache->service);
    row->tail = l->whole ? 0 : put_tail(mem, l);
    if (row->op == JG_NONE || row->tail == JG_NONE || !add_tokens(mem, row, span) || !keep_events(mem, row) ||
        !link_trace(mem, row))
        return false;
    note_times(mem, row);
    mem->rows.used += sizeof *row;
    if (mem->pending % JG_MEM_CHUNK == 0)
        mem->chunk_max.used += sizeof(uint64_t);
    mem->pending++;
    return true;
}

bool jg_mt_append(jg_mt *mem, const jaeger_batch *batch, const uint32_t *offsets, uint64_t arrival_unix_ns)
{
    const jaeger_span *spans = jaeger_batch_spans(batch);
    origin_cache cache = {0};
    for (size_t i = 0, n = jaeger_batch_span_count(batch); i < n; i++)
        if (!find_origin(mem, &cache, spans[i].group) || !append_span(mem, &spans[i], offsets[i], &cache))
            return false;
    __atomic_store_n(&mem->arrival_min, JG_MIN(mem->arrival_min, arrival_unix_ns), __ATOMIC_RELAXED);
    __atomic_store_n(&mem->arrival_max, JG_MAX(mem->arrival_max, arrival_unix_ns), __ATOMIC_RELAXED);
    return true;
}

void jg_mt_rollback(jg_mt *mem)
{
    uint32_t count = mem->published;
    const jg_row *last = count ? jg_mt_row(mem, count - 1) : NULL;
    while (mem->pending > count) {
        const jg_row *row = jg_mt_row(mem, --mem->pending);
        __atomic_store_n(last_of(mem, row->trace), row->previous, __ATOMIC_RELEASE);
    }
    mem->rows.used = (size_t)count * sizeof(jg_row);
    mem->chunk_max.used = (count + JG_MEM_CHUNK - 1) / JG_MEM_CHUNK * sizeof(uint64_t);
    mem->tokens.used = last ? ((size_t)last->token0 + last->token_count) * sizeof(uint32_t) : 0;
}

void jg_mt_publish(jg_mt *mem)
{
    __atomic_store_n(&mem->published, mem->pending, __ATOMIC_RELEASE);
}

bool jg_mt_span(const jg_mt *mem, const jg_row *row, jaeger_span *ret)
{
    const char *why;
    if (!jg_span_index(mem->wal->map + row->off, row->len, ret, &why))
        return false;
    ret->group = &jg_mt_origin(mem, row->origin)->group;
    return true;
}
