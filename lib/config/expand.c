/* SPDX-License-Identifier: Apache-2.0
 * Innermost first, again and again until nothing changes. A value that is one whole ${...} becomes what YAML
 * reads in its text, and keeps that text for string targets; inside a longer value the text itself is put in.
 * Spec: opentelemetry-collector confmap/README.md, "Configuration resolving"; docs/rfcs/env-vars.md.
 */
#include "config/expand.h"

#include "config/source.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"

typedef struct expander {
    jg_tree *tree;
    const jg_config_sources *sources;
    jaeger_error *err;
} expander;

/* ---- finding ---- */

static size_t dollars_before(jaeger_str text, size_t at)
{
    size_t n = 0;
    while (n < at && text.ptr[at - 1 - n] == '$')
        n++;
    return n;
}

/* The first innermost "${...}". An odd run of "$" before it escapes it, and with it the rest of the value. */
static bool find_reference(jaeger_str text, jaeger_str *ret)
{
    size_t open = SIZE_MAX;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '$' && i + 1 < text.len && text.ptr[i + 1] == '{') {
            open = i;
        } else if (text.ptr[i] == '}' && open != SIZE_MAX) {
            if (dollars_before(text, open) % 2 == 1)
                return false;
            *ret = (jaeger_str){text.ptr + open, i + 1 - open};
            return true;
        }
    }
    return false;
}

/* ---- one reference ---- */

static jaeger_status read_reference(expander *x, jaeger_str reference, jg_buf *out)
{
    jaeger_str uri = {reference.ptr + 2, reference.len - 3}, scheme = JAEGER_STR("env"), opaque = uri;
    bool has_scheme = jg_str_find(uri, ':') < uri.len;
    if (has_scheme && !jg_source_split(uri, &scheme, &opaque))
        return jg_fail(x->err, JAEGER_INVALID_ARGUMENT, "invalid uri: \"%.*s\"", JAEGER_STR_ARGS(uri));
    if (jg_str_find(opaque, '$') < opaque.len)
        return jg_fail(x->err, JAEGER_INVALID_ARGUMENT,
                       "the uri \"%.*s\" contains unsupported characters ('$')", JAEGER_STR_ARGS(uri));
    return jg_source_read(x->sources, scheme, opaque, out, x->err);
}

/* Put `with` in the place of every `what`. */
static jaeger_status replace_all(expander *x, jaeger_str text, jaeger_str what, jaeger_str with,
                                 jaeger_str *ret)
{
    JG_AUTO_BUF jg_buf out = JG_BUF_INIT(JG_CONFIG_VALUE_BYTES_MAX);
    for (const char *at; text.len && (at = memmem(text.ptr, text.len, what.ptr, what.len));) {
        size_t before = (size_t)(at - text.ptr);
        jg_buf_append(&out, text.ptr, before);
        jg_buf_str(&out, with);
        text = jg_str_skip(text, before + what.len);
    }
    jg_buf_str(&out, text);
    if (!jg_buf_ok(&out))
        return jg_fail(x->err, JAEGER_RESOURCE_EXHAUSTED, "an expanded value is larger than %zu bytes",
                       out.max);
    *ret = jaeger_arena_str(x->tree->arena, jg_buf_view(&out));
    return ret->ptr ? JAEGER_OK : jg_fail_oom(x->err);
}

/* `raw` as YAML, or NULL in *ret if it is none: then it is a string. */
static jaeger_status read_yaml(expander *x, jaeger_str raw, jaeger_str reference, jaeger_config **ret)
{
    jaeger_str name = {reference.ptr + 2, reference.len - 3};
    if (jg_str_starts(name, JAEGER_STR("file:")))
        name = jg_str_skip(name, 5);
    const char *z = jg_str_z(x->tree->arena, name);
    if (!z)
        return jg_fail_oom(x->err);
    jaeger_error fault = {0};
    *ret = NULL;
    jaeger_status status = jg_tree_parse(x->tree, raw, z, ret, &fault);
    if (status == JAEGER_RESOURCE_EXHAUSTED || x->tree->nodes >= JG_YAML_NODES_MAX) {
        if (x->err)
            *x->err = fault;
        return fault.status;
    }
    return JAEGER_OK;
}

