/* SPDX-License-Identifier: Apache-2.0
 * RE2 patterns on POSIX: what stands before the first newline is the pattern, the rest is the text. */
#include "core/arena.h"
#include "core/str.h"
#include "core/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    jaeger_str all = {(const char *)data, size}, pattern = all, groups[JG_REGEX_GROUPS_MAX];
    /* large repeats cost regcomp memory; patterns come from the configuration, so they are not refused */
    if (size > 200 || memchr(data, '{', size))
        return 0;
    pattern.len = jg_str_find(all, '\n');
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
    jg_regex regex;
    jaeger_error err;
    if (arena && jg_regex_compile(&regex, pattern, arena, &err) == JAEGER_OK)
        (void)jg_regex_match(&regex, jg_str_skip(all, pattern.len + 1), groups);
    jg_regex_done(&regex);
    return 0;
}
