/* SPDX-License-Identifier: Apache-2.0
 * Opening the spool's file. LMDB checks no content, and a file that is shorter than its own pages say kills
 * the reader (SIGBUS): so sizes are compared first, and every record carries a hash.
 *
 * A file that cannot be used is renamed to queue.mdb.bad-<time>; spool_rescue.c looks for whole records in
 * it.
 */
#include "pipeline/spool_file.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/hash.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARKER      "libjaeger queue 1"
#define SPARE_BYTES (16u << 20) /* of the map, for B-tree pages and copies of changed ones */
#define PAGE_BYTES  4096u
#define INLINE_MAX  2000u /* larger values get pages of their own */

/* ---- small things ---- */

static jaeger_status fail_file(jaeger_error *err, const char *path, int code)
{
    return jg_fail(err, code == ENOSPC ? JAEGER_RESOURCE_EXHAUSTED : JAEGER_UNAVAILABLE,
                   "persistent queue %s: %s", path, mdb_strerror(code));
}

static char *path_of(const char *directory, const char *name)
{
    size_t len = strlen(directory) + strlen(name) + 2;
    char *path = jg_alloc(len);
    if (path)
        (void)snprintf(path, len, "%s/%s", directory, name);
    return path;
}

static int make_directories(const char *directory)
{
    char part[PATH_MAX];
    size_t len = strlen(directory);
    if (len >= sizeof part)
        return ENAMETOOLONG;
    memcpy(part, directory, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (part[i] != '/' && part[i] != 0)
            continue;
        part[i] = 0;
        if (mkdir(part, 0750) != 0 && errno != EEXIST)
            return errno;
        part[i] = directory[i];
    }
    return 0;
}

uint64_t jg_spool_record_cost(size_t value_bytes)
{
    if (value_bytes <= INLINE_MAX)
        return value_bytes + 32;
    return (value_bytes + 16 + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES + 64;
}

/* ---- records ---- */

bool jg_spool_record_is_whole(const void *bytes, size_t len, bool deep)
{
    jg_spool_record record;
    if (len < sizeof record)
        return false;
    memcpy(&record, bytes, sizeof record);
    size_t body = len - sizeof record, hashed = offsetof(jg_spool_record, seq);
    return record.magic == JG_SPOOL_MAGIC && record.tenant_len <= JG_SPOOL_TENANT_MAX &&
           record.tenant_len <= body && record.otlp_len == body - record.tenant_len &&
           (!deep || record.hash == jg_hash((const char *)bytes + hashed, len - hashed, 0));
}

void jg_spool_record_seal(void *bytes, jg_spool_record record)
{
    size_t hashed = offsetof(jg_spool_record, seq),
           len = sizeof record + record.tenant_len + (size_t)record.otlp_len;
    record.magic = JG_SPOOL_MAGIC;
    memcpy(bytes, &record, sizeof record);
    record.hash = jg_hash((char *)bytes + hashed, len - hashed, 0);
    memcpy(bytes, &record, sizeof record);
}

static void count_record(jg_spool_file *file, const MDB_val *v)
{
    jg_spool_record record;
    memcpy(&record, v->mv_data, sizeof record);
    file->size.batches++;
    file->size.spans += record.spans;
    file->size.bytes += jg_spool_record_cost(v->mv_size);
}

/* ---- the environment ---- */

/** @return by how much the file is shorter than its head says; < 0: not at all */
static int64_t missing_bytes(MDB_env *env, uint64_t *ret_length)
{
    MDB_envinfo info;
    MDB_stat stat;
    struct stat st;
    mdb_filehandle_t fd;
    if (mdb_env_info(env, &info) || mdb_env_stat(env, &stat) || mdb_env_get_fd(env, &fd) || fstat(fd, &st))
        return INT64_MAX;
    *ret_length = ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
    return (int64_t)*ret_length - (int64_t)st.st_size;
}

void jg_spool_file_fill(const jg_spool_file *file)
{
    uint64_t length;
    mdb_filehandle_t fd;
    int64_t missing = missing_bytes(file->env, &length);
    if (missing > 0 && missing != INT64_MAX && mdb_env_get_fd(file->env, &fd) == 0)
        (void)!ftruncate(fd, (off_t)length);
}

static int open_env(const char *path, uint64_t map_bytes, MDB_env **ret)
{
    MDB_env *env;
    int code = mdb_env_create(&env);
    if (code)
        return code;
    (void)mdb_env_set_mapsize(env, map_bytes);
    (void)mdb_env_set_maxdbs(env, 2);
    (void)mdb_env_set_maxreaders(env, 512);
    code = mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOTLS | MDB_NOMEMINIT, 0640);
    uint64_t length;
    if (code == 0 && missing_bytes(env, &length) > 0)
        code = MDB_CORRUPTED;
    if (code) {
        mdb_env_close(env);
        return code;
    }
    *ret = env;
    return 0;
}

