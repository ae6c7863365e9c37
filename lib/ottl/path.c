/* SPDX-License-Identifier: Apache-2.0
 * Paths: from words to a code when the condition is parsed, from a code to a value when it is tested. Values
 * are read where they lie. Spec: opentelemetry-collector-contrib pkg/ottl/contexts/.
 */
#include "core/arena.h"
#include "core/pb.h"
#include "model/metrics.h"
#include "model/otlp_fields.h"
#include "ottl/node.h"

#define METRIC_METADATA_FIELD 12 /* of Metric */

typedef enum ottl_path {
    RESOURCE_ATTRIBUTES,
    RESOURCE_DROPPED,
    RESOURCE_SCHEMA_URL,
    SCOPE_NAME,
    SCOPE_VERSION,
    SCOPE_ATTRIBUTES,
    SCOPE_DROPPED,
    SCOPE_SCHEMA_URL,
    SPAN_ATTRIBUTES,
    SPAN_TRACE_ID,
    SPAN_TRACE_ID_STRING,
    SPAN_ID,
    SPAN_ID_STRING,
    SPAN_PARENT_ID,
    SPAN_PARENT_ID_STRING,
    SPAN_TRACE_STATE,
    SPAN_NAME,
    SPAN_KIND,
    SPAN_KIND_STRING,
    SPAN_KIND_DEPRECATED_STRING,
    SPAN_STATUS_CODE,
    SPAN_STATUS_MESSAGE,
    SPAN_START_NS,
    SPAN_END_NS,
    SPAN_START,
    SPAN_END,
    SPAN_EVENTS,
    SPAN_LINKS,
    SPAN_DROPPED_ATTRIBUTES,
    SPAN_DROPPED_EVENTS,
    SPAN_DROPPED_LINKS,
    SPAN_FLAGS,
    EVENT_NAME,
    EVENT_TIME_NS,
    EVENT_TIME,
    EVENT_ATTRIBUTES,
    EVENT_DROPPED,
    EVENT_INDEX,
    METRIC_NAME,
    METRIC_DESCRIPTION,
    METRIC_UNIT,
    METRIC_TYPE,
    METRIC_TEMPORALITY,
    METRIC_MONOTONIC,
    METRIC_POINTS,
    METRIC_METADATA,
    POINT_ATTRIBUTES,
    POINT_START_NS,
    POINT_TIME_NS,
    POINT_START,
    POINT_TIME,
    POINT_DOUBLE,
    POINT_INT,
    POINT_EXEMPLARS,
    POINT_FLAGS,
    POINT_COUNT,
    POINT_SUM,
    POINT_BUCKETS,
    POINT_BOUNDS,
    POINT_SCALE,
    POINT_ZERO_COUNT,
    CACHE,  /* always empty: conditions cannot write it */
    OTELCOL /* of the request; not kept */
} ottl_path;

