/* SPDX-License-Identifier: Apache-2.0
 * See tools.h.
 */
#include "storage/embedded/tools.h"

#include "core/alloc.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/str.h"
#include "model/batch.h"
#include "storage/embedded/engine.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define LINE_BYTES_MAX 4200

/** Call `fn` for each tenant's directory. */
static jaeger_status each_tenant(const char *root,
                                 jaeger_status (*fn)(const char *dir, const char *name, void *user),
                                 void *user, jaeger_error *err)
{
    char path[LINE_BYTES_MAX];
    JG_TRY(jg_engine_check_format(root, false, err));
    (void)snprintf(path, sizeof path, "%s/t", root);
    DIR *dir = opendir(path);
    struct dirent *entry;
    jaeger_status status = JAEGER_OK;
    while (dir && status == JAEGER_OK && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "%s/t/%s", root, entry->d_name);
        status = fn(path, entry->d_name, user);
    }
    if (dir)
        (void)closedir(dir);
    return status;
}

/* ---- stats
 * ------------------------------------------------------------------------------------------------------ */

typedef struct totals {
    uint64_t segments, spans, traces, segment_bytes, log_bytes, log_spans, catalog_bytes, oldest, newest;
} totals;

typedef struct stats {
    jg_buf *out;
    totals sum;
    jaeger_error *err;
} stats;

static bool add_segment(void *user, jaeger_str key, jaeger_str value)
{
    totals *t = user;
    jg_seg_meta meta;
    jaeger_str filter;
    (void)key;
    if (!jg_seg_meta_read(value, &meta, &filter))
        return true;
    t->segments++;
    t->spans += meta.span_count;
    t->traces += meta.trace_count;
    t->segment_bytes += meta.bytes;
    t->oldest = t->oldest ? JG_MIN(t->oldest, meta.min_start) : meta.min_start;
    t->newest = JG_MAX(t->newest, meta.max_start);
    return true;
}

static int read_segments(jg_txn *txn, void *user)
{
    return jg_txn_each(txn, JG_TABLE_SEGMENTS, (jaeger_str){0}, add_segment, user);
}

static int read_flushed(jg_txn *txn, void *user)
{
    jaeger_str value;
    int error = jg_txn_get(txn, JG_TABLE_META, JAEGER_STR("flushed_gen"), &value);
    if (!error && value.len == 8)
        memcpy(user, value.ptr, 8);
    return error;
}

/** Frames of a log file, from the first on. @return spans in them; *ret_bytes: size of the file */
static uint64_t log_spans(const char *dir, const char *name, uint64_t flushed, uint64_t *ret_bytes)
{
    char path[LINE_BYTES_MAX];
    int fd;
    uint64_t bytes = 0, spans = 0, at = 0, gen = 0;
    const uint8_t *map;
    jg_wal_header header;
    const uint8_t *payload;
    (void)snprintf(path, sizeof path, "%s/wal/%s", dir, name);
    if (jg_io_size(path, &bytes) != 0 || bytes == 0 || jg_io_open(path, O_RDONLY, &fd) != 0)
        return 0;
    *ret_bytes += bytes;
    int error = jg_io_map(fd, bytes, &map);
    (void)close(fd);
    if (error)
        return 0;
    while (jg_wal_frame_read(map, bytes, at, gen, &header, &payload) && header.gen > flushed) {
        gen = header.gen;
        spans += header.span_count;
        at += jg_wal_frame_size(header.len);
    }
    jg_io_unmap(map, bytes);
    return spans;
}

static void add_logs(const char *dir, uint64_t flushed, totals *t)
{
    char path[LINE_BYTES_MAX];
    (void)snprintf(path, sizeof path, "%s/wal", dir);
    DIR *d = opendir(path);
    struct dirent *entry;
    while (d && (entry = readdir(d)) != NULL)
        if (strncmp(entry->d_name, "wal-", 4) == 0)
            t->log_spans += log_spans(dir, entry->d_name, flushed, &t->log_bytes);
    if (d)
        (void)closedir(d);
}

