/* SPDX-License-Identifier: Apache-2.0
 * See secret.h. One stat a use; secrets that are mounted (Kubernetes) change by a new file under the same
 * name.
 */
#include "core/secret.h"

#include "core/err.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void jg_secret_init(jg_secret *secret, const char *path)
{
    *secret = (jg_secret){.path = path, .content = JG_BUF_INIT(JG_SECRET_BYTES_MAX)};
    (void)pthread_mutex_init(&secret->secret_mutex, NULL);
}

void jg_secret_done(jg_secret *secret)
{
    jg_buf_done(&secret->content);
    (void)pthread_mutex_destroy(&secret->secret_mutex);
}

static bool has_changed(const jg_secret *secret, const struct stat *now)
{
    const struct stat *seen = &secret->seen;
    return now->st_ino != seen->st_ino || now->st_dev != seen->st_dev || now->st_size != seen->st_size ||
           now->st_mtim.tv_sec != seen->st_mtim.tv_sec || now->st_mtim.tv_nsec != seen->st_mtim.tv_nsec;
}

/** @return 0 or errno */
static int read_all(const char *path, jg_buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), failed = 0;
    if (fd < 0)
        return errno;
    for (ssize_t n = 1; n > 0 && jg_buf_reserve(out, 4096); out->len += n > 0 ? (size_t)n : 0) {
        n = read(fd, out->data + out->len, 4096);
        failed = n < 0 ? errno : 0;
    }
    (void)close(fd);
    return failed ? failed : jg_buf_ok(out) ? 0 : EFBIG;
}

/** With the mutex held: read the file if it has changed. @return 0 or errno */
static int refresh(jg_secret *secret)
{
    struct stat now;
    if (stat(secret->path, &now) != 0)
        return errno;
    if (!has_changed(secret, &now))
        return 0;
    jg_buf fresh = JG_BUF_INIT(JG_SECRET_BYTES_MAX);
    int failed = read_all(secret->path, &fresh);
    if (failed) {
        jg_buf_done(&fresh);
        return failed;
    }
    jg_buf_done(&secret->content);
    secret->content = fresh;
    secret->seen = now;
    secret->version++;
    return 0;
}

jaeger_status jg_secret_get(jg_secret *secret, jg_buf *out, jaeger_error *err)
{
    (void)pthread_mutex_lock(&secret->secret_mutex);
    int failed = refresh(secret);
    bool known = secret->version != 0;
    jg_buf_str(out, jg_buf_view(&secret->content));
    (void)pthread_mutex_unlock(&secret->secret_mutex);
    if (!known) {
        char text[128];
        return jg_fail(err, JAEGER_UNAVAILABLE, "%s: %s", secret->path,
                       strerror_r(failed, text, sizeof text));
    }
    return jg_buf_ok(out) ? JAEGER_OK : jg_fail_oom(err);
}

bool jg_secret_get_new(jg_secret *secret, unsigned *version, jg_buf *out)
{
    (void)pthread_mutex_lock(&secret->secret_mutex);
    (void)refresh(secret);
    bool is_new = secret->version != *version;
    if (is_new)
        jg_buf_str(out, jg_buf_view(&secret->content));
    *version = secret->version;
    (void)pthread_mutex_unlock(&secret->secret_mutex);
    return is_new && jg_buf_ok(out);
}
