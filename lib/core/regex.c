/* SPDX-License-Identifier: Apache-2.0
 * See regex.h.
 */
#include "core/regex.h"

#include "core/alloc.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/str.h"

#define PATTERN_BYTES_MAX 4096 /* a pattern is written by hand */
#define SMALL_TEXT_BYTES  1024 /* most names and values; longer ones are copied to the heap */

typedef struct translator {
    jaeger_str in;
    size_t at;
    jg_buf out;
    jg_regex *regex;
    jaeger_arena *arena;
    jaeger_error *err;
    bool dot_all;
} translator;

static jaeger_status refuse(translator *t, const char *what)
{
    return jg_fail(t->err, JAEGER_INVALID_ARGUMENT, "invalid pattern \"%.*s\": %s (at %zu)",
                   JAEGER_STR_ARGS(t->in), what, t->at);
}

static int peek(const translator *t, size_t ahead)
{
    return t->at + ahead < t->in.len ? (uint8_t)t->in.ptr[t->at + ahead] : -1;
}

/* The members of a class letter, as a bracket expression holds them; NULL: no class. */
static const char *class_of(int letter)
{
    switch (letter) {
    case 'd':
    case 'D':
        return "0-9";
    case 'w':
    case 'W':
        return "0-9A-Za-z_";
    case 's':
    case 'S':
        return "\t\n\f\r ";
    default:
        return NULL;
    }
}

/* The byte of an escape such as \t or \x41, after the backslash; -1: none. Moves on. */
static int escaped_byte(translator *t)
{
    static const char from[] = "tnrfva", to[] = "\t\n\r\f\v\a";
    int c = peek(t, 0);
    uint8_t byte;
    if (c == 'x' && t->at + 2 < t->in.len &&
        jg_hex_decode((jaeger_str){t->in.ptr + t->at + 1, 2}, &byte, 1) && byte) {
        t->at += 3;
        return byte;
    }
    const char *found = c > 0 ? strchr(from, c) : NULL;
    bool word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (c <= 0 || (!found && word))
        return -1;
    t->at++;
    return found ? to[found - from] : c;
}

static void put_literal(translator *t, int byte)
{
    if (strchr("\\^$.[]|()*+?{}", byte))
        jg_buf_byte(&t->out, '\\');
    jg_buf_byte(&t->out, (uint8_t)byte);
}

static jaeger_status translate_escape(translator *t)
{
    int c = peek(t, 1);
    const char *members = class_of(c);
    t->at++;
    if (members) {
        jg_buf_printf(&t->out, "[%s%s]", c >= 'a' ? "" : "^", members);
        t->at++;
    } else if (c == 'b' || c == 'B') {
        jg_buf_printf(&t->out, "\\%c", c);
        t->at++;
    } else if (c == 'A' || c == 'z') {
        jg_buf_byte(&t->out, c == 'A' ? '^' : '$');
        t->at++;
    } else {
        int byte = escaped_byte(t);
        if (byte < 0)
            return refuse(t, "unsupported escape sequence");
        put_literal(t, byte);
    }
    return JAEGER_OK;
}

/* One member of a bracket expression: a range end, a class or a byte. @return -1 after a class, -2: refused
 */
static int read_member(translator *t, jg_buf *set)
{
    int c = peek(t, 0);
    if (c == '[' && peek(t, 1) == ':') {
        size_t end = t->at + 2;
        while (end + 1 < t->in.len && !(t->in.ptr[end] == ':' && t->in.ptr[end + 1] == ']'))
            end++;
        if (end + 1 >= t->in.len)
            return -2;
        jg_buf_append(set, t->in.ptr + t->at, end + 2 - t->at);
        t->at = end + 2;
        return -1;
    }
    if (c != '\\') {
        t->at++;
        return c;
    }
    const char *members = class_of(peek(t, 1));
    if (members && peek(t, 1) >= 'a') {
        jg_buf_str(set, jg_str(members));
        t->at += 2;
        return -1;
    }
    t->at++;
    int byte = escaped_byte(t);
    return byte < 0 ? -2 : byte;
}

