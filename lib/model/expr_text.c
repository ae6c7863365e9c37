/* SPDX-License-Identifier: Apache-2.0
 * The text language of filters and the span selectors of TraceQL: one grammar, of which TraceQL is the part
 * with braces, with `.key` for attributes of any level and with patterns that match the whole value.
 * Grammar: docs/search.md.
 */
#include "core/arena.h"
#include "core/err.h"
#include "core/str.h"
#include "model/expr_build.h"

typedef enum token_type { END, WORD, TEXT, NUMBER, SIGN } token_type;

/** A word is a name as it stands; a key is split off where its last part is quoted: span."a b". */
typedef struct token {
    token_type type;
    jaeger_str text;   /* unquoted for TEXT; of WORD without the quoted part */
    jaeger_str quoted; /* ptr NULL: none */
    size_t at;
} token;

typedef struct parser {
    jg_expr_build build;
    jg_expr_dialect dialect;
    jaeger_str in;
    size_t at;
    token now;
    unsigned depth;
    bool in_set; /* inside braces */
} parser;

static jaeger_status fault_at(parser *p, size_t at, const char *what)
{
    return jg_fail(p->build.err, JAEGER_INVALID_ARGUMENT, "column %zu: %s", at + 1, what);
}

/** Put the place before a message that has none. */
static jaeger_status placed(parser *p, size_t at, jaeger_status status)
{
    return status == JAEGER_INVALID_ARGUMENT ? jg_fail_prefix(p->build.err, "column %zu", at + 1) : status;
}

/* ---- tokens ---- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool in_word(char c)
{
    return is_letter(c) || is_digit(c) || (c && strchr(".-/:@$", c));
}

static char look(const parser *p, size_t ahead)
{
    return p->at + ahead < p->in.len ? p->in.ptr[p->at + ahead] : 0;
}

/** A quoted text: "..." and '...' know \\ \" \' \n \t \r, `...` knows nothing. */
static jaeger_status read_quoted(parser *p, jaeger_str *ret)
{
    size_t begin = p->at++, n = 0;
    char quote = p->in.ptr[begin];
    char *out = jaeger_arena_alloc(p->build.arena, p->in.len - begin + 1);
    if (!out)
        return jg_fail_oom(p->build.err);
    for (; p->at < p->in.len && look(p, 0) != quote; p->at++) {
        char c = look(p, 0);
        if (c == '\\' && quote != '`') {
            p->at++;
            c = look(p, 0);
            if (c == 'n' || c == 't' || c == 'r')
                c = c == 'n' ? '\n' : c == 't' ? '\t' : '\r';
            else if (c != '\\' && c != '"' && c != '\'')
                out[n++] = '\\'; /* as in patterns: "\d" */
            if (p->at >= p->in.len)
                break;
        }
        out[n++] = c;
    }
    if (p->at >= p->in.len)
        return fault_at(p, begin, "this text does not end");
    p->at++;
    *ret = (jaeger_str){out, n};
    return JAEGER_OK;
}

static bool is_quote(char c)
{
    return c == '"' || c == '\'' || c == '`';
}

static jaeger_status read_word(parser *p)
{
    size_t begin = p->at;
    while (in_word(look(p, 0)))
        p->at++;
    p->now.type = WORD;
    p->now.text = (jaeger_str){p->in.ptr + begin, p->at - begin};
    if (is_quote(look(p, 0)) && p->in.ptr[p->at - 1] == '.')
        return read_quoted(p, &p->now.quoted);
    return JAEGER_OK;
}

static void read_number(parser *p)
{
    size_t begin = p->at++;
    for (char c; (c = look(p, 0)) != 0; p->at++) {
        bool exponent = (c == '-' || c == '+') && (p->in.ptr[p->at - 1] | 0x20) == 'e';
        if (!is_letter(c) && !is_digit(c) && c != '.' && !exponent)
            break;
    }
    p->now.type = NUMBER;
    p->now.text = (jaeger_str){p->in.ptr + begin, p->at - begin};
}

static jaeger_status read_sign(parser *p)
{
    static const char *const signs[] = {"&&", "||", "==", "!=", "<=", ">=", "=~", "!~", "=",
                                        "<",  ">",  "!",  "(",  ")",  "{",  "}",  ",",  "|"};
    for (size_t i = 0; i < JG_COUNT(signs); i++) {
        if (jg_str_starts(jg_str_skip(p->in, p->at), jg_str(signs[i]))) {
            p->now.type = SIGN;
            p->now.text = jg_str(signs[i]);
            p->at += p->now.text.len;
            return JAEGER_OK;
        }
    }
    return fault_at(p, p->at, "unexpected character");
}

