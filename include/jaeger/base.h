/* SPDX-License-Identifier: Apache-2.0
 * Base types of libjaeger: strings, statuses, errors, the call object, arenas, logging.
 *
 * Names that begin with jaeger_ / JAEGER_ are promised; they change only with the soversion. Plain C11, valid
 * C++17.
 */
#ifndef JAEGER_BASE_H
#define JAEGER_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JAEGER_VERSION_MAJOR 0
#define JAEGER_VERSION_MINOR 1
#define JAEGER_VERSION_PATCH 0
#define JAEGER_VERSION       "0.1.0"

#if defined(__GNUC__)
#define JAEGER_API               __attribute__((visibility("default")))
#define JAEGER_MUST_CHECK        __attribute__((warn_unused_result))
#define JAEGER_FORMAT(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define JAEGER_API
#define JAEGER_MUST_CHECK
#define JAEGER_FORMAT(fmt, args)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** Bytes with a length; UTF-8 where it is text; not NUL-terminated. A NULL `ptr` means "absent". */
typedef struct jaeger_str {
    const char *ptr;
    size_t len;
} jaeger_str;

#ifdef __cplusplus
#define JAEGER_STR(literal) (jaeger_str{(literal), sizeof(literal) - 1})
#else
#define JAEGER_STR(literal) ((jaeger_str){(literal), sizeof(literal) - 1})
#endif
/** printf support: printf("%.*s", JAEGER_STR_ARGS(s)). */
#define JAEGER_STR_ARGS(s) (int)(s).len, (s).ptr ? (s).ptr : ""

/** What the caller should do; the numbers are the gRPC status codes. Functions that can fail return one. */
typedef enum jaeger_status {
    JAEGER_OK = 0,
    JAEGER_CANCELLED = 1, /**< also: a consumer that has had enough */
    JAEGER_UNKNOWN = 2,
    JAEGER_INVALID_ARGUMENT = 3,
    JAEGER_DEADLINE_EXCEEDED = 4,
    JAEGER_NOT_FOUND = 5,
    JAEGER_ALREADY_EXISTS = 6,
    JAEGER_PERMISSION_DENIED = 7,
    JAEGER_RESOURCE_EXHAUSTED = 8,
    JAEGER_FAILED_PRECONDITION = 9,
    JAEGER_ABORTED = 10,
    JAEGER_OUT_OF_RANGE = 11,
    JAEGER_UNIMPLEMENTED = 12,
    JAEGER_INTERNAL = 13,
    JAEGER_UNAVAILABLE = 14, /**< retry later */
    JAEGER_DATA_LOSS = 15,
    JAEGER_UNAUTHENTICATED = 16,
    JAEGER_PENDING = 100 /**< of a consumer only: the end is told to call->later (jaeger/batch.h) */
} jaeger_status;

/** The canonical gRPC name, e.g. "INVALID_ARGUMENT"; never NULL. */
JAEGER_API const char *jaeger_status_name(jaeger_status status);

/** A failure: `status` is what the program acts on, `message` (NUL-terminated, UTF-8) what a person reads. */
typedef struct jaeger_error {
    jaeger_status status;
    uint32_t retry_after_ms; /**< 0: no advice */
    char message[504];
} jaeger_error;

/** Fill `err` (may be NULL) and return `status`, so that `return jaeger_fail(...)` reads well. */
JAEGER_API jaeger_status jaeger_fail(jaeger_error *err, jaeger_status status, const char *format, ...)
    JAEGER_FORMAT(3, 4);

/** Memory that is given back all at once. Not thread-safe; one arena belongs to one call or one object. */
typedef struct jaeger_arena jaeger_arena;

/** @param bytes_max ceiling of all that it may hold; allocations above it return NULL. 0: no ceiling of its
 * own
 *  @return NULL when out of memory */
JAEGER_API jaeger_arena *jaeger_arena_new(size_t bytes_max);
JAEGER_API void jaeger_arena_free(jaeger_arena *arena);
/** Keep the first block, forget all else: for reuse in a loop. */
JAEGER_API void jaeger_arena_reset(jaeger_arena *arena);
/** 16-byte aligned, uninitialised. @return NULL when out of memory or above the ceiling */
JAEGER_API void *jaeger_arena_alloc(jaeger_arena *arena, size_t bytes);
/** Copy `s` into the arena, NUL-terminated. @return a NULL ptr when out of memory */
JAEGER_API jaeger_str jaeger_arena_str(jaeger_arena *arena, jaeger_str s);

/** A key and a value, both text. */
typedef struct jaeger_pair {
    jaeger_str key, value;
} jaeger_pair;

/** Where a call that was left pending ends: see jaeger_consumer. */
typedef struct jaeger_later {
    /** Called once, from any thread; must not wait. The text is in call->error. */
    void (*done)(void *user, jaeger_status status);
    void *user;
} jaeger_later;

/** One per request, on the caller's stack: deadline and identity go down, results' memory and the error come
 * up. */
typedef struct jaeger_call {
    size_t size;          /**< sizeof(jaeger_call); JAEGER_CALL_INIT sets it */
    uint64_t deadline_ns; /**< CLOCK_MONOTONIC; 0: none. Servers always set one */
    jaeger_str tenant;    /**< empty: the default tenant */
    jaeger_str bearer_token;
    jaeger_arena *arena;  /**< results of this call live here until it ends */
    const int *cancelled; /**< NULL, or a flag another thread sets to non-zero when nobody waits any more */
    const jaeger_pair *metadata; /**< request headers with lower-case names, if the receiver keeps them */
    size_t metadata_count;
    jaeger_error error;             /**< set when the call's status is not OK */
    jaeger_str user;                /**< who an authenticator says this is; empty: not known */
    const jaeger_str *user_tenants; /**< the only tenants this user may use, the usual one first; "*": any.
                                       NULL: no rule, the request's header decides */
    size_t user_tenant_count;
    struct jaeger_tracer *tracer;       /**< records what is done for this call; NULL: nobody */
    const struct jaeger_context *trace; /**< the span that this call belongs to; NULL: none */
    const jaeger_later *later;          /**< NULL: the caller waits for the end. Else see jaeger_consumer */
} jaeger_call;

#ifdef __cplusplus
#define JAEGER_CALL_INIT (jaeger_call{sizeof(jaeger_call)})
#else
#define JAEGER_CALL_INIT ((jaeger_call){.size = sizeof(jaeger_call)})
#endif

/** OK; DEADLINE_EXCEEDED or CANCELLED with the text set. Long loops ask now and then. */
JAEGER_API jaeger_status jaeger_call_check(jaeger_call *call);

typedef enum jaeger_level {
    JAEGER_DEBUG = 0,
    JAEGER_INFO = 1,
    JAEGER_WARN = 2,
    JAEGER_ERROR = 3
} jaeger_level;

/** Where log lines go. `write` is called from any thread; a line has no newline at its end. */
typedef struct jaeger_log_sink {
    void (*write)(void *user, jaeger_level level, jaeger_str line);
    void *user;
    jaeger_level level; /**< lines below it are not made */
    bool json;          /**< one JSON object a line, else key=value */
} jaeger_log_sink;

/** A sink and the id of the component that speaks. */
typedef struct jaeger_logger {
    const jaeger_log_sink *sink;
    const char *component;
} jaeger_logger;

/** Log one event. `format` makes the whole line: a message, then key=value pairs. Threads: any. */
JAEGER_API void jaeger_log(const jaeger_logger *log, jaeger_level level, const char *format, ...)
    JAEGER_FORMAT(3, 4);

#ifdef __cplusplus
}
#endif
#endif
