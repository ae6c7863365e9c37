/* SPDX-License-Identifier: Apache-2.0
 * Between the servers, which ask, and the extensions that authenticate: what both must know of each other.
 */
#ifndef JG_CORE_AUTH_H
#define JG_CORE_AUTH_H

#include <jaeger/batch.h>
#include <jaeger/config.h>

/** The block `auth` of a server or client. */
typedef struct jg_auth_settings {
    bool enabled;
    jaeger_str authenticator;
    jaeger_str_list request_params;
} jg_auth_settings;

/** Authenticators (basicauth): interface "auth.server". */
#define JG_AUTH_INTERFACE "auth.server"
typedef struct jg_auth_interface {
    /** @param authorization value of the Authorization header, ptr NULL: absent
     *  Sets call->user and, if there are rules for tenants, call->user_tenants.
     *  @return OK, or UNAUTHENTICATED with the text */
    jaeger_status (*check)(void *self, jaeger_str authorization, jaeger_call *call);
    const char *challenge; /* "Basic realm=..." for browsers */
} jg_auth_interface;

/** A running one. */
typedef struct jg_authenticator {
    const jg_auth_interface *by; /* NULL: none, everybody may come in */
    void *self;
} jg_authenticator;

/** Authenticators of clients (basicauth, bearertokenauth): interface "auth.client". */
#define JG_CLIENT_AUTH_INTERFACE "auth.client"
typedef struct jg_client_auth_interface {
    /** The header that one request needs, in the arena. Any thread. @return UNAUTHENTICATED: none to be had
     */
    jaeger_status (*header)(void *self, jaeger_arena *arena, jaeger_pair *ret, jaeger_error *err);
} jg_client_auth_interface;

#endif
