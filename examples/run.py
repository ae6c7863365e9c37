#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run an example and compare what it prints: run.py PROGRAM EXPECTED"""
import difflib
import pathlib
import subprocess
import sys

done = subprocess.run([sys.argv[1]], capture_output=True, text=True, timeout=60)
expected = pathlib.Path(sys.argv[2]).read_text()
sys.stdout.writelines(difflib.unified_diff(expected.splitlines(True), done.stdout.splitlines(True), "expected", "printed"))
sys.stderr.write(done.stderr)
sys.exit(done.returncode or done.stdout != expected)
