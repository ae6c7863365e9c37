/* SPDX-License-Identifier: Apache-2.0
 * See memtable_search.h. What can be decided once, by operation, origin or token, is decided before the rows
 * are looked at.
 */
#include "storage/embedded/memtable_search.h"

#include "core/alloc.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/str.h"
#include "model/expr.h"
#include "storage/embedded/attr_key.h"
#include "storage/embedded/segment_reader.h"

/** One attribute condition: rows with one of these tokens, or of one of these origins. */
typedef struct wanted {
    uint32_t tokens[JG_TERMS_MAX];
    uint32_t token_count;
    uint8_t *origins; /* by origin; NULL: none */
} wanted;

typedef struct mem_search {
    const jg_mt *mem;
    const jg_match *match;
    uint8_t *ops; /* by operation: service, name and kind fit; NULL: any */
    wanted *attrs;
    size_t attr_count;
    uint32_t origin_count;
} mem_search;

static uint32_t count_of(const jg_vmem *infos, size_t bytes)
{
    return (uint32_t)(__atomic_load_n(&infos->used, __ATOMIC_ACQUIRE) / bytes);
}

static bool op_fits(const jg_mt *mem, const jg_op *op, const jg_match *match)
{
    if (match->operation.len && !jg_str_eq(match->operation, op->name))
        return false;
    for (size_t i = 0; i < match->attr_count; i++)
        if (match->attrs[i].where == JG_MATCH_KIND && match->attrs[i].number != op->kind)
            return false;
    jaeger_span_group group = {.service = jg_mt_str(mem, jg_intern_at(&mem->services, op->service))};
    jaeger_span span = {.name = op->name, .kind = op->kind, .group = &group};
    return (!match->service.len || jg_str_eq(match->service, group.service)) &&
           (!match->filter || jg_filter_may_match(match->filter, &span, JG_KNOWN_OPERATION));
}

static bool prepare_ops(mem_search *s, jaeger_arena *arena)
{
    uint32_t count = count_of(&s->mem->op_infos, sizeof(jg_op));
    s->ops = jg_arena_zalloc(arena, count + 1);
    for (uint32_t i = 0; s->ops && i < count; i++)
        s->ops[i] = op_fits(s->mem, jg_mt_op(s->mem, i), s->match);
    return s->ops != NULL;
}

static bool prepare_origins(mem_search *s, wanted *w, const jg_match_attr *attr, jaeger_arena *arena)
{
    w->origins = jg_arena_zalloc(arena, s->origin_count + 1);
    for (uint32_t i = 0; w->origins && i < s->origin_count; i++)
        w->origins[i] = jg_origin_matches(attr, &jg_mt_origin(s->mem, i)->group);
    return w->origins != NULL;
}

static void want_token(mem_search *s, wanted *w, jg_hash128 hash)
{
    uint32_t token = jg_intern_find(&s->mem->attrs, hash);
    if (token != JG_NONE)
        w->tokens[w->token_count++] = token;
}

/** @return 0: nothing to prepare; 1: done; -1: out of memory */
static int prepare_attr(mem_search *s, wanted *w, const jg_match_attr *attr, jaeger_arena *arena)
{
    jg_hash128 terms[JG_TERMS_MAX];
    *w = (wanted){0};
    if (attr->where == JG_MATCH_STATUS || attr->where == JG_MATCH_ERROR || attr->where == JG_MATCH_KIND)
        return 0; /* the row tells */
    if (attr->where == JG_MATCH_ANYWHERE) {
        int n = jg_attr_terms(attr, s->mem->seed + JG_SEED_ATTR, terms);
        if (n < 0)
            return -1;
        for (int i = 0; i < n; i++)
            want_token(s, w, terms[i]);
    }
    return prepare_origins(s, w, attr, arena) ? 1 : -1;
}

static bool prepare(mem_search *s, jaeger_arena *arena)
{
    s->origin_count = count_of(&s->mem->origin_infos, sizeof(jg_origin));
    s->attrs = jaeger_arena_alloc(arena, (s->match->attr_count + 1) * sizeof *s->attrs);
    if (!s->attrs || !prepare_ops(s, arena))
        return false;
    for (size_t i = 0; i < s->match->attr_count; i++) {
        int done = prepare_attr(s, &s->attrs[s->attr_count], &s->match->attrs[i], arena);
        if (done < 0)
            return false;
        s->attr_count += (size_t)done;
    }
    return true;
}

static bool has_wanted(const mem_search *s, const jg_row *row, const wanted *w)
{
    if (w->origins[row->origin])
        return true;
    const uint32_t *tokens = jg_mt_tokens(s->mem, row);
    for (uint32_t i = 0; w->token_count && i < row->token_count; i++)
        for (uint32_t k = 0; k < w->token_count; k++)
            if (tokens[i] == w->tokens[k])
                return true;
    return false;
}

