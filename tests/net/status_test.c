/* SPDX-License-Identifier: Apache-2.0 */
#include "net/status.h"
#include "support/test.h"

static void statuses_map_as_the_otlp_receiver_maps_them(void **state)
{
    (void)state;
    static const int want[] = {200, 503, 500, 400, 503, 500, 500, 403, 429,
                               500, 503, 503, 404, 500, 503, 503, 401};
    for (int i = 0; i < (int)JG_COUNT(want); i++)
        if (jg_status_to_http((jaeger_status)i) != want[i])
            fail_msg("%s: %d", jaeger_status_name((jaeger_status)i), jg_status_to_http((jaeger_status)i));
}

static void answers_map_back_for_clients(void **state)
{
    (void)state;
    assert_int_equal(jg_status_from_http(204), JAEGER_OK);
    assert_int_equal(jg_status_from_http(429), JAEGER_RESOURCE_EXHAUSTED);
    for (int http = 502; http <= 504; http++)
        assert_int_equal(jg_status_from_http(http), JAEGER_UNAVAILABLE);
    assert_int_equal(jg_status_from_http(401), JAEGER_UNAUTHENTICATED);
    assert_int_equal(jg_status_from_http(413), JAEGER_INVALID_ARGUMENT);
    assert_int_equal(jg_status_from_http(500), JAEGER_UNKNOWN);
    assert_int_equal(jg_status_from_http(302), JAEGER_UNKNOWN);
}

static void a_status_is_written_as_google_rpc_status(void **state)
{
    (void)state;
    jg_buf out JG_AUTO_BUF = JG_BUF_INIT(1000);
    jg_status_write_pb(&out, JAEGER_INVALID_ARGUMENT, JAEGER_STR("bad"), 0);
    assert_str(jg_buf_view(&out), "\x08\x03\x12\x03"
                                  "bad");
    jg_buf_clear(&out);
    jg_status_write_pb(&out, JAEGER_UNAVAILABLE, JAEGER_STR("x"), 1500);
    assert_str(jg_buf_view(&out), "\x08\x0e\x12\x01x\x1a\x36\x0a\x28type.googleapis.com/google.rpc.RetryInfo"
                                  "\x12\x0a\x0a\x08\x08\x01\x10\x80\xca\xb5\xee\x01");
    jg_buf_clear(&out);
    jg_status_write_json(&out, JAEGER_INVALID_ARGUMENT, JAEGER_STR("say \"no\""));
    assert_str(jg_buf_view(&out), "{\"code\":3,\"message\":\"say \\\"no\\\"\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses_map_as_the_otlp_receiver_maps_them),
        cmocka_unit_test(answers_map_back_for_clients),
        cmocka_unit_test(a_status_is_written_as_google_rpc_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
