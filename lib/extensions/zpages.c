/* SPDX-License-Identifier: Apache-2.0
 * The extension zpages: what runs, as small HTML pages: /debug/servicez, pipelinez, extensionz, featurez,
 * and tracez: what our servers answered since the start, by duration, with an example of each.
 */
#include "core/clock.h"
#include "core/str.h"
#include "extensions/diag/server.h"
#include "net/requests.h"
#include <time.h>

#define PAGE_BYTES_MAX (1u << 20)

typedef struct zpages_config {
    jg_http_server_settings server;
    struct {
        bool enabled;
    } expvar;
} zpages_config;

typedef struct zpages {
    const char *id;
    const zpages_config *config;
    jaeger_host *host;
    uint64_t start_unix_ns;
    jg_diag_server server;
} zpages;

/** Ids need no escaping: the graph lets no markup through. */
static void put_row(jg_buf *out, const char *name, const char *value)
{
    jg_buf_printf(out, "<tr><td>%s</td><td>%s</td></tr>\n", name, value);
}

static const char *const kind_names[] = {"receiver", "processor", "exporter", "connector", "extension"};
static const char *const state_names[] = {"starting", "running", "stopping", "failed"};

static void servicez(zpages *z, jg_buf *out)
{
    char uptime[JG_DURATION_TEXT_MAX];
    uint64_t since;
    size_t len = jg_duration_to_text((int64_t)(jg_clock_unix_ns() - z->start_unix_ns), uptime);
    uptime[JG_MIN(len, sizeof uptime - 1)] = 0;
    put_row(out, "Name", "jaeger");
    put_row(out, "Version", JAEGER_VERSION);
    put_row(out, "State", state_names[jg_host_state(z->host, &since)]);
    put_row(out, "Uptime", uptime);
    jg_buf_lit(out, "<tr><td><a href=\"pipelinez\">Pipelines</a></td><td></td></tr>\n"
                    "<tr><td><a href=\"extensionz\">Extensions</a></td><td></td></tr>\n"
                    "<tr><td><a href=\"featurez\">Features</a></td><td></td></tr>\n"
                    "<tr><td><a href=\"tracez\">Requests</a></td><td></td></tr>\n");
}

static void pipelinez(zpages *z, jg_buf *out)
{
    for (size_t i = 0; i < jg_host_pipeline_count(z->host); i++) {
        const char *name = jg_host_pipeline_name(z->host, i);
        put_row(out, name, "");
        for (size_t j = 0; j < jg_host_component_count(z->host); j++) {
            jaeger_kind kind;
            const char *pipeline, *id = jg_host_component(z->host, j, &kind, &pipeline);
            if (pipeline && jg_str_is(jg_str(pipeline), name))
                put_row(out, kind_names[kind], id);
        }
    }
}

static void extensionz(zpages *z, jg_buf *out)
{
    for (size_t i = 0; i < jg_host_component_count(z->host); i++) {
        jaeger_kind kind;
        const char *pipeline, *id = jg_host_component(z->host, i, &kind, &pipeline);
        if (kind == JAEGER_EXTENSION)
            put_row(out, kind_names[kind], id);
    }
}

static void featurez(zpages *z, jg_buf *out)
{
    const char *id;
    bool on;
    for (size_t i = 0; jg_host_gate_at(z->host, i, &id, &on); i++)
        put_row(out, id, on ? "enabled" : "disabled");
}

/** Paths come from outside. */
static void put_text(jg_buf *out, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '<':
            jg_buf_lit(out, "&lt;");
            break;
        case '>':
            jg_buf_lit(out, "&gt;");
            break;
        case '&':
            jg_buf_lit(out, "&amp;");
            break;
        default:
            jg_buf_append(out, text, 1);
        }
}

static void put_ns(jg_buf *out, uint64_t ns)
{
    char text[JG_DURATION_TEXT_MAX];
    size_t len = jg_duration_to_text((int64_t)ns, text);
    jg_buf_append(out, text, len);
}

/** One cell: how many, and the latest as a tip. */
static void put_example(jg_buf *out, uint64_t count, const jg_request_example *e)
{
    char begun[32] = "";
    time_t seconds = (time_t)(e->start_unix_ns / JG_NS_PER_S);
    struct tm tm = {0};
    if (!count) {
        jg_buf_lit(out, "<td></td>");
        return;
    }
    (void)gmtime_r(&seconds, &tm);
    (void)strftime(begun, sizeof begun, "%Y-%m-%dT%H:%M:%SZ", &tm);
    jg_buf_printf(out, "<td>%llu <small>%s ", (unsigned long long)count, begun);
    put_ns(out, e->duration_ns);
    jg_buf_printf(out, " code %d ", e->code);
    put_text(out, e->error);
    jg_buf_lit(out, "</small></td>");
}

