# SPDX-License-Identifier: Apache-2.0
"""The commands for OpenSearch, and the job that computes the service graph, against a real node."""
import json
import subprocess
import time

import pytest
import requests
from conftest import ALL_IN_ONE, Jaeger

NOW = time.time_ns()
HOUR = 3600 * 10**9


@pytest.fixture
def prefix(engine, request):
    name = f"e2e-{request.node.name.replace('_', '-')}"
    requests.delete(f"{engine.url}/{name}-*", timeout=60)
    yield name
    requests.delete(f"{engine.url}/{name}-*", timeout=60)


def tool(*words, code=0):
    done = subprocess.run([str(ALL_IN_ONE), *words], capture_output=True, text=True, timeout=120)
    assert done.returncode == code, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def indices(engine, prefix):
    return sorted(engine.ask("GET", f"/{prefix}-*"))


def aliases(engine, prefix):
    """alias -> indices"""
    found = {}
    for index, value in engine.ask("GET", f"/{prefix}-*/_alias").items():
        for alias in value["aliases"]:
            found.setdefault(alias, set()).add(index)
    return found


def test_rollover(engine, prefix):
    base = f"{prefix}-jaeger-span"
    where = [engine.url, "--index-prefix", prefix]
    assert "would create" in tool("es-rollover", "init", *where, "--dry-run")
    assert indices(engine, prefix) == []
    for _ in range(2):  # again changes nothing
        tool("es-rollover", "init", *where, "--adaptive-sampling", "--shards=1", "--replicas=0")
        assert aliases(engine, prefix) == {
            f"{prefix}-jaeger-{kind}-{use}": {f"{prefix}-jaeger-{kind}-000001"}
            for kind in ("span", "service", "dependencies", "sampling") for use in ("read", "write")}
    assert engine.ask("GET", f"/{base}-000001")[f"{base}-000001"]["mappings"]["properties"]["traceID"]

    assert "not met" in tool("es-rollover", "rollover", *where)
    assert "would roll over" in tool("es-rollover", "rollover", *where, "--conditions={}", "--dry-run")
    assert indices(engine, prefix)[-1].endswith("-000001")
    tool("es-rollover", "rollover", *where, "--conditions={}")
    tool("es-rollover", "rollover", *where, "--conditions=", "--skip-dependencies")
    now = aliases(engine, prefix)
    assert now[f"{base}-write"] == {f"{base}-000003"}
    assert now[f"{base}-read"] == {f"{base}-00000{i}" for i in (1, 2, 3)}
    assert len(now[f"{prefix}-jaeger-dependencies-read"]) == 2

    tool("es-rollover", "lookback", *where, "--unit=days", "--unit-count=3")  # none is as old
    assert aliases(engine, prefix) == now
    assert "would remove" in tool("es-rollover", "lookback", *where, "--unit=seconds", "--unit-count=0", "--dry-run")
    assert aliases(engine, prefix) == now
    time.sleep(1.1)  # the cluster's clock is ours: all are older than this second
    tool("es-rollover", "lookback", *where, "--unit=seconds", "--unit-count=0")
    assert aliases(engine, prefix)[f"{base}-read"] == {f"{base}-000003"}  # what is written to stays

    assert "would delete" in tool("es-index-cleaner", "0", *where, "--rollover", "--dry-run")
    assert f"{base}-000001" in indices(engine, prefix)
    tool("es-index-cleaner", "0", *where, "--rollover")
    left = indices(engine, prefix)
    assert f"{base}-000003" in left and f"{base}-000002" not in left
    assert "cannot roll over nobody-jaeger-span-write" in tool("es-rollover", "rollover", engine.url, "--index-prefix=nobody", code=1)


