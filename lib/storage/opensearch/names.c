/* SPDX-License-Identifier: Apache-2.0
 * The slots that list services, operations and dependencies.
 */
#include "core/arena.h"
#include "core/err.h"
#include "core/map.h"
#include "core/str.h"
#include "storage/opensearch/read.h"
#include "storage/opensearch/slots.h"

#define BODY_BYTES_MAX (4u << 20)

static jaeger_status read_names(jg_os_store *store, const jg_buf *body, const char *aggregation,
                                jaeger_status (*add)(void *self, const jg_os_bucket *bucket,
                                                     jaeger_call *call),
                                void *self, jaeger_call *call)
{
    jg_http_answer answer JG_CLEANUP(jg_os_answer_done) = {0};
    jg_os_partial partial = {0};
    JG_TRY(jg_os_search(store, JG_OS_SERVICES, jg_os_default_window(store), body, &answer, call));
    JG_TRY(jg_os_read_buckets(jg_buf_view(&answer.body), aggregation, add, self, &partial, call));
    jg_os_note_partial(store, &partial);
    return JAEGER_OK;
}

/** Without those of spans that name none. */
static jaeger_status add_service(void *self, const jg_os_bucket *bucket, jaeger_call *call)
{
    if (!bucket->key.len || jg_str_is(bucket->key, "OTLPResourceNoServiceName"))
        return JAEGER_OK;
    return jaeger_strs_add(self, bucket->key, call);
}

jaeger_status jg_os_services(void *self, jaeger_strs *ret, jaeger_call *call)
{
    jg_os_store *store = self;
    JG_AUTO_BUF jg_buf body = JG_BUF_INIT(BODY_BYTES_MAX);
    jg_os_put_services(&body, store->config->max_doc_count);
    return read_names(store, &body, "distinct_services", add_service, ret, call);
}

static jaeger_status add_operation(void *self, const jg_os_bucket *bucket, jaeger_call *call)
{
    return jaeger_operations_add(self, (jaeger_operation){bucket->key, JAEGER_STR("")}, call);
}

/** Kinds are not stored: none is given, and none is asked for. */
jaeger_status jg_os_operations(void *self, jaeger_str service, jaeger_str kind, jaeger_operations *ret,
                               jaeger_call *call)
{
    jg_os_store *store = self;
    JG_AUTO_BUF jg_buf body = JG_BUF_INIT(BODY_BYTES_MAX);
    (void)kind;
    jg_os_put_operations(&body, service, store->config->max_doc_count);
    return read_names(store, &body, "distinct_operations", add_operation, ret, call);
}

/* ---- dependencies ---- */

typedef struct links {
    jaeger_dependencies all;
    jaeger_call *call;
} links;

static bool take_links(void *self, jg_json_in *in)
{
    links *l = self;
    return jg_os_read_dependencies(in, &l->all, l->call);
}

/** Each pair once. */
static jaeger_status sum_links(const jaeger_dependencies *all, jaeger_dependencies *ret, jaeger_call *call)
{
    jg_map seen = {0};
    jaeger_status status = JAEGER_OK;
    for (size_t i = 0; i < all->count && status == JAEGER_OK; i++) {
        const jaeger_dependency *d = &all->items[i];
        bool is_new = false;
        jaeger_str key = jg_arena_printf(call->arena, "%zu:%.*s%.*s", d->parent.len,
                                         JAEGER_STR_ARGS(d->parent), JAEGER_STR_ARGS(d->child));
        jg_map_entry *entry = key.ptr ? jg_map_put(&seen, key, &is_new) : NULL;
        if (!entry) {
            status = jg_fail_oom(&call->error);
        } else if (is_new) {
            status = jaeger_dependencies_add(ret, *d, call);
            entry->value = (void *)(uintptr_t)ret->count;
        } else {
            ret->items[(uintptr_t)entry->value - 1].call_count += d->call_count;
        }
    }
    jg_map_done(&seen);
    return status;
}

jaeger_status jg_os_dependencies(void *self, uint64_t start_unix_ns, uint64_t end_unix_ns,
                                 jaeger_dependencies *ret, jaeger_call *call)
{
    jg_os_store *store = self;
    JG_AUTO_BUF jg_buf body = JG_BUF_INIT(BODY_BYTES_MAX);
    jg_http_answer answer JG_CLEANUP(jg_os_answer_done) = {0};
    jg_os_partial partial = {0};
    links l = {.call = call};
    jg_os_put_dependencies(&body, start_unix_ns, end_unix_ns, store->config->max_doc_count);
    JG_TRY(jg_os_search(store, JG_OS_DEPENDENCIES, (jg_os_window){start_unix_ns, end_unix_ns}, &body, &answer,
                        call));
    JG_TRY(jg_os_read_search(jg_buf_view(&answer.body), (jg_os_hits){take_links, NULL, &l}, &partial, call));
    jg_os_note_partial(store, &partial);
    return sum_links(&l.all, ret, call);
}
