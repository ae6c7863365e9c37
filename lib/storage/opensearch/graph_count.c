/* SPDX-License-Identifier: Apache-2.0
 * See graph_count.h.
 */
#include "storage/opensearch/graph_count.h"

#include "core/alloc.h"
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/hash.h"
#include "core/limits.h"
#include "core/map.h"
#include "core/str.h"
#include "storage/opensearch/graph_read.h"
#include <stdlib.h>

#define PAGE_SPANS     5000u      /* of one answer; index.max_result_window is 10000 */
#define FOUND_SPANS    10000u     /* of the answer to a question about ids */
#define ASKED_AT_ONCE  1000u      /* ids of one question: a tenth of what an answer may hold */
#define KNOWN_SPANS    (1u << 18) /* 8 MiB of spans seen lately */
#define BODY_BYTES_MAX (1u << 20)
#define SKEW_NS        (300 * JG_NS_PER_S) /* how far a parent may start after its child */

/** A span seen lately: the services that have recorded it, number + 1. */
typedef struct known {
    uint8_t trace_id[16], span_id[8];
    uint32_t server, other;
} known;

typedef struct row {
    jg_os_call_span span;
    uint32_t service; /* number + 1; 0: not to be counted */
    uint32_t parent;  /* the same; 0: not found yet */
} row;

typedef struct counter {
    jg_os_store *store;
    jg_os_count *count;
    jaeger_call *call;
    jaeger_str dot;
    known *known;
    row *rows, *found; /* of the page; of a question */
    size_t row_count;
    jaeger_arena *page;    /* texts of the rows */
    jaeger_arena *lasting; /* names and keys of pairs */
    jg_map numbers, pairs; /* service name -> number + 1; two numbers -> place in `links` + 1 */
    jaeger_str *names;
    size_t name_count, name_cap;
    jaeger_dependencies links;
} counter;

/* ---- services and pairs ---- */

/** @return number + 1; 0: out of memory, or too many */
static uint32_t number_of(counter *c, jaeger_str service)
{
    uintptr_t number = (uintptr_t)jg_map_get(&c->numbers, service);
    if (number)
        return (uint32_t)number;
    jaeger_str name =
        c->name_count < JG_OS_GRAPH_SERVICES_MAX ? jaeger_arena_str(c->lasting, service) : (jaeger_str){0};
    jaeger_str *grown =
        name.ptr ? jg_arena_grow(c->lasting, c->names, c->name_count, &c->name_cap, sizeof *grown) : NULL;
    bool is_new;
    jg_map_entry *entry = grown ? jg_map_put(&c->numbers, name, &is_new) : NULL;
    if (!entry)
        return 0;
    c->names = grown;
    c->names[c->name_count++] = name;
    entry->value = (void *)(uintptr_t)c->name_count;
    return (uint32_t)c->name_count;
}

static jaeger_status add_call(counter *c, uint32_t parent, uint32_t child)
{
    const uint32_t pair[2] = {parent, child};
    bool is_new = false;
    if (!parent || !child)
        return JAEGER_OK;
    jg_map_entry *entry = NULL;
    uintptr_t place = (uintptr_t)jg_map_get(&c->pairs, (jaeger_str){(const char *)pair, sizeof pair});
    if (place) {
        c->links.items[place - 1].call_count++;
        return JAEGER_OK;
    }
    jaeger_str key = jaeger_arena_str(c->lasting, (jaeger_str){(const char *)pair, sizeof pair});
    if (key.ptr)
        entry = jg_map_put(&c->pairs, key, &is_new);
    if (!entry)
        return jg_fail_oom(&c->call->error);
    jaeger_dependency link = {.parent = c->names[parent - 1], .child = c->names[child - 1], .call_count = 1};
    JG_TRY(jaeger_dependencies_add(&c->links, link, c->call));
    entry->value = (void *)(uintptr_t)c->links.count;
    return JAEGER_OK;
}

/* ---- spans seen lately ---- */

static known *slot_of(const counter *c, const uint8_t trace_id[16], const uint8_t span_id[8])
{
    uint64_t hash = jg_hash(span_id, 8, jg_hash(trace_id, 16, 0));
    return &c->known[hash & (KNOWN_SPANS - 1)];
}

