# SPDX-License-Identifier: Apache-2.0
"""Requests of clients as bytes: a server of ours or of Jaeger's to send them to, and a recorder for tests/data/replay."""
import base64
import http.server
import json
import socket
import threading
from concurrent import futures

import grpc
import requests

from conftest import ALL_IN_ONE, ROOT, Jaeger
from ports import free_ports

DATA = ROOT / "tests/data"
POST_SPANS = "/jaeger.api_v2.CollectorService/PostSpans"
PORTS = ["compact", "binary", "http", "grpc", "zipkin", "zipkin_parsed"]
RECEIVERS = """
  jaeger:
    protocols:
      grpc: {{endpoint: "127.0.0.1:{grpc}"}}
      thrift_http: {{endpoint: "127.0.0.1:{http}"}}
      thrift_compact: {{endpoint: "127.0.0.1:{compact}"}}
      thrift_binary: {{endpoint: "127.0.0.1:{binary}"}}
  zipkin: {{endpoint: "127.0.0.1:{zipkin}"}}
  zipkin/parsed: {{endpoint: "127.0.0.1:{zipkin_parsed}", parse_string_tags: true}}
"""


def jaeger_with_receivers(directory, binary=ALL_IN_ONE):
    """An all-in-one whose only receivers are those of Jaeger and Zipkin; `ports` has theirs."""
    server = Jaeger(directory, binary=binary)
    server.ports = dict(zip(PORTS, free_ports(len(PORTS))))
    server.environment = {"OTEL_TRACES_SAMPLER": "always_off"}  # Jaeger traces itself otherwise
    text = server.config.read_text().replace("receivers: [otlp]", "receivers: [jaeger, zipkin, zipkin/parsed]")
    head, tail = text.split("receivers:\n  otlp:")
    server.config.write_text(head + "receivers:" + RECEIVERS.format(**server.ports) + tail[tail.index("processors:"):])
    return server.start()


def body(request):
    """Its bytes: in the request itself, or a file of tests/data."""
    return base64.b64decode(request["base64"]) if "base64" in request else (DATA / request["file"]).read_bytes()


def send(request, ports):
    port = ports[request["to"]]
    if request["to"] in ("compact", "binary"):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(body(request), ("127.0.0.1", port))
    elif request["to"] == "grpc":
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            channel.unary_unary(POST_SPANS)(body(request), timeout=20)
    else:
        reply = requests.post(f"http://127.0.0.1:{port}{request['path']}", data=body(request), headers=request["headers"],
                              timeout=20)
        assert reply.status_code == 202, reply.text


class Recorder:
    """Stands where a server would, takes everything and keeps it in `requests`."""

    def __init__(self):
        self.requests, self.ports, self.closers = [], {}, []
        for name in ("compact", "binary"):
            self._udp(name)
        for name in ("http", "zipkin"):
            self._http(name)
        self._grpc()

    def _keep(self, to, data, **more):
        self.requests.append({"to": to, **more, "base64": base64.b64encode(data).decode()})

    def _udp(self, name):
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(("127.0.0.1", 0))
        self.ports[name] = server.getsockname()[1]

        def take():
            while True:
                data = server.recv(65536)
                if not data:
                    return
                self._keep(name, data)

        threading.Thread(target=take, daemon=True).start()

    def _http(self, name):
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def chunks(self):
                while size := int(self.rfile.readline(), 16):
                    yield self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()

            def do_POST(self):  # the name is http.server's
                chunked = self.headers.get("Transfer-Encoding") == "chunked"
                data = b"".join(self.chunks()) if chunked else self.rfile.read(int(self.headers["Content-Length"]))
                headers = {key: self.headers[key] for key in ("Content-Type", "Content-Encoding") if key in self.headers}
                recorder._keep(name, data, path=self.path, headers=headers)
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.ports[name] = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def _grpc(self):
        recorder = self

        class Handler(grpc.GenericRpcHandler):
            def service(self, details):
                def take(request, _):
                    recorder._keep("grpc", request)
                    return b""
                return grpc.unary_unary_rpc_method_handler(take)

        self.server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[Handler()])
        self.ports["grpc"] = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()


def read(path):
    """A golden file: what was sent, and the traces that Jaeger gave back."""
    first, *rest = path.read_text().splitlines()
    return json.loads(first), [json.loads(line) for line in rest]


def write(path, sent, traces):
    lines = [json.dumps(part, ensure_ascii=False, separators=(",", ":")) for part in (sent, *traces)]
    path.write_text("\n".join(lines) + "\n")
