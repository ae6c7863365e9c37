# SPDX-License-Identifier: Apache-2.0
"""A real OpenSearch: the conformance suite, and every acknowledged span after the node was killed and came back, while its
disk is full, while an index has no shards, and over midnight.
With JAEGER_TEST_OPENSEARCH, the address of one that runs, it is not killed; with JAEGER_TEST_ELASTICSEARCH the
suite runs on that, too."""
import concurrent.futures
import http.server
import os
import subprocess
import threading
import time

import grpc
import pytest
import requests
import search_engine
from conftest import BUILD, Jaeger
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
SPANS = 50  # of a request
REQUESTS = 120


def storage(url, prefix="e2e"):
    return f"""opensearch: {{server_urls: ["{url}"], indices: {{index_prefix: {prefix},
  spans: {{shards: 1, replicas: 0}}, services: {{shards: 1, replicas: 0}}}}}}"""


def request_of(number, now=None):
    message, now = ExportTraceServiceRequest(), now or time.time_ns()
    resource_spans = message.resource_spans.add()
    resource_spans.resource.attributes.add(key="service.name").value.string_value = "search"
    spans = resource_spans.scope_spans.add().spans
    for i in range(SPANS):
        spans.add(trace_id=number.to_bytes(16, "big"), span_id=(i + 1).to_bytes(8, "big"), name=f"op-{i % 5}",
                  start_time_unix_nano=now, end_time_unix_nano=now + 1000000)
    return message.SerializeToString()


def count_of(engine, pattern):
    requests.post(f"{engine.url}/{pattern}/_refresh", timeout=60)
    return engine.ask("GET", f"/{pattern}/_count")["count"]


def send_all(port, on_acknowledged):
    """Send each request until it is answered OK."""
    def send(number):
        message, deadline = request_of(number), time.monotonic() + 240
        while True:
            try:
                call(message, timeout=20)
                on_acknowledged()
                return
            except grpc.RpcError as failed:
                assert failed.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED), failed
                assert time.monotonic() < deadline, failed
                time.sleep(0.2)

    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary(EXPORT)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(send, n + 1) for n in range(REQUESTS)]:
                done.result()


def test_the_conformance_suite(engine):
    done = subprocess.run([BUILD / "tests/opensearch_conform"], capture_output=True, text=True, timeout=500,
                          env={**os.environ, "JAEGER_TEST_OPENSEARCH": engine.url})
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_acknowledged_spans_survive_the_death_of_the_node(engine, tmp_path):
    if not engine.process:
        pytest.skip("SKIPPED: JAEGER_TEST_OPENSEARCH is not ours to kill")
    server = Jaeger(tmp_path, storage=storage(engine.url)).start()
    lock, acknowledged, killed = threading.Lock(), [0], threading.Event()

    def count():
        with lock:
            acknowledged[0] += 1
            if acknowledged[0] == REQUESTS // 3:
                killed.set()

    def trouble():
        killed.wait(240)
        engine.kill()
        engine.start()

    thread = threading.Thread(target=trouble)
    thread.start()
    send_all(server.grpc, count)
    thread.join()
    assert count_of(engine, "e2e-jaeger-span-*") == REQUESTS * SPANS  # each once: a span sent again is the same document
    found = server.trace((1).to_bytes(16, "big").hex(), SPANS, timeout=60)
    assert len(found["spans"]) == SPANS
    assert server.get("/api/v3/services").json()["services"] == ["search"]
    assert server.stop() == 0


@pytest.fixture
def served(engine, tmp_path, request):
    """A server with indices of its own, and how to send one request to it."""
    prefix = f"e2e-{request.node.name.split('_')[1]}-{time.time_ns()}"
    server = Jaeger(tmp_path, storage=storage(engine.url, prefix)).start()
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc}") as channel:
        yield server, prefix, channel.unary_unary(EXPORT)
    server.stop()
    requests.delete(f"{engine.url}/{prefix}-*", timeout=60)


