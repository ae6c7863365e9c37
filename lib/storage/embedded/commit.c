/* SPDX-License-Identifier: Apache-2.0
 * Writing: group commit. A request makes its frame, queues, and the first that finds nobody at work becomes
 * the leader: it takes all that wait, writes them with one call, syncs once, appends them to the memtable and
 * wakes them. While it syncs, the next group gathers. See store.h.
 */
#include "core/alloc.h"
#include "core/clock.h"
#include "core/cond.h"
#include "core/err.h"
#include "core/limits.h"
#include "storage/embedded/store.h"
#include <errno.h>
#include <time.h>
#include <unistd.h>

#define GROUP_BYTES_MAX  (8u << 20) /* one write; more would make the first wait for the last */
#define GROUP_WRITES_MAX 256u
#define SPANS_MAX        (1u << 20) /* of one request; a memtable holds twice that */
#define WAL_STEP_MIN     (1u << 20) /* preallocation doubles from here ... */
#define WAL_STEP_MAX     (8u << 20) /* ... to here */
#define SPARES_MAX       2u         /* in steady state one is flushed while one is written */
#define FRAMES_MAX       16u        /* frame buffers that are kept */
#define FRAME_BYTES_KEEP (1u << 20)
#define BUSY_RETRY_MS    200u
#define FROZEN_WAIT_NS   (900 * JG_NS_PER_MS) /* longer stalls are for the sender to wait out */

/** A request in the queue; lives on its caller's stack. */
struct jg_write {
    jg_write *next;
    const jaeger_batch *batch;
    jg_wal_frame *frame;
    uint64_t arrival_unix_ns;
    uint32_t span_count;
    bool taken, done; /* under commit_lock */
    jaeger_error error;
    pthread_cond_t cond;
};

/** A frame buffer in the list of idle ones. */
typedef struct jg_frame_box {
    jg_wal_frame frame; /* first */
    struct jg_frame_box *next;
} jg_frame_box;

/* ---- frame buffers
 * ------------------------------------------------------------------------------------------ */

static jg_wal_frame *take_frame(jg_store *store)
{
    (void)pthread_mutex_lock(&store->lock);
    jg_frame_box *box = store->frames;
    if (box) {
        store->frames = box->next;
        store->frame_count--;
    }
    (void)pthread_mutex_unlock(&store->lock);
    if (!box)
        box = jg_calloc(1, sizeof *box);
    return box ? &box->frame : NULL;
}

static void give_frame(jg_store *store, jg_wal_frame *frame)
{
    jg_frame_box *box = (jg_frame_box *)frame;
    (void)pthread_mutex_lock(&store->lock);
    bool keep = store->frame_count < FRAMES_MAX && frame->bytes.cap <= FRAME_BYTES_KEEP;
    if (keep) {
        box->next = store->frames;
        store->frames = box;
        store->frame_count++;
    }
    (void)pthread_mutex_unlock(&store->lock);
    if (!keep) {
        jg_wal_frame_done(frame);
        jg_free(box);
    }
}

void jg_store_free_frames(jg_store *store)
{
    for (jg_frame_box *box = store->frames, *next; box; box = next) {
        next = box->next;
        jg_wal_frame_done(&box->frame);
        jg_free(box);
    }
    store->frames = NULL;
    store->frame_count = 0;
}

/* ---- log files
 * ---------------------------------------------------------------------------------------------- */

static void discard_wal(jg_store *store, jg_wal_file *wal)
{
    char path[4200];
    jg_wal_path(store->wal_dir, wal->number, path, sizeof path);
    (void)jg_io_unlink(path);
    (void)pthread_mutex_lock(&store->lock);
    store->wal_bytes -= JG_MIN(store->wal_bytes, wal->allocated);
    (void)pthread_mutex_unlock(&store->lock);
    jg_wal_close(wal);
}

