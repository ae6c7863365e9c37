/* SPDX-License-Identifier: Apache-2.0
 * Driver "embedded": a store in a directory of this machine. A write-ahead log with group commit, memtables,
 * immutable segments, an LMDB catalog. Design: docs/storage-format.md; the parts are in embedded/.
 */
#include "storage/embedded/driver.h"

#include "core/clock.h"
#include "core/err.h"

/* ---- options
 * -------------------------------------------------------------------------------------------------- */

#define MEMORY_PER_TABLE  4u         /* one is filled, two wait or are flushed, the flusher needs as much */
#define MEMORY_BYTES_MIN  (4u << 20) /* below it segments are too small to be worth their files */
#define FLUSH_BYTES_MIN   (1u << 20)
#define FLUSH_BYTES_MAX   (96u << 20) /* a log file is mapped at 160 MiB, a frame has 64 MiB */
#define FLUSH_ROWS_MAX    (1u << 20)  /* half of what a memtable can hold, so that a request always fits */
#define DISK_PARTS        8u          /* one log file may take an eighth of the disk budget */
#define FLUSHES_PER_TTL   24u         /* data is dropped at most 1/24 of the TTL late */
#define FROZEN_MAX        2u
#define RESERVE_BYTES_MAX (512ull << 20)

static uint64_t clamp(uint64_t x, uint64_t low, uint64_t high)
{
    return x < low ? low : x > high ? high : x;
}

void jg_embedded_defaults(jg_embedded_config *c)
{
    c->sync_interval = c->sync_interval ? c->sync_interval : 100 * JG_NS_PER_MS;
    c->memory = c->memory ? c->memory : 256u << 20;
    c->flush.spans = c->flush.spans ? c->flush.spans : 131072;
    c->flush.bytes = c->flush.bytes ? c->flush.bytes : 64u << 20;
    c->flush.age = c->flush.age ? c->flush.age : 3600 * JG_NS_PER_S;
    c->max_tenants = c->max_tenants ? c->max_tenants : 1000;
}

void jg_embedded_options(const jg_embedded_config *c, jg_engine_config *ret)
{
    uint64_t memory = JG_MAX(c->memory, MEMORY_BYTES_MIN);
    uint64_t bytes = clamp(c->flush.bytes, FLUSH_BYTES_MIN, FLUSH_BYTES_MAX);
    if (c->max_disk)
        bytes = clamp(c->max_disk / DISK_PARTS, FLUSH_BYTES_MIN, bytes);
    *ret = (jg_engine_config){
        .directory = c->directory.ptr,
        .ephemeral = c->ephemeral,
        .read_only = c->read_only,
        .memory_bytes = memory / MEMORY_PER_TABLE,
        .sync_interval_ns = JG_MAX(c->sync_interval, 1000000u),
        .tenants_max = c->max_tenants,
        .store = {.ttl_ns = c->ttl.spans,
                  .max_disk_bytes = c->max_disk,
                  .reserve_bytes = RESERVE_BYTES_MAX,
                  .flush_rows = (uint32_t)clamp(c->flush.spans, 1, FLUSH_ROWS_MAX),
                  .flush_bytes = bytes,
                  .flush_memory = memory / MEMORY_PER_TABLE,
                  .flush_age_ns =
                      c->ttl.spans ? JG_MIN(c->flush.age, c->ttl.spans / FLUSHES_PER_TTL) : c->flush.age,
                  .frozen_max = FROZEN_MAX,
                  .durability = (jg_durability)c->durability},
    };
}

/* ---- slots
 * ---------------------------------------------------------------------------------------------------- */

static jaeger_status embedded_open(void *self, const void *config, const jaeger_logger *log,
                                   struct jg_metrics *metrics, jaeger_error *err)
{
    jg_engine_config engine_config;
    jg_embedded_options(config, &engine_config);
    JG_TRY(jg_engine_open(self, &engine_config, log, err));
    jg_engine_measure(self, metrics);
    return JAEGER_OK;
}

static void embedded_close(void *self)
{
    jg_engine_close(self);
}

