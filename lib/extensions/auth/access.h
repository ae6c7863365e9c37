/* SPDX-License-Identifier: Apache-2.0
 * Which login may use which tenants: the key `access` of the authenticators. With rules, a login that none
 * of them names has no tenant at all. Rules live in the configuration; nothing is copied.
 */
#ifndef JG_EXTENSIONS_AUTH_ACCESS_H
#define JG_EXTENSIONS_AUTH_ACCESS_H

#include "core/attr.h"
#include <jaeger/config.h>

/** Of basicauth: names of users. Of bearertokenauth: one user, and the tokens that are his. */
typedef struct jg_access_rule {
    jaeger_str_list users;
    jaeger_str user;
    jaeger_str_list tokens;
    jaeger_str filename;
    jaeger_str_list tenants;
} jg_access_rule;

extern const jaeger_field jg_access_user_fields[], jg_access_token_fields[];

/** @param rules of jg_access_rule. @return INVALID_ARGUMENT: a rule without users, tokens or tenants
 *  @param path of the list, for the message */
jaeger_status jg_access_validate(const jaeger_block_list *rules, bool has_tokens, const char *path,
                                 jaeger_error *err) JG_MUST_CHECK;
/** Give the call the tenants of a user; the first rule that names him counts. Without rules: no restriction.
 *  @param user lives as long as the call */
void jg_access_of_user(const jaeger_block_list *rules, jaeger_str user, jaeger_call *call);
/** The same for a rule that is known; NULL: none. */
void jg_access_of_rule(const jaeger_block_list *rules, const jg_access_rule *rule, jaeger_call *call);

#endif
