# SPDX-License-Identifier: Apache-2.0
"""A collector, three Kafka brokers, ingesters of one group, a storage server, and trouble: ingesters are killed and
join and leave, a broker dies and comes back, the store goes away and hangs. Every acknowledged span is in the store at
the end. JAEGER_KAFKA_SPANS sets how many are sent at least, JAEGER_KAFKA_ROUNDS how often everything goes wrong."""
import concurrent.futures
import os
import random
import signal
import threading
import time

import grpc
import engines
import kafka_cluster
import pytest
import requests
from conftest import BUILD, Jaeger
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

INGESTER = BUILD / "cmd/jaeger-ingester"
SPANS = int(os.environ.get("JAEGER_KAFKA_SPANS", "50000"))
ROUNDS = int(os.environ.get("JAEGER_KAFKA_ROUNDS", "1"))
INGESTERS, PARTITIONS, SENDERS = 3, 12, 2
TRACES, SPANS_PER_TRACE = 10, 50  # of a request
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

pytestmark = pytest.mark.skipif(not INGESTER.exists(), reason="built without Kafka")


def new_cluster(directory, **options):
    try:
        return kafka_cluster.Cluster(directory, **options)
    except engines.Unavailable as why:
        pytest.skip(str(why))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with new_cluster(tmp_path_factory.mktemp("kafka"), nodes=3, partitions=PARTITIONS,
                     extra="broker.session.timeout.ms=3000\nbroker.heartbeat.interval.ms=500") as brokers:
        yield brokers


def block(components):
    return "".join(f"  {name}: {{{text}}}\n" for name, text in components.items())


class Node(Jaeger):
    """A process of components, name -> text of their keys; <GRPC>, <QUERY>, <QUERY_API>: its own addresses."""

    def __init__(self, directory, binary, receivers, exporters, extensions=None):
        directory.mkdir()
        super().__init__(directory, binary=BUILD / "cmd" / binary, config="unused")
        extensions = {"healthcheckv2": f'use_v2: true, http: {{endpoint: "127.0.0.1:{self.health}"}}',
                      **(extensions or {})}
        text = f"""
service:
  extensions: [{", ".join(extensions)}]
  pipelines: {{traces: {{receivers: [{", ".join(receivers)}], exporters: [{", ".join(exporters)}]}}}}
  telemetry:
    metrics:
      readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {self.metrics}}}}}}}}}]
receivers:
{block(receivers)}exporters:
{block(exporters)}extensions:
{block(extensions)}"""
        for name, port in (("GRPC", self.grpc), ("QUERY", self.query), ("QUERY_API", self.query_grpc)):
            text = text.replace(f"<{name}>", f'"127.0.0.1:{port}"')
        self.config.write_text(text)

    def metric(self, name, label=""):
        """The sum of a metric's values, of those that have the label."""
        text = requests.get(f"http://127.0.0.1:{self.metrics}/metrics", timeout=10).text
        return sum(float(line.split()[-1]) for line in text.splitlines()
                   if line.startswith((name + "{", name + " ")) and label in line)


OTLP = {"otlp": "protocols: {grpc: {endpoint: <GRPC>}}"}


def new_storage(directory):
    return Node(directory, "jaeger-remote-storage", {"nop": ""}, {"nop": ""}, {
        "jaeger_storage": f"backends: {{main: {{embedded: {{directory: {directory}/data}}}}}}",
        "remote_storage": "storage: main, endpoint: <GRPC>",
        "jaeger_query": "storage: {traces: main}, http: {endpoint: <QUERY>}, grpc: {endpoint: <QUERY_API>}"})


def new_collector(directory, brokers, queue="enabled: false"):
    return Node(directory, "jaeger-collector", OTLP, {"kafka": f"""\
brokers: [{brokers}], traces: {{topic: spans}}, partition_traces_by_id: true, sending_queue: {{{queue}}}"""})


def new_ingester(directory, brokers, storage):
    return Node(directory, "jaeger-ingester", {"kafka": f"""\
brokers: [{brokers}], group_id: ingesters, initial_offset: earliest, session_timeout: 6s, heartbeat_interval: 1s,
    traces: {{topics: [spans]}}"""}, {"jaeger_storage_exporter": "trace_storage: main"}, {
        "jaeger_storage": f'backends: {{main: {{grpc: {{endpoint: "127.0.0.1:{storage.grpc}", '
                          "tls: {insecure: true}}}}"})


class Senders:
    """Threads that send requests, each again until it is answered OK; `acknowledged` are the traces that were."""

    def __init__(self, port, count=SENDERS):
        self.port, self.acknowledged, self.refused = port, [], 0
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(count)]
        message, now = ExportTraceServiceRequest(), time.time_ns()
        resource_spans = message.resource_spans.add()
        resource_spans.resource.attributes.add(key="service.name").value.string_value = "kafka"
        spans = resource_spans.scope_spans.add().spans
        for trace in range(TRACES):
            for i in range(SPANS_PER_TRACE):
                spans.add(trace_id=b"trace id no. %03d" % trace, span_id=(i + 1).to_bytes(8, "big"), name=f"op-{i}",
                          start_time_unix_nano=now, end_time_unix_nano=now + 1000)
        self.template = message.SerializeToString()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def run(self):
        with grpc.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            export = channel.unary_unary(EXPORT)
            while not self.stopping.is_set():
                ids = [random.randbytes(16) for _ in range(TRACES)]
                request = self.template
                for i, trace_id in enumerate(ids):
                    request = request.replace(b"trace id no. %03d" % i, trace_id)
                while not self.send(export, request):
                    if self.stopping.is_set():
                        return
                self.acknowledged += [i.hex() for i in ids]

    def send(self, export, request):
        try:
            export(request, timeout=30)
            return True
        except grpc.RpcError as error:
            if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                raise
            self.refused += 1
            time.sleep(0.05)
            return False


