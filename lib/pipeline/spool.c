/* SPDX-License-Identifier: Apache-2.0
 * See spool.h. One thread writes: it takes all that wait, puts and removals, into one transaction, commits
 * (one fdatasync) and wakes them. Removals alone may wait a moment, so that they share a commit too.
 */
#include "pipeline/spool.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/cond.h"
#include "core/err.h"
#include "core/limits.h"
#include "model/batch.h"
#include "pipeline/spool_file.h"
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#define COMMIT_BYTES_MAX (32u << 20) /* of batches in one transaction: LMDB keeps their pages in memory */
#define REMOVE_DELAY_NS  (100 * JG_NS_PER_MS) /* sent twice after a crash: what was sent in so long */
#define COMPLAIN_NS      (10 * JG_NS_PER_S)
#define PAUSE_NS         (500 * JG_NS_PER_MS) /* after a failed removal */

typedef enum put_state { PUT_WAITS, PUT_BEING_WRITTEN, PUT_DONE } put_state;

/** On the stack of who waits for it. */
typedef struct put {
    struct put *next, *prev;
    const jaeger_batch *batch;
    jaeger_str tenant;
    size_t len; /* of the OTLP bytes */
    uint64_t cost;
    put_state state;
    int code;
} put;

struct jg_spool {
    jg_spool_file file;
    uint64_t bytes_max;
    const jaeger_logger *log;
    pthread_t writer;
    bool has_writer;
    uint64_t complained_ns; /* the writer's */

    pthread_mutex_t spool_mutex; /* guards what follows */
    pthread_cond_t work_cond;    /* for the writer */
    pthread_cond_t changed_cond; /* a commit, room, stop */
    put *first, *last;
    uint64_t *removals;
    size_t removal_count, removal_cap;
    uint64_t next_seq;  /* of the next put; the writer's */
    uint64_t committed; /* sequence numbers below it are on disk */
    uint64_t next_take;
    jg_spool_size size; /* on disk */
    uint64_t reserved;  /* bytes of puts that wait */
    bool stopping, closing;
};

/* ---- waiting ---- */

static void wait_ns(jg_spool *s, pthread_cond_t *cond, uint64_t ns)
{
    struct timespec until = jg_cond_after(JG_MIN(ns, 3600 * JG_NS_PER_S));
    (void)pthread_cond_timedwait(cond, &s->spool_mutex, &until);
}

/** Wait for a change until the deadline (0: none). @return false: it has passed */
static bool wait_changed(jg_spool *s, uint64_t deadline_ns)
{
    uint64_t now = jg_clock_mono_ns();
    if (deadline_ns && now >= deadline_ns)
        return false;
    if (deadline_ns)
        wait_ns(s, &s->changed_cond, deadline_ns - now);
    else
        (void)pthread_cond_wait(&s->changed_cond, &s->spool_mutex);
    return true;
}

/* ---- putting ---- */

static jaeger_status fail_full(jaeger_error *err, const char *why)
{
    (void)jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "persistent sending queue: %s", why);
    err->retry_after_ms = JG_RETRY_AFTER_MS;
    return JAEGER_RESOURCE_EXHAUSTED;
}

static void unlink_put(jg_spool *s, put *p)
{
    if (p->prev)
        p->prev->next = p->next;
    else
        s->first = p->next;
    if (p->next)
        p->next->prev = p->prev;
    else
        s->last = p->prev;
}

/** With the mutex held: room for it, or wait for that. */
static jaeger_status get_room(jg_spool *s, const put *p, bool waits, jaeger_call *call)
{
    if (p->cost > s->bytes_max)
        return jg_fail(&call->error, JAEGER_INVALID_ARGUMENT, "batch is larger than the persistent queue");
    while (!s->stopping && s->size.bytes + s->reserved + p->cost > s->bytes_max)
        if (!waits || !wait_changed(s, call->deadline_ns))
            return fail_full(&call->error, "it is full");
    return s->stopping ? jg_fail(&call->error, JAEGER_UNAVAILABLE, "exporter is stopping") : JAEGER_OK;
}

/** With the mutex held. */
static jaeger_status await(jg_spool *s, put *p, jaeger_call *call)
{
    while (p->state != PUT_DONE) {
        if (wait_changed(s, p->state == PUT_WAITS ? call->deadline_ns : 0) || p->state != PUT_WAITS)
            continue;
        unlink_put(s, p);
        s->reserved -= p->cost;
        return jg_fail(&call->error, JAEGER_DEADLINE_EXCEEDED, "the disk of the persistent queue is slow");
    }
    return p->code ? fail_full(&call->error, mdb_strerror(p->code)) : JAEGER_OK;
}