/** Read the next token into p->now. */
static jaeger_status next(parser *p)
{
    while (look(p, 0) == ' ' || look(p, 0) == '\t' || look(p, 0) == '\n' || look(p, 0) == '\r')
        p->at++;
    p->now = (token){.type = END, .at = p->at};
    char c = look(p, 0);
    if (p->at >= p->in.len)
        return JAEGER_OK;
    if (is_quote(c)) {
        p->now.type = TEXT;
        return read_quoted(p, &p->now.text);
    }
    if (is_digit(c) || ((c == '-' || c == '+') && (is_digit(look(p, 1)) || look(p, 1) == '.'))) {
        read_number(p);
        return JAEGER_OK;
    }
    if (is_letter(c) || (c == '.' && (in_word(look(p, 1)) || is_quote(look(p, 1)))))
        return read_word(p);
    return read_sign(p);
}

static bool is_sign(const parser *p, const char *sign)
{
    return p->now.type == SIGN && jg_str_is(p->now.text, sign);
}

static bool is_keyword(const parser *p, const char *word)
{
    return p->now.type == WORD && !p->now.quoted.ptr && jg_str_eq_nocase(p->now.text, jg_str(word));
}

static jaeger_status expect(parser *p, const char *sign, const char *what)
{
    return is_sign(p, sign) ? next(p) : fault_at(p, p->now.at, what);
}

/* ---- references ---- */

/** Short names, and TraceQL's. */
static const struct {
    const char *word;
    jg_expr_level level;
    const char *field;
    bool traceql, text;
} names[] = {
    {"name", JG_LEVEL_SPAN, "name", true, true},
    {"kind", JG_LEVEL_SPAN, "kind", true, true},
    {"status", JG_LEVEL_SPAN, "status", true, true},
    {"duration", JG_LEVEL_SPAN, "duration", true, true},
    {"statusMessage", JG_LEVEL_SPAN, "statusMessage", true, true},
    {"service", JG_LEVEL_RESOURCE, "service", false, true},
    {"rootService", JG_LEVEL_TRACE, "rootService", false, true},
    {"rootServiceName", JG_LEVEL_TRACE, "rootService", true, true},
    {"rootName", JG_LEVEL_TRACE, "rootName", true, true},
    {"rootOperation", JG_LEVEL_TRACE, "rootName", false, true},
    {"traceDuration", JG_LEVEL_TRACE, "duration", true, true},
    {"spanCount", JG_LEVEL_TRACE, "spanCount", false, true},
    {"hasError", JG_LEVEL_TRACE, "hasError", false, true},
    {"traceID", JG_LEVEL_SPAN, "traceID", false, true},
    {"spanID", JG_LEVEL_SPAN, "spanID", false, true},
    {"startTime", JG_LEVEL_SPAN, "startTime", false, true},
    {"endTime", JG_LEVEL_SPAN, "endTime", false, true},
    {"span.name", JG_LEVEL_SPAN, "name", false, true},
    {"span.kind", JG_LEVEL_SPAN, "kind", false, true},
    {"span.status", JG_LEVEL_SPAN, "status", false, true},
    {"span.duration", JG_LEVEL_SPAN, "duration", false, true},
    {"scope.name", JG_LEVEL_SCOPE, "name", false, true},
    {"scope.version", JG_LEVEL_SCOPE, "version", false, true},
    {"event.name", JG_LEVEL_EVENT, "name", false, true},
    {"trace:rootService", JG_LEVEL_TRACE, "rootService", true, true},
    {"trace:rootName", JG_LEVEL_TRACE, "rootName", true, true},
    {"trace:duration", JG_LEVEL_TRACE, "duration", true, true},
    {"trace:id", JG_LEVEL_SPAN, "traceID", true, true},
    {"span:id", JG_LEVEL_SPAN, "spanID", true, true},
    {"span:parentID", JG_LEVEL_SPAN, "parentSpanID", true, true},
    {"event:timeSinceStart", JG_LEVEL_EVENT, "timeSinceStart", true, true},
    {"link:traceID", JG_LEVEL_LINK, "traceID", true, true},
    {"link:spanID", JG_LEVEL_LINK, "spanID", true, true},
    {"instrumentation:name", JG_LEVEL_SCOPE, "name", true, true},
    {"instrumentation:version", JG_LEVEL_SCOPE, "version", true, true},
};

