/* SPDX-License-Identifier: Apache-2.0
 * Attributes for suggestions: there is no index of them, so the newest traces are read, until the caller has
 * enough or its time is over.
 */
#include "core/err.h"
#include "core/str.h"
#include "model/batch.h"
#include "storage/memory/store.h"

#define TRACES_MAX 20000u /* read at most; a service's attributes repeat much sooner */

typedef struct walk {
    jaeger_str service, key;
    jaeger_attr_sink out;
} walk;

static jaeger_status give(const walk *w, jaeger_attr_place place, jaeger_iter attrs, jaeger_call *call)
{
    jaeger_attr attr;
    while (jaeger_next_attr(&attrs, &attr))
        if (w->key.len == 0 || jg_str_eq(attr.key, w->key))
            JG_TRY(w->out.attr(w->out.self, place, &attr, call));
    return JAEGER_OK;
}

static jaeger_status give_span(const walk *w, const jaeger_span *span, jaeger_call *call)
{
    jaeger_event event;
    jaeger_link link;
    JG_TRY(give(w, JAEGER_ATTR_OF_SPAN, jaeger_span_attrs(span), call));
    for (jaeger_iter it = jaeger_span_events(span); jaeger_next_event(&it, &event);)
        JG_TRY(give(w, JAEGER_ATTR_OF_SPAN, jaeger_event_attrs(&event), call));
    for (jaeger_iter it = jaeger_span_links(span); jaeger_next_link(&it, &link);)
        JG_TRY(give(w, JAEGER_ATTR_OF_SPAN, jaeger_link_attrs(&link), call));
    return JAEGER_OK;
}

static jaeger_status give_chunk(void *self, jaeger_batch *take, jaeger_call *call)
{
    const walk *w = self;
    JG_AUTO_BATCH jaeger_batch *chunk = take;
    const jaeger_span *spans = jaeger_batch_spans(chunk);
    JG_TRY(jaeger_call_check(call));
    for (size_t i = 0; i < jaeger_batch_span_count(chunk); i++) {
        if (w->service.len && !jg_str_eq(spans[i].group->service, w->service))
            continue;
        if (i == 0 || spans[i].group != spans[i - 1].group) {
            JG_TRY(give(w, JAEGER_ATTR_OF_RESOURCE, jaeger_resource_attrs(spans[i].group), call));
            JG_TRY(give(w, JAEGER_ATTR_OF_SCOPE, jaeger_scope_attrs(spans[i].group), call));
        }
        JG_TRY(give_span(w, &spans[i], call));
    }
    return JAEGER_OK;
}

jaeger_status jg_mem_attributes(void *self, jaeger_str service, jaeger_str key, jaeger_attr_sink out,
                                jaeger_call *call)
{
    walk w = {service, key, out};
    const jaeger_trace_query query = {.size = sizeof query, .service = service, .limit = TRACES_MAX};
    return jg_mem_find_traces(self, &query, (jaeger_consumer){give_chunk, &w}, call);
}
