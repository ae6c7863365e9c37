/* SPDX-License-Identifier: Apache-2.0
 * A pattern, a newline, and a text.
 */
#include "core/arena.h"
#include "core/str.h"
#include "model/nfa.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const jg_nfa *nfa;
    size_t at;
    jaeger_str pattern = {(const char *)data, size}, text;
    pattern.len = jg_str_find(pattern, '\n');
    text = jg_str_skip((jaeger_str){(const char *)data, size}, pattern.len + 1);
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(16 << 20);
    for (int whole = 0; whole < 2; whole++) {
        if (jg_nfa_compile(pattern, whole, arena, &nfa, &at, NULL) == JAEGER_OK)
            (void)jg_nfa_match(nfa, text);
        else if (at > pattern.len)
            __builtin_trap();
    }
    return 0;
}