/** The two databases; a new file gets its marker. @return MDB_INCOMPATIBLE: another program's */
static int open_databases(MDB_env *env, MDB_dbi *ret_items)
{
    MDB_txn *txn;
    MDB_dbi about;
    MDB_val key = {6, (void *)(uintptr_t) "format"}, value,
            marker = {sizeof MARKER - 1, (void *)(uintptr_t)MARKER};
    MDB_stat root;
    int code = mdb_txn_begin(env, NULL, 0, &txn);
    if (code)
        return code;
    code = mdb_env_stat(env, &root);
    bool is_new = code == 0 && root.ms_entries == 0;
    if (code == 0)
        code = mdb_dbi_open(txn, "about", is_new ? MDB_CREATE : 0, &about);
    if (code == 0 && is_new)
        code = mdb_put(txn, about, &key, &marker, 0);
    if (code == 0)
        code = mdb_get(txn, about, &key, &value);
    if (code == 0 && (value.mv_size != marker.mv_size || memcmp(value.mv_data, MARKER, value.mv_size) != 0))
        code = MDB_INCOMPATIBLE;
    if (code == 0)
        code = mdb_dbi_open(txn, "items", MDB_INTEGERKEY | (is_new ? MDB_CREATE : 0), ret_items);
    if (code) {
        mdb_txn_abort(txn);
        return code == MDB_NOTFOUND ? MDB_INCOMPATIBLE : code;
    }
    return mdb_txn_commit(txn);
}

