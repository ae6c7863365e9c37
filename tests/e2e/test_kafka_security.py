# SPDX-License-Identifier: Apache-2.0
"""TLS and SASL against a real broker: one collector writes a topic for each way to authenticate, one ingester reads
them all, and what must be refused is refused with a reason in the log."""
import signal
import subprocess

import kafka_cluster
import pytest
from conftest import LOADGEN
from test_kafka import INGESTER, OTLP, Node, new_cluster, wait_for

pytestmark = pytest.mark.skipif(not INGESTER.exists(), reason="built without Kafka")
SPANS, SECRET = 1000, "pass-word"
MODULES = "org.apache.kafka.common.security"
LISTENERS = {"TLS": "SSL", "MUTUAL": "SSL", "SECURE": "SASL_SSL", "OAUTH": "SASL_PLAINTEXT"}


def openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def make_certificates(folder):
    """An authority, a server's and a client's certificate, and the server's key store."""
    request = ["req", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    openssl(folder, *request, "-x509", "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost")
    for name in ("server", "client"):
        openssl(folder, "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key",
                "-out", f"{name}.csr")
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", "2", "-extfile", "names", "-out", f"{name}.pem")
    openssl(folder, "pkcs12", "-export", "-in", "server.pem", "-inkey", "server.key", "-out", "server.p12", "-passout",
            "pass:changeit")
    subprocess.run(["keytool", "-importcert", "-noprompt", "-alias", "ca", "-file", "ca.pem", "-keystore", "trust.p12",
                    "-storetype", "PKCS12", "-storepass", "changeit"], cwd=folder, check=True, capture_output=True)


def broker_settings(folder):
    plain = f'{MODULES}.plain.PlainLoginModule required user_alice="{SECRET}";'
    oauth = f'{MODULES}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";'
    lines = [f"ssl.keystore.location={folder}/server.p12", "ssl.keystore.password=changeit",
             "ssl.keystore.type=PKCS12", f"ssl.truststore.location={folder}/trust.p12",
             "ssl.truststore.password=changeit", "ssl.truststore.type=PKCS12",
             "listener.name.mutual.ssl.client.auth=required",
             "listener.name.secure.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
             f"listener.name.secure.plain.sasl.jaas.config={plain}",
             "listener.name.oauth.sasl.enabled.mechanisms=OAUTHBEARER",
             f"listener.name.oauth.oauthbearer.sasl.jaas.config={oauth}"]
    lines += [f"listener.name.secure.scram-sha-{bits}.sasl.jaas.config={MODULES}.scram.ScramLoginModule required;"
              for bits in (256, 512)]
    return "\n".join(lines)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("certificates")
    make_certificates(path)
    return path


@pytest.fixture(scope="module")
def broker(folder, tmp_path_factory):
    users = [f"SCRAM-SHA-{bits}=[name=alice,password={SECRET}]" for bits in (256, 512)]
    with new_cluster(tmp_path_factory.mktemp("secure"), listeners=LISTENERS, scram=users,
                     extra=broker_settings(folder), version=kafka_cluster.OLD_VERSION) as cluster:
        yield cluster


def client(broker, folder, way, password=SECRET, ca="ca.pem"):
    """The client keys of one way to connect."""
    tls = f'tls: {{ca_file: {folder}/{ca}}}'

    def sasl(mechanism):
        return f'auth: {{sasl: {{mechanism: {mechanism}, username: alice, password: "{password}"}}}}'

    listener, keys = {
        "tls": ("TLS", tls),
        "mutual": ("MUTUAL", f"tls: {{ca_file: {folder}/ca.pem, cert_file: {folder}/client.pem, "
                             f"key_file: {folder}/client.key}}"),
        "plain": ("SECURE", f"{tls}, {sasl('PLAIN')}"),
        "scram256": ("SECURE", f"{tls}, {sasl('SCRAM-SHA-256')}"),
        "scram512": ("SECURE", f"{tls}, {sasl('SCRAM-SHA-512')}"),
        "oauth": ("OAUTH", 'auth: {sasl: {mechanism: OAUTHBEARER}}, librdkafka: {'
                           'enable.sasl.oauthbearer.unsecure.jwt: "true", sasl.oauthbearer.config: "principal=alice"}'),
    }[way]
    return f'brokers: ["127.0.0.1:{broker.ports[listener]}"], {keys}'


WAYS = ["tls", "mutual", "plain", "scram256", "scram512", "oauth"]


def load(collector, spans):
    return subprocess.run([LOADGEN, "--target", f"127.0.0.1:{collector.grpc}", "--spans", str(spans)],
                          capture_output=True, text=True, timeout=120)


def test_every_way_to_connect_carries_spans(broker, folder, tmp_path):
    collector = Node(tmp_path / "collector", "jaeger-collector", OTLP, {
        f"kafka/{way}": f"{client(broker, folder, way)}, traces: {{topic: {way}}}, sending_queue: {{enabled: false}}"
        for way in WAYS})
    ingester = Node(tmp_path / "ingester", "jaeger-ingester", {
        f"kafka/{way}": f"{client(broker, folder, way)}, group_id: {way}, initial_offset: earliest, "
                        f"traces: {{topics: [{way}]}}" for way in WAYS}, {"nop": ""})
    try:
        collector.start()
        sent = load(collector, SPANS)
        assert sent.returncode == 0, sent.stdout + collector.output()
        ingester.start()
        for way in WAYS:
            wait_for(f"the spans of {way}: {ingester.output()}", lambda: ingester.metric(
                "otelcol_receiver_accepted_spans", f'receiver="kafka/{way}"') == SPANS, timeout=60)
    finally:
        for node in (collector, ingester):
            node.stop(signal.SIGKILL)


@pytest.mark.parametrize("way, wrong, reason", [
    ("plain", {"password": "wrong"}, "Authentication failed"),
    ("scram256", {"password": "wrong"}, "Authentication failed"),
    ("tls", {"ca": "client.pem"}, "certificate verify failed"),
])
def test_what_is_wrong_is_in_the_log(broker, folder, tmp_path, way, wrong, reason):
    collector = Node(tmp_path / "collector", "jaeger-collector", OTLP, {
        "kafka": f"{client(broker, folder, way, **wrong)}, timeout: 2s, sending_queue: {{enabled: false}}, "
                 "retry_on_failure: {enabled: false}"})
    try:
        collector.start()
        refused = load(collector, 10)
        assert refused.returncode == 1, refused.stdout
        wait_for(reason, lambda: reason in collector.output(), timeout=20)
    finally:
        collector.stop(signal.SIGKILL)