void jg_store_release_wal(void *user, jg_wal_file *wal)
{
    jg_store *store = user;
    (void)pthread_mutex_lock(&store->lock);
    bool keep = store->spare_count < SPARES_MAX && !wal->suspect &&
                wal->allocated <= store->options.flush_bytes + WAL_STEP_MAX;
    if (keep) {
        wal->next = store->spare;
        wal->used = 0;
        store->spare = wal;
        store->spare_count++;
    }
    (void)pthread_mutex_unlock(&store->lock);
    if (!keep)
        discard_wal(store, wal);
}

int jg_store_take_wal(jg_store *store, jg_wal_file **ret)
{
    (void)pthread_mutex_lock(&store->lock);
    jg_wal_file *wal = store->spare;
    if (wal) {
        store->spare = wal->next;
        store->spare_count--;
    }
    uint32_t number = wal ? 0 : store->next_wal++;
    (void)pthread_mutex_unlock(&store->lock);
    if (!wal) {
        int error = jg_wal_open(store->wal_dir, number, &wal);
        if (!error && (error = jg_io_sync_dir(store->wal_dir)) != 0)
            jg_wal_close(wal);
        if (error)
            return error;
    }
    wal->used = 0;
    *ret = wal;
    return 0;
}

void jg_store_drop_spares(jg_store *store, uint32_t keep)
{
    for (;;) {
        (void)pthread_mutex_lock(&store->lock);
        jg_wal_file *wal = store->spare_count > keep ? store->spare : NULL;
        if (wal) {
            store->spare = wal->next;
            store->spare_count--;
        }
        (void)pthread_mutex_unlock(&store->lock);
        if (!wal)
            return;
        discard_wal(store, wal);
    }
}

/** Have `end` bytes of the file on disk, and leave room for turning the log into segments. */
static int reserve_wal(jg_store *store, jg_wal_file *wal, uint64_t end)
{
    if (end <= wal->allocated)
        return 0;
    uint64_t step = JG_MIN(JG_MAX(wal->allocated, WAL_STEP_MIN), WAL_STEP_MAX);
    uint64_t to = JG_MIN(JG_MAX(end, wal->allocated + step), JG_WAL_FILE_BYTES_MAX);
    (void)pthread_mutex_lock(&store->lock);
    uint64_t logs = store->wal_bytes;
    (void)pthread_mutex_unlock(&store->lock);
    uint64_t space = jg_io_space(store->wal_dir), needed = to - wal->allocated + store->options.reserve_bytes;
    if (space < needed + logs / 3)
        return ENOSPC;
    int error = jg_io_allocate(wal->fd, wal->allocated, to);
    if (error)
        return error;
    (void)pthread_mutex_lock(&store->lock);
    store->wal_bytes += to - wal->allocated;
    (void)pthread_mutex_unlock(&store->lock);
    wal->allocated = to;
    return 0;
}

/* ---- the active memtable
 * ------------------------------------------------------------------------------------ */

static bool is_full(const jg_store *store, const jg_mt *mem)
{
    const jg_store_options *o = &store->options;
    return mem->wal->used >= o->flush_bytes || mem->pending >= o->flush_rows || mem->wal->suspect ||
           jg_mt_bytes_used(mem) >= o->flush_memory;
}

/** Wait for a place among the frozen memtables. store->lock is held. */
static bool wait_for_place(jg_store *store)
{
    uint64_t at = jg_clock_mono_ns() + FROZEN_WAIT_NS;
    struct timespec until = jg_cond_after(FROZEN_WAIT_NS);
    while (store->frozen_count >= store->options.frozen_max && jg_clock_mono_ns() < at)
        if (pthread_cond_timedwait(&store->frozen_cond, &store->lock, &until) == ETIMEDOUT)
            break;
    return store->frozen_count < store->options.frozen_max;
}

/** Put a new memtable in place of the active one. store->lock is held. */
static bool swap_active(jg_store *store, jg_mt *mem)
{
    jg_mt *old = store->active;
    if (old && store->frozen_count == store->frozen_cap) {
        uint32_t cap = store->frozen_cap + 8;
        jg_mt **frozen = jg_realloc(store->frozen, cap * sizeof *frozen);
        if (!frozen)
            return false;
        store->frozen = frozen;
        store->frozen_cap = cap;
    }
    jg_snapshot *before = store->snapshot;
    if (!jg_snapshot_replace(store, mem, NULL, NULL, NULL, NULL))
        return false;
    if (old)
        store->frozen[store->frozen_count++] = old;
    store->active = mem;
    store->freeze_wanted = false;
    (void)pthread_mutex_unlock(&store->lock);
    jg_snapshot_unref(before); /* may unmap and unlink */
    (void)pthread_mutex_lock(&store->lock);
    return true;
}

