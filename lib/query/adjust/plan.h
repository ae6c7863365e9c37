/* SPDX-License-Identifier: Apache-2.0
 * The plan from inside: rows, the table of ids, and the steps from the first reading to the last.
 */
#ifndef JG_QUERY_ADJUST_PLAN_H
#define JG_QUERY_ADJUST_PLAN_H

#include "core/map.h"
#include "query/adjust.h"
#include "query/adjust/write.h"

#define JG_PLAN_BLOCK_ROWS 4096u
#define JG_NO_ROW          UINT32_MAX

enum {
    JG_ROW_KIND = 7,            /* bits of the span's kind; 7: none of the known ones */
    JG_ROW_SHARES = 1 << 3,     /* another span has its id */
    JG_ROW_COPY = 1 << 4,       /* of an earlier span: dropped */
    JG_ROW_DUPLICATE = 1 << 5,  /* not the first one with its id, nor a copy */
    JG_ROW_AGAIN = 1 << 6,      /* another one with its id follows */
    JG_ROW_NEW_ID = 1 << 7,     /* a server span that got an id of its own */
    JG_ROW_HAS_PARENT = 1 << 8, /* row.parent: index of its row, and above it a link of the walk */
    JG_ROW_ORPHAN = 1 << 9,
    JG_ROW_MOVED = 1 << 10,
    JG_ROW_NOT_MOVED = 1 << 11,  /* delta_ns is not 0 and was not applied */
    JG_ROW_ON_PATH = 1 << 12,    /* of the walk */
    JG_ROW_DONE = 1 << 13,       /* its delta is known */
    JG_ROW_ADRIFT = 1 << 14,     /* below a circle of parents: nothing is moved */
    JG_ROW_HAS_CLIENT = 1 << 15, /* of the first with an id: a client span has it */
    JG_ROW_HAS_SERVER = 1 << 16, /* the same */
};

/** What is kept of a span between the readings. */
typedef struct jg_plan_row {
    uint64_t id, parent; /* as they shall be */
    uint64_t start_unix_ns, end_unix_ns;
    int64_t delta_ns; /* before skew.c: the new id (ids.c), a hash of the content (copies.c) */
    uint32_t host;    /* number of its host; 0: not known */
    uint32_t bits;
} jg_plan_row;

/** From ids, or other hashes, to rows; at most half full. */
typedef struct jg_row_table {
    uint32_t *slots; /* index + 1; 0: free */
    size_t mask;
} jg_row_table;

struct jg_plan {
    bool adjusts;
    uint64_t max_skew_ns, seed;
    jg_plan_row **blocks;
    size_t block_count, block_cap;
    uint32_t count; /* of spans */
    uint32_t at;    /* next span of this reading */
    bool has_client, has_server, shares_ids;
    jaeger_arena *names; /* of hosts */
    jg_map hosts;        /* name -> number */
    uint32_t last_host;  /* of the group before: chunks mostly have the same few */
    jg_row_table ids;    /* first row of each id */
    jg_span_writer writer;
};

JG_INLINE jg_plan_row *jg_plan_row_at(const jg_plan *plan, uint32_t index)
{
    return &plan->blocks[index / JG_PLAN_BLOCK_ROWS][index % JG_PLAN_BLOCK_ROWS];
}

/** Room for `n` rows. @return false: out of memory */
bool jg_row_table_init(jg_row_table *table, size_t n);
void jg_row_table_done(jg_row_table *table);
/** Make plan->ids anew, noting shared ids in the rows. */
jaeger_status jg_plan_index_ids(jg_plan *plan, jaeger_error *err) JG_MUST_CHECK;
/** First row with this id, or JG_NO_ROW. */
uint32_t jg_plan_find(const jg_plan *plan, uint64_t id);

/** The span that is next in this reading. @return false: it is another one than in the first */
bool jg_plan_is_next(const jg_plan *plan, const jg_plan_row *row, const jaeger_span *span);

/* ids.c: server spans that share the id of a client span get ids of their own. */
jaeger_status jg_plan_ids(jg_plan *plan, jaeger_error *err) JG_MUST_CHECK;
/* copies.c: what shares an id, and which spans are copies. */
jaeger_status jg_plan_note_copies(jg_plan *plan, jaeger_error *err) JG_MUST_CHECK;
void jg_plan_mark_ids(jg_plan *plan);
/* skew.c: clocks of different hosts. */
bool jg_plan_host_of(jg_plan *plan, const jaeger_span_group *group, uint32_t *ret);
void jg_plan_skew(jg_plan *plan);
/** The warning of a row, in `arena`; ptr NULL: none. @return false: out of memory */
bool jg_plan_skew_warning(const jg_plan *plan, const jg_plan_row *row, jaeger_arena *arena, jaeger_str *ret);

/** The parent's id as it shall be. */
JG_INLINE uint64_t jg_plan_parent_id(const jg_plan *plan, const jg_plan_row *row)
{
    return row->bits & JG_ROW_HAS_PARENT ? jg_plan_row_at(plan, (uint32_t)row->parent)->id : row->parent;
}

#endif
