#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Our gRPC server against grpcio: by hand, `python grpc_peer.py build/tests/grpc_echo` where grpcio is installed."""
import concurrent.futures
import signal
import socket
import subprocess
import sys
import threading
import time

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

ECHO = sys.argv[1]


def raw(channel, name, stream=False):
    make = channel.unary_stream if stream else channel.unary_unary
    return make("/test.Echo/" + name, request_serializer=lambda b: b, response_deserializer=lambda b: b)


class Server:
    def __init__(self, *args, endpoint="127.0.0.1:0"):
        self.process = subprocess.Popen([ECHO, endpoint, *args], stdout=subprocess.PIPE, text=True)
        self.target = f"127.0.0.1:{int(self.process.stdout.readline())}"
        if endpoint.startswith("unix:"):
            self.target = endpoint

    def __enter__(self):
        return self

    def channel(self, **options):
        return grpc.insecure_channel(self.target, options=[("grpc.max_receive_message_length", -1),
                                                           ("grpc.use_local_subchannel_pool", 1), *options.items()])

    def peak_kib(self):
        status = open(f"/proc/{self.process.pid}/status").read()
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def __exit__(self, *exc):
        if self.process.poll() is None:
            assert self.stop() == 0


def code_of(call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except grpc.RpcError as e:
        return e
    raise AssertionError("no error")


def check_calls(server):
    with server.channel() as channel:
        unary = raw(channel, "Unary")
        assert unary(b"hello") == b"hello"
        assert unary(b"") == b""
        big = bytes(3 << 20)
        assert unary(big) == big
        assert unary(b"x" * 100000, compression=grpc.Compression.Gzip) == b"x" * 100000
        assert [len(m) for m in raw(channel, "Stream", True)(b"300 40000")] == [40000] * 300
        assert list(raw(channel, "Stream", True)(b"0 0")) == []
        e = code_of(unary, bytes((4 << 20) + 1))
        assert e.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, e
        assert e.details() == "grpc: received message larger than max (4194305 vs. 4194304)", e.details()
        e = code_of(unary, bytes(32 << 20), compression=grpc.Compression.Gzip)
        assert e.code() == grpc.StatusCode.RESOURCE_EXHAUSTED and "decompression" in e.details(), e
        e = code_of(raw(channel, "Nope"), b"")
        assert (e.code(), e.details()) == (grpc.StatusCode.UNIMPLEMENTED, "unknown method Nope for service test.Echo")
        e = code_of(raw(channel, "Fail"), b"!")
        assert (e.code(), e.details()) == (grpc.StatusCode.UNAVAILABLE, "trüb 100%\n!"), e
        details = dict(e.trailing_metadata())["grpc-status-details-bin"]
        assert b"google.rpc.RetryInfo" in details and b"\x08\x02\x10" in details
        begin = time.monotonic()
        e = code_of(raw(channel, "Sleep"), b"5000", timeout=0.3)
        assert e.code() == grpc.StatusCode.DEADLINE_EXCEEDED and time.monotonic() - begin < 4
        future = raw(channel, "Sleep").future(b"5000")
        time.sleep(0.1)
        future.cancel()
        shown = raw(channel, "Show")(b"", metadata=[("a", "1"), ("b-bin", b"\x01z")]).decode()
        assert shown.startswith("127.0.0.1:") and " a=1" in shown and " b-bin=\x01z" in shown, shown
        e = code_of(unary, b"", metadata=[("long", "x" * 20000)])
        assert e.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, e


def check_concurrent(server):
    with server.channel() as channel:
        sleep = raw(channel, "Sleep")
        assert [f.result() for f in [sleep.future(b"50", timeout=20) for _ in range(500)]] == [b"50"] * 500
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        def many(i):
            with server.channel() as channel:
                unary = raw(channel, "Unary")
                return all(unary(b"%d" % n) == b"%d" % n for n in range(100))
        assert all(pool.map(many, range(16)))


def check_health(server):
    with server.channel() as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        assert stub.Check(health_pb2.HealthCheckRequest()).status == health_pb2.HealthCheckResponse.SERVING
        e = code_of(stub.Check, health_pb2.HealthCheckRequest(service="none"))
        assert (e.code(), e.details()) == (grpc.StatusCode.NOT_FOUND, "unknown service")
        watch = stub.Watch(health_pb2.HealthCheckRequest(service="test.Echo"))
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()


def check_busy():
    with Server("workers=1", "jobs=2") as server, server.channel() as channel:
        sleep = raw(channel, "Sleep")
        futures = [sleep.future(b"300", timeout=20) for _ in range(30)]
        codes = [f.code() for f in futures if f.exception() or True]
        assert codes.count(grpc.StatusCode.OK) >= 2 and codes.count(grpc.StatusCode.UNAVAILABLE) >= 20, codes
        failed = next(f for f in futures if f.code() == grpc.StatusCode.UNAVAILABLE)
        assert b"RetryInfo" in dict(failed.trailing_metadata())["grpc-status-details-bin"]


def check_budget():
    with Server("budget=100000") as server, server.channel() as channel:
        e = code_of(raw(channel, "Unary"), bytes(200000))
        assert e.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, e
        for _ in range(20):
            assert len(raw(channel, "Unary")(bytes(90000))) == 90000
            e = code_of(raw(channel, "Unary"), bytes(3 << 20), compression=grpc.Compression.Gzip)
            assert e.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, e


def check_goaway():
    server = Server()
    channel = server.channel()
    sleeping = raw(channel, "Sleep").future(b"1500", timeout=20)
    streamed = []
    reader = threading.Thread(target=lambda: streamed.extend(
        len(m) for m in raw(channel, "Stream", True)(b"600 100000", timeout=25)))
    reader.start()
    time.sleep(0.2)
    begin = time.monotonic()
    assert server.stop() == 0
    assert 1 < time.monotonic() - begin < 20, time.monotonic() - begin
    assert sleeping.result() == b"1500"
    reader.join()
    assert streamed == [100000] * 600, len(streamed)
    channel.close()


def check_keepalive():
    with Server("time_ms=200", "timeout_ms=2000") as server:
        dead = socket.create_connection(("127.0.0.1", int(server.target.split(":")[1])))
        dead.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
        dead.settimeout(20)
        begin = time.monotonic()
        while dead.recv(4096):
            pass
        assert 2 < time.monotonic() - begin < 10
        with server.channel() as channel:
            assert raw(channel, "Sleep")(b"1200") == b"1200"
    with Server("idle_ms=300") as server, server.channel() as channel:
        assert raw(channel, "Unary")(b"x") == b"x"
        time.sleep(1)
        assert raw(channel, "Unary")(b"y") == b"y"
    with Server("age_ms=300", "grace_ms=300") as server, server.channel() as channel:
        e = code_of(raw(channel, "Sleep"), b"3000")
        assert e.code() == grpc.StatusCode.UNAVAILABLE, e
        assert raw(channel, "Unary")(b"y") == b"y"
    with Server() as server:
        s = socket.create_connection(("127.0.0.1", int(server.target.split(":")[1])))
        s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0" + b"\0\0\x08\6\0\0\0\0\0pingpong" * 5)
        s.settimeout(3)
        got = b""
        while True:
            piece = s.recv(4096)
            if not piece:
                break
            got += piece
        assert b"too_many_pings" in got, got


def main():
    with Server() as server:
        check_calls(server)
        check_concurrent(server)
        check_health(server)
        print("peak KiB", server.peak_kib())
    check_busy()
    check_budget()
    check_keepalive()
    check_goaway()
    with Server(endpoint="unix:/tmp/grpc_peer_check.sock") as server, server.channel() as channel:
        assert raw(channel, "Unary")(b"x") == b"x"
    print("ok")


main()