def test_cleaner(engine, prefix):
    """What is chosen by name; all are as old as the test (ages: opensearch_admin_test.c)."""
    for name in ("span-2020-01-02", "service-2020.01.02", "sampling-2020-01-02", "span-000001", "span-archive-000001",
                 "state"):
        engine.ask("PUT", f"/{prefix}-jaeger-{name}", json={"settings": {"number_of_replicas": 0}})
    engine.ask("PUT", f"/{prefix}-jaeger-span-2020-01-03", json={"aliases": {f"{prefix}-jaeger-span-write": {}}})
    engine.ask("PUT", f"/{prefix}-other-jaeger-span-2020-01-02")

    def clean(*words):
        before = set(indices(engine, prefix))
        tool("es-index-cleaner", *words, engine.url, "--index-prefix", prefix)
        return {name.removeprefix(f"{prefix}-jaeger-") for name in before - set(indices(engine, prefix))}

    assert clean("1") == set()
    assert clean("1", "--feature-gates=-jaeger.es.index.relativeTimeIndexDeletion", "--rollover") == set()
    assert clean("0", "--rollover", "--feature-gates=-jaeger.es.index.relativeTimeIndexDeletion") == {"span-000001"}
    assert clean("0") == {"span-2020-01-02", "sampling-2020-01-02"}
    assert clean("0", "--index-date-separator=.") == {"service-2020.01.02"}
    assert clean("0", "--archive") == {"span-archive-000001"}
    assert len(indices(engine, prefix)) == 3


def test_mapping_is_accepted(engine):
    for kind in ("span", "service", "dependencies", "sampling"):
        body = json.loads(tool("esmapping-generator", "--mapping", f"jaeger-{kind}", "--backend", "os2",
                               "--index-prefix", "e2e-mapping"))
        engine.ask("PUT", f"/_template/e2e-mapping-{kind}", json=body)
        engine.ask("DELETE", f"/_template/e2e-mapping-{kind}")
    tool("esmapping-generator", "--mapping", "nothing", code=1)
    tool("es-index-cleaner", "1", code=2)


def span(trace, number, parent, service, kind, start, attributes=None):
    ids = {"traceId": f"{trace:032x}", "spanId": f"{number:016x}"}
    if parent:
        ids["parentSpanId"] = f"{parent:016x}"
    values = [{"key": k, "value": {"stringValue": v}} for k, v in (attributes or {}).items()]
    return {"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
            "scopeSpans": [{"spans": [{**ids, "name": "op", "kind": kind, "startTimeUnixNano": str(start),
                                       "endTimeUnixNano": str(start + 10**6), "attributes": values}]}]}


SERVER, CLIENT = 2, 3
TRACES = 300


def shop(trace, start):
    """web -> cart -> its own function -> (database), and web -> mail an hour later."""
    return [span(trace, 1, 0, "web", SERVER, start), span(trace, 2, 1, "web", CLIENT, start + 1000),
            span(trace, 3, 2, "cart", SERVER, start + 2000), span(trace, 4, 3, "cart", 1, start + 3000),
            span(trace, 5, 4, "cart", CLIENT, start + 4000, {"peer.service": "postgres"}),
            span(trace, 6, 1, "web", CLIENT, start + 5000, {"peer.service": "unused: there is a child"}),
            span(trace, 7, 6, "mail", SERVER, start + HOUR)]


WANT = {("web", "cart"): TRACES, ("cart", "postgres"): TRACES, ("web", "mail"): TRACES, ("web", "web"): 2 * TRACES,
        ("cart", "cart"): 2 * TRACES}


