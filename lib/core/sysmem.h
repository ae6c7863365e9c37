/* SPDX-License-Identifier: Apache-2.0
 * How much memory this process may use: the machine's, or its cgroup's if that is less.
 */
#ifndef JG_CORE_SYSMEM_H
#define JG_CORE_SYSMEM_H

#include <stdint.h>

/** Bytes; never 0. */
uint64_t jg_sysmem_bytes(void);

#endif
