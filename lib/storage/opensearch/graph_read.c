/* SPDX-License-Identifier: Apache-2.0
 * See graph_read.h. Documents: jaeger internal/storage/v2/elasticsearch/tracestore (dbmodel).
 */
#include "storage/opensearch/graph_read.h"

#include "core/clock.h"
#include "core/str.h"
#include "storage/opensearch/span_read.h"

#define KEY_BYTES_MAX 256u

/* ---- documents ---- */

/** One entry of `references`. */
typedef struct reference {
    uint8_t trace_id[16], span_id[8];
    bool child_of, whole;
} reference;

static bool read_reference(jg_json_in *in, reference *ret, jaeger_arena *arena)
{
    jg_json_text key;
    bool has_trace = false, has_span = false, ok = jg_json_in_object(in);
    while (ok && jg_json_in_key(in, &key)) {
        jaeger_str text = {0};
        ok = jg_os_read_text(in, &text, arena);
        if (jg_json_in_is(key, JAEGER_STR("traceID")))
            has_trace = jg_os_read_id(text, ret->trace_id, 16);
        else if (jg_json_in_is(key, JAEGER_STR("spanID")))
            has_span = jg_os_read_id(text, ret->span_id, 8);
        else if (jg_json_in_is(key, JAEGER_STR("refType")))
            ret->child_of = jg_str_is(text, "CHILD_OF");
    }
    ret->whole = has_trace && has_span;
    return ok;
}

/** The best one: the first CHILD_OF, else the first. It may point into another trace. */
static bool read_references(jg_json_in *in, reference *best, jaeger_arena *arena)
{
    if (jg_json_in_peek(in) != JG_JSON_ARRAY)
        return jg_json_in_skip(in);
    bool ok = jg_json_in_array(in);
    while (ok && jg_json_in_item(in)) {
        reference one = {0};
        if (jg_json_in_peek(in) != JG_JSON_OBJECT) {
            ok = jg_json_in_skip(in);
            continue;
        }
        ok = read_reference(in, &one, arena);
        if (one.whole && (!best->whole || (one.child_of && !best->child_of)))
            *best = one;
    }
    return ok;
}

/** "span.kind" as a field: "span@kind". */
static bool is_field(jg_json_text key, const char *first, jaeger_str dot, const char *second)
{
    char name[KEY_BYTES_MAX];
    jg_buf text = {.data = (uint8_t *)name, .cap = sizeof name, .max = sizeof name};
    if (dot.len > KEY_BYTES_MAX / 2)
        return false;
    jg_buf_str(&text, jg_str(first));
    jg_buf_str(&text, dot);
    jg_buf_str(&text, jg_str(second));
    return jg_json_in_is(key, jg_buf_view(&text));
}

static void take_tag(jg_os_call_span *span, bool is_kind, jaeger_str value)
{
    if (is_kind)
        span->is_server = jg_str_is(value, "server");
    else
        span->peer = value;
}

static bool read_fields(jg_json_in *in, jaeger_str dot, jg_os_call_span *ret, jaeger_arena *arena)
{
    jg_json_text key;
    if (jg_json_in_peek(in) != JG_JSON_OBJECT)
        return jg_json_in_skip(in);
    bool ok = jg_json_in_object(in);
    while (ok && jg_json_in_key(in, &key)) {
        bool is_kind = is_field(key, "span", dot, "kind"), is_peer = is_field(key, "peer", dot, "service");
        jaeger_str value = {0};
        ok = is_kind || is_peer ? jg_os_read_text(in, &value, arena) : jg_json_in_skip(in);
        if (is_kind || is_peer)
            take_tag(ret, is_kind, value);
    }
    return ok;
}

static bool read_tag(jg_json_in *in, jg_os_call_span *ret, jaeger_arena *arena)
{
    jaeger_str name = {0}, value = {0};
    jg_json_text key;
    bool ok = jg_json_in_object(in);
    while (ok && jg_json_in_key(in, &key)) {
        if (jg_json_in_is(key, JAEGER_STR("key")))
            ok = jg_os_read_text(in, &name, arena);
        else if (jg_json_in_is(key, JAEGER_STR("value")))
            ok = jg_os_read_text(in, &value, arena);
        else
            ok = jg_json_in_skip(in);
    }
    if (jg_str_is(name, "span.kind") || jg_str_is(name, "peer.service"))
        take_tag(ret, jg_str_is(name, "span.kind"), value);
    return ok;
}

