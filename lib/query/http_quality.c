/* SPDX-License-Identifier: Apache-2.0
 * How good the traces of a service are, of its newest traces: what jaeger-ui's page "Trace Quality" asks for,
 * and ours. Every span of the service is put to a few checks that need nothing but the trace: is it whole, is
 * it joined to its callers, does it say what sent it. Reading ends after a time; the banner says of how many
 * it is.
 */
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/map.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/id_table.h"
#include "model/value_text.h"
#include "query/http_api.h"
#include "wire/jaeger_json.h"

#define TRACES_MAX   1000u
#define TIME_NS      (3 * JG_NS_PER_S) /* a page waits for it */
#define HOURS_MAX    (24 * 366)
#define EXAMPLES_MAX 5
#define CLIENTS_MAX  200u
#define CLIENT_BYTES 128u
#define DIGITS_MAX   4u  /* of a number in a name that is no id: years, status codes, ports */
#define HEX_MAX      15u /* of hexadecimal digits in a row */

enum { CHECK_ROOT, CHECK_PARENT, CHECK_CALLER, CHECK_TIMES, CHECK_VERSION, CHECK_NAME, CHECK_COUNT };
enum { CATEGORY_WHOLE, CATEGORY_TOLD, CATEGORY_COUNT };

static const struct {
    const char *key, *label;
} categories[CATEGORY_COUNT] = {{"completeness", "Completeness"}, {"description", "Description"}};

static const struct {
    const char *name, *description;
    int category, weight;
} checks[CHECK_COUNT] = {
    [CHECK_ROOT] = {"HasRoot", "The trace has a span without a parent: its begin arrived.", CATEGORY_WHOLE,
                    2},
    [CHECK_PARENT] = {"ParentArrived", "The span's parent is in the trace.", CATEGORY_WHOLE, 3},
    [CHECK_CALLER] =
        {"ServerHasClient",
         "A server span below another service's span is called by a client span, so that the time "
         "between both is known.",
         CATEGORY_WHOLE, 1},
    [CHECK_TIMES] = {"NoWarnings",
                     "Nothing about the span had to be corrected: clock skew, copies, bad values.",
                     CATEGORY_WHOLE, 1},
    [CHECK_VERSION] = {"HasVersion", "The resource has service.version, so that releases can be compared.",
                       CATEGORY_TOLD, 1},
    [CHECK_NAME] =
        {"NameWithoutIds",
         "The span's name holds no long number or hexadecimal id, so that like spans have one name.",
         CATEGORY_TOLD, 2},
};

typedef struct example {
    uint8_t trace_id[16], span_id[8];
} example;

typedef struct tally {
    uint64_t passed, failed, exempt;
    example examples[EXAMPLES_MAX]; /* of failures, of as many traces */
    size_t example_count;
} tally;

typedef struct client {
    jaeger_str name;
    uint64_t spans;
    example example;
} client;

typedef struct quality {
    jaeger_str service;
    tally tallies[CHECK_COUNT];
    jg_map at; /* name of a client -> index + 1 */
    client clients[CLIENTS_MAX];
    size_t client_count, traces, spans;
    uint64_t end_ns;
    bool late;
    jg_buf name;
    jaeger_arena *scratch; /* of one trace */
} quality;

static void quality_done(quality *q)
{
    jg_map_done(&q->at);
    jg_buf_done(&q->name);
    jaeger_arena_free(q->scratch);
}

/* ---- one span ---- */

static example example_of(const jaeger_span *span)
{
    example e;
    memcpy(e.trace_id, span->trace_id, 16);
    memcpy(e.span_id, span->span_id, 8);
    return e;
}

static void judge(quality *q, int check, bool ok, const jaeger_span *span)
{
    tally *t = &q->tallies[check];
    t->passed += ok;
    t->failed += !ok;
    const example *last = t->example_count ? &t->examples[t->example_count - 1] : NULL;
    bool is_new = !last || memcmp(last->trace_id, span->trace_id, 16) != 0;
    if (!ok && is_new && t->example_count < EXAMPLES_MAX)
        t->examples[t->example_count++] = example_of(span);
}

static bool holds_id(jaeger_str name)
{
    size_t digits = 0, hex = 0;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool digit = c >= '0' && c <= '9', is_hex = digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        digits = digit ? digits + 1 : 0;
        hex = is_hex ? hex + 1 : 0;
        if (digits > DIGITS_MAX || hex > HEX_MAX)
            return true;
    }
    return false;
}

/** "go opentelemetry 1.24.0" */
static void append_attr(quality *q, const jaeger_span_group *group, const char *key)
{
    jaeger_attr attr;
    if (!jaeger_find_attr(jaeger_resource_attrs(group), jg_str(key), &attr))
        return;
    if (q->name.len)
        jg_buf_byte(&q->name, ' ');
    jg_value_text(&q->name, &attr.value);
}