jaeger_status jg_embedded_caps(void *self, jaeger_storage_caps *ret, jaeger_call *call)
{
    (void)call;
    const jg_engine *engine = self;
    ret->without_service_name = true;
    ret->filter = true;
    ret->same_span_conjunction = true;
    ret->durable = engine->config.store.durability == JG_DURABLE_SYNC;
    return JAEGER_OK;
}

/** What is opened to be read is not written. */
static jaeger_status check_writable(const void *self, jaeger_error *err)
{
    const jg_engine *engine = self;
    return engine->config.read_only
               ? jg_fail(err, JAEGER_FAILED_PRECONDITION,
                         "embedded store: opened with read_only, %s is written by another "
                         "process",
                         engine->config.directory)
               : JAEGER_OK;
}

/** The store of the call's tenant; *ret NULL: it never wrote, so it has nothing. */
static jaeger_status store_of(void *self, jaeger_call *call, bool make, jg_store **ret)
{
    if (make)
        JG_TRY(check_writable(self, &call->error));
    return jg_engine_store(self, call->tenant, make, ret, &call->error);
}

jaeger_status jg_embedded_write(void *self, jaeger_batch *take, jaeger_call *call)
{
    jg_store *store;
    jaeger_status status = store_of(self, call, true, &store);
    if (status == JAEGER_OK)
        status = jg_store_write(store, take, call);
    jaeger_batch_unref(take);
    return status;
}

jaeger_status jg_embedded_get_traces(void *self, const jaeger_trace_ref *refs, size_t n, jaeger_consumer out,
                                     jaeger_call *call)
{
    jg_store *store;
    JG_TRY(store_of(self, call, false, &store));
    return store ? jg_store_get(store, refs, n, out, call) : JAEGER_OK;
}

jaeger_status jg_embedded_reread_trace(void *self, const jaeger_trace_ref *ref, jaeger_rereader reader,
                                       jaeger_call *call)
{
    jg_store *store;
    JG_TRY(store_of(self, call, false, &store));
    return store ? jg_store_reread(store, ref, reader, call) : JAEGER_OK;
}

jaeger_status jg_embedded_find_trace_ids(void *self, const jaeger_trace_query *query, jaeger_trace_refs *ret,
                                         jaeger_call *call)
{
    jg_store *store;
    JG_TRY(store_of(self, call, false, &store));
    JG_TRY(jaeger_call_check(call));
    return store ? jg_store_find_ids(store, query, ret, call) : JAEGER_OK;
}

jaeger_status jg_embedded_find_traces(void *self, const jaeger_trace_query *query, jaeger_consumer out,
                                      jaeger_call *call)
{
    jg_store *store;
    JG_TRY(store_of(self, call, false, &store));
    JG_TRY(jaeger_call_check(call));
    return store ? jg_store_find(store, query, out, call) : JAEGER_OK;
}

jaeger_status jg_embedded_find_summaries(void *self, const jaeger_trace_query *query, jaeger_summary_sink out,
                                         jaeger_call *call)
{
    jg_store *store;
    JG_TRY(store_of(self, call, false, &store));
    JG_TRY(jaeger_call_check(call));
    return store ? jg_store_summaries(store, query, out, call) : JAEGER_OK;
}

jaeger_status jg_embedded_rank_traces(void *self, const jaeger_trace_query *query, jaeger_order order,
                                      const jaeger_rank *after, jaeger_rank_sink out, jaeger_call *call)
{
    jg_store *store;
    JG_TRY(store_of(self, call, false, &store));
    JG_TRY(jaeger_call_check(call));
    return store ? jg_store_rank(store, query, order, after, out, call) : JAEGER_OK;
}

jaeger_status jg_embedded_attributes(void *self, jaeger_str service, jaeger_str key, jaeger_attr_sink out,
                                     jaeger_call *call)
{
    jg_store *store;
    JG_TRY(store_of(self, call, false, &store));
    JG_TRY(jaeger_call_check(call));
    return store ? jg_store_attributes(store, service, key, out, call) : JAEGER_OK;
}

