/* SPDX-License-Identifier: Apache-2.0
 * Reading the rows of a trace from their block, and putting spans together again. See segment_reader.h.
 */
#include "storage/embedded/segment_reader.h"

#include "core/alloc.h"
#include "core/hash.h"
#include "core/pb.h"
#include "model/otlp_fields.h"
#include <zstd.h>

jg_seg_reader *jg_seg_reader_new(void)
{
    jg_seg_reader *reader = jg_calloc(1, sizeof *reader);
    if (!reader)
        return NULL;
    reader->zstd = ZSTD_createDCtx();
    reader->span.max = reader->refs.max = JG_BLOCK_BYTES_MAX;
    for (size_t i = 0; i < JG_READER_BLOCKS; i++)
        reader->blocks[i].bytes.max = 3ull * JG_BLOCK_BYTES_MAX;
    if (!reader->zstd) {
        jg_seg_reader_free(reader);
        return NULL;
    }
    return reader;
}

void jg_seg_reader_reset(jg_seg_reader *reader)
{
    for (size_t i = 0; i < JG_READER_BLOCKS; i++) {
        reader->blocks[i].view = NULL;
        if (reader->blocks[i].bytes.cap > 64u << 10) /* a huge trace: do not keep its memory */
            jg_buf_done(&reader->blocks[i].bytes);
        reader->blocks[i].bytes.max = 3ull * JG_BLOCK_BYTES_MAX;
    }
    reader->view = NULL;
    reader->trace = NULL;
}

void jg_seg_reader_free(jg_seg_reader *reader)
{
    if (!reader)
        return;
    (void)ZSTD_freeDCtx(reader->zstd);
    for (size_t i = 0; i < JG_READER_BLOCKS; i++)
        jg_buf_done(&reader->blocks[i].bytes);
    jg_buf_done(&reader->span);
    jg_buf_done(&reader->refs);
    jg_free(reader->rows);
    jg_free(reader->bits);
    jg_free(reader->more_bits);
    jg_free(reader);
}

/* ---- blocks
 * ------------------------------------------------------------------------------------------------- */

static bool block_header(const jg_seg_view *view, uint32_t number, jg_seg_block *ret)
{
    const jg_bytes *blocks = &view->sections[JG_SEC_BLOCKS], *data = &view->sections[JG_SEC_DATA];
    if (number >= blocks->len / sizeof *ret)
        return false;
    memcpy(ret, blocks->ptr + (size_t)number * sizeof *ret, sizeof *ret);
    return ret->off <= data->len && ret->bytes <= data->len - ret->off && ret->len_a <= JG_BLOCK_BYTES_MAX &&
           ret->len_b <= JG_BLOCK_BYTES_MAX && ret->len_c <= JG_BLOCK_BYTES_MAX;
}

/** The decompressed bytes of a block. */
static jaeger_status load_block(jg_seg_reader *reader, const jg_seg_view *view, uint32_t number,
                                const jg_seg_block *block, const uint8_t **ret)
{
    size_t oldest = 0;
    for (size_t i = 0; i < JG_READER_BLOCKS; i++) {
        if (reader->blocks[i].view == view && reader->blocks[i].block == number) {
            reader->blocks[i].used = ++reader->clock;
            *ret = reader->blocks[i].bytes.data;
            return JAEGER_OK;
        }
        if (reader->blocks[i].used < reader->blocks[oldest].used)
            oldest = i;
    }
    const uint8_t *packed = view->sections[JG_SEC_DATA].ptr + block->off;
    size_t size = (size_t)block->len_a + block->len_b + block->len_c;
    if (jg_hash(packed, block->bytes, 0) != block->hash ||
        ZSTD_getFrameContentSize(packed, block->bytes) != (unsigned long long)size)
        return JAEGER_DATA_LOSS;
    jg_buf *bytes = &reader->blocks[oldest].bytes;
    reader->blocks[oldest].view = NULL;
    jg_buf_clear(bytes);
    if (!jg_buf_reserve(bytes, size + 1))
        return JAEGER_RESOURCE_EXHAUSTED;
    if (ZSTD_decompressDCtx(reader->zstd, bytes->data, size, packed, block->bytes) != size)
        return JAEGER_DATA_LOSS;
    bytes->len = size;
    reader->blocks[oldest].view = view;
    reader->blocks[oldest].block = number;
    reader->blocks[oldest].used = ++reader->clock;
    *ret = bytes->data;
    return JAEGER_OK;
}

