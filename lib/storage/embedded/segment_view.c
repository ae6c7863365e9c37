/* SPDX-License-Identifier: Apache-2.0
 * A segment file as sections: checks, string tables, look-up of a trace. See segment_reader.h.
 */
#include "storage/embedded/segment_reader.h"

#include "core/hash.h"
#include "core/pb.h"
#include "model/otlp_fields.h"
#include "storage/embedded/memtable.h"

/** Sizes of the items of a section; 0: bytes. */
static const uint8_t item_bytes[JG_SEC_END] = {[JG_SEC_TRACES] = sizeof(jg_seg_trace),
                                               [JG_SEC_TRACE_HASHES] = 4,
                                               [JG_SEC_TRACE_ORDINALS] = 4,
                                               [JG_SEC_BLOCKS] = sizeof(jg_seg_block),
                                               [JG_SEC_SPAN_IDS] = 8,
                                               [JG_SEC_DURATIONS] = 2,
                                               [JG_SEC_TERM_BUCKETS] = 4,
                                               [JG_SEC_TERM_PRINTS] = 2,
                                               [JG_SEC_TERM_REFS] = 4,
                                               [JG_SEC_OP_REFS] = 4,
                                               [JG_SEC_ORIGIN_REFS] = 4,
                                               [JG_SEC_ORIGINS] = 12,
                                               [JG_SEC_CALLS] = sizeof(jg_seg_call),
                                               [JG_SEC_PENDING] = sizeof(jg_seg_pending),
                                               [JG_SEC_LATEST] = 8,
                                               [JG_SEC_KEY_VALUES] = 4,
                                               [JG_SEC_KEY_ROWS] = 4};

static bool has_items(const jg_seg_view *view, jg_section_id id, uint64_t count)
{
    return view->sections[id].len == count * item_bytes[id];
}

static const char *check_sizes(const jg_seg_view *view)
{
    const jg_seg_header *h = &view->header;
    size_t origins = view->sections[JG_SEC_ROW_ORIGINS].len;
    for (uint32_t id = 1; id < JG_SEC_END; id++)
        if (item_bytes[id] && view->sections[id].len % item_bytes[id])
            return "a section has a wrong length";
    if (!has_items(view, JG_SEC_TRACES, h->trace_count) ||
        !has_items(view, JG_SEC_TRACE_HASHES, h->trace_count) ||
        !has_items(view, JG_SEC_TRACE_ORDINALS, h->trace_count) ||
        !has_items(view, JG_SEC_LATEST, (h->trace_count + JG_TRACES_PER_MAX - 1ull) / JG_TRACES_PER_MAX) ||
        !has_items(view, JG_SEC_SPAN_IDS, h->span_count) ||
        !has_items(view, JG_SEC_DURATIONS, h->span_count) ||
        (origins != (uint64_t)h->span_count * 2 && origins != (uint64_t)h->span_count * 4))
        return "a section has another length than the header says";
    if (view->sections[JG_SEC_TERM_PRINTS].len / 2 != view->sections[JG_SEC_TERM_REFS].len / 4)
        return "the term index is inconsistent";
    return NULL;
}

const char *jg_seg_view_open(jg_seg_view *view, const uint8_t *bytes, size_t len)
{
    *view = (jg_seg_view){0};
    jg_seg_header *h = &view->header;
    if (len < sizeof *h)
        return "too short for a segment";
    memcpy(h, bytes, sizeof *h);
    if (h->magic != JG_SEG_MAGIC)
        return "not a segment file";
    if (h->header_hash != jg_hash(h, offsetof(jg_seg_header, header_hash), 0))
        return "the header is damaged";
    if (h->version != JG_SEG_VERSION || h->incompatible)
        return "written by a newer version";
    if (h->file_bytes != len)
        return "the file is cut off or longer than written";
    if (h->section_count > JG_SEG_SECTIONS_MAX || h->span_count > INT32_MAX ||
        (len - sizeof *h) / sizeof(jg_seg_section) < h->section_count)
        return "the section table is damaged";
    const uint8_t *table = bytes + sizeof *h;
    if (h->table_hash != jg_hash(table, h->section_count * sizeof(jg_seg_section), 0))
        return "the section table is damaged";
    for (uint32_t i = 0; i < h->section_count; i++) {
        jg_seg_section s;
        memcpy(&s, table + i * sizeof s, sizeof s);
        if (s.off > len || s.len > len - s.off || s.off % 8)
            return "a section lies outside the file";
        if (s.id == 0 || s.id >= JG_SEC_END)
            continue; /* of a later version, not needed */
        view->sections[s.id] = (jg_bytes){bytes + s.off, (size_t)s.len};
        view->hashes[s.id] = s.hash;
    }
    return check_sizes(view);
}

bool jg_seg_view_check(jg_seg_view *view, uint32_t sections, uint32_t *ret_bad)
{
    uint32_t left = sections & ~__atomic_load_n(&view->checked, __ATOMIC_RELAXED) & ~JG_SEC(DATA);
    for (uint32_t id = 1; left >> id; id++) {
        if (!(left >> id & 1))
            continue;
        const jg_bytes *s = &view->sections[id];
        if (!s->ptr && JG_SEC_OPTIONAL >> id & 1)
            continue;
        if (!s->ptr || jg_hash(s->ptr, s->len, 0) != view->hashes[id]) {
            if (ret_bad)
                *ret_bad = id;
            return false;
        }
        __atomic_or_fetch(&view->checked, 1u << id, __ATOMIC_RELAXED);
    }
    return true;
}