jaeger_status jg_embedded_services(void *self, jaeger_strs *ret, jaeger_call *call)
{
    jg_store *store;
    JG_TRY(store_of(self, call, false, &store));
    return store ? jg_names_services(store->names, ret, call) : JAEGER_OK;
}

jaeger_status jg_embedded_operations(void *self, jaeger_str service, jaeger_str kind, jaeger_operations *ret,
                                     jaeger_call *call)
{
    jg_store *store;
    JG_TRY(store_of(self, call, false, &store));
    return store ? jg_names_operations(store->names, service, kind, ret, call) : JAEGER_OK;
}

jaeger_status jg_embedded_dependencies(void *self, uint64_t start_unix_ns, uint64_t end_unix_ns,
                                       jaeger_dependencies *ret, jaeger_call *call)
{
    jg_store *store;
    JG_TRY(store_of(self, call, false, &store));
    return store ? jg_store_dependencies(store, start_unix_ns, end_unix_ns, ret, call) : JAEGER_OK;
}

jaeger_status jg_embedded_purge(void *self, jaeger_call *call)
{
    jg_store *store;
    JG_TRY(check_writable(self, &call->error));
    JG_TRY(store_of(self, call, false, &store));
    return store ? jg_store_purge(store, &call->error) : JAEGER_OK;
}

/* ---- sampling
 * ------------------------------------------------------------------------------------------------- */

static jaeger_status insert_throughput(void *self, uint64_t time_unix_ns, const jaeger_throughput *items,
                                       size_t n, jaeger_call *call)
{
    jg_store *store;
    JG_TRY(store_of(self, call, true, &store));
    return jg_store_insert_throughput(store, time_unix_ns, items, n, call);
}

static jaeger_status get_throughput(void *self, uint64_t start_unix_ns, uint64_t end_unix_ns,
                                    jaeger_throughputs *ret, jaeger_call *call)
{
    jg_store *store;
    JG_TRY(store_of(self, call, false, &store));
    return store ? jg_store_get_throughput(store, start_unix_ns, end_unix_ns, ret, call) : JAEGER_OK;
}

static jaeger_status insert_probabilities(void *self, jaeger_str host, const jaeger_probability *items,
                                          size_t n, jaeger_call *call)
{
    jg_store *store;
    JG_TRY(store_of(self, call, true, &store));
    return jg_store_insert_probabilities(store, host, items, n, call);
}

static jaeger_status get_probabilities(void *self, jaeger_probabilities *ret, jaeger_call *call)
{
    jg_store *store;
    JG_TRY(store_of(self, call, false, &store));
    return store ? jg_store_get_probabilities(store, ret, call) : JAEGER_OK;
}

static jaeger_status acquire(void *self, jaeger_str resource, jaeger_str owner, uint64_t ttl_ns, bool *ret,
                             jaeger_call *call)
{
    jg_store *store;
    JG_TRY(store_of(self, call, true, &store));
    return jg_store_acquire(store, resource, owner, ttl_ns, ret, call);
}

static jaeger_status forfeit(void *self, jaeger_str resource, jaeger_str owner, jaeger_call *call)
{
    jg_store *store;
    JG_TRY(store_of(self, call, false, &store));
    return store ? jg_store_forfeit(store, resource, owner, call) : JAEGER_OK;
}

const jaeger_sampling_store jg_embedded_sampling = {
    .size = sizeof(jaeger_sampling_store),
    .insert_throughput = insert_throughput,
    .get_throughput = get_throughput,
    .insert_probabilities = insert_probabilities,
    .get_probabilities = get_probabilities,
    .acquire = acquire,
    .forfeit = forfeit,
};

/* ---- the table
 * ------------------------------------------------------------------------------------------------ */

static const jaeger_field ttl_fields[] = {
    {"spans", JAEGER_FIELD_DURATION, offsetof(jg_embedded_ttl, spans), "72h",
     "age, since they arrived, at which spans are dropped; 0: never", NULL, 0, NULL, false},
    {0},
};

