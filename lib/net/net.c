/* SPDX-License-Identifier: Apache-2.0
 * Threads and budget. The loops start together, at the first use; the pool starts its threads itself.
 */
#include "net/net.h"

#include "core/alloc.h"
#include "core/err.h"
#include "core/limits.h"
#include "net/http_loop.h"
#include "net/loop.h"
#include "net/requests.h"
#include <pthread.h>
#include <unistd.h>

#define THREADS_MAX         64 /* of one kind, whatever is asked for */
#define THREADS_DEFAULT_MAX 8  /* loops only move bytes: eight carry more than one machine's network */

struct jg_net {
    jg_net_options options;
    jg_pool *pool, *query_pool;
    pthread_mutex_t start_mutex; /* guards the start of the loops */
    jg_loop *loops[THREADS_MAX];
    unsigned loop_count;       /* 0: not started */
    jg_http_loops *http_loops; /* NULL: not started */
    size_t in_flight_bytes;
    jg_requests *requests;        /* atomic; NULL: nobody asked yet */
    struct jaeger_tracer *tracer; /* NULL: off */
};

static unsigned or_cores(unsigned threads)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (!threads)
        threads = (unsigned)JG_MAX(1, JG_MIN(cores, THREADS_DEFAULT_MAX));
    return JG_MIN(threads, THREADS_MAX);
}

jaeger_status jg_net_new(const jg_net_options *options, jg_net **ret, jaeger_error *err)
{
    jg_net *net = jg_calloc(1, sizeof *net);
    if (!net)
        return jg_fail_oom(err);
    if (options)
        net->options = *options;
    jg_net_options *o = &net->options;
    o->loop_threads = or_cores(o->loop_threads);
    o->http_threads = or_cores(o->http_threads);
    o->workers_max = o->workers_max ? o->workers_max : JG_WORKERS_MAX;
    o->jobs_max = o->jobs_max ? o->jobs_max : JG_JOBS_MAX;
    o->in_flight_bytes_max = o->in_flight_bytes_max ? o->in_flight_bytes_max : JG_IN_FLIGHT_BYTES_MAX;
    net->pool = jg_pool_new("jg-worker", o->workers_max, o->jobs_max, 0);
    net->query_pool = jg_pool_new("jg-query", o->workers_max, JG_QUERY_JOBS_MAX, JG_QUERY_NICE);
    if (!net->pool || !net->query_pool) {
        jg_pool_free(net->pool);
        jg_pool_free(net->query_pool);
        jg_free(net);
        return jg_fail_oom(err);
    }
    (void)pthread_mutex_init(&net->start_mutex, NULL);
    *ret = net;
    return JAEGER_OK;
}

void jg_net_free(jg_net *net)
{
    if (!net)
        return;
    jg_pool_free(net->query_pool);
    jg_pool_free(net->pool); /* first: workers post to loops */
    for (unsigned i = 0; i < net->loop_count; i++)
        jg_loop_free(net->loops[i]);
    jg_http_loops_free(net->http_loops);
    jg_requests_free(net->requests);
    (void)pthread_mutex_destroy(&net->start_mutex);
    jg_free(net);
}

/** With the mutex held. One loop is enough to go on with. */
static void start_loops(jg_net *net)
{
    unsigned count = 0;
    while (count < net->options.loop_threads) {
        net->loops[count] = jg_loop_new("jg-loop", count);
        if (!net->loops[count])
            break;
        count++;
    }
    __atomic_store_n(&net->loop_count, count, __ATOMIC_RELEASE);
}

unsigned jg_net_loop_count(jg_net *net)
{
    return __atomic_load_n(&net->loop_count, __ATOMIC_ACQUIRE);
}

jg_loop *jg_net_loop_at(jg_net *net, unsigned index)
{
    return net->loops[index];
}

jg_loop *jg_net_loop(jg_net *net)
{
    if (!jg_net_loop_count(net)) {
        (void)pthread_mutex_lock(&net->start_mutex);
        if (!jg_net_loop_count(net))
            start_loops(net);
        (void)pthread_mutex_unlock(&net->start_mutex);
    }
    jg_loop *least = NULL;
    for (unsigned i = 0; i < jg_net_loop_count(net); i++)
        if (!least || jg_loop_load(net->loops[i], 0) < jg_loop_load(least, 0))
            least = net->loops[i];
    return least;
}

jg_pool *jg_net_query_pool(jg_net *net)
{
    return net->query_pool;
}

jg_pool *jg_net_pool(jg_net *net)
{
    return net->pool;
}

unsigned jg_net_http_threads(const jg_net *net)
{
    return net->options.http_threads;
}

jaeger_status jg_net_http_loops(jg_net *net, jg_http_loops **ret, jaeger_error *err)
{
    jaeger_status status = JAEGER_OK;
    (void)pthread_mutex_lock(&net->start_mutex);
    if (!net->http_loops)
        status = jg_http_loops_new(net->options.http_threads, &net->http_loops, err);
    if (status == JAEGER_OK)
        *ret = net->http_loops;
    (void)pthread_mutex_unlock(&net->start_mutex);
    return status;
}

jg_metrics *jg_net_metrics(const jg_net *net)
{
    return net->options.metrics;
}

const jaeger_logger *jg_net_log(const jg_net *net)
{
    return net->options.log;
}

jg_requests *jg_net_requests(jg_net *net, bool start)
{
    jg_requests *requests = __atomic_load_n(&net->requests, __ATOMIC_ACQUIRE);
    if (requests || !start)
        return requests;
    (void)pthread_mutex_lock(&net->start_mutex);
    if (!net->requests)
        __atomic_store_n(&net->requests, jg_requests_new(), __ATOMIC_RELEASE);
    requests = net->requests;
    (void)pthread_mutex_unlock(&net->start_mutex);
    return requests;
}

void jg_net_set_tracer(jg_net *net, struct jaeger_tracer *tracer)
{
    net->tracer = tracer;
}

struct jaeger_tracer *jg_net_tracer(const jg_net *net)
{
    return net->tracer;
}

bool jg_net_admit(jg_net *net, size_t bytes)
{
    size_t used = __atomic_add_fetch(&net->in_flight_bytes, bytes, __ATOMIC_RELAXED);
    if (used >= bytes && used <= net->options.in_flight_bytes_max)
        return true;
    jg_net_release(net, bytes);
    return false;
}

void jg_net_release(jg_net *net, size_t bytes)
{
    (void)__atomic_sub_fetch(&net->in_flight_bytes, bytes, __ATOMIC_RELAXED);
}
