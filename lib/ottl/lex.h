/* SPDX-License-Identifier: Apache-2.0
 * Words of a condition.
 */
#ifndef JG_OTTL_LEX_H
#define JG_OTTL_LEX_H

#include "core/attr.h"
#include <jaeger/base.h>

typedef enum jg_ottl_token_kind {
    JG_OTTL_END,
    JG_OTTL_WORD,   /* and, true, span, IsMatch, SPAN_KIND_SERVER */
    JG_OTTL_NUMBER, /* 12, 1.5, .5e3 */
    JG_OTTL_HEX,    /* 0xff: the digits */
    JG_OTTL_TEXT,   /* "...", as it stands between the quotes */
    JG_OTTL_SIGN,   /* one or two characters */
    JG_OTTL_BAD     /* text: why */
} jg_ottl_token_kind;

typedef struct jg_ottl_token {
    jg_ottl_token_kind kind;
    jaeger_str text;
    uint32_t column; /* from 1 */
    bool is_float;
} jg_ottl_token;

/** The next word of `in` from *at, which moves behind it. */
jg_ottl_token jg_ottl_lex(jaeger_str in, size_t *at);
/** Resolve the escapes of a TEXT; `out` has room for raw.len bytes. @return false: an unknown escape */
bool jg_ottl_unescape(jaeger_str raw, char *out, size_t *ret_len);

/** A character as UTF-8. @param out room for 4 bytes @return how many */
size_t jg_ottl_put_rune(char *out, uint32_t rune);

#endif
