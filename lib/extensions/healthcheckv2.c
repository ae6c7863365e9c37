/* SPDX-License-Identifier: Apache-2.0
 * The extension healthcheckv2: may this service be sent traffic? With use_v2: GET /status as JSON on 13133
 * and grpc.health.v1 on 13132; without: one small JSON answer on any path below `path`. Contract:
 * opentelemetry-collector-contrib extension/healthcheckv2extension, README.
 */
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/json_out.h"
#include "core/str.h"
#include "extensions/diag/server.h"
#include "net/grpc_server.h"
#include <stdio.h>
#include <time.h>

#define BODY_BYTES_MAX (1u << 20)

typedef struct health_http_config {
    bool enabled;
    jg_http_server_settings server;
    struct {
        bool enabled, include_attributes;
        jaeger_str path;
    } status;
    struct {
        bool enabled;
        jaeger_str path;
    } config;
} health_http_config;

typedef struct health_grpc_config {
    bool enabled;
    jg_grpc_server_settings server;
} health_grpc_config;

typedef struct health_config {
    bool use_v2;
    jg_http_server_settings legacy;
    jaeger_str path;
    struct {
        bool enabled;
        jaeger_str healthy, unhealthy;
    } response_body;
    struct {
        bool enabled;
        jaeger_str interval;
        uint64_t exporter_failure_threshold;
    } check_collector_pipeline;
    health_http_config http;
    health_grpc_config grpc;
    struct {
        bool include_permanent_errors, include_recoverable_errors;
        uint64_t recovery_duration_ns;
    } component_health;
} health_config;

typedef struct health {
    const char *id;
    const health_config *config;
    jaeger_host *host;
    uint64_t start_unix_ns;
    jg_diag_server server;
    jg_grpc_server *grpc_server;
    jg_auth grpc_auth;
} health;

/** What a state of the service, of a pipeline or of a component means here. */
typedef struct health_state {
    const char *name;
    int http_status;
    bool healthy;
    uint64_t since_unix_ns;
    char error[sizeof((jaeger_error *)0)->message];
} health_state;

static health_state service_state(health *h)
{
    static const health_state states[] = {
        [JG_STATE_STARTING] = {"StatusStarting", 503, true, 0, ""},
        [JG_STATE_OK] = {"StatusOK", 200, true, 0, ""},
        [JG_STATE_STOPPING] = {"StatusStopping", 503, true, 0, ""},
        [JG_STATE_FATAL] = {"StatusFatalError", 500, false, 0, ""},
    };
    uint64_t since = 0;
    health_state state = states[jg_host_state(h->host, &since)];
    state.since_unix_ns = since;
    return state;
}

/** Of an extension that has something to wait for. It is not healthy before that is there: as after a start
 * of Jaeger, which ends where its storage does not answer. */
static health_state extension_state(health *h, const char *id, health_state state)
{
    void *self;
    jaeger_error err = {0};
    const jg_health_interface *found = jaeger_host_extension(h->host, id, JG_HEALTH_INTERFACE, &self);
    if (!found || found->health(self, &err) == JAEGER_OK)
        return state;
    state.name = "StatusRecoverableError";
    state.healthy = false;
    state.http_status = 503;
    (void)snprintf(state.error, sizeof state.error, "%s", err.message);
    return state;
}

/** Of one component: while the service runs, what an exporter told of its last attempts. */
static health_state component_state(health *h, jaeger_kind kind, const char *id)
{
    const health_config *c = h->config;
    health_state state = service_state(h);
    jaeger_error err = {0};
    uint64_t since = 0;
    if (kind == JAEGER_EXTENSION && state.http_status == 200)
        return extension_state(h, id, state);
    if (kind != JAEGER_EXPORTER || state.http_status != 200)
        return state;
    jg_health told = jg_host_health(h->host, id, &since, &err);
    if (since)
        state.since_unix_ns = since;
    if (told == JG_HEALTH_OK)
        return state;
    bool permanent = told == JG_HEALTH_PERMANENT;
    bool counts = permanent ? c->component_health.include_permanent_errors
                            : c->component_health.include_recoverable_errors &&
                                  jg_clock_unix_ns() >= since + c->component_health.recovery_duration_ns;
    state.name = permanent ? "StatusPermanentError" : "StatusRecoverableError";
    state.healthy = !counts;
    state.http_status = counts ? 500 : 200;
    (void)snprintf(state.error, sizeof state.error, "%s", err.message);
    return state;
}

