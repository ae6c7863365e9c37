/* SPDX-License-Identifier: Apache-2.0
 * See adaptive.h. Windows are wall-clock time, as hosts share them; when that clock steps, the window is
 * skipped instead of making rates of a length it did not have. Counts are stamped with the middle of their
 * interval: with its end, which is that of a window two rounds later, a moment's lateness would put two
 * intervals into one window and none into the next. A host that takes over goes on from the probabilities in
 * the store. Rules: Jaeger, internal/sampling/samplingstrategy/adaptive, internal/leaderelection.
 */
#include "sampling/adaptive.h"

#include "core/alloc.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "core/waiter.h"
#include "sampling/strategy_set.h"
#include "sampling/throughput.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#define LEASE          JAEGER_STR("sampling_store_leader")
#define REFRESH_NS_MAX (20 * JG_NS_PER_S) /* how old a follower's probabilities may be; Jaeger's */
#define STEP_NS_MIN    JG_NS_PER_MS
#define CLOCK_STEP_NS                                                                                        \
    (2 * JG_NS_PER_S) /* wall and monotonic clock differ by more: the wall clock was set                     \
                       */

struct jg_adaptive {
    jg_adaptive_options options;
    const jaeger_sampling_store *store;
    void *store_self;
    const jaeger_logger *log;
    jg_metric *operations, *services, *calculated, *latency;
    jg_waiter waiter;
    jg_strategy_box box;
    pthread_mutex_t recording_mutex;
    jg_throughput_table *recording; /* NULL: nothing yet */
    uint64_t refused;               /* spans over the bounds in this interval */
    jg_calculation *calculation;
    char owner[128];
    bool leader;             /* written on the step's thread only */
    uint64_t lease_until_ns; /* monotonic, as the following: how long it is ours for sure */
    uint64_t lease_due_ns, calculation_due_ns, refresh_due_ns;
    uint64_t checked_unix_ns, checked_ns; /* end of the last window, and when that was */
};

/* ---- calls of the store ---- */

static bool begin(jaeger_call *call)
{
    *call = JAEGER_CALL_INIT;
    call->arena = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX);
    call->deadline_ns = jg_clock_mono_ns() + JG_TIMEOUT_DEFAULT_NS;
    return call->arena;
}

static void warn(const jg_adaptive *a, const char *what, const jaeger_call *call)
{
    jaeger_log(a->log, JAEGER_WARN, "%s error=\"%s\"", what, call->error.message);
}

/* ---- counting ---- */

void jg_adaptive_record(jg_adaptive *a, jaeger_str service, jaeger_str operation, bool counts, double param)
{
    char text[JG_PARAM_TEXT_MAX];
    jaeger_str shown = {text, jg_param_text(param, text)};
    pthread_mutex_lock(&a->recording_mutex);
    if (!a->recording)
        a->recording = jg_throughput_table_new();
    jaeger_throughput *entry = a->recording ? jg_throughput_entry(a->recording, service, operation) : NULL;
    if (entry) {
        entry->count += counts;
        jg_throughput_add_param(a->recording, entry, shown);
    } else {
        a->refused++;
    }
    pthread_mutex_unlock(&a->recording_mutex);
}

static jg_throughput_table *take_recorded(jg_adaptive *a, uint64_t *ret_refused)
{
    pthread_mutex_lock(&a->recording_mutex);
    jg_throughput_table *table = a->recording;
    *ret_refused = a->refused;
    a->recording = NULL;
    a->refused = 0;
    pthread_mutex_unlock(&a->recording_mutex);
    return table;
}

static jaeger_status insert(jg_adaptive *a, const jg_throughput_table *table, uint64_t stamp_unix_ns,
                            jaeger_call *call)
{
    size_t n = 0, at = 0;
    jg_map_entry entry;
    jaeger_throughput *items = jaeger_arena_alloc(call->arena, table->entries.count * sizeof *items);
    if (!items)
        return jg_fail_oom(&call->error);
    while (jg_map_next(&table->entries, &at, &entry))
        items[n++] = *(const jaeger_throughput *)entry.value;
    return a->store->insert_throughput(a->store_self, stamp_unix_ns, items, n, call);
}

/** Put what was counted since the last time into the store. */
static void save_recorded(jg_adaptive *a, uint64_t stamp_unix_ns)
{
    uint64_t refused;
    jaeger_call call;
    jg_throughput_table *table = take_recorded(a, &refused);
    if (refused)
        jaeger_log(a->log, JAEGER_WARN, "too many operations for adaptive sampling, not counting spans=%llu",
                   (unsigned long long)refused);
    if (!table)
        return;
    jg_metric_add(a->operations, (double)table->entries.count);
    jg_metric_add(a->services, (double)table->services);
    if (table->entries.count && begin(&call)) {
        if (insert(a, table, stamp_unix_ns, &call) != JAEGER_OK)
            warn(a, "cannot store throughput, its operations count for nothing", &call);
        jaeger_arena_free(call.arena);
    }
    jg_throughput_table_free(table);
}