static bool holds(const known *k, const uint8_t trace_id[16], const uint8_t span_id[8])
{
    return (k->server || k->other) && memcmp(k->span_id, span_id, 8) == 0 &&
           memcmp(k->trace_id, trace_id, 16) == 0;
}

/** Keep it. A span that was there already, as writes that were repeated leave it, is not counted again. */
static void remember(counter *c, row *r)
{
    known *k = slot_of(c, r->span.trace_id, r->span.span_id);
    if (!holds(k, r->span.trace_id, r->span.span_id)) {
        *k = (known){0};
        memcpy(k->trace_id, r->span.trace_id, 16);
        memcpy(k->span_id, r->span.span_id, 8);
    }
    uint32_t *side = r->span.is_server ? &k->server : &k->other;
    if (*side)
        r->service = 0;
    else
        *side = r->service;
}

/* ---- asking ---- */

typedef struct page_reader {
    counter *c;
    row *rows;
    size_t count, cap;
} page_reader;

static bool take_row(void *self, jg_json_in *in)
{
    page_reader *p = self;
    if (p->count == p->cap)
        return jg_json_in_fail(in, "more hits than asked for");
    row *r = &p->rows[p->count++];
    *r = (row){0};
    return jg_os_read_call_span(in, p->c->dot, &r->span, p->c->page);
}

static jaeger_status search(counter *c, jg_os_window window, const jg_buf *body, page_reader *p)
{
    jg_http_answer answer JG_CLEANUP(jg_os_answer_done) = {0};
    jg_os_partial partial = {0};
    JG_TRY(jg_os_search(c->store, JG_OS_SPANS, window, body, &answer, c->call));
    JG_TRY(jg_os_read_search(jg_buf_view(&answer.body), (jg_os_hits){take_row, NULL, p}, &partial, c->call));
    if (partial.failed_shards || partial.timed_out)
        return jg_fail(&c->call->error, JAEGER_UNAVAILABLE, "%llu shards did not answer",
                       (unsigned long long)partial.failed_shards);
    return JAEGER_OK;
}

/** Where the parents of spans in the counted window may lie, or their children. */
static jg_os_window around(const counter *c, bool children)
{
    uint64_t reach = c->store->config->max_trace_duration_ns, start = c->count->start_unix_ns;
    uint64_t before = children ? SKEW_NS : reach, after = children ? reach : SKEW_NS;
    return (jg_os_window){start > before ? start - before : 0, c->count->end_unix_ns + after};
}

static int by_parent(const void *a, const void *b)
{
    const row *const *x = a, *const *y = b;
    return memcmp((*x)->span.parent_id, (*y)->span.parent_id, 8);
}

static int by_own_id(const void *key, const void *item)
{
    const jg_os_call_span *span = key;
    const row *const *r = item;
    return memcmp(span->span_id, (*r)->span.parent_id, 8);
}

/** Give the found span to all rows that wait for it; those with one parent id stand together. */
static void settle(counter *c, row **waiting, size_t n, const jg_os_call_span *found)
{
    row **hit = bsearch(found, waiting, n, sizeof *waiting, by_own_id);
    uint32_t service = hit && found->service.len ? number_of(c, found->service) : 0;
    if (!service)
        return;
    size_t at = (size_t)(hit - waiting);
    while (at && memcmp(waiting[at - 1]->span.parent_id, found->span_id, 8) == 0)
        at--;
    for (; at < n && memcmp(waiting[at]->span.parent_id, found->span_id, 8) == 0; at++)
        if (memcmp(waiting[at]->span.trace_id, found->trace_id, 16) == 0 &&
            (!waiting[at]->parent || found->is_server))
            waiting[at]->parent = service;
}

static jaeger_str hex_of(const uint8_t id[8], jaeger_arena *arena)
{
    char *text = jaeger_arena_alloc(arena, 16);
    if (text)
        jg_hex_encode(id, 8, text);
    return (jaeger_str){text, text ? 16 : 0};
}

typedef void (*put_question)(jg_buf *out, const jaeger_str *ids, size_t n, uint64_t size, jaeger_str dot);

