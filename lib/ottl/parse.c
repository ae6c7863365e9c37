/* SPDX-License-Identifier: Apache-2.0
 * From text to a checked tree: recursive descent, bounded in depth and size. What the grammar of the spec
 * forbids (a path alone as a condition, a comparison as an operand) is refused by kind after the fact, so
 * that brackets need no second look.
 */
#include "core/arena.h"
#include "core/limits.h"
#include "ottl/lex.h"
#include "ottl/node.h"
#include <stdio.h>

typedef struct parser {
    jaeger_str in;
    size_t at;
    jg_ottl_token token; /* the one to read next */
    jg_ottl_context context, lowest;
    bool bare, any_path;
    unsigned depth, nodes;
    jaeger_arena *arena;
    jaeger_error *err;
    jg_ottl_node *regexes;
} parser;

struct jg_ottl {
    jg_ottl_node *root, *regexes;
    jg_ottl_context context;
    jaeger_arena *arena;
};

static jg_ottl_node *parse_or(parser *p);

/* ---- helpers: NULL and false mean that p->err was set ---- */

static void *fail_at(parser *p, uint32_t column, const char *what, jaeger_str word)
{
    (void)jg_fail(p->err, JAEGER_INVALID_ARGUMENT, "condition \"%.*s\": 1:%u: %s%s%.*s%s",
                  (int)JG_MIN(p->in.len, 200), p->in.ptr, column, what, word.ptr ? " \"" : "",
                  JAEGER_STR_ARGS(word), word.ptr ? "\"" : "");
    return NULL;
}

/** With what there is instead. */
static void *fail_function(parser *p, uint32_t column, jaeger_str name)
{
    char known[160];
    jg_ottl_fn_list(name, known, sizeof known);
    (void)fail_at(p, column, "undefined function", name);
    if (p->err && known[0]) {
        size_t len = strlen(p->err->message);
        (void)snprintf(p->err->message + len, sizeof p->err->message - len,
                       " (with %c there are: %s; docs/ottl.md lists all)", name.ptr[0], known);
    }
    return NULL;
}

static void *fail(parser *p, const char *what)
{
    if (p->token.kind == JG_OTTL_BAD)
        return fail_at(p, p->token.column, p->token.text.ptr, (jaeger_str){0});
    if (p->token.kind == JG_OTTL_END)
        return fail_at(p, p->token.column, what, JAEGER_STR("<EOF>"));
    return fail_at(p, p->token.column, what, p->token.text);
}

static void *fail_memory(parser *p)
{
    (void)jg_fail_oom(p->err);
    return NULL;
}

static void advance(parser *p)
{
    p->token = jg_ottl_lex(p->in, &p->at);
}

static bool is_sign(const parser *p, const char *sign)
{
    return p->token.kind == JG_OTTL_SIGN && jg_str_is(p->token.text, sign);
}

static bool is_word(const parser *p, const char *word)
{
    return p->token.kind == JG_OTTL_WORD && jg_str_is(p->token.text, word);
}

static bool take_sign(parser *p, const char *sign)
{
    if (!is_sign(p, sign))
        return false;
    advance(p);
    return true;
}

static bool need_sign(parser *p, const char *sign)
{
    if (take_sign(p, sign))
        return true;
    char what[32];
    (void)snprintf(what, sizeof what, "expected %s, not", sign);
    return fail(p, what) != NULL;
}

static jg_ottl_node *node_new(parser *p, jg_ottl_op op, uint32_t column)
{
    if (++p->nodes > JG_OTTL_NODES_MAX)
        return fail_at(p, column, "the condition is too large", (jaeger_str){0});
    jg_ottl_node *node = jg_arena_zalloc(p->arena, sizeof *node);
    if (!node)
        return fail_memory(p);
    node->op = op;
    node->column = column;
    return node;
}

static jg_ottl_node *node_of_two(parser *p, jg_ottl_op op, int sign, uint32_t column, jg_ottl_node *a,
                                 jg_ottl_node *b)
{
    jg_ottl_node *node = a && b ? node_new(p, op, column) : NULL;
    if (!node)
        return NULL;
    node->args = jaeger_arena_alloc(p->arena, 2 * sizeof(void *));
    if (!node->args)
        return fail_memory(p);
    node->args[0] = a;
    node->args[1] = b;
    node->arg_count = 2;
    node->sign = sign;
    return node;
}

