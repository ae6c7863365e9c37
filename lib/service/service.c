/* SPDX-License-Identifier: Apache-2.0
 * The service: configuration, telemetry, network and graph under one roof, started and stopped in order.
 *
 * new reads and builds all, start opens sockets, stop closes them; free gives everything back. A service can
 * be started once. jaeger_service_consume may come from any thread at any time: stop waits for those that are
 * inside. Lifecycle: opentelemetry-collector service/service.go.
 */
#include "config/load.h"
#include "core/alloc.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/str.h"
#include "net/net.h"
#include "pipeline/host_state.h"
#include "registry.h"
#include "service/build.h"
#include "service/gates.h"

struct jaeger_service {
    jaeger_config *config;
    jaeger_arena *arena; /* sections, telemetry, copied lists */
    jg_sections sections;
    jg_telemetry telemetry;
    bool gates[JG_GATES_MAX];
    jg_log *log;
    jaeger_logger logger;
    jg_metrics *metrics;
    jg_process_metrics process_metrics;
    jg_net *net;
    jaeger_host host;
    jg_graph graph;
    jg_exposition *exposition;
    jg_push *push;
    jg_self_tracing *tracing;
    bool started, stopped;
    pthread_mutex_t callers_mutex; /* guards accepting, callers */
    pthread_cond_t callers_gone;
    bool accepting;
    size_t callers; /* inside jaeger_service_consume */
};

#define STOP_DEFAULT_NS (30 * JG_NS_PER_S) /* jaeger_service_free without stop */

jg_types jg_service_types(const jaeger_service_options *options)
{
    return (jg_types){.builtin = jg_registry_components,
                      .more = options->components,
                      .more_count = options->component_count};
}

const jg_sections *jg_service_sections(const jaeger_service *service)
{
    return &service->sections;
}

const jaeger_logger *jg_service_logger(const jaeger_service *service)
{
    return &service->logger;
}

jaeger_status jg_service_fail(const jg_report *report, bool bare, jg_buf *out, jaeger_error *err)
{
    static const char decode[] =
        "failed to get config: cannot unmarshal the configuration: decoding failed due to "
        "the following error(s):\n\n";
    if (report->stage == JG_FAULT_DECODE)
        jg_buf_lit(out, decode);
    else if (report->stage == JG_FAULT_VALIDATE && !bare)
        jg_buf_lit(out, "invalid configuration: ");
    jg_buf_str(out, jg_buf_view(&report->text));
    if (!jg_buf_ok(out) || !report->text.len)
        return jg_fail_oom(err);
    return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%.*s", JAEGER_STR_ARGS(jg_buf_view(out)));
}

/* ---- building
 * ----------------------------------------------------------------------------------------------------- */

static jaeger_status load(jaeger_service *s, const jaeger_service_options *o, jaeger_error *err)
{
    jg_config_sources sources = {.yaml = o->yaml,
                                 .uris = o->sources,
                                 .uri_count = o->source_count,
                                 .sets = o->sets,
                                 .set_count = o->set_count,
                                 .getenv = o->getenv,
                                 .user = o->user};
    if (jg_config_load(&sources, &s->config, err) != JAEGER_OK)
        return jg_fail_prefix(err, "failed to get config");
    return JAEGER_OK;
}

static jaeger_status open_log(jaeger_service *s, const jaeger_service_options *o,
                              const jg_build_options *build, jaeger_error *err)
{
    static jaeger_str stderr_path = {"stderr", 6};
    jg_log_options options = {.sink = &o->log,
                              .paths = s->telemetry.log_paths,
                              .standard_streams = build->standard_streams,
                              .level = JG_MAX(s->telemetry.level, o->log.level),
                              .json = s->telemetry.json || o->log.json,
                              .fields = s->telemetry.log_fields,
                              .sampling = s->telemetry.log_sampling};
    if (!options.paths.count || build->check_only)
        options.paths = (jaeger_str_list){&stderr_path, 1};
    JG_TRY(jg_log_open(&options, &s->log, err));
    s->logger = (jaeger_logger){jg_log_sink(s->log), "service"};
    return JAEGER_OK;
}

/* Metrics, network and host: what components find when they are created. */
static jaeger_status make_host(jaeger_service *s, const jaeger_service_options *o, jaeger_error *err)
{
    const jaeger_storage_driver **drivers =
        jaeger_arena_alloc(s->arena, (o->driver_count + 1) * sizeof *drivers);
    if (!drivers)
        return jg_fail_oom(err);
    for (size_t i = 0; i < o->driver_count; i++)
        drivers[i] = o->drivers[i];
    if (s->telemetry.metrics_level != JG_METRICS_NONE) {
        s->metrics = jg_metrics_new();
        if (!s->metrics)
            return jg_fail_oom(err);
        jg_process_metrics_register(&s->process_metrics, s->metrics);
    }
    JG_TRY(jg_net_new(&(jg_net_options){.metrics = s->metrics, .log = &s->logger}, &s->net, err));
    s->host.net = s->net;
    s->host.metrics = s->metrics;
    s->host.log = &s->logger;
    s->host.drivers = jg_registry_drivers;
    s->host.more_drivers = drivers;
    s->host.more_driver_count = o->driver_count;
    s->host.gates = s->gates;
    s->host.gate = jg_gates_get;
    s->host.gate_at = jg_gates_at;
    s->host.failed = o->failed;
    s->host.user = o->user;
    s->host.graph = &s->graph;
    s->host.traced = s->telemetry.traces.enabled;
    return JAEGER_OK;
}