static const jaeger_field flush_fields[] = {
    {"spans", JAEGER_FIELD_U32, offsetof(jg_embedded_flush, spans), "131072", "spans of a segment", NULL, 0,
     NULL, false},
    {"bytes", JAEGER_FIELD_U64, offsetof(jg_embedded_flush, bytes), "67108864",
     "bytes of a log file at which a segment is written (1 to 96 MiB)", NULL, 0, NULL, false},
    {"age", JAEGER_FIELD_DURATION, offsetof(jg_embedded_flush, age), "1h",
     "age at which a segment is written, full or not", NULL, 0, NULL, false},
    {0},
};

static const jaeger_field fields[] = {
    {"directory", JAEGER_FIELD_STR, offsetof(jg_embedded_config, directory), "",
     "where the data is; needed unless ephemeral", NULL, 0, NULL, false},
    {"ephemeral", JAEGER_FIELD_BOOL, offsetof(jg_embedded_config, ephemeral), "false",
     "use a fresh directory (under `directory`, or /tmp) and remove it at stop", NULL, 0, NULL, false},
    {"read_only", JAEGER_FIELD_BOOL, offsetof(jg_embedded_config, read_only), "false",
     "read what another process on this machine writes to `directory`; it must have been started once", NULL,
     0, NULL, false},
    {"ttl", JAEGER_FIELD_BLOCK, offsetof(jg_embedded_config, ttl), NULL, "how long spans are kept",
     ttl_fields, sizeof(jg_embedded_ttl), NULL, false},
    {"max_disk", JAEGER_FIELD_U64, offsetof(jg_embedded_config, max_disk), "0",
     "disk budget in bytes, the oldest data goes first; 0: all but a reserve of 5 % (512 MiB at most)", NULL,
     0, NULL, false},
    {"durability", JAEGER_FIELD_ENUM, offsetof(jg_embedded_config, durability), "sync",
     "sync: acknowledged spans are on disk; interval: a crash of the machine loses up to `sync_interval`; "
     "none: what "
     "the kernel had not written",
     NULL, 0, "sync|interval|none", false},
    {"sync_interval", JAEGER_FIELD_DURATION, offsetof(jg_embedded_config, sync_interval), "100ms",
     "for durability interval", NULL, 0, NULL, false},
    {"memory", JAEGER_FIELD_U64, offsetof(jg_embedded_config, memory), "268435456",
     "budget in bytes for spans that are not in a segment yet; 25165824 keeps a process under 64 MB, with "
     "smaller "
     "segments: 20 % more disk, slower searches",
     NULL, 0, NULL, false},
    {"flush", JAEGER_FIELD_BLOCK, offsetof(jg_embedded_config, flush), NULL, "when a segment is written",
     flush_fields, sizeof(jg_embedded_flush), NULL, false},
    {"max_tenants", JAEGER_FIELD_U32, offsetof(jg_embedded_config, max_tenants), "1000",
     "tenants that may write", NULL, 0, NULL, false},
    {0},
};

const jaeger_storage_driver jg_storage_embedded = {
    .size = sizeof(jaeger_storage_driver),
    .name = "embedded",
    .doc = "Keeps spans in a directory: durable, bounded, searchable; needs no other server",
    .fields = fields,
    .config_size = sizeof(jg_embedded_config),
    .state_size = sizeof(jg_engine),
    .open = embedded_open,
    .close = embedded_close,
    .caps = jg_embedded_caps,
    .write = jg_embedded_write,
    .get_traces = jg_embedded_get_traces,
    .find_traces = jg_embedded_find_traces,
    .find_trace_ids = jg_embedded_find_trace_ids,
    .find_summaries = jg_embedded_find_summaries,
    .services = jg_embedded_services,
    .operations = jg_embedded_operations,
    .dependencies = jg_embedded_dependencies,
    .purge = jg_embedded_purge,
    .sampling = &jg_embedded_sampling,
    .rank_traces = jg_embedded_rank_traces,
    .attributes = jg_embedded_attributes,
    .reread_trace = jg_embedded_reread_trace,
};
