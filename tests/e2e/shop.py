# SPDX-License-Identifier: Apache-2.0
"""Traces of a made-up shop, as OTLP-JSON: what the pages are looked at with."""
import hashlib
import json
import random
import time

import requests

CALLS = {
    "frontend": [("GET /", ["catalog"]), ("POST /checkout", ["checkout", "cart"]), ("GET /product", ["catalog", "reviews"])],
    "checkout": [("PlaceOrder", ["payment", "shipping", "cart", "email"])],
    "cart": [("GetCart", ["redis"]), ("EmptyCart", ["redis"])],
    "catalog": [("ListProducts", ["postgres"]), ("GetProduct", ["postgres", "redis"])],
    "payment": [("Charge", ["fraud-check", "bank-gateway"])],
    "shipping": [("GetQuote", ["geo"]), ("ShipOrder", ["geo", "postgres"])],
    "reviews": [("GetReviews", ["postgres"])],
    "email": [("SendConfirmation", [])], "fraud-check": [("Score", ["redis"])], "bank-gateway": [("Authorize", [])],
    "geo": [("Locate", [])], "redis": [("HGET", []), ("EXPIRE", [])], "postgres": [("SELECT", []), ("UPDATE", [])],
}


def attr(key, value):
    kind = {bool: "boolValue", int: "intValue", float: "doubleValue"}.get(type(value), "stringValue")
    return {"key": key, "value": {kind: str(value) if kind == "intValue" else value}}


class Trace:
    """Spans of one trace, grouped by service when sent."""

    def __init__(self, seed, begin_ns):
        self.random = random.Random(seed)
        self.id = hashlib.md5(str(seed).encode()).hexdigest()
        self.begin_ns = begin_ns
        self.spans = {}
        self.count = 0

    def span(self, service, name, parent, start_ns, end_ns, kind=2, attributes=(), **rest):
        self.count += 1
        span_id = f"{self.count:08x}{self.random.getrandbits(32):08x}"
        self.spans.setdefault(service, []).append({
            "traceId": self.id, "spanId": span_id, "parentSpanId": parent or "", "name": name, "kind": kind,
            "startTimeUnixNano": str(start_ns), "endTimeUnixNano": str(end_ns), "attributes": [attr(*a) for a in attributes], **rest})
        return span_id

    def document(self):
        return {"resourceSpans": [{
            "resource": {"attributes": [attr("service.name", service), attr("host.name", f"node-{len(service)}"), attr("service.version", "1.4.2"),
                                        attr("telemetry.sdk.language", "go")]},
            "scopeSpans": [{"scope": {"name": f"shop/{service}", "version": "0.9"}, "spans": spans}]} for service, spans in self.spans.items()]}


def call(trace, service, parent, start, budget, depth=0):
    """One call and what it calls; returns its end."""
    r = trace.random
    name, below = r.choice(CALLS[service])
    own = int(budget * r.uniform(0.05, 0.25))
    at = start + own // 3
    span_id = trace.span(service, name, parent, start, start + budget, 2 if below else 3, [
        ("http.request.method", "GET"), ("http.route", name), ("http.response.status_code", 200), ("user.id", f"u{r.randrange(1000)}"),
        ("retry", False), ("db.statement" if service == "postgres" else "peer.address", "SELECT * FROM items WHERE sku = $1" if service == "postgres" else "10.0.0.7:8080")])
    mine = trace.spans[service][-1]
    if r.random() < 0.3:
        mine["events"] = [{"timeUnixNano": str(at), "name": "cache miss", "attributes": [attr("key", "sku-42"), attr("attempt", 2)]}]
    if service == "bank-gateway" and r.random() < 0.4:
        mine["status"] = {"code": 2, "message": "card declined: insufficient funds"}
        mine["events"] = [{"timeUnixNano": str(at), "name": "exception", "attributes": [attr("exception.type", "PaymentDeclined"),
                          attr("exception.message", "insufficient funds"), attr("exception.stacktrace", "at Bank.authorize (bank.js:42)\n  at Payment.charge (payment.js:17)")]}]
    times = 14 if service == "catalog" and r.random() < 0.4 else 1
    calls = [b for b in below for _ in range(times if b == "postgres" else 1)]
    left = start + budget - own // 2 - at
    for child in calls:
        share = int(left / len(calls) * r.uniform(0.6, 0.98))
        call(trace, child, span_id, at, max(share, 1000), depth + 1)
        at += int(left / len(calls))
    return start + budget


