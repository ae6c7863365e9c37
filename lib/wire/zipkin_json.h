/* SPDX-License-Identifier: Apache-2.0
 * What the readers of Zipkin's two JSON versions share: texts, ids, the list around the spans.
 */
#ifndef JG_WIRE_ZIPKIN_JSON_H
#define JG_WIRE_ZIPKIN_JSON_H

#include "core/json_in.h"

/** The fault of a reader that ran out of memory: its address tells it from bad input. */
extern const char jg_zipkin_no_memory[];

/** A text; null is "". Escapes are resolved into the arena. */
bool jg_zipkin_json_text(jg_json_in *in, jaeger_arena *arena, jaeger_str *ret);
/** Is this the key `name`? */
bool jg_zipkin_json_is(const jg_json_text *key, const char *name);
/** Hex of 1 to 2 * n digits, any case, into n bytes from the right. @return false: not such a text (no fault
 * is set) */
bool jg_zipkin_hex_id(jaeger_str text, uint8_t *ret, size_t n);
/** Read the list, handing each span that is not null to `read`. @return false: a fault */
bool jg_zipkin_json_list(jg_json_in *in, bool (*read)(void *self, jg_json_in *in), void *self);

#endif
