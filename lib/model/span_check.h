/* SPDX-License-Identifier: Apache-2.0
 * Checks of OTLP messages below the batch: wire types, lengths, nesting.
 */
#ifndef JG_MODEL_SPAN_CHECK_H
#define JG_MODEL_SPAN_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A KeyValue body. */
bool jg_attr_valid(const uint8_t *bytes, size_t len);
bool jg_resource_valid(const uint8_t *bytes, size_t len);
bool jg_scope_valid(const uint8_t *bytes, size_t len);

#endif