static bool read_tags(jg_json_in *in, jg_os_call_span *ret, jaeger_arena *arena)
{
    if (jg_json_in_peek(in) != JG_JSON_ARRAY)
        return jg_json_in_skip(in);
    bool ok = jg_json_in_array(in);
    while (ok && jg_json_in_item(in))
        ok = jg_json_in_peek(in) == JG_JSON_OBJECT ? read_tag(in, ret, arena) : jg_json_in_skip(in);
    return ok;
}

static bool read_process(jg_json_in *in, jg_os_call_span *ret, jaeger_arena *arena)
{
    jg_json_text key;
    if (jg_json_in_peek(in) != JG_JSON_OBJECT)
        return jg_json_in_skip(in);
    bool ok = jg_json_in_object(in);
    while (ok && jg_json_in_key(in, &key))
        ok = jg_json_in_is(key, JAEGER_STR("serviceName")) ? jg_os_read_text(in, &ret->service, arena)
                                                           : jg_json_in_skip(in);
    return ok;
}

static bool read_member(jg_json_in *in, jg_json_text key, jaeger_str dot, jg_os_call_span *ret,
                        jaeger_str *parent, reference *best, jaeger_arena *arena)
{
    if (jg_json_in_is(key, JAEGER_STR("traceID")))
        return jg_os_read_text(in, &ret->trace_text, arena);
    if (jg_json_in_is(key, JAEGER_STR("spanID")))
        return jg_os_read_text(in, &ret->span_text, arena);
    if (jg_json_in_is(key, JAEGER_STR("parentSpanID")))
        return jg_os_read_text(in, parent, arena);
    if (jg_json_in_is(key, JAEGER_STR("startTime")) && jg_json_in_peek(in) == JG_JSON_NUMBER)
        return jg_json_in_u64(in, false, &ret->start_us);
    if (jg_json_in_is(key, JAEGER_STR("references")))
        return read_references(in, best, arena);
    if (jg_json_in_is(key, JAEGER_STR("process")))
        return read_process(in, ret, arena);
    if (jg_json_in_is(key, JAEGER_STR("tag")))
        return read_fields(in, dot, ret, arena);
    if (jg_json_in_is(key, JAEGER_STR("tags")))
        return read_tags(in, ret, arena);
    return jg_json_in_skip(in);
}

bool jg_os_read_call_span(jg_json_in *in, jaeger_str dot, jg_os_call_span *ret, jaeger_arena *arena)
{
    jaeger_str parent = {0};
    reference best = {0};
    jg_json_text key;
    bool ok = jg_json_in_object(in);
    *ret = (jg_os_call_span){0};
    while (ok && jg_json_in_key(in, &key))
        ok = read_member(in, key, dot, ret, &parent, &best, arena);
    if (!jg_os_read_id(ret->trace_text, ret->trace_id, 16) || !jg_os_read_id(ret->span_text, ret->span_id, 8))
        ret->service = (jaeger_str){0};
    ret->has_parent = jg_os_read_id(parent, ret->parent_id, 8);
    if (!ret->has_parent && best.whole && memcmp(best.trace_id, ret->trace_id, 16) == 0) {
        memcpy(ret->parent_id, best.span_id, 8);
        ret->has_parent = true;
    }
    ret->has_parent &= !jg_id_is_zero(ret->parent_id, 8);
    return ok && !in->fault;
}

/* ---- questions ---- */

static void put_field(jg_json_out *j, const char *first, jaeger_str dot, const char *second)
{
    JG_AUTO_BUF jg_buf name = JG_BUF_INIT(KEY_BYTES_MAX);
    jg_buf_printf(&name, "tag.%s%.*s%s", first, JAEGER_STR_ARGS(dot), second);
    j->buf->failed |= name.failed;
    jg_json_str(j, jg_buf_view(&name));
}