/* ---- rows
 * --------------------------------------------------------------------------------------------------- */

typedef struct streams {
    jg_pb a, b, c;
} streams;

static uint64_t unzigzag(uint64_t x)
{
    return x >> 1 ^ (0 - (x & 1));
}

static bool take(jg_pb *pb, uint64_t len, const uint8_t **ret)
{
    if (len > (uint64_t)(pb->end - pb->pos))
        return false;
    *ret = pb->pos;
    pb->pos += len;
    return true;
}

static bool take_str(jg_pb *pb, jaeger_str *ret)
{
    uint64_t len;
    const uint8_t *at;
    if (!jg_pb_varint(pb, &len) || !take(pb, len, &at))
        return false;
    *ret = (jaeger_str){(const char *)at, (size_t)len};
    return true;
}

/** Next attribute: from the dictionary, or inline as key number and value, or inline whole. */
typedef struct token {
    jaeger_str whole; /* ptr NULL: key and value */
    jaeger_str key, value;
} token;

static bool read_token(const jg_seg_view *view, jg_pb *b, jg_pb *c, token *ret)
{
    uint64_t number, key;
    if (!jg_pb_varint(b, &number))
        return false;
    if (number)
        return number <= UINT32_MAX && jg_seg_string(view, JG_SEC_DICT, (uint32_t)number - 1, &ret->whole);
    if (!jg_pb_varint(c, &key))
        return false;
    if (key == 0)
        return take_str(c, &ret->whole);
    ret->whole.ptr = NULL;
    return key <= UINT32_MAX && jg_seg_string(view, JG_SEC_KEYS, (uint32_t)key - 1, &ret->key) &&
           take_str(c, &ret->value);
}

static bool skip_token(streams *s)
{
    uint64_t number, key;
    jaeger_str ignored;
    if (!jg_pb_varint(&s->b, &number))
        return false;
    return number != 0 || (jg_pb_varint(&s->c, &key) && take_str(&s->c, &ignored));
}

static bool skip_tokens(streams *s, uint64_t count)
{
    while (count-- > 0)
        if (!skip_token(s))
            return false;
    return true;
}

static bool skip_events(streams *s, uint32_t count)
{
    uint64_t time, head;
    for (uint32_t i = 0; i < count; i++)
        if (!jg_pb_varint(&s->a, &time) || !jg_pb_varint(&s->a, &head) ||
            !skip_tokens(s, (head >> 1) + (head & 1)))
            return false;
    return true;
}

/** The rest of a row that is not stored whole. */
static bool read_parts(const jg_seg_view *view, streams *s, jg_seg_row *row)
{
    uint64_t tail, attrs, events;
    if (!jg_pb_varint(&s->a, &tail))
        return false;
    if (tail ? tail > UINT32_MAX || !jg_seg_string(view, JG_SEC_TAILS, (uint32_t)tail - 1, &row->tail)
             : !take_str(&s->c, &row->tail))
        return false;
    if (!jg_pb_varint(&s->a, &row->parent) || (row->parent == 1 && !take(&s->c, 8, &row->parent_bytes)) ||
        !jg_pb_varint(&s->a, &attrs) || !jg_pb_varint(&s->a, &events) || attrs > UINT32_MAX ||
        events > UINT32_MAX)
        return false;
    row->attr_count = (uint32_t)attrs;
    row->event_count = (uint32_t)events;
    row->events = s->a.pos;
    row->tokens = s->b.pos;
    row->inlined = s->c.pos;
    return skip_tokens(s, attrs) && skip_events(s, row->event_count);
}

