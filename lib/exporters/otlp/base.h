/* SPDX-License-Identifier: Apache-2.0
 * What otlp_grpc and otlp_http share: the queue in front, the deadline of an attempt, the client's
 * authenticator, what a server rejected.
 */
#ifndef JG_EXPORTERS_OTLP_BASE_H
#define JG_EXPORTERS_OTLP_BASE_H

#include "net/settings.h"
#include "pipeline/host.h"
#include "pipeline/queue.h"
#include "wire/otlp_answer.h"

typedef struct jg_otlp_exporter {
    const char *id;
    jaeger_host *host;
    const jaeger_logger *log;
    jg_queue *queue;
    const jg_client_auth_interface *auth; /* NULL: none */
    void *auth_self;
    jg_metric *rejected;
} jg_otlp_exporter;

/** The checks of sending_queue and retry_on_failure; `path` goes before the text. */
jaeger_status jg_otlp_exporter_check(const char *path, const jg_queue_config *queue,
                                     const jg_retry_config *retry, jaeger_error *err) JG_MUST_CHECK;
/** How requests are sent: see jg_queue_options. */
typedef struct jg_otlp_sending {
    jg_send_fn send;
    bool defers;
    void (*abandon)(void *self);
    void *self;
} jg_otlp_sending;
/** Make the queue. */
jaeger_status jg_otlp_exporter_init(jg_otlp_exporter *e, const jaeger_component_create *in,
                                    const jg_queue_config *queue, const jg_retry_config *retry,
                                    const jg_otlp_sending *sending, jaeger_error *err) JG_MUST_CHECK;
/** Find the authenticator, if one is named. */
jaeger_status jg_otlp_exporter_find_auth(jg_otlp_exporter *e, const jg_auth_settings *settings,
                                         jaeger_error *err) JG_MUST_CHECK;
/** Slots of the component types. */
jaeger_status jg_otlp_exporter_consume(jg_otlp_exporter *e, jaeger_batch *take, jaeger_call *call);
bool jg_otlp_exporter_prompt(void *e);
bool jg_otlp_exporter_defers(void *e);
void jg_otlp_exporter_stop(jg_otlp_exporter *e, uint64_t deadline_ns);
void jg_otlp_exporter_done(jg_otlp_exporter *e);

/** The call of one attempt: `timeout_ns` (0: none) from now, and not beyond the caller's deadline. */
jaeger_call jg_otlp_exporter_attempt(const jaeger_call *call, uint64_t timeout_ns);
/** The header of the authenticator. @param ret_count 0 or 1 */
jaeger_status jg_otlp_exporter_header(jg_otlp_exporter *e, jaeger_arena *arena, jaeger_pair *ret,
                                      size_t *ret_count, jaeger_error *err) JG_MUST_CHECK;
/** Log and count what the server did not take of a request that it accepted. */
void jg_otlp_exporter_note(jg_otlp_exporter *e, jaeger_str answer, bool json);

#endif