static bool short_name(const parser *p, jaeger_str word, jg_expr_ref *ret)
{
    for (size_t i = 0; i < JG_COUNT(names); i++)
        if ((p->dialect == JG_EXPR_TRACEQL ? names[i].traceql : names[i].text) &&
            jg_str_is(word, names[i].word))
            return jg_expr_field_of(names[i].level, jg_str(names[i].field), ret);
    return false;
}

/** The level in front of a key: "span", "span." or "". @return false: no level */
static bool level_word(jaeger_str word, jg_expr_level *ret)
{
    return jg_expr_level_of(word, ret) ||
           (jg_str_is(word, "instrumentation") && jg_expr_level_of(JAEGER_STR("scope"), ret));
}

/** "level:field". */
static bool colon_name(jaeger_str word, jg_expr_ref *ret)
{
    jg_expr_level level;
    size_t colon = jg_str_find(word, ':');
    return colon < word.len && level_word((jaeger_str){word.ptr, colon}, &level) &&
           jg_expr_field_of(level, jg_str_skip(word, colon + 1), ret);
}

static jaeger_str join(parser *p, jaeger_str a, jaeger_str b)
{
    char *out = jaeger_arena_alloc(p->build.arena, a.len + b.len + 1);
    if (!out)
        return (jaeger_str){0};
    memcpy(out, a.ptr, a.len);
    memcpy(out + a.len, b.ptr, b.len);
    return (jaeger_str){out, a.len + b.len};
}

/** The token that stands in p->now as a reference. @param ret_known whether it says its level or is a field
 */
static jaeger_status ref_of(parser *p, jg_expr_ref *ret, bool *ret_known)
{
    const token *t = &p->now;
    jg_expr_level level = JG_LEVEL_ANY;
    jaeger_str key = t->text;
    *ret_known = true;
    if (!t->quoted.ptr && (short_name(p, key, ret) || colon_name(key, ret)))
        return JAEGER_OK;
    size_t dot = jg_str_find(key, '.');
    bool has_level =
        dot > 0 && dot < key.len && level_word((jaeger_str){key.ptr, dot}, &level) && level != JG_LEVEL_TRACE;
    if (has_level || dot == 0)
        key = jg_str_skip(key, dot + 1);
    *ret_known = has_level || dot == 0;
    if (p->dialect == JG_EXPR_TRACEQL && !*ret_known)
        return fault_at(p, t->at, "unknown name; attributes are written .key, span.key or resource.key");
    if (t->quoted.ptr) {
        key = join(p, key, t->quoted);
        if (!key.ptr)
            return jg_fail_oom(p->build.err);
    }
    if (key.len == 0)
        return fault_at(p, t->at, "an attribute's key is missing");
    if (jg_str_is(key, "service.name") && level == JG_LEVEL_RESOURCE)
        *ret = (jg_expr_ref){JG_LEVEL_RESOURCE, JG_FIELD_SERVICE, JG_HOLDS_TEXT, {0}};
    else
        *ret = (jg_expr_ref){level, JG_FIELD_ATTR, JG_HOLDS_ANYTHING, key};
    return JAEGER_OK;
}

/* ---- conditions ---- */

static jaeger_status alternatives(parser *p, jg_expr **ret);

/** A literal in p->now; moves on. */
static jaeger_status literal(parser *p, const jg_expr_ref *ref, jg_literal *ret)
{
    token t = p->now;
    bool word_fits = p->dialect == JG_EXPR_TEXT || ref->kind == JG_HOLDS_WORD || ref->kind == JG_HOLDS_BOOL ||
                     is_keyword(p, "true") || is_keyword(p, "false");
    jg_literal_type type = JG_LITERAL_ANY;
    if (t.type == END || t.type == SIGN || t.quoted.ptr || (t.type == WORD && !word_fits))
        return fault_at(p, t.at, "a value is expected here: a \"text\", a number, a duration, true or false");
    if (t.type == TEXT && p->dialect == JG_EXPR_TRACEQL && ref->kind == JG_HOLDS_ANYTHING)
        type = JG_LITERAL_STRING;
    JG_TRY(placed(p, t.at, jg_literal_of(&p->build, type, t.text, ret)));
    if (t.type == NUMBER && !ret->is_number && ref->kind != JG_HOLDS_ID)
        return fault_at(p, t.at, "neither a number nor a duration such as 100ms");
    return next(p);
}