def graph(server, end, hours=6):
    data = server.get("/api/dependencies", endTs=end // 10**6, lookback=hours * 3600 * 1000).json()["data"]
    return {(link["parent"], link["child"]): link["callCount"] for link in data}


def storage(engine, prefix, more=""):
    return (f"opensearch: {{server_urls: ['{engine.url}'], bulk_processing: {{refresh: now}}, indices: {{index_prefix: "
            f"{prefix}, spans: {{shards: 1, replicas: 0}}, services: {{shards: 1, replicas: 0}}}}{more}}}")


def send(server, start):
    spans = [s for trace in range(1, TRACES + 1) for s in shop(trace, start + trace * 10**6)]
    for half in (spans[:len(spans) // 2], spans[len(spans) // 2:]):
        reply = requests.post(f"http://127.0.0.1:{server.http}/v1/traces", json={"resourceSpans": half}, timeout=60)
        assert reply.status_code == 200, reply.text


def test_service_graph(engine, prefix, tmp_path):
    start = NOW - 3 * HOUR
    where = [engine.url, "--index-prefix", prefix]
    server = Jaeger(tmp_path, storage=storage(engine, prefix)).start()
    try:
        send(server, start)
        assert graph(server, NOW) == {}
        assert "web -> cart" in tool("es-dependencies", *where, "--lookback=4h", "--delay=0s", "--dry-run")
        assert graph(server, NOW) == {}
        for _ in range(2):  # again counts nothing twice
            tool("es-dependencies", *where, "--lookback=4h", "--delay=0s")
            engine.ask("POST", f"/{prefix}-*/_refresh")
            assert graph(server, NOW) == WANT
        send(server, start + 1)  # these are late
        tool("es-dependencies", *where)
        engine.ask("POST", f"/{prefix}-*/_refresh")
        assert graph(server, NOW) == WANT
    finally:
        server.stop()


def test_service_graph_job(engine, prefix, tmp_path):
    """Two servers with the job: one of them counts, and the other goes on when it is gone."""
    job = ", dependencies_job: {interval: 1s, delay: 2s, lookback: 4h}"
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    first = Jaeger(tmp_path / "a", storage=storage(engine, prefix)).start()
    send(first, NOW - 2 * HOUR)
    first.stop()
    # all that lies behind would be 14400 windows: a mark says that it is done up to the spans
    engine.ask("PUT", f"/{prefix}-jaeger-state/_doc/dependencies-counted-until",
               json={"text": "test", "number_ms": (NOW - HOUR) // 10**6 - 5000})
    servers = [Jaeger(tmp_path / name, storage=storage(engine, prefix, job)).start() for name in "ab"]
    try:
        deadline = time.monotonic() + 60
        while (found := graph(servers[0], NOW)).get(("web", "mail")) != TRACES:
            assert time.monotonic() < deadline, f"{found}\n{servers[0].output()}\n{servers[1].output()}"
            time.sleep(0.5)
        assert found == {("web", "mail"): TRACES}
    finally:
        assert [server.stop() for server in servers] == [0, 0]


def test_monitor(engine, prefix, tmp_path):
    """The Monitor page's questions, answered by the cluster from the spans."""
    server = Jaeger(tmp_path, storage=storage(engine, prefix))
    text = server.config.read_text().replace("storage: {traces: main}", "storage: {traces: main, metrics: main}")
    text = text.replace("jaeger_storage: {", f"jaeger_storage: {{metric_backends: {{main: {{{storage(engine, prefix)}}}}}, ")
    server.config.write_text(text)
    server.start()
    step, end = 60_000, NOW // 10**6
    end -= end % step
    asked = {"service": ["shop", "other"], "endTs": end, "lookback": 10 * step, "step": step, "ratePer": 5 * step}
    try:
        spans = [span(1, 10 * minute + i + 1, 0, "shop", SERVER, (end - minute * step) * 10**6 + i * 10**6)
                 for minute in range(1, 16) for i in range(6)]
        for i, one in enumerate(spans):
            inner = one["scopeSpans"][0]["spans"][0]
            inner["name"] = ("slow", "fast")[i % 2]
            inner["endTimeUnixNano"] = str(int(inner["startTimeUnixNano"]) + (10**8, 10**6)[i % 2])
            inner["status"] = {"code": 2 if i % 3 == 0 else 1}
        reply = requests.post(f"http://127.0.0.1:{server.http}/v1/traces", json={"resourceSpans": spans}, timeout=60)
        assert reply.status_code == 200, reply.text

        def series(what, **more):
            reply = server.get(f"/api/metrics/{what}", **asked, **more)
            assert reply.status_code == 200, reply.text
            return {tuple(label["value"] for label in one["labels"]):
                    [point["gaugeValue"]["doubleValue"] for point in one["metricPoints"]]
                    for one in reply.json()["metrics"]}

        calls = series("calls")
        assert calls["shop",] == [0.08] * 10 + ["NaN"]  # 4 of 5 minutes with 6 calls, as Jaeger counts
        assert calls["other",] == ["NaN"] * 11
        assert series("errors")["shop",][:10] == [pytest.approx(1 / 3)] * 10
        by_operation = series("calls", groupByOperation="true")
        assert by_operation["shop", "slow"] == by_operation["shop", "fast"] == [0.04] * 10 + ["NaN"]
        assert series("latencies", quantile=0.95, groupByOperation="true")["shop", "slow"][0] == 100
        assert series("latencies", quantile=0.5, spanKind="client")["shop",] == ["NaN"] * 11
    finally:
        server.stop()
