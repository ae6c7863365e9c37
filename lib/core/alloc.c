/* SPDX-License-Identifier: Apache-2.0
 * See alloc.h. The counter is checked only when a test has armed it.
 */
#include "core/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static long fail_after = -1;

static int must_fail(void)
{
    if (JG_LIKELY(__atomic_load_n(&fail_after, __ATOMIC_RELAXED) < 0))
        return 0;
    long left = __atomic_load_n(&fail_after, __ATOMIC_RELAXED);
    while (left > 0)
        if (__atomic_compare_exchange_n(&fail_after, &left, left - 1, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return 0;
    return left == 0;
}

void *jg_alloc(size_t bytes)
{
    return must_fail() ? NULL : malloc(bytes ? bytes : 1);
}

void *jg_calloc(size_t count, size_t bytes)
{
    return must_fail() ? NULL : calloc(count ? count : 1, bytes ? bytes : 1);
}

void *jg_realloc(void *ptr, size_t bytes)
{
    return must_fail() ? NULL : realloc(ptr, bytes ? bytes : 1);
}

void jg_free(void *ptr)
{
    free(ptr);
}

char *jg_strndup(const char *text, size_t len)
{
    char *copy = jg_alloc(len + 1);
    if (!copy)
        return NULL;
    if (len)
        memcpy(copy, text, len);
    copy[len] = 0;
    return copy;
}

void jg_alloc_fail_after(long n)
{
    __atomic_store_n(&fail_after, n, __ATOMIC_RELAXED);
}
