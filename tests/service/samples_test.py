#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Configurations of the same make as the samples in Jaeger's repository (cmd/jaeger/config-*.yaml, by their names), in
our own words: each must pass `validate`, or be refused with the name of what is missing. samples_test.py BINARY"""
import pathlib
import subprocess
import sys
import tempfile
import unittest

binary = sys.argv[1]
folder = pathlib.Path(tempfile.mkdtemp(prefix="jaeger-samples-test-"))

OTLP = "otlp: {protocols: {grpc: , http: {endpoint: '0.0.0.0:4318'}}}"
CLIENTS = OTLP + ", jaeger: {protocols: {grpc: , thrift_binary: , thrift_compact: , thrift_http: }}"
HEALTH = "healthcheckv2: {use_v2: true, http: }"
STORE = "jaeger_storage_exporter: {trace_storage: one}"
READERS = "[{pull: {exporter: {prometheus: {host: 0.0.0.0, port: 8888}}}}]"


def store(kind, more="", archive=False, metrics=""):
    """jaeger_storage and jaeger_query over it."""
    backends = f"one: {{{kind}: {{{more}}}}}" + (f", two: {{{kind}: {{{more}}}}}" if archive else "")
    query = "traces: one" + (", traces_archive: two" if archive else "") + (", metrics: counted" if metrics else "")
    counted = f", metric_backends: {{counted: {{{metrics}}}}}" if metrics else ""
    return f"jaeger_storage: {{backends: {{{backends}}}{counted}}}, jaeger_query: {{storage: {{{query}}}}}"


def sample(extensions, receivers=OTLP, processors="batch: ", exporters=STORE, connectors="", pipelines=None):
    def names(block):
        depth, name, found = 0, "", []
        for c in block + ",":
            depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(c, 0)
            if c == "," and depth == 0:
                found.append(name.split(":")[0].strip())
                name = ""
            else:
                name += c
        return ", ".join(n for n in found if n)

    traces = f"{{receivers: [{names(receivers)}], processors: [{names(processors)}], exporters: [{names(exporters)}]}}"
    return f"""
receivers: {{{receivers}}}
processors: {{{processors}}}
exporters: {{{exporters}}}
connectors: {{{connectors}}}
extensions: {{{extensions}}}
service:
  extensions: [{names(extensions)}]
  pipelines: {{{pipelines or "traces: " + traces}}}
  telemetry: {{resource: {{service.name: jaeger}}, metrics: {{level: detailed, readers: {READERS}}}, logs: {{level: info}}}}
