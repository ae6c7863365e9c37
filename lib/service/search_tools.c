/* SPDX-License-Identifier: Apache-2.0
 * See search_tools.h. Each change is said before it is made, and with --dry-run it is only said.
 * Spec: jaeger cmd/es-index-cleaner, cmd/es-rollover, cmd/esmapping-generator.
 */
#include "service/search_tools.h"

#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"
#include "service/search_flags.h"
#include "service/search_graph.h"
#include "storage/opensearch/admin.h"
#include "storage/opensearch/templates.h"
#include "wire/rfc3339.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define OUTPUT_BYTES_MAX (1u << 20)

typedef struct run {
    const jg_tool_options *o;
    const jg_os_client_config *config; /* NULL: the command asks no cluster */
    jg_os_client *client;
    jaeger_str prefix; /* as it stands before names */
    jaeger_call *call;
} run;

static void say(const char *format, ...) JG_PRINTF(1, 2);
static void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vfprintf(stdout, format, args);
    va_end(args);
    (void)fflush(stdout);
}

static void put_time(char out[48], uint64_t unix_ms)
{
    out[jg_rfc3339_format((int64_t)(unix_ms / 1000), 0, out)] = 0;
}

/** What the dry run does not do. */
static const char *verb(const run *r, const char *does)
{
    return r->o->dry_run ? "would " : does;
}

/* ---- es-index-cleaner ---- */

static bool counts_from_midnight(const char *gates)
{
    return strstr(gates, "-jaeger.es.index.relativeTimeIndexDeletion") ||
           strstr(gates, "-es.index.relativeTimeIndexDeletion");
}

typedef struct progress {
    size_t done, all;
} progress;

static void say_deleted(void *self, size_t count)
{
    progress *p = self;
    p->done += count;
    say("deleted %zu of %zu indices\n", p->done, p->all);
}

static jaeger_status choose_old(const run *r, const jg_os_clean_rule *rule, jaeger_strs *ret)
{
    jg_os_index_infos all = {0};
    JG_TRY(jg_os_list_indices(r->client, r->prefix, &all, r->call));
    for (size_t i = 0; i < all.count; i++) {
        char created[48];
        if (!jg_os_is_to_clean(rule, &all.items[i]))
            continue;
        put_time(created, all.items[i].created_unix_ms);
        say("%sdelete %.*s created %s\n", verb(r, ""), JAEGER_STR_ARGS(all.items[i].name), created);
        JG_TRY(jaeger_strs_add(ret, all.items[i].name, r->call));
    }
    if (!ret->count)
        say("none of %zu indices is to be deleted\n", all.count);
    return JAEGER_OK;
}

static jaeger_status clean(const run *r)
{
    uint64_t days;
    char before[48];
    jaeger_strs old = {0};
    if (!jg_str_to_u64(jg_str(r->o->words[0]), &days))
        return jg_fail(&r->call->error, JAEGER_INVALID_ARGUMENT,
                       "NUM_OF_DAYS: expected a number from 0, not '%s'", r->o->words[0]);
    jg_os_clean_rule rule = {.prefix = r->prefix,
                             .separator = jg_str(r->o->separator),
                             .archive = r->o->archive,
                             .rollover = r->o->rollover,
                             .before_unix_ms = jg_os_clean_before_ms(jg_clock_unix_ns() / JG_NS_PER_MS, days,
                                                                     counts_from_midnight(r->o->gates))};
    put_time(before, rule.before_unix_ms);
    say("indices created before %s are deleted\n", before);
    JG_TRY(choose_old(r, &rule, &old));
    if (r->o->dry_run)
        return JAEGER_OK;
    progress p = {0, old.count};
    return jg_os_delete_indices(r->client, old.items, old.count, r->o->timeout_s, say_deleted, &p, r->call);
}

/* ---- es-rollover ---- */

/** One kind of index behind aliases. */
typedef struct series {
    jg_os_kind kind;
    jaeger_str base, read, write, first; /* "p-jaeger-span" and, behind it, -read, -write, -000001 */
} series;

