/* SPDX-License-Identifier: Apache-2.0
 * Hostile peers, one connection each unless said otherwise: memory stays bounded and others are served.
 */
#include "support/grpc_fixture.h"
#include <arpa/inet.h>
#include <nghttp2/nghttp2.h>
#include <sys/socket.h>

#define RESETS 4000

/* ---- a client that writes frames by hand
 * ------------------------------------------------------------------- */

static int raw_socket(const grpc_fixture *f)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(jg_grpc_server_port(f->server))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    struct timeval patience = {.tv_sec = 5};
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
}

static void put_frame(jg_buf *out, uint8_t type, uint8_t flags, uint32_t stream, const void *payload,
                      size_t len)
{
    uint8_t head[9] = {
        (uint8_t)(len >> 16),    (uint8_t)(len >> 8),     (uint8_t)len,           type,           flags,
        (uint8_t)(stream >> 24), (uint8_t)(stream >> 16), (uint8_t)(stream >> 8), (uint8_t)stream};
    jg_buf_append(out, head, sizeof head);
    jg_buf_append(out, payload, len);
}

static void put_preface(jg_buf *out)
{
    jg_buf_lit(out, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    put_frame(out, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
}

/** HEADERS of a call, literal without indexing; `extra`: bytes of one more header's value. */
static void put_call(jg_buf *out, uint32_t stream, const char *path, const char *content_type, size_t extra,
                     uint8_t flags)
{
    JG_AUTO_BUF jg_buf block = JG_BUF_INIT(1 << 20);
    const char *const pairs[][2] = {{":method", "POST"}, {":scheme", "http"}, {":path", path},
                                    {":authority", "x"}, {"te", "trailers"},  {"content-type", content_type}};
    for (size_t i = 0; i < JG_COUNT(pairs); i++) {
        jg_buf_byte(&block, 0);
        jg_buf_byte(&block, (uint8_t)strlen(pairs[i][0]));
        jg_buf_str(&block, jg_str(pairs[i][0]));
        jg_buf_byte(&block, (uint8_t)strlen(pairs[i][1]));
        jg_buf_str(&block, jg_str(pairs[i][1]));
    }
    if (extra) { /* value length as HPACK integer with a 7-bit prefix */
        jg_buf_lit(&block, "\x00\x01"
                           "x\x7f");
        size_t rest = extra - 127;
        for (; rest >= 128; rest /= 128)
            jg_buf_byte(&block, (uint8_t)(rest % 128 + 128));
        jg_buf_byte(&block, (uint8_t)rest);
        for (size_t i = 0; i < extra; i++)
            jg_buf_byte(&block, 'y');
    }
    size_t first = JG_MIN(block.len, 16384u);
    bool whole = first == block.len;
    put_frame(out, NGHTTP2_HEADERS, (uint8_t)(flags | (whole ? NGHTTP2_FLAG_END_HEADERS : 0)), stream,
              block.data, first);
    for (size_t at = first; at < block.len; at += 16384) {
        size_t n = JG_MIN(block.len - at, 16384u);
        put_frame(out, NGHTTP2_CONTINUATION, at + n == block.len ? NGHTTP2_FLAG_END_HEADERS : 0, stream,
                  block.data + at, n);
    }
}

/** @return false: the server cut the connection */
static bool raw_send(int fd, jg_buf *out)
{
    assert_true(jg_buf_ok(out));
    size_t at = 0;
    while (at < out->len) {
        ssize_t n = send(fd, out->data + at, out->len - at, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    jg_buf_clear(out);
    return true;
}

/** Read until the server closes or `ms` pass in silence. @return true: closed */
static bool raw_drain(int fd, int ms, jg_buf *got)
{
    uint8_t bytes[16384];
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, ms) <= 0)
            return false;
        ssize_t n = recv(fd, bytes, sizeof bytes, 0);
        if (n <= 0)
            return true;
        if (got)
            jg_buf_append(got, bytes, (size_t)n);
    }
}

/* ---- what must hold
 * ---------------------------------------------------------------------------------------- */

/** 0 under sanitizers, which keep freed memory. */
static size_t resident_kib(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return 0;
#endif
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*u %lu", &pages), 1);
    (void)fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE) / 1024;
}

static void assert_others_are_served(grpc_fixture *f)
{
    for (int i = 0; i < 20; i++) {
        JG_AUTO_BUF jg_buf answer = JG_BUF_INIT(1 << 20);
        assert_ok(fixture_call(f, "/test.Echo/Unary", JAEGER_STR("still here"), 5000, &answer, NULL));
    }
}