static void write_totals(jg_buf *out, const char *name, const totals *t)
{
    jg_buf_printf(
        out,
        "{\"tenant_dir\":\"%s\",\"segments\":%llu,\"spans\":%llu,\"log_spans\":%llu,\"trace_parts\":%llu,"
        "\"segment_bytes\":%llu,\"log_bytes\":%llu,\"catalog_bytes\":%llu,\"oldest_start_unix_ns\":%llu,"
        "\"newest_start_unix_ns\":%llu}\n",
        name, (unsigned long long)t->segments, (unsigned long long)t->spans, (unsigned long long)t->log_spans,
        (unsigned long long)t->traces, (unsigned long long)t->segment_bytes, (unsigned long long)t->log_bytes,
        (unsigned long long)t->catalog_bytes, (unsigned long long)t->oldest, (unsigned long long)t->newest);
}

static jaeger_status open_catalog(const char *dir, jg_catalog **ret, jaeger_error *err)
{
    char path[LINE_BYTES_MAX];
    (void)snprintf(path, sizeof path, "%s/catalog", dir);
    return jg_catalog_open(path, true, ret, err);
}

static jaeger_status stats_of_tenant(const char *dir, const char *name, void *user)
{
    stats *s = user;
    totals t = {0};
    uint64_t flushed = 0;
    jg_catalog *catalog;
    JG_TRY(open_catalog(dir, &catalog, s->err));
    jaeger_status status = jg_catalog_read(catalog, read_segments, &t, s->err);
    if (status == JAEGER_OK)
        status = jg_catalog_read(catalog, read_flushed, &flushed, s->err);
    t.catalog_bytes = jg_catalog_bytes(catalog);
    jg_catalog_close(catalog);
    if (status != JAEGER_OK)
        return status;
    add_logs(dir, flushed, &t);
    write_totals(s->out, name, &t);
    totals *sum = &s->sum;
    sum->segments += t.segments;
    sum->spans += t.spans;
    sum->traces += t.traces;
    sum->log_spans += t.log_spans;
    sum->segment_bytes += t.segment_bytes;
    sum->log_bytes += t.log_bytes;
    sum->catalog_bytes += t.catalog_bytes;
    sum->oldest = sum->oldest && t.oldest ? JG_MIN(sum->oldest, t.oldest) : JG_MAX(sum->oldest, t.oldest);
    sum->newest = JG_MAX(sum->newest, t.newest);
    return JAEGER_OK;
}

jaeger_status jg_tool_stats(const char *directory, jg_buf *out, jaeger_error *err)
{
    stats s = {.out = out, .err = err};
    JG_TRY(each_tenant(directory, stats_of_tenant, &s, err));
    write_totals(out, "*", &s.sum);
    return jg_buf_ok(out) ? JAEGER_OK : jg_fail_oom(err);
}

/* ---- verify
 * ----------------------------------------------------------------------------------------------------- */

typedef struct verify {
    jg_buf *out;
    jaeger_error *err;
    const char *dir;
    uint64_t segments, spans, faults;
} verify;

static void fault(verify *v, const char *path, const char *why)
{
    v->faults++;
    jg_buf_printf(v->out, "{\"file\":\"%s\",\"fault\":\"%s\"}\n", path, why);
}

/** Decode every span of a mapped segment. @return NULL, or what is wrong */
static const char *decode_all(const jg_seg_view *view, uint64_t *ret_spans)
{
    const char *why = NULL;
    jaeger_span span;
    const char *span_why;
    jg_seg_reader *reader = jg_seg_reader_new();
    if (!reader)
        return "out of memory";
    for (uint32_t t = 0; t < view->header.trace_count && !why; t++) {
        if (jg_seg_decode_trace(reader, view, t) != JAEGER_OK) {
            why = "a block is damaged";
            break;
        }
        for (uint32_t i = 0; i < reader->trace->row_count && !why; i++) {
            jaeger_span_group group;
            jg_buf_clear(&reader->span);
            if (!jg_seg_origin(view, reader->rows[i].origin, &group) ||
                !jg_seg_write_span(reader, i, &reader->span) ||
                !jg_span_index(reader->span.data, reader->span.len, &span, &span_why))
                why = "a span cannot be put together";
            else
                (*ret_spans)++;
        }
    }
    jg_seg_reader_free(reader);
    return why;
}

