/* SPDX-License-Identifier: Apache-2.0
 * Errors: a status for the program, a text for the reader. See jaeger/base.h.
 */
#ifndef JG_CORE_ERR_H
#define JG_CORE_ERR_H

#include "core/attr.h"
#include <jaeger/base.h>

/** `return jg_fail(err, JAEGER_INVALID_ARGUMENT, "…")`. */
#define jg_fail jaeger_fail
/** Out of memory, in one word. */
#define jg_fail_oom(err) jaeger_fail((err), JAEGER_RESOURCE_EXHAUSTED, "out of memory")
/** Put context before the message: "<prefix>: <message>". @return err->status */
jaeger_status jg_fail_prefix(jaeger_error *err, const char *format, ...) JG_PRINTF(2, 3);
/** The OTLP rule: may the sender try this again later? */
bool jg_status_is_retryable(jaeger_status status);

#define JG_TRY(expression)                                                                                   \
    do {                                                                                                     \
        jaeger_status jg_try_status = (expression);                                                          \
        if (jg_try_status != JAEGER_OK)                                                                      \
            return jg_try_status;                                                                            \
    } while (0)

#endif
