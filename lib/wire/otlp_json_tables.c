/* SPDX-License-Identifier: Apache-2.0
 * See otlp_json_tables.h. Names: opentelemetry-proto trace/v1/trace.proto, metrics/v1/metrics.proto.
 */
#include "wire/otlp_json_tables.h"

#include "core/attr.h"
#include "model/metrics.h"
#include "model/otlp_fields.h"

#define FIELD(name, snake, number, kind, len_bytes, sub)                                                     \
    {                                                                                                        \
        name, snake, sizeof(name) - 1, number, kind, len_bytes, sub                                          \
    }
#define PLAIN(name, snake, number, kind) FIELD(name, snake, number, kind, 0, NULL)
#define TABLE(fields)                                                                                        \
    {                                                                                                        \
        fields, JG_COUNT(fields), false                                                                      \
    }

static const jg_json_message any_value;

static const jg_json_field key_value_fields[] = {
    PLAIN("key", "key", JG_OTLP_KEY_VALUE_KEY, JG_JSON_IS_STRING),
    FIELD("value", "value", JG_OTLP_KEY_VALUE_VALUE, JG_JSON_IS_MESSAGE, 1, &any_value),
};
static const jg_json_message key_value = TABLE(key_value_fields);

static const jg_json_field array_fields[] = {
    FIELD("values", "values", JG_OTLP_LIST_VALUES, JG_JSON_IS_MESSAGES, 1, &any_value)};
static const jg_json_message array_value = TABLE(array_fields);
static const jg_json_field map_fields[] = {
    FIELD("values", "values", JG_OTLP_LIST_VALUES, JG_JSON_IS_MESSAGES, 1, &key_value)};
static const jg_json_message map_value = TABLE(map_fields);

static const jg_json_field any_value_fields[] = {
    PLAIN("stringValue", "string_value", JG_OTLP_ANY_STRING, JG_JSON_IS_STRING),
    PLAIN("intValue", "int_value", JG_OTLP_ANY_INT, JG_JSON_IS_INT64),
    PLAIN("boolValue", "bool_value", JG_OTLP_ANY_BOOL, JG_JSON_IS_BOOL),
    PLAIN("doubleValue", "double_value", JG_OTLP_ANY_DOUBLE, JG_JSON_IS_DOUBLE),
    FIELD("arrayValue", "array_value", JG_OTLP_ANY_ARRAY, JG_JSON_IS_MESSAGE, 1, &array_value),
    FIELD("kvlistValue", "kvlist_value", JG_OTLP_ANY_MAP, JG_JSON_IS_MESSAGE, 1, &map_value),
    PLAIN("bytesValue", "bytes_value", JG_OTLP_ANY_BYTES, JG_JSON_IS_BYTES),
};
static const jg_json_message any_value = {any_value_fields, JG_COUNT(any_value_fields), true};

#define ATTRIBUTES(number, dropped)                                                                          \
    FIELD("attributes", "attributes", number, JG_JSON_IS_MESSAGES, 1, &key_value),                           \
        PLAIN("droppedAttributesCount", "dropped_attributes_count", dropped, JG_JSON_IS_UINT32)

static const jg_json_field event_fields[] = {
    PLAIN("timeUnixNano", "time_unix_nano", JG_OTLP_EVENT_TIME, JG_JSON_IS_FIXED64),
    PLAIN("name", "name", JG_OTLP_EVENT_NAME, JG_JSON_IS_STRING),
    ATTRIBUTES(JG_OTLP_EVENT_ATTRIBUTES, JG_OTLP_EVENT_DROPPED),
};
static const jg_json_message event = TABLE(event_fields);

static const jg_json_field link_fields[] = {
    PLAIN("traceId", "trace_id", JG_OTLP_LINK_TRACE_ID, JG_JSON_IS_ID16),
    PLAIN("spanId", "span_id", JG_OTLP_LINK_SPAN_ID, JG_JSON_IS_ID8),
    PLAIN("traceState", "trace_state", JG_OTLP_LINK_TRACE_STATE, JG_JSON_IS_STRING),
    ATTRIBUTES(JG_OTLP_LINK_ATTRIBUTES, JG_OTLP_LINK_DROPPED),
    PLAIN("flags", "flags", JG_OTLP_LINK_FLAGS, JG_JSON_IS_FIXED32),
};
static const jg_json_message link_message = TABLE(link_fields);