/** Of two states in one group the worse one stands for it. */
static bool is_worse(const health_state *a, const health_state *b)
{
    int rank_a = (!a->healthy << 1) + (a->error[0] != 0), rank_b = (!b->healthy << 1) + (b->error[0] != 0);
    return rank_a > rank_b;
}

/** Of a pipeline, or of all (NULL): the worst of its components. */
static health_state group_state(health *h, const char *group)
{
    health_state worst = service_state(h);
    for (size_t i = 0; i < jg_host_component_count(h->host); i++) {
        jaeger_kind kind;
        const char *owner, *id = jg_host_component(h->host, i, &kind, &owner);
        if (group && (!owner || strcmp(owner, group) != 0))
            continue;
        health_state state = component_state(h, kind, id);
        if (is_worse(&state, &worst))
            worst = state;
    }
    return worst;
}

/** RFC 3339 in UTC, the fraction without trailing zeros. */
static void put_time(jg_json_out *json, uint64_t unix_ns)
{
    char text[64];
    time_t seconds = (time_t)(unix_ns / JG_NS_PER_S);
    struct tm tm = {0};
    (void)gmtime_r(&seconds, &tm);
    size_t len = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    unsigned fraction = (unsigned)(unix_ns % JG_NS_PER_S);
    if (fraction) {
        len += (size_t)snprintf(text + len, sizeof text - len, ".%09u", fraction);
        while (text[len - 1] == '0')
            len--;
    }
    text[len++] = 'Z';
    jg_json_str(json, (jaeger_str){text, len});
}

/* ---- /status
 * ---------------------------------------------------------------------------------------------------- */

/** The members of one status; the object is left open. @param start_unix_ns 0: without start_time */
static void put_status(jg_json_out *json, const health_state *state, uint64_t start_unix_ns)
{
    jg_json_object(json);
    if (start_unix_ns) {
        jg_json_key_lit(json, "start_time");
        put_time(json, start_unix_ns);
    }
    jg_json_key_lit(json, "healthy");
    jg_json_bool(json, state->healthy);
    jg_json_key_lit(json, "status");
    jg_json_str(json, jg_str(state->name));
    if (state->error[0]) {
        jg_json_key_lit(json, "error");
        jg_json_str(json, jg_str(state->error));
    }
    jg_json_key_lit(json, "status_time");
    put_time(json, state->since_unix_ns);
    jg_json_key_lit(json, "attributes");
    jg_json_object(json);
    jg_json_end(json);
}

/** The components of a pipeline, or the extensions. @param pipeline NULL: extensions */
static void put_components(health *h, jg_json_out *json, const char *pipeline)
{
    static const char *const kinds[] = {"receiver", "processor", "exporter", "connector", "extension"};
    jg_json_key_lit(json, "components");
    jg_json_object(json);
    for (size_t i = 0; i < jg_host_component_count(h->host); i++) {
        jaeger_kind kind;
        const char *owner, *id = jg_host_component(h->host, i, &kind, &owner);
        if (pipeline ? !owner || !jg_str_is(jg_str(owner), pipeline) : kind != JAEGER_EXTENSION)
            continue;
        char name[256];
        (void)snprintf(name, sizeof name, "%s:%s", kinds[kind], id);
        health_state state = component_state(h, kind, id);
        jg_json_key(json, jg_str(name));
        put_status(json, &state, 0);
        jg_json_end(json);
    }
    jg_json_end(json);
}

static void put_groups(health *h, jg_json_out *json)
{
    health_state extensions = service_state(h);
    jg_json_key_lit(json, "components");
    jg_json_object(json);
    jg_json_key_lit(json, "extensions");
    put_status(json, &extensions, 0);
    put_components(h, json, NULL);
    jg_json_end(json);
    for (size_t i = 0; i < jg_host_pipeline_count(h->host); i++) {
        char name[256];
        (void)snprintf(name, sizeof name, "pipeline:%s", jg_host_pipeline_name(h->host, i));
        health_state state = group_state(h, jg_host_pipeline_name(h->host, i));
        jg_json_key(json, jg_str(name));
        put_status(json, &state, 0);
        put_components(h, json, jg_host_pipeline_name(h->host, i));
        jg_json_end(json);
    }
    jg_json_end(json);
}

/** The pipeline of that name; NULL: none. */
static const char *find_pipeline(health *h, jaeger_str name)
{
    for (size_t i = 0; i < jg_host_pipeline_count(h->host); i++)
        if (jg_str_is(name, jg_host_pipeline_name(h->host, i)))
            return jg_host_pipeline_name(h->host, i);
    return NULL;
}

