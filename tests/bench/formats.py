#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""CPU time of a receiver by wire format, for several programs side by side: one JSON line a format and program.

    build/clients/bin/python tests/bench/formats.py BINARY... [--spans 200000] [--rounds 5] [--only FORMAT...]

The first call of `./dev test e2e` makes that Python; its packages (old clients) encode the spans, so the bytes are those
of the clients. Every program gets the same bytes, in turn, round after round, in one run, from the receiver straight into
the nop exporter. Counted is the program's own CPU time; what it did not accept is counted by its own metrics.
"""
import argparse
import json
import os
import pathlib
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request

import grpc
from jaeger_client.thrift_gen.agent import Agent
from jaeger_client.thrift_gen.jaeger import ttypes
from opentelemetry.exporter.jaeger.proto.grpc.gen import collector_pb2, model_pb2
from opentelemetry.exporter.zipkin.proto.http.v2.gen import zipkin_pb2
from thrift.Thrift import TMessageType
from thrift.protocol import TBinaryProtocol, TCompactProtocol
from thrift.transport import TTransport

from bench import free_ports

PORTS = ["otlp_grpc", "otlp_http", "grpc", "http", "compact", "binary", "zipkin", "metrics"]
CONFIG = """
service:
  pipelines: {{traces: {{receivers: [otlp, jaeger, zipkin], exporters: [nop]}}}}
  telemetry:
    logs: {{level: error}}
    metrics: {{readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {metrics}}}}}}}}}]}}
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{otlp_grpc}"}}, http: {{endpoint: "127.0.0.1:{otlp_http}", keep_alives_enabled: true}}}}}}
  jaeger:
    protocols:
      grpc: {{endpoint: "127.0.0.1:{grpc}"}}
      thrift_http: {{endpoint: "127.0.0.1:{http}", keep_alives_enabled: true}}
      thrift_compact: {{endpoint: "127.0.0.1:{compact}"}}
      thrift_binary: {{endpoint: "127.0.0.1:{binary}"}}
  zipkin: {{endpoint: "127.0.0.1:{zipkin}", keep_alives_enabled: true}}
