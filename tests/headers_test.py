#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each public header stands alone, as C11 and as C++17: headers_test.py ROOT CC [CXX]; .hpp only as C++."""
import pathlib
import subprocess
import sys

include = pathlib.Path(sys.argv[1]) / "include"
compilers = [("c", "-std=c11", sys.argv[2])] + [("c++", "-std=c++17", cxx) for cxx in sys.argv[3:4]]
flags = ["-fsyntax-only", "-Wall", "-Wextra", "-pedantic", "-Werror", f"-I{include}"]
faults = checked = 0
for path in sorted((include / "jaeger").iterdir()):
    for language, standard, compiler in compilers:
        if path.suffix == ".hpp" and language == "c":
            continue
        text = f"#include <jaeger/{path.name}>\n#include <jaeger/{path.name}>\n"
        done = subprocess.run([compiler, "-x", language, standard, *flags, "-"], input=text, text=True)
        faults += done.returncode != 0
        checked += 1
print(f"{checked} compilations, {faults} faults")
sys.exit(faults or not checked)
