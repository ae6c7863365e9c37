# SPDX-License-Identifier: Apache-2.0
"""Logins and their tenants: nobody sees, through any API, what another tenant has."""
import base64
import json
import re
import time

import grpc
import pytest
import requests
from conftest import Jaeger
from ports import free_ports

EVERYTHING = "2020-01-01T00:00:00Z", "2100-01-01T00:00:00Z"


def basic(user):
    return "Basic " + base64.b64encode(f"{user}:{user}-password".encode()).decode()


@pytest.fixture(params=["memory", "embedded"])
def shared(request, tmp_path):
    """One server, two customers: red has a user, blue a token, and root may see all."""
    ports = free_ports(5)
    main, old = {"memory": ("memory: {max_traces: 1000}",) * 2,
                 "embedded": (f"embedded: {{directory: {tmp_path}/a}}", f"embedded: {{directory: {tmp_path}/b}}")
                 }[request.param]
    tokens = tmp_path / "blue.tokens"
    tokens.write_text("blue-token\n")
    server = Jaeger(tmp_path, config="placeholder")
    server.bearer_query, server.bearer_query_grpc, server.blue_http, server.remote, _ = ports
    server.config.write_text(f"""
extensions:
  healthcheckv2: {{use_v2: true, http: {{endpoint: "127.0.0.1:{server.health}"}}}}
  basicauth:
    htpasswd: {{inline: "red:red-password\\nroot:root-password\\nstray:stray-password"}}
    access:
      - {{users: [red], tenants: [red, rose]}}
      - {{users: [root], tenants: ["*"]}}
  bearertokenauth:
    token: nobodys-token
    access:
      - {{user: blue, filename: {tokens}, tenants: [blue]}}
  jaeger_query:
    storage: {{traces: main, traces_archive: old}}
    http: {{endpoint: "127.0.0.1:{server.query}", auth: {{authenticator: basicauth}}}}
    grpc: {{endpoint: "127.0.0.1:{server.query_grpc}", auth: {{authenticator: basicauth}}}}
  jaeger_query/tokens:
    storage: {{traces: main, traces_archive: old}}
    http: {{endpoint: "127.0.0.1:{server.bearer_query}", auth: {{authenticator: bearertokenauth}}}}
    grpc: {{endpoint: "127.0.0.1:{server.bearer_query_grpc}", auth: {{authenticator: bearertokenauth}}}}
  remote_storage: {{endpoint: "127.0.0.1:{server.remote}", storage: main, auth: {{authenticator: basicauth}}}}
  jaeger_storage: {{backends: {{main: {{{main}}}, old: {{{old}}}}}}}
receivers:
  otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{server.http}", auth: {{authenticator: basicauth}}}},
                       grpc: {{endpoint: "127.0.0.1:{server.grpc}"}}}}}}
  otlp/tokens: {{protocols: {{http: {{endpoint: "127.0.0.1:{server.blue_http}",
                                     auth: {{authenticator: bearertokenauth}}}}}}}}
processors: {{batch: }}
exporters: {{jaeger_storage_exporter: {{trace_storage: main}}}}
service:
  extensions: [basicauth, bearertokenauth, jaeger_storage, jaeger_query, jaeger_query/tokens, remote_storage,
               healthcheckv2]
  pipelines: {{traces: {{receivers: [otlp, otlp/tokens], processors: [batch],
                         exporters: [jaeger_storage_exporter]}}}}
  telemetry: {{metrics: {{level: none}}}}
""")
    server.start()
    yield server
    server.stop()


TRACES = {"red": "0af7651916cd43dd8448eb211c803100", "blue": "0af7651916cd43dd8448eb211c803200"}


def send(port, authorization, who, **headers):
    now = time.time_ns()
    spans = [{"traceId": TRACES[who], "spanId": f"{i:016x}", "name": f"{who}-operation", "kind": 2,
              "parentSpanId": "" if i == 1 else f"{1:016x}", "startTimeUnixNano": str(now),
              "endTimeUnixNano": str(now + 1000), "status": {"code": 2},
              "attributes": [{"key": f"{who}.key", "value": {"stringValue": f"{who}-value"}}]} for i in (1, 2)]
    groups = [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": f"{who}-service-{n}"}}]},
               "scopeSpans": [{"spans": [span]}]} for n, span in enumerate(spans)]
    return requests.post(f"http://127.0.0.1:{port}/v1/traces", json={"resourceSpans": groups}, timeout=10,
                         headers={"Authorization": authorization, **headers})


