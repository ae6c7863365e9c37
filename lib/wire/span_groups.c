/* SPDX-License-Identifier: Apache-2.0
 * See span_groups.h.
 */
#include "wire/span_groups.h"

#include "core/alloc.h"
#include "core/err.h"
#include "core/str.h"
#include "model/otlp_fields.h"
#include "wire/otlp_out.h"
#include "wire/scratch.h"

enum { SPAN_LEN_BYTES = 2 };

struct jg_span_groups_span {
    uint32_t scope, next; /* next span of the scope; 0: none, else index + 1 */
    size_t at, len;
};

struct jg_span_groups_scope {
    uint32_t resource, first, last, next; /* spans and next scope of the resource: index + 1 */
    size_t head_at, head_len, span_bytes;
};

struct jg_span_groups_resource {
    uint32_t first, last; /* scopes: index + 1 */
    size_t head_at, head_len;
};

void jg_span_groups_init(jg_span_groups *g, size_t bytes_max)
{
    *g = (jg_span_groups){
        .spans = JG_BUF_INIT(bytes_max), .heads = JG_BUF_INIT(bytes_max), .key = JG_BUF_INIT(bytes_max)};
}

void jg_span_groups_done(jg_span_groups *g)
{
    jg_buf_done(&g->spans);
    jg_buf_done(&g->heads);
    jg_buf_done(&g->key);
    jg_free(g->entries);
    jg_free(g->scopes);
    jg_free(g->resources);
    jg_map_done(&g->by_key);
    jaeger_arena_free(g->arena);
    *g = (jg_span_groups){0};
}

/** Look a key up that is kind + number + a + b. @return its slot (value: index + 1); NULL: no memory */
static jg_map_entry *find(jg_span_groups *g, char kind, uint32_t number, jaeger_str a, jaeger_str b,
                          bool *ret_new)
{
    uint32_t a_len = (uint32_t)a.len;
    jg_buf_clear(&g->key);
    jg_buf_byte(&g->key, (uint8_t)kind);
    jg_buf_append(&g->key, &number, sizeof number);
    jg_buf_append(&g->key, &a_len, sizeof a_len);
    jg_buf_str(&g->key, a);
    jg_buf_str(&g->key, b);
    if (!jg_buf_ok(&g->key) || (!g->arena && !(g->arena = jaeger_arena_new(g->spans.max))))
        return NULL;
    jaeger_str key = jg_buf_view(&g->key);
    if (!jg_map_get(&g->by_key, key) && !(key = jaeger_arena_str(g->arena, key)).ptr)
        return NULL;
    return jg_map_put(&g->by_key, key, ret_new);
}

uint32_t jg_span_groups_resource(jg_span_groups *g, jaeger_str key, bool *ret_new)
{
    jg_map_entry *entry = find(g, 'r', 0, key, (jaeger_str){0}, ret_new);
    if (entry && !*ret_new)
        return (uint32_t)(uintptr_t)entry->value - 1;
    *ret_new = true;
    if (!entry || !jg_scratch_grow(&g->resources, &g->resource_cap, g->resource_count)) {
        g->failed = true;
        return 0;
    }
    g->resources[g->resource_count] = (struct jg_span_groups_resource){0};
    entry->value = (void *)(uintptr_t)++g->resource_count;
    return (uint32_t)g->resource_count - 1;
}

size_t jg_span_groups_begin_resource(const jg_span_groups *g)
{
    return g->heads.len;
}

void jg_span_groups_end_resource(jg_span_groups *g, uint32_t resource, size_t mark)
{
    if (resource >= g->resource_count)
        return;
    g->resources[resource].head_at = mark;
    g->resources[resource].head_len = g->heads.len - mark;
}

/** @param entry what find() gave */
static uint32_t scope_at(jg_span_groups *g, jg_map_entry *entry, bool is_new, uint32_t resource,
                         jaeger_str name, jaeger_str version)
{
    if (entry && !is_new)
        return (uint32_t)(uintptr_t)entry->value - 1;
    if (!entry || resource >= g->resource_count ||
        !jg_scratch_grow(&g->scopes, &g->scope_cap, g->scope_count)) {
        g->failed = true;
        return 0;
    }
    struct jg_span_groups_scope *scope = &g->scopes[g->scope_count];
    *scope = (struct jg_span_groups_scope){.resource = resource, .head_at = g->heads.len};
    jg_otlp_text(&g->heads, JG_OTLP_SCOPE_NAME, name);
    jg_otlp_text(&g->heads, JG_OTLP_SCOPE_VERSION, version);
    scope->head_len = g->heads.len - scope->head_at;
    uint32_t link = (uint32_t)++g->scope_count;
    struct jg_span_groups_resource *parent = &g->resources[resource];
    if (parent->last)
        g->scopes[parent->last - 1].next = link;
    else
        parent->first = link;
    parent->last = link;
    entry->value = (void *)(uintptr_t)link;
    return link - 1;
}

uint32_t jg_span_groups_scope(jg_span_groups *g, uint32_t resource, jaeger_str name, jaeger_str version)
{
    bool is_new = false;
    jg_map_entry *entry = find(g, 's', resource, name, version, &is_new);
    return scope_at(g, entry, is_new, resource, name, version);
}

