/* SPDX-License-Identifier: Apache-2.0
 * See engine.h.
 */
#include "storage/embedded/engine.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/cond.h"
#include "core/err.h"
#include "core/str.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TICK_NS            (200 * JG_NS_PER_MS)
#define RETAIN_EVERY_NS    (1 * JG_NS_PER_S)
#define IDLE_NS            (60 * JG_NS_PER_S) /* then spare log files are given back */
#define ERROR_EVERY_NS     (10 * JG_NS_PER_S) /* one line in so long for a disk that stays full */
#define TENANT_BYTES_PLAIN 100u               /* longer names are hashed: a file name has 255 bytes */
#define BYTES_PER_ROW      400u               /* of a memtable, for the budget */

/* ---- the root directory
 * --------------------------------------------------------------------------------------- */

jaeger_status jg_engine_lock(const char *root, int *ret_fd, jaeger_error *err)
{
    char path[4200], pid[32] = "";
    int fd;
    (void)snprintf(path, sizeof path, "%s/LOCK", root);
    int error = jg_io_open(path, O_RDWR | O_CREAT, &fd);
    if (error)
        return jg_io_fail(err, error, "open %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        ssize_t n = pread(fd, pid, sizeof pid - 1, 0);
        (void)close(fd);
        pid[n > 0 ? n : 0] = 0;
        pid[strcspn(pid, "\n")] = 0;
        return jg_fail(err, JAEGER_FAILED_PRECONDITION,
                       "embedded store: directory %s is in use by process %s", root,
                       pid[0] ? pid : "(unknown)");
    }
    int len = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    (void)!ftruncate(fd, 0);
    (void)!pwrite(fd, pid, (size_t)len, 0);
    *ret_fd = fd;
    return JAEGER_OK;
}

jaeger_status jg_engine_check_format(const char *root, bool make, jaeger_error *err)
{
    char path[4200], text[64] = "";
    int fd;
    (void)snprintf(path, sizeof path, "%s/FORMAT", root);
    int error = jg_io_open(path, O_RDONLY, &fd);
    if (error == ENOENT && make) {
        error = jg_io_open(path, O_WRONLY | O_CREAT, &fd);
        if (!error) {
            struct iovec part = {(void *)(uintptr_t)JG_FORMAT_TEXT, sizeof JG_FORMAT_TEXT - 1};
            error = jg_io_write(fd, &part, 1, 0);
            error = error ? error : jg_io_sync(fd);
            (void)close(fd);
        }
        return error ? jg_io_fail(err, error, "write %s", path) : JAEGER_OK;
    }
    if (error == ENOENT)
        return jg_fail(err, JAEGER_FAILED_PRECONDITION, "embedded store: no store in %s", root);
    if (error)
        return jg_io_fail(err, error, "open %s", path);
    ssize_t n = read(fd, text, sizeof text - 1);
    (void)close(fd);
    text[n > 0 ? n : 0] = 0;
    if (strcmp(text, JG_FORMAT_TEXT) == 0)
        return JAEGER_OK;
    text[strcspn(text, "\n")] = 0;
    return jg_fail(err, JAEGER_FAILED_PRECONDITION,
                   "embedded store: %s says \"%s\", this version reads \"jaeger-c-store 1\"", path, text);
}

void jg_tenant_dir_name(jaeger_str tenant, char out[256])
{
    if (tenant.len == 0) {
        (void)snprintf(out, 256, "default");
        return;
    }
    if (tenant.len <= TENANT_BYTES_PLAIN) {
        out[0] = 'x';
        jg_hex_encode((const uint8_t *)tenant.ptr, tenant.len, out + 1);
        out[1 + 2 * tenant.len] = 0;
        return;
    }
    XXH128_hash_t hash = XXH3_128bits(tenant.ptr, tenant.len);
    (void)snprintf(out, 256, "h%016llx%016llx", (unsigned long long)hash.high64,
                   (unsigned long long)hash.low64);
}

/* ---- tenants
 * -------------------------------------------------------------------------------------------------- */

static void wake(void *user)
{
    jg_engine *engine = user;
    (void)pthread_mutex_lock(&engine->lock);
    engine->work = true;
    (void)pthread_cond_signal(&engine->cond);
    (void)pthread_mutex_unlock(&engine->lock);
}

static jg_tenant *find_tenant(const jg_engine *engine, const char *name)
{
    for (jg_tenant *t = __atomic_load_n(&engine->tenants, __ATOMIC_ACQUIRE); t; t = t->next)
        if (strcmp(t->name, name) == 0)
            return t;
    return NULL;
}

