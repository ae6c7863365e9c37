/* SPDX-License-Identifier: Apache-2.0
 * Storage: the table a driver implements, and what queries ask of it.
 */
#ifndef JAEGER_STORAGE_H
#define JAEGER_STORAGE_H

#include <jaeger/batch.h>
#include <jaeger/config.h>
#include <jaeger/sampling.h>

struct jaeger_host;
struct jg_metrics; /* the service's metrics registry; only the library looks inside */

#ifdef __cplusplus
extern "C" {
#endif

/** A trace, and the time range it is known to lie in [Unix ns]; zeroes: any time. */
typedef struct jaeger_trace_ref {
    uint8_t trace_id[16];
    uint64_t start_unix_ns, end_unix_ns;
} jaeger_trace_ref;

/** Lists grow in call->arena; `count` is what is there, `cap` the room. */
typedef struct jaeger_trace_refs {
    jaeger_trace_ref *items;
    size_t count, cap;
} jaeger_trace_refs;

typedef struct jaeger_strs {
    jaeger_str *items;
    size_t count, cap;
} jaeger_strs;

typedef struct jaeger_operation {
    jaeger_str name;
    jaeger_str span_kind; /**< "", "internal", "server", "client", "producer", "consumer" */
} jaeger_operation;

typedef struct jaeger_operations {
    jaeger_operation *items;
    size_t count, cap;
} jaeger_operations;

typedef struct jaeger_dependency {
    jaeger_str parent, child;
    uint64_t call_count;
} jaeger_dependency;

typedef struct jaeger_dependencies {
    jaeger_dependency *items;
    size_t count, cap;
} jaeger_dependencies;

/** Append to a list that lives in an arena. @return RESOURCE_EXHAUSTED. Strings are copied into the arena. */
JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_trace_refs_add(jaeger_trace_refs *list,
                                                                 jaeger_trace_ref item, jaeger_call *call);
JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_strs_add(jaeger_strs *list, jaeger_str item,
                                                           jaeger_call *call);
JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_operations_add(jaeger_operations *list,
                                                                 jaeger_operation item, jaeger_call *call);
JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_dependencies_add(jaeger_dependencies *list,
                                                                   jaeger_dependency item, jaeger_call *call);

/** A compiled filter expression; see jaeger_filter_parse() and docs/search.md. Immutable; lives in an arena.
 */
typedef struct jaeger_filter jaeger_filter;

/** Compile the text language, or the JSON form of jaeger.expression.v1.Call if it looks like that.
 *  @param arena the filter lives there; `text` must live as long
 *  @return INVALID_ARGUMENT with the column; RESOURCE_EXHAUSTED */
JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_filter_parse(jaeger_str text, jaeger_arena *arena,
                                                               const jaeger_filter **ret, jaeger_error *err);
/** Can this span alone meet the filter? What depends on the whole trace is taken as met. For drivers. */
JAEGER_API bool jaeger_filter_test(const jaeger_filter *filter, const jaeger_span *span);

/** A search. A trace matches if ONE of its spans meets every condition; whole traces are returned.
 *  Attribute rules: string equality of the value as text (jaeger_value_text rules), looked for in span,
 * scope, resource, event and link attributes. Special keys: `error` (true: status Error; false: not Error),
 * `span.kind`, `span.status` (OK, ERROR, UNSET), `scope.name`, `scope.version`, and the prefix `resource.`
 * (resource only). */
typedef struct jaeger_trace_query {
    size_t size;
    jaeger_str service, operation; /**< empty: any */
    const jaeger_attr *attrs;      /**< `raw` is not used */
    size_t attr_count;
    uint64_t start_min_unix_ns, start_max_unix_ns; /**< inclusive; 0: open */
    uint64_t duration_min_ns, duration_max_ns;     /**< inclusive; 0: open */
    uint32_t limit;              /**< distinct traces, applied after newest-first order; 0: 100 */
    const jaeger_filter *filter; /**< NULL: none. Set only for drivers whose caps say `filter` */
    bool *stopped_early; /**< out: set to true if the search reached a budget, so that there may be more;
                            NULL: not asked */
} jaeger_trace_query;

/** What the query service may leave to the driver. The zero value is the least capable driver. */
typedef struct jaeger_storage_caps {
    size_t size;
    bool without_service_name;  /**< searches without a service */
    bool same_span_conjunction; /**< all conditions hold on one span */
    bool durable;               /**< OK of write means on disk */
    bool prompt;                /**< write waits for nothing: see jaeger_consumer.prompt */
    bool filter;                /**< tests jaeger_trace_query.filter, span by span, before `limit` counts */
    bool value_patterns;        /**< values of jaeger_trace_query.attrs are patterns, not texts */
} jaeger_storage_caps;

typedef struct jaeger_service_count {
    jaeger_str name;
    uint32_t span_count, error_span_count;
} jaeger_service_count;

typedef struct jaeger_trace_summary {
    uint8_t trace_id[16];
    jaeger_str root_service, root_operation;
    uint64_t min_start_unix_ns, max_end_unix_ns;
    uint32_t span_count, error_span_count, orphan_span_count;
    const jaeger_service_count *services; /**< sorted by name */
    size_t service_count;
} jaeger_trace_summary;

/** Takes summaries one by one; strings are valid during the call. CANCELLED: it had enough. */
typedef struct jaeger_summary_sink {
    jaeger_status (*summary)(void *self, const jaeger_trace_summary *summary, jaeger_call *call);
    void *self;
} jaeger_summary_sink;

/** How the traces found are ordered, over the whole time range of the search. */
typedef enum jaeger_order {
    JAEGER_ORDER_NEWEST, /**< by the latest start of a span that matches */
    JAEGER_ORDER_LONGEST,
    JAEGER_ORDER_MOST_SPANS,
    JAEGER_ORDER_MOST_ERRORS
} jaeger_order;

/** A place in an order: keys fall, and traces with one key come by their ids. */
typedef struct jaeger_rank {
    uint64_t key; /**< duration [ns] of the whole trace, its spans, or its spans with status Error */
    uint8_t trace_id[16];
} jaeger_rank;

/** Takes traces best first. CANCELLED: it had enough. */
typedef struct jaeger_rank_sink {
    jaeger_status (*ranked)(void *self, const jaeger_trace_ref *ref, const jaeger_rank *rank,
                            jaeger_call *call);
    void *self;
} jaeger_rank_sink;

/** Where an attribute was seen. */
typedef enum jaeger_attr_place {
    JAEGER_ATTR_OF_SPAN,
    JAEGER_ATTR_OF_RESOURCE,
    JAEGER_ATTR_OF_SCOPE
} jaeger_attr_place;

/** Takes attributes; they are valid during the call. CANCELLED: it had enough. */
typedef struct jaeger_attr_sink {
    jaeger_status (*attr)(void *self, jaeger_attr_place place, const jaeger_attr *attr, jaeger_call *call);
    void *self;
} jaeger_attr_sink;

/** Takes one trace more than once. */
typedef struct jaeger_rereader {
    jaeger_consumer out; /**< gets all chunks of a reading */
    /** After each reading, with out.self. @param ret whether there shall be another one */
    jaeger_status (*again)(void *self, bool *ret, jaeger_call *call);
} jaeger_rereader;

/** A storage driver; const, at the foot of its file. Every slot but open may be NULL unless marked; NULL
 * answers UNIMPLEMENTED. All slots but open and close: any thread, may block up to call->deadline_ns. A
 * driver holds no lock and no transaction while it calls `out`. Tenants (call->tenant) are kept strictly
 * apart. */
typedef struct jaeger_storage_driver {
    size_t size;
    const char *name, *doc;
    const jaeger_field *fields;
    size_t config_size, state_size;
    /** `self`: state_size zeroed bytes. `config`: bound struct, valid until close. `metrics`: registry or
     * NULL. */
    jaeger_status (*open)(void *self, const void *config, const jaeger_logger *log,
                          struct jg_metrics *metrics, jaeger_error *err); /* mandatory */
    void (*close)(void *self);
    jaeger_status (*caps)(void *self, jaeger_storage_caps *ret, jaeger_call *call);
    /** Takes one reference, even on failure. OK = kept as durably as the driver promises. */
    jaeger_status (*write)(void *self, jaeger_batch *take, jaeger_call *call); /* mandatory */
    /** Chunks hold spans of one trace; those of a trace are consecutive. Unknown ids are left out; none: OK.
     */
    jaeger_status (*get_traces)(void *self, const jaeger_trace_ref *refs, size_t n, jaeger_consumer out,
                                jaeger_call *call); /* mandatory */
    /** Newest first by each trace's latest matching start; chunks as get_traces. */
    jaeger_status (*find_traces)(void *self, const jaeger_trace_query *query, jaeger_consumer out,
                                 jaeger_call *call);
    jaeger_status (*find_trace_ids)(void *self, const jaeger_trace_query *query, jaeger_trace_refs *ret,
                                    jaeger_call *call);
    jaeger_status (*find_summaries)(void *self, const jaeger_trace_query *query, jaeger_summary_sink out,
                                    jaeger_call *call);
    jaeger_status (*services)(void *self, jaeger_strs *ret, jaeger_call *call);
    /** Empty `kind`: all. */
    jaeger_status (*operations)(void *self, jaeger_str service, jaeger_str kind, jaeger_operations *ret,
                                jaeger_call *call);
    /** Traces that lie in [start, end]; counts summed per (parent, child). */
    jaeger_status (*dependencies)(void *self, uint64_t start_unix_ns, uint64_t end_unix_ns,
                                  jaeger_dependencies *ret, jaeger_call *call);
    /** Forget everything of the call's tenant: for tests and operators. */
    jaeger_status (*purge)(void *self, jaeger_call *call);
    const jaeger_sampling_store *sampling; /**< its `self` is the driver's; NULL: none */
    /** Hand out all traces that match, best first by any order but the newest, from the whole time range;
     *  query->limit tells how many will probably be taken. @param after only what comes behind it; NULL: all.
     *  @return what `out` returned */
    jaeger_status (*rank_traces)(void *self, const jaeger_trace_query *query, jaeger_order order,
                                 const jaeger_rank *after, jaeger_rank_sink out, jaeger_call *call);
    /** Attributes as an index has them, for suggestions; some may come more than once, those of events and
     *  links count as of the span. @param service whose; empty: of all. @param key whose values; empty: all
     *  keys, with any value or none */
    jaeger_status (*attributes)(void *self, jaeger_str service, jaeger_str key, jaeger_attr_sink out,
                                jaeger_call *call);
    /** Check what a field table cannot, without opening anything. @return INVALID_ARGUMENT with the key */
    jaeger_status (*validate)(const void *config, jaeger_error *err);
    /** Read one trace as often as reader.again asks, each time the same spans in the same chunks, whatever is
     *  written meanwhile: for traces that are too large to be held. NULL: the query service holds them. */
    jaeger_status (*reread_trace)(void *self, const jaeger_trace_ref *ref, jaeger_rereader reader,
                                  jaeger_call *call);
    /** Called before `open`, where there is a host: its extensions can be asked for (authenticators). */
    void (*attach)(void *self, struct jaeger_host *host);
    /** What keeps it from serving, as far as it knows without asking anybody; for health checks. NULL:
     * nothing ever. Any thread. @return OK, or UNAVAILABLE with the reason */
    jaeger_status (*health)(void *self, jaeger_error *err);
} jaeger_storage_driver;

/** An open backend: a driver and its state. */
typedef struct jaeger_storage {
    const jaeger_storage_driver *driver;
    void *self;
} jaeger_storage;

#ifdef __cplusplus
}
#endif
#endif