static const jg_json_field status_fields[] = {
    PLAIN("message", "message", JG_OTLP_STATUS_MESSAGE, JG_JSON_IS_STRING),
    PLAIN("code", "code", JG_OTLP_STATUS_CODE, JG_JSON_IS_STATUS),
};
static const jg_json_message status = TABLE(status_fields);

static const jg_json_field span_fields[] = {
    PLAIN("traceId", "trace_id", JG_OTLP_SPAN_TRACE_ID, JG_JSON_IS_ID16),
    PLAIN("spanId", "span_id", JG_OTLP_SPAN_SPAN_ID, JG_JSON_IS_ID8),
    PLAIN("traceState", "trace_state", JG_OTLP_SPAN_TRACE_STATE, JG_JSON_IS_STRING),
    PLAIN("parentSpanId", "parent_span_id", JG_OTLP_SPAN_PARENT_SPAN_ID, JG_JSON_IS_ID8),
    PLAIN("flags", "flags", JG_OTLP_SPAN_FLAGS, JG_JSON_IS_FIXED32),
    PLAIN("name", "name", JG_OTLP_SPAN_NAME, JG_JSON_IS_STRING),
    PLAIN("kind", "kind", JG_OTLP_SPAN_KIND, JG_JSON_IS_KIND),
    PLAIN("startTimeUnixNano", "start_time_unix_nano", JG_OTLP_SPAN_START, JG_JSON_IS_FIXED64),
    PLAIN("endTimeUnixNano", "end_time_unix_nano", JG_OTLP_SPAN_END, JG_JSON_IS_FIXED64),
    ATTRIBUTES(JG_OTLP_SPAN_ATTRIBUTES, JG_OTLP_SPAN_DROPPED_ATTRIBUTES),
    FIELD("events", "events", JG_OTLP_SPAN_EVENTS, JG_JSON_IS_MESSAGES, 1, &event),
    PLAIN("droppedEventsCount", "dropped_events_count", JG_OTLP_SPAN_DROPPED_EVENTS, JG_JSON_IS_UINT32),
    FIELD("links", "links", JG_OTLP_SPAN_LINKS, JG_JSON_IS_MESSAGES, 1, &link_message),
    PLAIN("droppedLinksCount", "dropped_links_count", JG_OTLP_SPAN_DROPPED_LINKS, JG_JSON_IS_UINT32),
    FIELD("status", "status", JG_OTLP_SPAN_STATUS, JG_JSON_IS_MESSAGE, 1, &status),
};
static const jg_json_message span = TABLE(span_fields);

static const jg_json_field scope_fields[] = {
    PLAIN("name", "name", JG_OTLP_SCOPE_NAME, JG_JSON_IS_STRING),
    PLAIN("version", "version", JG_OTLP_SCOPE_VERSION, JG_JSON_IS_STRING),
    ATTRIBUTES(JG_OTLP_SCOPE_ATTRIBUTES, JG_OTLP_SCOPE_DROPPED),
};
static const jg_json_message scope = TABLE(scope_fields);

static const jg_json_field scope_spans_fields[] = {
    FIELD("scope", "scope", JG_OTLP_SCOPE_SPANS_SCOPE, JG_JSON_IS_MESSAGE, 1, &scope),
    FIELD("spans", "spans", JG_OTLP_SCOPE_SPANS_SPANS, JG_JSON_IS_MESSAGES, 2, &span),
    PLAIN("schemaUrl", "schema_url", JG_OTLP_SCOPE_SPANS_SCHEMA_URL, JG_JSON_IS_STRING),
};
static const jg_json_message scope_spans = TABLE(scope_spans_fields);

static const jg_json_field entity_ref_fields[] = {
    PLAIN("schemaUrl", "schema_url", 1, JG_JSON_IS_STRING),
    PLAIN("type", "type", 2, JG_JSON_IS_STRING),
    PLAIN("idKeys", "id_keys", 3, JG_JSON_IS_STRINGS),
    PLAIN("descriptionKeys", "description_keys", 4, JG_JSON_IS_STRINGS),
};
static const jg_json_message entity_ref = TABLE(entity_ref_fields);

