/* SPDX-License-Identifier: Apache-2.0
 * The facts of a trace: bounds, and bits that say "no" for sure or "perhaps". Attributes set one bit of 512
 * by key and typed value; a wanted text sets one for each type of value that may print so.
 */
#include "storage/memory/store.h"

#include "core/arena.h"
#include "core/err.h"
#include "core/hash.h"
#include "core/pb.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/otlp_fields.h"
#include <math.h>

enum { TAG_INT = 1, TAG_DOUBLE, TAG_NAN, TAG_BYTES, TAG_JSON };
#define OPERATION_SEED 0x6f706572ull
#define KIND_BIT(kind) (1ull << JG_MIN((kind), 6u))
#define STATUS_BIT(s)  (256ull << JG_MIN((s), 3u))

static uint64_t mix(uint64_t hash, uint64_t more)
{
    hash = (hash ^ more) * 0x9e3779b97f4a7c15ull;
    return hash ^ hash >> 29;
}

static uint16_t bit_of(uint64_t hash)
{
    return (uint16_t)(hash * 0x9e3779b97f4a7c15ull >> 55);
}

static void bloom_set(uint64_t *bloom, uint64_t hash)
{
    uint16_t bit = bit_of(hash);
    bloom[bit / 64] |= 1ull << bit % 64;
}

static uint64_t hash_text(uint64_t key, jaeger_str text)
{
    return jg_hash(text.ptr, text.len, key);
}

static uint64_t hash_attr(const jaeger_attr *attr)
{
    uint64_t key = jg_hash_str(attr->key), bits;
    switch (attr->value.type) {
    case JAEGER_VALUE_EMPTY:
        return hash_text(key, JAEGER_STR(""));
    case JAEGER_VALUE_STRING:
        return hash_text(key, attr->value.u.s);
    case JAEGER_VALUE_BOOL:
        return hash_text(key, attr->value.u.b ? JAEGER_STR("true") : JAEGER_STR("false"));
    case JAEGER_VALUE_INT:
        return mix(key + TAG_INT, (uint64_t)attr->value.u.i);
    case JAEGER_VALUE_DOUBLE:
        memcpy(&bits, &attr->value.u.d, 8);
        return isnan(attr->value.u.d) ? key + TAG_NAN : mix(key + TAG_DOUBLE, bits);
    case JAEGER_VALUE_BYTES:
        return hash_text(key + TAG_BYTES, attr->value.u.s);
    case JAEGER_VALUE_ARRAY:
    case JAEGER_VALUE_MAP:
        break;
    }
    return key + TAG_JSON;
}

/** An attribute of a span: `f` is its field. */
static void add_attr(uint64_t *bloom, const jg_pb_field *f)
{
    jaeger_str key, value;
    if (JG_LIKELY(jg_attr_read_plain(f->ptr, f->len, &key, &value))) {
        bloom_set(bloom, hash_text(jg_hash_str(key), value));
    } else {
        jaeger_attr attr = jg_attr_read(jg_pb_str(f));
        bloom_set(bloom, hash_attr(&attr));
    }
}

static void add_attrs(uint64_t *bloom, jaeger_iter iter)
{
    jaeger_attr attr;
    while (jaeger_next_attr(&iter, &attr))
        bloom_set(bloom, hash_attr(&attr));
}

static uint64_t service_bit(jaeger_str service)
{
    return 1ull << (jg_hash_str(service) >> 58);
}

void jg_mem_facts_of_group(const jaeger_span_group *group, jg_mem_facts *ret)
{
    *ret = (jg_mem_facts){.start_min = UINT64_MAX};
    if (group->service.len)
        ret->services = service_bit(group->service);
    add_attrs(ret->bloom, jaeger_resource_attrs(group));
    add_attrs(ret->bloom, jaeger_scope_attrs(group));
}

