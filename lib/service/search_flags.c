/* SPDX-License-Identifier: Apache-2.0
 * See search_flags.h.
 */
#include "service/search_flags.h"

#include "core/clock.h"
#include "core/err.h"
#include "core/str.h"
#include <stddef.h>
#include <stdio.h>

typedef enum flag_kind { TEXT, NUMBER, SWITCH } flag_kind;

typedef struct flag {
    const char *name, *fallback, *doc;
    flag_kind kind;
    unsigned tools;
    size_t offset;
} flag;

enum {
    ROLLOVER_TOOLS = JG_TOOL_INIT | JG_TOOL_ROLLOVER | JG_TOOL_LOOKBACK,
    CLUSTER_TOOLS = JG_TOOL_CLEANER | ROLLOVER_TOOLS | JG_TOOL_GRAPH,
    ALL_TOOLS = CLUSTER_TOOLS | JG_TOOL_MAPPING
};

#define AT(member) offsetof(jg_tool_options, member)
#define PRIORITY(index, kind)                                                                                \
    {                                                                                                        \
        "priority-" kind "-template", "0", "priority of the template (Elasticsearch 8 and 9)", NUMBER,       \
            JG_TOOL_INIT, AT(priority[index])                                                                \
    }

static const flag flags[] = {
    {"index-prefix", "", "before the names of indices", TEXT, ALL_TOOLS, AT(index_prefix)},
    {"dry-run", "false", "say what would be done, change nothing (ours)", SWITCH, CLUSTER_TOOLS, AT(dry_run)},
    {"archive", "false", "the archive's indices; they are rolled over", SWITCH,
     JG_TOOL_CLEANER | ROLLOVER_TOOLS, AT(archive)},
    {"rollover", "false", "delete indices that rollover made", SWITCH, JG_TOOL_CLEANER, AT(rollover)},
    {"index-date-separator", "-", "between year, month and day", TEXT, JG_TOOL_CLEANER, AT(separator)},
    {"feature-gates", "", "-jaeger.es.index.relativeTimeIndexDeletion: count from the next midnight, UTC",
     TEXT, JG_TOOL_CLEANER, AT(gates)},
    {"es.use-ilm", "false", "a life cycle policy rolls over", SWITCH, ROLLOVER_TOOLS, AT(use_ilm)},
    {"es.ilm-policy-name", "jaeger-ilm-policy", "its name", TEXT, ROLLOVER_TOOLS, AT(ilm_policy)},
    {"skip-dependencies", "false", "leave the indices of dependencies alone", SWITCH, ROLLOVER_TOOLS,
     AT(skip_dependencies)},
    {"adaptive-sampling", "false", "those of sampling, too", SWITCH, ROLLOVER_TOOLS, AT(adaptive_sampling)},
    {"shards", "5", "of a new index", NUMBER, JG_TOOL_INIT | JG_TOOL_MAPPING, AT(shards)},
    {"replicas", "1", "of a new index", NUMBER, JG_TOOL_INIT | JG_TOOL_MAPPING, AT(replicas)},
    PRIORITY(0, "span"),
    PRIORITY(1, "service"),
    PRIORITY(2, "dependencies"),
    PRIORITY(3, "sampling"),
    {"conditions", "{\"max_age\": \"2d\"}", "when to roll over; empty: now", TEXT, JG_TOOL_ROLLOVER,
     AT(conditions)},
    {"unit", "days", "minutes, hours, days, weeks, months, years; else seconds", TEXT, JG_TOOL_LOOKBACK,
     AT(unit)},
    {"unit-count", "1", "indices older than so many are not read any more", NUMBER, JG_TOOL_LOOKBACK,
     AT(unit_count)},
    {"mapping", "", "jaeger-span, jaeger-service, jaeger-dependencies or jaeger-sampling", TEXT,
     JG_TOOL_MAPPING, AT(mapping)},
    {"backend", "", "es7, es8, es9, os1, os2 or os3; wins over --es-version", TEXT, JG_TOOL_MAPPING,
     AT(backend)},
    {"es-version", "7", "7, 8, 9; 101, 102, 103: OpenSearch 1 to 3", NUMBER, JG_TOOL_MAPPING, AT(es_version)},
    {"use-ilm", "false", "a life cycle policy rolls over", SWITCH, JG_TOOL_MAPPING, AT(use_ilm)},
    {"ilm-policy-name", "jaeger-ilm-policy", "its name", TEXT, JG_TOOL_MAPPING, AT(ilm_policy)},
    {"from", "", "count from this date or time again", TEXT, JG_TOOL_GRAPH, AT(from)},
    {"to", "", "up to this one; default: now", TEXT, JG_TOOL_GRAPH, AT(to)},
    {"interval", "15m", "time of one document; as dependencies_job.interval", TEXT, JG_TOOL_GRAPH,
     AT(interval)},
    {"delay", "10m", "how long spans may take to arrive", TEXT, JG_TOOL_GRAPH, AT(delay)},
    {"lookback", "24h", "how far back the first run of all begins", TEXT, JG_TOOL_GRAPH, AT(lookback)},
    {"peer-service", "true", "a span without children calls what its tag peer.service names", SWITCH,
     JG_TOOL_GRAPH, AT(peer_service)},
    {"use-aliases", "false", "read and write through the aliases of es-rollover", SWITCH, JG_TOOL_GRAPH,
     AT(use_aliases)},
    {"dot-replacement", "@", "as tags_as_fields.dot_replacement", TEXT, JG_TOOL_GRAPH, AT(dot)},
    {"timeout", "120", "of a request, and for the cluster's manager [s]", NUMBER, CLUSTER_TOOLS,
     AT(timeout_s)},
    {"es.username", "", "basic authentication", TEXT, CLUSTER_TOOLS, AT(username)},
    {"es.password", "", "basic authentication", TEXT, CLUSTER_TOOLS, AT(password)},
    {"es.token-file", "", "file with a bearer token", TEXT, CLUSTER_TOOLS, AT(token_file)},
    {"es.api-key-file", "", "file with an API key", TEXT, CLUSTER_TOOLS, AT(api_key_file)},
    {"es.tls.enabled", "false", "allow the other es.tls flags", SWITCH, CLUSTER_TOOLS, AT(tls)},
    {"es.tls.ca", "", "file with the authorities to trust", TEXT, CLUSTER_TOOLS, AT(tls_ca)},
    {"es.tls.cert", "", "file with our certificate", TEXT, CLUSTER_TOOLS, AT(tls_cert)},
    {"es.tls.key", "", "file with its key", TEXT, CLUSTER_TOOLS, AT(tls_key)},
    {"es.tls.server-name", "", "name in the server's certificate", TEXT, CLUSTER_TOOLS, AT(tls_server_name)},
    {"es.tls.skip-host-verify", "false", "trust any server", SWITCH, CLUSTER_TOOLS, AT(tls_skip_host_verify)},
};

