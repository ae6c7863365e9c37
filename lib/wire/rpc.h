/* SPDX-License-Identifier: Apache-2.0
 * Messages of Jaeger's query and storage services: api_v2, api_v3 and storage.v2 differ in field numbers and
 * in how ids are written, not in what they ask. One set of structs, read and written with core/pb.h: the
 * messages hold little but strings and lists, for which nanopb's callbacks would be more code than the reader
 * itself, and Debian's build of it ends at 64 KB. Spec: proto/jaeger/{api_v2,api_v3,storage/v2}.
 */
#ifndef JG_WIRE_RPC_H
#define JG_WIRE_RPC_H

#include "core/buf.h"
#include <jaeger/storage.h>

/** A google.protobuf.Timestamp. Go writes its zero time for "unset"; a present but empty message is 1970 and
 * set. */
typedef struct jg_rpc_time {
    bool set;
    uint64_t unix_ns; /* before 1970: 0 */
} jg_rpc_time;

/** Between two processes of ours over storage.v2: numbers far from Jaeger's.
 * TraceQueryParameters.filter_source {1 form, 2 source} holds a filter (model/expr.h),
 * SearchCapabilities.filter_source (1) that it may be sent. A server whose capabilities do not have it gets
 * none. */
#define JG_RPC_FILTER_SOURCE 5001

typedef enum jg_rpc_dialect { JG_RPC_V2, JG_RPC_V3, JG_RPC_STORAGE } jg_rpc_dialect;

/** GetTrace and ArchiveTrace of v2 and v3, and one entry of storage GetTraces. */
typedef struct jg_rpc_get_trace {
    jaeger_str trace_id; /* as sent: bytes (v2, storage) or hex text (v3) */
    jg_rpc_time start, end;
    bool raw_traces;
} jg_rpc_get_trace;

typedef struct jg_rpc_find {
    bool has_query;
    bool raw_traces;
    bool has_filter;   /* field 10 (v3) or 9 (storage): the structured filter */
    jaeger_str filter; /* its message, a jaeger.expression.v1.Call */
    bool has_source;   /* JG_RPC_FILTER_SOURCE (storage): any filter of ours, as it was read */
    uint64_t source_form;
    jaeger_str source;
    int32_t search_depth;
    jg_rpc_time start_min, start_max;
    jaeger_trace_query query; /* times and limit are filled in too; strings point into the message */
} jg_rpc_find;

typedef struct jg_rpc_operations {
    jaeger_str service, span_kind;
} jg_rpc_operations;

typedef struct jg_rpc_range {
    jg_rpc_time start, end;
} jg_rpc_range;

/** Readers: INVALID_ARGUMENT for what is not such a message; strings point into `message`. */
jaeger_status jg_rpc_read_get_trace(jaeger_str message, jg_rpc_get_trace *ret,
                                    jaeger_error *err) JG_MUST_CHECK;
/** Attributes of the query are made in the arena. */
jaeger_status jg_rpc_read_find(jg_rpc_dialect dialect, jaeger_str message, jaeger_arena *arena,
                               jg_rpc_find *ret, jaeger_error *err) JG_MUST_CHECK;
jaeger_status jg_rpc_read_operations(jaeger_str message, jg_rpc_operations *ret,
                                     jaeger_error *err) JG_MUST_CHECK;
jaeger_status jg_rpc_read_range(jaeger_str message, jg_rpc_range *ret, jaeger_error *err) JG_MUST_CHECK;
/** storage.v2 GetTraces: a list in the arena. Ids must have 16 bytes. */
jaeger_status jg_rpc_read_get_traces(jaeger_str message, jaeger_arena *arena, jaeger_trace_ref **ret,
                                     size_t *ret_count, jaeger_error *err) JG_MUST_CHECK;

/** Requests, as a client sends them (storage.v2). */
void jg_rpc_write_get_traces(jg_buf *out, const jaeger_trace_ref *refs, size_t n);
void jg_rpc_write_find(jg_buf *out, const jaeger_trace_query *query);
void jg_rpc_write_operations_request(jg_buf *out, jaeger_str service, jaeger_str kind);
void jg_rpc_write_range(jg_buf *out, uint64_t start_unix_ns, uint64_t end_unix_ns);

/** Answers. */
void jg_rpc_write_services(jg_buf *out, const jaeger_strs *services);
void jg_rpc_write_operations(jg_rpc_dialect dialect, jg_buf *out, const jaeger_operations *operations);
void jg_rpc_write_dependencies(jg_rpc_dialect dialect, jg_buf *out, const jaeger_dependencies *dependencies);
/** One element of FindTraceSummariesResponse; append several to send them together. */
void jg_rpc_write_summary(jg_rpc_dialect dialect, jg_buf *out, const jaeger_trace_summary *summary);
void jg_rpc_write_trace_ids(jg_buf *out, const jaeger_trace_refs *refs);
void jg_rpc_write_caps(jg_buf *out, const jaeger_storage_caps *caps);

/** Answers of a storage.v2 server, into lists of the call's arena. */
jaeger_status jg_rpc_read_services(jaeger_str message, jaeger_strs *ret, jaeger_call *call) JG_MUST_CHECK;
jaeger_status jg_rpc_read_operation_list(jaeger_str message, jaeger_operations *ret,
                                         jaeger_call *call) JG_MUST_CHECK;
jaeger_status jg_rpc_read_dependencies(jaeger_str message, jaeger_dependencies *ret,
                                       jaeger_call *call) JG_MUST_CHECK;
jaeger_status jg_rpc_read_trace_ids(jaeger_str message, jaeger_trace_refs *ret,
                                    jaeger_call *call) JG_MUST_CHECK;
/** Hands every summary of a response to `out`. */
jaeger_status jg_rpc_read_summaries(jaeger_str message, jaeger_summary_sink out,
                                    jaeger_call *call) JG_MUST_CHECK;
jaeger_status jg_rpc_read_caps(jaeger_str message, jaeger_storage_caps *ret, jaeger_error *err) JG_MUST_CHECK;

/** Timestamp and Duration fields. `unix_ns` 0 with `set` false writes Go's zero time. */
void jg_rpc_write_time(jg_buf *out, uint32_t number, jg_rpc_time time);
void jg_rpc_write_duration(jg_buf *out, uint32_t number, uint64_t ns);

#endif
