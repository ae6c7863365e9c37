# SPDX-License-Identifier: Apache-2.0
"""Our binary sends to our binary: OTLP over gRPC and HTTP, a destination that is away, kill -9, passwords."""
import signal
import time
import uuid

import pytest
import requests

from conftest import BUILD, Jaeger

AGENT = BUILD / "cmd/jaeger-agent"


class Front(Jaeger):
    """Takes OTLP and forwards it."""

    def __init__(self, directory, exporter, extensions="", names=()):
        super().__init__(directory, binary=AGENT)
        self.config.write_text(f"""
service:
  extensions: [{", ".join(["healthcheckv2", *names])}]
  pipelines:
    traces: {{receivers: [otlp], processors: [batch], exporters: [{exporter.split(":")[0]}]}}
  telemetry: {{metrics: {{readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {self.metrics}}}}}}}}}]}}}}
extensions:
  healthcheckv2: {{use_v2: true, http: {{endpoint: "127.0.0.1:{self.health}"}}}}
{extensions}
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{self.grpc}"}}, http: {{endpoint: "127.0.0.1:{self.http}"}}}}}}
processors: {{batch: }}
exporters:
  {exporter}
""")

    def send(self, trace_id, spans=1, **kwargs):
        body = {"resourceSpans": [{
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "front"}}]},
            "scopeSpans": [{"spans": [{
                "traceId": trace_id, "spanId": f"{i + 1:016x}", "name": f"op-{i}",
                "startTimeUnixNano": str(time.time_ns()), "endTimeUnixNano": str(time.time_ns() + 1000),
            } for i in range(spans)]}]}]}
        return requests.post(f"http://127.0.0.1:{self.http}/v1/traces", json=body, timeout=30, **kwargs)

    def metric(self, name):
        text = requests.get(f"http://127.0.0.1:{self.metrics}/metrics", timeout=5).text
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))


def folder(tmp_path, name):
    path = tmp_path / name
    path.mkdir()
    return path


def exporter_to(kind, destination, more=""):
    if kind == "otlp":
        return f"otlp: {{endpoint: 127.0.0.1:{destination.grpc}, tls: {{insecure: true}}{more}}}"
    return f"otlphttp: {{endpoint: \"http://127.0.0.1:{destination.http}\"{more}}}"


@pytest.mark.parametrize("kind", ["otlp", "otlphttp"])
@pytest.mark.parametrize("more", ["", ", compression: none", ", compression: zstd"])
def test_spans_go_through_two_processes(tmp_path, kind, more):
    destination = Jaeger(folder(tmp_path, "destination")).start()
    front = Front(folder(tmp_path, "front"), exporter_to(kind, destination, more)).start()
    try:
        trace_id = uuid.uuid4().hex
        assert front.send(trace_id, spans=50).status_code == 200
        names = {span["operationName"] for span in destination.trace(trace_id, spans=50)["spans"]}
        assert names == {f"op-{i}" for i in range(50)}
        assert front.metric("otelcol_exporter_sent_spans") == 50
    finally:
        assert front.stop() == 0
        destination.stop()


QUICK = ", retry_on_failure: {initial_interval: 100ms, max_interval: 300ms}"


@pytest.mark.parametrize("kind", ["otlp", "otlphttp"])
def test_nothing_accepted_is_lost_while_the_destination_is_away(tmp_path, kind):
    destination = Jaeger(folder(tmp_path, "destination"))
    queue = f", sending_queue: {{persistent: {{directory: {tmp_path}/queue}}}}"
    front = Front(folder(tmp_path, "front"), exporter_to(kind, destination, QUICK + queue)).start()
    sent = []

    def send(count):
        for _ in range(count):
            trace_id = uuid.uuid4().hex
            assert front.send(trace_id, spans=3).status_code == 200
            sent.append(trace_id)

    try:
        send(20)
        front.stop(sig=signal.SIGKILL)  # what was acknowledged is on disk
        front.start()
        assert "going on with what is in the persistent queue" in front.output()
        send(20)
        assert front.stop() == 0  # the rest stays there, and is counted
        assert "stopped with batches in the persistent queue" in front.output()
        front.start()
        destination.start()
        for trace_id in sent:
            assert len(destination.trace(trace_id, spans=3, timeout=30)["spans"]) == 3
        deadline = time.monotonic() + 10
        while front.metric("otelcol_exporter_queue_size") and time.monotonic() < deadline:
            time.sleep(0.1)
        assert front.metric("otelcol_exporter_queue_size") == 0
    finally:
        front.stop()
        destination.stop()


def test_a_full_disk_queue_pushes_back(tmp_path):
    destination = Jaeger(folder(tmp_path, "destination"))
    queue = f", sending_queue: {{persistent: {{directory: {tmp_path}/queue, max_bytes: 100000}}}}"
    front = Front(folder(tmp_path, "front"), exporter_to("otlp", destination, QUICK + queue)).start()
    try:
        answers = [front.send(uuid.uuid4().hex, spans=200) for _ in range(30)]
        codes = [answer.status_code for answer in answers]
        assert codes[0] == 200 and codes[-1] == 429, codes
        assert int(answers[-1].headers["Retry-After"]) >= 1
        accepted = codes.count(200)
        destination.start()
        deadline = time.monotonic() + 30
        while front.metric("otelcol_exporter_sent_spans") < 200 * accepted and time.monotonic() < deadline:
            time.sleep(0.1)
        assert front.metric("otelcol_exporter_sent_spans") == 200 * accepted
        assert front.send(uuid.uuid4().hex).status_code == 200
    finally:
        front.stop()
        destination.stop()


def test_a_password_is_asked_for(tmp_path):
    destination = Jaeger(folder(tmp_path, "destination")).start()
    front = Front(folder(tmp_path, "front"), exporter_to("otlphttp", destination),
                  extensions="  basicauth: {htpasswd: {inline: \"ann:secret\"}}", names=["basicauth"])
    text = front.config.read_text()
    front.config.write_text(text.replace(f'http: {{endpoint: "127.0.0.1:{front.http}"',
                                         f'http: {{auth: {{authenticator: basicauth}}, endpoint: "127.0.0.1:{front.http}"'))
    front.start()
    try:
        trace_id = uuid.uuid4().hex
        assert front.send(trace_id).status_code == 401
        wrong = front.send(trace_id, auth=("ann", "wrong"))
        assert wrong.status_code == 401 and "invalid credentials" in wrong.text
        assert front.send(trace_id, auth=("ann", "secret")).status_code == 200
        destination.trace(trace_id)
    finally:
        front.stop()
        destination.stop()
