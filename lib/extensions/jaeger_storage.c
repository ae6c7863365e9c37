/* SPDX-License-Identifier: Apache-2.0
 * The extension that holds storage backends by name. A backend is opened by the first who asks for it, shared
 * by all and closed at stop, so a broken one that nobody uses does no harm; but every section is read and
 * checked at start. Kinds are the storage drivers: the library's and the embedder's.
 * Keys: jaeger cmd/jaeger/internal/extension/jaegerstorage.
 */
#include "config/load.h"
#include "core/alloc.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/str.h"
#include "pipeline/host.h"
#include "storage/open.h"
#include <jaeger/component.h>
#include <pthread.h>

#define KINDS_BYTES_MAX 400u /* of a list of names in a message */

typedef struct storage_config {
    const jaeger_config *backends, *metric_backends;
} storage_config;

typedef struct backend {
    jaeger_str name;
    const jaeger_storage_driver *driver;
    const jaeger_config *node; /* of the kind; its map or null */
    jaeger_storage storage;    /* driver NULL: not open */
    bool opened;               /* atomic: for who asks without the mutex */
} backend;

typedef struct storage_extension {
    const storage_config *config;
    const jaeger_logger *log;
    jaeger_host *host;
    backend *backends;
    size_t count;
    pthread_mutex_t open_mutex; /* guards `storage` of the backends; held while one opens */
    bool ready;
} storage_extension;

/* ---- reading
 * ---------------------------------------------------------------------------------------------------- */

/** The only entry of one backend's map: its kind. @param what "trace" or "metric" */
static jaeger_status kind_of(const jaeger_config *entry, const char *what, jaeger_str *ret_kind,
                             const jaeger_config **ret_node, jaeger_error *err)
{
    size_t n = jaeger_config_count(entry);
    if (jaeger_config_kind(entry) == JAEGER_CONFIG_NULL ||
        (jaeger_config_kind(entry) == JAEGER_CONFIG_MAP && !n))
        return jg_config_fail(err, entry, "empty configuration");
    if (jaeger_config_kind(entry) != JAEGER_CONFIG_MAP)
        return jg_config_fail(err, entry, "expected a map");
    if (n > 1) {
        JG_AUTO_BUF jg_buf kinds = JG_BUF_INIT(KINDS_BYTES_MAX);
        for (size_t i = 0; i < n; i++) {
            jaeger_str kind;
            (void)jaeger_config_at(entry, i, &kind);
            jg_buf_printf(&kinds, "%s%.*s", i ? " " : "", JAEGER_STR_ARGS(kind));
        }
        return jg_config_fail(err, entry, "multiple backend types found for %s storage: [%.*s]", what,
                              JAEGER_STR_ARGS(jg_buf_view(&kinds)));
    }
    *ret_node = jaeger_config_at(entry, 0, ret_kind);
    return JAEGER_OK;
}

static jaeger_status check_kinds(const jaeger_config *map, const char *what, jaeger_error *err)
{
    if (map && jaeger_config_kind(map) != JAEGER_CONFIG_MAP && jaeger_config_kind(map) != JAEGER_CONFIG_NULL)
        return jg_config_fail(err, map, "expected a map");
    for (size_t i = 0; map && i < jaeger_config_count(map); i++) {
        jaeger_str name, kind;
        const jaeger_config *node;
        JG_TRY(kind_of(jaeger_config_at(map, i, &name), what, &kind, &node, err));
    }
    return JAEGER_OK;
}

static jaeger_status check_metric_kinds(const jaeger_config *map, jaeger_error *err)
{
    static const char *const kinds[] = {"prometheus", "elasticsearch", "opensearch", "clickhouse", "traces"};
    JG_TRY(check_kinds(map, "metric", err));
    for (size_t i = 0; map && i < jaeger_config_count(map); i++) {
        jaeger_str name, kind;
        const jaeger_config *node;
        bool known = false;
        JG_TRY(kind_of(jaeger_config_at(map, i, &name), "metric", &kind, &node, err));
        for (size_t k = 0; k < JG_COUNT(kinds); k++)
            known |= jg_str_is(kind, kinds[k]);
        if (!known)
            return jg_config_fail(
                err, node,
                "unknown kind of metric storage '%.*s' (allowed: prometheus, elasticsearch, "
                "opensearch, clickhouse, traces)",
                JAEGER_STR_ARGS(kind));
    }
    return JAEGER_OK;
}

