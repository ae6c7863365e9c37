/* SPDX-License-Identifier: Apache-2.0
 * See reply.h.
 */
#include "storage/opensearch/reply.h"

#include "core/arena.h"
#include "core/err.h"
#include "core/str.h"
#include "storage/opensearch/client.h"

#define REASON_BYTES_MAX (16u << 10)

/** One search's answer as it is read. */
typedef struct reader {
    jg_json_in in;
    jg_os_hits hits;
    jg_os_partial *partial;
    jaeger_call *call;
    jaeger_status status; /* of a search that failed, or of the sink */
    size_t hit_count;
} reader;

static jaeger_status fail_unexpected(const reader *r, const char *what)
{
    return jg_fail(&r->call->error, JAEGER_INTERNAL, "unexpected answer of %s at byte %zu: %s", what,
                   jg_json_in_offset(&r->in), r->in.fault ? r->in.fault : "something is missing");
}

/* ---- shards ---- */

static bool read_shards(reader *r)
{
    jg_json_text key;
    jg_json_in *in = &r->in;
    uint64_t failed = 0;
    if (jg_json_in_peek(in) != JG_JSON_OBJECT)
        return jg_json_in_skip(in);
    bool ok = jg_json_in_object(in);
    while (ok && jg_json_in_key(in, &key))
        ok = jg_json_in_is(key, JAEGER_STR("failed")) ? jg_json_in_u64(in, false, &failed)
                                                      : jg_json_in_skip(in);
    r->partial->failed_shards += failed;
    return ok && !in->fault;
}

static bool read_timed_out(reader *r)
{
    bool timed_out = false;
    if (!jg_json_in_bool(&r->in, &timed_out))
        return false;
    r->partial->timed_out |= timed_out;
    return true;
}

/* ---- hits ---- */

static bool read_hit(reader *r)
{
    jg_json_text key;
    jg_json_in *in = &r->in;
    bool ok = jg_json_in_object(in);
    while (ok && jg_json_in_key(in, &key)) {
        if (jg_json_in_is(key, JAEGER_STR("_source")) && jg_json_in_peek(in) == JG_JSON_OBJECT) {
            ok = r->hits.hit(r->hits.self, in);
            r->hit_count++;
        } else {
            ok = jg_json_in_skip(in);
        }
    }
    return ok && !in->fault;
}

static bool read_hits(reader *r)
{
    jg_json_text key;
    jg_json_in *in = &r->in;
    bool ok = jg_json_in_object(in);
    while (ok && jg_json_in_key(in, &key)) {
        if (!jg_json_in_is(key, JAEGER_STR("hits"))) {
            ok = jg_json_in_skip(in);
            continue;
        }
        ok = jg_json_in_array(in);
        while (ok && jg_json_in_item(in))
            ok = read_hit(r);
    }
    return ok && !in->fault;
}

/* ---- one search ---- */

typedef struct failure {
    bool is_there;
    int64_t http_status;
    jg_buf reason;
} failure;

static bool read_member(reader *r, jg_json_text key, failure *f)
{
    jg_json_in *in = &r->in;
    if (jg_json_in_is(key, JAEGER_STR("hits")))
        return read_hits(r);
    if (jg_json_in_is(key, JAEGER_STR("_shards")))
        return read_shards(r);
    if (jg_json_in_is(key, JAEGER_STR("timed_out")))
        return read_timed_out(r);
    if (jg_json_in_is(key, JAEGER_STR("status")))
        return jg_json_in_i64(in, false, &f->http_status);
    if (!jg_json_in_is(key, JAEGER_STR("error")))
        return jg_json_in_skip(in);
    f->is_there = true;
    return jg_os_read_reason(in, &f->reason);
}

static bool read_one(reader *r)
{
    failure f = {.http_status = 500, .reason = JG_BUF_INIT(REASON_BYTES_MAX)};
    jg_json_text key;
    r->hit_count = 0;
    bool ok = jg_json_in_object(&r->in);
    while (ok && jg_json_in_key(&r->in, &key))
        ok = read_member(r, key, &f);
    ok = ok && !r->in.fault;
    if (ok && f.is_there) {
        jaeger_status status = jg_os_status_of((int)JG_MIN(JG_MAX(f.http_status, 0), 999));
        r->status =
            jg_fail(&r->call->error, status == JAEGER_OK ? JAEGER_INTERNAL : status, "search failed: %.*s",
                    (int)JG_MIN(f.reason.len, 300u), f.reason.data ? (const char *)f.reason.data : "");
        ok = false;
    }
    jg_buf_done(&f.reason);
    return ok;
}