static bool operator_of(const parser *p, jg_expr_op *ret)
{
    static const struct {
        const char *sign;
        jg_expr_op op;
    } all[] = {{"=", JG_EXPR_EQ},  {"==", JG_EXPR_EQ},    {"!=", JG_EXPR_NE},
               {"<", JG_EXPR_LT},  {"<=", JG_EXPR_LE},    {">", JG_EXPR_GT},
               {">=", JG_EXPR_GE}, {"=~", JG_EXPR_REGEX}, {"!~", JG_EXPR_NOT_REGEX}};
    for (size_t i = 0; i < JG_COUNT(all); i++) {
        if (is_sign(p, all[i].sign)) {
            *ret = all[i].op;
            return true;
        }
    }
    return false;
}

static jaeger_status negated(parser *p, jg_expr *node, jg_expr **ret)
{
    JG_TRY(placed(p, p->now.at, jg_expr_node(&p->build, JG_EXPR_NOT, ret)));
    (*ret)->first = node;
    return JAEGER_OK;
}

/** in ("a", "b"); the words before the parenthesis were read. */
static jaeger_status value_list(parser *p, jg_expr *node)
{
    jg_literal *items = NULL;
    size_t count = 0, cap = 0, at = p->now.at;
    JG_TRY(expect(p, "(", "'(' and a list of values are expected after 'in'"));
    do {
        if (is_sign(p, ","))
            JG_TRY(next(p));
        items = jg_arena_grow(p->build.arena, items, count, &cap, sizeof *items);
        if (!items)
            return jg_fail_oom(p->build.err);
        JG_TRY(literal(p, &node->ref, &items[count++]));
    } while (is_sign(p, ","));
    JG_TRY(expect(p, ")", "',' or ')' is expected here"));
    node->literals = items;
    node->literal_count = count;
    return placed(p, at, jg_expr_fit(&p->build, node));
}

/** Does p->now read as a reference on the right side? Only what names its level does. */
static jaeger_status right_ref(parser *p, jg_expr *node, bool *ret)
{
    bool known = false;
    *ret = false;
    bool dotted = p->now.type == WORD &&
                  (p->now.quoted.ptr || jg_str_find(p->now.text, '.') < p->now.text.len ||
                   jg_str_find(p->now.text, ':') < p->now.text.len || p->dialect == JG_EXPR_TRACEQL);
    if (!dotted || is_keyword(p, "true") || is_keyword(p, "false") ||
        (p->dialect == JG_EXPR_TRACEQL && node->ref.kind == JG_HOLDS_WORD &&
         jg_str_find(p->now.text, '.') == p->now.text.len))
        return JAEGER_OK;
    JG_TRY(ref_of(p, &node->right, &known));
    *ret = known;
    return JAEGER_OK;
}

static jaeger_status comparison(parser *p, jg_expr *node)
{
    size_t at = p->now.at;
    if (node->op != JG_EXPR_REGEX && node->op != JG_EXPR_NOT_REGEX) {
        JG_TRY(right_ref(p, node, &node->against_ref));
        if (node->against_ref) {
            JG_TRY(placed(p, at, jg_expr_fit_refs(&p->build, node)));
            return next(p);
        }
    } else if (p->now.type != TEXT) {
        return fault_at(p, at, "a regular expression in quotes is expected here");
    }
    jg_literal *one = jaeger_arena_alloc(p->build.arena, sizeof *one);
    if (!one)
        return jg_fail_oom(p->build.err);
    JG_TRY(literal(p, &node->ref, one));
    node->literals = one;
    node->literal_count = 1;
    p->build.regex_at = 0;
    jaeger_status status = jg_expr_fit(&p->build, node);
    return placed(p, at + (p->build.regex_at ? p->build.regex_at + 1 : 0), status);
}

