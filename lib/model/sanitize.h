/* SPDX-License-Identifier: Apache-2.0
 * What Jaeger repairs before it stores spans: empty names, bad UTF-8, negative durations.
 * Rules: jaeger v2 internal/jptrace/sanitizer; reference in docs/compatibility.md.
 */
#ifndef JG_MODEL_SANITIZE_H
#define JG_MODEL_SANITIZE_H

#include "core/attr.h"
#include <jaeger/batch.h>

/** Repairs `*batch`; a batch that needs none is left as it is (no copy, no allocation: the usual case).
 *  @return RESOURCE_EXHAUSTED; `*batch` stays valid */
jaeger_status jg_sanitize(jaeger_batch **batch, jaeger_error *err) JG_MUST_CHECK;

#endif
