/* SPDX-License-Identifier: Apache-2.0
 * What the requests to our servers were like: for each name how many run, how long they took, and an example
 * of each duration and of a failure. Kept once somebody asks (jg_net_requests); bounded: JG_REQUEST_NAMES_MAX
 * names, the others share one. Threads: any.
 */
#ifndef JG_NET_REQUESTS_H
#define JG_NET_REQUESTS_H

#include "core/attr.h"
#include <jaeger/base.h>

#define JG_REQUEST_BUCKETS   9 /* below 10 us, 100 us, 1 ms, 10 ms, 100 ms, 1 s, 10 s, 100 s, and above */
#define JG_REQUEST_NAME_MAX  96
#define JG_REQUEST_NAMES_MAX 128

typedef struct jg_request_example {
    uint64_t start_unix_ns, duration_ns; /* start 0: there is none */
    int code;                            /* HTTP status or gRPC code */
    char error[96];
} jg_request_example;

typedef struct jg_request_row {
    char name[JG_REQUEST_NAME_MAX]; /* "jaeger_query GET /api/traces", "otlp /…TraceService/Export" */
    uint64_t running, failed, took[JG_REQUEST_BUCKETS];
    jg_request_example last[JG_REQUEST_BUCKETS], last_failed;
} jg_request_row;

typedef struct jg_requests jg_requests;
jg_requests *jg_requests_new(void); /* NULL: out of memory */
void jg_requests_free(jg_requests *requests);

/** One request, on the stack of who handles it. */
typedef struct jg_request_mark {
    jg_requests *requests; /* NULL: nobody asks */
    char name[JG_REQUEST_NAME_MAX];
    int row; /* < 0: new */
    uint64_t start_unix_ns, start_ns;
} jg_request_mark;

/** @param owner id of the component; @param path of a gRPC method, or of a URL (two segments of it count) */
void jg_requests_begin(jg_requests *requests, jg_request_mark *mark, const char *owner, jaeger_str method,
                       jaeger_str path);
/** @param unknown a path that nobody knows gets no name of its own */
void jg_requests_end(jg_request_mark *mark, int code, bool failed, bool unknown, const char *error);
/** Copy row `index`. @return false: there are no more */
bool jg_requests_row(jg_requests *requests, size_t index, jg_request_row *ret);

#endif
