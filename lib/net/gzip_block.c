/* SPDX-License-Identifier: Apache-2.0
 * See gzip_block.h. Codes are Huffman's over the uses in the block, cut to the longest allowed length; the
 * codes themselves are described as RFC 1951, 3.2.7 says.
 */
#include "net/gzip_block.h"

#define CODE_MAX     15u /* bits */
#define META_SYMBOLS 19u /* of the code that describes the codes */
#define META_MAX     7u
#define SYMBOLS_MAX  (JG_DEFLATE_LITERALS + JG_DEFLATE_DISTANCES)
#define END_OF_BLOCK 256u
#define TOKEN_BYTES  7u   /* 48 bits, and those that wait */
#define AT_ONCE      256u /* tokens, between two looks at the room */
#define HEAD_BYTES   ((3 + 14 + 3 * META_SYMBOLS + 14 * SYMBOLS_MAX) / 8 + 16)

typedef struct code {
    uint16_t bits[JG_DEFLATE_LITERALS]; /* the first bit is the lowest */
    uint8_t len[JG_DEFLATE_LITERALS];
} code;

/* ---- symbols ---- */

static const uint8_t length_extra[JG_DEFLATE_LEN_SYMBOLS] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                                             2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};

unsigned jg_deflate_length_symbol(unsigned length)
{
    unsigned n = length - JG_DEFLATE_MATCH_MIN;
    if (n < 8)
        return n;
    if (length == JG_DEFLATE_MATCH_MAX)
        return JG_DEFLATE_LEN_SYMBOLS - 1;
    unsigned top = 31 - (unsigned)__builtin_clz(n); /* three bits below the highest choose */
    return 4 * (top - 1) + (n >> (top - 2) & 3);
}

unsigned jg_deflate_distance_symbol(unsigned distance)
{
    unsigned n = distance - 1;
    if (n < 4)
        return n;
    unsigned top = 31 - (unsigned)__builtin_clz(n);
    return 2 * top + (n >> (top - 1) & 1);
}

static unsigned distance_extra(unsigned symbol)
{
    return symbol < 4 ? 0 : symbol / 2 - 1;
}

/* ---- bits ---- */

/** Without a look at the room. @param len up to 32 */
JG_INLINE void put(jg_bits *b, uint32_t bits, unsigned len)
{
    b->bits |= (uint64_t)bits << b->count;
    b->count += len;
}

/** Whole bytes to the buffer; at least 8 bytes of room. */
JG_INLINE void drain(jg_bits *b)
{
    uint64_t word = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? b->bits : __builtin_bswap64(b->bits);
    memcpy(b->out->data + b->out->len, &word, sizeof word);
    b->out->len += b->count / 8;
    b->bits >>= b->count / 8 * 8; /* never all 64 */
    b->count %= 8;
}

/* ---- codes ---- */

