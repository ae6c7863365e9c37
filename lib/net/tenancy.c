/* SPDX-License-Identifier: Apache-2.0
 * See tenancy.h.
 */
#include "net/tenancy.h"

#include "core/err.h"
#include "core/str.h"
#include <stddef.h>

const jaeger_field jg_tenancy_fields[] = {
    {.name = "enabled",
     .kind = JAEGER_FIELD_BOOL,
     .offset = offsetof(jg_tenancy, enabled),
     .doc = "require a tenant"},
    {.name = "header",
     .kind = JAEGER_FIELD_STR,
     .offset = offsetof(jg_tenancy, header),
     .doc = "name of the header; default: x-tenant"},
    {.name = "tenants",
     .kind = JAEGER_FIELD_STRS,
     .offset = offsetof(jg_tenancy, tenants),
     .doc = "tenants that are allowed; empty: any"},
    {.kind = JAEGER_FIELD_END},
};

jaeger_str jg_tenancy_header(const jg_tenancy *tenancy)
{
    return tenancy->header.len ? tenancy->header : JAEGER_STR("x-tenant");
}

static bool is_allowed(const jg_tenancy *tenancy, jaeger_str tenant)
{
    for (size_t i = 0; i < tenancy->tenants.count; i++)
        if (jg_str_eq(tenancy->tenants.items[i], tenant))
            return true;
    return tenancy->tenants.count == 0;
}

jaeger_status jg_tenancy_check(const jg_tenancy *tenancy, const jaeger_pair *headers, size_t count,
                               jaeger_call *call)
{
    if (!tenancy->enabled)
        return JAEGER_OK;
    jaeger_str name = jg_tenancy_header(tenancy), tenant = {0};
    for (size_t i = 0; i < count; i++) {
        if (!jg_str_eq_nocase(headers[i].key, name))
            continue;
        if (tenant.ptr)
            return jg_fail(&call->error, JAEGER_PERMISSION_DENIED, "extra tenant header");
        tenant = headers[i].value;
    }
    if (tenant.len == 0)
        return jg_fail(&call->error, JAEGER_UNAUTHENTICATED, "missing tenant header");
    if (!is_allowed(tenancy, tenant))
        return jg_fail(&call->error, JAEGER_PERMISSION_DENIED, "unknown tenant");
    call->tenant = tenant;
    return JAEGER_OK;
}
