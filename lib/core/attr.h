/* SPDX-License-Identifier: Apache-2.0
 * Compiler extensions, by name. The only place that spells them.
 */
#ifndef JG_CORE_ATTR_H
#define JG_CORE_ATTR_H

#define JG_CLEANUP(fn)                  __attribute__((cleanup(fn)))
#define JG_PRINTF(f, a)                 __attribute__((format(printf, f, a)))
#define JG_MUST_CHECK                   __attribute__((warn_unused_result))
#define JG_UNUSED                       __attribute__((unused))
#define JG_TARGET(features)             __attribute__((target(features))) /* of a function for newer processors */
#define JG_INLINE                       static inline __attribute__((always_inline))
#define JG_NOINLINE                     __attribute__((noinline))
#define JG_LIKELY(x)                    __builtin_expect(!!(x), 1)
#define JG_UNLIKELY(x)                  __builtin_expect(!!(x), 0)
#define JG_COUNT(array)                 (sizeof(array) / sizeof((array)[0]))
#define JG_MIN(a, b)                    ((a) < (b) ? (a) : (b))
#define JG_MAX(a, b)                    ((a) > (b) ? (a) : (b))
#define JG_CONTAINER(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#endif