static bool end_one(reader *r, size_t index)
{
    r->status = r->hits.end ? r->hits.end(r->hits.self, index, r->hit_count, r->call) : JAEGER_OK;
    return r->status == JAEGER_OK;
}

jaeger_status jg_os_read_search(jaeger_str json, jg_os_hits hits, jg_os_partial *ret_partial,
                                jaeger_call *call)
{
    reader r = {.in = jg_json_in_of(json), .hits = hits, .partial = ret_partial, .call = call};
    if (read_one(&r) && jg_json_in_end(&r.in) && end_one(&r, 0))
        return JAEGER_OK;
    return r.status != JAEGER_OK ? r.status : fail_unexpected(&r, "_search");
}

jaeger_status jg_os_read_msearch(jaeger_str json, jg_os_hits hits, jg_os_partial *ret_partial,
                                 jaeger_call *call)
{
    reader r = {.in = jg_json_in_of(json), .hits = hits, .partial = ret_partial, .call = call};
    jg_json_text key;
    size_t n = 0;
    bool ok = jg_json_in_object(&r.in);
    while (ok && jg_json_in_key(&r.in, &key)) {
        if (!jg_json_in_is(key, JAEGER_STR("responses"))) {
            ok = jg_json_in_skip(&r.in);
            continue;
        }
        ok = jg_json_in_array(&r.in);
        while (ok && jg_json_in_item(&r.in))
            ok = read_one(&r) && end_one(&r, n++);
    }
    if (ok && jg_json_in_end(&r.in))
        return JAEGER_OK;
    return r.status != JAEGER_OK ? r.status : fail_unexpected(&r, "_msearch");
}

/* ---- buckets ---- */

typedef struct buckets {
    jaeger_status (*bucket)(void *self, const jg_os_bucket *bucket, jaeger_call *call);
    void *self;
} buckets;

/** {"value": 1.7e15}: null where there is none. */
static bool read_metric(jg_json_in *in, double *ret)
{
    jg_json_text key;
    if (jg_json_in_peek(in) != JG_JSON_OBJECT)
        return jg_json_in_skip(in);
    bool ok = jg_json_in_object(in);
    while (ok && jg_json_in_key(in, &key))
        ok = jg_json_in_is(key, JAEGER_STR("value")) && jg_json_in_peek(in) == JG_JSON_NUMBER
                 ? jg_json_in_double(in, false, ret)
                 : jg_json_in_skip(in);
    return ok && !in->fault;
}

static bool read_bucket(reader *r, const buckets *b)
{
    jg_json_text key, text = {0};
    jg_json_in *in = &r->in;
    jg_os_bucket bucket = {0};
    bool has_key = false, ok = jg_json_in_object(in);
    while (ok && jg_json_in_key(in, &key)) {
        if (jg_json_in_is(key, JAEGER_STR("key")) && jg_json_in_peek(in) == JG_JSON_STRING)
            ok = has_key = jg_json_in_str(in, &text);
        else if (jg_json_in_peek(in) == JG_JSON_OBJECT)
            ok = read_metric(in, &bucket.value);
        else
            ok = jg_json_in_skip(in);
    }
    if (!ok || in->fault || !has_key)
        return ok && !in->fault;
    JG_AUTO_BUF jg_buf plain = JG_BUF_INIT(1u << 20);
    jg_json_in_append(&plain, text);
    bucket.key = jg_buf_view(&plain);
    r->status = jg_buf_ok(&plain) ? b->bucket(b->self, &bucket, r->call) : jg_fail_oom(&r->call->error);
    return r->status == JAEGER_OK;
}

static bool read_aggregation(reader *r, const buckets *b)
{
    jg_json_text key;
    jg_json_in *in = &r->in;
    bool ok = jg_json_in_object(in);
    while (ok && jg_json_in_key(in, &key)) {
        if (!jg_json_in_is(key, JAEGER_STR("buckets"))) {
            ok = jg_json_in_skip(in);
            continue;
        }
        ok = jg_json_in_array(in);
        while (ok && jg_json_in_item(in))
            ok = read_bucket(r, b);
    }
    return ok && !in->fault;
}

