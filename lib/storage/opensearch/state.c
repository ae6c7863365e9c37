/* SPDX-License-Identifier: Apache-2.0
 * See state.h. Spec: https://docs.opensearch.org, "optimistic concurrency control" of the document APIs.
 */
#include "storage/opensearch/state.h"

#include "core/clock.h"
#include "core/err.h"
#include "core/json_out.h"
#include "core/str.h"
#include "storage/opensearch/admin.h"
#include "storage/opensearch/reply.h"

#define PATH_BYTES_MAX 3000u
#define NAME_BYTES_MAX 200u /* of resource and owner */

/** Nothing of it is searched for: no field is mapped. */
static const char settings[] =
    "{\"settings\":{\"index.number_of_shards\":1,\"index.auto_expand_replicas\":\"0-1\"},"
    "\"mappings\":{\"dynamic\":false}}";

static void put_index(jg_buf *out, const jg_os_store *store)
{
    jg_os_put_prefix(out, store->config->indices.index_prefix);
    jg_buf_lit(out, "jaeger-state");
}

static void put_path(jg_buf *out, const jg_os_store *store, const char *api, jaeger_str id)
{
    jg_buf_byte(out, '/');
    put_index(out, store);
    jg_buf_printf(out, "/%s/", api);
    for (size_t i = 0; i < id.len; i++) {
        unsigned char c = (unsigned char)id.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
        if (plain)
            jg_buf_byte(out, c);
        else
            jg_buf_printf(out, "%%%02X", c);
    }
}

static void put_condition(jg_buf *path, const jg_os_state *seen)
{
    jg_buf_printf(path, "?if_seq_no=%llu&if_primary_term=%llu", (unsigned long long)seen->seq_no,
                  (unsigned long long)seen->primary_term);
}

static jaeger_status ask(jg_os_store *store, const char *method, jg_buf *path, const jg_buf *body,
                         jg_http_answer *ret, jaeger_call *call)
{
    jg_buf_byte(path, 0);
    if (!jg_buf_ok(path) || !jg_buf_ok(body))
        return jg_fail_oom(&call->error);
    return jg_os_ask(
        store->client,
        &(jg_os_request){.method = method, .path = (const char *)path->data, .body = jg_buf_view(body)}, ret,
        call);
}

/* ---- reading ---- */

static bool read_source(jg_json_in *in, jg_os_state *state, jaeger_call *call)
{
    jg_json_text key;
    bool ok = jg_json_in_object(in);
    while (ok && jg_json_in_member(in, &key)) {
        if (jg_json_in_is(key, JAEGER_STR("text")))
            ok = jg_os_read_text(in, &state->text, call->arena);
        else if (jg_json_in_is(key, JAEGER_STR("number_ms")))
            ok = jg_json_in_u64(in, false, &state->number_ms);
        else
            ok = jg_json_in_skip(in);
    }
    return ok;
}

jaeger_status jg_os_state_read(jaeger_str json, jg_os_state *ret, jaeger_call *call)
{
    jg_json_in in = jg_json_in_of(json);
    jg_os_state state = {0};
    jg_json_text key;
    bool ok = jg_json_in_object(&in);
    while (ok && jg_json_in_member(&in, &key)) {
        if (jg_json_in_is(key, JAEGER_STR("_seq_no")))
            ok = jg_json_in_u64(&in, false, &state.seq_no);
        else if (jg_json_in_is(key, JAEGER_STR("_primary_term")))
            ok = jg_json_in_u64(&in, false, &state.primary_term);
        else if (jg_json_in_is(key, JAEGER_STR("found")))
            ok = jg_json_in_bool(&in, &state.exists);
        else if (jg_json_in_is(key, JAEGER_STR("_source")))
            ok = read_source(&in, &state, call);
        else
            ok = jg_json_in_skip(&in);
    }
    if (!ok || !jg_json_in_end(&in))
        return jg_fail(&call->error, JAEGER_INTERNAL, "a document of jaeger-state cannot be read: %s",
                       in.fault ? in.fault : "out of memory");
    *ret = state;
    return JAEGER_OK;
}

jaeger_status jg_os_state_get(jg_os_store *store, jaeger_str id, jg_os_state *ret, jaeger_call *call)
{
    JG_AUTO_BUF jg_buf path = JG_BUF_INIT(PATH_BYTES_MAX), body = JG_BUF_INIT(0);
    jg_http_answer answer JG_CLEANUP(jg_os_answer_done) = {0};
    put_path(&path, store, "_doc", id);
    jaeger_status status = ask(store, "GET", &path, &body, &answer, call);
    if (status == JAEGER_NOT_FOUND) { /* the document, or the index */
        *ret = (jg_os_state){0};
        call->error = (jaeger_error){0};
        return JAEGER_OK;
    }
    return status == JAEGER_OK ? jg_os_state_read(jg_buf_view(&answer.body), ret, call) : status;
}

/* ---- writing ---- */

