#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What our translators make of the files in tests/data/wire equals what the Collector's made of them (see gen/main.go).

Compared as sets where Go's maps and unstable sorts have no order: attributes by key, spans by id, resources and scopes
by their content.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

dump, data = sys.argv[1], pathlib.Path(sys.argv[2])
faults = []


def run(source_format, path, target="otlp_json"):
    done = subprocess.run([dump, source_format, path, target], capture_output=True, check=False)
    if done.returncode:
        faults.append(f"{path.name}: {done.stderr.decode()}")
    return done.stdout


def canonical(node):
    if isinstance(node, list):
        return [canonical(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: canonical(value) for key, value in node.items()}
    if node.get("code", 0) < 0 or node.get("code", 0) > 255:
        code = node.pop("code") & 255  # a batch keeps one byte of it
        node |= {"code": code} if code else {}
    if "attributes" in node:
        node["attributes"] = sorted(node["attributes"], key=lambda a: (a.get("key", ""), json.dumps(a)))
    if "spans" in node:
        node["spans"] = sorted(node["spans"], key=lambda s: (s.get("spanId", ""), json.dumps(s)))
    if "scopeSpans" in node:
        node["scopeSpans"] = sorted(node["scopeSpans"], key=lambda s: json.dumps(s.get("scope")))
    if "resourceSpans" in node:
        node["resourceSpans"] = sorted((r for r in node["resourceSpans"] if "scopeSpans" in r),
                                       key=lambda r: json.dumps(r))
    return node


def difference(path, got, want):
    if type(got) is not type(want):
        return f"{path}: got {got!r}, want {want!r}"
    if isinstance(got, dict):
        for key in sorted(set(got) | set(want)):
            if key not in got or key not in want:
                return f"{path}.{key}: got {got.get(key)!r}, want {want.get(key)!r}"
            if found := difference(f"{path}.{key}", got[key], want[key]):
                return found
        return None
    if isinstance(got, list):
        if len(got) != len(want):
            return f"{path}: got {len(got)} items, want {len(want)}: {json.dumps(got)[:600]} {json.dumps(want)[:600]}"
        for index, (a, b) in enumerate(zip(got, want)):
            if found := difference(f"{path}[{index}]", a, b):
                return found
        return None
    return None if got == want else f"{path}: got {got!r}, want {want!r}"


checked = 0
for golden in sorted(data.glob("*.otlp.json")):
    stem = golden.name.removesuffix(".otlp.json")
    for path in sorted(data.glob(stem + ".*")):
        if path == golden:
            continue
        text = run(path.suffix[1:], path)
        checked += 1
        if text and (found := difference("", canonical(json.loads(text)), canonical(json.loads(golden.read_bytes().decode(errors="replace"))))):
            faults.append(f"{path.name}: {found}")
for path in sorted(data.glob("*.pb.*")):
    source, target = path.with_suffix(""), path.suffix[1:]
    got, want = run("otlp_pb", source, target), path.read_bytes()
    checked += 1
    if target == "zipkin_pb":  # tags are a map: read both
        with tempfile.NamedTemporaryFile() as file:
            file.write(got)
            file.flush()
            got, want = (json.dumps(canonical(json.loads(run("zipkin_proto", pathlib.Path(p))))) for p in (file.name, path))
    if got != want:
        at = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b), min(len(got), len(want)))
        faults.append(f"{path.name}: differs at byte {at}: {got[max(0, at - 40):at + 80]!r}, want {want[max(0, at - 40):at + 80]!r}")

print("\n".join(faults[:20]) or f"{checked} files as the Collector translates them")
sys.exit(bool(faults) or checked == 0)