/* The node becomes what `raw` says; its place and key stay. */
static jaeger_status become(expander *x, jaeger_config *node, jaeger_str raw, jaeger_str reference)
{
    jaeger_config *value;
    JG_TRY(read_yaml(x, raw, reference, &value));
    jaeger_str kept = jaeger_arena_str(x->tree->arena, raw);
    if (!kept.ptr)
        return jg_fail_oom(x->err);
    bool is_string =
        !value || (value->type == JAEGER_CONFIG_SCALAR && jg_scalar_of(value).type == JG_SCALAR_STRING);
    node->original = kept;
    node->is_text = is_string;
    node->type = is_string ? JAEGER_CONFIG_SCALAR : value->type;
    node->text = is_string ? kept : value->text;
    node->items = is_string ? NULL : value->items;
    node->count = is_string ? 0 : value->count;
    node->cap = is_string ? 0 : value->cap;
    return JAEGER_OK;
}

/* ---- values ---- */

/* One step of a text. *ret_done: nothing (more) to expand */
static jaeger_status step_text(expander *x, jaeger_config *node, bool *ret_done)
{
    jaeger_str reference;
    *ret_done = !find_reference(node->text, &reference);
    if (*ret_done)
        return JAEGER_OK;
    JG_AUTO_BUF jg_buf raw = JG_BUF_INIT(JG_YAML_BYTES_MAX);
    JG_TRY(read_reference(x, reference, &raw));
    if (reference.len == node->text.len)
        return become(x, node, jg_buf_view(&raw), reference);
    node->is_text = true;
    node->original = (jaeger_str){0};
    return replace_all(x, node->text, reference, jg_buf_view(&raw), &node->text);
}

/* The text that a string target gets from a whole ${...} that became a map or list. */
static jaeger_status expand_original(expander *x, jaeger_config *node)
{
    jaeger_str reference;
    for (unsigned round = 0; find_reference(node->original, &reference); round++) {
        if (round >= JG_CONFIG_EXPANSIONS_MAX)
            return jg_fail(x->err, JAEGER_INVALID_ARGUMENT, "too many recursive expansions");
        JG_AUTO_BUF jg_buf raw = JG_BUF_INIT(JG_YAML_BYTES_MAX);
        JG_TRY(read_reference(x, reference, &raw));
        JG_TRY(replace_all(x, node->original, reference, jg_buf_view(&raw), &node->original));
    }
    return JAEGER_OK;
}

static jaeger_status unescape(expander *x, jaeger_str *text)
{
    bool any = false;
    for (size_t i = 0; i + 1 < text->len && !any; i++)
        any = text->ptr[i] == '$' && text->ptr[i + 1] == '$';
    return any ? replace_all(x, *text, JAEGER_STR("$$"), JAEGER_STR("$"), text) : JAEGER_OK;
}

static jaeger_status expand_node(expander *x, jaeger_config *node, unsigned depth, unsigned round)
{
    bool done = false;
    while (node->type == JAEGER_CONFIG_SCALAR && !done) {
        if (round++ >= JG_CONFIG_EXPANSIONS_MAX || depth > JG_YAML_DEPTH_MAX)
            return jg_fail(x->err, JAEGER_INVALID_ARGUMENT, "too many recursive expansions (%s:%u)",
                           node->file, node->line);
        jaeger_status status = step_text(x, node, &done);
        if (status != JAEGER_OK)
            return jg_fail_prefix(x->err, "%s:%u", node->file, node->line);
    }
    for (size_t i = 0; i < node->count; i++)
        JG_TRY(expand_node(x, node->items[i], depth + 1, round));
    if (node->count)
        JG_TRY(expand_original(x, node));
    JG_TRY(unescape(x, &node->original));
    return unescape(x, &node->text);
}

jaeger_status jg_config_expand(jaeger_config *root, const jg_config_sources *sources, jaeger_error *err)
{
    jaeger_error fault = {0};
    expander x = {.tree = root->tree, .sources = sources, .err = err ? err : &fault};
    return expand_node(&x, root, 1, 0);
}
