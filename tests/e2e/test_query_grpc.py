# SPDX-License-Identifier: Apache-2.0
"""Every method of the query and storage services, called by grpcio with stubs made from proto/."""
import time

import grpc
import pytest
import requests
from conftest import Jaeger
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from test_sdk import EXPORTERS, send
from ports import free_ports


@pytest.fixture
def served(any_store):
    trace_id, _ = send(EXPORTERS["grpc"](any_store))
    any_store.trace(trace_id, spans=3)
    with grpc.insecure_channel(f"127.0.0.1:{any_store.query_grpc}") as channel:
        yield channel, trace_id


def code_of(call):
    with pytest.raises(grpc.RpcError) as failed:
        list(call) if hasattr(call, "__iter__") else call()
    return failed.value.code(), failed.value.details()


def test_api_v3(served, stubs):
    channel, trace_id = served
    v3 = stubs("jaeger.api_v3.query_service_pb2")
    query = stubs("jaeger.api_v3.query_service_pb2_grpc").QueryServiceStub(channel)
    assert list(query.GetServices(v3.GetServicesRequest()).services) == ["shop"]
    operations = query.GetOperations(v3.GetOperationsRequest(service="shop")).operations
    assert {(o.name, o.span_kind) for o in operations} == {("GET /cart", "server"), ("SELECT", "client"),
                                                           ("work", "internal")}
    chunks = list(query.GetTrace(v3.GetTraceRequest(trace_id=trace_id)))
    spans = [s for c in chunks for r in c.resource_spans for ss in r.scope_spans for s in ss.spans]
    assert {s.name for s in spans} == {"GET /cart", "SELECT", "work"}
    assert all(s.trace_id.hex() == trace_id for s in spans)

    find = v3.TraceQueryParameters(service_name="shop", attributes={"http.method": "GET"})
    find.start_time_min.GetCurrentTime()
    find.start_time_min.seconds -= 3600
    find.start_time_max.GetCurrentTime()
    find.start_time_max.seconds += 3600
    found = list(query.FindTraces(v3.FindTracesRequest(query=find)))
    assert len(found) == 1
    summaries = [s for r in query.FindTraceSummaries(v3.FindTraceSummariesRequest(query=find)) for s in r.summaries]
    assert [(s.trace_id, s.span_count, s.error_span_count, s.root_operation_name) for s in summaries] == [
        (trace_id, 3, 1, "GET /cart")]
    dependencies = v3.GetDependenciesRequest()
    dependencies.start_time.CopyFrom(find.start_time_min)
    dependencies.end_time.CopyFrom(find.start_time_max)
    links = query.GetDependencies(dependencies).dependencies
    assert [(d.parent, d.child, d.call_count) for d in links] == [("shop", "shop", 2)]


def test_api_v3_errors(served, stubs):
    channel, _ = served
    v3 = stubs("jaeger.api_v3.query_service_pb2")
    query = stubs("jaeger.api_v3.query_service_pb2_grpc").QueryServiceStub(channel)
    code, text = code_of(query.GetTrace(v3.GetTraceRequest(trace_id="12345")))
    assert (code, text) == (grpc.StatusCode.NOT_FOUND, "trace not found")
    code, text = code_of(query.GetTrace(v3.GetTraceRequest()))
    assert code == grpc.StatusCode.UNKNOWN and text.startswith("malform trace ID")
    code, text = code_of(query.FindTraces(v3.FindTracesRequest()))
    assert (code, text) == (grpc.StatusCode.INVALID_ARGUMENT, "missing query")
    code, text = code_of(query.FindTraces(v3.FindTracesRequest(query=v3.TraceQueryParameters(service_name="shop"))))
    assert (code, text) == (grpc.StatusCode.INVALID_ARGUMENT, "start time min and max are required parameters")


def window(v3, **keys):
    find = v3.TraceQueryParameters(**keys)
    find.start_time_min.GetCurrentTime()
    find.start_time_min.seconds -= 3600
    find.start_time_max.GetCurrentTime()
    find.start_time_max.seconds += 3600
    return find


