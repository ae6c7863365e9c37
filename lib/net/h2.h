/* SPDX-License-Identifier: Apache-2.0
 * One HTTP/2 connection on a loop: moves bytes between a socket (plain or TLS) and an nghttp2 session. gRPC
 * servers and clients embed it; they make the session and own what its callbacks do.
 *
 * Reading goes through the loop's slab, writing too: a connection holds an output buffer only while the peer
 * does not read. Work is done at the end of a loop round, so that answers of one round leave in one write,
 * and nothing is freed inside a callback. All functions: on the loop.
 */
#ifndef JG_NET_H2_H
#define JG_NET_H2_H

#include "net/loop.h"
#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>

typedef struct jg_h2 {
    jg_loop *loop;
    nghttp2_session *session; /* owned: deleted at the end */
    SSL *ssl;                 /* NULL: plain; owned */
    /** The connection is over, its socket closed, its session deleted (which reports no streams: abandon
     * them). Called once; the owner may free itself. */
    void (*closed)(struct jg_h2 *h2);
    uint64_t last_read_ns; /* when bytes came last */
    /* private */
    jg_watch watch;
    jg_timer timer; /* handshake, stalled writes, lingering */
    jg_post after;
    uint8_t *out; /* what the socket did not take */
    size_t out_len, out_at;
    size_t gathered; /* bytes in the slab, while output is gathered */
    bool scheduled, handshaking, wants_write, read_again, lingering, broken;
} jg_h2;

/** Take over a connected, non-blocking socket; loop, session, ssl and closed are set. `handshake`: TLS still
 * has to shake hands. @return false: out of memory or descriptors; nothing was taken over */
bool jg_h2_start(jg_h2 *h2, int fd, bool handshake) JG_MUST_CHECK;
/** Something was submitted to the session: write at the end of the round. */
void jg_h2_schedule(jg_h2 *h2);
/** For nghttp2's send_data callback, of bodies that are read with NGHTTP2_DATA_FLAG_NO_COPY: a frame of `len`
 * bytes is put straight to what is about to be written. @return where the caller puts its bytes; NULL: no
 * room now (NGHTTP2_ERR_WOULDBLOCK) */
uint8_t *jg_h2_put_data(jg_h2 *h2, const uint8_t *head, size_t len);
/** Close at the end of the round, without more writing. */
void jg_h2_abort(jg_h2 *h2);

#endif