static jaeger_status series_of(const run *r, jg_os_kind kind, series *ret)
{
    jaeger_arena *arena = r->call->arena;
    ret->kind = kind;
    ret->base = jg_arena_printf(arena, "%.*s%s%s", JAEGER_STR_ARGS(r->prefix), jg_os_kind_name(kind),
                                r->o->archive ? "-archive" : "");
    ret->read = jg_arena_printf(arena, "%.*s-read", JAEGER_STR_ARGS(ret->base));
    ret->write = jg_arena_printf(arena, "%.*s-write", JAEGER_STR_ARGS(ret->base));
    ret->first = jg_arena_printf(arena, "%.*s-000001", JAEGER_STR_ARGS(ret->base));
    return ret->base.ptr && ret->read.ptr && ret->write.ptr && ret->first.ptr ? JAEGER_OK
                                                                              : jg_fail_oom(&r->call->error);
}

static bool is_asked_for(const jg_tool_options *o, jg_os_kind kind)
{
    if (o->archive)
        return kind == JG_OS_SPANS;
    return kind == JG_OS_SPANS || kind == JG_OS_SERVICES ||
           (kind == JG_OS_DEPENDENCIES && !o->skip_dependencies) ||
           (kind == JG_OS_SAMPLING && o->adaptive_sampling);
}

static jaeger_status for_each_series(const run *r, jaeger_status (*act)(const run *r, const series *s))
{
    for (int kind = 0; kind < JG_OS_KINDS; kind++) {
        series s;
        if (!is_asked_for(r->o, (jg_os_kind)kind))
            continue;
        JG_TRY(series_of(r, (jg_os_kind)kind, &s));
        JG_TRY(act(r, &s));
    }
    return JAEGER_OK;
}

static jaeger_status install_template(const run *r, const series *s)
{
    jg_os_template t = {.kind = s->kind,
                        .index_prefix = r->prefix,
                        .shards = (int64_t)r->o->shards,
                        .replicas = (int64_t)r->o->replicas,
                        .priority = (int64_t)r->o->priority[s->kind],
                        .use_ilm = r->o->use_ilm,
                        .policy = jg_str(r->o->ilm_policy)};
    JG_TRY(jg_os_client_version(r->client, &t.version, r->call));
    say("%sinstall the template %.*s%s\n", verb(r, ""), JAEGER_STR_ARGS(r->prefix), jg_os_kind_name(s->kind));
    if (!r->o->dry_run && jg_os_install_template(r->client, &t, r->call) != JAEGER_OK)
        return jg_fail_prefix(&r->call->error, "cannot install the template %s", jg_os_kind_name(s->kind));
    return JAEGER_OK;
}

/** What of read and write alias does not exist yet gets `first`. */
static jaeger_status add_missing_aliases(const run *r, const series *s, const jg_os_index_infos *all)
{
    jg_os_alias_change changes[2];
    size_t count = 0;
    bool has_read = false, has_write = false;
    for (size_t i = 0; i < all->count; i++) {
        has_read |= jg_os_has_alias(&all->items[i], s->read);
        has_write |= jg_os_has_alias(&all->items[i], s->write);
    }
    if (!has_read)
        changes[count++] = (jg_os_alias_change){.index = s->first, .alias = s->read};
    if (!has_write)
        changes[count++] =
            (jg_os_alias_change){.index = s->first, .alias = s->write, .is_write_index = r->o->use_ilm};
    for (size_t i = 0; i < count; i++)
        say("%sadd %.*s to the alias %.*s\n", verb(r, ""), JAEGER_STR_ARGS(s->first),
            JAEGER_STR_ARGS(changes[i].alias));
    return r->o->dry_run ? JAEGER_OK : jg_os_change_aliases(r->client, changes, count, r->call);
}

