/* SPDX-License-Identifier: Apache-2.0
 * epoll, a pairing heap of timers, and a list behind an eventfd.
 */
#include "net/loop.h"

#include "core/alloc.h"
#include "core/clock.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTS_MAX    256 /* of one round */
#define DEFERRALS_MAX 4   /* what deferred work defers runs in the same round, but not for ever */

typedef struct post_list {
    jg_post *first, **last;
} post_list;

struct jg_loop {
    int epoll_fd;
    jg_watch mail; /* eventfd */
    pthread_mutex_t mailbox_mutex;
    post_list mailbox;
    post_list deferred; /* loop thread only */
    jg_timer *timers;   /* root of the heap */
    uint64_t now_ns;
    struct epoll_event events[EVENTS_MAX];
    int event_at, event_count;
    bool stopping;
    unsigned index, load;
    pthread_t thread;
    uint8_t *slab;
};

/* ---- lists ------------------------------------------------------------------------------------------------
 */

static void list_init(post_list *list)
{
    list->first = NULL;
    list->last = &list->first;
}

static void list_add(post_list *list, jg_post *post)
{
    post->next = NULL;
    *list->last = post;
    list->last = &post->next;
}

static jg_post *list_take(post_list *list)
{
    jg_post *first = list->first;
    list_init(list);
    return first;
}

static void run_posts(jg_post *post)
{
    while (post) {
        jg_post *next = post->next; /* `post` may be gone after its run */
        post->run(post);
        post = next;
    }
}

/* ---- timers -----------------------------------------------------------------------------------------------
 */

static jg_timer *merge(jg_timer *a, jg_timer *b)
{
    if (!a || !b)
        return a ? a : b;
    if (b->due_ns < a->due_ns) {
        jg_timer *t = a;
        a = b;
        b = t;
    }
    b->prev = a;
    b->next = a->child;
    if (b->next)
        b->next->prev = b;
    a->child = b;
    return a;
}

static jg_timer *merge_pairs(jg_timer *first)
{
    jg_timer *merged = NULL; /* linked by next */
    while (first) {
        jg_timer *a = first, *b = a->next;
        first = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b)
            b->next = b->prev = NULL;
        a = merge(a, b);
        a->next = merged;
        merged = a;
    }
    jg_timer *root = NULL;
    while (merged) {
        jg_timer *t = merged;
        merged = t->next;
        t->next = NULL;
        root = merge(root, t);
    }
    return root;
}

void jg_loop_timer_clear(jg_loop *loop, jg_timer *timer)
{
    if (!timer->due_ns)
        return;
    jg_timer *below = merge_pairs(timer->child);
    if (loop->timers == timer) {
        loop->timers = below;
    } else {
        if (timer->prev->child == timer)
            timer->prev->child = timer->next;
        else
            timer->prev->next = timer->next;
        if (timer->next)
            timer->next->prev = timer->prev;
        loop->timers = merge(loop->timers, below);
    }
    timer->child = timer->next = timer->prev = NULL;
    timer->due_ns = 0;
}

void jg_loop_timer_set(jg_loop *loop, jg_timer *timer, uint64_t due_ns)
{
    jg_loop_timer_clear(loop, timer);
    timer->due_ns = due_ns ? due_ns : 1;
    loop->timers = merge(loop->timers, timer);
}

static void fire_timers(jg_loop *loop)
{
    while (loop->timers && loop->timers->due_ns <= loop->now_ns) {
        jg_timer *timer = loop->timers;
        jg_loop_timer_clear(loop, timer);
        timer->fire(timer);
    }
}

static int wait_ms(const jg_loop *loop)
{
    if (loop->deferred.first)
        return 0;
    if (!loop->timers)
        return -1;
    uint64_t now = jg_clock_mono_ns(), due = loop->timers->due_ns;
    return due <= now ? 0 : (int)JG_MIN((due - now + JG_NS_PER_MS - 1) / JG_NS_PER_MS, 60000u);
}

/* ---- watches ----------------------------------------------------------------------------------------------
 */

bool jg_loop_watch(jg_loop *loop, jg_watch *watch, uint32_t events)
{
    if (watch->events == events)
        return true;
    struct epoll_event event = {.events = events, .data.ptr = watch};
    if (epoll_ctl(loop->epoll_fd, watch->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, watch->fd, &event))
        return false;
    watch->events = events;
    return true;
}

