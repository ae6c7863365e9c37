/* SPDX-License-Identifier: Apache-2.0
 * See ui_config.h. JSON is written anew, compact and with sorted keys, so that what stands in the page's
 * script is JSON and nothing else.
 */
#include "query/ui_config.h"

#include "core/alloc.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/json_in.h"
#include "core/json_out.h"
#include "core/limits.h"
#include "core/str.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

jaeger_status jg_ui_read_file(const char *path, jg_buf *out, jaeger_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return jg_fail(err, JAEGER_NOT_FOUND, "open %s: %s", path, strerror(errno));
    jaeger_status status = JAEGER_OK;
    for (;;) {
        if (!jg_buf_reserve(out, 16384)) {
            status = jg_fail(err, JAEGER_RESOURCE_EXHAUSTED, "%s: too large", path);
            break;
        }
        ssize_t n = read(fd, out->data + out->len, out->cap - out->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            status = jg_fail(err, JAEGER_INVALID_ARGUMENT, "read %s: %s", path, strerror(errno));
        if (n <= 0)
            break;
        out->len += (size_t)n;
    }
    (void)close(fd);
    return status;
}

/* ---- JSON anew ---- */

typedef struct entry {
    jaeger_str key;   /* unescaped */
    jaeger_str value; /* as it stands */
} entry;

typedef struct rewriter {
    jaeger_arena *arena;
    jg_json_out *out;
} rewriter;

static bool rewrite(rewriter *r, jg_json_in *in);

static jaeger_str unescaped(rewriter *r, jg_json_text text)
{
    if (!text.escaped)
        return text.raw;
    char *out = jaeger_arena_alloc(r->arena, text.raw.len + 1);
    return out ? (jaeger_str){out, jg_json_in_unescape(text.raw, out)} : (jaeger_str){0};
}

static int entry_order(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    int order = jg_str_cmp(x->key, y->key);
    return order ? order : (x->value.ptr > y->value.ptr) - (x->value.ptr < y->value.ptr);
}

static bool rewrite_object(rewriter *r, jg_json_in *in)
{
    entry *entries = NULL;
    size_t count = 0, cap = 0;
    jg_json_text key;
    if (!jg_json_in_object(in))
        return false;
    while (jg_json_in_key(in, &key)) {
        (void)jg_json_in_peek(in);
        const char *begin = in->pos;
        entry *grown = jg_arena_grow(r->arena, entries, count, &cap, sizeof *grown);
        jaeger_str name = unescaped(r, key);
        if (!grown || !name.ptr || !jg_json_in_skip(in))
            return false;
        entries = grown;
        entries[count++] = (entry){name, {begin, (size_t)(in->pos - begin)}};
    }
    if (in->fault)
        return false;
    if (count)
        qsort(entries, count, sizeof *entries, entry_order);
    jg_json_object(r->out);
    for (size_t i = 0; i < count; i++) {
        if (i + 1 < count && jg_str_eq(entries[i].key, entries[i + 1].key))
            continue; /* the last of equal keys counts */
        jg_json_in value = jg_json_in_of(entries[i].value);
        jg_json_key(r->out, entries[i].key);
        if (!rewrite(r, &value))
            return false;
    }
    jg_json_end(r->out);
    return true;
}

/** Depth: the scanner went over the whole text before, and bounds it. */
static bool rewrite(rewriter *r, jg_json_in *in)
{
    jg_json_text text;
    double number;
    bool flag;
    switch (jg_json_in_peek(in)) {
    case JG_JSON_OBJECT:
        return rewrite_object(r, in);
    case JG_JSON_ARRAY:
        if (!jg_json_in_array(in))
            return false;
        jg_json_array(r->out);
        while (jg_json_in_item(in))
            if (!rewrite(r, in))
                return false;
        jg_json_end(r->out);
        return in->fault == NULL;
    case JG_JSON_STRING:
        if (!jg_json_in_str(in, &text))
            return false;
        jg_json_str(r->out, unescaped(r, text));
        return true;
    case JG_JSON_NUMBER:
        if (!jg_json_in_double(in, false, &number))
            return false;
        jg_json_double(r->out, number, 1);
        return true;
    case JG_JSON_NULL:
        jg_json_null(r->out);
        return jg_json_in_null(in);
    case JG_JSON_TRUE:
    case JG_JSON_FALSE:
        if (!jg_json_in_bool(in, &flag))
            return false;
        jg_json_bool(r->out, flag);
        return true;
    default:
        return false;
    }
}

static jaeger_status config_from_json(const char *path, jaeger_str text, jg_buf *out, jaeger_error *err)
{
    JG_AUTO_ARENA jaeger_arena *arena = jaeger_arena_new(JG_UI_CONFIG_BYTES_MAX * 16);
    jg_json_out json = {.buf = out, .html = true};
    rewriter r = {arena, &json};
    jg_json_in check = jg_json_in_of(text), in = check;
    if (!arena)
        return jg_fail_oom(err);
    bool ok = jg_json_in_peek(&check) == JG_JSON_OBJECT && jg_json_in_skip(&check) && jg_json_in_end(&check);
    if (ok && rewrite(&r, &in) && jg_buf_ok(out))
        return JAEGER_OK;
    return jg_fail(err, JAEGER_INVALID_ARGUMENT, "cannot parse UI config file %s: %s at offset %zu", path,
                   check.fault ? check.fault : "not a JSON object", jg_json_in_offset(&check));
}

/* ---- scripts ---- */

static size_t skip_space(jaeger_str s, size_t at)
{
    while (at < s.len && (s.ptr[at] == ' ' || (s.ptr[at] >= '\t' && s.ptr[at] <= '\r')))
        at++;
    return at;
}

static bool literal_at(jaeger_str s, size_t at, const char *literal)
{
    return jg_str_starts(jg_str_skip(s, at), jg_str(literal));
}

/** function UIConfig() { */
static bool defines_config(jaeger_str script)
{
    for (size_t at = 0; at < script.len; at++) {
        if (!literal_at(script, at, "function"))
            continue;
        size_t next = at + strlen("function"), name = skip_space(script, next);
        if (name == next || !literal_at(script, name, "UIConfig"))
            continue;
        next = skip_space(script, name + strlen("UIConfig"));
        if (!literal_at(script, next, "("))
            continue;
        next = skip_space(script, next + 1);
        if (literal_at(script, next, ")") && literal_at(script, skip_space(script, next + 1), "{"))
            return true;
    }
    return false;
}

static bool ends_with(const char *path, const char *ending)
{
    size_t n = strlen(path), m = strlen(ending);
    return n >= m && jg_str_eq_nocase((jaeger_str){path + n - m, m}, jg_str(ending));
}

jaeger_status jg_ui_config_read(const char *path, jg_ui_config *ret, jaeger_error *err)
{
    JG_AUTO_BUF jg_buf file = JG_BUF_INIT(JG_UI_CONFIG_BYTES_MAX);
    JG_AUTO_BUF jg_buf out = JG_BUF_INIT(6 * JG_UI_CONFIG_BYTES_MAX); /* an escape is six characters */
    bool is_script = ends_with(path, ".js");
    if (!is_script && !ends_with(path, ".json"))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT,
                       "unrecognized UI config file format, expecting .js or .json file: %s", path);
    if (jg_ui_read_file(path, &file, err) != JAEGER_OK) {
        (void)jg_fail_prefix(err, "cannot read UI config file %s", path);
        return JAEGER_INVALID_ARGUMENT;
    }
    jaeger_str text = jg_str_trim(jg_buf_view(&file));
    if (is_script && !defines_config(text))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "UI config file must define function UIConfig(): %s",
                       path);
    if (is_script)
        jg_buf_str(&out, text);
    else
        JG_TRY(config_from_json(path, text, &out, err));
    ret->is_script = is_script;
    ret->text = (char *)jg_buf_take(&out, &ret->len);
    return ret->text ? JAEGER_OK : jg_fail_oom(err);
}

