/* SPDX-License-Identifier: Apache-2.0
 * The command es-dependencies: the job of storage/opensearch/graph_job.h, once.
 */
#ifndef JG_SERVICE_SEARCH_GRAPH_H
#define JG_SERVICE_SEARCH_GRAPH_H

#include "service/search_flags.h"

/** @param client where the cluster is; lives on. Says on stdout what it does. @return INVALID_ARGUMENT: flags
 */
jaeger_status jg_search_graph_run(const jg_tool_options *o, const jg_os_client_config *client,
                                  jaeger_call *call) JG_MUST_CHECK;

#endif
