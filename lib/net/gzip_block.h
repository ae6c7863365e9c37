/* SPDX-License-Identifier: Apache-2.0
 * What gzip.c and gzip_block.c share: the tokens of one deflate block, and the bits written so far.
 */
#ifndef JG_NET_GZIP_BLOCK_H
#define JG_NET_GZIP_BLOCK_H

#include "core/buf.h"

#define JG_DEFLATE_LITERALS    286u /* bytes, the end of a block, lengths */
#define JG_DEFLATE_DISTANCES   30u
#define JG_DEFLATE_TOKENS      16384u
#define JG_DEFLATE_MATCH_MIN   3u
#define JG_DEFLATE_MATCH_MAX   258u
#define JG_DEFLATE_WINDOW      32768u
#define JG_DEFLATE_FIRST_LEN   257u /* symbol of the shortest match */
#define JG_DEFLATE_LEN_SYMBOLS (JG_DEFLATE_LITERALS - JG_DEFLATE_FIRST_LEN)

/** Bits that are not yet a whole byte of `out`. */
typedef struct jg_bits {
    jg_buf *out;
    uint64_t bits;
    unsigned count; /* below 8 between calls */
} jg_bits;

/** One block: a literal is its byte; a match is length << 16 | distance. */
typedef struct jg_deflate_block {
    uint32_t tokens[JG_DEFLATE_TOKENS];
    size_t count;
    uint32_t literal_uses[JG_DEFLATE_LITERALS], distance_uses[JG_DEFLATE_DISTANCES];
} jg_deflate_block;

/** Symbol of a length, less JG_DEFLATE_FIRST_LEN. */
unsigned jg_deflate_length_symbol(unsigned length);
unsigned jg_deflate_distance_symbol(unsigned distance);
/** Write the block and empty it. @param last no other follows: the last byte is filled up */
void jg_deflate_write(jg_deflate_block *block, jg_bits *bits, bool last);

#endif
