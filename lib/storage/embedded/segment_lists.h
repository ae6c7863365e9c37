/* SPDX-License-Identifier: Apache-2.0
 * Lists of rows in a segment, the terms they are filed under, and filters as sets of rows.
 */
#ifndef JG_EMBEDDED_SEGMENT_LISTS_H
#define JG_EMBEDDED_SEGMENT_LISTS_H

#include "core/pb.h"
#include "storage/embedded/segment_reader.h"

/** A segment being searched. */
typedef struct jg_lists {
    const jg_seg_view *view;
    bool damaged, failed; /* failed: out of memory */
} jg_lists;

/** Open a list. @return number of items; the cursor stands before the first difference */
uint64_t jg_list_open(jg_lists *lists, uint32_t ref, jg_pb *ret);
/** Set the bits of a list's rows. */
void jg_list_set(jg_lists *lists, uint32_t ref, uint64_t *bits);
/** Is one of a list's rows set in `bits`? */
bool jg_list_meets(jg_lists *lists, uint32_t ref, const uint64_t *bits);
/** Call `found` for each list that is filed under `hash` (or, rarely, under another hash that looks alike).
 */
void jg_term_find(jg_lists *lists, uint64_t hash, void (*found)(jg_lists *lists, void *user, uint32_t ref),
                  void *user);
uint64_t jg_status_term(const jg_seg_view *view, uint32_t code);

/** Set the bits of all rows that may meet the filter; conditions on operation and status that every row must
 *  meet are left to the caller. @param bits `words` zeros @return false: nothing is known, `bits` are void */
bool jg_filter_rows(jg_lists *lists, const jaeger_filter *filter, uint64_t *bits, size_t words);

JG_INLINE uint32_t jg_u32_at(const jg_bytes *section, size_t index)
{
    uint32_t x;
    memcpy(&x, section->ptr + index * 4, 4);
    return x;
}

/** Without the processor's instruction, which a portable build must not use, this beats the compiler's call.
 */
JG_INLINE uint32_t jg_bits_of(uint64_t word)
{
    word -= word >> 1 & 0x5555555555555555ull;
    word = (word & 0x3333333333333333ull) + (word >> 2 & 0x3333333333333333ull);
    word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0full;
    return (uint32_t)(word * 0x0101010101010101ull >> 56);
}

#endif
