#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Polls of a sampling strategy per second and per CPU second, with wrk (Debian package `wrk`). One JSON line a run.

    tests/bench/poll.py BINARY [--keep-alive] [--operations N] [--seconds 5] [--port 26980]
"""
import argparse
import json
import os
import pathlib
import re
import socket
import subprocess
import tempfile
import time

CONFIG = """
service:
  extensions: [jaeger_storage, remote_sampling]
  pipelines: {{traces: {{receivers: [nop], exporters: [nop]}}}}
  telemetry: {{metrics: {{level: none}}, logs: {{level: error}}}}
receivers: {{nop: }}
exporters: {{nop: }}
extensions:
  jaeger_storage: {{backends: {{main: {{memory: {{max_traces: 10}}}}}}}}
  remote_sampling:
    file: {{path: {path}}}
    http: {{endpoint: "127.0.0.1:{port}", keep_alives_enabled: {keep}}}
"""


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for(port):
    for _ in range(200):
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("the server did not start")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--keep-alive", action="store_true")
    parser.add_argument("--operations", type=int, default=2)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--port", type=int, default=26980)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        operations = [{"operation": f"op-{n}", "type": "probabilistic", "param": 0.25} for n in range(args.operations)]
        strategies = pathlib.Path(folder, "strategies.json")
        strategies.write_text(json.dumps({"service_strategies": [
            {"service": "shop", "type": "probabilistic", "param": 0.8, "operation_strategies": operations}]}))
        config = pathlib.Path(folder, "config.yaml")
        config.write_text(CONFIG.format(path=strategies, port=args.port, keep=str(args.keep_alive).lower()))
        server = subprocess.Popen([args.binary, "--config", str(config)], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        try:
            wait_for(args.port)
            before, begin = cpu_seconds(server.pid), time.monotonic()
            text = subprocess.run(["wrk", "-t1", "-c32", f"-d{args.seconds}s",
                                   f"http://127.0.0.1:{args.port}/sampling?service=shop"],
                                  capture_output=True, text=True, check=True).stdout
            seconds, cpu = time.monotonic() - begin, cpu_seconds(server.pid) - before
        finally:
            server.terminate()
            server.wait()
    polls = int(re.search(r"(\d+) requests in", text).group(1))
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    print(json.dumps({"binary": pathlib.Path(args.binary).name, "keep_alive": args.keep_alive,
                      "operations": args.operations, "polls_per_s": round(polls / seconds),
                      "polls_per_cpu_s": round(polls / cpu), "errors": int(bad.group(1)) if bad else 0}))


if __name__ == "__main__":
    main()