static bool count_client(quality *q, const jaeger_span *span, jaeger_arena *arena)
{
    bool is_new;
    jg_buf_clear(&q->name);
    append_attr(q, span->group, "telemetry.sdk.language");
    append_attr(q, span->group, "telemetry.sdk.name");
    append_attr(q, span->group, "telemetry.sdk.version");
    if (!jg_buf_ok(&q->name))
        return false;
    jaeger_str name = jg_buf_view(&q->name);
    name.len = JG_MIN(name.len, CLIENT_BYTES);
    size_t index = (size_t)(uintptr_t)jg_map_get(&q->at, name);
    if (!index && (name.len == 0 || q->client_count == CLIENTS_MAX))
        return true;
    if (!index) {
        name = jaeger_arena_str(arena, name);
        jg_map_entry *entry = name.ptr ? jg_map_put(&q->at, name, &is_new) : NULL;
        if (!entry)
            return false;
        q->clients[q->client_count++] = (client){.name = name, .example = example_of(span)};
        entry->value = (void *)(uintptr_t)(index = q->client_count);
    }
    q->clients[index - 1].spans++;
    return true;
}

static void judge_caller(quality *q, const jaeger_span *span, const jaeger_span *parent)
{
    bool calls = parent && !jg_str_eq(parent->group->service, span->group->service);
    if (span->kind == JAEGER_KIND_SERVER && calls)
        judge(q, CHECK_CALLER, parent->kind == JAEGER_KIND_CLIENT, span);
    else
        q->tallies[CHECK_CALLER].exempt++;
}

static bool judge_span(quality *q, const jaeger_span *spans, uint32_t i, const jg_id_table *ids,
                       jaeger_arena *arena)
{
    const jaeger_span *span = &spans[i];
    jaeger_attr attr;
    uint64_t parent_id = jg_span_id_number(span->parent_span_id);
    uint32_t at = parent_id ? jg_id_table_slot(ids, parent_id)->index : JG_NO_INDEX;
    if (parent_id)
        judge(q, CHECK_PARENT, at != JG_NO_INDEX, span);
    else
        q->tallies[CHECK_PARENT].exempt++;
    judge_caller(q, span, at == JG_NO_INDEX ? NULL : &spans[at]);
    judge(q, CHECK_TIMES, !jaeger_find_attr(jaeger_span_attrs(span), jg_str(JG_WARNINGS_ATTRIBUTE), &attr),
          span);
    judge(q, CHECK_VERSION,
          jaeger_find_attr(jaeger_resource_attrs(span->group), JAEGER_STR("service.version"), &attr), span);
    judge(q, CHECK_NAME, !holds_id(span->name), span);
    q->spans++;
    return count_client(q, span, arena);
}

/* ---- traces ---- */

static bool judge_trace(quality *q, const jaeger_span *spans, size_t n, jaeger_arena *arena)
{
    jg_id_table ids;
    const jaeger_span *mine = NULL;
    bool has_root = false;
    jaeger_arena_reset(q->scratch);
    if (!jg_id_table_of_spans(&ids, q->scratch, spans, n))
        return false;
    for (uint32_t i = 0; i < n; i++) {
        has_root |= jg_span_id_number(spans[i].parent_span_id) == 0;
        if (q->service.len && !jg_str_eq(spans[i].group->service, q->service))
            continue;
        mine = mine ? mine : &spans[i];
        if (!judge_span(q, spans, i, &ids, arena))
            return false;
    }
    if (mine)
        judge(q, CHECK_ROOT, has_root, mine);
    return true;
}

static jaeger_status on_trace(void *self, jaeger_batch *take, jaeger_call *call)
{
    quality *q = self;
    JG_AUTO_BATCH jaeger_batch *trace = take;
    JG_TRY(jaeger_call_check(call));
    if (q->traces && jg_clock_mono_ns() >= q->end_ns) {
        q->late = true;
        return JAEGER_CANCELLED; /* enough */
    }
    q->traces++;
    bool ok = judge_trace(q, jaeger_batch_spans(trace), jaeger_batch_span_count(trace), call->arena);
    return ok ? JAEGER_OK : jg_fail_oom(&call->error);
}

/* ---- answer ---- */

static void put_lit(jg_json_out *json, const char *key, const char *text)
{
    jg_json_key(json, jg_str(key));
    jg_json_str(json, jg_str(text));
}

static void put_count(jg_json_out *json, const char *key, uint64_t n)
{
    jg_json_key(json, jg_str(key));
    jg_json_u64(json, n);
}

static void put_examples(jg_json_out *json, const char *key, const example *list, size_t n)
{
    jg_json_key(json, jg_str(key));
    jg_json_array(json);
    for (size_t i = 0; i < n; i++) {
        jg_json_object(json);
        jg_json_key_lit(json, "traceID");
        jg_json_hex(json, list[i].trace_id, 16);
        jg_json_key_lit(json, "spanIDs");
        jg_json_array(json);
        jg_json_hex(json, list[i].span_id, 8);
        jg_json_end(json);
        jg_json_end(json);
    }
    jg_json_end(json);
}

