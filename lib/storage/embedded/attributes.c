/* SPDX-License-Identifier: Apache-2.0
 * Attributes for suggestions, from what segments list once: keys, values that occur often, resources and
 * scopes; for one service, those of which a row is one of its rows. See store.h.
 */
#include "core/alloc.h"
#include "core/err.h"
#include "core/pb.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/otlp_fields.h"
#include "model/span_check.h"
#include "storage/embedded/segment_lists.h"
#include "storage/embedded/store.h"

#define SECTIONS    JG_SEC_FOR_SEARCH
#define CHECK_ITEMS 1024u /* look at the deadline after so many */

typedef struct walk {
    jaeger_str service, key;
    jaeger_attr_sink out;
    jaeger_call *call;
    /* of a segment */
    jg_lists lists;
    uint64_t *rows; /* of the service; NULL: all */
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

/** The service's rows. @return false: it has none here, or no memory */
static bool find_rows(walk *w, const jg_seg_view *view)
{
    const jg_bytes *refs = &view->sections[JG_SEC_ORIGIN_REFS];
    jaeger_span_group group;
    bool any = false;
    w->rows = jg_calloc(view->header.span_count / 64 + 1, sizeof *w->rows);
    for (uint32_t o = 0; w->rows && o < jg_seg_origin_count(view) && (o + 1ull) * 4 <= refs->len; o++) {
        if (!jg_seg_origin(view, o, &group) || !jg_str_eq(group.service, w->service))
            continue;
        jg_list_set(&w->lists, jg_u32_at(refs, o), w->rows);
        any = true;
    }
    return any;
}

typedef struct meeting {
    const walk *walk;
    bool met;
} meeting;

static void meet(jg_lists *lists, void *user, uint32_t ref)
{
    meeting *m = user;
    m->met = m->met || jg_list_meets(lists, ref, m->walk->rows);
}

/** Has the service a span with this attribute? */
static bool is_of_service(walk *w, jaeger_str kv)
{
    meeting m = {w, !w->rows};
    if (w->rows)
        jg_term_find(&w->lists, jg_hash_piece(kv.ptr, kv.len, w->lists.view->header.seed + JG_SEED_ATTR).lo,
                     meet, &m);
    return m.met;
}

/** Has it one with a rare value of the key? Of keys with a value for each span, the newest traces tell. */
static bool key_is_of_service(walk *w, uint32_t key)
{
    const jg_bytes *refs = &w->lists.view->sections[JG_SEC_KEY_ROWS];
    uint32_t ref = key < refs->len / 4 ? jg_u32_at(refs, key) : JG_REF_ANY;
    return !w->rows || (ref != JG_REF_ANY && ref != JG_REF_NONE && jg_list_meets(&w->lists, ref, w->rows));
}

static jaeger_status of_origins(const walk *w, const jg_seg_view *view)
{
    jaeger_span_group group;
    uint32_t count = jg_seg_origin_count(view);
    for (uint32_t i = 0; i < count; i++) {
        if (!jg_seg_origin(view, i, &group))
            return JAEGER_DATA_LOSS;
        if (w->rows && !jg_str_eq(group.service, w->service))
            continue;
        JG_TRY(give_list(w, JAEGER_ATTR_OF_RESOURCE, jaeger_resource_attrs(&group)));
        JG_TRY(give_list(w, JAEGER_ATTR_OF_SCOPE, jaeger_scope_attrs(&group)));
        if (i % CHECK_ITEMS == 0)
            JG_TRY(jaeger_call_check(w->call));
    }
    return JAEGER_OK;
}

static jaeger_status of_spans(walk *w, const jg_seg_view *view)
{
    jaeger_str text;
    uint32_t keys = w->key.len ? 0 : jg_seg_string_count(view, JG_SEC_KEYS);
    uint32_t often = jg_seg_string_count(view, JG_SEC_DICT);
    for (uint32_t i = 0; i < keys && jg_seg_string(view, JG_SEC_KEYS, i, &text); i++)
        if (key_is_of_service(w, i))
            JG_TRY(give(w, JAEGER_ATTR_OF_SPAN, &(jaeger_attr){.key = text}));
    for (uint32_t i = 0; i < often && jg_seg_string(view, JG_SEC_DICT, i, &text); i++) {
        if (text.len &&
            (uint8_t)text.ptr[0] == (JG_OTLP_KEY_VALUE_KEY << 3 | JG_PB_LEN) && /* no event's name */
            jg_attr_valid((const uint8_t *)text.ptr, text.len)) {
            jaeger_attr attr = jg_attr_read(text);
            if ((w->key.len == 0 || jg_str_eq(w->key, attr.key)) && is_of_service(w, text))
                JG_TRY(give(w, JAEGER_ATTR_OF_SPAN, &attr));
        }
        if (i % CHECK_ITEMS == 0)
            JG_TRY(jaeger_call_check(w->call));
    }
    return JAEGER_OK;
}

static jaeger_status of_segment(walk *w, const jg_seg_view *view)
{
    w->lists = (jg_lists){.view = view};
    if (w->service.len && !find_rows(w, view))
        return w->rows ? JAEGER_OK : jg_fail_oom(&w->call->error);
    JG_TRY(of_origins(w, view));
    JG_TRY(of_spans(w, view));
    return w->lists.damaged ? JAEGER_DATA_LOSS : JAEGER_OK;
}

jaeger_status jg_store_attributes(jg_store *store, jaeger_str service, jaeger_str key, jaeger_attr_sink out,
                                  jaeger_call *call)
{
    walk w = {.service = service, .key = key, .out = out, .call = call};
    jaeger_status status = JAEGER_OK;
    jg_snapshot *snapshot = jg_snapshot_take(store);
    for (uint32_t i = 0; i < snapshot->seg_count && status == JAEGER_OK; i++) {
        jg_seg *seg = snapshot->segs[i];
        const jg_seg_view *view = jg_seg_use(store, seg, SECTIONS);
        if (!view)
            continue;
        status = of_segment(&w, view);
        jg_free(w.rows);
        w.rows = NULL;
        if (status == JAEGER_DATA_LOSS)
            status = jg_seg_tolerate(store, seg, status, call);
    }
    jg_snapshot_unref(snapshot);
    return status;
}
