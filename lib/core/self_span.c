/* SPDX-License-Identifier: Apache-2.0
 * See self_span.h.
 */
#include "core/self_span.h"

#include "core/str.h"
#include <string.h>

void jg_self_span_begin_child(jg_self_span *s, jaeger_call *call, const char *name, uint32_t kind)
{
    s->live = jaeger_span_begin(call->tracer, call->trace, jg_str(name), kind);
    if (!jaeger_live_span_context(s->live, &s->context))
        return; /* no room: what follows belongs to the parent */
    s->call = call;
    s->outer = call->trace;
    call->trace = &s->context;
}

/* ---- servers ---- */

typedef struct request_headers {
    const jaeger_pair *items;
    size_t count;
} request_headers;

static jaeger_str get_header(void *self, const char *name)
{
    const request_headers *headers = self;
    for (size_t i = 0; i < headers->count; i++)
        if (jg_str_is(headers->items[i].key, name))
            return headers->items[i].value;
    return (jaeger_str){0};
}

void jg_self_span_serve(jg_self_span *s, jaeger_tracer *tracer, jaeger_call *call, const char *name,
                        const jaeger_pair *headers, size_t header_count)
{
    s->live = NULL;
    s->call = NULL;
    if (!tracer)
        return;
    request_headers in = {headers, header_count};
    unsigned formats = jaeger_tracer_propagators(tracer);
    bool continues = jaeger_extract(formats, (jaeger_carrier){.get = get_header, .self = &in}, &s->context);
    s->live = jaeger_span_begin(tracer, continues ? &s->context : NULL, jg_str(name), JAEGER_KIND_SERVER);
    if (s->live)
        (void)jaeger_live_span_context(s->live, &s->context);
    else if (!continues)
        return;
    s->call = call;
    s->outer = call->trace;
    call->tracer = tracer;
    call->trace = &s->context;
}

bool jg_self_span_is_header(jaeger_str name)
{
    static const char *const names[] = {"traceparent", "tracestate",   "b3",         "x-b3-traceid",
                                        "x-b3-spanid", "x-b3-sampled", "x-b3-flags", "uber-trace-id"};
    for (size_t i = 0; i < JG_COUNT(names); i++)
        if (jg_str_is(name, names[i]))
            return true;
    return false;
}

/* ---- clients ---- */

typedef struct written_headers {
    jaeger_arena *arena;
    jaeger_pair *items;
    size_t count;
} written_headers;

static void set_header(void *self, const char *name, jaeger_str value)
{
    written_headers *out = self;
    jaeger_str copy = jaeger_arena_str(out->arena, value);
    if (copy.ptr && out->count < JG_SELF_SPAN_HEADERS_MAX)
        out->items[out->count++] = (jaeger_pair){jg_str(name), copy};
}

size_t jg_self_span_headers(const jaeger_call *call, jaeger_arena *arena, jaeger_pair *ret)
{
    written_headers out = {arena, ret, 0};
    if (call->tracer && call->trace)
        jaeger_inject(call->trace, jaeger_tracer_propagators(call->tracer),
                      (jaeger_carrier){.set = set_header, .self = &out});
    return out.count;
}

void jg_self_span_end_recorded(jg_self_span *s, bool failed, const jaeger_error *err)
{
    s->call->trace = s->outer;
    if (failed)
        jaeger_span_set_status(s->live, JAEGER_STATUS_ERROR, err ? jg_str(err->message) : JAEGER_STR(""));
    jaeger_span_end(s->live);
}
