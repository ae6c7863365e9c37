/* SPDX-License-Identifier: Apache-2.0
 * See file.h. The text is hashed, so that only a changed file is parsed; the same fault is logged once.
 */
#include "sampling/file.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/hash.h"
#include "core/limits.h"
#include "core/str.h"
#include "core/waiter.h"
#include "sampling/fetch.h"
#include "sampling/strategies_file.h"
#include <errno.h>
#include <stdio.h>

#define FETCH_TIMEOUT_NS JG_NS_PER_S /* Jaeger's */

struct jg_file_provider {
    jg_file_provider_options options;
    jg_strategy_box box;
    jg_waiter waiter;
    bool has_hash;
    uint64_t hash; /* of the text that is served */
};

static bool is_url(const char *path)
{
    const char *at = strstr(path, "://");
    return at && at != path && at[3] && at[3] != '/';
}

static jaeger_status read_path(const char *path, jg_buf *out, jaeger_error *err)
{
    FILE *file = fopen(path, "rbe");
    int fault = file ? 0 : errno;
    uint8_t piece[16384];
    for (size_t n = sizeof piece; file && n == sizeof piece && jg_buf_ok(out);) {
        n = fread(piece, 1, sizeof piece, file);
        jg_buf_append(out, piece, n);
        fault = ferror(file) ? errno : 0;
    }
    if (file)
        (void)fclose(file);
    if (fault)
        return jg_fail(err, fault == ENOENT ? JAEGER_NOT_FOUND : JAEGER_INVALID_ARGUMENT,
                       "failed to read strategies file %s: %s", path, strerror(fault));
    if (!jg_buf_ok(out))
        return jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "%s: larger than %zu bytes", path, out->max);
    return JAEGER_OK;
}

static jaeger_status read_url(const char *url, jg_buf *out, jaeger_error *err)
{
    long status;
    if (jg_fetch(url, FETCH_TIMEOUT_NS, out, &status, err) != JAEGER_OK)
        return jg_fail_prefix(err, "failed to download sampling strategies");
    if (status == 503) {
        jg_buf_clear(out);
        jg_buf_lit(out, "null");
    } else if (status != 200) {
        return jg_fail(err, JAEGER_UNAVAILABLE, "receiving %ld while downloading strategies file: %.*s",
                       status, (int)JG_MIN(out->len, 200u), (const char *)out->data);
    }
    return JAEGER_OK;
}

jaeger_status jg_file_provider_reload(jg_file_provider *p, jaeger_error *err)
{
    const jg_file_provider_options *o = &p->options;
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(JG_SAMPLING_FILE_BYTES_MAX);
    jg_strategies_options options = {.default_rate = o->default_rate, .name = o->path, .log = o->log};
    jg_strategy_set *set;
    JG_TRY(is_url(o->path) ? read_url(o->path, &text, err) : read_path(o->path, &text, err));
    uint64_t hash = jg_hash(text.data, text.len, 0);
    if (p->has_hash && hash == p->hash)
        return JAEGER_OK;
    JG_TRY(jg_strategies_read(jg_buf_view(&text), &options, &set, err));
    jaeger_log(o->log, JAEGER_INFO, "read sampling strategies source=%s services=%zu", o->path,
               set->services.count);
    jg_strategy_box_put(&p->box, set);
    p->has_hash = true;
    p->hash = hash;
    return JAEGER_OK;
}

static void *reload_now_and_then(void *arg)
{
    jg_file_provider *p = arg;
    jaeger_error last = {0};
    while (!jg_waiter_sleep(&p->waiter, p->options.reload_interval_ns)) {
        jaeger_error err = {0};
        if (jg_file_provider_reload(p, &err) != JAEGER_OK && strcmp(err.message, last.message) != 0)
            jaeger_log(p->options.log, JAEGER_ERROR,
                       "cannot reload sampling strategies, keeping the ones before error=\"%s\"",
                       err.message);
        last = err;
    }
    return NULL;
}

jaeger_status jg_file_provider_new(const jg_file_provider_options *options, jg_file_provider **ret,
                                   jaeger_error *err)
{
    jg_file_provider *p = jg_calloc(1, sizeof *p);
    jg_strategy_set *set = p ? jg_strategies_default(options->default_rate) : NULL;
    if (!set) {
        jg_free(p);
        return jg_fail_oom(err);
    }
    p->options = *options;
    jg_strategy_box_init(&p->box, set);
    bool has_path = options->path && *options->path;
    jaeger_status status = has_path ? jg_file_provider_reload(p, err) : JAEGER_OK;
    if (status == JAEGER_OK && has_path && options->reload_interval_ns)
        status = jg_waiter_start(&p->waiter, reload_now_and_then, p, err);
    if (status != JAEGER_OK) {
        jg_file_provider_free(p);
        return status;
    }
    *ret = p;
    return JAEGER_OK;
}

void jg_file_provider_free(jg_file_provider *p)
{
    if (!p)
        return;
    jg_waiter_stop(&p->waiter);
    jg_strategy_box_done(&p->box);
    jg_free(p);
}

static jaeger_status strategy_of(void *self, jaeger_str service, jaeger_strategy_sink out, jaeger_call *call)
{
    jg_file_provider *p = self;
    return jg_strategy_box_strategy(&p->box, service, out, call);
}

const jaeger_sampling_provider jg_file_provider_table = {.size = sizeof(jaeger_sampling_provider),
                                                         .strategy = strategy_of};
