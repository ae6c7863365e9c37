/* SPDX-License-Identifier: Apache-2.0
 * Functions on a metric: what do its data points have? Spec: opentelemetry-collector-contrib
 * processor/filterprocessor/README.md, OTTL functions.
 */
#include "core/pb.h"
#include "core/str.h"
#include "model/metrics.h"
#include "ottl/node.h"

/* Does any point have the attribute? @param value NULL: with any value */
static bool any_point_has(const jg_ottl_view *view, jaeger_str key, const jaeger_str *value)
{
    jg_metric_point point;
    jaeger_attr attr;
    jg_pb pb = jg_pb_of_str(view->metric_data);
    for (jg_pb_field f; jg_pb_next(&pb, &f);) {
        if (f.number != JG_OTLP_DATA_POINTS || !jg_metric_point_read(view->point, jg_pb_str(&f), &point) ||
            !jaeger_find_attr(jg_point_attrs(&point), key, &attr))
            continue;
        if (!value || (attr.value.type == JAEGER_VALUE_STRING && jg_str_eq(attr.value.u.s, *value)))
            return true;
    }
    return false;
}

static bool has_attr(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jaeger_str key, value;
    if (!jg_ottl_arg_str(e, call, 0, &key) || !jg_ottl_arg_str(e, call, 1, &value))
        return false;
    *ret = jg_ottl_of_bool(any_point_has(e->view, key, &value));
    return true;
}

static bool has_attr_key(jg_ottl_eval *e, const jg_ottl_node *call, jg_ottl_value *ret)
{
    jaeger_str key;
    if (!jg_ottl_arg_str(e, call, 0, &key))
        return false;
    *ret = jg_ottl_of_bool(any_point_has(e->view, key, NULL));
    return true;
}

const jg_ottl_fn jg_ottl_metric_fns[] = {{"HasAttrOnDatapoint", "key,expectedVal", has_attr, 0},
                                         {"HasAttrKeyOnDatapoint", "key", has_attr_key, 0},
                                         {0}};
