#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kafka: OTLP gRPC into a topic, and the topic into storage, for our programs and Go Jaeger's on the same broker and
the same data; before that, for ours, the time from sending to finding at 20,000 spans/s. One JSON line each.

kafka.py --build BUILD [--go BINARY] [--spans N] [--runs N] [--rate spans/s] [--compression none|lz4|...] [--by-trace]
Into Kafka twice: with the default sending_queue, which answers a request when it is in the queue, and without one: then
ours answers after the broker has it, Go's after its batch processor has it.
CPU time is the program's own, from /proc. The broker's jars come from Maven Central (tests/e2e/kafka_cluster.py).
"""
import argparse
import datetime
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import kafka_cluster  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
PARTITIONS = 12
TOPICS = "org.apache.kafka.tools.TopicCommand"
TELEMETRY = """telemetry:
    logs: {{level: error}}
    metrics: {{readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {metrics}}}}}}}}}]}}"""
COLLECTOR = """
service:
  pipelines: {{traces: {{receivers: [otlp], processors: [batch], exporters: [kafka]}}}}
  """ + TELEMETRY + """
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{grpc}"}}, http: {{endpoint: "127.0.0.1:{http}"}}}}}}}}
processors: {{batch: {{send_batch_size: 2000, send_batch_max_size: 2000}}}}
exporters:
  kafka:
    brokers: ["{broker}"]
    traces: {{topic: {topic}}}
    producer: {{required_acks: all, compression: {compression}, max_message_bytes: 1000000}}
    partition_traces_by_id: {by_trace}
    sending_queue: {{enabled: {queue}}}
"""
INGESTER = """
service:
  extensions: [jaeger_storage, jaeger_query]
  pipelines: {{traces: {{receivers: [kafka], exporters: [jaeger_storage_exporter]}}}}
  """ + TELEMETRY + """
receivers:
  kafka:
    brokers: ["{broker}"]
    group_id: {group}
    initial_offset: earliest
    traces: {{topics: [{topic}]}}
    message_marking: {{after: true}}
    error_backoff: {{enabled: true, initial_interval: 100ms, max_interval: 1s}}
exporters: {{jaeger_storage_exporter: {{trace_storage: main}}}}
extensions:
  jaeger_storage: {{backends: {{main: {{memory: {{max_traces: 20000}}}}}}}}
  jaeger_query: {{storage: {{traces: main}}, http: {{endpoint: "127.0.0.1:{http}"}}, grpc: {{endpoint: "127.0.0.1:{grpc}"}}}}
