/* SPDX-License-Identifier: Apache-2.0
 * Components: receivers, processors, exporters, connectors, extensions. The kinds and their YAML are those of
 * the OpenTelemetry Collector.
 */
#ifndef JAEGER_COMPONENT_H
#define JAEGER_COMPONENT_H

#include <jaeger/batch.h>
#include <jaeger/config.h>
#include <jaeger/storage.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum jaeger_kind {
    JAEGER_RECEIVER,
    JAEGER_PROCESSOR,
    JAEGER_EXPORTER,
    JAEGER_CONNECTOR,
    JAEGER_EXTENSION
} jaeger_kind;

/** How components meet: by name, through the service that holds them. */
typedef struct jaeger_host jaeger_host;

typedef struct jaeger_component_create {
    size_t size;
    const char *id;            /**< "otlp/2"; lives as long as the component */
    const void *config;        /**< bound struct of the type's fields; lives as long as the component */
    const jaeger_config *node; /**< the same as a tree; NULL for an empty section */
    jaeger_consumer next; /**< receivers, processors, connectors: what follows. consume is NULL for others */
    const jaeger_logger *log;
    jaeger_host *host;
    uint32_t signals;                /**< receivers: those of the pipelines that name it; 0 for others */
    bool (*next_defers)(void *self); /**< may calls to `next` offer `later`? Asked with next.self, once what
                                        follows has started. NULL: no */
} jaeger_component_create;

/** A kind of component; const, at the foot of its file. Slots run on the main thread unless said otherwise.
 */
typedef struct jaeger_component_type {
    size_t size;
    const char *name, *doc;
    jaeger_kind kind;
    uint32_t takes, gives; /**< signal bits; the graph checks each edge */
    const jaeger_field *fields;
    size_t config_size, state_size;
    /** Check what a field table cannot; runs for unused components too. `err` begins with the path of the
     * node. */
    jaeger_status (*validate)(const void *config, const jaeger_config *node, jaeger_error *err);
    /** `self`: state_size zeroed bytes. Opens nothing: sockets and files are for start. */
    jaeger_status (*create)(void *self, const jaeger_component_create *in, jaeger_error *err); /* mandatory */
    jaeger_status (*start)(void *self, jaeger_error *err);
    /** Takes one reference, even on failure. Any thread; may block up to the deadline. */
    jaeger_status (*consume)(void *self, jaeger_batch *take, jaeger_call *call);
    /** Refuse new work, drain, join. Idempotent; fine without start. @param deadline_ns CLOCK_MONOTONIC */
    void (*stop)(void *self, uint64_t deadline_ns);
    void (*destroy)(void *self);
    /** Extensions: hand out the interface called `name` (a table whose shape that name fixes); NULL: none. */
    const void *(*interface)(void *self, const char *name);
    /** As jaeger_consumer.prompt; asked by what comes before, once this component has started. */
    bool (*prompt)(void *self);
    const char *const *depends; /**< extensions that must be there and, for extensions, start before;
                                   NULL-terminated, or NULL. "?type": only if it is there */
    /** Whether consume waits for nothing, and ends by call->later what takes time, if the call offers that
     *  (see jaeger_consumer). Asked as `prompt`; what it says holds while it runs. NULL: no, and no call to
     *  this component offers it. */
    bool (*defers)(void *self);
} jaeger_component_type;

/** May this component's calls to `next` offer `later`? Asked once what follows has started. */
static inline bool jaeger_next_defers(const jaeger_component_create *in)
{
    return in->next_defers && in->next_defers(in->next.self);
}

/** The interface `name` of the running extension `id` ("jaeger_storage"). @param ret_self its state
 *  @return NULL: no such extension is in service.extensions, or it has no such interface */
JAEGER_API const void *jaeger_host_extension(jaeger_host *host, const char *id, const char *name,
                                             void **ret_self);
/** The service's metrics registry (internal type; NULL-safe users only). */
JAEGER_API struct jg_metrics *jaeger_host_metrics(jaeger_host *host);
/** Tell the service that a component can no longer work: it stops in order. Threads: any. */
JAEGER_API void jaeger_host_fail(jaeger_host *host, const char *id, const jaeger_error *err);

/** Interface "storage" of the extension jaeger_storage: backends by their YAML name, opened at first use. */
#define JAEGER_STORAGE_INTERFACE "storage"
typedef struct jaeger_storage_interface {
    /** @return NOT_FOUND: "storage '<name>' not declared in 'jaeger_storage' extension configuration" */
    jaeger_status (*open)(void *self, const char *name, jaeger_storage *ret, jaeger_error *err);
} jaeger_storage_interface;

#ifdef __cplusplus
}
#endif
#endif
