/* SPDX-License-Identifier: Apache-2.0
 * Jaeger's data model on its way to OTLP: what the decoders of Thrift, protobuf and JSON have in common. A
 * decoder hands over one span at a time, flat, in arrays that are reused for the next; all texts stay where
 * they are in the input. Rules: contrib pkg/translator/jaeger (jaegerproto_to_traces,
 * jaegerthrift_to_traces); traps in docs/compatibility.md.
 */
#ifndef JG_WIRE_JAEGER_MODEL_H
#define JG_WIRE_JAEGER_MODEL_H

#include "wire/span_groups.h"

/** jaeger.api_v2.ValueType; Thrift's numbers differ. */
typedef enum jg_jaeger_type {
    JG_JAEGER_STRING,
    JG_JAEGER_BOOL,
    JG_JAEGER_INT64,
    JG_JAEGER_FLOAT64,
    JG_JAEGER_BINARY
} jg_jaeger_type;

typedef struct jg_jaeger_tag {
    jaeger_str key;
    jaeger_str text; /* v_str, whatever the type: scope names are taken from it */
    jg_jaeger_type type;
    bool gone; /* used up or replaced by a later one */
    union {
        bool b;
        int64_t i;
        double d;
        jaeger_str s;
    } u;
} jg_jaeger_tag;

typedef struct jg_jaeger_tags {
    jg_jaeger_tag *items;
    size_t count, cap;
} jg_jaeger_tags;

typedef struct jg_jaeger_ref {
    uint8_t trace_id[16], span_id[8];
    int32_t type; /* 0: CHILD_OF, 1: FOLLOWS_FROM */
} jg_jaeger_ref;

/** One span without its tags, references and logs. */
typedef struct jg_jaeger_head {
    uint8_t trace_id[16], span_id[8], parent_span_id[8]; /* parent: Thrift's own field */
    jaeger_str name;
    uint64_t start_unix_ns, end_unix_ns;
} jg_jaeger_head;

/** A conversion: the batch that grows, and the arrays of the current span. */
typedef struct jg_jaeger_in {
    jg_span_groups groups;
    jg_jaeger_tags tags, fields; /* of the span or process; of a log */
    jg_jaeger_ref *refs;
    size_t ref_count, ref_cap;
    jaeger_arena *arena;  /* texts that are not in the input as they are */
    bool lifts_scope;     /* protobuf and JSON: otel.scope.* and w3c.tracestate leave the tags */
    jaeger_str http_code; /* the tag that gives a status where no other does */
} jg_jaeger_in;

void jg_jaeger_in_init(jg_jaeger_in *in, size_t input_bytes, bool lifts_scope);
void jg_jaeger_in_done(jg_jaeger_in *in);
#define JG_AUTO_JAEGER_IN JG_CLEANUP(jg_jaeger_in_done)

/** A new tag to fill; NULL: out of memory (sticky, comes out of jg_span_groups_finish). */
jg_jaeger_tag *jg_jaeger_add(jg_jaeger_in *in, jg_jaeger_tags *tags);
/** A value of a type that the enum does not have becomes a text that says so. */
void jg_jaeger_set_unknown(jg_jaeger_in *in, jg_jaeger_tag *tag, int32_t number);
jg_jaeger_ref *jg_jaeger_add_ref(jg_jaeger_in *in);
/** First tag of that key that is not gone; NULL: none. */
jg_jaeger_tag *jg_jaeger_find(jg_jaeger_tags *tags, jaeger_str key);

/** All tags as attributes: of two with one key, the last value wins. They are used up. */
void jg_jaeger_write_tags(jg_jaeger_in *in, jg_buf *buf, uint32_t field, jg_jaeger_tags *tags);
/** The resource body of a process into in->groups.heads. The tags are used up. */
void jg_jaeger_write_process(jg_jaeger_in *in, jaeger_str service, jg_jaeger_tags *tags);
/** One log as an event of the open span, from in->fields, which are used up. */
void jg_jaeger_write_log(jg_jaeger_in *in, uint64_t time_unix_ns);
/** The rest of the open span, from in->tags and in->refs, which are used up. @return the scope the span
 * belongs to, for jg_span_groups_end_span */
uint32_t jg_jaeger_write_span(jg_jaeger_in *in, const jg_jaeger_head *head, uint32_t resource);

#endif