/** The used symbols, rarest first. @return how many */
static size_t sort_by_uses(const uint32_t *uses, size_t count, uint16_t *sorted)
{
    size_t n = 0;
    for (size_t symbol = 0; symbol < count; symbol++) {
        if (!uses[symbol])
            continue;
        size_t at = n++;
        for (; at && uses[sorted[at - 1]] > uses[symbol]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = (uint16_t)symbol;
    }
    return n;
}

/** Huffman's tree over the sorted leaves; how many of them lie how deep, deeper ones at `max`. */
static void count_depths(const uint32_t *uses, const uint16_t *sorted, size_t n, unsigned max,
                         uint16_t depths[CODE_MAX + 1])
{
    uint32_t weight[2 * JG_DEFLATE_LITERALS];
    uint16_t parent[2 * JG_DEFLATE_LITERALS], depth[2 * JG_DEFLATE_LITERALS];
    size_t leaf = 0, inner = n, nodes = 2 * n - 1;
    for (size_t i = 0; i < n; i++)
        weight[i] = uses[sorted[i]];
    for (size_t made = n; made < nodes; made++) {
        weight[made] = 0;
        for (int child = 0; child < 2; child++) {
            bool is_leaf = leaf < n && (inner == made || weight[leaf] <= weight[inner]);
            size_t at = is_leaf ? leaf++ : inner++;
            weight[made] += weight[at];
            parent[at] = (uint16_t)made;
        }
    }
    depth[nodes - 1] = 0;
    for (size_t i = nodes - 1; i-- > 0;) {
        depth[i] = (uint16_t)(depth[parent[i]] + 1);
        if (i < n)
            depths[JG_MIN(depth[i], max)]++;
    }
}

/** After cutting, the codes would not fit: longer codes for some that are short, until they do. */
static void fit_depths(uint16_t depths[CODE_MAX + 1], unsigned max)
{
    uint32_t taken = 0;
    for (unsigned len = 1; len <= max; len++)
        taken += (uint32_t)depths[len] << (max - len);
    for (; taken > 1u << max; taken--) {
        unsigned len = max - 1;
        while (!depths[len])
            len--;
        depths[len]--;
        depths[len + 1] += 2;
        depths[max]--;
    }
}

static uint16_t reverse(uint32_t bits, unsigned len)
{
    uint32_t reversed = 0;
    for (unsigned i = 0; i < len; i++)
        reversed |= (bits >> i & 1) << (len - 1 - i);
    return (uint16_t)reversed;
}

/** At least two symbols get a code, since some decoders take no fewer. */
static void make_code(uint32_t *uses, size_t count, unsigned max, code *ret)
{
    uint16_t sorted[JG_DEFLATE_LITERALS], depths[CODE_MAX + 1] = {0};
    uint32_t next[CODE_MAX + 2] = {0};
    size_t n = sort_by_uses(uses, count, sorted), at = 0;
    for (size_t symbol = 0; n < 2; symbol++)
        if (!uses[symbol]) {
            uses[symbol] = 1;
            n = sort_by_uses(uses, count, sorted);
        }
    count_depths(uses, sorted, n, max, depths);
    fit_depths(depths, max);
    memset(ret->len, 0, sizeof ret->len);
    for (unsigned len = max; len; len--) /* the rarest are the longest */
        for (unsigned i = 0; i < depths[len]; i++)
            ret->len[sorted[at++]] = (uint8_t)len;
    for (unsigned len = 1; len <= max; len++)
        next[len + 1] = (next[len] + depths[len]) << 1;
    for (size_t symbol = 0; symbol < count; symbol++)
        if (ret->len[symbol])
            ret->bits[symbol] = reverse(next[ret->len[symbol]]++, ret->len[symbol]);
}

/* ---- the head of a block ---- */

typedef struct run {
    uint8_t symbol, extra, extra_bits;
} run;

/** Lengths of codes as symbols: 16 repeats the last one, 17 and 18 are zeroes. @return how many */
static size_t make_runs(const uint8_t *lens, size_t count, run *runs)
{
    size_t n = 0;
    for (size_t i = 0, same; i < count; i += same) {
        for (same = 1; i + same < count && lens[i + same] == lens[i];)
            same++;
        if (lens[i] == 0 && same >= 11) {
            same = JG_MIN(same, 138);
            runs[n++] = (run){18, (uint8_t)(same - 11), 7};
        } else if (lens[i] == 0 && same >= 3) {
            runs[n++] = (run){17, (uint8_t)(same - 3), 3};
        } else if (i && lens[i] == lens[i - 1] && same >= 3) {
            same = JG_MIN(same, 6);
            runs[n++] = (run){16, (uint8_t)(same - 3), 2};
        } else {
            same = 1;
            runs[n++] = (run){lens[i], 0, 0};
        }
    }
    return n;
}

static size_t used(const code *c, size_t count, size_t least)
{
    while (count > least && !c->len[count - 1])
        count--;
    return count;
}

static void put_head(jg_bits *b, const code *literals, const code *distances, bool last)
{
    static const uint8_t order[META_SYMBOLS] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                11, 4,  12, 3, 13, 2, 14, 1, 15};
    uint8_t lens[SYMBOLS_MAX];
    run runs[SYMBOLS_MAX];
    uint32_t uses[META_SYMBOLS] = {0};
    code meta;
    size_t literal_count = used(literals, JG_DEFLATE_LITERALS, JG_DEFLATE_FIRST_LEN);
    size_t distance_count = used(distances, JG_DEFLATE_DISTANCES, 1), meta_count = META_SYMBOLS;
    memcpy(lens, literals->len, literal_count);
    memcpy(lens + literal_count, distances->len, distance_count);
    size_t n = make_runs(lens, literal_count + distance_count, runs);
    for (size_t i = 0; i < n; i++)
        uses[runs[i].symbol]++;
    make_code(uses, META_SYMBOLS, META_MAX, &meta);
    while (meta_count > 4 && !meta.len[order[meta_count - 1]])
        meta_count--;
    put(b, last | 2u << 1, 3);
    put(b, (uint32_t)(literal_count - JG_DEFLATE_FIRST_LEN), 5);
    put(b, (uint32_t)distance_count - 1, 5);
    put(b, (uint32_t)meta_count - 4, 4);
    for (size_t i = 0; i < meta_count; i++, drain(b))
        put(b, meta.len[order[i]], 3);
    for (size_t i = 0; i < n; i++, drain(b)) {
        put(b, meta.bits[runs[i].symbol], meta.len[runs[i].symbol]);
        put(b, runs[i].extra, runs[i].extra_bits);
    }
}