/** Begin a new memtable. Only the leader calls this. */
static jaeger_status rotate(jg_store *store, jaeger_error *err)
{
    jg_wal_file *wal;
    (void)pthread_mutex_lock(&store->lock);
    bool place = !store->active || wait_for_place(store);
    uint64_t gen = store->next_gen;
    (void)pthread_mutex_unlock(&store->lock);
    if (!place) {
        (void)jg_fail(err, JAEGER_UNAVAILABLE,
                      "embedded store: memory is full, %u memtables wait to be written%s",
                      store->options.frozen_max, store->flush_failures ? " and the disk refuses them" : "");
        err->retry_after_ms = store->flush_failures ? JG_RETRY_AFTER_MS : BUSY_RETRY_MS;
        return err->status;
    }
    int error = jg_store_take_wal(store, &wal);
    if (error)
        return jg_io_fail(err, error, "open a log file in %s", store->wal_dir);
    jg_mt *mem = jg_mt_new(gen, store->seed, wal, jg_store_release_wal, store);
    if (!mem)
        return jg_fail_oom(err);
    (void)pthread_mutex_lock(&store->lock);
    bool ok = swap_active(store, mem);
    store->next_gen += ok;
    (void)pthread_mutex_unlock(&store->lock);
    if (!ok) {
        jg_mt_unref(mem);
        return jg_fail_oom(err);
    }
    if (store->wake)
        store->wake(store->wake_user);
    return JAEGER_OK;
}

static jaeger_status ensure_active(jg_store *store, jaeger_error *err)
{
    (void)pthread_mutex_lock(&store->lock);
    bool fresh = !store->active || store->freeze_wanted;
    (void)pthread_mutex_unlock(&store->lock);
    if (store->active && !fresh && !is_full(store, store->active))
        return JAEGER_OK;
    if (store->active && store->active->pending == 0 && !store->active->wal->suspect)
        return JAEGER_OK; /* nothing in it: go on with it */
    return rotate(store, err);
}

/* ---- groups
 * ------------------------------------------------------------------------------------------------- */

/** Take writes that fit the memtable from the list. */
static size_t gather(const jg_store *store, const jg_mt *mem, jg_write **list, jg_write **ret,
                     struct iovec *parts)
{
    size_t n = 0;
    uint64_t end = mem->wal->used;
    uint32_t rows = mem->pending;
    while (*list && n < GROUP_WRITES_MAX) {
        jg_write *w = *list;
        if (n && (end >= store->options.flush_bytes || rows >= store->options.flush_rows))
            break;
        *list = w->next;
        jg_wal_frame_seal(w->frame, mem->gen, end, w->span_count);
        parts[n] = (struct iovec){w->frame->bytes.data, w->frame->bytes.len};
        ret[n++] = w;
        end += w->frame->bytes.len;
        rows += w->span_count;
    }
    return n;
}

/** The disk is full. A recycled file has its room already: give it to a memtable that is still empty; let a
 * memtable that has spans be flushed, which recycles its file. */
static bool find_room(jg_store *store, jg_mt *mem)
{
    jg_wal_file *old = NULL;
    (void)pthread_mutex_lock(&store->lock);
    if (mem->pending) {
        store->freeze_wanted = true;
    } else if (store->spare) {
        old = mem->wal;
        mem->wal = store->spare;
        store->spare = mem->wal->next;
        store->spare_count--;
    }
    (void)pthread_mutex_unlock(&store->lock);
    if (old)
        discard_wal(store, old);
    return old != NULL;
}

