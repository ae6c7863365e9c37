/* SPDX-License-Identifier: Apache-2.0
 * See gzip.h. The text lies behind the window it may refer to; when the room is full, the newest 32 KiB move
 * to its begin. Positions in the table count from the begin of the stream, so that they stay true.
 */
#include "net/gzip.h"

#include "core/alloc.h"
#include "net/crc32.h"
#include "net/gzip_block.h"

#define ROOM_BYTES   (3u * JG_DEFLATE_WINDOW)
#define PADDING      16u /* behind the text: words are read at its end */
#define HASH_BITS    13u
#define HASHED_BYTES 7u                       /* that are equal, most likely, where the table says so */
#define FOUND_MIN    6u                       /* shorter matches cost about what their bytes cost */
#define SKIP_SHIFT   5u                       /* look at fewer positions the longer nothing is found */
#define FIRST_AT     (2u * JG_DEFLATE_WINDOW) /* so that a zero in the table is too far away */

struct jg_gzip {
    uint8_t room[ROOM_BYTES + PADDING];
    size_t len, done; /* bytes in the room, and those that are tokens already */
    uint32_t first;   /* position of the room's first byte */
    uint32_t crc, total;
    uint32_t seen[1u << HASH_BITS]; /* positions */
    jg_bits bits;
    jg_deflate_block block;
};

jg_gzip *jg_gzip_new(void)
{
    return jg_calloc(1, sizeof(jg_gzip));
}

void jg_gzip_free(jg_gzip *gzip)
{
    jg_free(gzip);
}

void jg_gzip_begin(jg_gzip *g, jg_buf *out)
{
    static const uint8_t head[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255}; /* fastest; system unknown */
    jg_buf_append(out, head, sizeof head);
    g->bits = (jg_bits){.out = out};
    g->len = g->done = 0;
    g->first = FIRST_AT;
    g->crc = g->total = 0;
    memset(g->seen, 0, sizeof g->seen);
}

/* ---- matches ---- */

/** The first byte is the lowest. */
JG_INLINE uint64_t load_8(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? word : __builtin_bswap64(word);
}

JG_INLINE size_t hash_of(uint64_t word)
{
    return (size_t)(((word << (64 - 8 * HASHED_BYTES)) * 0x9e3779b185ebca87ull) >> (64 - HASH_BITS));
}

/** How many bytes are equal, up to `end`. */
JG_INLINE size_t equal_bytes(const uint8_t *a, const uint8_t *b, const uint8_t *end)
{
    const uint8_t *from = a;
    for (; a < end; a += 8, b += 8) {
        uint64_t differ = load_8(a) ^ load_8(b);
        if (differ) {
            a += __builtin_ctzll(differ) / 8;
            break;
        }
    }
    return (size_t)(JG_MIN(a, end) - from);
}

static void need_token(jg_gzip *g)
{
    if (g->block.count == JG_DEFLATE_TOKENS)
        jg_deflate_write(&g->block, &g->bits, false);
}

static void put_literals(jg_gzip *g, size_t from, size_t to)
{
    jg_deflate_block *block = &g->block;
    while (from < to) {
        need_token(g);
        size_t n = JG_MIN(to - from, JG_DEFLATE_TOKENS - block->count);
        for (size_t i = 0; i < n; i++) {
            uint8_t byte = g->room[from + i];
            block->tokens[block->count + i] = byte;
            block->literal_uses[byte]++;
        }
        block->count += n;
        from += n;
    }
}

static void put_match(jg_gzip *g, size_t length, uint32_t distance)
{
    unsigned distance_symbol = jg_deflate_distance_symbol(distance);
    while (length) {
        size_t n = JG_MIN(length, JG_DEFLATE_MATCH_MAX);
        if (length - n && length - n < JG_DEFLATE_MATCH_MIN)
            n -= JG_DEFLATE_MATCH_MIN;
        need_token(g);
        g->block.tokens[g->block.count++] = (uint32_t)n << 16 | distance;
        g->block.literal_uses[JG_DEFLATE_FIRST_LEN + jg_deflate_length_symbol((unsigned)n)]++;
        g->block.distance_uses[distance_symbol]++;
        length -= n;
    }
}

/** Everything in the room becomes tokens. */
static void find_matches(jg_gzip *g)
{
    const uint8_t *room = g->room, *end = room + g->len;
    size_t at = g->done, literals = g->done, last = g->len < 8 ? 0 : g->len - 8;
    while (at < last) {
        uint64_t word = load_8(room + at);
        uint32_t *seen = &g->seen[hash_of(word)], position = g->first + (uint32_t)at;
        uint32_t distance = position - *seen;
        *seen = position;
        /* a position of this room is one of this stream: before it, the table was empty */
        if (distance - 1 >= JG_DEFLATE_WINDOW || distance > at || /* */
            (word ^ load_8(room + at - distance)) << (64 - 8 * FOUND_MIN)) {
            at += 1 + ((at - literals) >> SKIP_SHIFT);
            continue;
        }
        size_t length = FOUND_MIN + equal_bytes(room + at + FOUND_MIN, room + at + FOUND_MIN - distance, end);
        while (at > literals && at > distance && room[at - 1] == room[at - 1 - distance]) {
            at--;
            length++;
        }
        put_literals(g, literals, at);
        put_match(g, length, distance);
        at += length;
        literals = at;
        if (at < last) /* what comes next may have stood behind the same end before */
            g->seen[hash_of(load_8(room + at - 2))] = g->first + (uint32_t)at - 2;
    }
    put_literals(g, literals, g->len);
    g->done = g->len;
}

/* ---- the stream ---- */

static void make_room(jg_gzip *g)
{
    size_t gone = g->len - JG_MIN(g->len, JG_DEFLATE_WINDOW);
    memmove(g->room, g->room + gone, g->len - gone);
    g->first += (uint32_t)gone;
    g->len -= gone;
    g->done = g->len;
}

void jg_gzip_add(jg_gzip *g, jaeger_str text)
{
    while (text.len) {
        if (g->len == ROOM_BYTES) {
            find_matches(g);
            make_room(g);
        }
        size_t n = JG_MIN(text.len, ROOM_BYTES - g->len);
        memcpy(g->room + g->len, text.ptr, n);
        g->crc = jg_crc32(g->crc, g->room + g->len, n);
        g->total += (uint32_t)n;
        g->len += n;
        text.ptr += n;
        text.len -= n;
    }
}

void jg_gzip_end(jg_gzip *g)
{
    find_matches(g);
    jg_deflate_write(&g->block, &g->bits, true);
    const uint32_t trailer[] = {g->crc, g->total};
    for (size_t i = 0; i < 2; i++)
        for (unsigned shift = 0; shift < 32; shift += 8)
            jg_buf_byte(g->bits.out, (uint8_t)(trailer[i] >> shift));
}
