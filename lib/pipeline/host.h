/* SPDX-License-Identifier: Apache-2.0
 * The host as built-in components see it, beyond jaeger/component.h.
 */
#ifndef JG_PIPELINE_HOST_H
#define JG_PIPELINE_HOST_H

#include "core/auth.h"
#include <jaeger/component.h>

struct jg_net;
struct jaeger_query;

/** The service's network; lives from before create until after destroy. */
struct jg_net *jg_host_net(jaeger_host *host);
/** Records our own spans; NULL: off. Once components start. */
struct jaeger_tracer *jg_host_tracer(const jaeger_host *host);
/** Walk the storage drivers, the embedder's first; NULL at the end. */
const jaeger_storage_driver *jg_host_driver(jaeger_host *host, size_t index);
/** Is the feature gate `id` on? false for unknown ids. */
bool jg_host_gate(jaeger_host *host, const char *id);
/** Walk the feature gates. @return false at the end */
bool jg_host_gate_at(jaeger_host *host, size_t index, const char **ret_id, bool *ret_on);
/** State of the service for health checks. */
typedef enum jg_service_state {
    JG_STATE_STARTING,
    JG_STATE_OK,
    JG_STATE_STOPPING,
    JG_STATE_FATAL
} jg_service_state;
jg_service_state jg_host_state(jaeger_host *host, uint64_t *ret_since_unix_ns);
/** Health of an exporter, as its last attempts went. */
typedef enum jg_health { JG_HEALTH_OK, JG_HEALTH_RECOVERABLE, JG_HEALTH_PERMANENT } jg_health;
/** Tell a change; a repetition changes nothing. `host` NULL: nobody listens. Threads: any. */
void jg_host_report(jaeger_host *host, const char *id, jg_health health, const jaeger_error *err);
/** @param ret_since_unix_ns of the last change; @param ret_err set unless OK. @return OK for who told nothing
 */
jg_health jg_host_health(jaeger_host *host, const char *id, uint64_t *ret_since_unix_ns,
                         jaeger_error *ret_err);
/** Walk running components for health and zpages: pipelines and extensions. */
size_t jg_host_pipeline_count(jaeger_host *host);
const char *jg_host_pipeline_name(jaeger_host *host, size_t index);
size_t jg_host_component_count(jaeger_host *host);
/** @param ret_pipeline name, or NULL for an extension */
const char *jg_host_component(jaeger_host *host, size_t index, jaeger_kind *ret_kind,
                              const char **ret_pipeline);
/** The extension jaeger_query offers its service to the embedder under this interface name; the table is the
 *  jaeger_query itself. */
#define JG_QUERY_INTERFACE "query"
/** The extension jaeger_storage: sections of `metric_backends`, for who makes metric stores of them. */
#define JG_METRIC_BACKENDS_INTERFACE "metric_backends"
typedef struct jg_metric_backends_interface {
    /** @param ret_kind "prometheus", ...; @param ret_node its section; both live as long as the configuration
     *  @return NOT_FOUND: "metric storage '<name>' not declared in 'jaeger_storage' extension configuration"
     */
    jaeger_status (*find)(void *self, const char *name, jaeger_str *ret_kind, const jaeger_config **ret_node,
                          jaeger_error *err);
} jg_metric_backends_interface;
/** Extensions that know what keeps them from serving (jaeger_storage). */
#define JG_HEALTH_INTERFACE "health"
typedef struct jg_health_interface {
    /** @return OK, or UNAVAILABLE with the reason. Any thread, does not block */
    jaeger_status (*health)(void *self, jaeger_error *err);
} jg_health_interface;
/** The authenticator that a server's `auth` block names; nothing if the block is off. @return
 * INVALID_ARGUMENT: no such extension, or it cannot check requests */
jaeger_status jg_host_auth(jaeger_host *host, const jg_auth_settings *settings, jg_authenticator *ret,
                           jaeger_error *err) JAEGER_MUST_CHECK;

/** The authenticator that a client's `auth` block names. @return INVALID_ARGUMENT: no such extension, or it
 * cannot speak for clients */
jaeger_status jg_host_client_auth(jaeger_host *host, jaeger_str authenticator,
                                  const jg_client_auth_interface **ret, void **ret_self,
                                  jaeger_error *err) JAEGER_MUST_CHECK;

#endif
