/* SPDX-License-Identifier: Apache-2.0 */
#include "core/str.h"
#include "net/loop.h"
#include "net/net.h"
#include "support/test.h"
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void net_listens_where_it_is_told(void **state)
{
    (void)state;
    static const char *const good[] = {"127.0.0.1:0", "localhost:0", ":0", "0.0.0.0:0", "[::]:0"};
    for (size_t i = 0; i < JG_COUNT(good); i++) {
        int fd = -1;
        jaeger_error err = {0};
        if (jg_net_listen(jg_str(good[i]), &fd, &err) != JAEGER_OK)
            fail_msg("%s: %s", good[i], err.message);
        assert_int_not_equal(jg_net_port(fd), 0);
        jg_net_unlisten(fd);
    }
}

static void net_rejects_what_is_no_endpoint(void **state)
{
    (void)state;
    static const char *const bad[] = {"",       "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536",
                                      "::1:80", "unix:"};
    for (size_t i = 0; i < JG_COUNT(bad); i++) {
        int fd = -1;
        jaeger_error err = {0};
        assert_int_equal(jg_net_listen(jg_str(bad[i]), &fd, &err), JAEGER_INVALID_ARGUMENT);
        assert_int_equal(fd, -1);
    }
}

static void net_names_the_address_that_is_in_use(void **state)
{
    (void)state;
    int fd = -1, second = -1;
    assert_ok(jg_net_listen(JAEGER_STR("127.0.0.1:0"), &fd, NULL));
    char endpoint[32], want[96];
    (void)snprintf(endpoint, sizeof endpoint, "127.0.0.1:%u", jg_net_port(fd));
    (void)snprintf(want, sizeof want, "listen tcp %s: bind: address already in use", endpoint);
    jaeger_error err = {0};
    assert_int_equal(jg_net_listen(jg_str(endpoint), &second, &err), JAEGER_UNAVAILABLE);
    assert_string_equal(err.message, want);
    jg_net_unlisten(fd);
}

static void net_replaces_a_dead_socket_file_but_not_a_live_one(void **state)
{
    (void)state;
    char path[64], endpoint[80];
    (void)snprintf(path, sizeof path, "/tmp/jg_net_test_%d.sock", (int)getpid());
    (void)snprintf(endpoint, sizeof endpoint, "unix:%s", path);
    int fd = -1, second = -1;
    assert_ok(jg_net_listen(jg_str(endpoint), &fd, NULL));
    jaeger_error err = {0};
    assert_int_equal(jg_net_listen(jg_str(endpoint), &second, &err), JAEGER_UNAVAILABLE);
    (void)close(fd); /* as if killed: the file stays */
    assert_int_equal(access(path, F_OK), 0);
    assert_ok(jg_net_listen_as(JAEGER_STR("unix"), jg_str(path), &fd, NULL));
    jg_net_unlisten(fd);
    assert_int_not_equal(access(path, F_OK), 0);
}

static void net_admits_up_to_its_budget(void **state)
{
    (void)state;
    jg_net *net = NULL;
    assert_ok(jg_net_new(&(jg_net_options){.in_flight_bytes_max = 1000}, &net, NULL));
    assert_true(jg_net_admit(net, 600));
    assert_false(jg_net_admit(net, 500));
    assert_false(jg_net_admit(net, SIZE_MAX));
    assert_true(jg_net_admit(net, 400));
    jg_net_release(net, 1000);
    assert_true(jg_net_admit(net, 1000));
    jg_net_release(net, 1000);
    jg_net_free(net);
}

static void net_gives_the_least_loaded_loop(void **state)
{
    (void)state;
    jg_net *net = NULL;
    assert_ok(jg_net_new(&(jg_net_options){.loop_threads = 3}, &net, NULL));
    assert_int_equal(jg_net_loop_count(net), 0);
    for (int i = 0; i < 6; i++)
        (void)jg_loop_load(jg_net_loop(net), 1);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(jg_loop_load(jg_net_loop_at(net, i), 0), 2);
    jg_net_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(net_listens_where_it_is_told),
        cmocka_unit_test(net_rejects_what_is_no_endpoint),
        cmocka_unit_test(net_names_the_address_that_is_in_use),
        cmocka_unit_test(net_replaces_a_dead_socket_file_but_not_a_live_one),
        cmocka_unit_test(net_admits_up_to_its_budget),
        cmocka_unit_test(net_gives_the_least_loaded_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
