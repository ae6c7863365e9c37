/* SPDX-License-Identifier: Apache-2.0
 * Writing a batch as OTLP: as it came, if nothing was changed; else headers anew, spans as they are. A run of
 * spans with one group makes a ScopeSpans, a run with one resource a ResourceSpans.
 */
#include "core/pb.h"
#include "model/batch.h"
#include "model/otlp_fields.h"

/** @return the end of the run that begins at `from`; its body takes *ret_size bytes */
static size_t scope_run(const jaeger_span *spans, size_t n, size_t from, size_t *ret_size)
{
    const jaeger_span_group *group = spans[from].group;
    size_t i = from, size = 0;
    for (; i < n && spans[i].group == group; i++)
        size += jg_pb_len_size(JG_OTLP_SCOPE_SPANS_SPANS, spans[i].len);
    if (group->scope.ptr)
        size += jg_pb_len_size(JG_OTLP_SCOPE_SPANS_SCOPE, group->scope.len);
    if (group->scope_schema_url.len)
        size += jg_pb_len_size(JG_OTLP_SCOPE_SPANS_SCHEMA_URL, group->scope_schema_url.len);
    *ret_size = size;
    return i;
}

static size_t resource_run(const jaeger_span *spans, size_t n, size_t from, size_t *ret_size)
{
    const jaeger_span_group *group = spans[from].group;
    size_t i = from, size = 0;
    while (i < n && spans[i].group->resource_index == group->resource_index) {
        size_t scope_size;
        i = scope_run(spans, n, i, &scope_size);
        size += jg_pb_len_size(JG_OTLP_RESOURCE_SPANS_SCOPE_SPANS, scope_size);
    }
    if (group->resource.ptr)
        size += jg_pb_len_size(JG_OTLP_RESOURCE_SPANS_RESOURCE, group->resource.len);
    if (group->resource_schema_url.len)
        size += jg_pb_len_size(JG_OTLP_RESOURCE_SPANS_SCHEMA_URL, group->resource_schema_url.len);
    *ret_size = size;
    return i;
}

size_t jaeger_batch_otlp_size(const jaeger_batch *batch)
{
    const jaeger_span *spans = jaeger_batch_spans(batch);
    size_t n = jaeger_batch_span_count(batch);
    size_t total = 0;
    jaeger_str part;
    for (size_t i = 0; jg_batch_payload(batch, i, &part); i++, n = 0)
        total += part.len;
    for (size_t i = 0; i < n;) {
        size_t size;
        i = resource_run(spans, n, i, &size);
        total += jg_pb_len_size(JG_OTLP_REQUEST_RESOURCE_SPANS, size);
    }
    return total;
}

static uint8_t *put_bytes(uint8_t *out, uint32_t number, const void *bytes, size_t len)
{
    out = jg_pb_put_len_header(out, number, len);
    if (len)
        memcpy(out, bytes, len);
    return out + len;
}

static uint8_t *put_optional(uint8_t *out, uint32_t number, jaeger_str s, bool present)
{
    return present ? put_bytes(out, number, s.ptr, s.len) : out;
}

void jaeger_batch_write_otlp(const jaeger_batch *batch, void *to)
{
    const jaeger_span *spans = jaeger_batch_spans(batch);
    size_t n = jaeger_batch_span_count(batch);
    uint8_t *out = to;
    jaeger_str part;
    for (size_t i = 0; jg_batch_payload(batch, i, &part); out += part.len, i++, n = 0)
        if (part.len)
            memcpy(out, part.ptr, part.len);
    for (size_t i = 0; i < n;) {
        const jaeger_span_group *group = spans[i].group;
        size_t size, resource_end = resource_run(spans, n, i, &size);
        out = jg_pb_put_len_header(out, JG_OTLP_REQUEST_RESOURCE_SPANS, size);
        out =
            put_optional(out, JG_OTLP_RESOURCE_SPANS_RESOURCE, group->resource, group->resource.ptr != NULL);
        while (i < resource_end) {
            const jaeger_span_group *scope = spans[i].group;
            size_t scope_end = scope_run(spans, n, i, &size);
            out = jg_pb_put_len_header(out, JG_OTLP_RESOURCE_SPANS_SCOPE_SPANS, size);
            out = put_optional(out, JG_OTLP_SCOPE_SPANS_SCOPE, scope->scope, scope->scope.ptr != NULL);
            for (; i < scope_end; i++)
                out = put_bytes(out, JG_OTLP_SCOPE_SPANS_SPANS, spans[i].bytes, spans[i].len);
            out = put_optional(out, JG_OTLP_SCOPE_SPANS_SCHEMA_URL, scope->scope_schema_url,
                               scope->scope_schema_url.len != 0);
        }
        out = put_optional(out, JG_OTLP_RESOURCE_SPANS_SCHEMA_URL, group->resource_schema_url,
                           group->resource_schema_url.len != 0);
    }
}
