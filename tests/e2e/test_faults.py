# SPDX-License-Identifier: Apache-2.0
"""Bad input and faults from outside: the right answer, and the server goes on serving others."""
import gzip
import signal
import socket
import subprocess
import time
import zlib

import pytest
import requests
from conftest import ALL_IN_ONE, LOADGEN, Jaeger

PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json"}


def post(jaeger, body, headers, path="/v1/traces", **kwargs):
    return requests.post(f"http://127.0.0.1:{jaeger.http}{path}", data=body, headers=headers, timeout=30, **kwargs)


@pytest.mark.parametrize("name,body,headers,status,text", [
    ("empty protobuf", b"", PROTOBUF, 200, None),
    ("empty JSON", b"{}", JSON, 200, '{"partialSuccess":{}}'),
    ("truncated protobuf", b"\x0a\x20abc", PROTOBUF, 400, None),
    ("wrong wire type", b"\x08\x01", PROTOBUF, 400, None),
    ("short trace id", b"\x0a\x09\x12\x07\x12\x05\x0a\x03abc", PROTOBUF, 400, None),
    ("JSON cut off", b'{"resourceSpans":[', JSON, 400, None),
    ("JSON nested too deep", b'{"resourceSpans":' + b"[" * 100000, JSON, 400, None),
    ("short id in JSON", b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"abc"}]}]}]}', JSON, 400, None),
    ("unknown media type", b"x", {"Content-Type": "text/plain"}, 415, "supported: [application/json"),
    ("unknown encoding", b"x", {**PROTOBUF, "Content-Encoding": "foo"}, 400, "unsupported Content-Encoding: foo"),
    ("not gzip", b"xxxx", {**PROTOBUF, "Content-Encoding": "gzip"}, 400, None),
])
def test_bad_otlp_http_gets_the_right_status(jaeger, name, body, headers, status, text):
    reply = post(jaeger, body, headers)
    assert reply.status_code == status, (name, reply.text)
    if text:
        assert text in reply.text
    assert post(jaeger, b"", PROTOBUF).content == b"\x0a\x00"


def test_gzip_bomb_is_refused_and_memory_stays_small(jaeger):
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(compressor.compress(bytes(1 << 20)) for _ in range(512)) + compressor.flush()
    for _ in range(8):
        assert post(jaeger, bomb, {**PROTOBUF, "Content-Encoding": "gzip"}).status_code in (400, 413)
    status = open(f"/proc/{jaeger.process.pid}/status").read()
    peak_kib = int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
    assert peak_kib < 200 * 1024
    assert post(jaeger, gzip.compress(b""), {**PROTOBUF, "Content-Encoding": "gzip"}).status_code == 200


def test_other_paths_and_methods(jaeger):
    assert post(jaeger, b"", PROTOBUF, path="/v1/metrics").status_code == 404
    assert requests.get(f"http://127.0.0.1:{jaeger.http}/v1/traces", timeout=10).status_code == 405
    assert requests.put(f"http://127.0.0.1:{jaeger.http}/v1/traces", timeout=10).status_code == 405


def test_request_smuggling_is_refused(jaeger):
    for head in [b"Content-Length: 0\r\nContent-Length: 5\r\n", b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"]:
        with socket.create_connection(("127.0.0.1", jaeger.http), timeout=10) as s:
            s.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n" + head +
                      b"\r\n0\r\n\r\n")
            assert b" 400 " in s.recv(4096).split(b"\r\n")[0] + b" "


def test_half_open_connections_do_not_stop_others(jaeger):
    idle = [socket.create_connection(("127.0.0.1", port), timeout=10) for port in (jaeger.http, jaeger.grpc) * 100]
    for s in idle[::2]:
        s.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Le")
    assert post(jaeger, b"", PROTOBUF).status_code == 200
    for s in idle:
        s.close()


def test_sigterm_drains_and_exits_0(jaeger):
    assert jaeger.stop() == 0


def test_sighup_reloads(jaeger):
    jaeger.process.send_signal(signal.SIGHUP)
    end = time.monotonic() + 30
    while True:  # the old service answers until it stops, the new one once it runs
        assert time.monotonic() < end, jaeger.output()
        try:
            new = jaeger.output().partition("Config updated, restart service")[2]
            if "Everything is ready" in new and post(jaeger, b"", PROTOBUF).status_code == 200:
                break
        except requests.ConnectionError:
            pass
        time.sleep(0.02)
    assert jaeger.stop() == 0


def test_port_in_use_is_one_clear_line(jaeger, tmp_path):
    done = subprocess.run([str(ALL_IN_ONE), "--config", str(jaeger.config)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert "address already in use" in done.stderr


def test_unwritable_directory_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    server = Jaeger(tmp_path, storage=f"embedded: {{directory: {tmp_path}/file/data}}")
    done = subprocess.run([str(ALL_IN_ONE), "--config", str(server.config)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert f"{tmp_path}/file/data" in done.stderr


def test_missing_config_is_one_clear_line(tmp_path):
    done = subprocess.run([str(ALL_IN_ONE), "--config", str(tmp_path / "none.yaml")], capture_output=True, text=True,
                          timeout=30)
    assert done.returncode == 1
    assert "none.yaml" in done.stderr


@pytest.mark.parametrize("protocol", ["grpc", "http", "json"])
def test_load_is_acknowledged_and_counted(any_store, protocol):
    port = any_store.grpc if protocol == "grpc" else any_store.http
    done = subprocess.run([str(LOADGEN), "--target", f"127.0.0.1:{port}", "--protocol", protocol, "--spans", "20000"],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    scrape = requests.get(f"http://127.0.0.1:{any_store.metrics}/metrics", timeout=10).text
    accepted = sum(float(line.split()[-1]) for line in scrape.splitlines()
                   if line.startswith("otelcol_receiver_accepted_spans"))
    assert accepted == 20000
