/* SPDX-License-Identifier: Apache-2.0
 * The HTTP server of an extension that shows something about the process: healthcheckv2, expvar, zpages,
 * pprof.
 */
#ifndef JG_EXTENSIONS_DIAG_SERVER_H
#define JG_EXTENSIONS_DIAG_SERVER_H

#include "net/auth.h"
#include "pipeline/host.h"

typedef struct jg_diag_server {
    jg_http_server *http;
    jg_auth auth;
} jg_diag_server;

/** Start, with the authenticator that the settings name. Zeroed before. `settings` and `server` must stay
 * until the stop.
 *  @return as jg_http_server_start; INVALID_ARGUMENT: no such authenticator */
jaeger_status jg_diag_start(jg_diag_server *server, jaeger_host *host,
                            const jg_http_server_settings *settings, jg_http_handler handler, const char *id,
                            jaeger_error *err) JG_MUST_CHECK;
void jg_diag_stop(jg_diag_server *server, uint64_t deadline_ns);
/** "404 page not found". */
void jg_diag_not_found(jg_http_reply *reply);
/** {"cmdline": [...], "memstats": {...}} as Go's expvar prints it. */
void jg_diag_write_vars(jg_buf *out);
/** The command line, arguments ended by NULs. */
void jg_diag_read_cmdline(jg_buf *out);

#endif
