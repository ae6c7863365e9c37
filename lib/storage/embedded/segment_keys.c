/* SPDX-License-Identifier: Apache-2.0
 * Building a segment, a part of the index: by key, the numbers of its values in the dictionary, and the rows
 * with a value that is not there. So a search can try a condition (>=, =~, exists, ...) on each value once.
 * Keys that most rows have a value of their own for are not listed: their lists would be long and of no use.
 */
#include "storage/embedded/segment_build.h"

#include "core/alloc.h"

/** The key of a token: its number, `count` for attributes that are no ordinary KeyValue, JG_NONE for other
 * tokens (texts of values, names of events, status). */
static uint32_t key_of(const jg_entry *entry, uint32_t count)
{
    if (entry->key != JG_NONE)
        return entry->key;
    return entry->alt != JG_NONE ? count : JG_NONE;
}

static bool index_values(jg_seg_build *b, uint32_t count)
{
    const jg_intern *attrs = &b->mem->attrs;
    jg_buf *out = &b->sections[JG_SEC_KEY_VALUES];
    JG_AUTO_FREE uint32_t *start = jg_calloc(count + 2ull, sizeof *start);
    if (!start)
        return false;
    for (uint32_t i = 0; i < attrs->count; i++) {
        uint32_t key = key_of(jg_intern_at(attrs, i), count);
        if (b->token_dict[i] && key < count)
            start[key + 1]++;
    }
    for (uint32_t k = 0; k < count; k++)
        start[k + 1] += start[k];
    uint32_t total = start[count];
    JG_AUTO_FREE uint32_t *numbers = jg_alloc((total + 1ull) * sizeof *numbers);
    if (!numbers)
        return false;
    jg_buf_append(out, start, (count + 1ull) * sizeof *start);
    for (uint32_t i = 0; i < attrs->count; i++) {
        uint32_t key = key_of(jg_intern_at(attrs, i), count);
        if (b->token_dict[i] && key < count)
            numbers[start[key]++] = b->token_dict[i] - 1;
    }
    jg_buf_append(out, numbers, (size_t)total * sizeof *numbers);
    return jg_buf_ok(out);
}

/** Tokens of rare values as lists by key. */
typedef struct rare {
    uint64_t *rows;  /* by key: how many rows have one, at most */
    uint32_t *first; /* by key: its last token, or JG_NONE */
    uint32_t *next;  /* by token: the key's one before */
} rare;

static void gather_rare(const jg_seg_build *b, uint32_t count, rare *ret)
{
    const jg_intern *attrs = &b->mem->attrs;
    memset(ret->first, 0xff, (count + 1ull) * sizeof *ret->first);
    for (uint32_t i = 0; i < attrs->count; i++) {
        uint32_t key = key_of(jg_intern_at(attrs, i), count);
        if (key == JG_NONE || b->token_dict[i] || !b->token_freq[i])
            continue;
        ret->rows[key] += b->token_freq[i];
        ret->next[i] = ret->first[key];
        ret->first[key] = i;
    }
}

/** The rows of a key's rare values. @return a reference */
static uint32_t list_rows(jg_seg_build *b, const jg_token_rows *rows, const rare *r, uint32_t key,
                          uint64_t *bits)
{
    size_t words = ((size_t)b->row_count + 63) / 64;
    uint32_t n = 0;
    JG_AUTO_FREE uint32_t *list = jg_alloc(r->rows[key] * sizeof *list);
    if (!list)
        return JG_REF_ANY;
    memset(bits, 0, words * 8);
    for (uint32_t token = r->first[key]; token != JG_NONE; token = r->next[token])
        for (uint32_t i = rows->begin[token]; i < rows->end[token]; i++)
            bits[rows->items[i] / 64] |= 1ull << (rows->items[i] & 63);
    for (size_t w = 0; w < words; w++)
        for (uint64_t word = bits[w]; word; word &= word - 1)
            list[n++] = (uint32_t)(w * 64 + (size_t)__builtin_ctzll(word));
    return jg_seg_write_list(&b->sections[JG_SEC_POSTINGS], list, n);
}

static bool index_rows(jg_seg_build *b, const jg_token_rows *rows, uint32_t count)
{
    const jg_buf *postings = &b->sections[JG_SEC_POSTINGS];
    size_t words = ((size_t)b->row_count + 63) / 64, before = postings->len;
    JG_AUTO_FREE uint64_t *bits = jg_alloc((words + 1) * 8);
    JG_AUTO_FREE uint64_t *sums = jg_calloc(count + 1ull, sizeof *sums);
    JG_AUTO_FREE uint32_t *first = jg_alloc((count + 1ull) * sizeof *first);
    JG_AUTO_FREE uint32_t *next = jg_alloc((b->mem->attrs.count + 1ull) * sizeof *next);
    if (!bits || !sums || !first || !next)
        return false;
    rare r = {sums, first, next};
    gather_rare(b, count, &r);
    for (uint32_t k = 0; k <= count; k++) {
        uint32_t ref = JG_REF_ANY;
        if (sums[k] == 0)
            ref = JG_REF_NONE;
        else if (sums[k] <= b->row_count / JG_KEY_ROWS_PART + 1 &&
                 postings->len - before <= b->row_count / JG_KEY_BYTES_PART)
            ref = list_rows(b, rows, &r, k, bits);
        jg_buf_append(&b->sections[JG_SEC_KEY_ROWS], &ref, sizeof ref);
    }
    return true;
}

bool jg_seg_index_keys(jg_seg_build *b, const jg_token_rows *rows)
{
    uint32_t count = b->mem->keys.count;
    return index_values(b, count) && index_rows(b, rows, count);
}
