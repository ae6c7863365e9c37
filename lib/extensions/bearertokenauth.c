/* SPDX-License-Identifier: Apache-2.0
 * Bearer tokens: servers take any of them, clients send the first one. A file is read again when it changes.
 * Keys and texts: opentelemetry-collector-contrib extension/bearertokenauthextension (which repeats the wrong
 * token in its answer; we do not). Spec: RFC 6750.
 */
#include "core/alloc.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/secret.h"
#include "core/str.h"
#include "extensions/auth/access.h"
#include "pipeline/host.h"
#include <openssl/crypto.h>

typedef struct bearer_config {
    jaeger_str header, scheme, token, filename;
    jaeger_str_list tokens;
    jaeger_block_list access; /* of jg_access_rule */
} bearer_config;

typedef struct bearer {
    const bearer_config *config;
    jg_secret file;
    jg_secret *rule_files; /* by rule of access */
    bool ready;
} bearer;

/** Some tokens: the lines of a file's content, else a list. */
typedef struct token_source {
    bool is_file;
    jaeger_str text;
    const jaeger_str *items;
    size_t count;
} token_source;

static bool next_token(token_source *s, jaeger_str *ret)
{
    if (s->is_file) {
        if (!s->text.len)
            return false;
        jaeger_str line = {s->text.ptr, jg_str_find(s->text, '\n')};
        s->text = jg_str_skip(s->text, line.len + 1);
        *ret = jg_str_trim(line);
        return true;
    }
    if (!s->count)
        return false;
    *ret = *s->items++;
    s->count--;
    return true;
}

/** Those of the settings. @param file its content goes here */
static jaeger_status own_tokens(bearer *b, jg_buf *file, token_source *ret, jaeger_error *err)
{
    const bearer_config *c = b->config;
    *ret = (token_source){.items = c->tokens.count ? c->tokens.items : &c->token,
                          .count = c->tokens.count ? c->tokens.count : c->token.len != 0};
    if (c->filename.len) {
        JG_TRY(jg_secret_get(&b->file, file, err));
        ret->is_file = true;
        ret->text = jg_buf_view(file);
    }
    return JAEGER_OK;
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

static bool has_token(token_source *tokens, jaeger_str value, jaeger_str scheme)
{
    bool found = false;
    for (jaeger_str token; next_token(tokens, &token);)
        found |= matches(value, scheme, token);
    return found;
}

/** Does the rule have the token? Both its list and its file are looked at, whatever is found. */
static bool rule_has(bearer *b, size_t i, jaeger_str value, jg_buf *room)
{
    const jg_access_rule *rule = (const jg_access_rule *)b->config->access.items + i;
    token_source listed = {.items = rule->tokens.items, .count = rule->tokens.count},
                 filed = {.is_file = true};
    jg_buf_clear(room);
    if (rule->filename.len && jg_secret_get(&b->rule_files[i], room, NULL) == JAEGER_OK)
        filed.text = jg_buf_view(room);
    bool is_listed = has_token(&listed, value, b->config->scheme);
    return has_token(&filed, value, b->config->scheme) || is_listed;
}

static jaeger_status check(void *self, jaeger_str authorization, jaeger_call *call)
{
    bearer *b = self;
    const bearer_config *c = b->config;
    JG_AUTO_BUF jg_buf room = JG_BUF_INIT(JG_SECRET_BYTES_MAX);
    jaeger_str value = value_of(c, authorization, call);
    token_source own;
    if (!value.len)
        return jg_fail(&call->error, JAEGER_UNAUTHENTICATED, "missing or empty authorization header: %.*s",
                       JAEGER_STR_ARGS(c->header));
    JG_TRY(own_tokens(b, &room, &own, &call->error));
    bool found = has_token(&own, value, c->scheme);
    const jg_access_rule *rule = NULL;
    for (size_t i = 0; i < c->access.count; i++)
        if (rule_has(b, i, value, &room) && !rule)
            rule = (const jg_access_rule *)c->access.items + i;
    if (!found && !rule)
        return jg_fail(&call->error, JAEGER_UNAUTHENTICATED, "scheme or token does not match");
    call->user = rule ? rule->user : (jaeger_str){0};
    jg_access_of_rule(&c->access, rule, call);
    return JAEGER_OK;
}

static jaeger_status make_header(void *self, jaeger_arena *arena, jaeger_pair *ret, jaeger_error *err)
{
    bearer *b = self;
    const bearer_config *c = b->config;
    JG_AUTO_BUF jg_buf room = JG_BUF_INIT(JG_SECRET_BYTES_MAX);
    token_source own;
    jaeger_str token = {"", 0};
    JG_TRY(own_tokens(b, &room, &own, err));
    (void)next_token(&own, &token);
    ret->key = c->header;
    ret->value = jg_arena_printf(arena, "%.*s%s%.*s", JAEGER_STR_ARGS(c->scheme), c->scheme.len ? " " : "",
                                 JAEGER_STR_ARGS(token));
    return ret->value.ptr ? JAEGER_OK : jg_fail_oom(err);
}

static jaeger_status bearer_validate(const void *config, const jaeger_config *node, jaeger_error *err)
{
    const bearer_config *c = config;
    const char *path = node ? jaeger_config_path(node) : "extensions::bearertokenauth", *why = NULL;
    if (!c->token.len && !c->tokens.count && !c->filename.len && !c->access.count)
        why = "no bearer token provided";
    else if (c->token.len && c->tokens.count)
        why = "either tokens or token should be provided, not both";
    return why ? jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s: %s", path, why)
               : jg_access_validate(&c->access, true, path, err);
}

static jaeger_status bearer_create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    bearer *b = self;
    b->config = in->config;
    const jaeger_block_list *access = &b->config->access;
    b->rule_files = access->count ? jg_calloc(access->count, sizeof *b->rule_files) : NULL;
    if (access->count && !b->rule_files)
        return jg_fail_oom(err);
    for (size_t i = 0; i < access->count; i++)
        jg_secret_init(&b->rule_files[i], ((const jg_access_rule *)access->items)[i].filename.ptr);
    jg_secret_init(&b->file, b->config->filename.ptr);
    b->ready = true;
    if (b->config->filename.len && (b->config->token.len || b->config->tokens.count))
        jaeger_log(in->log, JAEGER_WARN, "a filename is specified, the configured tokens are ignored");
    return JAEGER_OK;
}

