/* SPDX-License-Identifier: Apache-2.0
 * Functions on text. Cases are those of ASCII; other letters stay. Spec: opentelemetry-collector-contrib
 * pkg/ottl/ottlfuncs/README.md.
 */
#include "core/arena.h"
#include "core/str.h"
#include "ottl/node.h"

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char to_case(char c, bool upper)
{
    if (upper ? is_lower(c) : is_upper(c))
        return (char)(c ^ 0x20);
    return c;
}

/* Position of `part` in `text`, or text.len + 1. */
static size_t find(jaeger_str text, jaeger_str part)
{
    const char *at = part.len ? memmem(text.ptr, text.len, part.ptr, part.len) : text.ptr;
    return at ? (size_t)(at - text.ptr) : text.len + 1;
}

static bool is_match(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jaeger_str text, pattern;
    if (!jg_ottl_arg_text(e, call, 0, &text))
        return false;
    *ret = jg_ottl_of_bool(false);
    if (call->regex) {
        ret->u.b = text.ptr && jg_regex_match(call->regex, text, NULL);
        return true;
    }
    jg_regex regex;
    if (!jg_ottl_arg_str(e, call, 1, &pattern) ||
        jg_regex_compile(&regex, pattern, e->arena, e->err) != JAEGER_OK)
        return false;
    ret->u.b = text.ptr && jg_regex_match(&regex, text, NULL);
    jg_regex_done(&regex);
    return true;
}

static bool two_texts(jg_ottl_eval *e, const jg_ottl_node *call, jaeger_str *a, jaeger_str *b)
{
    return jg_ottl_arg_str(e, call, 0, a) && jg_ottl_arg_str(e, call, 1, b);
}

static jaeger_str tail(jaeger_str s, size_t n)
{
    return (jaeger_str){s.ptr + (s.len - n), n};
}

static bool has_prefix(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jaeger_str text, part;
    if (!two_texts(e, call, &text, &part))
        return false;
    *ret = jg_ottl_of_bool(jg_str_starts(text, part));
    return true;
}

static bool has_suffix(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jaeger_str text, part;
    if (!two_texts(e, call, &text, &part))
        return false;
    *ret = jg_ottl_of_bool(part.len <= text.len && jg_str_eq(tail(text, part.len), part));
    return true;
}

static bool trim_prefix(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jaeger_str text, part;
    if (!two_texts(e, call, &text, &part))
        return false;
    *ret = jg_ottl_of_str(jg_str_starts(text, part) ? jg_str_skip(text, part.len) : text);
    return true;
}

static bool trim_suffix(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jaeger_str text, part;
    if (!two_texts(e, call, &text, &part))
        return false;
    if (part.len <= text.len && jg_str_eq(tail(text, part.len), part))
        text.len -= part.len;
    *ret = jg_ottl_of_str(text);
    return true;
}

static bool trim(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jaeger_str text, set = JAEGER_STR(" ");
    if (!jg_ottl_arg_str(e, call, 0, &text) ||
        (!jg_ottl_arg_is_absent(call, 1) && !jg_ottl_arg_str(e, call, 1, &set)))
        return false;
    while (text.len && set.len && memchr(set.ptr, text.ptr[0], set.len))
        text = jg_str_skip(text, 1);
    while (text.len && set.len && memchr(set.ptr, text.ptr[text.len - 1], set.len))
        text.len--;
    *ret = jg_ottl_of_str(text);
    return true;
}

static bool concat(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jaeger_str delimiter, text;
    jg_ottl_value list, item;
    if (!jg_ottl_arg_str(e, call, 1, &delimiter) || !jg_ottl_arg_of(e, call, 0, JG_OTTL_LIST, &list))
        return false;
    jg_buf out = JG_BUF_INIT(JG_OTTL_VALUE_BYTES_MAX);
    bool first = true;
    for (jaeger_iter it = list.u.it; jg_ottl_next(&it, &item); first = false) {
        if (!first)
            jg_buf_str(&out, delimiter);
        if (!jg_ottl_text(e, &item, &text)) {
            jg_buf_done(&out);
            return false;
        }
        jg_buf_str(&out, text.ptr ? text : JAEGER_STR("<nil>"));
    }
    return jg_ottl_finish(e, &out, JG_OTTL_STRING, ret);
}

