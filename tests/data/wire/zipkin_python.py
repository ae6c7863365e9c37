#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An OTLP request that Zipkin can carry: zipkin_source.pb. See otlp_python.py for the packages."""
import pathlib

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData


def attr(key, **value):
    return KeyValue(key=key, value=AnyValue(**value))


traces = TracesData()
for service in ("Shop", "", "faas"):
    rs = traces.resource_spans.add()
    if service == "Shop":
        rs.resource.attributes.extend([attr("service.name", string_value="Shop"), attr("pid", int_value=7),
                                       attr("cloud.resource_id", string_value="id"), attr("same", string_value="resource")])
    elif service:
        rs.resource.attributes.extend([attr("faas.name", string_value=service), attr("host.name", string_value="h")])
    scope_spans = rs.scope_spans.add()
    scope_spans.scope.name, scope_spans.scope.version = "lib", "1.2"
    scope_spans.scope.attributes.append(attr("scoped", bool_value=True))
    for i in range(6):
        span = scope_spans.spans.add(trace_id=bytes([0] * 8 + [1] * 8) if i % 2 else bytes(range(1, 17)), span_id=bytes([0] * 7 + [i + 1]),
                                     name="GET /" + "Items", kind=i, start_time_unix_nano=1700000000000000000 + i * 700,
                                     end_time_unix_nano=1700000000000000000 + i * 700 + (0, 300, 999, 1500, 2499, 10**9)[i])
        if i:
            span.parent_span_id = bytes([0] * 7 + [i])
        if i == 2:
            span.start_time_unix_nano = 0
            span.end_time_unix_nano = 5000
        span.attributes.extend([attr("same", string_value="span"), attr("n", int_value=i), attr("d", double_value=0.5), attr("<&>", string_value="<\u2028>"),
                                attr("list", array_value=ArrayValue(values=[AnyValue(int_value=1), AnyValue(string_value="b")])),
                                attr("http.response.status_code", int_value=200), attr("error", bool_value=False), attr("bytes", bytes_value=b"\x00\x01")])
        if i == 3:
            span.attributes.extend([attr("network.local.address", string_value="10.0.0.1"), attr("net.host.port", int_value=80),
                                    attr("network.peer.address", string_value="2001:db8::1"), attr("net.peer.port", int_value=70000),
                                    attr("peer.service", string_value="DB")])
        if i == 4:
            span.attributes.extend([attr("network.peer.address", string_value="nonsense"), attr("service.peer.name", string_value="Peer"),
                                    attr("net.peer.port", string_value="x")])
            span.status.code, span.status.message, span.trace_state = 2, "boom", "a=b"
        if i == 5:
            span.status.code = 1
            event = span.events.add(time_unix_nano=1700000000000001499, name="ev", dropped_attributes_count=2)
            event.attributes.extend([attr("z", string_value="<z>"), attr("a", int_value=1), attr("m", kvlist_value=KeyValueList(values=[attr("k", double_value=1.5)]))])
            span.events.add(time_unix_nano=1700000000000001500, name="plain")
            link = span.links.add(trace_id=b"\xff" * 16, span_id=b"\xee" * 8, trace_state="c=d", dropped_attributes_count=6)
            link.attributes.append(attr("k", bool_value=True))
            span.links.add()
pathlib.Path(__file__).with_name("zipkin_source.pb").write_bytes(traces.SerializeToString(deterministic=True))