void jg_mem_facts_add_span(jg_mem_facts *facts, const jaeger_span *span)
{
    uint64_t start = span->start_unix_ns, end = span->end_unix_ns;
    facts->start_min = JG_MIN(facts->start_min, start);
    facts->start_max = JG_MAX(facts->start_max, start);
    facts->end_max = JG_MAX(facts->end_max, end);
    if (end > start)
        facts->duration_max = JG_MAX(facts->duration_max, end - start);
    facts->traits |= KIND_BIT(span->kind) | STATUS_BIT(span->status_code);
    bloom_set(facts->bloom, jg_hash(span->name.ptr, span->name.len, OPERATION_SEED));
    jg_pb pb = jg_pb_of(span->bytes, span->len);
    jg_pb_field f;
    while (jg_pb_next(&pb, &f)) { /* one pass over the fields instead of one for each kind of list */
        jaeger_iter one = {f.start, pb.pos, f.number};
        jaeger_event event;
        jaeger_link link;
        if (f.number == JG_OTLP_SPAN_ATTRIBUTES)
            add_attr(facts->bloom, &f);
        else if (f.number == JG_OTLP_SPAN_EVENTS && jaeger_next_event(&one, &event))
            add_attrs(facts->bloom, jaeger_event_attrs(&event));
        else if (f.number == JG_OTLP_SPAN_LINKS && jaeger_next_link(&one, &link))
            add_attrs(facts->bloom, jaeger_link_attrs(&link));
    }
}

void jg_mem_facts_merge(jg_mem_facts *into, const jg_mem_facts *from)
{
    into->start_min = JG_MIN(into->start_min, from->start_min);
    into->start_max = JG_MAX(into->start_max, from->start_max);
    into->end_max = JG_MAX(into->end_max, from->end_max);
    into->duration_max = JG_MAX(into->duration_max, from->duration_max);
    into->services |= from->services;
    into->traits |= from->traits;
    for (size_t i = 0; i < JG_MEM_BLOOM_WORDS; i++)
        into->bloom[i] |= from->bloom[i];
}

/* ---- filter
 * ---------------------------------------------------------------------------------------------------- */

static void want_attr(struct jg_mem_any *any, const jg_match_attr *attr)
{
    const jg_match_text *want = &attr->want;
    uint64_t key = jg_hash_str(attr->key);
    any->bits[any->count++] = bit_of(hash_text(key, want->text));
    if (want->is_int)
        any->bits[any->count++] = bit_of(mix(key + TAG_INT, (uint64_t)want->i));
    if (want->is_double)
        any->bits[any->count++] = bit_of(mix(key + TAG_DOUBLE, want->double_bits));
    if (want->is_nan)
        any->bits[any->count++] = bit_of(key + TAG_NAN);
    if (want->is_bytes)
        any->bits[any->count++] = bit_of(hash_text(key + TAG_BYTES, want->bytes));
    if (want->is_json)
        any->bits[any->count++] = bit_of(key + TAG_JSON);
}

jaeger_status jg_mem_filter_make(jg_mem_filter *ret, const jg_match *match, jaeger_arena *arena,
                                 jaeger_error *err)
{
    *ret = (jg_mem_filter){.match = match};
    ret->any = jg_arena_zalloc(arena, (match->attr_count + 1) * sizeof *ret->any);
    if (!ret->any)
        return jg_fail_oom(err);
    if (match->service.len)
        ret->services = service_bit(match->service);
    if (match->operation.len)
        ret->any[ret->any_count++] = (struct jg_mem_any){
            {bit_of(jg_hash(match->operation.ptr, match->operation.len, OPERATION_SEED))}, 1};
    for (size_t i = 0; i < match->attr_count; i++) {
        const jg_match_attr *attr = &match->attrs[i];
        if (attr->where == JG_MATCH_ANYWHERE || attr->where == JG_MATCH_RESOURCE)
            want_attr(&ret->any[ret->any_count++], attr);
        else if (attr->where == JG_MATCH_KIND)
            ret->traits |= KIND_BIT(attr->number);
        else if (attr->where == JG_MATCH_STATUS)
            ret->traits |= STATUS_BIT(attr->number);
        else if (attr->where == JG_MATCH_ERROR && attr->number == 1)
            ret->traits |= STATUS_BIT((uint32_t)JAEGER_STATUS_ERROR);
    }
    return JAEGER_OK;
}

bool jg_mem_filter_may_match(const jg_mem_filter *filter, const jg_mem_facts *facts)
{
    const jg_match *m = filter->match;
    if (facts->start_min > m->start_max_unix_ns || facts->start_max < m->start_min_unix_ns ||
        facts->duration_max < m->duration_min_ns || (filter->services & ~facts->services) ||
        (filter->traits & ~facts->traits))
        return false;
    for (size_t i = 0; i < filter->any_count; i++) {
        const struct jg_mem_any *any = &filter->any[i];
        bool some = false;
        for (uint16_t k = 0; k < any->count; k++)
            some |= facts->bloom[any->bits[k] / 64] >> any->bits[k] % 64 & 1;
        if (!some)
            return false;
    }
    return true;
}
