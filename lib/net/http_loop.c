/* SPDX-License-Identifier: Apache-2.0
 * See http_loop.h. Of libh2o 2.2.5 this uses the event loop and its sockets. Its own timers follow the wall
 * clock, its message queue aborts when descriptors run out, and its loop keeps its epoll descriptor and
 * recycled memory at the end: so time is kept here by rounds of at most 250 ms, mail comes by an eventfd, and
 * end_loop gives the rest back.
 */
#include "net/http_loop.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/err.h"
#include <fcntl.h>
#include <h2o/memory.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define TICK_MS  250
#define TICK_NS  (TICK_MS * JG_NS_PER_MS)
#define QUIET_MS 60000 /* nothing to watch: only mail can come */

/* ---- mail
 * ------------------------------------------------------------------------------------------------------- */

void jg_http_post(jg_http_loop *loop, jg_http_mail *mail)
{
    mail->next = NULL;
    (void)pthread_mutex_lock(&loop->mail_mutex);
    bool ring = !loop->first;
    *loop->last = mail;
    loop->last = &mail->next;
    if (ring) { /* under the lock: the loop may end as soon as it was read */
        uint64_t one = 1;
        (void)!write(h2o_socket_get_fd(loop->bell), &one, sizeof one);
    }
    (void)pthread_mutex_unlock(&loop->mail_mutex);
}

static void on_bell(h2o_socket_t *bell, const char *err)
{
    (void)err;
    jg_http_loop *loop = bell->data;
    uint64_t count;
    (void)!read(h2o_socket_get_fd(bell), &count, sizeof count);
    (void)pthread_mutex_lock(&loop->mail_mutex);
    jg_http_mail *mail = loop->first;
    loop->first = NULL;
    loop->last = &loop->first;
    (void)pthread_mutex_unlock(&loop->mail_mutex);
    while (mail) {
        jg_http_mail *next = mail->next;
        mail->run(mail);
        mail = next;
    }
}

typedef struct call {
    jg_http_mail mail;
    jg_http_loop *loop;
    void (*fn)(jg_http_loop *loop, void *arg);
    void *arg;
    pthread_mutex_t done_mutex; /* guards done */
    pthread_cond_t done_cond;
    bool done;
} call;

static void run_call(jg_http_mail *mail)
{
    call *c = JG_CONTAINER(mail, call, mail);
    c->fn(c->loop, c->arg);
    (void)pthread_mutex_lock(&c->done_mutex);
    c->done = true;
    (void)pthread_cond_signal(&c->done_cond);
    (void)pthread_mutex_unlock(&c->done_mutex);
}

void jg_http_call(jg_http_loop *loop, void (*fn)(jg_http_loop *loop, void *arg), void *arg)
{
    call c = {.mail.run = run_call, .loop = loop, .fn = fn, .arg = arg};
    (void)pthread_mutex_init(&c.done_mutex, NULL);
    (void)pthread_cond_init(&c.done_cond, NULL);
    jg_http_post(loop, &c.mail);
    (void)pthread_mutex_lock(&c.done_mutex);
    while (!c.done)
        (void)pthread_cond_wait(&c.done_cond, &c.done_mutex);
    (void)pthread_mutex_unlock(&c.done_mutex);
    (void)pthread_cond_destroy(&c.done_cond);
    (void)pthread_mutex_destroy(&c.done_mutex);
}

/* ---- threads
 * ---------------------------------------------------------------------------------------------------- */

/** Buffers and memory pools keep up to 16 chunks in the thread for reuse; they are not freed with it. */
static void free_recycled_memory(void)
{
    h2o_mem_recycle_t *buffers = &h2o_socket_buffer_prototype.allocator;
    while (buffers->cnt)
        jg_free(h2o_mem_alloc_recycle(buffers, 0));
    for (int i = 0; i < 16; i++) {
        h2o_mem_pool_t pool;
        h2o_mem_init_pool(&pool);
        (void)h2o_mem_alloc_pool(&pool, 1);
        jg_free(pool.chunks);
    }
}