const char *jg_segment_verify(const uint8_t *bytes, size_t len, uint64_t *ret_spans)
{
    jg_seg_view view;
    const char *why = jg_seg_view_open(&view, bytes, len);
    if (!why && !jg_seg_view_check(&view, JG_SEC_ALL, NULL))
        why = "a section is damaged";
    return why ? why : decode_all(&view, ret_spans);
}

static void verify_file(verify *v, const char *path, const jg_seg_meta *meta)
{
    int fd;
    uint64_t bytes = 0, spans = 0;
    const uint8_t *map = NULL;
    int error = jg_io_open(path, O_RDONLY, &fd);
    if (error) {
        fault(v, path, strerror(error));
        return;
    }
    error = jg_io_size(path, &bytes);
    if (!error && bytes != meta->bytes)
        fault(v, path, "the file has another size than the catalog says");
    else if (!error && (error = jg_io_map(fd, bytes, &map)) == 0) {
        const char *why = jg_segment_verify(map, bytes, &spans);
        if (!why && spans != meta->span_count)
            why = "it has another number of spans than the catalog says";
        if (why)
            fault(v, path, why);
        jg_io_unmap(map, bytes);
    }
    if (error)
        fault(v, path, strerror(error));
    (void)close(fd);
    v->spans += spans;
}

static bool verify_segment(void *user, jaeger_str key, jaeger_str value)
{
    verify *v = user;
    char path[LINE_BYTES_MAX];
    jg_seg_meta meta;
    jaeger_str filter;
    (void)snprintf(path, sizeof path, "%s/catalog", v->dir);
    if (key.len != 8 || !jg_seg_meta_read(value, &meta, &filter)) {
        fault(v, path, "the entry of a segment is damaged");
        return true;
    }
    v->segments++;
    (void)snprintf(path, sizeof path, "%s/seg/%016llx.jsg", v->dir, (unsigned long long)meta.gen);
    verify_file(v, path, &meta);
    return true;
}

static int verify_segments(jg_txn *txn, void *user)
{
    return jg_txn_each(txn, JG_TABLE_SEGMENTS, (jaeger_str){0}, verify_segment, user);
}

static jaeger_status verify_tenant(const char *dir, const char *name, void *user)
{
    verify *v = user;
    jg_catalog *catalog;
    (void)name;
    v->dir = dir;
    JG_TRY(open_catalog(dir, &catalog, v->err));
    jaeger_status status = jg_catalog_read(catalog, verify_segments, v, v->err);
    jg_catalog_close(catalog);
    return status;
}

jaeger_status jg_tool_verify(const char *directory, jg_buf *out, jaeger_error *err)
{
    verify v = {.out = out, .err = err};
    JG_TRY(each_tenant(directory, verify_tenant, &v, err));
    jg_buf_printf(out, "{\"segments\":%llu,\"spans\":%llu,\"faults\":%llu}\n", (unsigned long long)v.segments,
                  (unsigned long long)v.spans, (unsigned long long)v.faults);
    if (!jg_buf_ok(out))
        return jg_fail_oom(err);
    return v.faults ? jg_fail(err, JAEGER_DATA_LOSS, "%llu faults", (unsigned long long)v.faults) : JAEGER_OK;
}

/* ---- compact, export
 * -------------------------------------------------------------------------------------------- */

static jg_store_options tool_options(void)
{
    return (jg_store_options){.flush_rows = 131072,
                              .flush_bytes = 64u << 20,
                              .flush_memory = 64u << 20,
                              .flush_age_ns = 3600 * JG_NS_PER_S,
                              .frozen_max = 3};
}

