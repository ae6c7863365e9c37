/* SPDX-License-Identifier: Apache-2.0
 * See auth.h.
 */
#include "net/auth.h"

#include "core/err.h"
#include "core/str.h"

static const jg_tenancy by_header;

static jaeger_status check_login(const jg_auth *auth, jaeger_str authorization, const jaeger_pair *headers,
                                 size_t count, jaeger_call *call)
{
    JG_TRY(auth->who.by->check(auth->who.self, authorization, call));
    return call->user_tenants
               ? jg_tenancy_check(auth->tenancy ? auth->tenancy : &by_header, headers, count, call)
               : JAEGER_OK;
}

static jaeger_status check_http(void *self, const jg_http_request *request, jaeger_call *call)
{
    const jg_auth *auth = self;
    return check_login(auth, jg_http_header(request, "authorization"), request->headers,
                       request->header_count, call);
}

static jaeger_status check_grpc(void *self, jaeger_call *call)
{
    const jg_auth *auth = self;
    jaeger_str authorization = {NULL, 0};
    for (size_t i = 0; i < call->metadata_count && !authorization.ptr; i++)
        if (jg_str_is(call->metadata[i].key, "authorization"))
            authorization = call->metadata[i].value;
    return check_login(auth, authorization, call->metadata, call->metadata_count, call);
}

jg_http_auth jg_auth_for_http(const jg_auth *auth)
{
    return auth->who.by ? (jg_http_auth){check_http, (void *)(uintptr_t)auth, auth->who.by->challenge}
                        : (jg_http_auth){0};
}

jg_grpc_auth jg_auth_for_grpc(const jg_auth *auth)
{
    return auth->who.by ? (jg_grpc_auth){check_grpc, (void *)(uintptr_t)auth} : (jg_grpc_auth){NULL, NULL};
}
