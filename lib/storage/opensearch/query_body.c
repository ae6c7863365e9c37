/* SPDX-License-Identifier: Apache-2.0
 * See query_body.h.
 *
 * Times are asked for twice: startTimeMillis as Jaeger does, which lets the cluster skip shards, and
 * startTime, which knows microseconds.
 */
#include "storage/opensearch/query_body.h"

#include "core/clock.h"
#include "core/str.h"
#include "model/value_text.h"
#include "wire/rfc3339.h"
#include <stdio.h>

#define NAME_BYTES_MAX (1u << 20)
#define PLACES         5u

static void put_count(jg_json_out *j, const char *key, uint64_t n)
{
    jg_json_key(j, jg_str(key));
    jg_json_u64(j, n);
}

static void put_pair(jg_json_out *j, const char *key, jaeger_str value)
{
    jg_json_key(j, jg_str(key));
    jg_json_str(j, value);
}

void jg_os_put_term(jg_json_out *j, const char *field, jaeger_str value)
{
    jg_json_object(j);
    jg_json_key_object(j, "term");
    put_pair(j, field, value);
    jg_json_end(j);
    jg_json_end(j);
}

void jg_os_put_range(jg_json_out *j, const char *field, bool has_min, uint64_t min, bool has_max,
                     uint64_t max)
{
    jg_json_object(j);
    jg_json_key_object(j, "range");
    jg_json_key_object(j, field);
    if (has_min)
        put_count(j, "gte", min);
    if (has_max)
        put_count(j, "lte", max);
    jg_json_end(j);
    jg_json_end(j);
    jg_json_end(j);
}

/* ---- tags ---- */

/** {"<op>":{"<field>":{"<inner>":value}}} */
static void put_value_query(jg_json_out *j, const char *op, jaeger_str field, const char *inner,
                            jaeger_str value)
{
    jg_json_object(j);
    jg_json_key_object(j, op);
    jg_json_key(j, field);
    jg_json_object(j);
    put_pair(j, inner, value);
    jg_json_end(j);
    jg_json_end(j);
    jg_json_end(j);
}

static void put_comparison(jg_json_out *j, jaeger_str field, jg_os_compare compare, jaeger_str value)
{
    put_value_query(j, compare == JG_OS_PATTERN ? "regexp" : "term", field, "value", value);
}

static void put_exists(jg_json_out *j, jaeger_str field)
{
    jg_json_object(j);
    jg_json_key_object(j, "bool");
    jg_json_key_lit(j, "should");
    jg_json_array(j);
    jg_json_object(j);
    jg_json_key_object(j, "exists");
    put_pair(j, "field", field);
    jg_json_end(j);
    jg_json_end(j);
    jg_os_put_term(j, "_ignored", field); /* values too long for the index */
    jg_json_end(j);
    jg_json_end(j);
    jg_json_end(j);
}

/** "tag." and the key, with dots replaced. */
static void put_field_query(jg_json_out *j, const char *object, jaeger_str key, jg_os_compare compare,
                            jaeger_str value, jaeger_str dot)
{
    JG_AUTO_BUF jg_buf field = JG_BUF_INIT(NAME_BYTES_MAX);
    jg_buf_printf(&field, "%s.", object);
    for (size_t i = 0; i < key.len; i++)
        if (key.ptr[i] == '.')
            jg_buf_str(&field, dot);
        else
            jg_buf_byte(&field, (uint8_t)key.ptr[i]);
    j->buf->failed |= field.failed;
    if (compare == JG_OS_EXISTS) {
        put_exists(j, jg_buf_view(&field));
        return;
    }
    jg_json_object(j);
    jg_json_key_object(j, "bool");
    jg_json_key_lit(j, "must");
    put_comparison(j, jg_buf_view(&field), compare, value);
    jg_json_end(j);
    jg_json_end(j);
}

