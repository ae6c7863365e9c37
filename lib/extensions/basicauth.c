/* SPDX-License-Identifier: Apache-2.0
 * Basic authentication: checks requests against htpasswd entries, or gives clients their header.
 * Keys and texts: opentelemetry-collector-contrib extension/basicauthextension. Spec: RFC 7617.
 */
#include "core/arena.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/secret.h"
#include "core/str.h"
#include "extensions/auth/access.h"
#include "extensions/auth/htpasswd.h"
#include "pipeline/host.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#define KNOWN_MAX  64u  /* headers that were right lately: a bcrypt each time would cost 50 ms */
#define DIGEST_MAX 32u  /* SHA-256 */
#define HEADER_MAX 4096 /* of an Authorization header; longer ones are wrong */
#define PLAIN_MAX  (3 * (HEADER_MAX / 4 + 1))

typedef struct server_config {
    bool enabled;
    jaeger_str file, content;
} server_config;

typedef struct client_config {
    bool enabled;
    jaeger_str username, username_file, password, password_file;
} client_config;

typedef struct basicauth_config {
    server_config htpasswd;
    client_config client_auth;
    jaeger_block_list access; /* of jg_access_rule */
} basicauth_config;

typedef struct basicauth {
    const basicauth_config *config;
    jg_secret file; /* of htpasswd */
    jg_secret username, password;
    bool ready;
    pthread_rwlock_t users_lock; /* guards the two that follow */
    jg_htpasswd users;
    unsigned version;            /* of the file they are of */
    pthread_mutex_t known_mutex; /* guards what follows */
    unsigned char key[DIGEST_MAX], known[KNOWN_MAX][DIGEST_MAX];
    unsigned known_count, known_next;
} basicauth;

/* ---- what was right lately ---- */

/** Of the header, with a key of this process: nothing can be learned from it elsewhere. */
static bool digest_of(const basicauth *b, jaeger_str header, unsigned char out[DIGEST_MAX])
{
    unsigned char bytes[DIGEST_MAX + HEADER_MAX];
    memcpy(bytes, b->key, DIGEST_MAX);
    memcpy(bytes + DIGEST_MAX, header.ptr, header.len);
    bool ok = EVP_Digest(bytes, DIGEST_MAX + header.len, out, NULL, EVP_sha256(), NULL) == 1;
    OPENSSL_cleanse(bytes, sizeof bytes);
    return ok;
}

static bool is_known(basicauth *b, const unsigned char digest[DIGEST_MAX])
{
    bool found = false;
    (void)pthread_mutex_lock(&b->known_mutex);
    for (unsigned i = 0; i < b->known_count; i++)
        found |= CRYPTO_memcmp(b->known[i], digest, DIGEST_MAX) == 0;
    (void)pthread_mutex_unlock(&b->known_mutex);
    return found;
}

static void remember(basicauth *b, const unsigned char digest[DIGEST_MAX])
{
    (void)pthread_mutex_lock(&b->known_mutex);
    memcpy(b->known[b->known_next], digest, DIGEST_MAX);
    b->known_next = (b->known_next + 1) % KNOWN_MAX;
    b->known_count = JG_MIN(b->known_count + 1, KNOWN_MAX);
    (void)pthread_mutex_unlock(&b->known_mutex);
}

/* ---- servers ---- */

static jaeger_status refuse(jaeger_call *call, const char *text)
{
    return jg_fail(&call->error, JAEGER_UNAUTHENTICATED, "%s", text);
}

