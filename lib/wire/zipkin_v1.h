/* SPDX-License-Identifier: Apache-2.0
 * Zipkin's v1 model on its way to OTLP: what the decoders of JSON and Thrift have in common. Annotations
 * become events as they are read; binary annotations are kept in the arrays of jaeger_model.h until the span
 * is complete. Rules: contrib pkg/translator/zipkin/zipkinv1.
 */
#ifndef JG_WIRE_ZIPKIN_V1_H
#define JG_WIRE_ZIPKIN_V1_H

#include "wire/jaeger_model.h"

typedef struct jg_zipkin_v1_endpoint {
    jaeger_str service, ipv4, ipv6;
    int32_t port;
} jg_zipkin_v1_endpoint;

typedef struct jg_zipkin_v1_status {
    bool set;
    int32_t code;
    jaeger_str message;
} jg_zipkin_v1_status;

typedef struct jg_zipkin_v1_span {
    uint8_t trace_id[16], id[8], parent_id[8];
    jaeger_str name;
    bool has_time;
    int64_t time_us, duration_us;
    /* the rest is filled by the functions below */
    bool has_endpoint, has_kind, has_note;
    jg_zipkin_v1_endpoint endpoint;
    uint32_t kind;
    int64_t first_us, last_us;
    jaeger_str component, fallback; /* value of "lc"; service of the last binary annotation's host */
    jg_zipkin_v1_status census, status, http, error;
    size_t mark;
} jg_zipkin_v1_span;

void jg_zipkin_v1_begin(jg_jaeger_in *in, jg_zipkin_v1_span *span);
/** @param endpoint NULL: none */
void jg_zipkin_v1_note(jg_jaeger_in *in, jg_zipkin_v1_span *span, int64_t time_us, jaeger_str value,
                       const jg_zipkin_v1_endpoint *endpoint);
/** A binary annotation: the last tag of in->tags, which may be dropped again. */
void jg_zipkin_v1_binary(jg_jaeger_in *in, jg_zipkin_v1_span *span, jaeger_str raw_value);
/** @param now_unix_ns start of a span that has no time at all; 0: leave it */
void jg_zipkin_v1_end(jg_jaeger_in *in, jg_zipkin_v1_span *span, uint64_t now_unix_ns);

#endif
