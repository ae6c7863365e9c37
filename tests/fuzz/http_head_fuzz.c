/* SPDX-License-Identifier: Apache-2.0
 * Request heads and chunked bodies. What is accepted keeps the rules on framing; chunks decode alike in one
 * piece and byte by byte.
 */
#include "core/alloc.h"
#include "core/str.h"
#include "net/http_head.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse_head(const char *bytes, size_t size)
{
    jg_http_head head;
    const char *why = NULL;
    long len = jg_http_head_length(bytes, size, 0);
    if (len <= 0)
        return;
    char *copy = jg_strndup(bytes, (size_t)len);
    int status = copy ? jg_http_head_parse(copy, (size_t)len, &head, &why) : 400;
    if (status == 0 && ((head.chunked && head.content_length) || head.header_count > JG_HTTP_HEADERS_MAX ||
                        (head.chunked && jg_http_head_get(&head, "content-length").ptr)))
        abort();
    if (status != 0 && copy && !why)
        abort();
    jg_free(copy);
}

/** @return bytes of the body in `out`; *ret_end: the coding's end, -1: refused, -2: cut */
static size_t decode(const char *bytes, size_t size, size_t step, char *out, long *ret_end)
{
    jg_http_chunks state = {0};
    size_t total = 0;
    *ret_end = -2;
    for (size_t at = 0; at < size && *ret_end == -2; at += step) {
        size_t len = JG_MIN(step, size - at);
        memcpy(out + total, bytes + at, len);
        *ret_end = jg_http_chunks_decode(&state, out + total, &len);
        if (*ret_end != -1)
            total += len;
    }
    return total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    parse_head(bytes, size);
    char *whole = jg_alloc(size + 1), *pieces = jg_alloc(size + 1);
    long whole_end, pieces_end;
    if (whole && pieces) {
        size_t a = decode(bytes, size, size + 1, whole, &whole_end),
               b = decode(bytes, size, 1, pieces, &pieces_end);
        bool same_end = whole_end >= 0 ? pieces_end >= 0 : whole_end == pieces_end;
        if (!same_end || (whole_end != -1 && (a != b || memcmp(whole, pieces, a) != 0)))
            abort();
    }
    jg_free(whole);
    jg_free(pieces);
    return 0;
}