static const jg_json_field resource_fields[] = {
    ATTRIBUTES(JG_OTLP_RESOURCE_ATTRIBUTES, JG_OTLP_RESOURCE_DROPPED),
    FIELD("entityRefs", "entity_refs", 3, JG_JSON_IS_MESSAGES, 1, &entity_ref),
};
static const jg_json_message resource = TABLE(resource_fields);

static const jg_json_field resource_spans_fields[] = {
    FIELD("resource", "resource", JG_OTLP_RESOURCE_SPANS_RESOURCE, JG_JSON_IS_MESSAGE, 2, &resource),
    FIELD("scopeSpans", "scope_spans", JG_OTLP_RESOURCE_SPANS_SCOPE_SPANS, JG_JSON_IS_MESSAGES, 3,
          &scope_spans),
    PLAIN("schemaUrl", "schema_url", JG_OTLP_RESOURCE_SPANS_SCHEMA_URL, JG_JSON_IS_STRING),
};
static const jg_json_message resource_spans = TABLE(resource_spans_fields);

static const jg_json_field request_fields[] = {
    FIELD("resourceSpans", "resource_spans", JG_OTLP_REQUEST_RESOURCE_SPANS, JG_JSON_IS_MESSAGES, 3,
          &resource_spans),
};
const jg_json_message jg_otlp_json_traces = TABLE(request_fields);

/* ---- metrics: opentelemetry-proto metrics/v1/metrics.proto */

#define TIMES                                                                                                \
    PLAIN("startTimeUnixNano", "start_time_unix_nano", JG_OTLP_POINT_START, JG_JSON_IS_FIXED64),             \
        PLAIN("timeUnixNano", "time_unix_nano", JG_OTLP_POINT_TIME, JG_JSON_IS_FIXED64)
#define POINT_ATTRIBUTES(number) FIELD("attributes", "attributes", number, JG_JSON_IS_MESSAGES, 1, &key_value)

static const jg_json_field exemplar_fields[] = {
    FIELD("filteredAttributes", "filtered_attributes", 7, JG_JSON_IS_MESSAGES, 1, &key_value),
    PLAIN("timeUnixNano", "time_unix_nano", JG_OTLP_EXEMPLAR_TIME, JG_JSON_IS_FIXED64),
    PLAIN("asDouble", "as_double", JG_OTLP_EXEMPLAR_DOUBLE, JG_JSON_IS_DOUBLE),
    PLAIN("asInt", "as_int", JG_OTLP_EXEMPLAR_INT, JG_JSON_IS_SFIXED64),
    PLAIN("spanId", "span_id", JG_OTLP_EXEMPLAR_SPAN_ID, JG_JSON_IS_ID8),
    PLAIN("traceId", "trace_id", JG_OTLP_EXEMPLAR_TRACE_ID, JG_JSON_IS_ID16),
};
static const jg_json_message exemplar = {exemplar_fields, JG_COUNT(exemplar_fields), true};

static const jg_json_field number_fields[] = {
    POINT_ATTRIBUTES(JG_OTLP_NUMBER_ATTRIBUTES),
    TIMES,
    PLAIN("asDouble", "as_double", JG_OTLP_NUMBER_DOUBLE, JG_JSON_IS_DOUBLE),
    PLAIN("asInt", "as_int", JG_OTLP_NUMBER_INT, JG_JSON_IS_SFIXED64),
    FIELD("exemplars", "exemplars", JG_OTLP_NUMBER_EXEMPLARS, JG_JSON_IS_MESSAGES, 1, &exemplar),
    PLAIN("flags", "flags", JG_OTLP_NUMBER_FLAGS, JG_JSON_IS_UINT32),
};
static const jg_json_message number_point = {number_fields, JG_COUNT(number_fields), true};

