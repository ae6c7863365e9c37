/* SPDX-License-Identifier: Apache-2.0
 * otelcol_process_*: what the Collector tells about its process, read when somebody asks. Heap figures are
 * those of the C allocator.
 */
#include "core/clock.h"
#include "core/str.h"
#include "service/telemetry.h"
#include <fcntl.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

/* Second field of /proc/self/statm, in bytes; 0 if it cannot be read. */
static double resident_bytes(void)
{
    char text[128];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    uint64_t pages = 0;
    if (fd >= 0)
        (void)close(fd);
    if (n <= 0)
        return 0;
    jaeger_str rest = {text, (size_t)n};
    rest = jg_str_skip(rest, jg_str_find(rest, ' ') + 1);
    (void)jg_str_to_u64((jaeger_str){rest.ptr, jg_str_find(rest, ' ')}, &pages);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static void fill(void *user)
{
    jg_process_metrics *p = user;
    struct mallinfo2 heap = mallinfo2();
    struct rusage usage;
    double used = (double)(heap.uordblks + heap.hblkhd);
    jg_metric_set(p->uptime, (double)(jg_clock_mono_ns() - p->started_ns) / 1e9);
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        jg_metric_set(p->cpu, seconds(usage.ru_utime) + seconds(usage.ru_stime));
    jg_metric_set(p->rss, resident_bytes());
    jg_metric_set(p->heap, used);
    if (used > jg_metric_value(p->heap_total))
        jg_metric_set(p->heap_total, used); /* the allocator keeps no sum; the peak seen never falls */
    jg_metric_set(p->sys, (double)(heap.arena + heap.hblkhd));
}

void jg_process_metrics_register(jg_process_metrics *p, jg_metrics *metrics)
{
    p->started_ns = jg_clock_mono_ns();
    p->uptime = jg_metrics_counter(metrics, "otelcol_process_uptime", "Uptime of the process", NULL, 0);
    p->cpu = jg_metrics_counter(metrics, "otelcol_process_cpu_seconds",
                                "Total CPU user and system time in seconds", NULL, 0);
    p->rss = jg_metrics_gauge(metrics, "otelcol_process_memory_rss",
                              "Total physical memory (resident set size) in bytes", NULL, 0);
    p->heap = jg_metrics_gauge(metrics, "otelcol_process_runtime_heap_alloc_bytes",
                               "Bytes of allocated heap objects", NULL, 0);
    p->heap_total = jg_metrics_counter(metrics, "otelcol_process_runtime_total_alloc_bytes",
                                       "Most bytes of heap objects seen allocated at once", NULL, 0);
    p->sys = jg_metrics_gauge(metrics, "otelcol_process_runtime_total_sys_memory_bytes",
                              "Total bytes of memory obtained from the OS", NULL, 0);
    jg_metrics_on_scrape(metrics, fill, p);
}
