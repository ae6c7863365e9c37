/* SPDX-License-Identifier: Apache-2.0
 * Query parameters as Go reads them, with Go's error texts: clients and tests compare those.
 */
#ifndef JG_QUERY_HTTP_PARAMS_H
#define JG_QUERY_HTTP_PARAMS_H

#include "core/attr.h"
#include <jaeger/storage.h>

/** strconv.ParseInt(text, 10, bits). @param function "ParseInt" or "Atoi", for the message
 *  @return INVALID_ARGUMENT `strconv.ParseInt: parsing "x": invalid syntax` */
jaeger_status jg_go_int(jaeger_str text, const char *function, unsigned bits, int64_t *ret,
                        jaeger_error *err) JG_MUST_CHECK;
/** strconv.ParseFloat(text, 64) */
jaeger_status jg_go_double(jaeger_str text, double *ret, jaeger_error *err) JG_MUST_CHECK;
/** strconv.ParseBool: 1 t T TRUE true True 0 f F FALSE false False */
jaeger_status jg_go_bool(jaeger_str text, bool *ret, jaeger_error *err) JG_MUST_CHECK;
/** time.ParseDuration */
jaeger_status jg_go_duration(jaeger_str text, int64_t *ret_ns, jaeger_error *err) JG_MUST_CHECK;
/** time.Parse(time.RFC3339Nano, text). Times before 1970 are 0, times after 2554 the last one. */
jaeger_status jg_go_time(jaeger_str text, uint64_t *ret_unix_ns, jaeger_error *err) JG_MUST_CHECK;

/** Search conditions; grows in the arena. */
typedef struct jg_attr_list {
    jaeger_attr *items;
    size_t count, cap;
} jg_attr_list;

/** Set `key`, replacing an earlier value. */
jaeger_status jg_attr_list_set(jg_attr_list *list, jaeger_arena *arena, jaeger_str key, jaeger_str value,
                               jaeger_error *err) JG_MUST_CHECK;
/** {"key":"value"} into the list; null is an empty text. @return INVALID_ARGUMENT */
jaeger_status jg_go_string_map(jaeger_str json, jaeger_arena *arena, jg_attr_list *list,
                               jaeger_error *err) JG_MUST_CHECK;
/** Hex of 1 to 32 digits. @return INVALID_ARGUMENT with Jaeger's text */
jaeger_status jg_trace_id_from_hex(jaeger_str text, uint8_t ret[16], jaeger_error *err) JG_MUST_CHECK;
/** The same, or base64 of 8 or 16 bytes. */
jaeger_status jg_trace_id_from_text(jaeger_str text, uint8_t ret[16], jaeger_error *err) JG_MUST_CHECK;

#endif
