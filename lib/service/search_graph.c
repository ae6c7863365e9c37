/* SPDX-License-Identifier: Apache-2.0
 * See search_graph.h. Without --from it goes on where the last run has stopped, its own or a server's; with
 * --from and --to it counts that time again.
 */
#include "service/search_graph.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/str.h"
#include "storage/opensearch/graph_job.h"
#include "wire/rfc3339.h"
#include <stdio.h>

static void put_time(char out[48], uint64_t unix_ns)
{
    out[jg_rfc3339_format((int64_t)(unix_ns / JG_NS_PER_S), 0, out)] = 0;
}

static void say_window(void *self, const jg_os_window_report *report)
{
    const jg_tool_options *o = self;
    char start[48], end[48];
    put_time(start, report->start_unix_ns);
    put_time(end, report->end_unix_ns);
    (void)printf("%s to %s: %llu spans, %llu calls on %zu edges\n", start, end,
                 (unsigned long long)report->spans, (unsigned long long)report->calls, report->links->count);
    for (size_t i = 0; o->dry_run && i < report->links->count; i++) {
        const jaeger_dependency *link = &report->links->items[i];
        (void)printf("  %.*s -> %.*s: %llu\n", JAEGER_STR_ARGS(link->parent), JAEGER_STR_ARGS(link->child),
                     (unsigned long long)link->call_count);
    }
    (void)fflush(stdout);
}

/** A date, or a time as RFC 3339 writes it. */
static jaeger_status read_time(const char *flag, const char *text, uint64_t *ret, jaeger_error *err)
{
    char whole[64];
    int64_t s;
    uint32_t ns;
    (void)snprintf(whole, sizeof whole, "%s%s", text, strchr(text, 'T') ? "" : "T00:00:00Z");
    if (!jg_rfc3339_parse(jg_str(whole), &s, &ns) || s < 0)
        return jg_fail(
            err, JAEGER_INVALID_ARGUMENT,
            "--%s: expected a date such as 2026-11-25, or a time such as 2026-11-25T12:00:00Z, not '%s'",
            flag, text);
    *ret = (uint64_t)s * JG_NS_PER_S;
    return JAEGER_OK;
}

static jaeger_status read_duration(const char *flag, const char *text, uint64_t *ret, jaeger_error *err)
{
    int64_t ns;
    if (!jg_str_to_duration(jg_str(text), &ns) || ns < 0)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "--%s: expected a duration such as 15m, not '%s'", flag,
                       text);
    *ret = (uint64_t)ns;
    return JAEGER_OK;
}

/** The section of a backend as the flags give it, else with its defaults. */
static jaeger_status fill(const jg_tool_options *o, const jg_os_client_config *client, jg_os_config *c,
                          jaeger_error *err)
{
    c->client = *client;
    c->indices.index_prefix = jg_str(o->index_prefix);
    c->tags_as_fields.dot_replacement = jg_str(o->dot);
    c->dependencies_job.enabled = true;
    c->dependencies_job.peer_service = o->peer_service;
    for (int kind = 0; kind < JG_OS_KINDS; kind++)
        c->indices.kinds[kind].rotation.manual_rollover.enabled = o->use_aliases;
    JG_TRY(read_duration("interval", o->interval, &c->dependencies_job.interval_ns, err));
    JG_TRY(read_duration("delay", o->delay, &c->dependencies_job.delay_ns, err));
    return read_duration("lookback", o->lookback, &c->dependencies_job.lookback_ns, err);
}

static jaeger_status count(const jg_tool_options *o, jg_os_store *store, jaeger_call *call)
{
    char owner[JG_OS_JOB_OWNER_BYTES];
    uint64_t from = 0, to = jg_clock_unix_ns();
    jg_os_job_run run = {.store = store,
                         .config = &store->config->dependencies_job,
                         .owner = owner,
                         .dry_run = o->dry_run,
                         .done = say_window,
                         .self = (void *)(uintptr_t)o};
    jg_os_job_owner(owner);
    if (*o->to)
        JG_TRY(read_time("to", o->to, &to, &call->error));
    if (*o->from) {
        JG_TRY(read_time("from", o->from, &from, &call->error));
        return jg_os_job_recount(&run, from, to, call);
    }
    if (*o->to)
        return jg_fail(&call->error, JAEGER_INVALID_ARGUMENT, "--to needs --from");
    JG_TRY(jg_os_job_catch_up(&run, call));
    if (run.busy)
        (void)printf("another process counts the service graph now\n");
    return JAEGER_OK;
}

jaeger_status jg_search_graph_run(const jg_tool_options *o, const jg_os_client_config *client,
                                  jaeger_call *call)
{
    static const jaeger_logger quiet;
    jaeger_config *node = NULL;
    JG_AUTO_FREE jg_os_config *config = jg_calloc(1, sizeof *config);
    JG_AUTO_FREE jg_os_store *store = jg_calloc(1, sizeof *store);
    if (!config || !store)
        return jg_fail_oom(&call->error);
    JG_TRY(jaeger_config_parse(JAEGER_STR("{}"), "flags", &node, &call->error));
    jaeger_status status = jaeger_config_bind(node, jg_os_fields, config, &call->error);
    if (status == JAEGER_OK)
        status = fill(o, client, config, &call->error);
    if (status == JAEGER_OK)
        status = jg_os_store_open(store, config, &quiet, NULL, &call->error);
    if (status == JAEGER_OK) {
        status = count(o, store, call);
        jg_os_store_close(store);
    }
    jaeger_config_free(node);
    return status;
}
