# SPDX-License-Identifier: Apache-2.0
"""The same bytes of each client give the same trace as in Go Jaeger, field by field (tests/data/replay)."""
import json

import pytest

import replay

GOLDENS = sorted((replay.DATA / "replay").glob("*.replay"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("replay")


def text(value):
    return json.dumps(value, sort_keys=True)


def unordered(trace):
    """Without what is random in Go: the order of a Zipkin span's tags, of processes, and so of spans."""
    processes = {key: {**process, "tags": sorted(process["tags"], key=text)} for key, process in trace["processes"].items()}
    spans = [{**span, "tags": sorted(span["tags"], key=text), "processID": processes[span["processID"]]}
             for span in trace["spans"]]
    return {**trace, "processes": sorted(processes.values(), key=text), "spans": sorted(spans, key=text)}


@pytest.mark.parametrize("path", GOLDENS, ids=lambda path: path.stem)
def test_trace_equals_go_jaegers(folder, path):
    sent, want = replay.read(path)
    server = replay.jaeger_with_receivers(folder)
    try:
        for request in sent:
            replay.send(request, server.ports)
        for trace in want:
            got = server.trace(trace["traceID"], spans=len(trace["spans"]))
            assert unordered(got) == unordered(trace)
    finally:
        server.stop()