static void server_cuts_off_rapid_resets(void **state)
{
    (void)state;
    grpc_fixture f = {0};
    fixture_start(&f);
    int fd = raw_socket(&f);
    JG_AUTO_BUF jg_buf out = JG_BUF_INIT(1 << 20);
    put_preface(&out);
    bool open = true;
    unsigned sent = 0;
    for (; sent < RESETS && open; sent++) {
        uint32_t stream = 2 * sent + 1;
        put_call(&out, stream, "/test.Echo/Sleep", "application/grpc", 0, 0);
        put_frame(&out, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, stream,
                  "\0\0\0\0\3"
                  "100",
                  8);
        put_frame(&out, NGHTTP2_RST_STREAM, 0, stream, "\0\0\0\x08", 4);
        if (out.len > 4096)
            open = raw_send(fd, &out);
    }
    bool closed = raw_drain(fd, 3000, NULL);
    assert_true(!open || closed);
    assert_others_are_served(&f);
    (void)close(fd);
    fixture_stop(&f);
}

static void server_bounds_header_lists(void **state)
{
    (void)state;
    static const struct {
        size_t extra;
        const char *status; /* NULL: the connection is cut, or the stream reset */
    } cases[] = {{15000, "415"}, {20000, "431"}, {60000, "431"}, {200000, NULL}};
    grpc_fixture f = {0};
    fixture_start(&f);
    for (size_t i = 0; i < JG_COUNT(cases); i++) {
        int fd = raw_socket(&f);
        JG_AUTO_BUF jg_buf out = JG_BUF_INIT(1 << 20), got = JG_BUF_INIT(1 << 20);
        put_preface(&out);
        put_call(&out, 1, "/test.Echo/Unary", "text/plain", cases[i].extra, NGHTTP2_FLAG_END_STREAM);
        bool sent = raw_send(fd, &out);
        bool closed = raw_drain(fd, 300, &got);
        if (cases[i].status)
            assert_non_null(memmem(got.data, got.len, cases[i].status, 3));
        else
            assert_true(!sent || closed || got.len > 0);
        (void)close(fd);
    }
    assert_others_are_served(&f);
    fixture_stop(&f);
}

static void server_ends_floods_of_continuations(void **state)
{
    (void)state;
    grpc_fixture f = {0};
    fixture_start(&f);
    size_t before = resident_kib();
    int fd = raw_socket(&f);
    JG_AUTO_BUF jg_buf out = JG_BUF_INIT(1 << 20);
    put_preface(&out);
    put_frame(&out, NGHTTP2_HEADERS, 0, 1, "\x82", 1);
    static const uint8_t empty_pairs[1024] = {0};
    bool open = true;
    for (int i = 0; i < 20000 && open; i++) {
        put_frame(&out, NGHTTP2_CONTINUATION, 0, 1, empty_pairs, i % 2 ? sizeof empty_pairs : 0);
        open = out.len < 65536 || raw_send(fd, &out);
    }
    assert_true(!open || raw_drain(fd, 3000, NULL));
    assert_true(resident_kib() < before + 20 * 1024);
    assert_others_are_served(&f);
    (void)close(fd);
    fixture_stop(&f);
}

static void server_holds_little_for_those_who_announce_much(void **state)
{
    (void)state;
    grpc_fixture f = {.net_options = {.in_flight_bytes_max = 64 << 20}};
    fixture_start(&f);
    size_t before = resident_kib();
    int fds[16];
    for (size_t i = 0; i < JG_COUNT(fds); i++) { /* 16 times 100 calls announce 4 MiB each: 6.4 GB */
        JG_AUTO_BUF jg_buf out = JG_BUF_INIT(1 << 20);
        fds[i] = raw_socket(&f);
        put_preface(&out);
        for (uint32_t k = 0; k < 100; k++) {
            put_call(&out, 2 * k + 1, "/test.Echo/Unary", "application/grpc", 0, 0);
            put_frame(&out, NGHTTP2_DATA, 0, 2 * k + 1, "\0\0\x40\0\0half", 9);
        }
        assert_true(raw_send(fds[i], &out));
    }
    (void)poll(NULL, 0, 200);
    assert_true(resident_kib() < before + 100 * 1024);
    assert_others_are_served(&f);
    for (size_t i = 0; i < JG_COUNT(fds); i++)
        (void)close(fds[i]);
    fixture_stop(&f);
}