/* ---- the page ---- */

/** Length of `<name> = <fallback>;` at `at`; 0: something else is there. */
static size_t assignment_at(jaeger_str page, size_t at, const char *name, const char *fallback)
{
    size_t next = at + strlen(name);
    if (!literal_at(page, at, name))
        return 0;
    while (next < page.len && page.ptr[next] == ' ')
        next++;
    if (!literal_at(page, next, "="))
        return 0;
    next++;
    while (next < page.len && page.ptr[next] == ' ')
        next++;
    return literal_at(page, next, fallback) ? next + strlen(fallback) - at : 0;
}

/** Length of a line "// JAEGER_CONFIG_JS…" with the line after it; 0: not at the begin of such a line. */
static size_t script_place_at(jaeger_str page, size_t at)
{
    if (at && page.ptr[at - 1] != '\n')
        return 0;
    size_t next = skip_space(page, at);
    if (!literal_at(page, next, "//") || !literal_at(page, skip_space(page, next + 2), "JAEGER_CONFIG_JS"))
        return 0;
    next += jg_str_find(jg_str_skip(page, next), '\n');
    if (next < page.len)
        next += 1 + jg_str_find(jg_str_skip(page, next + 1), '\n');
    return next - at;
}

static void put_assignment(jg_buf *out, const char *name, jaeger_str value)
{
    jg_buf_printf(out, "%s = ", name);
    jg_buf_str(out, value);
    jg_buf_byte(out, ';');
}

void jg_ui_fill_page(jg_buf *out, jaeger_str page, const jg_ui_config *config, jaeger_str capabilities)
{
    const struct {
        const char *name, *fallback;
        jaeger_str value;
    } places[] = {
        {"JAEGER_CONFIG", "DEFAULT_CONFIG;",
         config->text && !config->is_script ? (jaeger_str){config->text, config->len} : (jaeger_str){0}},
        {"JAEGER_VERSION", "DEFAULT_VERSION;",
         JAEGER_STR("{\"gitCommit\":\"\",\"gitVersion\":\"\",\"buildDate\":\"\"}")},
        {"JAEGER_BACKEND_CAPABILITIES", "DEFAULT_BACKEND_CAPABILITIES;", capabilities},
        {"JAEGER_STORAGE_CAPABILITIES", "DEFAULT_STORAGE_CAPABILITIES;", capabilities},
    };
    size_t from = 0;
    for (size_t at = 0; at < page.len;) {
        size_t len = 0;
        if (config->is_script && config->text && (at == 0 || page.ptr[at - 1] == '\n'))
            len = script_place_at(page, at);
        if (len) {
            jg_buf_append(out, page.ptr + from, at - from);
            jg_buf_append(out, config->text, config->len);
            from = at += len;
            continue;
        }
        for (size_t i = 0; i < JG_COUNT(places) && len == 0 && page.ptr[at] == 'J'; i++) {
            len = places[i].value.ptr ? assignment_at(page, at, places[i].name, places[i].fallback) : 0;
            if (len) {
                jg_buf_append(out, page.ptr + from, at - from);
                put_assignment(out, places[i].name, places[i].value);
                from = at + len;
            }
        }
        at += len ? len : 1;
    }
    jg_buf_append(out, page.ptr + from, page.len - from);
}
