/* SPDX-License-Identifier: Apache-2.0
 * Trace context in headers: W3C Trace Context, B3 (single and multi), Jaeger's uber-trace-id.
 * Specs: https://www.w3.org/TR/trace-context/, https://github.com/openzipkin/b3-propagation,
 * https://www.jaegertracing.io/sdk-migration/#propagation-format
 */
#include "core/str.h"
#include <jaeger/tracer.h>

#define TRACEPARENT_LEN 55

static bool ids_are_set(const jaeger_context *context)
{
    return !jg_id_is_zero(context->trace_id, 16) && !jg_id_is_zero(context->span_id, 8);
}

/** Hex of up to 2 * n digits, padded with zeros on the left. */
static bool read_id(jaeger_str hex, uint8_t *id, size_t n)
{
    char padded[32];
    if (hex.len == 0 || hex.len > 2 * n)
        return false;
    memset(padded, '0', 2 * n);
    memcpy(padded + 2 * n - hex.len, hex.ptr, hex.len);
    return jg_hex_decode((jaeger_str){padded, 2 * n}, id, n);
}

/** The part before `separator`; moves `rest` behind it. */
static jaeger_str next_part(jaeger_str *rest, char separator)
{
    size_t at = jg_str_find(*rest, separator);
    jaeger_str part = {rest->ptr, at};
    *rest = jg_str_skip(*rest, at + 1);
    return part;
}

static bool has_upper_case(jaeger_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] >= 'A' && s.ptr[i] <= 'Z')
            return true;
    return false;
}

static bool extract_w3c(jaeger_carrier carrier, jaeger_context *ret)
{
    jaeger_str header = jg_str_trim(carrier.get(carrier.self, "traceparent"));
    uint8_t version, flags;
    if (header.len < TRACEPARENT_LEN || has_upper_case(header) || header.ptr[2] != '-' ||
        header.ptr[35] != '-' || header.ptr[52] != '-')
        return false;
    if (!jg_hex_decode((jaeger_str){header.ptr, 2}, &version, 1) || version == 0xff ||
        (version == 0 && header.len != TRACEPARENT_LEN) ||
        (header.len > TRACEPARENT_LEN && header.ptr[TRACEPARENT_LEN] != '-'))
        return false;
    if (!jg_hex_decode((jaeger_str){header.ptr + 3, 32}, ret->trace_id, 16) ||
        !jg_hex_decode((jaeger_str){header.ptr + 36, 16}, ret->span_id, 8) ||
        !jg_hex_decode((jaeger_str){header.ptr + 53, 2}, &flags, 1))
        return false;
    ret->sampled = flags & 1;
    jaeger_str state = jg_str_trim(carrier.get(carrier.self, "tracestate"));
    if (state.len <=
        JAEGER_TRACE_STATE_MAX) { /* longer ones are dropped, not cut: half a member is no member */
        if (state.len)
            memcpy(ret->trace_state, state.ptr, state.len);
        ret->trace_state_len = (uint16_t)state.len;
    }
    return true;
}

static bool is_sampled_b3(jaeger_str s)
{
    return jg_str_is(s, "1") || jg_str_is(s, "d") || jg_str_is(s, "true");
}

static bool extract_b3_single(jaeger_carrier carrier, jaeger_context *ret)
{
    jaeger_str rest = jg_str_trim(carrier.get(carrier.self, "b3"));
    jaeger_str trace_id = next_part(&rest, '-'), span_id = next_part(&rest, '-');
    if ((trace_id.len != 32 && trace_id.len != 16) || !read_id(trace_id, ret->trace_id, 16) ||
        span_id.len != 16 || !read_id(span_id, ret->span_id, 8))
        return false;
    ret->sampled = is_sampled_b3(next_part(&rest, '-'));
    return true;
}

static bool extract_b3_multi(jaeger_carrier carrier, jaeger_context *ret)
{
    jaeger_str trace_id = jg_str_trim(carrier.get(carrier.self, "x-b3-traceid"));
    jaeger_str span_id = jg_str_trim(carrier.get(carrier.self, "x-b3-spanid"));
    if ((trace_id.len != 32 && trace_id.len != 16) || !read_id(trace_id, ret->trace_id, 16) ||
        span_id.len != 16 || !read_id(span_id, ret->span_id, 8))
        return false;
    ret->sampled = is_sampled_b3(jg_str_trim(carrier.get(carrier.self, "x-b3-sampled"))) ||
                   jg_str_is(jg_str_trim(carrier.get(carrier.self, "x-b3-flags")), "1");
    return true;
}

