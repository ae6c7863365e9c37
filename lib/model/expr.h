/* SPDX-License-Identifier: Apache-2.0
 * Filter expressions: one tree for the text language, TraceQL's span selectors and Jaeger's structured filter
 * (jaeger.expression.v1, as protobuf and as JSON), and its test of a span.
 *
 * A test allocates nothing (but for arrays, maps and bytes compared with a text that looks like one) and
 * answers three ways: facts of the whole trace (rootService, spanCount, ...) are not known to a driver that
 * looks at one span, so there the answer may be JG_EXPR_MAYBE. Grammar and meaning: docs/search.md.
 * Spec: jaeger-idl proto/expression/v1/expression.proto.
 */
#ifndef JG_MODEL_EXPR_H
#define JG_MODEL_EXPR_H

#include "model/match.h"
#include "model/nfa.h"
#include <jaeger/storage.h>

#define JG_EXPR_BYTES_MAX    16384u /* of a text; requests lines hold no more */
#define JG_EXPR_NODES_MAX    512u   /* predicates and operators of one expression */
#define JG_EXPR_DEPTH_MAX    20u    /* of nesting, as Jaeger's */
#define JG_EXPR_LITERALS_MAX 1024u  /* values of all lists */
#define JG_EXPR_REGEX_MAX    16u    /* patterns; each program takes 64 KB */
#define JG_EXPR_SETS_MAX     16u    /* { } groups: "some span of the trace" */

typedef enum jg_expr_op {
    JG_EXPR_TRUE,
    JG_EXPR_AND,
    JG_EXPR_OR,
    JG_EXPR_NOT,
    JG_EXPR_EQ, /* one of the literals */
    JG_EXPR_NE, /* present, and none of the literals */
    JG_EXPR_LT,
    JG_EXPR_LE,
    JG_EXPR_GT,
    JG_EXPR_GE,
    JG_EXPR_REGEX,
    JG_EXPR_NOT_REGEX, /* present, and no match */
    JG_EXPR_EXISTS,
    JG_EXPR_SOME,    /* one event (or link) of the span meets the child */
    JG_EXPR_ANY_SPAN /* one span of the trace meets the child */
} jg_expr_op;

typedef enum jg_expr_level {
    JG_LEVEL_ANY, /* span, then resource */
    JG_LEVEL_SPAN,
    JG_LEVEL_RESOURCE,
    JG_LEVEL_SCOPE,
    JG_LEVEL_EVENT,
    JG_LEVEL_LINK,
    JG_LEVEL_TRACE
} jg_expr_level;

typedef enum jg_expr_field {
    JG_FIELD_ATTR, /* an attribute, by key */
    JG_FIELD_TRACE_ID,
    JG_FIELD_SPAN_ID,
    JG_FIELD_PARENT_ID,
    JG_FIELD_TRACE_STATE,
    JG_FIELD_NAME,
    JG_FIELD_KIND,
    JG_FIELD_START,
    JG_FIELD_END,
    JG_FIELD_DURATION,
    JG_FIELD_STATUS,
    JG_FIELD_STATUS_MESSAGE,
    JG_FIELD_SERVICE,
    JG_FIELD_SCHEMA_URL,
    JG_FIELD_VERSION,
    JG_FIELD_TIME,
    JG_FIELD_SINCE_START,
    JG_FIELD_ROOT_SERVICE,
    JG_FIELD_ROOT_NAME,
    JG_FIELD_TRACE_DURATION,
    JG_FIELD_SPAN_COUNT,
    JG_FIELD_HAS_ERROR
} jg_expr_field;

/** What a field holds, and so what may be compared with it. */
typedef enum jg_expr_kind {
    JG_HOLDS_ANYTHING, /* attributes */
    JG_HOLDS_TEXT,
    JG_HOLDS_WORD, /* kind, status: text without an order */
    JG_HOLDS_ID,
    JG_HOLDS_DURATION,
    JG_HOLDS_TIME,
    JG_HOLDS_COUNT,
    JG_HOLDS_BOOL
} jg_expr_kind;

typedef struct jg_expr_ref {
    jg_expr_level level;
    jg_expr_field field;
    jg_expr_kind kind;
    jaeger_str key; /* of an attribute */
} jg_expr_ref;

/** How a literal was written, or what its type hint says. */
typedef enum jg_literal_type {
    JG_LITERAL_ANY, /* equal to whatever prints so */
    JG_LITERAL_STRING,
    JG_LITERAL_INT,
    JG_LITERAL_DOUBLE,
    JG_LITERAL_BOOL
} jg_literal_type;

