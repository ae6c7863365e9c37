/* SPDX-License-Identifier: Apache-2.0
 * How much memory this process may use, and how much it has.
 */
#ifndef JG_CORE_SYSMEM_H
#define JG_CORE_SYSMEM_H

#include <stdint.h>

/** The machine's memory, or its cgroup's (v2 or v1) if that is less. Bytes; never 0. */
uint64_t jg_sysmem_bytes(void);
/** The same, with the files below `root`, which stands for / in tests. */
uint64_t jg_sysmem_bytes_under(const char *root);
/** Resident memory of this process [bytes]; 0: cannot be told. */
uint64_t jg_sysmem_resident_bytes(void);

#endif
