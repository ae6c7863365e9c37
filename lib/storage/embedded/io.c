/* SPDX-License-Identifier: Apache-2.0
 * See io.h.
 */
#include "storage/embedded/io.h"

#include "core/err.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define VMEM_STEP      (256u << 10) /* few system calls, little waste for a small tenant */
#define TREE_DEPTH_MAX 8            /* our own directories are four deep */
#define PATH_BYTES_MAX 4096
#define DISK_RETRY_MS  5000 /* retention runs each second, an operator takes longer */
#define OTHER_RETRY_MS 1000

static jg_io_fault_fn fault_fn;
static void *fault_user;

void jg_io_set_fault(jg_io_fault_fn fault, void *user)
{
    __atomic_store_n(&fault_user, user, __ATOMIC_RELAXED);
    __atomic_store_n(&fault_fn, fault, __ATOMIC_RELEASE);
}

static int fault(jg_io_op op)
{
    jg_io_fault_fn fn = __atomic_load_n(&fault_fn, __ATOMIC_ACQUIRE);
    return JG_UNLIKELY(fn != NULL) ? fn(__atomic_load_n(&fault_user, __ATOMIC_RELAXED), op) : 0;
}

int jg_io_open(const char *path, int flags, int *ret_fd)
{
    int error = fault(JG_IO_OPEN);
    if (error)
        return error;
    int fd = open(path, flags | O_CLOEXEC, 0640);
    if (fd < 0)
        return errno;
    *ret_fd = fd;
    return 0;
}

int jg_io_write(int fd, struct iovec *parts, size_t count, uint64_t offset)
{
    int error = fault(JG_IO_WRITE);
    while (!error && count) {
        ssize_t n = pwritev(fd, parts, (int)JG_MIN(count, 512), (off_t)offset);
        if (n < 0) {
            error = errno == EINTR ? 0 : errno;
            continue;
        }
        offset += (uint64_t)n;
        size_t left = (size_t)n;
        while (count && left >= parts->iov_len) {
            left -= parts->iov_len;
            parts++;
            count--;
        }
        if (count) {
            parts->iov_base = (char *)parts->iov_base + left;
            parts->iov_len -= left;
        }
    }
    return error;
}

int jg_io_allocate(int fd, uint64_t from, uint64_t to)
{
    int error = fault(JG_IO_ALLOCATE);
    if (error)
        return error;
    do
        error = posix_fallocate(fd, (off_t)from, (off_t)(to - from));
    while (error == EINTR);
    return error;
}

int jg_io_sync(int fd)
{
    int error = fault(JG_IO_SYNC);
    if (error)
        return error;
    return fdatasync(fd) == 0 ? 0 : errno;
}

int jg_io_sync_dir(const char *path)
{
    int fd = -1, error = jg_io_open(path, O_RDONLY | O_DIRECTORY, &fd);
    if (error)
        return error;
    error = fault(JG_IO_SYNC);
    if (!error && fsync(fd) != 0)
        error = errno;
    (void)close(fd);
    return error;
}

int jg_io_rename(const char *from, const char *to)
{
    int error = fault(JG_IO_RENAME);
    if (error)
        return error;
    return rename(from, to) == 0 ? 0 : errno;
}

int jg_io_unlink(const char *path)
{
    int error = fault(JG_IO_UNLINK);
    if (error)
        return error;
    return unlink(path) == 0 ? 0 : errno;
}

int jg_io_mkdirs(const char *path)
{
    char part[PATH_BYTES_MAX];
    size_t len = strlen(path);
    if (len >= sizeof part)
        return ENAMETOOLONG;
    int error = fault(JG_IO_OPEN);
    for (size_t i = 1; !error && i <= len; i++) {
        if (path[i] != '/' && path[i] != 0)
            continue;
        memcpy(part, path, i);
        part[i] = 0;
        if (mkdir(part, 0750) != 0 && errno != EEXIST)
            error = errno;
    }
    return error;
}

