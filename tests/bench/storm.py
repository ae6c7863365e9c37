#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A destination that is down while spans come in: our agent with a persistent queue. One JSON line.

storm.py --build BUILD [--rate SPANS_PER_S] [--seconds N]
"""
import argparse
import json
import pathlib
import re
import subprocess
import tempfile
import time

from forward import OURS, PROMETHEUS, arrived, free_ports, usage, wait_port


def private_kb(pid):
    """Without the pages of the queue's file, which the kernel drops when it wants to."""
    return int(re.search(r"RssAnon:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--rate", type=int, default=20000)
    parser.add_argument("--seconds", type=int, default=60)
    args = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="jaeger-storm-"))
    agent = args.build / "cmd/jaeger-agent"
    sink, sink_metrics, port = free_ports(3)
    out = (f'endpoint: "127.0.0.1:{sink}", tls: {{insecure: true}}, compression: none, retry_on_failure: {{max_interval: 5s}}, '
           f'sending_queue: {{persistent: {{directory: {folder}/queue, max_bytes: 2147483648}}}}')
    for name, text in (("sink", OURS.format(port=sink, processors="", exporter="nop", settings="",
                                            metrics=PROMETHEUS.format(sink_metrics))),
                       ("front", OURS.format(port=port, processors="batch", exporter="otlp_grpc", settings=out,
                                             metrics="level: none"))):
        (folder / f"{name}.yaml").write_text(text)
    front = subprocess.Popen([agent, "--config", folder / "front.yaml"], stderr=subprocess.DEVNULL)
    destination = None
    try:
        wait_port(front, port)
        done = subprocess.run([args.build / "tests/loadgen", "--target", f"127.0.0.1:{port}", "--rate", str(args.rate),
                               "--spans", str(args.rate * args.seconds)], check=True, capture_output=True, text=True)
        load = json.loads(done.stdout)
        _, storm_kb = usage(front.pid)
        disk = sum(f.stat().st_blocks * 512 for f in (folder / "queue").iterdir())
        destination = subprocess.Popen([agent, "--config", folder / "sink.yaml"], stderr=subprocess.DEVNULL)
        wait_port(destination, sink_metrics)
        begin, acknowledged = time.monotonic(), load["acknowledged_spans"]
        private = private_kb(front.pid)
        while arrived(sink_metrics) < acknowledged and time.monotonic() < begin + 120:
            private = max(private, private_kb(front.pid))
            time.sleep(0.1)
        seconds, got = time.monotonic() - begin, int(arrived(sink_metrics))
        cpu, peak_kb = usage(front.pid)
        print(json.dumps({"bench": "storm", "down_s": load["seconds"], "acknowledged": acknowledged, "errors": load["errors"],
                          "ack_p50_ms": load["ack_p50_ms"], "ack_p99_ms": load["ack_p99_ms"], "arrived": got,
                          "drained_in_s": round(seconds, 1), "cpu_s": round(cpu, 2),
                          "peak_rss_mb_while_down": round(storm_kb / 1024), "peak_rss_mb": round(peak_kb / 1024),
                          "private_mb_while_draining": round(private / 1024),
                          "disk_mb": round(disk / 1e6)}))
    finally:
        for process in (front, destination):
            if process:
                process.terminate()
                process.wait(60)


if __name__ == "__main__":
    main()