static bool read_row(const jg_seg_view *view, streams *s, const jg_seg_trace *trace, uint32_t i,
                     jg_seg_row *row)
{
    uint64_t op, start, length, body;
    const uint8_t *at;
    *row = (jg_seg_row){0};
    if (!jg_pb_varint(&s->a, &op) || op >> 33 || !jg_pb_varint(&s->a, &start) ||
        !jg_pb_varint(&s->a, &length) || !jg_seg_row_origin(view, trace->row0 + i, &row->origin))
        return false;
    row->op = (uint32_t)(op >> 1);
    row->whole = op & 1;
    row->start = trace->min_start + start;
    row->end = row->start + unzigzag(length);
    if (!row->whole)
        return read_parts(view, s, row);
    if (!jg_pb_varint(&s->a, &body) || !take(&s->c, body, &at))
        return false;
    row->body = (jaeger_str){(const char *)at, (size_t)body};
    return true;
}

static bool open_streams(const uint8_t *bytes, const jg_seg_block *block, const jg_seg_trace *trace,
                         streams *ret)
{
    if (trace->off_a > block->len_a || trace->off_b > block->len_b || trace->off_c > block->len_c)
        return false;
    const uint8_t *b = bytes + block->len_a, *c = b + block->len_b;
    ret->a = (jg_pb){bytes + trace->off_a, b, false};
    ret->b = (jg_pb){b + trace->off_b, c, false};
    ret->c = (jg_pb){c + trace->off_c, c + block->len_c, false};
    return true;
}

static bool rows_reserve(jg_seg_reader *reader, uint32_t count)
{
    if (count <= reader->row_cap)
        return true;
    jg_seg_row *rows = jg_realloc(reader->rows, count * sizeof *rows);
    if (!rows)
        return false;
    reader->rows = rows;
    reader->row_cap = count;
    return true;
}

jaeger_status jg_seg_decode_trace(jg_seg_reader *reader, const jg_seg_view *view, uint32_t number)
{
    jg_seg_block block;
    const uint8_t *bytes = NULL;
    streams s;
    if (number >= view->header.trace_count)
        return JAEGER_DATA_LOSS;
    const jg_seg_trace *trace = &jg_seg_traces(view)[number];
    if (reader->view == view && reader->trace == trace)
        return JAEGER_OK;
    reader->view = NULL;
    if (trace->row0 > view->header.span_count || trace->row_count > view->header.span_count - trace->row0 ||
        !block_header(view, trace->block, &block))
        return JAEGER_DATA_LOSS;
    if (!rows_reserve(reader, trace->row_count))
        return JAEGER_RESOURCE_EXHAUSTED;
    jaeger_status status = load_block(reader, view, trace->block, &block, &bytes);
    if (status != JAEGER_OK)
        return status;
    if (!open_streams(bytes, &block, trace, &s))
        return JAEGER_DATA_LOSS;
    reader->end_a = s.a.end;
    reader->end_b = s.b.end;
    reader->end_c = s.c.end;
    for (uint32_t i = 0; i < trace->row_count; i++)
        if (!read_row(view, &s, trace, i, &reader->rows[i]))
            return JAEGER_DATA_LOSS;
    reader->view = view;
    reader->trace = trace;
    return JAEGER_OK;
}

/* ---- spans
 * -------------------------------------------------------------------------------------------------- */

static bool write_attr(const jg_seg_view *view, jg_pb *b, jg_pb *c, uint32_t field, jg_buf *out)
{
    token t;
    if (!read_token(view, b, c, &t))
        return false;
    if (t.whole.ptr) {
        jg_pb_write_str(out, field, t.whole);
        return true;
    }
    size_t len = jg_pb_len_size(JG_OTLP_KEY_VALUE_KEY, t.key.len) +
                 jg_pb_len_size(JG_OTLP_KEY_VALUE_VALUE, t.value.len);
    jg_pb_write_tag(out, field, JG_PB_LEN);
    jg_pb_write_varint_raw(out, len);
    jg_pb_write_str(out, JG_OTLP_KEY_VALUE_KEY, t.key);
    jg_pb_write_str(out, JG_OTLP_KEY_VALUE_VALUE, t.value);
    return true;
}

