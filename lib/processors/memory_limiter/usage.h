/* SPDX-License-Identifier: Apache-2.0
 * How much memory there is, and how much this process has.
 */
#ifndef JG_PROCESSORS_MEMORY_LIMITER_USAGE_H
#define JG_PROCESSORS_MEMORY_LIMITER_USAGE_H

#include <stdint.h>

/** The smaller of the machine's memory and what the cgroup (v2 or v1) allows [bytes].
 *  @param root  "" or, in tests, a directory that stands for / */
uint64_t jg_memory_total(const char *root);
/** Resident memory of this process [bytes]; 0: cannot be told. */
uint64_t jg_memory_used(void);

#endif
