/* SPDX-License-Identifier: Apache-2.0
 * The batch: spans as OTLP protobuf bytes plus an index over them.
 *
 * A batch is reference-counted. It owns the wire buffers its spans lie in; a span is an index entry over its
 * bytes, attributes, events and links are read by iterators. A batch that is shared (more than one reference)
 * is immutable: call jaeger_batch_own() before changing it. Spec: opentelemetry-proto trace/v1/trace.proto,
 * collector/trace/v1/trace_service.proto.
 */
#ifndef JAEGER_BATCH_H
#define JAEGER_BATCH_H

#include <jaeger/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct jaeger_batch jaeger_batch;

/** Signals, as bits: what a component takes and gives, and what a batch holds. */
enum { JAEGER_TRACES = 1, JAEGER_METRICS = 2, JAEGER_LOGS = 4 };

/** OTLP Span.SpanKind. */
enum {
    JAEGER_KIND_UNSPECIFIED,
    JAEGER_KIND_INTERNAL,
    JAEGER_KIND_SERVER,
    JAEGER_KIND_CLIENT,
    JAEGER_KIND_PRODUCER,
    JAEGER_KIND_CONSUMER
};
/** OTLP Status.StatusCode. */
enum { JAEGER_STATUS_UNSET, JAEGER_STATUS_OK, JAEGER_STATUS_ERROR };

/** Spans of one trace that share an id. */
enum { JAEGER_ID_CAME_BEFORE = 1, JAEGER_ID_COMES_AGAIN = 2 };

/** What the spans of one resource and one scope share. All strings point into the batch. */
typedef struct jaeger_span_group {
    jaeger_str resource; /**< body of the Resource message; ptr NULL: absent */
    jaeger_str resource_schema_url;
    jaeger_str scope; /**< body of the InstrumentationScope message; ptr NULL: absent */
    jaeger_str scope_schema_url;
    jaeger_str service;      /**< service.name; ptr NULL: missing or not a string */
    uint32_t resource_index; /**< equal for the groups of one ResourceSpans */
    uint32_t reserved;
} jaeger_span_group;

/** One span: where its bytes are, and the fields that every stage needs. Ids are zero when absent. */
typedef struct jaeger_span {
    const jaeger_span_group *group;
    const uint8_t *bytes; /**< body of the Span message */
    uint32_t len;
    uint32_t flags;
    uint8_t trace_id[16];
    uint8_t span_id[8];
    uint8_t parent_span_id[8];
    uint64_t start_unix_ns;
    uint64_t end_unix_ns;
    jaeger_str name;
    uint8_t kind;        /**< JAEGER_KIND_*; unknown numbers are kept */
    uint8_t status_code; /**< JAEGER_STATUS_* */
    bool has_bad_text;   /**< some text in it is not UTF-8 */
    uint8_t id_marks;    /**< JAEGER_ID_*, of traces that the query service adjusted; else 0 */
    uint32_t reserved1;
} jaeger_span;

/** Called once, when the last reference is dropped, from any thread. */
typedef void (*jaeger_release_fn)(void *user, void *bytes, size_t len);

/** Index an ExportTraceServiceRequest (or TracesData: the same bytes). The whole message is checked: wire
 * types, lengths, nesting (64 at most), id lengths (0, or 16 and 8); unknown fields are kept. UTF-8 is not
 * checked here.
 *  @param bytes   the message. With `release`: taken over, even on failure. Without: copied
 *  @return INVALID_ARGUMENT (not valid protobuf); RESOURCE_EXHAUSTED (memory)
 *  Threads: any. Blocks: no. */
JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_batch_from_otlp(void *bytes, size_t len,
                                                                  jaeger_release_fn release, void *user,
                                                                  jaeger_batch **ret, jaeger_error *err);

/** The same for an ExportMetricsServiceRequest (or MetricsData). Such a batch has no spans: its bytes are
 * what it is, and jaeger_batch_write_otlp() gives them back. Pipelines of metrics pass only such batches,
 * pipelines of traces none.
 *  @return INVALID_ARGUMENT (not valid protobuf); RESOURCE_EXHAUSTED (memory) */
JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_batch_from_otlp_metrics(void *bytes, size_t len,
                                                                          jaeger_release_fn release,
                                                                          void *user, jaeger_batch **ret,
                                                                          jaeger_error *err);
/** JAEGER_TRACES or JAEGER_METRICS. */
JAEGER_API uint32_t jaeger_batch_signal(const jaeger_batch *batch);

JAEGER_API jaeger_batch *jaeger_batch_ref(jaeger_batch *batch);
/** Accepts NULL. */
JAEGER_API void jaeger_batch_unref(jaeger_batch *batch);

/** Make `*batch` safe to change: unchanged if it has one reference, else replaced by a copy of its index (the
 * bytes stay shared) and one reference to the old one is dropped. @return RESOURCE_EXHAUSTED, `*batch` is
 * unchanged */
JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_batch_own(jaeger_batch **batch, jaeger_error *err);

