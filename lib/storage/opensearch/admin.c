/* SPDX-License-Identifier: Apache-2.0
 * See admin.h. Spec of the requests: https://docs.opensearch.org, APIs of indices and aliases.
 */
#include "storage/opensearch/admin.h"

#include "core/arena.h"
#include "core/err.h"
#include "core/json_out.h"
#include "core/str.h"
#include "storage/opensearch/reply.h"
#include <stdlib.h>
#include <time.h>

#define PATH_BYTES_MAX 3000u       /* the clusters take request lines of 4096 */
#define BODY_BYTES_MAX (16u << 20) /* of alias changes: some 100,000 */
#define DAY_MS         (86400ull * 1000)

bool jg_os_has_alias(const jg_os_index_info *index, jaeger_str alias)
{
    for (size_t i = 0; i < index->aliases.count; i++)
        if (jg_str_eq(index->aliases.items[i], alias))
            return true;
    return false;
}

/* ---- listing ---- */

static bool read_aliases(jg_json_in *in, jg_os_index_info *index, jaeger_call *call)
{
    jg_json_text alias;
    bool ok = jg_json_in_object(in);
    while (ok && jg_json_in_key(in, &alias)) {
        jaeger_str name;
        ok = jg_os_keep(in, alias, &name, call->arena) &&
             jaeger_strs_add(&index->aliases, name, call) == JAEGER_OK && jg_json_in_skip(in);
    }
    return ok;
}

static bool read_settings(jg_json_in *in, jg_os_index_info *index)
{
    jg_json_text key;
    bool ok = jg_json_in_object(in);
    while (ok && jg_json_in_member(in, &key))
        ok = jg_json_in_is(key, JAEGER_STR("index.creation_date"))
                 ? jg_json_in_u64(in, true, &index->created_unix_ms)
                 : jg_json_in_skip(in);
    return ok;
}

static bool read_info(jg_json_in *in, jg_os_index_info *index, jaeger_call *call)
{
    jg_json_text key;
    bool ok = jg_json_in_object(in);
    while (ok && jg_json_in_member(in, &key)) {
        if (jg_json_in_is(key, JAEGER_STR("aliases")))
            ok = read_aliases(in, index, call);
        else if (jg_json_in_is(key, JAEGER_STR("settings")))
            ok = read_settings(in, index);
        else
            ok = jg_json_in_skip(in);
    }
    return ok;
}

static int by_name(const void *a, const void *b)
{
    const jg_os_index_info *x = a, *y = b;
    return jg_str_cmp(x->name, y->name);
}

jaeger_status jg_os_read_index_list(jaeger_str json, jg_os_index_infos *ret, jaeger_call *call)
{
    jg_json_in in = jg_json_in_of(json);
    jg_os_index_infos list = {0};
    jg_json_text key;
    bool ok = jg_json_in_object(&in);
    while (ok && jg_json_in_key(&in, &key)) {
        jg_os_index_info *grown =
            jg_arena_grow(call->arena, list.items, list.count, &list.cap, sizeof *grown);
        if (!grown)
            return jg_fail_oom(&call->error);
        list.items = grown;
        jg_os_index_info *index = &grown[list.count++];
        *index = (jg_os_index_info){0};
        ok = jg_os_keep(&in, key, &index->name, call->arena) && read_info(&in, index, call);
    }
    if (!ok || !jg_json_in_end(&in))
        return jg_fail(&call->error, JAEGER_INTERNAL, "the cluster's list of indices cannot be read: %s",
                       in.fault ? in.fault : "out of memory");
    if (list.count)
        qsort(list.items, list.count, sizeof *list.items, by_name);
    *ret = list;
    return JAEGER_OK;
}

/** A NUL-terminated path; NULL when out of memory. */
static const char *path_of(jg_buf *path)
{
    jg_buf_byte(path, 0);
    return jg_buf_ok(path) ? (const char *)path->data : NULL;
}

static jaeger_status send(jg_os_client *client, const char *method, jg_buf *path, jaeger_str body,
                          jg_http_answer *ret, jaeger_call *call)
{
    const char *text = path_of(path);
    if (!text)
        return jg_fail_oom(&call->error);
    return jg_os_ask(client, &(jg_os_request){.method = method, .path = text, .body = body}, ret, call);
}

