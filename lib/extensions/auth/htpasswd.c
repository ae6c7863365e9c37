/* SPDX-License-Identifier: Apache-2.0
 * See htpasswd.h. bcrypt, SHA-crypt and crypt's MD5 are libcrypt's; apr1 (the same with another prefix) and
 * the LDAP forms are made here of OpenSSL's digests. Comparisons take the same time wherever the difference
 * is.
 */
#include "extensions/auth/htpasswd.h"

#include "core/alloc.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/str.h"
#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>

#define STORED_BYTES_MAX   512u /* a line's password; SHA-512-crypt needs 124 */
#define PASSWORD_BYTES_MAX 512u /* CRYPT_MAX_PASSPHRASE_SIZE */
#define MD5_BYTES          16u
#define SHA1_BYTES         20u
#define APR1_ROUNDS        1000u
#define APR1_SALT_MAX      8u

/* ---- comparing ---- */

/** Of texts of any length: by their digests. */
static bool same_text(jaeger_str a, jaeger_str b)
{
    unsigned char digests[2][EVP_MAX_MD_SIZE];
    unsigned len[2];
    if (EVP_Digest(a.len ? a.ptr : "", a.len, digests[0], &len[0], EVP_sha256(), NULL) != 1 ||
        EVP_Digest(b.len ? b.ptr : "", b.len, digests[1], &len[1], EVP_sha256(), NULL) != 1)
        return false;
    return CRYPTO_memcmp(digests[0], digests[1], len[0]) == 0;
}

static bool same_bytes(const unsigned char *a, const unsigned char *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}

/* ---- {SHA} and {SSHA} ---- */

static bool match_sha(jaeger_str encoded, jaeger_str password, bool salted)
{
    uint8_t stored[3 * (STORED_BYTES_MAX / 4 + 1)];
    unsigned char digest[EVP_MAX_MD_SIZE];
    size_t len;
    if (encoded.len > STORED_BYTES_MAX || !jg_base64_decode(encoded, stored, &len) || len < SHA1_BYTES ||
        (!salted && len != SHA1_BYTES))
        return false;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha1(), NULL) == 1 &&
              EVP_DigestUpdate(ctx, password.ptr, password.len) == 1 &&
              EVP_DigestUpdate(ctx, stored + SHA1_BYTES, len - SHA1_BYTES) == 1 &&
              EVP_DigestFinal_ex(ctx, digest, NULL) == 1 && same_bytes(digest, stored, SHA1_BYTES);
    EVP_MD_CTX_free(ctx);
    return ok;
}

/* ---- apr1 ---- */

typedef struct md5 {
    EVP_MD_CTX *ctx;
    bool ok;
} md5;

static void begin(md5 *m)
{
    m->ok = m->ok && EVP_DigestInit_ex(m->ctx, EVP_md5(), NULL) == 1;
}

static void add(md5 *m, const void *bytes, size_t len)
{
    m->ok = m->ok && EVP_DigestUpdate(m->ctx, bytes, len) == 1;
}

static void add_str(md5 *m, jaeger_str s)
{
    add(m, s.ptr, s.len);
}

static void end(md5 *m, unsigned char out[MD5_BYTES])
{
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};
    m->ok = m->ok && EVP_DigestFinal_ex(m->ctx, digest, NULL) == 1;
    memcpy(out, digest, MD5_BYTES);
}

/** The algorithm of MD5-crypt with the magic "$apr1$". */
static void hash_apr1(md5 *m, jaeger_str salt, jaeger_str password, unsigned char out[MD5_BYTES])
{
    begin(m);
    add_str(m, password);
    add_str(m, salt);
    add_str(m, password);
    end(m, out);
    begin(m);
    add_str(m, password);
    add_str(m, JAEGER_STR("$apr1$"));
    add_str(m, salt);
    for (size_t left = password.len; left; left -= JG_MIN(left, MD5_BYTES))
        add(m, out, JG_MIN(left, MD5_BYTES));
    for (size_t bits = password.len; bits; bits >>= 1)
        add(m, bits & 1 ? "" : password.ptr, 1);
    end(m, out);
    for (unsigned i = 0; i < APR1_ROUNDS; i++) {
        jaeger_str last = {(const char *)out, MD5_BYTES};
        begin(m);
        add_str(m, i & 1 ? password : last);
        if (i % 3)
            add_str(m, salt);
        if (i % 7)
            add_str(m, password);
        add_str(m, i & 1 ? last : password);
        end(m, out);
    }
}

