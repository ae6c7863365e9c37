/* SPDX-License-Identifier: Apache-2.0
 * The tree behind jaeger_config: nodes with positions, all in one arena. Nodes are never shared: an alias is
 * a copy, so each node has one parent and one path.
 */
#ifndef JG_CONFIG_TREE_H
#define JG_CONFIG_TREE_H

#include "core/attr.h"
#include <jaeger/config.h>

/** What the nodes of one root share. Lives in its own arena. */
typedef struct jg_tree {
    jaeger_arena *arena;
    size_t nodes; /* made so far; at most JG_YAML_NODES_MAX */
} jg_tree;

struct jaeger_config {
    jaeger_config_type type;
    uint32_t line, column; /* from 1; 0: made by us */
    bool is_text;          /* quoted, a block or !!str: a string, whatever it looks like */
    bool in_list;
    jg_tree *tree;
    jaeger_config *parent; /* set by jg_tree_adopt */
    const char *file;
    const char *path, *where; /* made at first use */
    jaeger_str key;           /* in the parent map */
    size_t index;             /* in the parent list */
    jaeger_str text;          /* scalar, NUL-terminated */
    jaeger_str original;   /* came from a whole ${...}: its text before YAML read it; ptr NULL: it did not */
    jaeger_config **items; /* map, list */
    size_t count, cap;
};

typedef enum jg_scalar_type {
    JG_SCALAR_STRING,
    JG_SCALAR_BOOL,
    JG_SCALAR_INT,
    JG_SCALAR_FLOAT
} jg_scalar_type;

/** A plain scalar, read by YAML's rules. */
typedef struct jg_scalar {
    jg_scalar_type type;
    bool b;
    bool negative;      /* INT */
    uint64_t magnitude; /* INT */
    double d;           /* INT and FLOAT */
} jg_scalar;

/** NULL when out of memory. Free with jg_tree_free, or jaeger_config_free of its root. */
jg_tree *jg_tree_new(void);
void jg_tree_free(jg_tree *tree);

/** A node at the position of `like` (may be NULL). NULL: out of memory or above JG_YAML_NODES_MAX; then
 * `return jg_tree_fail_full(tree, err)`. */
jaeger_config *jg_tree_node(jg_tree *tree, jaeger_config_type type, const jaeger_config *like);
jaeger_status jg_tree_fail_full(const jg_tree *tree, jaeger_error *err);
/** Put `child` at the end of a map (under `key`) or list. @return false: out of memory */
bool jg_tree_add(jaeger_config *parent, jaeger_str key, jaeger_config *child);

/** Parse the first document of `yaml` into the tree; an empty one gives a NULL node. Parents are not set. */
jaeger_status jg_tree_parse(jg_tree *tree, jaeger_str yaml, const char *name, jaeger_config **ret,
                            jaeger_error *err) JG_MUST_CHECK;
/** Lay the map `from` over the map `into`: maps merge, all else replaces. Takes the nodes of `from`. */
jaeger_status jg_tree_merge(jaeger_config *into, jaeger_config *from, jaeger_error *err) JG_MUST_CHECK;
/** Keys "a::b" become nested maps, on all levels. */
jaeger_status jg_tree_split_keys(jaeger_config *node, jaeger_error *err) JG_MUST_CHECK;
/** Set parents and indexes below `root`; fails above JG_YAML_DEPTH_MAX levels. */
jaeger_status jg_tree_adopt(jaeger_config *root, jaeger_error *err) JG_MUST_CHECK;

/** true, 12, 0x1f, 1.5e3, .inf ...; all else is a string. */
jg_scalar jg_scalar_read(jaeger_str text);
/** The same for a node, which may be quoted. */
jg_scalar jg_scalar_of(const jaeger_config *node);
/** "null", "~", "" and its variants. */
bool jg_scalar_is_null(jaeger_str text);

#endif
