/* SPDX-License-Identifier: Apache-2.0
 * Writes that wait for the cluster together: while `bulk_processing.workers` requests are on their way, those
 * that come gather, and the first of them takes the others along in its own. So an idle cluster gets each
 * write at once, and a busy one few and large requests.
 */
#ifndef JG_STORAGE_OPENSEARCH_SHARE_H
#define JG_STORAGE_OPENSEARCH_SHARE_H

#include "core/attr.h"
#include <jaeger/storage.h>
#include <pthread.h>

#define JG_OS_FLIGHT_TICKETS 256u /* that fly together */

/** One write, on the stack of its caller. */
typedef struct jg_os_ticket {
    struct jg_os_ticket *next;
    const jaeger_batch *batch;
    uint64_t bytes; /* about what its documents take */
    const jaeger_call *call;
    jaeger_status status; /* with the error: of whoever led */
    jaeger_error error;
    size_t refused; /* documents, for good */
    char reason[400];
    bool taken, done;
    pthread_cond_t wake;
} jg_os_ticket;

typedef struct jg_os_share {
    pthread_mutex_t queue_mutex; /* guards all below, and the flags of tickets */
    jg_os_ticket *first, **last;
    size_t flights;
    /** Write the tickets of the list together, and set status, error, refused and reason of each. Blocks. */
    void (*fly)(void *self, jg_os_ticket *list);
    void *self;
    size_t flights_max;
    uint64_t bytes_max; /* of tickets that fly together, if they are several */
} jg_os_share;

/** @param share with fly, self and the ceilings */
void jg_os_share_init(jg_os_share *share);
void jg_os_share_done(jg_os_share *share);
/** Wait until the ticket has flown. @param ticket batch, bytes and call are set, all else is zero
 *  @return its status; DEADLINE_EXCEEDED, CANCELLED: it was not written */
jaeger_status jg_os_share_write(jg_os_share *share, jg_os_ticket *ticket) JG_MUST_CHECK;

#endif