jaeger_status jg_spool_put(jg_spool *s, const jaeger_batch *batch, bool waits, jaeger_call *call)
{
    put p = {.batch = batch, .tenant = call->tenant, .len = jaeger_batch_otlp_size(batch)};
    if (p.tenant.len > JG_SPOOL_TENANT_MAX)
        return jg_fail(&call->error, JAEGER_INVALID_ARGUMENT, "tenant is longer than %u bytes",
                       JG_SPOOL_TENANT_MAX);
    p.cost = jg_spool_record_cost(sizeof(jg_spool_record) + p.tenant.len + p.len);
    (void)pthread_mutex_lock(&s->spool_mutex);
    jaeger_status status = get_room(s, &p, waits, call);
    if (status == JAEGER_OK) {
        s->reserved += p.cost;
        p.prev = s->last;
        if (s->last)
            s->last->next = &p;
        else
            s->first = &p;
        s->last = &p;
        (void)pthread_cond_signal(&s->work_cond);
        status = await(s, &p, call);
    }
    (void)pthread_mutex_unlock(&s->spool_mutex);
    return status;
}

/* ---- writing ---- */

/** What one transaction does. */
typedef struct commit {
    put *puts;
    uint64_t *removals;
    size_t removal_count;
    jg_spool_size less, more;
    uint64_t next_seq, oldest;
} commit;

/** With the mutex held: take what waits; of puts as much as fits one transaction. */
static commit gather(jg_spool *s)
{
    commit c = {.puts = s->first, .removals = s->removals, .removal_count = s->removal_count};
    put *last = NULL;
    uint64_t bytes = 0;
    for (put *p = s->first; p && (!last || bytes + p->cost <= COMMIT_BYTES_MAX); p = p->next) {
        bytes += p->cost;
        p->state = PUT_BEING_WRITTEN;
        last = p;
    }
    s->first = last ? last->next : s->first;
    if (s->first)
        s->first->prev = NULL;
    else
        s->last = NULL;
    if (last)
        last->next = NULL;
    s->removals = NULL;
    s->removal_count = s->removal_cap = 0;
    c.next_seq = s->next_seq;
    return c;
}

/** A record is written in place, in a page of the transaction. */
static int write_put(jg_spool *s, MDB_txn *txn, const put *p, commit *c)
{
    jg_spool_record record = {.seq = c->next_seq,
                              .oldest = c->oldest ? c->oldest : c->next_seq,
                              .spans = (uint32_t)jg_batch_items(p->batch),
                              .tenant_len = (uint16_t)p->tenant.len,
                              .signal = (uint16_t)(jaeger_batch_signal(p->batch) & ~(uint32_t)JAEGER_TRACES),
                              .otlp_len = p->len};
    MDB_val key = {sizeof record.seq, &record.seq}, value = {sizeof record + p->tenant.len + p->len, NULL};
    int code = mdb_put(txn, s->file.items, &key, &value, MDB_RESERVE | MDB_APPEND);
    if (code)
        return code;
    char *out = (char *)value.mv_data + sizeof record;
    if (p->tenant.len)
        memcpy(out, p->tenant.ptr, p->tenant.len);
    jaeger_batch_write_otlp(p->batch, out + p->tenant.len);
    jg_spool_record_seal(value.mv_data, record);
    c->next_seq++;
    c->oldest = record.oldest;
    c->more.batches++;
    c->more.spans += record.spans;
    c->more.bytes += jg_spool_record_cost(value.mv_size);
    return 0;
}

/** The lowest number that is there; 0: none. */
static uint64_t find_oldest(jg_spool *s, MDB_txn *txn)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    uint64_t oldest = 0;
    if (mdb_cursor_open(txn, s->file.items, &cursor) != 0)
        return 0;
    if (mdb_cursor_get(cursor, &key, &value, MDB_FIRST) == 0 && key.mv_size == sizeof oldest)
        memcpy(&oldest, key.mv_data, sizeof oldest);
    mdb_cursor_close(cursor);
    return oldest;
}

static int write_removals(jg_spool *s, MDB_txn *txn, commit *c)
{
    for (size_t i = 0; i < c->removal_count; i++) {
        MDB_val key = {sizeof c->removals[i], &c->removals[i]}, value;
        jg_spool_record record;
        int code = mdb_get(txn, s->file.items, &key, &value);
        if (code == MDB_NOTFOUND)
            continue;
        if (code)
            return code;
        memcpy(&record, value.mv_data, sizeof record);
        c->less.batches++;
        c->less.spans += record.spans;
        c->less.bytes += jg_spool_record_cost(value.mv_size);
        code = mdb_del(txn, s->file.items, &key, NULL);
        if (code)
            return code;
    }
    return 0;
}

