/* SPDX-License-Identifier: Apache-2.0
 * See uuid.h.
 */
#include "core/uuid.h"

#include "core/str.h"
#include <stdio.h>
#include <sys/random.h>

void jg_uuid_make(char ret[JG_UUID_CHARS + 1])
{
    uint8_t b[16];
    char hex[32];
    if (getrandom(b, sizeof b, 0) != sizeof b)
        memset(b, 0, sizeof b);
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    jg_hex_encode(b, sizeof b, hex);
    (void)snprintf(ret, JG_UUID_CHARS + 1, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
                   hex + 20);
}
