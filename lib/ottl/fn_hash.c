/* SPDX-License-Identifier: Apache-2.0
 * Hashes and encodings. Spec: opentelemetry-collector-contrib pkg/ottl/ottlfuncs/README.md.
 */
#include "core/arena.h"
#include "core/hash.h"
#include "core/str.h"
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

static bool base64_encode(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jaeger_str text;
    if (!jg_ottl_arg_str(e, call, 0, &text))
        return false;
    size_t n = jg_base64_size(text.len);
    char *out = jaeger_arena_alloc(e->arena, n + 1);
    if (!out)
        return jg_ottl_fail(e, "out of memory");
    jg_base64_encode((const uint8_t *)text.ptr, text.len, out);
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
                                       {"Base64Encode", "target", base64_encode, 0},
                                       {"Base64Decode", "target", base64_decode, 0},
                                       {"Decode", "target,encoding", decode, 0},
                                       {0}};
