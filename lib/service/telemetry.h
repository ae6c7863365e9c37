/* SPDX-License-Identifier: Apache-2.0
 * service::telemetry: how the service tells about itself, in logs, metrics and spans.
 * Keys: opentelemetry-collector service/telemetry; go.opentelemetry.io/contrib/otelconf for readers and
 * resource.
 */
#ifndef JG_SERVICE_TELEMETRY_H
#define JG_SERVICE_TELEMETRY_H

#include "core/map.h"
#include "core/metrics.h"
#include "pipeline/report.h"
#include "service/log.h"
#include <jaeger/batch.h>

struct jg_net;

typedef enum jg_metrics_level {
    JG_METRICS_NONE,
    JG_METRICS_BASIC,
    JG_METRICS_NORMAL,
    JG_METRICS_DETAILED
} jg_metrics_level;

/** A Prometheus endpoint that others read. */
typedef struct jg_pull_reader {
    jaeger_str host;
    uint64_t port;
    struct {
        jaeger_str_list included, excluded;
    } with_resource_constant_labels;
    bool without_scope_info, without_type_suffix, without_units;
} jg_pull_reader;

/** Where metrics are sent to, every now and then. */
typedef struct jg_push_reader {
    uint64_t interval_ms;
    jaeger_str endpoint, certificate, client_certificate, client_key, headers_list;
    jaeger_pair_list headers;
    int protocol;    /* jg_push_protocol */
    int compression; /* index into none|gzip */
    int temporality; /* jg_push_temporality */
    int aggregation; /* one choice */
    bool console;    /* into the log, instead */
    bool insecure;
    uint64_t timeout_ms;
} jg_push_reader;
typedef enum jg_push_protocol { JG_PUSH_HTTP, JG_PUSH_GRPC } jg_push_protocol;
typedef enum jg_push_temporality {
    JG_PUSH_CUMULATIVE,
    JG_PUSH_DELTA,
    JG_PUSH_LOW_MEMORY
} jg_push_temporality;

/** Our own spans. Zeroed: none. */
typedef struct jg_self_traces {
    bool enabled, console;
    jaeger_str pipeline; /* into a pipeline of this service; empty: `otlp` or console */
    jg_push_reader otlp; /* the fields of the exporter */
    double ratio;        /* of new traces */
    unsigned propagators;
    uint64_t schedule_delay_ms, export_timeout_ms, max_queue_size, max_export_batch_size;
} jg_self_traces;

#define JG_PULL_READERS_MAX        8
#define JG_PUSH_READERS_MAX        8
#define JG_RESOURCE_ATTRIBUTES_MAX 64

typedef struct jg_telemetry {
    jaeger_level level;
    bool json;
    jaeger_str_list log_paths;
    jg_log_sampling log_sampling;
    jaeger_str log_fields; /* initial_fields and, in JSON, the resource: members of a JSON object */
    jg_metrics_level metrics_level;
    jg_pull_reader readers[JG_PULL_READERS_MAX];
    size_t reader_count;
    jg_push_reader pushes[JG_PUSH_READERS_MAX];
    size_t push_count;
    jg_self_traces traces;
    jaeger_pair resource[JG_RESOURCE_ATTRIBUTES_MAX];
    size_t resource_count;
} jg_telemetry;

/** Read the section `node` (NULL: absent, all defaults). Results live in the arena and in the tree.
 *  @return false: faults were added */
bool jg_telemetry_decode(const jaeger_config *node, jaeger_arena *arena, jg_telemetry *ret,
                         jg_report *report);
/** The fields of service::telemetry, for documentation. */
extern const jaeger_field jg_telemetry_fields[];

/** The running part: endpoints that serve `metrics`. */
typedef struct jg_exposition jg_exposition;

/** Serve each reader. @return UNAVAILABLE: a port is in use; as jg_net_listen */
jaeger_status jg_exposition_start(const jg_telemetry *telemetry, struct jg_net *net, jg_metrics *metrics,
                                  jg_exposition **ret, jaeger_error *err) JG_MUST_CHECK;
/** Accepts NULL. */
void jg_exposition_stop(jg_exposition *exposition, uint64_t deadline_ns);

/* service/push.c */
/** Periodic readers: a thread each. */
typedef struct jg_push jg_push;
/** @return INVALID_ARGUMENT: an endpoint or a certificate file */
jaeger_status jg_push_start(const jg_telemetry *telemetry, struct jg_net *net, jg_metrics *metrics,
                            const jaeger_logger *log, jg_push **ret, jaeger_error *err) JG_MUST_CHECK;
/** Sends once more. Accepts NULL. */
void jg_push_stop(jg_push *push, uint64_t deadline_ns);
/** What was sent before, for a reader of deltas. Zeroed: nothing yet. */
typedef struct jg_push_memory {
    jg_map series; /* what each one was */
    uint64_t at_unix_ns;
} jg_push_memory;
void jg_push_memory_done(jg_push_memory *memory);
/** All metrics as an ExportMetricsServiceRequest. @param memory NULL: cumulative; else what came since */
void jg_push_write(const jg_telemetry *telemetry, jg_metrics *metrics, jg_push_memory *memory,
                   uint64_t start_unix_ns, uint64_t now_unix_ns, jg_buf *out);
/** A whole line of JSON to where log lines go, whatever the level: exporter::console. */
void jg_telemetry_console(const jaeger_logger *log, jaeger_str line);

/* service/self_traces.c */
/** Records our own spans and sends them. */
typedef struct jg_self_tracing jg_self_tracing;
/** Where a pipeline of this service takes spans. */
typedef struct jg_self_sink {
    jaeger_status (*consume)(void *self, const char *pipeline, jaeger_batch *take, jaeger_call *call);
    void *self;
} jg_self_sink;
/** @return INVALID_ARGUMENT: an endpoint or a certificate file; *ret stays NULL if it is off */
jaeger_status jg_self_tracing_start(const jg_telemetry *telemetry, struct jg_net *net, jg_metrics *metrics,
                                    const jaeger_logger *log, jg_self_sink sink, jg_self_tracing **ret,
                                    jaeger_error *err) JG_MUST_CHECK;
/** NULL-safe. */
struct jaeger_tracer *jg_self_tracing_tracer(const jg_self_tracing *tracing);
/** Hand over what ended; before pipelines stop. Accepts NULL. */
void jg_self_tracing_flush(jg_self_tracing *tracing, uint64_t deadline_ns);
/** Once nobody records any more. Accepts NULL. */
void jg_self_tracing_stop(jg_self_tracing *tracing);

/* service/process_metrics.c */
typedef struct jg_process_metrics {
    uint64_t started_ns;
    jg_metric *uptime, *cpu, *rss, *heap, *heap_total, *sys;
} jg_process_metrics;

/** Metrics of the process, otelcol_process_*. `process` must outlive the registry. */
void jg_process_metrics_register(jg_process_metrics *process, jg_metrics *metrics);

#endif
