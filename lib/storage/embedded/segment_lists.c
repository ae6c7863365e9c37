/* SPDX-License-Identifier: Apache-2.0
 * See segment_lists.h. A list is a number of items and their differences, as varints; most have one or two
 * bytes, and searches read millions of them.
 */
#include "storage/embedded/segment_lists.h"

#include "storage/embedded/intern.h"

#define VARINT_BYTES_MAX 10

uint64_t jg_list_open(jg_lists *lists, uint32_t ref, jg_pb *ret)
{
    const jg_bytes *postings = &lists->view->sections[JG_SEC_POSTINGS];
    uint64_t count = 0;
    *ret = (jg_pb){0};
    if (ref & JG_REF_ROW)
        return 1;
    if (ref > postings->len) {
        lists->damaged = true;
        return 0;
    }
    *ret = jg_pb_of(postings->ptr + ref, postings->len - ref);
    if (!jg_pb_varint(ret, &count) || count > lists->view->header.span_count) {
        lists->damaged = true;
        return 0;
    }
    return count;
}

/** One or two bytes without a look at the end: so many are there. @return false: a longer one */
JG_INLINE bool short_varint(const uint8_t **pos, uint64_t *ret)
{
    const uint8_t *p = *pos;
    if (JG_LIKELY(p[0] < 0x80)) {
        *ret = p[0];
        *pos = p + 1;
        return true;
    }
    *ret = (p[0] & 0x7fu) | (uint64_t)p[1] << 7;
    *pos = p + 2;
    return p[1] < 0x80;
}

void jg_list_set(jg_lists *lists, uint32_t ref, uint64_t *bits)
{
    jg_pb cursor;
    uint32_t rows = lists->view->header.span_count;
    uint64_t row = 0, step, count = jg_list_open(lists, ref, &cursor);
    if (ref & JG_REF_ROW) {
        row = ref & ~JG_REF_ROW;
        if (row < rows)
            bits[row / 64] |= 1ull << (row & 63);
        return;
    }
    while (count) {
        const uint8_t *before = cursor.pos;
        if (cursor.end - cursor.pos < VARINT_BYTES_MAX || !short_varint(&cursor.pos, &step)) {
            cursor.pos = before;
            if (!jg_pb_varint(&cursor, &step))
                break;
        }
        if (JG_UNLIKELY((row += step) >= rows))
            break;
        bits[row / 64] |= 1ull << (row & 63);
        count--;
    }
    lists->damaged |= count > 0;
}

bool jg_list_meets(jg_lists *lists, uint32_t ref, const uint64_t *bits)
{
    jg_pb cursor;
    uint32_t rows = lists->view->header.span_count;
    uint64_t row = ref & ~JG_REF_ROW, step, count = jg_list_open(lists, ref, &cursor);
    if (ref & JG_REF_ROW)
        return row < rows && bits[row / 64] >> (row & 63) & 1;
    for (row = 0; count > 0 && jg_pb_varint(&cursor, &step) && (row += step) < rows; count--)
        if (bits[row / 64] >> (row & 63) & 1)
            return true;
    lists->damaged |= count > 0;
    return false;
}

void jg_term_find(jg_lists *lists, uint64_t hash, void (*found)(jg_lists *, void *, uint32_t), void *user)
{
    const jg_bytes *buckets = &lists->view->sections[JG_SEC_TERM_BUCKETS];
    const jg_bytes *prints = &lists->view->sections[JG_SEC_TERM_PRINTS],
                   *refs = &lists->view->sections[JG_SEC_TERM_REFS];
    size_t count = buckets->len / 4;
    if (count < 2 || ((count - 1) & (count - 2))) {
        lists->damaged = true;
        return;
    }
    unsigned bits = (unsigned)__builtin_ctzll(count - 1);
    size_t bucket = bits ? hash >> (64 - bits) : 0;
    uint32_t from = jg_u32_at(buckets, bucket), to = jg_u32_at(buckets, bucket + 1);
    if (from > to || to > refs->len / 4) {
        lists->damaged = true;
        return;
    }
    for (uint32_t i = from; i < to; i++) {
        uint16_t print;
        memcpy(&print, prints->ptr + (size_t)i * 2, 2);
        if (print == (uint16_t)hash)
            found(lists, user, jg_u32_at(refs, i));
    }
}

uint64_t jg_status_term(const jg_seg_view *view, uint32_t code)
{
    uint8_t status = (uint8_t)code;
    return jg_hash_piece(&status, 1, view->header.seed + JG_SEED_STATUS).lo;
}