/** What follows a reference: an operator and a value, "exists", "in (...)", or nothing if it is a bool. */
static jaeger_status after_ref(parser *p, jg_expr *node, jg_expr **ret)
{
    *ret = node;
    if (is_keyword(p, "exists")) {
        node->op = JG_EXPR_EXISTS;
        JG_TRY(jg_expr_fit(&p->build, node));
        return next(p);
    }
    bool negate = is_keyword(p, "not");
    if (negate)
        JG_TRY(next(p));
    if (is_keyword(p, "in")) {
        node->op = negate ? JG_EXPR_NE : JG_EXPR_EQ;
        JG_TRY(next(p));
        return value_list(p, node);
    }
    if (negate)
        return fault_at(p, p->now.at, "'in' is expected after 'not'");
    if (!operator_of(p, &node->op)) {
        if (node->ref.kind != JG_HOLDS_BOOL)
            return fault_at(p, p->now.at, "an operator is expected here: = != < <= > >= =~ !~ exists in");
        static const jg_literal yes = {.type = JG_LITERAL_BOOL, .is_bool = true, .b = true};
        node->op = JG_EXPR_EQ;
        node->literals = &yes;
        node->literal_count = 1;
        p->build.filter->needs_trace = true;
        return JAEGER_OK;
    }
    jg_expr_op op = node->op;
    JG_TRY(next(p));
    if (!is_keyword(p, "nil") || (op != JG_EXPR_EQ && op != JG_EXPR_NE))
        return comparison(p, node);
    node->op = JG_EXPR_EXISTS;
    JG_TRY(jg_expr_fit(&p->build, node));
    JG_TRY(next(p));
    return op == JG_EXPR_EQ ? negated(p, node, ret) : JAEGER_OK;
}

/** exists(ref); "exists" was read. */
static jaeger_status exists(parser *p, jg_expr **ret)
{
    bool known, paren = is_sign(p, "(");
    if (paren)
        JG_TRY(next(p));
    if (p->now.type != WORD)
        return fault_at(p, p->now.at, "a name is expected after 'exists'");
    JG_TRY(placed(p, p->now.at, jg_expr_node(&p->build, JG_EXPR_EXISTS, ret)));
    JG_TRY(ref_of(p, &(*ret)->ref, &known));
    JG_TRY(jg_expr_fit(&p->build, *ret));
    JG_TRY(next(p));
    return paren ? expect(p, ")", "')' is expected here") : JAEGER_OK;
}

/** some(event, ...); "some" was read. */
static jaeger_status some(parser *p, jg_expr **ret)
{
    jg_expr_level level;
    JG_TRY(expect(p, "(", "'(' is expected after 'some'"));
    if (p->now.type != WORD || !jg_expr_level_of(p->now.text, &level) ||
        (level != JG_LEVEL_EVENT && level != JG_LEVEL_LINK))
        return fault_at(p, p->now.at, "'event' or 'link' is expected here");
    JG_TRY(placed(p, p->now.at, jg_expr_node(&p->build, JG_EXPR_SOME, ret)));
    (*ret)->ref.level = level;
    JG_TRY(next(p));
    JG_TRY(expect(p, ",", "',' and a condition are expected here"));
    JG_TRY(alternatives(p, &(*ret)->first));
    return expect(p, ")", "')' is expected here");
}

/** { ... }: some span of the trace. */
static jaeger_status set(parser *p, jg_expr **ret)
{
    size_t at = p->now.at;
    if (p->in_set)
        return fault_at(p, at, "braces inside braces");
    JG_TRY(next(p));
    JG_TRY(placed(p, at, jg_expr_node(&p->build, JG_EXPR_ANY_SPAN, ret)));
    JG_TRY(placed(p, at, jg_expr_add_set(&p->build, *ret)));
    p->in_set = true;
    if (is_sign(p, "}"))
        JG_TRY(placed(p, at, jg_expr_node(&p->build, JG_EXPR_TRUE, &(*ret)->first)));
    else
        JG_TRY(alternatives(p, &(*ret)->first));
    p->in_set = false;
    return expect(p, "}", "'}' or an operator is expected here");
}

static jaeger_status condition(parser *p, jg_expr **ret)
{
    jg_expr *node;
    bool known, needs_set = p->dialect == JG_EXPR_TRACEQL && !p->in_set;
    if (is_sign(p, "{"))
        return set(p, ret);
    if (needs_set)
        return fault_at(p, p->now.at, "'{' is expected here");
    if (p->dialect == JG_EXPR_TRACEQL && (is_keyword(p, "true") || is_keyword(p, "false"))) {
        jg_expr *yes;
        bool is_true = is_keyword(p, "true");
        JG_TRY(placed(p, p->now.at, jg_expr_node(&p->build, JG_EXPR_TRUE, &yes)));
        *ret = yes;
        if (!is_true)
            JG_TRY(negated(p, yes, ret));
        return next(p);
    }
    if (is_keyword(p, "exists")) {
        JG_TRY(next(p));
        return exists(p, ret);
    }
    if (is_keyword(p, "some")) {
        JG_TRY(next(p));
        return some(p, ret);
    }
    JG_TRY(placed(p, p->now.at, jg_expr_node(&p->build, JG_EXPR_EQ, &node)));
    if (p->now.type == TEXT && p->dialect == JG_EXPR_TEXT && p->now.text.len)
        node->ref = (jg_expr_ref){JG_LEVEL_ANY, JG_FIELD_ATTR, JG_HOLDS_ANYTHING, p->now.text};
    else if (p->now.type == WORD)
        JG_TRY(ref_of(p, &node->ref, &known));
    else
        return fault_at(p, p->now.at,
                        p->now.type == END ? "the expression ends too early"
                                           : "an attribute or a field is expected here");
    JG_TRY(next(p));
    return after_ref(p, node, ret);
}

