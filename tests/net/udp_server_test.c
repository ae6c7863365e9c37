/* SPDX-License-Identifier: Apache-2.0 */
#include "net/udp_server.h"
#include "support/test.h"
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct seen {
    size_t count, bytes; /* atomic */
    char last[16];
} seen;

static void receive(void *self, jaeger_str datagram)
{
    seen *s = self;
    memcpy(s->last, datagram.ptr, datagram.len < 16 ? datagram.len : 16);
    __atomic_add_fetch(&s->bytes, datagram.len, __ATOMIC_RELAXED);
    __atomic_add_fetch(&s->count, 1, __ATOMIC_RELEASE);
}

static void wait_for(const size_t *counter, size_t want)
{
    for (int i = 0; i < 1000 && __atomic_load_n(counter, __ATOMIC_ACQUIRE) < want; i++)
        (void)poll(NULL, 0, 2);
    assert_int_equal(__atomic_load_n(counter, __ATOMIC_ACQUIRE), want);
}

static int client_of(const jg_udp_server *server)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(jg_udp_server_port(server))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void udp_server_takes_bursts_and_empty_datagrams_and_drops_long_ones(void **state)
{
    (void)state;
    jg_net *net = NULL;
    jg_udp_server *server = NULL;
    seen s = {0};
    jg_udp_server_options options = {
        .endpoint = JAEGER_STR("127.0.0.1:0"), .datagram_bytes_max = 1000, .receive = receive, .self = &s};
    assert_ok(jg_net_new(NULL, &net, NULL));
    assert_ok(jg_udp_server_start(net, &options, &server, NULL));
    assert_true(jg_udp_server_buffer_bytes(server) > 0);
    int fd = client_of(server);
    static const char bytes[1001];
    for (int i = 0; i < 500; i++) {
        assert_int_equal(send(fd, bytes, 1000, 0), 1000);
        if (i % 50 == 49) /* the kernel's buffer may be small here */
            wait_for(&s.count, (size_t)i + 1);
    }
    assert_int_equal(send(fd, bytes, 1001, 0), 1001);
    assert_int_equal(send(fd, bytes, 0, 0), 0);
    wait_for(&s.count, 501);
    assert_int_equal(s.bytes, 500000);
    jg_udp_server_stats stats = jg_udp_server_stats_of(server);
    assert_int_equal(stats.received, 501);
    assert_int_equal(stats.too_long, 1);
    assert_int_equal(send(fd, "last", 4, 0), 4);
    jg_udp_server_stop(server); /* takes what has arrived */
    assert_int_equal(s.count, 502);
    assert_memory_equal(s.last, "last", 4);
    (void)close(fd);
    jg_net_free(net);
}

static void udp_server_names_the_address_in_use(void **state)
{
    (void)state;
    jg_net *net = NULL;
    jg_udp_server *server = NULL, *second = NULL;
    jg_udp_server_options options = {.endpoint = JAEGER_STR("127.0.0.1:0"), .receive = receive};
    assert_ok(jg_net_new(NULL, &net, NULL));
    assert_ok(jg_udp_server_start(net, &options, &server, NULL));
    char endpoint[32];
    (void)snprintf(endpoint, sizeof endpoint, "127.0.0.1:%u", jg_udp_server_port(server));
    options.endpoint = (jaeger_str){endpoint, strlen(endpoint)};
    jaeger_error err = {0};
    assert_int_equal(jg_udp_server_start(net, &options, &second, &err), JAEGER_UNAVAILABLE);
    assert_non_null(strstr(err.message, "listen udp 127.0.0.1:"));
    assert_non_null(strstr(err.message, "bind: address already in use"));
    jg_udp_server_stop(server);
    jg_net_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(udp_server_takes_bursts_and_empty_datagrams_and_drops_long_ones),
        cmocka_unit_test(udp_server_names_the_address_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