static jaeger_status init_series(const run *r, const series *s)
{
    bool exists;
    jg_os_index_infos all = {0};
    JG_TRY(install_template(r, s));
    JG_TRY(jg_os_name_exists(r->client, s->first, &exists, r->call));
    if (!exists) {
        say("%screate the index %.*s\n", verb(r, ""), JAEGER_STR_ARGS(s->first));
        if (!r->o->dry_run)
            JG_TRY(jg_os_create_index(r->client, s->first, r->call));
    }
    JG_TRY(jg_os_list_indices(r->client, r->prefix, &all, r->call));
    return add_missing_aliases(r, s, &all);
}

static jaeger_status init(const run *r)
{
    bool exists = true;
    if (r->o->use_ilm)
        JG_TRY(jg_os_policy_exists(r->client, jg_str(r->o->ilm_policy), &exists, r->call));
    if (!exists)
        return jg_fail(&r->call->error, JAEGER_FAILED_PRECONDITION,
                       "ILM/ISM policy %s doesn't exist. Please create it and re-run init", r->o->ilm_policy);
    return for_each_series(r, init_series);
}

static jaeger_status roll_series(const run *r, const series *s)
{
    jg_os_rollover_result result;
    jg_os_index_infos all = {0};
    JG_TRY(jg_os_roll_over(r->client, s->write, jg_str(r->o->conditions), r->o->dry_run, &result, r->call));
    if (result.rolled_over)
        say("%s %.*s to %.*s\n", r->o->dry_run ? "would roll over" : "rolled over",
            JAEGER_STR_ARGS(result.old_index), JAEGER_STR_ARGS(result.new_index));
    else
        say("%.*s stays with %.*s: the conditions are not met\n", JAEGER_STR_ARGS(s->write),
            JAEGER_STR_ARGS(result.old_index));
    if (r->o->dry_run)
        return JAEGER_OK;
    JG_TRY(jg_os_list_indices(r->client, r->prefix, &all, r->call));
    for (size_t i = 0; i < all.count; i++) {
        jg_os_alias_change add = {.index = all.items[i].name, .alias = s->read};
        if (!jg_os_has_alias(&all.items[i], s->write) || jg_os_has_alias(&all.items[i], s->read))
            continue;
        say("add %.*s to the alias %.*s\n", JAEGER_STR_ARGS(add.index), JAEGER_STR_ARGS(s->read));
        JG_TRY(jg_os_change_aliases(r->client, &add, 1, r->call));
    }
    return JAEGER_OK;
}

static jaeger_status roll_over(const run *r)
{
    jg_json_in in = jg_json_in_of(jg_str(r->o->conditions));
    if (*r->o->conditions &&
        !(jg_json_in_peek(&in) == JG_JSON_OBJECT && jg_json_in_skip(&in) && jg_json_in_end(&in)))
        return jg_fail(&r->call->error, JAEGER_INVALID_ARGUMENT,
                       "--conditions: expected a JSON object such as {\"max_age\": \"2d\"}, not '%s'",
                       r->o->conditions);
    return for_each_series(r, roll_series);
}

static jaeger_status look_back_series(const run *r, const series *s)
{
    jg_os_index_infos all = {0};
    uint64_t before =
        jg_os_lookback_ms(jg_clock_unix_ns() / JG_NS_PER_MS, jg_str(r->o->unit), r->o->unit_count);
    size_t count = 0;
    JG_TRY(jg_os_list_indices(r->client, r->prefix, &all, r->call));
    jg_os_alias_change *changes = jaeger_arena_alloc(r->call->arena, (all.count + 1) * sizeof *changes);
    if (!changes)
        return jg_fail_oom(&r->call->error);
    for (size_t i = 0; i < all.count; i++) {
        const jg_os_index_info *index = &all.items[i];
        char created[48];
        if (!jg_os_has_alias(index, s->read) || jg_os_has_alias(index, s->write) ||
            index->created_unix_ms >= before)
            continue;
        put_time(created, index->created_unix_ms);
        say("%sremove %.*s created %s from the alias %.*s\n", verb(r, ""), JAEGER_STR_ARGS(index->name),
            created, JAEGER_STR_ARGS(s->read));
        changes[count++] = (jg_os_alias_change){.index = index->name, .alias = s->read, .remove = true};
    }
    if (!count)
        say("no index is to be removed from the alias %.*s\n", JAEGER_STR_ARGS(s->read));
    return r->o->dry_run ? JAEGER_OK : jg_os_change_aliases(r->client, changes, count, r->call);
}

