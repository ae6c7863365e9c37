/* SPDX-License-Identifier: Apache-2.0
 * Batches for tests from OTLP-JSON, and a store that holds them.
 */
#ifndef JG_TEST_TRACES_H
#define JG_TEST_TRACES_H

#include "support/test.h"

#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/str.h"
#include "model/batch.h"
#include "model/match.h"
#include "wire/otlp_json.h"
#include <jaeger/storage.h>
#include <stdio.h>

static inline jaeger_batch *batch_of_json(const char *json)
{
    jaeger_batch *batch;
    jaeger_error err = {0};
    if (jg_otlp_json_to_batch(jg_str(json), &batch, &err) != JAEGER_OK)
        fail_msg("%s", err.message);
    return batch;
}

/** Chunks in the order they are returned; a chunk has spans of one trace, those of a trace are neighbours. */
typedef struct fake_store {
    jaeger_batch *chunks[16];
    size_t count;
    jaeger_storage_caps caps;
    jaeger_status fails; /* what every call answers, if not OK */
    size_t writes, found_max;
    uint64_t find_ns;         /* what a search takes for each chunk, by the clock */
    jaeger_trace_query asked; /* of the last search; strings are borrowed */
    char asked_operation[128], asked_tenant[32], asked_token[32];
} fake_store;

static inline void fake_store_done(fake_store *store)
{
    for (size_t i = 0; i < store->count; i++)
        jaeger_batch_unref(store->chunks[i]);
}

static inline jaeger_status fake_fail(fake_store *store, jaeger_call *call)
{
    return store->fails ? jg_fail(&call->error, store->fails, "the disk is on fire") : JAEGER_OK;
}

static inline jaeger_status fake_caps(void *self, jaeger_storage_caps *ret, jaeger_call *call)
{
    fake_store *store = self;
    *ret = store->caps;
    return fake_fail(store, call);
}

static inline jaeger_status fake_write(void *self, jaeger_batch *take, jaeger_call *call)
{
    fake_store *store = self;
    store->writes++;
    jaeger_batch_unref(take);
    return fake_fail(store, call);
}

static inline jaeger_status fake_get(void *self, const jaeger_trace_ref *refs, size_t n, jaeger_consumer out,
                                     jaeger_call *call)
{
    fake_store *store = self;
    JG_TRY(fake_fail(store, call));
    for (size_t r = 0; r < n; r++)
        for (size_t i = 0; i < store->count; i++)
            if (memcmp(jaeger_batch_spans(store->chunks[i])[0].trace_id, refs[r].trace_id, 16) == 0)
                JG_TRY(out.consume(out.self, jaeger_batch_ref(store->chunks[i]), call));
    return JAEGER_OK;
}

/** Every trace that is there, newest first is the test's business. */
static inline jaeger_status fake_find(void *self, const jaeger_trace_query *query, jaeger_consumer out,
                                      jaeger_call *call)
{
    fake_store *store = self;
    store->asked = *query;
    JG_TRY(fake_fail(store, call));
    for (size_t i = 0; i < store->count; i++) {
        jg_clock_advance((int64_t)store->find_ns);
        JG_TRY(jaeger_call_check(call));
        JG_TRY(out.consume(out.self, jaeger_batch_ref(store->chunks[i]), call));
    }
    return JAEGER_OK;
}

static inline jaeger_status fake_services(void *self, jaeger_strs *ret, jaeger_call *call)
{
    fake_store *store = self;
    (void)snprintf(store->asked_tenant, sizeof store->asked_tenant, "%.*s", JAEGER_STR_ARGS(call->tenant));
    (void)snprintf(store->asked_token, sizeof store->asked_token, "%.*s",
                   JAEGER_STR_ARGS(call->bearer_token));
    JG_TRY(fake_fail(store, call));
    for (size_t i = 0; i < store->count; i++)
        JG_TRY(jaeger_strs_add(ret, jaeger_batch_spans(store->chunks[i])[0].group->service, call));
    return JAEGER_OK;
}

static inline jaeger_status fake_operations(void *self, jaeger_str service, jaeger_str kind,
                                            jaeger_operations *ret, jaeger_call *call)
{
    fake_store *store = self;
    (void)snprintf(store->asked_operation, sizeof store->asked_operation, "%.*s|%.*s",
                   JAEGER_STR_ARGS(service), JAEGER_STR_ARGS(kind));
    JG_TRY(fake_fail(store, call));
    if (!store->count)
        return JAEGER_OK;
    JG_TRY(jaeger_operations_add(ret, (jaeger_operation){JAEGER_STR("GET /"), JAEGER_STR("server")}, call));
    JG_TRY(jaeger_operations_add(ret, (jaeger_operation){JAEGER_STR("GET /"), JAEGER_STR("client")}, call));
    return jaeger_operations_add(ret, (jaeger_operation){JAEGER_STR("job"), JAEGER_STR("")}, call);
}

static inline jaeger_status fake_dependencies(void *self, uint64_t start, uint64_t end,
                                              jaeger_dependencies *ret, jaeger_call *call)
{
    static const jaeger_dependency links[] = {
        {{"a", 1}, {"b", 1}, 2}, {{"b", 1}, {"c", 1}, 1}, {{"a", 1}, {"b", 1}, 3}};
    (void)start, (void)end;
    JG_TRY(fake_fail(self, call));
    for (size_t i = 0; i < JG_COUNT(links); i++)
        JG_TRY(jaeger_dependencies_add(ret, links[i], call));
    return JAEGER_OK;
}

static const jaeger_storage_driver fake_driver JG_UNUSED = {.size = sizeof fake_driver,
                                                            .name = "fake",
                                                            .caps = fake_caps,
                                                            .write = fake_write,
                                                            .get_traces = fake_get,
                                                            .find_traces = fake_find,
                                                            .services = fake_services,
                                                            .operations = fake_operations,
                                                            .dependencies = fake_dependencies};

#endif