static const struct path_name {
    const char *name; /* without the context */
    ottl_path path;
    jg_ottl_context context;
} names[] = {
    {"attributes", RESOURCE_ATTRIBUTES, JG_OTTL_RESOURCE},
    {"dropped_attributes_count", RESOURCE_DROPPED, JG_OTTL_RESOURCE},
    {"schema_url", RESOURCE_SCHEMA_URL, JG_OTTL_RESOURCE},
    {"cache", CACHE, JG_OTTL_RESOURCE},
    {"name", SCOPE_NAME, JG_OTTL_SCOPE},
    {"version", SCOPE_VERSION, JG_OTTL_SCOPE},
    {"attributes", SCOPE_ATTRIBUTES, JG_OTTL_SCOPE},
    {"dropped_attributes_count", SCOPE_DROPPED, JG_OTTL_SCOPE},
    {"schema_url", SCOPE_SCHEMA_URL, JG_OTTL_SCOPE},
    {"cache", CACHE, JG_OTTL_SCOPE},
    {"attributes", SPAN_ATTRIBUTES, JG_OTTL_SPAN},
    {"trace_id", SPAN_TRACE_ID, JG_OTTL_SPAN},
    {"trace_id.string", SPAN_TRACE_ID_STRING, JG_OTTL_SPAN},
    {"span_id", SPAN_ID, JG_OTTL_SPAN},
    {"span_id.string", SPAN_ID_STRING, JG_OTTL_SPAN},
    {"parent_span_id", SPAN_PARENT_ID, JG_OTTL_SPAN},
    {"parent_span_id.string", SPAN_PARENT_ID_STRING, JG_OTTL_SPAN},
    {"trace_state", SPAN_TRACE_STATE, JG_OTTL_SPAN},
    {"name", SPAN_NAME, JG_OTTL_SPAN},
    {"kind", SPAN_KIND, JG_OTTL_SPAN},
    {"kind.string", SPAN_KIND_STRING, JG_OTTL_SPAN},
    {"kind.deprecated_string", SPAN_KIND_DEPRECATED_STRING, JG_OTTL_SPAN},
    {"status.code", SPAN_STATUS_CODE, JG_OTTL_SPAN},
    {"status.message", SPAN_STATUS_MESSAGE, JG_OTTL_SPAN},
    {"start_time_unix_nano", SPAN_START_NS, JG_OTTL_SPAN},
    {"end_time_unix_nano", SPAN_END_NS, JG_OTTL_SPAN},
    {"start_time", SPAN_START, JG_OTTL_SPAN},
    {"end_time", SPAN_END, JG_OTTL_SPAN},
    {"events", SPAN_EVENTS, JG_OTTL_SPAN},
    {"links", SPAN_LINKS, JG_OTTL_SPAN},
    {"dropped_attributes_count", SPAN_DROPPED_ATTRIBUTES, JG_OTTL_SPAN},
    {"dropped_events_count", SPAN_DROPPED_EVENTS, JG_OTTL_SPAN},
    {"dropped_links_count", SPAN_DROPPED_LINKS, JG_OTTL_SPAN},
    {"flags", SPAN_FLAGS, JG_OTTL_SPAN},
    {"cache", CACHE, JG_OTTL_SPAN},
    {"name", EVENT_NAME, JG_OTTL_SPANEVENT},
    {"time_unix_nano", EVENT_TIME_NS, JG_OTTL_SPANEVENT},
    {"time", EVENT_TIME, JG_OTTL_SPANEVENT},
    {"attributes", EVENT_ATTRIBUTES, JG_OTTL_SPANEVENT},
    {"dropped_attributes_count", EVENT_DROPPED, JG_OTTL_SPANEVENT},
    {"event_index", EVENT_INDEX, JG_OTTL_SPANEVENT},
    {"cache", CACHE, JG_OTTL_SPANEVENT},
    {"name", METRIC_NAME, JG_OTTL_METRIC},
    {"description", METRIC_DESCRIPTION, JG_OTTL_METRIC},
    {"unit", METRIC_UNIT, JG_OTTL_METRIC},
    {"type", METRIC_TYPE, JG_OTTL_METRIC},
    {"aggregation_temporality", METRIC_TEMPORALITY, JG_OTTL_METRIC},
    {"is_monotonic", METRIC_MONOTONIC, JG_OTTL_METRIC},
    {"data_points", METRIC_POINTS, JG_OTTL_METRIC},
    {"metadata", METRIC_METADATA, JG_OTTL_METRIC},
    {"cache", CACHE, JG_OTTL_METRIC},
    {"attributes", POINT_ATTRIBUTES, JG_OTTL_DATAPOINT},
    {"start_time_unix_nano", POINT_START_NS, JG_OTTL_DATAPOINT},
    {"time_unix_nano", POINT_TIME_NS, JG_OTTL_DATAPOINT},
    {"start_time", POINT_START, JG_OTTL_DATAPOINT},
    {"time", POINT_TIME, JG_OTTL_DATAPOINT},
    {"value_double", POINT_DOUBLE, JG_OTTL_DATAPOINT},
    {"value_int", POINT_INT, JG_OTTL_DATAPOINT},
    {"exemplars", POINT_EXEMPLARS, JG_OTTL_DATAPOINT},
    {"flags", POINT_FLAGS, JG_OTTL_DATAPOINT},
    {"count", POINT_COUNT, JG_OTTL_DATAPOINT},
    {"sum", POINT_SUM, JG_OTTL_DATAPOINT},
    {"bucket_counts", POINT_BUCKETS, JG_OTTL_DATAPOINT},
    {"explicit_bounds", POINT_BOUNDS, JG_OTTL_DATAPOINT},
    {"scale", POINT_SCALE, JG_OTTL_DATAPOINT},
    {"zero_count", POINT_ZERO_COUNT, JG_OTTL_DATAPOINT},
    {"cache", CACHE, JG_OTTL_DATAPOINT},
};

static const char *const context_names[] = {"resource", "scope", "span", "spanevent", "metric", "datapoint"};

