/* SPDX-License-Identifier: Apache-2.0
 * See open.h. Config struct and state of a storage are one block: the state first, since that is `self`.
 */
#include "storage/open.h"

#include "core/alloc.h"
#include "core/err.h"

#define ALIGN 64u

static size_t state_room(const jaeger_storage_driver *driver)
{
    return (driver->state_size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

jaeger_status jg_storage_open_in(struct jaeger_host *host, const jaeger_storage_driver *driver,
                                 const jaeger_config *node, const jaeger_logger *log, jg_metrics *metrics,
                                 jaeger_storage *ret, jaeger_error *err)
{
    uint8_t *self = jg_calloc(1, state_room(driver) + driver->config_size);
    if (!self)
        return jg_fail_oom(err);
    void *config = self + state_room(driver);
    jaeger_status status = driver->fields ? jaeger_config_bind(node, driver->fields, config, err) : JAEGER_OK;
    if (host && driver->attach)
        driver->attach(self, host);
    if (status == JAEGER_OK)
        status = driver->open(self, config, log, metrics, err);
    if (status != JAEGER_OK) {
        jg_free(self);
        return status;
    }
    *ret = (jaeger_storage){driver, self};
    return JAEGER_OK;
}

jaeger_status jg_storage_open(const jaeger_storage_driver *driver, const jaeger_config *node,
                              const jaeger_logger *log, jg_metrics *metrics, jaeger_storage *ret,
                              jaeger_error *err)
{
    return jg_storage_open_in(NULL, driver, node, log, metrics, ret, err);
}

void jg_storage_close(jaeger_storage *storage)
{
    if (!storage->driver)
        return;
    if (storage->driver->close)
        storage->driver->close(storage->self);
    jg_free(storage->self);
    *storage = (jaeger_storage){0};
}
