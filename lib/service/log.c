/* SPDX-License-Identifier: Apache-2.0
 * See log.h. Lines are of one kind if they differ only in digits: times, counts and most ids. One write(2) a
 * line, so that lines of several threads do not mix.
 */
#include "service/log.h"

#include "core/alloc.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/hash.h"
#include "core/str.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/uio.h>
#include <unistd.h>

#define OUTPUTS_MAX 8
#define SLOTS       256 /* kinds of lines watched at once; a collision only samples two kinds together */

typedef struct slot {
    uint64_t hash, since_ns, count;
} slot;

struct jg_log {
    jaeger_log_sink out;   /* what components see */
    jaeger_log_sink inner; /* write NULL: not used */
    char *fields;
    size_t fields_len;
    jg_log_sampling sampling;
    int fds[OUTPUTS_MAX];
    size_t fd_count;
    pthread_mutex_t slots_mutex; /* guards slots */
    slot slots[SLOTS];
};

static uint64_t kind_of(jaeger_level level, jaeger_str line)
{
    uint64_t hash = JG_FNV1A_64_START + (uint64_t)level;
    for (size_t i = 0; i < line.len; i++)
        if (line.ptr[i] < '0' || line.ptr[i] > '9')
            hash = jg_fnv1a_64(hash, line.ptr + i, 1);
    return hash;
}

static bool is_repeat(jg_log *log, jaeger_level level, jaeger_str line)
{
    if (!log->sampling.enabled)
        return false;
    uint64_t hash = kind_of(level, line), now = jg_clock_mono_ns();
    slot *s = &log->slots[hash % SLOTS];
    (void)pthread_mutex_lock(&log->slots_mutex);
    if (s->hash != hash || now - s->since_ns >= log->sampling.tick_ns)
        *s = (slot){hash, now, 0};
    uint64_t count = ++s->count;
    (void)pthread_mutex_unlock(&log->slots_mutex);
    if (count <= log->sampling.initial)
        return false;
    uint64_t every = log->sampling.thereafter;
    return every == 0 || (count - log->sampling.initial) % every != 0;
}

/* The line with the fixed fields; `line` itself if there are none. */
static jaeger_str with_fields(const jg_log *log, jaeger_str line, jg_buf *out)
{
    if (!log->fields_len)
        return line;
    bool object = log->out.json && line.len > 2 && line.ptr[line.len - 1] == '}';
    jg_buf_append(out, line.ptr, line.len - object);
    jg_buf_str(out, object ? JAEGER_STR(",") : JAEGER_STR("\t{"));
    jg_buf_append(out, log->fields, log->fields_len);
    jg_buf_byte(out, '}');
    return jg_buf_ok(out) ? jg_buf_view(out) : line;
}

static void write_line(void *user, jaeger_level level, jaeger_str line)
{
    jg_log *log = user;
    if (is_repeat(log, level, line))
        return;
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(64u << 10);
    line = with_fields(log, line, &text);
    if (log->inner.write && level >= log->inner.level)
        log->inner.write(log->inner.user, level, line);
    struct iovec parts[] = {{(void *)line.ptr, line.len}, {"\n", 1}};
    for (size_t i = 0; i < log->fd_count; i++)
        if (writev(log->fds[i], parts, 2) < 0)
            continue; /* a log that cannot be written has nobody to tell */
}

static jaeger_status open_path(jg_log *log, const jg_log_options *options, const char *path,
                               jaeger_error *err)
{
    bool is_out = strcmp(path, "stdout") == 0, is_err = strcmp(path, "stderr") == 0;
    if ((is_out || is_err) && !options->standard_streams) {
        log->inner = options->sink ? *options->sink : (jaeger_log_sink){0};
        return JAEGER_OK;
    }
    if (log->fd_count == OUTPUTS_MAX)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "more than %d output_paths", OUTPUTS_MAX);
    int fd = is_out   ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
             : is_err ? fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)
                      : open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 && (is_out || is_err))
        return JAEGER_OK; /* a closed standard stream: nobody listens */
    if (fd < 0)
        return jg_fail(err, errno == EACCES ? JAEGER_PERMISSION_DENIED : JAEGER_NOT_FOUND,
                       "failed to create logger: couldn't open sink \"%s\": %s", path, strerror(errno));
    log->fds[log->fd_count++] = fd;
    return JAEGER_OK;
}

jaeger_status jg_log_open(const jg_log_options *options, jg_log **ret, jaeger_error *err)
{
    jg_log *log = jg_calloc(1, sizeof *log);
    if (!log)
        return jg_fail_oom(err);
    (void)pthread_mutex_init(&log->slots_mutex, NULL);
    log->out = (jaeger_log_sink){write_line, log, options->level, options->json};
    log->sampling = options->sampling;
    log->fields_len = options->fields.len;
    log->fields = jg_strndup(options->fields.len ? options->fields.ptr : "", options->fields.len);
    jaeger_status status = log->fields ? JAEGER_OK : jg_fail_oom(err);
    for (size_t i = 0; i < options->paths.count && status == JAEGER_OK; i++)
        status = open_path(log, options, options->paths.items[i].ptr, err);
    if (status != JAEGER_OK) {
        jg_log_close(log);
        return status;
    }
    if (!log->inner.write && !log->fd_count)
        log->out.write = NULL; /* silent: lines are not even made */
    *ret = log;
    return JAEGER_OK;
}

void jg_log_close(jg_log *log)
{
    if (!log)
        return;
    for (size_t i = 0; i < log->fd_count; i++)
        (void)close(log->fds[i]);
    (void)pthread_mutex_destroy(&log->slots_mutex);
    jg_free(log->fields);
    jg_free(log);
}

const jaeger_log_sink *jg_log_sink(const jg_log *log)
{
    return &log->out;
}
