/* SPDX-License-Identifier: Apache-2.0
 * A node that only plays faults: it answers from a script and counts what came. What a real cluster does is
 * tested against real ones (storage/opensearch_conform.c, e2e/test_opensearch.py).
 */
#ifndef JG_TEST_OPENSEARCH_H
#define JG_TEST_OPENSEARCH_H

#include "support/http.h"
#include <pthread.h>

typedef struct fake_node {
    jg_net *net;
    jg_http_server *server;
    jg_http_server_settings settings;
    char url[64];
    /** Answers a request; NULL: 200 and {}. */
    void (*answer)(struct fake_node *node, jg_http_request *request, jg_http_reply *reply);
    void *user;
    int count; /* atomic: requests so far */
    pthread_mutex_t seen_mutex;
    char authorization[256], encoding[64], type[64], path[512];
    jg_buf body; /* of the last request */
} fake_node;

static inline void fake_keep(char *out, size_t room, jaeger_str value)
{
    (void)snprintf(out, room, "%.*s", JAEGER_STR_ARGS(value));
}

static inline void fake_handle(void *self, jg_http_request *request, jg_http_reply *reply)
{
    fake_node *node = self;
    (void)pthread_mutex_lock(&node->seen_mutex);
    fake_keep(node->authorization, sizeof node->authorization, jg_http_header(request, "authorization"));
    fake_keep(node->encoding, sizeof node->encoding, jg_http_header(request, "content-encoding"));
    fake_keep(node->type, sizeof node->type, request->content_type);
    fake_keep(node->path, sizeof node->path, request->path);
    jg_buf_clear(&node->body);
    jg_buf_str(&node->body, request->body);
    (void)pthread_mutex_unlock(&node->seen_mutex);
    (void)__atomic_fetch_add(&node->count, 1, __ATOMIC_SEQ_CST);
    if (node->answer)
        node->answer(node, request, reply);
    else
        jg_http_send(reply, 200, "application/json", JAEGER_STR("{}"));
}

static inline void fake_start(fake_node *node)
{
    jaeger_error err = {0};
    node->settings.endpoint = JAEGER_STR("127.0.0.1:0");
    node->settings.keep_alives_enabled = true;
    node->body = JG_BUF_INIT(64u << 20);
    (void)pthread_mutex_init(&node->seen_mutex, NULL);
    assert_ok(jg_net_new(&(jg_net_options){.http_threads = 1}, &node->net, &err));
    jg_http_server_options options = {
        .settings = &node->settings, .handler = {fake_handle, node}, .name = "fake"};
    assert_ok(jg_http_server_start(node->net, &options, &node->server, &err));
    (void)snprintf(node->url, sizeof node->url, "http://127.0.0.1:%u", jg_http_server_port(node->server));
}

static inline void fake_stop(fake_node *node)
{
    jg_http_server_stop(node->server, jg_clock_mono_ns() + 2 * JG_NS_PER_S);
    jg_net_free(node->net);
    jg_buf_done(&node->body);
    (void)pthread_mutex_destroy(&node->seen_mutex);
}

static inline int fake_count(fake_node *node)
{
    return __atomic_load_n(&node->count, __ATOMIC_SEQ_CST);
}

#endif