static jaeger_status storage_validate(const void *config, const jaeger_config *node, jaeger_error *err)
{
    const storage_config *c = config;
    if (!c->backends || !jaeger_config_count(c->backends))
        return node ? jg_config_fail(err, node, "at least one storage backend is required")
                    : jg_fail(err, JAEGER_INVALID_ARGUMENT, "at least one storage backend is required");
    JG_TRY(check_kinds(c->backends, "trace", err));
    return check_metric_kinds(c->metric_backends, err);
}

static const jaeger_storage_driver *driver_named(jaeger_host *host, jaeger_str kind)
{
    const jaeger_storage_driver *driver;
    for (size_t i = 0; (driver = jg_host_driver(host, i)); i++)
        if (jg_str_is(kind, driver->name))
            return driver;
    return NULL;
}

static jaeger_status fail_kind(jaeger_host *host, const jaeger_config *node, jaeger_str kind,
                               jaeger_error *err)
{
    JG_AUTO_BUF jg_buf kinds = JG_BUF_INIT(KINDS_BYTES_MAX);
    const jaeger_storage_driver *driver;
    for (size_t i = 0; (driver = jg_host_driver(host, i)); i++)
        jg_buf_printf(&kinds, "%s%s", i ? ", " : "", driver->name);
    return jg_config_fail(err, node, "unknown kind of storage '%.*s' (allowed: %.*s)", JAEGER_STR_ARGS(kind),
                          JAEGER_STR_ARGS(jg_buf_view(&kinds)));
}

/** Bind the section once, to report its faults at start, not at first use. */
static jaeger_status check_section(const backend *b, jaeger_error *err)
{
    if (!b->driver->fields)
        return JAEGER_OK;
    jaeger_error fault = {0};
    JG_AUTO_FREE void *scratch = jg_calloc(1, b->driver->config_size);
    if (!scratch)
        return jg_fail_oom(err);
    JG_TRY(jaeger_config_bind(b->node, b->driver->fields, scratch, err));
    if (!b->driver->validate || b->driver->validate(scratch, &fault) == JAEGER_OK)
        return JAEGER_OK;
    return jg_config_fail(err, b->node, "%s", fault.message);
}

static jaeger_status read_backends(storage_extension *s, jaeger_error *err)
{
    const jaeger_config *map = s->config->backends;
    s->backends = jg_calloc(jaeger_config_count(map), sizeof *s->backends);
    if (!s->backends)
        return jg_fail_oom(err);
    for (; s->count < jaeger_config_count(map); s->count++) {
        backend *b = &s->backends[s->count];
        jaeger_str kind;
        JG_TRY(kind_of(jaeger_config_at(map, s->count, &b->name), "trace", &kind, &b->node, err));
        b->driver = driver_named(s->host, kind);
        if (!b->driver)
            return fail_kind(s->host, b->node, kind, err);
        JG_TRY(check_section(b, err));
    }
    return JAEGER_OK;
}

/* ---- the component
 * ---------------------------------------------------------------------------------------------- */

/** Those who use backends have stopped before. */
static void storage_stop(void *self, uint64_t deadline_ns)
{
    storage_extension *s = self;
    (void)deadline_ns;
    if (!s->ready)
        return;
    pthread_mutex_lock(&s->open_mutex);
    for (size_t i = 0; i < s->count; i++)
        jg_storage_close(&s->backends[i].storage);
    pthread_mutex_unlock(&s->open_mutex);
}

static void storage_destroy(void *self)
{
    storage_extension *s = self;
    storage_stop(s, 0);
    jg_free(s->backends);
    if (s->ready)
        pthread_mutex_destroy(&s->open_mutex);
    *s = (storage_extension){0};
}

static jaeger_status storage_create(void *self, const jaeger_component_create *in, jaeger_error *err)
{
    storage_extension *s = self;
    s->config = in->config;
    s->log = in->log;
    s->host = in->host;
    pthread_mutex_init(&s->open_mutex, NULL);
    s->ready = true;
    jaeger_status status = read_backends(s, err);
    if (status != JAEGER_OK)
        storage_destroy(s); /* nobody else will */
    return status;
}