static void answer_status(health *h, jg_http_request *request, jg_http_reply *reply)
{
    jaeger_arena *arena = request->call->arena;
    jaeger_str wanted = jg_query_get(arena, request->query, "pipeline");
    jaeger_str verbose = jg_query_get(arena, request->query, "verbose");
    bool with_components = verbose.ptr && !jg_str_is(verbose, "false");
    bool extensions = jg_str_is(wanted, "extensions");
    const char *pipeline = wanted.len && !extensions ? find_pipeline(h, wanted) : NULL;
    if (wanted.len && !extensions && !pipeline) {
        jg_http_send(reply, 404, NULL, JAEGER_STR(""));
        return;
    }
    health_state state = extensions ? service_state(h) : group_state(h, pipeline);
    jg_buf out JG_AUTO_BUF = JG_BUF_INIT(BODY_BYTES_MAX);
    jg_json_out json = JG_JSON_OUT_INIT(&out);
    json.html = true;
    put_status(&json, &state, h->start_unix_ns);
    if (with_components && (pipeline || extensions))
        put_components(h, &json, pipeline);
    else if (with_components)
        put_groups(h, &json);
    jg_json_end(&json);
    jg_http_send(reply, state.http_status, "application/json", jg_buf_view(&out));
}

static void handle_v2(void *self, jg_http_request *request, jg_http_reply *reply)
{
    health *h = self;
    const health_http_config *c = &h->config->http;
    if (c->status.enabled && jg_str_eq(request->path, c->status.path))
        answer_status(h, request, reply);
    else if (c->config.enabled && jg_str_eq(request->path, c->config.path))
        jg_http_send(reply, 503, NULL,
                     JAEGER_STR("")); /* as the Collector's before it knows its configuration */
    else
        jg_diag_not_found(reply);
}

/* ---- legacy
 * ----------------------------------------------------------------------------------------------------- */

static void put_legacy_body(health *h, const health_state *state, jg_buf *out)
{
    char uptime[JG_DURATION_TEXT_MAX];
    bool ready = state->http_status == 200;
    size_t len = jg_duration_to_text((int64_t)(jg_clock_unix_ns() - h->start_unix_ns), uptime);
    jg_json_out json = JG_JSON_OUT_INIT(out);
    jg_json_object(&json);
    jg_json_key_lit(&json, "status");
    jg_json_str(&json, ready ? JAEGER_STR("Server available") : JAEGER_STR("Server not available"));
    jg_json_key_lit(&json, "upSince");
    if (ready)
        put_time(&json, h->start_unix_ns);
    else
        jg_json_str(&json, JAEGER_STR("0001-01-01T00:00:00Z"));
    jg_json_key_lit(&json, "uptime");
    jg_json_str(&json, (jaeger_str){uptime, ready ? len : 0});
    jg_json_end(&json);
}

/** A path that ends in '/' stands for all below it, as in Go's ServeMux. */
static bool path_matches(jaeger_str path, jaeger_str pattern)
{
    bool tree = pattern.len && pattern.ptr[pattern.len - 1] == '/';
    return tree ? jg_str_starts(path, pattern) : jg_str_eq(path, pattern);
}

static void handle_legacy(void *self, jg_http_request *request, jg_http_reply *reply)
{
    health *h = self;
    const health_config *c = h->config;
    if (!path_matches(request->path, c->path)) {
        jg_diag_not_found(reply);
        return;
    }
    health_state state = service_state(h);
    int status = state.http_status == 200 ? 200 : 503;
    jaeger_str fixed = status == 200 ? c->response_body.healthy : c->response_body.unhealthy;
    jg_buf out JG_AUTO_BUF = JG_BUF_INIT(BODY_BYTES_MAX);
    if (c->response_body.enabled) {
        jg_http_send(reply, status, "text/plain; charset=utf-8", fixed);
        return;
    }
    put_legacy_body(h, &state, &out);
    jg_http_send(reply, status, "application/json", jg_buf_view(&out));
}

/* ---- the component
 * ---------------------------------------------------------------------------------------------- */

static bool is_path(jaeger_str s)
{
    return s.len && s.ptr[0] == '/';
}

