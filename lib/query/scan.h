/* SPDX-License-Identifier: Apache-2.0
 * The time a search may scan for, within its call's. It stands still while results are handed out, as clients
 * may be slow. A search that reaches its end has not failed: it answers with what it found, and says so.
 */
#ifndef JG_QUERY_SCAN_H
#define JG_QUERY_SCAN_H

#include "core/attr.h"
#include <jaeger/base.h>

typedef struct jg_scan {
    bool on;
    uint64_t deadline_ns; /* the call's own; 0: none */
    uint64_t left_ns;     /* while it stands still */
} jg_scan;

/** While it runs, call->deadline_ns is its end. @param budget_ns UINT64_MAX: half of the call's time; never
 * more
 */
void jg_scan_begin(jg_scan *scan, uint64_t budget_ns, jaeger_call *call);
void jg_scan_pause(jg_scan *scan, jaeger_call *call);
void jg_scan_resume(jg_scan *scan, jaeger_call *call);
/** After the last pause. @return `status`, or OK and *ret_stopped if it is that of the budget's end */
jaeger_status jg_scan_end(const jg_scan *scan, jaeger_status status, bool *ret_stopped,
                          jaeger_call *call) JG_MUST_CHECK;

#endif
