/* SPDX-License-Identifier: Apache-2.0
 * A configuration over HTTP(S): one GET with libcurl, five seconds at most, the buffer's ceiling caps the
 * size.
 */
#include "config/source.h"

#include "core/err.h"
#include <curl/curl.h>

#define FETCH_TIMEOUT_MS 5000L /* a start must not hang on a dead server */
#define REDIRECTS_MAX    5L

static size_t take_bytes(char *bytes, size_t size, size_t count, void *user)
{
    jg_buf *out = user;
    jg_buf_append(out, bytes, size * count);
    return jg_buf_ok(out) ? size * count : 0;
}

static bool set_options(CURL *curl, const char *url, jg_buf *out)
{
    return curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_MAXREDIRS, REDIRECTS_MAX) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, FETCH_TIMEOUT_MS) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEDATA, out) == CURLE_OK;
}

jaeger_status jg_source_fetch(const char *url, jg_buf *out, jaeger_error *err)
{
    CURL *curl = curl_easy_init();
    if (!curl || !set_options(curl, url, out)) {
        curl_easy_cleanup(curl);
        return jg_fail_oom(err);
    }
    CURLcode code = curl_easy_perform(curl);
    long http_status = 0;
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http_status);
    curl_easy_cleanup(curl);
    if (!jg_buf_ok(out))
        return jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "%s: larger than %zu bytes", url, out->max);
    if (code != CURLE_OK)
        return jg_fail(err, JAEGER_UNAVAILABLE, "unable to download the file via HTTP GET for uri \"%s\": %s",
                       url, curl_easy_strerror(code));
    if (http_status != 200)
        return jg_fail(err, JAEGER_UNAVAILABLE, "failed to load resource from uri \"%s\": status code %ld",
                       url, http_status);
    return JAEGER_OK;
}
