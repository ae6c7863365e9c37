/* SPDX-License-Identifier: Apache-2.0
 * Refuses requests while the process has more memory than its soft limit (limit - spike limit). Resident
 * memory is looked at when a request comes and check_interval has passed; the allocator is first asked to
 * give memory back, as often as the min_gc_interval keys allow. Percentages are of the machine's or the
 * cgroup's memory, whichever is less. Spec: opentelemetry-collector
 * processor/memorylimiterprocessor/README.md.
 */
#include "core/clock.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/sysmem.h"
#include <jaeger/component.h>
#include <malloc.h>

#define MIB (1ull << 20)

typedef struct limiter_config {
    uint64_t check_interval_ns, soft_gc_interval_ns, hard_gc_interval_ns;
    uint32_t limit_mib, spike_limit_mib, limit_percentage, spike_limit_percentage;
} limiter_config;

typedef struct limiter {
    const limiter_config *config;
    jaeger_consumer next;
    bool (*next_defers)(void *self);
    const jaeger_logger *log;
    uint64_t hard_bytes, soft_bytes;
    uint64_t checked_ns;   /* atomic; whoever moves it on looks */
    uint64_t collected_ns; /* only of the one that looks */
    bool refuses;          /* atomic */
} limiter;

static const char *find_fault(const limiter_config *c)
{
    if (c->check_interval_ns == 0)
        return "'check_interval' must be greater than zero";
    if (c->soft_gc_interval_ns < c->hard_gc_interval_ns)
        return "'min_gc_interval_when_soft_limited' should be larger than "
               "'min_gc_interval_when_hard_limited'";
    if (c->limit_mib == 0 && c->limit_percentage == 0)
        return "'limit_mib' or 'limit_percentage' must be greater than zero";
    if (c->limit_percentage > 100 || c->spike_limit_percentage > 100)
        return "'limit_percentage' and 'spike_limit_percentage' must be greater than zero and less than or "
               "equal to "
               "hundred";
    if (c->limit_mib && c->limit_mib <= c->spike_limit_mib)
        return "'spike_limit_mib' must be smaller than 'limit_mib'";
    if (c->limit_percentage && c->limit_percentage <= c->spike_limit_percentage)
        return "'spike_limit_percentage' must be smaller than 'limit_percentage'";
    return NULL;
}

static jaeger_status limiter_validate(const void *config, const jaeger_config *node, jaeger_error *err)
{
    const char *fault = find_fault(config), *path = jaeger_config_path(node);
    return fault ? jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s%s%s", path, path[0] ? ": " : "", fault)
                 : JAEGER_OK;
}

static void set_limits(limiter *l)
{
    const limiter_config *c = l->config;
    uint64_t spike;
    if (c->limit_mib) {
        l->hard_bytes = c->limit_mib * MIB;
        spike = c->spike_limit_mib * MIB;
    } else {
        uint64_t total = jg_sysmem_bytes();
        l->hard_bytes = total / 100 * c->limit_percentage;
        spike = total / 100 * c->spike_limit_percentage;
    }
    l->soft_bytes = l->hard_bytes - (spike ? spike : l->hard_bytes / 5);
}

static jaeger_status limiter_create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    limiter *l = self;
    (void)err;
    l->config = in->config;
    l->next = in->next;
    l->next_defers = in->next_defers;
    l->log = in->log;
    set_limits(l);
    return JAEGER_OK;
}

static jaeger_status limiter_start(void *self, jaeger_error *err)
{
    limiter *l = self;
    (void)err;
    jaeger_log(l->log, JAEGER_INFO, "Memory limiter configured limit_mib=%llu spike_limit_mib=%llu",
               (unsigned long long)(l->hard_bytes / MIB),
               (unsigned long long)((l->hard_bytes - l->soft_bytes) / MIB));
    return JAEGER_OK;
}

/* Above the soft limit: give free memory back to the system, unless that was just done. @return what is used
 * then */
static uint64_t give_back(limiter *l, uint64_t used, uint64_t now)
{
    uint64_t interval =
        used > l->hard_bytes ? l->config->hard_gc_interval_ns : l->config->soft_gc_interval_ns;
    if (l->collected_ns && now - l->collected_ns < interval)
        return used;
    l->collected_ns = now;
    (void)malloc_trim(0);
    return jg_sysmem_resident_bytes();
}

