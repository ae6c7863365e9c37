/* SPDX-License-Identifier: Apache-2.0
 * Writing many documents in one request, and knowing of each whether the cluster has it.
 *
 * Documents that were refused because the cluster is busy (429, 5xx, a full disk) are sent again, only those,
 * with growing waits, until they are in, the deadline is near or the tries are used up. What the cluster will
 * never take (a mapping conflict) is marked with its reason. API: POST /_bulk.
 */
#ifndef JG_STORAGE_OPENSEARCH_BULK_H
#define JG_STORAGE_OPENSEARCH_BULK_H

#include "storage/opensearch/client.h"

#define JG_OS_BULK_TRIES 5u

typedef enum jg_os_item_state {
    JG_OS_ITEM_WAITS,
    JG_OS_ITEM_STORED,
    JG_OS_ITEM_REFUSED /* for good */
} jg_os_item_state;

typedef struct jg_os_item {
    size_t at, len; /* its two lines in `body`, while it waits */
    uint32_t tag;   /* the caller's */
    jg_os_item_state state;
} jg_os_item;

/** When documents can be found. */
typedef enum jg_os_refresh { JG_OS_REFRESH_NONE, JG_OS_REFRESH_NOW, JG_OS_REFRESH_WAIT } jg_os_refresh;

/** Documents of one request. A plain struct: init, put, send, look, clear. */
typedef struct jg_os_bulk {
    jg_buf body;
    jg_os_item *items;
    size_t count, cap;
    bool failed;           /* out of memory */
    jg_os_refresh refresh; /* the caller's; clear leaves it */
    size_t refused_count;
    char reason[400]; /* of the first that was refused, or that waits */
} jg_os_bulk;

void jg_os_bulk_init(jg_os_bulk *bulk, size_t bytes_max);
void jg_os_bulk_done(jg_os_bulk *bulk);
void jg_os_bulk_clear(jg_os_bulk *bulk);
/** Add one. @param id empty: the cluster makes one. @param document JSON on one line */
void jg_os_bulk_put(jg_os_bulk *bulk, jaeger_str index, jaeger_str id, jaeger_str document, uint32_t tag);

/** Called for each document that is refused for good; `document` are its lines. */
typedef struct jg_os_refusals {
    void (*refused)(void *self, const jg_os_item *item, jaeger_str lines, jaeger_str reason);
    void *self;
} jg_os_refusals;

/** Send until every item is stored or refused.
 *  @param refusals refused NULL: nobody wants to know one by one
 *  @return OK: all stored or refused (ask refused_count); UNAVAILABLE: some still wait; others: the request
 * as a whole failed. Whatever was stored is marked. Blocks. */
jaeger_status jg_os_bulk_send(jg_os_bulk *bulk, jg_os_client *client, jg_os_refusals refusals,
                              jaeger_call *call) JG_MUST_CHECK;
/** Read one answer into the states of the items that wait. @return INTERNAL: not such an answer. For tests.
 */
jaeger_status jg_os_bulk_read(jg_os_bulk *bulk, jaeger_str answer, jg_os_refusals refusals,
                              jaeger_error *err) JG_MUST_CHECK;

#endif
