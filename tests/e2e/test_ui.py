# SPDX-License-Identifier: Apache-2.0
"""The page in real Chromium: it lists the service, finds the trace and shows its spans."""
from conftest import node
from test_sdk import EXPORTERS, send


def test_page_lists_services_and_shows_a_trace(jaeger, tmp_path):
    trace_id, _ = send(EXPORTERS["grpc"](jaeger))
    jaeger.trace(trace_id, spans=3)
    seen = node("page.js", f"http://127.0.0.1:{jaeger.query}/", trace_id, str(tmp_path / "page.png"))
    assert "shop" in seen["search"]
    assert "GET /cart" in seen["trace"] and "SELECT" in seen["trace"]
    assert seen["errors"] == []