/* An empty delimiter splits after each character. */
static bool split(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jaeger_str text, delimiter;
    if (!two_texts(e, call, &text, &delimiter))
        return false;
    jg_buf out = JG_BUF_INIT(JG_OTTL_VALUE_BYTES_MAX);
    while (delimiter.len == 0 && text.len) {
        size_t n = jg_utf8_step((const uint8_t *)text.ptr, text.len);
        jg_ottl_value item = jg_ottl_of_str((jaeger_str){text.ptr, n ? n : 1});
        jg_ottl_put_item(&out, &item);
        text = jg_str_skip(text, item.u.s.len);
    }
    while (delimiter.len) {
        size_t at = find(text, delimiter);
        jg_ottl_value item = jg_ottl_of_str((jaeger_str){text.ptr, JG_MIN(at, text.len)});
        jg_ottl_put_item(&out, &item);
        if (at > text.len)
            break;
        text = jg_str_skip(text, at + delimiter.len);
    }
    return jg_ottl_finish(e, &out, JG_OTTL_LIST, ret);
}

static bool substring(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jaeger_str text;
    int64_t start, length;
    jg_ottl_value whole = jg_ottl_of_bool(false);
    if (!jg_ottl_arg_int(e, call, 1, &start) || !jg_ottl_arg_int(e, call, 2, &length) ||
        !jg_ottl_arg_str(e, call, 0, &text) ||
        (!jg_ottl_arg_is_absent(call, 3) && !jg_ottl_arg_of(e, call, 3, JG_OTTL_BOOL, &whole)))
        return false;
    if (start < 0 || length <= 0 || (uint64_t)start > text.len ||
        (uint64_t)length > text.len - (uint64_t)start)
        return jg_ottl_fail(e, "invalid range for substring function, start(%lld)+length(%lld) of %zu bytes",
                            (long long)start, (long long)length, text.len);
    size_t from = (size_t)start, to = from + (size_t)length;
    while (whole.u.b && from < text.len && (text.ptr[from] & 0xc0) == 0x80)
        from++;
    while (whole.u.b && from < to && to < text.len && (text.ptr[to] & 0xc0) == 0x80)
        to--;
    *ret = jg_ottl_of_str((jaeger_str){text.ptr + from, JG_MAX(from, to) - from});
    return true;
}

/* ---- cases ---- */

static bool with_case(jg_ottl_eval *e, jaeger_str text, bool upper, jg_ottl_value *ret)
{
    char *copy = jaeger_arena_alloc(e->arena, text.len + 1);
    if (!copy)
        return jg_ottl_fail(e, "out of memory");
    for (size_t i = 0; i < text.len; i++)
        copy[i] = to_case(text.ptr[i], upper);
    *ret = jg_ottl_of_str((jaeger_str){copy, text.len});
    return true;
}

/* someName, SomeHTTPName -> some_name, some_http_name */
static bool snake(jg_ottl_eval *e, jaeger_str text, jg_ottl_value *ret)
{
    jg_buf out = JG_BUF_INIT(JG_OTTL_VALUE_BYTES_MAX);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i], next = i + 1 < text.len ? text.ptr[i + 1] : 0;
        if (c == ' ' || c == '-' || c == '.' || c == '_') {
            jg_buf_byte(&out, '_');
            continue;
        }
        jg_buf_byte(&out, (uint8_t)to_case(c, false));
        bool border = (is_upper(next) && (is_lower(c) || is_digit(c))) || (is_digit(next) && !is_digit(c)) ||
                      (is_digit(c) && is_lower(next)) ||
                      (is_upper(c) && is_upper(next) && i + 2 < text.len && is_lower(text.ptr[i + 2]));
        if (border && next)
            jg_buf_byte(&out, '_');
    }
    return jg_ottl_finish(e, &out, JG_OTTL_STRING, ret);
}

/* some_name -> SomeName */
static bool camel(jg_ottl_eval *e, jaeger_str text, jg_ottl_value *ret)
{
    jg_buf out = JG_BUF_INIT(JG_OTTL_VALUE_BYTES_MAX);
    bool up = true;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == ' ' || c == '-' || c == '.' || c == '_') {
            up = true;
            continue;
        }
        jg_buf_byte(&out, (uint8_t)(up ? to_case(c, true) : c));
        up = is_digit(c);
    }
    return jg_ottl_finish(e, &out, JG_OTTL_STRING, ret);
}

