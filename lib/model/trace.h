/* SPDX-License-Identifier: Apache-2.0
 * Traces inside batches: which spans belong together, and what a trace looks like from afar.
 */
#ifndef JG_MODEL_TRACE_H
#define JG_MODEL_TRACE_H

#include "core/attr.h"
#include "core/map.h"
#include <jaeger/storage.h>

#define JG_NO_SPAN UINT32_MAX

/** The spans of one trace in a batch: a chain through jg_trace_groups.next. */
typedef struct jg_trace_group {
    uint64_t hash; /* of the trace id, with the caller's seed */
    uint32_t first, last, span_count;
} jg_trace_group;

/** A batch's spans by trace; traces in the order of their first span, spans in wire order. */
typedef struct jg_trace_groups {
    jg_trace_group *traces;
    uint32_t *next; /* per span; JG_NO_SPAN ends a chain */
    uint32_t count;
} jg_trace_groups;

/** @param seed unknown to senders, else they can make all ids collide. One allocation, freed by done.
 *  @return RESOURCE_EXHAUSTED */
jaeger_status jg_trace_groups_make(const jaeger_batch *batch, uint64_t seed, jg_trace_groups *ret,
                                   jaeger_error *err) JG_MUST_CHECK;
void jg_trace_groups_done(jg_trace_groups *groups);

/** Gathers a jaeger_trace_summary span by span. Root: the earliest span without a parent id; orphan: a parent
 *  id that no span of the trace has. Strings of the spans must stay valid until the summary was used. */
typedef struct jg_summary {
    jaeger_trace_summary sum;
    jaeger_arena *arena; /* ids and services */
    uint64_t root_start_unix_ns;
    struct jg_summary_ids {
        uint8_t id[8], parent[8];
    } * ids;
    size_t id_cap;
    jaeger_service_count *services;
    size_t service_cap;
    jg_map service_at; /* name -> index + 1 */
} jg_summary;

/** @param arena what is gathered lives there; reset it between traces */
void jg_summary_init(jg_summary *summary, jaeger_arena *arena);
jaeger_status jg_summary_add(jg_summary *summary, const jaeger_span *span) JG_MUST_CHECK;
/** The result; valid until done and while the arena lives. */
const jaeger_trace_summary *jg_summary_result(jg_summary *summary);
void jg_summary_done(jg_summary *summary);

#endif
