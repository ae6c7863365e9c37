/* SPDX-License-Identifier: Apache-2.0
 * Regular expressions of the Collector's keys, which are RE2, on POSIX extended ones. Translated: \d \w \s \D
 * \W \S, also in brackets, \b \B, \A \z, (?:...), (?P<name>...), (?<name>...), (?i) and (?s) at the start,
 * control characters and \xHH. Refused: other groups and flags, \p, \Q, lazy quantifiers. Where several
 * matches start at one place the longest wins (RE2: the first alternative); whether there is a match is the
 * same. Spec: https://github.com/google/re2/wiki/Syntax
 */
#ifndef JG_CORE_REGEX_H
#define JG_CORE_REGEX_H

#include "core/attr.h"
#include <jaeger/base.h>
#include <regex.h>

#define JG_REGEX_GROUPS_MAX 32 /* of one pattern; each is an attribute in an extract action */

typedef struct jg_regex {
    regex_t compiled;
    bool ready;
    size_t groups;                         /* without the whole match */
    jaeger_str names[JG_REGEX_GROUPS_MAX]; /* in the arena; empty: without a name */
    bool counts[JG_REGEX_GROUPS_MAX];      /* false: (?:...), a group to POSIX only */
} jg_regex;

/** @return INVALID_ARGUMENT with the reason. Free with jg_regex_done. */
jaeger_status jg_regex_compile(jg_regex *regex, jaeger_str pattern, jaeger_arena *arena,
                               jaeger_error *err) JG_MUST_CHECK;
void jg_regex_done(jg_regex *regex);
/** @param ret_groups NULL, or room for regex->groups texts; ptr NULL: took no part in the match */
bool jg_regex_match(const jg_regex *regex, jaeger_str text, jaeger_str *ret_groups);

#endif