bool jg_ottl_context_from_text(jaeger_str text, jg_ottl_context *ret)
{
    for (int i = 0; i < (int)JG_COUNT(context_names); i++) {
        if (jg_str_is(text, context_names[i])) {
            *ret = (jg_ottl_context)i;
            return true;
        }
    }
    return false;
}

/* The context that the first word names. */
static bool named_context(jaeger_str word, jg_ottl_context *ret)
{
    if (jg_str_is(word, "instrumentation_scope")) {
        *ret = JG_OTTL_SCOPE;
        return true;
    }
    return jg_ottl_context_from_text(word, ret);
}

bool jg_ottl_sees(jg_ottl_context context, jg_ottl_context level)
{
    bool of_metrics =
        context == JG_OTTL_METRIC || context == JG_OTTL_DATAPOINT || context == JG_OTTL_INFER_METRIC;
    if (level <= JG_OTTL_SCOPE)
        return level <= context;
    return of_metrics == (level >= JG_OTTL_METRIC) && level <= context;
}

const char *jg_ottl_path_find(const jaeger_str *fields, size_t n, jg_ottl_context context, bool bare,
                              uint32_t *ret_path, jg_ottl_context *ret_level)
{
    bool named = n > 1 && named_context(fields[0], ret_level);
    if (jg_str_is(fields[0], "otelcol")) {
        *ret_path = OTELCOL;
        *ret_level = JG_OTTL_RESOURCE;
        return n > 1 ? NULL : "invalid path expression";
    }
    if (!named && !bare)
        return "missing context name for path";
    if (!named)
        *ret_level = context;
    if (!jg_ottl_sees(context, *ret_level))
        return "the context of the condition does not see the path";
    char name[64];
    jaeger_str rest = {fields[named].ptr, 0};
    rest.len = (size_t)(fields[n - 1].ptr - rest.ptr) + fields[n - 1].len;
    size_t len = 0;
    for (size_t i = 0; i < rest.len && len < sizeof name; i++) /* blanks around the dots */
        if (rest.ptr[i] != ' ' && rest.ptr[i] != '\t' && rest.ptr[i] != '\n' && rest.ptr[i] != '\r')
            name[len++] = rest.ptr[i];
    for (size_t i = 0; i < JG_COUNT(names); i++) {
        if (names[i].context == *ret_level && jg_str_eq((jaeger_str){name, len}, jg_str(names[i].name))) {
            *ret_path = (uint32_t)names[i].path;
            return NULL;
        }
    }
    return "invalid path expression";
}

/* ---- evaluating ---- */

static jg_ottl_value map_of(jaeger_iter it)
{
    return (jg_ottl_value){JG_OTTL_MAP, {.it = it}};
}

static jg_ottl_value bytes_of(const uint8_t *id, size_t n)
{
    return (jg_ottl_value){JG_OTTL_BYTES, {.s = {(const char *)id, n}}};
}

static bool hex_of(jg_ottl_eval *e, const uint8_t *id, size_t n, jg_ottl_value *ret)
{
    char *text = jaeger_arena_alloc(e->arena, 2 * n);
    if (!text)
        return jg_ottl_fail(e, "out of memory");
    jg_hex_encode(id, n, text);
    *ret = jg_ottl_of_str((jaeger_str){text, 2 * n});
    return true;
}

static int64_t count_events(jaeger_iter it)
{
    jaeger_event event;
    int64_t n = 0;
    while (jaeger_next_event(&it, &event))
        n++;
    return n;
}

static int64_t count_links(jaeger_iter it)
{
    jaeger_link link;
    int64_t n = 0;
    while (jaeger_next_link(&it, &link))
        n++;
    return n;
}

static jaeger_str present(jaeger_str s)
{
    return s.ptr ? s : JAEGER_STR("");
}

static int64_t resource_dropped(const jaeger_span_group *group)
{
    jg_pb pb = jg_pb_of_str(group->resource);
    int64_t dropped = 0;
    for (jg_pb_field f; jg_pb_next(&pb, &f);)
        if (f.number == JG_OTLP_RESOURCE_DROPPED && f.wire == JG_PB_VARINT)
            dropped = (int64_t)(uint32_t)f.varint;
    return dropped;
}

