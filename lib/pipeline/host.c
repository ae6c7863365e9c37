/* SPDX-License-Identifier: Apache-2.0
 * See host.h and jaeger/component.h. The graph does not change while components run, so only the state has a
 * lock.
 */
#include "core/alloc.h"
#include "core/clock.h"
#include "core/err.h"
#include "pipeline/host_state.h"
#include <stdio.h>
#include <string.h>

void jg_host_init(jaeger_host *host)
{
    *host = (jaeger_host){.since_unix_ns = jg_clock_unix_ns()};
    (void)pthread_mutex_init(&host->state_mutex, NULL);
}

void jg_host_done(jaeger_host *host)
{
    for (jg_health_report *r; (r = host->reports);) {
        host->reports = r->next;
        jg_free(r);
    }
    (void)pthread_mutex_destroy(&host->state_mutex);
}

void jg_host_set_state(jaeger_host *host, jg_service_state state)
{
    (void)pthread_mutex_lock(&host->state_mutex);
    if (host->state != state && (host->state != JG_STATE_FATAL || state == JG_STATE_STOPPING)) {
        host->state = state;
        host->since_unix_ns = jg_clock_unix_ns();
    }
    (void)pthread_mutex_unlock(&host->state_mutex);
}

const void *jaeger_host_extension(jaeger_host *host, const char *id, const char *name, void **ret_self)
{
    const jg_component *c = host && host->graph ? jg_graph_extension(host->graph, id) : NULL;
    if (!c || !c->made || !c->def->type->interface)
        return NULL;
    const void *interface = c->def->type->interface(c->self, name);
    if (interface && ret_self)
        *ret_self = c->self;
    return interface;
}

static jaeger_status find_auth(jaeger_host *host, jaeger_str authenticator, const char *name,
                               const void **ret, void **ret_self, jaeger_error *err)
{
    char id[128];
    (void)snprintf(id, sizeof id, "%.*s", JAEGER_STR_ARGS(authenticator));
    const void *interface = jaeger_host_extension(host, id, name, ret_self);
    if (!interface)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "failed to resolve authenticator \"%s\": authenticator not found", id);
    *ret = interface;
    return JAEGER_OK;
}

jaeger_status jg_host_auth(jaeger_host *host, const jg_auth_settings *settings, jg_authenticator *ret,
                           jaeger_error *err)
{
    const void *found = NULL;
    if (!settings->enabled)
        return JAEGER_OK;
    JG_TRY(find_auth(host, settings->authenticator, JG_AUTH_INTERFACE, &found, &ret->self, err));
    ret->by = found;
    return JAEGER_OK;
}

jaeger_status jg_host_client_auth(jaeger_host *host, jaeger_str authenticator,
                                  const jg_client_auth_interface **ret, void **ret_self, jaeger_error *err)
{
    const void *found = NULL;
    JG_TRY(find_auth(host, authenticator, JG_CLIENT_AUTH_INTERFACE, &found, ret_self, err));
    *ret = found;
    return JAEGER_OK;
}

struct jg_metrics *jaeger_host_metrics(jaeger_host *host)
{
    return host ? host->metrics : NULL;
}

struct jg_net *jg_host_net(jaeger_host *host)
{
    return host ? host->net : NULL;
}

struct jaeger_tracer *jg_host_tracer(const jaeger_host *host)
{
    return host ? host->tracer : NULL;
}

const jaeger_storage_driver *jg_host_driver(jaeger_host *host, size_t index)
{
    if (!host)
        return NULL;
    if (index < host->more_driver_count)
        return host->more_drivers[index];
    index -= host->more_driver_count;
    for (size_t i = 0; host->drivers && host->drivers[i]; i++)
        if (i == index)
            return host->drivers[i];
    return NULL;
}

bool jg_host_gate(jaeger_host *host, const char *id)
{
    return host && host->gate && host->gate(host->gates, id);
}

bool jg_host_gate_at(jaeger_host *host, size_t index, const char **ret_id, bool *ret_on)
{
    const char *id = host && host->gate_at ? host->gate_at(index) : NULL;
    if (!id)
        return false;
    *ret_id = id;
    *ret_on = host->gates[index];
    return true;
}

void jaeger_host_fail(jaeger_host *host, const char *id, const jaeger_error *err)
{
    if (!host)
        return;
    (void)pthread_mutex_lock(&host->state_mutex);
    bool first = host->failure.status == JAEGER_OK;
    if (first) {
        host->failure = *err;
        if (host->failure.status == JAEGER_OK)
            host->failure.status = JAEGER_INTERNAL;
        (void)jg_fail_prefix(&host->failure, "%s", id);
        host->state = JG_STATE_FATAL;
        host->since_unix_ns = jg_clock_unix_ns();
    }
    jaeger_error failure = host->failure;
    (void)pthread_mutex_unlock(&host->state_mutex);
    jaeger_log(host->log, JAEGER_ERROR, "a component has failed component=%s error=\"%s\"", id, err->message);
    if (first && host->failed)
        host->failed(host->user, &failure);
}