/** User and password of a header, in `plain`, which the caller cleans. */
static jaeger_status parse(jaeger_str authorization, uint8_t plain[PLAIN_MAX], jaeger_str *ret_user,
                           jaeger_str *ret_password, jaeger_call *call)
{
    const jaeger_str prefix = JAEGER_STR("Basic ");
    size_t len;
    if (!authorization.len)
        return refuse(call, "no basic auth provided");
    if (authorization.len < prefix.len ||
        !jg_str_eq_nocase((jaeger_str){authorization.ptr, prefix.len}, prefix))
        return refuse(call, "invalid authorization scheme prefix");
    if (authorization.len > HEADER_MAX ||
        !jg_base64_decode(jg_str_skip(authorization, prefix.len), plain, &len))
        return refuse(call, "invalid authorization format");
    jaeger_str all = {(const char *)plain, len};
    *ret_user = (jaeger_str){all.ptr, jg_str_find(all, ':')};
    if (ret_user->len == all.len)
        return refuse(call, "invalid authorization format");
    *ret_password = jg_str_skip(all, ret_user->len + 1);
    return JAEGER_OK;
}

/** What the call may know of the user. */
static jaeger_status admit(const basicauth *b, jaeger_str user, jaeger_call *call)
{
    jaeger_str kept = call->arena ? jaeger_arena_str(call->arena, user) : (jaeger_str){0};
    if (!kept.ptr)
        return jg_fail_oom(&call->error);
    jg_access_of_user(&b->config->access, kept, call);
    return JAEGER_OK;
}

static jaeger_status load(basicauth *b, jaeger_str file, jg_htpasswd *ret, jaeger_error *err)
{
    JG_TRY(jg_htpasswd_init(ret, err));
    jaeger_status status = jg_htpasswd_add(ret, file, err);
    if (status == JAEGER_OK)
        status = jg_htpasswd_add(ret, b->config->htpasswd.content, err);
    if (status != JAEGER_OK)
        jg_htpasswd_done(ret);
    return status;
}

/** Read the file again if it has changed; what was right lately need not be so any more. */
static void follow_file(basicauth *b)
{
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(JG_SECRET_BYTES_MAX);
    jg_htpasswd fresh;
    jaeger_error err;
    (void)pthread_rwlock_rdlock(&b->users_lock);
    unsigned version = b->version;
    (void)pthread_rwlock_unlock(&b->users_lock);
    if (!jg_secret_get_new(&b->file, &version, &text) ||
        load(b, jg_buf_view(&text), &fresh, &err) != JAEGER_OK)
        return; /* without memory the old users stay until the next request */
    (void)pthread_rwlock_wrlock(&b->users_lock);
    jg_htpasswd old = b->users;
    b->users = fresh;
    b->version = version;
    (void)pthread_mutex_lock(&b->known_mutex);
    b->known_count = b->known_next = 0;
    (void)pthread_mutex_unlock(&b->known_mutex);
    (void)pthread_rwlock_unlock(&b->users_lock);
    jg_htpasswd_done(&old);
}

/** With what was right lately; holding on to the users meanwhile, so that none of an old file is remembered.
 */
static bool is_right(basicauth *b, jaeger_str authorization, jaeger_str user, jaeger_str password)
{
    unsigned char digest[DIGEST_MAX];
    (void)pthread_rwlock_rdlock(&b->users_lock);
    bool digested = digest_of(b, authorization, digest);
    bool known = digested && is_known(b, digest);
    bool right = known || jg_htpasswd_match(&b->users, user, password);
    if (right && !known && digested)
        remember(b, digest);
    (void)pthread_rwlock_unlock(&b->users_lock);
    return right;
}

static jaeger_status check(void *self, jaeger_str authorization, jaeger_call *call)
{
    basicauth *b = self;
    uint8_t plain[PLAIN_MAX];
    jaeger_str user, password;
    if (b->file.path)
        follow_file(b);
    jaeger_status status = parse(authorization, plain, &user, &password, call);
    if (status == JAEGER_OK && !is_right(b, authorization, user, password))
        status = refuse(call, "invalid credentials");
    if (status == JAEGER_OK)
        status = admit(b, user, call);
    OPENSSL_cleanse(plain, sizeof plain);
    return status;
}

/* ---- clients ---- */

