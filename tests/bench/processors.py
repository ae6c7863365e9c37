#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One processor between OTLP gRPC in and nop out, ours and a Collector's, on the same load. One JSON line each.

processors.py --build BUILD --otelcol BINARY [--spans N] [CASE...]     cases: none attributes tail_sampling
CPU time is the program's own, from /proc; `none` is what the rest of the pipeline costs.
"""
import argparse
import json
import pathlib
import subprocess
import tempfile
import time

from forward import free_ports, usage, wait_port

CASES = {
    "none": "",
    "attributes": """attributes:
    actions:
    - {key: env, value: prod, action: insert}
    - {key: http.method, value: POST, action: update}
    - {key: region, value: eu, action: upsert}
    - {key: http.url, action: delete}
    - {key: http.status_code, action: hash}""",
    "tail_sampling": """tail_sampling:
    decision_wait: 5s
    num_traces: 200000
    policies:
    - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
    - {name: slow, type: latency, latency: {threshold_ms: 100}}
    - {name: some, type: string_attribute, string_attribute: {key: http.method, values: [PUT, DELETE]}}
    - {name: tenth, type: probabilistic, probabilistic: {sampling_percentage: 10}}""",
}
CONFIG = """
service:
  telemetry: {{logs: {{level: error}}, metrics: {{level: none}}}}
  pipelines: {{traces: {{receivers: [otlp], processors: [{names}], exporters: [nop]}}}}
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{port}"}}}}}}}}
{processors}
exporters: {{nop: }}
"""


def measure(name, binary, case, args, folder):
    port, = free_ports(1)
    processor = CASES[case]
    config = folder / f"{name}.yaml"
    config.write_text(CONFIG.format(port=port, names=processor.split(":")[0],
                                    processors="processors:\n  " + processor if processor else ""))
    process = subprocess.Popen([binary, "--config", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_port(process, port)
        before, _ = usage(process.pid)
        begin = time.monotonic()
        subprocess.run([args.build / "tests/loadgen", "--target", f"127.0.0.1:{port}", "--spans", str(args.spans)],
                       check=True, stdout=subprocess.DEVNULL)
        seconds = time.monotonic() - begin
        if case == "tail_sampling":
            time.sleep(10)  # until all was decided
        cpu, peak_kb = usage(process.pid)
        print(json.dumps({"bench": "processors", "case": case, "program": name, "spans": args.spans,
                          "seconds": round(seconds, 2), "cpu_s": round(cpu - before, 2),
                          "cpu_ns_per_span": round((cpu - before) / args.spans * 1e9),
                          "peak_rss_mb": round(peak_kb / 1024, 1)}), flush=True)
    finally:
        process.terminate()
        process.wait(60)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--otelcol", required=True)
    parser.add_argument("--spans", type=int, default=500000)
    parser.add_argument("cases", nargs="*", default=list(CASES))
    args = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="jaeger-processors-"))
    for case in args.cases:
        measure("libjaeger", args.build / "cmd/jaeger-all-in-one", case, args, folder)
        measure("otelcol", args.otelcol, case, args, folder)


if __name__ == "__main__":
    main()
