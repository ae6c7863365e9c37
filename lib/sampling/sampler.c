/* SPDX-License-Identifier: Apache-2.0
 * Samplers of traced programs: const, probabilistic, rate limiting, by operation with a guaranteed minimum,
 * and polling a Jaeger. Rules are those of Jaeger's client libraries, so that adaptive sampling understands
 * what it gets back: https://www.jaegertracing.io/docs/latest/sampling/
 */
#include "core/alloc.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/map.h"
#include "core/str.h"
#include "core/waiter.h"
#include "sampling/fetch.h"
#include "sampling/strategy.h"
#include <math.h>
#include <pthread.h>

#define OPERATIONS_MAX_DEFAULT 2000u
#define OPERATION_BYTES_MAX    1024u /* longer names share the default's rule */
#define POLL_DEFAULT_NS        (60 * JG_NS_PER_S)
#define POLL_TIMEOUT_NS        (10 * JG_NS_PER_S)
#define ENDPOINT_DEFAULT       "http://localhost:5778/sampling"
#define URL_BYTES_MAX          16384u

/** Traces per second, with a second's worth saved up, or one. */
typedef struct bucket {
    double per_second, balance;
    uint64_t filled_ns;
} bucket;

typedef struct operation {
    double rate;
    bucket at_least;
    char name[]; /* key of the map */
} operation;

typedef enum rule { ALL_OR_NONE, BY_RATE, LIMITED, BY_OPERATION } rule;

struct jaeger_sampler {
    pthread_mutex_t rules_mutex; /* guards all down to `operations` */
    rule rule;
    double rate; /* of all, or of operations without a rule; ALL_OR_NONE: 0 or 1 */
    double lower_bound;
    bucket limit;
    jg_map operations; /* name -> operation */
    uint32_t operations_max;
    jg_waiter waiter;
    char *url;
    uint64_t poll_interval_ns;
    jaeger_log_sink sink;
    jaeger_logger log;
};

static bucket bucket_of(double per_second)
{
    per_second = per_second > 0 ? per_second : 0;
    return (bucket){per_second, fmax(per_second, 1), jg_clock_mono_ns()};
}

static bool take_one(bucket *b)
{
    uint64_t now = jg_clock_mono_ns();
    double seconds = now > b->filled_ns ? (double)(now - b->filled_ns) / (double)JG_NS_PER_S : 0;
    b->filled_ns = now;
    b->balance = fmin(b->balance + seconds * b->per_second, fmax(b->per_second, 1));
    if (b->per_second <= 0 || b->balance < 1)
        return false;
    b->balance -= 1;
    return true;
}

/** The low 63 bits of the id decide, so that all processes agree. */
static bool is_below(const uint8_t trace_id[16], double rate)
{
    uint64_t low = 0;
    for (int i = 8; i < 16; i++)
        low = low << 8 | trace_id[i];
    low &= INT64_MAX;
    return rate >= 1 || (double)low < rate * 9223372036854775808.0;
}

/* ---- deciding ---- */

/** The rule of `name`, made if there is room. NULL: the default's */
static operation *operation_of(jaeger_sampler *s, jaeger_str name)
{
    operation *o = jg_map_get(&s->operations, name);
    if (o || s->operations.count >= s->operations_max || name.len > OPERATION_BYTES_MAX)
        return o;
    o = jg_alloc(sizeof *o + name.len + 1);
    if (!o)
        return NULL;
    *o = (operation){.rate = s->rate, .at_least = bucket_of(s->lower_bound)};
    if (name.len)
        memcpy(o->name, name.ptr, name.len);
    o->name[name.len] = 0;
    jg_map_entry *slot = jg_map_put(&s->operations, (jaeger_str){o->name, name.len}, &(bool){false});
    if (!slot) {
        jg_free(o);
        return NULL;
    }
    slot->value = o;
    return o;
}

static bool by_operation(jaeger_sampler *s, const uint8_t trace_id[16], jaeger_str name, jaeger_sample *ret)
{
    operation *o = operation_of(s, name);
    double rate = o ? o->rate : s->rate;
    bool chosen = is_below(trace_id, rate);
    bool owed = o && take_one(&o->at_least); /* what was chosen counts for the minimum too */
    *ret = (jaeger_sample){chosen ? "probabilistic" : "lowerbound", rate};
    return chosen || owed;
}