static void put_nested_query(jg_json_out *j, const char *path, jaeger_str key, jg_os_compare compare,
                             jaeger_str value)
{
    char key_field[32], value_field[32];
    (void)snprintf(key_field, sizeof key_field, "%s.key", path);
    (void)snprintf(value_field, sizeof value_field, "%s.value", path);
    jg_json_object(j);
    jg_json_key_object(j, "nested");
    put_pair(j, "path", jg_str(path));
    jg_json_key_object(j, "query");
    jg_json_key_object(j, "bool");
    jg_json_key_lit(j, "must");
    jg_json_array(j);
    put_value_query(j, "match", jg_str(key_field), "query", key);
    if (compare != JG_OS_EXISTS)
        put_comparison(j, jg_str(value_field), compare, value);
    jg_json_end(j);
    jg_json_end(j);
    jg_json_end(j);
    jg_json_end(j);
    jg_json_end(j);
}

void jg_os_put_tag(jg_json_out *j, jaeger_str key, jg_os_compare compare, jaeger_str value, unsigned where,
                   jaeger_str dot)
{
    static const struct {
        unsigned where;
        const char *object, *path;
    } places[PLACES] = {{JG_OS_IN_SPAN, "tag", NULL},
                        {JG_OS_IN_PROCESS, "process.tag", NULL},
                        {JG_OS_IN_SPAN, NULL, "tags"},
                        {JG_OS_IN_PROCESS, NULL, "process.tags"},
                        {JG_OS_IN_LOGS, NULL, "logs.fields"}};
    jg_json_object(j);
    jg_json_key_object(j, "bool");
    jg_json_key_lit(j, "should");
    jg_json_array(j);
    for (size_t i = 0; i < PLACES; i++) {
        if (!(places[i].where & where))
            continue;
        if (places[i].object && key.len)
            put_field_query(j, places[i].object, key, compare, value, dot);
        else if (places[i].path)
            put_nested_query(j, places[i].path, key, compare, value);
    }
    jg_json_end(j);
    jg_json_end(j);
    jg_json_end(j);
}

/* ---- conditions of a search ---- */

static void put_tag_is(jg_json_out *j, const char *key, const char *value, jaeger_str dot)
{
    jg_os_put_tag(j, jg_str(key), JG_OS_EQUALS, jg_str(value), JG_OS_IN_SPAN, dot);
}

/** {"bool":{"must_not":[...]}} of the tags of a status. */
static void put_no_status(jg_json_out *j, bool nor_ok, jaeger_str dot)
{
    jg_json_object(j);
    jg_json_key_object(j, "bool");
    jg_json_key_lit(j, "must_not");
    jg_json_array(j);
    put_tag_is(j, "error", "true", dot);
    if (nor_ok)
        put_tag_is(j, "otel.status_code", "OK", dot);
    jg_json_end(j);
    jg_json_end(j);
    jg_json_end(j);
}

static void put_status(jg_json_out *j, jaeger_str status, jaeger_str dot)
{
    if (jg_str_is(status, "ERROR"))
        put_tag_is(j, "error", "true", dot);
    else if (jg_str_is(status, "OK"))
        put_tag_is(j, "otel.status_code", "OK", dot);
    else
        put_no_status(j, true, dot);
}

static void put_service_pattern(jg_json_out *j, jaeger_str value)
{
    put_comparison(j, JAEGER_STR("process.serviceName"), JG_OS_PATTERN, value);
}

static bool is_false(jaeger_str text)
{
    static const char *const words[] = {"false", "False", "FALSE", "f", "F", "0"};
    for (size_t i = 0; i < JG_COUNT(words); i++)
        if (jg_str_is(text, words[i]))
            return true;
    return false;
}

/** Values are patterns, as in Jaeger; a few keys are those of jaeger_trace_query. */
static void put_attr(jg_json_out *j, const jaeger_attr *attr, jaeger_str dot)
{
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(NAME_BYTES_MAX);
    const jaeger_str key = attr->key, resource = JAEGER_STR("resource.");
    jg_value_text(&text, &attr->value);
    j->buf->failed |= text.failed;
    jaeger_str value = jg_buf_view(&text);
    if (jg_str_is(key, "error") && is_false(value))
        put_no_status(j, false, dot);
    else if (jg_str_is(key, "span.status"))
        put_status(j, value, dot);
    else if (jg_str_is(key, "service.name"))
        put_service_pattern(j, value);
    else if (jg_str_is(key, "scope.name") || jg_str_is(key, "scope.version"))
        jg_os_put_tag(j,
                      jg_str_is(key, "scope.name") ? JAEGER_STR("otel.scope.name")
                                                   : JAEGER_STR("otel.scope.version"),
                      JG_OS_PATTERN, value, JG_OS_IN_SPAN, dot);
    else if (jg_str_starts(key, resource))
        jg_os_put_tag(j, jg_str_skip(key, resource.len), JG_OS_PATTERN, value, JG_OS_IN_PROCESS, dot);
    else
        jg_os_put_tag(j, key, JG_OS_PATTERN, value, JG_OS_ANYWHERE, dot);
}