/** Open the directory `name`. engine->lock is held: tenants are opened one at a time. */
static jaeger_status open_tenant(jg_engine *engine, const char *name, jg_tenant **ret, jaeger_error *err)
{
    char path[4200];
    if (engine->tenant_count >= engine->config.tenants_max)
        return jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "embedded store: more than %u tenants",
                       engine->config.tenants_max);
    jg_tenant *tenant = jg_calloc(1, sizeof *tenant + strlen(name) + 1);
    if (!tenant)
        return jg_fail_oom(err);
    memcpy(tenant->name, name, strlen(name) + 1);
    (void)snprintf(path, sizeof path, "%s/%s", engine->tenant_root, name);
    jaeger_status status =
        engine->config.read_only
            ? jg_store_follow(path, &engine->config.store, &engine->log, &tenant->store, err)
            : jg_store_open(path, &engine->config.store, &engine->log, wake, engine, &tenant->store, err);
    if (status != JAEGER_OK) {
        jg_free(tenant);
        return status;
    }
    tenant->next = engine->tenants;
    __atomic_add_fetch(&engine->tenant_count, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&engine->tenants, tenant, __ATOMIC_RELEASE);
    engine->work = true;
    (void)pthread_cond_signal(&engine->cond);
    *ret = tenant;
    return JAEGER_OK;
}

