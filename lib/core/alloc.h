/* SPDX-License-Identifier: Apache-2.0
 * The allocator of the library: malloc, with a hook that lets tests fail the n-th allocation.
 */
#ifndef JG_CORE_ALLOC_H
#define JG_CORE_ALLOC_H

#include "core/attr.h"
#include <stddef.h>

/** NULL when out of memory. */
void *jg_alloc(size_t bytes);
void *jg_calloc(size_t count, size_t bytes);
void *jg_realloc(void *ptr, size_t bytes);
void jg_free(void *ptr);
char *jg_strndup(const char *text, size_t len);

/** Tests: let `n` allocations succeed, then fail every one until called with -1. Process-wide. */
void jg_alloc_fail_after(long n);

static inline void jg_free_ptr(void *ptr)
{
    jg_free(*(void **)ptr);
}
/** A local that is freed at the end of its scope. */
#define JG_AUTO_FREE JG_CLEANUP(jg_free_ptr)

#endif