/** Ask for spans about these ids. @param ret valid until the next question */
static jaeger_status ask_about(counter *c, put_question put, jg_os_window window, const jaeger_str *ids,
                               size_t n, page_reader *ret)
{
    JG_AUTO_BUF jg_buf body = JG_BUF_INIT(BODY_BYTES_MAX);
    *ret = (page_reader){.c = c, .rows = c->found, .cap = FOUND_SPANS};
    put(&body, ids, n, ret->cap, c->dot);
    return search(c, window, &body, ret);
}

/** Find the parents that were not among the last spans. */
static jaeger_status find_parents(counter *c, row **waiting, size_t n)
{
    qsort(waiting, n, sizeof *waiting, by_parent);
    for (size_t done = 0; done < n;) {
        jaeger_str ids[ASKED_AT_ONCE];
        size_t count = 0, first = done;
        for (; done < n && count < ASKED_AT_ONCE; done++) {
            if (done > first &&
                memcmp(waiting[done]->span.parent_id, waiting[done - 1]->span.parent_id, 8) == 0)
                continue;
            ids[count] = hex_of(waiting[done]->span.parent_id, c->page);
            if (!ids[count++].ptr)
                return jg_fail_oom(&c->call->error);
        }
        page_reader found;
        JG_TRY(ask_about(c, jg_os_put_call_parents, around(c, false), ids, count, &found));
        for (size_t i = 0; i < found.count; i++)
            settle(c, waiting, n, &found.rows[i].span);
    }
    return JAEGER_OK;
}

/* ---- a page ---- */

/** Count the call that leads to this span. @param ret_waits its parent is not known */
static jaeger_status count_row(counter *c, row *r, bool *ret_waits)
{
    const known *own = slot_of(c, r->span.trace_id, r->span.span_id);
    const known *parent = slot_of(c, r->span.trace_id, r->span.parent_id);
    *ret_waits = false;
    if (!r->service)
        return JAEGER_OK;
    if (r->span.is_server && holds(own, r->span.trace_id, r->span.span_id) && own->other)
        return add_call(c, own->other, r->service); /* both sides of one span; the parent is the client's */
    if (!r->span.has_parent)
        return JAEGER_OK;
    if (holds(parent, r->span.trace_id, r->span.parent_id))
        return add_call(c, parent->server ? parent->server : parent->other, r->service);
    *ret_waits = true;
    return JAEGER_OK;
}

static jaeger_status count_page(counter *c)
{
    row **waiting = jaeger_arena_alloc(c->page, (c->row_count + 1) * sizeof *waiting);
    size_t n = 0;
    if (!waiting)
        return jg_fail_oom(&c->call->error);
    for (size_t i = 0; i < c->row_count; i++) {
        row *r = &c->rows[i];
        r->service = r->span.service.len ? number_of(c, r->span.service) : 0;
        if (r->service)
            remember(c, r);
    }
    for (size_t i = 0; i < c->row_count; i++) {
        bool waits;
        JG_TRY(count_row(c, &c->rows[i], &waits));
        if (waits)
            waiting[n++] = &c->rows[i];
    }
    if (n)
        JG_TRY(find_parents(c, waiting, n));
    for (size_t i = 0; i < n; i++)
        JG_TRY(add_call(c, waiting[i]->parent, waiting[i]->service));
    return JAEGER_OK;
}

static bool has_child(const page_reader *children, const jg_os_call_span *span)
{
    for (size_t i = 0; i < children->count; i++) {
        const jg_os_call_span *child = &children->rows[i].span;
        if (child->has_parent && memcmp(child->parent_id, span->span_id, 8) == 0 &&
            memcmp(child->trace_id, span->trace_id, 16) == 0)
            return true;
    }
    return false;
}

/** Spans that name a peer which has recorded nothing: databases, services of others. */
static jaeger_status count_peers(counter *c)
{
    for (size_t done = 0; done < c->row_count;) {
        jaeger_str ids[ASKED_AT_ONCE];
        size_t n = 0, first = done;
        page_reader children;
        for (; done < c->row_count && n < ASKED_AT_ONCE / 4; done++)
            ids[n++] = c->rows[done].span.span_text;
        JG_TRY(ask_about(c, jg_os_put_call_children, around(c, true), ids, n, &children));
        for (size_t i = first; i < done; i++) {
            const jg_os_call_span *span = &c->rows[i].span;
            if (span->service.len && span->peer.len && !span->is_server && !has_child(&children, span))
                JG_TRY(add_call(c, number_of(c, span->service), number_of(c, span->peer)));
        }
    }
    return JAEGER_OK;
}

