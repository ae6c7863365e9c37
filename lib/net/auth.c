/* SPDX-License-Identifier: Apache-2.0
 * See auth.h.
 */
#include "net/auth.h"

#include "core/str.h"

static jaeger_status check_http(void *self, const jg_http_request *request, jaeger_call *call)
{
    const jg_auth *auth = self;
    return auth->check(auth->self, jg_http_header(request, "authorization"), call);
}

static jaeger_status check_grpc(void *self, jaeger_call *call)
{
    const jg_auth *auth = self;
    jaeger_str authorization = {NULL, 0};
    for (size_t i = 0; i < call->metadata_count && !authorization.ptr; i++)
        if (jg_str_is(call->metadata[i].key, "authorization"))
            authorization = call->metadata[i].value;
    return auth->check(auth->self, authorization, call);
}

jg_http_auth jg_auth_for_http(const jg_auth *auth)
{
    return auth->check ? (jg_http_auth){check_http, (void *)(uintptr_t)auth} : (jg_http_auth){NULL, NULL};
}

jg_grpc_auth jg_auth_for_grpc(const jg_auth *auth)
{
    return auth->check ? (jg_grpc_auth){check_grpc, (void *)(uintptr_t)auth} : (jg_grpc_auth){NULL, NULL};
}
