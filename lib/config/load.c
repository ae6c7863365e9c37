/* SPDX-License-Identifier: Apache-2.0
 * Sources in order, each merged over what came before, then --set, then ${...}.
 * Spec: opentelemetry-collector confmap/resolver.go, otelcol/flags.go.
 */
#include "config/load.h"

#include "config/expand.h"
#include "config/source.h"
#include "config/tree.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"

static jaeger_status add_yaml(jaeger_config *root, jaeger_str yaml, const char *name, jaeger_error *err)
{
    static const char *const types[] = {"<nil>", "a scalar", "[]interface {}", "map[string]interface {}"};
    jaeger_config *node;
    JG_TRY(jg_tree_parse(root->tree, yaml, name, &node, err));
    if (node->type == JAEGER_CONFIG_NULL)
        return JAEGER_OK;
    if (node->type != JAEGER_CONFIG_MAP)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s: retrieved value (type=%s) cannot be used as a Conf",
                       name, types[node->type]);
    JG_TRY(jg_tree_split_keys(node, err));
    return jg_tree_merge(root, node, err);
}

static jaeger_status add_uri(jaeger_config *root, const jg_config_sources *sources, const char *uri,
                             jaeger_error *err)
{
    jaeger_str scheme = JAEGER_STR("file"), opaque = jg_str(uri);
    if (jg_source_split(jg_str(uri), &scheme, &opaque) && !jg_source_is_known(scheme))
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "unsupported scheme on URI \"%s\"", uri);
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(JG_YAML_BYTES_MAX);
    if (jg_source_read(sources, scheme, opaque, &text, err) != JAEGER_OK)
        return jg_fail_prefix(err, "cannot retrieve the configuration");
    bool is_file = jg_str_is(scheme, "file");
    return add_yaml(root, jg_buf_view(&text), is_file ? opaque.ptr : uri, err);
}

/* "a.b=value" is the YAML "a::b: value". */
static jaeger_status add_set(jaeger_config *root, const char *set, jaeger_error *err)
{
    const char *equal = strchr(set, '=');
    if (!equal)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "--set %s: missing equal sign", set);
    JG_AUTO_BUF jg_buf yaml = JG_BUF_INIT(JG_YAML_BYTES_MAX);
    jaeger_str key = jg_str_trim((jaeger_str){set, (size_t)(equal - set)});
    for (size_t i = 0; i < key.len; i++) {
        if (key.ptr[i] == '.')
            jg_buf_lit(&yaml, "::");
        else
            jg_buf_byte(&yaml, (uint8_t)key.ptr[i]);
    }
    jg_buf_lit(&yaml, ": ");
    jg_buf_str(&yaml, jg_str_trim(jg_str(equal + 1)));
    if (!jg_buf_ok(&yaml))
        return jg_fail_oom(err);
    return add_yaml(root, jg_buf_view(&yaml), "--set", err);
}

static jaeger_status add_all(jaeger_config *root, const jg_config_sources *sources, jaeger_error *err)
{
    if (sources->uri_count == 0)
        JG_TRY(add_yaml(root, jg_str(sources->yaml), "built-in configuration", err));
    for (size_t i = 0; i < sources->uri_count; i++)
        JG_TRY(add_uri(root, sources, sources->uris[i], err));
    for (size_t i = 0; i < sources->set_count; i++)
        JG_TRY(add_set(root, sources->sets[i], err));
    if (root->count == 0)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "empty configuration file");
    JG_TRY(jg_config_expand(root, sources, err));
    JG_TRY(jg_tree_split_keys(root, err));
    return jg_tree_adopt(root, err);
}

jaeger_status jg_config_load(const jg_config_sources *sources, jaeger_config **ret, jaeger_error *err)
{
    if (sources->uri_count == 0 && !sources->yaml)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "at least one config flag must be provided");
    jg_tree *tree = jg_tree_new();
    jaeger_config *root = tree ? jg_tree_node(tree, JAEGER_CONFIG_MAP, NULL) : NULL;
    jaeger_status status = root ? add_all(root, sources, err) : jg_fail_oom(err);
    if (status != JAEGER_OK) {
        jg_tree_free(tree);
        return status;
    }
    *ret = root;
    return JAEGER_OK;
}
