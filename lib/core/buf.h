/* SPDX-License-Identifier: Apache-2.0
 * A growing byte buffer with a ceiling, given at birth. Errors are sticky: append freely, ask jg_buf_ok()
 * once.
 */
#ifndef JG_CORE_BUF_H
#define JG_CORE_BUF_H

#include "core/attr.h"
#include <jaeger/base.h>
#include <string.h>

typedef struct jg_buf {
    uint8_t *data;
    size_t len, cap, max;
    bool failed; /* out of memory or above `max`; content is then incomplete */
} jg_buf;

#define JG_BUF_INIT(bytes_max) ((jg_buf){.max = (bytes_max)})

void jg_buf_done(jg_buf *buf);
#define JG_AUTO_BUF JG_CLEANUP(jg_buf_done)

/** Make room for `more` bytes after len. @return false: failed (sticky) */
bool jg_buf_reserve(jg_buf *buf, size_t more);
void jg_buf_printf(jg_buf *buf, const char *format, ...) JG_PRINTF(2, 3);
/** Hand the memory over (free with jg_free); the buffer is empty again. NULL if it failed or is empty. */
uint8_t *jg_buf_take(jg_buf *buf, size_t *ret_len);

JG_INLINE bool jg_buf_ok(const jg_buf *buf)
{
    return !buf->failed;
}

JG_INLINE void jg_buf_append(jg_buf *buf, const void *bytes, size_t len)
{
    if (JG_UNLIKELY(len > buf->cap - buf->len) && !jg_buf_reserve(buf, len))
        return;
    if (len)
        memcpy(buf->data + buf->len, bytes, len);
    buf->len += len;
}

JG_INLINE void jg_buf_byte(jg_buf *buf, uint8_t byte)
{
    if (JG_UNLIKELY(buf->len == buf->cap) && !jg_buf_reserve(buf, 1))
        return;
    buf->data[buf->len++] = byte;
}

JG_INLINE void jg_buf_str(jg_buf *buf, jaeger_str s)
{
    jg_buf_append(buf, s.ptr, s.len);
}

#define jg_buf_lit(buf, literal) jg_buf_append((buf), (literal), sizeof(literal) - 1)

JG_INLINE jaeger_str jg_buf_view(const jg_buf *buf)
{
    return (jaeger_str){(const char *)buf->data, buf->len};
}

JG_INLINE void jg_buf_clear(jg_buf *buf)
{
    buf->len = 0;
    buf->failed = false;
}

#endif
