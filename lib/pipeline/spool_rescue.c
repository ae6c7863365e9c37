/* SPDX-License-Identifier: Apache-2.0
 * What can be saved of a spool's file that LMDB cannot read any more: records are found by their magic
 * number, wherever their pages are. Free pages still hold records that were sent long ago; each record says
 * what was the oldest one then, and the highest of those words bounds what is taken over.
 */
#include "core/err.h"
#include "pipeline/spool_file.h"
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PUTS_PER_TXN 64

typedef struct found {
    const char *bytes, *end, *at;
} found;

/** The next whole record; moves `at` behind it. @return its length, 0: there is none any more */
static size_t next_record(found *f, const char **ret, jg_spool_record *ret_record)
{
    const uint64_t magic = JG_SPOOL_MAGIC;
    while ((f->at = memmem(f->at, (size_t)(f->end - f->at), &magic, sizeof magic))) {
        size_t left = (size_t)(f->end - f->at);
        const char *at = f->at++;
        if (left < sizeof *ret_record)
            break;
        memcpy(ret_record, at, sizeof *ret_record);
        uint64_t len = sizeof *ret_record + (uint64_t)ret_record->tenant_len;
        if (ret_record->otlp_len > left || len > left - ret_record->otlp_len)
            continue;
        len += ret_record->otlp_len;
        if (!jg_spool_record_is_whole(at, (size_t)len, true))
            continue;
        f->at = at + len;
        *ret = at;
        return (size_t)len;
    }
    f->at = f->end;
    return 0;
}

static int put_record(jg_spool_file *file, MDB_txn *txn, uint64_t seq, const char *bytes, size_t len,
                      uint64_t *moved)
{
    MDB_val key = {sizeof seq, &seq}, value = {len, (void *)(uintptr_t)bytes};
    int code = mdb_put(txn, file->items, &key, &value, MDB_NOOVERWRITE);
    if (code == 0)
        (*moved)++;
    return code == MDB_KEYEXIST ? 0 : code;
}

/** @return how many came over */
static uint64_t move_all(jg_spool_file *file, found f, uint64_t oldest)
{
    MDB_txn *txn = NULL;
    const char *bytes;
    jg_spool_record record;
    uint64_t moved = 0;
    unsigned waiting = 0;
    int code = 0;
    for (size_t len; code == 0 && (len = next_record(&f, &bytes, &record));) {
        if (record.seq < oldest)
            continue;
        code = txn ? 0 : mdb_txn_begin(file->env, NULL, 0, &txn);
        if (code == 0)
            code = put_record(file, txn, record.seq, bytes, len, &moved);
        if (code == 0 && ++waiting == PUTS_PER_TXN) {
            code = mdb_txn_commit(txn);
            txn = NULL;
            waiting = 0;
        }
    }
    if (code && txn)
        mdb_txn_abort(txn);
    else if (txn)
        code = mdb_txn_commit(txn);
    if (code)
        jaeger_log(file->log, JAEGER_ERROR, "cannot take batches over from the file error=\"%s\"",
                   mdb_strerror(code));
    return moved;
}

void jg_spool_rescue(jg_spool_file *file, const char *bad_path)
{
    struct stat st;
    int fd = open(bad_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0 || st.st_size == 0) {
        (void)(fd < 0 || close(fd));
        return;
    }
    char *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    (void)close(fd);
    if (bytes == MAP_FAILED)
        return;
    found all = {bytes, bytes + st.st_size, bytes}, walk = all;
    jg_spool_record record;
    const char *at;
    uint64_t oldest = 0, newest = 0;
    while (next_record(&walk, &at, &record)) {
        oldest = JG_MAX(oldest, record.oldest);
        newest = JG_MAX(newest, record.seq);
    }
    uint64_t moved = newest ? move_all(file, all, oldest) : 0, there = newest ? newest - oldest + 1 : 0;
    (void)munmap(bytes, (size_t)st.st_size);
    jaeger_log(file->log, JAEGER_WARN,
               "took whole batches over from the file that was set aside batches=%llu missing=%llu",
               (unsigned long long)moved, (unsigned long long)(there > moved ? there - moved : 0));
}
