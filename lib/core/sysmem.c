/* SPDX-License-Identifier: Apache-2.0
 * See sysmem.h. Files: proc(5), https://docs.kernel.org/admin-guide/cgroup-v2.html (memory.max),
 * cgroup-v1/memory.html (memory.limit_in_bytes).
 */
#include "core/sysmem.h"

#include "core/attr.h"
#include "core/str.h"
#include <limits.h>
#include <stdio.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define FALLBACK_BYTES (1ull << 30) /* if the system does not say */
#define GROUP_PATH_MAX 1024 /* a path in /proc/self/cgroup; deeper groups fall back to the root's limit */

/* The number in the file; UINT64_MAX: no such file, or "max". */
static uint64_t read_limit(const char *root, const char *group, const char *file)
{
    char path[PATH_MAX], text[32];
    int n = snprintf(path, sizeof path, "%s/sys/fs/cgroup%s/%s", root, group, file);
    FILE *in = n > 0 && (size_t)n < sizeof path ? fopen(path, "re") : NULL;
    uint64_t limit = UINT64_MAX;
    if (!in)
        return limit;
    if (fgets(text, sizeof text, in))
        (void)jg_str_to_u64(jg_str_trim(jg_str(text)), &limit);
    (void)fclose(in);
    return limit;
}

/* The path of our group in the unified hierarchy: the line "0::/path". */
static void read_group(const char *root, char group[GROUP_PATH_MAX])
{
    char path[PATH_MAX], line[GROUP_PATH_MAX];
    group[0] = 0;
    int n = snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *in = n > 0 && (size_t)n < sizeof path ? fopen(path, "re") : NULL;
    if (!in)
        return;
    while (fgets(line, sizeof line, in)) {
        jaeger_str text = jg_str_trim(jg_str(line));
        if (jg_str_starts(text, JAEGER_STR("0::/")) && text.len > 4)
            (void)snprintf(group, GROUP_PATH_MAX, "%.*s", (int)text.len - 3, text.ptr + 3);
    }
    (void)fclose(in);
}

uint64_t jg_sysmem_bytes_under(const char *root)
{
    char group[GROUP_PATH_MAX];
    struct sysinfo info;
    uint64_t total = FALLBACK_BYTES;
    if (sysinfo(&info) == 0)
        total = (uint64_t)info.totalram * info.mem_unit;
    read_group(root, group);
    const uint64_t limits[] = {
        read_limit(root, group, "memory.max"),
        read_limit(root, "", "memory.max"), /* inside a container the group's path is that of the host */
        read_limit(root, "/memory", "memory.limit_in_bytes"),
    };
    for (size_t i = 0; i < JG_COUNT(limits); i++)
        total = JG_MIN(total, limits[i] ? limits[i] : total);
    return total;
}

uint64_t jg_sysmem_bytes(void)
{
    return jg_sysmem_bytes_under("");
}

uint64_t jg_sysmem_resident_bytes(void)
{
    unsigned long long all, resident = 0;
    FILE *in = fopen("/proc/self/statm", "re");
    if (!in)
        return 0;
    if (fscanf(in, "%llu %llu", &all, &resident) != 2)
        resident = 0;
    (void)fclose(in);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}
