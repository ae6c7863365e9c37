/* SPDX-License-Identifier: Apache-2.0
 * See clock.h.
 */
#include "core/clock.h"

#include <time.h>

static int64_t shift_ns, unix_shift_ns;

static uint64_t now_ns(clockid_t id, int64_t shift)
{
    struct timespec t;
    (void)clock_gettime(id, &t);
    return (uint64_t)((int64_t)t.tv_sec * (int64_t)JG_NS_PER_S + t.tv_nsec + shift);
}

uint64_t jg_clock_mono_ns(void)
{
    return now_ns(CLOCK_MONOTONIC, __atomic_load_n(&shift_ns, __ATOMIC_RELAXED));
}

uint64_t jg_clock_unix_ns(void)
{
    return now_ns(CLOCK_REALTIME, __atomic_load_n(&shift_ns, __ATOMIC_RELAXED) +
                                      __atomic_load_n(&unix_shift_ns, __ATOMIC_RELAXED));
}

void jg_clock_advance(int64_t ns)
{
    __atomic_add_fetch(&shift_ns, ns, __ATOMIC_RELAXED);
}

void jg_clock_step_unix(int64_t ns)
{
    __atomic_add_fetch(&unix_shift_ns, ns, __ATOMIC_RELAXED);
}