jg_service_state jg_host_state(jaeger_host *host, uint64_t *ret_since_unix_ns)
{
    (void)pthread_mutex_lock(&host->state_mutex);
    jg_service_state state = host->state;
    if (ret_since_unix_ns)
        *ret_since_unix_ns = host->since_unix_ns;
    (void)pthread_mutex_unlock(&host->state_mutex);
    return state;
}

static jg_health_report *find_report(const jaeger_host *host, const char *id)
{
    jg_health_report *r = host->reports;
    while (r && strcmp(r->id, id) != 0)
        r = r->next;
    return r;
}

/** With the mutex held. NULL: out of memory */
static jg_health_report *new_report(jaeger_host *host, const char *id)
{
    size_t len = strlen(id) + 1;
    jg_health_report *r = jg_calloc(1, sizeof *r + len);
    if (!r)
        return NULL;
    memcpy(r->id, id, len);
    r->next = host->reports;
    host->reports = r;
    return r;
}

void jg_host_report(jaeger_host *host, const char *id, jg_health health, const jaeger_error *err)
{
    if (!host)
        return;
    (void)pthread_mutex_lock(&host->state_mutex);
    jg_health_report *r = find_report(host, id);
    if (!r && health != JG_HEALTH_OK)
        r = new_report(host, id);
    if (r && r->health != health) {
        r->health = health;
        r->since_unix_ns = jg_clock_unix_ns();
        r->err = err ? *err : (jaeger_error){0};
    }
    (void)pthread_mutex_unlock(&host->state_mutex);
}

jg_health jg_host_health(jaeger_host *host, const char *id, uint64_t *ret_since_unix_ns,
                         jaeger_error *ret_err)
{
    (void)pthread_mutex_lock(&host->state_mutex);
    const jg_health_report *r = find_report(host, id);
    jg_health health = r ? r->health : JG_HEALTH_OK;
    if (r) {
        *ret_since_unix_ns = r->since_unix_ns;
        *ret_err = r->err;
    }
    (void)pthread_mutex_unlock(&host->state_mutex);
    return health;
}

size_t jg_host_pipeline_count(jaeger_host *host)
{
    return host->graph ? host->graph->sections->pipeline_count : 0;
}

const char *jg_host_pipeline_name(jaeger_host *host, size_t index)
{
    return index < jg_host_pipeline_count(host) ? host->graph->sections->pipelines[index].name : NULL;
}

/* Components as a reader of the configuration sees them: extensions, then each pipeline's receivers,
 * processors, exporters. A shared instance appears in each of its pipelines. */
size_t jg_host_component_count(jaeger_host *host)
{
    const jg_sections *s = host->graph ? host->graph->sections : NULL;
    size_t count = s ? s->extension_count : 0;
    for (size_t i = 0; s && i < s->pipeline_count; i++)
        count +=
            s->pipelines[i].receiver_count + s->pipelines[i].processor_count + s->pipelines[i].exporter_count;
    return count;
}

static jaeger_kind kind_of(const jg_sections *s, jaeger_kind kind, const char *id)
{
    return jg_sections_find(s, kind, id) ? kind : JAEGER_CONNECTOR;
}

const char *jg_host_component(jaeger_host *host, size_t index, jaeger_kind *ret_kind,
                              const char **ret_pipeline)
{
    const jg_sections *s = host->graph ? host->graph->sections : NULL;
    if (!s)
        return NULL;
    *ret_kind = JAEGER_EXTENSION;
    *ret_pipeline = NULL;
    if (index < s->extension_count)
        return s->extensions[index];
    index -= s->extension_count;
    for (size_t i = 0; i < s->pipeline_count; i++) {
        const jg_pipeline_def *p = &s->pipelines[i];
        *ret_pipeline = p->name;
        if (index < p->receiver_count) {
            *ret_kind = kind_of(s, JAEGER_RECEIVER, p->receivers[index]);
            return p->receivers[index];
        }
        index -= p->receiver_count;
        *ret_kind = JAEGER_PROCESSOR;
        if (index < p->processor_count)
            return p->processors[index];
        index -= p->processor_count;
        if (index < p->exporter_count) {
            *ret_kind = kind_of(s, JAEGER_EXPORTER, p->exporters[index]);
            return p->exporters[index];
        }
        index -= p->exporter_count;
    }
    return NULL;
}