/** Files must be there at the start. */
static jaeger_status bearer_start(void *self, jaeger_error *err)
{
    bearer *b = self;
    JG_AUTO_BUF jg_buf room = JG_BUF_INIT(JG_SECRET_BYTES_MAX);
    token_source own;
    JG_TRY(own_tokens(b, &room, &own, err));
    for (size_t i = 0; i < b->config->access.count; i++) {
        jg_buf_clear(&room);
        if (((const jg_access_rule *)b->config->access.items)[i].filename.len)
            JG_TRY(jg_secret_get(&b->rule_files[i], &room, err));
    }
    return JAEGER_OK;
}

static const void *bearer_interface(void *self, const char *name)
{
    static const jg_auth_interface server = {check, "Bearer realm=\"jaeger\""};
    static const jg_client_auth_interface client = {make_header};
    (void)self;
    return strcmp(name, JG_AUTH_INTERFACE) == 0          ? (const void *)&server
           : strcmp(name, JG_CLIENT_AUTH_INTERFACE) == 0 ? (const void *)&client
                                                         : NULL;
}

static void bearer_destroy(void *self)
{
    bearer *b = self;
    for (size_t i = 0; b->ready && i < b->config->access.count; i++)
        jg_secret_done(&b->rule_files[i]);
    if (b->ready)
        jg_secret_done(&b->file);
    jg_free(b->rule_files);
    b->rule_files = NULL;
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
    {.name = "access",
     .kind = JAEGER_FIELD_LIST,
     AT(access),
     .sub = jg_access_token_fields,
     .sub_size = sizeof(jg_access_rule),
     .doc = "more tokens, with their user and the tenants they may use; the others then have none"},
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
