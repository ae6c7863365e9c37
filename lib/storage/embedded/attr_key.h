/* SPDX-License-Identifier: Apache-2.0
 * Attributes as search terms. A term is the hash of a KeyValue body. Strings, booleans, integers and doubles
 * that are encoded the shortest way are their own term; all other values also get the term of their text as a
 * string. So a query for a text looks up the string, and the number or boolean that prints like it.
 */
#ifndef JG_EMBEDDED_ATTR_KEY_H
#define JG_EMBEDDED_ATTR_KEY_H

#include "core/buf.h"
#include "model/match.h"
#include "storage/embedded/intern.h"

typedef enum jg_kv_form {
    JG_KV_PLAIN, /* key and value in the shortest encoding; the value is a string, bool, int or number */
    JG_KV_KEYED, /* key and value fields in order and short, any value */
    JG_KV_ODD    /* anything else */
} jg_kv_form;

/** @param ret_key set unless JG_KV_ODD */
jg_kv_form jg_kv_form_of(const uint8_t *kv, size_t len, jaeger_str *ret_key);
/** Append the KeyValue with the same key and the text of the value as a string. */
void jg_kv_as_text(jg_buf *out, const uint8_t *kv, size_t len);

#define JG_TERMS_MAX 4
/** The terms under which spans that satisfy `attr` are found. @return how many; -1: out of memory */
int jg_attr_terms(const jg_match_attr *attr, uint64_t seed, jg_hash128 ret[JG_TERMS_MAX]);

#endif