static uint64_t round_up(uint64_t ns, uint64_t unit)
{
    return ns / unit + (ns % unit != 0);
}

static void put_window(jg_json_out *j, jg_os_window w)
{
    bool has_min = w.start_unix_ns != 0, has_max = w.end_unix_ns != UINT64_MAX;
    if (!has_min && !has_max)
        return;
    jg_os_put_range(j, "startTimeMillis", has_min, w.start_unix_ns / JG_NS_PER_MS, has_max,
                    w.end_unix_ns / JG_NS_PER_MS);
    jg_os_put_range(j, "startTime", has_min, round_up(w.start_unix_ns, JG_NS_PER_US), has_max,
                    w.end_unix_ns / JG_NS_PER_US);
}

static void put_match(jg_json_out *j, const char *field, jaeger_str value)
{
    put_value_query(j, "match", jg_str(field), "query", value);
}

static void put_conditions(jg_json_out *j, const jaeger_trace_query *q, jg_os_window window, jaeger_str dot)
{
    if (q->duration_min_ns || q->duration_max_ns)
        jg_os_put_range(j, "duration", q->duration_min_ns != 0, q->duration_min_ns / JG_NS_PER_US,
                        q->duration_max_ns != 0, q->duration_max_ns / JG_NS_PER_US);
    put_window(j, window);
    if (q->service.len)
        put_match(j, "process.serviceName", q->service);
    if (q->operation.len)
        put_match(j, "operationName", q->operation);
    for (size_t i = 0; i < q->attr_count; i++)
        put_attr(j, &q->attrs[i], dot);
    if (q->filter && jg_os_filter_narrows(q->filter))
        jg_os_put_filter(j, q->filter, dot);
}

static void put_order(jg_json_out *j, const char *field, const char *order)
{
    jg_json_object(j);
    put_pair(j, field, jg_str(order));
    jg_json_end(j);
}

void jg_os_put_find_ids(jg_buf *out, const jaeger_trace_query *query, jg_os_window window, uint64_t limit,
                        jaeger_str dot)
{
    jg_json_out json = JG_JSON_OUT_INIT(out), *j = &json;
    jg_json_object(j);
    put_count(j, "size", 0);
    jg_json_key_object(j, "query");
    jg_json_key_object(j, "bool");
    jg_json_key_lit(j, "must");
    jg_json_array(j);
    put_conditions(j, query, window, dot);
    jg_json_end(j);
    jg_json_end(j);
    jg_json_end(j);
    jg_json_key_object(j, "aggregations");
    jg_json_key_object(j, "traceIDs");
    jg_json_key_object(j, "terms");
    put_pair(j, "field", JAEGER_STR("traceID"));
    put_count(j, "size", limit);
    jg_json_key_lit(j, "order");
    jg_json_array(j);
    put_order(j, "startTime", "desc");
    jg_json_end(j);
    jg_json_end(j);
    jg_json_key_object(j, "aggregations");
    jg_json_key_object(j, "startTime");
    jg_json_key_object(j, "max");
    put_pair(j, "field", JAEGER_STR("startTime"));
    for (int i = 0; i < 7; i++)
        jg_json_end(j);
}

/* ---- traces ---- */

/** Older writers left out the zeroes of short ids. */
static void put_trace_id(jg_json_out *j, const uint8_t trace_id[16])
{
    char hex[32];
    jg_hex_encode(trace_id, 16, hex);
    if (!jg_id_is_zero(trace_id, 8)) {
        jg_os_put_term(j, "traceID", (jaeger_str){hex, 32});
        return;
    }
    jg_json_object(j);
    jg_json_key_object(j, "terms");
    jg_json_key_lit(j, "traceID");
    jg_json_array(j);
    jg_json_str(j, (jaeger_str){hex, 32});
    jg_json_str(j, (jaeger_str){hex + 16, 16});
    jg_json_end(j);
    jg_json_end(j);
    jg_json_end(j);
}

