/* SPDX-License-Identifier: Apache-2.0
 * See gates.h. The ids are those of Jaeger v2.20, with the Collector's components it contains.
 */
#include "service/gates.h"

#include "core/buf.h"
#include "core/err.h"
#include "core/str.h"

#define NO_EFFECT "accepted for compatibility"

const jg_gate jg_gates[] = {
    {"confmap.enableMergeAppendOption", false, JG_GATE_ALPHA, NO_EFFECT},
    {"connector.spanmetrics.excludeResourceMetrics", false, JG_GATE_ALPHA,
     "leave resource attributes out of span metrics"},
    {"connector.spanmetrics.includeCollectorInstanceID", true, JG_GATE_BETA,
     "add collector.instance.id to span metrics"},
    {"connector.spanmetrics.legacyMetricNames", false, JG_GATE_ALPHA, "span metrics without namespace"},
    {"connector.spanmetrics.useSecondAsDefaultMetricsUnit", false, JG_GATE_ALPHA,
     "durations in seconds by default"},
    {"es.config.rejectLegacyRotationFlags", true, JG_GATE_BETA,
     "refuse the old index rotation keys of Elasticsearch and OpenSearch"},
    {"exporter.prometheusexporter.DisableAddMetricSuffixes", true, JG_GATE_BETA,
     "ignore add_metric_suffixes of the prometheus exporter"},
    {"filter.filterlog.useOTTLBridge", false, JG_GATE_ALPHA, NO_EFFECT},
    {"filter.filtermetric.useOTTLBridge", false, JG_GATE_ALPHA, NO_EFFECT},
    {"filter.filterspan.useOTTLBridge", false, JG_GATE_ALPHA, NO_EFFECT},
    {"jaeger.clickhouse", true, JG_GATE_STABLE, NO_EFFECT},
    {"jaeger.es.config.rejectLegacyRotationFlags", true, JG_GATE_BETA,
     "the same as es.config.rejectLegacyRotationFlags"},
    {"jaeger.es.nativeTraceSummaries", true, JG_GATE_BETA, "let the engine make trace summaries"},
    {"jaeger.es.omitParentSpanIDReference", false, JG_GATE_ALPHA,
     "do not write the parent span id as a reference"},
    {"jaeger.query.structuredFilters", false, JG_GATE_ALPHA,
     "take jaeger.expression.v1 filters in the v3 APIs; without it they are refused"},
    {"ottl.PanicDuplicateName", true, JG_GATE_BETA, NO_EFFECT},
    {"ottl.contexts.enableOTelColContext", true, JG_GATE_BETA, "paths otelcol.* in conditions"},
    {"ottl.functions.enableLambda", false, JG_GATE_ALPHA, NO_EFFECT},
    {"pdata.useProtoPooling", false, JG_GATE_ALPHA, NO_EFFECT},
    {"pkg.translator.prometheus.PermissiveLabelSanitization", false, JG_GATE_ALPHA,
     "keep labels that begin with an underscore"},
    {"pkg.translator.zipkin.DontEmitV0CloudResourceConventions", false, JG_GATE_ALPHA, NO_EFFECT},
    {"pkg.translator.zipkin.DontEmitV0HttpConventions", false, JG_GATE_ALPHA, NO_EFFECT},
    {"pkg.translator.zipkin.DontEmitV0NetworkConventions", true, JG_GATE_BETA, NO_EFFECT},
    {"pkg.translator.zipkin.DontEmitV0ScopeConventions", false, JG_GATE_ALPHA, NO_EFFECT},
    {"pkg.translator.zipkin.EmitV1CloudResourceConventions", false, JG_GATE_ALPHA, NO_EFFECT},
    {"pkg.translator.zipkin.EmitV1HttpConventions", false, JG_GATE_ALPHA, NO_EFFECT},
    {"pkg.translator.zipkin.EmitV1NetworkConventions", true, JG_GATE_BETA, NO_EFFECT},
    {"pkg.translator.zipkin.EmitV1ScopeConventions", false, JG_GATE_ALPHA, NO_EFFECT},
    {"processor.filter.defaultErrorModeIgnore", true, JG_GATE_BETA,
     "conditions of filter that fail are logged, not returned"},
    {"processor.tailsamplingprocessor.metricstatcountbytessampled", false, JG_GATE_ALPHA, NO_EFFECT},
    {"processor.tailsamplingprocessor.metricstatcountspanssampled", false, JG_GATE_ALPHA,
     "count sampled spans per policy"},
    {"processor.tailsamplingprocessor.recordpolicy", false, JG_GATE_ALPHA,
     "record the deciding policy on spans"},
    {"processor.tailsamplingprocessor.tailstorageextension", false, JG_GATE_ALPHA, NO_EFFECT},
    {"receiverhelper.newReceiverMetrics", false, JG_GATE_ALPHA, NO_EFFECT},
    {"service.AllowNoPipelines", false, JG_GATE_ALPHA, "start without pipelines"},
    {"service.profilesSupport", false, JG_GATE_ALPHA, NO_EFFECT},
    {"spanmetrics.statusCodeConvention.useOtelPrefix", false, JG_GATE_ALPHA,
     "otel.status_code instead of status.code"},
    {"storage.clickhouse", true, JG_GATE_STABLE, NO_EFFECT},
    {"telemetry.newPipelineTelemetry", false, JG_GATE_ALPHA, NO_EFFECT},
};
const size_t jg_gate_count = JG_COUNT(jg_gates);
_Static_assert(JG_COUNT(jg_gates) <= JG_GATES_MAX, "raise JG_GATES_MAX");

