# SPDX-License-Identifier: Apache-2.0
"""Programs of others that stand beside ours: an OpenTelemetry Collector built from the Go module proxy, and Debian's
Prometheus. Each is made once (engines.py)."""
import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import requests

from engines import CACHE, Unavailable
from ports import free_ports

OTELCOL = pathlib.Path(__file__).parent / "otelcol"


def collector():
    """The Collector's binary; $OTELCOL names another one."""
    if os.environ.get("OTELCOL"):
        return os.environ["OTELCOL"]
    sources = b"".join((OTELCOL / name).read_bytes() for name in ("go.mod", "go.sum", "main.go"))
    binary = CACHE / f"otelcol-{hashlib.sha256(sources).hexdigest()[:12]}"
    if binary.exists():
        return str(binary)
    if not shutil.which("go"):
        raise Unavailable("no go to build an OpenTelemetry Collector with, and OTELCOL names none")
    CACHE.mkdir(parents=True, exist_ok=True)
    fresh = binary.with_suffix(f".{os.getpid()}")
    done = subprocess.run(["go", "build", "-trimpath", "-ldflags", "-s -w", "-o", str(fresh), "."], cwd=OTELCOL,
                          env={**os.environ, "GOTOOLCHAIN": "local"}, capture_output=True, text=True)
    if done.returncode:
        raise Unavailable(f"go cannot build an OpenTelemetry Collector: {done.stderr[-500:]}")
    fresh.rename(binary)
    return str(binary)


def prometheus_binary():
    if shutil.which("prometheus"):
        return shutil.which("prometheus")
    binary = CACHE / "prometheus/usr/bin/prometheus"
    if not binary.exists():
        if not shutil.which("apt-get") or not shutil.which("dpkg"):
            raise Unavailable("no prometheus, and no apt-get to fetch it with")
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            done = subprocess.run(["apt-get", "download", "-q", "prometheus"], cwd=folder, capture_output=True, text=True)
            packages = list(pathlib.Path(folder).glob("*.deb"))
            if done.returncode or not packages:
                raise Unavailable(f"apt-get cannot fetch prometheus: {done.stderr[-500:]}")
            subprocess.run(["dpkg", "-x", str(packages[0]), str(CACHE / "prometheus")], check=True)
    return str(binary)


class Prometheus:
    """Scrapes one target every half second."""

    def __init__(self, directory, target):
        self.port, = free_ports(1)
        config = directory / "prometheus.yml"
        config.write_text("global: {scrape_interval: 500ms}\n"
                          f"scrape_configs: [{{job_name: spans, honor_labels: true, static_configs: [{{targets: ['{target}']}}]}}]\n")
        self.process = subprocess.Popen(
            [prometheus_binary(), f"--config.file={config}", f"--storage.tsdb.path={directory}/data",
             f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"], stderr=subprocess.DEVNULL)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def query(self, expression):
        """The vector that the expression gives; empty while Prometheus starts."""
        try:
            reply = requests.get(f"{self.url}/api/v1/query", params={"query": expression}, timeout=10)
            return reply.json()["data"]["result"] if reply.status_code == 200 else []
        except (requests.RequestException, ValueError):
            return []

    def wait(self, expression, good, timeout=60):
        """The vector, once `good` says so."""
        deadline = time.monotonic() + timeout
        while not good(result := self.query(expression)):
            assert time.monotonic() < deadline, (expression, result)
            assert self.process.poll() is None, "prometheus ended"
            time.sleep(0.2)
        return result

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
