/* SPDX-License-Identifier: Apache-2.0
 * One authenticator for both kinds of servers: it sees the Authorization header.
 */
#ifndef JG_NET_AUTH_H
#define JG_NET_AUTH_H

#include "net/grpc_server.h"
#include "net/http_server.h"
#include "net/tenancy.h"

/** @see jg_auth_interface of pipeline/host.h, whose function and state go in here */
typedef struct jg_auth {
    jaeger_status (*check)(void *self, jaeger_str authorization, jaeger_call *call); /* NULL: none */
    void *self;
    const char *challenge;     /* of the WWW-Authenticate header of a 401; NULL: none */
    const jg_tenancy *tenancy; /* how the login says which of its tenants it means; NULL: by x-tenant */
} jg_auth;

/** For the options of a server; `auth` must outlive it. Checks nothing when auth->check is NULL. Logins that
 * the authenticator holds to tenants get their call->tenant here. */
jg_http_auth jg_auth_for_http(const jg_auth *auth);
jg_grpc_auth jg_auth_for_grpc(const jg_auth *auth);

#endif
