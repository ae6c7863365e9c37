/* SPDX-License-Identifier: Apache-2.0
 * Zipkin's v2 model on its way to OTLP: what the decoders of JSON and protobuf have in common. One span at a
 * time, flat, in arrays that are reused for the next. Rules: contrib
 * pkg/translator/zipkin/zipkinv2/to_translator.go.
 */
#ifndef JG_WIRE_ZIPKIN_MODEL_H
#define JG_WIRE_ZIPKIN_MODEL_H

#include "wire/span_groups.h"

typedef struct jg_zipkin_tag {
    jaeger_str key, value;
    bool gone;
} jg_zipkin_tag;

typedef struct jg_zipkin_note { /* annotation */
    uint64_t time_us;
    jaeger_str value;
} jg_zipkin_note;

typedef struct jg_zipkin_endpoint {
    jaeger_str service, ipv4, ipv6; /* addresses as text; ptr NULL: none */
    uint16_t port;
} jg_zipkin_endpoint;

typedef struct jg_zipkin_span {
    uint8_t trace_id[16], id[8], parent_id[8];
    jaeger_str name;
    uint32_t kind; /* JAEGER_KIND_*, unspecified: see the tag span.kind */
    uint64_t time_us, duration_us;
    bool has_time;
    jg_zipkin_endpoint local, remote;
} jg_zipkin_span;

typedef struct jg_zipkin_in {
    jg_span_groups groups;
    jg_zipkin_tag *tags;
    jg_zipkin_note *notes;
    size_t tag_count, tag_cap, note_count, note_cap;
    jaeger_arena *arena; /* texts that are not in the input as they are */
    bool parse_string_tags;
} jg_zipkin_in;

void jg_zipkin_in_init(jg_zipkin_in *in, size_t input_bytes, bool parse_string_tags);
void jg_zipkin_in_done(jg_zipkin_in *in);

/** NULL: out of memory (sticky). */
jg_zipkin_tag *jg_zipkin_add_tag(jg_zipkin_in *in);
jg_zipkin_note *jg_zipkin_add_note(jg_zipkin_in *in);
/** Add the span with in->tags and in->notes, which are used up.
 *  @return NULL: done; else what is wrong with it (static text): the request must be refused */
const char *jg_zipkin_write_span(jg_zipkin_in *in, const jg_zipkin_span *span);

/** What a tag's text looks like: "-12" an int, "1.5" a double, "true" a bool. */
jaeger_value jg_zipkin_parse_value(jaeger_str text);

/** An address of 4 or 16 bytes as Go prints it: dotted quads also for mapped ones. Other lengths print "?"
 * and hex.
 *  @return ptr NULL: no bytes, or out of memory */
jaeger_str jg_zipkin_ip_text(jaeger_arena *arena, jaeger_str bytes);
/** Address bytes of a text; ret_len 4 or 16. @return false: not an address */
bool jg_zipkin_ip_parse(jaeger_str text, uint8_t ret[16], size_t *ret_len);

#endif
