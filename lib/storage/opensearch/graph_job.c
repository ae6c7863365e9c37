/* SPDX-License-Identifier: Apache-2.0
 * See graph_job.h. Documents: jaeger internal/storage/v1/elasticsearch/dependencystore (dbmodel).
 */
#include "storage/opensearch/graph_job.h"

#include "core/alloc.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/json_out.h"
#include "core/limits.h"
#include "core/str.h"
#include "core/waiter.h"
#include "storage/opensearch/bulk.h"
#include "storage/opensearch/graph_count.h"
#include "storage/opensearch/state.h"
#include "wire/rfc3339.h"
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#define LEASE          JAEGER_STR("dependencies")
#define MARK           JAEGER_STR("dependencies-counted-until")
#define LEASE_NS       (120 * JG_NS_PER_S) /* a request takes 30 s at most; renewed in between */
#define RENEW_NS       (30 * JG_NS_PER_S)
#define WAKE_NS        (60 * JG_NS_PER_S) /* how soon another takes over, at most */
#define DOCUMENT_BYTES (32u << 20)        /* 65536 services with a few calls each */

void jg_os_job_owner(char out[JG_OS_JOB_OWNER_BYTES])
{
    char host[64] = "unknown";
    uint64_t salt = 0;
    (void)gethostname(host, sizeof host - 1);
    if (getrandom(&salt, sizeof salt, 0) != sizeof salt)
        salt = jg_clock_unix_ns();
    (void)snprintf(out, JG_OS_JOB_OWNER_BYTES, "%s-%016llx", host, (unsigned long long)salt);
}

/* ---- a window ---- */

void jg_os_put_graph(jg_buf *out, uint64_t time_unix_ns, const jaeger_dependencies *links)
{
    char text[48];
    size_t len = jg_rfc3339_format((int64_t)(time_unix_ns / JG_NS_PER_S),
                                   (uint32_t)(time_unix_ns % JG_NS_PER_S), text);
    jg_json_out j = JG_JSON_OUT_INIT(out);
    jg_json_object(&j);
    jg_json_key_lit(&j, "timestamp");
    jg_json_str(&j, (jaeger_str){text, len});
    jg_json_key_lit(&j, "dependencies");
    jg_json_array(&j);
    for (size_t i = 0; i < links->count; i++) {
        jg_json_object(&j);
        jg_json_key_lit(&j, "parent");
        jg_json_str(&j, links->items[i].parent);
        jg_json_key_lit(&j, "child");
        jg_json_str(&j, links->items[i].child);
        jg_json_key_lit(&j, "callCount");
        jg_json_u64(&j, links->items[i].call_count);
        jg_json_end(&j);
    }
    jg_json_end(&j);
    jg_json_end(&j);
}

typedef struct graph_document {
    jaeger_str index, id, document;
} graph_document;

static void put_graph_document(void *self, jg_os_body *body, uint64_t tag)
{
    const graph_document *d = self;
    (void)tag;
    jg_os_body_put(body, d->index, d->id, d->document);
}

static jaeger_status write_graph(jg_os_store *store, uint64_t start, uint64_t end,
                                 const jaeger_dependencies *links, jaeger_call *call)
{
    JG_AUTO_BUF jg_buf document = JG_BUF_INIT(DOCUMENT_BYTES), index = JG_BUF_INIT(1024);
    jg_os_bulk bulk JG_CLEANUP(jg_os_bulk_done);
    char id[64];
    int len = snprintf(id, sizeof id, "calls-%llu-%llu", (unsigned long long)(start / JG_NS_PER_S),
                       (unsigned long long)((end - start) / JG_NS_PER_S));
    bool ok = jg_os_bulk_init(&bulk, store->config->client.http_compression,
                              store->config->bulk_processing.max_bytes, DOCUMENT_BYTES);
    bulk.refresh = (jg_os_refresh)store->config->bulk_processing.refresh;
    jg_os_put_write_index(&index, &store->index[JG_OS_DEPENDENCIES], start);
    jg_os_put_graph(&document, start, links);
    if (!ok || !jg_buf_ok(&document) || !jg_buf_ok(&index))
        return jg_fail_oom(&call->error);
    graph_document d = {jg_buf_view(&index), {id, (size_t)len}, jg_buf_view(&document)};
    jg_os_bulk_add(&bulk, 0);
    JG_TRY(jg_os_bulk_send(&bulk, store->client, (jg_os_documents){.put = put_graph_document, .self = &d},
                           call));
    if (bulk.refused_count)
        return jg_fail(&call->error, JAEGER_INVALID_ARGUMENT, "the cluster refused a document: %s",
                       bulk.reason);
    return JAEGER_OK;
}