/* The pipeline that service::telemetry::traces names. */
static bool own_spans_have_a_pipeline(const jaeger_service *s, jg_report *report)
{
    jaeger_str name = s->telemetry.traces.pipeline;
    const jg_pipeline *p = name.len ? jg_graph_pipeline(&s->graph, name.ptr) : NULL;
    if (!s->telemetry.traces.enabled || !name.len || (p && p->def->signal == JAEGER_TRACES))
        return true;
    jg_report_add(
        report, "service::telemetry::traces::processors: exporter::pipeline: no pipeline of traces \"%.*s\"",
        JAEGER_STR_ARGS(name));
    return false;
}

static jaeger_status build(jaeger_service *s, const jaeger_service_options *o, const jg_build_options *build,
                           jg_report *report, jaeger_error *err)
{
    jg_types types = jg_service_types(o);
    JG_TRY(jg_gates_parse(o->feature_gates, s->gates, err));
    JG_TRY(load(s, o, err));
    bool sound = jg_sections_decode(s->config, &types, s->arena, &s->sections, report);
    if (!jg_telemetry_decode(s->sections.telemetry, s->arena, &s->telemetry, report) || !sound)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "see the report");
    jg_sections_validate(&s->sections, jg_gates_get(s->gates, "service.AllowNoPipelines"), report);
    if (report->count)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "see the report");
    JG_TRY(open_log(s, o, build, err));
    jg_sections_warn(&s->sections, &s->logger);
    JG_TRY(make_host(s, o, err));
    jg_graph_options graph = {.sections = &s->sections, .host = &s->host, .sink = s->logger.sink};
    if (!jg_graph_init(&s->graph, &graph, report) || !own_spans_have_a_pipeline(s, report))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "see the report");
    return JAEGER_OK;
}

jaeger_status jg_service_build(const jaeger_service_options *options, const jg_build_options *how,
                               jaeger_service **ret, jg_report *report, jaeger_error *err)
{
    jaeger_service_options o = JAEGER_SERVICE_OPTIONS_INIT;
    memcpy(&o, options, JG_MIN(options->size, sizeof o));
    jaeger_service *s = jg_calloc(1, sizeof *s);
    if (!s)
        return jg_fail_oom(err);
    jg_host_init(&s->host);
    (void)pthread_mutex_init(&s->callers_mutex, NULL);
    (void)pthread_cond_init(&s->callers_gone, NULL);
    s->arena = jaeger_arena_new(0);
    jaeger_status status = s->arena ? build(s, &o, how, report, err) : jg_fail_oom(err);
    if (status != JAEGER_OK)
        jaeger_service_free(s);
    else
        *ret = s;
    return status;
}

jaeger_status jaeger_service_new(const jaeger_service_options *options, jaeger_service **ret,
                                 jaeger_error *err)
{
    JG_AUTO_REPORT jg_report report = JG_REPORT_INIT;
    jaeger_status status = jg_service_build(options, &(jg_build_options){0}, ret, &report, err);
    if (status == JAEGER_OK || !report.count)
        return status;
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(2 * JG_REPORT_BYTES_MAX);
    return jg_service_fail(&report, false, &text, err);
}

/* ---- running
 * ------------------------------------------------------------------------------------------------------ */

static void set_accepting(jaeger_service *s, bool accepting)
{
    (void)pthread_mutex_lock(&s->callers_mutex);
    s->accepting = accepting;
    (void)pthread_mutex_unlock(&s->callers_mutex);
}

static jaeger_status consume_own(void *self, const char *pipeline, jaeger_batch *take, jaeger_call *call)
{
    return jaeger_service_consume(self, pipeline, take, call);
}

static jaeger_status start_tracing(jaeger_service *s, jaeger_error *err)
{
    JG_TRY(jg_self_tracing_start(&s->telemetry, s->net, s->metrics, &s->logger,
                                 (jg_self_sink){consume_own, s}, &s->tracing, err));
    s->host.tracer = jg_self_tracing_tracer(s->tracing);
    jg_net_set_tracer(s->net, s->host.tracer);
    return JAEGER_OK;
}

static void stop_tracing(jaeger_service *s)
{
    jg_net_set_tracer(s->net, NULL);
    s->host.tracer = NULL;
    jg_self_tracing_stop(s->tracing);
    s->tracing = NULL;
}

