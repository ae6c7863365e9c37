/* SPDX-License-Identifier: Apache-2.0
 * See http_head.h. The tokens are split by the parser inside libh2o (picohttpparser); the rules on framing
 * are ours, because a proxy that reads them in another way can be used to smuggle requests: one
 * Content-Length of digits (or equal ones), or one "chunked" alone, never both; one Host; no folded lines.
 * Spec: RFC 9112 sections 3, 5, 6.
 */
#include "net/http_head.h"

#include "core/str.h"
#include <sys/types.h>

/* Exported by libh2o-evloop, which installs no header for it (deps/picohttpparser/picohttpparser.h of its
 * sources). */
struct phr_header {
    const char *name;
    size_t name_len;
    const char *value;
    size_t value_len;
};
struct phr_chunked_decoder {
    size_t bytes_left_in_chunk;
    char consume_trailer;
    char hex_count;
    char state;
};
int phr_parse_request(const char *bytes, size_t len, const char **method, size_t *method_len,
                      const char **path, size_t *path_len, int *minor, struct phr_header *headers,
                      size_t *header_count, size_t seen);
ssize_t phr_decode_chunked(struct phr_chunked_decoder *decoder, char *bytes, size_t *len);

_Static_assert(sizeof(struct phr_chunked_decoder) <= sizeof(jg_http_chunks),
               "jg_http_chunks holds the decoder");

long jg_http_chunks_decode(jg_http_chunks *state, char *bytes, size_t *len)
{
    struct phr_chunked_decoder decoder;
    memcpy(&decoder, state, sizeof decoder);
    decoder.consume_trailer = 1;
    ssize_t ret = phr_decode_chunked(&decoder, bytes, len);
    memcpy(state, &decoder, sizeof decoder);
    return ret;
}

long jg_http_head_length(const char *bytes, size_t len, size_t seen)
{
    struct phr_header headers[JG_HTTP_HEADERS_MAX];
    size_t count = JG_HTTP_HEADERS_MAX, method_len, path_len;
    const char *method, *path;
    int minor;
    int ret =
        phr_parse_request(bytes, len, &method, &method_len, &path, &path_len, &minor, headers, &count, seen);
    return ret == -2 ? 0 : ret;
}

jaeger_str jg_http_head_get(const jg_http_head *head, const char *name)
{
    for (size_t i = 0; i < head->header_count; i++)
        if (jg_str_is(head->headers[i].key, name))
            return head->headers[i].value;
    return (jaeger_str){NULL, 0};
}

/** Is `token` an element of the comma-separated list? */
static bool list_has(jaeger_str list, const char *token)
{
    while (list.len) {
        size_t comma = jg_str_find(list, ',');
        if (jg_str_eq_nocase(jg_str_trim((jaeger_str){list.ptr, comma}), jg_str(token)))
            return true;
        list = jg_str_skip(list, comma + 1);
    }
    return false;
}

/** What the headers say, gathered in one walk. */
typedef struct framing {
    jaeger_str length, coding, host;
    unsigned codings, hosts;
    bool lengths_differ, close, keep_alive;
    jaeger_str expect;
} framing;

static void note_header(framing *f, const jaeger_pair *header)
{
    jaeger_str value = header->value;
    if (jg_str_is(header->key, "content-length")) {
        f->lengths_differ |= f->length.ptr && !jg_str_eq(f->length, value);
        f->length = value;
    } else if (jg_str_is(header->key, "transfer-encoding")) {
        f->codings++;
        f->coding = value;
    } else if (jg_str_is(header->key, "host")) {
        f->hosts++;
    } else if (jg_str_is(header->key, "connection")) {
        f->close |= list_has(value, "close");
        f->keep_alive |= list_has(value, "keep-alive");
    } else if (jg_str_is(header->key, "expect")) {
        f->expect = value;
    }
}

static bool all_digits(jaeger_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
    return s.len > 0;
}

static int refuse(int status, const char *why, const char **ret_why)
{
    *ret_why = why;
    return status;
}

static int read_framing(const framing *f, jg_http_head *head, const char **ret_why)
{
    if (f->codings && (f->length.ptr || head->minor == 0))
        return refuse(400, "both Content-Length and Transfer-Encoding", ret_why);
    if (f->lengths_differ)
        return refuse(400, "different Content-Lengths", ret_why);
    if (f->codings > 1)
        return refuse(400, "too many transfer encodings", ret_why);
    if (f->codings && !jg_str_eq_nocase(f->coding, JAEGER_STR("chunked")))
        return refuse(501, "unsupported transfer encoding", ret_why);
    if (f->length.ptr && (!all_digits(f->length) || !jg_str_to_u64(f->length, &head->content_length)))
        return refuse(400, "bad Content-Length", ret_why);
    if (f->hosts > 1)
        return refuse(400, "too many Host headers", ret_why);
    if (!f->hosts && head->minor)
        return refuse(400, "missing required Host header", ret_why);
    if (f->expect.ptr && !jg_str_eq_nocase(f->expect, JAEGER_STR("100-continue")))
        return refuse(417, "unknown expectation", ret_why);
    head->chunked = f->codings;
    head->expects_continue = f->expect.ptr && head->minor;
    head->keep_alive = !f->close && (head->minor || f->keep_alive);
    return 0;
}

/** "/path?query", "*", or "http://host/path?query". @return false: none of them */
static bool split_target(jaeger_str target, jg_http_head *head)
{
    static const jaeger_str schemes[] = {{"http://", 7}, {"https://", 8}};
    for (size_t i = 0; i < JG_COUNT(schemes); i++)
        if (jg_str_starts(target, schemes[i])) {
            target = jg_str_skip(target, schemes[i].len);
            target = jg_str_skip(target, jg_str_find(target, '/'));
            if (!target.len)
                target = JAEGER_STR("/");
            break;
        }
    if (!target.len || (target.ptr[0] != '/' && !jg_str_is(target, "*")))
        return false;
    size_t mark = jg_str_find(target, '?');
    head->path = (jaeger_str){target.ptr, mark};
    head->query = mark < target.len ? jg_str_skip(target, mark + 1) : (jaeger_str){NULL, 0};
    return true;
}

static void lower(char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (s[i] >= 'A' && s[i] <= 'Z')
            s[i] = (char)(s[i] | 0x20);
}

int jg_http_head_parse(char *bytes, size_t len, jg_http_head *ret, const char **ret_why)
{
    struct phr_header headers[JG_HTTP_HEADERS_MAX];
    jaeger_str method, target;
    ret->header_count = JG_HTTP_HEADERS_MAX;
    ret->content_length = 0;
    if (phr_parse_request(bytes, len, &method.ptr, &method.len, &target.ptr, &target.len, &ret->minor,
                          headers, &ret->header_count, 0) <= 0)
        return refuse(400, "malformed request", ret_why);
    ret->method = method;
    if (!split_target(target, ret))
        return refuse(400, "malformed request target", ret_why);
    framing f = {0};
    for (size_t i = 0; i < ret->header_count; i++) {
        const struct phr_header *from = &headers[i];
        if (!from->name)
            return refuse(400, "folded header line", ret_why);
        lower(bytes + (from->name - bytes), from->name_len);
        ret->headers[i].key = (jaeger_str){from->name, from->name_len};
        ret->headers[i].value = jg_str_trim((jaeger_str){from->value, from->value_len});
        note_header(&f, &ret->headers[i]);
    }
    return read_framing(&f, ret, ret_why);
}
