/* SPDX-License-Identifier: Apache-2.0
 * The engine: one root directory, a store for each tenant in it, and the background thread that flushes and
 * drops old data for all of them.
 */
#ifndef JG_EMBEDDED_ENGINE_H
#define JG_EMBEDDED_ENGINE_H

#include "core/metrics.h"
#include "storage/embedded/store.h"

#define JG_FORMAT_TEXT "jaeger-c-store 1\n"

typedef struct jg_engine_config {
    const char *directory;
    bool read_only; /* another process writes the directory */
    bool ephemeral; /* a fresh directory, removed at close; `directory` may be empty */
    jg_store_options store;
    uint64_t memory_bytes;     /* for all memtables that are being filled */
    uint64_t sync_interval_ns; /* durability interval */
    uint32_t tenants_max;
} jg_engine_config;

typedef struct jg_tenant {
    struct jg_tenant *next;
    jg_store *store;
    char name[]; /* of its directory */
} jg_tenant;

typedef struct jg_engine {
    jg_engine_config config;
    char *root, *tenant_root;
    int lock_fd;
    jaeger_logger log;
    pthread_mutex_t lock; /* the list of tenants, and the fields below */
    pthread_cond_t cond;
    jg_tenant *tenants; /* grows at the head; entries stay until close */
    uint32_t tenant_count;
    bool stop, work, thread_runs;
    pthread_t thread;
    uint64_t last_retain_ns, last_sync_ns, last_error_ns;
    jg_metrics *metrics; /* NULL: not measured */
    jg_metric *disk_gauge;
} jg_engine;

jaeger_status jg_engine_open(jg_engine *engine, const jg_engine_config *config, const jaeger_logger *log,
                             jaeger_error *err) JG_MUST_CHECK;
void jg_engine_close(jg_engine *engine);
/** Show size and retention in `metrics` (may be NULL) until close. */
void jg_engine_measure(jg_engine *engine, jg_metrics *metrics);
/** The store of a tenant. @param make false: *ret may be NULL, for a tenant that never wrote
 *  @return RESOURCE_EXHAUSTED: too many tenants */
jaeger_status jg_engine_store(jg_engine *engine, jaeger_str tenant, bool make, jg_store **ret,
                              jaeger_error *err) JG_MUST_CHECK;
/** Name of a tenant's directory; room for 256 bytes. */
void jg_tenant_dir_name(jaeger_str tenant, char out[256]);
/** Take the lock file of a root directory. @return FAILED_PRECONDITION: another process has it */
jaeger_status jg_engine_lock(const char *root, int *ret_fd, jaeger_error *err) JG_MUST_CHECK;
/** Is this a store that we can read? @return FAILED_PRECONDITION: of a later version, or none */
jaeger_status jg_engine_check_format(const char *root, bool make, jaeger_error *err) JG_MUST_CHECK;

#endif