static bool add(parser *p, jg_ottl_node ***items, size_t *count, size_t *cap, jg_ottl_node *item)
{
    if (!item)
        return false;
    jg_ottl_node **grown = jg_arena_grow(p->arena, *items, *count, cap, sizeof *grown);
    if (!grown)
        return fail_memory(p) != NULL;
    *items = grown;
    grown[(*count)++] = item;
    return true;
}

static bool is_condition(const jg_ottl_node *node)
{
    return node->op >= JG_OTTL_OP_COMPARE;
}

/* A condition, a bool, or a function, whose answer is checked when it is there. */
static jg_ottl_node *as_condition(parser *p, jg_ottl_node *node)
{
    if (!node || is_condition(node) || node->op == JG_OTTL_OP_CALL ||
        (node->op == JG_OTTL_OP_LITERAL && node->value.type == JG_OTTL_BOOL))
        return node;
    return fail_at(p, node->column, "expected a comparison, a function or a bool", (jaeger_str){0});
}

static jg_ottl_node *as_value(parser *p, jg_ottl_node *node)
{
    if (!node || !is_condition(node))
        return node;
    return fail_at(p, node->column, "a condition cannot be an operand", (jaeger_str){0});
}

/* A value below: counts the depth. */
static jg_ottl_node *parse_value(parser *p)
{
    return as_value(p, parse_or(p));
}

/* ---- literals ---- */

static jg_ottl_node *literal(parser *p, jg_ottl_value value)
{
    jg_ottl_node *node = node_new(p, JG_OTTL_OP_LITERAL, p->token.column);
    if (node)
        node->value = value;
    advance(p);
    return node;
}

static jg_ottl_node *parse_number(parser *p, bool negative)
{
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(512);
    int64_t i;
    double d;
    if (negative)
        jg_buf_byte(&text, '-');
    if (p->token.text.ptr[0] == '.')
        jg_buf_byte(&text, '0');
    jg_buf_str(&text, p->token.text);
    if (p->token.is_float && jg_buf_ok(&text) && jg_str_to_double(jg_buf_view(&text), &d))
        return literal(p, jg_ottl_of_double(d));
    if (!p->token.is_float && jg_buf_ok(&text) && jg_str_to_i64(jg_buf_view(&text), &i))
        return literal(p, jg_ottl_of_int(i));
    return fail(p, "the number is out of range");
}

static jg_ottl_node *parse_hex(parser *p)
{
    size_t n = p->token.text.len / 2;
    uint8_t *bytes = jaeger_arena_alloc(p->arena, n);
    if (!bytes || !jg_hex_decode(p->token.text, bytes, n))
        return fail_memory(p);
    return literal(p, (jg_ottl_value){JG_OTTL_BYTES, {.s = {(char *)bytes, n}}});
}

static jg_ottl_node *parse_text(parser *p)
{
    size_t len;
    char *text = jaeger_arena_alloc(p->arena, p->token.text.len + 1);
    if (!text)
        return fail_memory(p);
    if (!jg_ottl_unescape(p->token.text, text, &len))
        return fail(p, "invalid escape in");
    return literal(p, jg_ottl_of_str((jaeger_str){text, len}));
}

