/* SPDX-License-Identifier: Apache-2.0
 * Writes batches for people to read: a line with counts, then more by verbosity. To the service's log
 * (sampled: the first few of each second, then every n-th), or to output_paths. Spec: opentelemetry-collector
 * exporter/debugexporter/README.md.
 */
#include "exporters/debug/text.h"

#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/json_out.h"
#include "core/str.h"
#include <errno.h>
#include <jaeger/component.h>
#include <pthread.h>
#include <stdio.h>

#define TEXT_BYTES_MAX (16u << 20) /* a batch in words; what is longer is cut */
#define OUTPUTS_MAX    8           /* files one exporter writes to */

enum { VERBOSITY_BASIC, VERBOSITY_NORMAL, VERBOSITY_DETAILED };

typedef struct debug_config {
    int verbosity;
    uint64_t sampling_initial, sampling_thereafter;
    bool use_internal_logger;
    jaeger_str_list output_paths;
    const jaeger_config *sending_queue;
} debug_config;

typedef struct debug {
    const debug_config *config;
    const jaeger_logger *log;
    pthread_mutex_t output_mutex; /* guards all below: whole batches in the output */
    bool ready;
    uint64_t second, seen; /* sampling */
    FILE *outputs[OUTPUTS_MAX];
    size_t output_count;
} debug;

static jaeger_status debug_validate(const void *config, const jaeger_config *node, jaeger_error *err)
{
    const debug_config *c = config;
    const char *path = jaeger_config_path(node), *joint = path[0] ? ": " : "";
    if (c->use_internal_logger && jaeger_config_get(node, "output_paths"))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "%s%soutput_paths requires use_internal_logger to be false", path, joint);
    if (c->output_paths.count > OUTPUTS_MAX)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s%soutput_paths has more than %d entries", path, joint,
                       OUTPUTS_MAX);
    return JAEGER_OK;
}

static jaeger_status debug_create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    debug *d = self;
    d->config = in->config;
    d->log = in->log;
    if (pthread_mutex_init(&d->output_mutex, NULL))
        return jg_fail_oom(err);
    d->ready = true;
    return JAEGER_OK;
}

static jaeger_status debug_start(void *self, jaeger_error *err)
{
    debug *d = self;
    if (d->config->use_internal_logger)
        return JAEGER_OK;
    for (size_t i = 0; i < d->config->output_paths.count; i++) {
        const char *path = d->config->output_paths.items[i].ptr;
        FILE *file = strcmp(path, "stdout") == 0   ? stdout
                     : strcmp(path, "stderr") == 0 ? stderr
                                                   : fopen(path, "ae");
        if (!file)
            return jg_fail(err, JAEGER_INVALID_ARGUMENT, "cannot open %s: %s", path, strerror(errno));
        d->outputs[d->output_count++] = file;
    }
    return JAEGER_OK;
}

/* With output_mutex held: is this batch one of those the log shows? */
static bool is_sampled(debug *d)
{
    uint64_t second = jg_clock_mono_ns() / JG_NS_PER_S, initial = d->config->sampling_initial,
             thereafter = d->config->sampling_thereafter;
    if (second != d->second) {
        d->second = second;
        d->seen = 0;
    }
    uint64_t n = d->seen++;
    return n < initial || (thereafter && (n - initial) % thereafter == thereafter - 1);
}

/* The dump is one log entry of many lines; jaeger_log would cut it. */
static void log_text(const debug *d, jaeger_str text)
{
    const jaeger_log_sink *sink = d->log ? d->log->sink : NULL;
    if (!sink || !sink->write || JAEGER_INFO < sink->level || text.len == 0)
        return;
    if (!sink->json) {
        sink->write(sink->user, JAEGER_INFO, text);
        return;
    }
    JG_AUTO_BUF jg_buf line = JG_BUF_INIT(2 * TEXT_BYTES_MAX);
    jg_json_out json = JG_JSON_OUT_INIT(&line);
    jg_json_object(&json);
    jg_json_key_lit(&json, "level");
    jg_json_str(&json, JAEGER_STR("info"));
    jg_json_key_lit(&json, "msg");
    jg_json_str(&json, text);
    jg_json_end(&json);
    if (jg_buf_ok(&line))
        sink->write(sink->user, JAEGER_INFO, jg_buf_view(&line));
}

static void write_outputs(debug *d, const char *counts, jaeger_str text)
{
    for (size_t i = 0; i < d->output_count; i++) {
        (void)fprintf(d->outputs[i], "%s\n", counts);
        (void)fwrite(text.ptr, 1, text.len, d->outputs[i]);
        (void)fflush(d->outputs[i]);
    }
}