static void check(limiter *l, uint64_t now)
{
    uint64_t used = jg_sysmem_resident_bytes();
    if (used > l->soft_bytes)
        used = give_back(l, used, now);
    bool refuses = used > l->soft_bytes;
    if (refuses != __atomic_exchange_n(&l->refuses, refuses, __ATOMIC_RELAXED))
        jaeger_log(l->log, refuses ? JAEGER_WARN : JAEGER_INFO,
                   "Memory usage is %s soft limit. %s cur_mem_mib=%llu", refuses ? "above" : "back within",
                   refuses ? "Refusing data." : "Resuming normal operation.",
                   (unsigned long long)(used / MIB));
}

static jaeger_status limiter_consume(void *self, jaeger_batch *take, jaeger_call *call)
{
    limiter *l = self;
    uint64_t now = jg_clock_mono_ns(), checked = __atomic_load_n(&l->checked_ns, __ATOMIC_ACQUIRE);
    if (checked == 0 || now - checked >= l->config->check_interval_ns) {
        if (__atomic_compare_exchange_n(&l->checked_ns, &checked, now, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED))
            check(l, now);
    }
    if (__atomic_load_n(&l->refuses, __ATOMIC_RELAXED)) {
        jaeger_batch_unref(take);
        (void)jg_fail(&call->error, JAEGER_UNAVAILABLE, "data refused due to high memory usage");
        call->error.retry_after_ms = JG_RETRY_AFTER_MS;
        return JAEGER_UNAVAILABLE;
    }
    return l->next.consume(l->next.self, take, call);
}

static bool limiter_prompt(void *self)
{
    return jaeger_consumer_is_prompt(&((limiter *)self)->next);
}

static bool limiter_defers(void *self)
{
    const limiter *s = self;
    return s->next_defers && s->next_defers(s->next.self);
}

#define AT(member) .offset = offsetof(limiter_config, member)
static const jaeger_field limiter_fields[] = {
    {.name = "check_interval",
     .kind = JAEGER_FIELD_DURATION,
     AT(check_interval_ns),
     .doc = "how often memory is looked at; must be set"},
    {.name = "limit_mib",
     .kind = JAEGER_FIELD_U32,
     AT(limit_mib),
     .doc = "hard limit [MiB]; wins over the percentage"},
    {.name = "spike_limit_mib",
     .kind = JAEGER_FIELD_U32,
     AT(spike_limit_mib),
     .doc = "the soft limit is so far below [MiB]; 0: a fifth"},
    {.name = "limit_percentage",
     .kind = JAEGER_FIELD_U32,
     AT(limit_percentage),
     .doc = "hard limit in percent of the machine's or cgroup's memory"},
    {.name = "spike_limit_percentage",
     .kind = JAEGER_FIELD_U32,
     AT(spike_limit_percentage),
     .doc = "the soft limit is so far below; 0: a fifth"},
    {.name = "min_gc_interval_when_soft_limited",
     .kind = JAEGER_FIELD_DURATION,
     AT(soft_gc_interval_ns),
     .fallback = "10s",
     .doc = "between attempts to give memory back above the soft limit"},
    {.name = "min_gc_interval_when_hard_limited",
     .kind = JAEGER_FIELD_DURATION,
     AT(hard_gc_interval_ns),
     .fallback = "0s",
     .doc = "the same above the hard limit"},
    {0}};

const jaeger_component_type jg_processor_memory_limiter = {
    .size = sizeof(jaeger_component_type),
    .name = "memory_limiter",
    .doc = "refuses requests while the process uses too much memory",
    .kind = JAEGER_PROCESSOR,
    .takes = JAEGER_TRACES | JAEGER_METRICS | JAEGER_LOGS,
    .gives = JAEGER_TRACES | JAEGER_METRICS | JAEGER_LOGS,
    .fields = limiter_fields,
    .config_size = sizeof(limiter_config),
    .state_size = sizeof(limiter),
    .validate = limiter_validate,
    .create = limiter_create,
    .start = limiter_start,
    .consume = limiter_consume,
    .prompt = limiter_prompt,
    .defers = limiter_defers,
};
