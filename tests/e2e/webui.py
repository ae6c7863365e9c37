# SPDX-License-Identifier: Apache-2.0
"""A server with the shop's traces, and the pages of its web UI in Chromium: fixtures of the test_webui*.py."""
import time

import pytest
import shop
from conftest import Jaeger, node

SAMPLING = """{"default_strategy": {"type": "probabilistic", "param": 0.5},
 "service_strategies": [{"service": "checkout", "type": "ratelimiting", "param": 7}]}"""

UI = """{"linkPatterns": [{"type": "tags", "key": "sku", "url": "https://stock.example/#{warehouse}/#{sku}", "text": "Stock of #{sku}"}]}"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A server with 60 traces of the shop and the hostile one; skipped when the bundle was not built in."""
    folder = tmp_path_factory.mktemp("webui")
    (folder / "strategies.json").write_text(SAMPLING)
    (folder / "ui.json").write_text(UI)
    server = Jaeger(folder)
    server.config.write_text(server.config.read_text()
                             .replace("jaeger_query, healthcheckv2]", "jaeger_query, healthcheckv2, remote_sampling]")
                             .replace("storage: {traces: main}", f"storage: {{traces: main}}\n    ui: {{config_file: {folder}/ui.json}}")
                             .replace("extensions:\n  healthcheckv2", f"""extensions:
  remote_sampling: {{file: {{path: {folder}/strategies.json}}, http: {{endpoint: "127.0.0.1:0"}}}}
  healthcheckv2"""))
    server.start()
    if 'id="app"' not in server.get("/").text:
        server.stop()
        pytest.skip("built without the web UI")
    server.ids = shop.send_shop(server.http)
    server.hostile = shop.send(server.http, shop.hostile_trace(time.time_ns() - 30_000_000_000))
    server.trace(server.hostile, spans=2)
    server.trace(server.ids[-1])
    yield server
    server.stop()


@pytest.fixture(scope="module")
def failing(filled):
    """A trace in which the bank declines."""
    traces = filled.get("/api/traces", service="bank-gateway", tags='{"error":"true"}', limit=100).json()["data"]
    return max(traces, key=lambda t: len(t["spans"]))


def do(server, task, *args, base="/", script="webui.js"):
    seen = node(script, task, f"http://127.0.0.1:{server.query}{base}", *args)
    assert seen["errors"] == []
    return seen
