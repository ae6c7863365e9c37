/* SPDX-License-Identifier: Apache-2.0
 * The texts and prefixes of gRPC over HTTP/2, both directions. Pure functions.
 * Spec: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */
#ifndef JG_NET_GRPC_WIRE_H
#define JG_NET_GRPC_WIRE_H

#include "core/arena.h"
#include "core/attr.h"
#include "core/buf.h"

#define JG_GRPC_PREFIX_BYTES  5
#define JG_GRPC_TIMEOUT_BYTES 12 /* "99999999u" and its NUL */

/** Compressed flag and length. @return false: a flag other than 0 and 1 */
bool jg_grpc_prefix_read(const uint8_t prefix[JG_GRPC_PREFIX_BYTES], bool *ret_compressed, uint32_t *ret_len);
void jg_grpc_prefix_write(uint8_t prefix[JG_GRPC_PREFIX_BYTES], bool compressed, uint32_t len);

/** "100m" and the like: at most 8 digits and a unit. @return false: not a timeout */
bool jg_grpc_timeout_read(jaeger_str text, uint64_t *ret_ns);
/** Rounded up, so that the server does not give up before us. */
void jg_grpc_timeout_write(uint64_t ns, char out[JG_GRPC_TIMEOUT_BYTES]);

/** "/package.Service/Method". @return false: no slash, or one only */
bool jg_grpc_path_split(jaeger_str path, jaeger_str *ret_service, jaeger_str *ret_method);
/** application/grpc, with +subtype or ;parameter. */
bool jg_grpc_content_type_ok(jaeger_str content_type);

/** grpc-message: %XX for all but printable ASCII, and for '%'. */
void jg_grpc_message_write(jg_buf *out, jaeger_str message);
/** Reverse, tolerant of what is no escape. */
void jg_grpc_message_read(jg_buf *out, jaeger_str encoded);

/** Value of a "-bin" header: base64, padded or not. ptr NULL: it is not, or out of memory */
jaeger_str jg_grpc_binary_read(jaeger_arena *arena, jaeger_str value);
/** Is `coding` in a list like "identity,deflate, gzip"? */
bool jg_grpc_list_has(jaeger_str list, const char *coding);
/** Headers that belong to the transport and are no metadata: ":path", "grpc-timeout", "te", "content-type"...
 */
bool jg_grpc_header_is_reserved(jaeger_str name);

#endif
