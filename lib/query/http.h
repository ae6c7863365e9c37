/* SPDX-License-Identifier: Apache-2.0
 * The query service over HTTP: the legacy API, /api/v3 and the user interface, under one base path.
 * Contract: docs/compatibility.md.
 */
#ifndef JG_QUERY_HTTP_H
#define JG_QUERY_HTTP_H

#include "core/metrics.h"
#include "net/http_server.h"
#include "net/tenancy.h"
#include "query/system.h"
#include "query/ui.h"
#include <jaeger/query.h>

/** A page's choice among the tenants of its login. */
#define JG_TENANT_COOKIE "jaeger_tenant"

/** Where an answer goes: a server's reply, or a test. The slots are those of net/http_server.h. */
typedef struct jg_query_reply {
    void (*add_header)(void *self, const char *name, jaeger_str value);
    void (*send)(void *self, int status, const char *content_type, jaeger_str body);
    void (*begin)(void *self, int status, const char *content_type);
    jaeger_status (*write)(void *self, jaeger_str bytes);
    void (*end)(void *self, bool ok);
    void *self;
} jg_query_reply;

/** All pointers outlive it. */
typedef struct jg_query_http {
    jaeger_query *query;
    jaeger_str base_path; /* "" or "/jaeger": no slash at the end */
    jg_tenancy tenancy;
    bool bearer_token_propagation;
    jaeger_str_list forwarded_headers; /* request headers that storage may pass on, lower case */
    jg_ui *ui;
    bool compresses;                     /* answers in gzip to clients that take it */
    const struct jg_metrics_source *spm; /* of /api/metrics; NULL: 501 */
    jg_query_system system;              /* zeroes: unknown */
    struct jg_watch *watch;              /* of pages that wait for spans; NULL: 501 */
    jg_metrics *metrics;
    const jaeger_logger *log;
} jg_query_http;

/** Answer one request. Threads: any. Blocks: up to the call's deadline. */
void jg_query_http_handle(const jg_query_http *http, jg_http_request *request, const jg_query_reply *reply);
/** The name of the route that answers `path`; "/static/", "/", or "/api/" for what is none. */
const char *jg_query_http_route(const jg_query_http *http, jaeger_str method, jaeger_str path);
/** Is `path` a base path? Begins with '/', no empty or dot segments; one '/' at the end is cut.
 *  @return INVALID_ARGUMENT with the reason */
jaeger_status jg_query_base_path(jaeger_str path, jaeger_str *ret, jaeger_error *err) JG_MUST_CHECK;

#endif