static bool status_fits(const jg_match *match, const jg_row *row)
{
    for (size_t i = 0; i < match->attr_count; i++) {
        const jg_match_attr *attr = &match->attrs[i];
        if (attr->where == JG_MATCH_ERROR && attr->number == 1 && row->status != JAEGER_STATUS_ERROR)
            return false;
    }
    return true;
}

static bool row_may_match(const mem_search *s, const jg_row *row)
{
    if (!s->ops[row->op] || !jg_match_times(s->match, row->start, row->end) || !status_fits(s->match, row))
        return false;
    for (size_t i = 0; i < s->attr_count; i++)
        if (!has_wanted(s, row, &s->attrs[i]))
            return false;
    return true;
}

static bool row_matches(const mem_search *s, const jg_row *row)
{
    jaeger_span span;
    return row_may_match(s, row) && jg_mt_span(s->mem, row, &span) && jg_match_span(s->match, &span);
}

/** Can any row match? A tag that nobody has is the usual way out. */
static bool is_possible(const mem_search *s)
{
    for (size_t i = 0; i < s->attr_count; i++) {
        const wanted *w = &s->attrs[i];
        if (!w->token_count && !memchr(w->origins, 1, s->origin_count))
            return false;
    }
    return true;
}

jaeger_status jg_mt_search(const jg_mt *mem, const jg_match *match, jg_hits *hits, jaeger_call *call)
{
    mem_search s = {.mem = mem, .match = match};
    uint32_t row_count = jg_mt_count(mem);
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
    if (!arena || !prepare(&s, arena))
        return jg_fail_oom(&call->error);
    if (row_count == 0 || !is_possible(&s))
        return JAEGER_OK;
    const uint64_t *chunk_max = (const uint64_t *)mem->chunk_max.base;
    for (uint32_t chunk = (row_count - 1) / JG_MEM_CHUNK + 1; chunk-- > 0;) {
        uint64_t newest = __atomic_load_n(&chunk_max[chunk], __ATOMIC_RELAXED);
        if (!jg_hits_wants(hits, newest) || newest < match->start_min_unix_ns)
            continue;
        JG_TRY(jaeger_call_check(call));
        uint32_t end = JG_MIN(row_count, (chunk + 1) * JG_MEM_CHUNK);
        for (uint32_t i = end; i-- > chunk * JG_MEM_CHUNK;) {
            const jg_row *row = jg_mt_row(mem, i);
            if (jg_hits_wants(hits, row->start) && row_matches(&s, row) &&
                !jg_hits_add(hits, row->trace_id, row->start))
                return jg_fail_oom(&call->error);
        }
    }
    return JAEGER_OK;
}

jaeger_status jg_mt_candidates(const jg_mt *mem, const jg_match *match, uint32_t count, uint8_t *ret,
                               jaeger_call *call)
{
    mem_search s = {.mem = mem, .match = match};
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
    if (!arena || !prepare(&s, arena))
        return jg_fail_oom(&call->error);
    for (uint32_t i = 0; i < count && is_possible(&s); i++) {
        const jg_row *row = jg_mt_row(mem, i);
        if (!ret[row->trace])
            ret[row->trace] = row_may_match(&s, row);
    }
    return JAEGER_OK;
}

jaeger_status jg_mt_trace_rows(const jg_mt *mem, const uint8_t trace_id[16], uint32_t **ret,
                               uint32_t *ret_count, jaeger_error *err)
{
    uint32_t count = jg_mt_count(mem), last = jg_mt_last_of_trace(mem, trace_id, count), n = 0;
    *ret = NULL;
    *ret_count = 0;
    for (uint32_t row = last; row != JG_NONE; row = jg_mt_row(mem, row)->previous)
        n++;
    if (n == 0)
        return JAEGER_OK;
    uint32_t *rows = jg_alloc(n * sizeof *rows);
    if (!rows)
        return jg_fail_oom(err);
    *ret = rows;
    *ret_count = n;
    for (uint32_t row = last; row != JG_NONE; row = jg_mt_row(mem, row)->previous)
        rows[--n] = row;
    return JAEGER_OK;
}

jaeger_status jg_mt_write_trace(const jg_mt *mem, const uint8_t trace_id[16], jg_chunk *out)
{
    uint32_t count;
    JG_AUTO_FREE uint32_t *rows = NULL;
    JG_TRY(jg_mt_trace_rows(mem, trace_id, &rows, &count, &out->call->error));
    for (uint32_t i = 0; i < count && (!out->span_limit || out->span_count < out->span_limit); i++) {
        const jg_row *row = jg_mt_row(mem, rows[i]);
        size_t mark;
        jg_buf *buf = jg_chunk_begin_span(out, &jg_mt_origin(mem, row->origin)->group, &mark);
        jg_buf_append(buf, mem->wal->map + row->off, row->len);
        JG_TRY(jg_chunk_end_span(out, mark));
    }
    return JAEGER_OK;
}
