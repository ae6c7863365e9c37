/* SPDX-License-Identifier: Apache-2.0
 * Driver "badger": Jaeger's keys for its embedded store, served by ours (see embedded.c). Files that Badger
 * wrote are not read. Keys: jaeger v2 internal/storage/v1/badger/config.go.
 */
#include "core/err.h"
#include "core/str.h"
#include "storage/embedded/driver.h"
#include <stdio.h>

typedef struct badger_directories {
    jaeger_str keys, values;
} badger_directories;

typedef struct badger_config {
    badger_directories directories;
    bool ephemeral, consistency, read_only;
    jg_embedded_ttl ttl;
    uint64_t maintenance_interval, metrics_update_interval;
} badger_config;

static jaeger_status badger_open(void *self, const void *config, const jaeger_logger *log,
                                 struct jg_metrics *metrics, jaeger_error *err)
{
    const badger_config *c = config;
    jg_engine_config engine_config;
    char directory[4096];
    if (!c->ephemeral && !c->directories.values.len)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "badger: directories.values is empty");
    (void)snprintf(directory, sizeof directory, "%.*s", JAEGER_STR_ARGS(c->directories.values));
    jg_embedded_config embedded = {.directory = c->ephemeral ? (jaeger_str){0} : jg_str(directory),
                                   .ephemeral = c->ephemeral,
                                   .read_only = c->read_only,
                                   .ttl = c->ttl};
    jg_embedded_defaults(&embedded);
    jg_embedded_options(&embedded, &engine_config);
    jaeger_log(log, JAEGER_INFO,
               "badger's keys are served by the embedded store directory=%s ephemeral=%s; its own files are "
               "not read, "
               "consistency is always on",
               c->ephemeral ? "(temporary)" : directory, c->ephemeral ? "true" : "false");
    JG_TRY(jg_engine_open(self, &engine_config, log, err));
    jg_engine_measure(self, metrics);
    return JAEGER_OK;
}

static void badger_close(void *self)
{
    jg_engine_close(self);
}

static const jaeger_field directory_fields[] = {
    {"keys", JAEGER_FIELD_STR, offsetof(badger_directories, keys), "", "accepted; all data is under `values`",
     NULL, 0, NULL, false},
    {"values", JAEGER_FIELD_STR, offsetof(badger_directories, values), "",
     "where the data is; needed unless ephemeral", NULL, 0, NULL, false},
    {0},
};

static const jaeger_field ttl_fields[] = {
    {"spans", JAEGER_FIELD_DURATION, offsetof(jg_embedded_ttl, spans), "72h",
     "age at which spans are dropped", NULL, 0, NULL, false},
    {0},
};

static const jaeger_field fields[] = {
    {"directories", JAEGER_FIELD_BLOCK, offsetof(badger_config, directories), NULL, "where the data is",
     directory_fields, sizeof(badger_directories), NULL, false},
    {"ephemeral", JAEGER_FIELD_BOOL, offsetof(badger_config, ephemeral), "true",
     "use a temporary directory and remove it at stop", NULL, 0, NULL, false},
    {"ttl", JAEGER_FIELD_BLOCK, offsetof(badger_config, ttl), NULL, "how long spans are kept", ttl_fields,
     sizeof(jg_embedded_ttl), NULL, false},
    {"consistency", JAEGER_FIELD_BOOL, offsetof(badger_config, consistency), "false",
     "accepted; writes are always synced", NULL, 0, NULL, false},
    {"maintenance_interval", JAEGER_FIELD_DURATION, offsetof(badger_config, maintenance_interval), "5m",
     "accepted; old data goes at once", NULL, 0, NULL, false},
    {"metrics_update_interval", JAEGER_FIELD_DURATION, offsetof(badger_config, metrics_update_interval),
     "10s", "accepted", NULL, 0, NULL, false},
    {"read_only", JAEGER_FIELD_BOOL, offsetof(badger_config, read_only), "false",
     "read what another process of ours writes there", NULL, 0, NULL, false},
    {0},
};

const jaeger_storage_driver jg_storage_badger = {
    .size = sizeof(jaeger_storage_driver),
    .name = "badger",
    .doc = "Jaeger's keys for Badger, served by the driver embedded",
    .fields = fields,
    .config_size = sizeof(badger_config),
    .state_size = sizeof(jg_engine),
    .open = badger_open,
    .close = badger_close,
    .caps = jg_embedded_caps,
    .write = jg_embedded_write,
    .get_traces = jg_embedded_get_traces,
    .find_traces = jg_embedded_find_traces,
    .find_trace_ids = jg_embedded_find_trace_ids,
    .find_summaries = jg_embedded_find_summaries,
    .services = jg_embedded_services,
    .operations = jg_embedded_operations,
    .dependencies = jg_embedded_dependencies,
    .purge = jg_embedded_purge,
    .sampling = &jg_embedded_sampling,
    .rank_traces = jg_embedded_rank_traces,
    .attributes = jg_embedded_attributes,
    .reread_trace = jg_embedded_reread_trace,
};
