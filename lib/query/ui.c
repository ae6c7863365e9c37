/* SPDX-License-Identifier: Apache-2.0
 * See ui.h. The index page is read once; the configuration is read again at most every ten seconds, and an
 * error then keeps what was.
 */
#include "query/ui.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "query/bundle.h"
#include "query/http.h"
#include "query/page.h"
#include "query/ui_config.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define RELOAD_NS (10 * JG_NS_PER_S)

struct jg_ui {
    jg_ui_options options;
    char *assets_path, *config_path; /* NUL-terminated; NULL: none */
    jg_buf page;                     /* index.html of the assets, or the plain page; empty: the bundle */
    pthread_mutex_t config_mutex;    /* guards what follows; never held over I/O */
    jg_ui_config config;
    uint64_t reload_at_ns;
};

static jaeger_status read_page(jg_ui *ui, jaeger_error *err)
{
    char path[PATH_MAX];
    if (!ui->assets_path && jg_bundle_page.len)
        return JAEGER_OK;
    if (!ui->assets_path) {
        jg_buf_append(&ui->page, jg_query_page, jg_query_page_len);
        return jg_buf_ok(&ui->page) ? JAEGER_OK : jg_fail_oom(err);
    }
    if (snprintf(path, sizeof path, "%s/index.html", ui->assets_path) >= (int)sizeof path)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "ui.assets_path is too long");
    if (jg_ui_read_file(path, &ui->page, err) == JAEGER_OK)
        return JAEGER_OK;
    (void)jg_fail_prefix(err, "cannot load index.html");
    return JAEGER_INVALID_ARGUMENT;
}

static jaeger_status init(jg_ui *ui, jaeger_error *err)
{
    const jg_ui_options *o = &ui->options;
    if (o->assets_path.len && !(ui->assets_path = jg_strndup(o->assets_path.ptr, o->assets_path.len)))
        return jg_fail_oom(err);
    if (o->config_file.len && !(ui->config_path = jg_strndup(o->config_file.ptr, o->config_file.len)))
        return jg_fail_oom(err);
    JG_TRY(read_page(ui, err));
    if (ui->config_path)
        JG_TRY(jg_ui_config_read(ui->config_path, &ui->config, err));
    ui->reload_at_ns = jg_clock_mono_ns() + RELOAD_NS;
    return JAEGER_OK;
}

jaeger_status jg_ui_new(const jg_ui_options *options, jg_ui **ret, jaeger_error *err)
{
    jg_ui *ui = jg_calloc(1, sizeof *ui);
    if (!ui)
        return jg_fail_oom(err);
    ui->options = *options;
    ui->page = JG_BUF_INIT(JG_UI_PAGE_BYTES_MAX);
    (void)pthread_mutex_init(&ui->config_mutex, NULL);
    jaeger_status status = init(ui, err);
    if (status != JAEGER_OK) {
        jg_ui_free(ui);
        return status;
    }
    *ret = ui;
    return JAEGER_OK;
}

void jg_ui_free(jg_ui *ui)
{
    if (!ui)
        return;
    (void)pthread_mutex_destroy(&ui->config_mutex);
    jg_free(ui->config.text);
    jg_free(ui->assets_path);
    jg_free(ui->config_path);
    jg_buf_done(&ui->page);
    jg_free(ui);
}

/** Read the configuration again if it is time; one caller does it, the others use what is there. */
static void reload(jg_ui *ui)
{
    jg_ui_config fresh = {0};
    jaeger_error err = {0};
    uint64_t now = jg_clock_mono_ns();
    (void)pthread_mutex_lock(&ui->config_mutex);
    bool due = ui->config_path && now >= ui->reload_at_ns;
    if (due)
        ui->reload_at_ns = now + RELOAD_NS;
    (void)pthread_mutex_unlock(&ui->config_mutex);
    if (!due)
        return;
    if (jg_ui_config_read(ui->config_path, &fresh, &err) != JAEGER_OK) {
        jaeger_log(ui->options.log, JAEGER_ERROR,
                   "could not reload UI config, keeping the previous one filename=%s error=\"%s\"",
                   ui->config_path, err.message);
        return;
    }
    (void)pthread_mutex_lock(&ui->config_mutex);
    jg_ui_config old = ui->config;
    ui->config = fresh;
    (void)pthread_mutex_unlock(&ui->config_mutex);
    jg_free(old.text);
}

static int send_text(const jg_query_reply *reply, int status, const char *text)
{
    reply->add_header(reply->self, "X-Content-Type-Options", JAEGER_STR("nosniff"));
    reply->send(reply->self, status, "text/plain; charset=utf-8", jg_str(text));
    return status;
}

/** What the page may load: its own files, and the one script whose nonce this answer has. */
static void add_policy(const jg_query_reply *reply, jaeger_str nonce)
{
    JG_AUTO_BUF jg_buf policy = JG_BUF_INIT(1024);
    jg_buf_printf(
        &policy,
        "default-src 'none'; script-src 'self' 'nonce-%.*s'; style-src 'self'; img-src 'self' data:; "
        "font-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'self'; form-action 'self'; "
        "frame-ancestors 'self'",
        JAEGER_STR_ARGS(nonce));
    reply->add_header(reply->self, "Content-Security-Policy", jg_buf_view(&policy));
    reply->add_header(reply->self, "Referrer-Policy", JAEGER_STR("same-origin"));
    reply->add_header(reply->self, "X-Content-Type-Options", JAEGER_STR("nosniff"));
}

