/* SPDX-License-Identifier: Apache-2.0
 * Inside nfa.h: the tree a pattern is parsed to (nfa_parse.c), and the program made of it (nfa.c).
 */
#ifndef JG_MODEL_NFA_IMPL_H
#define JG_MODEL_NFA_IMPL_H

#include "model/nfa.h"

#define JG_NFA_PATTERN_BYTES_MAX 4096 /* written by hand */
#define JG_NFA_DEPTH_MAX         100  /* of groups: the parser and the writer recurse */
#define JG_NFA_REPEAT_MAX        1000 /* of {n,m}, as RE2 */
#define JG_NFA_CODE_MAX          2000 /* instructions; a test costs up to this much for each character */
#define JG_NFA_RUNE_MAX          0x10ffffu

typedef struct jg_rune_range {
    uint32_t low, high;
} jg_rune_range;

typedef enum jg_nfa_op {
    JG_NFA_EMPTY,
    JG_NFA_SET,    /* one character of `ranges` */
    JG_NFA_ASSERT, /* `what` holds here */
    JG_NFA_CAT,
    JG_NFA_ALT,
    JG_NFA_REPEAT
} jg_nfa_op;

typedef enum jg_nfa_assert {
    JG_NFA_TEXT_BEGIN,
    JG_NFA_TEXT_END,
    JG_NFA_LINE_BEGIN,
    JG_NFA_LINE_END,
    JG_NFA_WORD_EDGE,
    JG_NFA_NO_WORD_EDGE
} jg_nfa_assert;

typedef struct jg_nfa_node {
    jg_nfa_op op;
    jg_nfa_assert what;
    jg_rune_range *ranges;
    uint32_t range_count;
    int32_t min, max;                        /* of a repetition; max -1: no end */
    struct jg_nfa_node *first, *last, *next; /* children, and the next one of the parent's */
} jg_nfa_node;

jaeger_status jg_nfa_parse(jaeger_str pattern, jaeger_arena *arena, jg_nfa_node **ret, size_t *ret_at,
                           jaeger_error *err) JG_MUST_CHECK;

#endif
