/* SPDX-License-Identifier: Apache-2.0
 * Does a text match a regular expression? RE2's syntax in linear time: the pattern becomes a small program of
 * which all states run side by side (Thompson, Pike), so no input makes it slow, and a test allocates
 * nothing. There are no captures: only the answer is wanted.
 *
 * Known: literals, . [..] \d \w \s and their opposites, [[:alpha:]], * + ? {n,m} (lazy ones too), | ( ) (?: )
 * (?P<n> ), flags i m s U for the rest of a group or inside (?i: ), ^ $ \A \z \b \B, \Q..\E, \x41 \x{263a}.
 * Refused: \p{..}, \C, back references, look-around. (?i) folds ASCII letters only.
 * Spec: https://github.com/google/re2/wiki/Syntax
 */
#ifndef JG_MODEL_NFA_H
#define JG_MODEL_NFA_H

#include "core/attr.h"
#include <jaeger/base.h>

typedef struct jg_nfa jg_nfa;

/** @param whole the whole text must match, else any part of it
 *  @param ret_at where the fault is [bytes into the pattern]
 *  @return INVALID_ARGUMENT with the reason, also for a pattern too large; RESOURCE_EXHAUSTED */
jaeger_status jg_nfa_compile(jaeger_str pattern, bool whole, jaeger_arena *arena, const jg_nfa **ret,
                             size_t *ret_at, jaeger_error *err) JG_MUST_CHECK;
/** Threads: any. Time: text length times program size, the latter bounded. */
bool jg_nfa_match(const jg_nfa *nfa, jaeger_str text);

#endif
