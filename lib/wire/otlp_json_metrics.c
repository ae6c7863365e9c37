/* SPDX-License-Identifier: Apache-2.0
 * Metrics as OTLP-JSON: wire bytes to text by the tables that the reader uses, so that both know the same
 * keys. Zero values are left out but in oneofs, ids are in hex, 64-bit numbers are strings.
 */
#include "core/limits.h"
#include "core/pb.h"
#include "model/batch.h"
#include "wire/otlp_json.h"
#include "wire/otlp_json_tables.h"

static void write_members(jg_json_out *json, const jg_json_message *table, jaeger_str body, unsigned depth);

static unsigned wire_of(jg_json_kind kind)
{
    switch (kind) {
    case JG_JSON_IS_KIND:
    case JG_JSON_IS_STATUS:
    case JG_JSON_IS_UINT32:
    case JG_JSON_IS_BOOL:
    case JG_JSON_IS_INT64:
    case JG_JSON_IS_SINT32:
    case JG_JSON_IS_TEMPORALITY:
        return JG_PB_VARINT;
    case JG_JSON_IS_FIXED32:
        return JG_PB_FIXED32;
    case JG_JSON_IS_FIXED64:
    case JG_JSON_IS_DOUBLE:
    case JG_JSON_IS_SFIXED64:
        return JG_PB_FIXED64;
    default:
        return JG_PB_LEN;
    }
}

static double as_double(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, 8);
    return value;
}

/** Packed numbers, as an array. */
static void write_packed(jg_json_out *json, jg_json_kind kind, jaeger_str packed)
{
    jg_pb pb = jg_pb_of_str(packed);
    uint64_t number;
    jg_json_array(json);
    if (kind == JG_JSON_IS_UINT64S) {
        while (pb.pos < pb.end && jg_pb_varint(&pb, &number))
            jg_json_u64_str(json, number);
    } else {
        for (; packed.len >= 8; packed = (jaeger_str){packed.ptr + 8, packed.len - 8}) {
            memcpy(&number, packed.ptr, 8);
            if (kind == JG_JSON_IS_DOUBLES)
                jg_json_double(json, as_double(number), 2);
            else
                jg_json_u64_str(json, number);
        }
    }
    jg_json_end(json);
}

static void write_number(jg_json_out *json, jg_json_kind kind, uint64_t number)
{
    switch (kind) {
    case JG_JSON_IS_BOOL:
        jg_json_bool(json, number != 0);
        break;
    case JG_JSON_IS_INT64:
    case JG_JSON_IS_SFIXED64:
        jg_json_i64_str(json, (int64_t)number);
        break;
    case JG_JSON_IS_FIXED64:
        jg_json_u64_str(json, number);
        break;
    case JG_JSON_IS_DOUBLE:
        jg_json_double(json, as_double(number), 2);
        break;
    case JG_JSON_IS_SINT32:
        jg_json_i64(json, (int32_t)((uint32_t)number >> 1 ^ -((uint32_t)number & 1)));
        break;
    default:
        jg_json_u64(json, (uint32_t)number);
    }
}

static void write_one(jg_json_out *json, const jg_json_field *field, const jg_pb_field *f, unsigned depth)
{
    switch ((jg_json_kind)field->kind) {
    case JG_JSON_IS_MESSAGE:
    case JG_JSON_IS_MESSAGES:
        jg_json_object(json);
        write_members(json, field->sub, jg_pb_str(f), depth + 1);
        jg_json_end(json);
        break;
    case JG_JSON_IS_STRING:
    case JG_JSON_IS_STRINGS:
        jg_json_str(json, jg_pb_str(f));
        break;
    case JG_JSON_IS_ID16:
    case JG_JSON_IS_ID8:
        jg_json_hex(json, f->ptr, f->len);
        break;
    case JG_JSON_IS_BYTES:
        jg_json_base64(json, jg_pb_str(f));
        break;
    case JG_JSON_IS_FIXED64S:
    case JG_JSON_IS_UINT64S:
    case JG_JSON_IS_DOUBLES:
        write_packed(json, (jg_json_kind)field->kind, jg_pb_str(f));
        break;
    default:
        write_number(json, (jg_json_kind)field->kind, f->varint);
    }
}

static bool is_zero(const jg_json_field *field, const jg_pb_field *f)
{
    return field->kind != JG_JSON_IS_MESSAGE && (f->wire == JG_PB_LEN ? f->len == 0 : f->varint == 0);
}

static void write_field(jg_json_out *json, const jg_json_message *table, const jg_json_field *field,
                        jaeger_str body, unsigned depth)
{
    bool repeated = field->kind == JG_JSON_IS_MESSAGES || field->kind == JG_JSON_IS_STRINGS, any = false;
    jg_pb pb = jg_pb_of_str(body);
    jg_pb_field last = {0};
    for (jg_pb_field f; jg_pb_next(&pb, &f);) {
        if (f.number != field->number || f.wire != wire_of((jg_json_kind)field->kind))
            continue;
        if (repeated && !any) {
            jg_json_key(json, (jaeger_str){field->name, field->len});
            jg_json_array(json);
        }
        if (repeated)
            write_one(json, field, &f, depth);
        any = true;
        last = f; /* of what is not repeated the last one counts */
    }
    if (!any)
        return;
    if (repeated) {
        jg_json_end(json);
    } else if (table->keeps_zero || !is_zero(field, &last)) {
        jg_json_key(json, (jaeger_str){field->name, field->len});
        write_one(json, field, &last, depth);
    }
}

/** Values that are nested more than 40 deep become {}. */
static void write_members(jg_json_out *json, const jg_json_message *table, jaeger_str body, unsigned depth)
{
    for (size_t i = 0; i < table->count && depth < 2 * JG_PB_DEPTH_MAX; i++)
        write_field(json, table, &table->fields[i], body, depth);
}

void jg_otlp_json_write_metrics(jg_json_out *json, const jaeger_batch *batch)
{
    const jg_json_field *all = &jg_otlp_json_metrics.fields[0];
    jaeger_str part;
    bool any = false;
    jg_json_object(json);
    for (size_t i = 0; jg_batch_payload(batch, i, &part); i++) {
        jg_pb pb = jg_pb_of_str(part);
        for (jg_pb_field f; jg_pb_next(&pb, &f);) {
            if (f.number != all->number || f.wire != JG_PB_LEN)
                continue;
            if (!any) {
                jg_json_key(json, (jaeger_str){all->name, all->len});
                jg_json_array(json);
                any = true;
            }
            write_one(json, all, &f, 0);
        }
    }
    if (any)
        jg_json_end(json);
    jg_json_end(json);
}
