/* SPDX-License-Identifier: Apache-2.0
 * The FileDescriptorSet of all services in proto/, made by the build; for gRPC server reflection.
 */
#ifndef JG_WIRE_DESCRIPTORS_H
#define JG_WIRE_DESCRIPTORS_H

#include <stddef.h>
#include <stdint.h>

extern const uint8_t jg_descriptors[];
extern const size_t jg_descriptors_len;

#endif
