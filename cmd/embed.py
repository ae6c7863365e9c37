#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write a text file as a C string: embed.py IN OUT. Or any file as bytes under a name: embed.py IN OUT NAME, which
defines NAME and NAME_len (compilers need not take strings above 4095 bytes)."""
import pathlib
import sys

source, target = map(pathlib.Path, sys.argv[1:3])
if len(sys.argv) > 3:
    name, data = sys.argv[3], source.read_bytes()
    rows = "\n".join("    " + "".join(f"{byte}, " for byte in data[at:at + 24]).rstrip() for at in range(0, len(data), 24))
    target.write_text(f"#include <stddef.h>\nextern const unsigned char {name}[];\nextern const size_t {name}_len;\n"
                      f"const unsigned char {name}[] = {{\n{rows}\n}};\nconst size_t {name}_len = {len(data)};\n")
    sys.exit()
lines = source.read_text().splitlines(keepends=True)
escape = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "?": "\\?"})
body = "\n".join(f'    "{line.translate(escape)}"' for line in lines)
target.write_text(f"extern const char config_yaml[];\nconst char config_yaml[] =\n{body};\n")