def test_api_v3_pages(any_store, stubs):
    """Filter, order and cursor travel as metadata, beside requests that Jaeger's clients send."""
    ids = [send(EXPORTERS["grpc"](any_store))[0] for _ in range(3)]
    for trace_id in ids:
        any_store.trace(trace_id, spans=3)
    v3 = stubs("jaeger.api_v3.query_service_pb2")
    with grpc.insecure_channel(f"127.0.0.1:{any_store.query_grpc}") as channel:
        query = stubs("jaeger.api_v3.query_service_pb2_grpc").QueryServiceStub(channel)

        def find(method, request, **metadata):
            call = method(request(query=window(v3, search_depth=1)),
                          metadata=[(f"jaeger-{k.replace('_', '-')}", v) for k, v in metadata.items()])
            return list(call), dict(call.trailing_metadata())
        cursor, traces, summaries = {}, [], []
        for page in range(3):
            found, end = find(query.FindTraces, v3.FindTracesRequest, order="longest", filter="service = shop",
                              **cursor)
            traces += [c.resource_spans[0].scope_spans[0].spans[0].trace_id.hex() for c in found]
            found, same_end = find(query.FindTraceSummaries, v3.FindTraceSummariesRequest, order="longest", **cursor)
            summaries += [s.trace_id for r in found for s in r.summaries]
            assert end == same_end and "jaeger-stopped-early" not in end
            assert ("jaeger-next-cursor" in end) == (page < 2)
            cursor = {"cursor": end.get("jaeger-next-cursor", "")}
        assert sorted(traces) == sorted(ids) and summaries == traces
        found, end = find(query.FindTraces, v3.FindTracesRequest, filter_bin="service = müller".encode())
        assert found == [] and end == {}
        for wrong in ({"order": "best"}, {"cursor": "00"}, {"filter": "duration > 5"}):
            with pytest.raises(grpc.RpcError) as failed:
                find(query.FindTraces, v3.FindTracesRequest, **wrong)
            assert failed.value.code() == grpc.StatusCode.INVALID_ARGUMENT, wrong
            assert f"jaeger-{list(wrong)[0]}" in failed.value.details()


def field(number, *parts):
    """A length-delimited field of a message."""
    body = b"".join(p if isinstance(p, bytes) else p.encode() for p in parts)
    return bytes([number << 3 | 2, len(body)]) + body


def test_api_v3_structured_filter_needs_its_gate(tmp_path, stubs):
    v3 = stubs("jaeger.api_v3.query_service_pb2")
    # field 10, a jaeger.expression.v1.Call: eq(span.name, "SELECT")
    call = field(10, field(1, "eq"), field(2, field(2, field(1, "name"), field(2, "span"))),
                 field(2, field(4, field(1, "SELECT"))))
    for gates in ([], ["--feature-gates=jaeger.query.structuredFilters"]):
        (tmp_path / str(len(gates))).mkdir()
        server = Jaeger(tmp_path / str(len(gates)), arguments=gates).start()
        try:
            trace_id, _ = send(EXPORTERS["grpc"](server))
            server.trace(trace_id, spans=3)
            with grpc.insecure_channel(f"127.0.0.1:{server.query_grpc}") as channel:
                query = stubs("jaeger.api_v3.query_service_pb2_grpc").QueryServiceStub(channel)
                found = query.FindTraces(v3.FindTracesRequest(
                    query=v3.TraceQueryParameters.FromString(window(v3).SerializeToString() + call)))
                if gates:
                    assert len(list(found)) == 1
                else:
                    assert code_of(found) == (
                        grpc.StatusCode.INVALID_ARGUMENT, "the structured query filter is disabled: enable the "
                        '"jaeger.query.structuredFilters" feature gate to use it')
        finally:
            server.stop()


def test_api_v2(served, stubs):
    channel, trace_id = served
    v2 = stubs("jaeger.api_v2.query_pb2")
    query = stubs("jaeger.api_v2.query_pb2_grpc").QueryServiceStub(channel)
    assert list(query.GetServices(v2.GetServicesRequest()).services) == ["shop"]
    operations = query.GetOperations(v2.GetOperationsRequest(service="shop", span_kind="client"))
    assert list(operations.operationNames) == ["SELECT"]
    spans = [s for c in query.GetTrace(v2.GetTraceRequest(trace_id=bytes.fromhex(trace_id))) for s in c.spans]
    by_name = {s.operation_name: s for s in spans}
    assert set(by_name) == {"GET /cart", "SELECT", "work"}
    assert by_name["SELECT"].process.service_name == "shop"
    assert {t.key: t.v_str for t in by_name["SELECT"].tags}["span.kind"] == "client"
    assert by_name["SELECT"].references[0].span_id == by_name["GET /cart"].span_id
    find = v2.TraceQueryParameters(service_name="shop", tags={"error": "true"}, search_depth=5)
    assert len([s for c in query.FindTraces(v2.FindTracesRequest(query=find)) for s in c.spans]) == 3
    code, text = code_of(query.GetTrace(v2.GetTraceRequest()))
    assert (code, text) == (grpc.StatusCode.INVALID_ARGUMENT, "uninitialized TraceID is not allowed")
    code, text = code_of(query.GetTrace(v2.GetTraceRequest(trace_id=b"abc")))
    assert code == grpc.StatusCode.INTERNAL and "invalid length for TraceID" in text
    code, text = code_of(lambda: query.GetDependencies(v2.GetDependenciesRequest()))
    assert (code, text) == (grpc.StatusCode.INVALID_ARGUMENT, "StartTime and EndTime must be initialized.")


