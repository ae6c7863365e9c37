#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One trace of many spans over three APIs: trace.py BUILD [--go JAEGER] [--spans N]. Needs grpcio for gRPC v3.

Bytes and spans per CPU second of the server, and what the request adds to its memory."""
import argparse
import json
import os
import pathlib
import subprocess
import tempfile
import time
import urllib.request

from bench import free_ports

CONFIG = """
service:
  extensions: [jaeger_storage, jaeger_query]
  pipelines: {{traces: {{receivers: [otlp], exporters: [jaeger_storage_exporter]}}}}
  telemetry: {{logs: {{level: error}}, metrics: {{level: none}}}}
extensions:
  jaeger_query: {{storage: {{traces: main}}, http: {{endpoint: "127.0.0.1:{query}"}}, grpc: {{endpoint: "127.0.0.1:{grpc}"}}}}
  jaeger_storage: {{backends: {{main: {{{storage}}}}}}}
receivers: {{otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{otlp}"}}}}}}}}
exporters: {{jaeger_storage_exporter: {{trace_storage: main}}}}
"""
TRACE = "0af7651916cd43dd8448eb211c80319c"


def spans_from(first, count):
    now = 1_700_000_000_000_000_000
    return [{"traceId": TRACE, "spanId": f"{i:016x}", "parentSpanId": f"{i // 8:016x}" if i > 1 else "",
             "name": f"GET /api/v1/items/{i % 40}", "kind": 2 + i % 2, "startTimeUnixNano": str(now + i * 1000),
             "endTimeUnixNano": str(now + i * 1000 + 500000), "attributes": [
                 {"key": "http.method", "value": {"stringValue": "GET"}},
                 {"key": "http.status_code", "value": {"intValue": "200"}},
                 {"key": "http.url", "value": {"stringValue": f"http://shop.prod.svc/api/v1/items/{i}?expand=true"}},
                 {"key": "net.peer.ip", "value": {"stringValue": f"10.1.{i % 256}.7"}},
                 {"key": "db.statement", "value": {"stringValue": "SELECT id, state FROM items WHERE id = ?"}}],
             "events": [{"timeUnixNano": str(now + i * 1000), "name": "cache.miss"}] if i % 4 == 0 else []}
            for i in range(first, first + count)]


class Server:
    def __init__(self, binary, storage):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="jaeger-bench-"))
        self.query, self.grpc, self.otlp = free_ports(3)
        (self.dir / "c.yaml").write_text(CONFIG.format(query=self.query, grpc=self.grpc, otlp=self.otlp,
                                                       storage=storage.replace("@DIR@", str(self.dir))))
        self.process = subprocess.Popen([binary, "--config", str(self.dir / "c.yaml")], stderr=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, env={**os.environ, "OTEL_TRACES_SAMPLER": "always_off"})
        for _ in range(200):
            try:
                self.http("/api/v3/services")
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit("the server did not start")

    def http(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.query}{path}", timeout=120) as reply:
            size = 0
            while piece := reply.read(1 << 20):
                size += len(piece)
            return size

    def grpc_v3(self):
        import grpc
        with grpc.insecure_channel(f"127.0.0.1:{self.grpc}", options=[("grpc.max_receive_message_length", -1)]) as channel:
            call = channel.unary_stream("/jaeger.api_v3.QueryService/GetTrace", request_serializer=lambda b: b,
                                        response_deserializer=lambda b: b)
            return sum(len(m) for m in call(b"\x0a\x20" + TRACE.encode()))

    def cpu(self):
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def status(self, field):
        return next(int(line.split()[1]) / 1024 for line in open(f"/proc/{self.process.pid}/status")
                    if line.startswith(field))

    def fill(self, spans):
        resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
        for first in range(1, spans + 1, 2000):
            body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans_from(first, min(2000, spans + 1 - first))}]}]}
            request = urllib.request.Request(f"http://127.0.0.1:{self.otlp}/v1/traces", json.dumps(body).encode(),
                                             {"Content-Type": "application/json"})
            urllib.request.urlopen(request, timeout=60).read()

    def stop(self):
        self.process.terminate()
        self.process.wait(60)


def measure(name, server, spans, seconds):
    apis = {"legacy JSON": lambda: server.http("/api/traces/" + TRACE),
            "v3 JSON": lambda: server.http("/api/v3/traces/" + TRACE), "gRPC v3": server.grpc_v3}
    for api, ask in apis.items():
        size = ask()
        time.sleep(0.5)
        pathlib.Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")
        before, cpu, count, end = server.status("RssAnon"), server.cpu(), 0, time.monotonic() + seconds
        peak_before = server.status("VmHWM")
        while time.monotonic() < end or count < 2:
            ask()
            count += 1
        cpu = (server.cpu() - cpu) / count
        print(json.dumps({"server": name, "api": api, "bytes": size, "requests": count, "cpu_ms": round(cpu * 1000, 1),
                          "mb_per_cpu_s": round(size / cpu / 1e6) if cpu else None,
                          "spans_per_cpu_s": round(spans / cpu) if cpu else None,
                          "request_mib": round(server.status("VmHWM") - peak_before, 1),
                          "anonymous_mib": round(before, 1)}), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--go")
    parser.add_argument("--spans", type=int, default=100000)
    parser.add_argument("--seconds", type=float, default=5)
    args = parser.parse_args()
    binary = str(args.build / "cmd/jaeger-all-in-one")
    stores = [("ours, memory", binary, "memory: {max_traces: 1000}"),
              ("ours, embedded", binary, "embedded: {directory: @DIR@/data}")]
    if args.go:
        stores.insert(0, ("Go, memory", args.go, "memory: {max_traces: 1000}"))
    for name, program, storage in stores:
        server = Server(program, storage)
        try:
            server.fill(args.spans)
            measure(name, server, args.spans, args.seconds)
        finally:
            server.stop()


main()
