/* SPDX-License-Identifier: Apache-2.0
 * See templates.h. Fields whose names come from clients are either nested pairs without dynamic mapping, or
 * keywords by a dynamic template: no client can make a field of another type.
 */
#include "storage/opensearch/templates.h"

#include "core/err.h"
#include "core/json_out.h"
#include "core/str.h"

#define TEMPLATE_BYTES_MAX (64u << 10)

bool jg_os_is_composable(jg_os_version version)
{
    return !version.is_opensearch && version.major >= 8;
}

static void put_pair(jg_json_out *j, const char *key, const char *value)
{
    jg_json_key(j, jg_str(key));
    jg_json_str(j, jg_str(value));
}

static void put_typed(jg_json_out *j, const char *name, const char *type)
{
    jg_json_key(j, jg_str(name));
    jg_json_object(j);
    put_pair(j, "type", type);
    jg_json_end(j);
}

static void put_keyword(jg_json_out *j, const char *name)
{
    jg_json_key(j, jg_str(name));
    jg_json_object(j);
    put_pair(j, "type", "keyword");
    jg_json_key_lit(j, "ignore_above");
    jg_json_i64(j, 256);
    jg_json_end(j);
}

/** An open object of nested ones: add properties, then close with two ends. */
static void begin_nested(jg_json_out *j, const char *name)
{
    jg_json_key(j, jg_str(name));
    jg_json_object(j);
    put_pair(j, "type", "nested");
    jg_json_key_lit(j, "dynamic");
    jg_json_bool(j, false);
    jg_json_key_lit(j, "properties");
    jg_json_object(j);
}

static void end_nested(jg_json_out *j)
{
    jg_json_end(j);
    jg_json_end(j);
}

static void put_tags(jg_json_out *j, const char *name)
{
    begin_nested(j, name);
    put_keyword(j, "key");
    put_keyword(j, "value");
    put_keyword(j, "type");
    end_nested(j);
}

static void put_references(jg_json_out *j)
{
    begin_nested(j, "references");
    put_keyword(j, "refType");
    put_keyword(j, "traceID");
    put_keyword(j, "spanID");
    put_keyword(j, "traceState");
    put_typed(j, "flags", "integer");
    put_tags(j, "tags");
    end_nested(j);
}

static void put_process(jg_json_out *j)
{
    jg_json_key_lit(j, "process");
    jg_json_object(j);
    jg_json_key_lit(j, "properties");
    jg_json_object(j);
    put_keyword(j, "serviceName");
    put_typed(j, "tag", "object");
    put_tags(j, "tags");
    jg_json_end(j);
    jg_json_end(j);
}

static void put_span_properties(jg_json_out *j)
{
    put_keyword(j, "traceID");
    put_keyword(j, "parentSpanID");
    put_keyword(j, "spanID");
    put_keyword(j, "operationName");
    put_typed(j, "startTime", "long");
    jg_json_key_lit(j, "startTimeMillis");
    jg_json_object(j);
    put_pair(j, "type", "date");
    put_pair(j, "format", "epoch_millis");
    jg_json_end(j);
    put_typed(j, "duration", "long");
    put_typed(j, "flags", "integer");
    begin_nested(j, "logs");
    put_typed(j, "timestamp", "long");
    put_tags(j, "fields");
    end_nested(j);
    put_process(j);
    put_references(j);
    put_typed(j, "tag", "object");
    put_tags(j, "tags");
    put_typed(j, "scopeTag", "object");
    put_tags(j, "scopeTags");
}

static void put_dynamic(jg_json_out *j, const char *name, const char *path)
{
    jg_json_object(j);
    jg_json_key(j, jg_str(name));
    jg_json_object(j);
    put_keyword(j, "mapping");
    put_pair(j, "path_match", path);
    jg_json_end(j);
    jg_json_end(j);
}

/** An object that is kept, but whose members are not searched for and do not become fields. */
static void put_opaque(jg_json_out *j, const char *name)
{
    jg_json_key(j, jg_str(name));
    jg_json_object(j);
    put_pair(j, "type", "object");
    jg_json_key_lit(j, "enabled");
    jg_json_bool(j, false);
    jg_json_end(j);
}

/** Jaeger has no mapping here: each operation's name becomes a field, until the index refuses more. */
static void put_sampling_properties(jg_json_out *j)
{
    put_typed(j, "timestamp", "date");
    put_opaque(j, "probabilitiesandqps");
    jg_json_key_lit(j, "throughputs");
    jg_json_object(j);
    jg_json_key_lit(j, "properties");
    jg_json_object(j);
    put_keyword(j, "Service");
    put_keyword(j, "Operation");
    put_typed(j, "Count", "long");
    put_opaque(j, "Probabilities");
    jg_json_end(j);
    jg_json_end(j);
}

