/* SPDX-License-Identifier: Apache-2.0
 * The job that computes the service graph for these backends: windows of time, one after the other, each a
 * document of Jaeger's in the indices of dependencies.
 *
 * How far it is stands in the cluster (state.h), and one runner at a time holds the lease, so any number of
 * collectors may have the job switched on, and each goes on where another has stopped. The document of a
 * window has an id made of the window: counting it again replaces it.
 */
#ifndef JG_STORAGE_OPENSEARCH_GRAPH_JOB_H
#define JG_STORAGE_OPENSEARCH_GRAPH_JOB_H

#include "storage/opensearch/store.h"

#define JG_OS_JOB_OWNER_BYTES 128u

/** Make a name that no other runner has. */
void jg_os_job_owner(char out[JG_OS_JOB_OWNER_BYTES]);

/** One window as it is done. */
typedef struct jg_os_window_report {
    uint64_t start_unix_ns, end_unix_ns, spans, calls;
    const jaeger_dependencies *links;
} jg_os_window_report;

typedef struct jg_os_job_run {
    jg_os_store *store;
    const jg_os_job_config *config;
    const char *owner;
    bool dry_run; /* count, write nothing, and heed no lease */
    /** Called after each window; NULL: nobody asks. */
    void (*done)(void *self, const jg_os_window_report *report);
    void *self;
    bool busy;           /* out: another holds the lease */
    bool without_lease;  /* the documents are replaced as they are */
    uint64_t renewed_ns; /* the lease, CLOCK_MONOTONIC */
} jg_os_job_run;

/** Count all windows that are complete and not yet counted; the first time, those of `lookback`. @return OK
 * also if another runner is at work; ABORTED: the lease was lost meanwhile */
jaeger_status jg_os_job_catch_up(jg_os_job_run *run, jaeger_call *call) JG_MUST_CHECK;
/** Count all windows that begin in [start, end) again, wherever the job stands. */
jaeger_status jg_os_job_recount(jg_os_job_run *run, uint64_t start_unix_ns, uint64_t end_unix_ns,
                                jaeger_call *call) JG_MUST_CHECK;
/** Append the document of a window. */
void jg_os_put_graph(jg_buf *out, uint64_t time_unix_ns, const jaeger_dependencies *links);

/** Run it now and then on a thread of its own. @return RESOURCE_EXHAUSTED */
jaeger_status jg_os_job_start(jg_os_store *store, struct jg_metrics *metrics,
                              jaeger_error *err) JG_MUST_CHECK;
/** Ends within a request. Fine if it was not started. */
void jg_os_job_stop(jg_os_store *store);

#endif
