/* SPDX-License-Identifier: Apache-2.0
 * Policies of the tail sampler: from their configuration to a tree, and what they say about a trace.
 * Spec: opentelemetry-collector-contrib processor/tailsamplingprocessor/README.md.
 */
#ifndef JG_PROCESSORS_TAIL_SAMPLING_POLICY_H
#define JG_PROCESSORS_TAIL_SAMPLING_POLICY_H

#include "core/metrics.h"
#include "core/regex.h"
#include "model/trace.h"
#include "ottl/ottl.h"
#include <jaeger/config.h>

typedef enum jg_decision {
    JG_UNDECIDED,
    JG_SAMPLED,
    JG_NOT_SAMPLED,
    JG_DROPPED,
    JG_DECISION_COUNT
} jg_decision;

/** A batch whose spans wait, shared by the traces that have spans in it. */
typedef struct jg_tail_load {
    jaeger_batch *batch;
    uint32_t *next; /* per span: the next one of its trace; JG_NO_SPAN ends a chain */
    size_t bytes;   /* held */
    uint32_t refs;  /* under the lock of the traces */
    uint32_t picked;
    uint32_t *picks; /* spans to forward; both are the decision thread's */
    struct jg_tail_load *next_load;
    char tenant[]; /* NUL-terminated */
} jg_tail_load;

/** The spans of one trace in one load. */
typedef struct jg_tail_piece {
    jg_tail_load *load;
    uint32_t first, span_count; /* first: start of the chain */
    struct jg_tail_piece *next;
} jg_tail_piece;

/** A trace as the policies see it. */
typedef struct jg_tail_view {
    const uint8_t *trace_id;
    const jg_tail_piece *pieces;
    uint64_t span_count, size_bytes;
    uint64_t now_ns, unix_s;
    jaeger_arena *scratch;
    const jaeger_logger *log;
} jg_tail_view;

/** Walks the spans of a view. */
typedef struct jg_tail_spans {
    const jg_tail_piece *piece;
    uint32_t at;
} jg_tail_spans;
jg_tail_spans jg_tail_spans_of(const jg_tail_view *view);
/** NULL at the end. */
const jaeger_span *jg_tail_next(jg_tail_spans *spans);

/** Tokens per second up to a burst, as golang.org/x/time/rate has it. */
typedef struct jg_tail_bucket {
    double rate, burst, tokens;
    uint64_t last_ns; /* 0: not used yet, full */
} jg_tail_bucket;

typedef struct jg_policy jg_policy;
typedef struct jg_policy_type jg_policy_type;

struct jg_policy {
    const jg_policy_type *type;
    jaeger_str name;
    void *config; /* bound by type->fields */
    jg_policy *subs;
    size_t sub_count;
    jg_regex *regexes; /* string_attribute */
    size_t regex_count;
    jg_ottl_set span, spanevent; /* ottl_condition */
    jg_tail_bucket bucket;       /* rate_limiting, bytes_limiting */
    uint64_t threshold;          /* probabilistic */
    uint64_t second;             /* composite: the one that is counted */
    double share;                /* of a sub-policy of composite [spans a second] */
    uint64_t sampled;            /* ... used in this second */
    /* metrics of a policy at the top */
    jg_metric *decided[JG_DECISION_COUNT], *runs, *run_us;
};

struct jg_policy_type {
    const char *name;
    const jaeger_field *fields; /* of the block of the same name; NULL: none */
    size_t config_size;
    /** Compile policy->config. NULL: nothing to do. */
    jaeger_status (*make)(jg_policy *policy, jaeger_arena *arena, jaeger_error *err);
    /** JG_UNDECIDED: it failed, `err` is set. */
    jg_decision (*evaluate)(jg_policy *policy, const jg_tail_view *view, jaeger_error *err);
    /** Depends on more than the spans of one batch? NULL: no. */
    bool (*is_stateful)(const jg_policy *policy);
    bool is_group; /* only at the top, or where a group names it */
};

extern const jg_policy_type jg_policy_span_types[], jg_policy_group_types[]; /* each ends with a NULL name */

/** The list under `policies`, drop policies first. Memory is the arena's; compiled things go with
 * jg_policies_done, also after a failure.
 *  @return INVALID_ARGUMENT */
jaeger_status jg_policies_make(const jaeger_config *list, jaeger_arena *arena, jg_policy **ret,
                               size_t *ret_count, jaeger_error *err);
void jg_policies_done(jg_policy *policies, size_t count);
bool jg_policy_is_stateful(const jg_policy *policy);
bool jg_policy_is_drop(const jg_policy *policy);

/** One policy from a node {name, type, <type>: {...}}. `kind`: what it is part of, for messages.
 *  @param types bits of JG_POLICY_*: groups that may stand here */
enum { JG_POLICY_AND = 1, JG_POLICY_NOT = 2, JG_POLICY_COMPOSITE = 4, JG_POLICY_DROP = 8 };
jaeger_status jg_policy_make(const jaeger_config *node, unsigned types, jaeger_arena *arena, jg_policy *ret,
                             jaeger_error *err);
/** A list of them into policy->subs. */
jaeger_status jg_policy_make_subs(jg_policy *policy, const jaeger_config *list, unsigned types,
                                  jaeger_arena *arena, jaeger_error *err);
bool jg_tail_bucket_take(jg_tail_bucket *bucket, uint64_t n, uint64_t now_ns);

#endif