jaeger_status jg_os_list_indices(jg_os_client *client, jaeger_str prefix, jg_os_index_infos *ret,
                                 jaeger_call *call)
{
    JG_AUTO_BUF jg_buf path = JG_BUF_INIT(PATH_BYTES_MAX);
    jg_http_answer answer JG_CLEANUP(jg_os_answer_done) = {0};
    jg_buf_printf(&path, "/%.*sjaeger-*?flat_settings=true&filter_path=*.aliases,*.settings",
                  JAEGER_STR_ARGS(prefix));
    if (send(client, "GET", &path, (jaeger_str){0}, &answer, call) != JAEGER_OK)
        return jg_fail_prefix(&call->error, "cannot list the indices");
    return jg_os_read_index_list(jg_buf_view(&answer.body), ret, call);
}

/* ---- choosing ---- */

/** Take `n` digits off the front. @return false: others are there */
static bool take_digits(jaeger_str *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (i >= s->len || s->ptr[i] < '0' || s->ptr[i] > '9')
            return false;
    *s = jg_str_skip(*s, n);
    return true;
}

static bool take(jaeger_str *s, jaeger_str text)
{
    if (!jg_str_starts(*s, text))
        return false;
    *s = jg_str_skip(*s, text.len);
    return true;
}

static bool is_named_so(const jg_os_clean_rule *rule, jaeger_str name)
{
    static const char *const kinds[] = {"jaeger-span-", "jaeger-service-", "jaeger-dependencies-",
                                        "jaeger-sampling-"};
    if (!take(&name, rule->prefix))
        return false;
    if (rule->archive)
        return take(&name, JAEGER_STR("jaeger-span-archive-")) && take_digits(&name, 6);
    size_t kind = 0;
    while (kind < JG_COUNT(kinds) && !take(&name, jg_str(kinds[kind])))
        kind++;
    if (kind == JG_COUNT(kinds))
        return false;
    if (rule->rollover)
        return take_digits(&name, 6);
    return take_digits(&name, 4) && take(&name, rule->separator) && take_digits(&name, 2) &&
           take(&name, rule->separator) && take_digits(&name, 2);
}

bool jg_os_is_to_clean(const jg_os_clean_rule *rule, const jg_os_index_info *index)
{
    const jaeger_str write = JAEGER_STR("-write");
    if (index->created_unix_ms >= rule->before_unix_ms || !is_named_so(rule, index->name))
        return false;
    for (size_t i = 0; i < index->aliases.count; i++) {
        jaeger_str alias = index->aliases.items[i];
        if (alias.len >= write.len && jg_str_eq(jg_str_skip(alias, alias.len - write.len), write))
            return false;
    }
    return true;
}

uint64_t jg_os_clean_before_ms(uint64_t now_unix_ms, uint64_t days, bool whole_days)
{
    uint64_t from = whole_days ? (now_unix_ms / DAY_MS + 1) * DAY_MS : now_unix_ms;
    return days > from / DAY_MS ? 0 : from - days * DAY_MS;
}

/** The midnight (UTC) so many months before the day's. */
static uint64_t months_before_ms(uint64_t now_unix_ms, uint64_t months)
{
    time_t seconds = (time_t)(now_unix_ms / 1000);
    struct tm t;
    if (months > 12 * 1000 || !gmtime_r(&seconds, &t))
        return 0;
    t.tm_mon -= (int)months; /* timegm puts it right */
    t.tm_hour = t.tm_min = t.tm_sec = 0;
    time_t then = timegm(&t);
    return then > 0 ? (uint64_t)then * 1000 : 0;
}

uint64_t jg_os_lookback_ms(uint64_t now_unix_ms, jaeger_str unit, uint64_t count)
{
    static const struct {
        const char *name;
        uint64_t ms;
    } units[] = {{"minutes", 60000}, {"hours", 3600000}, {"days", DAY_MS}, {"weeks", 7 * DAY_MS}};
    if (jg_str_is(unit, "months") || jg_str_is(unit, "years"))
        return months_before_ms(now_unix_ms, jg_str_is(unit, "years") ? JG_MIN(count, 9999u) * 12 : count);
    for (size_t i = 0; i < JG_COUNT(units); i++) {
        if (!jg_str_is(unit, units[i].name))
            continue;
        uint64_t from =
            i >= 2 ? (now_unix_ms / DAY_MS + 1) * DAY_MS : now_unix_ms / units[i].ms * units[i].ms;
        return count > from / units[i].ms ? 0 : from - count * units[i].ms;
    }
    uint64_t second = now_unix_ms / 1000;
    return count > second ? 0 : (second - count) * 1000;
}