/* ---- a window ---- */

/** The last span of a page: where the next one begins. */
typedef struct cursor {
    bool set;
    jg_os_call_span span;
    jg_buf trace, own;
} cursor;

/** @return false: it stands where it stood: documents without usable ids fill a page */
static bool move_on(cursor *at, const jg_os_call_span *last)
{
    if (at->set && at->span.start_us == last->start_us && jg_str_eq(at->span.span_text, last->span_text) &&
        jg_str_eq(at->span.trace_text, last->trace_text))
        return false;
    jg_buf_clear(&at->trace);
    jg_buf_clear(&at->own);
    jg_buf_str(&at->trace, last->trace_text);
    jg_buf_str(&at->own, last->span_text);
    at->span = *last;
    at->span.trace_text = jg_buf_view(&at->trace);
    at->span.span_text = jg_buf_view(&at->own);
    at->set = true;
    return jg_buf_ok(&at->trace) && jg_buf_ok(&at->own);
}

static jaeger_status read_page(counter *c, const cursor *at, bool peers)
{
    JG_AUTO_BUF jg_buf body = JG_BUF_INIT(BODY_BYTES_MAX);
    page_reader p = {.c = c, .rows = c->rows, .cap = PAGE_SPANS};
    jg_os_put_call_page(&body, c->count->start_unix_ns, c->count->end_unix_ns, PAGE_SPANS,
                        at->set ? &at->span : NULL, peers, c->dot);
    jaeger_arena_reset(c->page);
    JG_TRY(search(c, (jg_os_window){c->count->start_unix_ns, c->count->end_unix_ns}, &body, &p));
    c->row_count = p.count;
    return JAEGER_OK;
}

static jaeger_status count_pages(counter *c, bool peers)
{
    cursor at = {.trace = JG_BUF_INIT(1024), .own = JG_BUF_INIT(1024)};
    jaeger_status status = JAEGER_OK;
    bool more = true;
    while (more && status == JAEGER_OK) {
        status = read_page(c, &at, peers);
        if (status == JAEGER_OK)
            status = peers ? count_peers(c) : count_page(c);
        c->count->spans += peers || status != JAEGER_OK ? 0 : c->row_count;
        if (status == JAEGER_OK && c->count->step.step)
            status = c->count->step.step(c->count->step.self, c->count->spans, c->call);
        more = c->row_count == PAGE_SPANS && move_on(&at, &c->rows[PAGE_SPANS - 1].span);
    }
    jg_buf_done(&at.trace);
    jg_buf_done(&at.own);
    return status;
}

jaeger_status jg_os_count_calls(jg_os_store *store, jg_os_count *count, jaeger_dependencies *ret,
                                jaeger_call *call)
{
    counter c = {.store = store,
                 .count = count,
                 .call = call,
                 .dot = store->config->tags_as_fields.dot_replacement,
                 .known = jg_calloc(KNOWN_SPANS, sizeof *c.known),
                 .rows = jg_calloc(PAGE_SPANS, sizeof *c.rows),
                 .found = jg_calloc(FOUND_SPANS, sizeof *c.found),
                 .page = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX),
                 .lasting = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX)};
    count->spans = 0;
    jaeger_status status = JAEGER_OK;
    if (!c.known || !c.rows || !c.found || !c.page || !c.lasting)
        status = jg_fail_oom(&call->error);
    if (status == JAEGER_OK)
        status = count_pages(&c, false);
    if (status == JAEGER_OK && count->peers)
        status = count_pages(&c, true);
    if (status == JAEGER_OK)
        *ret = c.links;
    jg_map_done(&c.numbers);
    jg_map_done(&c.pairs);
    jg_free(c.known);
    jg_free(c.rows);
    jg_free(c.found);
    jaeger_arena_free(c.page);
    jaeger_arena_free(c.lasting);
    return status;
}
