/* SPDX-License-Identifier: Apache-2.0
 * HTTP clients on libcurl: requests that block the calling thread up to their deadline. HTTP/1.1, or HTTP/2
 * where a TLS handshake agrees on it.
 *
 * Each request borrows a handle with its own connection, and gives it back with the connection open.
 * Redirects are not followed. Answers are capped. Keys: opentelemetry-collector config/confighttp.
 */
#ifndef JG_NET_HTTP_CLIENT_H
#define JG_NET_HTTP_CLIENT_H

#include "core/attr.h"
#include "core/buf.h"
#include "net/settings.h"

typedef struct jg_http_client jg_http_client;

/** Check settings without reading files. @return INVALID_ARGUMENT */
jaeger_status jg_http_client_check(const jg_http_client_settings *settings, jaeger_error *err) JG_MUST_CHECK;
/** @param settings must outlive the client
 *  @return INVALID_ARGUMENT: endpoint, compression, headers, TLS files. Does not connect. */
jaeger_status jg_http_client_new(const jg_http_client_settings *settings, jg_http_client **ret,
                                 jaeger_error *err) JG_MUST_CHECK;
/** Requests must have returned. Accepts NULL. */
void jg_http_client_free(jg_http_client *client);

/** One request. Zeroes where nothing is to be said. */
typedef struct jg_http_client_request {
    const char *method; /* NULL: POST */
    const char *url;    /* whole; or `path` behind the settings' endpoint, the slash between them is made */
    const char *path;
    jaeger_str body;
    const char *content_type;
    bool plain; /* send the body as it is, else in the coding of settings->compression */
    const jaeger_pair *headers;
    size_t header_count; /* they go beside settings->headers, and instead of those with the same name */
} jg_http_client_request;

typedef struct jg_http_answer {
    int status;
    char content_type[64];   /* longer ones are cut; "" is none */
    uint32_t retry_after_ms; /* of Retry-After, seconds or date; 0: none */
    jg_buf body;             /* decoded; the caller sets `max` */
    bool cut;                /* there was more than body.max: it was not read */
} jg_http_answer;

/** Send, and wait for the answer, up to call->deadline_ns and settings->timeout, or until call->cancelled.
 *  @param ret body.max set, all else zero; free its body with jg_buf_done, also after failures
 *  @return OK: an answer came, of whatever status; UNAVAILABLE: network; DEADLINE_EXCEEDED; CANCELLED;
 *          RESOURCE_EXHAUSTED: memory. Threads: any but loops. Blocks. */
jaeger_status jg_http_client_send(jg_http_client *client, const jg_http_client_request *request,
                                  jg_http_answer *ret, jaeger_call *call) JG_MUST_CHECK;

/** Value of a Retry-After header: seconds, or a date. @return 0: neither, or a date in the past */
uint32_t jg_retry_after_ms(jaeger_str value, uint64_t now_unix_ns);

#endif
