#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The names in docs/telemetry.md are those that a service with all components serves. metric_names_test.py BINARY DOCS"""
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

binary, page = sys.argv[1], pathlib.Path(sys.argv[2])
SPAN = (b'{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"s"}}]},"scopeSpans":[{'
        b'"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"pay","kind":2}]}]}]}')
POINT = b'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m","gauge":{"dataPoints":[{"asInt":"1"}]}}]}]}]}'


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def config(p, folder):
    return f"""
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:{p[0]}'}}, http: {{endpoint: '127.0.0.1:{p[1]}'}}}}}}
  jaeger: {{protocols: {{thrift_compact: {{endpoint: '127.0.0.1:{p[2]}'}}}}}}
processors:
  batch:
  filter:
  adaptive_sampling:
  tail_sampling: {{policies: [{{name: all, type: always_sample}}]}}
exporters:
  jaeger_storage_exporter: {{trace_storage: memory}}
  jaeger_storage_exporter/disk: {{trace_storage: disk}}
  otlp_http: {{endpoint: 'http://127.0.0.1:1'}}
extensions:
  jaeger_storage: {{backends: {{memory: {{memory: }}, disk: {{embedded: {{directory: '{folder}'}}}}}}}}
  jaeger_query:
    storage: {{traces: memory, traces_archive: disk}}
    http: {{endpoint: '127.0.0.1:{p[3]}'}}
    grpc: {{endpoint: '127.0.0.1:{p[4]}'}}
  remote_sampling:
    adaptive: {{sampling_store: memory}}
    http: {{endpoint: '127.0.0.1:{p[5]}'}}
    grpc: {{endpoint: '127.0.0.1:{p[6]}'}}
service:
  extensions: [jaeger_storage, jaeger_query, remote_sampling]
  telemetry:
    metrics: {{level: detailed, readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {p[7]}}}}}}}}}]}}
    traces: {{processors: [{{batch: {{exporter: {{pipeline: traces}}}}}}]}}
  pipelines:
    traces:
      receivers: [otlp, jaeger]
      processors: [adaptive_sampling, filter, tail_sampling, batch]
      exporters: [jaeger_storage_exporter, jaeger_storage_exporter/disk, otlp_http]
    metrics: {{receivers: [otlp], processors: [filter], exporters: [otlp_http]}}
"""


def get(port, path, body=None):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read().decode()


def served(port):
    return set(re.findall(r"^# TYPE (\S+)", get(port, "/metrics"), re.MULTILINE))


class MetricNames(unittest.TestCase):
    def test_the_page_names_what_is_served(self):
        text = page.read_text().split("## Metrics", 1)[1].split("With Kafka and OpenSearch", 1)[0]
        rows = [line for line in text.splitlines() if line.startswith("| `")]
        named = {name for row in rows for name in re.findall(r"`([a-z_0-9]+)`", row.split("|")[1])}
        self.assertGreater(len(named), 50)
        with tempfile.TemporaryDirectory(prefix="jaeger-metrics-test-") as folder:
            ports = free_ports(8)
            path = pathlib.Path(folder) / "config.yaml"
            path.write_text(config(ports, folder + "/disk"))
            process = subprocess.Popen([binary, "--config", str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            try:
                until = time.monotonic() + 60
                while True:
                    try:
                        get(ports[1], "/v1/traces", SPAN)
                        break
                    except (urllib.error.URLError, ConnectionError):
                        self.assertIsNone(process.poll(), process.stderr.read() if process.poll() is not None else "")
                        self.assertLess(time.monotonic(), until, "the service does not start")
                        time.sleep(0.05)
                get(ports[1], "/v1/metrics", POINT)
                get(ports[3], "/api/services")
                get(ports[5], "/sampling?service=s")
                names = served(ports[7])
                while named - names and time.monotonic() < until:  # some come with the first use
                    time.sleep(0.1)
                    names = served(ports[7])
            finally:
                process.kill()
                process.communicate()
        self.assertEqual(sorted(named - names), [], "named in docs/telemetry.md, but not served")
        self.assertEqual(sorted(names - named), [], "served, but not named in docs/telemetry.md")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
