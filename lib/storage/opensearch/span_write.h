/* SPDX-License-Identifier: Apache-2.0
 * Spans as documents, in Jaeger's own layout: keys in its order, tags nested or as fields.
 * Spec: jaeger internal/storage/v2/elasticsearch/tracestore (dbmodel).
 */
#ifndef JG_STORAGE_OPENSEARCH_SPAN_WRITE_H
#define JG_STORAGE_OPENSEARCH_SPAN_WRITE_H

#include "core/json_out.h"
#include "core/map.h"
#include <jaeger/batch.h>
#include <jaeger/config.h>

#define JG_OS_FIELDS_MAX     256u /* tags of one span, or process, that become fields; the others stay nested */
#define JG_OS_FIELD_KEY_MAX  256u /* bytes; longer keys stay nested */
#define JG_OS_TAG_FILE_BYTES (1u << 20)

typedef struct jg_os_tags_config {
    bool all;
    jaeger_str dot_replacement, config_file, include;
} jg_os_tags_config;

extern const jaeger_field jg_os_tags_fields[];

/** Which tags become fields. */
typedef struct jg_os_tag_choice {
    bool all;
    jaeger_str dot; /* borrowed: what stands for '.' */
    jg_map keys;    /* to the choice itself */
    jaeger_arena *arena;
} jg_os_tag_choice;

/** `span.kind` and `error` are always among them. @return INVALID_ARGUMENT: the file; RESOURCE_EXHAUSTED */
jaeger_status jg_os_tag_choice_init(jg_os_tag_choice *ret, const jg_os_tags_config *config,
                                    jaeger_error *err) JG_MUST_CHECK;
/** Accepts a zeroed one. */
void jg_os_tag_choice_done(jg_os_tag_choice *choice);

typedef struct jg_os_field {
    jaeger_str key; /* dots replaced */
    jaeger_value value;
} jg_os_field;

/** Writes the spans of one batch. */
typedef struct jg_os_span_writer {
    const jg_os_tag_choice *choice;
    bool nested_only; /* no tag becomes a field */
    jaeger_arena *arena;
    const jaeger_span_group *group; /* whose process is in `process` */
    jg_buf process, text;
    jg_os_field fields[JG_OS_FIELDS_MAX];
    size_t field_count;
} jg_os_span_writer;

/** @return NULL when out of memory */
jg_os_span_writer *jg_os_span_writer_new(const jg_os_tag_choice *choice);
void jg_os_span_writer_free(jg_os_span_writer *writer);
/** Append the document of `span`. Ask jg_buf_ok(out). The batch must live until the writer is freed. */
void jg_os_put_span(jg_os_span_writer *writer, jg_buf *out, const jaeger_span *span);
/** "<trace id>_<span id>_": the FNV-1a of the document follows, so that the same span again is the same
 * document. */
#define JG_OS_ID_BYTES (32 + 1 + 16 + 1)
jaeger_str jg_os_span_id(char out[JG_OS_ID_BYTES], const jaeger_span *span);
/** Id and document of a service and operation. */
uint64_t jg_os_service_hash(jaeger_str service, jaeger_str operation);
void jg_os_put_service(jg_buf *out, jaeger_str service, jaeger_str operation);

#endif