exporters: {{nop: }}
"""
REQUEST_SPANS, DATAGRAM_SPANS, TEMPLATES, CONNECTIONS = 100, 25, 16, 4
PROCESS = {"hostname": "shop-7d9f4c-x2x9z", "ip": "10.1.33.7", "jaeger.version": "Go-2.30.0", "region": "eu-central-1"}


def spans(count, seed):
    """Spans with nine tags of all kinds; every tenth has a log."""
    source = random.Random(seed)
    out = []
    for i in range(count):
        tags = {"http.method": source.choice(["GET", "POST"]), "http.status_code": source.choice([200, 200, 404, 500]),
                "http.url": f"http://shop.example/cart/{source.randrange(10**6)}?page=2&sort=price", "component": "net/http",
                "user.id": f"u{source.randrange(10**5)}", "net.peer.port": source.randrange(65536),
                "cache.hit": bool(source.randrange(2)), "db.load": source.randrange(1000) / 8,
                "db.statement": "SELECT id, price FROM cart WHERE user = $1 ORDER BY price LIMIT 20"}
        out.append({"trace": source.getrandbits(128), "id": source.getrandbits(63), "parent": source.getrandbits(63) if i % 10 else 0,
                    "name": source.choice(["GET /cart", "POST /order", "SELECT cart", "render"]),
                    "kind": source.choice(["server", "client"]), "start_us": 1_700_000_000_000_000 + source.randrange(10**9),
                    "duration_us": source.randrange(10**6), "tags": tags, "log": i % 10 == 0})
    return out


def thrift_tag(key, value):
    if isinstance(value, bool):
        return ttypes.Tag(key=key, vType=ttypes.TagType.BOOL, vBool=value)
    if isinstance(value, int):
        return ttypes.Tag(key=key, vType=ttypes.TagType.LONG, vLong=value)
    if isinstance(value, float):
        return ttypes.Tag(key=key, vType=ttypes.TagType.DOUBLE, vDouble=value)
    return ttypes.Tag(key=key, vType=ttypes.TagType.STRING, vStr=value)


def signed(number):
    return struct.unpack("<q", struct.pack("<Q", number & (1 << 64) - 1))[0]


def thrift_batch(items):
    def span(s):
        logs = [ttypes.Log(timestamp=s["start_us"] + 5, fields=[thrift_tag("event", "retry"), thrift_tag("attempt", 2)])]
        tags = {"span.kind": s["kind"], **s["tags"]}
        return ttypes.Span(traceIdLow=signed(s["trace"]), traceIdHigh=signed(s["trace"] >> 64), spanId=s["id"],
                           parentSpanId=s["parent"], operationName=s["name"], flags=1, startTime=s["start_us"],
                           duration=s["duration_us"], tags=[thrift_tag(*tag) for tag in tags.items()],
                           logs=logs if s["log"] else None)
    process = ttypes.Process(serviceName="shop", tags=[thrift_tag(*tag) for tag in PROCESS.items()])
    return ttypes.Batch(process=process, spans=[span(s) for s in items])


def thrift_binary(items):
    out = TTransport.TMemoryBuffer()
    thrift_batch(items).write(TBinaryProtocol.TBinaryProtocol(out))
    return out.getvalue()


def thrift_compact_packet(items):
    out = TTransport.TMemoryBuffer()
    protocol = TCompactProtocol.TCompactProtocol(out)
    protocol.writeMessageBegin("emitBatch", TMessageType.ONEWAY, 1)
    Agent.emitBatch_args(batch=thrift_batch(items)).write(protocol)
    protocol.writeMessageEnd()
    return out.getvalue()


def jaeger_tag(key, value):
    if isinstance(value, bool):
        return model_pb2.KeyValue(key=key, v_type=model_pb2.BOOL, v_bool=value)
    if isinstance(value, int):
        return model_pb2.KeyValue(key=key, v_type=model_pb2.INT64, v_int64=value)
    if isinstance(value, float):
        return model_pb2.KeyValue(key=key, v_type=model_pb2.FLOAT64, v_float64=value)
    return model_pb2.KeyValue(key=key, v_type=model_pb2.STRING, v_str=value)


def jaeger_post(items):
    request = collector_pb2.PostSpansRequest()
    request.batch.process.service_name = "shop"
    request.batch.process.tags.extend(jaeger_tag(*tag) for tag in PROCESS.items())
    for s in items:
        trace_id = s["trace"].to_bytes(16, "big")
        span = request.batch.spans.add(trace_id=trace_id, span_id=s["id"].to_bytes(8, "big"), operation_name=s["name"], flags=1)
        span.start_time.FromMicroseconds(s["start_us"])
        span.duration.FromMicroseconds(s["duration_us"])
        if s["parent"]:
            span.references.add(trace_id=trace_id, span_id=s["parent"].to_bytes(8, "big"))
        span.tags.extend(jaeger_tag(*tag) for tag in {"span.kind": s["kind"], **s["tags"]}.items())
        if s["log"]:
            log = span.logs.add(fields=[jaeger_tag("event", "retry"), jaeger_tag("attempt", 2)])
            log.timestamp.FromMicroseconds(s["start_us"] + 5)
    return request.SerializeToString()


def text(value):
    return value if isinstance(value, str) else json.dumps(value)


def zipkin_json(items):
    out = []
    for s in items:
        span = {"traceId": f"{s['trace']:032x}", "id": f"{s['id']:016x}", "kind": s["kind"].upper(), "name": s["name"],
                "timestamp": s["start_us"], "duration": s["duration_us"],
                "localEndpoint": {"serviceName": "shop", "ipv4": "10.1.33.7", "port": 8080},
                "tags": {key: text(value) for key, value in s["tags"].items()}}
        if s["parent"]:
            span["parentId"] = f"{s['parent']:016x}"
        if s["log"]:
            span["annotations"] = [{"timestamp": s["start_us"] + 5, "value": "retry"}]
        out.append(span)
    return json.dumps(out, separators=(",", ":")).encode()


def zipkin_proto(items):
    out = zipkin_pb2.ListOfSpans()
    for s in items:
        span = out.spans.add(trace_id=s["trace"].to_bytes(16, "big"), id=s["id"].to_bytes(8, "big"), name=s["name"],
                             kind=zipkin_pb2.Span.Kind.Value(s["kind"].upper()), timestamp=s["start_us"],
                             duration=s["duration_us"], tags={key: text(value) for key, value in s["tags"].items()},
                             local_endpoint=zipkin_pb2.Endpoint(service_name="shop", ipv4=bytes([10, 1, 33, 7]), port=8080))
        if s["parent"]:
            span.parent_id = s["parent"].to_bytes(8, "big")
        if s["log"]:
            span.annotations.add(timestamp=s["start_us"] + 5, value="retry")
    return out.SerializeToString()


def otlp_attribute(key, value):
    kind = {bool: "boolValue", int: "intValue", float: "doubleValue", str: "stringValue"}[type(value)]
    return {"key": key, "value": {kind: str(value) if kind == "intValue" else value}}


def otlp_json(items):
    def span(s):
        out = {"traceId": f"{s['trace']:032x}", "spanId": f"{s['id']:016x}", "parentSpanId": f"{s['parent']:016x}" if s["parent"] else "",
               "name": s["name"], "kind": 2 if s["kind"] == "server" else 3, "startTimeUnixNano": f"{s['start_us']}000",
               "endTimeUnixNano": f"{s['start_us'] + s['duration_us']}000", "droppedAttributesCount": 0,
               "attributes": [otlp_attribute(*tag) for tag in s["tags"].items()], "events": [], "links": [],
               "status": {"code": 0}}
        if s["log"]:
            out["events"] = [{"timeUnixNano": f"{s['start_us'] + 5}000", "name": "retry",
                              "attributes": [otlp_attribute("attempt", 2)]}]
        return out
    resource = {"attributes": [otlp_attribute(*tag) for tag in {"service.name": "shop", **PROCESS}.items()]}
    scope = {"name": "net/http", "version": "1.2"}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": scope, "spans": [span(s) for s in items]}]}]},
                      separators=(",", ":")).encode()


class Program:
    def __init__(self, binary, folder):
        self.name = pathlib.Path(binary).name
        self.ports = dict(zip(PORTS, free_ports(len(PORTS))))
        config = pathlib.Path(folder, f"{self.ports['grpc']}.yaml")
        config.write_text(CONFIG.format(**self.ports))
        self.process = subprocess.Popen([binary, "--config", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        env={**os.environ, "OTEL_TRACES_SAMPLER": "always_off"})
        for name in ("otlp_grpc", "otlp_http", "grpc", "http", "zipkin", "metrics"):
            self.wait_for(self.ports[name])

    def wait_for(self, port):
        for _ in range(400):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) == 0:
                    return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        sys.exit(f"{self.name} did not start")

    def cpu_ns(self):
        return time.clock_gettime_ns((~self.process.pid << 3) | 2)  # the process's CPU clock, as clock_getcpuclockid gives it

    def accepted(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['metrics']}/metrics", timeout=10) as reply:
            lines = reply.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("otelcol_receiver_accepted_spans"))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


def send_http(port, path, content_type, bodies, count):
    """So many requests over a few connections that are kept."""
    heads = [f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
             for body in bodies]
    connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS)]
    for connection in connections:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for first in range(0, count, CONNECTIONS):
        busy = list(enumerate(connections))[:count - first]
        for i, connection in busy:
            connection.sendall(heads[(first + i) % len(bodies)] + bodies[(first + i) % len(bodies)])
        for _, connection in busy:
            reply = b""
            while b"\r\n\r\n" not in reply:
                reply += connection.recv(65536) or sys.exit("the connection was closed")
            head, rest = reply.split(b"\r\n\r\n", 1)
            if not re.match(rb"HTTP/1.1 20[0-9] ", head):
                sys.exit(reply.decode())
            length = re.search(rb"(?i)content-length: (\d+)", head)
            while length and len(rest) < int(length.group(1)):
                rest += connection.recv(65536)
    for connection in connections:
        connection.close()


def send_grpc(port, path, bodies, count):
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary(path)
        window = []
        for i in range(count):
            window.append(call.future(bodies[i % len(bodies)]))
            if len(window) == 2 * CONNECTIONS:
                window.pop(0).result()
        for future in window:
            future.result()


def send_udp(port, bodies, count):
    """Paced, so that little is lost: four datagrams, then a pause for their work."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(("127.0.0.1", port))
        for i in range(count):
            s.send(bodies[i % len(bodies)])
            if i % 4 == 3:
                time.sleep(0.003)
    time.sleep(0.5)


