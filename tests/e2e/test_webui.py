# SPDX-License-Identifier: Apache-2.0
"""The web UI in real Chromium, against our own server: what a person comes to do on each page."""
import http.server
import json
import threading
import time

import pytest
import requests
import shop
from conftest import node
from webui import do, failing, filled  # noqa: F401


def test_search_finds_shares_and_remembers(filled):
    seen = do(filled, "search")
    assert seen["found"] and set(seen["found"]) == {"POST /checkout"}
    assert "service=frontend" in seen["link"] and "tags=" in seen["link"]
    assert seen["again"] == seen["count"]
    assert "frontend" in seen["recent"] and "http.route" in seen["recent"]
    assert "nonsense" in seen["wrong"]

    def ns(text):
        value, unit = text.split()[:2]
        return float(value) * {"µs": 1e3, "ms": 1e6, "s": 1e9}[unit]
    durations = [ns(text) for text in seen["durations"]]
    assert durations == sorted(durations, reverse=True)


def test_plot_narrows_and_two_traces_compare(filled):
    seen = do(filled, "brush")
    assert seen["all"] == "60 traces"
    some, total = seen["some"].split(" of ")
    assert 0 < int(some) < 60 and total == "60 traces"
    assert "..." in seen["where"] and "call paths" in seen["compare"]

    def pair(where):
        return where.split("/trace/")[1].split("?")[0].split("...")
    assert pair(seen["swapped"]) == pair(seen["where"])[::-1] and seen["where"].count("cohort=") == 3
    assert pair(seen["chosen"])[0] != pair(seen["swapped"])[0] and seen["nav"].count("cohort=") == 3


def test_trace_is_searched_and_linked_to(filled, failing):
    seen = do(filled, "trace", failing["traceID"])
    assert len(seen["rows"]) == min(len(failing["spans"]), len(seen["rows"])) and "frontend" in seen["rows"][0]
    assert "frontend" in seen["title"]
    assert seen["matches"].strip() != "0"
    for text in ("Authorize", "card declined: insufficient funds", "exception.stacktrace", "bank.js:42", "host.name", "bank-gateway"):
        assert text in seen["panel"]
    assert "span=" in seen["deep"] and "uiFind=insufficient" in seen["deep"] and seen["deepPanel"] == "Authorize"
    assert "bank-gateway" in seen["views"]["Statistics"] and "Authorize" in seen["views"]["Spans"] and "Authorize" in seen["views"]["Graph"]


def test_keys_do_everything(filled, failing):
    seen = do(filled, "keyboard", failing["traceID"])
    assert seen["first"].startswith("frontend") and seen["folded"] == 1
    assert "Authorize" in seen["error"] and "error" in seen["error"] and seen["closed"]
    assert seen["allFolded"] == 1 and seen["unfolded"] == seen["all"] > 1
    assert "Critical path" in seen["help"]
    assert seen["where"].endswith(failing["traceID"])


def test_map_and_monitor(filled):
    seen = do(filled, "map")
    assert any(label.startswith("frontend:") for label in seen["nodes"])
    assert "service=checkout" in seen["focused"] and "payment" in seen["table"]
    assert "No metrics backend" in seen["monitor"]


def test_hostile_values_are_text(filled):
    seen = do(filled, "hostile", filled.hostile)
    assert shop.HOSTILE in seen["panel"] and seen["hacked"] is False
    assert not [link for link in seen["links"] if link.startswith("javascript:")]


@pytest.mark.parametrize("kind", ["jaeger", "otlp"])
def test_files_open(filled, failing, tmp_path, kind):
    path = "/api/traces/" if kind == "jaeger" else "/api/v3/traces/"
    file = tmp_path / "trace.json"
    file.write_text(filled.get(path + failing["traceID"]).text.replace(failing["traceID"], "c0ffee" + failing["traceID"][6:]))
    seen = do(filled, "upload", str(file))
    assert any("Authorize" in row for row in seen["rows"]) and "from a file" in seen["head"]


def test_what_is_not_there_is_said(filled):
    seen = do(filled, "missing")
    assert "trace not found" in seen["trace"] and "no such page" in seen["nowhere"]


def test_both_themes_meet_wcag_aa(filled, failing, tmp_path):
    seen = do(filled, "look", failing["traceID"], str(tmp_path))
    assert seen["contrasts"]["light"] != seen["contrasts"]["dark"] and seen["violations"] == []


def test_behind_a_proxy_that_cuts_a_prefix(filled, failing):
    """The server knows nothing of /tools/jaeger/: the page finds its prefix by itself."""
    class Proxy(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            assert self.path.startswith("/tools/jaeger/"), self.path
            reply = requests.get(f"http://127.0.0.1:{filled.query}{self.path[len('/tools/jaeger'):]}", timeout=30)
            self.send_response(reply.status_code)
            for key in ("Content-Type", "Content-Security-Policy"):
                if key in reply.headers:
                    self.send_header(key, reply.headers[key])
            self.end_headers()
            self.wfile.write(reply.content)

        def log_message(self, *_):
            pass
    proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    seen = node("webui.js", "trace", f"http://127.0.0.1:{proxy.server_address[1]}/tools/jaeger/", failing["traceID"])
    proxy.shutdown()
    assert seen["errors"] == [] and seen["deepPanel"] == "Authorize"


def test_files_are_cached_compressed_and_small(filled):
    page = filled.get("/search")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert page.headers["Cache-Control"] == "no-cache"
    names = [part.split('"')[0] for part in page.text.split('"./')[1:] if part.startswith("static/")]
    total = 0
    for name in names:
        reply = requests.get(f"http://127.0.0.1:{filled.query}/{name}", stream=True, timeout=30, headers={"Accept-Encoding": "gzip"})
        assert reply.headers["Content-Encoding"] == "gzip"
        total += len(reply.raw.read(decode_content=False))
        again = requests.get(reply.url, headers={"If-None-Match": reply.headers["ETag"]}, timeout=30)
        assert again.status_code == 304
    assert 10_000 < total < 100_000


def test_large_traces_open_fast(filled):
    """The budget is 1 s on an idle machine; a loaded one gets five times that."""
    big = shop.send(filled.http, shop.large_trace(50_000, time.time_ns() - 60_000_000_000))
    filled.trace(big, spans=50_000, timeout=30)
    seen = node("webui_speed.js", f"http://127.0.0.1:{filled.query}/", big)
    print(json.dumps(seen))
    assert seen["openMs"] < 5000 and seen["foldMs"] < 500 and seen["heapMb"] < 80
