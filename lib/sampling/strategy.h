/* SPDX-License-Identifier: Apache-2.0
 * Strategies on the wire: jaeger.api_v2.SamplingStrategyResponse as protobuf and as the JSON of port 5778,
 * both ways.
 */
#ifndef JG_SAMPLING_STRATEGY_H
#define JG_SAMPLING_STRATEGY_H

#include "core/buf.h"
#include <jaeger/sampling.h>

/** Byte for byte Jaeger's answer: zero values are written, absent members are not. */
void jg_strategy_write_json(jg_buf *out, const jaeger_strategy *strategy);
void jg_strategy_write_pb(jg_buf *out, const jaeger_strategy *strategy);

/** Strings and lists live in the arena or in the text. Unknown members are skipped; numbers may be quoted;
 * the kind may be a name or a number.
 *  @return INVALID_ARGUMENT; RESOURCE_EXHAUSTED: more than JG_SAMPLING_OPERATIONS_MAX operations */
jaeger_status jg_strategy_read_json(jaeger_str text, jaeger_arena *arena, jaeger_strategy *ret,
                                    jaeger_error *err) JG_MUST_CHECK;
jaeger_status jg_strategy_read_pb(jaeger_str message, jaeger_arena *arena, jaeger_strategy *ret,
                                  jaeger_error *err) JG_MUST_CHECK;

/** SamplingStrategyParameters. @return false: not such a message, or a name that is not UTF-8 */
bool jg_strategy_read_request(jaeger_str message, jaeger_str *ret_service);
void jg_strategy_write_request(jg_buf *out, jaeger_str service);

#endif
