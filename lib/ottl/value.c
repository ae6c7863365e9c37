/* SPDX-License-Identifier: Apache-2.0
 * Values: from the wire, to text, to the wire; arguments of functions. Lists and maps are wire bytes, also
 * those that functions make, so that there is one form to read.
 */
#include "core/arena.h"
#include "core/pb.h"
#include "model/otlp_fields.h"
#include "model/value_text.h"
#include "ottl/node.h"
#include <math.h>
#include <stdio.h>
#include <time.h>

const char *jg_ottl_type_name(jg_ottl_type type)
{
    static const char *const names[] = {"nil", "string", "bool", "int",      "double", "list",
                                        "map", "bytes",  "time", "duration", "slice"};
    return names[type];
}

jg_ottl_value jg_ottl_of_str(jaeger_str s)
{
    return (jg_ottl_value){JG_OTTL_STRING, {.s = s}};
}

jg_ottl_value jg_ottl_of_int(int64_t i)
{
    return (jg_ottl_value){JG_OTTL_INT, {.i = i}};
}

jg_ottl_value jg_ottl_of_double(double d)
{
    return (jg_ottl_value){JG_OTTL_DOUBLE, {.d = d}};
}

jg_ottl_value jg_ottl_of_bool(bool b)
{
    return (jg_ottl_value){JG_OTTL_BOOL, {.b = b}};
}

jg_ottl_value jg_ottl_of(const jaeger_value *value)
{
    jg_ottl_value ret = {.type = (jg_ottl_type)value->type};
    switch (value->type) {
    case JAEGER_VALUE_EMPTY:
        break;
    case JAEGER_VALUE_BOOL:
        ret.u.b = value->u.b;
        break;
    case JAEGER_VALUE_INT:
        ret.u.i = value->u.i;
        break;
    case JAEGER_VALUE_DOUBLE:
        ret.u.d = value->u.d;
        break;
    case JAEGER_VALUE_ARRAY:
        ret.u.it = jaeger_array_values(*value);
        break;
    case JAEGER_VALUE_MAP:
        ret.u.it = jaeger_map_attrs(*value);
        break;
    default:
        ret.u.s = value->u.s.ptr ? value->u.s : JAEGER_STR("");
    }
    return ret;
}

bool jg_ottl_next(jaeger_iter *it, jg_ottl_value *ret)
{
    jaeger_value value;
    if (!jaeger_next_value(it, &value))
        return false;
    *ret = jg_ottl_of(&value);
    return true;
}

/* ---- to the wire ---- */

/* The fields of a list or map, under the number that a value's list has. */
static void put_fields(jg_buf *out, const jg_ottl_value *value)
{
    jg_pb pb = {value->u.it.pos, value->u.it.end, false};
    for (jg_pb_field f; jg_pb_next(&pb, &f);)
        if (f.number == value->u.it.field && f.wire == JG_PB_LEN)
            jg_pb_write_bytes(out, JG_OTLP_LIST_VALUES, f.ptr, f.len);
}

static void put_any(jg_buf *out, const jg_ottl_value *value)
{
    size_t mark;
    switch (value->type) {
    case JG_OTTL_NIL:
        break;
    case JG_OTTL_STRING:
        jg_pb_write_str(out, JG_OTLP_ANY_STRING, value->u.s);
        break;
    case JG_OTTL_BYTES:
        jg_pb_write_str(out, JG_OTLP_ANY_BYTES, value->u.s);
        break;
    case JG_OTTL_BOOL:
        jg_pb_write_varint(out, JG_OTLP_ANY_BOOL, value->u.b);
        break;
    case JG_OTTL_DOUBLE:
        jg_pb_write_double(out, JG_OTLP_ANY_DOUBLE, value->u.d);
        break;
    case JG_OTTL_LIST:
    case JG_OTTL_MAP:
        mark = jg_pb_begin(out, value->type == JG_OTTL_LIST ? JG_OTLP_ANY_ARRAY : JG_OTLP_ANY_MAP, 3);
        put_fields(out, value);
        jg_pb_end(out, mark, 3);
        break;
    default:
        jg_pb_write_varint(out, JG_OTLP_ANY_INT, (uint64_t)value->u.i);
    }
}

void jg_ottl_put_item(jg_buf *out, const jg_ottl_value *item)
{
    size_t mark = jg_pb_begin(out, JG_OTLP_LIST_VALUES, 3);
    put_any(out, item);
    jg_pb_end(out, mark, 3);
}

void jg_ottl_put_entry(jg_buf *out, jaeger_str key, const jg_ottl_value *value)
{
    size_t mark = jg_pb_begin(out, JG_OTLP_LIST_VALUES, 3);
    jg_pb_write_str(out, JG_OTLP_KEY_VALUE_KEY, key);
    size_t inner = jg_pb_begin(out, JG_OTLP_KEY_VALUE_VALUE, 3);
    put_any(out, value);
    jg_pb_end(out, inner, 3);
    jg_pb_end(out, mark, 3);
}