static bool has_dir(const jg_engine *engine, const char *name)
{
    char path[4200];
    struct stat st;
    (void)snprintf(path, sizeof path, "%s/%s", engine->tenant_root, name);
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

jaeger_status jg_engine_store(jg_engine *engine, jaeger_str tenant_name, bool make, jg_store **ret,
                              jaeger_error *err)
{
    char name[256];
    jaeger_status status = JAEGER_OK;
    jg_tenant_dir_name(tenant_name, name);
    jg_tenant *tenant = find_tenant(engine, name);
    if (!tenant) {
        (void)pthread_mutex_lock(&engine->lock);
        tenant = find_tenant(engine, name);
        if (!tenant && (make || has_dir(engine, name)))
            status = open_tenant(engine, name, &tenant, err);
        (void)pthread_mutex_unlock(&engine->lock);
    }
    if (status == JAEGER_OK)
        *ret = tenant ? tenant->store : NULL;
    return status;
}

/** Tenants that wrote before: their log must be flushed and their old data dropped, asked for or not. */
static void open_known_tenants(jg_engine *engine)
{
    jaeger_error err;
    DIR *dir = opendir(engine->tenant_root);
    struct dirent *entry;
    while (dir && (entry = readdir(dir)) != NULL) {
        jg_tenant *tenant;
        if ((entry->d_name[0] != 'x' && entry->d_name[0] != 'h') || !has_dir(engine, entry->d_name))
            continue;
        (void)pthread_mutex_lock(&engine->lock);
        bool stop = engine->stop;
        jaeger_status status = JAEGER_OK;
        if (!stop && !find_tenant(engine, entry->d_name))
            status = open_tenant(engine, entry->d_name, &tenant, &err);
        (void)pthread_mutex_unlock(&engine->lock);
        if (status != JAEGER_OK)
            jaeger_log(&engine->log, JAEGER_ERROR, "tenant is not served tenant_dir=%s error=\"%s\"",
                       entry->d_name, err.message);
        if (stop)
            break;
    }
    if (dir)
        (void)closedir(dir);
}

/* ---- the background thread
 * ------------------------------------------------------------------------------------ */

static void flush_all(jg_engine *engine, jg_store *store)
{
    jaeger_error err;
    bool more = true;
    while (more) {
        if (jg_store_flush_one(store, &more, &err) == JAEGER_OK)
            continue;
        uint64_t now = jg_clock_mono_ns();
        if (now - engine->last_error_ns > ERROR_EVERY_NS)
            jaeger_log(&engine->log, JAEGER_ERROR,
                       "flush failed, the spans stay in the log, trying again error=\"%s\"", err.message);
        engine->last_error_ns = now;
        return;
    }
}

/** Rows in the memtable that is being filled, and when its first ones and last ones came. */
static uint32_t look_at_active(jg_store *store, uint64_t *ret_first, uint64_t *ret_last)
{
    (void)pthread_mutex_lock(&store->lock);
    jg_mt *mem = store->active ? jg_mt_ref(store->active) : NULL;
    (void)pthread_mutex_unlock(&store->lock);
    uint32_t rows = mem ? jg_mt_count(mem) : 0;
    if (rows) {
        *ret_first = __atomic_load_n(&mem->arrival_min, __ATOMIC_RELAXED);
        *ret_last = __atomic_load_n(&mem->arrival_max, __ATOMIC_RELAXED);
    }
    jg_mt_unref(mem);
    return rows;
}

static void tend(jg_engine *engine, jg_store *store, bool retain)
{
    uint64_t first = 0, last = 0, now = jg_store_now(store);
    flush_all(engine, store);
    uint32_t rows = look_at_active(store, &first, &last);
    bool wanted =
        store->options.flush_age_ns && rows && now > first && now - first > store->options.flush_age_ns;
    (void)pthread_mutex_lock(&store->lock);
    wanted = wanted || (store->freeze_wanted && rows);
    (void)pthread_mutex_unlock(&store->lock);
    if (wanted && jg_store_freeze(store))
        flush_all(engine, store);
    if (retain)
        (void)jg_store_retain(store, now);
    if (rows == 0 || now - last > IDLE_NS)
        jg_store_drop_spares(store, 0);
}

/** Keep memory and disk of all tenants together under their ceilings. */
static void balance(jg_engine *engine, bool disk)
{
    uint64_t rows_sum = 0, rows_max = 0, disk_sum = 0, first, last;
    jg_store *largest = NULL;
    jg_tenant *tenants = __atomic_load_n(&engine->tenants, __ATOMIC_ACQUIRE);
    for (jg_tenant *t = tenants; t; t = t->next) {
        uint64_t rows = look_at_active(t->store, &first, &last);
        rows_sum += rows;
        if (rows > rows_max) {
            rows_max = rows;
            largest = t->store;
        }
        disk_sum += disk ? jg_store_disk_bytes(t->store) : 0;
    }
    if (__atomic_load_n(&engine->tenant_count, __ATOMIC_RELAXED) > 1 && largest &&
        rows_sum * BYTES_PER_ROW > engine->config.memory_bytes)
        (void)jg_store_freeze(largest);
    uint64_t max = engine->config.store.max_disk_bytes;
    for (jg_tenant *t = tenants; disk && max && t; t = t->next) {
        double share = disk_sum ? (double)jg_store_disk_bytes(t->store) / (double)disk_sum : 1;
        __atomic_store_n(&t->store->disk_budget, JG_MAX(1u, (uint64_t)((double)max * share)),
                         __ATOMIC_RELAXED);
    }
}

static void wait_for_work(jg_engine *engine)
{
    uint64_t wait = engine->config.store.durability == JG_DURABLE_INTERVAL
                        ? JG_MIN(TICK_NS, engine->config.sync_interval_ns)
                        : TICK_NS;
    struct timespec until = jg_cond_after(wait);
    (void)pthread_mutex_lock(&engine->lock);
    while (!engine->stop && !engine->work)
        if (pthread_cond_timedwait(&engine->cond, &engine->lock, &until) == ETIMEDOUT)
            break;
    engine->work = false;
    (void)pthread_mutex_unlock(&engine->lock);
}

static void *background(void *user)
{
    jg_engine *engine = user;
    (void)pthread_setname_np(pthread_self(), "jg-embedded");
    if (!engine->config.read_only)
        open_known_tenants(engine);
    for (;;) {
        wait_for_work(engine);
        (void)pthread_mutex_lock(&engine->lock);
        bool stop = engine->stop;
        (void)pthread_mutex_unlock(&engine->lock);
        if (stop)
            return NULL;
        if (engine->config.read_only) {
            for (jg_tenant *t = __atomic_load_n(&engine->tenants, __ATOMIC_ACQUIRE); t; t = t->next)
                jg_store_refresh(t->store);
            continue;
        }
        uint64_t now = jg_clock_mono_ns();
        bool retain = now - engine->last_retain_ns >= RETAIN_EVERY_NS;
        engine->last_retain_ns = retain ? now : engine->last_retain_ns;
        balance(engine, retain);
        bool sync = engine->config.store.durability == JG_DURABLE_INTERVAL &&
                    now - engine->last_sync_ns >= engine->config.sync_interval_ns;
        engine->last_sync_ns = sync ? now : engine->last_sync_ns;
        for (jg_tenant *t = __atomic_load_n(&engine->tenants, __ATOMIC_ACQUIRE); t; t = t->next) {
            if (sync)
                jg_store_sync(t->store);
            tend(engine, t->store, retain);
        }
    }
}

/* ---- open, close
 * ---------------------------------------------------------------------------------------------- */

/** Are we the process that writes the directory? LMDB must not be opened twice by one process. */
static bool is_written_here(const char *root)
{
    char path[4200], pid[32] = "";
    int fd;
    (void)snprintf(path, sizeof path, "%s/LOCK", root);
    if (jg_io_open(path, O_RDONLY, &fd) != 0)
        return false;
    ssize_t n = pread(fd, pid, sizeof pid - 1, 0);
    bool locked = flock(fd, LOCK_SH | LOCK_NB) != 0;
    (void)close(fd);
    int64_t number = 0;
    return locked && n > 0 && jg_str_to_i64(jg_str_trim((jaeger_str){pid, (size_t)n}), &number) &&
           number == getpid();
}

/** To read what another process writes: nothing is made. */
static jaeger_status find_root(jg_engine *engine, jaeger_error *err)
{
    const char *root = engine->config.directory;
    char path[4200];
    if (!root || !root[0] || engine->config.ephemeral)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "embedded store: read_only needs the directory of a store that is not ephemeral");
    JG_TRY(jg_engine_check_format(root, false, err));
    if (is_written_here(root))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "embedded store: this process writes %s itself: use the same backend", root);
    (void)snprintf(path, sizeof path, "%s/t", root);
    engine->root = jg_strndup(root, strlen(root));
    engine->tenant_root = jg_strndup(path, strlen(path));
    return engine->root && engine->tenant_root ? JAEGER_OK : jg_fail_oom(err);
}

