/* SPDX-License-Identifier: Apache-2.0
 * Opening a storage driver by name and configuration.
 */
#ifndef JG_STORAGE_OPEN_H
#define JG_STORAGE_OPEN_H

#include "core/attr.h"
#include "core/metrics.h"
#include <jaeger/storage.h>

struct jaeger_host;

/** Bind `node` to the driver's fields and open it. The config struct and state are owned by the storage.
 *  @return INVALID_ARGUMENT: configuration; what the driver's open returned */
jaeger_status jg_storage_open_in(struct jaeger_host *host, const jaeger_storage_driver *driver,
                                 const jaeger_config *node, const jaeger_logger *log, jg_metrics *metrics,
                                 jaeger_storage *ret, jaeger_error *err) JG_MUST_CHECK;
/** The same without a host. */
jaeger_status jg_storage_open(const jaeger_storage_driver *driver, const jaeger_config *node,
                              const jaeger_logger *log, jg_metrics *metrics, jaeger_storage *ret,
                              jaeger_error *err) JG_MUST_CHECK;
/** Accepts a zeroed storage. */
void jg_storage_close(jaeger_storage *storage);

#endif