static bool sample_as(void *self, const uint8_t trace_id[16], jaeger_str name, jaeger_sample *ret)
{
    jaeger_sampler *s = self;
    bool sampled = false;
    pthread_mutex_lock(&s->rules_mutex);
    switch (s->rule) {
    case ALL_OR_NONE:
        *ret = (jaeger_sample){"const", s->rate};
        sampled = s->rate > 0;
        break;
    case BY_RATE:
        *ret = (jaeger_sample){"probabilistic", s->rate};
        sampled = is_below(trace_id, s->rate);
        break;
    case LIMITED:
        *ret = (jaeger_sample){"ratelimiting", s->limit.per_second};
        sampled = take_one(&s->limit);
        break;
    case BY_OPERATION:
        sampled = by_operation(s, trace_id, name, ret);
        break;
    }
    pthread_mutex_unlock(&s->rules_mutex);
    return sampled;
}

static bool sample(void *self, const uint8_t trace_id[16], jaeger_str name)
{
    jaeger_sample how;
    return sample_as(self, trace_id, name, &how);
}

jaeger_trace_sampler jaeger_sampler_hook(jaeger_sampler *sampler)
{
    return (jaeger_trace_sampler){.sample = sample, .self = sampler, .sample_as = sample_as};
}

/* ---- strategies ---- */

static double clamped(double rate)
{
    return rate >= 1 ? 1 : rate > 0 ? rate : 0;
}

static void drop_operations(jaeger_sampler *s)
{
    jg_map_entry entry;
    size_t at = 0;
    while (jg_map_next(&s->operations, &at, &entry))
        jg_free(entry.value);
    jg_map_done(&s->operations);
    s->operations = (jg_map){0};
}

/** Operations that are known keep what they have saved up. @return false: out of memory */
static bool apply_operations(jaeger_sampler *s, const jaeger_strategy *strategy)
{
    jg_map_entry entry;
    size_t at = 0;
    if (s->rule != BY_OPERATION)
        drop_operations(s);
    s->rule = BY_OPERATION;
    s->rate = clamped(strategy->default_rate);
    s->lower_bound = strategy->lower_bound;
    while (jg_map_next(&s->operations, &at, &entry)) {
        operation *o = entry.value;
        o->rate = s->rate;
        o->at_least.per_second = fmax(s->lower_bound, 0);
    }
    bool ok = true;
    for (size_t i = 0; i < strategy->operation_count; i++) {
        operation *o = operation_of(s, strategy->operations[i].operation);
        if (o)
            o->rate = clamped(strategy->operations[i].rate);
        ok &= o || s->operations.count >= s->operations_max ||
              strategy->operations[i].operation.len > OPERATION_BYTES_MAX;
    }
    return ok;
}

jaeger_status jaeger_sampler_apply(jaeger_sampler *s, const jaeger_strategy *strategy)
{
    bool ok = true;
    pthread_mutex_lock(&s->rules_mutex);
    if (strategy->has_operations) {
        ok = apply_operations(s, strategy);
    } else if (strategy->kind == JAEGER_STRATEGY_RATE_LIMITING) {
        if (s->rule != LIMITED || s->limit.per_second != strategy->traces_per_second_max)
            s->limit = bucket_of(strategy->traces_per_second_max);
        s->rule = LIMITED;
    } else {
        s->rule = BY_RATE;
        s->rate = clamped(strategy->rate);
    }
    if (s->rule != BY_OPERATION)
        drop_operations(s);
    pthread_mutex_unlock(&s->rules_mutex);
    return ok ? JAEGER_OK : JAEGER_RESOURCE_EXHAUSTED;
}

/* ---- polling ---- */

