/* SPDX-License-Identifier: Apache-2.0
 * The search box of a trace page: words and "phrases", all of which must be found in one span. A word is
 * looked for in service, name, span id, attribute keys and values, event names and their attributes;
 * key=value wants that key and a value with that text in it. -key leaves out attributes whose key holds that
 * text; with -key=value a span in which that is found does not match. Case does not count (ASCII).
 */
#ifndef JG_QUERY_SPAN_FIND_H
#define JG_QUERY_SPAN_FIND_H

#include "core/buf.h"
#include <jaeger/batch.h>

#define JG_SPAN_FIND_WORDS_MAX 16 /* further words are not looked for */

typedef struct jg_span_find {
    struct jg_span_find_word {
        jaeger_str text, key, value; /* key.ptr NULL: no '=' in it */
        enum { JG_SPAN_FIND_WANTED, JG_SPAN_FIND_UNWANTED, JG_SPAN_FIND_LEFT_OUT } role;
    } words[JG_SPAN_FIND_WORDS_MAX];
    size_t count;
    jg_buf text; /* of the value being compared; failed: out of memory */
} jg_span_find;

/** @param query must outlive it */
void jg_span_find_init(jg_span_find *find, jaeger_str query);
void jg_span_find_done(jg_span_find *find);
/** False without words that a span can meet. */
bool jg_span_find_matches(jg_span_find *find, const jaeger_span *span);

#endif
