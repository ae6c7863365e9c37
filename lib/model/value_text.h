/* SPDX-License-Identifier: Apache-2.0
 * Attribute values as text, the way Jaeger searches and prints them (pdata's Value.AsString).
 */
#ifndef JG_MODEL_VALUE_TEXT_H
#define JG_MODEL_VALUE_TEXT_H

#include "core/buf.h"
#include <jaeger/batch.h>

/** Append `value` as text: strings as they are, numbers as JSON prints them, bytes in base64, arrays and maps
 * as compact JSON (map keys sorted), empty as "". */
void jg_value_text(jg_buf *out, const jaeger_value *value);
/** Does the text of `value` equal `text`? Allocates only for arrays, maps and bytes. */
bool jg_value_text_is(const jaeger_value *value, jaeger_str text);
/** "", "internal", "server", "client", "producer", "consumer"; "" for unknown numbers. */
jaeger_str jg_kind_text(uint32_t kind);
/** The reverse, of lower-case names. @return false: no such kind */
bool jg_kind_from_text(jaeger_str text, uint32_t *ret);

#endif
