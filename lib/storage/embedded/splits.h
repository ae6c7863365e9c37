/* SPDX-License-Identifier: Apache-2.0
 * Traces of which more than one segment has a part. What is known of a trace from one segment is only true of
 * all of it if it is not among these.
 */
#ifndef JG_EMBEDDED_SPLITS_H
#define JG_EMBEDDED_SPLITS_H

#include "storage/embedded/store.h"

/** Immutable; shared by readers. */
struct jg_splits {
    int refs; /* atomic */
    uint32_t seg_count;
    uint64_t *gens;    /* of the segments, in the order of the snapshot it was made from */
    uint32_t *first;   /* [seg_count + 1]: where a segment's numbers begin */
    uint32_t *numbers; /* of traces, rising in each segment. A few may not be split after all */
};

/** Those of a snapshot's segments; from the last call if they are the same. @return RESOURCE_EXHAUSTED */
jaeger_status jg_splits_get(jg_store *store, const jg_snapshot *snapshot, jg_splits **ret,
                            jaeger_call *call) JG_MUST_CHECK;
void jg_splits_unref(jg_splits *splits);

#endif