/** Write and sync the frames. @return 0 or errno */
static int persist(jg_store *store, jg_mt *mem, struct iovec *parts, size_t n)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < n; i++)
        bytes += parts[i].iov_len;
    int error = reserve_wal(store, mem->wal, mem->wal->used + bytes);
    if (error == ENOSPC && find_room(store, mem))
        error = reserve_wal(store, mem->wal, mem->wal->used + bytes);
    if (error)
        return error;
    error = jg_io_write(mem->wal->fd, parts, n, mem->wal->used);
    if (!error && store->options.durability == JG_DURABLE_SYNC)
        error = jg_io_sync(mem->wal->fd);
    if (error)
        mem->wal->suspect = true; /* what the kernel still holds of it is not known: a new file from here */
    else
        mem->wal->used += bytes;
    return error;
}

static void note_ops(jg_store *store, const jg_mt *mem, uint32_t from, uint64_t now)
{
    for (uint32_t i = from; i < mem->ops.count; i++) {
        const jg_op *op = jg_mt_op(mem, i);
        jg_names_note(store->names, jg_mt_str(mem, jg_intern_at(&mem->services, op->service)), op->name,
                      op->kind, now);
    }
}

static void append(jg_store *store, jg_mt *mem, jg_write *w)
{
    uint32_t ops = mem->ops.count;
    if (jg_mt_append(mem, w->batch, w->frame->offsets, w->arrival_unix_ns)) {
        jg_mt_publish(mem);
        note_ops(store, mem, ops, w->arrival_unix_ns);
        return;
    }
    jg_mt_rollback(mem);
    (void)jg_fail_oom(&w->error);
    w->error.retry_after_ms = JG_RETRY_AFTER_MS;
    (void)pthread_mutex_lock(&store->lock);
    store->freeze_wanted = true;
    (void)pthread_mutex_unlock(&store->lock);
}

static void fail_all(jg_write **writes, size_t n, const jaeger_error *error)
{
    for (size_t i = 0; i < n; i++)
        writes[i]->error = *error;
}

/** Commit a list of writes; each gets its status in `error`. */
static void commit(jg_store *store, jg_write *list)
{
    jg_write *writes[GROUP_WRITES_MAX];
    struct iovec parts[GROUP_WRITES_MAX];
    jaeger_error error;
    while (list) {
        if (ensure_active(store, &error) != JAEGER_OK) {
            for (; list; list = list->next)
                list->error = error;
            return;
        }
        jg_mt *mem = store->active;
        size_t n = gather(store, mem, &list, writes, parts);
        int failed = persist(store, mem, parts, n);
        if (failed) {
            (void)jg_io_fail(&error, failed, "write the log in %s", store->wal_dir);
            fail_all(writes, n, &error);
            if (store->wake)
                store->wake(store->wake_user);
            continue;
        }
        for (size_t i = 0; i < n; i++)
            append(store, mem, writes[i]);
    }
}

/* ---- the queue
 * ---------------------------------------------------------------------------------------------- */

/** Take writes from the head of the queue. commit_lock is held. */
static jg_write *take_group(jg_store *store)
{
    jg_write *first = store->queue_head, **end = &store->queue_head;
    uint64_t bytes = 0;
    for (uint32_t n = 0; *end && n < GROUP_WRITES_MAX && bytes < GROUP_BYTES_MAX; n++) {
        bytes += (*end)->frame->bytes.len;
        (*end)->taken = true;
        end = &(*end)->next;
    }
    store->queue_head = *end;
    *end = NULL;
    if (!store->queue_head)
        store->queue_tail = &store->queue_head;
    return first;
}

static void end_commit(jg_store *store)
{
    store->committing = false;
    if (store->queue_head)
        (void)pthread_cond_signal(&store->queue_head->cond); /* it leads next */
}

/** commit_lock is held, and again at the return. */
static void lead(jg_store *store)
{
    store->committing = true;
    jg_write *group = take_group(store);
    (void)pthread_mutex_unlock(&store->commit_lock);
    jg_write *copies[GROUP_WRITES_MAX]; /* commit() uses the links up */
    size_t n = 0;
    for (jg_write *w = group; w; w = w->next)
        copies[n++] = w;
    commit(store, group);
    (void)pthread_mutex_lock(&store->commit_lock);
    for (size_t i = 0; i < n; i++) {
        copies[i]->done = true;
        (void)pthread_cond_signal(&copies[i]->cond);
    }
    end_commit(store);
}

