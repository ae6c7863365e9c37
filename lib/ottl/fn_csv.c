/* SPDX-License-Identifier: Apache-2.0
 * ParseCSV: one row, as a map from the names in a header. A line break outside of quotes is a part of its
 * field, blank lines are skipped. Spec: opentelemetry-collector-contrib pkg/ottl/ottlfuncs/README.md, and
 * https://pkg.go.dev/encoding/csv for quotes.
 */
#include "core/str.h"
#include "ottl/node.h"

typedef struct row {
    jaeger_str rest, delimiter;
    bool quotes, lazy;
    jg_buf field;
} row;

static size_t line_break(jaeger_str s)
{
    return jg_str_starts(s, JAEGER_STR("\r\n")) ? 2 : s.len && s.ptr[0] == '\n';
}

static bool skip_breaks(row *r)
{
    bool any = false;
    for (size_t n; (n = line_break(r->rest)); any = true)
        r->rest = jg_str_skip(r->rest, n);
    return any;
}

static bool ends_part(const row *r)
{
    return !r->rest.len || line_break(r->rest) || jg_str_starts(r->rest, r->delimiter);
}

/* @return NULL, or what is wrong */
static const char *read_plain(row *r)
{
    for (; !ends_part(r); r->rest = jg_str_skip(r->rest, 1)) {
        if (r->rest.ptr[0] == '"' && r->quotes && !r->lazy)
            return "a quote in a field without quotes";
        jg_buf_byte(&r->field, (uint8_t)r->rest.ptr[0]);
    }
    return NULL;
}

static const char *read_quoted(row *r)
{
    r->rest = jg_str_skip(r->rest, 1);
    while (r->rest.len) {
        size_t n = line_break(r->rest);
        char c = n ? '\n' : r->rest.ptr[0];
        r->rest = jg_str_skip(r->rest, n ? n : 1);
        if (c == '"') {
            if (ends_part(r))
                return NULL;
            bool doubled = r->rest.ptr[0] == '"';
            if (!doubled && !r->lazy)
                return "a quote within quotes";
            r->rest = jg_str_skip(r->rest, doubled);
        }
        jg_buf_byte(&r->field, (uint8_t)c);
    }
    return r->lazy ? NULL : "a quote is not closed";
}

/* Into r->field. @param ret_more a delimiter followed */
static const char *read_field(row *r, bool *ret_more)
{
    jg_buf_clear(&r->field);
    *ret_more = false;
    for (;;) {
        const char *fault =
            r->quotes && r->rest.len && r->rest.ptr[0] == '"' ? read_quoted(r) : read_plain(r);
        if (fault)
            return fault;
        if (!skip_breaks(r) || !r->rest.len)
            break;
        jg_buf_byte(&r->field, '\n');
    }
    *ret_more = r->rest.len > 0;
    r->rest = jg_str_skip(r->rest, *ret_more ? r->delimiter.len : 0);
    return NULL;
}

/* What stands before the delimiter. @return false: there are no more */
static bool next_header(jaeger_str *rest, jaeger_str delimiter, jaeger_str *ret)
{
    if (!rest->ptr)
        return false;
    const char *at = memmem(rest->ptr, rest->len, delimiter.ptr, delimiter.len);
    *ret = (jaeger_str){rest->ptr, at ? (size_t)(at - rest->ptr) : rest->len};
    *rest = at ? jg_str_skip(*rest, ret->len + delimiter.len) : (jaeger_str){0};
    return true;
}

static const char *read_row(row *r, jaeger_str headers, jaeger_str delimiter, jg_buf *out)
{
    jaeger_str name;
    bool more = true;
    if (r->quotes && (skip_breaks(r), !r->rest.len))
        return "no line";
    while (more) {
        const char *fault = read_field(r, &more);
        if (fault)
            return fault;
        if (!next_header(&headers, delimiter, &name))
            return "more fields than headers";
        jg_ottl_value value = jg_ottl_of_str(jg_buf_view(&r->field));
        if (!value.u.s.ptr)
            value.u.s = JAEGER_STR("");
        jg_ottl_put_entry(out, name, &value);
    }
    out->failed |= r->field.failed;
    return headers.ptr ? "fewer fields than headers" : NULL;
}

static bool is_one_character(jaeger_str s)
{
    return s.len && jg_utf8_step((const uint8_t *)s.ptr, s.len) == s.len;
}

static bool parse_csv(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    row r = {.delimiter = JAEGER_STR(","), .field = JG_BUF_INIT(JG_OTTL_VALUE_BYTES_MAX)};
    jaeger_str headers, mode = JAEGER_STR("strict");
    if (!jg_ottl_arg_str(e, call, 0, &r.rest) || !jg_ottl_arg_str(e, call, 1, &headers) ||
        (!jg_ottl_arg_is_absent(call, 2) && !jg_ottl_arg_str(e, call, 2, &r.delimiter)))
        return false;
    jaeger_str between = r.delimiter;
    if ((!jg_ottl_arg_is_absent(call, 3) && !jg_ottl_arg_str(e, call, 3, &between)) ||
        (!jg_ottl_arg_is_absent(call, 4) && !jg_ottl_arg_str(e, call, 4, &mode)))
        return false;
    r.lazy = jg_str_is(mode, "lazyQuotes");
    r.quotes = r.lazy || jg_str_is(mode, "strict");
    if (!r.quotes && !jg_str_is(mode, "ignoreQuotes"))
        return jg_ottl_fail(e, "ParseCSV: the mode must be strict, lazyQuotes or ignoreQuotes");
    if (!is_one_character(r.delimiter) || !is_one_character(between))
        return jg_ottl_fail(e, "ParseCSV: a delimiter must be a single character");
    if (!headers.len)
        return jg_ottl_fail(e, "ParseCSV: headers must not be empty");
    jg_buf out = JG_BUF_INIT(JG_OTTL_VALUE_BYTES_MAX);
    const char *fault = read_row(&r, headers, between, &out);
    jg_buf_done(&r.field);
    if (!fault)
        return jg_ottl_finish(e, &out, JG_OTTL_MAP, ret);
    jg_buf_done(&out);
    return jg_ottl_fail(e, "ParseCSV: %s", fault);
}

const jg_ottl_fn jg_ottl_csv_fns[] = {
    {"ParseCSV", "target,headers,delimiter?,header_delimiter?,mode?", parse_csv, 0}, {0}};
