/* SPDX-License-Identifier: Apache-2.0
 * Does one span satisfy a search? The rules that drivers and the query service share.
 *
 * A query is compiled once: special keys become codes, and each wanted text becomes the list of typed values
 * that print as that text, so that the test of a span compares values and allocates nothing (arrays and maps
 * excepted, and those only when the wanted text looks like JSON). Rules: jaeger/storage.h,
 * jaeger_trace_query.
 */
#ifndef JG_MODEL_MATCH_H
#define JG_MODEL_MATCH_H

#include "core/attr.h"
#include <jaeger/storage.h>

/** A text, and every typed value whose text it is. */
typedef struct jg_match_text {
    jaeger_str text;
    bool is_int, is_double, is_nan, is_bytes, is_json; /* is_json: may be the text of an array or map */
    int64_t i;
    uint64_t double_bits;
    jaeger_str bytes;
} jg_match_text;

typedef enum jg_match_where {
    JG_MATCH_ANYWHERE, /* span, scope, resource, event and link attributes */
    JG_MATCH_RESOURCE,
    JG_MATCH_ERROR, /* `number` 1: status Error, 0: not Error, 2: nothing matches */
    JG_MATCH_STATUS,
    JG_MATCH_KIND,
    JG_MATCH_SCOPE_NAME,
    JG_MATCH_SCOPE_VERSION
} jg_match_where;

typedef struct jg_match_attr {
    jg_match_where where;
    uint32_t number; /* status code, kind, or the answer for JG_MATCH_ERROR */
    jaeger_str key;  /* without the prefix "resource." */
    jg_match_text want;
} jg_match_attr;

typedef struct jg_match {
    jaeger_str service, operation;
    uint64_t start_min_unix_ns, start_max_unix_ns; /* inclusive; 0 and UINT64_MAX: open */
    uint64_t duration_min_ns, duration_max_ns;
    uint32_t limit; /* never 0 */
    jg_match_attr *attrs;
    size_t attr_count;
    const jaeger_filter *filter; /* NULL: none */
} jg_match;

/** Compile `query`; its strings must outlive `ret`, the rest lives in `arena`.
 *  @return RESOURCE_EXHAUSTED */
jaeger_status jg_match_compile(jg_match *ret, const jaeger_trace_query *query, jaeger_arena *arena,
                               jaeger_error *err) JG_MUST_CHECK;
/** A text and its typed readings; the text must outlive `ret`. */
jaeger_status jg_match_text_compile(jg_match_text *ret, jaeger_str text, jaeger_arena *arena,
                                    jaeger_error *err) JG_MUST_CHECK;
/** Does this one span meet every condition? Of a filter, what depends on the whole trace is taken as met.
 *  Threads: any. */
bool jg_match_span(const jg_match *match, const jaeger_span *span);
/** The same without service, operation and attributes: start and duration only. */
bool jg_match_times(const jg_match *match, uint64_t start_unix_ns, uint64_t end_unix_ns);
/** Is `value` printed as the wanted text? */
bool jg_match_value(const jg_match_text *want, const jaeger_value *value);

#endif
