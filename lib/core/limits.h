/* SPDX-License-Identifier: Apache-2.0
 * Every ceiling of the library, each with its reason. Configuration keys override the ones that Jaeger makes
 * configurable.
 */
#ifndef JG_CORE_LIMITS_H
#define JG_CORE_LIMITS_H

#define JG_PB_DEPTH_MAX          64 /* nesting of AnyValue; real data stays under 10, recursion stays small */
#define JG_JSON_DEPTH_MAX        128          /* OTLP-JSON wraps each AnyValue level in two objects */
#define JG_YAML_DEPTH_MAX        64           /* nesting of a configuration file */
#define JG_YAML_BYTES_MAX        (4u << 20)   /* a configuration file */
#define JG_YAML_NODES_MAX        200000       /* alias bombs: an anchor may be repeated, not without end */
#define JG_YAML_ARENA_BYTES_MAX  (128u << 20) /* the tree of one configuration: all nodes and some text */
#define JG_CONFIG_EXPANSIONS_MAX 1000         /* rounds of ${...} in one value; confmap's limit */
#define JG_CONFIG_VALUE_BYTES_MAX                                                                            \
    (1u << 20)                                /* one value after ${...} was put in: certificates are smaller \
                                               */
#define JG_GRPC_MESSAGE_BYTES_MAX (4u << 20)  /* gRPC's default for received messages */
#define JG_HTTP_BODY_BYTES_MAX    (20u << 20) /* confighttp's default max_request_body_size */
#define JG_THRIFT_DEPTH_MAX       32          /* nesting of unknown Thrift fields; Jaeger's own are 4 deep */
#define JG_TRANSLATED_BYTES_MAX                                                                              \
    (64u << 20) /* OTLP made of one Jaeger or Zipkin request; it grows up to eightfold */
#define JG_HEADER_LIST_BYTES_MAX                                                                             \
    (16u << 10) /* nghttp2 SETTINGS_MAX_HEADER_LIST_SIZE; grpc-go's is 16 MiB, its callers send < 8 KiB */
#define JG_HTTP_HEAD_BYTES_MAX                                                                               \
    (64u << 10) /* request line and headers: long searches in URLs, cookies of proxies */
#define JG_HTTP_CONNS_MAX         10000 /* of one server; idle ones are closed first. About 10 KB each */
#define JG_HTTP_IDLE_NS           (300ull * 1000000000ull) /* between requests; clients reuse for up to 90 s */
#define JG_HTTP_STALL_NS          (60ull * 1000000000ull)  /* for a head, a handshake, a slice of a reply */
#define JG_HTTP_BODY_RATE_MIN     1024         /* bytes a second of a body, after the stall time */
#define JG_HTTP_REPLY_WAITING_MAX (256u << 10) /* bytes of a streamed reply that wait for the client */
#define JG_HTTP_CLIENT_IDLE_MAX   100          /* open connections of one client; confighttp's default */
#define JG_HTTP_REPLY_BYTES_MAX   (256u << 20) /* a reply in one piece */
#define JG_IN_FLIGHT_BYTES_MAX    (256u << 20) /* request bytes admitted at once by one listener set */
#define JG_WORKERS_MAX            64 /* threads that may block in storage at once; each costs < 32 KiB */
#define JG_LOOP_REQUEST_BYTES_MAX                                                                            \
    (128u << 10) /* handled on an event loop if nothing in it waits: under a millisecond of work */
#define JG_JOBS_MAX       4096 /* requests that wait for a worker; then UNAVAILABLE */
#define JG_QUERY_JOBS_MAX 1024 /* the same for queries, which have workers of their own */
#define JG_QUERY_NICE     5    /* of those workers: ingest goes first when processors are short */
#define JG_BATCH_WAITING_BYTES_MAX                                                                           \
    (128u << 20) /* taken in by one batch processor and not yet sent; then UNAVAILABLE */
#define JG_SPOOL_BYTES                                                                                       \
    (1ull << 30) /* a persistent queue: a quarter of an hour at 10,000 spans a second, 100 B each */
#define JG_MERGE_BYTES_MIN (512u << 10) /* requests of a sending queue sent as one: more gains little */
#define JG_MERGE_BYTES_MAX (2u << 20)   /* the same; gRPC servers take 4 MiB by default */
#define JG_MERGE_WAIT_NS   (5ull * 1000000ull) /* a request waits so long for a sending that is under way */
#define JG_SENDINGS_MAX    10 /* of an exporter without a queue at a time; the default of num_consumers */
#define JG_OWED_BYTES_MAX                                                                                    \
    (128u << 20)               /* requests that an exporter without a queue has taken in; then UNAVAILABLE */
