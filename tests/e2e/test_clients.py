# SPDX-License-Identifier: Apache-2.0
"""Clients of Jaeger and Zipkin, old and unmodified, send to us; what the API gives back is what they sent."""
import pytest

from conftest import Jaeger, free_ports
from oldclients import CLIENTS, send

RECEIVERS = """
  jaeger:
    protocols:
      grpc: {{endpoint: "127.0.0.1:{grpc}"}}
      thrift_http: {{endpoint: "127.0.0.1:{http}"}}
      thrift_compact: {{endpoint: "127.0.0.1:{compact}"}}
      thrift_binary: {{endpoint: "127.0.0.1:{binary}"}}
  zipkin: {{endpoint: "127.0.0.1:{zipkin}"}}
"""


def with_receivers(directory, ports):
    """An all-in-one whose only receivers are those of Jaeger and Zipkin."""
    server = Jaeger(directory)
    text = server.config.read_text().replace("receivers: [otlp]", "receivers: [jaeger, zipkin]")
    head, tail = text.split("receivers:\n  otlp:")
    server.config.write_text(head + "receivers:" + RECEIVERS.format(**ports) + tail[tail.index("processors:"):])
    return server.start()


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    names = ["compact", "binary", "http", "grpc", "zipkin"]
    ports = dict(zip(names, free_ports(len(names))))
    server = with_receivers(tmp_path_factory.mktemp("old"), ports)
    server.ports = ports
    yield server
    server.stop()


def values(items):
    return {item["key"]: item["value"] for item in items}


def as_sent(value):
    """Zipkin's tags are texts; a number from JavaScript is a double."""
    texts = {"true": True, "True": True, "42": 42, "0.25": 0.25}
    return texts.get(value, value) if isinstance(value, str) else value


@pytest.mark.parametrize("client", CLIENTS)
def test_trace_is_read_back_complete(old, client):
    trace_id = send(client, old.ports)
    got = old.trace(trace_id, spans=2)
    assert int(got["traceID"], 16) == int(trace_id, 16) and len(got["spans"]) == 2
    spans = {span["operationName"].lower(): span for span in got["spans"]}
    root, child = spans["get /cart"], spans["select"]
    assert {got["processes"][span["processID"]]["serviceName"] for span in got["spans"]} == {"shop"}
    if " otel_" in client:
        assert values(got["processes"][root["processID"]]["tags"]).get("zone", "a-1") == "a-1"
    tags = values(root["tags"])
    want = {"http.method": "GET", "n": 42, "ratio": 0.25, "yes": True, "text": "ü <&>"}
    assert {key: as_sent(tags.get(key)) for key in want} == want
    assert child["references"] == [{"refType": "CHILD_OF", "traceID": got["traceID"], "spanID": root["spanID"]}]
    tags = values(child["tags"])
    assert tags["error"] in (True, "broken") or tags.get("otel.status_code") == "ERROR"
    if client != "python otel_zipkin_V1":  # it tells no kind
        assert (values(root["tags"])["span.kind"], tags["span.kind"]) == ("server", "client")
    events = [values(log["fields"]) for log in child["logs"]]
    assert any("row" in str(event) for event in events), events
    assert root["startTime"] <= child["startTime"] and child["duration"] <= root["duration"]
    assert got["warnings"] is None and root["warnings"] is None
