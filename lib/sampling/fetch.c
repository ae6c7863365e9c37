/* SPDX-License-Identifier: Apache-2.0
 * See fetch.h. libcurl, http and https only.
 */
#include "sampling/fetch.h"

#include "core/clock.h"
#include "core/err.h"
#include "core/str.h"
#include <curl/curl.h>

#define REDIRECTS_MAX 5L

static size_t take_bytes(char *bytes, size_t size, size_t count, void *user)
{
    jg_buf *out = user;
    jg_buf_append(out, bytes, size * count);
    return jg_buf_ok(out) ? size * count : 0;
}

static bool set_options(CURL *curl, const char *url, uint64_t timeout_ns, jg_buf *out)
{
    long timeout_ms = (long)JG_MAX(timeout_ns / JG_NS_PER_MS, 1u);
    return curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_MAXREDIRS, REDIRECTS_MAX) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEDATA, out) == CURLE_OK;
}

jaeger_status jg_fetch(const char *url, uint64_t timeout_ns, jg_buf *out, long *ret_status, jaeger_error *err)
{
    CURL *curl = curl_easy_init();
    if (!curl || !set_options(curl, url, timeout_ns, out)) {
        curl_easy_cleanup(curl);
        return jg_fail_oom(err);
    }
    long status = 0;
    CURLcode code = curl_easy_perform(curl);
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    if (!jg_buf_ok(out))
        return jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "%s: larger than %zu bytes", url, out->max);
    if (code != CURLE_OK)
        return jg_fail(err, JAEGER_UNAVAILABLE, "%s: %s", url, curl_easy_strerror(code));
    *ret_status = status;
    return JAEGER_OK;
}

static bool is_plain(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c && strchr("-_.~", c));
}

bool jg_fetch_url_of(jg_buf *out, jaeger_str base, jaeger_str service)
{
    jg_buf_str(out, base);
    jg_buf_byte(out, jg_str_find(base, '?') < base.len ? '&' : '?');
    jg_buf_lit(out, "service=");
    for (size_t i = 0; i < service.len; i++) {
        if (is_plain(service.ptr[i]))
            jg_buf_byte(out, (uint8_t)service.ptr[i]);
        else
            jg_buf_printf(out, "%%%02X", (unsigned)(uint8_t)service.ptr[i]);
    }
    jg_buf_byte(out, 0);
    return jg_buf_ok(out);
}
