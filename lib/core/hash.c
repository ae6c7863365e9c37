/* SPDX-License-Identifier: Apache-2.0
 * FNV-1a of several texts. Each is a chain of multiplications; a processor has time for four such chains
 * while it waits for one.
 */
#include "core/hash.h"

#include "core/attr.h"

#define LANES 4u

typedef struct lane {
    const uint8_t *at;
    size_t left; /* 0: idle */
    uint64_t *hash;
} lane;

/** Give an idle lane the next text that is not empty. @return where to go on */
static size_t take_text(lane *l, const jaeger_str *texts, uint64_t *hashes, size_t next, size_t count)
{
    while (!l->left && next < count) {
        hashes[next] = JG_FNV1A_64_START;
        *l = (lane){(const uint8_t *)texts[next].ptr, texts[next].len, &hashes[next]};
        next++;
    }
    return next;
}

/** The next `n` bytes of each. */
static void run(const lane l[LANES], size_t n)
{
    const uint8_t *at[LANES] = {l[0].at, l[1].at, l[2].at, l[3].at};
    uint64_t a = *l[0].hash, b = *l[1].hash, c = *l[2].hash, d = *l[3].hash;
    for (size_t i = 0; i < n; i++) {
        a = jg_fnv1a_64(a, at[0] + i, 1);
        b = jg_fnv1a_64(b, at[1] + i, 1);
        c = jg_fnv1a_64(c, at[2] + i, 1);
        d = jg_fnv1a_64(d, at[3] + i, 1);
    }
    *l[0].hash = a;
    *l[1].hash = b;
    *l[2].hash = c;
    *l[3].hash = d;
}

void jg_fnv1a_64_each(const jaeger_str *texts, uint64_t *ret_hashes, size_t count)
{
    lane lanes[LANES] = {{0}};
    uint64_t nobodys[LANES] = {0}; /* idle lanes go along with a busy one */
    for (size_t next = 0;;) {
        const lane *busy = NULL;
        size_t n = SIZE_MAX;
        for (size_t i = 0; i < LANES; i++) {
            next = take_text(&lanes[i], texts, ret_hashes, next, count);
            if (lanes[i].left) {
                busy = &lanes[i];
                n = JG_MIN(n, lanes[i].left);
            }
        }
        if (!busy)
            return;
        for (size_t i = 0; i < LANES; i++)
            if (!lanes[i].left)
                lanes[i] = (lane){.at = busy->at, .hash = &nobodys[i]};
        run(lanes, n);
        for (size_t i = 0; i < LANES; i++) {
            lanes[i].at += n;
            lanes[i].left -= JG_MIN(n, lanes[i].left);
        }
    }
}
