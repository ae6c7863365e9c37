/* SPDX-License-Identifier: Apache-2.0
 * What the files of the load generator share. loadgen.c: options, pacing, figures; loadgen_data.c: requests;
 * loadgen_grpc.c, loadgen_http.c: how they are sent.
 */
#ifndef JG_LOADGEN_H
#define JG_LOADGEN_H

#include "core/buf.h"
#include "net/loop.h"

/* ---- data -------------------------------------------------------------------------------------------------
 */

/** What changes in a request: ids, times, the user. */
typedef struct load_patch {
    uint32_t offset;
    uint16_t index; /* of the trace or span in the request */
    uint8_t kind;
    uint64_t back_ns; /* times: so long before now */
} load_patch;

/** A request, encoded once. */
typedef struct load_template {
    jg_buf bytes;
    load_patch *patches;
    size_t patch_count, patch_cap;
    unsigned spans;
    bool json;
} load_template;

/** 100 spans or fewer: traces of ten spans over several services. False: out of memory. */
bool load_template_make(load_template *t, bool json, unsigned spans, uint64_t seed);
void load_template_done(load_template *t);
/** Copy it to `out` with fresh ids and current times. `random`: state, any number. */
void load_template_fill(const load_template *t, uint8_t *out, uint64_t *random);
uint64_t load_random(uint64_t *state);

/* ---- sending ----------------------------------------------------------------------------------------------
 */

/** Room for one request; a transport embeds it. */
typedef struct load_slot {
    struct load_slot *next_idle;
    uint8_t *bytes; /* `head` bytes for the transport, then the request */
    size_t len;     /* of the request */
    unsigned spans;
    uint64_t due_ns; /* latency counts from here */
} load_slot;

typedef struct load_options {
    char host[256];
    uint16_t port;
    bool json;
    unsigned connections, streams;
} load_options;

/** A way to send. All on the loop. */
typedef struct load_transport {
    size_t head_bytes, slot_bytes; /* before the request; of the struct that embeds load_slot first */
    const char *(*start)(jg_loop *loop, const load_options *options, load_slot **slots,
                         size_t count); /* NULL: good */
    void (*send)(load_slot *slot);
    void (*stop)(void);
} load_transport;

extern const load_transport load_grpc, load_http;

/** The transport reports the end of a request. `rejected`: spans of a partial success. */
void load_answered(load_slot *slot, bool ok, uint64_t rejected, const char *error);
/** Rejected spans in an ExportTraceServiceResponse. */
uint64_t load_rejected_pb(const uint8_t *bytes, size_t len);
/** Connect, blocking; then non-blocking. -1: failed */
int load_connect(const load_options *options);

#endif
