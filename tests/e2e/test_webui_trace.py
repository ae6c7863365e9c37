# SPDX-License-Identifier: Apache-2.0
"""The trace page of the web UI: repeated siblings, events, spans that still arrive, keys."""
import http.server
import threading
import time

import requests
import shop
from conftest import node
from webui import do, failing, filled  # noqa: F401


def trace(server, task, trace_id, *args):
    return do(server, task, trace_id, *args, script="webui_trace.js")


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


def painted(server):
    """Three spans with a color, one with a hostile one, one without."""
    made, now = shop.Trace("painted", 0), time.time_ns() - 200_000_000_000
    root = made.span("shop", "import", "", now, now + 10**9)
    for i, color in enumerate(["red", "blue", "blue", shop.HOSTILE]):
        made.span("press", "paint", root, now + i * 10**8, now + (i + 1) * 10**8, 2, [("color", color)])
    shop.send(server.http, made)
    server.trace(made.id, spans=5)
    return made.id


def test_statistics_by_any_attribute(filled):  # noqa: F811
    seen = trace(filled, "statistics", painted(filled))
    rows = [row.replace(" ", "") for row in seen["rows"]]
    assert rows[0] == "hot|withoutcolor|1" and "hot|blue|2" in rows and "subhot|blue:press|2" in rows
    assert any(shop.HOSTILE in row for row in seen["rows"]) and seen["markup"] == 0
    assert [row.strip() for row in seen["found"]] == ["blue2 found"]
    assert "by=attribute%3Acolor" in seen["where"] and "heat=total" in seen["where"]


def test_flame_graph_by_keyboard(filled):  # noqa: F811
    seen = trace(filled, "flame", painted(filled))
    assert seen["menu"] == ["Focus on this", "Collapse what is above", "Collapse", "Highlight its like", "Copy the name",
                            "Open the first span", "Reset the view"]
    assert seen["found"] == "1 frame found" and "paint" in seen["table"]


def test_links_lead_both_ways(filled):  # noqa: F811
    made, now = shop.Trace("linked", 0), time.time_ns() - 60_000_000_000
    root = made.span("shop", "import", "", now, now + 10**9, 2, [("warehouse", "w 1")])
    sent = made.span("shop", "publish", root, now, now + 10**6, 4, [("sku", "A-7")])
    for i in range(2):
        made.span("worker", "consume", root, now + 2 * 10**6, now + 3 * 10**6, 5, links=[{"traceId": made.id, "spanId": sent}])
    other = shop.Trace("linking", 0)
    other.span("mailer", "notify", "", now + 10**9, now + 10**9 + 10**6, 5, links=[{"traceId": made.id, "spanId": sent}])
    for one in (made, other):
        shop.send(filled.http, one)
    filled.trace(made.id, spans=4)
    filled.trace(other.id)
    seen = trace(filled, "links", made.id, sent)
    assert len(seen["referrers"]) == 2 and all("worker consume" in line for line in seen["referrers"])
    assert seen["pattern"] == "https://stock.example/w%201/A-7"
    assert len(seen["elsewhere"]) == 1 and "notify" in seen["elsewhere"][0]


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
