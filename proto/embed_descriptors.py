#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compile .proto files to one FileDescriptorSet in a C array: embed_descriptors.py PROTOC ROOT OUT FILE..."""
import pathlib
import subprocess
import sys
import tempfile

protoc, root, target, *files = sys.argv[1:]
with tempfile.NamedTemporaryFile() as descriptors:
    subprocess.run([protoc, f"-I{root}", f"--descriptor_set_out={descriptors.name}", "--include_imports", *files],
                   check=True)
    data = pathlib.Path(descriptors.name).read_bytes()
rows = "\n".join("    " + " ".join(f"{byte}," for byte in data[i:i + 20]) for i in range(0, len(data), 20))
pathlib.Path(target).write_text(f'#include "wire/descriptors.h"\n\nconst uint8_t jg_descriptors[] = {{\n{rows}\n}};\n'
                                f"const size_t jg_descriptors_len = sizeof jg_descriptors;\n")