static const jg_json_field histogram_point_fields[] = {
    POINT_ATTRIBUTES(JG_OTLP_HISTOGRAM_ATTRIBUTES),
    TIMES,
    PLAIN("count", "count", JG_OTLP_HISTOGRAM_COUNT, JG_JSON_IS_FIXED64),
    PLAIN("sum", "sum", JG_OTLP_HISTOGRAM_SUM, JG_JSON_IS_DOUBLE),
    PLAIN("bucketCounts", "bucket_counts", JG_OTLP_HISTOGRAM_COUNTS, JG_JSON_IS_FIXED64S),
    PLAIN("explicitBounds", "explicit_bounds", JG_OTLP_HISTOGRAM_BOUNDS, JG_JSON_IS_DOUBLES),
    FIELD("exemplars", "exemplars", JG_OTLP_HISTOGRAM_EXEMPLARS, JG_JSON_IS_MESSAGES, 1, &exemplar),
    PLAIN("flags", "flags", JG_OTLP_HISTOGRAM_FLAGS, JG_JSON_IS_UINT32),
    PLAIN("min", "min", JG_OTLP_HISTOGRAM_MIN, JG_JSON_IS_DOUBLE),
    PLAIN("max", "max", JG_OTLP_HISTOGRAM_MAX, JG_JSON_IS_DOUBLE),
};
static const jg_json_message histogram_point = {histogram_point_fields, JG_COUNT(histogram_point_fields),
                                                true};

static const jg_json_field exp_buckets_fields[] = {
    PLAIN("offset", "offset", JG_OTLP_EXP_BUCKETS_OFFSET, JG_JSON_IS_SINT32),
    PLAIN("bucketCounts", "bucket_counts", JG_OTLP_EXP_BUCKETS_COUNTS, JG_JSON_IS_UINT64S),
};
static const jg_json_message exp_buckets = TABLE(exp_buckets_fields);

static const jg_json_field exp_point_fields[] = {
    POINT_ATTRIBUTES(JG_OTLP_EXP_ATTRIBUTES),
    TIMES,
    PLAIN("count", "count", JG_OTLP_HISTOGRAM_COUNT, JG_JSON_IS_FIXED64),
    PLAIN("sum", "sum", JG_OTLP_HISTOGRAM_SUM, JG_JSON_IS_DOUBLE),
    PLAIN("scale", "scale", JG_OTLP_EXP_SCALE, JG_JSON_IS_SINT32),
    PLAIN("zeroCount", "zero_count", JG_OTLP_EXP_ZERO_COUNT, JG_JSON_IS_FIXED64),
    FIELD("positive", "positive", JG_OTLP_EXP_POSITIVE, JG_JSON_IS_MESSAGE, 1, &exp_buckets),
    FIELD("negative", "negative", 9, JG_JSON_IS_MESSAGE, 1, &exp_buckets),
    PLAIN("flags", "flags", JG_OTLP_HISTOGRAM_FLAGS, JG_JSON_IS_UINT32),
    FIELD("exemplars", "exemplars", JG_OTLP_EXP_EXEMPLARS, JG_JSON_IS_MESSAGES, 1, &exemplar),
    PLAIN("min", "min", JG_OTLP_EXP_MIN, JG_JSON_IS_DOUBLE),
    PLAIN("max", "max", JG_OTLP_EXP_MAX, JG_JSON_IS_DOUBLE),
    PLAIN("zeroThreshold", "zero_threshold", 14, JG_JSON_IS_DOUBLE),
};
static const jg_json_message exp_point = {exp_point_fields, JG_COUNT(exp_point_fields), true};

static const jg_json_field quantile_fields[] = {PLAIN("quantile", "quantile", 1, JG_JSON_IS_DOUBLE),
                                                PLAIN("value", "value", 2, JG_JSON_IS_DOUBLE)};
static const jg_json_message quantile = TABLE(quantile_fields);
static const jg_json_field summary_point_fields[] = {
    POINT_ATTRIBUTES(JG_OTLP_SUMMARY_ATTRIBUTES),
    TIMES,
    PLAIN("count", "count", JG_OTLP_HISTOGRAM_COUNT, JG_JSON_IS_FIXED64),
    PLAIN("sum", "sum", JG_OTLP_HISTOGRAM_SUM, JG_JSON_IS_DOUBLE),
    FIELD("quantileValues", "quantile_values", JG_OTLP_SUMMARY_QUANTILES, JG_JSON_IS_MESSAGES, 1, &quantile),
    PLAIN("flags", "flags", JG_OTLP_NUMBER_FLAGS, JG_JSON_IS_UINT32),
};
static const jg_json_message summary_point = TABLE(summary_point_fields);

