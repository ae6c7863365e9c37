/* SPDX-License-Identifier: Apache-2.0
 * A pull scanner for JSON over a slice: the caller asks for the next key, item or value, nothing is built and
 * nothing is allocated. Strict RFC 8259 grammar, nesting limited to JG_JSON_DEPTH_MAX. UTF-8 inside strings
 * is not checked.
 *
 *     if (jg_json_in_object(in))
 *         while (jg_json_in_key(in, &key))
 *             ... read or skip exactly one value ...
 *
 * The first fault is sticky: everything answers false from then on. Ask jg_json_in_end() once at the end.
 */
#ifndef JG_CORE_JSON_IN_H
#define JG_CORE_JSON_IN_H

#include "core/buf.h"

typedef enum jg_json_type {
    JG_JSON_NONE, /* end of input, or no JSON value begins here */
    JG_JSON_OBJECT,
    JG_JSON_ARRAY,
    JG_JSON_STRING,
    JG_JSON_NUMBER,
    JG_JSON_TRUE,
    JG_JSON_FALSE,
    JG_JSON_NULL
} jg_json_type;

typedef struct jg_json_in {
    const char *begin, *pos, *end;
    const char *fault; /* static text; NULL: none so far */
    unsigned depth;
    bool first; /* the container was just entered: no comma before what follows */
} jg_json_in;

/** A string as it stands between its quotes. With `escaped` it must go through jg_json_in_unescape. */
typedef struct jg_json_text {
    jaeger_str raw;
    bool escaped;
} jg_json_text;

JG_INLINE jg_json_in jg_json_in_of(jaeger_str text)
{
    const char *begin = text.ptr ? text.ptr : "";
    return (jg_json_in){.begin = begin, .pos = begin, .end = begin + text.len};
}

/** Type of the next value, by its first character; it is not read. */
jg_json_type jg_json_in_peek(jg_json_in *in);

/** Read '{' or '['. @return false: something else is there (a fault) */
bool jg_json_in_object(jg_json_in *in);
bool jg_json_in_array(jg_json_in *in);
/** Read the next key and its colon. @return false: the object is complete (its '}' is read), or a fault */
bool jg_json_in_key(jg_json_in *in, jg_json_text *ret);
/** @return true: one more item follows, read it. false: the array is complete (its ']' is read), or a fault
 */
bool jg_json_in_item(jg_json_in *in);

bool jg_json_in_str(jg_json_in *in, jg_json_text *ret);
bool jg_json_in_bool(jg_json_in *in, bool *ret);
bool jg_json_in_null(jg_json_in *in);
/** Next member whose value is not null; members that are null are skipped. @return as jg_json_in_key */
bool jg_json_in_member(jg_json_in *in, jg_json_text *ret);
/** The text of a number, or with `quoted` also of a string without escapes (its content is not checked then).
 */
bool jg_json_in_number(jg_json_in *in, bool quoted, jaeger_str *ret);
/** Integers may be written 1e3 or 2.0, as protobuf's JSON allows. Out of range or with a fraction: a fault.
 */
bool jg_json_in_i64(jg_json_in *in, bool quoted, int64_t *ret);
bool jg_json_in_u64(jg_json_in *in, bool quoted, uint64_t *ret);
/** With `quoted` also "NaN", "Infinity", "-Infinity". */
bool jg_json_in_double(jg_json_in *in, bool quoted, double *ret);
/** Read over one value of any type, checking it. */
bool jg_json_in_skip(jg_json_in *in);
/** Only white space is left? Else a fault. @return no fault at all */
bool jg_json_in_end(jg_json_in *in);

/** Set the fault, unless there is one. @param fault static text. @return false */
bool jg_json_in_fail(jg_json_in *in, const char *fault);
/** Where it stands or failed [bytes from the begin]. */
JG_INLINE size_t jg_json_in_offset(const jg_json_in *in)
{
    return (size_t)(in->pos - in->begin);
}

/** Resolve escapes; a lone surrogate becomes U+FFFD. `out` has room for raw.len bytes. @return length */
size_t jg_json_in_unescape(jaeger_str raw, char *out);
/** Append the string's content. */
void jg_json_in_append(jg_buf *out, jg_json_text text);
/** Does the string's content equal `want`? Escapes are resolved for texts up to 256 bytes; longer ones
 * differ. */
bool jg_json_in_is(jg_json_text text, jaeger_str want);

#endif