static void begin_search(jg_json_out *j, uint64_t size, bool peers, jaeger_str dot)
{
    jg_json_object(j);
    jg_json_key_lit(j, "size");
    jg_json_u64(j, size);
    jg_json_key_lit(j, "track_total_hits");
    jg_json_bool(j, false);
    jg_json_key_lit(j, "_source");
    jg_json_array(j);
    static const char *const members[] = {"traceID",    "spanID",    "parentSpanID",
                                          "references", "startTime", "process.serviceName"};
    for (size_t i = 0; i < JG_COUNT(members); i++)
        jg_json_str(j, jg_str(members[i]));
    put_field(j, "span", dot, "kind");
    if (peers) {
        put_field(j, "peer", dot, "service");
        jg_json_str(j, JAEGER_STR("tags"));
    }
    jg_json_end(j);
    jg_json_key_object(j, "query");
    jg_json_key_object(j, "bool");
    jg_json_key_lit(j, "filter");
    jg_json_array(j);
}

/** Behind the filters. */
static void end_query(jg_json_out *j)
{
    jg_json_end(j);
    jg_json_end(j);
    jg_json_end(j);
}

/** peer.service is there: as a field, or nested. */
static void put_has_peer(jg_json_out *j, jaeger_str dot)
{
    jg_json_object(j);
    jg_json_key_object(j, "bool");
    jg_json_key_lit(j, "should");
    jg_json_array(j);
    jg_json_object(j);
    jg_json_key_object(j, "exists");
    jg_json_key_lit(j, "field");
    put_field(j, "peer", dot, "service");
    jg_json_end(j);
    jg_json_end(j);
    jg_json_raw(
        j,
        JAEGER_STR("{\"nested\":{\"path\":\"tags\",\"query\":{\"term\":{\"tags.key\":\"peer.service\"}}}}"));
    jg_json_end(j);
    jg_json_end(j);
    jg_json_end(j);
}

void jg_os_put_call_page(jg_buf *out, uint64_t start_unix_ns, uint64_t end_unix_ns, uint64_t size,
                         const jg_os_call_span *after, bool peers, jaeger_str dot)
{
    jg_json_out json = JG_JSON_OUT_INIT(out), *j = &json;
    begin_search(j, size, peers, dot);
    jg_os_put_range(j, "startTimeMillis", true, start_unix_ns / JG_NS_PER_MS, true,
                    end_unix_ns / JG_NS_PER_MS);
    jg_os_put_range(j, "startTime", true, start_unix_ns / JG_NS_PER_US, true, end_unix_ns / JG_NS_PER_US - 1);
    if (peers)
        put_has_peer(j, dot);
    end_query(j);
    jg_json_key_lit(j, "sort");
    jg_json_raw(j, JAEGER_STR("[{\"startTime\":\"asc\"},{\"spanID\":\"asc\"},{\"traceID\":\"asc\"}]"));
    if (after) {
        jg_json_key_lit(j, "search_after");
        jg_json_array(j);
        jg_json_u64(j, after->start_us);
        jg_json_str(j, after->span_text);
        jg_json_str(j, after->trace_text);
        jg_json_end(j);
    }
    jg_json_end(j);
}

static void put_terms(jg_json_out *j, const char *field, const jaeger_str *values, size_t n)
{
    jg_json_object(j);
    jg_json_key_object(j, "terms");
    jg_json_key(j, jg_str(field));
    jg_json_array(j);
    for (size_t i = 0; i < n; i++)
        jg_json_str(j, values[i]);
    jg_json_end(j);
    jg_json_end(j);
    jg_json_end(j);
}

void jg_os_put_call_parents(jg_buf *out, const jaeger_str *span_ids, size_t n, uint64_t size, jaeger_str dot)
{
    jg_json_out json = JG_JSON_OUT_INIT(out), *j = &json;
    begin_search(j, size, false, dot);
    put_terms(j, "spanID", span_ids, n);
    end_query(j);
    jg_json_end(j);
}

void jg_os_put_call_children(jg_buf *out, const jaeger_str *span_ids, size_t n, uint64_t size, jaeger_str dot)
{
    jg_json_out json = JG_JSON_OUT_INIT(out), *j = &json;
    begin_search(j, size, false, dot);
    jg_json_object(j);
    jg_json_key_object(j, "nested");
    jg_json_key_lit(j, "path");
    jg_json_str(j, JAEGER_STR("references"));
    jg_json_key_lit(j, "query");
    put_terms(j, "references.spanID", span_ids, n);
    jg_json_end(j);
    jg_json_end(j);
    end_query(j);
    jg_json_end(j);
}
