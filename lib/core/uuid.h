/* SPDX-License-Identifier: Apache-2.0
 * UUIDs of RFC 9562: random ones (version 4), and ones that sort by time (version 7).
 */
#ifndef JG_CORE_UUID_H
#define JG_CORE_UUID_H

#define JG_UUID_CHARS 36

/** "f81d4fae-7dec-41d0-a765-00a0c91e6bf6". */
void jg_uuid_make(char ret[JG_UUID_CHARS + 1]);
/** Begins with the milliseconds since 1970. */
void jg_uuid_make_v7(char ret[JG_UUID_CHARS + 1]);

#endif
