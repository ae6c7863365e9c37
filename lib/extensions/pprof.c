/* SPDX-License-Identifier: Apache-2.0
 * The extension pprof: Go's profiles have no counterpart in C (perf and gdb read a running process), so the
 * index names what there is: the command line, malloc's own account, and the threads with their CPU time.
 */
#include "core/err.h"
#include "core/str.h"
#include "extensions/diag/server.h"
#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#define PAGE_BYTES_MAX (1u << 20)

typedef struct pprof_config {
    jaeger_str endpoint, save_to_file;
    uint64_t dialer_timeout_ns;
    int64_t block_profile_fraction, mutex_profile_fraction;
} pprof_config;

typedef struct pprof {
    const char *id;
    const pprof_config *config;
    jaeger_host *host;
    jg_http_server_settings settings;
    jg_diag_server server;
} pprof;

static const char index_page[] =
    "<html><head><title>/debug/pprof/</title></head><body>\n"
    "<p>Sampling profiles are taken from outside (perf record -p, gdb). Here:</p>\n<ul>\n"
    "<li><a href=\"cmdline\">cmdline</a>: the command line</li>\n"
    "<li><a href=\"heap\">heap</a>: malloc_info(3)</li>\n"
    "<li><a href=\"threads\">threads</a>: names and CPU time</li>\n</ul></body></html>\n";

/** /proc/self/task/<id>/schedstat: ns on a CPU, ns waiting, slices. */
static void write_thread(jg_buf *out, const char *id)
{
    char path[300], name[32] = {0}, times[96] = {0};
    static const char *const files[] = {"comm", "schedstat"};
    for (int i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof path, "/proc/self/task/%s/%s", id, files[i]);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return;
        (void)!read(fd, i ? times : name, i ? sizeof times - 1 : sizeof name - 1);
        (void)close(fd);
    }
    jaeger_str label = jg_str_trim(jg_str(name)), numbers = jg_str_trim(jg_str(times));
    jg_buf_printf(out, "%s %.*s ns=%.*s\n", id, JAEGER_STR_ARGS(label), (int)jg_str_find(numbers, ' '),
                  numbers.ptr);
}

static void write_threads(jg_buf *out)
{
    DIR *dir = opendir("/proc/self/task");
    struct dirent *entry;
    while (dir && (entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            write_thread(out, entry->d_name);
    if (dir)
        (void)closedir(dir);
}

static void write_heap(jg_buf *out)
{
    if (!jg_buf_reserve(out, PAGE_BYTES_MAX / 2))
        return;
    FILE *file = fmemopen(out->data, PAGE_BYTES_MAX / 2, "w");
    if (!file)
        return;
    (void)malloc_info(0, file);
    long len = ftell(file);
    (void)fclose(file);
    out->len = len > 0 ? (size_t)len : 0;
}

/** Profiles of Go's runtime: a client that asks for one shall hear why there is none. */
static bool is_go_profile(jaeger_str path)
{
    static const char *const names[] = {"profile", "trace", "symbol", "goroutine",
                                        "allocs",  "block", "mutex",  "threadcreate"};
    jaeger_str folder = JAEGER_STR("/debug/pprof/");
    for (size_t i = 0; i < JG_COUNT(names) && jg_str_starts(path, folder); i++)
        if (jg_str_is(jg_str_skip(path, folder.len), names[i]))
            return true;
    return false;
}

static void refuse_profile(jg_http_reply *reply)
{
    char text[160];
    int len =
        snprintf(text, sizeof text,
                 "not implemented: no runtime to profile itself; take a profile from outside, such as perf "
                 "record -g -p %d\n",
                 (int)getpid());
    jg_http_send(reply, 501, "text/plain; charset=utf-8", (jaeger_str){text, (size_t)len});
}

static void pprof_handle(void *self, jg_http_request *request, jg_http_reply *reply)
{
    (void)self;
    jg_buf out JG_AUTO_BUF = JG_BUF_INIT(PAGE_BYTES_MAX);
    if (jg_str_is(request->path, "/debug/pprof/")) {
        jg_http_send(reply, 200, "text/html; charset=utf-8", JAEGER_STR(index_page));
        return;
    }
    if (jg_str_is(request->path, "/debug/pprof/cmdline"))
        jg_diag_read_cmdline(&out);
    else if (jg_str_is(request->path, "/debug/pprof/heap"))
        write_heap(&out);
    else if (jg_str_is(request->path, "/debug/pprof/threads"))
        write_threads(&out);
    else {
        if (is_go_profile(request->path))
            refuse_profile(reply);
        else
            jg_diag_not_found(reply);
        return;
    }
    jg_http_send(reply, 200, "text/plain; charset=utf-8", jg_buf_view(&out));
}

static jaeger_status pprof_create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    (void)err;
    pprof *p = self;
    *p = (pprof){.id = in->id, .config = in->config, .host = in->host};
    p->settings = (jg_http_server_settings){.endpoint = p->config->endpoint, .keep_alives_enabled = true};
    return JAEGER_OK;
}

static jaeger_status pprof_start(void *self, jaeger_error *err)
{
    pprof *p = self;
    return jg_diag_start(&p->server, p->host, &p->settings, (jg_http_handler){pprof_handle, p}, p->id, err);
}

static void pprof_stop(void *self, uint64_t deadline_ns)
{
    jg_diag_stop(&((pprof *)self)->server, deadline_ns);
}

static const jaeger_field dialer_fields[] = {
    {.name = "timeout", .kind = JAEGER_FIELD_DURATION, .doc = "accepted for compatibility"},
    {.kind = JAEGER_FIELD_END},
};

static const jaeger_field pprof_fields[] = {
    {.name = "endpoint",
     .kind = JAEGER_FIELD_STR,
     .offset = offsetof(pprof_config, endpoint),
     .fallback = "localhost:1777",
     .doc = "host:port to listen on"},
    {.name = "dialer",
     .kind = JAEGER_FIELD_BLOCK,
     .offset = offsetof(pprof_config, dialer_timeout_ns),
     .sub = dialer_fields,
     .sub_size = sizeof(uint64_t),
     .doc = "accepted for compatibility"},
    {.name = "block_profile_fraction",
     .kind = JAEGER_FIELD_I64,
     .offset = offsetof(pprof_config, block_profile_fraction),
     .doc = "accepted for compatibility"},
    {.name = "mutex_profile_fraction",
     .kind = JAEGER_FIELD_I64,
     .offset = offsetof(pprof_config, mutex_profile_fraction),
     .doc = "accepted for compatibility"},
    {.name = "save_to_file",
     .kind = JAEGER_FIELD_STR,
     .offset = offsetof(pprof_config, save_to_file),
     .doc = "accepted for compatibility"},
    {.kind = JAEGER_FIELD_END},
};

const jaeger_component_type jg_extension_pprof = {
    .size = sizeof(jaeger_component_type),
    .name = "pprof",
    .doc = "shows the command line, the heap's account and the threads",
    .kind = JAEGER_EXTENSION,
    .fields = pprof_fields,
    .config_size = sizeof(pprof_config),
    .state_size = sizeof(pprof),
    .create = pprof_create,
    .start = pprof_start,
    .stop = pprof_stop,
};