static void server_serves_others_beside_silent_connections(void **state)
{
    (void)state;
    grpc_fixture f = {0};
    fixture_start(&f);
    static int fds[400];
    size_t before = resident_kib();
    for (size_t i = 0; i < JG_COUNT(fds); i++) { /* nothing, half a preface, a preface, half a header */
        JG_AUTO_BUF jg_buf out = JG_BUF_INIT(1 << 16);
        fds[i] = raw_socket(&f);
        if (i % 4 == 1)
            jg_buf_lit(&out, "PRI * HTTP/2");
        if (i % 4 >= 2)
            put_preface(&out);
        if (i % 4 == 3) {
            put_call(&out, 1, "/test.Echo/Unary", "application/grpc", 0, 0);
            out.len -= 20;
        }
        assert_true(raw_send(fds[i], &out));
    }
    (void)poll(NULL, 0, 200);
    assert_others_are_served(&f);
    assert_true(resident_kib() < before + JG_COUNT(fds) * 100);
    for (size_t i = 0; i < JG_COUNT(fds); i++)
        (void)close(fds[i]);
    fixture_stop(&f);
}

static void server_bounds_replies_for_those_who_do_not_read(void **state)
{
    (void)state;
    grpc_fixture f = {0};
    fixture_start(&f);
    size_t before = resident_kib();
    int fd = raw_socket(&f);
    JG_AUTO_BUF jg_buf out = JG_BUF_INIT(1 << 20);
    put_preface(&out);
    static const uint8_t window[4] = {0x7f, 0xff, 0, 0};
    put_frame(&out, NGHTTP2_WINDOW_UPDATE, 0, 0, window, 4);
    for (uint32_t k = 0; k < 20; k++) { /* each asks for 1 GB and would let it come */
        put_call(&out, 2 * k + 1, "/test.Echo/Stream", "application/grpc", 0, 0);
        put_frame(&out, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 2 * k + 1,
                  "\0\0\0\0\x0b"
                  "10000 99999",
                  16);
        put_frame(&out, NGHTTP2_WINDOW_UPDATE, 0, 2 * k + 1, window, 4);
    }
    assert_true(raw_send(fd, &out));
    (void)poll(NULL, 0, 500);
    assert_true(resident_kib() < before + 60 * 1024);
    assert_others_are_served(&f);
    (void)close(fd);
    fixture_stop(&f);
}

static void server_cuts_off_floods_of_pings_and_settings(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        grpc_fixture f = {0};
        fixture_start(&f);
        size_t before = resident_kib();
        int fd = raw_socket(&f);
        JG_AUTO_BUF jg_buf out = JG_BUF_INIT(1 << 20);
        put_preface(&out);
        bool open = true;
        for (int i = 0; i < 100000 && open; i++) {
            if (kind)
                put_frame(&out, NGHTTP2_SETTINGS, 0, 0, "\0\4\0\1\0\0", 6);
            else
                put_frame(&out, NGHTTP2_PING, 0, 0, "pingpong", 8);
            open = out.len < 65536 || raw_send(fd, &out);
        }
        bool closed = !open || raw_drain(fd, 3000, NULL);
        assert_true(closed || kind == 1); /* settings are only answered */
        assert_true(resident_kib() < before + 20 * 1024);
        assert_others_are_served(&f);
        (void)close(fd);
        fixture_stop(&f);
    }
}

static void server_survives_noise(void **state)
{
    (void)state;
    grpc_fixture f = {0};
    fixture_start(&f);
    srand(3);
    for (int round = 0; round < 200; round++) {
        int fd = raw_socket(&f);
        JG_AUTO_BUF jg_buf out = JG_BUF_INIT(1 << 20);
        if (round % 4)
            put_preface(&out);
        if (round % 2)
            put_call(&out, 1, "/test.Echo/Unary", "application/grpc", 0, 0);
        for (int i = 0; i < 20; i++) {
            uint8_t noise[64];
            for (size_t k = 0; k < sizeof noise; k++)
                noise[k] = (uint8_t)rand();
            put_frame(&out, (uint8_t)(rand() % 11), (uint8_t)rand(), (uint32_t)(rand() % 4), noise,
                      (size_t)(rand() % 64));
        }
        (void)raw_send(fd, &out);
        (void)close(fd);
    }
    assert_others_are_served(&f);
    fixture_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(server_cuts_off_rapid_resets),
        cmocka_unit_test(server_bounds_header_lists),
        cmocka_unit_test(server_ends_floods_of_continuations),
        cmocka_unit_test(server_holds_little_for_those_who_announce_much),
        cmocka_unit_test(server_serves_others_beside_silent_connections),
        cmocka_unit_test(server_bounds_replies_for_those_who_do_not_read),
        cmocka_unit_test(server_cuts_off_floods_of_pings_and_settings),
        cmocka_unit_test(server_survives_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
