/* SPDX-License-Identifier: Apache-2.0
 * Bearer tokens: servers take any of them, clients send the first one. A file is read again when it changes.
 * Keys and texts: opentelemetry-collector-contrib extension/bearertokenauthextension (which repeats the wrong
 * token in its answer; we do not). Spec: RFC 6750.
 */
#include "core/arena.h"
#include "core/err.h"
#include "core/secret.h"
#include "core/str.h"
#include "pipeline/host.h"
#include <openssl/crypto.h>

typedef struct bearer_config {
    jaeger_str header, scheme, token, filename;
    jaeger_str_list tokens;
} bearer_config;

typedef struct bearer {
    const bearer_config *config;
    jg_secret file;
    bool ready;
} bearer;

/** Walk the tokens: those of the file (`text`), else those of the settings. @return false at the end */
static bool next_token(const bearer_config *c, jaeger_str *text, size_t *at, jaeger_str *ret)
{
    if (c->filename.len) {
        if (!text->len)
            return false;
        jaeger_str line = {text->ptr, jg_str_find(*text, '\n')};
        *text = jg_str_skip(*text, line.len + 1);
        *ret = jg_str_trim(line);
        return true;
    }
    size_t count = c->tokens.count ? c->tokens.count : c->token.len != 0;
    if (*at >= count)
        return false;
    *ret = c->tokens.count ? c->tokens.items[*at] : c->token;
    (*at)++;
    return true;
}

static jaeger_status read_file(bearer *b, jg_buf *out, jaeger_error *err)
{
    return b->config->filename.len ? jg_secret_get(&b->file, out, err) : JAEGER_OK;
}

/** Is `value` "<scheme> <token>"? */
static bool matches(jaeger_str value, jaeger_str scheme, jaeger_str token)
{
    size_t before = scheme.len ? scheme.len + 1 : 0;
    return token.len && value.len == before + token.len &&
           (!before ||
            (CRYPTO_memcmp(value.ptr, scheme.ptr, scheme.len) == 0 && value.ptr[scheme.len] == ' ')) &&
           CRYPTO_memcmp(value.ptr + before, token.ptr, token.len) == 0;
}

/** The header may have another name; then it must be among the call's metadata. */
static jaeger_str value_of(const bearer_config *c, jaeger_str authorization, const jaeger_call *call)
{
    if (jg_str_eq_nocase(c->header, JAEGER_STR("authorization")))
        return authorization;
    for (size_t i = 0; i < call->metadata_count; i++)
        if (jg_str_eq_nocase(call->metadata[i].key, c->header))
            return call->metadata[i].value;
    return (jaeger_str){NULL, 0};
}

static jaeger_status check(void *self, jaeger_str authorization, jaeger_call *call)
{
    bearer *b = self;
    const bearer_config *c = b->config;
    JG_AUTO_BUF jg_buf file = JG_BUF_INIT(JG_SECRET_BYTES_MAX);
    jaeger_str value = value_of(c, authorization, call), token;
    if (!value.len)
        return jg_fail(&call->error, JAEGER_UNAUTHENTICATED, "missing or empty authorization header: %.*s",
                       JAEGER_STR_ARGS(c->header));
    JG_TRY(read_file(b, &file, &call->error));
    jaeger_str text = jg_buf_view(&file);
    bool found = false;
    for (size_t at = 0; next_token(c, &text, &at, &token);)
        found |= matches(value, c->scheme, token);
    return found ? JAEGER_OK
                 : jg_fail(&call->error, JAEGER_UNAUTHENTICATED, "scheme or token does not match");
}

static jaeger_status make_header(void *self, jaeger_arena *arena, jaeger_pair *ret, jaeger_error *err)
{
    bearer *b = self;
    const bearer_config *c = b->config;
    JG_AUTO_BUF jg_buf file = JG_BUF_INIT(JG_SECRET_BYTES_MAX);
    JG_TRY(read_file(b, &file, err));
    jaeger_str text = jg_buf_view(&file), token = {"", 0};
    size_t at = 0;
    (void)next_token(c, &text, &at, &token);
    ret->key = c->header;
    ret->value = jg_arena_printf(arena, "%.*s%s%.*s", JAEGER_STR_ARGS(c->scheme), c->scheme.len ? " " : "",
                                 JAEGER_STR_ARGS(token));
    return ret->value.ptr ? JAEGER_OK : jg_fail_oom(err);
}

static jaeger_status bearer_validate(const void *config, const jaeger_config *node, jaeger_error *err)
{
    const bearer_config *c = config;
    const char *path = node ? jaeger_config_path(node) : "extensions::bearertokenauth", *why = NULL;
    if (!c->token.len && !c->tokens.count && !c->filename.len)
        why = "no bearer token provided";
    else if (c->token.len && c->tokens.count)
        why = "either tokens or token should be provided, not both";
    return why ? jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s: %s", path, why) : JAEGER_OK;
}

static jaeger_status bearer_create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    bearer *b = self;
    (void)err;
    b->config = in->config;
    jg_secret_init(&b->file, b->config->filename.ptr);
    b->ready = true;
    if (b->config->filename.len && (b->config->token.len || b->config->tokens.count))
        jaeger_log(in->log, JAEGER_WARN, "a filename is specified, the configured tokens are ignored");
    return JAEGER_OK;
}

static jaeger_status bearer_start(void *self, jaeger_error *err)
{
    JG_AUTO_BUF jg_buf file = JG_BUF_INIT(JG_SECRET_BYTES_MAX);
    return read_file(self, &file, err);
}

static const void *bearer_interface(void *self, const char *name)
{
    static const jg_auth_interface server = {check};
    static const jg_client_auth_interface client = {make_header};
    (void)self;
    return strcmp(name, JG_AUTH_INTERFACE) == 0          ? (const void *)&server
           : strcmp(name, JG_CLIENT_AUTH_INTERFACE) == 0 ? (const void *)&client
                                                         : NULL;
}

static void bearer_destroy(void *self)
{
    bearer *b = self;
    if (b->ready)
        jg_secret_done(&b->file);
    b->ready = false;
}

#define AT(member) .offset = offsetof(bearer_config, member)
static const jaeger_field bearer_fields[] = {
    {.name = "header", .kind = JAEGER_FIELD_STR, AT(header), .fallback = "Authorization", .doc = "its name"},
    {.name = "scheme",
     .kind = JAEGER_FIELD_STR,
     AT(scheme),
     .fallback = "Bearer",
     .doc = "word before the token; empty: none"},
    {.name = "token", .kind = JAEGER_FIELD_STR, AT(token), .doc = "the only token"},
    {.name = "tokens",
     .kind = JAEGER_FIELD_STRS,
     AT(tokens),
     .doc = "servers take any, clients send the first"},
    {.name = "filename",
     .kind = JAEGER_FIELD_STR,
     AT(filename),
     .doc = "a token a line, instead of token and tokens; read again when the file changes"},
    {0}};

const jaeger_component_type jg_extension_bearertokenauth = {
    .size = sizeof(jaeger_component_type),
    .name = "bearertokenauth",
    .doc = "bearer tokens for servers and clients",
    .kind = JAEGER_EXTENSION,
    .fields = bearer_fields,
    .config_size = sizeof(bearer_config),
    .state_size = sizeof(bearer),
    .validate = bearer_validate,
    .create = bearer_create,
    .start = bearer_start,
    .destroy = bearer_destroy,
    .interface = bearer_interface,
};
