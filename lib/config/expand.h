/* SPDX-License-Identifier: Apache-2.0
 * ${scheme:opaque} in values.
 */
#ifndef JG_CONFIG_EXPAND_H
#define JG_CONFIG_EXPAND_H

#include "config/load.h"
#include "config/tree.h"

/** Expand every value below `root` in place, then turn "$$" into "$". Parents need adopting afterwards.
 *  @return INVALID_ARGUMENT with path and place; what the source said */
jaeger_status jg_config_expand(jaeger_config *root, const jg_config_sources *sources,
                               jaeger_error *err) JG_MUST_CHECK;

#endif
