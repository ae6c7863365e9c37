/* SPDX-License-Identifier: Apache-2.0
 * Random UUIDs, version 4 of RFC 9562: service.instance.id.
 */
#ifndef JG_CORE_UUID_H
#define JG_CORE_UUID_H

#define JG_UUID_CHARS 36

/** "f81d4fae-7dec-41d0-a765-00a0c91e6bf6". */
void jg_uuid_make(char ret[JG_UUID_CHARS + 1]);

#endif
