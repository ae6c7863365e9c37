/* SPDX-License-Identifier: Apache-2.0
 * See chunk.h.
 */
#include "storage/embedded/chunk.h"

#include "core/alloc.h"
#include "core/err.h"
#include "core/pb.h"
#include "model/otlp_fields.h"

static bool same(jaeger_str a, jaeger_str b)
{
    return a.len == b.len && (a.ptr == b.ptr || (a.ptr && b.ptr && memcmp(a.ptr, b.ptr, a.len) == 0));
}

static bool same_group(const jaeger_span_group *a, const jaeger_span_group *b)
{
    return same(a->resource, b->resource) && same(a->scope, b->scope) &&
           same(a->resource_schema_url, b->resource_schema_url) &&
           same(a->scope_schema_url, b->scope_schema_url);
}

static void close_group(jg_chunk *chunk)
{
    if (!chunk->open)
        return;
    chunk->open = false;
    jg_buf *buf = &chunk->buf;
    if (chunk->group.scope_schema_url.len)
        jg_pb_write_str(buf, JG_OTLP_SCOPE_SPANS_SCHEMA_URL, chunk->group.scope_schema_url);
    jg_pb_end(buf, chunk->scope_mark, 4);
    if (chunk->group.resource_schema_url.len)
        jg_pb_write_str(buf, JG_OTLP_RESOURCE_SPANS_SCHEMA_URL, chunk->group.resource_schema_url);
    jg_pb_end(buf, chunk->resource_mark, 4);
}

static void open_group(jg_chunk *chunk, const jaeger_span_group *group)
{
    jg_buf *buf = &chunk->buf;
    chunk->group = *group;
    chunk->open = true;
    chunk->resource_mark = jg_pb_begin(buf, JG_OTLP_REQUEST_RESOURCE_SPANS, 4);
    if (group->resource.ptr)
        jg_pb_write_str(buf, JG_OTLP_RESOURCE_SPANS_RESOURCE, group->resource);
    chunk->scope_mark = jg_pb_begin(buf, JG_OTLP_RESOURCE_SPANS_SCOPE_SPANS, 4);
    if (group->scope.ptr)
        jg_pb_write_str(buf, JG_OTLP_SCOPE_SPANS_SCOPE, group->scope);
}

jg_buf *jg_chunk_begin_span(jg_chunk *chunk, const jaeger_span_group *group, size_t *ret_mark)
{
    if (!chunk->open || !same_group(&chunk->group, group)) {
        close_group(chunk);
        open_group(chunk, group);
    }
    *ret_mark = jg_pb_begin(&chunk->buf, JG_OTLP_SCOPE_SPANS_SPANS, 2);
    return &chunk->buf;
}

jaeger_status jg_chunk_end_span(jg_chunk *chunk, size_t mark)
{
    jg_pb_end(&chunk->buf, mark, 2);
    chunk->span_count++;
    if (chunk->buf.len >= JG_CHUNK_BYTES || !jg_buf_ok(&chunk->buf))
        return jg_chunk_flush(chunk);
    return JAEGER_OK;
}

void jg_chunk_drop_span(jg_chunk *chunk, size_t mark)
{
    if (jg_buf_ok(&chunk->buf))
        chunk->buf.len = mark - 1; /* the tag is one byte */
}

static void release(void *user, void *bytes, size_t len)
{
    (void)user, (void)len;
    jg_free(bytes);
}

jaeger_status jg_chunk_flush(jg_chunk *chunk)
{
    close_group(chunk);
    if (!jg_buf_ok(&chunk->buf))
        return jg_fail_oom(&chunk->call->error);
    size_t len;
    uint8_t *bytes = jg_buf_take(&chunk->buf, &len);
    if (!bytes)
        return JAEGER_OK;
    jaeger_batch *batch;
    JG_TRY(jaeger_batch_from_otlp(bytes, len, release, NULL, &batch, &chunk->call->error));
    if (jaeger_batch_span_count(batch) == 0) {
        jaeger_batch_unref(batch);
        return JAEGER_OK;
    }
    return chunk->out.consume(chunk->out.self, batch, chunk->call);
}

void jg_chunk_done(jg_chunk *chunk)
{
    jg_buf_done(&chunk->buf);
}