static jaeger_status unary(parser *p, jg_expr **ret)
{
    if (++p->depth > JG_EXPR_DEPTH_MAX)
        return fault_at(p, p->now.at, "nested too deeply");
    jg_expr *inner;
    if (is_keyword(p, "not") || is_sign(p, "!")) {
        JG_TRY(next(p));
        JG_TRY(unary(p, &inner));
        JG_TRY(negated(p, inner, ret));
    } else if (is_sign(p, "(")) {
        JG_TRY(next(p));
        JG_TRY(alternatives(p, ret));
        JG_TRY(expect(p, ")", "')' or an operator is expected here"));
    } else {
        JG_TRY(condition(p, ret));
    }
    p->depth--;
    return JAEGER_OK;
}

/** a OP b OP c, as one node with many children. */
static jaeger_status chain(parser *p, jg_expr_op op, const char *word, const char *sign,
                           jaeger_status (*one)(parser *p, jg_expr **ret), jg_expr **ret)
{
    JG_TRY(one(p, ret));
    jg_expr *last = *ret;
    while (is_keyword(p, word) || is_sign(p, sign)) {
        if (last == *ret) {
            jg_expr *parent;
            JG_TRY(placed(p, p->now.at, jg_expr_node(&p->build, op, &parent)));
            parent->first = last;
            *ret = parent;
        }
        JG_TRY(next(p));
        JG_TRY(one(p, &last->next));
        last = last->next;
    }
    return JAEGER_OK;
}

static jaeger_status conjunction(parser *p, jg_expr **ret)
{
    return chain(p, JG_EXPR_AND, "and", "&&", unary, ret);
}

static jaeger_status alternatives(parser *p, jg_expr **ret)
{
    return chain(p, JG_EXPR_OR, "or", "||", conjunction, ret);
}

/** | select(a, b): which attributes are shown; all are. */
static jaeger_status pipeline(parser *p)
{
    while (p->dialect == JG_EXPR_TRACEQL && is_sign(p, "|")) {
        JG_TRY(next(p));
        if (!is_keyword(p, "select"))
            return fault_at(p, p->now.at, "of TraceQL's pipeline stages only select() is supported");
        JG_TRY(next(p));
        JG_TRY(expect(p, "(", "'(' is expected after 'select'"));
        while (p->now.type == WORD || is_sign(p, ","))
            JG_TRY(next(p));
        JG_TRY(expect(p, ")", "')' is expected here"));
    }
    return JAEGER_OK;
}

jaeger_status jg_filter_parse(jg_expr_dialect dialect, jaeger_str text, jaeger_arena *arena,
                              const jaeger_filter **ret, jaeger_error *err)
{
    parser p = {.dialect = dialect, .in = text};
    jg_expr *root;
    JG_TRY(jg_expr_build_init(&p.build, arena, err));
    p.build.whole_regex = dialect == JG_EXPR_TRACEQL;
    if (text.len > JG_EXPR_BYTES_MAX)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "longer than %u bytes", JG_EXPR_BYTES_MAX);
    if (!jg_utf8_valid(text))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "not UTF-8");
    JG_TRY(next(&p));
    JG_TRY(alternatives(&p, &root));
    JG_TRY(pipeline(&p));
    if (p.now.type != END)
        return fault_at(&p, p.now.at, "'and', 'or' or the end is expected here");
    jaeger_filter *filter = p.build.filter;
    if (root->op == JG_EXPR_ANY_SPAN) { /* one group: the span that is looked for anyway */
        root = root->first;
        filter->set_count = 0;
    }
    filter->needs_trace = filter->needs_trace || filter->set_count;
    filter->root = root;
    filter->form = dialect == JG_EXPR_TEXT ? JG_FILTER_TEXT : JG_FILTER_TRACEQL;
    filter->source = text;
    *ret = filter;
    return JAEGER_OK;
}
