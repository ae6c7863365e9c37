/* SPDX-License-Identifier: Apache-2.0
 * Documents as spans: what Jaeger and we have written, and what others may have put there. Values of unusual
 * types become texts; a document that is not a span is a fault.
 * Spec: jaeger internal/storage/v2/elasticsearch/tracestore (from_dbmodel).
 */
#ifndef JG_STORAGE_OPENSEARCH_SPAN_READ_H
#define JG_STORAGE_OPENSEARCH_SPAN_READ_H

#include "core/json_in.h"
#include "wire/jaeger_model.h"

/** Reads documents into one batch after the other. Errors of memory are sticky until the batch is taken. */
typedef struct jg_os_span_reader {
    jg_jaeger_in model;
    jaeger_str dot; /* what stands for '.' in names of fields */
    size_t count;   /* spans of the current batch */
    /* of the last span read: its place in the order that pages have */
    uint64_t start_us;
    uint8_t span_id[8];
} jg_os_span_reader;

void jg_os_span_reader_init(jg_os_span_reader *r, jaeger_str dot);
void jg_os_span_reader_done(jg_os_span_reader *r);
/** Read the document that the scanner stands on. @return false: in->fault says why */
bool jg_os_read_span(jg_os_span_reader *r, jg_json_in *in);
/** Bytes gathered so far. */
size_t jg_os_span_reader_bytes(const jg_os_span_reader *r);
/** Take what was read as a batch; the reader begins a new one. @return RESOURCE_EXHAUSTED */
jaeger_status jg_os_span_reader_take(jg_os_span_reader *r, jaeger_batch **ret,
                                     jaeger_error *err) JG_MUST_CHECK;

/** An id of up to 2 * n hex digits, zeroes on the left. @return false: not such a text */
bool jg_os_read_id(jaeger_str hex, uint8_t *ret, size_t n);

#endif
