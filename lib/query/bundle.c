/* SPDX-License-Identifier: Apache-2.0
 * See bundle.h.
 */
#include "query/bundle.h"

#include "core/limits.h"
#include "core/str.h"
#include "query/compress.h"
#include "query/http.h"
#include <zlib.h>

#define PLACE_BASE  "{{base}}"
#define PLACE_NONCE "{{nonce}}"

/** "./" for /search, "../" for /trace/x. */
static void write_base(jg_buf *out, jaeger_str path)
{
    size_t slashes = 0;
    for (size_t i = 0; i < path.len; i++)
        slashes += path.ptr[i] == '/';
    jg_buf_lit(out, "./");
    for (size_t up = 1; up < slashes; up++)
        jg_buf_lit(out, "../");
}

void jg_bundle_write_page(jg_buf *out, jaeger_str path, jaeger_str nonce)
{
    jaeger_str page = jg_bundle_page;
    size_t from = 0;
    for (size_t at = 0; at < page.len; at++) {
        jaeger_str rest = jg_str_skip(page, at);
        bool is_base = jg_str_starts(rest, JAEGER_STR(PLACE_BASE));
        if (!is_base && !jg_str_starts(rest, JAEGER_STR(PLACE_NONCE)))
            continue;
        jg_buf_append(out, page.ptr + from, at - from);
        if (is_base)
            write_base(out, path);
        else
            jg_buf_str(out, nonce);
        from = at + (is_base ? strlen(PLACE_BASE) : strlen(PLACE_NONCE));
        at = from - 1;
    }
    jg_buf_append(out, page.ptr + from, page.len - from);
}

static const jg_bundle_file *find_file(jaeger_str path)
{
    for (size_t i = 0; i < jg_bundle_file_count; i++)
        if (jg_str_is(path, jg_bundle_files[i].path))
            return &jg_bundle_files[i];
    return NULL;
}

/** Unpack for a client that takes no gzip. */
static bool unpack(const jg_bundle_file *file, jg_buf *out)
{
    z_stream stream = {.next_in = (unsigned char *)file->gzip, .avail_in = (uInt)file->gzip_bytes};
    if (!jg_buf_reserve(out, file->bytes) || inflateInit2(&stream, 15 + 16) != Z_OK)
        return false;
    stream.next_out = out->data;
    stream.avail_out = (uInt)file->bytes;
    bool ok = inflate(&stream, Z_FINISH) == Z_STREAM_END;
    out->len = stream.total_out;
    (void)inflateEnd(&stream);
    return ok;
}

static int send_plain(const jg_query_reply *reply, int status, const char *text)
{
    reply->add_header(reply->self, "X-Content-Type-Options", JAEGER_STR("nosniff"));
    reply->send(reply->self, status, "text/plain; charset=utf-8", jg_str(text));
    return status;
}

int jg_bundle_send_file(jaeger_str path, jaeger_str if_none_match, jaeger_str accept_encoding,
                        const jg_query_reply *reply)
{
    JG_AUTO_BUF jg_buf plain = JG_BUF_INIT(JG_UI_PAGE_BYTES_MAX);
    const jg_bundle_file *file = find_file(path);
    if (!file)
        return send_plain(reply, 404, "404 page not found\n");
    reply->add_header(reply->self, "ETag", jg_str(file->etag));
    reply->add_header(reply->self, "Vary", JAEGER_STR("Accept-Encoding"));
    reply->add_header(reply->self, "Cache-Control",
                      file->immutable ? JAEGER_STR("public, max-age=31536000, immutable")
                                      : JAEGER_STR("no-cache"));
    if (jg_str_is(if_none_match, file->etag)) {
        reply->send(reply->self, 304, NULL, JAEGER_STR(""));
        return 304;
    }
    jaeger_str body = {(const char *)file->gzip, file->gzip_bytes};
    if (jg_takes_gzip(accept_encoding)) {
        reply->add_header(reply->self, "Content-Encoding", JAEGER_STR("gzip"));
    } else {
        if (!unpack(file, &plain))
            return send_plain(reply, 503, "out of memory\n");
        body = jg_buf_view(&plain);
    }
    reply->add_header(reply->self, "X-Content-Type-Options", JAEGER_STR("nosniff"));
    reply->send(reply->self, 200, file->content_type, body);
    return 200;
}
