/* SPDX-License-Identifier: Apache-2.0
 * See scan.h.
 */
#include "query/scan.h"

#include "core/clock.h"

void jg_scan_begin(jg_scan *s, uint64_t budget_ns, jaeger_call *call)
{
    uint64_t now = jg_clock_mono_ns(), deadline = call->deadline_ns;
    if (deadline)
        budget_ns = JG_MIN(budget_ns, deadline > now ? (deadline - now) / 2 : 0);
    *s = (jg_scan){.on = budget_ns != UINT64_MAX, .deadline_ns = deadline};
    if (s->on)
        call->deadline_ns = now + budget_ns;
}

void jg_scan_pause(jg_scan *s, jaeger_call *call)
{
    if (!s->on)
        return;
    uint64_t now = jg_clock_mono_ns();
    s->left_ns = call->deadline_ns > now ? call->deadline_ns - now : 0;
    call->deadline_ns = s->deadline_ns;
}

void jg_scan_resume(jg_scan *s, jaeger_call *call)
{
    if (!s->on)
        return;
    uint64_t end = jg_clock_mono_ns() + s->left_ns;
    call->deadline_ns = s->deadline_ns ? JG_MIN(end, s->deadline_ns) : end;
}

jaeger_status jg_scan_end(const jg_scan *s, jaeger_status status, bool *ret_stopped, jaeger_call *call)
{
    if (!s->on || status != JAEGER_DEADLINE_EXCEEDED || s->left_ns ||
        (s->deadline_ns && jg_clock_mono_ns() >= s->deadline_ns))
        return status;
    *ret_stopped = true;
    call->error = (jaeger_error){0};
    return JAEGER_OK;
}
