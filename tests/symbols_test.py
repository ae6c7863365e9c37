#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The shared library exports jaeger_* and nothing else; the static one defines only jaeger_*, jg_* and nanopb tables."""
import subprocess
import sys

shared, static = sys.argv[1:3]
faults = []


def symbols(*args):
    out = subprocess.run(["nm", *args], check=True, capture_output=True, text=True).stdout
    return [line.split()[-1].split("@")[0] for line in out.splitlines() if len(line.split()) >= 3]


exported = [s for s in symbols("-D", "--defined-only", shared) if s != "JAEGER_0"]
if not any(s.startswith("jaeger_batch_") for s in exported):
    faults.append("the shared library exports no jaeger_batch_* at all")
faults += [f"shared library exports {s}" for s in exported if not s.startswith("jaeger_")]
ours = ("jaeger_", "jg_", "__", "_fini", "_init")
faults += [f"static library defines {s}" for s in symbols("-g", "--defined-only", static)
           if not s.startswith(ours) and not s.endswith("_msg")]
print("\n".join(faults) or f"{len(exported)} exported symbols, all jaeger_*")
sys.exit(bool(faults))
