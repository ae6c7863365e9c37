/* SPDX-License-Identifier: Apache-2.0
 * One authenticator for both kinds of servers: it sees the Authorization header.
 */
#ifndef JG_NET_AUTH_H
#define JG_NET_AUTH_H

#include "core/auth.h"
#include "net/grpc_server.h"
#include "net/http_server.h"
#include "net/tenancy.h"

typedef struct jg_auth {
    jg_authenticator who;
    const jg_tenancy *tenancy; /* how the login says which of its tenants it means; NULL: by x-tenant */
} jg_auth;

/** For the options of a server; `auth` must outlive it. Checks nothing when there is no authenticator. Logins
 * that the authenticator holds to tenants get their call->tenant here. */
jg_http_auth jg_auth_for_http(const jg_auth *auth);
jg_grpc_auth jg_auth_for_grpc(const jg_auth *auth);

#endif