static uint32_t read_u32(const uint8_t *p)
{
    uint32_t x;
    memcpy(&x, p, 4);
    return x;
}

uint32_t jg_seg_string_count(const jg_seg_view *view, jg_section_id table)
{
    const jg_bytes *s = &view->sections[table];
    if (s->len < 8)
        return 0;
    uint32_t count = read_u32(s->ptr);
    return count <= s->len / 4 - 2 ? count : 0;
}

bool jg_seg_string(const jg_seg_view *view, jg_section_id table, uint32_t number, jaeger_str *ret)
{
    const jg_bytes *s = &view->sections[table];
    uint32_t count = jg_seg_string_count(view, table);
    if (number >= count)
        return false;
    size_t bytes_at = 4 + ((size_t)count + 1) * 4, room = s->len - bytes_at;
    uint32_t from = read_u32(s->ptr + 4 + (size_t)number * 4), to = read_u32(s->ptr + 8 + (size_t)number * 4);
    if (from > to || to > room)
        return false;
    *ret = (jaeger_str){(const char *)s->ptr + bytes_at + from, to - from};
    return true;
}

uint32_t jg_seg_op_service(const jg_seg_view *view, uint32_t number)
{
    jaeger_str item;
    uint64_t service;
    if (!jg_seg_string(view, JG_SEC_OPS, number, &item))
        return UINT32_MAX;
    jg_pb pb = jg_pb_of_str(item);
    return jg_pb_varint(&pb, &service) ? (uint32_t)service : UINT32_MAX;
}

bool jg_seg_op(const jg_seg_view *view, uint32_t number, uint32_t *ret_service, jaeger_str *ret_name,
               uint32_t *ret_kind, jaeger_str *ret_raw)
{
    jaeger_str item;
    uint64_t service;
    if (!jg_seg_string(view, JG_SEC_OPS, number, &item))
        return false;
    jg_pb pb = jg_pb_of_str(item);
    jg_pb_field f;
    if (!jg_pb_varint(&pb, &service))
        return false;
    *ret_service = (uint32_t)service;
    *ret_raw = (jaeger_str){(const char *)pb.pos, (size_t)(pb.end - pb.pos)};
    *ret_name = (jaeger_str){"", 0};
    *ret_kind = 0;
    while (jg_pb_next(&pb, &f)) {
        if (f.number == JG_OTLP_SPAN_NAME && f.wire == JG_PB_LEN)
            *ret_name = jg_pb_str(&f);
        else if (f.number == JG_OTLP_SPAN_KIND && f.wire == JG_PB_VARINT)
            *ret_kind = (uint8_t)f.varint;
    }
    return !pb.bad;
}

uint32_t jg_seg_origin_count(const jg_seg_view *view)
{
    return (uint32_t)(view->sections[JG_SEC_ORIGINS].len / 12);
}

bool jg_seg_origin_parts(const jg_seg_view *view, uint32_t origin, uint32_t ret[3])
{
    if (origin >= jg_seg_origin_count(view))
        return false;
    memcpy(ret, view->sections[JG_SEC_ORIGINS].ptr + (size_t)origin * 12, 12);
    return true;
}

bool jg_seg_origin(const jg_seg_view *view, uint32_t origin, jaeger_span_group *ret)
{
    uint32_t parts[3];
    jaeger_str resource, scope, service;
    if (!jg_seg_origin_parts(view, origin, parts) ||
        !jg_seg_string(view, JG_SEC_RESOURCES, parts[0], &resource) ||
        !jg_seg_string(view, JG_SEC_SCOPES, parts[1], &scope) ||
        !jg_seg_string(view, JG_SEC_SERVICES, parts[2], &service))
        return false;
    *ret = (jaeger_span_group){.service = service, .resource_index = parts[0]};
    return jg_entity_read(resource, &ret->resource_schema_url, &ret->resource) &&
           jg_entity_read(scope, &ret->scope_schema_url, &ret->scope);
}

bool jg_seg_row_origin(const jg_seg_view *view, uint32_t row, uint32_t *ret)
{
    const jg_bytes *s = &view->sections[JG_SEC_ROW_ORIGINS];
    if (row >= view->header.span_count)
        return false;
    if (s->len == (uint64_t)view->header.span_count * 2) {
        uint16_t origin;
        memcpy(&origin, s->ptr + (size_t)row * 2, 2);
        *ret = origin;
    } else {
        *ret = read_u32(s->ptr + (size_t)row * 4);
    }
    return true;
}

bool jg_seg_find_trace(const jg_seg_view *view, const uint8_t trace_id[16], uint32_t *ret)
{
    uint32_t count = view->header.trace_count, hash = jg_trace_hash(trace_id), low = 0, high = count;
    const uint32_t *hashes = (const uint32_t *)view->sections[JG_SEC_TRACE_HASHES].ptr;
    const uint32_t *ordinals = (const uint32_t *)view->sections[JG_SEC_TRACE_ORDINALS].ptr;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (hashes[middle] < hash)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < count && hashes[low] == hash; low++) {
        uint32_t number = ordinals[low];
        if (number < count && memcmp(jg_seg_traces(view)[number].trace_id, trace_id, 16) == 0) {
            *ret = number;
            return true;
        }
    }
    return false;
}
