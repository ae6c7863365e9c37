/* SPDX-License-Identifier: Apache-2.0
 * What the page "Pipeline" asks: the components that run, the service's own metrics, and how a service is
 * sampled. The metrics' port is another origin, which the page must not ask. docs/ui.md has the answers.
 */
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "query/http_api.h"
#include "query/system.h"

static void put_text(jg_json_out *json, jaeger_str key, const char *text)
{
    jg_json_key(json, key);
    if (text)
        jg_json_str(json, jg_str(text));
    else
        jg_json_null(json);
}

static void put_components(jg_json_out *json, const jg_query_system *system)
{
    const char *id, *kind, *pipeline;
    jg_json_array(json);
    for (size_t i = 0; system->component && (id = system->component(system->self, i, &kind, &pipeline));
         i++) {
        jg_json_object(json);
        put_text(json, JAEGER_STR("id"), id);
        put_text(json, JAEGER_STR("kind"), kind);
        put_text(json, JAEGER_STR("pipeline"), pipeline);
        jg_json_end(json);
    }
    jg_json_end(json);
}

void jg_ui_api_telemetry(jg_http_call *c)
{
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(JG_CALL_ARENA_BYTES_MAX);
    jg_metrics_write(c->http->metrics, &text);
    if (!jg_buf_ok(&text)) {
        jg_api_fail_query(c, jg_fail_oom(&c->call->error));
        return;
    }
    jg_http_json_begin(c, false);
    jg_json_object(&c->json);
    jg_json_key_lit(&c->json, "components");
    put_components(&c->json, &c->http->system);
    jg_json_key_lit(&c->json, "metrics");
    jg_json_str(&c->json, jg_buf_view(&text));
    jg_json_end(&c->json);
    jg_http_json_end(c);
}

static void put_number(jg_json_out *json, jaeger_str key, double number)
{
    jg_json_key(json, key);
    jg_json_double(json, number, 1);
}

static jaeger_status write_strategy(void *self, const jaeger_strategy *strategy, jaeger_call *call)
{
    jg_http_call *c = self;
    jg_json_out *json = &c->json;
    (void)call;
    jg_json_object(json);
    if (strategy->has_rate)
        put_number(json, JAEGER_STR("rate"), strategy->rate);
    if (strategy->has_limit) {
        jg_json_key_lit(json, "tracesPerSecond");
        jg_json_i64(json, strategy->traces_per_second_max);
    }
    if (strategy->has_operations) {
        put_number(json, JAEGER_STR("defaultRate"), strategy->default_rate);
        put_number(json, JAEGER_STR("lowerBound"), strategy->lower_bound);
        jg_json_key_lit(json, "operations");
        jg_json_array(json);
        for (size_t i = 0; i < strategy->operation_count; i++) {
            jg_json_object(json);
            jg_json_key_lit(json, "operation");
            jg_json_str(json, strategy->operations[i].operation);
            put_number(json, JAEGER_STR("rate"), strategy->operations[i].rate);
            jg_json_end(json);
        }
        jg_json_end(json);
    }
    jg_json_end(json);
    return JAEGER_OK;
}

void jg_ui_api_sampling(jg_http_call *c)
{
    const jg_query_system *system = &c->http->system;
    jg_http_json_begin(c, false);
    jaeger_status status =
        system->strategy ? system->strategy(system->self, jg_http_param(c, "service"),
                                            (jaeger_strategy_sink){write_strategy, c}, c->call)
                         : jg_fail(&c->call->error, JAEGER_UNIMPLEMENTED, "no sampling strategies here");
    if (status == JAEGER_UNIMPLEMENTED)
        jg_api_fail(c, 501, jg_str(c->call->error.message));
    else if (status != JAEGER_OK)
        jg_api_fail_query(c, status);
    else
        jg_http_json_end(c);
}