/* ---- serving ---- */

static int by_name(const void *one, const void *other)
{
    const jaeger_probability *a = one, *b = other;
    int order = jg_str_cmp(a->service, b->service);
    return order ? order : jg_str_cmp(a->operation, b->operation);
}

static jaeger_strategy strategy_with(const jg_adaptive *a, const jaeger_operation_rate *operations, size_t n)
{
    return (jaeger_strategy){.has_operations = true,
                             .default_rate = a->options.calculation.initial_sampling_probability,
                             .lower_bound = a->options.min_samples_per_second,
                             .operations = operations,
                             .operation_count = n};
}

/** The operations of one service: a run of the sorted list. @return false: out of memory */
static bool add_service(const jg_adaptive *a, jg_strategy_set *set, const jaeger_probability *items, size_t n)
{
    jaeger_operation_rate *rates = jaeger_arena_alloc(set->arena, n * sizeof *rates);
    jaeger_strategy *strategy = jaeger_arena_alloc(set->arena, sizeof *strategy);
    jaeger_str service = jaeger_arena_str(set->arena, items->service);
    if (!rates || !strategy || !service.ptr)
        return false;
    for (size_t i = 0; i < n; i++) {
        rates[i] =
            (jaeger_operation_rate){jaeger_arena_str(set->arena, items[i].operation), items[i].probability};
        if (!rates[i].operation.ptr)
            return false;
    }
    *strategy = strategy_with(a, rates, n);
    jg_map_entry *slot = jg_map_put(&set->services, service, &(bool){false});
    if (slot)
        slot->value = strategy;
    return slot;
}

/** Serve these from now on; sorts them. */
static void serve(jg_adaptive *a, jaeger_probabilities *list)
{
    jg_strategy_set *set = jg_strategy_set_new(JG_SAMPLING_SET_BYTES_MAX);
    bool ok = set;
    if (list->count)
        qsort(list->items, list->count, sizeof *list->items, by_name);
    for (size_t from = 0, to; ok && from < list->count; from = to) {
        for (to = from + 1;
             to < list->count && jg_str_eq(list->items[to].service, list->items[from].service);)
            to++;
        ok = add_service(a, set, list->items + from, to - from);
    }
    if (!ok) {
        jaeger_log(a->log, JAEGER_WARN, "out of memory, serving the sampling probabilities before");
        jg_strategy_set_unref(set);
        return;
    }
    set->fallback = strategy_with(a, NULL, 0);
    jg_strategy_box_put(&a->box, set);
}

/** What the leader wrote. @param seed go on from it: this host is the leader now */
static void load(jg_adaptive *a, bool seed)
{
    jaeger_call call;
    jaeger_probabilities list = {0};
    if (!begin(&call))
        return;
    jaeger_status status = a->store->get_probabilities(a->store_self, &list, &call);
    if (status == JAEGER_OK && seed)
        status = jg_calculation_seed(a->calculation, &list, &call.error);
    if (status == JAEGER_OK)
        serve(a, &list);
    else
        warn(a, "cannot read sampling probabilities, serving those before", &call);
    jaeger_arena_free(call.arena);
}

static jaeger_status strategy_of(void *self, jaeger_str service, jaeger_strategy_sink out, jaeger_call *call)
{
    jg_adaptive *a = self;
    return jg_strategy_box_strategy(&a->box, service, out, call);
}

const jaeger_sampling_provider jg_adaptive_provider = {.size = sizeof(jaeger_sampling_provider),
                                                       .strategy = strategy_of};

/* ---- the lease ---- */

static void set_leader(jg_adaptive *a, bool leader)
{
    if (leader == a->leader)
        return;
    jaeger_log(a->log, JAEGER_INFO, "%s the leader of adaptive sampling owner=%s",
               leader ? "is now" : "is no more", a->owner);
    if (leader)
        load(a, true);
    __atomic_store_n(&a->leader, leader, __ATOMIC_RELEASE);
}

bool jg_adaptive_is_leader(jg_adaptive *a)
{
    return __atomic_load_n(&a->leader, __ATOMIC_ACQUIRE);
}

