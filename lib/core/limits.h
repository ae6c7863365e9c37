/* SPDX-License-Identifier: Apache-2.0
 * Every ceiling of the library, each with its reason. Configuration keys override the ones that Jaeger makes
 * configurable.
 */
#ifndef JG_CORE_LIMITS_H
#define JG_CORE_LIMITS_H

#define JG_PB_DEPTH_MAX           64 /* nesting of AnyValue; real data stays under 10, recursion stays small */
#define JG_JSON_DEPTH_MAX         128          /* OTLP-JSON wraps each AnyValue level in two objects */
#define JG_YAML_DEPTH_MAX         64           /* nesting of a configuration file */
#define JG_YAML_BYTES_MAX         (4u << 20)   /* a configuration file */
#define JG_YAML_NODES_MAX         200000       /* alias bombs: an anchor may be repeated, not without end */
#define JG_YAML_ARENA_BYTES_MAX   (128u << 20) /* the tree of one configuration: all nodes and some text */
#define JG_CONFIG_EXPANSIONS_MAX  1000         /* rounds of ${...} in one value; confmap's limit */
#define JG_CONFIG_VALUE_BYTES_MAX (1u << 20)  /* one value after ${...} was put in: certificates are smaller \
                                               */
#define JG_GRPC_MESSAGE_BYTES_MAX (4u << 20)  /* gRPC's default for received messages */
#define JG_HTTP_BODY_BYTES_MAX    (20u << 20) /* confighttp's default max_request_body_size */
#define JG_HEADER_LIST_BYTES_MAX                                                                             \
    (16u << 10) /* nghttp2 SETTINGS_MAX_HEADER_LIST_SIZE; grpc-go's is 16 MiB, its callers send < 8 KiB */
#define JG_IN_FLIGHT_BYTES_MAX (256u << 20) /* request bytes admitted at once by one listener set */
#define JG_WORKERS_MAX         64   /* threads that may block in storage at once; each costs < 32 KiB */
#define JG_JOBS_MAX            4096 /* requests that wait for a worker; then UNAVAILABLE */
#define JG_RETRY_AFTER_MS      1000 /* advice when a queue is full: long enough to drain 4096 jobs */
#define JG_CALL_ARENA_BYTES_MAX                                                                              \
    (256u << 20) /* results of one query: names, ids, one adjusted trace's index */
#define JG_TIMEOUT_DEFAULT_NS (30ull * 1000000000ull) /* a request without a deadline of its own */

#endif
