#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Golden pair for the OTLP-JSON reader, from Google's protobuf: otlp_python.json and the same message as otlp_python.pb.

    python3 -m venv venv && venv/bin/pip install opentelemetry-proto==1.45.2 && venv/bin/python otlp_python.py
"""
import base64
import json
import pathlib

from google.protobuf import json_format
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData


def attr(key, **value):
    return KeyValue(key=key, value=AnyValue(**value))


traces = TracesData()
rs = traces.resource_spans.add(schema_url="https://opentelemetry.io/schemas/1.30.0")
rs.resource.attributes.extend([attr("service.name", string_value="sh\u00f6p \U0001f600 \"quoted\" \\ \n\t/"),
                               attr("pid", int_value=-(2**63))])
rs.resource.dropped_attributes_count = 3
ss = rs.scope_spans.add(schema_url="https://example.com/scope")
ss.scope.name, ss.scope.version = "lib", "1.2.3"
ss.scope.attributes.append(attr("scoped", bool_value=True))
ss.scope.dropped_attributes_count = 4
span = ss.spans.add(trace_id=bytes(range(1, 17)), span_id=bytes(range(1, 9)), parent_span_id=bytes(range(9, 17)),
                    trace_state="a=b", name="GET /", kind=2, start_time_unix_nano=1700000000123456789,
                    end_time_unix_nano=2**64 - 1, dropped_attributes_count=1, dropped_events_count=2,
                    dropped_links_count=2**32 - 1, flags=0x301)
span.attributes.extend([
    attr("text", string_value=""), attr("long", string_value="x" * 300), attr("zero", int_value=0),
    attr("max", int_value=2**63 - 1), attr("no", bool_value=False), attr("half", double_value=0.5),
    attr("tiny", double_value=5e-324), attr("huge", double_value=1.7976931348623157e308),
    attr("nan", double_value=float("nan")), attr("minus infinity", double_value=float("-inf")),
    attr("third", double_value=1 / 3), attr("bytes", bytes_value=b"\x00\x01\xfe\xff"), attr("empty bytes", bytes_value=b""),
    attr("list", array_value=ArrayValue(values=[AnyValue(string_value="a"), AnyValue(int_value=1), AnyValue()])),
    attr("map", kvlist_value=KeyValueList(values=[attr("k", array_value=ArrayValue())])), KeyValue(key="none"),
])
event = span.events.add(time_unix_nano=1700000000000000001, name="exception", dropped_attributes_count=5)
event.attributes.append(attr("exception.message", string_value="boom"))
span.events.add()
link = span.links.add(trace_id=b"\xff" * 16, span_id=b"\xee" * 8, trace_state="c=d", dropped_attributes_count=6,
                      flags=1)
link.attributes.append(attr("opentracing.ref_type", string_value="child_of"))
span.status.message, span.status.code = "bad", 2
ss.spans.add(name="second")
traces.resource_spans.add().scope_spans.add().spans.add(name="bare")


def hex_ids(node):
    """OTLP-JSON wants ids in hex where protobuf's own JSON has base64."""
    if isinstance(node, list):
        return [hex_ids(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {key: base64.b64decode(value).hex() if key in ("traceId", "spanId", "parentSpanId") else hex_ids(value)
            for key, value in node.items()}


here = pathlib.Path(__file__).parent
(here / "otlp_python.pb").write_bytes(traces.SerializeToString(deterministic=True))
(here / "otlp_python.json").write_text(json.dumps(hex_ids(json_format.MessageToDict(traces))))