/** A store that does not answer changes nothing, until the lease has run out. */
static void renew_lease(jg_adaptive *a, uint64_t now)
{
    jaeger_call call;
    bool held = false;
    uint64_t ttl = a->options.follower_lease_refresh_interval_ns;
    jaeger_status status = JAEGER_RESOURCE_EXHAUSTED;
    if (begin(&call)) {
        status = a->store->acquire(a->store_self, LEASE, jg_str(a->owner), ttl, &held, &call);
        if (status != JAEGER_OK)
            warn(a, "cannot ask for the lease of adaptive sampling", &call);
        jaeger_arena_free(call.arena);
    }
    if (status == JAEGER_OK) {
        a->lease_until_ns = held ? now + ttl : 0;
        set_leader(a, held);
    } else if (a->leader && now >= a->lease_until_ns) {
        set_leader(a, false);
    }
    bool soon = a->leader || status != JAEGER_OK;
    a->lease_due_ns = now + (soon ? a->options.leader_lease_refresh_interval_ns : ttl);
}

/* ---- calculation ---- */

static void calculate(jg_adaptive *a)
{
    jaeger_call call;
    jaeger_probabilities list;
    uint64_t begun = jg_clock_mono_ns();
    if (!begin(&call))
        return;
    jaeger_status status = jg_calculation_run(a->calculation, call.arena, &list, &call.error);
    if (status == JAEGER_OK) {
        jg_metric_set(a->calculated, (double)list.count);
        jg_metric_observe(a->latency, (double)(jg_clock_mono_ns() - begun) / (double)JG_NS_PER_S);
        serve(a, &list);
        status =
            a->store->insert_probabilities(a->store_self, jg_str(a->owner), list.items, list.count, &call);
    }
    if (status != JAEGER_OK)
        warn(a, "cannot calculate and store sampling probabilities", &call);
    jaeger_arena_free(call.arena);
}

/** Seen in (checked, until]. @return false: not known; ask again next time, from the same start on */
static bool add_window(jg_adaptive *a, uint64_t until_unix_ns, uint64_t length_ns)
{
    jaeger_call call;
    jaeger_throughputs seen = {0};
    if (!begin(&call))
        return false;
    jaeger_status status =
        a->store->get_throughput(a->store_self, a->checked_unix_ns, until_unix_ns, &seen, &call);
    if (status == JAEGER_OK)
        status = jg_calculation_add(a->calculation, &seen, length_ns, false, &call.error);
    if (status != JAEGER_OK)
        warn(a, "cannot read throughput, not calculating sampling probabilities", &call);
    jaeger_arena_free(call.arena);
    return status == JAEGER_OK;
}

static void run_interval(jg_adaptive *a, uint64_t now)
{
    uint64_t now_unix = jg_clock_unix_ns(),
             until = now_unix - JG_MIN(a->options.calculation_delay_ns, now_unix);
    uint64_t length = now - a->checked_ns;
    int64_t drift = (int64_t)(until - a->checked_unix_ns - length);
    bool steady =
        drift < (int64_t)CLOCK_STEP_NS && drift > -(int64_t)CLOCK_STEP_NS && until > a->checked_unix_ns;
    save_recorded(a, now_unix - JG_MIN(length / 2, now_unix));
    if (!steady)
        jaeger_log(a->log, JAEGER_WARN,
                   "the clock was set, not calculating sampling probabilities this time");
    else if (!add_window(a, until, length))
        return;
    a->checked_unix_ns = until;
    a->checked_ns = now;
    if (steady && a->leader)
        calculate(a);
}

uint64_t jg_adaptive_step(jg_adaptive *a)
{
    uint64_t now = jg_clock_mono_ns();
    if (now >= a->lease_due_ns)
        renew_lease(a, now);
    if (now >= a->calculation_due_ns) {
        run_interval(a, now);
        a->calculation_due_ns =
            JG_MAX(a->calculation_due_ns + a->options.calculation_interval_ns, now + STEP_NS_MIN);
    }
    if (now >= a->refresh_due_ns) {
        if (!a->leader)
            load(a, false);
        a->refresh_due_ns = now + JG_MIN(REFRESH_NS_MAX, a->options.calculation_interval_ns);
    }
    uint64_t next = JG_MIN(JG_MIN(a->lease_due_ns, a->calculation_due_ns), a->refresh_due_ns);
    now = jg_clock_mono_ns();
    return next > now + STEP_NS_MIN ? next - now : STEP_NS_MIN;
}

static void *work(void *arg)
{
    jg_adaptive *a = arg;
    while (!jg_waiter_sleep(&a->waiter, jg_adaptive_step(a)))
        ;
    return NULL;
}

/* ---- life ---- */

static jaeger_status check(const jg_adaptive_options *o, jaeger_error *err)
{
    if (!o->calculation_interval_ns || o->calculation.aggregation_buckets < 1)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "CalculationInterval and AggregationBuckets must be greater than 0");
    if (o->calculation.calculation_buckets < 1)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "BucketsForCalculation cannot be less than 1");
    if (o->calculation.aggregation_buckets > JG_SAMPLING_BUCKETS_MAX)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "AggregationBuckets cannot be more than %u",
                       JG_SAMPLING_BUCKETS_MAX);
    if (!o->leader_lease_refresh_interval_ns || !o->follower_lease_refresh_interval_ns)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "lease refresh intervals must be greater than 0");
    return JAEGER_OK;
}

