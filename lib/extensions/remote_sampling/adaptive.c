/* SPDX-License-Identifier: Apache-2.0
 * See adaptive.h. Keys and defaults: Jaeger, internal/sampling/samplingstrategy/adaptive/options.go.
 */
#include "extensions/remote_sampling/adaptive.h"

#include "core/err.h"

static jaeger_status open_store(jaeger_str name, jaeger_host *host, jaeger_storage *ret, jaeger_error *err)
{
    void *self;
    const jaeger_storage_interface *storage =
        jaeger_host_extension(host, "jaeger_storage", JAEGER_STORAGE_INTERFACE, &self);
    if (!storage)
        return jg_fail(err, JAEGER_FAILED_PRECONDITION, "cannot find extension 'jaeger_storage'");
    JG_TRY(storage->open(self, name.ptr, ret, err)); /* configured strings end with a NUL */
    if (!ret->driver->sampling)
        return jg_fail(err, JAEGER_FAILED_PRECONDITION, "storage '%s' does not support sampling store",
                       name.ptr);
    return JAEGER_OK;
}

jaeger_status jg_adaptive_config_start(const jg_adaptive_config *config, jaeger_host *host,
                                       const jaeger_logger *log, jg_adaptive **ret, jaeger_error *err)
{
    jaeger_storage storage;
    if (open_store(config->sampling_store, host, &storage, err) != JAEGER_OK)
        return jg_fail_prefix(err, "failed to obtain sampling store factory");
    jg_adaptive_init init = {.options = config->options,
                             .store = storage.driver->sampling,
                             .store_self = storage.self,
                             .log = log,
                             .metrics = jaeger_host_metrics(host)};
    jg_adaptive *adaptive;
    JG_TRY(jg_adaptive_new(&init, &adaptive, err));
    jaeger_status status = jg_adaptive_start(adaptive, err);
    if (status != JAEGER_OK) {
        jg_adaptive_free(adaptive);
        return jg_fail_prefix(err, "failed to start the adaptive strategy store");
    }
    *ret = adaptive;
    return JAEGER_OK;
}

#define AT(member) offsetof(jg_adaptive_config, options.member)

const jaeger_field jg_adaptive_fields[] = {
    {.name = "sampling_store",
     .kind = JAEGER_FIELD_STR,
     .offset = offsetof(jg_adaptive_config, sampling_store),
     .required = true,
     .doc = "a backend of jaeger_storage that keeps counts, probabilities and the lease"},
    {.name = "target_samples_per_second",
     .kind = JAEGER_FIELD_DOUBLE,
     .offset = AT(calculation.target_samples_per_second),
     .fallback = "1",
     .doc = "of each operation, over all hosts"},
    {.name = "delta_tolerance",
     .kind = JAEGER_FIELD_DOUBLE,
     .offset = AT(calculation.delta_tolerance),
     .fallback = "0.3",
     .doc = "a rate this close to the target, as a share of it, is left alone"},
    {.name = "calculation_interval",
     .kind = JAEGER_FIELD_DURATION,
     .offset = AT(calculation_interval_ns),
     .fallback = "1m",
     .doc = "how often counts are shared and probabilities calculated"},
    {.name = "aggregation_buckets",
     .kind = JAEGER_FIELD_I64,
     .offset = AT(calculation.aggregation_buckets),
     .fallback = "10",
     .doc = "intervals kept: an operation not seen for so many starts anew"},
    {.name = "calculation_buckets",
     .kind = JAEGER_FIELD_I64,
     .offset = AT(calculation.calculation_buckets),
     .fallback = "1",
     .doc = "intervals a rate is averaged over, the newest weighing most"},
    {.name = "calculation_delay",
     .kind = JAEGER_FIELD_DURATION,
     .offset = AT(calculation_delay_ns),
     .fallback = "2m",
     .doc = "age of the intervals calculated from: clients need time to poll"},
    {.name = "initial_sampling_probability",
     .kind = JAEGER_FIELD_DOUBLE,
     .offset = AT(calculation.initial_sampling_probability),
     .fallback = "0.001",
     .doc = "of operations not seen before"},
    {.name = "min_sampling_probability",
     .kind = JAEGER_FIELD_DOUBLE,
     .offset = AT(calculation.min_sampling_probability),
     .fallback = "1e-5",
     .doc = "the smallest one"},
    {.name = "min_samples_per_second",
     .kind = JAEGER_FIELD_DOUBLE,
     .offset = AT(min_samples_per_second),
     .fallback = "0.016666666666666666",
     .doc = "lower bound for clients, whatever the probability"},
    {.name = "leader_lease_refresh_interval",
     .kind = JAEGER_FIELD_DURATION,
     .offset = AT(leader_lease_refresh_interval_ns),
     .fallback = "5s",
     .doc = "how often the leader renews its lease"},
    {.name = "follower_lease_refresh_interval",
     .kind = JAEGER_FIELD_DURATION,
     .offset = AT(follower_lease_refresh_interval_ns),
     .fallback = "60s",
     .doc = "how often others ask for it, and how long it lasts"},
    {.kind = JAEGER_FIELD_END},
};