jaeger_status jaeger_service_start(jaeger_service *s, jaeger_error *err)
{
    if (s->started)
        return jg_fail(err, JAEGER_FAILED_PRECONDITION, "a service can be started once");
    s->started = true;
    jaeger_log(&s->logger, JAEGER_INFO, "Starting jaeger... Version=%s", JAEGER_VERSION);
    jaeger_status status = jg_exposition_start(&s->telemetry, s->net, s->metrics, &s->exposition, err);
    if (status == JAEGER_OK)
        status = jg_push_start(&s->telemetry, s->net, s->metrics, &s->logger, &s->push, err);
    if (status == JAEGER_OK)
        status = start_tracing(s, err);
    if (status == JAEGER_OK)
        status = jg_graph_start(&s->graph, err);
    if (status != JAEGER_OK) {
        jaeger_service_stop(s, STOP_DEFAULT_NS);
        return status;
    }
    set_accepting(s, true);
    jg_host_set_state(&s->host, JG_STATE_OK);
    jaeger_log(&s->logger, JAEGER_INFO, "Everything is ready. Begin running and processing data.");
    return JAEGER_OK;
}

static void wait_for_callers(jaeger_service *s, uint64_t deadline_ns)
{
    (void)pthread_mutex_lock(&s->callers_mutex);
    s->accepting = false;
    while (s->callers && jg_clock_mono_ns() < deadline_ns) {
        struct timespec until;
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 100000000; /* look at the deadline ten times a second */
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        (void)pthread_cond_timedwait(&s->callers_gone, &s->callers_mutex, &until);
    }
    (void)pthread_mutex_unlock(&s->callers_mutex);
}

void jaeger_service_stop(jaeger_service *s, uint64_t timeout_ns)
{
    if (!s || !s->started || s->stopped)
        return;
    s->stopped = true;
    uint64_t now = jg_clock_mono_ns(),
             deadline_ns = timeout_ns > UINT64_MAX - now ? UINT64_MAX : now + timeout_ns;
    jaeger_log(&s->logger, JAEGER_INFO, "Starting shutdown...");
    jg_host_set_state(&s->host, JG_STATE_STOPPING);
    jg_self_tracing_flush(s->tracing, deadline_ns);
    wait_for_callers(s, deadline_ns);
    jg_graph_stop(&s->graph, deadline_ns);
    stop_tracing(s);
    jg_push_stop(s->push, deadline_ns);
    s->push = NULL;
    jg_exposition_stop(s->exposition, deadline_ns);
    s->exposition = NULL;
    jaeger_log(&s->logger, JAEGER_INFO, "Shutdown complete.");
}

void jaeger_service_free(jaeger_service *s)
{
    if (!s)
        return;
    jaeger_service_stop(s, STOP_DEFAULT_NS);
    jg_graph_done(&s->graph);
    jg_net_free(s->net);
    jg_metrics_free(s->metrics);
    jg_log_close(s->log);
    jg_host_done(&s->host);
    jaeger_config_free(s->config);
    jaeger_arena_free(s->arena);
    (void)pthread_cond_destroy(&s->callers_gone);
    (void)pthread_mutex_destroy(&s->callers_mutex);
    jg_free(s);
}

/* ---- in process
 * --------------------------------------------------------------------------------------------------- */

static bool enter(jaeger_service *s)
{
    (void)pthread_mutex_lock(&s->callers_mutex);
    bool accepted = s->accepting;
    s->callers += accepted;
    (void)pthread_mutex_unlock(&s->callers_mutex);
    return accepted;
}

static void leave(jaeger_service *s)
{
    (void)pthread_mutex_lock(&s->callers_mutex);
    if (--s->callers == 0)
        (void)pthread_cond_broadcast(&s->callers_gone);
    (void)pthread_mutex_unlock(&s->callers_mutex);
}

jaeger_status jaeger_service_consume(jaeger_service *s, const char *pipeline, jaeger_batch *take,
                                     jaeger_call *call)
{
    const jg_pipeline *p = jg_graph_pipeline(&s->graph, pipeline);
    jaeger_status status;
    if (!p)
        status = jg_fail(&call->error, JAEGER_NOT_FOUND, "no pipeline \"%s\"", pipeline);
    else if (!enter(s))
        status = jg_fail(&call->error, JAEGER_FAILED_PRECONDITION, "the service is not running");
    else {
        jaeger_call own = JAEGER_CALL_INIT; /* theirs may be of an older size; and they wait */
        memcpy(&own, call, JG_MIN(call->size, sizeof own));
        own.size = sizeof own;
        own.later = NULL;
        status = p->head.to.consume(p->head.to.self, take, &own);
        leave(s);
        call->error = own.error;
        return status;
    }
    jaeger_batch_unref(take);
    return status;
}

jaeger_query *jaeger_service_query(jaeger_service *s)
{
    if (!s->started || s->stopped)
        return NULL;
    return (jaeger_query *)jaeger_host_extension(&s->host, "jaeger_query", JG_QUERY_INTERFACE, NULL);
}

jaeger_status jaeger_service_storage(jaeger_service *s, const char *name, jaeger_storage *ret,
                                     jaeger_error *err)
{
    void *self;
    const jaeger_storage_interface *storage =
        s->started && !s->stopped
            ? jaeger_host_extension(&s->host, "jaeger_storage", JAEGER_STORAGE_INTERFACE, &self)
            : NULL;
    if (!storage)
        return jg_fail(err, JAEGER_NOT_FOUND, "no running extension jaeger_storage");
    return storage->open(self, name, ret, err);
}
