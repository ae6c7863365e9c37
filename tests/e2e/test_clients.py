# SPDX-License-Identifier: Apache-2.0
"""Clients of Jaeger and Zipkin, old and unmodified, send to us; what the API gives back is what they sent."""
import pytest

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
