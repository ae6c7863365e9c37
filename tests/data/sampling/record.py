#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ask a Jaeger for its answers to each strategies file here, and write them to <name>.replies.

    tests/data/sampling/record.py /path/to/jaeger [port]      # the files here were made with Go Jaeger v2.21-dev (8498073ff)

A line is: request target, status, body as a JSON string, the gRPC answer in hex (or - where gRPC cannot ask that).
"""
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

import grpc

HERE = pathlib.Path(__file__).parent
SERVICES = ["foo", "bar", "plain", "limited", "unknown", "", "twice", "big", "wide", "negative", "above", "below", "third",
            "café <x>", "own", "dropped", "none", "nulls"]
ODD = ["/", "/sampling", "/api/sampling?service=foo&service=bar", "/x/y?other=1", "/sampling?service", "/s?service=a%zz",
       "/s?service=foo;x=1", "/s?service=fo%6f", "/s?service=a+b&x=%zz"]

YAML = """
service:
  extensions: [jaeger_storage, remote_sampling]
  pipelines: {{traces: {{receivers: [nop], exporters: [nop]}}}}
  telemetry: {{metrics: {{level: none}}, logs: {{level: error}}}}
extensions:
  jaeger_storage: {{backends: {{main: {{memory: {{max_traces: 10}}}}}}}}
  remote_sampling:
    file: {{path: {path}, default_sampling_probability: 0.25, reload_interval: 1s}}
    http: {{endpoint: "127.0.0.1:{port}"}}
    grpc: {{endpoint: "127.0.0.1:{grpc}"}}
receivers: {{nop: }}
exporters: {{nop: }}
"""


def get(port, target):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{target}", timeout=10) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def wait_for(port):
    for _ in range(200):
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("the server did not start")


def field(text):
    data = text.encode()
    return b"" if not data else b"\x0a" + bytes([len(data)]) + data


def record(binary, port, path):
    lines = []
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config:
        config.write(YAML.format(path=path, port=port, grpc=port + 1))
        config.flush()
        process = subprocess.Popen([binary, "--config", config.name])
        try:
            wait_for(port)
            wait_for(port + 1)
            with grpc.insecure_channel(f"127.0.0.1:{port + 1}") as channel:
                ask = channel.unary_unary("/jaeger.api_v2.SamplingManager/GetSamplingStrategy")
                for service in SERVICES:
                    target = "/sampling?service=" + urllib.parse.quote(service)
                    status, body = get(port, target)
                    lines.append(f"{target} {status} {json.dumps(body)} {ask(field(service), timeout=10).hex() or '-'}")
            for target in ODD:
                status, body = get(port, target)
                lines.append(f"{target} {status} {json.dumps(body)} -")
        finally:
            process.terminate()
            process.wait()
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 26500
    for number, strategies in enumerate(sorted(HERE.glob("*.json"))):
        text = record(sys.argv[1], first + 2 * number, strategies)
        strategies.with_suffix(".replies").write_text(text)
        print(strategies.name)
