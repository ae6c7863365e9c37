/* SPDX-License-Identifier: Apache-2.0
 * Attributes for suggestions, from what segments list once: keys, values that occur often, resources and
 * scopes. See store.h.
 */
#include "core/err.h"
#include "core/pb.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/otlp_fields.h"
#include "model/span_check.h"
#include "storage/embedded/store.h"

#define SECTIONS                                                                                             \
    (JG_SEC(KEYS) | JG_SEC(DICT) | JG_SEC(RESOURCES) | JG_SEC(SCOPES) | JG_SEC(ORIGINS) | JG_SEC(SERVICES))
#define CHECK_ITEMS 1024u /* look at the deadline after so many */

typedef struct walk {
    jaeger_str key;
    jaeger_attr_sink out;
    jaeger_call *call;
} walk;

static jaeger_status give(const walk *w, jaeger_attr_place place, const jaeger_attr *attr)
{
    if (w->key.len && !jg_str_eq(w->key, attr->key))
        return JAEGER_OK;
    return w->out.attr(w->out.self, place, attr, w->call);
}

static jaeger_status give_list(const walk *w, jaeger_attr_place place, jaeger_iter iter)
{
    jaeger_attr attr;
    while (jaeger_next_attr(&iter, &attr))
        JG_TRY(give(w, place, &attr));
    return JAEGER_OK;
}

static jaeger_status of_origins(const walk *w, const jg_seg_view *view)
{
    jaeger_span_group group;
    uint32_t count = jg_seg_origin_count(view);
    for (uint32_t i = 0; i < count; i++) {
        if (!jg_seg_origin(view, i, &group))
            return JAEGER_DATA_LOSS;
        JG_TRY(give_list(w, JAEGER_ATTR_OF_RESOURCE, jaeger_resource_attrs(&group)));
        JG_TRY(give_list(w, JAEGER_ATTR_OF_SCOPE, jaeger_scope_attrs(&group)));
        if (i % CHECK_ITEMS == 0)
            JG_TRY(jaeger_call_check(w->call));
    }
    return JAEGER_OK;
}

static jaeger_status of_spans(const walk *w, const jg_seg_view *view)
{
    jaeger_str text;
    uint32_t keys = w->key.len ? 0 : jg_seg_string_count(view, JG_SEC_KEYS);
    uint32_t often = jg_seg_string_count(view, JG_SEC_DICT);
    for (uint32_t i = 0; i < keys && jg_seg_string(view, JG_SEC_KEYS, i, &text); i++)
        JG_TRY(give(w, JAEGER_ATTR_OF_SPAN, &(jaeger_attr){.key = text}));
    for (uint32_t i = 0; i < often && jg_seg_string(view, JG_SEC_DICT, i, &text); i++) {
        if (text.len &&
            (uint8_t)text.ptr[0] == (JG_OTLP_KEY_VALUE_KEY << 3 | JG_PB_LEN) && /* no event's name */
            jg_attr_valid((const uint8_t *)text.ptr, text.len)) {
            jaeger_attr attr = jg_attr_read(text);
            JG_TRY(give(w, JAEGER_ATTR_OF_SPAN, &attr));
        }
        if (i % CHECK_ITEMS == 0)
            JG_TRY(jaeger_call_check(w->call));
    }
    return JAEGER_OK;
}

jaeger_status jg_store_attributes(jg_store *store, jaeger_str key, jaeger_attr_sink out, jaeger_call *call)
{
    walk w = {key, out, call};
    jaeger_status status = JAEGER_OK;
    jg_snapshot *snapshot = jg_snapshot_take(store);
    for (uint32_t i = 0; i < snapshot->seg_count && status == JAEGER_OK; i++) {
        jg_seg *seg = snapshot->segs[i];
        const jg_seg_view *view = jg_seg_use(store, seg, SECTIONS);
        if (!view)
            continue;
        status = of_origins(&w, view);
        if (status == JAEGER_OK)
            status = of_spans(&w, view);
        if (status == JAEGER_DATA_LOSS)
            status = jg_seg_tolerate(store, seg, status, call);
    }
    jg_snapshot_unref(snapshot);
    return status;
}
