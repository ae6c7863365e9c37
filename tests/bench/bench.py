#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Benchmarks of the built binaries: ./dev bench [NAME ...]. One JSON line each.

The load generator (tests/bench/loadgen.c) runs on the same machine; figures of the server are its own CPU time and
memory, read from /proc. Machines are noisy: compare lines of one run.
"""
import argparse
import json
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

CONFIG = """
service:
  extensions: [{extensions}]
  pipelines:
    traces: {{receivers: [otlp], processors: [{processors}], exporters: [{exporter}]}}
  telemetry: {{logs: {{level: info, encoding: console}}, metrics: {{level: none}}}}
extensions:
  healthcheckv2: {{use_v2: true, http: {{endpoint: "127.0.0.1:{health}"}}}}
  jaeger_query: {{storage: {{traces: main}}, http: {{endpoint: "127.0.0.1:{query}", keep_alives_enabled: true}}, grpc: {{endpoint: "127.0.0.1:{query_grpc}"}}}}
  jaeger_storage: {{backends: {{main: {{{storage}}}}}}}
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{grpc}"}}, http: {{endpoint: "127.0.0.1:{http}"}}}}}}
processors: {{batch: }}
exporters: {{nop: , jaeger_storage_exporter: {{trace_storage: main}}}}
"""


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Server:
    def __init__(self, build, storage, exporter="jaeger_storage_exporter", processors="batch", directory=None):
        self.directory = pathlib.Path(directory or tempfile.mkdtemp(prefix="jaeger-bench-"))
        names = ["grpc", "http", "query", "query_grpc", "health"]
        self.ports = dict(zip(names, free_ports(len(names))))
        stored = exporter != "nop"
        (self.directory / "bench.yaml").write_text(CONFIG.format(
            storage=storage.replace("@DIR@", str(self.directory)), exporter=exporter, processors=processors,
            extensions="jaeger_storage, jaeger_query, healthcheckv2" if stored else "healthcheckv2", **self.ports))
        self.build = build
        self.process = None

    def start(self):
        begin = time.monotonic()
        with open(self.directory / "log", "a") as log:
            self.process = subprocess.Popen([self.build / "cmd/jaeger-all-in-one", "--config",
                                             self.directory / "bench.yaml"], stderr=log)
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['health']}/status", timeout=5) as reply:
                    if reply.status == 200:
                        return time.monotonic() - begin
            except (urllib.error.URLError, ConnectionError):
                if self.process.poll() is not None:
                    sys.exit("bench: the server did not start")
                time.sleep(0.001)

    def stop(self, sig=signal.SIGTERM):
        self.process.send_signal(sig)
        self.process.wait(60)

    def remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)

    def rss_mib(self, field="VmRSS"):
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
        return 0

    def anonymous_mib(self):
        return self.rss_mib("RssAnon")

    def load(self, protocol, spans, **options):
        port = self.ports["grpc" if protocol == "grpc" else "http"]
        command = [self.build / "tests/loadgen", "--target", f"127.0.0.1:{port}", "--protocol", protocol, "--spans",
                   str(spans), "--pid", str(self.process.pid)]
        for name, value in options.items():
            command += [f"--{name}", str(value)]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    def get(self, path, **params):
        url = f"http://127.0.0.1:{self.ports['query']}{path}?{urllib.parse.urlencode(params)}"
        with urllib.request.urlopen(url, timeout=60) as reply:
            return reply.read()

    def latency_ms(self, path, params, count=100):
        """p50 and p99 of a request over one connection after another; `params`: a list to go through."""
        times = []
        for i in range(count):
            begin = time.perf_counter()
            self.get(path, **params[i % len(params)])
            times.append((time.perf_counter() - begin) * 1000)
        times.sort()
        return {"p50_ms": round(times[len(times) // 2], 3), "p99_ms": round(times[int(len(times) * 0.99)], 3)}


def emit(name, **figures):
    print(json.dumps({"bench": name, **figures}), flush=True)


def ingest(build, args):
    """OTLP over gRPC, HTTP and JSON into nop and into memory."""
    for exporter, storage in [("nop", "memory: "), ("jaeger_storage_exporter", "memory: {max_traces: 100000000}")]:
        for protocol in ["grpc", "http", "json"]:
            server = Server(build, storage, exporter)
            server.start()
            figures = server.load(protocol, args.spans)
            emit(f"ingest {protocol} into {'nop' if exporter == 'nop' else 'memory'}", **figures,
                 server_rss_mib=round(server.rss_mib()))
            server.stop()
            server.remove()


EMBEDDED = "embedded: {directory: @DIR@/data}"


def directory_bytes(path):
    return sum(f.stat().st_blocks * 512 for f in path.rglob("*") if f.is_file())


def embedded(build, args):
    """OTLP over gRPC into the embedded store, every answer after fdatasync."""
    server = Server(build, EMBEDDED)
    server.start()
    emit("embedded ingest grpc", **server.load("grpc", args.spans))
    emit("embedded ack at 50000 spans/s", **server.load("grpc", min(args.spans, 500000), rate=50000))
    emit("embedded rss", rss_mib=round(server.rss_mib()), anonymous_mib=round(server.anonymous_mib()))
    queries(server, "embedded")
    server.stop()
    emit("embedded disk", bytes_per_span=round(directory_bytes(server.directory / "data") /
                                               (args.spans + min(args.spans, 500000)), 1))
    emit("embedded start", ms=round(server.start() * 1000, 1))
    server.stop(signal.SIGKILL)
    emit("embedded start after kill -9", ms=round(server.start() * 1000, 1))
    emit("embedded idle", rss_mib=round(server.rss_mib()), anonymous_mib=round(server.anonymous_mib()))
    server.stop()
    server.remove()


def retention(build, args):
    """Everything older than 20 s is dropped at once while 50,000 spans/s come in."""
    server = Server(build, "embedded: {directory: @DIR@/data, ttl: {spans: 20s}}")
    server.start()
    server.load("grpc", args.spans)
    before = directory_bytes(server.directory / "data")
    acks = server.load("grpc", 1500000, rate=50000)
    drops = [(int(size), float(ms)) for size, ms in re.findall(r"retention dropped segments=\d+ bytes=(\d+) ms=([\d.]+)",
                                                             (server.directory / "log").read_text())]
    emit("embedded retention", disk_mib_before=before >> 20, disk_mib=directory_bytes(server.directory / "data") >> 20,
         drops=len(drops), dropped_mib=sum(size for size, _ in drops) >> 20,
         drop_max_ms=max((ms for _, ms in drops), default=0),
         **{key: acks[key] for key in ("spans_per_s", "ack_p50_ms", "ack_p99_ms", "ack_max_ms", "errors")})
    server.stop()
    server.remove()


def queries(server, name):
    services = json.loads(server.get("/api/services"))["data"]
    service = services[0]
    found = json.loads(server.get("/api/traces", service=service, limit=50))["data"]
    operation = found[0]["spans"][0]["operationName"]
    ids = [t["traceID"] for t in found]
    user = next((t["value"] for s in found[0]["spans"] for t in s["tags"] if t["key"] == "user.id"), "u1")
    emit(f"{name} get trace", **server.latency_ms("/api/traces/" + ids[0], [{}]))
    shapes = {
        "services": ("/api/services", {}),
        "operations": ("/api/operations", {"service": service}),
        "service": ("/api/traces", {"service": service, "limit": 20}),
        "service and operation": ("/api/traces", {"service": service, "operation": operation, "limit": 20}),
        "service and tag": ("/api/traces", {"service": service, "tags": '{"http.status_code":"500"}', "limit": 20}),
        "one rare tag": ("/api/traces", {"service": service, "tags": json.dumps({"user.id": str(user)}), "limit": 20}),
        "three tags": ("/api/traces", {"service": service, "limit": 20,
                                       "tags": '{"http.status_code":"500","http.method":"GET","error":"true"}'}),
        "absent value": ("/api/traces", {"service": service, "tags": '{"http.method":"NOPE"}', "limit": 20}),
        "min duration": ("/api/traces", {"service": service, "minDuration": "10s", "limit": 20}),
        "summaries": ("/api/v3/trace-summaries", {
            "query.serviceName": service, "query.searchDepth": 20, "query.startTimeMin": "2020-01-01T00:00:00Z",
            "query.startTimeMax": "2100-01-01T00:00:00Z"}),
        "dependencies": ("/api/dependencies", {"endTs": int(time.time() * 1000) + 1000, "lookback": 86400000}),
    }
    for shape, (path, params) in shapes.items():
        emit(f"{name} {shape}", **server.latency_ms(path, [params]))


def query(build, args):
    """Latency over HTTP on a filled memory store, while ingest goes on."""
    server = Server(build, "memory: {max_traces: 100000000}")
    server.start()
    server.load("grpc", args.spans)
    stop = threading.Event()

    def background():
        while not stop.is_set():
            server.load("grpc", 100000, rate=20000)

    thread = threading.Thread(target=background)
    thread.start()
    queries(server, "memory, while ingesting,")
    stop.set()
    thread.join()
    emit("memory rss", rss_mib=round(server.rss_mib()), peak_mib=round(server.rss_mib("VmHWM")))
    server.stop()
    server.remove()


def start(build, args):
    """Size of the binary, time to the first request, idle memory."""
    server = Server(build, "memory: ")
    seconds = server.start()
    time.sleep(0.5)
    binary = build / "cmd/jaeger-all-in-one"
    sizes = []
    for path in (binary, build / "lib/libjaeger.so.0.1.0"):
        if not path.exists():
            continue
        with tempfile.NamedTemporaryFile() as stripped:
            subprocess.run(["strip", "-o", stripped.name, path], check=True)
            sizes.append(pathlib.Path(stripped.name).stat().st_size)
    emit("start", first_request_ms=round(seconds * 1000, 1), idle_rss_mib=round(server.rss_mib(), 1),
         idle_anonymous_mib=round(server.anonymous_mib(), 1), stripped_bytes=sizes)
    server.stop()
    server.remove()


BENCHES = {"start": start, "ingest": ingest, "query": query, "embedded": embedded, "retention": retention}


def main():
    parser = argparse.ArgumentParser(prog="./dev bench")
    parser.add_argument("build", type=lambda p: pathlib.Path(p).resolve())
    parser.add_argument("names", nargs="*", help=f"any of: {', '.join(BENCHES)}, list (default: all)")
    parser.add_argument("--spans", type=int, default=1000000)
    args = parser.parse_args()
    if args.names == ["list"]:
        for name, bench in BENCHES.items():
            print(f"{name}: {bench.__doc__}")
        return
    for name in args.names or BENCHES:
        if name not in BENCHES:
            sys.exit(f"bench: no benchmark '{name}'; there are: {', '.join(BENCHES)}")
        BENCHES[name](args.build, args)


if __name__ == "__main__":
    main()
