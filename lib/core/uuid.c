/* SPDX-License-Identifier: Apache-2.0
 * See uuid.h.
 */
#include "core/uuid.h"

#include "core/clock.h"
#include "core/str.h"
#include <stdio.h>
#include <sys/random.h>

static void fill_random(uint8_t b[16])
{
    if (getrandom(b, 16, 0) != 16)
        memset(b, 0, 16);
}

static void write_text(uint8_t b[16], unsigned version, char ret[JG_UUID_CHARS + 1])
{
    char hex[32];
    b[6] = (uint8_t)((b[6] & 0x0f) | version << 4);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    jg_hex_encode(b, 16, hex);
    (void)snprintf(ret, JG_UUID_CHARS + 1, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
                   hex + 20);
}

void jg_uuid_make(char ret[JG_UUID_CHARS + 1])
{
    uint8_t b[16];
    fill_random(b);
    write_text(b, 4, ret);
}

void jg_uuid_make_v7(char ret[JG_UUID_CHARS + 1])
{
    uint8_t b[16];
    uint64_t ms = jg_clock_unix_ns() / 1000000;
    fill_random(b);
    for (int i = 0; i < 6; i++)
        b[i] = (uint8_t)(ms >> (40 - 8 * i));
    write_text(b, 7, ret);
}