/** The bundle's page for this request into `out`. @return false: no randomness, nothing was written */
static bool write_bundle_page(jg_buf *out, jaeger_str path, const jg_query_reply *reply)
{
    uint8_t bytes[16];
    char text[32];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return false;
    jg_hex_encode(bytes, sizeof bytes, text);
    jaeger_str nonce = {text, sizeof text};
    jg_bundle_write_page(out, path, nonce);
    add_policy(reply, nonce);
    return true;
}

int jg_ui_send_index(jg_ui *ui, jaeger_str path, bool archive, bool search_without_service,
                     const jg_query_reply *reply)
{
    JG_AUTO_BUF jg_buf caps = JG_BUF_INIT(256);
    JG_AUTO_BUF jg_buf own = JG_BUF_INIT(JG_UI_PAGE_BYTES_MAX);
    JG_AUTO_BUF jg_buf out = JG_BUF_INIT(JG_UI_PAGE_BYTES_MAX + 8 * JG_UI_CONFIG_BYTES_MAX);
    jg_buf_printf(&caps,
                  "{\"archiveStorage\":%s,\"metricsStorage\":%s,\"searchWithoutServiceName\":%s,"
                  "\"aiAssistant\":false}",
                  archive ? "true" : "false", ui->options.metrics_storage ? "true" : "false",
                  search_without_service ? "true" : "false");
    if (ui->page.len == 0 && !write_bundle_page(&own, path, reply))
        return send_text(reply, 503, "no randomness\n");
    reload(ui);
    (void)pthread_mutex_lock(&ui->config_mutex);
    jg_ui_fill_page(&out, jg_buf_view(ui->page.len ? &ui->page : &own), &ui->config, jg_buf_view(&caps));
    (void)pthread_mutex_unlock(&ui->config_mutex);
    if (!jg_buf_ok(&out) || !jg_buf_ok(&own))
        return send_text(reply, 503, "out of memory\n");
    if (ui->options.log_access)
        jaeger_log(ui->options.log, JAEGER_INFO, "serving index.html");
    reply->add_header(reply->self, "Cache-Control", JAEGER_STR("no-cache"));
    reply->send(reply->self, 200, "text/html; charset=utf-8", jg_buf_view(&out));
    return 200;
}

/* ---- files ---- */

/** No way out of the folder: no "..", no NUL, no backslash. */
static bool path_is_safe(jaeger_str path)
{
    for (size_t at = 0; at < path.len;) {
        jaeger_str rest = jg_str_skip(path, at), segment = {rest.ptr, jg_str_find(rest, '/')};
        if (jg_str_is(segment, "..") || memchr(segment.ptr, 0, segment.len) ||
            memchr(segment.ptr, '\\', segment.len))
            return false;
        at += segment.len + 1;
    }
    return true;
}

static const char *content_type_of(jaeger_str path)
{
    static const struct {
        const char *ending, *type;
    } types[] = {
        {".js", "text/javascript; charset=utf-8"},
        {".mjs", "text/javascript; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".html", "text/html; charset=utf-8"},
        {".json", "application/json"},
        {".map", "application/json"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
        {".gif", "image/gif"},
        {".ico", "image/x-icon"},
        {".webp", "image/webp"},
        {".woff", "font/woff"},
        {".woff2", "font/woff2"},
        {".ttf", "font/ttf"},
        {".wasm", "application/wasm"},
        {".txt", "text/plain; charset=utf-8"},
    };
    for (size_t i = 0; i < JG_COUNT(types); i++) {
        size_t n = strlen(types[i].ending);
        if (path.len >= n && jg_str_is(jg_str_skip(path, path.len - n), types[i].ending))
            return types[i].type;
    }
    return "application/octet-stream";
}

static bool stream_file(int fd, const jg_query_reply *reply)
{
    char piece[32768];
    for (;;) {
        ssize_t n = read(fd, piece, sizeof piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0;
        if (reply->write(reply->self, (jaeger_str){piece, (size_t)n}) != JAEGER_OK)
            return false;
    }
}

static int send_open_file(jg_ui *ui, int fd, jaeger_str path, jaeger_str if_none_match,
                          const jg_query_reply *reply)
{
    struct stat st;
    char tag[64];
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return send_text(reply, 404, "404 page not found\n");
    int len = snprintf(tag, sizeof tag, "\"%llx-%llx\"", (unsigned long long)st.st_mtime,
                       (unsigned long long)st.st_size);
    reply->add_header(reply->self, "ETag", (jaeger_str){tag, (size_t)len});
    reply->add_header(reply->self, "Cache-Control", JAEGER_STR("public, max-age=31536000, immutable"));
    if (jg_str_is(if_none_match, tag)) {
        reply->send(reply->self, 304, NULL, JAEGER_STR(""));
        return 304;
    }
    if (ui->options.log_access)
        jaeger_log(ui->options.log, JAEGER_INFO, "serving static asset path=\"%.*s\"", JAEGER_STR_ARGS(path));
    reply->begin(reply->self, 200, content_type_of(path));
    reply->end(reply->self, stream_file(fd, reply));
    return 200;
}

int jg_ui_send_file(jg_ui *ui, jaeger_str path, jaeger_str if_none_match, jaeger_str accept_encoding,
                    const jg_query_reply *reply)
{
    char full[PATH_MAX];
    if (!ui->assets_path)
        return jg_bundle_send_file(path, if_none_match, accept_encoding, reply);
    if (!path_is_safe(path) ||
        snprintf(full, sizeof full, "%s%.*s", ui->assets_path, JAEGER_STR_ARGS(path)) >= (int)sizeof full)
        return send_text(reply, 404, "404 page not found\n");
    int fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return send_text(reply, 404, "404 page not found\n");
    int status = send_open_file(ui, fd, path, if_none_match, reply);
    (void)close(fd);
    return status;
}