static bool eval_group(const jaeger_span_group *group, ottl_path path, jg_ottl_value *ret)
{
    jaeger_scope scope;
    switch (path) {
    case RESOURCE_ATTRIBUTES:
        *ret = map_of(jaeger_resource_attrs(group));
        return true;
    case RESOURCE_DROPPED:
        *ret = jg_ottl_of_int(resource_dropped(group));
        return true;
    case RESOURCE_SCHEMA_URL:
        *ret = jg_ottl_of_str(present(group->resource_schema_url));
        return true;
    case SCOPE_SCHEMA_URL:
        *ret = jg_ottl_of_str(present(group->scope_schema_url));
        return true;
    case SCOPE_ATTRIBUTES:
        *ret = map_of(jaeger_scope_attrs(group));
        return true;
    default:
        jaeger_scope_read(group, &scope);
        *ret = path == SCOPE_NAME      ? jg_ottl_of_str(present(scope.name))
               : path == SCOPE_VERSION ? jg_ottl_of_str(present(scope.version))
                                       : jg_ottl_of_int(scope.dropped_attributes_count);
        return true;
    }
}

static jg_ottl_value kind_of(uint32_t kind, bool old)
{
    static const char *const kinds[] = {"Unspecified", "Internal", "Server",
                                        "Client",      "Producer", "Consumer"};
    static const char *const olds[] = {"SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER",
                                       "SPAN_KIND_CLIENT",      "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER"};
    if (kind >= JG_COUNT(kinds))
        return jg_ottl_of_str(JAEGER_STR(""));
    return jg_ottl_of_str(jg_str(old ? olds[kind] : kinds[kind]));
}

static jg_ottl_value eval_rest(const jaeger_span *span, ottl_path path)
{
    jaeger_span_rest rest;
    jaeger_span_read_rest(span, &rest);
    switch (path) {
    case SPAN_TRACE_STATE:
        return jg_ottl_of_str(present(rest.trace_state));
    case SPAN_STATUS_MESSAGE:
        return jg_ottl_of_str(present(rest.status_message));
    case SPAN_DROPPED_ATTRIBUTES:
        return jg_ottl_of_int(rest.dropped_attributes_count);
    case SPAN_DROPPED_EVENTS:
        return jg_ottl_of_int(rest.dropped_events_count);
    default:
        return jg_ottl_of_int(rest.dropped_links_count);
    }
}

static bool eval_span(jg_ottl_eval *e, const jaeger_span *span, ottl_path path, jg_ottl_value *ret)
{
    switch (path) {
    case SPAN_ATTRIBUTES:
        *ret = map_of(jaeger_span_attrs(span));
        return true;
    case SPAN_TRACE_ID:
        *ret = bytes_of(span->trace_id, 16);
        return true;
    case SPAN_TRACE_ID_STRING:
        return hex_of(e, span->trace_id, 16, ret);
    case SPAN_ID:
        *ret = bytes_of(span->span_id, 8);
        return true;
    case SPAN_ID_STRING:
        return hex_of(e, span->span_id, 8, ret);
    case SPAN_PARENT_ID:
        *ret = bytes_of(span->parent_span_id, 8);
        return true;
    case SPAN_PARENT_ID_STRING:
        return hex_of(e, span->parent_span_id, 8, ret);
    case SPAN_NAME:
        *ret = jg_ottl_of_str(present(span->name));
        return true;
    case SPAN_KIND:
        *ret = jg_ottl_of_int(span->kind);
        return true;
    case SPAN_KIND_STRING:
    case SPAN_KIND_DEPRECATED_STRING:
        *ret = kind_of(span->kind, path == SPAN_KIND_DEPRECATED_STRING);
        return true;
    case SPAN_STATUS_CODE:
        *ret = jg_ottl_of_int(span->status_code);
        return true;
    case SPAN_START_NS:
    case SPAN_END_NS:
        *ret = jg_ottl_of_int((int64_t)(path == SPAN_START_NS ? span->start_unix_ns : span->end_unix_ns));
        return true;
    case SPAN_START:
    case SPAN_END:
        *ret = jg_ottl_of_int((int64_t)(path == SPAN_START ? span->start_unix_ns : span->end_unix_ns));
        ret->type = JG_OTTL_TIME;
        return true;
    case SPAN_EVENTS:
    case SPAN_LINKS:
        *ret = jg_ottl_of_int(path == SPAN_EVENTS ? count_events(jaeger_span_events(span))
                                                  : count_links(jaeger_span_links(span)));
        ret->type = JG_OTTL_COUNTED;
        return true;
    case SPAN_FLAGS:
        *ret = jg_ottl_of_int(span->flags);
        return true;
    default:
        *ret = eval_rest(span, path);
        return true;
    }
}

