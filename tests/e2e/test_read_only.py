# SPDX-License-Identifier: Apache-2.0
"""A query process beside the process that writes the embedded store."""
import threading
import time

import pytest
import requests
from conftest import ALL_IN_ONE, BUILD, Jaeger


def trace_of(number):
    return f"{number:032x}"


def send(server, numbers, service="shop"):
    now = time.time_ns()
    spans = [{"traceId": trace_of(n), "spanId": f"{n:016x}", "name": f"op{n % 7}", "kind": 2,
              "startTimeUnixNano": str(now), "endTimeUnixNano": str(now + 1000 * n),
              "attributes": [{"key": "number", "value": {"stringValue": str(n)}}]} for n in numbers]
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}
    requests.post(f"http://127.0.0.1:{server.http}/v1/traces", json=body, timeout=30).raise_for_status()


def wait_for(what, timeout=30):
    deadline = time.monotonic() + timeout
    while not what():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


@pytest.fixture
def pair(tmp_path):
    """A writer whose segments are small and soon dropped, and a reader of the same directory."""
    (tmp_path / "w").mkdir()
    (tmp_path / "r").mkdir()
    data = tmp_path / "data"
    writer = Jaeger(tmp_path / "w", storage=f"embedded: {{directory: {data}, flush: {{spans: 200}}, ttl: {{spans: 8s}}}}")
    reader = Jaeger(tmp_path / "r", binary=BUILD / "cmd/jaeger-query", config="placeholder")
    reader.config.write_text(f"""
service:
  extensions: [jaeger_storage, jaeger_query, healthcheckv2]
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{traces: {{receivers: [nop], exporters: [nop]}}}}
receivers: {{nop: }}
exporters: {{nop: }}
extensions:
  healthcheckv2: {{use_v2: true, http: {{endpoint: "127.0.0.1:{reader.health}"}}}}
  jaeger_query:
    storage: {{traces: main, traces_archive: main}}
    http: {{endpoint: "127.0.0.1:{reader.query}"}}
    grpc: {{endpoint: "127.0.0.1:{reader.query_grpc}"}}
  jaeger_storage: {{backends: {{main: {{embedded: {{directory: {data}, read_only: true}}}}}}}}
""")
    yield writer, reader
    reader.stop()
    writer.stop()


def test_reader_sees_what_another_process_writes(pair):
    writer, reader = pair
    with pytest.raises(RuntimeError, match="no store in"):
        reader.start()  # it makes none
    writer.start()
    reader.start()
    send(writer, [1])  # it is in the log only
    wait_for(lambda: reader.get(f"/api/traces/{trace_of(1)}").status_code == 200)
    assert reader.get("/api/services").json()["data"] == ["shop"]
    # while spans come in, become segments and are dropped, every answer of the reader is whole
    stop, sent = threading.Event(), [1]

    def ingest():
        while not stop.is_set():
            first = sent[0] + 1
            send(writer, range(first, first + 50))
            sent[0] = first + 49
            time.sleep(0.02)  # some ten segments a second
    thread = threading.Thread(target=ingest)
    thread.start()
    wait_for(lambda: sent[0] > 50)
    try:
        end, seen = time.monotonic() + 14, 0
        while time.monotonic() < end:
            number = sent[0]
            wait_for(lambda: reader.get(f"/api/traces/{trace_of(number)}").status_code == 200)
            seen += 1
            found = reader.get("/api/traces", service="shop", limit=20).json()["data"]
            assert len(found) == 20
            tags = f'{{"number":"{number}"}}'
            assert [t["traceID"] for t in reader.get("/api/traces", service="shop", tags=tags).json()["data"]]
            longest = reader.get("/api/traces", order="longest", limit=5).json()
            keys = [int(t["traceID"], 16) for t in longest["data"]]
            assert keys == sorted(keys, reverse=True) and keys[0] >= number
            assert reader.get("/api/services").json()["data"] == ["shop"]
        assert seen > 3
    finally:
        stop.set()
        thread.join()
    # the first trace is older than the TTL: the writer dropped its segment under the reader
    wait_for(lambda: reader.get(f"/api/traces/{trace_of(1)}").status_code == 404)
    # a reader does not write
    send(writer, [10**9])
    wait_for(lambda: reader.get(f"/api/traces/{trace_of(10**9)}").status_code == 200)
    refused = requests.post(f"http://127.0.0.1:{reader.query}/api/archive/{trace_of(10**9)}", timeout=10)
    assert refused.status_code == 500 and "read_only" in refused.text
    # it outlives its writer, and sees the next one
    writer.stop()
    assert reader.get(f"/api/traces/{trace_of(10**9)}").status_code == 200
    writer.start()
    send(writer, [10**9 + 1], service="pay")
    wait_for(lambda: reader.get(f"/api/traces/{trace_of(10**9 + 1)}").status_code == 200)
    wait_for(lambda: "pay" in reader.get("/api/services").json()["data"])
    assert "refused" not in reader.output()


def test_one_process_does_not_open_a_store_twice(tmp_path):
    storage = f"embedded: {{directory: {tmp_path}/data}}}}, again: {{embedded: {{directory: {tmp_path}/data, read_only: true}}"
    server = Jaeger(tmp_path, storage=storage, binary=ALL_IN_ONE)
    server.config.write_text(server.config.read_text().replace("storage: {traces: main}",
                                                               "storage: {traces: main, traces_archive: again}"))
    try:
        server.start()  # an archive that cannot be opened is told, and left out
        assert "this process writes" in server.output()
    except RuntimeError as e:
        assert "this process writes" in str(e)
    finally:
        server.stop()
