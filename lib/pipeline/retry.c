/* SPDX-License-Identifier: Apache-2.0
 * See retry.h. Waits grow by `multiplier` up to max_interval; each is taken at random from
 * interval * (1 -/+ randomization_factor).
 */
#include "pipeline/retry.h"

#include "core/clock.h"
#include "core/cond.h"
#include "core/err.h"
#include "model/batch.h"
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* ---- configuration
 * ---------------------------------------------------------------------------------------------- */

#define AT(member) .offset = offsetof(jg_retry_config, member)
#define FIELDS(on)                                                                                           \
    {.name = "enabled", .kind = JAEGER_FIELD_BOOL, AT(enabled), .fallback = on, .doc = "try again at all"},  \
        {.name = "initial_interval",                                                                         \
         .kind = JAEGER_FIELD_DURATION,                                                                      \
         AT(initial_interval_ns),                                                                            \
         .fallback = "5s",                                                                                   \
         .doc = "wait after the first failure"},                                                             \
        {.name = "randomization_factor",                                                                     \
         .kind = JAEGER_FIELD_DOUBLE,                                                                        \
         AT(randomization_factor),                                                                           \
         .fallback = "0.5",                                                                                  \
         .doc = "jitter: a wait is between interval * (1 - f) and interval * (1 + f)"},                      \
        {.name = "multiplier",                                                                               \
         .kind = JAEGER_FIELD_DOUBLE,                                                                        \
         AT(multiplier),                                                                                     \
         .fallback = "1.5",                                                                                  \
         .doc = "how the wait grows"},                                                                       \
        {.name = "max_interval",                                                                             \
         .kind = JAEGER_FIELD_DURATION,                                                                      \
         AT(max_interval_ns),                                                                                \
         .fallback = "30s",                                                                                  \
         .doc = "the longest wait"},                                                                         \
        {.name = "max_elapsed_time",                                                                         \
         .kind = JAEGER_FIELD_DURATION,                                                                      \
         AT(max_elapsed_time_ns),                                                                            \
         .fallback = "5m",                                                                                   \
         .doc = "give up after so long; 0: never"},                                                          \
    {                                                                                                        \
        0                                                                                                    \
    }

const jaeger_field jg_retry_fields[] = {FIELDS("true")};
const jaeger_field jg_retry_off_fields[] = {FIELDS("false")};

jaeger_status jg_retry_check(const jg_retry_config *c, jaeger_error *err)
{
    const char *why = NULL;
    if (!c->enabled)
        return JAEGER_OK;
    if (!(c->randomization_factor >= 0 && c->randomization_factor <= 1))
        why = "'randomization_factor' must be within [0, 1]";
    else if (!(c->multiplier >= 0))
        why = "'multiplier' must be non-negative";
    else if (c->max_elapsed_time_ns && c->max_elapsed_time_ns < c->initial_interval_ns)
        why = "'max_elapsed_time' must not be less than 'initial_interval'";
    else if (c->max_elapsed_time_ns && c->max_elapsed_time_ns < c->max_interval_ns)
        why = "'max_elapsed_time' must not be less than 'max_interval'";
    return why ? jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s", why) : JAEGER_OK;
}

/* ---- waiting
 * ---------------------------------------------------------------------------------------------------- */

void jg_retry_stop_init(jg_retry_stop *stop)
{
    jg_cond_init(&stop->stopped_cond);
    (void)pthread_mutex_init(&stop->mutex, NULL);
    stop->stopped = false;
}

void jg_retry_stop_now(jg_retry_stop *stop)
{
    (void)pthread_mutex_lock(&stop->mutex);
    stop->stopped = true;
    (void)pthread_cond_broadcast(&stop->stopped_cond);
    (void)pthread_mutex_unlock(&stop->mutex);
}

void jg_retry_stop_done(jg_retry_stop *stop)
{
    (void)pthread_cond_destroy(&stop->stopped_cond);
    (void)pthread_mutex_destroy(&stop->mutex);
}

bool jg_retry_sleep(jg_retry_stop *stop, uint64_t ns)
{
    struct timespec until = jg_cond_after(ns);
    int timed_out = 0;
    (void)pthread_mutex_lock(&stop->mutex);
    while (!stop->stopped && !timed_out)
        timed_out = pthread_cond_timedwait(&stop->stopped_cond, &stop->mutex, &until);
    bool go_on = !stop->stopped;
    (void)pthread_mutex_unlock(&stop->mutex);
    return go_on;
}

/** Between 0 and 1. */
static double chance(void)
{
    uint32_t bits = 0;
    (void)!getrandom(&bits, sizeof bits, GRND_NONBLOCK);
    return bits / 4294967296.0;
}

static uint64_t jittered(const jg_retry_config *c, double interval_ns)
{
    double ns = interval_ns * (1 + c->randomization_factor * (2 * chance() - 1));
    return ns < 1 ? 1 : ns > 86400e9 ? 86400 * JG_NS_PER_S : (uint64_t)ns;
}

/** Full is worth another try only if the other side says when. */
bool jg_retry_may_help(const jg_retry_config *c, jaeger_status status, const jaeger_call *call)
{
    return c->enabled && jg_status_is_retryable(status) &&
           (status != JAEGER_RESOURCE_EXHAUSTED || call->error.retry_after_ms);
}

void jg_retry_begin(const jg_retry_config *c, jg_retry *retry)
{
    *retry = (jg_retry){jg_clock_mono_ns(), (double)c->initial_interval_ns};
}

uint64_t jg_retry_wait_ns(const jg_retry_config *c, jg_retry *retry, jaeger_status status,
                          const jaeger_call *call)
{
    if (status == JAEGER_OK || !jg_retry_may_help(c, status, call))
        return 0;
    uint64_t ns = jittered(c, retry->interval_ns), asked = call->error.retry_after_ms * JG_NS_PER_MS;
    uint64_t now = jg_clock_mono_ns();
    ns = JG_MAX(ns, asked);
    if ((c->max_elapsed_time_ns && now - retry->begin_ns + ns > c->max_elapsed_time_ns) ||
        (call->deadline_ns && now + ns > call->deadline_ns))
        return 0;
    retry->interval_ns = JG_MIN(retry->interval_ns * c->multiplier, (double)c->max_interval_ns);
    return ns;
}
