/* SPDX-License-Identifier: Apache-2.0
 * The extension expvar: variables of the process as JSON, on any path, as Go's package expvar shows them.
 */
#include "extensions/diag/server.h"

typedef struct expvar_config {
    jg_http_server_settings server;
} expvar_config;

typedef struct expvar {
    const char *id;
    const expvar_config *config;
    jaeger_host *host;
    jg_diag_server server;
} expvar;

static void expvar_handle(void *self, jg_http_request *request, jg_http_reply *reply)
{
    (void)self;
    (void)request;
    jg_buf out JG_AUTO_BUF = JG_BUF_INIT(1u << 20);
    jg_diag_write_vars(&out);
    jg_http_send(reply, 200, "application/json; charset=utf-8", jg_buf_view(&out));
}

static jaeger_status expvar_create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    (void)err;
    *(expvar *)self = (expvar){.id = in->id, .config = in->config, .host = in->host};
    return JAEGER_OK;
}

static jaeger_status expvar_start(void *self, jaeger_error *err)
{
    expvar *e = self;
    return jg_diag_start(&e->server, e->host, &e->config->server, (jg_http_handler){expvar_handle, e}, e->id,
                         err);
}

static void expvar_stop(void *self, uint64_t deadline_ns)
{
    jg_diag_stop(&((expvar *)self)->server, deadline_ns);
}

static const jaeger_field expvar_fields[] = {
    JG_HTTP_SERVER_FIELDS(expvar_config, server, "0.0.0.0:27777", "false"),
    {.kind = JAEGER_FIELD_END},
};

const jaeger_component_type jg_extension_expvar = {
    .size = sizeof(jaeger_component_type),
    .name = "expvar",
    .doc = "shows variables of the process as JSON",
    .kind = JAEGER_EXTENSION,
    .fields = expvar_fields,
    .config_size = sizeof(expvar_config),
    .state_size = sizeof(expvar),
    .create = expvar_create,
    .start = expvar_start,
    .stop = expvar_stop,
};
