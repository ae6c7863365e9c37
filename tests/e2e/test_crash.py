# SPDX-License-Identifier: Apache-2.0
"""kill -9 under load: every acknowledged span is there after the next start. JAEGER_CRASH_ROUNDS sets how often."""
import os
import random
import signal
import threading
import time

import grpc
from conftest import Jaeger
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

ROUNDS = int(os.environ.get("JAEGER_CRASH_ROUNDS", "4"))
SPANS_PER_TRACE = 5


def request(trace_id):
    message = ExportTraceServiceRequest()
    resource_spans = message.resource_spans.add()
    resource_spans.resource.attributes.add(key="service.name").value.string_value = "crash"
    scope_spans = resource_spans.scope_spans.add()
    now = time.time_ns()
    for i in range(SPANS_PER_TRACE):
        scope_spans.spans.add(trace_id=trace_id, span_id=(i + 1).to_bytes(8, "big"), name=f"op-{i}",
                              start_time_unix_nano=now, end_time_unix_nano=now + 1000)
    return message.SerializeToString()


def sender(port, acknowledged, stop):
    """Sends traces one by one; notes those that were answered OK."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        export = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        while not stop.is_set():
            trace_id = random.randbytes(16)
            try:
                export(request(trace_id), timeout=10)
            except grpc.RpcError:
                return
            acknowledged.append(trace_id.hex())


def test_no_acknowledged_span_is_lost_to_kill_9(tmp_path):
    acknowledged = []
    for _ in range(ROUNDS):
        server = Jaeger(tmp_path, storage=f"embedded: {{directory: {tmp_path}/data}}").start()
        stop = threading.Event()
        threads = [threading.Thread(target=sender, args=(server.grpc, acknowledged, stop)) for _ in range(8)]
        for thread in threads:
            thread.start()
        time.sleep(random.uniform(0.3, 1.5))
        server.stop(signal.SIGKILL)
        stop.set()
        for thread in threads:
            thread.join()
    assert len(acknowledged) > 100
    server = Jaeger(tmp_path, storage=f"embedded: {{directory: {tmp_path}/data}}").start()
    try:
        for trace_id in acknowledged:
            reply = server.get(f"/api/traces/{trace_id}")
            assert reply.status_code == 200, trace_id
            assert len(reply.json()["data"][0]["spans"]) == SPANS_PER_TRACE
    finally:
        server.stop()
