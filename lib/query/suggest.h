/* SPDX-License-Identifier: Apache-2.0
 * Attribute keys and values to choose from: those of the newest traces, of which so many are looked at and no
 * more, and those that the store has in an index.
 */
#ifndef JG_QUERY_SUGGEST_H
#define JG_QUERY_SUGGEST_H

#include "model/expr.h"
#include <jaeger/query.h>

#define JG_SUGGEST_LIMIT     100u  /* answered when the request names no limit ... */
#define JG_SUGGEST_LIMIT_MAX 5000u /* ... and the most it may name */

typedef struct jg_suggestion {
    jg_expr_level level; /* of a key */
    jaeger_str text;     /* key, or value as text */
    jaeger_value_type type;
} jg_suggestion;

typedef struct jg_suggest {
    jaeger_str service;   /* empty: any */
    jaeger_str part;      /* only texts that hold it; empty: all */
    jg_expr_ref ref;      /* whose values; level and key, or field */
    bool values;          /* else keys, of all levels */
    size_t limit;         /* 0: JG_SUGGEST_LIMIT */
    jg_suggestion *items; /* out: sorted by text; in the call's arena */
    size_t count;
} jg_suggest;

/** @return as jaeger_query_find_traces() */
jaeger_status jg_suggest_run(jg_suggest *suggest, jaeger_query *query, jaeger_call *call) JG_MUST_CHECK;

#endif