def paths_of(who):
    """What a page, Grafana or a curious person asks. Each answer may be full of its own tenant's data."""
    window = f"query.start_time_min={EVERYTHING[0]}&query.start_time_max={EVERYTHING[1]}"
    yield from ("/api/services", f"/api/services/{who}-service-0/operations", f"/api/operations?service={who}-service-0",
                f"/api/traces/{TRACES[who]}", f"/api/traces?service={who}-service-0", "/api/traces?filter=hasError",
                "/api/traces?filter=exists(name)&order=longest", f"/api/traces?traceID={TRACES[who]}",
                f"/api/dependencies?endTs={int(time.time() * 1000) + 60000}&lookback=86400000",
                "/api/attributes", f"/api/attributes/{who}.key/values", "/api/attributes/resource.service.name/values",
                "/api/v3/services", f"/api/v3/operations?service={who}-service-0", f"/api/v3/traces/{TRACES[who]}",
                f"/api/v3/traces?query.service_name={who}-service-0&{window}",
                f"/api/v3/trace-summaries?query.service_name={who}-service-0&{window}",
                f"/api/ui/v1/trace/{TRACES[who]}", f"/api/ui/v1/trace/{TRACES[who]}/find?q={who}",
                f"/tempo/api/traces/{TRACES[who]}", "/tempo/api/search?q={}", "/tempo/api/search/tags",
                "/tempo/api/v2/search/tags", f"/tempo/api/v2/search/tag/span.{who}.key/values",
                "/tempo/api/v2/search/tag/resource.service.name/values")


def get(port, path, authorization, **headers):
    return requests.get(f"http://127.0.0.1:{port}{path}", timeout=10,
                        headers={"Authorization": authorization, **headers})


def tells_of(who, reply):
    """Does the answer to a question hold data? The question's own words do not count."""
    return reply.status_code == 200 and re.search(rf"{who}-(service|operation|value)|{who}\.key", reply.text)


def fill(server):
    assert send(server.http, basic("red"), "red").status_code == 200
    assert send(server.blue_http, "Bearer blue-token", "blue").status_code == 200
    for port, auth, who in ((server.query, basic("red"), "red"),
                            (server.bearer_query, "Bearer blue-token", "blue")):
        deadline = time.monotonic() + 20
        while get(port, f"/api/traces/{TRACES[who]}", auth).status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        reply = requests.post(f"http://127.0.0.1:{port}/api/archive/{TRACES[who]}", timeout=10,
                              headers={"Authorization": auth})
        assert reply.status_code == 200, reply.text