static int remove_tree(int parent, const char *name, unsigned depth)
{
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return 0;
    if ((errno != EISDIR && errno != EPERM) || depth == 0)
        return errno;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), error = 0;
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        error = errno;
        if (fd >= 0)
            (void)close(fd);
        return error;
    }
    struct dirent *entry;
    while (!error && (entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            error = remove_tree(fd, entry->d_name, depth - 1);
    (void)closedir(dir);
    if (!error && unlinkat(parent, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
        error = errno;
    return error;
}

int jg_io_remove_tree(const char *path)
{
    int error = fault(JG_IO_UNLINK);
    return error ? error : remove_tree(AT_FDCWD, path, TREE_DEPTH_MAX);
}

int jg_io_map(int fd, size_t bytes, const uint8_t **ret)
{
    int error = fault(JG_IO_MAP);
    if (error)
        return error;
    void *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return errno;
    *ret = map;
    return 0;
}

void jg_io_unmap(const uint8_t *map, size_t bytes)
{
    (void)munmap((void *)(uintptr_t)map, bytes);
}

uint64_t jg_io_space(const char *path)
{
    struct statvfs vfs;
    if (fault(JG_IO_ALLOCATE) == ENOSPC)
        return 0;
    return statvfs(path, &vfs) == 0 ? (uint64_t)vfs.f_bavail * vfs.f_frsize : UINT64_MAX;
}

uint64_t jg_io_space_total(const char *path)
{
    struct statvfs vfs;
    return statvfs(path, &vfs) == 0 ? (uint64_t)vfs.f_blocks * vfs.f_frsize : UINT64_MAX;
}

int jg_io_size(const char *path, uint64_t *ret)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return errno;
    *ret = (uint64_t)st.st_size;
    return 0;
}

static jaeger_status status_of(int error, uint32_t *ret_retry_ms)
{
    *ret_retry_ms = OTHER_RETRY_MS;
    switch (error) {
    case EROFS:
    case EACCES:
    case EPERM:
    case ENOTDIR:
    case ENAMETOOLONG:
        *ret_retry_ms = 0;
        return JAEGER_FAILED_PRECONDITION;
    case ENOMEM:
        return JAEGER_RESOURCE_EXHAUSTED;
    case ENOSPC:
    case EDQUOT:
        *ret_retry_ms = DISK_RETRY_MS;
        return JAEGER_UNAVAILABLE;
    default:
        return JAEGER_UNAVAILABLE;
    }
}

jaeger_status jg_io_fail(jaeger_error *err, int error, const char *format, ...)
{
    char what[256], why[96];
    uint32_t retry_ms;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(what, sizeof what, format, args);
    va_end(args);
    jaeger_status status = jg_fail(err, status_of(error, &retry_ms), "embedded store: %s: %s", what,
                                   strerror_r(error, why, sizeof why));
    if (err)
        err->retry_after_ms = retry_ms;
    return status;
}

bool jg_vmem_init(jg_vmem *mem, size_t bytes_max)
{
    *mem = (jg_vmem){0};
    if (fault(JG_IO_MAP))
        return false;
    void *base = mmap(NULL, bytes_max, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return false;
    *mem = (jg_vmem){.base = base, .reserved = bytes_max};
    return true;
}

void jg_vmem_done(jg_vmem *mem)
{
    if (mem->base)
        (void)munmap(mem->base, mem->reserved);
    *mem = (jg_vmem){0};
}

bool jg_vmem_commit(jg_vmem *mem, size_t bytes)
{
    if (bytes > mem->reserved - mem->used || fault(JG_IO_MAP))
        return false;
    size_t end = (mem->used + bytes + VMEM_STEP - 1) / VMEM_STEP * VMEM_STEP;
    end = JG_MIN(end, mem->reserved);
    if (mprotect(mem->base + mem->committed, end - mem->committed, PROT_READ | PROT_WRITE) != 0)
        return false;
    mem->committed = end;
    return true;
}
