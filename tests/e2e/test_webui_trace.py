# SPDX-License-Identifier: Apache-2.0
"""The trace page of the web UI: repeated siblings, events, spans that still arrive, keys."""
import http.server
import threading
import time

import requests
import shop
from conftest import node
from webui import do, failing, filled  # noqa: F401


def trace(server, task, trace_id):
    return do(server, task, trace_id, script="webui_trace.js")


def test_repeated_siblings_are_one_row(filled):  # noqa: F811
    loop, now = shop.Trace("loop", 0), time.time_ns() - 60_000_000_000
    root = loop.span("shop", "import", "", now, now + 10**9)
    loop.span("shop", "prepare", root, now, now + 10**6)
    for i in range(340):
        loop.span("db", "SELECT stock", root, now + i * 2 * 10**6, now + (i * 2 + 1) * 10**6, 3, [("number", i)])
    trace_id = shop.send(filled.http, loop)
    filled.trace(trace_id, spans=342)
    seen = trace(filled, "groups", trace_id)
    assert seen["closed"] == 3 and seen["open"] == 342
    assert "ran 340 times" in seen["ran"] and "340 ms in all" in seen["label"]
    assert "number" in seen["found"] and "77" in seen["found"] and "group=0" in seen["where"]


def test_events_by_time(filled, failing):  # noqa: F811
    seen = trace(filled, "events", failing["traceID"])
    assert len(seen["times"]) > 3 and "insufficient funds" in seen["line"] and seen["panel"] == "Authorize"


def test_spans_that_still_arrive_are_shown(filled):  # noqa: F811
    """The browser says through a proxy when the page is open; then the late span is sent."""
    now, part = time.time_ns(), shop.Trace("arriving", 0)
    root = part.span("shop", "start", "", now, now + 10**9)
    part.span("shop", "early", root, now + 10**6, now + 2 * 10**6)
    trace_id = shop.send(filled.http, part)
    filled.trace(trace_id, spans=2)

    class Proxy(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/ready":
                part.spans = {}
                part.span("shop", "late", root, now + 3 * 10**6, now + 4 * 10**6)
                shop.send(filled.http, part)
            headers = {k: v for k, v in self.headers.items() if k.lower() == "if-none-match"}
            reply = requests.get(f"http://127.0.0.1:{filled.query}{self.path}", headers=headers, timeout=30)
            self.send_response(reply.status_code)
            for key in ("Content-Type", "Content-Security-Policy", "ETag", "Cache-Control"):
                if key in reply.headers:
                    self.send_header(key, reply.headers[key])
            self.end_headers()
            self.wfile.write(reply.content)

        def log_message(self, *_):
            pass
    proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    seen = node("webui_trace.js", "live", f"http://127.0.0.1:{proxy.server_address[1]}/", trace_id)
    proxy.shutdown()
    assert seen["errors"] == [] and seen["before"] == seen["after"] == "early"
    assert "late" in seen["rows"][2]


def test_keys_narrow_and_the_link_keeps_it(filled, failing):  # noqa: F811
    seen = trace(filled, "keys", failing["traceID"])
    assert "PlaceOrder" in "".join(seen["subtree"]) and len(seen["subtree"]) < len(failing["spans"])
    assert "hide=checkout" in seen["link"] and "zoom=" in seen["link"] and "uiFind=PlaceOrder" in seen["link"]