/** The setting, or the file's content without the white space around it. */
static jaeger_status get_part(jaeger_str setting, jg_secret *file, jg_buf *room, jaeger_str *ret,
                              jaeger_error *err)
{
    *ret = setting;
    if (!file->path)
        return JAEGER_OK;
    JG_TRY(jg_secret_get(file, room, err));
    *ret = jg_str_trim(jg_buf_view(room));
    return JAEGER_OK;
}

static jaeger_status make_header(void *self, jaeger_arena *arena, jaeger_pair *ret, jaeger_error *err)
{
    basicauth *b = self;
    const client_config *c = &b->config->client_auth;
    JG_AUTO_BUF jg_buf users = JG_BUF_INIT(JG_SECRET_BYTES_MAX);
    JG_AUTO_BUF jg_buf passwords = JG_BUF_INIT(JG_SECRET_BYTES_MAX);
    JG_AUTO_BUF jg_buf both = JG_BUF_INIT(HEADER_MAX);
    jaeger_str user, password;
    JG_TRY(get_part(c->username, &b->username, &users, &user, err));
    JG_TRY(get_part(c->password, &b->password, &passwords, &password, err));
    if (jg_str_find(user, ':') != user.len)
        return jg_fail(err, JAEGER_UNAUTHENTICATED, "invalid authorization format");
    jg_buf_str(&both, user);
    jg_buf_byte(&both, ':');
    jg_buf_str(&both, password);
    size_t len = jg_base64_size(both.len) + 6;
    char *text = jg_buf_ok(&both) ? jaeger_arena_alloc(arena, len) : NULL;
    if (!text)
        return jg_fail_oom(err);
    memcpy(text, "Basic ", 6);
    jg_base64_encode(both.data, both.len, text + 6);
    *ret = (jaeger_pair){JAEGER_STR("authorization"), {text, len}};
    return JAEGER_OK;
}

/* ---- the component ---- */

static jaeger_status basicauth_validate(const void *config, const jaeger_config *node, jaeger_error *err)
{
    const basicauth_config *c = config;
    const char *path = node ? jaeger_config_path(node) : "extensions::basicauth", *why = NULL;
    if (c->htpasswd.enabled && c->client_auth.enabled)
        why = "only one of `htpasswd` or `client_auth` can be specified";
    else if (!c->htpasswd.enabled && !c->client_auth.enabled)
        why = "no credential source provided";
    else if (c->htpasswd.enabled && !c->htpasswd.file.len && !c->htpasswd.content.len)
        why = "no credential source provided";
    else if (jg_str_find(c->client_auth.username, ':') != c->client_auth.username.len)
        why = "username must not hold a colon";
    else if (c->access.count && !c->htpasswd.enabled)
        why = "`access` needs `htpasswd`";
    return why ? jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s: %s", path, why)
               : jg_access_validate(&c->access, false, path, err);
}

static jaeger_status basicauth_create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    basicauth *b = self;
    b->config = in->config;
    const client_config *c = &b->config->client_auth;
    (void)pthread_mutex_init(&b->known_mutex, NULL);
    (void)pthread_rwlock_init(&b->users_lock, NULL);
    jg_secret_init(&b->file, b->config->htpasswd.file.len ? b->config->htpasswd.file.ptr : NULL);
    jg_secret_init(&b->username, c->username_file.len ? c->username_file.ptr : NULL);
    jg_secret_init(&b->password, c->password_file.len ? c->password_file.ptr : NULL);
    b->ready = true;
    if (RAND_bytes(b->key, sizeof b->key) != 1)
        return jg_fail(err, JAEGER_INTERNAL, "no random numbers to be had");
    return jg_htpasswd_init(&b->users, err);
}

static jaeger_status start_server(basicauth *b, jaeger_error *err)
{
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(JG_SECRET_BYTES_MAX);
    jg_htpasswd users;
    if (b->file.path && jg_secret_get(&b->file, &text, err) != JAEGER_OK)
        return jg_fail_prefix(err, "open htpasswd file");
    JG_TRY(load(b, jg_buf_view(&text), &users, err));
    jg_htpasswd_done(&b->users);
    b->users = users;
    b->version = b->file.version;
    return JAEGER_OK;
}