static jaeger_status keep_lease(jg_os_job_run *run, jaeger_call *call)
{
    bool held = false;
    uint64_t now = jg_clock_mono_ns();
    if (run->dry_run || run->without_lease || (run->renewed_ns && now - run->renewed_ns < RENEW_NS))
        return JAEGER_OK;
    JG_TRY(jg_os_acquire(run->store, LEASE, jg_str(run->owner), LEASE_NS, &held, call));
    if (!held)
        return jg_fail(&call->error, JAEGER_ABORTED, "another process counts the service graph");
    run->renewed_ns = now;
    return JAEGER_OK;
}

static jaeger_status step(void *self, uint64_t spans, jaeger_call *call)
{
    (void)spans;
    JG_TRY(jaeger_call_check(call));
    return keep_lease(self, call);
}

/** @param again replace what may be there also by nothing */
static jaeger_status do_window(jg_os_job_run *run, uint64_t start, uint64_t end, bool again,
                               jaeger_call *call)
{
    jaeger_dependencies links = {0};
    jg_os_count count = {
        .start_unix_ns = start, .end_unix_ns = end, .peers = run->config->peer_service, .step = {step, run}};
    jg_os_window_report report = {.start_unix_ns = start, .end_unix_ns = end, .links = &links};
    JG_TRY(jg_os_count_calls(run->store, &count, &links, call));
    if (!run->dry_run && (links.count || again))
        JG_TRY(write_graph(run->store, start, end, &links, call));
    for (size_t i = 0; i < links.count; i++)
        report.calls += links.items[i].call_count;
    report.spans = count.spans;
    if (run->done)
        run->done(run->self, &report);
    return JAEGER_OK;
}

/** A window with memory of its own: a run has many. */
static jaeger_status do_window_apart(jg_os_job_run *run, uint64_t start, uint64_t end, bool again,
                                     jaeger_call *call)
{
    jaeger_arena *outer = call->arena;
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX);
    if (!arena)
        return jg_fail_oom(&call->error);
    call->arena = arena;
    jaeger_status status = do_window(run, start, end, again, call);
    call->arena = outer;
    return status;
}

/* ---- a run ---- */

static jaeger_status catch_up(jg_os_job_run *run, jaeger_call *call)
{
    jg_os_state mark;
    uint64_t now = jg_clock_unix_ns(), interval = run->config->interval_ns;
    uint64_t back = run->config->lookback_ns + run->config->delay_ns;
    uint64_t end = now - JG_MIN(now, run->config->delay_ns), at = now - JG_MIN(now, back);
    JG_TRY(jg_os_state_get(run->store, MARK, &mark, call));
    if (mark.exists)
        at = mark.number_ms * JG_NS_PER_MS;
    at -= at % interval;
    for (; at + interval <= end; at += interval) {
        JG_TRY(keep_lease(run, call));
        JG_TRY(do_window_apart(run, at, at + interval, false, call));
        if (run->dry_run)
            continue;
        JG_TRY(jg_os_state_put(run->store, MARK, &mark, jg_str(run->owner), (at + interval) / JG_NS_PER_MS,
                               call));
        JG_TRY(jg_os_state_get(run->store, MARK, &mark, call));
    }
    return JAEGER_OK;
}

jaeger_status jg_os_job_catch_up(jg_os_job_run *run, jaeger_call *call)
{
    run->renewed_ns = 0;
    run->busy = false;
    if (!run->dry_run)
        JG_TRY(jg_os_store_ready_for(run->store, JG_OS_DEPENDENCIES, call));
    jaeger_status status = keep_lease(run, call);
    if (status == JAEGER_ABORTED) {
        run->busy = true;
        call->error = (jaeger_error){0};
        return JAEGER_OK;
    }
    if (status == JAEGER_OK)
        status = catch_up(run, call);
    jaeger_call leaving = JAEGER_CALL_INIT;
    leaving.arena = call->arena;
    leaving.deadline_ns = jg_clock_mono_ns() + 5 * JG_NS_PER_S;
    if (run->renewed_ns && jg_os_forfeit(run->store, LEASE, jg_str(run->owner), &leaving) != JAEGER_OK)
        jaeger_log(run->store->log, JAEGER_WARN,
                   "the lease of the dependencies job runs out by itself error=\"%s\"",
                   leaving.error.message);
    return status;
}

