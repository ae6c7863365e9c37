/* SPDX-License-Identifier: Apache-2.0
 * What the drivers `embedded` and `badger` share: the options, and all slots but open and close.
 */
#ifndef JG_EMBEDDED_DRIVER_H
#define JG_EMBEDDED_DRIVER_H

#include "storage/embedded/engine.h"

typedef struct jg_embedded_ttl {
    uint64_t spans; /* ns; 0: keep */
} jg_embedded_ttl;

typedef struct jg_embedded_flush {
    uint32_t spans;
    uint64_t bytes, age; /* age: ns */
} jg_embedded_flush;

typedef struct jg_embedded_config {
    jaeger_str directory;
    bool ephemeral, read_only;
    jg_embedded_ttl ttl;
    uint64_t max_disk; /* bytes; 0: no budget */
    int durability;    /* jg_durability */
    uint64_t sync_interval;
    uint64_t memory; /* bytes */
    jg_embedded_flush flush;
    uint32_t max_tenants;
} jg_embedded_config;

/** Set all keys that are zero to their defaults, but for directory, ephemeral and ttl. */
void jg_embedded_defaults(jg_embedded_config *config);
/** Turn the YAML keys into what the engine wants. */
void jg_embedded_options(const jg_embedded_config *config, jg_engine_config *ret);

jaeger_status jg_embedded_caps(void *self, jaeger_storage_caps *ret, jaeger_call *call);
jaeger_status jg_embedded_write(void *self, jaeger_batch *take, jaeger_call *call);
jaeger_status jg_embedded_get_traces(void *self, const jaeger_trace_ref *refs, size_t n, jaeger_consumer out,
                                     jaeger_call *call);
jaeger_status jg_embedded_find_traces(void *self, const jaeger_trace_query *query, jaeger_consumer out,
                                      jaeger_call *call);
jaeger_status jg_embedded_find_trace_ids(void *self, const jaeger_trace_query *query, jaeger_trace_refs *ret,
                                         jaeger_call *call);
jaeger_status jg_embedded_find_summaries(void *self, const jaeger_trace_query *query, jaeger_summary_sink out,
                                         jaeger_call *call);
jaeger_status jg_embedded_rank_traces(void *self, const jaeger_trace_query *query, jaeger_order order,
                                      const jaeger_rank *after, jaeger_rank_sink out, jaeger_call *call);
jaeger_status jg_embedded_attributes(void *self, jaeger_str service, jaeger_str key, jaeger_attr_sink out,
                                     jaeger_call *call);
jaeger_status jg_embedded_reread_trace(void *self, const jaeger_trace_ref *ref, jaeger_rereader reader,
                                       jaeger_call *call);
jaeger_status jg_embedded_services(void *self, jaeger_strs *ret, jaeger_call *call);
jaeger_status jg_embedded_operations(void *self, jaeger_str service, jaeger_str kind, jaeger_operations *ret,
                                     jaeger_call *call);
jaeger_status jg_embedded_dependencies(void *self, uint64_t start_unix_ns, uint64_t end_unix_ns,
                                       jaeger_dependencies *ret, jaeger_call *call);
jaeger_status jg_embedded_purge(void *self, jaeger_call *call);
extern const jaeger_sampling_store jg_embedded_sampling;

#endif
