# SPDX-License-Identifier: Apache-2.0
"""Certificates and authorities are read again without a restart, by every kind of server and client."""
import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest
import requests
from conftest import Jaeger
from ports import free_ports

H2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
SERVERS = {"otlp grpc": "h2", "otlp http": "http/1.1", "zipkin": "http/1.1", "jaeger grpc": "h2",
           "jaeger thrift_http": "http/1.1", "query grpc": "h2", "query http": "http/1.1", "remote_storage": "h2"}
CLIENTS = {"exporter otlp": "h2", "exporter otlp_http": "http/1.1", "storage grpc": "h2"}


def openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    """Two authorities, each with a pair for servers and clients: one.pem, one.key, one-ca.pem, two.pem, ..."""
    folder = tmp_path_factory.mktemp("pairs")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost")
    for name in ("one", "two"):
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        openssl(folder, "req", *key, "-x509", "-days", "2", "-subj", f"/CN=authority {name}", "-keyout", f"{name}-ca.key",
                "-out", f"{name}-ca.pem")
        openssl(folder, "req", *key, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{name}-ca.pem", "-CAkey", f"{name}-ca.key",
                "-CAcreateserial", "-days", "2", "-extfile", "names", "-out", f"{name}.pem")
    return folder


def install(pool, name, folder):
    """Give the running process another pair and authority."""
    for source, target in ((f"{name}.key", "key.pem"), (f"{name}.pem", "cert.pem"), (f"{name}-ca.pem", "ca.pem")):
        shutil.copy(pool / source, folder / f"{target}.new")
    for target in ("key.pem", "cert.pem", "ca.pem"):
        (folder / f"{target}.new").replace(folder / target)


def until(condition, what, timeout=30):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)



def talk(port, protocol, pool, name):
    """Greet as a client with the pair `name`. (certificate of the server, whether it went on with us)"""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(pool / f"{name}.pem", pool / f"{name}.key")
    context.set_alpn_protocols([protocol])
    shown = None
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as plain, context.wrap_socket(plain) as tls:
            shown = tls.getpeercert(binary_form=True)
            tls.sendall(H2_PREFACE if protocol == "h2" else b"GET /nothing HTTP/1.0\r\n\r\n")
            return shown, len(tls.recv(1)) > 0
    except (ssl.SSLError, ConnectionError):
        return shown, False


def test_servers_read_certificates_and_authorities_again(pool, tmp_path):
    ports = dict(zip(SERVERS, free_ports(len(SERVERS))))
    health, = free_ports(1)
    install(pool, "one", tmp_path)
    tls = (f"tls: {{cert_file: {tmp_path}/cert.pem, key_file: {tmp_path}/key.pem, client_ca_file: {tmp_path}/ca.pem, "
           "reload_interval: 100ms, client_ca_file_reload: true}")
    at = {name: f'endpoint: "127.0.0.1:{port}", {tls}' for name, port in ports.items()}
    server = Jaeger(tmp_path, config=f"""
service:
  extensions: [jaeger_storage, jaeger_query, remote_storage, healthcheckv2]
  pipelines:
    traces: {{receivers: [otlp, zipkin, jaeger], exporters: [jaeger_storage_exporter]}}
  telemetry: {{metrics: {{level: none}}}}
extensions:
  healthcheckv2: {{use_v2: true, http: {{endpoint: "127.0.0.1:{health}"}}}}
  jaeger_query: {{storage: {{traces: main}}, http: {{{at['query http']}}}, grpc: {{{at['query grpc']}}}}}
  remote_storage: {{storage: main, {at['remote_storage']}}}
  jaeger_storage: {{backends: {{main: {{memory: {{max_traces: 10}}}}}}}}
receivers:
  otlp: {{protocols: {{grpc: {{{at['otlp grpc']}}}, http: {{{at['otlp http']}}}}}}}
  jaeger: {{protocols: {{grpc: {{{at['jaeger grpc']}}}, thrift_http: {{{at['jaeger thrift_http']}}}}}}}
  zipkin: {{{at['zipkin']}}}
exporters:
  jaeger_storage_exporter: {{trace_storage: main}}
""")
    server.health = health
    server.start()
    try:
        for name, other in (("one", "two"), ("two", "one")):
            install(pool, name, tmp_path)
            certificate = ssl.PEM_cert_to_DER_cert((pool / f"{name}.pem").read_text())
            for kind, protocol in SERVERS.items():
                until(lambda: talk(ports[kind], protocol, pool, name) == (certificate, True), f"{kind} shows {name}")
                until(lambda: not talk(ports[kind], protocol, pool, other)[1], f"{kind} refuses {other}")
    finally:
        server.stop()