static int count_all(jg_spool_file *file, MDB_cursor *cursor)
{
    MDB_val key, value;
    int code;
    while ((code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        uint64_t seq;
        if (key.mv_size != sizeof seq || !jg_spool_record_is_whole(value.mv_data, value.mv_size, false)) {
            code = MDB_CORRUPTED;
            break;
        }
        memcpy(&seq, key.mv_data, sizeof seq);
        if (!file->size.batches)
            file->first_seq = seq;
        file->next_seq = seq + 1;
        count_record(file, &value);
    }
    return code == MDB_NOTFOUND ? 0 : code;
}

/** LMDB meets a page that is none: it would abort. */
static void leave_scan(MDB_env *env, const char *text)
{
    (void)text;
    longjmp(*(jmp_buf *)mdb_env_get_userctx(env), 1);
}

static void keep_asserts(MDB_env *env, const char *text)
{
    (void)env, (void)text; /* LMDB writes the text and aborts */
}

/** Count what is there. A record that is outside the file, or nonsense, makes the file a bad one. */
static int scan(jg_spool_file *file)
{
    MDB_txn *txn;
    MDB_cursor *cursor;
    jmp_buf broken;
    int code = mdb_txn_begin(file->env, NULL, MDB_RDONLY, &txn);
    if (code)
        return code;
    if (mdb_cursor_open(txn, file->items, &cursor) != 0) {
        mdb_txn_abort(txn);
        return ENOMEM;
    }
    file->size = (jg_spool_size){0};
    file->first_seq = file->next_seq = jg_clock_unix_ns(); /* above all of former lives: see spool_rescue.c */
    (void)mdb_env_set_userctx(file->env, &broken);
    (void)mdb_env_set_assert(file->env, leave_scan);
    volatile int result = MDB_CORRUPTED;
    if (setjmp(broken) == 0)
        result = count_all(file, cursor);
    (void)mdb_env_set_assert(file->env, keep_asserts);
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    return result;
}

static int open_once(jg_spool_file *file)
{
    int code = open_env(file->path, file->map_bytes, &file->env);
    if (code == 0)
        code = open_databases(file->env, &file->items);
    if (code == 0)
        code = scan(file);
    if (code && file->env) {
        mdb_env_close(file->env);
        file->env = NULL;
    }
    return code;
}

/* ---- bad files ---- */

static bool is_bad_file(int code)
{
    return code == MDB_INVALID || code == MDB_CORRUPTED || code == MDB_VERSION_MISMATCH ||
           code == MDB_INCOMPATIBLE || code == MDB_PAGE_NOTFOUND || code == MDB_PANIC ||
           code == MDB_BAD_TXN || code == MDB_BAD_VALSIZE;
}

static int set_aside(jg_spool_file *file, int why)
{
    char bad_path[PATH_MAX];
    if (snprintf(bad_path, sizeof bad_path, "%s.bad-%llu", file->path,
                 (unsigned long long)(jg_clock_unix_ns() / JG_NS_PER_S)) >= (int)sizeof bad_path)
        return ENAMETOOLONG;
    if (rename(file->path, bad_path) != 0)
        return errno;
    jaeger_log(file->log, JAEGER_ERROR,
               "the persistent queue's file is torn or not ours, it was set aside file=%s as=%s error=\"%s\"",
               file->path, bad_path, mdb_strerror(why));
    (void)unlink(file->lock_path);
    int code = open_once(file);
    if (code)
        return code;
    jg_spool_rescue(file, bad_path);
    return scan(file);
}

/* ---- open and close ---- */

static jaeger_status lock_directory(jg_spool_file *file, const char *directory, jaeger_error *err)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/queue.lock", directory) >= (int)sizeof path)
        return fail_file(err, directory, ENAMETOOLONG);
    file->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (file->lock_fd < 0)
        return fail_file(err, path, errno);
    if (flock(file->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return jg_fail(err, JAEGER_FAILED_PRECONDITION,
                       "persistent queue %s: another exporter or process uses it", directory);
    return JAEGER_OK;
}

jaeger_status jg_spool_file_open(jg_spool_file *file, const char *directory, uint64_t bytes_max,
                                 const jaeger_logger *log, jaeger_error *err)
{
    *file = (jg_spool_file){.lock_fd = -1, .log = log};
    file->map_bytes = (bytes_max + bytes_max / 4 + SPARE_BYTES) / PAGE_BYTES * PAGE_BYTES;
    file->path = path_of(directory, "queue.mdb");
    file->lock_path = path_of(directory, "queue.mdb-lock");
    if (!file->path || !file->lock_path)
        return jg_fail_oom(err);
    int code = make_directories(directory);
    if (code)
        return fail_file(err, directory, code);
    JG_TRY(lock_directory(file, directory, err));
    code = open_once(file);
    if (code && is_bad_file(code))
        code = set_aside(file, code);
    return code ? fail_file(err, file->path, code) : JAEGER_OK;
}

void jg_spool_file_close(jg_spool_file *file)
{
    if (file->env)
        mdb_env_close(file->env);
    if (file->lock_fd >= 0)
        (void)close(file->lock_fd);
    jg_free(file->path);
    jg_free(file->lock_path);
    *file = (jg_spool_file){.lock_fd = -1};
}