void jg_loop_unwatch(jg_loop *loop, jg_watch *watch)
{
    if (!watch->events)
        return;
    watch->events = 0;
    (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    for (int i = loop->event_at; i < loop->event_count; i++)
        if (loop->events[i].data.ptr == watch)
            loop->events[i].data.ptr = NULL;
}

/* ---- the thread -------------------------------------------------------------------------------------------
 */

static void mail_ready(jg_watch *watch, uint32_t events)
{
    (void)events;
    jg_loop *loop = JG_CONTAINER(watch, jg_loop, mail);
    uint64_t count;
    (void)!read(watch->fd, &count, sizeof count);
    (void)pthread_mutex_lock(&loop->mailbox_mutex);
    jg_post *posts = list_take(&loop->mailbox);
    (void)pthread_mutex_unlock(&loop->mailbox_mutex);
    run_posts(posts);
}

static void run_round(jg_loop *loop)
{
    int count = epoll_wait(loop->epoll_fd, loop->events, EVENTS_MAX, wait_ms(loop));
    loop->now_ns = jg_clock_mono_ns();
    loop->event_count = JG_MAX(count, 0);
    for (loop->event_at = 0; loop->event_at < loop->event_count;) {
        struct epoll_event *event = &loop->events[loop->event_at++];
        jg_watch *watch = event->data.ptr;
        if (watch)
            watch->ready(watch, event->events);
    }
    fire_timers(loop);
    for (int i = 0; i < DEFERRALS_MAX && loop->deferred.first; i++)
        run_posts(list_take(&loop->deferred));
}

static void *loop_thread(void *arg)
{
    jg_loop *loop = arg;
    while (!loop->stopping)
        run_round(loop);
    while (loop->deferred.first)
        run_posts(list_take(&loop->deferred));
    return NULL;
}

/** Signals are the embedder's: none is delivered to our threads (so a broken TLS pipe is an error, not
 * SIGPIPE). */
static bool start_thread(jg_loop *loop, const char *name)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&loop->thread, NULL, loop_thread, loop) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (started) {
        char full[16];
        (void)snprintf(full, sizeof full, "%s-%u", name, loop->index);
        (void)pthread_setname_np(loop->thread, full);
    }
    return started;
}

static void release(jg_loop *loop)
{
    if (loop->epoll_fd >= 0)
        (void)close(loop->epoll_fd);
    if (loop->mail.fd >= 0)
        (void)close(loop->mail.fd);
    (void)pthread_mutex_destroy(&loop->mailbox_mutex);
    jg_free(loop->slab);
    jg_free(loop);
}

jg_loop *jg_loop_new(const char *thread_name, unsigned index)
{
    jg_loop *loop = jg_calloc(1, sizeof *loop);
    if (!loop)
        return NULL;
    loop->index = index;
    loop->now_ns = jg_clock_mono_ns();
    list_init(&loop->mailbox);
    list_init(&loop->deferred);
    (void)pthread_mutex_init(&loop->mailbox_mutex, NULL);
    loop->slab = jg_alloc(JG_LOOP_SLAB_BYTES);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->mail.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->mail.ready = mail_ready;
    if (!loop->slab || loop->epoll_fd < 0 || loop->mail.fd < 0 ||
        !jg_loop_watch(loop, &loop->mail, EPOLLIN) || !start_thread(loop, thread_name)) {
        release(loop);
        return NULL;
    }
    return loop;
}

typedef struct stop_post {
    jg_post post;
    jg_loop *loop;
} stop_post;

static void stop_loop(jg_post *post)
{
    JG_CONTAINER(post, stop_post, post)->loop->stopping = true;
}

void jg_loop_free(jg_loop *loop)
{
    if (!loop)
        return;
    stop_post stop = {{stop_loop, NULL}, loop};
    jg_loop_post(loop, &stop.post);
    (void)pthread_join(loop->thread, NULL);
    release(loop);
}

unsigned jg_loop_index(const jg_loop *loop)
{
    return loop->index;
}

uint64_t jg_loop_now_ns(const jg_loop *loop)
{
    return loop->now_ns;
}

uint8_t *jg_loop_slab(jg_loop *loop)
{
    return loop->slab;
}

void jg_loop_defer(jg_loop *loop, jg_post *post)
{
    list_add(&loop->deferred, post);
}

void jg_loop_post(jg_loop *loop, jg_post *post)
{
    if (pthread_equal(pthread_self(), loop->thread)) {
        jg_loop_defer(loop, post);
        return;
    }
    (void)pthread_mutex_lock(&loop->mailbox_mutex);
    bool wake = !loop->mailbox.first;
    list_add(&loop->mailbox, post);
    (void)pthread_mutex_unlock(&loop->mailbox_mutex);
    uint64_t one = 1;
    if (wake)
        (void)!write(loop->mail.fd, &one, sizeof one);
}

typedef struct sync_post {
    jg_post post;
    void (*fn)(void *arg);
    void *arg;
    pthread_mutex_t done_mutex;
    pthread_cond_t done_cond;
    bool done;
} sync_post;

static void run_sync(jg_post *post)
{
    sync_post *sync = JG_CONTAINER(post, sync_post, post);
    sync->fn(sync->arg);
    (void)pthread_mutex_lock(&sync->done_mutex);
    sync->done = true;
    (void)pthread_cond_signal(&sync->done_cond);
    (void)pthread_mutex_unlock(&sync->done_mutex);
}

void jg_loop_sync(jg_loop *loop, void (*fn)(void *arg), void *arg)
{
    if (pthread_equal(pthread_self(), loop->thread)) {
        fn(arg);
        return;
    }
    sync_post sync = {.post = {run_sync, NULL},
                      .fn = fn,
                      .arg = arg,
                      .done_mutex = PTHREAD_MUTEX_INITIALIZER,
                      .done_cond = PTHREAD_COND_INITIALIZER};
    jg_loop_post(loop, &sync.post);
    (void)pthread_mutex_lock(&sync.done_mutex);
    while (!sync.done)
        (void)pthread_cond_wait(&sync.done_cond, &sync.done_mutex);
    (void)pthread_mutex_unlock(&sync.done_mutex);
    (void)pthread_cond_destroy(&sync.done_cond);
    (void)pthread_mutex_destroy(&sync.done_mutex);
}

unsigned jg_loop_load(jg_loop *loop, int add)
{
    return __atomic_add_fetch(&loop->load, (unsigned)add, __ATOMIC_RELAXED);
}