static jaeger_status look_back(const run *r)
{
    return for_each_series(r, look_back_series);
}

/* ---- esmapping-generator ---- */

static bool read_backend(const char *name, uint64_t code, jg_os_version *ret)
{
    static const struct {
        const char *name;
        uint64_t code;
        jg_os_version version;
    } backends[] = {{"es7", 7, {false, 7}},  {"es8", 8, {false, 8}},  {"es9", 9, {false, 9}},
                    {"os1", 101, {true, 1}}, {"os2", 102, {true, 2}}, {"os3", 103, {true, 3}}};
    for (size_t i = 0; i < JG_COUNT(backends); i++) {
        if (*name ? strcmp(name, backends[i].name) != 0 : code != backends[i].code)
            continue;
        *ret = backends[i].version;
        return true;
    }
    return false;
}

static jaeger_status print_mapping(const run *r)
{
    JG_AUTO_BUF jg_buf out = JG_BUF_INIT(OUTPUT_BYTES_MAX);
    jg_os_template t = {.index_prefix = r->prefix,
                        .shards = (int64_t)r->o->shards,
                        .replicas = (int64_t)r->o->replicas,
                        .use_ilm = r->o->use_ilm,
                        .policy = jg_str(r->o->ilm_policy)};
    int kind = 0;
    while (kind < JG_OS_KINDS && strcmp(r->o->mapping, jg_os_kind_name((jg_os_kind)kind)) != 0)
        kind++;
    if (kind == JG_OS_KINDS)
        return jg_fail(
            &r->call->error, JAEGER_INVALID_ARGUMENT,
            "--mapping: expected jaeger-span, jaeger-service, jaeger-dependencies or jaeger-sampling, "
            "not '%s'",
            r->o->mapping);
    t.kind = (jg_os_kind)kind;
    if (!read_backend(r->o->backend, r->o->es_version, &t.version))
        return jg_fail(
            &r->call->error, JAEGER_INVALID_ARGUMENT,
            "--backend: expected es7, es8, es9, os1, os2 or os3 (--es-version: 7, 8, 9, 101, 102, 103)");
    jg_os_put_template(&out, &t);
    if (!jg_buf_ok(&out))
        return jg_fail_oom(&r->call->error);
    say("%.*s\n", JAEGER_STR_ARGS(jg_buf_view(&out)));
    return JAEGER_OK;
}

static jaeger_status count_graph(const run *r)
{
    return jg_search_graph_run(r->o, r->config, r->call);
}

/* ---- running ---- */

typedef struct tool {
    const char *name, *action, *usage, *doc;
    size_t words; /* that it needs; the last is the address of the cluster */
    bool offline;
    unsigned flags;
    jaeger_status (*run)(const run *r);
} tool;

static const tool tools[] = {
    {"es-index-cleaner", NULL, "NUM_OF_DAYS http://HOST:PORT",
     "Delete Jaeger's indices that were created more than so many days ago.", 2, false, JG_TOOL_CLEANER,
     clean},
    {"es-rollover", "init", "http://HOST:PORT",
     "Install templates, create the first indices and the aliases.", 1, false, JG_TOOL_INIT, init},
    {"es-rollover", "rollover", "http://HOST:PORT", "Write to a new index, if the conditions are met.", 1,
     false, JG_TOOL_ROLLOVER, roll_over},
    {"es-rollover", "lookback", "http://HOST:PORT", "Take old indices out of the read aliases.", 1, false,
     JG_TOOL_LOOKBACK, look_back},
    {"es-dependencies", NULL, "http://HOST:PORT",
     "Count the service graph of the time since the last run, or from --from to --to again.", 1, false,
     JG_TOOL_GRAPH, count_graph},
    {"esmapping-generator", NULL, "--mapping NAME", "Print an index template.", 0, true, JG_TOOL_MAPPING,
     print_mapping},
};