bool jg_ottl_finish(jg_ottl_eval *e, jg_buf *out, jg_ottl_type type, jg_ottl_value *ret)
{
    jaeger_str copy = jg_buf_ok(out) ? jaeger_arena_str(e->arena, jg_buf_view(out)) : (jaeger_str){0};
    jg_buf_done(out);
    if (!copy.ptr)
        return jg_ottl_fail(e, "the result is too large");
    ret->type = type;
    if (type == JG_OTTL_LIST || type == JG_OTTL_MAP)
        ret->u.it = (jaeger_iter){(const uint8_t *)copy.ptr, (const uint8_t *)copy.ptr + copy.len,
                                  JG_OTLP_LIST_VALUES};
    else
        ret->u.s = copy;
    return true;
}

/* ---- to text ---- */

static void put_double(jg_buf *out, double d)
{
    char text[32];
    if (isnan(d) || isinf(d))
        jg_buf_str(out, jg_str(isnan(d) ? "NaN" : d > 0 ? "+Inf" : "-Inf"));
    else
        jg_buf_append(out, text, jg_double_to_text(d, 1, text));
}

static void put_time(jg_buf *out, int64_t ns)
{
    int64_t rest = ns % 1000000000, seconds = ns / 1000000000 - (rest < 0);
    time_t at = (time_t)seconds;
    struct tm tm;
    if (gmtime_r(&at, &tm))
        jg_buf_printf(out, "%04d-%02d-%02d %02d:%02d:%02d +0000 UTC", tm.tm_year + 1900, tm.tm_mon + 1,
                      tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void put_text(jg_buf *out, const jg_ottl_value *value)
{
    char duration[JG_DURATION_TEXT_MAX];
    JG_AUTO_BUF jg_buf wire = JG_BUF_INIT(JG_OTTL_VALUE_BYTES_MAX);
    switch (value->type) {
    case JG_OTTL_BOOL:
        jg_buf_str(out, jg_str(value->u.b ? "true" : "false"));
        break;
    case JG_OTTL_DOUBLE:
        put_double(out, value->u.d);
        break;
    case JG_OTTL_BYTES:
        for (size_t i = 0; i < value->u.s.len; i++)
            jg_buf_printf(out, "%02x", (uint8_t)value->u.s.ptr[i]);
        break;
    case JG_OTTL_TIME:
        put_time(out, value->u.i);
        break;
    case JG_OTTL_DURATION:
        jg_buf_append(out, duration, jg_duration_to_text(value->u.i, duration));
        break;
    case JG_OTTL_LIST:
    case JG_OTTL_MAP: {
        put_fields(&wire, value);
        jaeger_value whole = {.type = (jaeger_value_type)value->type, .u.s = jg_buf_view(&wire)};
        jg_value_text(out, &whole);
        out->failed |= wire.failed;
        break;
    }
    default:
        jg_buf_printf(out, "%lld", (long long)value->u.i);
    }
}

bool jg_ottl_text(jg_ottl_eval *e, const jg_ottl_value *value, jaeger_str *ret)
{
    if (value->type == JG_OTTL_STRING || value->type == JG_OTTL_NIL) {
        *ret = value->type == JG_OTTL_NIL ? (jaeger_str){0} : value->u.s;
        return true;
    }
    jg_buf out = JG_BUF_INIT(JG_OTTL_VALUE_BYTES_MAX);
    jg_ottl_value text;
    put_text(&out, value);
    if (!jg_ottl_finish(e, &out, JG_OTTL_STRING, &text))
        return false;
    *ret = text.u.s;
    return true;
}

/* ---- arguments ---- */

bool jg_ottl_arg_is_absent(const jg_ottl_node *call, size_t i)
{
    return call->args[i] == NULL;
}

bool jg_ottl_arg(jg_ottl_eval *e, const jg_ottl_node *call, size_t i, jg_ottl_value *ret)
{
    *ret = (jg_ottl_value){0};
    return !call->args[i] || jg_ottl_eval_node(e, call->args[i], ret);
}

bool jg_ottl_arg_of(jg_ottl_eval *e, const jg_ottl_node *call, size_t i, jg_ottl_type type,
                    jg_ottl_value *ret)
{
    if (!jg_ottl_arg(e, call, i, ret))
        return false;
    if (ret->type != type)
        return jg_ottl_fail(e, "%s: expected %s but got %s", call->fn->name, jg_ottl_type_name(type),
                            jg_ottl_type_name(ret->type));
    return true;
}

bool jg_ottl_arg_str(jg_ottl_eval *e, const jg_ottl_node *call, size_t i, jaeger_str *ret)
{
    jg_ottl_value value;
    if (!jg_ottl_arg_of(e, call, i, JG_OTTL_STRING, &value))
        return false;
    *ret = value.u.s;
    return true;
}

bool jg_ottl_arg_int(jg_ottl_eval *e, const jg_ottl_node *call, size_t i, int64_t *ret)
{
    jg_ottl_value value;
    if (!jg_ottl_arg_of(e, call, i, JG_OTTL_INT, &value))
        return false;
    *ret = value.u.i;
    return true;
}

bool jg_ottl_arg_text(jg_ottl_eval *e, const jg_ottl_node *call, size_t i, jaeger_str *ret)
{
    jg_ottl_value value;
    return jg_ottl_arg(e, call, i, &value) && jg_ottl_text(e, &value, ret);
}