def shop_trace(seed, begin_ns):
    trace = Trace(seed, begin_ns)
    call(trace, "frontend", None, begin_ns, int(trace.random.lognormvariate(18.2, 0.9)))
    return trace


def large_trace(spans, begin_ns, seed="large", services=40, chain=False):
    trace = Trace(seed, begin_ns)
    r = trace.random
    ids = []
    for i in range(spans):
        if i == 0:
            parent, start, end = None, begin_ns, begin_ns + 10_000_000_000
        else:
            parent, p_start, p_end = ids[-1] if chain else ids[(i - 1) // 5]
            if chain:
                start, end = p_start + 10, max(p_end - 10, p_start + 11)
            else:
                start = p_start + int((p_end - p_start) * r.uniform(0.02, 0.7))
                end = start + int((p_end - start) * r.uniform(0.1, 0.9))
        service = f"service-{r.randrange(services):02d}"
        extra = {"status": {"code": 2}} if r.random() < 0.002 else {}
        ids.append((trace.span(service, f"operation-{r.randrange(200)}", parent, start, end, 2,
                               [("http.route", f"/api/{i % 90}"), ("index", i), ("shard", "blue"), ("cached", i % 3 == 0), ("zone", "eu-1")], **extra), start, end))
    return trace


HOSTILE = '<img src=x onerror="window.__hacked=1"><script>window.__hacked=1</script>'


def hostile_trace(begin_ns):
    trace = Trace("hostile", begin_ns)
    root = trace.span(HOSTILE, HOSTILE, None, begin_ns, begin_ns + 5_000_000, 2, [
        (HOSTILE, HOSTILE), ("link", "javascript:window.__hacked=1"), ("json", '{"a": "' + "x" * 20 + '</script>"}'), ("long", "y" * 5000)],
        events=[{"timeUnixNano": str(begin_ns), "name": HOSTILE, "attributes": [attr("message", HOSTILE)]}],
        status={"code": 2, "message": HOSTILE})
    trace.span("victim", "x" * 300, root, begin_ns, begin_ns, 3)
    return trace


def mesh(services, begin_ns, traces=100):
    """Traces of many services of eight teams, with a few that all call; every service is in one at least."""
    r = random.Random(5)
    teams = ["checkout", "catalog", "identity", "billing", "search", "shipping", "media", "growth"]
    names = ["platform-auth", "platform-postgres", "platform-kafka"] + [f"{teams[i % 8]}-part-{i // 8}" for i in range(services - 3)]
    made = []
    for k in range(traces):
        trace = Trace(f"mesh{k}", begin_ns)
        mine = names[3:][k % len(teams)::len(teams)]
        above = trace.span(mine[0], "start", None, begin_ns, begin_ns + 10**8)
        for i, name in enumerate(mine[1:]):
            status = {"status": {"code": 2}} if r.random() < 0.05 else {}
            span = trace.span(name, "call", above, begin_ns + i * 1000, begin_ns + 10**7, **status)
            if r.random() < 0.3:
                trace.span(r.choice(names[:3]), "serve", span, begin_ns + i * 1000, begin_ns + 10**6)
            above = span if r.random() < 0.5 else above
        made.append(trace)
    return made


def send(http_port, trace, at_once=5000):
    """Over OTLP/HTTP, in parts that receivers take."""
    for group in trace.document()["resourceSpans"]:
        scope = group["scopeSpans"][0]
        spans = scope["spans"]
        for at in range(0, len(spans), at_once):
            body = {"resourceSpans": [{**group, "scopeSpans": [{**scope, "spans": spans[at:at + at_once]}]}]}
            reply = requests.post(f"http://127.0.0.1:{http_port}/v1/traces", data=json.dumps(body),
                                  headers={"content-type": "application/json"}, timeout=60)
            assert reply.status_code == 200, reply.text
    return trace.id


def send_shop(http_port, count=60, over_s=3000):
    now = time.time_ns()
    return [send(http_port, shop_trace(i, now - 20_000_000_000 - i * over_s * 1_000_000_000 // count)) for i in range(count)]
