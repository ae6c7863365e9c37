/* SPDX-License-Identifier: Apache-2.0
 * Times and durations in the JSON of protobuf's well-known types.
 * Spec: RFC 3339; https://protobuf.dev/programming-guides/json/ (Timestamp, Duration).
 */
#ifndef JG_WIRE_RFC3339_H
#define JG_WIRE_RFC3339_H

#include "core/attr.h"
#include <jaeger/base.h>

/** Go's time.Time of "unset" (year 1), in nanoseconds since 1970, wrapped as UnixNano() wraps it. */
#define JG_GO_ZERO_TIME_S  INT64_C(-62135596800)
#define JG_GO_ZERO_TIME_NS ((uint64_t)JG_GO_ZERO_TIME_S * 1000000000u)

/** "2006-01-02T15:04:05.999999999Z", or with an offset like +01:00; years 1 to 9999; digits behind the ninth
 * are dropped.
 *  @return false: not such a text */
bool jg_rfc3339_parse(jaeger_str text, int64_t *ret_s, uint32_t *ret_ns) JG_MUST_CHECK;
/** In UTC with 0, 3, 6 or 9 digits of a fraction. `out` has room for 40. @return length */
size_t jg_rfc3339_format(int64_t s, uint32_t ns, char *out);
/** "1.5s", with 0, 3, 6 or 9 digits. `out` has room for 40. @return length */
size_t jg_duration_format(int64_t ns, char *out);

#endif
