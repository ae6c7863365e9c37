/* SPDX-License-Identifier: Apache-2.0
 * What the page "Pipeline" shows of the process around the query service. The extension jaeger_query fills
 * it from the host; an embedder without pipelines has none.
 */
#ifndef JG_QUERY_SYSTEM_H
#define JG_QUERY_SYSTEM_H

#include <jaeger/sampling.h>

typedef struct jg_query_system {
    /** Walk what runs. @param ret_kind "receiver", ... @param ret_pipeline its pipeline; NULL: an extension
     *  @return its id; NULL at the end */
    const char *(*component)(void *self, size_t index, const char **ret_kind, const char **ret_pipeline);
    /** How a service is sampled, as jaeger_sampling_provider.strategy. @return UNIMPLEMENTED: nobody knows */
    jaeger_status (*strategy)(void *self, jaeger_str service, jaeger_strategy_sink out, jaeger_call *call);
    void *self;
} jg_query_system;

#endif
