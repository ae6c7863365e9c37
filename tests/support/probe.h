/* SPDX-License-Identifier: Apache-2.0
 * Components that write down what happens to them: one shared journal, "start probe/1;consume probe/1;...".
 * Include in one test file; the types go to jaeger_service_options.components or jg_types.more.
 */
#ifndef JG_PROBE_H
#define JG_PROBE_H

#include <jaeger/component.h>
#include <stdio.h>
#include <string.h>

static char journal[8192];

/* Of the probe created last. */
static jaeger_host *probe_last_host;

static void journal_clear(void)
{
    journal[0] = 0;
}

static void journal_add(const char *what, const char *id)
{
    size_t len = strlen(journal);
    (void)snprintf(journal + len, sizeof journal - len, "%s %s;", what, id);
}

typedef struct probe_config {
    jaeger_str answer;     /* status name that consume returns: "UNAVAILABLE", "INTERNAL"; empty: OK */
    jaeger_str fail;       /* "create" or "start": fails there */
    bool invalid, mutates; /* validate fails; consume drops all spans of its batch */
} probe_config;

static const jaeger_field probe_fields[] = {
    {.name = "answer", .kind = JAEGER_FIELD_STR, .offset = offsetof(probe_config, answer), .doc = "status"},
    {.name = "fail", .kind = JAEGER_FIELD_STR, .offset = offsetof(probe_config, fail), .doc = "where"},
    {.name = "invalid", .kind = JAEGER_FIELD_BOOL, .offset = offsetof(probe_config, invalid), .doc = "yes"},
    {.name = "mutates", .kind = JAEGER_FIELD_BOOL, .offset = offsetof(probe_config, mutates), .doc = "yes"},
    {0}};

typedef struct probe {
    const char *id;
    const probe_config *config;
    jaeger_consumer next;
    jaeger_host *host;
    size_t spans; /* seen */
} probe;

static bool probe_says(jaeger_str a, const char *b)
{
    return a.len == strlen(b) && memcmp(a.ptr, b, a.len) == 0;
}

static jaeger_status probe_validate(const void *config, const jaeger_config *node, jaeger_error *err)
{
    return ((const probe_config *)config)->invalid
               ? jaeger_fail(err, JAEGER_INVALID_ARGUMENT, "%s: is invalid", jaeger_config_path(node))
               : JAEGER_OK;
}

static jaeger_status probe_create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    probe *p = self;
    *p = (probe){.id = in->id, .config = in->config, .next = in->next, .host = in->host};
    probe_last_host = in->host;
    if (probe_says(p->config->fail, "create"))
        return jaeger_fail(err, JAEGER_INVALID_ARGUMENT, "cannot be created");
    journal_add("create", p->id);
    return JAEGER_OK;
}

static jaeger_status probe_start(void *self, jaeger_error *err)
{
    probe *p = self;
    journal_add("start", p->id);
    return probe_says(p->config->fail, "start") ? jaeger_fail(err, JAEGER_UNAVAILABLE, "cannot be started")
                                                : JAEGER_OK;
}

static bool probe_keep_none(void *user, const jaeger_span *span)
{
    (void)user;
    (void)span;
    return false;
}

static jaeger_status probe_consume(void *self, jaeger_batch *take, jaeger_call *call)
{
    probe *p = self;
    journal_add("consume", p->id);
    p->spans += jaeger_batch_span_count(take);
    if (p->config->mutates) {
        if (jaeger_batch_own(&take, &call->error) == JAEGER_OK)
            jaeger_batch_filter(take, probe_keep_none, NULL);
    }
    if (probe_says(p->config->answer, "UNAVAILABLE") || probe_says(p->config->answer, "INTERNAL")) {
        jaeger_batch_unref(take);
        return jaeger_fail(&call->error,
                           probe_says(p->config->answer, "INTERNAL") ? JAEGER_INTERNAL : JAEGER_UNAVAILABLE,
                           "%s says no", p->id);
    }
    if (p->next.consume)
        return p->next.consume(p->next.self, take, call);
    jaeger_batch_unref(take);
    return JAEGER_OK;
}

static void probe_stop(void *self, uint64_t deadline_ns)
{
    (void)deadline_ns;
    journal_add("stop", ((probe *)self)->id);
}

static void probe_destroy(void *self)
{
    journal_add("destroy", ((probe *)self)->id);
}

/* The interface "probe" is the probe itself. */
static const void *probe_interface(void *self, const char *name)
{
    return strcmp(name, "probe") == 0 ? self : NULL;
}

#define PROBE(symbol, the_name, the_kind, the_takes, the_gives, the_needs)                                   \
    static const jaeger_component_type symbol = {.size = sizeof(jaeger_component_type),                      \
                                                 .name = the_name,                                           \
                                                 .doc = "a probe",                                           \
                                                 .kind = the_kind,                                           \
                                                 .takes = the_takes,                                         \
                                                 .gives = the_gives,                                         \
                                                 .fields = probe_fields,                                     \
                                                 .config_size = sizeof(probe_config),                        \
                                                 .state_size = sizeof(probe),                                \
                                                 .validate = probe_validate,                                 \
                                                 .create = probe_create,                                     \
                                                 .start = probe_start,                                       \
                                                 .consume = probe_consume,                                   \
                                                 .stop = probe_stop,                                         \
                                                 .destroy = probe_destroy,                                   \
                                                 .interface = probe_interface,                               \
                                                 .depends = the_needs}

static const char *const probe_needs_base[] = {"base", NULL};
static const char *const probe_likes_base[] = {"?base", NULL};

PROBE(probe_receiver, "in", JAEGER_RECEIVER, 0, JAEGER_TRACES, NULL);
PROBE(probe_processor, "step", JAEGER_PROCESSOR, JAEGER_TRACES, JAEGER_TRACES, NULL);
PROBE(probe_exporter, "out", JAEGER_EXPORTER, JAEGER_TRACES, 0, NULL);
PROBE(probe_exporter_otlp, "otlp_grpc", JAEGER_EXPORTER, JAEGER_TRACES, 0, NULL);
PROBE(probe_metrics, "meter", JAEGER_EXPORTER, JAEGER_METRICS, 0, NULL);
PROBE(probe_join, "join", JAEGER_CONNECTOR, JAEGER_TRACES, JAEGER_TRACES, NULL);
PROBE(probe_count, "count", JAEGER_CONNECTOR, JAEGER_TRACES, JAEGER_METRICS, NULL);
PROBE(probe_base, "base", JAEGER_EXTENSION, 0, 0, NULL);
PROBE(probe_upper, "upper", JAEGER_EXTENSION, 0, 0, probe_needs_base);
PROBE(probe_side, "side", JAEGER_EXTENSION, 0, 0, probe_likes_base);

static const jaeger_component_type *const probes[] = {
    &probe_receiver, &probe_processor, &probe_exporter, &probe_exporter_otlp, &probe_metrics,
    &probe_join,     &probe_count,     &probe_base,     &probe_upper,         &probe_side};

#endif
