/* SPDX-License-Identifier: Apache-2.0
 * Requests that look like real ones: 40 services with 20 operations each, traces of ten spans over up to four
 * of them, about 450 bytes a span, some errors and events.
 */
#include "bench/loadgen.h"

#include "core/alloc.h"
#include "core/clock.h"
#include "core/pb.h"
#include "core/str.h"
#include "model/otlp_fields.h"
#include <stdio.h>

#define SERVICES       40
#define OPERATIONS     20
#define TRACE_SPANS    10 /* spans of a trace */
#define GROUPS         4  /* services in one request */
#define SPANS_MAX      100
#define REQUEST_MAX    (1u << 20)
#define USER_AGENT     "okhttp/4.9.3 (prod)"
#define USER_DIGITS    8
#define GOLDEN         0x9e3779b97f4a7c15ull
#define SPAN_NS_MIN    200000u
#define SPAN_NS_SPREAD 50000000u

enum { TRACE_ID, SPAN_ID, PARENT_ID, TIME, USER };

uint64_t load_random(uint64_t *state) /* splitmix64 */
{
    uint64_t z = (*state += GOLDEN);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static const char *const domains[] = {"checkout", "cart", "catalog", "payment",
                                      "shipping", "auth", "search",  "inventory"};
static const char *const roles[] = {"api", "worker", "db-proxy", "gateway", "cache"};
static const char *const verbs[] = {"GET", "POST", "PUT", "DELETE"};
static const char *const nouns[] = {"orders", "users", "items", "sessions", "quotes"};

/** One span before it is encoded. */
typedef struct span_model {
    unsigned service, operation, trace, index;
    int parent; /* index in the request, -1: root */
    uint64_t back_ns, duration_ns;
    int status; /* HTTP */
    bool event;
    char name[64], url[96], peer[48], thread[32], query[96];
} span_model;

static void make_span(span_model *s, unsigned index, unsigned base_service, uint64_t *random)
{
    unsigned in_trace = index % TRACE_SPANS;
    s->index = index;
    s->trace = index / TRACE_SPANS;
    s->parent = in_trace ? (int)(index - in_trace + (unsigned)(load_random(random) % in_trace)) : -1;
    s->service = (base_service + (in_trace * GROUPS / TRACE_SPANS) * 7) % SERVICES;
    s->operation = (unsigned)(load_random(random) % OPERATIONS);
    s->duration_ns = SPAN_NS_MIN + load_random(random) % SPAN_NS_SPREAD / (in_trace + 1);
    s->back_ns = 2 * SPAN_NS_SPREAD - in_trace * 1000000u;
    s->status = load_random(random) % 50 == 0 ? 500 : 200;
    s->event = load_random(random) % 8 == 0;
    const char *verb = verbs[s->operation % JG_COUNT(verbs)], *noun = nouns[s->operation / JG_COUNT(verbs)];
    (void)snprintf(s->name, sizeof s->name, "%s /api/v1/%s/{id}", verb, noun);
    (void)snprintf(s->url, sizeof s->url, "http://%s-%s.prod.svc:8080/api/v1/%s/%u?expand=true",
                   domains[s->service % JG_COUNT(domains)], roles[s->service / JG_COUNT(domains)], noun,
                   (unsigned)(load_random(random) % 100000));
    (void)snprintf(s->peer, sizeof s->peer, "10.%u.%u.%u", s->service, s->operation,
                   (unsigned)(load_random(random) % 250));
    (void)snprintf(s->thread, sizeof s->thread, "http-nio-8080-exec-%u",
                   (unsigned)(load_random(random) % 32));
    (void)snprintf(s->query, sizeof s->query, "SELECT id, state, total FROM %s WHERE id = ? AND tenant = ?",
                   noun);
}

static void service_name(unsigned service, char out[48])
{
    (void)snprintf(out, 48, "%s-%s", domains[service % JG_COUNT(domains)],
                   roles[service / JG_COUNT(domains)]);
}

/* ---- protobuf ---------------------------------------------------------------------------------------------
 */

static void pb_attr(jg_buf *out, uint32_t number, const char *key, const char *text, uint64_t integer)
{
    size_t attr = jg_pb_begin(out, number, 1);
    jg_pb_write_str(out, JG_OTLP_KEY_VALUE_KEY, jg_str(key));
    size_t value = jg_pb_begin(out, JG_OTLP_KEY_VALUE_VALUE, 1);
    if (text)
        jg_pb_write_str(out, JG_OTLP_ANY_STRING, jg_str(text));
    else
        jg_pb_write_varint(out, JG_OTLP_ANY_INT, integer);
    jg_pb_end(out, value, 1);
    jg_pb_end(out, attr, 1);
}

static void pb_span(jg_buf *out, const span_model *s)
{
    static const uint8_t id[16] = {1};
    size_t span = jg_pb_begin(out, JG_OTLP_SCOPE_SPANS_SPANS, 2);
    jg_pb_write_bytes(out, JG_OTLP_SPAN_TRACE_ID, id, 16);
    jg_pb_write_bytes(out, JG_OTLP_SPAN_SPAN_ID, id, 8);
    if (s->parent >= 0)
        jg_pb_write_bytes(out, JG_OTLP_SPAN_PARENT_SPAN_ID, id, 8);
    jg_pb_write_str(out, JG_OTLP_SPAN_NAME, jg_str(s->name));
    jg_pb_write_varint(out, JG_OTLP_SPAN_KIND, s->index % TRACE_SPANS ? 3 : 2);
    jg_pb_write_fixed64(out, JG_OTLP_SPAN_START, 0);
    jg_pb_write_fixed64(out, JG_OTLP_SPAN_END, 0);
    pb_attr(out, JG_OTLP_SPAN_ATTRIBUTES, "http.method", verbs[s->operation % JG_COUNT(verbs)], 0);
    pb_attr(out, JG_OTLP_SPAN_ATTRIBUTES, "http.status_code", NULL, (uint64_t)s->status);
    pb_attr(out, JG_OTLP_SPAN_ATTRIBUTES, "http.url", s->url, 0);
    pb_attr(out, JG_OTLP_SPAN_ATTRIBUTES, "user.id", "u-00000000", 0);
    pb_attr(out, JG_OTLP_SPAN_ATTRIBUTES, "net.peer.ip", s->peer, 0);
    pb_attr(out, JG_OTLP_SPAN_ATTRIBUTES, "thread.name", s->thread, 0);
    pb_attr(out, JG_OTLP_SPAN_ATTRIBUTES, "http.user_agent", USER_AGENT, 0);
    pb_attr(out, JG_OTLP_SPAN_ATTRIBUTES, "db.statement", s->query, 0);
    if (s->event) {
        size_t event = jg_pb_begin(out, JG_OTLP_SPAN_EVENTS, 1);
        jg_pb_write_fixed64(out, JG_OTLP_EVENT_TIME, 0);
        jg_pb_write_str(out, JG_OTLP_EVENT_NAME, JAEGER_STR("cache.miss"));
        pb_attr(out, JG_OTLP_EVENT_ATTRIBUTES, "cache.key", s->peer, 0);
        jg_pb_end(out, event, 1);
    }
    size_t status = jg_pb_begin(out, JG_OTLP_SPAN_STATUS, 1);
    if (s->status == 500)
        jg_pb_write_varint(out, JG_OTLP_STATUS_CODE, 2);
    jg_pb_end(out, status, 1);
    jg_pb_end(out, span, 2);
}

static size_t pb_group_begin(jg_buf *out, unsigned service, size_t *ret_scope)
{
    char name[48];
    service_name(service, name);
    size_t group = jg_pb_begin(out, JG_OTLP_REQUEST_RESOURCE_SPANS, 3);
    size_t resource = jg_pb_begin(out, JG_OTLP_RESOURCE_SPANS_RESOURCE, 2);
    pb_attr(out, JG_OTLP_RESOURCE_ATTRIBUTES, "service.name", name, 0);
    pb_attr(out, JG_OTLP_RESOURCE_ATTRIBUTES, "service.version", "1.14.2", 0);
    pb_attr(out, JG_OTLP_RESOURCE_ATTRIBUTES, "deployment.environment", "production", 0);
    pb_attr(out, JG_OTLP_RESOURCE_ATTRIBUTES, "telemetry.sdk.language", "java", 0);
    jg_pb_end(out, resource, 2);
    *ret_scope = jg_pb_begin(out, JG_OTLP_RESOURCE_SPANS_SCOPE_SPANS, 3);
    size_t scope = jg_pb_begin(out, JG_OTLP_SCOPE_SPANS_SCOPE, 1);
    jg_pb_write_str(out, JG_OTLP_SCOPE_NAME, JAEGER_STR("io.opentelemetry.tomcat-10.0"));
    jg_pb_end(out, scope, 1);
    return group;
}

/* ---- patches ----------------------------------------------------------------------------------------------
 */

static void add_patch(load_template *t, const void *where, uint8_t kind, unsigned index, uint64_t back_ns)
{
    if (t->patch_count == t->patch_cap) {
        size_t cap = t->patch_cap ? t->patch_cap * 2 : 256;
        load_patch *grown = jg_realloc(t->patches, cap * sizeof *grown);
        if (!grown) {
            t->bytes.failed = true;
            return;
        }
        t->patches = grown;
        t->patch_cap = cap;
    }
    t->patches[t->patch_count++] =
        (load_patch){(uint32_t)((const uint8_t *)where - t->bytes.data), (uint16_t)index, kind, back_ns};
}

static void find_user(load_template *t, jaeger_str attr)
{
    static const char prefix[] = "u-";
    const char *user = memmem(attr.ptr, attr.len, "user.id", 7);
    const char *digits = user ? memmem(user, attr.len - (size_t)(user - attr.ptr), prefix, 2) : NULL;
    if (digits)
        add_patch(t, digits + 2, USER, 0, 0);
}

/** The spans come in the order of `models`. */
static void find_in_span(load_template *t, jaeger_str span, const span_model *s)
{
    jg_pb_field f, e;
    for (jg_pb pb = jg_pb_of_str(span); jg_pb_next(&pb, &f);) {
        if (f.number == JG_OTLP_SPAN_TRACE_ID)
            add_patch(t, f.ptr, TRACE_ID, s->trace, 0);
        else if (f.number == JG_OTLP_SPAN_SPAN_ID)
            add_patch(t, f.ptr, SPAN_ID, s->index, 0);
        else if (f.number == JG_OTLP_SPAN_PARENT_SPAN_ID)
            add_patch(t, f.ptr, PARENT_ID, (unsigned)s->parent, 0);
        else if (f.number == JG_OTLP_SPAN_START)
            add_patch(t, f.start + 1, TIME, 0, s->back_ns);
        else if (f.number == JG_OTLP_SPAN_END)
            add_patch(t, f.start + 1, TIME, 0, s->back_ns - s->duration_ns);
        else if (f.number == JG_OTLP_SPAN_ATTRIBUTES)
            find_user(t, jg_pb_str(&f));
        else if (f.number == JG_OTLP_SPAN_EVENTS)
            for (jg_pb in = jg_pb_of(f.ptr, f.len); jg_pb_next(&in, &e);)
                if (e.number == JG_OTLP_EVENT_TIME)
                    add_patch(t, e.start + 1, TIME, 0, s->back_ns - s->duration_ns / 2);
    }
}

static void find_patches(load_template *t, const span_model *const *models)
{
    jg_pb_field group, scope, span;
    for (jg_pb a = jg_pb_of(t->bytes.data, t->bytes.len); jg_pb_next(&a, &group);)
        for (jg_pb b = jg_pb_of(group.ptr, group.len); jg_pb_next(&b, &scope);)
            if (scope.number == JG_OTLP_RESOURCE_SPANS_SCOPE_SPANS)
                for (jg_pb c = jg_pb_of(scope.ptr, scope.len); jg_pb_next(&c, &span);)
                    if (span.number == JG_OTLP_SCOPE_SPANS_SPANS)
                        find_in_span(t, jg_pb_str(&span), *models++);
}

/* ---- JSON -------------------------------------------------------------------------------------------------
 */

static void json_id(load_template *t, const char *key, uint8_t kind, unsigned index)
{
    jg_buf_printf(&t->bytes, "\"%s\":\"", key);
    size_t at = t->bytes.len;
    jg_buf_printf(&t->bytes, "%0*d\",", kind == TRACE_ID ? 32 : 16, 1);
    if (jg_buf_ok(&t->bytes))
        add_patch(t, t->bytes.data + at, kind, index, 0);
}

static void json_time(load_template *t, const char *key, uint64_t back_ns)
{
    jg_buf_printf(&t->bytes, "\"%s\":\"", key);
    size_t at = t->bytes.len;
    jg_buf_lit(&t->bytes, "1700000000000000000\",");
    if (jg_buf_ok(&t->bytes))
        add_patch(t, t->bytes.data + at, TIME, 0, back_ns);
}

static void json_attr(jg_buf *out, const char *key, const char *text, const char *after)
{
    jg_buf_printf(out, "{\"key\":\"%s\",\"value\":{\"stringValue\":\"%s\"}}%s", key, text, after);
}

static void json_attrs(load_template *t, const span_model *s)
{
    jg_buf *out = &t->bytes;
    jg_buf_lit(out, "\"attributes\":[");
    json_attr(out, "http.method", verbs[s->operation % JG_COUNT(verbs)], ",");
    jg_buf_printf(out, "{\"key\":\"http.status_code\",\"value\":{\"intValue\":\"%d\"}},", s->status);
    json_attr(out, "http.url", s->url, ",");
    jg_buf_lit(out, "{\"key\":\"user.id\",\"value\":{\"stringValue\":\"u-");
    size_t at = out->len;
    jg_buf_lit(out, "00000000\"}},");
    if (jg_buf_ok(out))
        add_patch(t, out->data + at, USER, 0, 0);
    json_attr(out, "net.peer.ip", s->peer, ",");
    json_attr(out, "thread.name", s->thread, ",");
    json_attr(out, "http.user_agent", USER_AGENT, ",");
    json_attr(out, "db.statement", s->query, "],");
}

static void json_span(load_template *t, const span_model *s, bool first)
{
    jg_buf_printf(&t->bytes, "%s{", first ? "" : ",");
    json_id(t, "traceId", TRACE_ID, s->trace);
    json_id(t, "spanId", SPAN_ID, s->index);
    if (s->parent >= 0)
        json_id(t, "parentSpanId", PARENT_ID, (unsigned)s->parent);
    jg_buf_printf(&t->bytes, "\"name\":\"%s\",\"kind\":%d,", s->name, s->index % TRACE_SPANS ? 3 : 2);
    json_time(t, "startTimeUnixNano", s->back_ns);
    json_time(t, "endTimeUnixNano", s->back_ns - s->duration_ns);
    json_attrs(t, s);
    if (s->event) {
        jg_buf_lit(&t->bytes, "\"events\":[{");
        json_time(t, "timeUnixNano", s->back_ns - s->duration_ns / 2);
        jg_buf_lit(&t->bytes, "\"name\":\"cache.miss\",\"attributes\":[");
        json_attr(&t->bytes, "cache.key", s->peer, "]}],");
    }
    jg_buf_printf(&t->bytes, "\"status\":{%s}}", s->status == 500 ? "\"code\":2" : "");
}

static void json_group_begin(jg_buf *out, unsigned service, bool first)
{
    char name[48];
    service_name(service, name);
    jg_buf_printf(out, "%s{\"resource\":{\"attributes\":[", first ? "{\"resourceSpans\":[" : ",");
    json_attr(out, "service.name", name, ",");
    json_attr(out, "service.version", "1.14.2", ",");
    json_attr(out, "deployment.environment", "production", ",");
    json_attr(out, "telemetry.sdk.language", "java", "");
    jg_buf_lit(out, "]},\"scopeSpans\":[{\"scope\":{\"name\":\"io.opentelemetry.tomcat-10.0\"},\"spans\":[");
}

/* ---- templates --------------------------------------------------------------------------------------------
 */

static void write_group(load_template *t, const span_model *const *models, unsigned count, bool first)
{
    size_t scope = 0, group = 0;
    if (t->json)
        json_group_begin(&t->bytes, models[0]->service, first);
    else
        group = pb_group_begin(&t->bytes, models[0]->service, &scope);
    for (unsigned i = 0; i < count; i++)
        if (t->json)
            json_span(t, models[i], i == 0);
        else
            pb_span(&t->bytes, models[i]);
    if (t->json) {
        jg_buf_lit(&t->bytes, "]}]}");
    } else {
        jg_pb_end(&t->bytes, scope, 3);
        jg_pb_end(&t->bytes, group, 3);
    }
}

bool load_template_make(load_template *t, bool json, unsigned spans, uint64_t seed)
{
    static span_model models[SPANS_MAX];
    const span_model *ordered[SPANS_MAX];
    uint64_t random = seed;
    unsigned base = (unsigned)(load_random(&random) % SERVICES), count = 0;
    *t = (load_template){.bytes = JG_BUF_INIT(REQUEST_MAX), .spans = spans, .json = json};
    for (unsigned i = 0; i < spans; i++)
        make_span(&models[i], i, base, &random);
    for (unsigned service = 0; service < SERVICES; service++) {
        unsigned begin = count;
        for (unsigned i = 0; i < spans; i++)
            if (models[i].service == service)
                ordered[count++] = &models[i];
        if (count > begin)
            write_group(t, ordered + begin, count - begin, begin == 0);
    }
    if (json)
        jg_buf_lit(&t->bytes, "]}");
    else if (jg_buf_ok(&t->bytes))
        find_patches(t, ordered);
    return jg_buf_ok(&t->bytes);
}

void load_template_done(load_template *t)
{
    jg_buf_done(&t->bytes);
    jg_free(t->patches);
}

static void put_digits(uint8_t *out, uint64_t number, int digits)
{
    for (int i = digits - 1; i >= 0; i--, number /= 10)
        out[i] = (uint8_t)('0' + number % 10);
}

void load_template_fill(const load_template *t, uint8_t *out, uint64_t *random)
{
    uint64_t base = load_random(random), now = jg_clock_unix_ns();
    memcpy(out, t->bytes.data, t->bytes.len);
    for (size_t i = 0; i < t->patch_count; i++) {
        const load_patch *p = &t->patches[i];
        uint8_t *at = out + p->offset;
        uint64_t id[2] = {(base + (uint64_t)p->index * GOLDEN) | 1, base ^ (GOLDEN * (p->index + 1u))};
        if (p->kind == USER)
            put_digits(at, load_random(random) % 5000000, USER_DIGITS);
        else if (p->kind == TIME && t->json)
            put_digits(at, now - p->back_ns, 19);
        else if (p->kind == TIME)
            memcpy(at, &(uint64_t){now - p->back_ns}, 8);
        else if (t->json)
            jg_hex_encode((const uint8_t *)id, p->kind == TRACE_ID ? 16 : 8, (char *)at);
        else
            memcpy(at, id, p->kind == TRACE_ID ? 16 : 8);
    }
}
