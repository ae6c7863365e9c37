/* SPDX-License-Identifier: Apache-2.0
 * See index.h.
 */
#include "storage/opensearch/index.h"

#include "core/clock.h"
#include "core/err.h"
#include "core/str.h"
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#define PERIODS_MAX    400u  /* named one by one; more become a pattern */
#define PATH_BYTES_MAX 3000u /* the clusters take request lines of 4096 */
#define DAY_NS         (24 * 3600 * JG_NS_PER_S)
#define HOUR_NS        (3600 * JG_NS_PER_S)

static const char *const names[JG_OS_KINDS] = {"jaeger-span", "jaeger-service", "jaeger-dependencies",
                                               "jaeger-sampling"};
static const char *const keys[JG_OS_KINDS] = {"spans", "services", "dependencies", "sampling"};

const char *jg_os_kind_name(jg_os_kind kind)
{
    return names[kind];
}

void jg_os_put_prefix(jg_buf *out, jaeger_str index_prefix)
{
    jg_buf_str(out, index_prefix);
    if (index_prefix.len && index_prefix.ptr[index_prefix.len - 1] != '-')
        jg_buf_byte(out, '-');
}

void jg_os_put_date(jg_buf *out, jaeger_str layout, uint64_t unix_ns)
{
    time_t seconds = (time_t)(unix_ns / JG_NS_PER_S);
    struct tm t = {0};
    (void)gmtime_r(&seconds, &t);
    const struct {
        jaeger_str text;
        int value, width;
    } parts[] = {{JAEGER_STR("2006"), t.tm_year + 1900, 4}, {JAEGER_STR("06"), t.tm_year % 100, 2},
                 {JAEGER_STR("01"), t.tm_mon + 1, 2},       {JAEGER_STR("02"), t.tm_mday, 2},
                 {JAEGER_STR("15"), t.tm_hour, 2},          {JAEGER_STR("04"), t.tm_min, 2}};
    while (layout.len) {
        size_t k = 0;
        while (k < JG_COUNT(parts) && !jg_str_starts(layout, parts[k].text))
            k++;
        if (k == JG_COUNT(parts)) {
            jg_buf_byte(out, (uint8_t)layout.ptr[0]);
            layout = jg_str_skip(layout, 1);
        } else {
            jg_buf_printf(out, "%0*d", parts[k].width, parts[k].value);
            layout = jg_str_skip(layout, parts[k].text.len);
        }
    }
}

/* ---- settling ---- */

/** What the clusters refuse in names, and what would split our lists. */
static bool is_name(jaeger_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        if (c <= ' ' || c >= 0x7f || strchr("\\/*?\"<>|,#:%&+", c) || (c >= 'A' && c <= 'Z'))
            return false;
    }
    return true;
}

static jaeger_status set_name(char out[JG_OS_NAME_BYTES_MAX + 1], const jg_os_indices_config *config,
                              jg_os_kind kind, jaeger_str own, const char *suffix, jaeger_error *err)
{
    JG_AUTO_BUF jg_buf name = JG_BUF_INIT(4096);
    if (own.len) {
        jg_buf_str(&name, own);
    } else {
        jg_os_put_prefix(&name, config->index_prefix);
        jg_buf_printf(&name, "%s%s", names[kind], suffix);
    }
    jaeger_str text = jg_buf_view(&name);
    if (!jg_buf_ok(&name) || text.len > JG_OS_NAME_BYTES_MAX - 40 || !is_name(text))
        return jg_fail(
            err, JAEGER_INVALID_ARGUMENT,
            "indices: '%.*s' cannot be the name of an index (lower case, at most %u bytes, none of "
            "\\/*?\"<>|,#:%%&+ and space)",
            JAEGER_STR_ARGS(text), JG_OS_NAME_BYTES_MAX - 40);
    memcpy(out, text.ptr, text.len);
    out[text.len] = 0;
    return JAEGER_OK;
}

