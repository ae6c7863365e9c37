/* SPDX-License-Identifier: Apache-2.0
 * Small documents of our own in the cluster, in the index "<prefix>jaeger-state": leases and marks of how far
 * a job is. Each is changed only if nobody else has changed it since it was read (_seq_no and _primary_term).
 * Jaeger does not know the index; its cleaner and ours leave it alone.
 */
#ifndef JG_STORAGE_OPENSEARCH_STATE_H
#define JG_STORAGE_OPENSEARCH_STATE_H

#include "storage/opensearch/store.h"

/** A document as it was read. */
typedef struct jg_os_state {
    bool exists;
    uint64_t seq_no, primary_term;
    jaeger_str text;    /* `text` of the document: an owner */
    uint64_t number_ms; /* `number_ms` of the document: a time */
} jg_os_state;

/** Not there: OK, `exists` false. @param ret its text lives in call->arena */
jaeger_status jg_os_state_get(jg_os_store *store, jaeger_str id, jg_os_state *ret,
                              jaeger_call *call) JG_MUST_CHECK;
/** Write `next` in place of `seen`. @return ABORTED: another has changed it meanwhile */
jaeger_status jg_os_state_put(jg_os_store *store, jaeger_str id, const jg_os_state *seen, jaeger_str text,
                              uint64_t number_ms, jaeger_call *call) JG_MUST_CHECK;
/** Delete it. @return as put; not there: OK */
jaeger_status jg_os_state_delete(jg_os_store *store, jaeger_str id, const jg_os_state *seen,
                                 jaeger_call *call) JG_MUST_CHECK;
/** Read an answer of GET _doc. For tests. @return INTERNAL: not such an answer */
jaeger_status jg_os_state_read(jaeger_str json, jg_os_state *ret, jaeger_call *call) JG_MUST_CHECK;

/** The lease of `resource`, until now + ttl; clocks of the owners must agree better than that.
 *  @param ret true: held by `owner`. Contract: jaeger_sampling_store.acquire and forfeit */
jaeger_status jg_os_acquire(jg_os_store *store, jaeger_str resource, jaeger_str owner, uint64_t ttl_ns,
                            bool *ret, jaeger_call *call) JG_MUST_CHECK;
jaeger_status jg_os_forfeit(jg_os_store *store, jaeger_str resource, jaeger_str owner,
                            jaeger_call *call) JG_MUST_CHECK;

#endif