static void tracez(zpages *z, jg_buf *out)
{
    static const char *const heads[] = {"request",  "running",   "failed", "&lt;10us", "&lt;100us", "&lt;1ms",
                                        "&lt;10ms", "&lt;100ms", "&lt;1s", "&lt;10s",  "&lt;100s",  "more"};
    jg_requests *requests = jg_net_requests(jg_host_net(z->host), true);
    jg_request_row row;
    for (size_t i = 0; i < JG_COUNT(heads); i++)
        jg_buf_printf(out, "%s<th>%s</th>", i ? "" : "<tr>", heads[i]);
    jg_buf_lit(out, "</tr>\n");
    for (size_t i = 0; requests && jg_requests_row(requests, i, &row); i++) {
        jg_buf_lit(out, "<tr><td>");
        put_text(out, row.name);
        jg_buf_printf(out, "</td><td>%llu</td>", (unsigned long long)row.running);
        put_example(out, row.failed, &row.last_failed);
        for (size_t k = 0; k < JG_REQUEST_BUCKETS; k++)
            put_example(out, row.took[k], &row.last[k]);
        jg_buf_lit(out, "</tr>\n");
    }
}

static const struct {
    const char *path, *title;
    void (*write)(zpages *z, jg_buf *out);
} pages[] = {
    {"/debug/servicez", "Service", servicez},        {"/debug/pipelinez", "Pipelines", pipelinez},
    {"/debug/extensionz", "Extensions", extensionz}, {"/debug/featurez", "Feature Gates", featurez},
    {"/debug/tracez", "Requests", tracez},
};

static void zpages_handle(void *self, jg_http_request *request, jg_http_reply *reply)
{
    zpages *z = self;
    jg_buf out JG_AUTO_BUF = JG_BUF_INIT(PAGE_BYTES_MAX);
    if (z->config->expvar.enabled && jg_str_is(request->path, "/debug/vars")) {
        jg_diag_write_vars(&out);
        jg_http_send(reply, 200, "application/json; charset=utf-8", jg_buf_view(&out));
        return;
    }
    for (size_t i = 0; i < JG_COUNT(pages); i++) {
        if (!jg_str_is(request->path, pages[i].path))
            continue;
        jg_buf_printf(&out,
                      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta "
                      "charset=\"utf-8\"><title>%s</title></head>\n<body>\n<h1>%s</h1>\n<table>\n",
                      pages[i].title, pages[i].title);
        pages[i].write(z, &out);
        jg_buf_lit(&out, "</table>\n</body></html>\n");
        jg_http_send(reply, 200, "text/html; charset=utf-8", jg_buf_view(&out));
        return;
    }
    jg_diag_not_found(reply);
}

static jaeger_status zpages_create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    (void)err;
    *(zpages *)self =
        (zpages){.id = in->id, .config = in->config, .host = in->host, .start_unix_ns = jg_clock_unix_ns()};
    return JAEGER_OK;
}

static jaeger_status zpages_start(void *self, jaeger_error *err)
{
    zpages *z = self;
    (void)jg_net_requests(jg_host_net(z->host), true);
    return jg_diag_start(&z->server, z->host, &z->config->server, (jg_http_handler){zpages_handle, z}, z->id,
                         err);
}

static void zpages_stop(void *self, uint64_t deadline_ns)
{
    jg_diag_stop(&((zpages *)self)->server, deadline_ns);
}

static const jaeger_field zpages_expvar_fields[] = {
    {.name = "enabled", .kind = JAEGER_FIELD_BOOL, .doc = "serve /debug/vars"},
    {.kind = JAEGER_FIELD_END},
};

static const jaeger_field zpages_fields[] = {
    JG_HTTP_SERVER_FIELDS(zpages_config, server, "localhost:55679", "true"),
    {.name = "expvar",
     .kind = JAEGER_FIELD_BLOCK,
     .offset = offsetof(zpages_config, expvar),
     .sub = zpages_expvar_fields,
     .sub_size = sizeof(bool),
     .doc = "variables of the process"},
    {.kind = JAEGER_FIELD_END},
};

const jaeger_component_type jg_extension_zpages = {
    .size = sizeof(jaeger_component_type),
    .name = "zpages",
    .doc = "shows what runs, as HTML pages",
    .kind = JAEGER_EXTENSION,
    .fields = zpages_fields,
    .config_size = sizeof(zpages_config),
    .state_size = sizeof(zpages),
    .create = zpages_create,
    .start = zpages_start,
    .stop = zpages_stop,
};
