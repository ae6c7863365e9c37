/* SPDX-License-Identifier: Apache-2.0
 * Request lines ("GET /api/traces?service=a") against the query service's HTTP API over a store with nothing
 * in it.
 */
#include "core/arena.h"
#include "core/str.h"
#include "query/http.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static jaeger_status get_nothing(void *self, const jaeger_trace_ref *refs, size_t n, jaeger_consumer out,
                                 jaeger_call *call)
{
    (void)self, (void)refs, (void)n, (void)out, (void)call;
    return JAEGER_OK;
}

static jaeger_status find_nothing(void *self, const jaeger_trace_query *query, jaeger_consumer out,
                                  jaeger_call *call)
{
    (void)self, (void)query, (void)out, (void)call;
    return JAEGER_OK;
}

static const jaeger_storage_driver nothing = {
    .size = sizeof nothing, .name = "nothing", .get_traces = get_nothing, .find_traces = find_nothing};

/** An answer must come once, and whole. */
typedef struct answer {
    int begun, ended;
} answer;

static void add_header(void *self, const char *name, jaeger_str value)
{
    (void)self, (void)name, (void)value;
}

static void send(void *self, int status, const char *type, jaeger_str body)
{
    (void)status, (void)type, (void)body;
    ((answer *)self)->begun++;
    ((answer *)self)->ended++;
}

static void begin(void *self, int status, const char *type)
{
    (void)status, (void)type;
    ((answer *)self)->begun++;
}

static jaeger_status write_piece(void *self, jaeger_str bytes)
{
    (void)self, (void)bytes;
    return JAEGER_OK;
}

static void end(void *self, bool ok)
{
    (void)ok;
    ((answer *)self)->ended++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static jaeger_query *query;
    static jg_ui *ui;
    jaeger_query_options options = {.size = sizeof options, .traces = {&nothing, NULL}};
    if (!query && (jaeger_query_new(&options, &query, NULL) != JAEGER_OK ||
                   jg_ui_new(&(jg_ui_options){0}, &ui, NULL) != JAEGER_OK))
        abort();
    jaeger_str line = {(const char *)data, size}, body;
    size_t newline = jg_str_find(line, '\n'); /* what follows is the body */
    body = jg_str_skip(line, newline + 1);
    line.len = newline;
    size_t space = jg_str_find(line, ' ');
    jaeger_str target = jg_str_skip(line, space + 1);
    size_t mark = jg_str_find(target, '?');
    jaeger_call call = JAEGER_CALL_INIT;
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(64 << 20);
    call.arena = arena;
    jg_http_request request = {
        .method = {line.ptr, space}, .path = {target.ptr, mark}, .body = body, .call = &call};
    if (mark < target.len)
        request.query = jg_str_skip(target, mark + 1);
    answer a = {0};
    jg_query_http http = {.query = query, .ui = ui};
    jg_query_http_handle(&http, &request, &(jg_query_reply){add_header, send, begin, write_piece, end, &a});
    if (a.begun != 1 || a.ended != 1)
        abort();
    return 0;
}
