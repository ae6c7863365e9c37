#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Record what each old client sends and what a Jaeger makes of it, and of the requests in tests/data/wire.

    ./dev test e2e tests/e2e/test_clients.py                                  # installs the clients
    build/venv/bin/python tests/data/replay/record.py /path/to/jaeger [NAME]  # the files here: Go Jaeger v2.21-dev (8498073ff)

A file NAME.replay holds the requests on its first line, and a trace of /api/traces on each further one. tests/e2e compares
them with ours, field by field (test_replay.py). The clients make new ids each time; all else stays the same.
"""
import json
import pathlib
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "e2e"))

import oldclients  # noqa: E402
import replay  # noqa: E402

HEADERS = {"binary": "application/x-thrift", "zipkin_thrift": "application/x-thrift", "zipkin_v1": "application/json",
           "zipkin_v1_parsed": "application/json", "zipkin_v2": "application/json", "zipkin_v2_parsed": "application/json",
           "zipkin_proto": "application/x-protobuf"}


def client_requests(client):
    """What it sends for the trace of test_clients.py."""
    recorder = replay.Recorder()
    trace_id = oldclients.send(client, recorder.ports)
    time.sleep(0.5)  # datagrams may be under way
    return recorder.requests, [trace_id], 2


def span_ids(request):
    """The traces of an OTLP-JSON request."""
    spans = [span for resource in request.get("resourceSpans", []) for scope in resource.get("scopeSpans", [])
             for span in scope.get("spans", [])]
    return sorted({span["traceId"] for span in spans if span.get("traceId")})


def wire_request(path):
    """A request of tests/data/wire (made by gen/main.go) as it goes over the network."""
    kind = path.suffix[1:]
    request = {"file": f"wire/{path.name}"}
    if kind == "post":
        request |= {"to": "grpc"}
    elif kind.startswith("packet_"):
        request |= {"to": kind.removeprefix("packet_")}
    elif kind == "binary":
        request |= {"to": "http", "path": "/api/traces", "headers": {"Content-Type": HEADERS[kind]}}
    else:
        to = "zipkin_parsed" if kind.endswith("_parsed") else "zipkin"
        version = "v1" if "v1" in kind or kind == "zipkin_thrift" else "v2"
        request |= {"to": to, "path": f"/api/{version}/spans", "headers": {"Content-Type": HEADERS[kind]}}
    golden = json.loads((path.parent / f"{path.stem}.otlp.json").read_bytes().decode(errors="replace"))
    return [request], span_ids(golden), 1


def record(binary, name, sent, trace_ids, spans):
    with tempfile.TemporaryDirectory() as folder:
        server = replay.jaeger_with_receivers(folder, binary)
        try:
            for request in sent:
                replay.send(request, server.ports)
            time.sleep(1)  # nothing tells when a datagram is stored
            traces = [server.trace(trace_id, spans=spans) for trace_id in trace_ids]
        finally:
            server.stop()
    replay.write(HERE / f"{name}.replay", sent, traces)
    print(name)


def main():
    binary, only = sys.argv[1], sys.argv[2:]
    jobs = {client.replace(" ", "_"): (client_requests, client) for client in oldclients.CLIENTS}
    for path in sorted((HERE.parent / "wire").iterdir()):
        if path.suffix[1:] in (*HEADERS, "post", "packet_binary", "packet_compact"):
            jobs[path.name] = (wire_request, path)
    for name, (prepare, what) in jobs.items():
        if not only or name in only:
            record(binary, name, *prepare(what))


main()