#define POINTS(point) FIELD("dataPoints", "data_points", JG_OTLP_DATA_POINTS, JG_JSON_IS_MESSAGES, 1, point)
#define TEMPORALITY_OF_DATA                                                                                  \
    PLAIN("aggregationTemporality", "aggregation_temporality", JG_OTLP_DATA_TEMPORALITY,                     \
          JG_JSON_IS_TEMPORALITY)

static const jg_json_field gauge_fields[] = {POINTS(&number_point)};
static const jg_json_message gauge = TABLE(gauge_fields);
static const jg_json_field sum_fields[] = {
    POINTS(&number_point), TEMPORALITY_OF_DATA,
    PLAIN("isMonotonic", "is_monotonic", JG_OTLP_DATA_MONOTONIC, JG_JSON_IS_BOOL)};
static const jg_json_message sum = TABLE(sum_fields);
static const jg_json_field histogram_fields[] = {POINTS(&histogram_point), TEMPORALITY_OF_DATA};
static const jg_json_message histogram = TABLE(histogram_fields);
static const jg_json_field exp_fields[] = {POINTS(&exp_point), TEMPORALITY_OF_DATA};
static const jg_json_message exponential = TABLE(exp_fields);
static const jg_json_field summary_fields[] = {POINTS(&summary_point)};
static const jg_json_message summary = TABLE(summary_fields);

static const jg_json_field metric_fields[] = {
    PLAIN("name", "name", JG_OTLP_METRIC_NAME, JG_JSON_IS_STRING),
    PLAIN("description", "description", JG_OTLP_METRIC_DESCRIPTION, JG_JSON_IS_STRING),
    PLAIN("unit", "unit", JG_OTLP_METRIC_UNIT, JG_JSON_IS_STRING),
    FIELD("gauge", "gauge", JG_METRIC_GAUGE, JG_JSON_IS_MESSAGE, 2, &gauge),
    FIELD("sum", "sum", JG_METRIC_SUM, JG_JSON_IS_MESSAGE, 2, &sum),
    FIELD("histogram", "histogram", JG_METRIC_HISTOGRAM, JG_JSON_IS_MESSAGE, 2, &histogram),
    FIELD("exponentialHistogram", "exponential_histogram", JG_METRIC_EXPONENTIAL, JG_JSON_IS_MESSAGE, 2,
          &exponential),
    FIELD("summary", "summary", JG_METRIC_SUMMARY, JG_JSON_IS_MESSAGE, 2, &summary),
    FIELD("metadata", "metadata", 12, JG_JSON_IS_MESSAGES, 1, &key_value),
};
static const jg_json_message metric = TABLE(metric_fields);

static const jg_json_field scope_metrics_fields[] = {
    FIELD("scope", "scope", JG_OTLP_METRICS_OWNER, JG_JSON_IS_MESSAGE, 1, &scope),
    FIELD("metrics", "metrics", JG_OTLP_METRICS_ITEMS, JG_JSON_IS_MESSAGES, 2, &metric),
    PLAIN("schemaUrl", "schema_url", JG_OTLP_METRICS_SCHEMA_URL, JG_JSON_IS_STRING),
};
static const jg_json_message scope_metrics = TABLE(scope_metrics_fields);

static const jg_json_field resource_metrics_fields[] = {
    FIELD("resource", "resource", JG_OTLP_METRICS_OWNER, JG_JSON_IS_MESSAGE, 2, &resource),
    FIELD("scopeMetrics", "scope_metrics", JG_OTLP_METRICS_ITEMS, JG_JSON_IS_MESSAGES, 3, &scope_metrics),
    PLAIN("schemaUrl", "schema_url", JG_OTLP_METRICS_SCHEMA_URL, JG_JSON_IS_STRING),
};
static const jg_json_message resource_metrics = TABLE(resource_metrics_fields);

static const jg_json_field metrics_request_fields[] = {
    FIELD("resourceMetrics", "resource_metrics", JG_OTLP_RESOURCE_METRICS, JG_JSON_IS_MESSAGES, 3,
          &resource_metrics),
};
const jg_json_message jg_otlp_json_metrics = TABLE(metrics_request_fields);