static void put_mappings(jg_json_out *j, jg_os_kind kind)
{
    jg_json_key_lit(j, "mappings");
    jg_json_object(j);
    if (kind == JG_OS_SPANS || kind == JG_OS_SERVICES) {
        jg_json_key_lit(j, "dynamic_templates");
        jg_json_array(j);
        put_dynamic(j, "span_tags_map", "tag.*");
        put_dynamic(j, "process_tags_map", "process.tag.*");
        if (kind == JG_OS_SPANS)
            put_dynamic(j, "scope_tags_map", "scopeTag.*");
        jg_json_end(j);
        jg_json_key_lit(j, "properties");
        jg_json_object(j);
        if (kind == JG_OS_SPANS) {
            put_span_properties(j);
        } else {
            put_keyword(j, "serviceName");
            put_keyword(j, "operationName");
        }
        jg_json_end(j);
    } else if (kind == JG_OS_SAMPLING) {
        jg_json_key_lit(j, "properties");
        jg_json_object(j);
        put_sampling_properties(j);
        jg_json_end(j);
    }
    jg_json_end(j);
}

/** "<prefix>jaeger-span<suffix>" as a string. */
static void put_name(jg_json_out *j, const jg_os_template *t, const char *before, const char *suffix)
{
    JG_AUTO_BUF jg_buf name = JG_BUF_INIT(4096);
    jg_buf_str(&name, jg_str(before));
    jg_os_put_prefix(&name, t->index_prefix);
    jg_buf_printf(&name, "%s%s", jg_os_kind_name(t->kind), suffix);
    j->buf->failed |= name.failed;
    jg_json_str(j, jg_buf_view(&name));
}

static void put_policy(jg_json_out *j, const jg_os_template *t)
{
    if (t->version.is_opensearch) {
        jg_json_key_lit(j, "plugins.index_state_management.rollover_alias");
        put_name(j, t, "", "-write");
        return;
    }
    jg_json_key_lit(j, "lifecycle");
    jg_json_object(j);
    jg_json_key_lit(j, "name");
    jg_json_str(j, t->policy);
    jg_json_key_lit(j, "rollover_alias");
    put_name(j, t, "", "-write");
    jg_json_end(j);
}

static void put_settings(jg_json_out *j, const jg_os_template *t)
{
    jg_json_key_lit(j, "settings");
    jg_json_object(j);
    jg_json_key_lit(j, "index.number_of_shards");
    jg_json_i64(j, t->shards);
    jg_json_key_lit(j, "index.number_of_replicas");
    jg_json_i64(j, t->replicas);
    jg_json_key_lit(j, "index.mapping.nested_fields.limit");
    jg_json_i64(j, 50);
    jg_json_key_lit(j, "index.requests.cache.enable");
    jg_json_bool(j, t->kind != JG_OS_SAMPLING);
    if (t->use_ilm)
        put_policy(j, t);
    jg_json_end(j);
}

static void put_inner(jg_json_out *j, const jg_os_template *t)
{
    if (t->use_ilm) {
        JG_AUTO_BUF jg_buf alias = JG_BUF_INIT(4096);
        jg_os_put_prefix(&alias, t->index_prefix);
        jg_buf_printf(&alias, "%s-read", jg_os_kind_name(t->kind));
        jg_json_key_lit(j, "aliases");
        jg_json_object(j);
        jg_json_key(j, jg_buf_view(&alias));
        jg_json_object(j);
        jg_json_end(j);
        jg_json_end(j);
        j->buf->failed |= alias.failed;
    }
    put_settings(j, t);
    put_mappings(j, t->kind);
}

void jg_os_put_template(jg_buf *out, const jg_os_template *t)
{
    jg_json_out j = JG_JSON_OUT_INIT(out);
    jg_json_object(&j);
    jg_json_key_lit(&j, "index_patterns");
    if (jg_os_is_composable(t->version)) {
        put_name(&j, t, "", "-*");
        jg_json_key_lit(&j, "priority");
        jg_json_i64(&j, t->priority);
        jg_json_key_lit(&j, "template");
        jg_json_object(&j);
        put_inner(&j, t);
        jg_json_end(&j);
    } else {
        bool prefixed = t->kind == JG_OS_SPANS || t->kind == JG_OS_SERVICES;
        jg_os_template bare = *t;
        if (!prefixed)
            bare.index_prefix = (jaeger_str){0};
        put_name(&j, &bare, "*", "-*");
        put_inner(&j, t);
    }
    jg_json_end(&j);
}

jaeger_status jg_os_install_template(jg_os_client *client, const jg_os_template *t, jaeger_call *call)
{
    JG_AUTO_BUF jg_buf path = JG_BUF_INIT(4096), body = JG_BUF_INIT(TEMPLATE_BYTES_MAX);
    jg_http_answer answer JG_CLEANUP(jg_os_answer_done) = {0};
    jg_buf_str(&path,
               jg_os_is_composable(t->version) ? JAEGER_STR("/_index_template/") : JAEGER_STR("/_template/"));
    jg_os_put_prefix(&path, t->index_prefix);
    jg_buf_printf(&path, "%s%c", jg_os_kind_name(t->kind), 0);
    jg_os_put_template(&body, t);
    if (!jg_buf_ok(&path) || !jg_buf_ok(&body))
        return jg_fail_oom(&call->error);
    return jg_os_ask(
        client,
        &(jg_os_request){.method = "PUT", .path = (const char *)path.data, .body = jg_buf_view(&body)},
        &answer, call);
}
