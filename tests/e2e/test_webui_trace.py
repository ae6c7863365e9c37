# SPDX-License-Identifier: Apache-2.0
"""The trace page of the web UI: repeated siblings, events, spans that still arrive, keys."""
import http.server
import threading
import time

import pytest
import requests
import shop
from conftest import Jaeger, node
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


class Way(http.server.ThreadingHTTPServer):
    """A proxy on the way to the server. At /ready it calls `ready`. `gathers`: answers are passed on when they are
    whole. `cuts`: the first watch is lost after its first bytes. Remembers what was asked for."""
    daemon_threads = True

    def __init__(self, server, ready, gathers=False, cuts=False):
        super().__init__(("127.0.0.1", 0), Passing)
        self.server, self.ready, self.gathers, self.cuts = server, ready, gathers, cuts
        self.watches, self.polls = [], 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        """Clients leave while an answer is on its way."""


class Passing(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        way = self.server
        if self.path == "/ready":
            way.ready()
        headers = {k: v for k, v in self.headers.items() if k.lower() == "if-none-match"}
        way.polls += bool(headers) and "/api/ui/v1/trace/" in self.path
        watch = "/watch?" in self.path
        cut = way.cuts and watch and not way.watches
        if watch:
            way.watches.append(self.path)
        reply = requests.get(f"http://127.0.0.1:{way.server.query}{self.path}", headers=headers, timeout=60, stream=True)
        parts = [reply.content] if way.gathers else reply.iter_content(chunk_size=None)
        self.send_response(reply.status_code)
        for key in ("Content-Type", "Content-Security-Policy", "ETag", "Cache-Control"):
            if key in reply.headers:
                self.send_header(key, reply.headers[key])
        self.end_headers()
        for part in parts:
            self.wfile.write(part)
            self.wfile.flush()
            if cut:
                break
        reply.close()

    def log_message(self, *_):
        pass


@pytest.mark.parametrize("way", [{}, {"cuts": True}, {"gathers": True}], ids=["pushed", "lost", "asked"])
def test_spans_that_still_arrive_are_shown(filled, way):  # noqa: F811
    """The browser says through a proxy when the page is open; then the late span is sent. The server pushes it,
    also after the answer was lost; where answers do not come in pieces the page asks."""
    now, part = time.time_ns(), shop.Trace(f"arriving {way}", 0)
    root = part.span("shop", "start", "", now, now + 10**9)
    part.span("shop", "early", root, now + 10**6, now + 2 * 10**6)
    trace_id = shop.send(filled.http, part)
    filled.trace(trace_id, spans=2)

    def late():
        part.spans = {}
        part.span("shop", "late", root, now + 3 * 10**6, now + 4 * 10**6)
        shop.send(filled.http, part)
    proxy = Way(filled, late, **way)
    seen = node("webui_trace.js", "live", f"http://127.0.0.1:{proxy.server_address[1]}/", trace_id)
    proxy.shutdown()
    assert [e for e in seen["errors"] if "ERR_INCOMPLETE" not in e] == [] and seen["before"] == seen["after"] == "early"
    assert "late" in seen["rows"][2] and proxy.watches
    assert (proxy.polls > 0) == ("gathers" in way)
    assert len(proxy.watches) > 1 or "cuts" not in way


def test_few_pages_watch_and_the_server_stops_at_once(tmp_path):
    server = Jaeger(tmp_path).start()
    made = shop.Trace("watched", 0)
    made.span("shop", "only", "", time.time_ns(), time.time_ns() + 1000)
    shop.send(server.http, made)
    server.trace(made.id)
    url = f"http://127.0.0.1:{server.query}/api/ui/v1/trace/{made.id}/watch?after="
    open_ones = [requests.get(url, stream=True, timeout=60) for _ in range(16)]
    assert {r.status_code for r in open_ones} == {200} and open_ones[0].raw.read(8) == b"JTB1\0\0\0\0"
    assert requests.get(url, timeout=60).status_code == 503
    begin = time.monotonic()
    server.stop(timeout=60)
    assert time.monotonic() - begin < 20  # they would stay for 25 s
    for one in open_ones:
        one.close()


def test_keys_narrow_and_the_link_keeps_it(filled, failing):  # noqa: F811
    seen = trace(filled, "keys", failing["traceID"])
    assert "PlaceOrder" in "".join(seen["subtree"]) and len(seen["subtree"]) < len(failing["spans"])
    assert "hide=checkout" in seen["link"] and "zoom=" in seen["link"] and "uiFind=PlaceOrder" in seen["link"]
