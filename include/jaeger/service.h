/* SPDX-License-Identifier: Apache-2.0
 * The service: everything a Jaeger binary does, from a YAML configuration, in the caller's process.
 *
 * Several services can live in one process. The library never exits, installs no signal handlers, writes to
 * no standard stream and reads no environment, except in jaeger_main().
 */
#ifndef JAEGER_SERVICE_H
#define JAEGER_SERVICE_H

#include <jaeger/component.h>
#include <jaeger/query.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct jaeger_service jaeger_service;

typedef struct jaeger_service_options {
    size_t size;
    const char *yaml; /**< the configuration, NUL-terminated */
    const char *const
        *sources; /**< or: URIs as --config takes them (file:, env:, yaml:, bare path), merged */
    size_t source_count;
    const char *const *sets; /**< "key.path=value", merged last */
    size_t set_count;
    const char *(*getenv)(void *user,
                          const char *name); /**< resolves ${env:NAME}; NULL: every name is unset */
    void *user;
    jaeger_log_sink log;                            /**< write NULL: silent */
    const jaeger_component_type *const *components; /**< more kinds of components than the built-in ones */
    size_t component_count;
    const jaeger_storage_driver *const *drivers;
    size_t driver_count;
    const char *feature_gates; /**< "a,-b,+c"; NULL: the defaults */
    /** A component can no longer work and the service should be stopped (not from this call). Once, from any
     * thread; may be NULL: then only the log and health checks tell. `user` is the one above. */
    void (*failed)(void *user, const jaeger_error *error);
} jaeger_service_options;

#ifdef __cplusplus
#define JAEGER_SERVICE_OPTIONS_INIT (jaeger_service_options{sizeof(jaeger_service_options)})
#else
#define JAEGER_SERVICE_OPTIONS_INIT ((jaeger_service_options){.size = sizeof(jaeger_service_options)})
#endif

/** Read the configuration, check it and build the pipelines. Opens no socket. @return INVALID_ARGUMENT, one
 * fault a line. Threads: one at a time for one service. */
JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_service_new(const jaeger_service_options *options,
                                                              jaeger_service **ret, jaeger_error *err);
/** Start extensions, exporters, processors, receivers. On failure what was started is stopped again. */
JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_service_start(jaeger_service *service, jaeger_error *err);
/** Stop receivers first, drain, stop the rest. @param timeout_ns at most this long. Idempotent. */
JAEGER_API void jaeger_service_stop(jaeger_service *service, uint64_t timeout_ns);
/** Stops first if need be. Accepts NULL. */
JAEGER_API void jaeger_service_free(jaeger_service *service);

/** Push spans into pipeline `name` ("traces", "traces/2") as a receiver would, without a socket.
 *  Takes one reference, even on failure. @return NOT_FOUND: no such pipeline; what the pipeline answered */
JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_service_consume(jaeger_service *service,
                                                                  const char *pipeline, jaeger_batch *take,
                                                                  jaeger_call *call);
/** The query service of the extension jaeger_query; NULL: none, or not started. Lives until stop. */
JAEGER_API jaeger_query *jaeger_service_query(jaeger_service *service);
/** An open storage backend by its YAML name. @return NOT_FOUND */
JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_service_storage(jaeger_service *service, const char *name,
                                                                  jaeger_storage *ret, jaeger_error *err);

/** A whole binary: command line, signals, standard streams. @param yaml the configuration without --config
 *  @return the exit code */
JAEGER_API int jaeger_main(int argc, char **argv, const char *program, const char *yaml);

#ifdef __cplusplus
}
#endif
#endif
