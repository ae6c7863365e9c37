/* SPDX-License-Identifier: Apache-2.0
 * exporter::otlp of service::telemetry: a client that sends OTLP messages, over HTTP or gRPC.
 */
#ifndef JG_SERVICE_OTLP_PUSH_H
#define JG_SERVICE_OTLP_PUSH_H

#include "net/grpc_client.h"
#include "net/http_client.h"
#include "service/telemetry.h"

#define JG_OTLP_PUSH_HEADERS_MAX 32

typedef struct jg_otlp_push {
    const char *method; /* of gRPC */
    jaeger_pair headers[JG_OTLP_PUSH_HEADERS_MAX];
    char url[512];
    jg_http_client_settings http_settings;
    jg_grpc_client_settings grpc_settings;
    jg_http_client *http; /* one of the two */
    jg_grpc_client *grpc;
} jg_otlp_push;

/** @param signal JAEGER_TRACES or JAEGER_METRICS; @param reader lives as long
 *  @return INVALID_ARGUMENT: an endpoint or a certificate file */
jaeger_status jg_otlp_push_open(jg_otlp_push *push, const jg_push_reader *reader, uint32_t signal,
                                struct jg_net *net, jaeger_error *err) JG_MUST_CHECK;
/** Blocks up to call->deadline_ns. */
jaeger_status jg_otlp_push_send(jg_otlp_push *push, jaeger_str message, jaeger_call *call) JG_MUST_CHECK;
/** Fine on a zeroed one. */
void jg_otlp_push_close(jg_otlp_push *push);

#endif