JAEGER_API size_t jaeger_batch_span_count(const jaeger_batch *batch);
/** The index entries, in wire order; valid while the batch is referenced and unchanged. */
JAEGER_API const jaeger_span *jaeger_batch_spans(const jaeger_batch *batch);
/** Memory held: wire buffers and index [bytes]. */
JAEGER_API size_t jaeger_batch_bytes(const jaeger_batch *batch);

/** Keep the spans for which `keep` answers true. The batch must be owned (see jaeger_batch_own). */
JAEGER_API void jaeger_batch_filter(jaeger_batch *batch, bool (*keep)(void *user, const jaeger_span *span),
                                    void *user);

/** Replace the bytes of span `index`. They are copied into the batch, checked and indexed again.
 *  @return INVALID_ARGUMENT; RESOURCE_EXHAUSTED. The batch must be owned. */
JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_batch_replace_span(jaeger_batch *batch, size_t index,
                                                                     const void *span_bytes, size_t len,
                                                                     jaeger_error *err);

/** Size of the batch as an ExportTraceServiceRequest (or ExportMetricsServiceRequest) [bytes]. */
JAEGER_API size_t jaeger_batch_otlp_size(const jaeger_batch *batch);
/** Write it; `out` has room for jaeger_batch_otlp_size() bytes. Spans are copied as they are. */
JAEGER_API void jaeger_batch_write_otlp(const jaeger_batch *batch, void *out);

/* ---- values
 * ---------------------------------------------------------------------------------------------------- */

typedef enum jaeger_value_type {
    JAEGER_VALUE_EMPTY = 0,
    JAEGER_VALUE_STRING,
    JAEGER_VALUE_BOOL,
    JAEGER_VALUE_INT,
    JAEGER_VALUE_DOUBLE,
    JAEGER_VALUE_ARRAY, /**< `s` is the body of an ArrayValue; read it with jaeger_array_values() */
    JAEGER_VALUE_MAP,   /**< `s` is the body of a KeyValueList; read it with jaeger_map_attrs() */
    JAEGER_VALUE_BYTES
} jaeger_value_type;

/** An OTLP AnyValue. */
typedef struct jaeger_value {
    jaeger_value_type type;
    union {
        bool b;
        int64_t i;
        double d;
        jaeger_str s; /**< string, bytes, array, map */
    } u;
} jaeger_value;

typedef struct jaeger_attr {
    jaeger_str key;
    jaeger_value value;
    jaeger_str raw; /**< body of the KeyValue message */
} jaeger_attr;

/** Walks one field of a message; a plain value, copy it freely. */
typedef struct jaeger_iter {
    const uint8_t *pos, *end;
    uint32_t field;
} jaeger_iter;

typedef struct jaeger_event {
    uint64_t time_unix_ns;
    jaeger_str name;
    uint32_t dropped_attributes_count;
    jaeger_str raw; /**< body of the Event message; jaeger_event_attrs() reads it */
} jaeger_event;

typedef struct jaeger_link {
    uint8_t trace_id[16];
    uint8_t span_id[8];
    jaeger_str trace_state;
    uint32_t flags;
    uint32_t dropped_attributes_count;
    jaeger_str raw; /**< body of the Link message; jaeger_link_attrs() reads it */
} jaeger_link;

/** Span fields that are read less often. */
typedef struct jaeger_span_rest {
    jaeger_str trace_state, status_message;
    uint32_t dropped_attributes_count, dropped_events_count, dropped_links_count;
} jaeger_span_rest;

typedef struct jaeger_scope {
    jaeger_str name, version;
    uint32_t dropped_attributes_count;
} jaeger_scope;

JAEGER_API jaeger_iter jaeger_span_attrs(const jaeger_span *span);
JAEGER_API jaeger_iter jaeger_span_events(const jaeger_span *span);
JAEGER_API jaeger_iter jaeger_span_links(const jaeger_span *span);
JAEGER_API jaeger_iter jaeger_event_attrs(const jaeger_event *event);
JAEGER_API jaeger_iter jaeger_link_attrs(const jaeger_link *link);
JAEGER_API jaeger_iter jaeger_resource_attrs(const jaeger_span_group *group);
JAEGER_API jaeger_iter jaeger_scope_attrs(const jaeger_span_group *group);
JAEGER_API jaeger_iter jaeger_map_attrs(jaeger_value map);
JAEGER_API jaeger_iter jaeger_array_values(jaeger_value array);

/** @return false at the end (`ret` untouched) */
JAEGER_API bool jaeger_next_attr(jaeger_iter *iter, jaeger_attr *ret);
JAEGER_API bool jaeger_next_value(jaeger_iter *iter, jaeger_value *ret);
JAEGER_API bool jaeger_next_event(jaeger_iter *iter, jaeger_event *ret);
JAEGER_API bool jaeger_next_link(jaeger_iter *iter, jaeger_link *ret);
JAEGER_API void jaeger_span_read_rest(const jaeger_span *span, jaeger_span_rest *ret);
JAEGER_API void jaeger_scope_read(const jaeger_span_group *group, jaeger_scope *ret);
/** First attribute named `key`. @return false: none */
JAEGER_API bool jaeger_find_attr(jaeger_iter iter, jaeger_str key, jaeger_attr *ret);

