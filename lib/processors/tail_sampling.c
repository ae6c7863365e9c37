/* SPDX-License-Identifier: Apache-2.0
 * Decides about whole traces: their spans wait in memory, by reference to the batches they came in, until
 * decision_wait is over; then the policies say which traces go on. What is bounded: traces (num_traces),
 * bytes (max_memory_mib). Spec: opentelemetry-collector-contrib processor/tailsamplingprocessor/README.md.
 */
#include "core/alloc.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/cond.h"
#include "core/err.h"
#include "core/hash.h"
#include "core/limits.h"
#include "core/str.h"
#include "model/batch.h"
#include "processors/tail_sampling/tail.h"
#include <stdlib.h>
#include <sys/random.h>

/* ---- spans come ---- */

/* Final decisions of span-ingest, one for each group; NULL when out of memory. */
static uint8_t *judge_early(jg_tail *t, const jg_tail_load *load, const jg_trace_groups *groups)
{
    JG_AUTO_ARENA jaeger_arena *scratch = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX);
    uint8_t *decisions = jg_alloc(groups->count);
    if (!scratch || !decisions) {
        jg_free(decisions);
        return NULL;
    }
    (void)pthread_mutex_lock(&t->policy_mutex);
    for (uint32_t i = 0; i < groups->count; i++) {
        const jg_trace_group *group = &groups->traces[i];
        const jg_tail_piece piece = {(jg_tail_load *)load, group->first, group->span_count, NULL};
        jg_tail_view view = {.trace_id = jaeger_batch_spans(load->batch)[group->first].trace_id,
                             .pieces = &piece,
                             .span_count = group->span_count,
                             .size_bytes = jg_tail_size(load, group->first),
                             .now_ns = jg_clock_mono_ns(),
                             .unix_s = jg_clock_unix_ns() / JG_NS_PER_S,
                             .scratch = scratch,
                             .log = t->log};
        decisions[i] = (uint8_t)jg_tail_judge_early(t, &view);
    }
    (void)pthread_mutex_unlock(&t->policy_mutex);
    return decisions;
}

/* Takes the load. */
static jaeger_status add_groups(jg_tail *t, jg_tail_load *load, const jg_trace_groups *groups,
                                jaeger_call *call)
{
    bool early = t->config->sampling_strategy == JG_TAIL_SPAN_INGEST;
    JG_AUTO_FREE uint8_t *decisions = early ? judge_early(t, load, groups) : NULL;
    uint64_t tenant_hash = call->tenant.len ? jg_hash_str(call->tenant) : 0;
    jaeger_status status = early && !decisions ? jg_fail_oom(&call->error) : JAEGER_OK;
    (void)pthread_mutex_lock(&t->state_mutex);
    t->held_bytes += load->bytes;
    if (t->stopping)
        status = jg_fail(&call->error, JAEGER_UNAVAILABLE, "tail_sampling: shutting down");
    for (uint32_t i = 0; i < groups->count && status == JAEGER_OK; i++)
        status = jg_tail_add(t, load, &groups->traces[i], tenant_hash,
                             decisions ? (jg_decision)decisions[i] : JG_UNDECIDED, call);
    jg_tail_load_unref(t, load);
    jg_tail_unlock(t);
    return status;
}

static jaeger_status add_copy(jg_tail *t, jaeger_batch *take, jaeger_call *call)
{
    jg_trace_groups groups = {0};
    jaeger_status status = jg_trace_groups_make(take, t->seed, &groups, &call->error);
    jg_tail_load *load = status == JAEGER_OK ? jg_tail_load_new(take, &groups, call->tenant) : NULL;
    if (load) {
        status = add_groups(t, load, &groups, call);
    } else {
        jaeger_batch_unref(take);
        if (status == JAEGER_OK)
            status = jg_fail_oom(&call->error);
    }
    jg_trace_groups_done(&groups);
    return status;
}

static jaeger_status tail_consume(void *self, jaeger_batch *take, jaeger_call *call)
{
    size_t n = jaeger_batch_span_count(take);
    jaeger_batch *copy;
    jaeger_status status =
        n ? jg_batch_copy_spans(jaeger_batch_spans(take), n, &copy, &call->error) : JAEGER_OK;
    jaeger_batch_unref(take);
    return status == JAEGER_OK && n ? add_copy(self, copy, call) : status;
}