static int write_commit(jg_spool *s, commit *c, bool with_puts)
{
    MDB_txn *txn;
    c->more = c->less = (jg_spool_size){0};
    int code = mdb_txn_begin(s->file.env, NULL, 0, &txn);
    if (code)
        return code;
    code = write_removals(s, txn, c);
    c->oldest = find_oldest(s, txn);
    for (put *p = c->puts; p && with_puts && code == 0; p = p->next)
        code = write_put(s, txn, p, c);
    if (code == 0)
        code = mdb_txn_commit(txn);
    else
        mdb_txn_abort(txn);
    if (code == 0)
        jg_spool_file_fill(&s->file);
    return code;
}

/** With the mutex held: tell those who wait; keep removals that did not get through. */
static void settle(jg_spool *s, commit *c, int put_code, int removal_code)
{
    put *next;
    for (put *p = c->puts; p; p = next) {
        next = p->next; /* `p` is gone once its owner runs */
        s->reserved -= p->cost;
        p->code = put_code;
        p->state = PUT_DONE;
    }
    if (removal_code) {
        for (size_t i = 0; i < s->removal_count && c->removals; i++) { /* came meanwhile */
            uint64_t *longer = jg_realloc(c->removals, (c->removal_count + 1) * sizeof *longer);
            if (!longer)
                break;
            c->removals = longer;
            c->removals[c->removal_count++] = s->removals[i];
        }
        jg_free(s->removals);
        s->removals = c->removals;
        s->removal_count = s->removal_cap = c->removal_count;
    } else {
        jg_free(c->removals);
        s->size.batches = s->size.batches + c->more.batches - c->less.batches;
        s->size.spans = s->size.spans + c->more.spans - c->less.spans;
        s->size.bytes = s->size.bytes + c->more.bytes - c->less.bytes;
    }
    if (!put_code)
        s->committed = s->next_seq = c->next_seq;
    (void)pthread_cond_broadcast(&s->changed_cond);
}

/** Once in a while: a full disk fails every commit. */
static void complain(jg_spool *s, int code)
{
    uint64_t now = jg_clock_mono_ns();
    if (s->complained_ns && now - s->complained_ns < COMPLAIN_NS)
        return;
    s->complained_ns = now;
    jaeger_log(s->log, JAEGER_ERROR,
               "cannot write the persistent queue, refusing batches file=%s error=\"%s\"", s->file.path,
               mdb_strerror(code));
}

/** With the mutex held; it is let go for the disk. */
static void commit_all(jg_spool *s)
{
    commit c = gather(s);
    (void)pthread_mutex_unlock(&s->spool_mutex);
    int put_code = write_commit(s, &c, true), removal_code = put_code;
    if (put_code && c.puts && c.removal_count)
        removal_code = write_commit(s, &c, false);
    if (put_code)
        complain(s, put_code);
    (void)pthread_mutex_lock(&s->spool_mutex);
    settle(s, &c, c.puts ? put_code : 1, removal_code);
    if (removal_code && !s->closing)
        wait_ns(s, &s->work_cond, PAUSE_NS);
}

static void *run_writer(void *arg)
{
    jg_spool *s = arg;
    (void)pthread_mutex_lock(&s->spool_mutex);
    while (!s->closing) {
        if (!s->first && !s->removal_count) {
            (void)pthread_cond_wait(&s->work_cond, &s->spool_mutex);
            continue;
        }
        if (!s->first) /* removals wake nobody who waits already: only a put or the end cuts this short */
            wait_ns(s, &s->work_cond, REMOVE_DELAY_NS);
        commit_all(s);
    }
    (void)pthread_mutex_unlock(&s->spool_mutex);
    return NULL;
}

/* ---- taking ---- */

static void release_bytes(void *user, void *bytes, size_t len)
{
    (void)user, (void)len;
    jg_free(bytes);
}

/** Takes the bytes. @return false: they are not such a batch, or out of memory */
static bool make_batch(const jg_spool_record *record, void *bytes, size_t len, jaeger_batch **ret)
{
    jaeger_error err;
    jaeger_status status = record->signal == JAEGER_METRICS
                               ? jaeger_batch_from_otlp_metrics(bytes, len, release_bytes, NULL, ret, &err)
                               : jaeger_batch_from_otlp(bytes, len, release_bytes, NULL, ret, &err);
    return status == JAEGER_OK;
}