static jaeger_status poll_once(jaeger_sampler *s, jaeger_error *err)
{
    JG_AUTO_BUF jg_buf answer = JG_BUF_INIT(JG_GRPC_MESSAGE_BYTES_MAX);
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(JG_SAMPLING_CACHE_BYTES_MAX);
    jaeger_strategy strategy;
    long status;
    if (!arena)
        return jg_fail_oom(err);
    JG_TRY(jg_fetch(s->url, POLL_TIMEOUT_NS, &answer, &status, err));
    if (status != 200)
        return jg_fail(err, JAEGER_UNAVAILABLE, "%s answered %ld", s->url, status);
    JG_TRY(jg_strategy_read_json(jg_buf_view(&answer), arena, &strategy, err));
    return jaeger_sampler_apply(s, &strategy) == JAEGER_OK ? JAEGER_OK : jg_fail_oom(err);
}

static void *poll_now_and_then(void *arg)
{
    jaeger_sampler *s = arg;
    do {
        jaeger_error err = {0};
        if (poll_once(s, &err) != JAEGER_OK)
            jaeger_log(&s->log, JAEGER_WARN,
                       "cannot poll the sampling strategy, keeping the one before error=\"%s\"", err.message);
    } while (!jg_waiter_sleep(&s->waiter, s->poll_interval_ns));
    return NULL;
}

static jaeger_status start_polling(jaeger_sampler *s, const jaeger_sampler_options *o, jaeger_error *err)
{
    JG_AUTO_BUF jg_buf url = JG_BUF_INIT(URL_BYTES_MAX);
    if (!jg_fetch_url_of(&url, jg_str(o->endpoint ? o->endpoint : ENDPOINT_DEFAULT), o->service))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "sampler: endpoint and service name are too long");
    s->url = jg_strndup((const char *)url.data, url.len);
    if (!s->url)
        return jg_fail_oom(err);
    s->poll_interval_ns = o->poll_interval_ns ? o->poll_interval_ns : POLL_DEFAULT_NS;
    return jg_waiter_start(&s->waiter, poll_now_and_then, s, err);
}

/* ---- life ---- */

static jaeger_status check(const jaeger_sampler_options *o, jaeger_error *err)
{
    bool is_rate = o->kind == JAEGER_SAMPLER_PROBABILISTIC || o->kind == JAEGER_SAMPLER_REMOTE;
    if (is_rate && !(o->param >= 0 && o->param <= 1))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "sampler: probability %g is not in 0..1", o->param);
    if (o->kind == JAEGER_SAMPLER_RATE_LIMITING && !(o->param >= 0 && isfinite(o->param)))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "sampler: rate %g is not a number of traces", o->param);
    if ((unsigned)o->kind > JAEGER_SAMPLER_REMOTE)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "sampler: unknown kind %d", (int)o->kind);
    return JAEGER_OK;
}

jaeger_status jaeger_sampler_new(const jaeger_sampler_options *options, jaeger_sampler **ret,
                                 jaeger_error *err)
{
    static const rule rules[] = {ALL_OR_NONE, BY_RATE, LIMITED, BY_RATE};
    jaeger_sampler_options o = {0};
    memcpy(&o, options, JG_MIN(options->size, sizeof o));
    JG_TRY(check(&o, err));
    jaeger_sampler *s = jg_calloc(1, sizeof *s);
    if (!s)
        return jg_fail_oom(err);
    pthread_mutex_init(&s->rules_mutex, NULL);
    s->rule = rules[o.kind];
    s->rate = o.kind == JAEGER_SAMPLER_CONST ? (o.param != 0) : o.param;
    s->limit = bucket_of(o.param);
    s->operations_max = o.operations_max ? o.operations_max : OPERATIONS_MAX_DEFAULT;
    s->sink = o.log;
    s->log = (jaeger_logger){&s->sink, "sampler"};
    jaeger_status status = o.kind == JAEGER_SAMPLER_REMOTE ? start_polling(s, &o, err) : JAEGER_OK;
    if (status != JAEGER_OK) {
        jaeger_sampler_free(s);
        return status;
    }
    *ret = s;
    return JAEGER_OK;
}

void jaeger_sampler_free(jaeger_sampler *s)
{
    if (!s)
        return;
    jg_waiter_stop(&s->waiter);
    drop_operations(s);
    pthread_mutex_destroy(&s->rules_mutex);
    jg_free(s->url);
    jg_free(s);
}