#define JG_RETRY_AFTER_MS 1000 /* advice when a queue is full: long enough to drain 4096 jobs */
#define JG_CALL_ARENA_BYTES_MAX                                                                              \
    (256u << 20) /* results of one query: names, ids, one adjusted trace's index */
#define JG_HANDSHAKE_NS                                                                                      \
    (20ull * 1000000000ull) /* TLS and HTTP/2 preface; slower peers hold a descriptor for nothing */
#define JG_WRITE_STALL_NS                                                                                    \
    (60ull * 1000000000ull) /* a peer that reads nothing for so long holds up to 256 KiB of ours */
#define JG_LINGER_NS           (1000000000ull) /* for the peer to close too */
#define JG_GRPC_SEND_BYTES_MAX (256u << 20)    /* one message we send; whole traces fit, a runaway does not */
#define JG_GRPC_BACKLOG_BYTES_MAX                                                                            \
    (256u << 10) /* replies that wait for a client; more make their handler wait */
#define JG_GRPC_TIMEOUT_MAX_NS    (24ull * 3600 * 1000000000ull) /* of grpc-timeout, which may say centuries */
#define JG_GRPC_STREAMS_MAX       256 /* concurrent calls of one connection; gRPC clients open more connections */
#define JG_GRPC_CONNECTIONS_MAX   16384       /* of one server: 2 KiB each when idle */
#define JG_GRPC_PARTIAL_BYTES_MAX (64u << 20) /* incomplete requests of one connection: slow senders */
#define JG_GRPC_TRAILERS_MAX      2           /* metadata of ours behind an answer, ... */
#define JG_GRPC_TRAILER_BYTES     72          /* ... each with a value of so many bytes: a cursor has 50 */
#define JG_GRPC_RESETS_BURST      1000 /* RST_STREAMs of one connection before it is cut (CVE-2023-44487) ... */
#define JG_GRPC_RESETS_PER_S      33   /* ... and how fast they are forgiven; nghttp2's defaults */
#define JG_UDP_DATAGRAM_BYTES_MAX 65000 /* Jaeger's default max_packet_size */
#define JG_UDP_BUFFER_BYTES                                                                                  \
    (4u << 20) /* asked of the kernel: a burst of 500 datagrams lost half at its default */
#define JG_TIMEOUT_DEFAULT_NS (30ull * 1000000000ull) /* a request without a deadline of its own */

/* The memory store: names are kept for ever, so they are bounded apart from the byte budget. A tenant costs
 * 12 KB; 4096 of them stay under 64 MB. */
#define JG_MEMORY_TENANTS_MAX    4096
#define JG_MEMORY_SERVICES_MAX   20000
#define JG_MEMORY_OPERATIONS_MAX 200000
#define JG_MEMORY_THROUGHPUT_MAX 1000 /* batches of sampling throughput; one arrives a minute and host */

#define JG_TAIL_WAIT_S_MAX 86400 /* of the tail sampler: it keeps a list for each second */

/* OTTL conditions: written by hand in the configuration, or sent with a query */
#define JG_OTTL_BYTES_MAX  (16u << 10)
#define JG_OTTL_NODES_MAX  4096
#define JG_OTTL_DEPTH_MAX  64 /* brackets, lists, arguments; parsing and evaluation recurse */
#define JG_OTTL_FIELDS_MAX 8  /* words of a path */

/* Span metrics, made and kept. A series costs about 500 bytes; real services have a few thousand. */
#define JG_SPAN_METRICS_SERIES_MAX 100000u       /* of one connector; then one series takes all new ones */
#define JG_SPAN_METRICS_BYTES_MAX  (256u << 20)  /* their keys too: a span's name may be long */
#define JG_SPAN_METRICS_FLUSH_MAX  (1024u << 20) /* one message with all of them */
#define JG_EXPONENTIAL_BUCKETS_MAX 16384         /* max_size; the default is 160 */

#define JG_PROMETHEUS_SERIES_MAX 200000u       /* of one exporter; new ones are dropped, with a log line */
#define JG_PROMETHEUS_BYTES_MAX  (256u << 20)  /* their labels and buckets */
#define JG_PROMETHEUS_PAGE_MAX   (1024u << 20) /* one scrape: labels are repeated on each line */

/* Queries */
#define JG_QUERY_TIMEOUT_NS                                                                                  \
    (120ull * 1000000000ull)                  /* one HTTP request, the reading of its answer included */