static bool enum_value(jaeger_str name, int64_t *ret)
{
    static const struct {
        const char *name;
        int value;
    } enums[] = {{"SPAN_KIND_UNSPECIFIED", 0},
                 {"SPAN_KIND_INTERNAL", 1},
                 {"SPAN_KIND_SERVER", 2},
                 {"SPAN_KIND_CLIENT", 3},
                 {"SPAN_KIND_PRODUCER", 4},
                 {"SPAN_KIND_CONSUMER", 5},
                 {"STATUS_CODE_UNSET", 0},
                 {"STATUS_CODE_OK", 1},
                 {"STATUS_CODE_ERROR", 2},
                 {"METRIC_DATA_TYPE_NONE", 0},
                 {"METRIC_DATA_TYPE_GAUGE", 1},
                 {"METRIC_DATA_TYPE_SUM", 2},
                 {"METRIC_DATA_TYPE_HISTOGRAM", 3},
                 {"METRIC_DATA_TYPE_EXPONENTIAL_HISTOGRAM", 4},
                 {"METRIC_DATA_TYPE_SUMMARY", 5},
                 {"AGGREGATION_TEMPORALITY_UNSPECIFIED", 0},
                 {"AGGREGATION_TEMPORALITY_DELTA", 1},
                 {"AGGREGATION_TEMPORALITY_CUMULATIVE", 2},
                 {"FLAG_NONE", 0},
                 {"FLAG_NO_RECORDED_VALUE", 1}};
    for (size_t i = 0; i < JG_COUNT(enums); i++) {
        if (jg_str_is(name, enums[i].name)) {
            *ret = enums[i].value;
            return true;
        }
    }
    return false;
}

static jg_ottl_node *parse_list(parser *p)
{
    jg_ottl_node *node = node_new(p, JG_OTTL_OP_LIST, p->token.column);
    size_t cap = 0;
    advance(p);
    if (!node || take_sign(p, "]"))
        return node;
    do {
        if (!add(p, &node->args, &node->arg_count, &cap, parse_value(p)))
            return NULL;
    } while (take_sign(p, ","));
    return need_sign(p, "]") ? node : NULL;
}

static jg_ottl_node *parse_map(parser *p)
{
    jg_ottl_node *node = node_new(p, JG_OTTL_OP_MAP, p->token.column);
    size_t cap = 0, name_cap = 0;
    advance(p);
    if (!node || take_sign(p, "}"))
        return node;
    do {
        if (p->token.kind != JG_OTTL_TEXT)
            return fail(p, "expected a key in quotes, not");
        jg_ottl_node *key = parse_text(p);
        jaeger_str *names =
            key ? jg_arena_grow(p->arena, node->names, node->arg_count, &name_cap, sizeof *names) : NULL;
        if (!names || !need_sign(p, ":"))
            return key && !names ? fail_memory(p) : NULL;
        node->names = names;
        names[node->arg_count] = key->value.u.s;
        if (!add(p, &node->args, &node->arg_count, &cap, parse_value(p)))
            return NULL;
    } while (take_sign(p, ","));
    return need_sign(p, "}") ? node : NULL;
}

/* ---- paths and functions ---- */

static bool parse_keys(parser *p, jg_ottl_node *node)
{
    size_t cap = 0;
    while (take_sign(p, "["))
        if (!add(p, &node->keys, &node->key_count, &cap, parse_value(p)) || !need_sign(p, "]"))
            return false;
    return true;
}

static jg_ottl_node *parse_path(parser *p)
{
    jaeger_str fields[JG_OTTL_FIELDS_MAX];
    size_t n = 0;
    jg_ottl_context level;
    jg_ottl_node *node = node_new(p, JG_OTTL_OP_PATH, p->token.column);
    if (!node)
        return NULL;
    do {
        if (p->token.kind != JG_OTTL_WORD || n == JG_OTTL_FIELDS_MAX)
            return fail(p, "expected the name of a field, not");
        fields[n++] = p->token.text;
        advance(p);
    } while (take_sign(p, "."));
    const char *why = jg_ottl_path_find(fields, n, p->context, p->bare, &node->path, &level);
    if (why) {
        jaeger_str whole = {fields[0].ptr, (size_t)(fields[n - 1].ptr - fields[0].ptr) + fields[n - 1].len};
        return fail_at(p, node->column, why, whole);
    }
    p->lowest = p->any_path ? JG_MAX(p->lowest, level) : level;
    p->any_path = true;
    return parse_keys(p, node) ? node : NULL;
}

/* key_path, keyPath and KeyPath are one name, as in the Collector. */
static bool is_same_name(jaeger_str a, jaeger_str b)
{
    size_t i = 0, k = 0;
    for (;; i++, k++) {
        i += i < a.len && a.ptr[i] == '_';
        k += k < b.len && b.ptr[k] == '_';
        if (i >= a.len || k >= b.len)
            return i >= a.len && k >= b.len;
        if (!jg_str_eq_nocase((jaeger_str){a.ptr + i, 1}, (jaeger_str){b.ptr + k, 1}))
            return false;
    }
}