static bool to_lower(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jaeger_str text;
    return jg_ottl_arg_str(e, call, 0, &text) && with_case(e, text, false, ret);
}

static bool to_upper(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jaeger_str text;
    return jg_ottl_arg_str(e, call, 0, &text) && with_case(e, text, true, ret);
}

static bool to_snake(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jaeger_str text;
    return jg_ottl_arg_str(e, call, 0, &text) && snake(e, text, ret);
}

static bool to_camel(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jaeger_str text;
    return jg_ottl_arg_str(e, call, 0, &text) && camel(e, text, ret);
}

static bool convert_case(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jaeger_str text, to;
    if (!two_texts(e, call, &text, &to))
        return false;
    if (jg_str_is(to, "lower") || jg_str_is(to, "upper"))
        return with_case(e, text, jg_str_is(to, "upper"), ret);
    if (jg_str_is(to, "snake"))
        return snake(e, text, ret);
    if (jg_str_is(to, "camel"))
        return camel(e, text, ret);
    return jg_ottl_fail(e, "invalid case: %.*s, allowed cases are: lower, upper, snake, camel",
                        (int)JG_MIN(to.len, 32), to.ptr);
}

/* ---- verbs and patterns ---- */

static bool extract_patterns(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jaeger_str text, groups[JG_REGEX_GROUPS_MAX];
    if (!jg_ottl_arg_str(e, call, 0, &text))
        return false;
    if (!call->regex)
        return jg_ottl_fail(e, "ExtractPatterns: the pattern must be a literal");
    jg_buf out = JG_BUF_INIT(JG_OTTL_VALUE_BYTES_MAX);
    if (jg_regex_match(call->regex, text, groups)) {
        for (size_t i = 0; i < call->regex->groups; i++) {
            jg_ottl_value value = jg_ottl_of_str(groups[i].ptr ? groups[i] : JAEGER_STR(""));
            if (call->regex->names[i].len)
                jg_ottl_put_entry(&out, call->regex->names[i], &value);
        }
    }
    return jg_ottl_finish(e, &out, JG_OTTL_MAP, ret);
}

/* Luhn's sum over digits; blanks are skipped. */
static bool is_valid_luhn(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jaeger_str text;
    if (!jg_ottl_arg_text(e, call, 0, &text))
        return false;
    unsigned sum = 0, digits = 0;
    bool valid = text.ptr != NULL;
    for (size_t i = text.len; i-- > 0 && valid;) {
        if (text.ptr[i] == ' ')
            continue;
        valid = is_digit(text.ptr[i]);
        unsigned d = (unsigned)(text.ptr[i] - '0') * (digits++ % 2 ? 2 : 1);
        sum += d > 9 ? d - 9 : d;
    }
    *ret = jg_ottl_of_bool(valid && digits && sum % 10 == 0);
    return true;
}

const jg_ottl_fn jg_ottl_text_fns[] = {{"IsMatch", "target,pattern", is_match, 2},
                                       {"HasPrefix", "target,prefix", has_prefix, 0},
                                       {"HasSuffix", "target,suffix", has_suffix, 0},
                                       {"Trim", "target,replacement?", trim, 0},
                                       {"TrimPrefix", "target,prefix", trim_prefix, 0},
                                       {"TrimSuffix", "target,suffix", trim_suffix, 0},
                                       {"Concat", "vals,delimiter", concat, 0},
                                       {"Split", "target,delimiter", split, 0},
                                       {"Substring", "target,start,length,utf8_safe?", substring, 0},
                                       {"ConvertCase", "target,to_case", convert_case, 0},
                                       {"ToLowerCase", "target", to_lower, 0},
                                       {"ToUpperCase", "target", to_upper, 0},
                                       {"ToSnakeCase", "target", to_snake, 0},
                                       {"ToCamelCase", "target", to_camel, 0},
                                       {"ExtractPatterns", "target,pattern", extract_patterns, 2},
                                       {"IsValidLuhn", "target", is_valid_luhn, 0},
                                       {0}};