/* ---- changing ---- */

size_t jg_os_put_some_names(jg_buf *path, const jaeger_str *names, size_t n)
{
    size_t i = 0;
    for (; i < n && (!i || path->len + names[i].len < PATH_BYTES_MAX); i++) {
        if (i)
            jg_buf_byte(path, ',');
        jg_buf_str(path, names[i]);
    }
    return i;
}

jaeger_status jg_os_delete_indices(jg_os_client *client, const jaeger_str *names, size_t n,
                                   uint64_t timeout_s, void (*done)(void *self, size_t count), void *self,
                                   jaeger_call *call)
{
    while (n) {
        JG_AUTO_BUF jg_buf path = JG_BUF_INIT(2 * PATH_BYTES_MAX);
        jg_http_answer answer JG_CLEANUP(jg_os_answer_done) = {0};
        jg_buf_byte(&path, '/');
        size_t count = jg_os_put_some_names(&path, names, n);
        jg_buf_lit(&path, "?ignore_unavailable=true");
        if (timeout_s)
            jg_buf_printf(&path, "&master_timeout=%llus", (unsigned long long)timeout_s);
        if (send(client, "DELETE", &path, (jaeger_str){0}, &answer, call) != JAEGER_OK)
            return jg_fail_prefix(&call->error, "cannot delete %.*s%s", JAEGER_STR_ARGS(names[0]),
                                  count > 1 ? " and others" : "");
        if (done)
            done(self, count);
        names += count;
        n -= count;
    }
    return JAEGER_OK;
}

static void put_change(jg_json_out *j, const jg_os_alias_change *change)
{
    jg_json_object(j);
    jg_json_key(j, change->remove ? JAEGER_STR("remove") : JAEGER_STR("add"));
    jg_json_object(j);
    jg_json_key_lit(j, "index");
    jg_json_str(j, change->index);
    jg_json_key_lit(j, "alias");
    jg_json_str(j, change->alias);
    if (change->is_write_index) {
        jg_json_key_lit(j, "is_write_index");
        jg_json_bool(j, true);
    }
    jg_json_end(j);
    jg_json_end(j);
}

jaeger_status jg_os_change_aliases(jg_os_client *client, const jg_os_alias_change *changes, size_t n,
                                   jaeger_call *call)
{
    JG_AUTO_BUF jg_buf path = JG_BUF_INIT(PATH_BYTES_MAX), body = JG_BUF_INIT(BODY_BYTES_MAX);
    jg_http_answer answer JG_CLEANUP(jg_os_answer_done) = {0};
    if (!n)
        return JAEGER_OK;
    jg_json_out j = JG_JSON_OUT_INIT(&body);
    jg_json_object(&j);
    jg_json_key_lit(&j, "actions");
    jg_json_array(&j);
    for (size_t i = 0; i < n; i++)
        put_change(&j, &changes[i]);
    jg_json_end(&j);
    jg_json_end(&j);
    jg_buf_lit(&path, "/_aliases");
    if (!jg_buf_ok(&body))
        return jg_fail_oom(&call->error);
    if (send(client, "POST", &path, jg_buf_view(&body), &answer, call) != JAEGER_OK)
        return jg_fail_prefix(&call->error, "cannot change the alias %.*s",
                              JAEGER_STR_ARGS(changes[0].alias));
    return JAEGER_OK;
}

static jaeger_status exists(jg_os_client *client, const char *method, jg_buf *path, bool *ret,
                            jaeger_call *call)
{
    jg_http_answer answer JG_CLEANUP(jg_os_answer_done) = {0};
    jaeger_status status = send(client, method, path, (jaeger_str){0}, &answer, call);
    if (status != JAEGER_OK && status != JAEGER_NOT_FOUND)
        return status;
    *ret = status == JAEGER_OK;
    call->error = (jaeger_error){0};
    return JAEGER_OK;
}

jaeger_status jg_os_name_exists(jg_os_client *client, jaeger_str name, bool *ret, jaeger_call *call)
{
    JG_AUTO_BUF jg_buf path = JG_BUF_INIT(PATH_BYTES_MAX);
    jg_buf_printf(&path, "/%.*s", JAEGER_STR_ARGS(name)); /* an alias is found, too */
    if (exists(client, "HEAD", &path, ret, call) != JAEGER_OK)
        return jg_fail_prefix(&call->error, "cannot ask for %.*s", JAEGER_STR_ARGS(name));
    return JAEGER_OK;
}