/* ---- builder
 * --------------------------------------------------------------------------------------------------- */

/** Writes spans straight as OTLP bytes. Errors are sticky: append freely, check at jaeger_builder_finish().
 * Order of calls: resource, its attributes; scope, its attributes; span, its attributes, events, links,
 * status; next span, scope or resource at any time. Attributes go to what was begun last. One thread at a
 * time. */
typedef struct jaeger_builder jaeger_builder;

typedef struct jaeger_span_start {
    uint8_t trace_id[16];
    uint8_t span_id[8];
    uint8_t parent_span_id[8]; /**< zero: a root */
    jaeger_str name, trace_state;
    uint32_t kind, flags;
    uint64_t start_unix_ns, end_unix_ns;
} jaeger_span_start;

/** @param bytes_max ceiling of the message [bytes]; above it finish fails. @return NULL when out of memory */
JAEGER_API jaeger_builder *jaeger_builder_new(size_t bytes_max);
JAEGER_API void jaeger_builder_free(jaeger_builder *builder);
JAEGER_API void jaeger_builder_resource(jaeger_builder *builder, jaeger_str schema_url);
JAEGER_API void jaeger_builder_scope(jaeger_builder *builder, jaeger_str name, jaeger_str version,
                                     jaeger_str schema_url);
JAEGER_API void jaeger_builder_span(jaeger_builder *builder, const jaeger_span_start *span);
JAEGER_API void jaeger_builder_event(jaeger_builder *builder, uint64_t time_unix_ns, jaeger_str name);
JAEGER_API void jaeger_builder_link(jaeger_builder *builder, const uint8_t trace_id[16],
                                    const uint8_t span_id[8], jaeger_str trace_state, uint32_t flags);
JAEGER_API void jaeger_builder_attr_str(jaeger_builder *builder, jaeger_str key, jaeger_str value);
JAEGER_API void jaeger_builder_attr_bytes(jaeger_builder *builder, jaeger_str key, jaeger_str value);
JAEGER_API void jaeger_builder_attr_int(jaeger_builder *builder, jaeger_str key, int64_t value);
JAEGER_API void jaeger_builder_attr_double(jaeger_builder *builder, jaeger_str key, double value);
JAEGER_API void jaeger_builder_attr_bool(jaeger_builder *builder, jaeger_str key, bool value);
/** Copy an attribute as it is (any type). */
JAEGER_API void jaeger_builder_attr_copy(jaeger_builder *builder, const jaeger_attr *attr);
/** Set the status of the current span. */
JAEGER_API void jaeger_builder_status(jaeger_builder *builder, uint32_t code, jaeger_str message);
/** Take what was built as a batch; the builder is empty again and can be used on.
 *  @return RESOURCE_EXHAUSTED above the ceiling or when out of memory */
JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_builder_finish(jaeger_builder *builder, jaeger_batch **ret,
                                                                 jaeger_error *err);

/* ---- consumers
 * ------------------------------------------------------------------------------------------------- */

/** Where batches go: pipelines and storage reads alike.
 *
 * A caller that does not want to wait sets call->later. Then consume may return JAEGER_PENDING and say how it
 * ended by calling later->done, once, with any other status:
 * - Only who asked may offer: `later` is set for a consumer whose component `defers` (jaeger/component.h),
 * for all others it is NULL. So a consumer that has never heard of it never sees it, and one that passes its
 *   call on as it came says that it defers if what follows does. Who has something to do after the end puts
 *   a `later` of its own into the call, or a call of its own.
 * - `call`, `later` and what they point to stay until `done`. There is an arena; it is used during consume
 * only.
 * - `done` may be called before consume has returned. Who has handed on the call, and was told PENDING, does
 *   not look at it any more.
 * - A pending call ends by its deadline or soon after `cancelled` was set, as others do, and before the
 *   consumer's stop returns. */
typedef struct jaeger_consumer {
    /** Takes one reference, even on failure. May block up to call->deadline_ns. CANCELLED: it had enough. */
    jaeger_status (*consume)(void *self, jaeger_batch *take, jaeger_call *call);
    void *self;
    /** Whether consume never waits: not for I/O, for room in a queue, or for a lock held over those. Such a
     *  consumer may be called on an event loop. NULL: it may wait. What it says holds while it runs. */
    bool (*prompt)(void *self);
} jaeger_consumer;

/** What a call offers; NULL: its caller waits. */
static inline const jaeger_later *jaeger_call_later(const jaeger_call *call)
{
    return call->size >= offsetof(jaeger_call, later) + sizeof call->later ? call->later : NULL;
}

/** Ask a consumer whose component has started. */
static inline bool jaeger_consumer_is_prompt(const jaeger_consumer *to)
{
    return to->prompt && to->prompt(to->self);
}

#ifdef __cplusplus
}
#endif
#endif
