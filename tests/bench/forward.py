#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pass-through: OTLP gRPC in, batch, OTLP gRPC out, for several programs on the same load. One JSON line each.

forward.py --build BUILD [--otelcol BINARY] [--rotel BINARY] [--spans N] [--compression none|gzip]
The sink is our agent with the exporter nop; it counts what arrives. CPU time is the program's own, from /proc.
"""
import argparse
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

from bench import free_ports

TICKS = os.sysconf("SC_CLK_TCK")
OURS = """
service:
  telemetry: {{logs: {{level: error}}, metrics: {{{metrics}}}}}
  pipelines: {{traces: {{receivers: [otlp], processors: [{processors}], exporters: [{exporter}]}}}}
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{port}"}}}}}}}}
processors: {{batch: }}
exporters:
  {exporter}: {{{settings}}}
"""
PROMETHEUS = "readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {0}}}}}}}}}]"


def wait_port(process, port):
    for _ in range(2000):
        if process.poll() is not None:
            sys.exit("forward: a program did not start")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.01)
    sys.exit("forward: a program does not listen")


def usage(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    peak = re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())
    return (int(fields[11]) + int(fields[12])) / TICKS, int(peak.group(1))


def arrived(port):
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
    found = re.findall(r"^otelcol_receiver_accepted_spans\S*\{.*\} (\S+)$", text, re.M)
    return sum(map(float, found))


def measure(name, command, port, args, sink_metrics):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_port(process, port)
        before, _ = usage(process.pid)
        there, begin = arrived(sink_metrics), time.monotonic()
        subprocess.run([args.build / "tests/loadgen", "--target", f"127.0.0.1:{port}", "--spans", str(args.spans)],
                       check=True, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while arrived(sink_metrics) - there < args.spans and time.monotonic() < deadline:
            time.sleep(0.1)
        seconds, got = time.monotonic() - begin, arrived(sink_metrics) - there
        cpu, peak_kb = usage(process.pid)
        cpu -= before
        print(json.dumps({"bench": "forward", "program": name, "compression": args.compression,
                          "spans": args.spans, "arrived": int(got), "seconds": round(seconds, 2),
                          "cpu_s": round(cpu, 2), "spans_per_cpu_s": int(got / max(cpu, 0.01)),
                          "peak_rss_mb": round(peak_kb / 1024, 1)}), flush=True)
    finally:
        process.terminate()
        process.wait(30)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--otelcol")
    parser.add_argument("--rotel")
    parser.add_argument("--spans", type=int, default=500000)
    parser.add_argument("--compression", default="none")
    args = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="jaeger-forward-"))
    agent = args.build / "cmd/jaeger-agent"
    sink, sink_metrics, ours, col, rotel = free_ports(5)
    out = f'endpoint: "127.0.0.1:{sink}", tls: {{insecure: true}}, compression: {args.compression}, sending_queue: {{queue_size: 100000}}'

    def config(name, text):
        (folder / name).write_text(text)
        return str(folder / name)

    sink_process = subprocess.Popen([agent, "--config", config("sink.yaml", OURS.format(
        port=sink, processors="", exporter="nop", settings="", metrics=PROMETHEUS.format(sink_metrics)))],
        stderr=subprocess.DEVNULL)
    try:
        wait_port(sink_process, sink)
        wait_port(sink_process, sink_metrics)
        quiet = {"processors": "batch", "settings": out, "metrics": "level: none"}
        measure("libjaeger", [agent, "--config", config("ours.yaml", OURS.format(
            port=ours, exporter="otlp_grpc", **quiet))], ours, args, sink_metrics)
        if args.otelcol:
            measure("otelcol", [args.otelcol, "--config", config("col.yaml", OURS.format(
                port=col, exporter="otlp", **quiet))], col, args, sink_metrics)
        if args.rotel:
            measure("rotel", [args.rotel, "start", "--otlp-grpc-endpoint", f"127.0.0.1:{rotel}",
                              "--exporter", "otlp", "--otlp-exporter-endpoint", f"http://127.0.0.1:{sink}",
                              "--otlp-exporter-protocol", "grpc",
                              "--otlp-exporter-compression", args.compression], rotel, args, sink_metrics)
    finally:
        sink_process.terminate()
        sink_process.wait(30)


if __name__ == "__main__":
    main()