static bool eval_event(const jg_ottl_view *view, ottl_path path, jg_ottl_value *ret)
{
    const jaeger_event *event = view->event;
    switch (path) {
    case EVENT_NAME:
        *ret = jg_ottl_of_str(present(event->name));
        return true;
    case EVENT_ATTRIBUTES:
        *ret = map_of(jaeger_event_attrs(event));
        return true;
    case EVENT_DROPPED:
        *ret = jg_ottl_of_int(event->dropped_attributes_count);
        return true;
    case EVENT_INDEX:
        *ret = jg_ottl_of_int(view->event_index);
        return true;
    default:
        *ret = jg_ottl_of_int((int64_t)event->time_unix_ns);
        ret->type = path == EVENT_TIME ? JG_OTTL_TIME : JG_OTTL_INT;
        return true;
    }
}

static int64_t count_fields(jaeger_str body, uint32_t number)
{
    int64_t n = 0;
    jg_pb pb = jg_pb_of_str(body);
    for (jg_pb_field f; jg_pb_next(&pb, &f);)
        n += f.number == number && f.wire == JG_PB_LEN;
    return n;
}

static jg_ottl_value counted(int64_t n)
{
    jg_ottl_value value = jg_ottl_of_int(n);
    value.type = JG_OTTL_COUNTED;
    return value;
}

/* METRIC_DATA_TYPE_*. */
static int64_t type_of(jg_metric_type type)
{
    static const uint8_t types[] = {[JG_METRIC_GAUGE] = 1,
                                    [JG_METRIC_SUM] = 2,
                                    [JG_METRIC_HISTOGRAM] = 3,
                                    [JG_METRIC_EXPONENTIAL] = 4,
                                    [JG_METRIC_SUMMARY] = 5};
    return type < JG_COUNT(types) ? types[type] : 0;
}

static void eval_metric(const jg_ottl_view *view, ottl_path path, jg_ottl_value *ret)
{
    const jg_metric_point *m = view->point;
    const uint8_t *body = (const uint8_t *)view->metric_body.ptr;
    bool accumulates =
        m->type == JG_METRIC_SUM || m->type == JG_METRIC_HISTOGRAM || m->type == JG_METRIC_EXPONENTIAL;
    *ret = (jg_ottl_value){0};
    switch (path) {
    case METRIC_NAME:
        *ret = jg_ottl_of_str(present(m->name));
        break;
    case METRIC_DESCRIPTION:
        *ret = jg_ottl_of_str(present(m->description));
        break;
    case METRIC_UNIT:
        *ret = jg_ottl_of_str(present(m->unit));
        break;
    case METRIC_TYPE:
        *ret = jg_ottl_of_int(type_of(m->type));
        break;
    case METRIC_TEMPORALITY:
        if (accumulates)
            *ret = jg_ottl_of_int(m->temporality);
        break;
    case METRIC_MONOTONIC:
        if (m->type == JG_METRIC_SUM)
            *ret = jg_ottl_of_bool(m->monotonic);
        break;
    case METRIC_METADATA:
        *ret = map_of((jaeger_iter){body, body + view->metric_body.len, METRIC_METADATA_FIELD});
        break;
    default:
        *ret = counted(count_fields(view->metric_data, JG_OTLP_DATA_POINTS));
    }
}

/* Of a gauge or sum: 0 if it has the other kind of value. */
static jg_ottl_value number_of(const jg_metric_point *p, bool is_int)
{
    uint64_t bits = 0;
    jg_ottl_value value = jg_ottl_of_int(0);
    jg_pb pb = jg_pb_of_str(p->body);
    for (jg_pb_field f; jg_pb_next(&pb, &f);)
        if (f.number == (is_int ? JG_OTLP_NUMBER_INT : JG_OTLP_NUMBER_DOUBLE) && f.wire == JG_PB_FIXED64)
            bits = f.varint;
    value.type = is_int ? JG_OTTL_INT : JG_OTTL_DOUBLE;
    memcpy(&value.u, &bits, 8);
    return value;
}

