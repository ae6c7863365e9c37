/* SPDX-License-Identifier: Apache-2.0
 * See bulk_body.h. The id stands before its document and depends on it: its place is kept, and the blanks
 * that are left when the hash has fewer digits stand behind the action, where JSON allows them.
 */
#include "storage/opensearch/bulk_body.h"

#include "core/hash.h"

#define HASH_DIGITS 16u
#define ACTION_END  "\"}}"
#define KEPT_BYTES  (1u << 20) /* of memory that a larger document took, from one request to the next */

bool jg_os_body_init(jg_os_body *body, bool gzip, size_t bytes_max, size_t document_bytes_max)
{
    *body = (jg_os_body){.text = JG_BUF_INIT(bytes_max + 2 * document_bytes_max),
                         .packed = JG_BUF_INIT(bytes_max + 2 * document_bytes_max)};
    return !gzip || (body->gzip = jg_gzip_new()) != NULL;
}

void jg_os_body_done(jg_os_body *body)
{
    jg_buf_done(&body->text);
    jg_buf_done(&body->packed);
    jg_gzip_free(body->gzip);
    *body = (jg_os_body){0};
}

static void empty(jg_buf *buf)
{
    jg_buf_clear(buf);
    if (buf->cap > KEPT_BYTES)
        jg_buf_done(buf);
}

void jg_os_body_begin(jg_os_body *body)
{
    empty(&body->text);
    empty(&body->packed);
    body->bytes = body->open_count = 0;
    body->failed = false;
    if (body->gzip)
        jg_gzip_begin(body->gzip, &body->packed);
}

/* ---- documents ---- */

static void pack(jg_os_body *body)
{
    if (!body->gzip || body->open_count)
        return;
    body->failed |= !jg_buf_ok(&body->text);
    jg_gzip_add(body->gzip, jg_buf_view(&body->text));
    body->failed |= !jg_buf_ok(&body->packed);
    empty(&body->text);
}

static void put_action(jg_buf *text, jaeger_str index, jaeger_str id)
{
    jg_buf_lit(text, "{\"index\":{\"_index\":\"");
    jg_buf_str(text, index);
    if (id.len) {
        jg_buf_lit(text, "\",\"_id\":\"");
        jg_buf_str(text, id);
    }
}

void jg_os_body_put(jg_os_body *body, jaeger_str index, jaeger_str id, jaeger_str document)
{
    size_t begin = body->text.len;
    put_action(&body->text, index, id);
    jg_buf_lit(&body->text, ACTION_END "\n");
    jg_buf_str(&body->text, document);
    jg_buf_byte(&body->text, '\n');
    body->bytes += body->text.len - begin;
    pack(body);
}

/** In hex, without zeroes in front. @return how many digits */
static size_t put_digits(uint8_t *out, uint64_t value)
{
    size_t n = value ? (67 - (size_t)__builtin_clzll(value)) / 4 : 1;
    for (size_t i = n; i-- > 0; value >>= 4)
        out[i] = (uint8_t) "0123456789abcdef"[value & 15];
    return n;
}

/** Ids of the documents that were gathered. */
static void put_hashes(jg_os_body *body)
{
    jaeger_str documents[JG_OS_BODY_HASHED];
    uint64_t hashes[JG_OS_BODY_HASHED];
    uint8_t *text = body->text.data;
    for (size_t i = 0; i < body->open_count && jg_buf_ok(&body->text); i++)
        documents[i] = (jaeger_str){(const char *)text + body->open[i].document,
                                    body->open[i].end - body->open[i].document};
    if (jg_buf_ok(&body->text))
        jg_fnv1a_64_each(documents, hashes, body->open_count);
    for (size_t i = 0; i < body->open_count && jg_buf_ok(&body->text); i++) {
        size_t digits = put_digits(text + body->open[i].id, hashes[i]);
        memcpy(text + body->open[i].id + digits, ACTION_END, sizeof ACTION_END - 1);
    }
    body->open_count = 0;
    pack(body);
}

jg_buf *jg_os_body_open(jg_os_body *body, jaeger_str index, jaeger_str id)
{
    static const char blanks[] = "                "
                                 "   "; /* HASH_DIGITS, and ACTION_END */
    size_t begin = body->text.len;
    put_action(&body->text, index, id);
    body->open[body->open_count].id = body->text.len;
    jg_buf_lit(&body->text, blanks);
    jg_buf_byte(&body->text, '\n');
    body->open[body->open_count].document = body->text.len;
    body->bytes += body->text.len - begin;
    return &body->text;
}

void jg_os_body_close(jg_os_body *body)
{
    size_t end = body->text.len;
    jg_buf_byte(&body->text, '\n');
    body->bytes += end + 1 - body->open[body->open_count].document;
    body->open[body->open_count++].end = end;
    if (body->open_count == JG_OS_BODY_HASHED || body->text.len > KEPT_BYTES)
        put_hashes(body);
}

jaeger_str jg_os_body_end(jg_os_body *body)
{
    put_hashes(body);
    body->failed |= !jg_buf_ok(&body->text);
    if (!body->gzip)
        return jg_buf_view(&body->text);
    jg_gzip_end(body->gzip);
    body->failed |= !jg_buf_ok(&body->packed);
    return jg_buf_view(&body->packed);
}
