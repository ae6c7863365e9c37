/* SPDX-License-Identifier: Apache-2.0
 * From a pattern to a tree. See nfa.h for what is known.
 */
#include "core/arena.h"
#include "core/err.h"
#include "core/str.h"
#include "model/nfa_impl.h"

typedef struct parser {
    jaeger_str in;
    size_t at;
    jaeger_arena *arena;
    jaeger_error *err;
    unsigned depth;
    bool fold, dot_all, multi_line; /* flags in force */
} parser;

/** A set under construction. */
typedef struct set {
    jg_rune_range *items;
    size_t count, cap;
} set;

static jaeger_status fault(parser *p, const char *what)
{
    return jg_fail(p->err, JAEGER_INVALID_ARGUMENT, "invalid regular expression: %s", what);
}

static int peek(const parser *p, size_t ahead)
{
    return p->at + ahead < p->in.len ? (uint8_t)p->in.ptr[p->at + ahead] : -1;
}

static bool take(parser *p, const char *text)
{
    if (!jg_str_starts(jg_str_skip(p->in, p->at), jg_str(text)))
        return false;
    p->at += strlen(text);
    return true;
}

static jg_nfa_node *node(parser *p, jg_nfa_op op)
{
    jg_nfa_node *n = jg_arena_zalloc(p->arena, sizeof *n);
    if (n)
        n->op = op;
    return n;
}

static void add_child(jg_nfa_node *parent, jg_nfa_node *child)
{
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
}

/* ---- sets ---- */

static jaeger_status add_range(parser *p, set *s, uint32_t low, uint32_t high)
{
    jg_rune_range *grown = jg_arena_grow(p->arena, s->items, s->count, &s->cap, sizeof *grown);
    if (!grown)
        return jg_fail_oom(p->err);
    s->items = grown;
    grown[s->count++] = (jg_rune_range){low, high};
    return JAEGER_OK;
}

static jaeger_status add_folded(parser *p, set *s, uint32_t low, uint32_t high)
{
    JG_TRY(add_range(p, s, low, high));
    if (!p->fold)
        return JAEGER_OK;
    uint32_t a = JG_MAX(low, 'a'), z = JG_MIN(high, 'z');
    if (a <= z)
        JG_TRY(add_range(p, s, a - 32, z - 32));
    a = JG_MAX(low, 'A'), z = JG_MIN(high, 'Z');
    return a <= z ? add_range(p, s, a + 32, z + 32) : JAEGER_OK;
}

/** Sort, join, and with `negate` turn into the opposite. */
static jaeger_status normalize(parser *p, set *s, bool negate)
{
    for (size_t i = 1; i < s->count; i++) {
        jg_rune_range r = s->items[i];
        size_t j = i;
        for (; j > 0 && s->items[j - 1].low > r.low; j--)
            s->items[j] = s->items[j - 1];
        s->items[j] = r;
    }
    set out = {0};
    uint32_t next = 0; /* the first rune not yet decided */
    for (size_t i = 0; i < s->count; i++) {
        jg_rune_range r = s->items[i];
        if (negate && r.low > next)
            JG_TRY(add_range(p, &out, next, r.low - 1));
        if (!negate && out.count && r.low <= out.items[out.count - 1].high + 1)
            out.items[out.count - 1].high = JG_MAX(out.items[out.count - 1].high, r.high);
        else if (!negate)
            JG_TRY(add_range(p, &out, r.low, r.high));
        next = JG_MAX(next, r.high + 1);
    }
    if (negate && next <= JG_NFA_RUNE_MAX)
        JG_TRY(add_range(p, &out, next, JG_NFA_RUNE_MAX));
    *s = out;
    return JAEGER_OK;
}

/** Ranges as pairs of characters in a text. */
static jaeger_status add_pairs(parser *p, set *s, const char *pairs, bool negate)
{
    set own = {0};
    for (; *pairs; pairs += 2)
        JG_TRY(add_range(p, &own, (uint8_t)pairs[0], (uint8_t)pairs[1]));
    JG_TRY(normalize(p, &own, negate));
    for (size_t i = 0; i < own.count; i++)
        JG_TRY(add_range(p, s, own.items[i].low, own.items[i].high));
    return JAEGER_OK;
}

static const char *class_letter(int c)
{
    switch (c) {
    case 'd':
    case 'D':
        return "09";
    case 'w':
    case 'W':
        return "09AZ__az";
    case 's':
    case 'S':
        return "\t\n\f\r  ";
    default:
        return NULL;
    }
}

