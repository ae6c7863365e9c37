/* SPDX-License-Identifier: Apache-2.0
 * OTLP spans in the shape of Jaeger's own model: what becomes a tag, a log field, a reference. Shared by
 * everything that writes that model: gRPC, Kafka, legacy JSON, Elasticsearch, Cassandra. Rules: contrib
 * pkg/translator/jaeger (traces_to_jaegerproto); jaeger internal/storage/v1/.../otel2model.
 */
#ifndef JG_WIRE_V1_TAGS_H
#define JG_WIRE_V1_TAGS_H

#include "core/attr.h"
#include <jaeger/batch.h>

/** How a status of ERROR becomes tags. */
typedef enum jg_v1_style {
    JG_V1_TRANSLATOR, /* otel.status_code=ERROR and error=true: api_v2, Kafka, legacy JSON */
    JG_V1_STORAGE     /* error=true only: Elasticsearch, Cassandra */
} jg_v1_style;

/** Walks tags. A plain value. */
typedef struct jg_v1_tags {
    jaeger_iter attrs;
    jaeger_attr extra[7];      /* raw is empty in these */
    uint8_t before, after, at; /* extra[0..before) come before the attributes, the others after */
    bool attrs_done, skips_service;
} jg_v1_tags;

/** Scope name and version, attributes, span.kind, status, trace state. */
jg_v1_tags jg_v1_span_tags(const jaeger_span *span, jg_v1_style style);
/** Resource attributes but the service's name. */
jg_v1_tags jg_v1_process_tags(const jaeger_span_group *group);
/** `event` with the event's name, then its attributes. */
jg_v1_tags jg_v1_log_fields(const jaeger_event *event);
/** An empty value is an empty text; arrays and maps are left to jg_value_text. @return false at the end */
bool jg_v1_next(jg_v1_tags *tags, jaeger_attr *ret);

/** Name of the process: service.name, or OTLPResourceNoServiceName for a resource without any attribute. */
jaeger_str jg_v1_service(const jaeger_span_group *group);

typedef struct jg_v1_ref {
    uint8_t trace_id[16], span_id[8];
    bool follows_from;
} jg_v1_ref;

typedef struct jg_v1_refs {
    const jaeger_span *span;
    jaeger_iter links;
    bool parent_follows_from, parent_done;
} jg_v1_refs;

/** The parent first, then the links. A link to the parent only sets the type of that reference. */
jg_v1_refs jg_v1_span_refs(const jaeger_span *span);
bool jg_v1_next_ref(jg_v1_refs *refs, jg_v1_ref *ret);

/** End minus start in signed arithmetic, as Go's time.Sub: saturating [ns]. */
int64_t jg_v1_duration_ns(const jaeger_span *span);

#endif
