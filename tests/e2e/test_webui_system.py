# SPDX-License-Identifier: Apache-2.0
"""The pages of the web UI that look at the whole: the server's pipeline, the map, call paths through a service."""
import time

import pytest
import requests
import shop
from conftest import Jaeger, node
from webui import do, filled  # noqa: F401


def system(server, task):
    return do(server, task, script="webui_system.js")


def test_pipeline_shows_what_comes_in_and_what_is_kept(filled):  # noqa: F811
    seen = system(filled, "pipeline")
    http = next(row for row in seen["receivers"] if row[:2] == ["otlp", "http"])
    assert int(http[2].replace(",", "")) > 300 and http[4] == "0"
    assert seen["exporters"][0][0] == "jaeger_storage_exporter" and seen["exporters"][0][1] == http[2]
    assert seen["storage"][0][0] == "memory" and "61 traces" in seen["storage"][0][1]
    assert "At most 7 traces a second" in seen["all"]


def test_call_paths_through_a_service(filled):  # noqa: F811
    seen = system(filled, "deep")
    paths = {label.split(":")[0].strip(): label for label in seen["all"]}
    assert "before" in paths["frontend"] and "1 hops after" in paths["payment"] and "errors" in paths["bank-gateway"]
    assert not any(label.startswith("frontend") for label in seen["below"])
    assert "service=payment" in seen["where"]


def test_map_has_a_force_layout_and_errors_on_edges(filled):  # noqa: F811
    seen = system(filled, "layouts")
    assert len(set(seen["places"])) == len(seen["places"]) > 10
    assert any("payment → bank-gateway" in hint and "% errors" in hint for hint in seen["failing"])


def test_quality_of_a_service_leads_to_examples(filled):  # noqa: F811
    now, made = time.time_ns() - 10**10, shop.Trace("unjoined", 0)
    root = made.span("shop", "start", "", now, now + 10**9, 1)
    made.span("redis", "GET", root, now + 10**6, now + 2 * 10**6, 2)
    shop.send(filled.http, made)
    filled.trace(made.id, spans=2)
    seen = system(filled, "quality")
    assert len(seen["scores"]) == 2 and all(0 <= score <= 100 for score in seen["scores"])
    assert "go" in seen["clients"] and f"/trace/{made.id}?span=" in seen["where"]


def test_map_of_200_services_can_be_read(tmp_path):
    server = Jaeger(tmp_path).start()
    if 'id="app"' not in server.get("/").text:
        server.stop()
        pytest.skip("built without the web UI")
    traces = shop.mesh(200, time.time_ns() - 30_000_000_000)
    for trace in traces:
        shop.send(server.http, trace)
    server.trace(traces[-1].id)
    seen = node("webui_system.js", "many", f"http://127.0.0.1:{server.query}/", "200")
    server.stop()
    assert seen["errors"] == [] and seen["found"] == 1
    for layout in ("layered", "force"):
        assert seen[layout]["overlaps"] == seen[layout]["outside"] == 0, seen
        assert seen[layout]["text"] > 7, seen


def test_login_and_switch_of_tenant(tmp_path):
    server = Jaeger(tmp_path)
    server.config.write_text(server.config.read_text()
                             .replace("[jaeger_storage,", "[basicauth, jaeger_storage,")
                             .replace("extensions:\n", """extensions:
  basicauth:
    htpasswd: {inline: "red:secret"}
    access: [{users: [red], tenants: [red, rose]}]
""", 1).replace(f'{{endpoint: "127.0.0.1:{server.query}"}}', f'{{endpoint: "127.0.0.1:{server.query}", auth: {{authenticator: basicauth}}}}')
                             .replace(f'http: {{endpoint: "127.0.0.1:{server.http}"}}',
                                      f'http: {{endpoint: "127.0.0.1:{server.http}", auth: {{authenticator: basicauth}}}}'))
    server.start()
    if 'id="app"' not in requests.get(f"http://127.0.0.1:{server.query}/", auth=("red", "secret"), timeout=10).text:
        server.stop()
        pytest.skip("built without the web UI")
    for tenant in ("red", "rose"):
        trace = shop.Trace(tenant, 0)
        trace.span(f"{tenant}-shop", "GET /", "", time.time_ns() - 10**9, time.time_ns())
        reply = requests.post(f"http://127.0.0.1:{server.http}/v1/traces", json=trace.document(), auth=("red", "secret"),
                              headers={"x-tenant": tenant}, timeout=10)
        assert reply.status_code == 200, reply.text
    seen = node("webui_system.js", "tenants", f"http://127.0.0.1:{server.query}/", LOGIN="red:secret")
    server.stop()
    assert seen["errors"] == [] and seen["user"] == "red" and seen["choice"] == ["red", "rose"]
    assert "red-shop" in seen["first"] and "rose-shop" not in seen["first"]
    assert "rose-shop" in seen["second"] and "red-shop" not in seen["second"] and seen["tenant"] == "rose"
