/* SPDX-License-Identifier: Apache-2.0
 * A small file with a secret, read again whenever it has changed. If that fails, the last content stays.
 */
#ifndef JG_CORE_SECRET_H
#define JG_CORE_SECRET_H

#include "core/attr.h"
#include "core/buf.h"
#include <pthread.h>
#include <sys/stat.h>

#define JG_SECRET_BYTES_MAX (1u << 20)

typedef struct jg_secret {
    const char *path;
    pthread_mutex_t secret_mutex; /* guards what follows */
    jg_buf content;
    struct stat seen;
    unsigned version; /* counts contents */
} jg_secret;

/** @param path must outlive the secret. Reads nothing yet. */
void jg_secret_init(jg_secret *secret, const char *path);
void jg_secret_done(jg_secret *secret);
/** Append the content. @return UNAVAILABLE: it was never readable; RESOURCE_EXHAUSTED. Threads: any. */
jaeger_status jg_secret_get(jg_secret *secret, jg_buf *out, jaeger_error *err) JG_MUST_CHECK;
/** The same for who keeps what it made of the content: nothing is appended if *version is that of the
 * content, else *version becomes it. @return true: there is new content in `out` */
bool jg_secret_get_new(jg_secret *secret, unsigned *version, jg_buf *out) JG_MUST_CHECK;

#endif
