/* SPDX-License-Identifier: Apache-2.0
 * One UDP port of the jaeger receiver, as Jaeger's agent had it: datagrams wait in a bounded queue for a few
 * workers. A flood loses datagrams, never memory, and what was lost is counted.
 */
#ifndef JG_RECEIVERS_JAEGER_AGENT_H
#define JG_RECEIVERS_JAEGER_AGENT_H

#include "core/metrics.h"
#include "net/udp_server.h"
#include "wire/thrift.h"
#include <jaeger/batch.h>

typedef struct jg_jaeger_agent jg_jaeger_agent;

typedef struct jg_jaeger_agent_options {
    jg_net *net;
    jg_thrift_protocol protocol;
    jaeger_str endpoint;
    uint64_t queue_size, max_packet_size, workers, socket_buffer_size;
    jaeger_consumer next;
    const jaeger_logger *log;
    const char *id; /* of the receiver */
} jg_jaeger_agent_options;

/** Bind and receive. @return as jg_udp_server_start */
jaeger_status jg_jaeger_agent_start(const jg_jaeger_agent_options *options, jg_jaeger_agent **ret,
                                    jaeger_error *err) JG_MUST_CHECK;
/** Receive no more, let what waits be worked off up to deadline_ns, drop the rest, free. Accepts NULL. */
void jg_jaeger_agent_stop(jg_jaeger_agent *agent, uint64_t deadline_ns);

#endif
