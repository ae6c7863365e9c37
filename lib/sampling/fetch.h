/* SPDX-License-Identifier: Apache-2.0
 * One HTTP GET: strategies files by URL, and polling of sampling servers.
 */
#ifndef JG_SAMPLING_FETCH_H
#define JG_SAMPLING_FETCH_H

#include "core/buf.h"

/** Append the body to `out`, whose ceiling caps it. Blocks up to timeout_ns.
 *  @param ret_status HTTP status; set on OK only
 *  @return UNAVAILABLE: no answer; RESOURCE_EXHAUSTED: larger than the ceiling of `out` */
jaeger_status jg_fetch(const char *url, uint64_t timeout_ns, jg_buf *out, long *ret_status,
                       jaeger_error *err) JG_MUST_CHECK;
/** "<base>?service=<escaped>" ("&" if the base has a query). @return false: out of memory or above the
 * ceiling */
bool jg_fetch_url_of(jg_buf *out, jaeger_str base, jaeger_str service) JG_MUST_CHECK;

#endif