static bool list_of(jg_ottl_eval *e, jaeger_str packed, bool doubles, jg_ottl_value *ret)
{
    jg_buf out = JG_BUF_INIT(JG_OTTL_VALUE_BYTES_MAX);
    for (size_t i = 0; i < packed.len / 8; i++) {
        jg_ottl_value item = doubles ? jg_ottl_of_double(jg_packed_double(packed, i))
                                     : jg_ottl_of_int((int64_t)jg_packed_u64(packed, i));
        jg_ottl_put_item(&out, &item);
    }
    return jg_ottl_finish(e, &out, JG_OTTL_LIST, ret);
}

/* What a kind of point does not have is nil. */
static bool eval_point(jg_ottl_eval *e, const jg_metric_point *p, ottl_path path, jg_ottl_value *ret)
{
    bool is_number = p->type == JG_METRIC_GAUGE || p->type == JG_METRIC_SUM;
    *ret = (jg_ottl_value){0};
    switch (path) {
    case POINT_ATTRIBUTES:
        *ret = map_of(jg_point_attrs(p));
        break;
    case POINT_START_NS:
    case POINT_START:
    case POINT_TIME_NS:
    case POINT_TIME:
        *ret = jg_ottl_of_int(
            (int64_t)(path == POINT_START || path == POINT_START_NS ? p->start_unix_ns : p->time_unix_ns));
        ret->type = path == POINT_START || path == POINT_TIME ? JG_OTTL_TIME : JG_OTTL_INT;
        break;
    case POINT_DOUBLE:
    case POINT_INT:
        if (is_number)
            *ret = number_of(p, path == POINT_INT);
        break;
    case POINT_EXEMPLARS:
        if (p->exemplars_field)
            *ret = counted(count_fields(p->body, p->exemplars_field));
        break;
    case POINT_FLAGS:
        *ret = jg_ottl_of_int(p->no_value);
        break;
    case POINT_BUCKETS:
    case POINT_BOUNDS:
        return p->type != JG_METRIC_HISTOGRAM ||
               list_of(e, path == POINT_BUCKETS ? p->counts : p->bounds, path == POINT_BOUNDS, ret);
    case POINT_SCALE:
    case POINT_ZERO_COUNT:
        if (p->type == JG_METRIC_EXPONENTIAL)
            *ret = jg_ottl_of_int(path == POINT_SCALE ? p->scale : (int64_t)p->zero_count);
        break;
    default:
        if (!is_number)
            *ret = path == POINT_COUNT ? jg_ottl_of_int((int64_t)p->count) : jg_ottl_of_double(p->sum);
    }
    return true;
}

/* trace_state["key"]: "a=1,b=2". */
static bool trace_state_key(jg_ottl_eval *e, const jg_ottl_node *node, jg_ottl_value *value)
{
    jg_ottl_value key;
    if (!jg_ottl_eval_node(e, node->keys[0], &key))
        return false;
    if (key.type != JG_OTTL_STRING || node->key_count > 1)
        return jg_ottl_fail(e, "trace_state takes one string key");
    for (jaeger_str rest = value->u.s; rest.len;) {
        jaeger_str entry = {rest.ptr, jg_str_find(rest, ',')};
        rest = jg_str_skip(rest, entry.len + 1);
        entry = jg_str_trim(entry);
        size_t at = jg_str_find(entry, '=');
        if (at < entry.len && jg_str_eq((jaeger_str){entry.ptr, at}, key.u.s)) {
            *value = jg_ottl_of_str(jg_str_skip(entry, at + 1));
            return true;
        }
    }
    *value = jg_ottl_of_str(JAEGER_STR(""));
    return true;
}

bool jg_ottl_path_eval(jg_ottl_eval *e, const jg_ottl_node *node, jg_ottl_value *ret)
{
    const jg_ottl_view *view = e->view;
    ottl_path path = (ottl_path)node->path;
    bool ok = true;
    if (path == OTELCOL) {
        *ret = (jg_ottl_value){0};
        return true;
    }
    if (path == CACHE)
        *ret = map_of((jaeger_iter){0});
    else if (path < SPAN_ATTRIBUTES)
        ok = eval_group(view->group, path, ret);
    else if (path < EVENT_NAME)
        ok = eval_span(e, view->span, path, ret);
    else if (path < METRIC_NAME)
        ok = eval_event(view, path, ret);
    else if (path < POINT_ATTRIBUTES)
        eval_metric(view, path, ret);
    else
        ok = eval_point(e, view->point, path, ret);
    if (!ok || node->key_count == 0)
        return ok;
    return path == SPAN_TRACE_STATE ? trace_state_key(e, node, ret) : jg_ottl_index(e, node, 0, ret);
}