def test_health_and_reflection(served):
    channel, _ = served
    health = health_pb2_grpc.HealthStub(channel)
    for service in ["", "jaeger.api_v2.QueryService", "jaeger.api_v3.QueryService"]:
        assert health.Check(health_pb2.HealthCheckRequest(service=service)).status == 1
    with pytest.raises(grpc.RpcError) as failed:
        health.Check(health_pb2.HealthCheckRequest(service="none"))
    assert failed.value.code() == grpc.StatusCode.NOT_FOUND
    reflection = ProtoReflectionDescriptorDatabase(channel)
    services = set(reflection.get_services())
    assert {"jaeger.api_v2.QueryService", "jaeger.api_v3.QueryService", "grpc.health.v1.Health"} <= services
    described = reflection.FindFileContainingSymbol("jaeger.api_v3.QueryService")
    assert [m.name for s in described.service for m in s.method][:2] == ["GetTrace", "FindTraces"]
    assert reflection.FindFileContainingSymbol("opentelemetry.proto.trace.v1.Span.Event").package == (
        "opentelemetry.proto.trace.v1")
    with pytest.raises(KeyError):
        reflection.FindFileContainingSymbol("jaeger.api_v3.Nothing")


def test_remote_storage_both_ways(tmp_path, stubs):
    """A server over our store, read and written by a second process of ours through the driver `grpc`."""
    (tmp_path / "store").mkdir()
    (tmp_path / "front").mkdir()
    port, = free_ports(1)
    store = Jaeger(tmp_path / "store")
    store.config.write_text(store.config.read_text().replace(
        "extensions: [jaeger_storage,", "extensions: [remote_storage, jaeger_storage,").replace(
        "\nextensions:\n", f"\nextensions:\n  remote_storage: {{endpoint: \"127.0.0.1:{port}\", storage: main}}\n"))
    store.start()
    front = Jaeger(tmp_path / "front", storage=f"grpc: {{endpoint: \"127.0.0.1:{port}\", tls: {{insecure: true}}}}",
                   arguments=["--set", "extensions.jaeger_query.search.scan_traces=2"])
    front.start()
    try:
        trace_id, _ = send(EXPORTERS["http"](front))
        through, direct = front.trace(trace_id, spans=3), store.trace(trace_id, spans=3)
        assert through == direct
        assert front.get("/api/services").json()["data"] == ["shop"]
        assert len(front.get("/api/traces", service="shop", tags='{"http.method":"GET"}').json()["data"]) == 1
        now_ms = int(time.time() * 1000) + 1000
        assert front.get("/api/dependencies", endTs=now_ms, lookback=3600000).json()["data"] == [
            {"parent": "shop", "child": "shop", "callCount": 2}]
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            v2 = stubs("jaeger.storage.v2.trace_storage_pb2")
            reader = stubs("jaeger.storage.v2.trace_storage_pb2_grpc").TraceReaderStub(channel)
            code, text = code_of(reader.FindTraces(v2.FindTracesRequest()))
            assert (code, text) == (grpc.StatusCode.INVALID_ARGUMENT, "missing query")
            ids = reader.FindTraceIDs(v2.FindTracesRequest(query=v2.TraceQueryParameters(service_name="shop",
                                                                                         search_depth=3))).trace_ids
            assert [i.trace_id.hex() for i in ids] == [trace_id]
            # Jaeger's structured filter, as a Go Jaeger sends it: field 9, a jaeger.expression.v1.Call
            for name, want in (("SELECT", [trace_id]), ("nothing", [])):
                call = field(9, field(1, "eq"), field(2, field(2, field(1, "name"), field(2, "span"))),
                             field(2, field(4, field(1, name))))
                find = v2.TraceQueryParameters.FromString(v2.TraceQueryParameters(search_depth=3)
                                                          .SerializeToString() + call)
                ids = reader.FindTraceIDs(v2.FindTracesRequest(query=find)).trace_ids
                assert [i.trace_id.hex() for i in ids] == want
        # filters travel: the front may read two traces only, and the newest two are others
        for newer in ("ab" * 16, "ac" * 16):
            requests.post(f"http://127.0.0.1:{store.http}/v1/traces", timeout=10, json={"resourceSpans": [
                {"scopeSpans": [{"spans": [{"traceId": newer, "spanId": "cd" * 8, "name": "newer",
                                            "startTimeUnixNano": str(time.time_ns()),
                                            "endTimeUnixNano": str(time.time_ns() + 1)}]}]}]}).raise_for_status()
            store.trace(newer, spans=1)
        for text in ('name =~ "SEL" or d = 0.25', '(name =~ "SEL" or d > 0.2) and spanCount = 3'):
            found = front.get("/api/traces", filter=text, limit=1).json()
            assert [t["traceID"] for t in found["data"] or []] == [trace_id], found
            assert found["stoppedEarly"] is False
    finally:
        front.stop()
        store.stop()