/* The parameter called `name`, or number `at` with an empty name; its place, or -1. */
static int find_param(const char *params, jaeger_str name, size_t at, bool *ret_optional)
{
    jaeger_str rest = jg_str(params);
    for (size_t i = 0; rest.len; i++) {
        jaeger_str param = {rest.ptr, jg_str_find(rest, ',')};
        rest = jg_str_skip(rest, param.len + 1);
        *ret_optional = param.ptr[param.len - 1] == '?';
        param.len -= *ret_optional;
        if (name.len ? is_same_name(param, name) : i == at)
            return (int)i;
    }
    return -1;
}

static size_t count_params(const char *params)
{
    size_t n = params[0] != 0;
    for (const char *c = params; *c; c++)
        n += *c == ',';
    return n;
}

/* "name = " in front of a value. */
static bool take_name(parser *p, jaeger_str *ret)
{
    parser before = *p;
    *ret = p->token.text;
    if (p->token.kind != JG_OTTL_WORD)
        return false;
    advance(p);
    if (take_sign(p, "="))
        return true;
    p->token = before.token;
    p->at = before.at;
    return false;
}

static bool parse_args(parser *p, jg_ottl_node *node)
{
    bool optional;
    jaeger_str name;
    if (take_sign(p, ")"))
        return true;
    for (size_t at = 0;; at++) {
        uint32_t column = p->token.column;
        int i = take_name(p, &name) ? find_param(node->fn->params, name, 0, &optional)
                                    : find_param(node->fn->params, JAEGER_STR(""), at, &optional);
        if (i < 0 || node->args[i])
            return fail_at(p, column, i < 0 ? "too many arguments for" : "an argument is given twice to",
                           jg_str(node->fn->name)) != NULL;
        node->args[i] = parse_value(p);
        if (!node->args[i])
            return false;
        if (!take_sign(p, ","))
            return need_sign(p, ")");
    }
}

static jg_ottl_node *compile_pattern(parser *p, jg_ottl_node *node)
{
    jg_ottl_node *pattern = node->fn->pattern_at ? node->args[node->fn->pattern_at - 1] : NULL;
    if (!pattern || pattern->op != JG_OTTL_OP_LITERAL || pattern->value.type != JG_OTTL_STRING)
        return node;
    jaeger_error why = {0};
    node->regex = jg_arena_zalloc(p->arena, sizeof *node->regex);
    if (!node->regex)
        return fail_memory(p);
    if (jg_regex_compile(node->regex, pattern->value.u.s, p->arena, &why) != JAEGER_OK)
        return fail_at(p, pattern->column, why.message, (jaeger_str){0});
    node->next_regex = p->regexes;
    p->regexes = node;
    return node;
}

/* Functions that look at a span or a metric by themselves. @return false: not in this context */
static bool note_level(parser *p, jaeger_str name)
{
    bool of_metric = jg_str_is(name, "HasAttrOnDatapoint") || jg_str_is(name, "HasAttrKeyOnDatapoint");
    jg_ottl_context level = of_metric ? JG_OTTL_METRIC : JG_OTTL_SPAN;
    if (!of_metric && !jg_str_is(name, "IsRootSpan"))
        return true;
    if (!jg_ottl_sees(p->context, level) || (of_metric && p->context == JG_OTTL_DATAPOINT))
        return false;
    p->lowest = p->any_path ? JG_MAX(p->lowest, level) : level;
    p->any_path = true;
    return true;
}

static jg_ottl_node *parse_call(parser *p, jaeger_str name, uint32_t column)
{
    jg_ottl_node *node = node_new(p, JG_OTTL_OP_CALL, column);
    if (!node)
        return NULL;
    node->fn = jg_ottl_fn_find(name);
    if (!node->fn)
        return fail_function(p, column, name);
    if (!note_level(p, name))
        return fail_at(p, column, "undefined function", name);
    node->arg_count = count_params(node->fn->params);
    node->args = jg_arena_zalloc(p->arena, (node->arg_count + 1) * sizeof(void *));
    if (!node->args)
        return fail_memory(p);
    if (!parse_args(p, node))
        return NULL;
    for (size_t i = 0; i < node->arg_count; i++) {
        bool optional = false;
        (void)find_param(node->fn->params, JAEGER_STR(""), i, &optional);
        if (!node->args[i] && !optional)
            return fail_at(p, column, "an argument is missing for", name);
    }
    return parse_keys(p, node) ? compile_pattern(p, node) : NULL;
}

