/* SPDX-License-Identifier: Apache-2.0
 * Driver "memory": traces in memory, oldest out first, under a ceiling of traces for each tenant and of bytes
 * for all. Design and locks: memory/store.h.
 */
#include "storage/memory/store.h"

#include "core/err.h"
#include "core/sysmem.h"
#include <jaeger/storage.h>
#include <sys/random.h>

static void fill_gauges(void *user)
{
    jg_mem_store *store = user;
    uint64_t traces = 0;
    (void)pthread_mutex_lock(&store->lock);
    for (const jg_mem_tenant *tenant = store->all; tenant; tenant = tenant->next)
        traces += __atomic_load_n(&tenant->traces, __ATOMIC_RELAXED);
    (void)pthread_mutex_unlock(&store->lock);
    jg_metric_set(store->traces_gauge, (double)traces);
    jg_metric_set(store->bytes_gauge, (double)__atomic_load_n(&store->bytes, __ATOMIC_RELAXED));
}

static void measure(jg_mem_store *store, jg_metrics *metrics)
{
    store->metrics = metrics;
    store->evicted =
        jg_metrics_counter(metrics, "jaeger_memory_evicted_traces",
                           "Traces dropped by the memory store to stay under its ceilings", NULL, 0);
    store->bytes_gauge =
        jg_metrics_gauge(metrics, "jaeger_memory_bytes", "Memory that the memory store takes.", NULL, 0);
    store->traces_gauge =
        jg_metrics_gauge(metrics, "jaeger_memory_traces", "Traces in the memory store.", NULL, 0);
    jg_metric_set(jg_metrics_gauge(metrics, "jaeger_memory_limit_bytes",
                                   "Memory that the memory store may take.", NULL, 0),
                  (double)store->max_bytes);
    jg_metric_set(jg_metrics_gauge(metrics, "jaeger_memory_limit_traces",
                                   "Traces of a tenant that the memory store keeps.", NULL, 0),
                  (double)store->max_traces);
    jg_metrics_on_scrape(metrics, fill_gauges, store);
}

static jaeger_status memory_open(void *self, const void *config, const jaeger_logger *log,
                                 struct jg_metrics *metrics, jaeger_error *err)
{
    jg_mem_store *store = self;
    const jg_mem_config *c = config;
    if (c->max_traces <= 0)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "max traces must be greater than zero");
    store->max_traces = (uint64_t)c->max_traces;
    store->max_bytes = c->max_bytes ? c->max_bytes : jg_sysmem_bytes() / 4;
    store->log = log;
    if (getrandom(&store->seed, sizeof store->seed, 0) != sizeof store->seed)
        return jg_fail(err, JAEGER_INTERNAL, "no random numbers");
    pthread_mutex_init(&store->lock, NULL);
    pthread_mutex_init(&store->spares.lock, NULL);
    measure(store, metrics);
    return JAEGER_OK;
}

static void memory_close(void *self)
{
    jg_mem_store *store = self;
    jg_metrics_off_scrape(store->metrics, store);
    for (jg_mem_tenant *tenant = store->all, *next; tenant; tenant = next) {
        next = tenant->next;
        jg_mem_tenant_free(tenant);
    }
    jg_map_done(&store->tenants);
    jg_mem_spares_done(store);
    pthread_mutex_destroy(&store->lock);
}

static jaeger_status memory_caps(void *self, jaeger_storage_caps *ret, jaeger_call *call)
{
    (void)self, (void)call;
    ret->without_service_name = true;
    ret->filter = true;
    ret->same_span_conjunction = true;
    ret->durable = false;
    ret->prompt = true;
    return JAEGER_OK;
}

static jaeger_status memory_purge(void *self, jaeger_call *call)
{
    jg_mem_tenant *tenant;
    JG_TRY(jg_mem_tenant_get(self, call->tenant, false, &tenant, &call->error));
    if (!tenant)
        return JAEGER_OK;
    /* those that are there now: writers may add more meanwhile */
    for (uint64_t n = __atomic_load_n(&tenant->traces, __ATOMIC_RELAXED); n && jg_mem_evict_oldest(tenant);
         n--)
        JG_TRY(jaeger_call_check(call));
    jg_mem_names_clear(tenant);
    jg_mem_sampling_clear(tenant);
    return JAEGER_OK;
}

static const jaeger_field fields[] = {
    {"max_traces", JAEGER_FIELD_I64, offsetof(jg_mem_config, max_traces), "1000000",
     "traces kept for each tenant; the oldest go first", NULL, 0, NULL, false},
    {"max_bytes", JAEGER_FIELD_U64, offsetof(jg_mem_config, max_bytes), "0",
     "memory of the whole store; 0: a quarter of the machine's or the cgroup's", NULL, 0, NULL, false},
    {0},
};

const jaeger_storage_driver jg_storage_memory = {
    .size = sizeof(jaeger_storage_driver),
    .name = "memory",
    .doc = "Keeps traces in memory, oldest out first; they are lost at stop",
    .fields = fields,
    .config_size = sizeof(jg_mem_config),
    .state_size = sizeof(jg_mem_store),
    .open = memory_open,
    .close = memory_close,
    .caps = memory_caps,
    .write = jg_mem_write,
    .get_traces = jg_mem_get_traces,
    .find_traces = jg_mem_find_traces,
    .find_trace_ids = jg_mem_find_trace_ids,
    .find_summaries = jg_mem_find_summaries,
    .services = jg_mem_services,
    .operations = jg_mem_operations,
    .dependencies = jg_mem_dependencies,
    .purge = memory_purge,
    .sampling = &jg_mem_sampling_store,
    .attributes = jg_mem_attributes,
    .rank_traces = jg_mem_rank_traces,
    .reread_trace = jg_mem_reread_trace,
};