/* ---- tokens ---- */

JG_INLINE void put_match(jg_bits *b, uint32_t token, const code *literals, const code *distances)
{
    unsigned length = token >> 16, distance = token & 0xffff;
    unsigned symbol = jg_deflate_length_symbol(length), extra = length_extra[symbol];
    put(b, literals->bits[JG_DEFLATE_FIRST_LEN + symbol], literals->len[JG_DEFLATE_FIRST_LEN + symbol]);
    put(b, (length - JG_DEFLATE_MATCH_MIN) & ((1u << extra) - 1), extra);
    symbol = jg_deflate_distance_symbol(distance);
    extra = distance_extra(symbol);
    put(b, distances->bits[symbol], distances->len[symbol]);
    put(b, (distance - 1) & ((1u << extra) - 1), extra);
}

static void put_tokens(jg_bits *b, const uint32_t *tokens, size_t count, const code *literals,
                       const code *distances)
{
    for (size_t i = 0; i < count; i++) {
        if (tokens[i] < 256)
            put(b, literals->bits[tokens[i]], literals->len[tokens[i]]);
        else
            put_match(b, tokens[i], literals, distances);
        drain(b);
    }
}

void jg_deflate_write(jg_deflate_block *block, jg_bits *b, bool last)
{
    code literals, distances;
    block->literal_uses[END_OF_BLOCK]++;
    make_code(block->literal_uses, JG_DEFLATE_LITERALS, CODE_MAX, &literals);
    make_code(block->distance_uses, JG_DEFLATE_DISTANCES, CODE_MAX, &distances);
    if (jg_buf_reserve(b->out, HEAD_BYTES))
        put_head(b, &literals, &distances, last);
    for (size_t i = 0; i < block->count; i += AT_ONCE)
        if (jg_buf_reserve(b->out, AT_ONCE * TOKEN_BYTES + 8))
            put_tokens(b, block->tokens + i, JG_MIN(block->count - i, AT_ONCE), &literals, &distances);
    if (jg_buf_reserve(b->out, 16)) {
        put(b, literals.bits[END_OF_BLOCK], literals.len[END_OF_BLOCK]);
        if (last)
            b->count = (b->count + 7) / 8 * 8;
        drain(b);
    }
    block->count = 0;
    memset(block->literal_uses, 0, sizeof block->literal_uses);
    memset(block->distance_uses, 0, sizeof block->distance_uses);
}
