# SPDX-License-Identifier: Apache-2.0
"""Our binaries between others: an OpenTelemetry Collector before and behind them, a Prometheus that scrapes them."""
import subprocess
import time
import uuid

import engines
import peers
import pytest
import requests
from conftest import ALL_IN_ONE, Jaeger
from test_forward import QUICK, Front, exporter_to, folder
from ports import free_ports


class Collector:
    """An OpenTelemetry Collector that takes OTLP and sends it on."""

    def __init__(self, directory, binary, exporter, signal="traces"):
        self.grpc, self.http = free_ports(2)
        config = directory / "otelcol.yaml"
        config.write_text(f"""
service:
  pipelines: {{{signal}: {{receivers: [otlp], processors: [batch], exporters: [{exporter.split(":")[0]}]}}}}
  telemetry: {{metrics: {{level: none}}}}
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{self.grpc}"}}, http: {{endpoint: "127.0.0.1:{self.http}"}}}}}}}}
processors: {{batch: }}
exporters: {{{exporter}}}
""")
        self.process = subprocess.Popen([binary, "--config", str(config)], stderr=subprocess.DEVNULL)

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


@pytest.fixture(scope="module")
def otelcol():
    try:
        return peers.collector()
    except engines.Unavailable as why:
        pytest.skip(str(why))


@pytest.mark.parametrize("kind", ["otlp", "otlphttp"])
def test_spans_pass_a_collector(tmp_path, otelcol, kind):
    destination = Jaeger(folder(tmp_path, "destination")).start()
    collector = Collector(tmp_path, otelcol, exporter_to(kind, destination))
    front = Front(folder(tmp_path, "front"), exporter_to(kind, collector, QUICK)).start()
    try:
        trace_id = uuid.uuid4().hex
        assert front.send(trace_id, spans=50).status_code == 200
        assert len(destination.trace(trace_id, spans=50, timeout=60)["spans"]) == 50
        assert front.metric("otelcol_exporter_sent_spans") == 50
    finally:
        front.stop()
        collector.stop()
        destination.stop()


class SpanMetrics(Jaeger):
    """Takes spans and counts them into <exporter>, or takes metrics: one pipeline for each."""

    def __init__(self, directory, pipelines, exporters):
        super().__init__(directory, binary=ALL_IN_ONE)
        self.prometheus, = free_ports(1)
        self.config.write_text(f"""
service:
  extensions: [healthcheckv2]
  pipelines: {{{pipelines}}}
  telemetry: {{metrics: {{readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {self.metrics}}}}}}}}}]}}}}
extensions:
  healthcheckv2: {{use_v2: true, http: {{endpoint: "127.0.0.1:{self.health}"}}}}
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{self.grpc}"}}, http: {{endpoint: "127.0.0.1:{self.http}"}}}}}}
connectors: {{span_metrics: {{metrics_flush_interval: 300ms}}}}
exporters:
  prometheus: {{endpoint: "127.0.0.1:{self.prometheus}"}}
  {exporters}
""")

    def send(self, name):
        body = {"resourceSpans": [{
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
            "scopeSpans": [{"spans": [{"traceId": uuid.uuid4().hex, "spanId": "00000000000000aa", "name": name, "kind": 2,
                                       "startTimeUnixNano": str(time.time_ns()),
                                       "endTimeUnixNano": str(time.time_ns() + 3_000_000)}]}]}]}
        reply = requests.post(f"http://127.0.0.1:{self.http}/v1/traces", json=body, timeout=30)
        assert reply.status_code == 200, reply.text

    def scrape(self):
        return requests.get(f"http://127.0.0.1:{self.prometheus}/metrics", timeout=10).text


COUNTING = """traces: {receivers: [otlp], exporters: [span_metrics]},
              metrics: {receivers: [span_metrics], exporters: [EXPORTER]}"""