/* In a POSIX bracket no byte is escaped: "]" stands first, "-" last, "^" not first. */
static jaeger_status translate_bracket(translator *t)
{
    JG_AUTO_BUF jg_buf set = JG_BUF_INIT(PATTERN_BYTES_MAX);
    bool negated = peek(t, 1) == '^', bracket = false, minus = false, caret = false, first = true;
    t->at += negated ? 2 : 1;
    for (; peek(t, 0) >= 0 && (peek(t, 0) != ']' || first); first = false) {
        int low = read_member(t, &set);
        if (low == -2)
            return refuse(t, "unsupported escape sequence in brackets");
        if (low == -1)
            continue;
        if (peek(t, 0) == '-' && peek(t, 1) >= 0 && peek(t, 1) != ']') {
            t->at++;
            int high = read_member(t, &set);
            if (high < low || low == ']' || low == '[' || high == ']')
                return refuse(t, "unsupported range");
            jg_buf_printf(&set, "%c-%c", low, high);
        } else if (low == ']' || low == '-' || low == '^') {
            bracket |= low == ']';
            minus |= low == '-';
            caret |= low == '^';
        } else {
            jg_buf_byte(&set, (uint8_t)low);
        }
    }
    if (peek(t, 0) != ']')
        return refuse(t, "missing closing ]");
    t->at++;
    jg_buf_printf(&t->out, "[%s%s", negated ? "^" : "", bracket ? "]" : "");
    jg_buf_str(&t->out, jg_buf_view(&set));
    bool alone = caret && !negated && !bracket && set.len == 0; /* [^] and [^-] would negate */
    if (alone && !minus) {
        t->out.len--;
        jg_buf_lit(&t->out, "\\^");
    } else if (alone) {
        jg_buf_lit(&t->out, "-^]");
    } else {
        jg_buf_printf(&t->out, "%s%s]", caret ? "^" : "", minus ? "-" : "");
    }
    return set.failed ? jg_fail_oom(t->err) : JAEGER_OK;
}

static jaeger_status add_group(translator *t, jaeger_str name, bool counts)
{
    jg_regex *r = t->regex;
    if (r->groups == JG_REGEX_GROUPS_MAX)
        return refuse(t, "too many groups");
    r->names[r->groups] = jaeger_arena_str(t->arena, name);
    r->counts[r->groups++] = counts;
    jg_buf_byte(&t->out, '(');
    return JAEGER_OK;
}

static jaeger_status translate_group(translator *t)
{
    if (peek(t, 1) != '?') {
        t->at++;
        return add_group(t, JAEGER_STR(""), true);
    }
    if (peek(t, 2) == ':') {
        t->at += 3;
        return add_group(t, JAEGER_STR(""), false);
    }
    size_t from = peek(t, 2) == 'P' && peek(t, 3) == '<' ? 4 : peek(t, 2) == '<' ? 3 : 0;
    if (!from)
        return refuse(t, "unsupported group");
    jaeger_str name = jg_str_skip(t->in, t->at + from);
    name.len = jg_str_find(name, '>');
    if (name.len == 0 || t->at + from + name.len >= t->in.len)
        return refuse(t, "invalid named capture");
    t->at += from + name.len + 1;
    return add_group(t, name, true);
}

/* Does the character here end a repetition: * + ? or the } of {n,m}? */
static bool ends_repetition(const translator *t)
{
    int c = peek(t, 0);
    if (c != '}')
        return c == '*' || c == '+' || c == '?';
    size_t at = t->at;
    while (at > 0 && ((t->in.ptr[at - 1] >= '0' && t->in.ptr[at - 1] <= '9') || t->in.ptr[at - 1] == ','))
        at--;
    return at > 0 && at < t->at && t->in.ptr[at - 1] == '{';
}