uint32_t jg_span_groups_named_scope(jg_span_groups *g, uint32_t resource, jaeger_str name, jaeger_str version)
{
    bool is_new = false;
    jg_map_entry *entry = find(g, 's', resource, name, (jaeger_str){0}, &is_new);
    return scope_at(g, entry, is_new, resource, name, version);
}

size_t jg_span_groups_begin_span(jg_span_groups *g)
{
    return jg_pb_begin(&g->spans, JG_OTLP_SCOPE_SPANS_SPANS, SPAN_LEN_BYTES);
}

void jg_span_groups_end_span(jg_span_groups *g, uint32_t scope_index, size_t mark)
{
    jg_pb_end(&g->spans, mark, SPAN_LEN_BYTES);
    if (scope_index >= g->scope_count || !jg_buf_ok(&g->spans) ||
        !jg_scratch_grow(&g->entries, &g->entry_cap, g->entry_count)) {
        g->failed = true;
        return;
    }
    size_t at = mark - 1; /* the tag is one byte */
    struct jg_span_groups_scope *scope = &g->scopes[scope_index];
    g->entries[g->entry_count] =
        (struct jg_span_groups_span){.scope = scope_index, .at = at, .len = g->spans.len - at};
    uint32_t link = (uint32_t)++g->entry_count;
    if (scope->last)
        g->entries[scope->last - 1].next = link;
    else
        scope->first = link;
    scope->last = link;
    scope->span_bytes += g->spans.len - at;
}

void jg_span_groups_drop_span(jg_span_groups *g, size_t mark)
{
    if (jg_buf_ok(&g->spans))
        g->spans.len = mark - 1;
}

static size_t scope_size(const struct jg_span_groups_scope *scope)
{
    return jg_pb_len_size(JG_OTLP_SCOPE_SPANS_SCOPE, scope->head_len) + scope->span_bytes;
}

static size_t resource_size(const jg_span_groups *g, const struct jg_span_groups_resource *resource)
{
    size_t spans = 0;
    for (uint32_t s = resource->first; s; s = g->scopes[s - 1].next)
        if (g->scopes[s - 1].first)
            spans += jg_pb_len_size(JG_OTLP_RESOURCE_SPANS_SCOPE_SPANS, scope_size(&g->scopes[s - 1]));
    return spans ? spans + jg_pb_len_size(JG_OTLP_RESOURCE_SPANS_RESOURCE, resource->head_len) : 0;
}

static void write_scope(const jg_span_groups *g, const struct jg_span_groups_scope *scope, jg_buf *out)
{
    jg_pb_write_tag(out, JG_OTLP_RESOURCE_SPANS_SCOPE_SPANS, JG_PB_LEN);
    jg_pb_write_varint_raw(out, scope_size(scope));
    jg_pb_write_bytes(out, JG_OTLP_SCOPE_SPANS_SCOPE, g->heads.data ? g->heads.data + scope->head_at : NULL,
                      scope->head_len);
    if (g->scope_count == 1) { /* the usual case: all of them, in order */
        jg_buf_append(out, g->spans.data, scope->span_bytes);
        return;
    }
    for (uint32_t i = scope->first; i; i = g->entries[i - 1].next)
        jg_buf_append(out, g->spans.data + g->entries[i - 1].at, g->entries[i - 1].len);
}

static void write_resource(const jg_span_groups *g, const struct jg_span_groups_resource *resource,
                           jg_buf *out)
{
    size_t size = resource_size(g, resource);
    if (size == 0)
        return;
    jg_pb_write_tag(out, JG_OTLP_REQUEST_RESOURCE_SPANS, JG_PB_LEN);
    jg_pb_write_varint_raw(out, size);
    jg_pb_write_bytes(out, JG_OTLP_RESOURCE_SPANS_RESOURCE,
                      g->heads.data ? g->heads.data + resource->head_at : NULL, resource->head_len);
    for (uint32_t s = resource->first; s; s = g->scopes[s - 1].next)
        if (g->scopes[s - 1].first)
            write_scope(g, &g->scopes[s - 1], out);
}

static void release_built(void *user, void *bytes, size_t len)
{
    (void)user, (void)len;
    jg_free(bytes);
}

jaeger_status jg_span_groups_finish(jg_span_groups *g, jaeger_batch **ret, jaeger_error *err)
{
    size_t all = 0, size;
    if (g->failed || !jg_buf_ok(&g->spans) || !jg_buf_ok(&g->heads))
        return jg_fail(err, JAEGER_RESOURCE_EXHAUSTED,
                       "spans are too large (limit %zu bytes) or out of memory", g->spans.max);
    for (size_t i = 0; i < g->resource_count; i++)
        if ((size = resource_size(g, &g->resources[i])))
            all += jg_pb_len_size(JG_OTLP_REQUEST_RESOURCE_SPANS, size);
    if (all == 0)
        return jaeger_batch_from_otlp((void *)"", 0, NULL, NULL, ret, err);
    JG_AUTO_BUF jg_buf out = JG_BUF_INIT(all + 16); /* writers reserve a little more than they need */
    if (!jg_buf_reserve(&out, all + 16))
        return jg_fail_oom(err);
    for (size_t i = 0; i < g->resource_count; i++)
        write_resource(g, &g->resources[i], &out);
    size_t len = 0;
    uint8_t *bytes = jg_buf_take(&out, &len);
    return bytes ? jaeger_batch_from_otlp(bytes, len, release_built, NULL, ret, err) : jg_fail_oom(err);
}
