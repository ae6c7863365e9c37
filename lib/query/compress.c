/* SPDX-License-Identifier: Apache-2.0
 * See compress.h. Spec: RFC 9110, 8.4 (Content-Encoding), 12.5.3 (Accept-Encoding), 12.5.5 (Vary).
 */
#include "query/compress.h"

#include "core/limits.h"
#include "core/str.h"

bool jg_takes_gzip(jaeger_str accept)
{
    while (accept.len) {
        jaeger_str item = {accept.ptr, jg_str_find(accept, ',')};
        accept = jg_str_skip(accept, JG_MIN(item.len + 1, accept.len));
        jaeger_str coding = jg_str_trim((jaeger_str){item.ptr, jg_str_find(item, ';')});
        jaeger_str weight = jg_str_trim(jg_str_skip(item, JG_MIN(jg_str_find(item, '=') + 1, item.len)));
        double q = 1;
        if (jg_str_eq_nocase(coding, JAEGER_STR("gzip")))
            return weight.len == 0 || !jg_str_to_double(weight, &q) || q > 0;
    }
    return false;
}

/** JSON, protobuf and texts; pictures, fonts and archives are packed already. */
static bool shrinks(const char *content_type)
{
    static const char *const types[] = {"application/json", "application/protobuf", "text/",
                                        "application/javascript"};
    for (size_t i = 0; content_type && i < JG_COUNT(types); i++)
        if (strncmp(content_type, types[i], strlen(types[i])) == 0)
            return true;
    return false;
}

static void add_header(void *self, const char *name, jaeger_str value)
{
    jg_compress *c = self;
    c->fixed = c->fixed || strcmp(name, "Content-Encoding") == 0 || strcmp(name, "ETag") == 0;
    c->to->add_header(c->to->self, name, value);
}

/** Tell what the answer depends on, and begin to pack it. @return false: it goes as it is */
static bool start(jg_compress *c, const char *content_type, size_t bytes)
{
    if (c->fixed || bytes < JG_COMPRESS_BYTES_MIN || !shrinks(content_type))
        return false;
    c->to->add_header(c->to->self, "Vary", JAEGER_STR("Accept-Encoding"));
    c->gzip = c->accepted ? jg_gzip_new() : NULL; /* out of memory: as it is */
    if (!c->gzip)
        return false;
    c->to->add_header(c->to->self, "Content-Encoding", JAEGER_STR("gzip"));
    jg_gzip_begin(c->gzip, &c->packed);
    return true;
}

static void send(void *self, int status, const char *content_type, jaeger_str body)
{
    jg_compress *c = self;
    if (!start(c, content_type, body.len)) {
        c->to->send(c->to->self, status, content_type, body);
        return;
    }
    jg_gzip_add(c->gzip, body);
    jg_gzip_end(c->gzip);
    if (jg_buf_ok(&c->packed)) {
        c->to->send(c->to->self, status, content_type, jg_buf_view(&c->packed));
    } else { /* the header is out: an answer that is cut is at least an error */
        c->to->begin(c->to->self, status, content_type);
        c->to->end(c->to->self, false);
    }
}

static void begin(void *self, int status, const char *content_type)
{
    jg_compress *c = self;
    (void)start(c, content_type, SIZE_MAX);
    c->to->begin(c->to->self, status, content_type);
}

static jaeger_status pass_on(jg_compress *c)
{
    jaeger_status status = jg_buf_ok(&c->packed) ? c->to->write(c->to->self, jg_buf_view(&c->packed))
                                                 : JAEGER_RESOURCE_EXHAUSTED;
    jg_buf_clear(&c->packed);
    return status;
}

static jaeger_status write_bytes(void *self, jaeger_str bytes)
{
    jg_compress *c = self;
    if (!c->gzip)
        return c->to->write(c->to->self, bytes);
    jg_gzip_add(c->gzip, bytes);
    return c->packed.len < JG_COMPRESS_PIECE_BYTES ? JAEGER_OK : pass_on(c);
}

static void end(void *self, bool ok)
{
    jg_compress *c = self;
    if (c->gzip && ok) {
        jg_gzip_end(c->gzip);
        ok = pass_on(c) == JAEGER_OK;
    }
    c->to->end(c->to->self, ok);
}

jg_query_reply jg_compress_begin(jg_compress *c, const jg_query_reply *to, jaeger_str accept_encoding)
{
    *c = (jg_compress){
        .to = to, .accepted = jg_takes_gzip(accept_encoding), .packed = JG_BUF_INIT(JG_CALL_ARENA_BYTES_MAX)};
    return (jg_query_reply){add_header, send, begin, write_bytes, end, c};
}

void jg_compress_done(jg_compress *c)
{
    jg_gzip_free(c->gzip);
    jg_buf_done(&c->packed);
}