static jg_ottl_node *parse_upper(parser *p)
{
    jaeger_str name = p->token.text;
    uint32_t column = p->token.column;
    int64_t number;
    advance(p);
    if (take_sign(p, "("))
        return parse_call(p, name, column);
    if (!enum_value(name, &number))
        return fail_at(p, column, "enum symbol not found:", name);
    jg_ottl_node *node = node_new(p, JG_OTTL_OP_LITERAL, column);
    if (node)
        node->value = jg_ottl_of_int(number);
    return node;
}

/* ---- expressions ---- */

static jg_ottl_node *parse_primary(parser *p)
{
    if (take_sign(p, "(")) {
        jg_ottl_node *inner = parse_or(p);
        return inner && need_sign(p, ")") ? inner : NULL;
    }
    if (is_sign(p, "-") || is_sign(p, "+")) {
        bool negative = is_sign(p, "-");
        advance(p);
        return p->token.kind == JG_OTTL_NUMBER ? parse_number(p, negative) : fail(p, "unexpected token");
    }
    if (is_sign(p, "["))
        return parse_list(p);
    if (is_sign(p, "{"))
        return parse_map(p);
    switch (p->token.kind) {
    case JG_OTTL_NUMBER:
        return parse_number(p, false);
    case JG_OTTL_HEX:
        return parse_hex(p);
    case JG_OTTL_TEXT:
        return parse_text(p);
    case JG_OTTL_WORD:
        break;
    default:
        return fail(p, "unexpected token");
    }
    if (is_word(p, "true") || is_word(p, "false"))
        return literal(p, jg_ottl_of_bool(is_word(p, "true")));
    if (is_word(p, "nil"))
        return literal(p, (jg_ottl_value){0});
    if (is_word(p, "and") || is_word(p, "or") || is_word(p, "not"))
        return fail(p, "unexpected token");
    return p->token.text.ptr[0] <= 'Z' ? parse_upper(p) : parse_path(p);
}

/* Left to right: "a - b - c" is (a - b) - c, one level each. */
static jg_ottl_node *parse_math(parser *p, const char *signs, jg_ottl_node *(*operand)(parser *p))
{
    jg_ottl_node *left = operand(p);
    for (unsigned n = 0; left && p->token.kind == JG_OTTL_SIGN && p->token.text.len == 1 &&
                         strchr(signs, p->token.text.ptr[0]);
         n++) {
        int sign = p->token.text.ptr[0];
        uint32_t column = p->token.column;
        if (n == JG_OTTL_DEPTH_MAX)
            return fail_at(p, column, "the condition is nested too deeply", (jaeger_str){0});
        advance(p);
        left = node_of_two(p, JG_OTTL_OP_MATH, sign, column, as_value(p, left), as_value(p, operand(p)));
    }
    return left;
}

static jg_ottl_node *parse_product(parser *p)
{
    return parse_math(p, "*/", parse_primary);
}

static jg_ottl_node *parse_sum(parser *p)
{
    return parse_math(p, "+-", parse_product);
}

static jg_ottl_node *parse_comparison(parser *p)
{
    static const char *const signs[] = {"==", "!=", "<", "<=", ">", ">="};
    jg_ottl_node *left = parse_sum(p);
    for (int i = 0; left && i < (int)JG_COUNT(signs); i++) {
        if (!is_sign(p, signs[i]))
            continue;
        uint32_t column = p->token.column;
        advance(p);
        return node_of_two(p, JG_OTTL_OP_COMPARE, i, column, as_value(p, left), as_value(p, parse_sum(p)));
    }
    return left;
}

static jg_ottl_node *parse_not(parser *p)
{
    uint32_t column = p->token.column;
    if (!is_word(p, "not"))
        return parse_comparison(p);
    advance(p);
    jg_ottl_node *inner = as_condition(p, parse_comparison(p));
    return node_of_two(p, JG_OTTL_OP_NOT, 0, column, inner, inner);
}

