# SPDX-License-Identifier: Apache-2.0
"""Search by expression, and what Grafana's Tempo and Jaeger data sources ask, in their order."""
import time

import pytest
import requests
from conftest import Jaeger


def send(jaeger):
    """A trace of three spans of one service."""
    now, trace_id = time.time_ns(), "0af7651916cd43dd8448eb211c80319c"
    spans = [{"traceId": trace_id, "spanId": f"{i:016x}", "name": f"op{i}", "kind": 2,
              "parentSpanId": "" if i == 1 else f"{1:016x}", "startTimeUnixNano": str(now - 10**9 + i),
              "endTimeUnixNano": str(now)} for i in (1, 2, 3)]
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}
    requests.post(f"http://127.0.0.1:{jaeger.http}/v1/traces", json=body, timeout=10).raise_for_status()
    return trace_id


def ask(jaeger, path, status=200, **params):
    headers = params.pop("headers", None)
    reply = requests.get(f"http://127.0.0.1:{jaeger.query}{path}", params=params, headers=headers, timeout=10)
    assert reply.status_code == status, reply.text
    return reply


def test_grafana_requests_and_filters(any_store):
    trace_id = send(any_store)
    any_store.trace(trace_id, spans=3)
    # Jaeger data source: health check and forms, then a search and a trace
    service = ask(any_store, "/api/services").json()["data"][0]
    assert ask(any_store, f"/api/services/{service}/operations").json()["data"]
    assert ask(any_store, "/api/traces", service=service, limit=20).json()["data"]
    assert ask(any_store, f"/api/traces/{trace_id}").json()["data"]
    # Tempo data source
    assert ask(any_store, "/tempo/api/echo").text == "echo"
    scopes = ask(any_store, "/tempo/api/v2/search/tags").json()["scopes"]
    assert "service.name" in next(s["tags"] for s in scopes if s["name"] == "resource")
    values = ask(any_store, "/tempo/api/v2/search/tag/resource.service.name/values").json()["tagValues"]
    assert {"type": "string", "value": service} in values
    found = ask(any_store, "/tempo/api/search", q=f'{{resource.service.name="{service}" && duration>=0ms}}',
                limit=20, spss=3).json()["traces"]
    assert trace_id in [t["traceID"] for t in found]
    reply = ask(any_store, f"/tempo/api/traces/{trace_id}", headers={"Accept": "application/protobuf"})
    assert reply.headers["Content-Type"] == "application/protobuf" and reply.content[0] == 0x0a
    # expressions, without a service
    page = ask(any_store, "/api/traces", filter=f'rootService exists and service = "{service}"', order="spans").json()
    assert [t["traceID"] for t in page["data"]] == [trace_id] and page["stoppedEarly"] is False
    assert ask(any_store, "/api/traces", filter="service = nobody or spanCount > 1000").json()["data"] == []
    assert "column 12" in ask(any_store, "/api/traces", status=400, filter="duration > 5").text


@pytest.mark.parametrize("store", ["memory", "embedded"])
def test_suggestions_reach_beyond_the_newest_traces(tmp_path, store):
    storage = {"embedded": f"embedded: {{directory: {tmp_path}/data, flush: {{spans: 100}}}}",
               "memory": "memory: {max_traces: 100000}"}[store]
    server = Jaeger(tmp_path, storage=storage).start()
    try:
        now = time.time_ns()

        def span(trace, number, **attributes):
            return {"traceId": f"{trace:032x}", "spanId": f"{number:016x}", "name": "op", "kind": 2,
                    "startTimeUnixNano": str(now + trace), "endTimeUnixNano": str(now + trace + 1),
                    "attributes": [{"key": k, "value": {"stringValue": v}} for k, v in attributes.items()]}

        def post(spans, host, service="shop"):
            resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}},
                                       {"key": "host.name", "value": {"stringValue": host}}]}
            body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}
            requests.post(f"http://127.0.0.1:{server.http}/v1/traces", json=body, timeout=10).raise_for_status()
        post([span(1, i, old="old-value") for i in range(1, 121)], "old-host")
        post([span(t, t, new="new-value") for t in range(1000, 1700)], "new-host")
        post([span(2, i, other="other-value") for i in range(1, 121)], "other-host", "other")
        deadline = time.monotonic() + 20
        while "old" not in ask(server, "/api/attributes").text:
            assert time.monotonic() < deadline, ask(server, "/api/attributes").text
            time.sleep(0.1)
        assert "old-value" in ask(server, "/api/attributes/old/values").text
        assert "new-value" in ask(server, "/api/attributes/new/values").text
        hosts = ask(server, "/api/attributes/resource.host.name/values").json()["data"]
        assert "old-host" in str(hosts) and "new-host" in str(hosts)
        assert "old-host" not in ask(server, "/api/attributes/resource.host.name/values", q="new").text
        # of one service
        assert "old" in ask(server, "/api/attributes", service="shop").json()["data"]
        assert "other" not in ask(server, "/api/attributes", service="shop").json()["data"]
        assert ask(server, "/api/attributes/old/values", service="shop").json()["data"] == ["old-value"]
        assert ask(server, "/api/attributes/old/values", service="other").json()["data"] == []
        hosts = ask(server, "/api/attributes/resource.host.name/values", service="shop").json()["data"]
        assert hosts == ["new-host", "old-host"]
    finally:
        server.stop()