/** Files must be there at the start. */
static jaeger_status start_client(basicauth *b, jaeger_error *err)
{
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(2 * HEADER_MAX);
    jaeger_pair header;
    return arena ? make_header(b, arena, &header, err) : jg_fail_oom(err);
}

static jaeger_status basicauth_start(void *self, jaeger_error *err)
{
    basicauth *b = self;
    return b->config->htpasswd.enabled ? start_server(b, err) : start_client(b, err);
}

static const void *basicauth_interface(void *self, const char *name)
{
    static const jg_auth_interface server = {check, "Basic realm=\"jaeger\", charset=\"UTF-8\""};
    static const jg_client_auth_interface client = {make_header};
    const basicauth_config *c = ((basicauth *)self)->config;
    if (strcmp(name, JG_AUTH_INTERFACE) == 0)
        return c->htpasswd.enabled ? &server : NULL;
    if (strcmp(name, JG_CLIENT_AUTH_INTERFACE) == 0)
        return c->client_auth.enabled ? &client : NULL;
    return NULL;
}

static void basicauth_destroy(void *self)
{
    basicauth *b = self;
    if (!b->ready)
        return;
    jg_htpasswd_done(&b->users);
    jg_secret_done(&b->file);
    (void)pthread_rwlock_destroy(&b->users_lock);
    jg_secret_done(&b->username);
    jg_secret_done(&b->password);
    (void)pthread_mutex_destroy(&b->known_mutex);
    b->ready = false;
}

#define SERVER(member) .kind = JAEGER_FIELD_STR, .offset = offsetof(server_config, member)
static const jaeger_field server_fields[] = {
    {.name = "file",
     SERVER(file),
     .doc = "htpasswd file, read again when it changes: bcrypt, MD5 (apr1), SHA, SSHA, SHA-crypt, plain"},
    {.name = "inline", SERVER(content), .doc = "the same as text; its users replace those of the file"},
    {0}};

#define CLIENT(member) .kind = JAEGER_FIELD_STR, .offset = offsetof(client_config, member)
static const jaeger_field client_fields[] = {
    {.name = "username", CLIENT(username), .doc = "what clients send"},
    {.name = "username_file", CLIENT(username_file), .doc = "the same, read again when the file changes"},
    {.name = "password", CLIENT(password), .doc = "what clients send"},
    {.name = "password_file", CLIENT(password_file), .doc = "the same, read again when the file changes"},
    {0}};

static const jaeger_field basicauth_fields[] = {{.name = "htpasswd",
                                                 .kind = JAEGER_FIELD_OPTIONAL_N,
                                                 .offset = offsetof(basicauth_config, htpasswd),
                                                 .sub = server_fields,
                                                 .sub_size = sizeof(server_config),
                                                 .doc = "check requests of servers"},
                                                {.name = "client_auth",
                                                 .kind = JAEGER_FIELD_OPTIONAL_N,
                                                 .offset = offsetof(basicauth_config, client_auth),
                                                 .sub = client_fields,
                                                 .sub_size = sizeof(client_config),
                                                 .doc = "give clients their header"},
                                                {.name = "access",
                                                 .kind = JAEGER_FIELD_LIST,
                                                 .offset = offsetof(basicauth_config, access),
                                                 .sub = jg_access_user_fields,
                                                 .sub_size = sizeof(jg_access_rule),
                                                 .doc = "which users may use which tenants; empty: no rules"},
                                                {0}};

const jaeger_component_type jg_extension_basicauth = {
    .size = sizeof(jaeger_component_type),
    .name = "basicauth",
    .doc = "Basic authentication for servers or for clients",
    .kind = JAEGER_EXTENSION,
    .fields = basicauth_fields,
    .config_size = sizeof(basicauth_config),
    .state_size = sizeof(basicauth),
    .validate = basicauth_validate,
    .create = basicauth_create,
    .start = basicauth_start,
    .destroy = basicauth_destroy,
    .interface = basicauth_interface,
};