static size_t find(jaeger_str id)
{
    size_t i = 0;
    while (i < jg_gate_count && !jg_str_is(id, jg_gates[i].id))
        i++;
    return i;
}

static jaeger_status fail_unknown(jaeger_str id, jaeger_error *err)
{
    JG_AUTO_BUF jg_buf ids = JG_BUF_INIT(4096);
    for (size_t i = 0; i < jg_gate_count; i++)
        jg_buf_printf(&ids, "%s%s", i ? " " : "", jg_gates[i].id);
    return jg_fail(err, JAEGER_INVALID_ARGUMENT, "no such feature gate \"%.*s\". valid gates: [%.*s]",
                   JAEGER_STR_ARGS(id), JAEGER_STR_ARGS(jg_buf_view(&ids)));
}

jaeger_status jg_gates_parse(const char *text, bool *ret, jaeger_error *err)
{
    for (size_t i = 0; i < jg_gate_count; i++)
        ret[i] = jg_gates[i].on;
    for (jaeger_str rest = jg_str(text); rest.len;) {
        size_t comma = jg_str_find(rest, ',');
        jaeger_str id = jg_str_trim((jaeger_str){rest.ptr, comma});
        rest = jg_str_skip(rest, comma + 1);
        if (!id.len)
            continue;
        bool on = id.ptr[0] != '-';
        if (id.ptr[0] == '-' || id.ptr[0] == '+')
            id = jg_str_skip(id, 1);
        size_t i = find(id);
        if (i == jg_gate_count)
            return fail_unknown(id, err);
        if (jg_gates[i].stage == JG_GATE_STABLE && !on)
            return jg_fail(err, JAEGER_INVALID_ARGUMENT, "feature gate \"%s\" is stable, can not be disabled",
                           jg_gates[i].id);
        ret[i] = on;
    }
    return JAEGER_OK;
}

bool jg_gates_get(const bool *gates, const char *id)
{
    size_t i = find(jg_str(id));
    return i < jg_gate_count && gates[i];
}

const char *jg_gates_at(size_t index)
{
    return index < jg_gate_count ? jg_gates[index].id : NULL;
}
