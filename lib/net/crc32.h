/* SPDX-License-Identifier: Apache-2.0
 * The checksum of gzip (RFC 1952, 8), by carry-less multiplication where the processor has it: zlib's takes
 * as long as finding the matches does.
 */
#ifndef JG_NET_CRC32_H
#define JG_NET_CRC32_H

#include "core/attr.h"
#include <jaeger/base.h>

/** Go on from `crc`, which is 0 at the begin. */
uint32_t jg_crc32(uint32_t crc, const void *bytes, size_t len);

#endif