def test_metrics_pass_a_collector(tmp_path, otelcol):
    """Spans are counted here, the counts go to the Collector, and from there to a second process that shows them."""
    shows = SpanMetrics(folder(tmp_path, "shows"), "metrics: {receivers: [otlp], exporters: [prometheus]}", "").start()
    collector = Collector(tmp_path, otelcol, exporter_to("otlphttp", shows), signal="metrics")
    exporter = exporter_to("otlp", collector, QUICK)
    counts = SpanMetrics(folder(tmp_path, "counts"), COUNTING.replace("EXPORTER", "otlp"), exporter).start()
    try:
        for _ in range(5):
            counts.send("buy")
        wanted = 'traces_span_metrics_calls_total{'
        deadline = time.monotonic() + 60
        while not [line for line in shows.scrape().splitlines() if line.startswith(wanted) and line.endswith(" 5")]:
            assert time.monotonic() < deadline, shows.scrape() + counts.output()
            time.sleep(0.2)
        assert 'span_name="buy"' in shows.scrape() and 'service_name="shop"' in shows.scrape()
    finally:
        counts.stop()
        collector.stop()
        shows.stop()


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_own_metrics_are_pushed(tmp_path, protocol):
    """Periodic readers: our own metrics to a second process, over each protocol."""
    shows = SpanMetrics(folder(tmp_path, "shows"), "metrics: {receivers: [otlp], exporters: [prometheus]}", "").start()
    port = shows.grpc if protocol == "grpc" else shows.http
    tells = SpanMetrics(folder(tmp_path, "tells"), "traces: {receivers: [otlp], exporters: [nop]}", "nop: ")
    text = tells.config.read_text().replace("readers: [", f"readers: [{{periodic: {{interval: 200, exporter: {{otlp: {{"
                                            f"endpoint: 'http://127.0.0.1:{port}', protocol: {protocol}}}}}}}}}, ")
    tells.config.write_text(text)
    tells.start()
    try:
        tells.send("buy")
        deadline = time.monotonic() + 60
        while not any("otelcol_receiver_accepted_spans_total{" in line and 'receiver="otlp"' in line and line.endswith(" 1")
                      for line in shows.scrape().splitlines()):
            assert time.monotonic() < deadline, shows.scrape() + tells.output()
            time.sleep(0.1)
    finally:
        assert tells.stop() == 0
        shows.stop()


def test_prometheus_scrapes_span_metrics_and_the_monitor_page_reads_them(tmp_path):
    try:
        peers.prometheus_binary()
    except engines.Unavailable as why:
        pytest.skip(str(why))
    server = SpanMetrics(folder(tmp_path, "server"), COUNTING.replace("EXPORTER", "prometheus"), "")
    prometheus = peers.Prometheus(tmp_path, f"127.0.0.1:{server.prometheus}")
    text = server.config.read_text().replace("[healthcheckv2]", "[healthcheckv2, jaeger_storage, jaeger_query]")
    server.config.write_text(text.replace("receivers:\n  otlp", f"""
  jaeger_query:
    storage: {{traces: main, metrics: counted}}
    http: {{endpoint: "127.0.0.1:{server.query}"}}
    grpc: {{endpoint: "127.0.0.1:{server.query_grpc}"}}
  jaeger_storage:
    backends: {{main: {{memory: {{max_traces: 100}}}}}}
    metric_backends: {{counted: {{prometheus: {{endpoint: "{prometheus.url}", normalize_calls: true, normalize_duration: true}}}}}}
receivers:
  otlp""", 1))
    server.start()
    try:
        server.send("buy")
        calls = "traces_span_metrics_calls_total"
        prometheus.wait(calls, lambda result: result)
        for _ in range(10):
            server.send("buy")
        result = prometheus.wait(calls, lambda result: result and float(result[0]["value"][1]) == 11)
        assert result[0]["metric"]["span_name"] == "buy" and result[0]["metric"]["span_kind"] == "SPAN_KIND_SERVER"
        buckets = prometheus.query('traces_span_metrics_duration_milliseconds_bucket{le="+Inf"}')
        assert float(buckets[0]["value"][1]) == 11
        below = prometheus.query('traces_span_metrics_duration_milliseconds_bucket{le="2"}')
        assert float(below[0]["value"][1]) == 0
        reply = server.get("/api/metrics/calls", service="shop", lookback=60000, step=1000, ratePer=60000,
                           endTs=int(time.time() * 1000) + 1000, spanKind="server")
        assert reply.status_code == 200, reply.text
        points = reply.json()["metrics"][0]["metricPoints"]
        assert any(point["gaugeValue"]["doubleValue"] > 0 for point in points), points
    finally:
        server.stop()
        prometheus.stop()
