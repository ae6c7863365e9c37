/* SPDX-License-Identifier: Apache-2.0
 * See sysmem.h. A container sees its own limit at the root of its cgroup mount (v2, then v1).
 */
#include "core/sysmem.h"

#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

#define FALLBACK_BYTES (1ull << 30) /* if the system does not say */

/** 0: no such file, or no limit ("max"). */
static uint64_t read_limit(const char *path)
{
    char text[32];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof text);
    (void)close(fd);
    uint64_t value = 0;
    for (ssize_t i = 0; i < n && text[i] >= '0' && text[i] <= '9'; i++)
        value = value * 10 + (uint64_t)(text[i] - '0');
    return value;
}

uint64_t jg_sysmem_bytes(void)
{
    static const char *const files[] = {"/sys/fs/cgroup/memory.max",
                                        "/sys/fs/cgroup/memory/memory.limit_in_bytes"};
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    uint64_t bytes = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : FALLBACK_BYTES;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        uint64_t limit = read_limit(files[i]);
        if (limit && limit < bytes)
            bytes = limit;
    }
    return bytes;
}
