/* SPDX-License-Identifier: Apache-2.0
 * Unary calls that nobody waits for: the loop begins them, and tells their end. Dialing blocks, so a worker
 * does it once for all that wait. What has ended is told at the end of the loop's round: nothing of ours runs
 * inside a callback of nghttp2 then.
 */
#include "core/clock.h"
#include "core/err.h"
#include "net/grpc_client_conn.h"

#define CALL_BYTES_MAX (1u << 20) /* headers of one call, beside its message */
#define TRIES_MAX      3          /* of calls that no server saw */
#define DIAL_NS        (20 * JG_NS_PER_S)

typedef struct jg_grpc_later {
    jg_grpc_client_call c;
    struct jg_grpc_later *next, *prev; /* among `laters` or `waiting` of the client */
    jaeger_arena *arena;
    jg_buf body;
    jg_grpc_request request;
    jaeger_call *call;
    jg_grpc_done_fn done;
    void *user;
    int tries;
    bool over; /* `finish` was posted */
    bool waits;
    jg_timer deadline;
    jg_post start, finish;
} later;

/* ---- lists; on the loop ---- */

static void add(later **list, later *l)
{
    l->prev = NULL;
    l->next = *list;
    if (l->next)
        l->next->prev = l;
    *list = l;
}

static void take_off(later *l)
{
    jg_grpc_client *client = l->c.client;
    later **list = l->waits ? &client->waiting : &client->laters;
    if (l->next)
        l->next->prev = l->prev;
    if (l->prev)
        l->prev->next = l->next;
    else
        *list = l->next;
    l->next = l->prev = NULL;
    l->waits = false;
}

/* ---- the end; on the loop ---- */

static void later_free(later *l)
{
    for (jg_grpc_answer *answer; (answer = l->c.answers);) {
        l->c.answers = answer->next;
        jg_free(answer);
    }
    (void)pthread_cond_destroy(&l->c.answer_cond);
    (void)pthread_mutex_destroy(&l->c.answer_mutex);
    jaeger_arena_free(l->arena);
    jg_buf_done(&l->body);
    jg_free(l);
}

static jaeger_status read_answer(const later *l, jg_buf *plain, jaeger_str *ret, jaeger_error *err)
{
    if (l->c.end.status != JAEGER_OK) {
        *err = l->c.end;
        return err->status;
    }
    const jg_grpc_answer *answer = l->c.answers;
    if (!answer || answer->next)
        return jg_fail(err, JAEGER_INTERNAL, "cardinality violation: %s answer to a unary call",
                       answer ? "more than one" : "no");
    return jg_grpc_client_unpack(&l->c, answer, plain, ret, err);
}

static void finish(jg_post *post)
{
    later *l = JG_CONTAINER(post, later, finish);
    JG_AUTO_BUF jg_buf plain = JG_BUF_INIT(l->c.client->recv_bytes_max);
    jaeger_str answer = {0};
    jaeger_status status = read_answer(l, &plain, &answer, &l->call->error);
    l->done(l->user, status, status == JAEGER_OK ? answer : (jaeger_str){0});
    later_free(l);
}

static void begin(later *l);

void jg_grpc_later_ended(later *l)
{
    if (l->over)
        return;
    bool again = l->c.unsent && ++l->tries < TRIES_MAX;
    if (!again) {
        l->over = true;
        jg_loop_timer_clear(l->c.client->loop, &l->deadline);
        take_off(l);
    }
    jg_loop_defer(l->c.client->loop, again ? &l->start : &l->finish);
}

/** End it before its time. */
static void cut(later *l, jaeger_status status, const char *text)
{
    if (l->over)
        return;
    jg_grpc_client_detach(&l->c);
    l->c.unsent = false;
    (void)jg_fail(&l->c.end, status, "%s", text);
    jg_grpc_later_ended(l);
}

static void deadline_fired(jg_timer *timer)
{
    cut(JG_CONTAINER(timer, later, deadline), JAEGER_DEADLINE_EXCEEDED, "context deadline exceeded");
}

/* ---- connections ---- */

/** On a worker. */
static void dial(jg_job *job)
{
    jg_grpc_client *client = JG_CONTAINER(job, jg_grpc_client, dial);
    jaeger_call call = JAEGER_CALL_INIT;
    client->later_error = (jaeger_error){0};
    jaeger_status status = jg_grpc_client_ready(client, client->dial_until_ns, &call, &client->later_error);
    client->later_error.status = status;
    jg_loop_post(client->loop, &client->dialed);
}

static void fail_waiting(jg_grpc_client *client, const jaeger_error *err)
{
    while (client->waiting) {
        later *l = client->waiting;
        l->c.end = *err;
        l->c.unsent = false;
        jg_grpc_later_ended(l);
    }
}

/** With none under way: dial for those that wait, as long as the last of them does. */
static void start_dial(jg_grpc_client *client)
{
    uint64_t now = jg_clock_mono_ns();
    client->dial_until_ns = now;
    for (const later *l = client->waiting; l; l = l->next)
        client->dial_until_ns = JG_MAX(client->dial_until_ns, l->c.deadline_ns);
    client->dial_until_ns = JG_MIN(client->dial_until_ns, now + DIAL_NS);
    (void)pthread_mutex_lock(&client->state_mutex);
    bool pausing = !client->ready && !client->dialing && client->backoff_ns && now < client->retry_at_ns &&
                   client->dial_error.status && !client->settings->wait_for_ready;
    jaeger_error err = pausing ? client->dial_error : (jaeger_error){0};
    client->later_dials = !pausing;
    (void)pthread_mutex_unlock(&client->state_mutex);
    if (!pausing && jg_pool_submit(jg_net_pool(client->net), &client->dial) == JAEGER_OK)
        return;
    if (!pausing)
        (void)jg_fail(&err, JAEGER_UNAVAILABLE, "no worker to connect with");
    err.status = JAEGER_UNAVAILABLE;
    (void)pthread_mutex_lock(&client->state_mutex);
    client->later_dials = false;
    (void)pthread_mutex_unlock(&client->state_mutex);
    fail_waiting(client, &err);
}

