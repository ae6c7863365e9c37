/* SPDX-License-Identifier: Apache-2.0
 * See attrs.h.
 */
#include "connectors/span_metrics/attrs.h"

#include "core/pb.h"
#include "core/str.h"
#include "model/otlp_fields.h"
#include <math.h>

void jg_sm_attr_str(jg_buf *out, jaeger_str key, jaeger_str value)
{
    size_t any = jg_pb_len_size(JG_OTLP_ANY_STRING, value.len);
    size_t body =
        jg_pb_len_size(JG_OTLP_KEY_VALUE_KEY, key.len) + jg_pb_len_size(JG_OTLP_KEY_VALUE_VALUE, any);
    jg_pb_write_tag(out, JG_OTLP_LIST_VALUES, JG_PB_LEN);
    jg_pb_write_varint_raw(out, body);
    jg_pb_write_str(out, JG_OTLP_KEY_VALUE_KEY, key);
    jg_pb_write_tag(out, JG_OTLP_KEY_VALUE_VALUE, JG_PB_LEN);
    jg_pb_write_varint_raw(out, any);
    jg_pb_write_str(out, JG_OTLP_ANY_STRING, value);
}

bool jg_sm_glob(jaeger_str pattern, jaeger_str text)
{
    size_t p = 0, t = 0, star = SIZE_MAX, resume = 0;
    while (t < text.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            resume = t;
        } else if (p < pattern.len && (pattern.ptr[p] == '?' || pattern.ptr[p] == text.ptr[t])) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*')
        p++;
    return p == pattern.len;
}

static bool find(const jaeger_span *span, const jaeger_event *event, jaeger_str key, jaeger_attr *ret)
{
    return jaeger_find_attr(jaeger_span_attrs(span), key, ret) ||
           (event && jaeger_find_attr(jaeger_event_attrs(event), key, ret)) ||
           jaeger_find_attr(jaeger_resource_attrs(span->group), key, ret);
}

/* All attributes that match; those of the resource only where the span has none of that name. */
static void put_glob(jg_buf *out, jaeger_str glob, const jaeger_span *span)
{
    jaeger_iter it = jaeger_span_attrs(span);
    jaeger_attr attr, same;
    while (jaeger_next_attr(&it, &attr))
        if (jg_sm_glob(glob, attr.key))
            jg_pb_write_str(out, JG_OTLP_LIST_VALUES, attr.raw);
    it = jaeger_resource_attrs(span->group);
    while (jaeger_next_attr(&it, &attr))
        if (jg_sm_glob(glob, attr.key) && !jaeger_find_attr(jaeger_span_attrs(span), attr.key, &same))
            jg_pb_write_str(out, JG_OTLP_LIST_VALUES, attr.raw);
}

void jg_sm_attr_dimensions(jg_buf *out, const jaeger_block_list *dimensions, const jaeger_span *span,
                           const jaeger_event *event)
{
    const jg_sm_dimension *d = dimensions->items;
    jaeger_attr attr;
    for (size_t i = 0; i < dimensions->count; i++) {
        if (d[i].glob.len)
            put_glob(out, d[i].glob, span);
        else if (find(span, event, d[i].name, &attr))
            jg_pb_write_str(out, JG_OTLP_LIST_VALUES, attr.raw);
        else if (d[i].fallback)
            jg_sm_attr_str(out, d[i].name, jaeger_config_text(d[i].fallback));
    }
}

jaeger_str jg_sm_kind(uint32_t kind)
{
    static const char *const names[] = {"SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER",
                                        "SPAN_KIND_CLIENT",      "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER"};
    return kind < JG_COUNT(names) ? jg_str(names[kind]) : JAEGER_STR("");
}

jaeger_str jg_sm_status(uint32_t code)
{
    static const char *const names[] = {"STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"};
    return code < JG_COUNT(names) ? jg_str(names[code]) : JAEGER_STR("");
}

/* The value of `key` in "a=…,ot=th:8;rv:…": members are split by `sep`, keys end with `mark`. */
static jaeger_str member(jaeger_str list, char sep, jaeger_str key)
{
    while (list.len) {
        jaeger_str one = jg_str_trim((jaeger_str){list.ptr, jg_str_find(list, sep)});
        if (jg_str_starts(one, key))
            return jg_str_skip(one, key.len);
        list = jg_str_skip(list, jg_str_find(list, sep) + 1);
    }
    return (jaeger_str){0};
}

double jg_sm_adjusted_count(const jaeger_span *span)
{
    jaeger_span_rest rest;
    jaeger_span_read_rest(span, &rest);
    if (!rest.trace_state.len)
        return 1;
    jaeger_str threshold = member(member(rest.trace_state, ',', JAEGER_STR("ot=")), ';', JAEGER_STR("th:"));
    uint64_t rejected = 0;
    if (!threshold.len || threshold.len > 14)
        return 1;
    for (size_t i = 0; i < 14; i++) {
        const char *digits = "0123456789abcdef";
        const char *digit = i < threshold.len ? memchr(digits, threshold.ptr[i], 16) : digits;
        if (!digit)
            return 1;
        rejected = rejected << 4 | (uint64_t)(digit - digits);
    }
    return ldexp(1, 56) / (ldexp(1, 56) - (double)rejected);
}