static bool extract_uber(jaeger_carrier carrier, jaeger_context *ret)
{
    jaeger_str header = jg_str_trim(carrier.get(carrier.self, "uber-trace-id"));
    char plain[80];
    size_t n = 0;
    for (size_t i = 0; i < header.len && n < sizeof plain; i++) { /* some clients send "%3A" for ":" */
        bool escaped =
            header.len - i >= 3 && jg_str_eq_nocase((jaeger_str){header.ptr + i, 3}, JAEGER_STR("%3a"));
        plain[n++] = escaped ? ':' : header.ptr[i];
        i += escaped ? 2 : 0;
    }
    jaeger_str rest = {plain, n}, trace_id = next_part(&rest, ':'), span_id = next_part(&rest, ':');
    (void)next_part(&rest, ':'); /* the parent's id is deprecated */
    uint8_t flags;
    if (!read_id(trace_id, ret->trace_id, 16) || !read_id(span_id, ret->span_id, 8) ||
        !read_id(rest, &flags, 1))
        return false;
    ret->sampled = flags & 1;
    return true;
}

bool jaeger_extract(unsigned formats, jaeger_carrier carrier, jaeger_context *ret)
{
    static const struct {
        unsigned format;
        bool (*extract)(jaeger_carrier carrier, jaeger_context *ret);
    } readers[] = {{JAEGER_W3C, extract_w3c},
                   {JAEGER_B3_SINGLE, extract_b3_single},
                   {JAEGER_B3_MULTI, extract_b3_multi},
                   {JAEGER_UBER, extract_uber}};
    for (size_t i = 0; i < JG_COUNT(readers); i++) {
        *ret = (jaeger_context){.remote = true};
        if (formats & readers[i].format && readers[i].extract(carrier, ret) && ids_are_set(ret))
            return true;
    }
    *ret = (jaeger_context){0};
    return false;
}

void jaeger_inject(const jaeger_context *context, unsigned formats, jaeger_carrier carrier)
{
    if (!ids_are_set(context))
        return;
    char trace_id[32], span_id[16], text[80];
    jg_hex_encode(context->trace_id, 16, trace_id);
    jg_hex_encode(context->span_id, 8, span_id);
    jaeger_str trace = {trace_id, sizeof trace_id}, span = {span_id, sizeof span_id},
               header = {text, TRACEPARENT_LEN};
    if (formats & JAEGER_W3C) {
        memcpy(text, "00-", 3);
        memcpy(text + 3, trace_id, 32);
        text[35] = '-';
        memcpy(text + 36, span_id, 16);
        memcpy(text + 52, context->sampled ? "-01" : "-00", 3);
        carrier.set(carrier.self, "traceparent", header);
        if (context->trace_state_len)
            carrier.set(carrier.self, "tracestate",
                        (jaeger_str){context->trace_state, context->trace_state_len});
    }
    if (formats & JAEGER_B3_SINGLE) {
        memcpy(text, trace_id, 32);
        text[32] = '-';
        memcpy(text + 33, span_id, 16);
        memcpy(text + 49, context->sampled ? "-1" : "-0", 2);
        header.len = 51;
        carrier.set(carrier.self, "b3", header);
    }
    if (formats & JAEGER_B3_MULTI) {
        carrier.set(carrier.self, "x-b3-traceid", trace);
        carrier.set(carrier.self, "x-b3-spanid", span);
        carrier.set(carrier.self, "x-b3-sampled", context->sampled ? JAEGER_STR("1") : JAEGER_STR("0"));
    }
    if (formats & JAEGER_UBER) {
        memcpy(text, trace_id, 32);
        text[32] = ':';
        memcpy(text + 33, span_id, 16);
        memcpy(text + 49, context->sampled ? ":0:1" : ":0:0", 4);
        header.len = 53;
        carrier.set(carrier.self, "uber-trace-id", header);
    }
}