/* ---- values ---- */

static jaeger_status set(jg_tool_options *o, const flag *f, const char *value, jaeger_error *err)
{
    void *at = (char *)o + f->offset;
    jaeger_str text = jg_str(value);
    if (f->kind == TEXT) {
        memcpy(at, &value, sizeof value);
    } else if (f->kind == NUMBER) {
        if (!jg_str_to_u64(text, at))
            return jg_fail(err, JAEGER_INVALID_ARGUMENT, "--%s: expected a number from 0, not '%s'", f->name,
                           value);
    } else {
        bool on = jg_str_eq_nocase(text, JAEGER_STR("true")) || jg_str_is(text, "1") || jg_str_is(text, "t");
        if (!on && !jg_str_eq_nocase(text, JAEGER_STR("false")) && !jg_str_is(text, "0") &&
            !jg_str_is(text, "f"))
            return jg_fail(err, JAEGER_INVALID_ARGUMENT, "--%s: expected true or false, not '%s'", f->name,
                           value);
        memcpy(at, &on, sizeof on);
    }
    return JAEGER_OK;
}

/** es.token-file: ES_TOKEN_FILE */
static const char *from_environment(const flag *f, const char *(*getenv)(const char *name))
{
    char name[64];
    size_t n = 0;
    for (; f->name[n] && n + 1 < sizeof name; n++) {
        char c = f->name[n];
        name[n] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c == '-' || c == '.' ? '_' : c;
    }
    name[n] = 0;
    const char *value = getenv ? getenv(name) : NULL;
    return value && *value ? value : NULL;
}

static const flag *flag_named(jaeger_str name, unsigned tool)
{
    for (size_t i = 0; i < JG_COUNT(flags); i++)
        if (flags[i].tools & tool && jg_str_is(name, flags[i].name))
            return &flags[i];
    return NULL;
}

