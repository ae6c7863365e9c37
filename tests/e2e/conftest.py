# SPDX-License-Identifier: Apache-2.0
"""Fixtures: a running jaeger-all-in-one on free ports, and helpers to ask it."""
import importlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import engines
import pytest
import requests
import search_engine
from ports import free_ports

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("JAEGER_BUILD", ROOT / "build"))
ALL_IN_ONE = BUILD / "cmd/jaeger-all-in-one"
LOADGEN = BUILD / "tests/loadgen"


class Jaeger:
    """One process of a binary, with its own configuration file and data directory."""

    def __init__(self, directory, storage="memory: {max_traces: 100000}", binary=ALL_IN_ONE, config=None, extra="",
                 arguments=()):
        self.directory = pathlib.Path(directory)
        self.grpc, self.http, self.query, self.query_grpc, self.health, self.metrics = free_ports(6)
        self.binary = binary
        self.log = open(self.directory / "jaeger.log", "ab")
        self.config = self.directory / "jaeger.yaml"
        self.config.write_text(config or f"""
service:
  extensions: [jaeger_storage, jaeger_query, healthcheckv2]
  pipelines:
    traces: {{receivers: [otlp], processors: [batch], exporters: [jaeger_storage_exporter]}}
  telemetry:
    metrics:
      readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {self.metrics}}}}}}}}}]
extensions:
  healthcheckv2: {{use_v2: true, http: {{endpoint: "127.0.0.1:{self.health}"}}}}
  jaeger_query:
    storage: {{traces: main}}
    http: {{endpoint: "127.0.0.1:{self.query}"}}
    grpc: {{endpoint: "127.0.0.1:{self.query_grpc}"}}
  jaeger_storage: {{backends: {{main: {{{storage}}}}}}}
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{self.grpc}"}}, http: {{endpoint: "127.0.0.1:{self.http}"}}}}}}
processors: {{batch: }}
exporters:
  jaeger_storage_exporter: {{trace_storage: main}}
{extra}
""")
        self.process = None
        self.environment = {}
        self.arguments = list(arguments)

    def start(self, timeout=20, status=200):
        """@param status: of /status; 503 while a storage is waited for"""
        command = [str(self.binary), "--config", str(self.config), *self.arguments]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log,
                                        env={**os.environ, **self.environment})
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"exited with {self.process.returncode}:\n{self.output()}")
            try:
                if requests.get(f"http://127.0.0.1:{self.health}/status", timeout=2).status_code == status:
                    return self
            except requests.ConnectionError:
                time.sleep(0.02)
        raise RuntimeError(f"not ready within {timeout} s:\n{self.output()}")

    def output(self):
        return (self.directory / "jaeger.log").read_text(errors="replace")[-4000:]

    def stop(self, sig=signal.SIGTERM, timeout=30):
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(sig)
        code = self.process.wait(timeout)
        self.process = None
        return code

    def get(self, path, **params):
        return requests.get(f"http://127.0.0.1:{self.query}{path}", params=params, timeout=60)

    def trace(self, trace_id, spans=1, timeout=10):
        """The trace in legacy JSON, once it has at least so many spans."""
        deadline = time.monotonic() + timeout
        while True:
            reply = self.get(f"/api/traces/{trace_id}")
            if reply.status_code == 200 and len(reply.json()["data"][0]["spans"]) >= spans:
                return reply.json()["data"][0]
            if time.monotonic() > deadline:
                raise AssertionError(f"trace {trace_id}: {reply.status_code} {reply.text[:500]}\n{self.output()}")
            time.sleep(0.05)


def shipped_agent(directory, **environment):
    """jaeger-agent with the configuration it has without --config, on free ports: compact, binary, sampling."""
    directory.mkdir()
    agent = Jaeger(directory, binary=BUILD / "cmd/jaeger-agent")
    agent.sampling, compact, binary = free_ports(3)
    agent.ports = {"compact": compact, "binary": binary}
    source = (ROOT / "cmd/jaeger-agent/config.yaml").read_text()
    for old, new in (("5778", agent.sampling), ("14271", agent.health), ("8890", agent.metrics), ("6831", compact),
                     ("6832", binary)):
        assert f":{old}" in source or f": {old}" in source
        source = source.replace(f":{old}", f":{new}").replace(f": {old}", f": {new}")
    agent.config.write_text(source)
    agent.environment = {"HOME": str(directory), "JAEGER_AGENT_OTLP_GRPC_PORT": str(agent.grpc),
                         "JAEGER_AGENT_OTLP_HTTP_PORT": str(agent.http), **environment}
    return agent.start()


@pytest.fixture
def jaeger(tmp_path):
    server = Jaeger(tmp_path).start()
    yield server
    server.stop()


@pytest.fixture(params=["memory", "embedded"])
def any_store(request, tmp_path):
    """The same on each store that lives in the process."""
    storage = {"memory": "memory: {max_traces: 100000}",
               "embedded": f"embedded: {{directory: {tmp_path}/data}}"}[request.param]
    server = Jaeger(tmp_path, storage=storage).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def stubs(tmp_path_factory):
    """Python modules of all our .proto files, by a function of their path."""
    out = tmp_path_factory.mktemp("stubs")
    files = [str(path.relative_to(ROOT / "proto")) for path in (ROOT / "proto").rglob("*.proto")
             if "opentelemetry" not in path.parts]  # the SDK brings its own
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'proto'}", f"--python_out={out}",
                    f"--grpc_python_out={out}", *files], check=True)
    sys.path.insert(0, str(out))
    return lambda name: importlib.import_module(name)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """An OpenSearch node of its own for a file of tests."""
    try:
        with search_engine.Engine(tmp_path_factory.mktemp("opensearch")) as node:
            yield node
    except engines.Unavailable as why:
        pytest.skip(f"SKIPPED: {why}")


def program(command, **env):
    """Run a client; its standard output, parsed as JSON."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env={**os.environ, **env})
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


def node(script, *args, **env):
    """Run a script of tests/e2e/node with its packages."""
    target = ROOT / "build/node" / script
    for source in (ROOT / "tests/e2e/node").glob("*.js"):  # a script may use others
        shutil.copy(source, target.parent)
    return program(["node", str(target), *args], **env)


def python_client(*args):
    """Run tests/e2e/python/send.py with its packages: they need older ones than the OTLP exporters."""
    return program([str(ROOT / "build/clients/bin/python"), str(ROOT / "tests/e2e/python/send.py"), *args])


def java(*args):
    jars = ROOT / "build/java"
    return program(["java", "-cp", f"{jars}/*", str(ROOT / "tests/e2e/java/Clients.java"), *args])


def go(*args):
    binary = ROOT / "build/go/sampler"
    if not binary.exists():
        pytest.skip("SKIPPED: no Go 1.26 here to build tests/e2e/go with")
    return program([str(binary), *args])
