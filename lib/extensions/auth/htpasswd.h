/* SPDX-License-Identifier: Apache-2.0
 * htpasswd files: users with bcrypt, apr1 and crypt MD5, {SHA}, {SSHA}, SHA-crypt or plain passwords.
 * Formats: https://httpd.apache.org/docs/2.4/misc/password_encryptions.html, crypt(5).
 */
#ifndef JG_EXTENSIONS_AUTH_HTPASSWD_H
#define JG_EXTENSIONS_AUTH_HTPASSWD_H

#include "core/attr.h"
#include "core/map.h"
#include <jaeger/base.h>

typedef struct jg_htpasswd {
    jaeger_arena *arena;
    jg_map users; /* of jaeger_str *: what the password must match */
} jg_htpasswd;

/** @return RESOURCE_EXHAUSTED */
jaeger_status jg_htpasswd_init(jg_htpasswd *h, jaeger_error *err) JG_MUST_CHECK;
void jg_htpasswd_done(jg_htpasswd *h);
/** Add "user:password" lines; later ones replace earlier ones. Empty lines, comments (#) and lines without a
 * colon are skipped. @return RESOURCE_EXHAUSTED */
jaeger_status jg_htpasswd_add(jg_htpasswd *h, jaeger_str text, jaeger_error *err) JG_MUST_CHECK;
/** Takes as long as the kind of password says. Threads: any. */
bool jg_htpasswd_match(const jg_htpasswd *h, jaeger_str user, jaeger_str password);
/** One password against one stored form, whatever it is. */
bool jg_password_match(jaeger_str stored, jaeger_str password);

#endif
