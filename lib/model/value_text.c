/* SPDX-License-Identifier: Apache-2.0
 * See value_text.h.
 */
#include "model/value_text.h"

#include "core/alloc.h"
#include "core/json_out.h"
#include "core/limits.h"
#include "core/str.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES_MAX (16u << 20) /* one value comes from one message, which is smaller */

static void write_json(jg_json_out *json, const jaeger_value *value);

/** By key; equal keys keep their order, which is that of their addresses. */
static int attr_order(const void *a, const void *b)
{
    const jaeger_attr *x = a, *y = b;
    int order = jg_str_cmp(x->key, y->key);
    return order ? order : (x->raw.ptr > y->raw.ptr) - (x->raw.ptr < y->raw.ptr);
}

static void write_map(jg_json_out *json, jaeger_value map)
{
    jaeger_attr attr;
    size_t n = 0, i = 0;
    for (jaeger_iter it = jaeger_map_attrs(map); jaeger_next_attr(&it, &attr);)
        n++;
    JG_AUTO_FREE jaeger_attr *attrs = jg_alloc(n * sizeof *attrs);
    if (!attrs) {
        json->buf->failed = true;
        return;
    }
    for (jaeger_iter it = jaeger_map_attrs(map); jaeger_next_attr(&it, &attrs[i]);)
        i++;
    qsort(attrs, n, sizeof *attrs, attr_order);
    jg_json_object(json);
    for (i = 0; i < n; i++) {
        if (i + 1 < n && jg_str_eq(attrs[i].key, attrs[i + 1].key))
            continue; /* the last of equal keys counts */
        jg_json_key(json, attrs[i].key);
        write_json(json, &attrs[i].value);
    }
    jg_json_end(json);
}

static void write_json(jg_json_out *json, const jaeger_value *value)
{
    jaeger_value item;
    switch (value->type) {
    case JAEGER_VALUE_EMPTY:
        jg_json_null(json);
        break;
    case JAEGER_VALUE_STRING:
        jg_json_str(json, value->u.s);
        break;
    case JAEGER_VALUE_BOOL:
        jg_json_bool(json, value->u.b);
        break;
    case JAEGER_VALUE_INT:
        jg_json_i64(json, value->u.i);
        break;
    case JAEGER_VALUE_DOUBLE:
        jg_json_double(json, value->u.d, 1);
        break;
    case JAEGER_VALUE_BYTES:
        if (value->u.s.len)
            jg_json_base64(json, value->u.s);
        else
            jg_json_null(json); /* a nil slice */
        break;
    case JAEGER_VALUE_ARRAY:
        jg_json_array(json);
        for (jaeger_iter it = jaeger_array_values(*value); jaeger_next_value(&it, &item);)
            write_json(json, &item);
        jg_json_end(json);
        break;
    case JAEGER_VALUE_MAP:
        write_map(json, *value);
        break;
    }
}

static void write_double(jg_buf *out, double d)
{
    char text[32];
    if (isnan(d) || isinf(d)) /* pdata returns the text of its encoder's error */
        jg_buf_printf(out, "json: unsupported value: %s", isnan(d) ? "NaN" : d > 0 ? "+Inf" : "-Inf");
    else
        jg_buf_append(out, text, jg_double_to_text(d, 1, text));
}

/** encoding/json escapes U+2028 and U+2029 also where it leaves < > & alone. */
static void escape_separators(jg_buf *out, size_t from)
{
    size_t count = 0;
    for (size_t i = from; i + 2 < out->len; i++)
        count +=
            memcmp(out->data + i, "\xe2\x80\xa8", 3) == 0 || memcmp(out->data + i, "\xe2\x80\xa9", 3) == 0;
    if (count == 0 || !jg_buf_reserve(out, 3 * count))
        return;
    /* from the end, so that no byte is overwritten before it was moved */
    uint8_t *to = out->data + out->len + 3 * count;
    const uint8_t *at = out->data + out->len;
    out->len += 3 * count;
    while (to != at) {
        if (at - (out->data + from) >= 3 && at[-3] == 0xe2 && at[-2] == 0x80 && (at[-1] & 0xfe) == 0xa8) {
            at -= 3;
            to -= 6;
            memcpy(to, at[2] & 1 ? "\\u2029" : "\\u2028", 6);
        } else {
            *--to = *--at;
        }
    }
}

void jg_value_text(jg_buf *out, const jaeger_value *value)
{
    jg_json_out json = JG_JSON_OUT_INIT(out);
    switch (value->type) {
    case JAEGER_VALUE_EMPTY:
        break;
    case JAEGER_VALUE_STRING:
        jg_buf_str(out, value->u.s);
        break;
    case JAEGER_VALUE_DOUBLE:
        write_double(out, value->u.d);
        break;
    case JAEGER_VALUE_BYTES: {
        size_t n = jg_base64_size(value->u.s.len);
        if (jg_buf_reserve(out, n)) {
            jg_base64_encode((const uint8_t *)value->u.s.ptr, value->u.s.len, (char *)out->data + out->len);
            out->len += n;
        }
        break;
    }
    default: {
        size_t from = out->len;
        write_json(&json, value);
        escape_separators(out, from);
    }
    }
}

bool jg_value_text_is(const jaeger_value *value, jaeger_str text)
{
    int64_t number;
    switch (value->type) {
    case JAEGER_VALUE_EMPTY:
        return text.len == 0;
    case JAEGER_VALUE_STRING:
        return jg_str_eq(value->u.s, text);
    case JAEGER_VALUE_BOOL:
        return jg_str_eq(text, value->u.b ? JAEGER_STR("true") : JAEGER_STR("false"));
    case JAEGER_VALUE_INT:
        /* only the canonical form: no plus sign, no leading zeros */
        return jg_str_to_i64(text, &number) && number == value->u.i && text.ptr[0] != '+' &&
               (text.ptr[text.ptr[0] == '-'] != '0' || text.len == 1);
    default: {
        JG_AUTO_BUF jg_buf buf = JG_BUF_INIT(TEXT_BYTES_MAX);
        jg_value_text(&buf, value);
        return jg_buf_ok(&buf) && jg_str_eq(jg_buf_view(&buf), text);
    }
    }
}

static const char *const kinds[] = {"", "internal", "server", "client", "producer", "consumer"};

jaeger_str jg_kind_text(uint32_t kind)
{
    return jg_str(kinds[kind < JG_COUNT(kinds) ? kind : 0]);
}

bool jg_kind_from_text(jaeger_str text, uint32_t *ret)
{
    for (uint32_t i = 0; i < JG_COUNT(kinds); i++) {
        if (jg_str_is(text, kinds[i])) {
            *ret = i;
            return true;
        }
    }
    return false;
}