static bool read_aggregations(reader *r, const char *name, const buckets *b)
{
    jg_json_text key;
    bool ok = jg_json_in_object(&r->in);
    while (ok && jg_json_in_key(&r->in, &key))
        ok = jg_json_in_is(key, jg_str(name)) ? read_aggregation(r, b) : jg_json_in_skip(&r->in);
    return ok && !r->in.fault;
}

jaeger_status jg_os_read_buckets(jaeger_str json, const char *name,
                                 jaeger_status (*bucket)(void *self, const jg_os_bucket *bucket,
                                                         jaeger_call *call),
                                 void *self, jg_os_partial *ret_partial, jaeger_call *call)
{
    reader r = {.in = jg_json_in_of(json), .partial = ret_partial, .call = call};
    const buckets b = {bucket, self};
    jg_json_text key;
    bool ok = jg_json_in_object(&r.in);
    while (ok && jg_json_in_key(&r.in, &key))
        ok = jg_json_in_is(key, JAEGER_STR("aggregations")) ? read_aggregations(&r, name, &b)
             : jg_json_in_is(key, JAEGER_STR("_shards"))    ? read_shards(&r)
             : jg_json_in_is(key, JAEGER_STR("timed_out"))  ? read_timed_out(&r)
                                                            : jg_json_in_skip(&r.in);
    if (ok && jg_json_in_end(&r.in))
        return JAEGER_OK;
    return r.status != JAEGER_OK ? r.status : fail_unexpected(&r, "_search");
}

bool jg_os_keep(jg_json_in *in, jg_json_text text, jaeger_str *ret, jaeger_arena *arena)
{
    char *plain = jaeger_arena_alloc(arena, text.raw.len + 1);
    if (!plain)
        return jg_json_in_fail(in, "out of memory");
    *ret = (jaeger_str){plain, jg_json_in_unescape(text.raw, plain)};
    return true;
}

bool jg_os_read_text(jg_json_in *in, jaeger_str *ret, jaeger_arena *arena)
{
    jg_json_text text;
    if (jg_json_in_peek(in) != JG_JSON_STRING)
        return jg_json_in_skip(in);
    return jg_json_in_str(in, &text) && jg_os_keep(in, text, ret, arena);
}

/* ---- dependencies ---- */

static bool read_link(jg_json_in *in, jaeger_dependencies *ret, jaeger_call *call)
{
    jaeger_dependency link = {.parent = JAEGER_STR(""), .child = JAEGER_STR("")};
    jg_json_text key;
    bool ok = jg_json_in_object(in);
    while (ok && jg_json_in_key(in, &key))
        ok = jg_json_in_is(key, JAEGER_STR("parent"))  ? jg_os_read_text(in, &link.parent, call->arena)
             : jg_json_in_is(key, JAEGER_STR("child")) ? jg_os_read_text(in, &link.child, call->arena)
             : jg_json_in_is(key, JAEGER_STR("callCount")) && jg_json_in_peek(in) == JG_JSON_NUMBER
                 ? jg_json_in_u64(in, false, &link.call_count)
                 : jg_json_in_skip(in);
    if (!ok || in->fault)
        return false;
    return jaeger_dependencies_add(ret, link, call) == JAEGER_OK || jg_json_in_fail(in, "out of memory");
}

bool jg_os_read_dependencies(jg_json_in *in, jaeger_dependencies *ret, jaeger_call *call)
{
    jg_json_text key;
    bool ok = jg_json_in_object(in);
    while (ok && jg_json_in_key(in, &key)) {
        if (!jg_json_in_is(key, JAEGER_STR("dependencies")) || jg_json_in_peek(in) != JG_JSON_ARRAY) {
            ok = jg_json_in_skip(in);
            continue;
        }
        ok = jg_json_in_array(in);
        while (ok && jg_json_in_item(in))
            ok = jg_json_in_peek(in) == JG_JSON_OBJECT ? read_link(in, ret, call) : jg_json_in_skip(in);
    }
    return ok && !in->fault;
}