static jaeger_status health_validate(const void *config, const jaeger_config *node, jaeger_error *err)
{
    const health_config *c = config;
    const char *path = node ? jaeger_config_path(node) : "extensions::healthcheckv2";
    if (c->use_v2 && !c->http.enabled && !c->grpc.enabled)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s: must specify at least one protocol", path);
    if (c->use_v2 ? c->http.enabled && !c->http.server.endpoint.len : !c->legacy.endpoint.len)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s: http endpoint required", path);
    if (c->use_v2 && c->grpc.enabled && !c->grpc.server.endpoint.len)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s: grpc endpoint required", path);
    bool paths_ok = c->use_v2
                        ? !c->http.enabled || (is_path(c->http.status.path) && is_path(c->http.config.path))
                        : is_path(c->path);
    if (!paths_ok)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s: path must start with /", path);
    return JAEGER_OK;
}

static jaeger_status health_create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    (void)err;
    *(health *)self =
        (health){.id = in->id, .config = in->config, .host = in->host, .start_unix_ns = jg_clock_unix_ns()};
    return JAEGER_OK;
}

/** For grpc.health.v1: "" or a pipeline. */
static bool is_serving(void *self, jaeger_str service)
{
    const char *pipeline = service.len ? find_pipeline(self, service) : NULL;
    return group_state(self, pipeline).http_status == 200;
}

static jaeger_status start_grpc(health *h, jaeger_error *err)
{
    const jg_grpc_server_settings *settings = &h->config->grpc.server;
    size_t count = jg_host_pipeline_count(h->host);
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
    const char **names = arena ? jaeger_arena_alloc(arena, (count + 1) * sizeof *names) : NULL;
    if (!names)
        return jg_fail_oom(err);
    names[0] = "";
    for (size_t i = 0; i < count; i++)
        names[i + 1] = jg_host_pipeline_name(h->host, i);
    JG_TRY(jg_host_auth(h->host, &settings->auth, &h->grpc_auth.who, err));
    jg_grpc_server_options options = {.settings = settings,
                                      .auth = jg_auth_for_grpc(&h->grpc_auth),
                                      .health_services = names,
                                      .health_service_count = count + 1,
                                      .healthy = is_serving,
                                      .healthy_user = h,
                                      .name = h->id};
    return jg_grpc_server_start(jg_host_net(h->host), &options, &h->grpc_server, err);
}

static void health_stop(void *self, uint64_t deadline_ns)
{
    health *h = self;
    jg_grpc_server_stop(h->grpc_server, deadline_ns);
    h->grpc_server = NULL;
    jg_diag_stop(&h->server, deadline_ns);
}

static jaeger_status health_start(void *self, jaeger_error *err)
{
    health *h = self;
    const health_config *c = h->config;
    if (!c->use_v2)
        return jg_diag_start(&h->server, h->host, &c->legacy, (jg_http_handler){handle_legacy, h}, h->id,
                             err);
    jaeger_status status = JAEGER_OK;
    if (c->http.enabled)
        status =
            jg_diag_start(&h->server, h->host, &c->http.server, (jg_http_handler){handle_v2, h}, h->id, err);
    if (status == JAEGER_OK && c->grpc.enabled)
        status = start_grpc(h, err);
    if (status != JAEGER_OK)
        health_stop(h, 0);
    return status;
}

#define FIELD(type, member, key, field_kind, ...)                                                            \
    {                                                                                                        \
        .name = (key), .kind = (field_kind), .offset = offsetof(type, member), __VA_ARGS__                   \
    }
/** A member of the block `block` of `type`. */
#define IN_BLOCK(type, block, member, key, field_kind, ...)                                                  \
    {                                                                                                        \
        .name = (key), .kind = (field_kind), .offset = offsetof(type, block.member) - offsetof(type, block), \
        __VA_ARGS__                                                                                          \
    }
#define BLOCK(type, block, fields, text)                                                                     \
    {                                                                                                        \
        .name = #block, .kind = JAEGER_FIELD_BLOCK, .offset = offsetof(type, block), .sub = (fields),        \
        .sub_size = sizeof(((type *)0)->block), .doc = (text)                                                \
    }
#define END                                                                                                  \
    {                                                                                                        \
        .kind = JAEGER_FIELD_END                                                                             \
    }
#define COMPATIBILITY .doc = "accepted for compatibility"