static jaeger_status make_index(jg_os_store *store, jaeger_call *call)
{
    JG_AUTO_BUF jg_buf path = JG_BUF_INIT(PATH_BYTES_MAX), body = JG_BUF_INIT(4096),
                       name = JG_BUF_INIT(PATH_BYTES_MAX);
    jg_http_answer answer JG_CLEANUP(jg_os_answer_done) = {0};
    bool exists = false;
    put_index(&name, store);
    JG_TRY(jg_os_name_exists(store->client, jg_buf_view(&name), &exists, call));
    if (exists)
        return JAEGER_OK;
    jg_buf_byte(&path, '/');
    put_index(&path, store);
    jg_buf_str(&body, jg_str(settings));
    jaeger_status status = ask(store, "PUT", &path, &body, &answer, call);
    if (status != JAEGER_INVALID_ARGUMENT) /* another was faster */
        return status;
    jaeger_error error = call->error;
    JG_TRY(jg_os_name_exists(store->client, jg_buf_view(&name), &exists, call));
    if (!exists)
        call->error = error;
    return exists ? JAEGER_OK : status;
}

static jaeger_status conflict(jaeger_status status, jaeger_call *call)
{
    if (status != JAEGER_ALREADY_EXISTS)
        return status;
    return jg_fail(&call->error, JAEGER_ABORTED, "another process has changed the document meanwhile");
}

jaeger_status jg_os_state_put(jg_os_store *store, jaeger_str id, const jg_os_state *seen, jaeger_str text,
                              uint64_t number_ms, jaeger_call *call)
{
    JG_AUTO_BUF jg_buf path = JG_BUF_INIT(PATH_BYTES_MAX), body = JG_BUF_INIT(4096);
    jg_http_answer answer JG_CLEANUP(jg_os_answer_done) = {0};
    if (!seen->exists)
        JG_TRY(make_index(store, call));
    put_path(&path, store, seen->exists ? "_doc" : "_create", id);
    if (seen->exists)
        put_condition(&path, seen);
    jg_json_out j = JG_JSON_OUT_INIT(&body);
    jg_json_object(&j);
    jg_json_key_lit(&j, "text");
    jg_json_str(&j, text);
    jg_json_key_lit(&j, "number_ms");
    jg_json_u64(&j, number_ms);
    jg_json_end(&j);
    return conflict(ask(store, "PUT", &path, &body, &answer, call), call);
}

jaeger_status jg_os_state_delete(jg_os_store *store, jaeger_str id, const jg_os_state *seen,
                                 jaeger_call *call)
{
    JG_AUTO_BUF jg_buf path = JG_BUF_INIT(PATH_BYTES_MAX), body = JG_BUF_INIT(0);
    jg_http_answer answer JG_CLEANUP(jg_os_answer_done) = {0};
    if (!seen->exists)
        return JAEGER_OK;
    put_path(&path, store, "_doc", id);
    put_condition(&path, seen);
    jaeger_status status = ask(store, "DELETE", &path, &body, &answer, call);
    return status == JAEGER_NOT_FOUND ? JAEGER_OK : conflict(status, call);
}

/* ---- leases ---- */

static jaeger_status lease_id(jg_buf *out, jaeger_str resource, jaeger_str owner, jaeger_call *call)
{
    if (!resource.len || !owner.len || resource.len > NAME_BYTES_MAX || owner.len > NAME_BYTES_MAX)
        return jg_fail(&call->error, JAEGER_INVALID_ARGUMENT, "lease: resource and owner take 1 to %u bytes",
                       NAME_BYTES_MAX);
    jg_buf_lit(out, "lease-");
    jg_buf_str(out, resource);
    return jg_buf_ok(out) ? JAEGER_OK : jg_fail_oom(&call->error);
}

jaeger_status jg_os_acquire(jg_os_store *store, jaeger_str resource, jaeger_str owner, uint64_t ttl_ns,
                            bool *ret, jaeger_call *call)
{
    JG_AUTO_BUF jg_buf id = JG_BUF_INIT(1024);
    jg_os_state seen;
    JG_TRY(lease_id(&id, resource, owner, call));
    JG_TRY(jg_os_state_get(store, jg_buf_view(&id), &seen, call));
    uint64_t now_ms = jg_clock_unix_ns() / JG_NS_PER_MS;
    if (seen.exists && !jg_str_eq(seen.text, owner) && seen.number_ms > now_ms) {
        *ret = false;
        return JAEGER_OK;
    }
    jaeger_status status =
        jg_os_state_put(store, jg_buf_view(&id), &seen, owner, now_ms + ttl_ns / JG_NS_PER_MS, call);
    if (status != JAEGER_OK && status != JAEGER_ABORTED)
        return status;
    *ret = status == JAEGER_OK; /* else another was faster */
    return JAEGER_OK;
}

jaeger_status jg_os_forfeit(jg_os_store *store, jaeger_str resource, jaeger_str owner, jaeger_call *call)
{
    JG_AUTO_BUF jg_buf id = JG_BUF_INIT(1024);
    jg_os_state seen;
    JG_TRY(lease_id(&id, resource, owner, call));
    JG_TRY(jg_os_state_get(store, jg_buf_view(&id), &seen, call));
    if (!seen.exists || !jg_str_eq(seen.text, owner))
        return JAEGER_OK;
    jaeger_status status = jg_os_state_delete(store, jg_buf_view(&id), &seen, call);
    return status == JAEGER_ABORTED ? JAEGER_OK : status;
}
