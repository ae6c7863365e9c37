/* SPDX-License-Identifier: Apache-2.0
 * Writes to a storage backend of the extension jaeger_storage, after repairing what Jaeger repairs. Without
 * `queue`, our default and Jaeger's, the answer is the storage's: acknowledged spans are stored.
 * Keys: jaeger cmd/jaeger/internal/exporters/storageexporter.
 */
#include "core/err.h"
#include "model/batch.h"
#include "model/sanitize.h"
#include "pipeline/queue.h"
#include <jaeger/component.h>

typedef struct exporter_config {
    jaeger_str trace_storage;
    jg_queue_config queue;
    jg_retry_config retry;
} exporter_config;

typedef struct storage_exporter {
    const exporter_config *config;
    jaeger_host *host;
    jg_queue *queue;
    jaeger_storage storage;
    bool prompt;
} storage_exporter;

static jaeger_status exporter_validate(const void *config, const jaeger_config *node, jaeger_error *err)
{
    const exporter_config *c = config;
    const char *path = node ? jaeger_config_path(node) : "jaeger_storage_exporter";
    if (jg_queue_check(&c->queue, err) != JAEGER_OK)
        return jg_fail_prefix(err, "%s::queue", path);
    if (jg_retry_check(&c->retry, err) != JAEGER_OK)
        return jg_fail_prefix(err, "%s::retry_on_failure", path);
    return JAEGER_OK;
}

static jaeger_status write_once(void *user, jaeger_batch *take, jaeger_call *call)
{
    storage_exporter *e = user;
    return e->storage.driver->write(e->storage.self, take, call);
}

static jaeger_status exporter_create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    storage_exporter *e = self;
    e->config = in->config;
    e->host = in->host;
    e->queue = jg_queue_new(&(jg_queue_options){.id = in->id,
                                                .host = in->host,
                                                .config = &e->config->queue,
                                                .retry = &e->config->retry,
                                                .send = write_once,
                                                .user = e,
                                                .metrics = jaeger_host_metrics(in->host),
                                                .log = in->log});
    return e->queue ? JAEGER_OK : jg_fail_oom(err);
}

/** Without queue and retries, it waits for what the driver waits for. */
static bool waits_for_nothing(const storage_exporter *e)
{
    jaeger_storage_caps caps = {.size = sizeof caps};
    jaeger_call call = JAEGER_CALL_INIT;
    const jaeger_storage_driver *driver = e->storage.driver;
    return !e->config->queue.enabled && !e->config->retry.enabled && driver->caps &&
           driver->caps(e->storage.self, &caps, &call) == JAEGER_OK && caps.prompt;
}

static jaeger_status exporter_start(void *self, jaeger_error *err)
{
    storage_exporter *e = self;
    void *extension;
    const jaeger_storage_interface *storages =
        jaeger_host_extension(e->host, "jaeger_storage", JAEGER_STORAGE_INTERFACE, &extension);
    if (!storages)
        return jg_fail(
            err, JAEGER_FAILED_PRECONDITION,
            "cannot find extension 'jaeger_storage' (make sure it's defined earlier in the config)");
    JG_TRY(storages->open(extension, e->config->trace_storage.ptr, &e->storage, err));
    e->prompt = waits_for_nothing(e);
    return jg_queue_start(e->queue, err);
}

static jaeger_status exporter_consume(void *self, jaeger_batch *take, jaeger_call *call)
{
    storage_exporter *e = self;
    jaeger_status status = jg_sanitize(&take, &call->error);
    if (status != JAEGER_OK) {
        jaeger_batch_unref(take);
        return status;
    }
    return jg_queue_send(e->queue, take, call);
}

static bool exporter_prompt(void *self)
{
    return ((storage_exporter *)self)->prompt;
}

static void exporter_stop(void *self, uint64_t deadline_ns)
{
    jg_queue_stop(((storage_exporter *)self)->queue, deadline_ns);
}

static void exporter_destroy(void *self)
{
    storage_exporter *e = self;
    jg_queue_free(e->queue);
    e->queue = NULL;
}

static const jaeger_field exporter_fields[] = {
    {.name = "trace_storage",
     .kind = JAEGER_FIELD_STR,
     .offset = offsetof(exporter_config, trace_storage),
     .doc = "name in jaeger_storage.backends",
     .required = true},
    {.name = "queue",
     .kind = JAEGER_FIELD_OPTIONAL_N,
     .offset = offsetof(exporter_config, queue),
     .sub = jg_queue_fields,
     .sub_size = sizeof(jg_queue_config),
     .doc = "answer before the write; spans that wait are lost if the process dies"},
    {.name = "retry_on_failure",
     .kind = JAEGER_FIELD_BLOCK,
     .offset = offsetof(exporter_config, retry),
     .sub = jg_retry_off_fields,
     .sub_size = sizeof(jg_retry_config),
     .doc = "write again after failures that may pass"},
    {0}};

static const char *const depends[] = {"jaeger_storage", NULL};

const jaeger_component_type jg_exporter_jaeger_storage_exporter = {
    .size = sizeof(jaeger_component_type),
    .name = "jaeger_storage_exporter",
    .doc = "writes traces to a storage backend",
    .kind = JAEGER_EXPORTER,
    .takes = JAEGER_TRACES,
    .fields = exporter_fields,
    .config_size = sizeof(exporter_config),
    .state_size = sizeof(storage_exporter),
    .validate = exporter_validate,
    .depends = depends,
    .create = exporter_create,
    .start = exporter_start,
    .consume = exporter_consume,
    .prompt = exporter_prompt,
    .stop = exporter_stop,
    .destroy = exporter_destroy,
};
