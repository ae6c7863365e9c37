/* SPDX-License-Identifier: Apache-2.0
 * See server.h.
 */
#include "extensions/diag/server.h"

#include "core/err.h"
#include "core/json_out.h"
#include "core/str.h"
#include <fcntl.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

jaeger_status jg_diag_start(jg_diag_server *server, jaeger_host *host,
                            const jg_http_server_settings *settings, jg_http_handler handler, const char *id,
                            jaeger_error *err)
{
    JG_TRY(jg_host_auth(host, &settings->auth, &server->auth.who, err));
    jg_http_server_options options = {.settings = settings,
                                      .handler = handler,
                                      .auth = jg_auth_for_http(&server->auth),
                                      .name = id,
                                      .untraced = true};
    return jg_http_server_start(jg_host_net(host), &options, &server->http, err);
}

void jg_diag_stop(jg_diag_server *server, uint64_t deadline_ns)
{
    jg_http_server_stop(server->http, deadline_ns);
    server->http = NULL;
}

void jg_diag_not_found(jg_http_reply *reply)
{
    jg_http_add_header(reply, "X-Content-Type-Options", JAEGER_STR("nosniff"));
    jg_http_send(reply, 404, "text/plain; charset=utf-8", JAEGER_STR("404 page not found\n"));
}

/** The start of a small file of /proc, at most 64 KiB. */
static void read_proc(const char *path, jg_buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    for (size_t total = 0; total < 65536 && jg_buf_reserve(out, 4096);) {
        ssize_t n = read(fd, out->data + out->len, 4096);
        if (n <= 0)
            break;
        out->len += (size_t)n;
        total += (size_t)n;
    }
    (void)close(fd);
}

void jg_diag_read_cmdline(jg_buf *out)
{
    read_proc("/proc/self/cmdline", out);
}

static void write_cmdline(jg_json_out *json)
{
    jg_buf cmdline JG_AUTO_BUF = JG_BUF_INIT(1u << 17);
    jg_diag_read_cmdline(&cmdline);
    jaeger_str rest = jg_buf_view(&cmdline);
    jg_json_key_lit(json, "cmdline");
    jg_json_array(json);
    while (rest.len) {
        size_t end = jg_str_find(rest, 0);
        jg_json_str(json, (jaeger_str){rest.ptr, end});
        rest = jg_str_skip(rest, end + 1);
    }
    jg_json_end(json);
}

/** The second number of statm: resident pages. */
static uint64_t resident_bytes(void)
{
    jg_buf statm JG_AUTO_BUF = JG_BUF_INIT(1u << 17);
    read_proc("/proc/self/statm", &statm);
    jaeger_str text = jg_buf_view(&statm);
    uint64_t pages = 0;
    text = jg_str_skip(text, jg_str_find(text, ' ') + 1);
    (void)jg_str_to_u64((jaeger_str){text.ptr, jg_str_find(text, ' ')}, &pages);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/** The names are those of Go's runtime.MemStats; the values are malloc's. */
static void write_memstats(jg_json_out *json)
{
    struct mallinfo2 heap = mallinfo2();
    struct rusage usage = {0};
    (void)getrusage(RUSAGE_SELF, &usage);
    const struct {
        const char *name;
        uint64_t value;
    } values[] = {
        {"Alloc", heap.uordblks + heap.hblkhd},
        {"Sys", resident_bytes()},
        {"HeapAlloc", heap.uordblks + heap.hblkhd},
        {"HeapSys", heap.arena + heap.hblkhd},
        {"HeapIdle", heap.fordblks},
        {"HeapInuse", heap.uordblks + heap.hblkhd},
        {"HeapReleased", 0},
        {"NumGC", 0},
        {"MaxRSS", (uint64_t)usage.ru_maxrss * 1024},
        {"PageFaults", (uint64_t)(usage.ru_minflt + usage.ru_majflt)},
    };
    jg_json_key_lit(json, "memstats");
    jg_json_object(json);
    for (size_t i = 0; i < JG_COUNT(values); i++) {
        jg_json_key(json, jg_str(values[i].name));
        jg_json_u64(json, values[i].value);
    }
    jg_json_end(json);
}

void jg_diag_write_vars(jg_buf *out)
{
    jg_json_out json = JG_JSON_OUT_INIT(out);
    json.html = true;
    jg_json_object(&json);
    write_cmdline(&json);
    write_memstats(&json);
    jg_json_end(&json);
    jg_buf_byte(out, '\n');
}