"""


def search(kind, rotation="", **more):
    indices = f", indices: {{index_prefix: x, spans: {{shards: 1, replicas: 0{rotation}}}}}"
    return sample(store(kind, "server_urls: ['http://localhost:9200']" + indices, **more) + ", " + HEALTH)


def tail(policy):
    return sample(store("memory", "max_traces: 100000") + ", " + HEALTH,
                  processors=f"tail_sampling: {{decision_wait: 5s, policies: [{policy}]}}")


KAFKA = "brokers: ['${env:KAFKA_BROKER:-localhost:9092}']"
ADAPTIVE = "remote_sampling: {adaptive: {sampling_store: one, initial_sampling_probability: 0.1}, http: , grpc: }"
MISSING = {  # what a refusal names, as long as it is not there
    "cassandra": "unknown kind of storage 'cassandra'",
    "clickhouse": "unknown kind of storage 'clickhouse'",
    "spm-clickhouse": "unknown kind of storage 'clickhouse'",
    "elasticsearch-data-stream": "indices.spans.rotation: data_stream is not yet implemented",  # nor in Jaeger
    "opensearch-data-stream": "indices.spans.rotation: data_stream is not yet implemented",
    "otel-collector in docker-compose/tail-sampling": 'unknown type: "loadbalancing"',
}
SAMPLES = {
    "config": sample(store("memory", "max_traces: 100000", archive=True) + ", " + HEALTH + ", " + ADAPTIVE +
                     ", pprof: {endpoint: '0.0.0.0:1777'}", receivers=CLIENTS + ", zipkin: ",
                     processors="batch: , adaptive_sampling: "),
    "badger": sample(store("badger", "directories: {keys: /tmp/x, values: /tmp/x}, ephemeral: false, ttl: {spans: 48h}",
                           archive=True) + ", " + HEALTH),
    "cassandra": sample(store("cassandra", "schema: {keyspace: x}, connection: {servers: ['127.0.0.1:9042'], tls: "
                              "{insecure: true}}", archive=True) + ", " + HEALTH, receivers=CLIENTS),
    "clickhouse": sample(store("clickhouse", "addresses: ['localhost:9000']") + ", " + HEALTH),
    **{f"{kind}{name}": search(kind, rotation) for kind in ("elasticsearch", "opensearch") for name, rotation in (
        ("", ", date_layout: '2006-01-02', rollover_frequency: day"),
        ("-auto-rollover", ", rotation: {auto_rollover: {policy_name: p}}"),
        ("-manual-rollover", ", rotation: {manual_rollover: {}}"),
        ("-data-stream", ", rotation: {data_stream: {policy_name: p}}"))},
    "spm-elasticsearch": search("elasticsearch", metrics="elasticsearch: {server_urls: ['http://elasticsearch:9200']}"),
    "spm-opensearch": search("opensearch", metrics="opensearch: {server_urls: ['http://opensearch:9200']}"),
    "spm-clickhouse": sample(store("clickhouse", "addresses: ['clickhouse:9000']",
                                   metrics="clickhouse: {addresses: ['clickhouse:9000']}")),
    "spm": sample(
        store("memory", "max_traces: 100000", metrics="prometheus: {endpoint: 'http://prometheus:9090', normalize_calls: "
              "true, normalize_duration: true}"),
        exporters=STORE + ", prometheus: {endpoint: '0.0.0.0:8889'}",
        connectors="spanmetrics: {metrics_flush_interval: '${env:SPANMETRICS_FLUSH_INTERVAL:-60s}'}",
        pipelines="traces: {receivers: [otlp], processors: [batch], exporters: [jaeger_storage_exporter, spanmetrics]}, "
                  "metrics/spanmetrics: {receivers: [spanmetrics], exporters: [prometheus]}"),
    "kafka-collector": sample(HEALTH, receivers=CLIENTS,
                              exporters=f"kafka: {{{KAFKA}, traces: {{topic: spans, encoding: otlp_proto}}}}"),
    "kafka-ingester": sample(store("memory", "max_traces: 100000") + ", " + HEALTH, receivers=f"kafka: {{{KAFKA}, traces: "
                             "{topics: [spans], encoding: otlp_proto}, initial_offset: earliest}"),
    "kafka-ingester-sync": sample(
        store("elasticsearch", "write_mode: sync, poison_pill_handling: drop, bulk_processing: {max_bytes: 5000000}") + ", " +
        HEALTH, receivers=f"kafka: {{{KAFKA}, traces: {{topics: [spans]}}, message_marking: {{after: true}}}}",
        processors="", exporters="jaeger_storage_exporter: {trace_storage: one, queue: {wait_for_result: true, sizer: bytes, "
        "num_consumers: 1, queue_size: 104857600, batch: {sizer: bytes, flush_timeout: 200ms, min_size: 0, max_size: "
        "4194304}}}"),
    "ocb-smoketest": sample(store("memory", "max_traces: 100000") + ", " + HEALTH +
                            ", remote_sampling: {file: {path: , default_sampling_probability: 1, reload_interval: 1s}, "
                            "http: {endpoint: '0.0.0.0:5778'}, grpc: {endpoint: '0.0.0.0:5779'}}"),
    "query": sample(store("grpc", "endpoint: 'localhost:17271', tls: {insecure: true}") + ", " + HEALTH,
                    receivers="nop: ", exporters="nop: "),
    "remote-storage": sample(store("grpc", "endpoint: '${env:STORE:-localhost:17271}', tls: {insecure: true}, writer: "
                                   "{endpoint: '0.0.0.0:4316', tls: {insecure: true}}") + ", " + HEALTH),
    "remote-storage-backend": sample("jaeger_storage: {backends: {one: {memory: {max_traces: 100000}}}}, remote_storage: "
                                     "{endpoint: 'localhost:17271', storage: one}, " + HEALTH),
    "tail-sampling-always-sample": tail("{name: all, type: always_sample}"),
    "tail-sampling-service-name-policy": tail("{name: some, type: string_attribute, string_attribute: {key: service.name, "
                                              "values: [a, b]}}"),
    "otel-collector in docker-compose/tail-sampling": sample(HEALTH, exporters="loadbalancing: {}"),
}


class Samples(unittest.TestCase):
    def test_samples_are_taken_or_refused_by_name(self):
        known = subprocess.run([binary, "components"], capture_output=True, text=True, timeout=20).stdout
        for name, text in SAMPLES.items():
            with self.subTest(name):
                if "kafka" in name and "kafka" not in known:
                    self.skipTest("built without Kafka")
                path = folder / "sample.yaml"
                path.write_text(text)
                done = subprocess.run([binary, "validate", "--config", str(path)], capture_output=True, text=True, timeout=20)
                if name in MISSING and done.returncode:
                    self.assertIn(MISSING[name], done.stderr)
                else:
                    self.assertEqual(done.returncode, 0, f"{text}\n{done.stderr}")


# processors, exporters, connectors, extensions, service::extensions, what the refusal says beside file:line
ABSURD = {
    "negative size": ("", "otlp: {endpoint: 'a:1', sending_queue: {queue_size: -5}}", "", "", "",
                      "exporters::otlp::sending_queue: `queue_size` must be positive"),
    "negative number": ("batch: {send_batch_size: -1}", "nop: ", "", "", "",
                        "processors::batch::send_batch_size' cannot parse, -1 overflows uint"),
    "contradiction": ("batch: {send_batch_size: 10, send_batch_max_size: 5}", "nop: ", "", "", "",
                      "processors::batch: send_batch_max_size must be greater or equal to send_batch_size"),
    "unknown action": ("attributes: {actions: [{key: a, action: explode}]}", "nop: ", "", "", "",
                       "processors::attributes: error creating AttrProc: unsupported action"),
    "bad regular expression": ("attributes: {include: {match_type: regexp, span_names: ['[']}, actions: [{key: a, action: "
                               "delete}]}", "nop: ", "", "", "", 'processors::attributes: include: invalid pattern "["'),
    "bad condition": ("filter: {traces: {span: ['name == ']}}", "nop: ", "", "", "", 'processors::filter: traces::span[0]: '
                      'condition "name == ": 1:9'),
    "cycle": ("", "forward: ", "forward: ", "", "", "cycle detected"),
    "processor without its extension": ("adaptive_sampling: ", "nop: ", "", "", "", "failed to build processors: unable to find "
                                        "extension remote_sampling on which processor adaptive_sampling depends"),
    "exporter without its extension": ("", "jaeger_storage_exporter: {trace_storage: x}", "", "", "",
                                       "unable to find extension jaeger_storage"),
    "authenticator that is not there": ("", "otlp: {endpoint: 'a:1', auth: {authenticator: nobody}}", "", "", "",
                                        'exporters::otlp::auth: failed to resolve authenticator "nobody"'),
    "unknown compression": ("", "otlp: {endpoint: 'a:1', compression: rar}", "", "", "",
                            'exporters::otlp: unsupported compression type "rar"'),
    "certificate without key": ("", "otlp: {endpoint: 'a:1', tls: {cert_file: /x}}", "", "", "",
                                "exporters::otlp: tls: failed to load TLS config"),
    "unknown policy": ("tail_sampling: {policies: [{name: a, type: magic}]}", "nop: ", "", "", "",
                       "processors::tail_sampling::policies::0: unknown sampling policy type magic"),
    "extension without another": ("", "nop: ", "", "jaeger_query: {storage: {traces: a}}", "jaeger_query",
                                  "unable to find extension jaeger_storage on which extension jaeger_query depends"),
}


class Absurd(unittest.TestCase):
    def test_they_are_refused_with_file_and_line(self):
        for name, (processors, exporters, connectors, extensions, listed, want) in ABSURD.items():
            with self.subTest(name):
                ids = [b.split(":")[0] for b in (processors, exporters)]
                more = ", traces/2: {receivers: [forward], exporters: [forward]}" if connectors else ""
                path = folder / "absurd.yaml"
                path.write_text(f"""receivers: {{nop: }}
processors: {{{processors}}}
exporters: {{{'nop: ' if connectors else exporters}}}
connectors: {{{connectors}}}
extensions: {{{extensions}}}
service:
  extensions: [{listed}]
  pipelines: {{traces: {{receivers: [nop], processors: [{ids[0]}], exporters: [{ids[1]}]}}{more}}}
""")
                done = subprocess.run([binary, "validate", "--config", str(path)], capture_output=True, text=True, timeout=20)
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn(want, done.stderr)
                if name != "cycle":  # it is of several places
                    self.assertIn(f"{path}:", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
