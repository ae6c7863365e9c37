/* SPDX-License-Identifier: Apache-2.0
 * Between the files of the OTTL engine: values, the tree, functions.
 */
#ifndef JG_OTTL_NODE_H
#define JG_OTTL_NODE_H

#include "core/buf.h"
#include "core/err.h"
#include "core/regex.h"
#include "core/str.h"
#include "ottl/ottl.h"

/** The first eight are those of jaeger_value_type. */
typedef enum jg_ottl_type {
    JG_OTTL_NIL,
    JG_OTTL_STRING,
    JG_OTTL_BOOL,
    JG_OTTL_INT,
    JG_OTTL_DOUBLE,
    JG_OTTL_LIST,
    JG_OTTL_MAP,
    JG_OTTL_BYTES,
    JG_OTTL_TIME,     /* ns since 1970 */
    JG_OTTL_DURATION, /* ns */
    JG_OTTL_COUNTED   /* events or links: only their number */
} jg_ottl_type;

typedef struct jg_ottl_value {
    jg_ottl_type type;
    union {
        bool b;
        int64_t i; /* int, time, duration, counted */
        double d;
        jaeger_str s;   /* string, bytes */
        jaeger_iter it; /* list: AnyValues; map: KeyValues */
    } u;
} jg_ottl_value;

typedef struct jg_ottl_eval {
    const jg_ottl_view *view;
    jaeger_arena *arena;
    jaeger_error *err;
} jg_ottl_eval;

typedef enum jg_ottl_op {
    JG_OTTL_OP_LITERAL,
    JG_OTTL_OP_PATH,
    JG_OTTL_OP_CALL,
    JG_OTTL_OP_LIST,
    JG_OTTL_OP_MAP,
    JG_OTTL_OP_MATH,
    JG_OTTL_OP_COMPARE,
    JG_OTTL_OP_NOT,
    JG_OTTL_OP_AND,
    JG_OTTL_OP_OR
} jg_ottl_op;

enum { JG_OTTL_EQ, JG_OTTL_NE, JG_OTTL_LT, JG_OTTL_LE, JG_OTTL_GT, JG_OTTL_GE };

typedef struct jg_ottl_node jg_ottl_node;
typedef struct jg_ottl_fn jg_ottl_fn;

struct jg_ottl_node {
    jg_ottl_op op;
    int sign;            /* COMPARE: JG_OTTL_EQ...; MATH: '+', '-', '*', '/' */
    uint32_t column;     /* from 1 */
    uint32_t path;       /* PATH: see path.c */
    jg_ottl_value value; /* LITERAL */
    jg_ottl_node **args; /* operands; arguments by parameter, NULL: absent; list items; map values */
    size_t arg_count;
    jaeger_str *names;   /* MAP */
    jg_ottl_node **keys; /* PATH, CALL: what stands in [] behind it */
    size_t key_count;
    const jg_ottl_fn *fn;
    jg_regex *regex; /* CALL: the literal pattern */
    jg_ottl_node *next_regex;
};

/** A converter. */
struct jg_ottl_fn {
    const char *name;
    const char *params; /* "target,pattern,length?": names in order; '?': may be absent */
    bool (*call)(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret);
    int pattern_at; /* 1 + the parameter that is a pattern, compiled at birth if literal; 0: none */
};

/** NULL: there is no such function. */
const jg_ottl_fn *jg_ottl_fn_find(jaeger_str name);
/** Names that begin as `name` does, with commas between; as many as fit. */
void jg_ottl_fn_list(jaeger_str name, char *out, size_t size);
extern const jg_ottl_fn jg_ottl_text_fns[], jg_ottl_type_fns[], jg_ottl_time_fns[], jg_ottl_list_fns[],
    jg_ottl_hash_fns[], jg_ottl_parse_fns[], jg_ottl_format_fns[], jg_ottl_csv_fns[], jg_ottl_map_fns[],
    jg_ottl_metric_fns[]; /* each ends with a NULL name */

/* ---- evaluating: false means a failure with e->err set ---- */

bool jg_ottl_eval_node(jg_ottl_eval *e, const jg_ottl_node *node, jg_ottl_value *ret);
bool jg_ottl_fail(jg_ottl_eval *e, const char *format, ...) JG_PRINTF(2, 3);
bool jg_ottl_compare(jg_ottl_eval *e, const jg_ottl_value *a, const jg_ottl_value *b, int sign);
/** Follow node->keys into *value. */
bool jg_ottl_index(jg_ottl_eval *e, const jg_ottl_node *node, size_t first_key, jg_ottl_value *value);

/** Does a condition of this context see the things of that level? */
bool jg_ottl_sees(jg_ottl_context context, jg_ottl_context level);
/** Compile a path; `fields` are the words between the dots, the context included. @return NULL or why not */
const char *jg_ottl_path_find(const jaeger_str *fields, size_t n, jg_ottl_context context, bool bare,
                              uint32_t *ret_path, jg_ottl_context *ret_level);
bool jg_ottl_path_eval(jg_ottl_eval *e, const jg_ottl_node *node, jg_ottl_value *ret);

/* ---- arguments ---- */

/** NIL if absent. */
bool jg_ottl_arg(jg_ottl_eval *e, const jg_ottl_node *call, size_t i, jg_ottl_value *ret);
/** These fail on another type, nil included. */
bool jg_ottl_arg_str(jg_ottl_eval *e, const jg_ottl_node *call, size_t i, jaeger_str *ret);
bool jg_ottl_arg_int(jg_ottl_eval *e, const jg_ottl_node *call, size_t i, int64_t *ret);
bool jg_ottl_arg_of(jg_ottl_eval *e, const jg_ottl_node *call, size_t i, jg_ottl_type type,
                    jg_ottl_value *ret);
/** Any value as text; ptr NULL for nil. */
bool jg_ottl_text(jg_ottl_eval *e, const jg_ottl_value *value, jaeger_str *ret);
bool jg_ottl_arg_text(jg_ottl_eval *e, const jg_ottl_node *call, size_t i, jaeger_str *ret);
bool jg_ottl_arg_is_absent(const jg_ottl_node *call, size_t i);

/* ---- values ---- */

const char *jg_ottl_type_name(jg_ottl_type type);
jg_ottl_value jg_ottl_of(const jaeger_value *value);
jg_ottl_value jg_ottl_of_str(jaeger_str s);
jg_ottl_value jg_ottl_of_int(int64_t i);
jg_ottl_value jg_ottl_of_double(double d);
jg_ottl_value jg_ottl_of_bool(bool b);
/** Append an item to the body of a list, an entry to that of a map. */
void jg_ottl_put_item(jg_buf *out, const jg_ottl_value *item);
void jg_ottl_put_entry(jg_buf *out, jaeger_str key, const jg_ottl_value *value);
/** Copy what was written to the arena, as a value of this type. The buffer is freed. */
bool jg_ottl_finish(jg_ottl_eval *e, jg_buf *out, jg_ottl_type type, jg_ottl_value *ret);
bool jg_ottl_next(jaeger_iter *it, jg_ottl_value *ret);

#define JG_OTTL_VALUE_BYTES_MAX (1u << 20) /* one value that a function makes */

#endif
