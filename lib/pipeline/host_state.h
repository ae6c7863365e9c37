/* SPDX-License-Identifier: Apache-2.0
 * The host as the service makes it; components see it through jaeger/component.h and pipeline/host.h.
 */
#ifndef JG_PIPELINE_HOST_STATE_H
#define JG_PIPELINE_HOST_STATE_H

#include "core/metrics.h"
#include "pipeline/graph.h"
#include "pipeline/host.h"
#include <jaeger/tracer.h>
#include <pthread.h>

/** What a component told. */
typedef struct jg_health_report {
    struct jg_health_report *next;
    jg_health health;
    uint64_t since_unix_ns;
    jaeger_error err;
    char id[];
} jg_health_report;

struct jaeger_host {
    struct jg_net *net;       /* may be NULL */
    jg_metrics *metrics;      /* may be NULL */
    jaeger_tracer *tracer;    /* of our own spans; NULL: off. Set before components start */
    bool traced;              /* there will be a tracer */
    const jaeger_logger *log; /* may be NULL */
    const jg_graph *graph;
    const jaeger_storage_driver *const *drivers;      /* NULL-terminated; may be NULL */
    const jaeger_storage_driver *const *more_drivers; /* the embedder's; they come first */
    size_t more_driver_count;
    const bool *gates; /* by index of the gate; read through `gate` */
    bool (*gate)(const bool *gates, const char *id);
    const char *(*gate_at)(size_t index); /* id of the gate; NULL at the end */
    /** A component has failed: called once, on the thread that told us. May be NULL. */
    void (*failed)(void *user, const jaeger_error *err);
    void *user;

    pthread_mutex_t state_mutex; /* guards what follows */
    jg_service_state state;
    uint64_t since_unix_ns;
    jaeger_error failure;      /* of the first component that failed */
    jg_health_report *reports; /* one for each exporter that told anything */
};

void jg_host_init(jaeger_host *host);
void jg_host_done(jaeger_host *host);
/** A FATAL state stays until the service stops. */
void jg_host_set_state(jaeger_host *host, jg_service_state state);

#endif