static void unqueue(jg_store *store, jg_write *w)
{
    jg_write **at = &store->queue_head;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    if (store->queue_tail == &w->next)
        store->queue_tail = at;
}

static void wait_turn(jg_store *store, jg_write *w, jaeger_call *call)
{
    (void)pthread_mutex_lock(&store->commit_lock);
    *store->queue_tail = w;
    store->queue_tail = &w->next;
    while (!w->done) {
        if (!store->committing) {
            lead(store);
        } else if (call->deadline_ns && !w->taken) {
            struct timespec until = {(time_t)(call->deadline_ns / JG_NS_PER_S),
                                     (long)(call->deadline_ns % JG_NS_PER_S)};
            if (pthread_cond_timedwait(&w->cond, &store->commit_lock, &until) != ETIMEDOUT || w->taken)
                continue;
            unqueue(store, w);
            if (store->queue_head && !store->committing)
                (void)pthread_cond_signal(&store->queue_head->cond);
            (void)jg_fail(&w->error, JAEGER_DEADLINE_EXCEEDED,
                          "embedded store: no commit before the deadline");
            break;
        } else {
            (void)pthread_cond_wait(&w->cond, &store->commit_lock);
        }
    }
    (void)pthread_mutex_unlock(&store->commit_lock);
}

jaeger_status jg_store_write(jg_store *store, const jaeger_batch *batch, jaeger_call *call)
{
    size_t spans = jaeger_batch_span_count(batch);
    if (spans == 0)
        return JAEGER_OK;
    if (spans > SPANS_MAX)
        return jg_fail(&call->error, JAEGER_INVALID_ARGUMENT,
                       "embedded store: %zu spans in one request, %u are taken", spans, SPANS_MAX);
    jg_wal_frame *frame = take_frame(store);
    if (!frame)
        return jg_fail_oom(&call->error);
    jg_write w = {.batch = batch,
                  .frame = frame,
                  .span_count = (uint32_t)spans,
                  .arrival_unix_ns = jg_store_now(store)};
    jaeger_status status = jg_wal_frame_make(frame, batch, w.arrival_unix_ns, &call->error);
    if (status == JAEGER_OK) {
        jg_cond_init(&w.cond);
        wait_turn(store, &w, call);
        (void)pthread_cond_destroy(&w.cond);
        status = w.error.status;
        if (status != JAEGER_OK)
            call->error = w.error;
    }
    give_frame(store, frame);
    return status;
}

bool jg_store_freeze(jg_store *store)
{
    jaeger_error error;
    bool frozen = false;
    (void)pthread_mutex_lock(&store->commit_lock);
    if (store->committing) {
        (void)pthread_mutex_lock(&store->lock);
        store->freeze_wanted = true;
        (void)pthread_mutex_unlock(&store->lock);
    } else {
        store->committing = true;
        (void)pthread_mutex_unlock(&store->commit_lock);
        if (store->active && store->active->pending)
            frozen = rotate(store, &error) == JAEGER_OK;
        (void)pthread_mutex_lock(&store->commit_lock);
        end_commit(store);
    }
    (void)pthread_mutex_unlock(&store->commit_lock);
    return frozen;
}

void jg_store_sync(jg_store *store)
{
    (void)pthread_mutex_lock(&store->lock);
    jg_mt *mem = store->active ? jg_mt_ref(store->active) : NULL;
    (void)pthread_mutex_unlock(&store->lock);
    if (!mem)
        return;
    int error = jg_io_sync(mem->wal->fd);
    if (error) {
        jaeger_log(&store->log, JAEGER_ERROR,
                   "sync of the log failed, beginning a new file dir=%s error=\"%s\"", store->wal_dir,
                   strerror(error));
        (void)pthread_mutex_lock(&store->lock);
        store->freeze_wanted = true;
        (void)pthread_mutex_unlock(&store->lock);
    }
    jg_mt_unref(mem);
}
