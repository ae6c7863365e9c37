#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write a text file as a C string: embed.py IN OUT."""
import pathlib
import sys

source, target = map(pathlib.Path, sys.argv[1:3])
lines = source.read_text().splitlines(keepends=True)
escape = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "?": "\\?"})
body = "\n".join(f'    "{line.translate(escape)}"' for line in lines)
target.write_text(f"extern const char config_yaml[];\nconst char config_yaml[] =\n{body};\n")