#define JG_TRACE_BYTES_MAX      (1024u << 20) /* one trace gathered for adjusting: wire bytes and index */
#define JG_TRACE_HELD_BYTES     (1u << 20)    /* a trace above it is read twice, where the store can */
#define JG_PLAN_BYTES_MAX       ((size_t)256 << 20) /* what is kept of it between: 48 bytes a span */
#define JG_RESPONSE_BYTES       (64u << 10) /* of an HTTP answer before they leave: one write, one chunk */
#define JG_COMPRESS_BYTES_MIN   2048        /* smaller answers leave in two packets as they are */
#define JG_COMPRESS_PIECE_BYTES (16u << 10) /* of packed bytes of a stream that leave together */
#define JG_UI_CONFIG_BYTES_MAX  (1u << 20)  /* a UI configuration file; real ones are a few KB */
#define JG_UI_SPANS_MAX         200u /* full spans in one answer to the UI: a screen of rows and its neighbours */
#define JG_UI_KEYS_MAX          4096u /* attribute keys of a trace to choose from; more nobody reads through */
#define JG_UI_VALUES_MAX        20000u /* values of a key that a page groups by; the rest is one group */
#define JG_UI_VALUE_BYTES_MAX   256u   /* of each; longer ones are cut: they are titles of groups */
#define JG_UI_LINKS_MAX         50000u /* links within one trace */
#define JG_UI_WATCHERS_MAX      16u /* pages that wait for spans; each holds one of JG_WORKERS_MAX workers */
#define JG_UI_PAGE_BYTES_MAX    (4u << 20) /* index.html of a user interface; real ones are 10 KB */

#define JG_SEARCH_TIME_NS (15 * 1000000000ull) /* in which a page's traces are chosen, unless configured */
#define JG_SEARCH_TRACES_MAX                                                                                 \
    20000u /* read for one search that a driver cannot do alone, unless configured                           \
            */

/* Sampling strategies: a file, a reply, adaptive sampling. Real files are a few hundred KB. */
#define JG_SAMPLING_FILE_BYTES_MAX   (16u << 20)
#define JG_SAMPLING_SET_BYTES_MAX    (256u << 20) /* one set in memory; two are there during a reload */
#define JG_SAMPLING_SERVICES_MAX     100000u
#define JG_SAMPLING_OPERATIONS_MAX   1000000u /* of all services, merged ones counted again; 24 bytes each */
#define JG_SAMPLING_REPLY_BYTES_MAX  (64u << 20) /* one strategy written */
#define JG_SAMPLING_RECORDED_MAX     100000u     /* operations of one adaptive interval; 200 bytes each */
#define JG_SAMPLING_BUCKETS_MAX      100u /* intervals of adaptive sampling in memory; Jaeger's default is 10 */
#define JG_SAMPLING_BUCKET_BYTES_MAX (64u << 20) /* one of them */
#define JG_SAMPLING_CACHE_MAX        10000u      /* services a proxy keeps */
#define JG_SAMPLING_CACHE_BYTES_MAX  (64u << 20) /* their strategies */

/* Kafka: what one client of ours may hold */
#define JG_KAFKA_RECORD_BYTES_MIN     1000u        /* librdkafka's least message.max.bytes */
#define JG_KAFKA_RECORD_OVERHEAD      256u         /* of a record beside key, value and headers, generously */
#define JG_KAFKA_FLIGHT_BYTES_MAX     (256u << 20) /* the records of one batch, encoded */
#define JG_KAFKA_PRODUCER_BYTES_MAX   (256u << 20) /* all records that wait for a broker; then UNAVAILABLE */
#define JG_KAFKA_PRODUCER_RECORDS_MAX 1000000      /* the same, counted: one a span in Jaeger's encodings */
#define JG_KAFKA_TOPICS_MAX           1000u /* of one exporter: names may come from clients; 10 KB each */
#define JG_KAFKA_CONSUMER_BYTES_MAX   (64u << 20) /* fetched and not yet stored; then partitions pause */
#define JG_KAFKA_FETCHED_BYTES_MAX    (16u << 20) /* besides, in librdkafka's own queue */
#define JG_KAFKA_RUN_BYTES_MAX        (4u << 20) /* records of a partition that go down the pipeline as one */
#define JG_KAFKA_RUN_RECORDS_MAX      1024       /* the same, counted */
#define JG_KAFKA_WORKERS_MAX          16         /* partitions that are stored at the same time */

#endif