/* ---- metrics ---- */

static const struct {
    const char *decision, *sampled;
} decision_labels[JG_DECISION_COUNT] = {
    {0}, {"sampled", "true"}, {"not_sampled", "false"}, {"dropped", "false"}};

#define METRIC(name) "otelcol_processor_tail_sampling_" name

static void make_policy_metrics(jg_policy *p, jg_metrics *metrics, const char *id, jaeger_arena *arena)
{
    const char *slash = strchr(id, '/');
    jaeger_str name =
        slash ? jg_arena_printf(arena, "%s.%.*s", slash + 1, JAEGER_STR_ARGS(p->name)) : p->name;
    const jaeger_pair policy = {JAEGER_STR("policy"), name.ptr ? name : p->name};
    for (int d = JG_SAMPLED; d < JG_DECISION_COUNT; d++) {
        const jaeger_pair labels[] = {{JAEGER_STR("decision"), jg_str(decision_labels[d].decision)},
                                      policy,
                                      {JAEGER_STR("sampled"), jg_str(decision_labels[d].sampled)}};
        p->decided[d] =
            jg_metrics_counter(metrics, METRIC("count_traces_sampled"),
                               "Count of traces that were sampled or not per sampling policy", labels, 3);
    }
    p->runs = jg_metrics_counter(metrics, METRIC("sampling_policy_execution_count"),
                                 "Total number of executions of a specific sampling policy", &policy, 1);
    p->run_us = jg_metrics_counter(metrics, METRIC("sampling_policy_execution_time_sum"),
                                   "Total time spent (in microseconds) executing a specific sampling policy",
                                   &policy, 1);
}

static void make_metrics(jg_tail *t, jg_metrics *metrics, const char *id)
{
    static const double ms[] = {1,   2,   5,    10,   25,   50,   75,   100,   150,   200,   300,  400,
                                500, 750, 1000, 2000, 3000, 4000, 5000, 10000, 20000, 30000, 50000};
    static const double s[] = {0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000};
    jg_tail_metrics *m = &t->metrics;
    for (int d = JG_SAMPLED; d < JG_DECISION_COUNT; d++) {
        const jaeger_pair labels[] = {{JAEGER_STR("decision"), jg_str(decision_labels[d].decision)},
                                      {JAEGER_STR("sampled"), jg_str(decision_labels[d].sampled)}};
        m->decided[d] = jg_metrics_counter(
            metrics, METRIC("global_count_traces_sampled"),
            "Global count of traces that were sampled or not by at least one policy", labels, 2);
    }
    for (int i = 0; i < 2; i++) {
        const jaeger_pair label = {JAEGER_STR("sampled"), jg_str(i ? "true" : "false")};
        m->released[i] = jg_metrics_counter(
            metrics, METRIC("early_releases_from_cache_decision"),
            "Number of spans that were able to be immediately released due to a decision cache hit.", &label,
            1);
    }
    m->new_traces = jg_metrics_counter(metrics, METRIC("new_trace_id_received"),
                                       "Counts the arrival of new traces", NULL, 0);
    m->errors = jg_metrics_counter(metrics, METRIC("sampling_policy_evaluation_error"),
                                   "Count of sampling policy evaluation errors", NULL, 0);
    m->too_early = jg_metrics_counter(
        metrics, METRIC("sampling_trace_dropped_too_early"),
        "Count of traces that needed to be dropped before the configured wait time", NULL, 0);
    m->too_large =
        jg_metrics_counter(metrics, METRIC("traces_dropped_too_large"),
                           "Count of traces that were dropped because they were too large", NULL, 0);
    m->on_memory = jg_metrics_gauge(metrics, METRIC("sampling_traces_on_memory"),
                                    "Tracks the number of traces current on memory", NULL, 0);
    m->tick_ms = jg_metrics_histogram(metrics, METRIC("sampling_decision_timer_latency"),
                                      "Latency (in milliseconds) of each run of the sampling decision timer",
                                      NULL, 0, ms, JG_COUNT(ms));
    m->late_s = jg_metrics_histogram(
        metrics, METRIC("sampling_late_span_age"),
        "Time (in seconds) from the sampling decision was taken and the arrival of a late span", NULL, 0, s,
        JG_COUNT(s));
    m->removal_s =
        jg_metrics_histogram(metrics, METRIC("sampling_trace_removal_age"),
                             "Time (in seconds) from arrival of a new trace until its removal from memory",
                             NULL, 0, s, JG_COUNT(s));
    for (size_t i = 0; i < t->policy_count; i++)
        make_policy_metrics(&t->policies[i], metrics, id, t->arena);
}