class Listener:
    """Takes connections, notes the certificates that clients show, and hangs up."""

    def __init__(self, pool, protocol):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.pool, self.protocol, self.shown, self.pair = pool, protocol, [], "one"
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                plain, _ = self.socket.accept()
            except OSError:
                return
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.pool / f"{self.pair}.pem", self.pool / f"{self.pair}.key")
            context.verify_mode = ssl.CERT_REQUIRED
            for name in ("one", "two"):
                context.load_verify_locations(self.pool / f"{name}-ca.pem")
            context.set_alpn_protocols([self.protocol])
            plain.settimeout(10)
            try:
                with context.wrap_socket(plain, server_side=True) as tls:
                    self.shown.append(tls.getpeercert(binary_form=True))
            except OSError:
                plain.close()  # the client does not trust us (yet)


def test_clients_read_certificates_and_authorities_again(pool, tmp_path):
    listeners = {name: Listener(pool, protocol) for name, protocol in CLIENTS.items()}
    otlp, health, query, query_grpc = free_ports(4)
    install(pool, "one", tmp_path)
    tls = (f"tls: {{ca_file: {tmp_path}/ca.pem, cert_file: {tmp_path}/cert.pem, key_file: {tmp_path}/key.pem, "
           "reload_interval: 100ms}")
    port = {name: listener.port for name, listener in listeners.items()}
    retry = "retry_on_failure: {initial_interval: 100ms, max_interval: 200ms, max_elapsed_time: 10m}"
    client = Jaeger(tmp_path, config=f"""
service:
  extensions: [jaeger_storage, jaeger_query, healthcheckv2]
  pipelines:
    traces: {{receivers: [otlp], exporters: [otlp, otlp_http]}}
  telemetry: {{metrics: {{level: none}}}}
extensions:
  healthcheckv2: {{use_v2: true, http: {{endpoint: "127.0.0.1:{health}"}}}}
  jaeger_query:
    storage: {{traces: far}}
    http: {{endpoint: "127.0.0.1:{query}"}}
    grpc: {{endpoint: "127.0.0.1:{query_grpc}"}}
  jaeger_storage: {{backends: {{far: {{grpc: {{endpoint: "127.0.0.1:{port['storage grpc']}", {tls}}}}}}}}}
receivers:
  otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{otlp}"}}}}}}
exporters:
  otlp: {{endpoint: "127.0.0.1:{port['exporter otlp']}", {tls}, {retry}}}
  otlp_http: {{endpoint: "https://127.0.0.1:{port['exporter otlp_http']}", {tls}, {retry}}}
""")
    client.health = health
    client.start()
    try:
        span = {"traceId": "ab" * 16, "spanId": "cd" * 8, "name": "x", "startTimeUnixNano": "1", "endTimeUnixNano": "2"}
        requests.post(f"http://127.0.0.1:{otlp}/v1/traces", timeout=10, json={"resourceSpans": [
            {"scopeSpans": [{"spans": [span]}]}]}).raise_for_status()

        def asks(kind):
            if kind == "storage grpc":
                requests.get(f"http://127.0.0.1:{query}/api/services", timeout=30)
            return listeners[kind].shown[-1:]
        for name in ("one", "two", "one"):
            install(pool, name, tmp_path)
            certificate = ssl.PEM_cert_to_DER_cert((pool / f"{name}.pem").read_text())
            for kind, listener in listeners.items():
                listener.pair = name  # trusted once the client has read its authority again
                until(lambda: asks(kind) == [certificate], f"{kind} shows {name}", timeout=60)
    finally:
        client.stop()
        for listener in listeners.values():
            listener.socket.close()