jaeger_status jg_os_job_recount(jg_os_job_run *run, uint64_t start_unix_ns, uint64_t end_unix_ns,
                                jaeger_call *call)
{
    uint64_t interval = run->config->interval_ns;
    jg_os_job_run recount = *run;
    if (!run->dry_run)
        JG_TRY(jg_os_store_ready_for(run->store, JG_OS_DEPENDENCIES, call));
    recount.without_lease = true;
    for (uint64_t at = start_unix_ns - start_unix_ns % interval; at < end_unix_ns; at += interval)
        JG_TRY(do_window_apart(&recount, at, at + interval, true, call));
    return JAEGER_OK;
}

/* ---- the thread ---- */

struct jg_os_job {
    jg_os_store *store;
    jg_waiter waiter;
    char owner[JG_OS_JOB_OWNER_BYTES];
    int cancelled; /* atomic */
    jg_metric *windows, *spans, *failures;
    uint64_t done; /* windows of this run */
};

static void note_window(void *self, const jg_os_window_report *report)
{
    struct jg_os_job *job = self;
    job->done++;
    jg_metric_add(job->windows, 1);
    jg_metric_add(job->spans, report->spans);
    jaeger_log(job->store->log, JAEGER_DEBUG,
               "counted the service graph start=%llu spans=%llu calls=%llu links=%zu",
               (unsigned long long)(report->start_unix_ns / JG_NS_PER_S), (unsigned long long)report->spans,
               (unsigned long long)report->calls, report->links->count);
}

static void run_once(struct jg_os_job *job)
{
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX);
    jaeger_call call = JAEGER_CALL_INIT;
    jg_os_job_run run = {.store = job->store,
                         .config = &job->store->config->dependencies_job,
                         .owner = job->owner,
                         .done = note_window,
                         .self = job};
    if (!arena)
        return;
    call.arena = arena;
    call.cancelled = &job->cancelled;
    job->done = 0;
    jaeger_status status = jg_os_job_catch_up(&run, &call);
    if (status == JAEGER_OK || status == JAEGER_CANCELLED) {
        if (job->done)
            jaeger_log(job->store->log, JAEGER_INFO, "counted the service graph windows=%llu",
                       (unsigned long long)job->done);
        return;
    }
    jg_metric_add(job->failures, 1);
    jaeger_log(job->store->log, JAEGER_WARN,
               "cannot count the service graph, trying again in a minute error=\"%s\"", call.error.message);
}

static void *work(void *arg)
{
    struct jg_os_job *job = arg;
    do
        run_once(job);
    while (!jg_waiter_sleep(&job->waiter, JG_MIN(WAKE_NS, job->store->config->dependencies_job.interval_ns)));
    return NULL;
}

jaeger_status jg_os_job_start(jg_os_store *store, struct jg_metrics *metrics, jaeger_error *err)
{
    struct jg_os_job *job = jg_calloc(1, sizeof *job);
    if (!job)
        return jg_fail_oom(err);
    job->store = store;
    jg_os_job_owner(job->owner);
    job->windows = jg_metrics_counter(metrics, "jaeger_dependencies_job_windows",
                                      "Windows whose service graph was counted", NULL, 0);
    job->spans = jg_metrics_counter(metrics, "jaeger_dependencies_job_spans",
                                    "Spans read to count the service graph", NULL, 0);
    job->failures = jg_metrics_counter(metrics, "jaeger_dependencies_job_failures",
                                       "Runs of the service graph's job that failed", NULL, 0);
    jaeger_status status = jg_waiter_start(&job->waiter, work, job, err);
    if (status == JAEGER_OK)
        store->job = job;
    else
        jg_free(job);
    return status;
}

void jg_os_job_stop(jg_os_store *store)
{
    struct jg_os_job *job = store->job;
    if (!job)
        return;
    __atomic_store_n(&job->cancelled, 1, __ATOMIC_RELAXED);
    jg_waiter_stop(&job->waiter);
    jg_free(job);
    store->job = NULL;
}