typedef struct jg_literal {
    jg_literal_type type;
    jg_match_text text;
    bool is_number, is_bool, b;
    bool is_int; /* i holds it exactly */
    int64_t i;   /* also durations and times [ns] */
    double d;
} jg_literal;

typedef struct jg_expr {
    jg_expr_op op;
    bool against_ref;       /* compared with `right`, not with literals */
    uint8_t set;            /* of ANY_SPAN: its number */
    jg_expr_ref ref, right; /* SOME: ref.level only */
    const jg_literal *literals;
    size_t literal_count;
    const jg_nfa *regex;
    struct jg_expr *first, *next; /* children, and the parent's next one */
} jg_expr;

/** What a filter was read from, so that it can be sent to another process of ours (wire/rpc.h). */
typedef enum jg_filter_form {
    JG_FILTER_TEXT,
    JG_FILTER_TRACEQL,
    JG_FILTER_PB,
    JG_FILTER_JSON
} jg_filter_form;

/** Of storage.h: a compiled expression. */
struct jaeger_filter {
    jg_filter_form form;
    jaeger_str source; /* lives where it was read from */
    const jg_expr *root;
    bool needs_trace; /* some answers depend on the whole trace */
    unsigned set_count;
    const jg_expr *sets[JG_EXPR_SETS_MAX]; /* the ANY_SPAN nodes */
};

typedef enum jg_expr_answer { JG_EXPR_NO, JG_EXPR_MAYBE, JG_EXPR_YES } jg_expr_answer;

/** What is known of a whole trace. Strings point into its spans. */
typedef struct jg_trace_facts {
    jaeger_str root_service, root_name; /* of the earliest span without a parent */
    uint64_t start_unix_ns, end_unix_ns;
    uint64_t span_count;
    bool has_error;
    uint8_t sets[JG_EXPR_SETS_MAX]; /* answers of the filter's ANY_SPAN nodes */
} jg_trace_facts;

/** Gather the facts that `filter` needs. */
void jg_trace_facts_of(const jaeger_batch *trace, const jaeger_filter *filter, jg_trace_facts *ret);
/** @param facts NULL: unknown. Threads: any */
jg_expr_answer jg_filter_test(const jaeger_filter *filter, const jaeger_span *span,
                              const jg_trace_facts *facts);
/** Could a span of which only this is known meet the filter? */
typedef enum jg_expr_known {
    JG_KNOWN_OPERATION = 1, /* name, kind, group->service */
    JG_KNOWN_STATUS = 2     /* status_code */
} jg_expr_known;
/** Could an attribute with this value make the condition hold? Only for conditions on an attribute that
 * compare with literals. For indexes. */
bool jg_expr_value_fits(const jg_expr *condition, const jaeger_value *value);
bool jg_filter_may_match(const jaeger_filter *filter, const jaeger_span *span, unsigned known);
/** Has the trace a span that meets the filter? */
bool jg_filter_test_trace(const jaeger_filter *filter, const jaeger_batch *trace);

/* ---- reading; all of it lives in the arena ---- */

typedef enum jg_expr_dialect { JG_EXPR_TEXT, JG_EXPR_TRACEQL } jg_expr_dialect;

/** @return INVALID_ARGUMENT "column 12: ..."; RESOURCE_EXHAUSTED */
jaeger_status jg_filter_parse(jg_expr_dialect dialect, jaeger_str text, jaeger_arena *arena,
                              const jaeger_filter **ret, jaeger_error *err) JG_MUST_CHECK;
/** A jaeger.expression.v1.Call. Its strings may stay where they are: `message` must outlive the filter. */
jaeger_status jg_filter_from_pb(jaeger_str message, jaeger_arena *arena, const jaeger_filter **ret,
                                jaeger_error *err) JG_MUST_CHECK;
jaeger_status jg_filter_from_json(jaeger_str json, jaeger_arena *arena, const jaeger_filter **ret,
                                  jaeger_error *err) JG_MUST_CHECK;
/** Read `source` in the form it is said to have. @return INVALID_ARGUMENT also for an unknown form */
jaeger_status jg_filter_from_source(uint64_t form, jaeger_str source, jaeger_arena *arena,
                                    const jaeger_filter **ret, jaeger_error *err) JG_MUST_CHECK;
/** Does it look like the JSON form rather than like the text? */
bool jg_filter_is_json(jaeger_str text);

/** Conditions that every span must meet if it is to meet the filter, added to `query` where it has none of
 *  its own: service, operation, durations, attributes. So a driver that knows no filters has an index to use.
 *  `query->attrs` may be replaced by a longer list in the arena. */
jaeger_status jg_filter_narrow(const jaeger_filter *filter, jaeger_trace_query *query, jaeger_arena *arena,
                               jaeger_error *err) JG_MUST_CHECK;

#endif