static jaeger_status check_choice(const jg_os_index_config *c, jg_os_kind kind, jaeger_error *err)
{
    int chosen = c->rotation.periodic.enabled + c->rotation.manual_rollover.enabled +
                 c->rotation.auto_rollover.enabled;
    if (c->rotation.data_stream)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "indices.%s.rotation: data_stream is not yet implemented", keys[kind]);
    if (chosen > 1)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "indices.%s.rotation: only one of periodic, manual_rollover, auto_rollover may be set",
                       keys[kind]);
    if (chosen && (c->date_layout.len || c->rollover_frequency.len))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "indices.%s: rotation cannot be set beside date_layout and rollover_frequency",
                       keys[kind]);
    if (c->rollover_frequency.len && !jg_str_is(c->rollover_frequency, "day") &&
        !jg_str_is(c->rollover_frequency, "hour"))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "indices.%s.rollover_frequency: expected day or hour, not '%.*s'", keys[kind],
                       JAEGER_STR_ARGS(c->rollover_frequency));
    if (c->shards < 1 || c->replicas < 0 || c->priority < 0)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "indices.%s: shards must be at least 1, replicas and priority not negative",
                       keys[kind]);
    return JAEGER_OK;
}

static jaeger_status set_layout(jg_os_index *ret, const jg_os_index_config *c, jg_os_kind kind,
                                jaeger_error *err)
{
    bool hourly = c->rotation.periodic.enabled ? c->rotation.periodic.rollover_frequency == 1
                                               : jg_str_is(c->rollover_frequency, "hour");
    ret->layout = c->rotation.periodic.enabled ? c->rotation.periodic.date_layout : c->date_layout;
    if (!ret->layout.len)
        ret->layout = JAEGER_STR("2006-01-02");
    if (ret->layout.len > 40 || !is_name(ret->layout))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "indices.%s: date_layout '%.*s' cannot be part of a name", keys[kind],
                       JAEGER_STR_ARGS(ret->layout));
    ret->period_ns = hourly ? HOUR_NS : DAY_NS;
    return JAEGER_OK;
}

jaeger_status jg_os_index_init(jg_os_index *ret, const jg_os_indices_config *config, jg_os_kind kind,
                               jaeger_error *err)
{
    const jg_os_index_config *c = &config->kinds[kind];
    const jg_os_alias_config *alias =
        c->rotation.auto_rollover.enabled ? &c->rotation.auto_rollover : &c->rotation.manual_rollover;
    *ret = (jg_os_index){.by_alias = alias->enabled};
    JG_TRY(check_choice(c, kind, err));
    JG_TRY(set_name(ret->base, config, kind, (jaeger_str){0}, "", err));
    JG_TRY(set_name(ret->read_alias, config, kind, alias->read_alias, "-read", err));
    JG_TRY(set_name(ret->write_alias, config, kind, alias->write_alias, "-write", err));
    return set_layout(ret, c, kind, err);
}

/* ---- names ---- */

void jg_os_put_write_index(jg_buf *out, const jg_os_index *index, uint64_t unix_ns)
{
    if (index->by_alias) {
        jg_buf_str(out, jg_str(index->write_alias));
        return;
    }
    jg_buf_str(out, jg_str(index->base));
    jg_buf_byte(out, '-');
    jg_os_put_date(out, index->layout, unix_ns);
}

void jg_os_put_all(jg_buf *out, const jg_os_index *index)
{
    jg_buf_str(out, jg_str(index->base));
    jg_buf_str(out, jg_str_starts(index->layout, JAEGER_STR("2006")) ? JAEGER_STR("-2*") : JAEGER_STR("-*"));
}

typedef struct name_list {
    jg_buf *out;
    const jaeger_str_list *remotes;
    jg_os_list_style style;
    size_t count;
} name_list;

