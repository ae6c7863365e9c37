/* SPDX-License-Identifier: Apache-2.0
 * OTLP over gRPC: C connections with S calls in flight on each, on one loop.
 */
#include "bench/loadgen.h"
#include "core/alloc.h"
#include "core/pb.h"
#include "core/str.h"
#include "net/grpc_wire.h"
#include "net/h2.h"

typedef struct grpc_conn grpc_conn;

typedef struct grpc_slot {
    load_slot slot; /* first */
    grpc_conn *conn;
    size_t sent, answer_len;
    int status; /* -1: none yet */
    uint8_t answer[64];
    char message[128];
} grpc_slot;

struct grpc_conn {
    jg_h2 h2; /* first */
    bool open;
    size_t busy;
};

static struct {
    grpc_conn *conns;
    unsigned count;
    grpc_slot **slots;
    size_t slot_count;
    nghttp2_session_callbacks *callbacks;
    char authority[300];
} all;

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
    (void)flags, (void)user;
    grpc_slot *slot = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    jaeger_str n = {(const char *)name, name_len}, v = {(const char *)value, value_len};
    uint64_t number;
    if (slot && jg_str_is(n, "grpc-status") && jg_str_to_u64(v, &number))
        slot->status = (int)number;
    else if (slot && jg_str_is(n, "grpc-message"))
        (void)snprintf(slot->message, sizeof slot->message, "%.*s", JAEGER_STR_ARGS(v));
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len,
                   void *user)
{
    (void)flags, (void)user;
    grpc_slot *slot = nghttp2_session_get_stream_user_data(session, id);
    size_t n = slot ? JG_MIN(len, sizeof slot->answer - slot->answer_len) : 0;
    if (n)
        memcpy(slot->answer + slot->answer_len, data, n);
    if (slot)
        slot->answer_len += n;
    return 0;
}

static void finish(grpc_slot *slot, bool ok, const char *error)
{
    uint64_t rejected = 0;
    slot->conn->busy--;
    if (ok && slot->answer_len > JG_GRPC_PREFIX_BYTES)
        rejected =
            load_rejected_pb(slot->answer + JG_GRPC_PREFIX_BYTES, slot->answer_len - JG_GRPC_PREFIX_BYTES);
    load_answered(&slot->slot, ok, rejected, error);
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    (void)code, (void)user;
    grpc_slot *slot = nghttp2_session_get_stream_user_data(session, id);
    if (slot)
        finish(slot, slot->status == 0, slot->status < 0 ? "no status" : slot->message);
    return 0;
}

static ssize_t read_request(nghttp2_session *session, int32_t id, uint8_t *out, size_t size, uint32_t *flags,
                            nghttp2_data_source *source, void *user)
{
    (void)session, (void)id, (void)user;
    grpc_slot *slot = source->ptr;
    size_t total = JG_GRPC_PREFIX_BYTES + slot->slot.len, n = JG_MIN(size, total - slot->sent);
    memcpy(out, slot->slot.bytes + slot->sent, n);
    slot->sent += n;
    if (slot->sent == total)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

#define NV(name, value, len)                                                                                 \
    {                                                                                                        \
        (uint8_t *)(uintptr_t)(name), (uint8_t *)(uintptr_t)(value), sizeof(name) - 1, (len),                \
            NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE                                     \
    }
#define NV_LITERAL(name, value) NV(name, value, sizeof(value) - 1)

static void grpc_send(load_slot *base)
{
    grpc_slot *slot = (grpc_slot *)base;
    const nghttp2_nv headers[] = {
        NV_LITERAL(":method", "POST"),
        NV_LITERAL(":scheme", "http"),
        NV_LITERAL(":path", "/opentelemetry.proto.collector.trace.v1.TraceService/Export"),
        NV(":authority", all.authority, strlen(all.authority)),
        NV_LITERAL("content-type", "application/grpc"),
        NV_LITERAL("te", "trailers"),
    };
    nghttp2_data_provider body = {.source.ptr = slot, .read_callback = read_request};
    jg_grpc_prefix_write(base->bytes, false, (uint32_t)base->len);
    slot->sent = slot->answer_len = 0;
    slot->status = -1;
    slot->message[0] = 0;
    slot->conn->busy++;
    if (!slot->conn->open ||
        nghttp2_submit_request(slot->conn->h2.session, NULL, headers, JG_COUNT(headers), &body, slot) < 0)
        finish(slot, false, "the connection is closed");
    else
        jg_h2_schedule(&slot->conn->h2);
}

static void conn_closed(jg_h2 *h2)
{
    grpc_conn *conn = (grpc_conn *)h2;
    conn->open = false;
    for (size_t i = 0; i < all.slot_count && conn->busy; i++)
        if (all.slots[i]->conn == conn && all.slots[i]->slot.len)
            finish(all.slots[i], false, "the connection was lost");
}

static const char *open_conn(grpc_conn *conn, jg_loop *loop, const load_options *options)
{
    static const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0}};
    int fd = load_connect(options);
    if (fd < 0)
        return "cannot connect";
    conn->h2.loop = loop;
    conn->h2.closed = conn_closed;
    if (nghttp2_session_client_new(&conn->h2.session, all.callbacks, conn) ||
        nghttp2_submit_settings(conn->h2.session, 0, settings, 1) || !jg_h2_start(&conn->h2, fd, false))
        return "out of memory";
    conn->open = true;
    return NULL;
}

static const char *grpc_start(jg_loop *loop, const load_options *options, load_slot **slots, size_t count)
{
    (void)snprintf(all.authority, sizeof all.authority, "%s:%u", options->host, options->port);
    all.count = options->connections;
    all.conns = jg_calloc(all.count, sizeof *all.conns);
    all.slots = (grpc_slot **)slots;
    all.slot_count = count;
    if (!all.conns || nghttp2_session_callbacks_new(&all.callbacks))
        return "out of memory";
    nghttp2_session_callbacks_set_on_header_callback(all.callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(all.callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(all.callbacks, on_close);
    for (unsigned i = 0; i < all.count; i++) {
        const char *error = open_conn(&all.conns[i], loop, options);
        if (error)
            return error;
    }
    for (size_t i = 0; i < count; i++)
        all.slots[i]->conn = &all.conns[i % all.count];
    return NULL;
}

static void grpc_stop(void)
{
    for (unsigned i = 0; i < all.count; i++)
        if (all.conns[i].open) {
            (void)nghttp2_session_terminate_session(all.conns[i].h2.session, NGHTTP2_NO_ERROR);
            jg_h2_schedule(&all.conns[i].h2);
        }
}

const load_transport load_grpc = {JG_GRPC_PREFIX_BYTES, sizeof(grpc_slot), grpc_start, grpc_send, grpc_stop};
