# SPDX-License-Identifier: Apache-2.0
"""A collector, a real Kafka, ingesters that are killed, a store that goes away: every acknowledged span is there at
the end. Kafka comes from kafka.sh in $JAEGER_ENGINES (default: ../shared/engines beside the checkout); without it the
test is skipped. JAEGER_KAFKA_SECONDS sets how long it sends."""
import os
import pathlib
import random
import signal
import subprocess
import threading
import time

import pytest
import requests
from conftest import BUILD, ROOT, Jaeger, free_ports
from test_crash import SPANS_PER_TRACE, sender

ENGINES = pathlib.Path(os.environ.get("JAEGER_ENGINES", ROOT.parent / "shared/engines"))
INGESTER = BUILD / "cmd/jaeger-ingester"
SECONDS = float(os.environ.get("JAEGER_KAFKA_SECONDS", "15"))
INGESTERS, PARTITIONS, SENDERS = 3, 12, 4

pytestmark = [
    pytest.mark.skipif(not (ENGINES / "kafka.sh").exists(), reason=f"no kafka.sh in {ENGINES}"),
    pytest.mark.skipif(not INGESTER.exists(), reason="built without Kafka"),
]


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    port, controller = free_ports(2)
    environment = os.environ | {"KAFKA_PORT": str(port), "KAFKA_CONTROLLER_PORT": str(controller),
                                "KAFKA_PARTITIONS": str(PARTITIONS),
                                "ENGINE_DIR": str(tmp_path_factory.mktemp("kafka"))}
    command = ["bash", str(ENGINES / "kafka.sh")]
    subprocess.run([*command, "start"], env=environment, check=True, timeout=240)
    yield f"127.0.0.1:{port}"
    subprocess.run([*command, "stop"], env=environment, check=True, timeout=60)


class Node(Jaeger):
    """A process without storage and query: one receiver, one exporter."""

    def __init__(self, directory, binary, receiver, exporter):
        directory.mkdir()
        super().__init__(directory, binary=BUILD / "cmd" / binary, config="unused")
        self.config.write_text(f"""
service:
  extensions: [healthcheckv2]
  pipelines: {{traces: {{receivers: [{receiver.split(":")[0]}], exporters: [{exporter.split(":")[0]}]}}}}
  telemetry:
    metrics:
      readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {self.metrics}}}}}}}}}]
extensions: {{healthcheckv2: {{use_v2: true, http: {{endpoint: "127.0.0.1:{self.health}"}}}}}}
receivers: {{{receiver.replace("GRPC", str(self.grpc))}}}
exporters: {{{exporter}}}
""")

    def metric(self, name):
        text = requests.get(f"http://127.0.0.1:{self.metrics}/metrics", timeout=10).text
        return [float(line.split()[-1]) for line in text.splitlines() if line.startswith(name)]


def new_collector(directory, broker):
    return Node(directory, "jaeger-collector", 'otlp: {protocols: {grpc: {endpoint: "127.0.0.1:GRPC"}}}',
                f'kafka: {{brokers: ["{broker}"], traces: {{topic: spans}}, sending_queue: {{enabled: false}}, '
                "partition_traces_by_id: true}")


def new_ingester(directory, broker, storage):
    return Node(directory, "jaeger-ingester",
                f'kafka: {{brokers: ["{broker}"], group_id: ingesters, initial_offset: earliest, session_timeout: 6s, '
                "heartbeat_interval: 1s, traces: {topics: [spans]}}",
                f'otlp_grpc: {{endpoint: "127.0.0.1:{storage.grpc}", tls: {{insecure: true}}, '
                "sending_queue: {enabled: false}, retry_on_failure: {enabled: false}}")


def disturb(ingesters, storage):
    """kill -9 and restart ingesters; once, the store goes away."""
    end, refused = time.monotonic() + SECONDS, False
    while time.monotonic() < end:
        victim = random.choice(ingesters)
        victim.stop(signal.SIGKILL)
        time.sleep(random.uniform(0.2, 1))
        victim.start()
        if not refused and time.monotonic() > end - SECONDS / 2:
            storage.stop()
            time.sleep(1.5)
            storage.start()
            refused = True
        time.sleep(random.uniform(0.5, 2))


def test_no_acknowledged_span_is_lost_between_collector_and_store(broker, tmp_path):
    (tmp_path / "store").mkdir()
    storage = Jaeger(tmp_path / "store", storage=f"embedded: {{directory: {tmp_path}/data}}").start()
    collector = new_collector(tmp_path / "collector", broker).start()
    ingesters = [new_ingester(tmp_path / f"ingester-{i}", broker, storage).start() for i in range(INGESTERS)]
    acknowledged, stop = [], threading.Event()
    senders = [threading.Thread(target=sender, args=(collector.grpc, acknowledged, stop)) for _ in range(SENDERS)]
    try:
        for thread in senders:
            thread.start()
        disturb(ingesters, storage)
        stop.set()
        for thread in senders:
            thread.join()
        assert len(acknowledged) > 100
        for trace_id in acknowledged:
            trace = storage.trace(trace_id, spans=SPANS_PER_TRACE, timeout=40)
            assert len(trace["spans"]) == SPANS_PER_TRACE, "copies are joined when they are read"
        assert sum(sum(i.metric("jaeger_kafka_assigned_partitions{")) for i in ingesters) == PARTITIONS
        assert all(sum(i.metric("otelcol_kafka_receiver_offset_lag{")) == 0 for i in ingesters)
        assert all(sum(i.metric("jaeger_kafka_rebalances{")) > 0 for i in ingesters)
    finally:
        stop.set()
        for node in [*ingesters, collector, storage]:
            node.stop(signal.SIGKILL)