static void add_one(name_list *list, jaeger_str cluster, jaeger_str name)
{
    if (list->count++)
        jg_buf_byte(list->out, ',');
    if (list->style == JG_OS_LIST_JSON)
        jg_buf_byte(list->out, '"');
    jg_buf_str(list->out, cluster);
    if (cluster.len)
        jg_buf_byte(list->out, ':');
    jg_buf_str(list->out, name);
    if (list->style == JG_OS_LIST_JSON)
        jg_buf_byte(list->out, '"');
}

static void add_name(name_list *list, jaeger_str name)
{
    add_one(list, (jaeger_str){0}, name);
    for (size_t i = 0; list->remotes && i < list->remotes->count; i++)
        add_one(list, list->remotes->items[i], name);
}

/** From the end back to the start; the start's own index comes last. */
static void add_periods(name_list *list, const jg_os_index *index, uint64_t start, uint64_t end)
{
    JG_AUTO_BUF jg_buf name = JG_BUF_INIT(1024), last = JG_BUF_INIT(1024), first = JG_BUF_INIT(1024);
    jg_os_put_write_index(&first, index, start);
    for (uint64_t at = end; at > start; at = at > index->period_ns ? at - index->period_ns : 0) {
        jg_buf_clear(&name);
        jg_os_put_write_index(&name, index, at);
        if (jg_str_eq(jg_buf_view(&name), jg_buf_view(&first)))
            break;
        if (!jg_str_eq(jg_buf_view(&name), jg_buf_view(&last)))
            add_name(list, jg_buf_view(&name));
        jg_buf_clear(&last);
        jg_buf_str(&last, jg_buf_view(&name));
    }
    add_name(list, jg_buf_view(&first));
    list->out->failed |= name.failed || last.failed || first.failed;
}

static void add_pattern(name_list *list, const jg_os_index *index)
{
    JG_AUTO_BUF jg_buf name = JG_BUF_INIT(1024);
    jg_os_put_all(&name, index);
    add_name(list, jg_buf_view(&name));
}

void jg_os_put_read_indices(jg_buf *out, const jg_os_index *index, uint64_t start_unix_ns,
                            uint64_t end_unix_ns, const jaeger_str_list *remotes, jg_os_list_style style)
{
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(1u << 20);
    name_list list = {&text, remotes, style, 0};
    if (end_unix_ns == UINT64_MAX) /* clocks of clients are not ours */
        end_unix_ns = jg_clock_unix_ns() + DAY_NS;
    bool is_long =
        end_unix_ns > start_unix_ns && (end_unix_ns - start_unix_ns) / index->period_ns > PERIODS_MAX;
    if (index->by_alias)
        add_name(&list, jg_str(index->read_alias));
    else if (!is_long)
        add_periods(&list, index, start_unix_ns, end_unix_ns);
    if (!list.count || (style == JG_OS_LIST_PATH && text.len > PATH_BYTES_MAX)) {
        jg_buf_clear(&text);
        list.count = 0;
        add_pattern(&list, index);
    }
    out->failed |= text.failed;
    if (style == JG_OS_LIST_JSON && list.count > 1)
        jg_buf_byte(out, '[');
    jg_buf_str(out, jg_buf_view(&text));
    if (style == JG_OS_LIST_JSON && list.count > 1)
        jg_buf_byte(out, ']');
}

/* ---- keys ---- */

#define FIELD(type, member, key, field_kind, ...)                                                            \
    {                                                                                                        \
        .name = (key), .kind = (field_kind), .offset = offsetof(type, member), __VA_ARGS__                   \
    }

static const jaeger_field periodic_fields[] = {
    FIELD(jg_os_periodic_config, date_layout, "date_layout", JAEGER_FIELD_STR, .fallback = "2006-01-02",
          .doc = "how dates are written in names, as Go's reference time"),
    FIELD(jg_os_periodic_config, rollover_frequency, "rollover_frequency", JAEGER_FIELD_ENUM,
          .fallback = "day", .choices = "day|hour", .doc = "how often a new index begins"),
    {.kind = JAEGER_FIELD_END},
};

