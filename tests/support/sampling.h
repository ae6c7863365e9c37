/* SPDX-License-Identifier: Apache-2.0
 * For tests of remote_sampling: services on ports of this process, their log, and what they answer.
 */
#ifndef JG_TEST_SAMPLING_H
#define JG_TEST_SAMPLING_H

#include "support/http.h"
#include "support/test.h"
#include <jaeger/service.h>
#include <pthread.h>

static pthread_mutex_t log_mutex = PTHREAD_MUTEX_INITIALIZER;
static char log_text[65536];

JG_INLINE void keep_line(void *user, jaeger_level level, jaeger_str line)
{
    (void)user, (void)level;
    pthread_mutex_lock(&log_mutex);
    size_t n = strlen(log_text);
    (void)snprintf(log_text + n, sizeof log_text - n, "%.*s\n", JAEGER_STR_ARGS(line));
    pthread_mutex_unlock(&log_mutex);
}

JG_INLINE bool log_has(const char *want)
{
    pthread_mutex_lock(&log_mutex);
    bool has = strstr(log_text, want);
    pthread_mutex_unlock(&log_mutex);
    return has;
}

JG_INLINE void clear_log(void)
{
    pthread_mutex_lock(&log_mutex);
    log_text[0] = 0;
    pthread_mutex_unlock(&log_mutex);
}

JG_INLINE uint16_t base_port(void)
{
    return (uint16_t)(26500 + getpid() % 120 * 4);
}

JG_INLINE void assert_text_has(const char *text, const char *want)
{
    if (!strstr(text, want))
        fail_msg("%s\nis not in\n%s", want, text);
}

JG_INLINE void wait_for_log(const char *want)
{
    for (int i = 0; i < 500 && !log_has(want); i++)
        (void)usleep(20000);
    if (!log_has(want))
        fail_msg("%s was not logged", want);
}

/** A running service of these options, whose log is kept. */
JG_INLINE jaeger_status start_logged(jaeger_service_options *options, jaeger_service **ret, jaeger_error *err)
{
    options->log = (jaeger_log_sink){.write = keep_line, .level = JAEGER_INFO};
    clear_log();
    jaeger_status status = jaeger_service_new(options, ret, err);
    if (status != JAEGER_OK)
        return status;
    status = jaeger_service_start(*ret, err);
    if (status != JAEGER_OK)
        jaeger_service_free(*ret);
    return status;
}

/** The whole answer to a request, to the end of the connection; valid until the next. */
JG_INLINE const char *http_ask(uint16_t port, const char *method, jaeger_str target)
{
    static char answer[65536];
    char request[1024];
    int fd = http_connect(port);
    (void)snprintf(request, sizeof request, "%s %.*s HTTP/1.1\r\nHost: x\r\n\r\n", method,
                   JAEGER_STR_ARGS(target));
    assert_true(http_puts(fd, request));
    size_t n = 0;
    for (ssize_t got; n < sizeof answer - 1 && (got = read(fd, answer + n, sizeof answer - 1 - n)) > 0;)
        n += (size_t)got;
    answer[n] = 0;
    (void)close(fd);
    return answer;
}

/** Its body only. */
JG_INLINE const char *http_at(uint16_t port, const char *target)
{
    const char *body = strstr(http_ask(port, "GET", jg_str(target)), "\r\n\r\n");
    return body ? body + 4 : "";
}

#endif
