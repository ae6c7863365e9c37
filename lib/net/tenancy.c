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

static bool is_among(const jaeger_str *items, size_t count, jaeger_str wanted)
{
    for (size_t i = 0; i < count; i++)
        if (jg_str_eq(items[i], wanted))
            return true;
    return false;
}

static bool is_known(const jg_tenancy *tenancy, jaeger_str tenant)
{
    return !tenancy->enabled || tenancy->tenants.count == 0 ||
           is_among(tenancy->tenants.items, tenancy->tenants.count, tenant);
}

static bool is_of_login(const jaeger_call *call, jaeger_str tenant)
{
    return !call->user_tenants || is_among(call->user_tenants, call->user_tenant_count, tenant) ||
           is_among(call->user_tenants, call->user_tenant_count, JAEGER_STR("*"));
}

bool jg_tenancy_allows(const jg_tenancy *tenancy, jaeger_str tenant, const jaeger_call *call)
{
    return is_known(tenancy, tenant) && is_of_login(call, tenant);
}

/** The tenant of a login that does not name one. */
static jaeger_str usual_tenant(const jg_tenancy *tenancy, const jaeger_call *call)
{
    if (!jg_str_is(call->user_tenants[0], "*"))
        return call->user_tenants[0];
    return tenancy->enabled && tenancy->tenants.count ? tenancy->tenants.items[0] : JAEGER_STR("");
}

/** @return PERMISSION_DENIED: two of them */
static jaeger_status find_header(const jg_tenancy *tenancy, const jaeger_pair *headers, size_t count,
                                 bool *ret_found, jaeger_str *ret, jaeger_error *err)
{
    jaeger_str name = jg_tenancy_header(tenancy);
    *ret_found = false;
    for (size_t i = 0; i < count; i++) {
        if (!jg_str_eq_nocase(headers[i].key, name))
            continue;
        if (*ret_found)
            return jg_fail(err, JAEGER_PERMISSION_DENIED, "extra tenant header");
        *ret_found = true;
        *ret = headers[i].value;
    }
    return JAEGER_OK;
}

jaeger_status jg_tenancy_check(const jg_tenancy *tenancy, const jaeger_pair *headers, size_t count,
                               jaeger_call *call)
{
    jaeger_str tenant = {0};
    bool found;
    if (!tenancy->enabled && !call->user_tenants)
        return JAEGER_OK;
    JG_TRY(find_header(tenancy, headers, count, &found, &tenant, &call->error));
    if (call->user_tenants && !call->user_tenant_count)
        return jg_fail(&call->error, JAEGER_PERMISSION_DENIED, "this login has no tenant");
    if (call->user_tenants && !found)
        tenant = usual_tenant(tenancy, call);
    else if (!call->user_tenants && tenant.len == 0)
        return jg_fail(&call->error, JAEGER_UNAUTHENTICATED, "missing tenant header");
    if (!is_of_login(call, tenant))
        return jg_fail(&call->error, JAEGER_PERMISSION_DENIED, "not a tenant of this login");
    if (!is_known(tenancy, tenant))
        return jg_fail(&call->error, JAEGER_PERMISSION_DENIED, "unknown tenant");
    call->tenant = tenant;
    return JAEGER_OK;
}
