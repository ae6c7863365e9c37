/* SPDX-License-Identifier: Apache-2.0
 * See span_find.h.
 */
#include "query/span_find.h"

#include "core/limits.h"
#include "core/str.h"
#include "model/value_text.h"
#include <strings.h>

static void add_word(jg_span_find *find, jaeger_str word, bool negated)
{
    struct jg_span_find_word *to = &find->words[find->count++];
    *to = (struct jg_span_find_word){.text = word};
    size_t equals = jg_str_find(word, '=');
    if (equals && equals < word.len) {
        to->key = (jaeger_str){word.ptr, equals};
        to->value = jg_str_skip(word, equals + 1);
    }
    if (negated)
        to->role = to->key.ptr ? JG_SPAN_FIND_UNWANTED : JG_SPAN_FIND_LEFT_OUT;
}

void jg_span_find_init(jg_span_find *find, jaeger_str query)
{
    *find = (jg_span_find){.text = JG_BUF_INIT(JG_CALL_ARENA_BYTES_MAX)};
    while (find->count < JG_SPAN_FIND_WORDS_MAX) {
        query = jg_str_trim(query);
        if (query.len == 0)
            return;
        bool negated = query.len > 1 && query.ptr[0] == '-' && query.ptr[1] != ' ';
        query = jg_str_skip(query, negated ? 1 : 0);
        bool quoted = query.ptr[0] == '"';
        query = jg_str_skip(query, quoted ? 1 : 0);
        jaeger_str word = {query.ptr, jg_str_find(query, quoted ? '"' : ' ')};
        query = jg_str_skip(query, JG_MIN(word.len + 1, query.len));
        if (word.len)
            add_word(find, word, negated);
    }
}

void jg_span_find_done(jg_span_find *find)
{
    jg_buf_done(&find->text);
}

static bool contains(jaeger_str in, jaeger_str part)
{
    for (size_t at = 0; at + part.len <= in.len; at++)
        if (strncasecmp(in.ptr + at, part.ptr, part.len) == 0)
            return true;
    return false;
}

static bool is_left_out(const jg_span_find *find, jaeger_str key)
{
    for (size_t i = 0; i < find->count; i++)
        if (find->words[i].role == JG_SPAN_FIND_LEFT_OUT && contains(key, find->words[i].text))
            return true;
    return false;
}

static bool in_attrs(jg_span_find *find, const struct jg_span_find_word *word, jaeger_iter attrs)
{
    jaeger_attr attr;
    while (jaeger_next_attr(&attrs, &attr)) {
        if (is_left_out(find, attr.key))
            continue;
        bool key_fits = word->key.ptr && jg_str_eq_nocase(attr.key, word->key);
        if (contains(attr.key, word->text))
            return true;
        jaeger_str value = attr.value.u.s;
        if (attr.value.type != JAEGER_VALUE_STRING) {
            jg_buf_clear(&find->text);
            jg_value_text(&find->text, &attr.value);
            value = jg_buf_view(&find->text);
        }
        if (contains(value, word->text) || (key_fits && contains(value, word->value)))
            return true;
    }
    return false;
}

static bool word_matches(jg_span_find *find, const struct jg_span_find_word *word, const jaeger_span *span)
{
    char id[16];
    jaeger_event event;
    jg_hex_encode(span->span_id, 8, id);
    if (contains(span->name, word->text) || contains(span->group->service, word->text) ||
        contains((jaeger_str){id, sizeof id}, word->text) || in_attrs(find, word, jaeger_span_attrs(span)) ||
        in_attrs(find, word, jaeger_resource_attrs(span->group)))
        return true;
    for (jaeger_iter events = jaeger_span_events(span); jaeger_next_event(&events, &event);)
        if (contains(event.name, word->text) || in_attrs(find, word, jaeger_event_attrs(&event)))
            return true;
    return false;
}

bool jg_span_find_matches(jg_span_find *find, const jaeger_span *span)
{
    bool asked = false;
    for (size_t i = 0; i < find->count; i++) {
        const struct jg_span_find_word *word = &find->words[i];
        if (word->role == JG_SPAN_FIND_LEFT_OUT)
            continue;
        if (word_matches(find, word, span) != (word->role == JG_SPAN_FIND_WANTED))
            return false;
        asked = true;
    }
    return asked;
}
