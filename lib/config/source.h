/* SPDX-License-Identifier: Apache-2.0
 * The text behind "scheme:opaque": env, file, yaml, http, https. Serves --config and ${...} alike.
 */
#ifndef JG_CONFIG_SOURCE_H
#define JG_CONFIG_SOURCE_H

#include "config/load.h"

/** Split "scheme:opaque"; a scheme has two or more characters. @return false: it has none */
bool jg_source_split(jaeger_str uri, jaeger_str *ret_scheme, jaeger_str *ret_opaque);
bool jg_source_is_known(jaeger_str scheme);
/** Append the text. An unset variable without a default is empty. Blocks: http(s), up to 5 s.
 *  @return INVALID_ARGUMENT (bad name, too large), NOT_FOUND (no such file), UNAVAILABLE (http) */
jaeger_status jg_source_read(const jg_config_sources *sources, jaeger_str scheme, jaeger_str opaque,
                             jg_buf *out, jaeger_error *err) JG_MUST_CHECK;
/** GET `url` into `out`. */
jaeger_status jg_source_fetch(const char *url, jg_buf *out, jaeger_error *err) JG_MUST_CHECK;

#endif