#define ALIAS_FIELDS                                                                                         \
    FIELD(jg_os_alias_config, read_alias, "read_alias", JAEGER_FIELD_STR,                                    \
          .doc = "default: the name of the kind with -read"),                                                \
        FIELD(jg_os_alias_config, write_alias, "write_alias", JAEGER_FIELD_STR,                              \
              .doc = "default: the name of the kind with -write")

static const jaeger_field manual_fields[] = {ALIAS_FIELDS, {.kind = JAEGER_FIELD_END}};
static const jaeger_field auto_fields[] = {
    ALIAS_FIELDS,
    FIELD(jg_os_alias_config, policy_name, "policy_name", JAEGER_FIELD_STR, .fallback = "jaeger-ilm-policy",
          .doc = "the life cycle policy named in templates"),
    {.kind = JAEGER_FIELD_END},
};

typedef __typeof__(((jg_os_index_config *)0)->rotation) rotation_config;

static const jaeger_field rotation_fields[] = {
    FIELD(rotation_config, periodic, "periodic", JAEGER_FIELD_OPTIONAL_D, .sub = periodic_fields,
          .sub_size = sizeof(jg_os_periodic_config), .doc = "an index a day or hour; this is the default"),
    FIELD(rotation_config, manual_rollover, "manual_rollover", JAEGER_FIELD_OPTIONAL_D, .sub = manual_fields,
          .sub_size = sizeof(jg_os_alias_config),
          .doc = "read and write through aliases that es-rollover keeps"),
    FIELD(rotation_config, auto_rollover, "auto_rollover", JAEGER_FIELD_OPTIONAL_D, .sub = auto_fields,
          .sub_size = sizeof(jg_os_alias_config), .doc = "the same, but a policy of the cluster rolls over"),
    FIELD(rotation_config, data_stream, "data_stream", JAEGER_FIELD_NODE, .doc = "refused, as Jaeger does"),
    {.kind = JAEGER_FIELD_END},
};

static const jaeger_field index_fields[] = {
    FIELD(jg_os_index_config, shards, "shards", JAEGER_FIELD_I64, .fallback = "5", .doc = "of a new index"),
    FIELD(jg_os_index_config, replicas, "replicas", JAEGER_FIELD_I64, .fallback = "1",
          .doc = "of a new index"),
    FIELD(jg_os_index_config, priority, "priority", JAEGER_FIELD_I64, .fallback = "0",
          .doc = "of the template, Elasticsearch 8 and 9"),
    FIELD(jg_os_index_config, rotation, "rotation", JAEGER_FIELD_BLOCK, .sub = rotation_fields,
          .sub_size = sizeof(rotation_config), .doc = "when a new index begins; at most one of these"),
    FIELD(jg_os_index_config, date_layout, "date_layout", JAEGER_FIELD_STR,
          .doc = "the older name of rotation.periodic.date_layout"),
    FIELD(jg_os_index_config, rollover_frequency, "rollover_frequency", JAEGER_FIELD_STR,
          .doc = "the older name of rotation.periodic.rollover_frequency"),
    {.kind = JAEGER_FIELD_END},
};

#define KIND(index, key, text)                                                                               \
    FIELD(jg_os_indices_config, kinds[index], key, JAEGER_FIELD_BLOCK, .sub = index_fields,                  \
          .sub_size = sizeof(jg_os_index_config), .doc = text)

const jaeger_field jg_os_indices_fields[] = {
    FIELD(jg_os_indices_config, index_prefix, "index_prefix", JAEGER_FIELD_STR,
          .doc = "before all names; \"-\" is put behind it"),
    KIND(JG_OS_SPANS, "spans", "indices of spans"),
    KIND(JG_OS_SERVICES, "services", "indices of services and operations"),
    KIND(JG_OS_DEPENDENCIES, "dependencies", "indices of dependencies"),
    KIND(JG_OS_SAMPLING, "sampling", "indices of adaptive sampling"),
    {.kind = JAEGER_FIELD_END},
};