static jaeger_status translate_one(translator *t)
{
    int c = peek(t, 0), after = peek(t, 1);
    if (ends_repetition(t) && after == '?')
        return refuse(t, "lazy quantifiers are not supported");
    if (ends_repetition(t) && (after == '*' || after == '+' || after == '{'))
        return refuse(t, "bad repetition operator"); /* as RE2 says; regcomp's memory would explode */
    switch (c) {
    case '\\':
        return translate_escape(t);
    case '[':
        return translate_bracket(t);
    case '(':
        return translate_group(t);
    case '.':
        jg_buf_str(&t->out, t->dot_all ? JAEGER_STR(".") : JAEGER_STR("[^\n]"));
        break;
    default:
        if (c == 0)
            return refuse(t, "a zero byte");
        jg_buf_byte(&t->out, (uint8_t)c);
    }
    t->at++;
    return JAEGER_OK;
}

/* "(?i)", "(?s)", "(?is)" at the start. */
static int read_flags(translator *t)
{
    int flags = REG_EXTENDED;
    size_t at = 2;
    if (peek(t, 0) != '(' || peek(t, 1) != '?')
        return flags;
    bool ignore_case = false, dot_all = false;
    for (; peek(t, at) == 'i' || peek(t, at) == 's'; at++) {
        ignore_case |= peek(t, at) == 'i';
        dot_all |= peek(t, at) == 's';
    }
    if (at == 2 || peek(t, at) != ')')
        return flags;
    t->at = at + 1;
    t->dot_all = dot_all;
    return ignore_case ? flags | REG_ICASE : flags;
}

static jaeger_status compile(translator *t, int flags)
{
    char reason[128];
    jg_buf_byte(&t->out, 0);
    if (!jg_buf_ok(&t->out))
        return refuse(t, "too long");
    int fault = regcomp(&t->regex->compiled, (const char *)t->out.data, flags);
    t->regex->ready = fault == 0;
    if (!fault)
        return JAEGER_OK;
    (void)regerror(fault, &t->regex->compiled, reason, sizeof reason);
    return refuse(t, reason);
}

jaeger_status jg_regex_compile(jg_regex *regex, jaeger_str pattern, jaeger_arena *arena, jaeger_error *err)
{
    memset(regex, 0, sizeof *regex);
    translator t = {
        .in = pattern, .out = JG_BUF_INIT(PATTERN_BYTES_MAX), .regex = regex, .arena = arena, .err = err};
    int flags = read_flags(&t);
    jaeger_status status = JAEGER_OK;
    while (t.at < t.in.len && status == JAEGER_OK)
        status = translate_one(&t);
    if (status == JAEGER_OK)
        status = compile(&t, flags);
    jg_buf_done(&t.out);
    return status;
}

void jg_regex_done(jg_regex *regex)
{
    if (regex && regex->ready)
        regfree(&regex->compiled);
    if (regex)
        regex->ready = false;
}

/* regexec wants a NUL somewhere after the text, though it does not look at it with REG_STARTEND. */
bool jg_regex_match(const jg_regex *regex, jaeger_str text, jaeger_str *ret_groups)
{
    char small[SMALL_TEXT_BYTES];
    regmatch_t matches[JG_REGEX_GROUPS_MAX + 1];
    JG_AUTO_FREE char *large = NULL;
    if (text.len > INT32_MAX || (text.len >= sizeof small && !(large = jg_strndup(text.ptr, text.len))))
        return false;
    char *bytes = large ? large : small;
    if (!large && text.len)
        memcpy(small, text.ptr, text.len);
    bytes[text.len] = 0;
    matches[0] = (regmatch_t){0, (regoff_t)text.len};
    if (regexec(&regex->compiled, bytes, ret_groups ? regex->groups + 1 : 1, matches, REG_STARTEND) != 0)
        return false;
    for (size_t i = 0; ret_groups && i < regex->groups; i++) {
        regmatch_t m = matches[i + 1];
        ret_groups[i] =
            m.rm_so < 0 ? (jaeger_str){0} : (jaeger_str){text.ptr + m.rm_so, (size_t)(m.rm_eo - m.rm_so)};
    }
    return true;
}
