/* SPDX-License-Identifier: Apache-2.0
 * See gzip.h and encoding_codec.h.
 */
#include "net/gzip.h"

#include "core/alloc.h"
#include "net/encoding_codec.h"
#include <isa-l/igzip_lib.h>

#define LEVEL      1          /* of ISA-L: about zlib's size at its level 3; above it only the time changes */
#define OUT_BYTES  (4u << 10) /* the least room it is asked to write to */
#define BYTES_ONCE (1u << 30) /* its counts have 32 bits */

struct jg_gzip {
    struct isal_zstream stream;
    uint8_t level_room[ISAL_DEF_LVL1_SMALL];
    jg_buf *out;
};

/* ---- writing
 * ------------------------------------------------------------------------------------------------------ */

jg_gzip *jg_gzip_new(void)
{
    return jg_alloc(sizeof(jg_gzip));
}

void jg_gzip_free(jg_gzip *gzip)
{
    jg_free(gzip);
}

void jg_gzip_begin(jg_gzip *gzip, jg_buf *out)
{
    isal_deflate_init(&gzip->stream);
    gzip->stream.gzip_flag = IGZIP_GZIP;
    gzip->stream.level = LEVEL;
    gzip->stream.level_buf = gzip->level_room;
    gzip->stream.level_buf_size = sizeof gzip->level_room;
    gzip->out = out;
}

/** One step, with room to write. @return false: the buffer failed */
static bool step(jg_gzip *gzip)
{
    struct isal_zstream *s = &gzip->stream;
    jg_buf *out = gzip->out;
    if (out->len == out->cap)
        (void)jg_buf_reserve(out, JG_MAX(JG_MIN(OUT_BYTES, out->max - out->len), 1));
    if (out->failed)
        return false;
    uint32_t room = (uint32_t)JG_MIN(out->cap - out->len, BYTES_ONCE);
    s->next_out = out->data + out->len;
    s->avail_out = room;
    out->failed = isal_deflate(s) != COMP_OK;
    out->len += room - s->avail_out;
    return !out->failed;
}

void jg_gzip_add(jg_gzip *gzip, jaeger_str text)
{
    struct isal_zstream *s = &gzip->stream;
    while (text.len) {
        s->next_in = (uint8_t *)(uintptr_t)text.ptr;
        s->avail_in = (uint32_t)JG_MIN(text.len, BYTES_ONCE);
        text = (jaeger_str){text.ptr + s->avail_in, text.len - s->avail_in};
        while (s->avail_in)
            if (!step(gzip))
                return;
    }
}

void jg_gzip_end(jg_gzip *gzip)
{
    struct isal_zstream *s = &gzip->stream;
    s->avail_in = 0;
    s->end_of_stream = 1;
    while (s->internal_state.state != ZSTATE_END)
        if (!step(gzip))
            return;
}

jaeger_status jg_gzip_encode(jaeger_str in, jg_buf *out, jaeger_error *err)
{
    jg_gzip *gzip = jg_gzip_new();
    if (!gzip)
        return jg_fail_oom(err);
    (void)jg_buf_reserve(out, JG_MIN(in.len / 2 + OUT_BYTES, out->max - JG_MIN(out->len, out->max)));
    jg_gzip_begin(gzip, out);
    jg_gzip_add(gzip, in);
    jg_gzip_end(gzip);
    jg_gzip_free(gzip);
    return out->failed ? jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "gzip: output too large") : JAEGER_OK;
}

/* ---- reading
 * ------------------------------------------------------------------------------------------------------ */

static const char *text_of(int error)
{
    switch (error) {
    case ISAL_INVALID_BLOCK:
        return "invalid block";
    case ISAL_INVALID_SYMBOL:
        return "invalid code";
    case ISAL_INVALID_LOOKBACK:
        return "invalid distance too far back";
    case ISAL_INVALID_WRAPPER:
        return "incorrect header check";
    case ISAL_UNSUPPORTED_METHOD:
        return "unknown compression method";
    case ISAL_INCORRECT_CHECKSUM:
        return "incorrect data check";
    default:
        return "invalid data";
    }
}

/** Until the end of one member. */
static jaeger_status read_member(struct inflate_state *s, jg_sink *sink)
{
    jg_buf *out = sink->out;
    for (;;) {
        /* at the ceiling there may still be a trailer to read, so it is asked once more with no room */
        if (out->len == out->cap && out->len < out->max)
            JG_TRY(jg_sink_grow(sink, 1));
        size_t room = JG_MIN(out->cap, out->max) - out->len;
        uint8_t spare;
        s->next_out = room ? out->data + out->len : &spare;
        s->avail_out = room ? (uint32_t)JG_MIN(room, BYTES_ONCE) : 1;
        uint32_t before = s->avail_out;
        int ret = isal_inflate(s);
        size_t made = before - s->avail_out;
        if (made && !room)
            return jg_fail(sink->err, JAEGER_RESOURCE_EXHAUSTED, "decompressed data larger than %zu bytes",
                           out->max);
        out->len += made;
        if (ret != ISAL_DECOMP_OK)
            return jg_fail(sink->err, JAEGER_INVALID_ARGUMENT, "gzip: %s", text_of(ret));
        if (s->block_state == ISAL_BLOCK_FINISH)
            return JAEGER_OK;
        if (!made && !s->avail_in)
            return jg_fail(sink->err, JAEGER_INVALID_ARGUMENT, "gzip: unexpected EOF");
    }
}

jaeger_status jg_gzip_decode(jaeger_str in, jg_sink *sink)
{
    if (in.len > UINT32_MAX)
        return jg_fail(sink->err, JAEGER_RESOURCE_EXHAUSTED, "gzip: more than 4 GiB");
    struct inflate_state *s = jg_alloc(sizeof *s);
    if (!s)
        return jg_fail_oom(sink->err);
    isal_inflate_init(s);
    s->crc_flag = ISAL_GZIP;
    s->next_in = (uint8_t *)(uintptr_t)in.ptr;
    s->avail_in = (uint32_t)in.len;
    jaeger_status status = jg_sink_grow_first(sink, in.len);
    while (status == JAEGER_OK) {
        status = read_member(s, sink);
        if (!s->avail_in)
            break;
        isal_inflate_reset(s); /* keeps crc_flag */
    }
    jg_free(s);
    return status;
}
