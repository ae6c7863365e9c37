/* SPDX-License-Identifier: Apache-2.0
 * A service with one extension and a pipeline that does nothing.
 */
#ifndef JG_TEST_DIAG_H
#define JG_TEST_DIAG_H

#include "support/http.h"
#include <jaeger/service.h>

/** Away from the ports of other tests that run at the same time. */
static inline unsigned diag_port(void)
{
    return 22000u + (unsigned)getpid() % 900u;
}

/** @param section YAML of the extension; "%u" in it becomes the port. Its id ends at the first ':' */
static inline jaeger_status diag_new(const char *section, jaeger_service **ret, jaeger_error *err)
{
    static char filled[1024], yaml[2048];
    const char *mark = strstr(section, "%u");
    if (mark)
        (void)snprintf(filled, sizeof filled, "%.*s%u%s", (int)(mark - section), section, diag_port(),
                       mark + 2);
    else
        (void)snprintf(filled, sizeof filled, "%s", section);
    (void)snprintf(yaml, sizeof yaml,
                   "receivers: {nop: }\nexporters: {nop: }\nextensions: {%s}\n"
                   "service: {telemetry: {metrics: {level: none}}, extensions: [%.*s],\n"
                   "  pipelines: {traces: {receivers: [nop], exporters: [nop]}}}\n",
                   filled, (int)strcspn(section, ":"), section);
    jaeger_service_options options = JAEGER_SERVICE_OPTIONS_INIT;
    options.yaml = yaml;
    return jaeger_service_new(&options, ret, err);
}

static inline jaeger_service *diag_start(const char *section)
{
    jaeger_service *service;
    jaeger_error err = {0};
    if (diag_new(section, &service, &err) != JAEGER_OK || jaeger_service_start(service, &err) != JAEGER_OK)
        fail_msg("%s", err.message);
    return service;
}

static inline jg_buf diag_get(const char *path)
{
    char request[256];
    int len = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    return http_exchange((uint16_t)diag_port(), request, (size_t)len);
}

#endif