static void set_dialed(jg_grpc_client *client)
{
    (void)pthread_mutex_lock(&client->state_mutex);
    client->later_dials = false;
    (void)pthread_cond_broadcast(&client->state_cond);
    (void)pthread_mutex_unlock(&client->state_mutex);
}

/** On the loop. */
static void dialed(jg_post *post)
{
    jg_grpc_client *client = JG_CONTAINER(post, jg_grpc_client, dialed);
    jaeger_error err = client->later_error;
    if (err.status == JAEGER_DEADLINE_EXCEEDED && client->settings->wait_for_ready && client->waiting) {
        start_dial(client);
        return;
    }
    if (err.status == JAEGER_DEADLINE_EXCEEDED)
        err.status = JAEGER_UNAVAILABLE; /* it was the dial's, not the calls' */
    if (err.status != JAEGER_OK)
        fail_waiting(client, &err);
    for (later *l = client->waiting, *next; l; l = next) {
        next = l->next;
        take_off(l);
        add(&client->laters, l);
        jg_loop_defer(client->loop, &l->start);
    }
    set_dialed(client); /* the last that is done with the client if it is being freed */
}

/* ---- the beginning ---- */

static void begin(later *l)
{
    jg_grpc_client *client = l->c.client;
    l->c.done = l->c.unsent = false;
    l->c.body_at = l->c.part_at = 0;
    l->c.prefix_len = 0;
    l->c.http_status = 0;
    l->c.grpc_status = -1;
    l->c.end = (jaeger_error){0};
    jg_grpc_client_load(&l->c, &l->request);
    if (client->conns && client->conns->usable) {
        jg_grpc_client_begin(&l->c.begin);
        return;
    }
    take_off(l);
    l->waits = true;
    add(&client->waiting, l);
    (void)pthread_mutex_lock(&client->state_mutex);
    bool under_way = client->later_dials;
    (void)pthread_mutex_unlock(&client->state_mutex);
    if (!under_way)
        start_dial(client);
}

/** Again, after it was sent in vain or a connection came. */
static void start_again(jg_post *post)
{
    later *l = JG_CONTAINER(post, later, start);
    if (!l->over)
        begin(l);
}

static void start(jg_post *post)
{
    later *l = JG_CONTAINER(post, later, start);
    l->start.run = start_again;
    add(&l->c.client->laters, l);
    if (l->call->cancelled && __atomic_load_n(l->call->cancelled, __ATOMIC_RELAXED)) {
        cut(l, JAEGER_CANCELLED, "context canceled"); /* jg_grpc_client_cancel may have been here before */
        return;
    }
    jg_loop_timer_set(l->c.client->loop, &l->deadline, l->c.deadline_ns);
    begin(l);
}

jaeger_status jg_grpc_unary_later(jg_grpc_client *client, const jg_grpc_request *request, jaeger_call *call,
                                  jg_grpc_done_fn done, void *user)
{
    jg_loop *loop = jg_grpc_client_loop(client);
    later *l = loop ? jg_calloc(1, sizeof *l) : NULL;
    if (!l)
        return jg_fail_oom(&call->error);
    l->c.client = client;
    l->c.later = l;
    l->c.deadline_ns = call->deadline_ns ? call->deadline_ns : jg_clock_mono_ns() + JG_TIMEOUT_DEFAULT_NS;
    l->c.begin.run = jg_grpc_client_begin;
    l->c.last = &l->c.answers;
    (void)pthread_mutex_init(&l->c.answer_mutex, NULL);
    (void)pthread_cond_init(&l->c.answer_cond, NULL);
    l->arena = jaeger_arena_new(CALL_BYTES_MAX);
    l->body = JG_BUF_INIT(JG_GRPC_SEND_BYTES_MAX + JG_GRPC_PREFIX_BYTES);
    l->request = *request;
    l->call = call;
    l->done = done;
    l->user = user;
    l->deadline.fire = deadline_fired;
    l->start.run = start;
    l->finish.run = finish;
    jaeger_status status = l->arena && jg_grpc_client_headers(&l->c, l->arena, request, call)
                               ? jg_grpc_client_body(&l->c, request, &l->body, &call->error)
                               : jg_fail_oom(&call->error);
    if (status != JAEGER_OK) {
        later_free(l);
        return status;
    }
    jg_loop_post(loop, &l->start);
    return JAEGER_PENDING;
}

static void cancel_all(void *arg)
{
    jg_grpc_client *client = arg;
    while (client->laters || client->waiting)
        cut(client->laters ? client->laters : client->waiting, JAEGER_CANCELLED, "context canceled");
}

void jg_grpc_client_cancel(jg_grpc_client *client)
{
    if (client->loop)
        jg_loop_sync(client->loop, cancel_all, client);
}

void jg_grpc_later_init(jg_grpc_client *client)
{
    client->dial.run = dial;
    client->dialed.run = dialed;
}
