/* SPDX-License-Identifier: Apache-2.0
 * What the store takes and how long it keeps things, as metrics: see jg_engine_measure().
 */
#include "core/str.h"
#include "storage/embedded/engine.h"

static void fill(void *user)
{
    const jg_engine *engine = user;
    uint64_t bytes = 0;
    for (jg_tenant *t = __atomic_load_n(&engine->tenants, __ATOMIC_ACQUIRE); t; t = t->next)
        bytes += jg_store_disk_bytes(t->store);
    jg_metric_set(engine->disk_gauge, (double)bytes);
}

void jg_engine_measure(jg_engine *engine, jg_metrics *metrics)
{
    const jg_store_options *options = &engine->config.store;
    const jaeger_pair label = {JAEGER_STR("directory"), jg_str(engine->root)};
    engine->metrics = metrics;
    engine->disk_gauge =
        jg_metrics_gauge(metrics, "jaeger_storage_disk_bytes", "Disk that a store takes.", &label, 1);
    jg_metric_set(jg_metrics_gauge(metrics, "jaeger_storage_disk_limit_bytes",
                                   "Disk that a store may take; 0: until the file system is nearly full.",
                                   &label, 1),
                  (double)options->max_disk_bytes);
    jg_metric_set(jg_metrics_gauge(metrics, "jaeger_storage_retention_seconds",
                                   "How long a store keeps spans; 0: as long as the disk lasts.", &label, 1),
                  (double)options->ttl_ns / 1e9);
    jg_metrics_on_scrape(metrics, fill, engine);
}