static void make_owner(jg_adaptive *a)
{
    char host[64] = "";
    uint64_t random = jg_clock_unix_ns() ^ (uint64_t)(uintptr_t)a;
    (void)gethostname(host, sizeof host - 1);
    (void)getrandom(&random, sizeof random, GRND_NONBLOCK);
    (void)snprintf(a->owner, sizeof a->owner, "%s-%016llx", host, (unsigned long long)random);
}

static void make_metrics(jg_adaptive *a, jg_metrics *metrics)
{
    static const double bounds[] = {0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000};
    a->operations =
        jg_metrics_counter(metrics, "sampling_operations", "operations seen, each interval", NULL, 0);
    a->services = jg_metrics_counter(metrics, "sampling_services", "services seen, each interval", NULL, 0);
    a->calculated = jg_metrics_gauge(metrics, "adaptive_sampling_processor_operations_calculated",
                                     "operations with a probability", NULL, 0);
    a->latency = jg_metrics_histogram(metrics, "adaptive_sampling_processor_calculate_probabilities",
                                      "time of a calculation [s]", NULL, 0, bounds, JG_COUNT(bounds));
}

/** What was seen before this start: whole intervals backwards, until one is empty. */
static void load_windows(jg_adaptive *a)
{
    uint64_t end = a->checked_unix_ns, length = a->options.calculation_interval_ns;
    for (int64_t i = 0; i < a->options.calculation.aggregation_buckets && end > length; i++, end -= length) {
        jaeger_call call;
        jaeger_throughputs seen = {0};
        if (!begin(&call))
            return;
        jaeger_status status = a->store->get_throughput(a->store_self, end - length, end, &seen, &call);
        if (status == JAEGER_OK && seen.count)
            status = jg_calculation_add(a->calculation, &seen, length, true, &call.error);
        if (status != JAEGER_OK)
            warn(a, "cannot read throughput", &call);
        jaeger_arena_free(call.arena);
        if (status != JAEGER_OK || !seen.count)
            return;
    }
}

static bool init_parts(jg_adaptive *a)
{
    jg_strategy_set *set = jg_strategy_set_new(JG_SAMPLING_SET_BYTES_MAX);
    a->calculation = set ? jg_calculation_new(&a->options.calculation) : NULL;
    if (!a->calculation) {
        jg_strategy_set_unref(set);
        return false;
    }
    set->fallback = strategy_with(a, NULL, 0);
    jg_strategy_box_init(&a->box, set);
    pthread_mutex_init(&a->recording_mutex, NULL);
    return true;
}

jaeger_status jg_adaptive_new(const jg_adaptive_init *init, jg_adaptive **ret, jaeger_error *err)
{
    JG_TRY(check(&init->options, err));
    jg_adaptive *a = jg_calloc(1, sizeof *a);
    if (!a)
        return jg_fail_oom(err);
    a->options = init->options;
    a->store = init->store;
    a->store_self = init->store_self;
    a->log = init->log;
    if (!init_parts(a)) {
        jg_free(a);
        return jg_fail_oom(err);
    }
    make_owner(a);
    make_metrics(a, init->metrics);
    uint64_t now_unix = jg_clock_unix_ns();
    a->checked_ns = jg_clock_mono_ns();
    a->checked_unix_ns = now_unix - JG_MIN(a->options.calculation_delay_ns, now_unix);
    a->calculation_due_ns = a->checked_ns + a->options.calculation_interval_ns;
    load_windows(a);
    load(a, false);
    *ret = a;
    return JAEGER_OK;
}

jaeger_status jg_adaptive_start(jg_adaptive *a, jaeger_error *err)
{
    return jg_waiter_start(&a->waiter, work, a, err);
}

void jg_adaptive_free(jg_adaptive *a)
{
    jaeger_call call;
    if (!a)
        return;
    jg_waiter_stop(&a->waiter);
    save_recorded(a, jg_clock_unix_ns());
    if (a->leader && begin(&call)) {
        if (a->store->forfeit(a->store_self, LEASE, jg_str(a->owner), &call) != JAEGER_OK)
            warn(a, "cannot give the lease of adaptive sampling back", &call);
        jaeger_arena_free(call.arena);
    }
    jg_calculation_free(a->calculation);
    jg_strategy_box_done(&a->box);
    jg_throughput_table_free(a->recording);
    pthread_mutex_destroy(&a->recording_mutex);
    jg_free(a);
}