# format: spans of a request, encoder, how to send it
FORMATS = {
    "UDP Thrift compact": (DATAGRAM_SPANS, thrift_compact_packet, lambda p, b, n: send_udp(p["compact"], b, n)),
    "HTTP Thrift binary": (REQUEST_SPANS, thrift_binary,
                           lambda p, b, n: send_http(p["http"], "/api/traces", "application/x-thrift", b, n)),
    "Jaeger gRPC": (REQUEST_SPANS, jaeger_post,
                    lambda p, b, n: send_grpc(p["grpc"], "/jaeger.api_v2.CollectorService/PostSpans", b, n)),
    "Zipkin v2 JSON": (REQUEST_SPANS, zipkin_json,
                       lambda p, b, n: send_http(p["zipkin"], "/api/v2/spans", "application/json", b, n)),
    "Zipkin v2 protobuf": (REQUEST_SPANS, zipkin_proto,
                           lambda p, b, n: send_http(p["zipkin"], "/api/v2/spans", "application/x-protobuf", b, n)),
    "OTLP JSON": (REQUEST_SPANS, otlp_json,
                  lambda p, b, n: send_http(p["otlp_http"], "/v1/traces", "application/json", b, n)),
}


def measure(program, name, bodies, total):
    per_request, _, send = FORMATS[name]
    before, cpu = program.accepted(), program.cpu_ns()
    send(program.ports, bodies, total // per_request)
    cpu = program.cpu_ns() - cpu
    return cpu / 1e9, program.accepted() - before


def compare(programs, name, args):
    per_request, encode, _ = FORMATS[name]
    bodies = [encode(spans(per_request, seed)) for seed in range(TEMPLATES)]
    for program in programs:
        measure(program, name, bodies, 20000)  # warm up
    costs = {program: [] for program in programs}
    for _ in range(args.rounds):
        for program in programs:
            cpu, accepted = measure(program, name, bodies, args.spans)
            costs[program].append(cpu / accepted)
            if accepted != args.spans:
                print(f"{program.name}: {name}: {args.spans - accepted:.0f} spans were not accepted", file=sys.stderr)
    first = sorted(costs[programs[0]])[args.rounds // 2]
    for program in programs:
        cost = sorted(costs[program])
        middle = cost[len(cost) // 2]
        print(json.dumps({
            "format": name, "program": program.name,
            "bytes_per_span": round(sum(map(len, bodies)) / TEMPLATES / per_request),
            "cpu_s_per_million": round(middle * 1e6, 2), "from": round(cost[0] * 1e6, 2), "to": round(cost[-1] * 1e6, 2),
            "spans_per_cpu_s": round(1 / middle), "times_the_first": round(middle / first, 2)}), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binaries", nargs="+")
    parser.add_argument("--spans", type=int, default=200000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=list(FORMATS))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        programs = [Program(binary, folder) for binary in args.binaries]
        try:
            for name in args.only:
                compare(programs, name, args)
        finally:
            for program in programs:
                program.stop()


if __name__ == "__main__":
    main()
