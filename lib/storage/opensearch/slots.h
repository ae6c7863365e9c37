/* SPDX-License-Identifier: Apache-2.0
 * The slots of the drivers `opensearch` and `elasticsearch`. Contracts: jaeger/storage.h.
 */
#ifndef JG_STORAGE_OPENSEARCH_SLOTS_H
#define JG_STORAGE_OPENSEARCH_SLOTS_H

#include <jaeger/storage.h>

jaeger_status jg_os_validate(const void *config, jaeger_error *err);
jaeger_status jg_os_open(void *self, const void *config, const jaeger_logger *log, struct jg_metrics *metrics,
                         jaeger_error *err);
void jg_os_close(void *self);
void jg_os_attach(void *self, struct jaeger_host *host);
jaeger_status jg_os_health(void *self, jaeger_error *err);
jaeger_status jg_os_caps(void *self, jaeger_storage_caps *ret, jaeger_call *call);
jaeger_status jg_os_write(void *self, jaeger_batch *take, jaeger_call *call);
jaeger_status jg_os_get_traces(void *self, const jaeger_trace_ref *refs, size_t n, jaeger_consumer out,
                               jaeger_call *call);
jaeger_status jg_os_find_traces(void *self, const jaeger_trace_query *query, jaeger_consumer out,
                                jaeger_call *call);
jaeger_status jg_os_find_trace_ids(void *self, const jaeger_trace_query *query, jaeger_trace_refs *ret,
                                   jaeger_call *call);
jaeger_status jg_os_find_summaries(void *self, const jaeger_trace_query *query, jaeger_summary_sink out,
                                   jaeger_call *call);
jaeger_status jg_os_services(void *self, jaeger_strs *ret, jaeger_call *call);
jaeger_status jg_os_operations(void *self, jaeger_str service, jaeger_str kind, jaeger_operations *ret,
                               jaeger_call *call);
jaeger_status jg_os_dependencies(void *self, uint64_t start_unix_ns, uint64_t end_unix_ns,
                                 jaeger_dependencies *ret, jaeger_call *call);
jaeger_status jg_os_purge(void *self, jaeger_call *call);
extern const jaeger_sampling_store jg_os_sampling_store;

#define JG_OS_DRIVER_SLOTS                                                                                   \
    .open = jg_os_open, .close = jg_os_close, .caps = jg_os_caps, .write = jg_os_write,                      \
    .get_traces = jg_os_get_traces, .find_traces = jg_os_find_traces,                                        \
    .find_trace_ids = jg_os_find_trace_ids, .find_summaries = jg_os_find_summaries,                          \
    .services = jg_os_services, .operations = jg_os_operations, .dependencies = jg_os_dependencies,          \
    .purge = jg_os_purge, .sampling = &jg_os_sampling_store, .validate = jg_os_validate,                     \
    .attach = jg_os_attach, .health = jg_os_health

#endif
