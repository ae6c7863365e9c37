#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The house rules that a compiler does not check: who includes whom, banned functions, file heads, test mirrors."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
faults = []

allowed = {}
for line in (root / "lib/rooms.txt").read_text().splitlines():
    if line.strip() and not line.startswith("#"):
        room, _, others = line.partition(":")
        allowed[room] = set(others.split()) | {room}

banned = re.compile(r"\b(strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|strtol|alloca|gets)\s*\(")
raw_memory = re.compile(r"\b(malloc|calloc|realloc|free)\s*\(")
private_headers = {"receivers", "processors", "exporters", "connectors", "extensions"}

for path in sorted((root / "lib").rglob("*.[ch]")):
    name = path.relative_to(root)
    room = path.relative_to(root / "lib").parts[0]
    text = path.read_text()
    if not text.startswith("/* SPDX-License-Identifier: Apache-2.0"):
        faults.append(f"{name}: no SPDX line at the head")
    if path.parent == root / "lib":
        continue
    code = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    code = re.sub(r'"(\\.|[^"\\\n])*"', lambda m: m.group(0) if "/" in m.group(0) else '""', code)
    for number, line in enumerate(code.splitlines(), 1):
        include = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if include:
            target = include.group(1)
            other = target.split("/")[0] if "/" in target else target.removesuffix(".h")
            if other.endswith(".pb.h") or other.endswith(".pb"):
                continue
            if other not in allowed.get(room, set()):
                faults.append(f"{name}: room '{room}' may not include \"{target}\"")
            if other in private_headers and "/" in target and target.count("/") < 2:
                faults.append(f"{name}: components have no headers: \"{target}\"")
            continue
        if banned.search(line):
            faults.append(f"{name}: banned function: {line.strip()}")
        if room != "core" and raw_memory.search(line):
            faults.append(f"{name}: use jg_alloc and jg_free: {line.strip()}")

for path in sorted((root / "include/jaeger").glob("*.h")):
    if '#include "' in path.read_text():
        faults.append(f"{path.relative_to(root)}: public headers include only <jaeger/...> and the system's")

print("\n".join(faults) or "the house is in order")
sys.exit(bool(faults))