/** The line that each batch gets. */
static void count(const jaeger_batch *batch, char *out, size_t size)
{
    jg_debug_counts n = jg_debug_metric_counts(batch);
    if (jaeger_batch_signal(batch) == JAEGER_METRICS)
        (void)snprintf(out, size,
                       "Metrics {\"resource metrics\": %zu, \"metrics\": %zu, \"data points\": %zu}",
                       n.resources, n.metrics, n.points);
    else
        (void)snprintf(out, size, "Traces {\"resource spans\": %zu, \"spans\": %zu}",
                       jg_debug_resource_count(batch), jaeger_batch_span_count(batch));
}

static void describe(const debug *d, const jaeger_batch *batch, jg_buf *out)
{
    if (jaeger_batch_signal(batch) == JAEGER_METRICS && d->config->verbosity != VERBOSITY_BASIC)
        jg_debug_text_metrics(out, batch);
    else if (d->config->verbosity == VERBOSITY_NORMAL)
        jg_debug_text_normal(out, batch);
    else if (d->config->verbosity == VERBOSITY_DETAILED)
        jg_debug_text_detailed(out, batch);
}

static jaeger_status debug_consume(void *self, jaeger_batch *take, jaeger_call *call)
{
    debug *d = self;
    (void)call;
    (void)pthread_mutex_lock(&d->output_mutex);
    bool shown = !d->config->use_internal_logger || is_sampled(d);
    (void)pthread_mutex_unlock(&d->output_mutex);
    if (shown) {
        JG_AUTO_BUF jg_buf text = JG_BUF_INIT(TEXT_BYTES_MAX);
        char counts[160];
        count(take, counts, sizeof counts);
        describe(d, take, &text);
        if (d->config->use_internal_logger) {
            jaeger_log(d->log, JAEGER_INFO, "%s", counts);
            jaeger_str lines = jg_buf_view(&text);
            if (lines.len && lines.ptr[lines.len - 1] == '\n')
                lines.len--;
            log_text(d, lines);
        } else {
            (void)pthread_mutex_lock(&d->output_mutex);
            write_outputs(d, counts, jg_buf_view(&text));
            (void)pthread_mutex_unlock(&d->output_mutex);
        }
    }
    jaeger_batch_unref(take);
    return JAEGER_OK;
}

static void debug_destroy(void *self)
{
    debug *d = self;
    for (size_t i = 0; i < d->output_count; i++)
        if (d->outputs[i] != stdout && d->outputs[i] != stderr)
            (void)fclose(d->outputs[i]);
    d->output_count = 0;
    if (d->ready)
        (void)pthread_mutex_destroy(&d->output_mutex);
    d->ready = false;
}

#define AT(member) .offset = offsetof(debug_config, member)
static const jaeger_field debug_fields[] = {
    {.name = "verbosity",
     .kind = JAEGER_FIELD_ENUM,
     AT(verbosity),
     .fallback = "basic",
     .choices = "basic|normal|detailed",
     .doc = "counts; a line per span; everything"},
    {.name = "sampling_initial",
     .kind = JAEGER_FIELD_U64,
     AT(sampling_initial),
     .fallback = "2",
     .doc = "batches shown at the start of each second"},
    {.name = "sampling_thereafter",
     .kind = JAEGER_FIELD_U64,
     AT(sampling_thereafter),
     .fallback = "1",
     .doc = "then every n-th; 0: none"},
    {.name = "use_internal_logger",
     .kind = JAEGER_FIELD_BOOL,
     AT(use_internal_logger),
     .fallback = "true",
     .doc = "write to the service's log, else to output_paths"},
    {.name = "output_paths",
     .kind = JAEGER_FIELD_STRS,
     AT(output_paths),
     .fallback = "[stdout]",
     .doc = "stdout, stderr, or files"},
    {.name = "sending_queue",
     .kind = JAEGER_FIELD_NODE,
     AT(sending_queue),
     .doc = "accepted for compatibility: batches are written at once"},
    {0}};

const jaeger_component_type jg_exporter_debug = {
    .size = sizeof(jaeger_component_type),
    .name = "debug",
    .doc = "writes batches for people to read",
    .kind = JAEGER_EXPORTER,
    .takes = JAEGER_TRACES | JAEGER_METRICS | JAEGER_LOGS,
    .fields = debug_fields,
    .config_size = sizeof(debug_config),
    .state_size = sizeof(debug),
    .validate = debug_validate,
    .create = debug_create,
    .start = debug_start,
    .consume = debug_consume,
    .destroy = debug_destroy,
};
