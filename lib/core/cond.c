/* SPDX-License-Identifier: Apache-2.0
 * See cond.h.
 */
#include "core/cond.h"

#include "core/clock.h"

void jg_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(cond, &attr);
    (void)pthread_condattr_destroy(&attr);
}

struct timespec jg_cond_after(uint64_t ns)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    uint64_t sum = (uint64_t)at.tv_nsec + ns;
    at.tv_sec += (time_t)(sum / JG_NS_PER_S);
    at.tv_nsec = (long)(sum % JG_NS_PER_S);
    return at;
}
