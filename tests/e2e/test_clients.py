# SPDX-License-Identifier: Apache-2.0
"""Clients of Jaeger and Zipkin, old and unmodified, send to us; what the API gives back is what they sent."""
import signal
import time

import pytest
import requests

from conftest import Jaeger, shipped_agent
from oldclients import CLIENTS, send
from replay import jaeger_with_receivers


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    server = jaeger_with_receivers(tmp_path_factory.mktemp("old"))
    yield server
    server.stop()


def values(items):
    return {item["key"]: item["value"] for item in items}


def as_sent(value):
    """Zipkin's tags are texts; a number from JavaScript is a double."""
    texts = {"true": True, "True": True, "42": 42, "0.25": 0.25}
    return texts.get(value, value) if isinstance(value, str) else value


def taken(agent, spans):
    """Wait until so many spans from datagrams are in the agent's queue."""
    deadline = time.monotonic() + 30
    while True:
        lines = requests.get(f"http://127.0.0.1:{agent.metrics}/metrics", timeout=5).text.splitlines()
        if sum(float(line.rsplit(" ", 1)[1]) for line in lines
               if line.startswith("otelcol_receiver_accepted_spans") and "udp" in line) >= spans:
            return
        assert time.monotonic() < deadline
        time.sleep(0.05)


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


def test_an_agent_keeps_spans_on_disk_until_its_collector_is_back(tmp_path):
    """UDP in; the collector is away, the agent is killed: all that was taken arrives."""
    (tmp_path / "collector").mkdir()
    collector = Jaeger(tmp_path / "collector")
    environment = {"JAEGER_COLLECTOR": f"127.0.0.1:{collector.grpc}", "JAEGER_AGENT_PERSISTENT": "true"}
    agent = shipped_agent(tmp_path / "agent", **environment)
    try:
        ids = [send(client, {**agent.ports, "http": 0, "zipkin": 0, "grpc": 0})
               for client in ("python jaeger_client", "node jaeger_client_udp")]
        taken(agent, 4)
        agent.stop(signal.SIGKILL)
        agent.start()
        collector.start()
        for trace_id in ids:
            assert len(collector.trace(trace_id, spans=2, timeout=60)["spans"]) == 2
    finally:
        agent.stop()
        collector.stop()
