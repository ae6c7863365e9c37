/* SPDX-License-Identifier: Apache-2.0
 * Writing many documents, and knowing of each whether the cluster has it.
 *
 * A bulk holds tags; the documents are made when they are sent, and made again where they are sent again:
 * those that were refused because the cluster is busy (429, 5xx, a full disk), with growing waits, until they
 * are in, the deadline is near or the tries are used up; and those of a request that was too large (413), in
 * halves. What the cluster will never take (a mapping conflict) is marked with its reason. API: POST /_bulk.
 */
#ifndef JG_STORAGE_OPENSEARCH_BULK_H
#define JG_STORAGE_OPENSEARCH_BULK_H

#include "storage/opensearch/bulk_body.h"
#include "storage/opensearch/client.h"

#define JG_OS_BULK_TRIES 5u

typedef enum jg_os_item_state {
    JG_OS_ITEM_WAITS,
    JG_OS_ITEM_STORED,
    JG_OS_ITEM_REFUSED /* for good */
} jg_os_item_state;

typedef struct jg_os_item {
    uint64_t tag; /* the caller's */
    jg_os_item_state state;
} jg_os_item;

/** When documents can be found. */
typedef enum jg_os_refresh { JG_OS_REFRESH_NONE, JG_OS_REFRESH_NOW, JG_OS_REFRESH_WAIT } jg_os_refresh;

/** The documents behind the tags. */
typedef struct jg_os_documents {
    /** Write one document to the body. */
    void (*put)(void *self, jg_os_body *body, uint64_t tag);
    /** It is refused for good. @return true: send it once more, under the tag that `tag` is now. NULL: nobody
     * wants to know one by one */
    bool (*refused)(void *self, uint64_t *tag, jaeger_str reason);
    void *self;
} jg_os_documents;

/** A plain struct: init, add, send, look, clear. */
typedef struct jg_os_bulk {
    jg_os_body body;
    jg_os_item *items;
    size_t count, cap;
    size_t
        bytes_max; /* of one request; less once the cluster has found one too large. The caller may keep it */
    bool failed;   /* out of memory */
    bool changed;  /* items have other tags */
    jg_os_refresh refresh; /* the caller's; clear leaves it */
    size_t refused_count;
    char reason[400]; /* of the first that was refused, or that waits */
} jg_os_bulk;

/** @return false: out of memory; done all the same */
bool jg_os_bulk_init(jg_os_bulk *bulk, bool gzip, size_t bytes_max, size_t document_bytes_max);
void jg_os_bulk_done(jg_os_bulk *bulk);
void jg_os_bulk_clear(jg_os_bulk *bulk);
void jg_os_bulk_add(jg_os_bulk *bulk, uint64_t tag);

/** Send until every item is stored or refused.
 *  @return OK: all stored or refused (ask refused_count); UNAVAILABLE: some still wait; others: a request
 * as a whole failed. Whatever was stored is marked. Blocks. */
jaeger_status jg_os_bulk_send(jg_os_bulk *bulk, jg_os_client *client, jg_os_documents documents,
                              jaeger_call *call) JG_MUST_CHECK;
/** Read one answer into the states of the items from `from` up to `to` that wait. @return INTERNAL: not such
 * an answer. For tests. */
jaeger_status jg_os_bulk_read(jg_os_bulk *bulk, size_t from, size_t to, jaeger_str answer,
                              jg_os_documents documents, jaeger_error *err) JG_MUST_CHECK;

#endif