static const char *class_name(jaeger_str name)
{
    static const struct {
        const char *name, *pairs;
    } all[] = {{"alnum", "09AZaz"},   {"alpha", "AZaz"},   {"ascii", "\001\177"},
               {"blank", "\t\t  "},   {"digit", "09"},     {"cntrl", "\001\037\177\177"},
               {"graph", "!~"},       {"lower", "az"},     {"print", " ~"},
               {"punct", "!/:@[`{~"}, {"space", "\t\r  "}, {"upper", "AZ"},
               {"word", "09AZ__az"},  {"xdigit", "09AFaf"}};
    for (size_t i = 0; i < JG_COUNT(all); i++)
        if (jg_str_is(name, all[i].name))
            return all[i].pairs;
    return NULL;
}

/* ---- characters ---- */

static uint32_t rune_here(parser *p)
{
    const uint8_t *s = (const uint8_t *)p->in.ptr + p->at;
    size_t n = jg_utf8_step(s, p->in.len - p->at);
    if (n <= 1) {
        p->at++;
        return n ? s[0] : 0xfffd;
    }
    uint32_t rune = s[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++)
        rune = rune << 6 | (s[i] & 0x3f);
    p->at += n;
    return rune;
}

static int hex_digit(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static jaeger_status hex_escape(parser *p, uint32_t *ret)
{
    bool braced = take(p, "{");
    uint32_t value = 0;
    int digit, count = 0;
    while ((digit = hex_digit(peek(p, 0))) >= 0 && count < (braced ? 6 : 2)) {
        value = value * 16 + (uint32_t)digit;
        p->at++;
        count++;
    }
    if (count < (braced ? 1 : 2) || (braced && !take(p, "}")) || value > JG_NFA_RUNE_MAX)
        return fault(p, "invalid escape \\x");
    *ret = value;
    return JAEGER_OK;
}

/** The character after a backslash. */
static jaeger_status escaped_rune(parser *p, uint32_t *ret)
{
    static const char from[] = "tnrfva", to[] = "\t\n\r\f\v\a";
    int c = peek(p, 0);
    const char *at = c > 0 ? strchr(from, c) : NULL;
    if (c < 0)
        return fault(p, "trailing backslash");
    if (at && *at) {
        p->at++;
        *ret = (uint8_t)to[at - from];
        return JAEGER_OK;
    }
    if (c == 'x') {
        p->at++;
        return hex_escape(p, ret);
    }
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
        return fault(p, c == 'p' || c == 'P' ? "Unicode classes are not supported" : "invalid escape");
    *ret = rune_here(p);
    return JAEGER_OK;
}

static jaeger_status set_node(parser *p, set *s, bool negate, jg_nfa_node **ret)
{
    JG_TRY(normalize(p, s, negate));
    jg_nfa_node *n = node(p, JG_NFA_SET);
    if (!n)
        return jg_fail_oom(p->err);
    n->ranges = s->items;
    n->range_count = (uint32_t)s->count;
    *ret = n;
    return JAEGER_OK;
}

static jaeger_status rune_node(parser *p, uint32_t rune, jg_nfa_node **ret)
{
    set s = {0};
    JG_TRY(add_folded(p, &s, rune, rune));
    return set_node(p, &s, false, ret);
}

static jaeger_status assert_node(parser *p, jg_nfa_assert what, jg_nfa_node **ret)
{
    *ret = node(p, JG_NFA_ASSERT);
    if (!*ret)
        return jg_fail_oom(p->err);
    (*ret)->what = what;
    return JAEGER_OK;
}

/* ---- brackets ---- */

/** [:name:] or [:^name:]; the "[:" was read. */
static jaeger_status named_class(parser *p, set *s)
{
    bool negate = take(p, "^");
    jaeger_str rest = jg_str_skip(p->in, p->at), name = {rest.ptr, jg_str_find(rest, ':')};
    const char *pairs = class_name(name);
    p->at += name.len;
    if (!pairs || !take(p, ":]"))
        return fault(p, "unknown character class");
    return add_pairs(p, s, pairs, negate);
}

static jaeger_status bracket_rune(parser *p, uint32_t *ret)
{
    if (take(p, "\\"))
        return escaped_rune(p, ret);
    *ret = rune_here(p);
    return JAEGER_OK;
}

static jaeger_status bracket_item(parser *p, set *s)
{
    uint32_t low, high;
    if (take(p, "[:"))
        return named_class(p, s);
    const char *pairs = peek(p, 0) == '\\' ? class_letter(peek(p, 1)) : NULL;
    if (pairs) {
        int letter = peek(p, 1);
        p->at += 2;
        return add_pairs(p, s, pairs, letter < 'a');
    }
    JG_TRY(bracket_rune(p, &low));
    high = low;
    if (peek(p, 0) == '-' && peek(p, 1) != ']' && peek(p, 1) >= 0) {
        p->at++;
        JG_TRY(bracket_rune(p, &high));
    }
    if (high < low)
        return fault(p, "range out of order");
    return add_folded(p, s, low, high);
}

static jaeger_status bracket(parser *p, jg_nfa_node **ret)
{
    set s = {0};
    bool negate = take(p, "^");
    for (bool first = true; first || peek(p, 0) != ']'; first = false) {
        if (peek(p, 0) < 0)
            return fault(p, "missing ]");
        JG_TRY(bracket_item(p, &s));
    }
    p->at++;
    return set_node(p, &s, negate, ret);
}

/* ---- groups and repetitions ---- */

static jaeger_status alternatives(parser *p, jg_nfa_node **ret);

/** The flags of (?flags) or (?flags:; "(?" was read. */
static jaeger_status read_flags(parser *p, bool *ret_has_body)
{
    for (bool on = true;; p->at++) {
        int c = peek(p, 0);
        if (c == 'i')
            p->fold = on;
        else if (c == 's')
            p->dot_all = on;
        else if (c == 'm')
            p->multi_line = on;
        else if (c == '-' && on)
            on = false;
        else if (c == ':' || c == ')') {
            *ret_has_body = c == ':';
            p->at++;
            return JAEGER_OK;
        } else if (c != 'U') { /* lazy or greedy: the answer is the same */
            return fault(p, "unsupported group");
        }
    }
}

static jaeger_status skip_group_name(parser *p)
{
    jaeger_str rest = jg_str_skip(p->in, p->at);
    size_t n = jg_str_find(rest, '>');
    if (n == 0 || n == rest.len)
        return fault(p, "invalid group name");
    p->at += n + 1;
    return JAEGER_OK;
}

/** The "(" was read. @param ret NULL inside: flags only, nothing to match */
static jaeger_status group(parser *p, jg_nfa_node **ret)
{
    parser outer = *p;
    bool has_body = true;
    if (take(p, "?P<") ||
        (peek(p, 0) == '?' && peek(p, 1) == '<' && peek(p, 2) != '=' && peek(p, 2) != '!' && take(p, "?<")))
        JG_TRY(skip_group_name(p));
    else if (take(p, "?"))
        JG_TRY(read_flags(p, &has_body));
    if (!has_body) {
        *ret = node(p, JG_NFA_EMPTY);
        return *ret ? JAEGER_OK : jg_fail_oom(p->err);
    }
    if (++p->depth > JG_NFA_DEPTH_MAX)
        return fault(p, "too many nested groups");
    JG_TRY(alternatives(p, ret));
    if (!take(p, ")"))
        return fault(p, "missing )");
    p->depth--;
    p->fold = outer.fold;
    p->dot_all = outer.dot_all;
    p->multi_line = outer.multi_line;
    return JAEGER_OK;
}

static jaeger_status quoted(parser *p, jg_nfa_node **ret)
{
    *ret = node(p, JG_NFA_CAT);
    if (!*ret)
        return jg_fail_oom(p->err);
    while (p->at < p->in.len && !take(p, "\\E")) {
        jg_nfa_node *one;
        JG_TRY(rune_node(p, rune_here(p), &one));
        add_child(*ret, one);
    }
    return JAEGER_OK;
}

static jaeger_status escape(parser *p, jg_nfa_node **ret)
{
    set s = {0};
    uint32_t rune;
    int c = peek(p, 0);
    const char *pairs = class_letter(c);
    if (pairs) {
        p->at++;
        JG_TRY(add_pairs(p, &s, pairs, c < 'a'));
        return set_node(p, &s, false, ret);
    }
    if (take(p, "A"))
        return assert_node(p, JG_NFA_TEXT_BEGIN, ret);
    if (take(p, "z"))
        return assert_node(p, JG_NFA_TEXT_END, ret);
    if (take(p, "b"))
        return assert_node(p, JG_NFA_WORD_EDGE, ret);
    if (take(p, "B"))
        return assert_node(p, JG_NFA_NO_WORD_EDGE, ret);
    if (take(p, "Q"))
        return quoted(p, ret);
    JG_TRY(escaped_rune(p, &rune));
    return rune_node(p, rune, ret);
}

static jaeger_status any_rune(parser *p, jg_nfa_node **ret)
{
    set s = {0};
    if (!p->dot_all)
        JG_TRY(add_range(p, &s, '\n', '\n'));
    return set_node(p, &s, true, ret);
}

static jaeger_status atom(parser *p, jg_nfa_node **ret)
{
    if (take(p, "("))
        return group(p, ret);
    if (take(p, "["))
        return bracket(p, ret);
    if (take(p, "."))
        return any_rune(p, ret);
    if (take(p, "^"))
        return assert_node(p, p->multi_line ? JG_NFA_LINE_BEGIN : JG_NFA_TEXT_BEGIN, ret);
    if (take(p, "$"))
        return assert_node(p, p->multi_line ? JG_NFA_LINE_END : JG_NFA_TEXT_END, ret);
    if (take(p, "\\"))
        return escape(p, ret);
    int c = peek(p, 0);
    if (c == '*' || c == '+' || c == '?')
        return fault(p, "nothing to repeat");
    return rune_node(p, rune_here(p), ret);
}

/** Digits at `*at`. @return false: none */
static bool number(const parser *p, size_t *at, int32_t *ret)
{
    size_t begin = *at;
    int64_t value = 0;
    for (; *at < p->in.len && p->in.ptr[*at] >= '0' && p->in.ptr[*at] <= '9'; (*at)++)
        value = JG_MIN(value * 10 + (p->in.ptr[*at] - '0'), 1000000);
    *ret = (int32_t)value;
    return *at > begin;
}

/** {n}, {n,} or {n,m}; anything else that begins with a brace is literal. */
static bool counted(parser *p, int32_t *min, int32_t *max)
{
    size_t at = p->at + 1;
    if (peek(p, 0) != '{' || !number(p, &at, min))
        return false;
    *max = *min;
    if (at < p->in.len && p->in.ptr[at] == ',') {
        at++;
        if (!number(p, &at, max))
            *max = -1;
    }
    if (at >= p->in.len || p->in.ptr[at] != '}')
        return false;
    p->at = at + 1;
    return true;
}

static jaeger_status repeated(parser *p, jg_nfa_node **ret)
{
    JG_TRY(atom(p, ret));
    for (unsigned times = 0;; times++) {
        int32_t min = 0, max = -1;
        if (take(p, "+"))
            min = 1;
        else if (take(p, "?"))
            max = 1;
        else if (!take(p, "*") && !counted(p, &min, &max))
            return JAEGER_OK;
        if (min > JG_NFA_REPEAT_MAX || max > JG_NFA_REPEAT_MAX || (max >= 0 && max < min))
            return fault(p, "invalid repeat count");
        if (times)
            return fault(p, "nested repetition");
        (void)take(p, "?");
        jg_nfa_node *n = node(p, JG_NFA_REPEAT);
        if (!n)
            return jg_fail_oom(p->err);
        n->min = min;
        n->max = max;
        add_child(n, *ret);
        *ret = n;
    }
}

static jaeger_status sequence(parser *p, jg_nfa_node **ret)
{
    jg_nfa_node *one;
    *ret = node(p, JG_NFA_CAT);
    if (!*ret)
        return jg_fail_oom(p->err);
    while (p->at < p->in.len && peek(p, 0) != '|' && peek(p, 0) != ')') {
        JG_TRY(repeated(p, &one));
        add_child(*ret, one);
    }
    return JAEGER_OK;
}

static jaeger_status alternatives(parser *p, jg_nfa_node **ret)
{
    jg_nfa_node *one, *all;
    JG_TRY(sequence(p, ret));
    if (peek(p, 0) != '|')
        return JAEGER_OK;
    all = node(p, JG_NFA_ALT);
    if (!all)
        return jg_fail_oom(p->err);
    add_child(all, *ret);
    while (take(p, "|")) {
        JG_TRY(sequence(p, &one));
        add_child(all, one);
    }
    *ret = all;
    return JAEGER_OK;
}

jaeger_status jg_nfa_parse(jaeger_str pattern, jaeger_arena *arena, jg_nfa_node **ret, size_t *ret_at,
                           jaeger_error *err)
{
    parser p = {.in = pattern, .arena = arena, .err = err};
    jaeger_status status = pattern.len > JG_NFA_PATTERN_BYTES_MAX ? fault(&p, "too long") : JAEGER_OK;
    if (status == JAEGER_OK)
        status = alternatives(&p, ret);
    if (status == JAEGER_OK && p.at < pattern.len)
        status = fault(&p, "unexpected )");
    *ret_at = JG_MIN(p.at, pattern.len);
    return status;
}
