# SPDX-License-Identifier: Apache-2.0
"""Sends the trace of test_clients.py with an old client, unmodified, and prints the trace's id.

    send.py CLIENT '{"compact": port, "binary": port, "http": port, "grpc": port, "zipkin": port}'

Runs in an environment of its own: these packages need older versions of protobuf than the OTLP exporters.
"""
import json
import sys
import threading
import time

client, ports = sys.argv[1], json.loads(sys.argv[2])
TAGS = {"http.method": "GET", "n": 42, "ratio": 0.25, "yes": True, "text": "ü <&>"}


def jaeger_client():
    from jaeger_client import Config
    from jaeger_client.metrics import MetricsFactory
    sent = threading.Semaphore(0)

    class Counters(MetricsFactory):
        """Its sender has a thread of its own, and tells by a counter what it has sent."""

        def create_counter(self, name, tags=None):
            is_sent = name == "jaeger:reporter_spans" and tags == {"result": "ok"}
            return lambda count: [sent.release() for _ in range(count) if is_sent]

    config = Config({"sampler": {"type": "const", "param": 1}, "generate_128bit_trace_id": True,
                     "local_agent": {"reporting_host": "127.0.0.1", "reporting_port": ports["compact"]}},
                    service_name="shop", metrics_factory=Counters(), validate=True)
    tracer = config.initialize_tracer()
    root = tracer.start_span("GET /cart", tags={"span.kind": "server", **TAGS})
    child = tracer.start_span("SELECT", child_of=root, tags={"span.kind": "client", "error": True})
    child.log_kv({"event": "row", "index": 7})
    child.finish()
    root.finish()
    assert sent.acquire(timeout=20) and sent.acquire(timeout=20)
    return f"{root.trace_id:032x}"


def opentelemetry(exporter):
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.trace import SpanKind, Status, StatusCode, get_tracer_provider
    provider = get_tracer_provider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("e2e-lib", "1.2.3")
    with tracer.start_as_current_span("GET /cart", kind=SpanKind.SERVER, attributes=TAGS) as root:
        with tracer.start_as_current_span("SELECT", kind=SpanKind.CLIENT) as child:
            child.add_event("row", {"index": 7})
            child.set_status(Status(StatusCode.ERROR, "broken"))
    provider.shutdown()
    return f"{root.get_span_context().trace_id:032x}"


def prepare_opentelemetry():
    from opentelemetry import trace
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    trace.set_tracer_provider(TracerProvider(resource=Resource({"service.name": "shop", "zone": "a-1"})))


def otel_thrift_udp():
    from opentelemetry.exporter.jaeger.thrift import JaegerExporter
    return JaegerExporter(agent_host_name="127.0.0.1", agent_port=ports["compact"])


def otel_thrift_http():
    from opentelemetry.exporter.jaeger.thrift import JaegerExporter
    return JaegerExporter(collector_endpoint=f"http://127.0.0.1:{ports['http']}/api/traces?format=jaeger.thrift")


def otel_proto():
    from opentelemetry.exporter.jaeger.proto.grpc import JaegerExporter
    return JaegerExporter(collector_endpoint=f"127.0.0.1:{ports['grpc']}", insecure=True)


def otel_zipkin(version):
    from opentelemetry.exporter.zipkin.encoder import Protocol
    from opentelemetry.exporter.zipkin.json import ZipkinExporter
    return ZipkinExporter(Protocol[version], f"http://127.0.0.1:{ports['zipkin']}/api/{version.lower()}/spans",
                          max_tag_value_length=1000)


def otel_zipkin_proto():
    from opentelemetry.exporter.zipkin.proto.http import ZipkinExporter
    return ZipkinExporter(f"http://127.0.0.1:{ports['zipkin']}/api/v2/spans")


def py_zipkin(encoding):
    from py_zipkin import Encoding, Kind
    from py_zipkin.transport import SimpleHTTPTransport
    from py_zipkin.util import generate_random_128bit_string
    from py_zipkin.zipkin import ZipkinAttrs, zipkin_span
    trace_id = generate_random_128bit_string()
    more = {"transport_handler": SimpleHTTPTransport("127.0.0.1", ports["zipkin"]), "encoding": Encoding[encoding]}
    attributes = ZipkinAttrs(trace_id, trace_id[:16], None, "0", True)
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in TAGS.items()}
    with zipkin_span("shop", "GET /cart", zipkin_attrs=attributes, kind=Kind.SERVER, port=80, binary_annotations=texts,
                     **more):
        with zipkin_span("shop", "SELECT", kind=Kind.CLIENT, binary_annotations={"error": "broken"}) as child:
            child.add_annotation("row", time.time())
    return trace_id


def main():
    if client == "jaeger_client":
        return jaeger_client()
    if client.startswith("py_zipkin_"):
        return py_zipkin(client.removeprefix("py_zipkin_"))
    prepare_opentelemetry()
    return opentelemetry({"otel_thrift_udp": otel_thrift_udp, "otel_thrift_http": otel_thrift_http, "otel_proto": otel_proto,
                          "otel_zipkin_V1": lambda: otel_zipkin("V1"), "otel_zipkin_V2": lambda: otel_zipkin("V2"),
                          "otel_zipkin_proto": otel_zipkin_proto}[client]())


print(json.dumps({"traceId": main()}))