"""


class Program:
    def __init__(self, folder, binary, template, **keys):
        names = ("grpc", "http", "metrics")
        self.ports = dict(zip(names, kafka_cluster.free_ports(len(names))))
        config = folder / "config.yaml"
        config.write_text(template.format(**self.ports, **keys))
        self.process = subprocess.Popen([binary, "--config", config], stdout=subprocess.DEVNULL,
                                        stderr=open(folder / "log", "ab"),
                                        env={**os.environ, "OTEL_TRACES_SAMPLER": "always_off"})
        for port in (self.ports["grpc"], self.ports["metrics"]):
            while not kafka_cluster.is_open(port):
                if self.process.poll() is not None:
                    sys.exit(f"kafka: a program did not start:\n{(folder / 'log').read_text()[-2000:]}")
                time.sleep(0.005)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(60)

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def peak_mib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) >> 10

    def counted(self, name):
        text = urllib.request.urlopen(f"http://127.0.0.1:{self.ports['metrics']}/metrics", timeout=10).read().decode()
        return sum(map(float, re.findall(rf"^{name}\S*\{{.*\}} (\S+)$", text, re.M)))


def emit(name, **figures):
    print(json.dumps({"bench": name, **figures}), flush=True)


def report(name, program, args, begin, cpu, arrived):
    emit(name, compression=args.compression, by_trace=args.by_trace, spans=int(arrived),
         seconds=round(time.monotonic() - begin, 2), cpu_s=round(cpu, 2),
         spans_per_cpu_s=int(arrived / max(cpu, 0.01)), peak_rss_mib=program.peak_mib())


def load(args, port, spans, *more):
    done = subprocess.run([args.build / "tests/loadgen", "--target", f"127.0.0.1:{port}", "--spans", str(spans), *more],
                          capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"kafka: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def into_kafka(args, folder, broker, name, binary, topic, queue):
    with Program(folder, binary, COLLECTOR, broker=broker, topic=topic, compression=args.compression, queue=queue,
                 by_trace=str(args.by_trace).lower()) as program:
        load(args, program.ports["grpc"], 2000)  # finds the topic, connects
        time.sleep(1)
        before, begin = program.cpu(), time.monotonic()
        load(args, program.ports["grpc"], args.spans, "--rate", str(args.rate))
        time.sleep(1)  # what a batch processor still holds
        report(f"{name} into Kafka, queue {queue}", program, args, begin, program.cpu() - before, args.spans)


def from_kafka(args, folder, broker, name, binary, topic, group):
    with Program(folder, binary, INGESTER, broker=broker, topic=topic, group=group) as program:
        before, begin = program.cpu(), time.monotonic()
        expected, arrived = args.spans + 2000, 0
        while arrived < expected and time.monotonic() < begin + 120:
            time.sleep(0.1)
            arrived = program.counted("otelcol_receiver_accepted_spans")
        report(f"{name} from Kafka to memory", program, args, begin, program.cpu() - before, arrived)


def compare(args, folder, cluster, run):
    collectors = {"ours": args.build / "cmd/jaeger-collector"}
    ingesters = {"ours": args.build / "cmd/jaeger-ingester"}
    if args.go:
        collectors["Go"] = ingesters["Go"] = args.go
    topics = [f"{queue}-{name}-{run}" for queue in ("true", "false") for name in collectors]
    for topic in topics:
        cluster.tool(TOPICS, "--create", "--topic", topic, "--partitions", str(PARTITIONS))
    for topic in topics:
        queue, name, _ = topic.split("-")
        into_kafka(args, folder, cluster.address, name, collectors[name], topic, queue)
    for name, binary in ingesters.items():  # the same topic for all
        from_kafka(args, folder, cluster.address, name, binary, topics[0], f"{name}-{run}")
    for topic in topics:
        cluster.tool(TOPICS, "--delete", "--topic", topic)


def ask(url, body=None):
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"} if body else {})
    with urllib.request.urlopen(request, timeout=10) as reply:
        return reply.read()


def found(url):
    try:
        return b'"probe"' in ask(url)
    except urllib.error.HTTPError as error:  # nothing found
        if error.code != 404:
            raise
        return False


def probe(number, collector, ingester):
    """Seconds from sending a span to finding it by service and time."""
    now = time.time_ns()
    span = {"traceId": os.urandom(16).hex(), "spanId": os.urandom(8).hex(), "name": "probe", "kind": 1,
            "startTimeUnixNano": str(now), "endTimeUnixNano": str(now + 1000),
            "attributes": [{"key": "number", "value": {"stringValue": str(number)}}]}
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "probe"}}]}
    body = json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}).encode()
    times = [datetime.datetime.fromtimestamp(at, datetime.timezone.utc).isoformat().replace("+00:00", "Z")
             for at in (now // 1000000 / 1000, now // 1000000000 + 60)]  # other probes are earlier
    query = urllib.parse.urlencode({"query.service_name": "probe", "query.num_traces": 1,
                                    "query.start_time_min": times[0], "query.start_time_max": times[1]})
    begin = time.monotonic()
    ask(f"http://127.0.0.1:{collector.ports['http']}/v1/traces", body)
    while not found(f"http://127.0.0.1:{ingester.ports['http']}/api/v3/traces?{query}"):
        if time.monotonic() > begin + 30:
            sys.exit("kafka: a span was not found")
        time.sleep(0.001)
    return time.monotonic() - begin


def latency(args, folder, cluster, name, collector_binary, ingester_binary):
    broker, topic = cluster.address, f"latency-{name}"
    cluster.tool(TOPICS, "--create", "--topic", topic, "--partitions", str(PARTITIONS))
    with Program(folder, collector_binary, COLLECTOR, broker=broker, topic=topic, compression=args.compression,
                 queue="false", by_trace="false") as collector, \
            Program(folder, ingester_binary, INGESTER, broker=broker, topic=topic, group=topic) as ingester:
        probe(0, collector, ingester)  # the topic is there, the group has its partitions
        sending = subprocess.Popen([args.build / "tests/loadgen", "--target", f"127.0.0.1:{collector.ports['grpc']}",
                                    "--spans", "400000", "--rate", "20000"], stdout=subprocess.DEVNULL)
        seconds = []
        while sending.poll() is None:
            seconds.append(probe(len(seconds) + 1, collector, ingester))
        seconds.sort()
        emit(f"{name} from send to searchable at 20,000 spans/s", probes=len(seconds), errors=sending.returncode,
             p50_ms=round(seconds[len(seconds) // 2] * 1000), p99_ms=round(seconds[int(len(seconds) * 0.99)] * 1000))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--go")
    parser.add_argument("--spans", type=int, default=1000000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--rate", type=int, default=100000)
    parser.add_argument("--compression", default="none")
    parser.add_argument("--by-trace", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        with kafka_cluster.Cluster(folder / "kafka", partitions=PARTITIONS) as cluster:
            latency(args, folder, cluster, "ours", args.build / "cmd/jaeger-collector",
                    args.build / "cmd/jaeger-ingester")
            if args.go:
                latency(args, folder, cluster, "Go", args.go, args.go)
            for run in range(args.runs):
                compare(args, folder, cluster, run)


main()
