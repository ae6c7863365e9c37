/* SPDX-License-Identifier: Apache-2.0
 * Makes one OTLP batch of spans that arrive in any order of resources and scopes, as they do in Jaeger's and
 * Zipkin's formats. Spans are written once, one after the other; at the end they are copied to their groups.
 */
#ifndef JG_WIRE_SPAN_GROUPS_H
#define JG_WIRE_SPAN_GROUPS_H

#include "core/map.h"
#include "core/pb.h"
#include <jaeger/batch.h>

/** Errors are sticky and come out of jg_span_groups_finish. All zero is a valid, ended state. */
typedef struct jg_span_groups {
    jg_buf spans; /* Span fields of ScopeSpans */
    jg_buf heads; /* bodies of Resource and InstrumentationScope */
    struct jg_span_groups_span *entries;
    struct jg_span_groups_scope *scopes;
    struct jg_span_groups_resource *resources;
    size_t entry_count, entry_cap, scope_count, scope_cap, resource_count, resource_cap;
    jg_map by_key;       /* 'r' + key, 's' + resource + name + version -> index + 1 */
    jaeger_arena *arena; /* the keys */
    jg_buf key;          /* the one that is looked up */
    bool failed;
} jg_span_groups;

/** @param bytes_max ceiling of all the spans [bytes] */
void jg_span_groups_init(jg_span_groups *groups, size_t bytes_max);
/** Accepts a zeroed one. */
void jg_span_groups_done(jg_span_groups *groups);
#define JG_AUTO_SPAN_GROUPS JG_CLEANUP(jg_span_groups_done)

/** The resource of `key` (any bytes); its body is empty when it is new. */
uint32_t jg_span_groups_resource(jg_span_groups *groups, jaeger_str key, bool *ret_new);
/** Write its body to groups->heads between these two. */
size_t jg_span_groups_begin_resource(const jg_span_groups *groups);
void jg_span_groups_end_resource(jg_span_groups *groups, uint32_t resource, size_t mark);
/** The scope of that name and version in `resource`, with its body. */
uint32_t jg_span_groups_scope(jg_span_groups *groups, uint32_t resource, jaeger_str name, jaeger_str version);
/** The same by name only: the version counts when the scope is new. Do not mix both kinds in one batch. */
uint32_t jg_span_groups_named_scope(jg_span_groups *groups, uint32_t resource, jaeger_str name,
                                    jaeger_str version);

/** Write a span's fields to groups->spans between these two. */
size_t jg_span_groups_begin_span(jg_span_groups *groups);
void jg_span_groups_end_span(jg_span_groups *groups, uint32_t scope, size_t mark);
/** Forget what was written since begin. */
void jg_span_groups_drop_span(jg_span_groups *groups, size_t mark);

/** Resources and scopes come in the order of their making, spans in the order they were written. Groups
 * without spans are left out. @return RESOURCE_EXHAUSTED: above the ceiling or out of memory */
jaeger_status jg_span_groups_finish(jg_span_groups *groups, jaeger_batch **ret,
                                    jaeger_error *err) JG_MUST_CHECK;

#endif
