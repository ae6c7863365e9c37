/* SPDX-License-Identifier: Apache-2.0
 * Answers of a cluster: _search, _msearch, aggregations, _bulk, errors.
 */
#include "storage/opensearch/bulk.h"
#include "storage/opensearch/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool take_hit(void *self, jg_json_in *in)
{
    jaeger_dependencies list = {0};
    return jg_os_read_dependencies(in, &list, self);
}

static jaeger_status take_bucket(void *self, const jg_os_bucket *bucket, jaeger_call *call)
{
    return jaeger_strs_add(self, bucket->key, call);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    jaeger_str json = {(const char *)data, size};
    jaeger_call call = JAEGER_CALL_INIT;
    jg_os_partial partial = {0};
    jaeger_strs names = {0};
    if (!(call.arena = jaeger_arena_new(64u << 20)))
        return 0;
    const jg_os_hits hits = {take_hit, NULL, &call};
    (void)!jg_os_read_search(json, hits, &partial, &call);
    (void)!jg_os_read_msearch(json, hits, &partial, &call);
    (void)!jg_os_read_buckets(json, "traceIDs", take_bucket, &names, &partial, &call);
    jg_os_bulk bulk;
    (void)jg_os_bulk_init(&bulk, false, 4096, 4096);
    for (uint32_t i = 0; i < 3; i++)
        jg_os_bulk_add(&bulk, i);
    (void)!jg_os_bulk_read(&bulk, 0, bulk.count, json, (jg_os_documents){0}, &call.error);
    jg_os_bulk_done(&bulk);
    const jg_http_answer answer = {.status = 400, .body = {.data = (uint8_t *)data, .len = size}};
    (void)jg_os_fail(&answer, "x", &call.error);
    jaeger_arena_free(call.arena);
    return 0;
}
