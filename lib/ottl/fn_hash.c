/* SPDX-License-Identifier: Apache-2.0
 * Hashes and encodings. Spec: opentelemetry-collector-contrib pkg/ottl/ottlfuncs/README.md.
 */
#include "core/arena.h"
#include "core/hash.h"
#include "core/str.h"
#include "core/uuid.h"
#include "ottl/node.h"
#include <openssl/evp.h>

static bool put_hex(jg_ottl_eval *e, const uint8_t *bytes, size_t n, jg_ottl_value *ret)
{
    char *text = jaeger_arena_alloc(e->arena, 2 * n + 1);
    if (!text)
        return jg_ottl_fail(e, "out of memory");
    jg_hex_encode(bytes, n, text);
    *ret = jg_ottl_of_str((jaeger_str){text, 2 * n});
    return true;
}

static bool digest(jg_ottl_eval *e, const jg_ottl_node *call, const EVP_MD *md, jg_ottl_value *ret)
{
    uint8_t bytes[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    jaeger_str text;
    if (!jg_ottl_arg_str(e, call, 0, &text))
        return false;
    if (!EVP_Digest(text.ptr, text.len, bytes, &n, md, NULL))
        return jg_ottl_fail(e, "%s: not available", call->fn->name);
    return put_hex(e, bytes, n, ret);
}

static bool md5(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    return digest(e, call, EVP_md5(), ret);
}

static bool sha1(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    return digest(e, call, EVP_sha1(), ret);
}

static bool sha256(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    return digest(e, call, EVP_sha256(), ret);
}

static bool sha512(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    return digest(e, call, EVP_sha512(), ret);
}

static bool fnv(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jaeger_str text;
    if (!jg_ottl_arg_str(e, call, 0, &text))
        return false;
    *ret = jg_ottl_of_int((int64_t)jg_fnv1a_64(JG_FNV1A_64_START, text.ptr, text.len));
    return true;
}

static bool xxh3(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jaeger_str text;
    XXH64_canonical_t bytes;
    if (!jg_ottl_arg_str(e, call, 0, &text))
        return false;
    XXH64_canonicalFromHash(&bytes, XXH3_64bits(text.ptr, text.len));
    return put_hex(e, bytes.digest, sizeof bytes.digest, ret);
}

static bool xxh128(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jaeger_str text;
    XXH128_canonical_t bytes;
    if (!jg_ottl_arg_str(e, call, 0, &text))
        return false;
    XXH128_canonicalFromHash(&bytes, XXH3_128bits(text.ptr, text.len));
    return put_hex(e, bytes.digest, sizeof bytes.digest, ret);
}

/* Numbers as eight bytes, most significant first. */
static bool hex(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jg_ottl_value value;
    uint8_t bytes[8];
    uint64_t bits;
    if (!jg_ottl_arg(e, call, 0, &value))
        return false;
    switch (value.type) {
    case JG_OTTL_NIL:
        *ret = value;
        return true;
    case JG_OTTL_STRING:
    case JG_OTTL_BYTES:
        return put_hex(e, (const uint8_t *)value.u.s.ptr, value.u.s.len, ret);
    case JG_OTTL_BOOL:
        bytes[0] = value.u.b;
        return put_hex(e, bytes, 1, ret);
    case JG_OTTL_INT:
    case JG_OTTL_DOUBLE:
        memcpy(&bits, &value.u, 8);
        for (int i = 7; i >= 0; i--, bits >>= 8)
            bytes[i] = (uint8_t)bits;
        return put_hex(e, bytes, 8, ret);
    default:
        return jg_ottl_fail(e, "Hex: unsupported type %s", jg_ottl_type_name(value.type));
    }
}

/* MurmurHash3 of A. Appleby (public domain), x86_32 and x64_128, seed 0. */

static uint64_t rotl(uint64_t x, int n, int width)
{
    uint64_t mask = width == 64 ? UINT64_MAX : UINT32_MAX;
    return (x << n | (x & mask) >> (width - n)) & mask;
}

/* `n` bytes, at most 8, the first one lowest. */
static uint64_t read_le(const char *at, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)(uint8_t)at[i] << 8 * i;
    return v;
}

static void write_le(uint8_t *at, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        at[i] = (uint8_t)(v >> 8 * i);
}

static uint32_t mix_32(uint32_t k)
{
    return (uint32_t)rotl(k * 0xcc9e2d51u, 15, 32) * 0x1b873593u;
}

static bool murmur3(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jaeger_str text;
    uint32_t h = 0;
    uint8_t bytes[4];
    if (!jg_ottl_arg_str(e, call, 0, &text))
        return false;
    size_t at = 0;
    for (; text.len - at >= 4; at += 4)
        h = (uint32_t)rotl(h ^ mix_32((uint32_t)read_le(text.ptr + at, 4)), 13, 32) * 5 + 0xe6546b64u;
    h ^= mix_32((uint32_t)read_le(text.ptr + at, text.len - at)) ^ (uint32_t)text.len;
    h = (h ^ h >> 16) * 0x85ebca6bu;
    h = (h ^ h >> 13) * 0xc2b2ae35u;
    write_le(bytes, h ^ h >> 16, sizeof bytes);
    return put_hex(e, bytes, sizeof bytes, ret);
}

static uint64_t finish_64(uint64_t k)
{
    k = (k ^ k >> 33) * 0xff51afd7ed558ccdull;
    k = (k ^ k >> 33) * 0xc4ceb9fe1a85ec53ull;
    return k ^ k >> 33;
}

