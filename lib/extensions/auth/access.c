/* SPDX-License-Identifier: Apache-2.0
 * See access.h.
 */
#include "extensions/auth/access.h"

#include "core/err.h"
#include "core/str.h"

#define AT(member) .offset = offsetof(jg_access_rule, member)

const jaeger_field jg_access_user_fields[] = {
    {.name = "users",
     .kind = JAEGER_FIELD_STRS,
     AT(users),
     .doc = "names in htpasswd; \"*\": every other one"},
    {.name = "tenants",
     .kind = JAEGER_FIELD_STRS,
     AT(tenants),
     .doc = "tenants they may use, the usual one first; \"*\": any"},
    {0}};

const jaeger_field jg_access_token_fields[] = {
    {.name = "user", .kind = JAEGER_FIELD_STR, AT(user), .doc = "a name to show; no secret"},
    {.name = "tokens", .kind = JAEGER_FIELD_STRS, AT(tokens), .doc = "tokens of this user"},
    {.name = "filename",
     .kind = JAEGER_FIELD_STR,
     AT(filename),
     .doc = "more of them, one a line; read again when the file changes"},
    {.name = "tenants",
     .kind = JAEGER_FIELD_STRS,
     AT(tenants),
     .doc = "tenants the user may use, the usual one first; \"*\": any"},
    {0}};

jaeger_status jg_access_validate(const jaeger_block_list *rules, bool has_tokens, const char *path,
                                 jaeger_error *err)
{
    for (size_t i = 0; i < rules->count; i++) {
        const jg_access_rule *rule = (const jg_access_rule *)rules->items + i;
        const char *why = !rule->tenants.count                                       ? "tenants"
                          : has_tokens && !rule->tokens.count && !rule->filename.len ? "tokens or filename"
                          : !has_tokens && !rule->users.count                        ? "users"
                                                                                     : NULL;
        if (why)
            return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s::access::%zu: %s must not be empty", path, i,
                           why);
    }
    return JAEGER_OK;
}

static bool names(const jg_access_rule *rule, jaeger_str user)
{
    for (size_t i = 0; i < rule->users.count; i++)
        if (jg_str_eq(rule->users.items[i], user) || jg_str_is(rule->users.items[i], "*"))
            return true;
    return false;
}

void jg_access_of_rule(const jaeger_block_list *rules, const jg_access_rule *rule, jaeger_call *call)
{
    static const jaeger_str none[1];
    call->user_tenants = NULL;
    call->user_tenant_count = 0;
    if (rules->count == 0)
        return;
    call->user_tenants = rule ? rule->tenants.items : none;
    call->user_tenant_count = rule ? rule->tenants.count : 0;
}

void jg_access_of_user(const jaeger_block_list *rules, jaeger_str user, jaeger_call *call)
{
    const jg_access_rule *rule = NULL;
    for (size_t i = 0; i < rules->count && !rule; i++)
        if (names((const jg_access_rule *)rules->items + i, user))
            rule = (const jg_access_rule *)rules->items + i;
    call->user = user;
    jg_access_of_rule(rules, rule, call);
}
