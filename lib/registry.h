/* SPDX-License-Identifier: Apache-2.0
 * All built-in components and storage drivers; generated from the lists in lib/meson.build.
 */
#ifndef JG_REGISTRY_H
#define JG_REGISTRY_H

#include <jaeger/component.h>

extern const jaeger_component_type *const jg_registry_components[]; /* NULL-terminated */
extern const jaeger_storage_driver *const jg_registry_drivers[];    /* NULL-terminated */

#endif