/* ---- component ---- */

static jaeger_status check_policies(const jg_tail_config *c, const jg_policy *policies, size_t n,
                                    jaeger_error *err)
{
    for (size_t i = 0; i < n && c->sampling_strategy == JG_TAIL_SPAN_INGEST; i++)
        if (jg_policy_is_stateful(&policies[i]))
            return jg_fail(
                err, JAEGER_INVALID_ARGUMENT,
                "sampling_strategy \"span-ingest\" requires all policies to be stateless, but policy "
                "\"%.*s\" is stateful",
                JAEGER_STR_ARGS(policies[i].name));
    return JAEGER_OK;
}

static jaeger_status tail_validate(const void *config, const jaeger_config *node, jaeger_error *err)
{
    const jg_tail_config *c = config;
    const char *path = jaeger_config_path(node), *joint = path[0] ? ": " : "";
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(JG_YAML_ARENA_BYTES_MAX);
    jg_policy *policies = NULL;
    size_t n = 0;
    jaeger_error fault = {0};
    if (!arena)
        return jg_fail_oom(err);
    if (c->decision_wait_ns / JG_NS_PER_S > JG_TAIL_WAIT_S_MAX)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s%sdecision_wait must be at most %us", path, joint,
                       JG_TAIL_WAIT_S_MAX);
    if (c->num_traces == 0)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s%snum_traces must be greater than 0", path, joint);
    jaeger_status status = jg_policies_make(c->policies, arena, &policies, &n, &fault);
    if (status == JAEGER_OK)
        status = check_policies(c, policies, n, &fault);
    jg_policies_done(policies, n);
    return status == JAEGER_OK ? JAEGER_OK : jg_fail(err, status, "%s%s%s", path, joint, fault.message);
}

static jaeger_status tail_create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    jg_tail *t = self;
    t->config = in->config;
    t->next = in->next;
    t->log = in->log;
    if (getrandom(&t->seed, sizeof t->seed, 0) != (ssize_t)sizeof t->seed)
        t->seed = jg_clock_unix_ns() ^ (uintptr_t)self;
    if (pthread_mutex_init(&t->state_mutex, NULL) || pthread_mutex_init(&t->policy_mutex, NULL))
        return jg_fail_oom(err);
    jg_cond_init(&t->work);
    jg_cond_init(&t->space);
    t->ready = true;
    t->arena = jaeger_arena_new(JG_YAML_ARENA_BYTES_MAX);
    if (!t->arena)
        return jg_fail_oom(err);
    JG_TRY(jg_policies_make(t->config->policies, t->arena, &t->policies, &t->policy_count, err));
    JG_TRY(check_policies(t->config, t->policies, t->policy_count, err));
    make_metrics(t, jaeger_host_metrics(in->host), in->id);
    return jg_tail_traces_init(t, err);
}

static jaeger_status tail_start(void *self, jaeger_error *err)
{
    return jg_tail_start(self, err);
}

static void tail_stop(void *self, uint64_t deadline_ns)
{
    if (((jg_tail *)self)->ready)
        jg_tail_stop(self, deadline_ns);
}

static void tail_destroy(void *self)
{
    jg_tail *t = self;
    if (!t->ready)
        return;
    jg_tail_traces_done(t);
    jg_policies_done(t->policies, t->policy_count);
    jaeger_arena_free(t->arena);
    (void)pthread_cond_destroy(&t->work);
    (void)pthread_cond_destroy(&t->space);
    (void)pthread_mutex_destroy(&t->state_mutex);
    (void)pthread_mutex_destroy(&t->policy_mutex);
    *t = (jg_tail){0};
}