typedef struct compaction {
    jg_buf *out;
    jaeger_error *err;
} compaction;

static jaeger_status compact_tenant(const char *dir, const char *name, void *user)
{
    compaction *c = user;
    jg_store *store;
    jg_store_options options = tool_options();
    uint32_t merged = 0;
    bool more = true;
    JG_TRY(jg_store_open(dir, &options, NULL, NULL, NULL, &store, c->err));
    jaeger_status status = JAEGER_OK;
    while (more && status == JAEGER_OK)
        status = jg_store_flush_one(store, &more, c->err);
    if (status == JAEGER_OK)
        status = jg_store_compact(store, &merged, c->err);
    if (status == JAEGER_OK)
        jg_buf_printf(c->out, "{\"tenant_dir\":\"%s\",\"segments_merged_away\":%u}\n", name, merged);
    jg_store_close(store);
    return status;
}

jaeger_status jg_tool_compact(const char *directory, jg_buf *out, jaeger_error *err)
{
    int lock;
    compaction c = {out, err};
    JG_TRY(jg_engine_check_format(directory, false, err));
    JG_TRY(jg_engine_lock(directory, &lock, err));
    jaeger_status status = each_tenant(directory, compact_tenant, &c, err);
    (void)close(lock);
    return status;
}

typedef struct exporting {
    bool (*write)(void *user, const void *bytes, size_t len);
    void *user;
} exporting;

static jaeger_status export_batch(void *self, jaeger_batch *take, jaeger_call *call)
{
    exporting *e = self;
    size_t len = jaeger_batch_otlp_size(take);
    JG_AUTO_FREE void *bytes = jg_alloc(len);
    if (bytes)
        jaeger_batch_write_otlp(take, bytes);
    jaeger_batch_unref(take);
    if (!bytes)
        return jg_fail_oom(&call->error);
    return e->write(e->user, bytes, len) ? JAEGER_OK
                                         : jg_fail(&call->error, JAEGER_CANCELLED, "cannot write");
}

static jaeger_status export_from(jg_store *store, const jg_tool_export_options *o, exporting *e,
                                 jaeger_call *call)
{
    jaeger_consumer out = {export_batch, e};
    if (o->trace)
        return jg_store_get(store, o->trace, 1, out, call);
    jaeger_trace_query query = {.size = sizeof query,
                                .start_min_unix_ns = o->start_unix_ns,
                                .start_max_unix_ns = o->end_unix_ns,
                                .limit = UINT32_MAX};
    return jg_store_find(store, &query, out, call);
}

jaeger_status jg_tool_export(const jg_tool_export_options *o, bool (*write)(void *, const void *, size_t),
                             void *user, jaeger_error *err)
{
    int lock;
    char name[256], path[LINE_BYTES_MAX];
    uint64_t bytes;
    jg_store *store = NULL;
    exporting e = {write, user};
    jg_store_options options = tool_options();
    JG_TRY(jg_engine_check_format(o->directory, false, err));
    jg_tenant_dir_name(o->tenant, name);
    (void)snprintf(path, sizeof path, "%s/t/%s", o->directory, name);
    if (jg_io_size(path, &bytes) != 0)
        return jg_fail(err, JAEGER_NOT_FOUND, "no tenant '%.*s' in %s", JAEGER_STR_ARGS(o->tenant),
                       o->directory);
    JG_TRY(jg_engine_lock(o->directory, &lock, err));
    jaeger_status status = jg_store_open(path, &options, NULL, NULL, NULL, &store, err);
    if (status == JAEGER_OK) {
        JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(0);
        jaeger_call call = JAEGER_CALL_INIT;
        call.arena = arena;
        status = arena ? export_from(store, o, &e, &call) : jg_fail_oom(&call.error);
        if (status != JAEGER_OK && err)
            *err = call.error;
        jg_store_close(store);
    }
    (void)close(lock);
    return status;
}