/* Operands of one chain are neighbours in one node: long chains cost no depth. */
static jg_ottl_node *parse_chain(parser *p, const char *word, jg_ottl_op op,
                                 jg_ottl_node *(*operand)(parser *p))
{
    jg_ottl_node *left = operand(p), *node;
    size_t cap = 0;
    if (!left || !is_word(p, word))
        return left;
    node = node_new(p, op, p->token.column);
    if (!node || !add(p, &node->args, &node->arg_count, &cap, as_condition(p, left)))
        return NULL;
    while (is_word(p, word)) {
        advance(p);
        if (!add(p, &node->args, &node->arg_count, &cap, as_condition(p, operand(p))))
            return NULL;
    }
    return node;
}

static jg_ottl_node *parse_and(parser *p)
{
    return parse_chain(p, "and", JG_OTTL_OP_AND, parse_not);
}

static jg_ottl_node *parse_or(parser *p)
{
    if (++p->depth > JG_OTTL_DEPTH_MAX)
        return fail_at(p, p->token.column, "the condition is nested too deeply", (jaeger_str){0});
    jg_ottl_node *node = parse_chain(p, "or", JG_OTTL_OP_OR, parse_and);
    p->depth--;
    return node;
}

/* ---- the whole ---- */

static jaeger_status parse_whole(parser *p, jg_ottl *o)
{
    advance(p);
    o->root = as_condition(p, parse_or(p));
    o->regexes = p->regexes;
    if (!o->root)
        return p->err->status;
    if (p->token.kind != JG_OTTL_END) {
        (void)fail(p, "unexpected token");
        return p->err->status;
    }
    bool infers = p->context >= JG_OTTL_INFER;
    if (infers && !p->any_path) {
        (void)fail_at(p, 1, "unable to infer context from conditions: no path names one", (jaeger_str){0});
        return p->err->status;
    }
    o->context = infers ? p->lowest : p->context;
    return JAEGER_OK;
}

jaeger_status jg_ottl_parse(jaeger_str text, jg_ottl_context context, bool bare, jg_ottl **ret,
                            jaeger_error *err)
{
    if (text.len > JG_OTTL_BYTES_MAX)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "condition: longer than %u bytes", JG_OTTL_BYTES_MAX);
    jaeger_error own;
    jaeger_arena *arena = jaeger_arena_new(JG_YAML_ARENA_BYTES_MAX);
    jg_ottl *o = arena ? jg_arena_zalloc(arena, sizeof *o) : NULL;
    jaeger_str copy = o ? jaeger_arena_str(arena, text) : (jaeger_str){0};
    if (!copy.ptr) {
        jaeger_arena_free(arena);
        return jg_fail_oom(err);
    }
    o->arena = arena;
    parser p = {.in = copy, .context = context, .bare = bare, .arena = arena, .err = err ? err : &own};
    jaeger_status status = parse_whole(&p, o);
    if (status != JAEGER_OK) {
        jg_ottl_free(o);
        return status;
    }
    *ret = o;
    return JAEGER_OK;
}

void jg_ottl_free(jg_ottl *o)
{
    if (!o)
        return;
    for (jg_ottl_node *node = o->regexes; node; node = node->next_regex)
        jg_regex_done(node->regex);
    jaeger_arena_free(o->arena);
}

jg_ottl_context jg_ottl_context_of(const jg_ottl *o)
{
    return o->context;
}

jaeger_status jg_ottl_test(const jg_ottl *o, const jg_ottl_view *view, jaeger_arena *scratch, bool *ret,
                           jaeger_error *err)
{
    jaeger_error own;
    jg_ottl_eval e = {view, scratch, err ? err : &own};
    jg_ottl_value value;
    if (!jg_ottl_eval_node(&e, o->root, &value))
        return e.err->status;
    if (value.type != JG_OTTL_BOOL)
        return jg_fail(e.err, JAEGER_INVALID_ARGUMENT, "function returned %s, not a bool",
                       jg_ottl_type_name(value.type));
    *ret = value.u.b;
    return JAEGER_OK;
}
