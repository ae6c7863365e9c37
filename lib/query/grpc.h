/* SPDX-License-Identifier: Apache-2.0
 * The query services over gRPC: jaeger.api_v2.QueryService and jaeger.api_v3.QueryService.
 */
#ifndef JG_QUERY_GRPC_H
#define JG_QUERY_GRPC_H

#include "core/buf.h"
#include "net/grpc_server.h"
#include <jaeger/query.h>

#define JG_QUERY_GRPC_METHODS_MAX 16

/** Method tables of a service; `self` of every method is the query service.
 *  @param ret room for JG_QUERY_GRPC_METHODS_MAX  @return how many were written */
size_t jg_query_grpc_v2(jaeger_query *query, jg_grpc_method *ret);
size_t jg_query_grpc_v3(jaeger_query *query, jg_grpc_method *ret);

/** Names that grpc.health.v1 answers SERVING for, "" included. */
extern const char *const jg_query_grpc_health[];
extern const size_t jg_query_grpc_health_count;

/** Tell in the answer's metadata that a search stopped early; once, before the handler returns. */
void jg_query_grpc_stopped(jg_grpc_stream *stream, bool stopped_early);

/** The request was not such a message: INTERNAL, in the words of grpc-go. `call->error` holds the reason. */
jaeger_status jg_query_grpc_unmarshal_failed(jaeger_call *call);
/** How traces are read: adjusted ones in pieces if they are large, raw ones as the store has them. */
jaeger_read_options jg_query_grpc_read(bool raw);

#endif
