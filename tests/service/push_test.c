/* SPDX-License-Identifier: Apache-2.0 */
#include "core/str.h"
#include "model/batch.h"
#include "model/metrics.h"
#include "service/telemetry.h"
#include "support/test.h"

static bool tell(void *self, const jg_metric_point *p)
{
    jg_buf *out = self;
    jaeger_iter attrs = jg_point_attrs(p);
    jg_buf_printf(out, "%.*s %d", JAEGER_STR_ARGS(p->name), (int)p->type);
    for (jaeger_attr attr; jaeger_next_attr(&attrs, &attr);)
        jg_buf_printf(out, " %.*s=%.*s", JAEGER_STR_ARGS(attr.key), JAEGER_STR_ARGS(attr.value.u.s));
    if (p->type == JG_METRIC_HISTOGRAM)
        jg_buf_printf(out, " n=%llu sum=%g c=%zu b=%zu", (unsigned long long)p->count, p->sum,
                      p->counts.len / 8, p->bounds.len / 8);
    else
        jg_buf_printf(out, " %g", p->value);
    jg_buf_printf(out, " %llu-%llu;", (unsigned long long)p->start_unix_ns,
                  (unsigned long long)p->time_unix_ns);
    return true;
}

static void metrics_become_an_otlp_message(void **state)
{
    (void)state;
    static const double bounds[] = {1, 10};
    jg_metrics *metrics = jg_metrics_new();
    jg_telemetry telemetry = {.resource = {{JAEGER_STR("service.name"), JAEGER_STR("shop")}},
                              .resource_count = 1};
    const jaeger_pair labels[] = {{JAEGER_STR("a"), JAEGER_STR("x\"y\\z\n")},
                                  {JAEGER_STR("b"), JAEGER_STR("")}};
    jg_metric_add(jg_metrics_counter(metrics, "sent", "What was sent.", labels, 2), 3);
    jg_metric_add(jg_metrics_counter(metrics, "sent", "What was sent.", labels + 1, 1), 4);
    jg_metric_set(jg_metrics_gauge(metrics, "size", "Now.", NULL, 0), -2);
    jg_metric *took = jg_metrics_histogram(metrics, "took", "Time.", NULL, 0, bounds, JG_COUNT(bounds));
    jg_metric_observe(took, 0.5);
    jg_metric_observe(took, 50);
    JG_AUTO_BUF jg_buf message = JG_BUF_INIT(1 << 20);
    JG_AUTO_BUF jg_buf told = JG_BUF_INIT(1 << 20);
    jg_push_write(&telemetry, metrics, NULL, 5, 9, &message);
    assert_true(jg_buf_ok(&message));
    size_t points;
    assert_true(jg_metrics_valid(jg_buf_view(&message), &points));
    assert_int_equal(points, 4);
    assert_true(jg_metrics_walk(jg_buf_view(&message), (jg_metric_sink){tell, &told}));
    assert_str(jg_buf_view(&told), "sent 7 a=x\"y\\z\n b= 3 5-9;sent 7 b= 4 5-9;size 5 -2 5-9;"
                                   "took 9 n=2 sum=50.5 c=3 b=2 5-9;");
    jg_metrics_free(metrics);
}

/* What one collection of deltas tells. */
static void check_delta(jg_metrics *metrics, jg_push_memory *memory, uint64_t now, const char *want)
{
    jg_telemetry telemetry = {0};
    JG_AUTO_BUF jg_buf message = JG_BUF_INIT(1 << 20);
    JG_AUTO_BUF jg_buf told = JG_BUF_INIT(1 << 20);
    jg_push_write(&telemetry, metrics, memory, 5, now, &message);
    assert_true(jg_buf_ok(&message));
    assert_true(jg_metrics_walk(jg_buf_view(&message), (jg_metric_sink){tell, &told}));
    assert_str(jg_buf_view(&told), want);
}

static void deltas_are_what_came_since(void **state)
{
    (void)state;
    static const double bounds[] = {1, 10};
    jg_metrics *metrics = jg_metrics_new();
    jg_push_memory memory = {0};
    const jaeger_pair a = {JAEGER_STR("l"), JAEGER_STR("a")}, b = {JAEGER_STR("l"), JAEGER_STR("b")};
    jg_metric *sent = jg_metrics_counter(metrics, "sent", "", &a, 1);
    jg_metric *level = jg_metrics_gauge(metrics, "size", "", NULL, 0);
    jg_metric *took = jg_metrics_histogram(metrics, "took", "", NULL, 0, bounds, JG_COUNT(bounds));
    jg_metric_add(sent, 3);
    jg_metric_set(level, 2);
    jg_metric_observe(took, 0.5);
    check_delta(metrics, &memory, 9, "sent 7 l=a 3 5-9;size 5 2 5-9;took 9 n=1 sum=0.5 c=3 b=2 5-9;");
    jg_metric_add(sent, 4);
    jg_metric_add(jg_metrics_counter(metrics, "sent", "", &b, 1), 1);
    jg_metric_observe(took, 50);
    jg_metric_observe(took, 5);
    check_delta(metrics, &memory, 12,
                "sent 7 l=a 4 9-12;sent 7 l=b 1 9-12;size 5 2 9-12;took 9 n=2 sum=55 c=3 b=2 9-12;");
    check_delta(metrics, &memory, 20,
                "sent 7 l=a 0 12-20;sent 7 l=b 0 12-20;size 5 2 12-20;took 9 n=0 sum=0 c=3 b=2 12-20;");
    jg_push_memory_done(&memory);
    jg_metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(metrics_become_an_otlp_message),
                                       cmocka_unit_test(deltas_are_what_came_since)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
