/* SPDX-License-Identifier: Apache-2.0
 * See buf.h. Grows by doubling, never beyond the ceiling.
 */
#include "core/buf.h"

#include "core/alloc.h"
#include <stdarg.h>
#include <stdio.h>

void jg_buf_done(jg_buf *buf)
{
    if (!buf)
        return;
    jg_free(buf->data);
    *buf = JG_BUF_INIT(buf->max);
}

bool jg_buf_reserve(jg_buf *buf, size_t more)
{
    if (buf->failed)
        return false;
    if (more <= buf->cap - buf->len)
        return true;
    if (more > buf->max || buf->len > buf->max - more)
        goto failed;
    size_t cap = buf->cap ? buf->cap : 256;
    while (cap < buf->len + more)
        cap = cap > buf->max / 2 ? buf->max : cap * 2;
    uint8_t *data = jg_realloc(buf->data, cap);
    if (!data)
        goto failed;
    buf->data = data;
    buf->cap = cap;
    return true;
failed:
    buf->failed = true;
    return false;
}

void jg_buf_printf(jg_buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0 || !jg_buf_reserve(buf, (size_t)len + 1))
        return;
    va_start(args, format);
    (void)vsnprintf((char *)buf->data + buf->len, (size_t)len + 1, format, args);
    va_end(args);
    buf->len += (size_t)len;
}

uint8_t *jg_buf_take(jg_buf *buf, size_t *ret_len)
{
    if (buf->failed) {
        jg_buf_done(buf);
        return NULL;
    }
    uint8_t *data = buf->data;
    *ret_len = buf->len;
    buf->data = NULL;
    buf->len = buf->cap = 0;
    return data;
}
