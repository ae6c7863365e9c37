/* SPDX-License-Identifier: Apache-2.0
 * Configuration: a node of the YAML tree, and the field tables that bind it to structs.
 *
 * A component describes its keys once, as a table of jaeger_field. The table gives parsing, defaults, errors
 * that name file, line and full key path, `print-config`, and docs/components.md. Rules follow the
 * OpenTelemetry Collector's confmap: strict types, integers where a duration is expected are nanoseconds,
 * null keeps a default.
 */
#ifndef JAEGER_CONFIG_H
#define JAEGER_CONFIG_H

#include <jaeger/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A node of a parsed, merged and expanded YAML tree. */
typedef struct jaeger_config jaeger_config;

typedef enum jaeger_field_kind {
    JAEGER_FIELD_END = 0,
    JAEGER_FIELD_BOOL,     /**< bool */
    JAEGER_FIELD_I64,      /**< int64_t */
    JAEGER_FIELD_U64,      /**< uint64_t; negative: error */
    JAEGER_FIELD_U32,      /**< uint32_t */
    JAEGER_FIELD_DOUBLE,   /**< double */
    JAEGER_FIELD_DURATION, /**< uint64_t [ns]; "1h2m", "200ms", or an integer of ns */
    JAEGER_FIELD_STR,      /**< jaeger_str, NUL-terminated */
    JAEGER_FIELD_ENUM,     /**< int: index into `fallback`-independent `choices` ("a|b|c"); others: error that
                              lists them */
    JAEGER_FIELD_STRS,     /**< jaeger_str_list; a comma-separated string is accepted */
    JAEGER_FIELD_PAIRS,    /**< jaeger_pair_list: a map of strings, or a list of {name, value} */
    JAEGER_FIELD_BLOCK,    /**< struct of `sub`, always there */
    JAEGER_FIELD_SQUASH,   /**< struct of `sub`, its keys on this level */
    JAEGER_FIELD_OPTIONAL_D, /**< struct of `sub` whose first member is `bool enabled`; absent: off; null or
                                {}: on */
    JAEGER_FIELD_OPTIONAL_N, /**< the same; absent or null: off; {}: on with zero values (not the defaults) */
    JAEGER_FIELD_OPTIONAL_S, /**< the same; absent, null or {}: on */
    JAEGER_FIELD_LIST,       /**< jaeger_block_list of structs of `sub` */
    JAEGER_FIELD_NODE        /**< const jaeger_config *, NULL if absent: the component reads it itself */
} jaeger_field_kind;

typedef struct jaeger_str_list {
    jaeger_str *items;
    size_t count;
} jaeger_str_list;

typedef struct jaeger_pair_list {
    jaeger_pair *items;
    size_t count;
} jaeger_pair_list;

typedef struct jaeger_block_list {
    void *items; /**< `count` structs of `sub_size` */
    size_t count;
} jaeger_block_list;

/** One key. A table ends with JAEGER_FIELD_END. */
typedef struct jaeger_field {
    const char *name;
    jaeger_field_kind kind;
    size_t offset;
    const char *fallback; /**< the default, as YAML text; NULL: zero, empty or absent */
    const char *doc;      /**< one line for docs/components.md */
    const struct jaeger_field *sub;
    size_t sub_size;
    const char *choices; /**< JAEGER_FIELD_ENUM: "basic|normal|detailed" */
    bool required;       /**< absent or empty: "<path>: non zero value required" */
} jaeger_field;

typedef enum jaeger_config_type {
    JAEGER_CONFIG_NULL,
    JAEGER_CONFIG_SCALAR,
    JAEGER_CONFIG_LIST,
    JAEGER_CONFIG_MAP
} jaeger_config_type;

/** Parse one YAML text (no expansion of ${...}). @param name for messages, e.g. the file name
 *  @return INVALID_ARGUMENT with file:line:column. Owns: free with jaeger_config_free() */
JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_config_parse(jaeger_str yaml, const char *name,
                                                               jaeger_config **ret, jaeger_error *err);
/** Frees a root; accepts NULL. What was bound from it (strings, lists) goes with it. */
JAEGER_API void jaeger_config_free(jaeger_config *root);

JAEGER_API jaeger_config_type jaeger_config_kind(const jaeger_config *node);
/** Text of a scalar; empty for others. */
JAEGER_API jaeger_str jaeger_config_text(const jaeger_config *node);
/** Number of entries of a map or list. */
JAEGER_API size_t jaeger_config_count(const jaeger_config *node);
/** Entry `index` of a map (with its key) or list. */
JAEGER_API const jaeger_config *jaeger_config_at(const jaeger_config *node, size_t index,
                                                 jaeger_str *ret_key);
/** Value of `key`; NULL: not there, or not a map. */
JAEGER_API const jaeger_config *jaeger_config_get(const jaeger_config *node, const char *key);
/** "receivers::otlp::protocols" and "file:line" of a node, for messages. */
JAEGER_API const char *jaeger_config_path(const jaeger_config *node);
JAEGER_API const char *jaeger_config_where(const jaeger_config *node);

/** Fill `ret` (zeroed by the caller or not: every field of the table is set) from a map node; NULL: all
 * defaults. Strings and lists live as long as the root of `node`; for NULL they are static or absent.
 *  @return INVALID_ARGUMENT: unknown key, wrong type, missing required key; all faults of the node, one a
 * line */
JAEGER_API JAEGER_MUST_CHECK jaeger_status jaeger_config_bind(const jaeger_config *node,
                                                              const jaeger_field *fields, void *ret,
                                                              jaeger_error *err);

#ifdef __cplusplus
}
#endif
#endif
