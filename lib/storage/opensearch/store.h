/* SPDX-License-Identifier: Apache-2.0
 * The state of one `opensearch` or `elasticsearch` backend, and the slots of its driver.
 *
 * Files: client (requests), index (names), templates; span_write, bulk_body, bulk and share (writing);
 * query_body, query_filter (questions), reply, span_read (answers); write, traces, search, names (the slots);
 * sampling, state (adaptive sampling and leases); graph_read, graph_count, graph_job (the service graph);
 * admin (what the tools do with indices).
 */
#ifndef JG_STORAGE_OPENSEARCH_STORE_H
#define JG_STORAGE_OPENSEARCH_STORE_H

#include "core/metrics.h"
#include "core/waiter.h"
#include "storage/opensearch/client.h"
#include "storage/opensearch/index.h"
#include "storage/opensearch/share.h"
#include "storage/opensearch/span_write.h"
#include <jaeger/storage.h>
#include <pthread.h>

#define JG_OS_FLIGHT_BYTES_MAX (64u << 20) /* of documents being written at once; then UNAVAILABLE */
#define JG_OS_SERVICES_KNOWN   131072u     /* services and operations written lately; a power of two */

typedef enum jg_os_poison { JG_OS_POISON_FAIL, JG_OS_POISON_DROP } jg_os_poison;

/** The job that computes the service graph: graph_job.h. */
typedef struct jg_os_job_config {
    bool enabled;
    uint64_t interval_ns, delay_ns, lookback_ns;
    bool peer_service;
} jg_os_job_config;

typedef struct jg_os_config {
    jg_os_client_config client;
    jaeger_str_list remote_read_clusters;
    struct {
        uint64_t max_bytes, flush_interval_ns, workers, max_actions;
        int refresh; /* jg_os_refresh */
    } bulk_processing;
    int write_mode, poison_pill_handling;
    jaeger_str log_level;
    bool create_mappings;
    uint64_t max_doc_count, max_span_age_ns, max_trace_duration_ns, service_cache_ttl_ns,
        adaptive_sampling_lookback_ns;
    jg_os_tags_config tags_as_fields;
    jg_os_indices_config indices;
    jg_os_job_config dependencies_job;
    const jaeger_config *refused[6];  /* keys of old rotation flags */
    const jaeger_config *accepted[3]; /* without effect */
} jg_os_config;

typedef struct jg_os_store {
    const jg_os_config *config;
    const jaeger_logger *log;
    jg_os_client *client;
    jg_os_index index[JG_OS_KINDS];
    jg_os_tag_choice choice;
    uint64_t *services_known; /* atomics; see write.c */
    uint64_t flight_bytes;    /* atomic */
    size_t request_bytes;     /* atomic: bulk_processing.max_bytes, or less if the cluster takes less */
    jg_os_share share;
    struct jg_os_writer *idle_writers; /* guarded by writers_mutex */
    pthread_mutex_t writers_mutex;
    bool ready;                  /* atomic: version known, templates of spans and services there */
    bool ready_for[JG_OS_KINDS]; /* atomic: template of that kind there */
    pthread_mutex_t ready_mutex; /* held while that is made so */
    jg_metric *refused, *partial;
    struct jg_os_job *job;    /* NULL: not started */
    struct jaeger_host *host; /* NULL: there is none */
    jg_waiter connecting;     /* while the cluster has not answered yet */
    int closing;              /* atomic: cancels what `connecting` asks */
} jg_os_store;

extern const jaeger_field jg_os_fields[];

/** Check the section and make what needs no cluster. @return INVALID_ARGUMENT; RESOURCE_EXHAUSTED */
jaeger_status jg_os_store_open(jg_os_store *store, const jg_os_config *config, const jaeger_logger *log,
                               struct jg_metrics *metrics, jaeger_error *err) JG_MUST_CHECK;
void jg_os_store_close(jg_os_store *store);
/** What writes need, in write.c. */
void jg_os_writers_open(jg_os_store *store);
void jg_os_writers_close(jg_os_store *store);
/** Before the first write: the version is known and the templates are there. Tried again until it is so. */
jaeger_status jg_os_store_ready(jg_os_store *store, jaeger_call *call) JG_MUST_CHECK;
/** The same before the first write of a kind that few need: dependencies, sampling. */
jaeger_status jg_os_store_ready_for(jg_os_store *store, jg_os_kind kind, jaeger_call *call) JG_MUST_CHECK;

#endif
