# SPDX-License-Identifier: Apache-2.0
"""The clients that were deployed before OpenTelemetry's protocol, unmodified: how to run each of them.

Python's, Node's and Java's are started from python/, node/ and java/; `./dev test e2e` installs their packages.
"""
import json

from conftest import java, node, python_client

# client: what it speaks
CLIENTS = {
    "python jaeger_client": "Thrift compact over UDP",
    "python otel_thrift_udp": "Thrift compact over UDP",
    "python otel_thrift_http": "Thrift over HTTP",
    "python otel_proto": "api_v2 over gRPC",
    "python otel_zipkin_V1": "Zipkin v1 JSON",
    "python otel_zipkin_V2": "Zipkin v2 JSON",
    "python otel_zipkin_proto": "Zipkin v2 protobuf",
    "python py_zipkin_V1_JSON": "Zipkin v1 JSON",
    "python py_zipkin_V2_JSON": "Zipkin v2 JSON",
    "python py_zipkin_V2_PROTO3": "Zipkin v2 protobuf",
    "node jaeger_client_udp": "Thrift binary over UDP",
    "node jaeger_client_http": "Thrift over HTTP",
    "node otel_jaeger_udp": "Thrift binary over UDP",
    "node otel_jaeger_http": "Thrift over HTTP",
    "node zipkin_v1": "Zipkin v1 JSON",
    "node zipkin_v2": "Zipkin v2 JSON",
    "java jaeger_udp": "Thrift compact over UDP",
    "java jaeger_http": "Thrift over HTTP",
    "java brave_v1_json": "Zipkin v1 JSON",
    "java brave_v1_thrift": "Zipkin v1 Thrift",
    "java brave_v2_json": "Zipkin v2 JSON",
    "java brave_v2_proto": "Zipkin v2 protobuf",
}


def send(client, ports):
    """One trace of two spans, "GET /cart" and its child "SELECT". @return its id"""
    language, name = client.split()
    if language == "java":
        return java("send", name, str(ports["compact"]), str(ports["http"]), str(ports["zipkin"]))["traceId"]
    if language == "python":
        return python_client(name, json.dumps(ports))["traceId"]
    return node("clients.js", name, json.dumps(ports))["traceId"]
