# SPDX-License-Identifier: Apache-2.0
"""Unmodified OpenTelemetry SDKs send; what Jaeger's API gives back is complete and equal."""
import base64

import pytest
from conftest import node
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression as HttpCompression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
import grpc

EXPORTERS = {
    "grpc": lambda j: GrpcExporter(endpoint=f"http://127.0.0.1:{j.grpc}", insecure=True),
    "grpc gzip": lambda j: GrpcExporter(endpoint=f"http://127.0.0.1:{j.grpc}", insecure=True,
                                        compression=grpc.Compression.Gzip),
    "http": lambda j: HttpExporter(endpoint=f"http://127.0.0.1:{j.http}/v1/traces"),
    "http gzip": lambda j: HttpExporter(endpoint=f"http://127.0.0.1:{j.http}/v1/traces",
                                        compression=HttpCompression.Gzip),
    "http deflate": lambda j: HttpExporter(endpoint=f"http://127.0.0.1:{j.http}/v1/traces",
                                           compression=HttpCompression.Deflate),
}


def tags(items):
    return {item["key"]: (item["type"], item["value"]) for item in items}


def send(exporter):
    """Three spans with everything an SDK can put into them; (trace id, spans by name)."""
    provider = TracerProvider(resource=Resource.create({"service.name": "shop", "zone": "a-1", "replicas": 3}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("e2e-lib", "1.2.3")
    far = SpanContext(0xABCDEF, 0x77, True, TraceFlags(1))
    spans = {}
    with tracer.start_as_current_span("GET /cart", kind=SpanKind.SERVER, links=[Link(far, {"why": "retry"})]) as root:
        root.set_attributes({"http.method": "GET", "n": 42, "big": 9007199254740993, "d": 0.25, "yes": True,
                             "list": ["a", "b"], "text": "ü <&> \u2028"})
        with tracer.start_as_current_span("SELECT", kind=SpanKind.CLIENT) as child:
            child.add_event("row", {"index": 7})
            child.set_status(Status(StatusCode.ERROR, "broken"))
            spans["SELECT"] = child
        with tracer.start_as_current_span("work") as inner:
            spans["work"] = inner
        spans["GET /cart"] = root
    provider.shutdown()
    return f"{root.get_span_context().trace_id:032x}", spans


@pytest.mark.parametrize("how", EXPORTERS)
def test_python_sdk_trace_is_read_back_complete(any_store, how):
    trace_id, sent = send(EXPORTERS[how](any_store))
    got = any_store.trace(trace_id, spans=3)
    assert got["traceID"] == trace_id and got["warnings"] is None
    spans = {span["operationName"]: span for span in got["spans"]}
    assert set(spans) == set(sent)
    for name, span in spans.items():
        want = sent[name]
        assert span["spanID"] == f"{want.get_span_context().span_id:016x}"
        assert span["startTime"] == want.start_time // 1000
        assert span["duration"] == (want.end_time - want.start_time) // 1000
    process = got["processes"][spans["SELECT"]["processID"]]
    assert process["serviceName"] == "shop"
    assert tags(process["tags"])["zone"] == ("string", "a-1")
    assert tags(process["tags"])["replicas"] == ("int64", 3)
    root = tags(spans["GET /cart"]["tags"])
    assert root["http.method"] == ("string", "GET")
    assert root["n"] == ("int64", 42)
    assert root["big"] == ("int64", "9007199254740993")
    assert root["d"] == ("float64", 0.25)
    assert root["yes"] == ("bool", True)
    assert root["list"] == ("string", '["a","b"]')
    assert root["text"] == ("string", "ü <&> \u2028")
    assert root["span.kind"] == ("string", "server")
    assert root["otel.scope.name"] == ("string", "e2e-lib")
    assert root["otel.scope.version"] == ("string", "1.2.3")
    assert spans["GET /cart"]["references"] == [
        {"refType": "FOLLOWS_FROM", "traceID": "0000000000abcdef", "spanID": "0000000000000077"}]
    child = spans["SELECT"]
    assert child["references"] == [
        {"refType": "CHILD_OF", "traceID": trace_id, "spanID": spans["GET /cart"]["spanID"]}]
    assert tags(child["tags"])["error"] == ("bool", True)
    assert tags(child["tags"])["otel.status_description"] == ("string", "broken")
    assert tags(child["logs"][0]["fields"]) == {"event": ("string", "row"), "index": ("int64", 7)}


def test_node_sdk_trace_over_json(any_store):
    sent = node("send.js", f"http://127.0.0.1:{any_store.http}/v1/traces")
    got = any_store.trace(sent["traceId"], spans=2)
    spans = {span["operationName"]: span for span in got["spans"]}
    assert set(spans) == {"parent", "child"}
    assert tags(spans["parent"]["tags"])["answer"] == ("int64", 42)
    assert tags(spans["parent"]["tags"])["ratio"] == ("float64", 0.5)
    assert spans["child"]["references"][0]["spanID"] == spans["parent"]["spanID"]
    assert spans["parent"]["startTime"] == int(sent["startNs"]) // 1000
    assert got["processes"]["p1"]["serviceName"] == "node-shop"


def test_search_finds_by_service_operation_tag_and_duration(any_store):
    trace_id, sent = send(EXPORTERS["grpc"](any_store))
    any_store.trace(trace_id, spans=3)
    assert any_store.get("/api/services").json()["data"] == ["shop"]
    names = {op["name"]: op["spanKind"] for op in any_store.get("/api/operations", service="shop").json()["data"]}
    assert names == {"GET /cart": "server", "SELECT": "client", "work": "internal"}
    for params in [{"service": "shop"}, {"service": "shop", "operation": "SELECT"},
                   {"service": "shop", "tags": '{"http.method":"GET","n":"42"}'},
                   {"service": "shop", "tag": "zone:a-1"}, {"service": "shop", "tags": '{"index":"7"}'},
                   {"service": "shop", "tags": '{"error":"true"}'}, {"service": "shop", "minDuration": "1ns"}]:
        found = any_store.get("/api/traces", **params).json()["data"]
        assert [t["traceID"] for t in found] == [trace_id], params
        assert len(found[0]["spans"]) == 3
    for params in [{"service": "shop", "operation": "nope"}, {"service": "shop", "minDuration": "1h"},
                   {"service": "shop", "tags": '{"http.method":"GET","index":"7"}'}]:
        assert any_store.get("/api/traces", **params).json()["data"] == [], params
