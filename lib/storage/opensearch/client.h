/* SPDX-License-Identifier: Apache-2.0
 * A client of OpenSearch and Elasticsearch: several nodes, one request after the other on the calling thread.
 *
 * A node that cannot be reached is left alone for a while (1 s, doubled up to 60 s), and the request goes to
 * the next one; if all are left alone, the one whose time comes first is tried. Authorization comes from the
 * configuration, from files that are read again when they change, or from the call.
 * Keys: docs/components.md; jaeger internal/storage/elasticsearch/config. API: https://docs.opensearch.org
 */
#ifndef JG_STORAGE_OPENSEARCH_CLIENT_H
#define JG_STORAGE_OPENSEARCH_CLIENT_H

#include "core/auth.h"
#include "core/json_in.h"
#include "net/http_client.h"

#define JG_OS_NODES_MAX        64u          /* addresses of one cluster, found ones included */
#define JG_OS_ANSWER_BYTES_MAX (256u << 20) /* one answer: 10,000 documents of 25 KB */

typedef struct jg_os_basic_config {
    bool enabled;
    jaeger_str username, password, password_file;
    uint64_t reload_interval_ns;
} jg_os_basic_config;

typedef struct jg_os_token_config {
    bool enabled;
    jaeger_str file_path;
    bool from_context;
    uint64_t reload_interval_ns;
} jg_os_token_config;

typedef struct jg_os_client_config {
    jaeger_str_list server_urls;
    struct {
        jg_os_basic_config basic;
        jg_os_token_config bearer_token, api_key;
        jaeger_str authenticator;
    } auth;
    jg_tls_settings tls;
    struct {
        bool enabled, use_https;
    } sniffing;
    uint64_t query_timeout_ns; /* of one request; 0: JG_TIMEOUT_DEFAULT_NS where the call has no deadline */
    bool http_compression;
    jaeger_pair_list custom_headers;
    uint32_t version; /* 7, 8, 9; 101, 102, 103: OpenSearch 1 to 3; 0: ask */
} jg_os_client_config;

/** The keys of the struct above; to be squashed into a larger table. */
extern const jaeger_field jg_os_client_fields[];

typedef struct jg_os_client jg_os_client;

/** Does not connect. @param config must outlive the client
 *  @return INVALID_ARGUMENT: addresses, auth, version, TLS files; RESOURCE_EXHAUSTED */
jaeger_status jg_os_client_new(const jg_os_client_config *config, const jaeger_logger *log,
                               jg_os_client **ret, jaeger_error *err) JG_MUST_CHECK;
/** Requests carry the header of this authenticator, which auth.authenticator names. Before the first request.
 */
void jg_os_client_authenticate(jg_os_client *client, const jg_client_auth_interface *by, void *self);
/** Requests must have returned. Accepts NULL. */
void jg_os_client_free(jg_os_client *client);

typedef struct jg_os_request {
    const char *method; /* NULL: POST */
    const char *path;   /* with a leading slash, escaped; with the query string */
    jaeger_str body;
    bool lines;   /* the body is newline-delimited JSON, else JSON */
    bool is_gzip; /* the body is compressed already, else it is as the configuration says */
    bool once;    /* not safe to repeat: no other node is tried once it may have been received */
} jg_os_request;

/** For JG_CLEANUP. */
void jg_os_answer_done(jg_http_answer *answer);

/** Ask any node. @param ret zeroed; body.max 0: JG_OS_ANSWER_BYTES_MAX. Free its body with jg_buf_done, also
 * after failures
 *  @return OK: an answer came, of whatever HTTP status; UNAVAILABLE: no node answered; DEADLINE_EXCEEDED;
 *          CANCELLED; RESOURCE_EXHAUSTED: memory, or the answer is too large. Threads: any. Blocks. */
jaeger_status jg_os_send(jg_os_client *client, const jg_os_request *request, jg_http_answer *ret,
                         jaeger_call *call) JG_MUST_CHECK;
/** The same, but statuses other than 2xx fail as jg_os_fail does. */
jaeger_status jg_os_ask(jg_os_client *client, const jg_os_request *request, jg_http_answer *ret,
                        jaeger_call *call) JG_MUST_CHECK;
/** The failure that an answer other than 2xx is, with the reason it gives: 401 UNAUTHENTICATED, 403
 * PERMISSION_DENIED, 404 NOT_FOUND, 409 ALREADY_EXISTS, 429 and 502 to 504 UNAVAILABLE, other 4xx
 * INVALID_ARGUMENT, else INTERNAL. @param what for the text, e.g. "search" */
jaeger_status jg_os_fail(const jg_http_answer *answer, const char *what, jaeger_error *err);
/** Wait before another try. @return false: there is no time for it, or nobody wants it any more */
bool jg_os_wait(uint64_t ns, const jaeger_call *call);
/** The status alone. */
jaeger_status jg_os_status_of(int http_status);
/** Append "type: reason" of an `error` value, which the scanner stands on. @return as the scanner */
bool jg_os_read_reason(jg_json_in *in, jg_buf *out);

typedef struct jg_os_version {
    bool is_opensearch;
    uint32_t major;
} jg_os_version;

/** What the cluster is: as configured, else asked once and remembered. Finds the other nodes, if `sniffing`.
 *  @return also FAILED_PRECONDITION: a version that is not supported */
jaeger_status jg_os_client_version(jg_os_client *client, jg_os_version *ret, jaeger_call *call) JG_MUST_CHECK;

#endif
