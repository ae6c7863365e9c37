# SPDX-License-Identifier: Apache-2.0
"""A real OpenSearch: the conformance suite, and every acknowledged span after the node was killed and came back.
With JAEGER_TEST_OPENSEARCH, the address of one that runs, it is not killed; with JAEGER_TEST_ELASTICSEARCH the
suite runs on that, too."""
import concurrent.futures
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


def storage(url):
    return f"""opensearch: {{server_urls: ["{url}"], indices: {{index_prefix: e2e,
  spans: {{shards: 1, replicas: 0}}, services: {{shards: 1, replicas: 0}}}}}}"""


def request_of(number):
    message, now = ExportTraceServiceRequest(), time.time_ns()
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


def test_without_a_cluster_it_starts_and_says_so(tmp_path):
    port = search_engine.free_ports(1)[0]
    server = Jaeger(tmp_path, storage=storage(f"http://127.0.0.1:{port}")).start()
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc}") as channel:
        with pytest.raises(grpc.RpcError) as failed:
            channel.unary_unary(EXPORT)(request_of(1), timeout=60)
        assert failed.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
    assert "the cluster does not answer yet" in server.output()
    assert server.get("/api/v3/services").status_code >= 500
    server.stop()