static void *run_loop(void *arg)
{
    jg_http_loop *loop = arg;
    while (!loop->stop) {
        bool busy = loop->conns || loop->listeners;
        (void)h2o_evloop_run(loop->events, busy ? TICK_MS : QUIET_MS); /* EINTR is no event */
        uint64_t now = jg_clock_mono_ns();
        if (now < loop->next_tick_ns)
            continue;
        loop->next_tick_ns = now + TICK_NS;
        jg_http_conns_tick(loop, now);
        jg_http_listeners_tick(loop);
    }
    h2o_socket_close(loop->bell);
    (void)h2o_evloop_run(loop->events, 0); /* frees closed sockets */
    free_recycled_memory();
    return NULL;
}

/** h2o_evloop_destroy leaves the epoll descriptor open; it is the first member after the public part. */
static void destroy_events(h2o_loop_t *events)
{
    int fd;
    char path[40], target[40] = {0};
    memcpy(&fd, (char *)events + sizeof *events, sizeof fd);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    h2o_evloop_destroy(events);
    if (readlink(path, target, sizeof target - 1) > 0 && !strcmp(target, "anon_inode:[eventpoll]"))
        (void)close(fd);
}

static jaeger_status start_loop(jg_http_loop *loop, unsigned index, jaeger_error *err)
{
    /* h2o aborts when it gets no descriptor: try first */
    int probe = epoll_create1(EPOLL_CLOEXEC), fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (probe >= 0)
        (void)close(probe);
    if (probe < 0 || fd < 0) {
        if (fd >= 0)
            (void)close(fd);
        return jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "no descriptors for an HTTP thread");
    }
    loop->events = h2o_evloop_create();
    loop->bell = h2o_evloop_socket_create(loop->events, fd, H2O_SOCKET_FLAG_DONT_READ);
    loop->bell->data = loop;
    h2o_socket_read_start(loop->bell, on_bell);
    loop->last = &loop->first;
    (void)pthread_mutex_init(&loop->mail_mutex, NULL);

    sigset_t all, old; /* signals are for the program's own threads; SIGPIPE becomes EPIPE */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    int failed = pthread_create(&loop->thread, NULL, run_loop, loop);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed) {
        h2o_socket_close(loop->bell);
        destroy_events(loop->events);
        (void)pthread_mutex_destroy(&loop->mail_mutex);
        return jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "no thread for HTTP");
    }
    char name[16];
    (void)snprintf(name, sizeof name, "jg-http-%u", index % 1000);
    (void)pthread_setname_np(loop->thread, name);
    return JAEGER_OK;
}

jaeger_status jg_http_loops_new(unsigned count, jg_http_loops **ret, jaeger_error *err)
{
    jg_http_loops *loops = jg_calloc(1, sizeof *loops + count * sizeof loops->loops[0]);
    if (!loops)
        return jg_fail_oom(err);
    for (; loops->count < count; loops->count++) {
        jaeger_status status = start_loop(&loops->loops[loops->count], loops->count, err);
        if (status != JAEGER_OK && loops->count == 0) {
            jg_http_loops_free(loops);
            return status;
        }
        if (status != JAEGER_OK)
            break; /* fewer will do */
    }
    *ret = loops;
    return JAEGER_OK;
}

static void stop_loop(jg_http_loop *loop, void *arg)
{
    (void)arg;
    loop->stop = true;
}

void jg_http_loops_free(jg_http_loops *loops)
{
    if (!loops)
        return;
    for (unsigned i = 0; i < loops->count; i++) {
        jg_http_loop *loop = &loops->loops[i];
        jg_http_call(loop, stop_loop, NULL);
        (void)pthread_join(loop->thread, NULL);
        destroy_events(loop->events);
        (void)pthread_mutex_destroy(&loop->mail_mutex);
    }
    jg_free(loops);
}

jg_http_loop *jg_http_loops_least(jg_http_loops *loops)
{
    jg_http_loop *least = &loops->loops[0];
    for (unsigned i = 1; i < loops->count; i++)
        if (__atomic_load_n(&loops->loops[i].load, __ATOMIC_RELAXED) <
            __atomic_load_n(&least->load, __ATOMIC_RELAXED))
            least = &loops->loops[i];
    return least;
}
