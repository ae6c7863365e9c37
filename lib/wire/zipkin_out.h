/* SPDX-License-Identifier: Apache-2.0
 * OTLP spans in the shape of Zipkin's v2 model: what becomes an endpoint, a tag, an annotation. Shared by the
 * writers of JSON and protobuf. Rules: contrib pkg/translator/zipkin/zipkinv2/from_translator.go.
 */
#ifndef JG_WIRE_ZIPKIN_OUT_H
#define JG_WIRE_ZIPKIN_OUT_H

#include "core/buf.h"
#include <jaeger/batch.h>

typedef struct jg_zipkin_out_tag {
    jaeger_str key, value; /* value.ptr NULL: removed */
    size_t order;
} jg_zipkin_out_tag;

typedef struct jg_zipkin_out_endpoint {
    bool set;
    jaeger_str service;
    uint8_t ip[16];
    size_t ip_len; /* 0, 4, 16 */
    uint16_t port;
} jg_zipkin_out_endpoint;

/** One span at a time; all of it lives until the next. */
typedef struct jg_zipkin_out {
    const jaeger_span *span;
    jg_zipkin_out_endpoint local, remote;
    jg_zipkin_out_tag *tags; /* sorted by key */
    size_t tag_count, tag_cap;
    int64_t duration_ns; /* 0: none */
    bool has_start;
    jaeger_arena *arena;
    bool failed; /* out of memory */
} jg_zipkin_out;

bool jg_zipkin_out_init(jg_zipkin_out *out);
void jg_zipkin_out_done(jg_zipkin_out *out);
/** @return NULL: done; else why Zipkin cannot carry the span (static text) */
const char *jg_zipkin_out_span(jg_zipkin_out *out, const jaeger_span *span);
/** Value of an event's annotation: its name, or name|{attributes}|dropped. In the arena. */
jaeger_str jg_zipkin_out_note(jg_zipkin_out *out, const jaeger_event *event);

#endif
