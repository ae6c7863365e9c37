/* SPDX-License-Identifier: Apache-2.0
 * Condition variables that follow CLOCK_MONOTONIC, so that a step of the wall clock moves no deadline.
 */
#ifndef JG_CORE_COND_H
#define JG_CORE_COND_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

void jg_cond_init(pthread_cond_t *cond);
/** The moment `ns` from now for pthread_cond_timedwait on such a condition. It follows the kernel's clock:
 * tests may shift jg_clock, so wait for a difference of that. */
struct timespec jg_cond_after(uint64_t ns);

#endif