static void put_sort(jg_json_out *j)
{
    static const char *const fields[] = {"startTime", "spanID"};
    jg_json_key_lit(j, "sort");
    jg_json_array(j);
    for (size_t i = 0; i < JG_COUNT(fields); i++) {
        jg_json_object(j);
        jg_json_key_object(j, fields[i]);
        put_pair(j, "order", JAEGER_STR("asc"));
        jg_json_end(j);
        jg_json_end(j);
    }
    jg_json_end(j);
}

void jg_os_put_trace(jg_buf *out, const uint8_t trace_id[16], jg_os_window window, uint64_t size,
                     const jg_os_cursor *cursor, bool brief)
{
    jg_json_out json = JG_JSON_OUT_INIT(out), *j = &json;
    jg_json_object(j);
    jg_json_key_object(j, "query");
    jg_json_key_object(j, "bool");
    jg_json_key_lit(j, "must");
    jg_json_array(j);
    put_trace_id(j, trace_id);
    put_window(j, window);
    jg_json_end(j);
    jg_json_end(j);
    jg_json_end(j);
    put_count(j, "size", size);
    put_sort(j);
    if (cursor->set) {
        jg_json_key_lit(j, "search_after");
        jg_json_array(j);
        jg_json_u64(j, cursor->start_us);
        jg_json_hex(j, cursor->span_id, 8);
        jg_json_end(j);
    }
    if (brief) {
        static const char *const not_needed[] = {"logs", "process.tag*", "references", "scopeTag*"};
        jg_json_key_object(j, "_source");
        jg_json_key_lit(j, "excludes");
        jg_json_array(j);
        for (size_t i = 0; i < JG_COUNT(not_needed); i++)
            jg_json_str(j, jg_str(not_needed[i]));
        jg_json_end(j);
        jg_json_end(j);
    }
    jg_json_key_lit(j, "track_total_hits");
    jg_json_bool(j, false);
    jg_json_end(j);
}

/* ---- names, dependencies ---- */

static void put_distinct(jg_json_out *j, const char *name, const char *field, uint64_t size)
{
    put_count(j, "size", 0);
    jg_json_key_object(j, "aggregations");
    jg_json_key_object(j, name);
    jg_json_key_object(j, "terms");
    put_pair(j, "field", jg_str(field));
    put_count(j, "size", size);
    for (int i = 0; i < 4; i++)
        jg_json_end(j);
}

void jg_os_put_services(jg_buf *out, uint64_t size)
{
    jg_json_out json = JG_JSON_OUT_INIT(out), *j = &json;
    jg_json_object(j);
    put_distinct(j, "distinct_services", "serviceName", size);
}

void jg_os_put_operations(jg_buf *out, jaeger_str service, uint64_t size)
{
    jg_json_out json = JG_JSON_OUT_INIT(out), *j = &json;
    jg_json_object(j);
    jg_json_key_lit(j, "query");
    jg_os_put_term(j, "serviceName", service);
    put_distinct(j, "distinct_operations", "operationName", size);
}

static void put_time(jg_json_out *j, const char *key, uint64_t unix_ns)
{
    char text[40];
    jg_json_key(j, jg_str(key));
    jg_json_str(j, (jaeger_str){text, jg_rfc3339_format((int64_t)(unix_ns / JG_NS_PER_S),
                                                        (uint32_t)(unix_ns % JG_NS_PER_S), text)});
}

void jg_os_put_dependencies(jg_buf *out, uint64_t start_unix_ns, uint64_t end_unix_ns, uint64_t size)
{
    jg_json_out json = JG_JSON_OUT_INIT(out), *j = &json;
    jg_json_object(j);
    put_count(j, "size", size);
    jg_json_key_object(j, "query");
    jg_json_key_object(j, "range");
    jg_json_key_object(j, "timestamp");
    put_time(j, "gte", start_unix_ns);
    put_time(j, "lte", end_unix_ns);
    for (int i = 0; i < 4; i++)
        jg_json_end(j);
}