static const jaeger_field status_fields[] = {
    IN_BLOCK(health_http_config, status, enabled, "enabled", JAEGER_FIELD_BOOL, .fallback = "true",
             .doc = "serve it"),
    IN_BLOCK(health_http_config, status, path, "path", JAEGER_FIELD_STR, .fallback = "/status",
             .doc = "its path"),
    IN_BLOCK(health_http_config, status, include_attributes, "include_attributes", JAEGER_FIELD_BOOL,
             COMPATIBILITY),
    END,
};
static const jaeger_field config_fields[] = {
    IN_BLOCK(health_http_config, config, enabled, "enabled", JAEGER_FIELD_BOOL,
             .doc = "answers 503: the configuration is not shown"),
    IN_BLOCK(health_http_config, config, path, "path", JAEGER_FIELD_STR, .fallback = "/config",
             .doc = "its path"),
    END,
};
static const jaeger_field http_fields[] = {
    JG_HTTP_SERVER_FIELDS(health_http_config, server, "localhost:13133", "true"),
    BLOCK(health_http_config, status, status_fields, "the state of the service as JSON"),
    BLOCK(health_http_config, config, config_fields, "the configuration"),
    END,
};
static const jaeger_field grpc_fields[] = {
    JG_GRPC_SERVER_FIELDS(health_grpc_config, server, "localhost:13132"),
    END,
};
static const jaeger_field response_fields[] = {
    IN_BLOCK(health_config, response_body, healthy, "healthy", JAEGER_FIELD_STR,
             .doc = "body of the 200 answer"),
    IN_BLOCK(health_config, response_body, unhealthy, "unhealthy", JAEGER_FIELD_STR,
             .doc = "body of the 503 answer"),
    END,
};
static const jaeger_field check_fields[] = {
    IN_BLOCK(health_config, check_collector_pipeline, enabled, "enabled", JAEGER_FIELD_BOOL, COMPATIBILITY),
    IN_BLOCK(health_config, check_collector_pipeline, interval, "interval", JAEGER_FIELD_STR,
             .fallback = "5m", COMPATIBILITY),
    IN_BLOCK(health_config, check_collector_pipeline, exporter_failure_threshold,
             "exporter_failure_threshold", JAEGER_FIELD_U64, .fallback = "5", COMPATIBILITY),
    END,
};
static const jaeger_field component_fields[] = {
    IN_BLOCK(health_config, component_health, include_permanent_errors, "include_permanent_errors",
             JAEGER_FIELD_BOOL, .doc = "a component that cannot go on makes the answer 500"),
    IN_BLOCK(health_config, component_health, include_recoverable_errors, "include_recoverable_errors",
             JAEGER_FIELD_BOOL, .doc = "an exporter whose attempts fail makes the answer 500"),
    IN_BLOCK(health_config, component_health, recovery_duration_ns, "recovery_duration",
             JAEGER_FIELD_DURATION, .doc = "only after it failed for so long"),
    END,
};
static const jaeger_field health_fields[] = {
    FIELD(health_config, use_v2, "use_v2", JAEGER_FIELD_BOOL,
          .doc = "serve http and grpc below, not the legacy answer"),
    JG_HTTP_SERVER_FIELDS(health_config, legacy, "localhost:13133", "true"),
    FIELD(health_config, path, "path", JAEGER_FIELD_STR, .fallback = "/", .doc = "legacy: where it answers"),
    FIELD(health_config, response_body, "response_body", JAEGER_FIELD_OPTIONAL_N, .sub = response_fields,
          .sub_size = sizeof(((health_config *)0)->response_body), .doc = "legacy: fixed bodies"),
    BLOCK(health_config, check_collector_pipeline, check_fields, "accepted for compatibility"),
    FIELD(health_config, http, "http", JAEGER_FIELD_OPTIONAL_D, .sub = http_fields,
          .sub_size = sizeof(health_http_config), .doc = "GET /status"),
    FIELD(health_config, grpc, "grpc", JAEGER_FIELD_OPTIONAL_D, .sub = grpc_fields,
          .sub_size = sizeof(health_grpc_config), .doc = "grpc.health.v1"),
    BLOCK(health_config, component_health, component_fields, "what of the components counts"),
    END,
};

const jaeger_component_type jg_extension_healthcheckv2 = {
    .size = sizeof(jaeger_component_type),
    .name = "healthcheckv2",
    .doc = "tells load balancers and orchestrators whether the service is healthy",
    .kind = JAEGER_EXTENSION,
    .fields = health_fields,
    .config_size = sizeof(health_config),
    .state_size = sizeof(health),
    .validate = health_validate,
    .create = health_create,
    .start = health_start,
    .stop = health_stop,
};