/** Copy record `seq` out. @return false: not there, or broken (then it is removed) */
static bool read_item(jg_spool *s, uint64_t seq, jg_spool_item *ret)
{
    MDB_txn *txn;
    MDB_val key = {sizeof seq, &seq}, value;
    jg_spool_record record;
    void *bytes = NULL;
    size_t len = 0;
    if (mdb_txn_begin(s->file.env, NULL, MDB_RDONLY, &txn) != 0)
        return false;
    int code = mdb_get(txn, s->file.items, &key, &value);
    bool whole = code == 0 && jg_spool_record_is_whole(value.mv_data, value.mv_size, true);
    if (whole) {
        memcpy(&record, value.mv_data, sizeof record);
        const char *tenant = (const char *)value.mv_data + sizeof record;
        memcpy(ret->tenant, tenant, record.tenant_len);
        ret->tenant_len = record.tenant_len;
        len = value.mv_size - sizeof record - record.tenant_len;
        bytes = jg_alloc(len ? len : 1);
        if (bytes)
            memcpy(bytes, tenant + record.tenant_len, len);
    }
    mdb_txn_abort(txn);
    ret->seq = seq;
    if (bytes && make_batch(&record, bytes, len, &ret->batch))
        return true;
    if (code == 0 && !whole) {
        jaeger_log(s->log, JAEGER_ERROR, "a batch in the persistent queue is broken, dropping it seq=%llu",
                   (unsigned long long)seq);
        jg_spool_remove(s, seq);
    }
    return false;
}

bool jg_spool_take(jg_spool *s, bool waits, jg_spool_item *ret)
{
    for (;;) {
        (void)pthread_mutex_lock(&s->spool_mutex);
        while (waits && !s->stopping && s->next_take >= s->committed)
            (void)wait_changed(s, 0);
        bool taken = !s->stopping && s->next_take < s->committed;
        uint64_t seq = taken ? s->next_take++ : 0;
        (void)pthread_mutex_unlock(&s->spool_mutex);
        if (!taken)
            return false;
        if (read_item(s, seq, ret))
            return true;
    }
}

void jg_spool_remove(jg_spool *s, uint64_t seq)
{
    (void)pthread_mutex_lock(&s->spool_mutex);
    if (s->removal_count == s->removal_cap) {
        size_t cap = s->removal_cap ? 2 * s->removal_cap : 64;
        uint64_t *longer = jg_realloc(s->removals, cap * sizeof *longer);
        if (longer) {
            s->removals = longer;
            s->removal_cap = cap;
        }
    }
    if (s->removal_count < s->removal_cap) /* else it is sent again by the next process */
        s->removals[s->removal_count++] = seq;
    if (s->removal_count == 1)
        (void)pthread_cond_signal(&s->work_cond);
    (void)pthread_mutex_unlock(&s->spool_mutex);
}

/* ---- life ---- */

void jg_spool_stop(jg_spool *s)
{
    (void)pthread_mutex_lock(&s->spool_mutex);
    s->stopping = true;
    (void)pthread_cond_broadcast(&s->changed_cond);
    (void)pthread_mutex_unlock(&s->spool_mutex);
}

void jg_spool_flush(jg_spool *s)
{
    if (!s->has_writer)
        return;
    (void)pthread_mutex_lock(&s->spool_mutex);
    s->stopping = s->closing = true;
    (void)pthread_cond_signal(&s->work_cond);
    (void)pthread_mutex_unlock(&s->spool_mutex);
    (void)pthread_join(s->writer, NULL);
    s->has_writer = false;
    (void)pthread_mutex_lock(&s->spool_mutex);
    if (s->first || s->removal_count)
        commit_all(s);
    (void)pthread_mutex_unlock(&s->spool_mutex);
}

jg_spool_size jg_spool_measure(jg_spool *s)
{
    (void)pthread_mutex_lock(&s->spool_mutex);
    jg_spool_size size = s->size;
    (void)pthread_mutex_unlock(&s->spool_mutex);
    return size;
}

jaeger_status jg_spool_open(const char *directory, uint64_t bytes_max, const jaeger_logger *log,
                            jg_spool **ret, jaeger_error *err)
{
    jg_spool *s = jg_calloc(1, sizeof *s);
    if (!s)
        return jg_fail_oom(err);
    s->bytes_max = bytes_max;
    s->log = log;
    (void)pthread_mutex_init(&s->spool_mutex, NULL);
    jg_cond_init(&s->work_cond);
    jg_cond_init(&s->changed_cond);
    jaeger_status status = jg_spool_file_open(&s->file, directory, bytes_max, log, err);
    s->size = s->file.size;
    s->next_seq = s->committed = s->file.next_seq;
    s->next_take = s->file.first_seq;
    if (status == JAEGER_OK) {
        s->has_writer = pthread_create(&s->writer, NULL, run_writer, s) == 0;
        if (!s->has_writer)
            status =
                jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "cannot start the writer of the persistent queue");
    }
    if (status == JAEGER_OK)
        *ret = s;
    else
        jg_spool_close(s);
    return status;
}

void jg_spool_close(jg_spool *s)
{
    if (!s)
        return;
    jg_spool_flush(s);
    jg_spool_file_close(&s->file);
    (void)pthread_cond_destroy(&s->changed_cond);
    (void)pthread_cond_destroy(&s->work_cond);
    (void)pthread_mutex_destroy(&s->spool_mutex);
    jg_free(s->removals);
    jg_free(s);
}
