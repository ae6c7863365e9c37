/* SPDX-License-Identifier: Apache-2.0
 * The batch from inside: wire buffers, merging, selecting. The public part is jaeger/batch.h.
 */
#ifndef JG_MODEL_BATCH_H
#define JG_MODEL_BATCH_H

#include "core/pb.h"
#include "model/otlp_fields.h"
#include <jaeger/tracer.h>

/** The span of ours that brought the batch (core/self_span.h); what is made of several batches has that of
 * the first one that is sampled. The batch has one reference. */
void jg_batch_set_origin(jaeger_batch *batch, const jaeger_context *origin);
/** @return false: not known */
bool jg_batch_origin(const jaeger_batch *batch, jaeger_context *ret);
/** Spans, or data points of metrics. */
size_t jg_batch_items(const jaeger_batch *batch);
/** Part `index` of the message, if the batch is as it came: the parts together are one request. Batches of
 *  metrics always are; of traces those that nothing was left out of or changed in.
 *  @return false: there are no more, or it is not */
bool jg_batch_payload(const jaeger_batch *batch, size_t index, jaeger_str *ret);
/** One batch of the spans (or metrics: one signal) of all `n`, sharing their wire buffers. Takes nothing: the
 * caller keeps its references.
 *  @return RESOURCE_EXHAUSTED */
jaeger_status jg_batch_merge(jaeger_batch *const *batches, size_t n, jaeger_batch **ret,
                             jaeger_error *err) JG_MUST_CHECK;
/** A batch with the spans at `indexes` (in that order) of `from`, sharing its wire buffers. */
jaeger_status jg_batch_select(jaeger_batch *from, const uint32_t *indexes, size_t n, jaeger_batch **ret,
                              jaeger_error *err) JG_MUST_CHECK;
/** A batch of copies, for stores: of `spans` only bytes, len and group are read; neighbours with one group
 * (by pointer) share it, and neighbouring groups with one resource share that. The bytes were checked before.
 *  @return RESOURCE_EXHAUSTED */
jaeger_status jg_batch_copy_spans(const jaeger_span *spans, size_t n, jaeger_batch **ret,
                                  jaeger_error *err) JG_MUST_CHECK;
/** Replace the Resource of every group with this resource_index. The bytes are copied and checked. Owned
 * batches. */
jaeger_status jg_batch_replace_resource(jaeger_batch *batch, uint32_t resource_index, const void *resource,
                                        size_t len, jaeger_error *err) JG_MUST_CHECK;
/** The same for the InstrumentationScope of one group. */
jaeger_status jg_batch_replace_scope(jaeger_batch *batch, const jaeger_span_group *group, const void *scope,
                                     size_t len, jaeger_error *err) JG_MUST_CHECK;
/** Give span `index` other bytes, of which only attributes, events or links differ from the old ones. They
 * are copied, and not checked: they were made of checked parts. @param bad_text new text is not UTF-8. Owned
 * batches. */
jaeger_status jg_batch_put_span(jaeger_batch *batch, size_t index, const void *bytes, size_t len,
                                bool bad_text, jaeger_error *err) JG_MUST_CHECK;
/** Index entries that may be changed in place (order, or fields that were recomputed). Owned batches. */
jaeger_span *jg_batch_spans_mutable(jaeger_batch *batch);
jaeger_span_group *jg_batch_groups_mutable(jaeger_batch *batch);
size_t jg_batch_group_count(const jaeger_batch *batch);
const jaeger_span_group *jg_batch_groups(const jaeger_batch *batch);

/** The usual KeyValue: a key and a string, in this order, each shorter than 128 bytes. Most attributes are
 * such; the places that look at every one of them read these in a few compares.
 *  @return false: something else, or not valid */
JG_INLINE bool jg_attr_read_plain(const uint8_t *at, size_t len, jaeger_str *ret_key, jaeger_str *ret_value)
{
    enum { KEY = JG_OTLP_KEY_VALUE_KEY << 3 | JG_PB_LEN, VALUE = JG_OTLP_KEY_VALUE_VALUE << 3 | JG_PB_LEN };
    enum { STRING = JG_OTLP_ANY_STRING << 3 | JG_PB_LEN, HEADERS = 6 };
    if (len < HEADERS || at[0] != KEY || at[1] > len - HEADERS)
        return false;
    size_t key = at[1];
    const uint8_t *value = at + 2 + key;
    if (value[0] != VALUE || value[1] != len - key - 4 || value[2] != STRING ||
        value[3] != len - key - HEADERS)
        return false;
    *ret_key = (jaeger_str){(const char *)at + 2, key};
    *ret_value = (jaeger_str){(const char *)value + 4, value[3]};
    return value[1] < 0x80 && key < 0x80;
}

/** Read the body of a KeyValue message that was checked. */
jaeger_attr jg_attr_read(jaeger_str key_value);
/** The body of an AnyValue: the reverse for values. Empty: nothing. */
void jg_value_write(jg_buf *out, const jaeger_value *value);
/** jaeger_next_attr() where every attribute of a trace passes. */
JG_INLINE bool jg_attr_next(jaeger_iter *iter, jaeger_attr *ret)
{
    const uint8_t *at = iter->pos;
    size_t left = (size_t)(iter->end - at);
    if (JG_LIKELY(left > 2 && at[0] == (iter->field << 3 | JG_PB_LEN) && at[1] < 0x80 && at[1] <= left - 2 &&
                  jg_attr_read_plain(at + 2, at[1], &ret->key, &ret->value.u.s))) {
        ret->value.type = JAEGER_VALUE_STRING;
        ret->raw = (jaeger_str){(const char *)at + 2, at[1]};
        iter->pos = at + 2 + at[1];
        return true;
    }
    return jaeger_next_attr(iter, ret);
}
/** Check one Span message and fill the index entry (all but `group`).
 *  @return false: not a valid Span; *ret_why names the fault (static text) */
bool jg_span_index(const uint8_t *bytes, size_t len, jaeger_span *ret, const char **ret_why);

static inline void jg_batch_unref_ptr(jaeger_batch **batch)
{
    jaeger_batch_unref(*batch);
}
#define JG_AUTO_BATCH JG_CLEANUP(jg_batch_unref_ptr)

#endif