/** Per cent of what was judged, by weight; 100 if nothing was. */
static uint64_t score_of(const quality *q, int category)
{
    double sum = 0, weights = 0;
    for (int i = 0; i < CHECK_COUNT; i++) {
        const tally *t = &q->tallies[i];
        uint64_t judged = t->passed + t->failed;
        if (checks[i].category != category || !judged)
            continue;
        sum += checks[i].weight * (double)t->passed / (double)judged;
        weights += checks[i].weight;
    }
    return weights > 0 ? (uint64_t)(100 * sum / weights) : 100;
}

static void put_scores(jg_json_out *json, const quality *q)
{
    jg_json_key_lit(json, "scores");
    jg_json_array(json);
    for (int i = 0; i < CATEGORY_COUNT && q->spans; i++) {
        jg_json_object(json);
        put_lit(json, "key", categories[i].key);
        put_lit(json, "label", categories[i].label);
        put_count(json, "max", 100);
        put_count(json, "value", score_of(q, i));
        jg_json_end(json);
    }
    jg_json_end(json);
}

static void put_metrics(jg_json_out *json, const quality *q)
{
    jg_json_key_lit(json, "metrics");
    jg_json_array(json);
    for (int i = 0; i < CHECK_COUNT && q->spans; i++) {
        const tally *t = &q->tallies[i];
        jg_json_object(json);
        put_lit(json, "name", checks[i].name);
        put_lit(json, "category", categories[checks[i].category].key);
        put_lit(json, "description", checks[i].description);
        put_lit(json, "metricDocumentationLink", "");
        put_count(json, "metricWeight", (uint64_t)checks[i].weight);
        put_count(json, "passCount", t->passed);
        put_count(json, "failureCount", t->failed);
        put_examples(json, "failureExamples", t->examples, t->example_count);
        put_count(json, "exemptionCount", t->exempt);
        jg_json_end(json);
    }
    jg_json_end(json);
}

static void put_clients(jg_json_out *json, const quality *q)
{
    jg_json_key_lit(json, "clients");
    jg_json_array(json);
    for (size_t i = 0; i < q->client_count; i++) {
        jg_json_object(json);
        jg_json_key_lit(json, "version");
        jg_json_str(json, q->clients[i].name);
        put_lit(json, "minVersion", "");
        put_count(json, "count", q->clients[i].spans);
        put_examples(json, "examples", &q->clients[i].example, 1);
        jg_json_end(json);
    }
    jg_json_end(json);
}

static void write_quality(jg_http_call *c, const quality *q)
{
    jg_json_out *json = &c->json;
    jaeger_str banner =
        jg_arena_printf(c->call->arena, "%zu spans of the newest %zu traces", q->spans, q->traces);
    jg_json_object(json);
    put_lit(json, "traceQualityDocumentationLink", "");
    jg_json_key_lit(json, "bannerText");
    jg_json_str(json, banner);
    put_scores(json, q);
    put_metrics(json, q);
    put_clients(json, q);
    jg_json_end(json);
}

static jaeger_status read_traces(jg_http_call *c, quality *q, int64_t hours)
{
    uint64_t now = jg_clock_unix_ns();
    jaeger_trace_query find = {.size = sizeof find,
                               .service = q->service,
                               .start_max_unix_ns = now,
                               .start_min_unix_ns = now - (uint64_t)hours * 3600 * JG_NS_PER_S,
                               .limit = TRACES_MAX};
    q->scratch = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX);
    if (!q->scratch)
        return jg_fail_oom(&c->call->error);
    jaeger_status status = jaeger_query_find_traces(c->http->query, &find, (jaeger_read_options){0},
                                                    (jaeger_consumer){on_trace, q}, c->call);
    return q->late ? JAEGER_OK : status;
}

void jg_api_quality_metrics(jg_http_call *c)
{
    int64_t hours = 48;
    jaeger_error err = {0};
    quality *q = jg_arena_zalloc(c->call->arena, sizeof *q);
    if (!q) {
        jg_api_fail(c, 503, JAEGER_STR("out of memory"));
        return;
    }
    if (jg_api_int_param(c, "hours", &hours, &err) != JAEGER_OK) {
        jg_api_fail_parse(c, &err);
        return;
    }
    hours = JG_MAX(1, JG_MIN(hours, HOURS_MAX));
    q->service = jg_http_param(c, "service");
    q->name = JG_BUF_INIT(JG_CALL_ARENA_BYTES_MAX);
    q->end_ns = jg_clock_mono_ns() + TIME_NS;
    jaeger_status status = read_traces(c, q, hours);
    if (status != JAEGER_OK) {
        jg_api_fail_query(c, status);
    } else {
        jg_http_json_begin(c, false);
        write_quality(c, q);
        jg_http_json_end(c);
    }
    quality_done(q);
}