def refused_until(send, message, allow):
    """The client is told to come back while it cannot be stored, and then it is."""
    with pytest.raises(grpc.RpcError) as failed:
        send(message, timeout=4)
    assert failed.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED), failed.value
    allow()
    deadline = time.monotonic() + 120
    while True:
        try:
            return send(message, timeout=20)
        except grpc.RpcError as again:
            assert again.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED), again
            assert time.monotonic() < deadline, again
            time.sleep(0.2)


def test_full_disk_is_told_and_loses_nothing(engine, served):
    _, prefix, send = served
    send(request_of(1), timeout=30)

    def block(value):  # what the engine itself does above its flood stage watermark
        engine.ask("PUT", f"/{prefix}-*/_settings", json={"index.blocks.read_only_allow_delete": value})

    block(True)
    refused_until(send, request_of(2), lambda: block(None))
    assert count_of(engine, f"{prefix}-jaeger-span-*") == 2 * SPANS


def test_red_index_is_told_and_loses_nothing(engine, served):
    _, prefix, send = served
    now = time.time_ns()
    index = f"{prefix}-jaeger-span-{time.strftime('%Y-%m-%d', time.gmtime(now / 1e9))}"
    engine.ask("PUT", f"/{index}?wait_for_active_shards=0", json={
        "settings": {"index.routing.allocation.require._name": "nobody", "number_of_shards": 1, "number_of_replicas": 0}})
    assert engine.ask("GET", f"/_cluster/health/{index}")["status"] == "red"
    refused_until(send, request_of(1, now), lambda: engine.ask(
        "PUT", f"/{index}/_settings", json={"index.routing.allocation.require._name": None}))
    assert count_of(engine, index) == SPANS


def test_midnight_divides_the_indices(engine, served):
    server, prefix, send = served
    midnight = int(time.time()) // 86400 * 86400 * 10**9
    for number, moment in ((1, midnight - 1000000), (2, midnight)):
        send(request_of(number, moment), timeout=30)
    mixed = ExportTraceServiceRequest.FromString(request_of(3, midnight))
    for span in mixed.resource_spans[0].scope_spans[0].spans[::2]:
        span.start_time_unix_nano = midnight - 1
    send(mixed.SerializeToString(), timeout=30)
    days = [time.strftime("%Y-%m-%d", time.gmtime(midnight / 1e9 - before)) for before in (1, 0)]
    assert [count_of(engine, f"{prefix}-jaeger-span-{day}") for day in days] == [SPANS + SPANS // 2] * 2
    assert len(server.trace((3).to_bytes(16, "big").hex(), SPANS, timeout=60)["spans"]) == SPANS


class Hollow(http.server.BaseHTTPRequestHandler):
    """A cluster, as far as a start asks it."""
    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b'{"tagline": "The OpenSearch Project", "version": {"number": "2.19.1"}, "acknowledged": true}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_PUT = do_GET

    def log_message(self, *_):
        pass


def wait_for_health(server, is_so, timeout=60):
    deadline = time.monotonic() + timeout
    while True:
        health = requests.get(f"http://127.0.0.1:{server.health}/status", timeout=5).json()
        if is_so({"error": "", **health}):
            return
        assert time.monotonic() < deadline, health
        time.sleep(0.1)


def test_without_a_cluster_it_starts_and_says_so(tmp_path):
    port = search_engine.free_ports(1)[0]
    server = Jaeger(tmp_path, storage=storage(f"http://127.0.0.1:{port}")).start(status=503)
    wait_for_health(server, lambda health: not health["healthy"] and "has not answered yet" in health["error"])
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc}") as channel:
        with pytest.raises(grpc.RpcError) as failed:
            channel.unary_unary(EXPORT)(request_of(1), timeout=60)
        assert failed.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
    assert "the cluster does not answer yet" in server.output()
    assert server.get("/api/v3/services").status_code >= 500
    cluster = http.server.ThreadingHTTPServer(("127.0.0.1", port), Hollow)  # now there is one
    threading.Thread(target=cluster.serve_forever, daemon=True).start()
    wait_for_health(server, lambda health: health["healthy"])  # the exporter still tells of its last attempt
    server.stop()
    cluster.shutdown()