static const jaeger_field cache_fields[] = {
    {.name = "sampled_cache_size",
     .kind = JAEGER_FIELD_U32,
     .offset = offsetof(struct jg_tail_cache_config, sampled_cache_size),
     .doc = "ids of sampled traces to remember; 0: none"},
    {.name = "non_sampled_cache_size",
     .kind = JAEGER_FIELD_U32,
     .offset = offsetof(struct jg_tail_cache_config, non_sampled_cache_size),
     .doc = "ids of other traces to remember; 0: none"},
    {0}};

#define AT(member) .offset = offsetof(jg_tail_config, member)
static const jaeger_field tail_fields[] = {
    {.name = "decision_wait",
     .kind = JAEGER_FIELD_DURATION,
     AT(decision_wait_ns),
     .fallback = "30s",
     .doc = "from the first span of a trace to its decision"},
    {.name = "decision_wait_after_root_received",
     .kind = JAEGER_FIELD_DURATION,
     AT(decision_wait_after_root_received_ns),
     .fallback = "0s",
     .doc = "shorter wait once the root span came; 0: no difference"},
    {.name = "num_traces",
     .kind = JAEGER_FIELD_U64,
     AT(num_traces),
     .fallback = "50000",
     .doc = "most traces in memory"},
    {.name = "max_memory_mib",
     .kind = JAEGER_FIELD_U64,
     AT(max_memory_mib),
     .fallback = "0",
     .doc = "most memory of the traces; 0: a quarter of the machine's or the cgroup's"},
    {.name = "block_on_overflow",
     .kind = JAEGER_FIELD_BOOL,
     AT(block_on_overflow),
     .doc = "wait for room instead of forgetting the oldest trace"},
    {.name = "expected_new_traces_per_sec",
     .kind = JAEGER_FIELD_U64,
     AT(expected_new_traces_per_sec),
     .doc = "accepted for compatibility"},
    {.name = "decision_cache",
     .kind = JAEGER_FIELD_BLOCK,
     AT(decision_cache),
     .sub = cache_fields,
     .sub_size = sizeof(struct jg_tail_cache_config),
     .doc = "what is remembered of decided traces"},
    {.name = "sample_on_first_match",
     .kind = JAEGER_FIELD_BOOL,
     AT(sample_on_first_match),
     .doc = "stop at the first policy that samples"},
    {.name = "sampling_strategy",
     .kind = JAEGER_FIELD_ENUM,
     AT(sampling_strategy),
     .fallback = "trace-complete",
     .choices = "trace-complete|span-ingest",
     .doc = "when to decide: after the wait, or as spans come"},
    {.name = "drop_pending_traces_on_shutdown",
     .kind = JAEGER_FIELD_BOOL,
     AT(drop_pending_traces_on_shutdown),
     .doc = "forget undecided traces at stop instead of deciding them"},
    {.name = "maximum_trace_size_bytes",
     .kind = JAEGER_FIELD_U64,
     AT(maximum_trace_size_bytes),
     .doc = "drop larger traces; 0: no limit"},
    {.name = "tail_storage",
     .kind = JAEGER_FIELD_NODE,
     AT(tail_storage),
     .doc = "accepted for compatibility"},
    {.name = "policies",
     .kind = JAEGER_FIELD_NODE,
     AT(policies),
     .doc =
         "list of {name, type, <type>: {...}}; a trace is kept if one of them samples it and none drops it"},
    {0}};

const jaeger_component_type jg_processor_tail_sampling = {
    .size = sizeof(jaeger_component_type),
    .name = "tail_sampling",
    .doc = "keeps or drops whole traces",
    .kind = JAEGER_PROCESSOR,
    .takes = JAEGER_TRACES,
    .gives = JAEGER_TRACES,
    .fields = tail_fields,
    .config_size = sizeof(jg_tail_config),
    .state_size = sizeof(jg_tail),
    .validate = tail_validate,
    .create = tail_create,
    .start = tail_start,
    .consume = tail_consume,
    .stop = tail_stop,
    .destroy = tail_destroy,
};
