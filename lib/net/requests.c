/* SPDX-License-Identifier: Apache-2.0
 * See requests.h. A short table under one mutex; row 0 is shared by the names that found no room.
 */
#include "net/requests.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/str.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define SEGMENTS 2 /* of a URL's path: what follows are ids and names */

struct jg_requests {
    pthread_mutex_t rows_mutex; /* guards what follows */
    size_t count;
    jg_request_row rows[JG_REQUEST_NAMES_MAX + 1];
};

jg_requests *jg_requests_new(void)
{
    jg_requests *r = jg_calloc(1, sizeof *r);
    if (!r)
        return NULL;
    (void)pthread_mutex_init(&r->rows_mutex, NULL);
    (void)snprintf(r->rows[0].name, sizeof r->rows[0].name, "(others)");
    r->count = 1;
    return r;
}

void jg_requests_free(jg_requests *r)
{
    if (!r)
        return;
    (void)pthread_mutex_destroy(&r->rows_mutex);
    jg_free(r);
}

static jaeger_str first_segments(jaeger_str path)
{
    size_t len = 0, slashes = 0;
    while (len < path.len && (path.ptr[len] != '/' || ++slashes <= SEGMENTS))
        len++;
    return (jaeger_str){path.ptr, len};
}

/** With the mutex held. */
static int find(const jg_requests *r, const char *name)
{
    for (size_t i = 1; i < r->count; i++)
        if (strcmp(r->rows[i].name, name) == 0)
            return (int)i;
    return -1;
}

void jg_requests_begin(jg_requests *r, jg_request_mark *mark, const char *owner, jaeger_str method,
                       jaeger_str path)
{
    mark->requests = r;
    if (!r)
        return;
    jaeger_str shown = method.len ? first_segments(path) : path;
    (void)snprintf(mark->name, sizeof mark->name, "%s %.*s%s%.*s", owner ? owner : "",
                   JAEGER_STR_ARGS(method), method.len ? " " : "", JAEGER_STR_ARGS(shown));
    mark->start_unix_ns = jg_clock_unix_ns();
    mark->start_ns = jg_clock_mono_ns();
    (void)pthread_mutex_lock(&r->rows_mutex);
    mark->row = find(r, mark->name);
    r->rows[mark->row < 0 ? 0 : mark->row].running++;
    (void)pthread_mutex_unlock(&r->rows_mutex);
}

static size_t bucket_of(uint64_t ns)
{
    size_t bucket = 0;
    for (uint64_t end = 10000; bucket + 1 < JG_REQUEST_BUCKETS && ns >= end; end *= 10)
        bucket++;
    return bucket;
}

/** With the mutex held: where the request belongs now that it is known. */
static jg_request_row *row_of(jg_requests *r, const jg_request_mark *mark, bool unknown)
{
    int at = mark->row < 0 ? find(r, mark->name) : mark->row;
    if (at < 0 && !unknown && r->count < JG_COUNT(r->rows)) {
        at = (int)r->count++;
        memcpy(r->rows[at].name, mark->name, sizeof mark->name);
    }
    return &r->rows[at < 0 ? 0 : at];
}

void jg_requests_end(jg_request_mark *mark, int code, bool failed, bool unknown, const char *error)
{
    jg_requests *r = mark->requests;
    if (!r)
        return;
    jg_request_example e = {.start_unix_ns = mark->start_unix_ns,
                            .duration_ns = jg_clock_mono_ns() - mark->start_ns,
                            .code = code};
    (void)snprintf(e.error, sizeof e.error, "%s", error ? error : "");
    size_t bucket = bucket_of(e.duration_ns);
    (void)pthread_mutex_lock(&r->rows_mutex);
    r->rows[mark->row < 0 ? 0 : mark->row].running--;
    jg_request_row *row = row_of(r, mark, unknown);
    row->took[bucket]++;
    row->last[bucket] = e;
    if (failed) {
        row->failed++;
        row->last_failed = e;
    }
    (void)pthread_mutex_unlock(&r->rows_mutex);
}

bool jg_requests_row(jg_requests *r, size_t index, jg_request_row *ret)
{
    (void)pthread_mutex_lock(&r->rows_mutex);
    bool there = index < r->count;
    if (there)
        *ret = r->rows[index];
    (void)pthread_mutex_unlock(&r->rows_mutex);
    return there;
}
