# SPDX-License-Identifier: Apache-2.0
"""A flood of datagrams: some are lost, each of those is counted, and memory stays what it was set to."""
import socket
import time

import requests

import replay
from conftest import Jaeger
from ports import free_ports

DATAGRAMS, SPANS = 30000, 16


def metrics(server):
    """Datagrams by what became of them."""
    counts = {}
    for line in requests.get(f"http://127.0.0.1:{server.metrics}/metrics", timeout=20).text.splitlines():
        value = float(line.rsplit(" ", 1)[-1]) if not line.startswith("#") else 0
        if line.startswith("otelcol_receiver_accepted_spans") and "udp" in line:
            counts["taken"] = counts.get("taken", 0) + value / SPANS
        elif line.startswith("jaeger_receiver_dropped_packets"):
            reason = line.split('reason="')[1].split('"')[0]
            counts[reason] = counts.get(reason, 0) + value
    return counts


def lost(counts):
    return counts["queue_full"] + counts["socket_buffer_full"]


def resident_mib(server, field):
    for line in open(f"/proc/{server.process.pid}/status"):
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"no {field}")


def test_a_flood_loses_datagrams_but_counts_them_and_keeps_to_its_memory(tmp_path):
    server = Jaeger(tmp_path, storage="memory: {max_traces: 10}")
    port = free_ports(1)[0]
    udp = f'jaeger: {{protocols: {{thrift_compact: {{endpoint: "127.0.0.1:{port}", queue_size: 50, workers: 1, ' \
        "socket_buffer_size: 262144}}}"
    text = server.config.read_text().replace("receivers: [otlp]", "receivers: [otlp, jaeger]")
    server.config.write_text(text.replace("receivers:\n  otlp:", f"receivers:\n  {udp}\n  otlp:"))
    server.start()
    datagram = (replay.DATA / "wire/jaeger_thrift_1.packet_compact").read_bytes()
    try:
        before, sent = resident_mib(server, "VmRSS"), 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect(("127.0.0.1", port))
            deadline = time.monotonic() + 60
            while not sent or lost(metrics(server)) == 0:
                assert time.monotonic() < deadline, "it took everything"
                for _ in range(DATAGRAMS):
                    s.send(datagram)
                sent += DATAGRAMS
            while sum(metrics(server).values()) != sent:  # the kernel tells of its losses with the next datagram
                assert time.monotonic() < deadline, (sent, metrics(server))
                time.sleep(0.2)
                s.send(datagram)
                sent += 1
        counts = metrics(server)
        assert counts["taken"] > 0 and counts["malformed"] == counts["too_long"] == 0
        grown = resident_mib(server, "VmHWM") - before
        assert grown < 64, f"{grown} MiB for a queue of 50 datagrams; {len(datagram) * sent >> 20} MiB were sent"
    finally:
        server.stop()
