/* SPDX-License-Identifier: Apache-2.0
 * The system calls of the embedded store, in one place: each can be made to fail by a test, and each answers
 * with an errno value (0: done). Also address space that is reserved at once and committed as it is used.
 */
#ifndef JG_EMBEDDED_IO_H
#define JG_EMBEDDED_IO_H

#include "core/attr.h"
#include <jaeger/base.h>
#include <sys/types.h>
#include <sys/uio.h>

typedef enum jg_io_op {
    JG_IO_OPEN,
    JG_IO_ALLOCATE,
    JG_IO_WRITE,
    JG_IO_SYNC,
    JG_IO_RENAME,
    JG_IO_UNLINK,
    JG_IO_MAP
} jg_io_op;

/** Tests: asked before each call; a non-zero answer is the errno it fails with. NULL: off. Process-wide. */
typedef int (*jg_io_fault_fn)(void *user, jg_io_op op);
void jg_io_set_fault(jg_io_fault_fn fault, void *user);

int jg_io_open(const char *path, int flags, int *ret_fd);
/** Write all of it at `offset`, whatever the kernel takes at once. `parts` is used up. */
int jg_io_write(int fd, struct iovec *parts, size_t count, uint64_t offset);
/** Room on disk for [from, to): later writes there cannot run out of space. */
int jg_io_allocate(int fd, uint64_t from, uint64_t to);
int jg_io_sync(int fd);
int jg_io_sync_dir(const char *path);
int jg_io_rename(const char *from, const char *to);
int jg_io_unlink(const char *path);
/** Make a directory and its parents. */
int jg_io_mkdirs(const char *path);
/** Remove a directory tree. */
int jg_io_remove_tree(const char *path);
/** Map `bytes` of a file for reading; the mapping may be longer than the file. */
int jg_io_map(int fd, size_t bytes, const uint8_t **ret);
void jg_io_unmap(const uint8_t *map, size_t bytes);
/** Bytes that this process may still write on the file system of `path`; UINT64_MAX: unknown. */
uint64_t jg_io_space(const char *path);
/** Size of the file system of `path`; UINT64_MAX: unknown. */
uint64_t jg_io_space_total(const char *path);
/** The size of a file. */
int jg_io_size(const char *path, uint64_t *ret);

/** Fail with "<what>: <errno text>": no space -> UNAVAILABLE with a time to retry; no permission ->
 * FAILED_PRECONDITION; no memory -> RESOURCE_EXHAUSTED; else UNAVAILABLE. */
jaeger_status jg_io_fail(jaeger_error *err, int error, const char *format, ...) JG_PRINTF(3, 4);

/** Memory that does not move while it grows: readers keep pointers into it. */
typedef struct jg_vmem {
    uint8_t *base;
    size_t used, committed, reserved; /* [bytes] */
} jg_vmem;

/** @return false: no address space */
bool jg_vmem_init(jg_vmem *mem, size_t bytes_max);
void jg_vmem_done(jg_vmem *mem);
bool jg_vmem_commit(jg_vmem *mem, size_t bytes);

/** Room for `bytes` more after `used`, which the caller advances. NULL: out of memory or over the reserve. */
JG_INLINE void *jg_vmem_room(jg_vmem *mem, size_t bytes)
{
    if (JG_UNLIKELY(bytes > mem->committed - mem->used) && !jg_vmem_commit(mem, bytes))
        return NULL;
    return mem->base + mem->used;
}

#endif
