/* SPDX-License-Identifier: Apache-2.0
 * Multi-tenancy of servers: which tenant a request belongs to, by one header.
 * Rules: jaeger v2 internal/tenancy.
 */
#ifndef JG_NET_TENANCY_H
#define JG_NET_TENANCY_H

#include "core/attr.h"
#include <jaeger/config.h>

typedef struct jg_tenancy {
    bool enabled;
    jaeger_str header;       /* empty: x-tenant */
    jaeger_str_list tenants; /* empty: any */
} jg_tenancy;

extern const jaeger_field jg_tenancy_fields[];

#define JG_TENANCY_FIELD(type, member)                                                                       \
    {                                                                                                        \
        .name = "multi_tenancy", .kind = JAEGER_FIELD_BLOCK, .offset = offsetof(type, member),               \
        .sub = jg_tenancy_fields, .sub_size = sizeof(jg_tenancy),                                            \
        .doc = "keep tenants apart by a request header"                                                      \
    }

/** Find the tenant among request headers (lower-case names) and set call->tenant. Disabled: the default
 * tenant. A login with tenants of its own (call->user_tenants) is held to them, enabled or not; without the
 * header it has its first.
 *  @return UNAUTHENTICATED "missing tenant header"; PERMISSION_DENIED "unknown tenant", "extra tenant
 * header" (HTTP answers all of them with 401, as Jaeger does), or "not a tenant of this login" (403) */
jaeger_status jg_tenancy_check(const jg_tenancy *tenancy, const jaeger_pair *headers, size_t count,
                               jaeger_call *call) JG_MUST_CHECK;
/** Could this call use the tenant? */
bool jg_tenancy_allows(const jg_tenancy *tenancy, jaeger_str tenant, const jaeger_call *call);
/** The header's name, in lower case as configured. */
jaeger_str jg_tenancy_header(const jg_tenancy *tenancy);

#endif