static bool write_event(const jg_seg_reader *reader, const jg_seg_row *row, streams *s, jg_buf *out)
{
    uint64_t time, head;
    token name;
    if (!jg_pb_varint(&s->a, &time) || !jg_pb_varint(&s->a, &head))
        return false;
    size_t mark = jg_pb_begin(out, JG_OTLP_SPAN_EVENTS, 1);
    jg_pb_write_fixed64(out, JG_OTLP_EVENT_TIME, row->start + unzigzag(time));
    if (head & 1) {
        if (!read_token(reader->view, &s->b, &s->c, &name) || !name.whole.ptr)
            return false;
        jg_buf_str(out, name.whole);
    }
    for (uint64_t i = 0; i < head >> 1; i++)
        if (!write_attr(reader->view, &s->b, &s->c, JG_OTLP_EVENT_ATTRIBUTES, out))
            return false;
    jg_pb_end(out, mark, 1);
    return true;
}

/** The runs of other fields; see layout.h. */
static bool split_tail(jaeger_str tail, jaeger_str ret[4])
{
    uint64_t len[3];
    const uint8_t *at;
    jg_pb pb = jg_pb_of_str(tail);
    for (size_t i = 0; i < 3; i++)
        if (!jg_pb_varint(&pb, &len[i]))
            return false;
    for (size_t i = 0; i < 3; i++) {
        if (!take(&pb, len[i], &at))
            return false;
        ret[i] = (jaeger_str){(const char *)at, (size_t)len[i]};
    }
    ret[3] = (jaeger_str){(const char *)pb.pos, (size_t)(pb.end - pb.pos)};
    return true;
}

static bool write_parent(const jg_seg_reader *reader, const jg_seg_row *row, jg_buf *out)
{
    if (row->parent == 0)
        return true;
    const uint8_t *id = row->parent_bytes;
    if (row->parent > 2) {
        uint64_t parent = row->parent - 3;
        if (parent >= reader->trace->row_count)
            return false;
        id = jg_seg_span_id(reader->view, reader->trace->row0 + (uint32_t)parent);
    }
    jg_pb_write_bytes(out, JG_OTLP_SPAN_PARENT_SPAN_ID, id, row->parent == 2 ? 0 : 8);
    return true;
}

bool jg_seg_write_span(jg_seg_reader *reader, uint32_t i, jg_buf *out)
{
    const jg_seg_row *row = &reader->rows[i];
    jaeger_str tail[4], name, op;
    uint32_t service, kind;
    if (row->whole) {
        jg_buf_str(out, row->body);
        return true;
    }
    if (!split_tail(row->tail, tail) || !jg_seg_op(reader->view, row->op, &service, &name, &kind, &op))
        return false;
    jg_pb_write_bytes(out, JG_OTLP_SPAN_TRACE_ID, reader->trace->trace_id, 16);
    jg_pb_write_bytes(out, JG_OTLP_SPAN_SPAN_ID, jg_seg_span_id(reader->view, reader->trace->row0 + i), 8);
    jg_buf_str(out, tail[0]);
    if (!write_parent(reader, row, out))
        return false;
    jg_buf_str(out, op);
    jg_pb_write_fixed64(out, JG_OTLP_SPAN_START, row->start);
    jg_pb_write_fixed64(out, JG_OTLP_SPAN_END, row->end);
    jg_buf_str(out, tail[1]);
    streams s = {{row->events, reader->end_a, false},
                 {row->tokens, reader->end_b, false},
                 {row->inlined, reader->end_c, false}};
    for (uint32_t k = 0; k < row->attr_count; k++)
        if (!write_attr(reader->view, &s.b, &s.c, JG_OTLP_SPAN_ATTRIBUTES, out))
            return false;
    jg_buf_str(out, tail[2]);
    for (uint32_t k = 0; k < row->event_count; k++)
        if (!write_event(reader, row, &s, out))
            return false;
    jg_buf_str(out, tail[3]);
    return true;
}