def test_no_login_sees_another_tenant(shared, stubs):
    fill(shared)
    red, blue = (shared.query, basic("red")), (shared.bearer_query, "Bearer blue-token")
    for path in paths_of("red"):
        assert tells_of("red", get(red[0], path, red[1])) or "/ui/v1" in path, path
        assert not tells_of("red", get(blue[0], path, blue[1])), path
    for path in paths_of("blue"):
        assert tells_of("blue", get(blue[0], path, blue[1])) or "/ui/v1" in path, path
        assert not tells_of("blue", get(red[0], path, red[1])), path
    # asking for it by name: 403, in header or cookie, at the page's files too; a cookie is only a wish
    for path in ("/api/services", "/search", "/static/x.js", "/api/ui/v1/session"):
        assert get(red[0], path, red[1], **{"x-tenant": "blue"}).status_code == 403
    assert get(red[0], "/api/services", red[1], Cookie="jaeger_tenant=blue").json()["data"] == [
        "red-service-0", "red-service-1"]
    assert get(red[0], "/api/services", red[1], Cookie="a=b; jaeger_tenant=rose").json()["data"] == []
    assert get(red[0], "/api/services", red[1], **{"x-tenant": "rose", "Cookie": "jaeger_tenant=red"}).json()["data"] == []
    assert send(shared.http, basic("red"), "red", **{"x-tenant": "blue"}).status_code == 403
    # archiving another's trace, and logins without a tenant
    reply = requests.post(f"http://127.0.0.1:{red[0]}/api/archive/{TRACES['blue']}", timeout=10,
                          headers={"Authorization": red[1]})
    assert reply.status_code == 404
    assert get(red[0], "/api/services", basic("stray")).status_code == 403
    assert get(blue[0], "/api/services", "Bearer nobodys-token").status_code == 403
    assert send(shared.blue_http, "Bearer nobodys-token", "blue").status_code == 403
    # root chooses
    assert get(red[0], "/api/services", basic("root")).json()["data"] == []
    assert get(red[0], "/api/services", basic("root"), **{"x-tenant": "blue"}).json()["data"] == [
        "blue-service-0", "blue-service-1"]
    # gRPC, of the query service and of remote storage
    v3, v3_stub = stubs("jaeger.api_v3.query_service_pb2"), stubs("jaeger.api_v3.query_service_pb2_grpc")
    storage = stubs("jaeger.storage.v2.trace_storage_pb2"), stubs("jaeger.storage.v2.trace_storage_pb2_grpc")
    with grpc.insecure_channel(f"127.0.0.1:{shared.query_grpc}") as channel:
        query = v3_stub.QueryServiceStub(channel)
        mine = [("authorization", basic("red"))]
        assert list(query.GetServices(v3.GetServicesRequest(), metadata=mine).services) == [
            "red-service-0", "red-service-1"]
        for metadata, code in (([], grpc.StatusCode.UNAUTHENTICATED),
                               ([*mine, ("x-tenant", "blue")], grpc.StatusCode.PERMISSION_DENIED),
                               ([("authorization", basic("stray"))], grpc.StatusCode.PERMISSION_DENIED)):
            with pytest.raises(grpc.RpcError) as failed:
                query.GetServices(v3.GetServicesRequest(), metadata=metadata)
            assert failed.value.code() == code
        with pytest.raises(grpc.RpcError) as failed:
            list(query.GetTrace(v3.GetTraceRequest(trace_id=TRACES["blue"]), metadata=mine))
        assert failed.value.code() == grpc.StatusCode.NOT_FOUND
    with grpc.insecure_channel(f"127.0.0.1:{shared.remote}") as channel:
        reader = storage[1].TraceReaderStub(channel)
        assert list(reader.GetServices(storage[0].GetServicesRequest(), metadata=mine).services) == [
            "red-service-0", "red-service-1"]
        with pytest.raises(grpc.RpcError) as failed:
            reader.GetServices(storage[0].GetServicesRequest())
        assert failed.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_the_page_learns_who_is_logged_in(shared):
    def session(port, authorization, **headers):
        reply = get(port, "/api/ui/v1/session", authorization, **headers)
        assert reply.headers["Cache-Control"] == "no-store"
        return reply.json()
    assert session(shared.query, basic("red")) == {
        "user": "red", "tenant": "red", "tenants": ["red", "rose"], "anyTenant": False, "header": "x-tenant",
        "cookie": "jaeger_tenant"}
    assert session(shared.query, basic("red"), Cookie="jaeger_tenant=rose")["tenant"] == "rose"
    root = session(shared.query, basic("root"), **{"x-tenant": "green"})
    assert (root["user"], root["tenant"], root["tenants"], root["anyTenant"]) == ("root", "green", [], True)
    assert session(shared.bearer_query, "Bearer blue-token")["user"] == "blue"
    refused = requests.get(f"http://127.0.0.1:{shared.query}/", timeout=10)
    assert refused.status_code == 401 and refused.headers["WWW-Authenticate"].startswith("Basic realm=")


def test_secrets_stay_out_of_print_config_and_logs(shared, tmp_path):
    import subprocess
    for wrong in ("Bearer wrong-secret", basic("mallory")):
        assert get(shared.query, "/api/services", wrong).status_code == 401
        assert get(shared.bearer_query, "/api/services", wrong).status_code == 401
    printed = subprocess.run([str(shared.binary), "print-config", "--config", str(shared.config)],
                             capture_output=True, text=True, check=True).stdout
    for secret in ("red-password", "nobodys-token", "blue-token", "wrong-secret"):
        assert secret not in printed and secret not in shared.output()
    assert json.dumps("users")[1:-1] in printed
