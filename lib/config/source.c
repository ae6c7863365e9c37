/* SPDX-License-Identifier: Apache-2.0
 * See source.h. Spec: opentelemetry-collector confmap/provider/{env,file,yaml,http,https}provider.
 */
#include "config/source.h"

#include "core/alloc.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include <errno.h>
#include <stdio.h>

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool jg_source_split(jaeger_str uri, jaeger_str *ret_scheme, jaeger_str *ret_opaque)
{
    size_t n = 0;
    while (n < uri.len &&
           (is_alpha(uri.ptr[n]) || (n && (is_digit(uri.ptr[n]) || strchr("+.-", uri.ptr[n])))))
        n++;
    if (n < 2 || n == uri.len || uri.ptr[n] != ':')
        return false;
    *ret_scheme = (jaeger_str){uri.ptr, n};
    *ret_opaque = jg_str_skip(uri, n + 1);
    return true;
}

bool jg_source_is_known(jaeger_str scheme)
{
    static const char *const known[] = {"env", "file", "http", "https", "yaml"};
    for (size_t i = 0; i < JG_COUNT(known); i++)
        if (jg_str_is(scheme, known[i]))
            return true;
    return false;
}

static bool is_variable_name(jaeger_str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!is_alpha(name.ptr[i]) && name.ptr[i] != '_' && !(i && is_digit(name.ptr[i])))
            return false;
    return name.len > 0;
}

/* "NAME" or "NAME:-default": the default counts only if the variable is unset. */
static jaeger_status read_env(const jg_config_sources *sources, jaeger_str opaque, jg_buf *out,
                              jaeger_error *err)
{
    jaeger_str name = opaque, fallback = JAEGER_STR("");
    for (size_t i = 0; i + 1 < opaque.len; i++) {
        if (opaque.ptr[i] == ':' && opaque.ptr[i + 1] == '-') {
            name.len = i;
            fallback = jg_str_skip(opaque, i + 2);
            break;
        }
    }
    if (!is_variable_name(name))
        return jg_fail(
            err, JAEGER_INVALID_ARGUMENT,
            "environment variable \"%.*s\" has invalid name: must match regex ^[a-zA-Z_][a-zA-Z0-9_]*$",
            JAEGER_STR_ARGS(name));
    JG_AUTO_FREE char *z = jg_strndup(name.ptr, name.len);
    if (!z)
        return jg_fail_oom(err);
    const char *value = sources->getenv ? sources->getenv(sources->user, z) : NULL;
    jg_buf_str(out, value ? jg_str(value) : fallback);
    return JAEGER_OK;
}

static jaeger_status read_file(jaeger_str path, jg_buf *out, jaeger_error *err)
{
    JG_AUTO_FREE char *z = jg_strndup(path.ptr, path.len);
    if (!z)
        return jg_fail_oom(err);
    FILE *file = fopen(z, "rbe");
    int fault = file ? 0 : errno;
    uint8_t piece[4096];
    while (file && jg_buf_ok(out)) {
        size_t n = fread(piece, 1, sizeof piece, file);
        jg_buf_append(out, piece, n);
        if (n < sizeof piece) {
            fault = ferror(file) ? errno : 0;
            break;
        }
    }
    if (file)
        (void)fclose(file);
    if (fault)
        return jg_fail(err, fault == ENOENT ? JAEGER_NOT_FOUND : JAEGER_INVALID_ARGUMENT,
                       "unable to read the file file:%s: %s", z, strerror(fault));
    return JAEGER_OK;
}

jaeger_status jg_source_read(const jg_config_sources *sources, jaeger_str scheme, jaeger_str opaque,
                             jg_buf *out, jaeger_error *err)
{
    jaeger_status status = JAEGER_OK;
    if (jg_str_is(scheme, "env")) {
        status = read_env(sources, opaque, out, err);
    } else if (jg_str_is(scheme, "file")) {
        status = read_file(opaque, out, err);
    } else if (jg_str_is(scheme, "yaml")) {
        jg_buf_str(out, opaque);
    } else if (jg_source_is_known(scheme)) {
        /* scheme and opaque lie in one text: the URL is all of it */
        JG_AUTO_FREE char *url = jg_strndup(scheme.ptr, scheme.len + 1 + opaque.len);
        status = url ? jg_source_fetch(url, out, err) : jg_fail_oom(err);
    } else {
        status =
            jg_fail(err, JAEGER_INVALID_ARGUMENT, "scheme \"%.*s\" is not supported for uri \"%.*s:%.*s\"",
                    JAEGER_STR_ARGS(scheme), JAEGER_STR_ARGS(scheme), JAEGER_STR_ARGS(opaque));
    }
    if (status == JAEGER_OK && !jg_buf_ok(out))
        status = jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "%.*s:%.*s: larger than %zu bytes",
                         JAEGER_STR_ARGS(scheme), JAEGER_STR_ARGS(opaque), out->max);
    return status;
}