def wait_for(what, condition, timeout=120):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout} s: {what}"
        time.sleep(0.1)


def make_trouble(cluster, ingesters, newcomer, storage):
    """One of each: what can go wrong and what operators do, while spans flow."""
    victim, dead = random.randrange(INGESTERS), random.randrange(cluster.nodes)
    ingesters[victim].stop(signal.SIGKILL)
    time.sleep(1)
    ingesters[victim].start()
    cluster.stop_node(dead, signal.SIGKILL)
    time.sleep(1)
    ingesters[(victim + 1) % INGESTERS].stop(signal.SIGKILL)
    time.sleep(2)
    ingesters[(victim + 1) % INGESTERS].start()
    newcomer.start()
    storage.stop()
    time.sleep(2)
    storage.start()
    cluster.start_node(dead)
    cluster.wait()
    storage.process.send_signal(signal.SIGSTOP)
    time.sleep(2)
    storage.process.send_signal(signal.SIGCONT)
    assert newcomer.stop() == 0
    for ingester in ingesters:
        ingester.stop(signal.SIGKILL)
    for ingester in ingesters:
        ingester.start()


def count_spans(storage, trace_id):
    reply = storage.get(f"/api/traces/{trace_id}")
    return len(reply.json()["data"][0]["spans"]) if reply.status_code == 200 else 0


def check_spans(storage, traces, timeout=600):
    """Until all are there, each span once: copies are joined when they are read."""
    deadline = time.monotonic() + timeout
    while traces:
        with concurrent.futures.ThreadPoolExecutor(4) as readers:
            found = dict(zip(traces, readers.map(lambda trace: count_spans(storage, trace), traces)))
        assert max(found.values()) <= SPANS_PER_TRACE
        traces = [trace for trace in traces if found[trace] < SPANS_PER_TRACE]
        assert not traces or time.monotonic() < deadline, f"{len(traces)} of {len(found)} traces are not whole"
        time.sleep(0.5)


def test_no_acknowledged_span_is_lost_between_collector_and_store(cluster, tmp_path):
    storage = new_storage(tmp_path / "store").start()
    collector = new_collector(tmp_path / "collector", cluster.address).start()
    ingesters = [new_ingester(tmp_path / f"ingester-{i}", cluster.address, storage) for i in range(INGESTERS + 1)]
    newcomer = ingesters.pop()
    begin = time.monotonic()
    try:
        for ingester in ingesters:
            ingester.start()
        with Senders(collector.grpc) as senders:
            for _ in range(ROUNDS):
                make_trouble(cluster, ingesters, newcomer, storage)
            wait_for("enough spans", lambda: len(senders.acknowledged) * SPANS_PER_TRACE >= SPANS, timeout=1800)
        sent = time.monotonic() - begin
        wait_for("an equal share each", lambda: all(
            i.metric("jaeger_kafka_assigned_partitions") == PARTITIONS / INGESTERS for i in ingesters))
        check_spans(storage, senders.acknowledged)
        wait_for("no lag", lambda: sum(i.metric("otelcol_kafka_receiver_offset_lag") for i in ingesters) == 0)
        wait_for("nothing in flight", lambda: sum(i.metric("jaeger_kafka_in_flight_bytes") for i in ingesters) == 0)
        assert all(i.metric("jaeger_kafka_rebalances") > 0 for i in ingesters)
        assert sum(i.metric("jaeger_kafka_commit_duration_seconds_count") for i in ingesters) > 0
        assert sum(i.metric("jaeger_kafka_poison_messages") for i in ingesters) == 0
        print(f"\n{len(senders.acknowledged) * SPANS_PER_TRACE} spans acknowledged in {sent:.0f} s, {senders.refused} "
              f"requests refused and sent again; all read after {time.monotonic() - begin:.0f} s")
    finally:
        for node in [*ingesters, newcomer, collector, storage]:
            node.stop(signal.SIGKILL)


def test_a_persistent_queue_keeps_spans_until_brokers_can_be_reached(cluster, tmp_path):
    """Answered before there are brokers, then kill -9: the next start of the collector delivers them."""
    queue = f"persistent: {{directory: {tmp_path}/queue}}"
    storage = new_storage(tmp_path / "store").start()
    nowhere, = kafka_cluster.free_ports(1)
    collector = new_collector(tmp_path / "first", f"127.0.0.1:{nowhere}", queue).start()
    ingester = new_ingester(tmp_path / "ingester", cluster.address, storage).start()
    try:
        with Senders(collector.grpc, count=1) as senders:
            wait_for("some spans", lambda: len(senders.acknowledged) >= 10 * TRACES)
        collector.stop(signal.SIGKILL)
        collector = new_collector(tmp_path / "second", cluster.address, queue).start()
        for trace in senders.acknowledged:
            storage.trace(trace, spans=SPANS_PER_TRACE, timeout=60)
    finally:
        for node in [ingester, collector, storage]:
            node.stop(signal.SIGKILL)