bool jg_search_tools_have(const char *command)
{
    for (size_t i = 0; i < JG_COUNT(tools); i++)
        if (strcmp(command, tools[i].name) == 0)
            return true;
    return false;
}

/** @param error NULL: help was asked for. @return exit code */
static int print_usage(const char *command, const tool *only, const char *error)
{
    FILE *out = error ? stderr : stdout;
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(OUTPUT_BYTES_MAX);
    if (error)
        jg_buf_printf(&text, "%s: %s\n", command, error);
    for (size_t i = 0; i < JG_COUNT(tools); i++) {
        const tool *t = &tools[i];
        if (strcmp(command, t->name) != 0 || (only && only != t))
            continue;
        jg_buf_printf(&text, "usage: %s%s%s %s [FLAGS]\n  %s\n", t->name, t->action ? " " : "",
                      t->action ? t->action : "", t->usage, t->doc);
        if (!error || only)
            jg_tool_put_flags(&text, t->flags);
    }
    (void)fwrite(text.data ? (const char *)text.data : "", 1, text.len, out);
    return error ? 2 : 0;
}

static const tool *find_tool(const char *command, const char *action)
{
    for (size_t i = 0; i < JG_COUNT(tools); i++)
        if (strcmp(command, tools[i].name) == 0 &&
            (!tools[i].action || (action && strcmp(action, tools[i].action) == 0)))
            return &tools[i];
    return NULL;
}

/** With the client that the flags describe. */
static jaeger_status run_tool(const tool *t, const jg_tool_options *o, jaeger_call *call)
{
    static const jaeger_logger quiet;
    jg_os_client_config config;
    jaeger_str url = {0}, prefix = jg_str(o->index_prefix);
    run r = {.o = o, .call = call};
    r.prefix = jg_arena_printf(call->arena, "%.*s%s", JAEGER_STR_ARGS(prefix),
                               !prefix.len || prefix.ptr[prefix.len - 1] == '-' ? "" : "-");
    if (!r.prefix.ptr)
        return jg_fail_oom(&call->error);
    if (t->offline)
        return t->run(&r);
    url = jg_str(o->words[t->words - 1]);
    JG_TRY(jg_tool_client_config(o, &url, &config, &call->error));
    r.config = &config;
    JG_TRY(jg_os_client_new(&config, &quiet, &r.client, &call->error));
    jaeger_status status = t->run(&r);
    jg_os_client_free(r.client);
    return status;
}

static const char *read_environment(const char *name)
{
    return getenv(name);
}

int jg_search_tools_run(int argc, char **argv)
{
    jaeger_call call = JAEGER_CALL_INIT;
    jg_tool_options o;
    const tool *t = find_tool(argv[0], argc > 1 ? argv[1] : NULL);
    if (!t) {
        bool help = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
        return print_usage(argv[0], NULL, help ? NULL : "one of init, rollover, lookback is needed");
    }
    int skip = t->action ? 2 : 1;
    if (jg_tool_parse(&o, t->flags, argc - skip, argv + skip, read_environment, &call.error) != JAEGER_OK)
        return print_usage(argv[0], t, call.error.message);
    if (o.help)
        return print_usage(argv[0], t, NULL);
    if (o.word_count != t->words)
        return print_usage(argv[0], t, "wrong number of arguments");
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(JG_CALL_ARENA_BYTES_MAX);
    call.arena = arena;
    jaeger_status status = arena ? run_tool(t, &o, &call) : jg_fail_oom(&call.error);
    if (status == JAEGER_OK)
        return 0;
    (void)fprintf(stderr, "%s: %s\n", argv[0], call.error.message);
    return 1;
}
