# SPDX-License-Identifier: Apache-2.0
"""Real Kafka brokers on free ports (KRaft, each broker is a controller too), from the jars of Maven Central
(engines.py)."""
import pathlib
import signal
import socket
import subprocess
import time

from engines import fetch_jars
from ports import free_ports

VERSION = "4.3.1"
OLD_VERSION = "3.9.1"  # the last that takes SCRAM from a librdkafka before 2.6.1, such as Debian 12's
LOGGERS = {"4": ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.3"),
           "3": ("org.slf4j", "slf4j-reload4j", "1.7.36")}  # by Kafka's major version
COMMON = """
process.roles=broker,controller
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
auto.create.topics.enable=true
offsets.topic.num.partitions=3
transaction.state.log.num.partitions=3
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=2
log.segment.bytes=67108864
log.cleaner.dedupe.buffer.size=16777216
"""


def is_open(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class Cluster:
    """`listeners`: name -> security protocol of more listeners beside PLAINTEXT; their ports are in `ports`.
    `scram`: users of SCRAM, as kafka-storage's --add-scram takes them."""

    def __init__(self, directory, nodes=1, partitions=1, listeners=None, extra="", scram=(), version=VERSION):
        self.directory, self.nodes = pathlib.Path(directory), nodes
        self.lib = fetch_jars("Kafka", version, [("org.apache.kafka", "kafka_2.13", version),
                                                 ("org.apache.kafka", "kafka-tools", version), LOGGERS[version[0]]])
        self.brokers, controllers = free_ports(nodes), free_ports(nodes)
        self.ports = dict(zip(listeners or {}, free_ports(len(listeners or {}))))
        protocols = {"PLAINTEXT": "PLAINTEXT", "CONTROLLER": "PLAINTEXT", **(listeners or {})}
        replicas = min(nodes, 3)
        voters = ",".join(f"{i + 1}@127.0.0.1:{port}" for i, port in enumerate(controllers))
        for i in range(nodes):
            own = {"PLAINTEXT": self.brokers[i], **self.ports}
            addresses = [f"{name}://127.0.0.1:{port}" for name, port in own.items()]
            folder = self.directory / f"node-{i}"
            folder.mkdir(parents=True)
            (folder / "server.properties").write_text(COMMON + f"""
node.id={i + 1}
controller.quorum.voters={voters}
listeners={",".join(addresses)},CONTROLLER://127.0.0.1:{controllers[i]}
advertised.listeners={",".join(addresses)}
listener.security.protocol.map={",".join(f"{k}:{v}" for k, v in protocols.items())}
log.dirs={folder}/data
num.partitions={partitions}
default.replication.factor={replicas}
min.insync.replicas={min(replicas, 2)}
offsets.topic.replication.factor={replicas}
transaction.state.log.replication.factor={replicas}
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr=1
{extra}
""")
        self.processes = [None] * nodes
        self.format = ["-t", "a2l0Y2hlbi10ZXN0LWlkMQ"] + [word for user in scram for word in ("--add-scram", user)]

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    @property
    def address(self):
        return ",".join(f"127.0.0.1:{port}" for port in self.brokers)

    def _java(self, node, main, *arguments, heap="128m"):
        folder = self.directory / f"node-{node}"
        return subprocess.Popen(
            ["java", "-Xms64m", f"-Xmx{heap}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
             "-Dlog4j2.level=WARN", "-cp", f"{self.lib}/*", main, *arguments], stdin=subprocess.DEVNULL,
            stdout=open(folder / "log", "ab"), stderr=subprocess.STDOUT, start_new_session=True)

    def output(self):
        return "\n".join((self.directory / f"node-{i}/log").read_text(errors="replace")[-2000:]
                         for i in range(self.nodes))

    def start(self):
        formats = [self._java(i, "kafka.tools.StorageTool", "format", *self.format, "-c",
                              str(self.directory / f"node-{i}/server.properties")) for i in range(self.nodes)]
        if any([process.wait(120) for process in formats]):
            raise RuntimeError(f"Kafka cannot format its storage:\n{self.output()}")
        for i in range(self.nodes):
            self.start_node(i)
        self.wait()
        return self

    def start_node(self, node):
        self.processes[node] = self._java(node, "kafka.Kafka", str(self.directory / f"node-{node}/server.properties"),
                                          heap="384m")

    def wait(self, timeout=120):
        """Until all listeners are open."""
        deadline = time.monotonic() + timeout
        while not all(map(is_open, [*self.brokers, *self.ports.values()])):
            if time.monotonic() > deadline or any(p and p.poll() is not None for p in self.processes):
                raise RuntimeError(f"Kafka did not start:\n{self.output()}")
            time.sleep(0.1)

    def stop_node(self, node, sig=signal.SIGTERM, timeout=30):
        process = self.processes[node]
        if process and process.poll() is None:
            process.send_signal(sig)
            try:
                process.wait(timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        self.processes[node] = None

    def stop(self):
        for i in range(self.nodes):
            self.stop_node(i, signal.SIGKILL)

    def tool(self, main, *arguments):
        """A command line class of Kafka, e.g. org.apache.kafka.tools.TopicCommand. @return what it prints"""
        process = subprocess.run(["java", "-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{self.lib}/*",
                                  main, "--bootstrap-server", self.address, *arguments],
                                 capture_output=True, text=True, timeout=120)
        if process.returncode:
            raise RuntimeError(f"{main}: {process.stdout}{process.stderr}")
        return process.stdout
