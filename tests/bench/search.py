#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Searches in a large embedded store, alone and 200 at a time beside ingest: search.py BUILD [--spans N] [--keep DIR].

Answers are read to their end over HTTP, a new connection each. With --keep the data stays in DIR for the next run."""
import argparse
import json
import pathlib
import threading
import time
import urllib.error

from bench import EMBEDDED, Server, emit

MIX = {
    "service": dict(service="{service}"),
    "service and operation": dict(service="{service}", operation="{operation}"),
    "service and tag": dict(service="{service}", tags='{"http.status_code":"500"}'),
    "three tags": dict(service="{service}", tags='{"http.status_code":"500","http.method":"GET","error":"true"}'),
    "duration": dict(service="{service}", minDuration="100ms", maxDuration="400ms"),
    "or and regex": dict(filter='(status = error or http.status_code >= 500) and name =~ "^(GET|POST) /api/v1/[a-o]"'),
    "or without service": dict(filter='service = "{service}" or http.method = DELETE'),
    "absent value": dict(service="{service}", tags='{"http.method":"NOPE"}'),
    "top 20 by duration": dict(order="longest"),
    "top 20 by spans": dict(order="spans"),
    "top 20 by errors": dict(order="errors"),
    "top 20 by duration of a service": dict(order="longest", service="{service}"),
    "top 20 by duration with or and regex": dict(
        order="longest", filter='(status = error or http.status_code >= 500) and name =~ "^(GET|POST) "'),
    "top 20 by errors of a service and tag": dict(order="errors", service="{service}",
                                                  tags='{"http.status_code":"500"}'),
}


def shapes_of(server):
    service = json.loads(server.get("/api/services"))["data"][0]
    spans = json.loads(server.get("/api/traces", service=service, limit=1))["data"][0]["spans"]
    words = {"{service}": service, "{operation}": spans[0]["operationName"]}

    def fill(text):
        for word, value in words.items():
            text = text.replace(word, value)
        return text
    return {name: {key: fill(value) for key, value in {"limit": "20", **params}.items()}
            for name, params in MIX.items()}


def alone(server):
    for name, params in shapes_of(server).items():
        begin = time.perf_counter()
        answer = json.loads(server.get("/api/traces", **params))
        first = time.perf_counter() - begin
        emit(name, first_ms=round(first * 1000, 1), traces=len(answer["data"]), stopped=answer.get("stoppedEarly"),
             **server.latency_ms("/api/traces", [params], count=40))


def together(server, clients, seconds):
    """Clients that search without a pause, while 20,000 spans/s come in."""
    shapes = list(shapes_of(server).values())
    end = time.monotonic() + seconds
    times, refused, failed, lock = [], [0], [0], threading.Lock()

    def client(number):
        at = number
        while time.monotonic() < end:
            begin = time.perf_counter()
            try:
                server.get("/api/traces", **shapes[at % len(shapes)])
                with lock:
                    times.append(time.perf_counter() - begin)
            except urllib.error.HTTPError as e:
                with lock:
                    (refused if e.code in (503, 429) else failed)[0] += 1
                time.sleep(0.2)
            except OSError:
                with lock:
                    failed[0] += 1
            at += 1
    threads = [threading.Thread(target=client, args=(i,)) for i in range(clients)]
    for thread in threads:
        thread.start()
    load = server.load("grpc", 20000 * seconds, rate=20000)
    for thread in threads:
        thread.join()
    times.sort()
    emit(f"{clients} clients", answers=len(times), refused=refused[0], failed=failed[0],
         p50_ms=round(times[len(times) // 2] * 1000), p99_ms=round(times[int(len(times) * 0.99)] * 1000),
         peak_mib=round(server.rss_mib("VmHWM")), anonymous_mib=round(server.anonymous_mib()))
    emit("ingest beside them", **load)


def run(server, args):
    if not json.loads(server.get("/api/services"))["data"]:
        emit("ingest", **server.load("grpc", args.spans))
    alone(server)
    if args.seconds:
        together(server, args.clients, args.seconds)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--spans", type=int, default=10000000)
    parser.add_argument("--keep")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=60)
    args = parser.parse_args()
    if args.keep:
        pathlib.Path(args.keep).mkdir(exist_ok=True)
    server = Server(args.build, EMBEDDED, directory=args.keep)
    server.start()
    try:
        run(server, args)
    finally:
        server.stop()
        if not args.keep:
            server.remove()


main()