jaeger_status jg_os_create_index(jg_os_client *client, jaeger_str name, jaeger_call *call)
{
    JG_AUTO_BUF jg_buf path = JG_BUF_INIT(PATH_BYTES_MAX);
    jg_http_answer answer JG_CLEANUP(jg_os_answer_done) = {0};
    jg_buf_printf(&path, "/%.*s", JAEGER_STR_ARGS(name));
    if (send(client, "PUT", &path, (jaeger_str){0}, &answer, call) != JAEGER_OK)
        return jg_fail_prefix(&call->error, "cannot create the index %.*s", JAEGER_STR_ARGS(name));
    return JAEGER_OK;
}

jaeger_status jg_os_policy_exists(jg_os_client *client, jaeger_str policy, bool *ret, jaeger_call *call)
{
    JG_AUTO_BUF jg_buf path = JG_BUF_INIT(PATH_BYTES_MAX);
    jg_os_version version;
    JG_TRY(jg_os_client_version(client, &version, call));
    jg_buf_printf(&path, "%s%.*s", version.is_opensearch ? "/_plugins/_ism/policies/" : "/_ilm/policy/",
                  JAEGER_STR_ARGS(policy));
    if (exists(client, "GET", &path, ret, call) != JAEGER_OK)
        return jg_fail_prefix(&call->error, "cannot ask for the policy %.*s", JAEGER_STR_ARGS(policy));
    return JAEGER_OK;
}

/** The conditions and whether each is met. @return through `ret`: one is, or there are none */
static bool read_conditions(jg_json_in *in, bool *ret)
{
    jg_json_text condition;
    bool any = false, met = false, one = false, ok = jg_json_in_object(in);
    while (ok && jg_json_in_key(in, &condition)) {
        any = true;
        ok = jg_json_in_bool(in, &one);
        met |= one;
    }
    *ret = met || !any;
    return ok;
}

static bool read_rollover(jg_json_in *in, jg_os_rollover_result *ret, jaeger_call *call)
{
    jg_json_text key;
    bool dry_run = false, met = false, ok = jg_json_in_object(in);
    while (ok && jg_json_in_member(in, &key)) {
        if (jg_json_in_is(key, JAEGER_STR("rolled_over")))
            ok = jg_json_in_bool(in, &ret->rolled_over);
        else if (jg_json_in_is(key, JAEGER_STR("dry_run")))
            ok = jg_json_in_bool(in, &dry_run);
        else if (jg_json_in_is(key, JAEGER_STR("conditions")))
            ok = read_conditions(in, &met);
        else if (jg_json_in_is(key, JAEGER_STR("old_index")))
            ok = jg_os_read_text(in, &ret->old_index, call->arena);
        else if (jg_json_in_is(key, JAEGER_STR("new_index")))
            ok = jg_os_read_text(in, &ret->new_index, call->arena);
        else
            ok = jg_json_in_skip(in);
    }
    ret->rolled_over |= dry_run && met;
    return ok && jg_json_in_end(in);
}

jaeger_status jg_os_roll_over(jg_os_client *client, jaeger_str alias, jaeger_str conditions, bool dry_run,
                              jg_os_rollover_result *ret, jaeger_call *call)
{
    JG_AUTO_BUF jg_buf path = JG_BUF_INIT(PATH_BYTES_MAX), body = JG_BUF_INIT(BODY_BYTES_MAX);
    jg_http_answer answer JG_CLEANUP(jg_os_answer_done) = {0};
    *ret = (jg_os_rollover_result){0};
    jg_buf_printf(&path, "/%.*s/_rollover%s", JAEGER_STR_ARGS(alias), dry_run ? "?dry_run=true" : "");
    if (conditions.len)
        jg_buf_printf(&body, "{\"conditions\":%.*s}", JAEGER_STR_ARGS(conditions));
    if (!jg_buf_ok(&body))
        return jg_fail_oom(&call->error);
    if (send(client, "POST", &path, jg_buf_view(&body), &answer, call) != JAEGER_OK)
        return jg_fail_prefix(&call->error, "cannot roll over %.*s", JAEGER_STR_ARGS(alias));
    jg_json_in in = jg_json_in_of(jg_buf_view(&answer.body));
    if (!read_rollover(&in, ret, call))
        return jg_fail(&call->error, JAEGER_INTERNAL, "the cluster's answer to a rollover cannot be read: %s",
                       in.fault ? in.fault : "out of memory");
    return JAEGER_OK;
}