static jaeger_status make_root(jg_engine *engine, jaeger_error *err)
{
    const jg_engine_config *c = &engine->config;
    char path[4200];
    bool given = c->directory && c->directory[0];
    if (!given && !c->ephemeral)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "embedded store: directory is empty");
    int error = given ? jg_io_mkdirs(c->directory) : 0;
    if (error)
        return jg_io_fail(err, error, "make directory %s", c->directory);
    (void)snprintf(path, sizeof path, "%s", given ? c->directory : "/tmp");
    if (c->ephemeral) {
        size_t len = strlen(path);
        (void)snprintf(path + len, sizeof path - len, "/jaeger-XXXXXX");
        if (!mkdtemp(path))
            return jg_io_fail(err, errno, "make directory %s", path);
    }
    engine->root = jg_strndup(path, strlen(path));
    (void)snprintf(path + strlen(path), sizeof path - strlen(path), "/t");
    engine->tenant_root = jg_strndup(path, strlen(path));
    if (!engine->root || !engine->tenant_root)
        return jg_fail_oom(err);
    JG_TRY(jg_engine_lock(engine->root, &engine->lock_fd, err));
    JG_TRY(jg_engine_check_format(engine->root, true, err));
    error = jg_io_mkdirs(engine->tenant_root);
    return error ? jg_io_fail(err, error, "make directory %s", engine->tenant_root) : JAEGER_OK;
}

jaeger_status jg_engine_open(jg_engine *engine, const jg_engine_config *config, const jaeger_logger *log,
                             jaeger_error *err)
{
    jg_store *store = NULL;
    *engine = (jg_engine){.config = *config, .lock_fd = -1};
    engine->log = log ? *log : (jaeger_logger){0};
    (void)pthread_mutex_init(&engine->lock, NULL);
    jg_cond_init(&engine->cond);
    jaeger_status status = config->read_only ? find_root(engine, err) : make_root(engine, err);
    if (status == JAEGER_OK)
        status = jg_engine_store(engine, (jaeger_str){0}, !config->read_only, &store, err);
    if (status == JAEGER_OK) {
        engine->thread_runs = pthread_create(&engine->thread, NULL, background, engine) == 0;
        if (!engine->thread_runs)
            status = jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "embedded store: cannot start a thread");
    }
    if (status != JAEGER_OK)
        jg_engine_close(engine);
    return status;
}

void jg_engine_close(jg_engine *engine)
{
    jg_metrics_off_scrape(engine->metrics, engine);
    (void)pthread_mutex_lock(&engine->lock);
    engine->stop = true;
    (void)pthread_cond_signal(&engine->cond);
    (void)pthread_mutex_unlock(&engine->lock);
    if (engine->thread_runs)
        (void)pthread_join(engine->thread, NULL);
    for (jg_tenant *t = engine->tenants, *next; t; t = next) {
        next = t->next;
        jg_store_close(t->store);
        jg_free(t);
    }
    if (engine->config.ephemeral && engine->lock_fd >= 0)
        (void)jg_io_remove_tree(engine->root);
    if (engine->lock_fd >= 0)
        (void)close(engine->lock_fd);
    jg_free(engine->root);
    jg_free(engine->tenant_root);
    (void)pthread_cond_destroy(&engine->cond);
    (void)pthread_mutex_destroy(&engine->lock);
    *engine = (jg_engine){.lock_fd = -1};
}