static bool murmur3_128(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    const uint64_t c1 = 0x87c37b91114253d5ull, c2 = 0x4cf5ad432745937full;
    uint64_t h1 = 0, h2 = 0;
    jaeger_str text;
    uint8_t bytes[16];
    if (!jg_ottl_arg_str(e, call, 0, &text))
        return false;
    size_t at = 0;
    for (; text.len - at >= 16; at += 16) {
        h1 ^= rotl(read_le(text.ptr + at, 8) * c1, 31, 64) * c2;
        h1 = (rotl(h1, 27, 64) + h2) * 5 + 0x52dce729;
        h2 ^= rotl(read_le(text.ptr + at + 8, 8) * c2, 33, 64) * c1;
        h2 = (rotl(h2, 31, 64) + h1) * 5 + 0x38495ab5;
    }
    size_t rest = text.len - at;
    if (rest > 8)
        h2 ^= rotl(read_le(text.ptr + at + 8, rest - 8) * c2, 33, 64) * c1;
    h1 ^= rotl(read_le(text.ptr + at, JG_MIN(rest, 8)) * c1, 31, 64) * c2;
    h1 ^= text.len;
    h2 ^= text.len;
    h1 += h2;
    h2 += h1;
    h1 = finish_64(h1);
    h2 = finish_64(h2);
    h1 += h2;
    h2 += h1;
    write_le(bytes, h1, 8);
    write_le(bytes + 8, h2, 8);
    return put_hex(e, bytes, sizeof bytes, ret);
}

static bool put_uuid(jg_ottl_eval *e, void (*make)(char *), jg_ottl_value *ret)
{
    char text[JG_UUID_CHARS + 1];
    make(text);
    *ret = jg_ottl_of_str(jaeger_arena_str(e->arena, (jaeger_str){text, JG_UUID_CHARS}));
    return ret->u.s.ptr || jg_ottl_fail(e, "out of memory");
}

static bool uuid(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    (void)call;
    return put_uuid(e, jg_uuid_make, ret);
}

static bool uuid_v7(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    (void)call;
    return put_uuid(e, jg_uuid_make_v7, ret);
}

static bool base64_encode(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jaeger_str text, variant = JAEGER_STR("base64");
    if (!jg_ottl_arg_str(e, call, 0, &text) ||
        (!jg_ottl_arg_is_absent(call, 1) && !jg_ottl_arg_str(e, call, 1, &variant)))
        return false;
    bool is_raw = jg_str_is(variant, "base64-raw") || jg_str_is(variant, "base64-raw-url");
    bool is_url = jg_str_is(variant, "base64-url") || jg_str_is(variant, "base64-raw-url");
    if (!is_raw && !is_url && !jg_str_is(variant, "base64"))
        return jg_ottl_fail(e, "Base64Encode: unsupported base64 variant: %.*s", JAEGER_STR_ARGS(variant));
    size_t n = jg_base64_size(text.len);
    char *out = jaeger_arena_alloc(e->arena, n + 1);
    if (!out)
        return jg_ottl_fail(e, "out of memory");
    jg_base64_encode((const uint8_t *)text.ptr, text.len, out);
    for (size_t i = 0; i < n && is_url; i++)
        out[i] = (char)(out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i]);
    while (is_raw && n && out[n - 1] == '=')
        n--;
    *ret = jg_ottl_of_str((jaeger_str){out, n});
    return true;
}

static bool decode_base64(jg_ottl_eval *e, const jg_ottl_node *call, jaeger_str text, jg_ottl_value *ret)
{
    size_t n;
    uint8_t *out = jaeger_arena_alloc(e->arena, 3 * (text.len / 4 + 1));
    if (!out || !jg_base64_decode(text, out, &n))
        return jg_ottl_fail(e, "%s: not base64", call->fn->name);
    *ret = jg_ottl_of_str((jaeger_str){(char *)out, n});
    return true;
}

static bool base64_decode(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jaeger_str text;
    return jg_ottl_arg_str(e, call, 0, &text) && decode_base64(e, call, text, ret);
}

static bool decode(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jaeger_str text, encoding;
    if (!jg_ottl_arg_str(e, call, 0, &text) || !jg_ottl_arg_str(e, call, 1, &encoding))
        return false;
    if (jg_str_starts(encoding, JAEGER_STR("base64")))
        return decode_base64(e, call, text, ret);
    if (!jg_str_eq_nocase(encoding, JAEGER_STR("utf-8")) &&
        !jg_str_eq_nocase(encoding, JAEGER_STR("us-ascii")))
        return jg_ottl_fail(e, "Decode: supported encodings are base64, utf-8 and us-ascii");
    *ret = jg_ottl_of_str(text);
    return true;
}

const jg_ottl_fn jg_ottl_hash_fns[] = {{"MD5", "target", md5, 0},
                                       {"SHA1", "target", sha1, 0},
                                       {"SHA256", "target", sha256, 0},
                                       {"SHA512", "target", sha512, 0},
                                       {"FNV", "target", fnv, 0},
                                       {"XXH3", "target", xxh3, 0},
                                       {"XXH128", "target", xxh128, 0},
                                       {"Hex", "target", hex, 0},
                                       {"Murmur3Hash", "target", murmur3, 0},
                                       {"Murmur3Hash128", "target", murmur3_128, 0},
                                       {"UUID", "", uuid, 0},
                                       {"UUIDv7", "", uuid_v7, 0},
                                       {"Base64Encode", "target,variant?", base64_encode, 0},
                                       {"Base64Decode", "target", base64_decode, 0},
                                       {"Decode", "target,encoding", decode, 0},
                                       {0}};
