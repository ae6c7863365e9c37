#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""OpenSearch or Elasticsearch behind this library and behind Go Jaeger, one after the other on the same engine:
opensearch.py BUILD ENGINE GO_JAEGER [--spans N]. One JSON line each; figures of a server are its own CPU time and memory.
Each writes twice, in turns, and the first round also warms the engine.
"""
import argparse
import json
import pathlib
import time
import urllib.request

from bench import Server, emit

STORAGE = """{kind}: {{server_urls: ["{engine}"], indices: {{index_prefix: {prefix}, spans: {{shards: 1, replicas: 0}},
 services: {{shards: 1, replicas: 0}}}}}}"""


def ask(url, method="GET"):
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=120) as reply:
        return json.loads(reply.read())


class Backed(Server):
    def __init__(self, build, binary, prefix, args):
        super().__init__(build, STORAGE.format(kind=args.kind, engine=args.engine, prefix=prefix))
        self.binary, self.prefix, self.engine = binary, prefix, args.engine

    def start(self):
        link = self.directory / "cmd"
        link.mkdir()
        (link / "jaeger-all-in-one").symlink_to(self.binary)
        real, self.build = self.build, self.directory
        try:
            return super().start()
        finally:
            self.build = real

    def cpu_s(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def stored(self):
        ask(f"{self.engine}/{self.prefix}-jaeger-span-*/_refresh", "POST")
        return ask(f"{self.engine}/{self.prefix}-jaeger-span-*/_count")["count"]

    def forget(self):
        ask(f"{self.engine}/{self.prefix}-*", "DELETE")


def write(server, name, args):
    server.load("grpc", 2000)  # indices, connections
    settled = server.stored()
    while True:  # Go acknowledges before the engine has them
        time.sleep(1)
        if settled == (settled := server.stored()):
            break
    before, begin = server.stored(), time.monotonic()
    cpu = server.cpu_s()
    figures = server.load("grpc", args.spans, connections=args.connections, streams=args.streams)
    acknowledged = time.monotonic()
    while server.stored() < before + args.spans and time.monotonic() < acknowledged + 120:
        time.sleep(0.2)
    seconds, missing = time.monotonic() - begin, before + args.spans - server.stored()
    emit(f"{name} write", spans=args.spans, cpu_s_per_million=round((server.cpu_s() - cpu) / args.spans * 1e6, 2),
         stored_per_s=round(args.spans / seconds), missing=missing, errors=figures.get("errors"),
         ack_p50_ms=figures.get("ack_p50_ms"), ack_p99_ms=figures.get("ack_p99_ms"),
         peak_rss_mib=round(server.rss_mib("VmHWM")))


def read(server, name, prefix):
    services = json.loads(server.get("/api/v3/services"))["services"]
    day = {"query.startTimeMin": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 7200)),
           "query.startTimeMax": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 7200))}
    service = {**day, "query.serviceName": sorted(services)[0], "query.searchDepth": 20}
    tagged = {**service, "query.attributes": '{"http.status_code":"500"}'}
    hits = ask(f"{server.engine}/{prefix}-jaeger-span-*/_search?size=20&_source=traceID")["hits"]["hits"]
    ids = [hit["_source"]["traceID"] for hit in hits]
    cpu = server.cpu_s()
    emit(f"{name} search service", **server.latency_ms("/api/v3/traces", [service], 60))
    emit(f"{name} search tag", **server.latency_ms("/api/v3/traces", [tagged], 60))
    emit(f"{name} services", **server.latency_ms("/api/v3/services", [{}], 60))
    times = []
    for i in range(100):
        begin = time.perf_counter()
        server.get("/api/traces/" + ids[i % len(ids)])
        times.append((time.perf_counter() - begin) * 1000)
    times.sort()
    emit(f"{name} get trace", p50_ms=round(times[50], 3), p99_ms=round(times[98], 3))
    emit(f"{name} reading", cpu_s=round(server.cpu_s() - cpu, 2))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("engine")
    parser.add_argument("go", type=pathlib.Path)
    parser.add_argument("--kind", default="opensearch")
    parser.add_argument("--spans", type=int, default=200000)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--streams", type=int, default=8)
    parser.add_argument("--only-writing", action="store_true")
    args = parser.parse_args()
    servers = {}
    for name, binary in (("ours", args.build.resolve() / "cmd/jaeger-all-in-one"), ("go", args.go.resolve())):
        servers[name] = server = Backed(args.build.resolve(), binary, f"bench-{name}-{int(time.time())}", args)
        server.start()
    for name in ("ours", "go", "ours again", "go again"):
        write(servers[name.split()[0]], name, args)
    for name in () if args.only_writing else ("ours", "go", "ours again", "go again"):  # equal data: one seed
        read(servers[name.split()[0]], name, servers[name.split()[0]].prefix)
    for server in servers.values():
        server.stop()
        server.forget()
        server.remove()


if __name__ == "__main__":
    main()