static jaeger_status open_backend(storage_extension *s, backend *b, jaeger_storage *ret, jaeger_error *err)
{
    jaeger_status status = JAEGER_OK;
    pthread_mutex_lock(&s->open_mutex);
    if (!b->storage.driver)
        status = jg_storage_open_in(s->host, b->driver, b->node, s->log, jaeger_host_metrics(s->host),
                                    &b->storage, err);
    if (status == JAEGER_OK) {
        *ret = b->storage;
        __atomic_store_n(&b->opened, true, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&s->open_mutex);
    return status == JAEGER_OK
               ? status
               : jg_fail_prefix(err, "failed to initialize storage '%.*s'", JAEGER_STR_ARGS(b->name));
}

static jaeger_status storage_open(void *self, const char *name, jaeger_storage *ret, jaeger_error *err)
{
    storage_extension *s = self;
    for (size_t i = 0; i < s->count; i++)
        if (jg_str_is(s->backends[i].name, name))
            return open_backend(s, &s->backends[i], ret, err);
    return jg_fail(err, JAEGER_NOT_FOUND,
                   "storage '%s' not declared in 'jaeger_storage' extension configuration", name);
}

static jaeger_status metric_backend(void *self, const char *name, jaeger_str *ret_kind,
                                    const jaeger_config **ret_node, jaeger_error *err)
{
    const storage_extension *s = self;
    const jaeger_config *map = s->config->metric_backends;
    const jaeger_config *entry = map ? jaeger_config_get(map, name) : NULL;
    if (!entry)
        return jg_fail(err, JAEGER_NOT_FOUND,
                       "metric storage '%s' not declared in 'jaeger_storage' extension configuration", name);
    return kind_of(entry, "metric", ret_kind, ret_node, err);
}

/** The first backend that something keeps from serving. */
static jaeger_status storage_health(void *self, jaeger_error *err)
{
    storage_extension *s = self;
    jaeger_status status = JAEGER_OK;
    for (size_t i = 0; i < s->count && status == JAEGER_OK; i++) {
        const backend *b = &s->backends[i];
        if (__atomic_load_n(&b->opened, __ATOMIC_ACQUIRE) && b->driver->health)
            status = b->driver->health(b->storage.self, err);
        if (status != JAEGER_OK)
            jg_fail_prefix(err, "storage '%.*s'", JAEGER_STR_ARGS(b->name));
    }
    return status;
}

static const void *storage_interface(void *self, const char *name)
{
    static const jaeger_storage_interface storage = {storage_open};
    static const jg_metric_backends_interface metrics = {metric_backend};
    static const jg_health_interface health = {storage_health};
    (void)self;
    if (strcmp(name, JAEGER_STORAGE_INTERFACE) == 0)
        return &storage;
    if (strcmp(name, JG_HEALTH_INTERFACE) == 0)
        return &health;
    return strcmp(name, JG_METRIC_BACKENDS_INTERFACE) == 0 ? &metrics : NULL;
}

static const jaeger_field storage_fields[] = {
    {.name = "backends",
     .kind = JAEGER_FIELD_NODE,
     .offset = offsetof(storage_config, backends),
     .doc = "map from a name to one storage kind and its section"},
    {.name = "metric_backends",
     .kind = JAEGER_FIELD_NODE,
     .offset = offsetof(storage_config, metric_backends),
     .doc = "the same for stores of metrics: prometheus, opensearch, elasticsearch, or traces (ours: counted "
            "from a backend)"},
    {0}};

const jaeger_component_type jg_extension_jaeger_storage = {
    .size = sizeof(jaeger_component_type),
    .name = "jaeger_storage",
    .doc = "holds the storage backends by name",
    .kind = JAEGER_EXTENSION,
    .fields = storage_fields,
    .config_size = sizeof(storage_config),
    .state_size = sizeof(storage_extension),
    .validate = storage_validate,
    .create = storage_create,
    .stop = storage_stop,
    .destroy = storage_destroy,
    .interface = storage_interface,
};