/** @param at the flag's word; moved on if its value is the next one */
static jaeger_status parse_flag(jg_tool_options *o, unsigned tool, int argc, char **argv, int *at,
                                jaeger_error *err)
{
    const char *text = argv[*at] + (argv[*at][1] == '-' ? 2 : 1), *equals = strchr(text, '=');
    jaeger_str name = {text, equals ? (size_t)(equals - text) : strlen(text)};
    if (jg_str_is(name, "help") || jg_str_is(name, "h")) {
        o->help = true;
        return JAEGER_OK;
    }
    const flag *f = flag_named(name, tool);
    if (!f)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "unknown flag: --%.*s", JAEGER_STR_ARGS(name));
    if (equals)
        return set(o, f, equals + 1, err);
    if (f->kind == SWITCH)
        return set(o, f, "true", err);
    if (*at + 1 >= argc)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "flag needs an argument: --%s", f->name);
    return set(o, f, argv[++*at], err);
}

jaeger_status jg_tool_parse(jg_tool_options *ret, unsigned tool, int argc, char **argv,
                            const char *(*getenv)(const char *name), jaeger_error *err)
{
    jg_tool_options o = {0};
    for (size_t i = 0; i < JG_COUNT(flags); i++) {
        if (!(flags[i].tools & tool))
            continue;
        const char *value = from_environment(&flags[i], getenv);
        JG_TRY(set(&o, &flags[i], value ? value : flags[i].fallback, err));
    }
    for (int i = 0; i < argc; i++) {
        if (argv[i][0] == '-' && argv[i][1])
            JG_TRY(parse_flag(&o, tool, argc, argv, &i, err));
        else if (o.word_count < JG_TOOL_WORDS_MAX)
            o.words[o.word_count++] = argv[i];
        else
            return jg_fail(err, JAEGER_INVALID_ARGUMENT, "unexpected argument '%s'", argv[i]);
    }
    *ret = o;
    return JAEGER_OK;
}

void jg_tool_put_flags(jg_buf *out, unsigned tool)
{
    for (size_t i = 0; i < JG_COUNT(flags); i++) {
        const flag *f = &flags[i];
        if (!(f->tools & tool))
            continue;
        jg_buf_printf(out, "  --%-24s %s", f->name, f->doc);
        if (f->kind != SWITCH && *f->fallback)
            jg_buf_printf(out, " [%s]", f->fallback);
        jg_buf_byte(out, '\n');
    }
}

/* ---- the cluster ---- */

static jaeger_status check_auth(const jg_tool_options *o, jaeger_error *err)
{
    int methods = (*o->username && *o->password) + (*o->token_file != 0) + (*o->api_key_file != 0);
    if (methods > 1)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "only one of basic auth (--es.username/--es.password), --es.token-file, or "
                       "--es.api-key-file may be configured");
    bool tls = *o->tls_ca || *o->tls_cert || *o->tls_key || *o->tls_server_name || o->tls_skip_host_verify;
    if (tls && !o->tls)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "es.tls.* options cannot be used when es.tls.enabled is false");
    return JAEGER_OK;
}

jaeger_status jg_tool_client_config(const jg_tool_options *o, jaeger_str *url, jg_os_client_config *ret,
                                    jaeger_error *err)
{
    JG_TRY(check_auth(o, err));
    *ret = (jg_os_client_config){
        .server_urls = {url, 1},
        .query_timeout_ns = JG_MIN(o->timeout_s, 86400u) * JG_NS_PER_S,
        .http_compression = true,
        .tls = {.enabled = o->tls,
                .insecure_skip_verify = o->tls_skip_host_verify,
                .ca_file = jg_str(o->tls_ca),
                .cert_file = jg_str(o->tls_cert),
                .key_file = jg_str(o->tls_key),
                .server_name_override = jg_str(o->tls_server_name)},
        .auth = {.basic = {.enabled = *o->username && *o->password,
                           .username = jg_str(o->username),
                           .password = jg_str(o->password)},
                 .bearer_token = {.enabled = *o->token_file != 0, .file_path = jg_str(o->token_file)},
                 .api_key = {.enabled = *o->api_key_file != 0, .file_path = jg_str(o->api_key_file)}}};
    return JAEGER_OK;
}