/** Its own order of bytes and base 64. */
static void apr1_text(const unsigned char digest[MD5_BYTES], char out[23])
{
    static const char alphabet[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    for (unsigned i = 0; i < 6; i++) {
        unsigned last = i == 4 ? 5 : 12 + i;
        uint32_t three =
            i == 5 ? digest[11] : (uint32_t)digest[i] << 16 | (uint32_t)digest[i + 6] << 8 | digest[last];
        for (unsigned k = 0; k < (i == 5 ? 2u : 4u); k++, three >>= 6)
            *out++ = alphabet[three & 63];
    }
    *out = 0;
}

static bool match_apr1(jaeger_str rest, jaeger_str password)
{
    jaeger_str salt = {rest.ptr, jg_str_find(rest, '$')};
    if (salt.len == rest.len)
        return false;
    jaeger_str stored = jg_str_skip(rest, salt.len + 1);
    salt.len = JG_MIN(salt.len, APR1_SALT_MAX);
    unsigned char digest[MD5_BYTES];
    char text[23];
    md5 m = {.ctx = EVP_MD_CTX_new()};
    m.ok = m.ctx != NULL;
    hash_apr1(&m, salt, password, digest);
    EVP_MD_CTX_free(m.ctx);
    apr1_text(digest, text);
    return m.ok && same_text(stored, jg_str(text));
}

/* ---- crypt ---- */

static bool match_crypt(jaeger_str stored, jaeger_str password)
{
    char setting[STORED_BYTES_MAX], phrase[PASSWORD_BYTES_MAX];
    if (stored.len >= sizeof setting || password.len >= sizeof phrase ||
        jg_str_find(password, 0) != password.len)
        return false;
    (void)snprintf(setting, sizeof setting, "%.*s", JAEGER_STR_ARGS(stored));
    (void)snprintf(phrase, sizeof phrase, "%.*s", JAEGER_STR_ARGS(password));
    struct crypt_data *data = jg_calloc(1, sizeof *data);
    const char *made = data ? crypt_rn(phrase, setting, data, sizeof *data) : NULL;
    bool ok = made && made[0] != '*' && same_text(jg_str(made), stored);
    if (data)
        OPENSSL_cleanse(data, sizeof *data);
    jg_free(data);
    OPENSSL_cleanse(phrase, sizeof phrase);
    return ok;
}

bool jg_password_match(jaeger_str stored, jaeger_str password)
{
    static const char *const crypts[] = {"$2a$", "$2b$", "$2y$", "$2x$", "$5$", "$6$", "$1$"};
    if (!password.ptr)
        password = JAEGER_STR("");
    if (jg_str_starts(stored, JAEGER_STR("$apr1$")))
        return match_apr1(jg_str_skip(stored, 6), password);
    for (size_t i = 0; i < JG_COUNT(crypts); i++)
        if (jg_str_starts(stored, jg_str(crypts[i])))
            return match_crypt(stored, password);
    if (jg_str_starts(stored, JAEGER_STR("{SHA}")))
        return match_sha(jg_str_skip(stored, 5), password, false);
    if (jg_str_starts(stored, JAEGER_STR("{SSHA}")))
        return match_sha(jg_str_skip(stored, 6), password, true);
    return same_text(stored, password);
}

/* ---- files ---- */

jaeger_status jg_htpasswd_init(jg_htpasswd *h, jaeger_error *err)
{
    *h = (jg_htpasswd){.arena = jaeger_arena_new(0)};
    return h->arena ? JAEGER_OK : jg_fail_oom(err);
}

void jg_htpasswd_done(jg_htpasswd *h)
{
    jg_map_done(&h->users);
    jaeger_arena_free(h->arena);
    *h = (jg_htpasswd){0};
}

static bool add_line(jg_htpasswd *h, jaeger_str line)
{
    line = jg_str_trim(line);
    size_t colon = jg_str_find(line, ':');
    if (!line.len || line.ptr[0] == '#' || colon == line.len)
        return true;
    jaeger_str user = {line.ptr, colon}, stored = jg_str_skip(line, colon + 1);
    bool is_new;
    jaeger_str key = jaeger_arena_str(h->arena, user), *value = jaeger_arena_alloc(h->arena, sizeof *value);
    if (!key.ptr || !value)
        return false;
    *value = jaeger_arena_str(h->arena, stored);
    jg_map_entry *entry = value->ptr ? jg_map_put(&h->users, key, &is_new) : NULL;
    if (entry)
        entry->value = value;
    return entry != NULL;
}

jaeger_status jg_htpasswd_add(jg_htpasswd *h, jaeger_str text, jaeger_error *err)
{
    while (text.len) {
        jaeger_str line = {text.ptr, jg_str_find(text, '\n')};
        if (!add_line(h, line))
            return jg_fail_oom(err);
        text = jg_str_skip(text, line.len + 1);
    }
    return JAEGER_OK;
}

bool jg_htpasswd_match(const jg_htpasswd *h, jaeger_str user, jaeger_str password)
{
    const jaeger_str *stored = jg_map_get(&h->users, user);
    bool same = jg_password_match(stored ? *stored : JAEGER_STR(""), password);
    return stored && same;
}
