#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Build the web UI and write it as C: webui.py SOURCE OUT DEPFILE auto|enabled|disabled.

A built bundle in SOURCE/dist (a release tarball has one) is taken as it is, unless packages are installed beside it.
Else npm builds it: packages go to SOURCE/node_modules, the bundle beside OUT. With `auto`, whatever is missing or
fails leaves the table empty, and the plain page of lib/query/page is served.
`webui.py dist` is what `meson dist` runs: it puts the bundle into the release, which then builds without Node.
"""
import fcntl
import gzip
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml",
         ".html": "text/html; charset=utf-8", ".png": "image/png", ".woff2": "font/woff2"}
BYTES_MAX = 600 << 10  # of the whole bundle, compressed


def sources(root):
    """What the bundle is made of."""
    files = [root / name for name in ("package.json", "package-lock.json", "index.html", "vite.config.ts", "tsconfig.json")]
    for folder in ("src", "public"):
        files += sorted(p for p in (root / folder).rglob("*") if p.is_file())
    return files


def npm(root, *args):
    done = subprocess.run(["npm", *args], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
    if done.returncode:
        raise RuntimeError(f"npm {args[0]}: {done.stdout[-2000:]}")


def node_is_new_enough():
    if not shutil.which("node") or not shutil.which("npm"):
        return False
    version = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout.strip()
    return int(version.lstrip("v").split(".")[0] or 0) >= 18


def build(root, target):
    """@return the folder of the bundle. Several build directories share node_modules, one at a time."""
    lock_file = root / "package-lock.json"
    stamp = root / "node_modules" / ".installed"
    wanted = hashlib.sha256(lock_file.read_bytes()).hexdigest()
    with open(lock_file, "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            npm(root, "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts")
            stamp.write_text(wanted)
        npm(root, "run", "--silent", "build", "--", "--outDir", str(target), "--emptyOutDir", "--logLevel", "error")
    return target


def bundle(root, target, mode):
    """@return the folder with index.html, or None"""
    dist = root / "dist"
    if mode == "disabled":
        return None
    if (dist / "index.html").exists() and not (root / "node_modules").exists():
        return dist
    try:
        if not node_is_new_enough():
            raise RuntimeError("node (18 or later) and npm are not there")
        return build(root, target)
    except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
        if mode == "enabled":
            sys.exit(f"webui: {error}")
        print(f"webui: the plain page is built in: {str(error).strip().splitlines()[-1]}")
        return None


def array(name, data):
    rows = "\n".join("    " + "".join(f"{byte}," for byte in data[at:at + 32]) for at in range(0, len(data), 32))
    return f"static const unsigned char {name}[] = {{\n{rows}\n}};\n"


def write(folder, out):
    parts = ['/* Written by cmd/webui.py. */\n#include "query/bundle.h"\n']
    entries, total = [], 0
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "index.html") if folder else []
    for i, path in enumerate(files):
        data = path.read_bytes()
        packed = gzip.compress(data, 9, mtime=0)
        total += len(packed)
        parts.append(array(f"file_{i}", packed))
        name = "/" + path.relative_to(folder).as_posix()
        etag = hashlib.sha256(data).hexdigest()[:16]
        immutable = "-" in path.stem  # vite put a hash of the content into the name
        entries.append(f'    {{"{name}", "{TYPES.get(path.suffix, "application/octet-stream")}", "\\"{etag}\\"", file_{i}, '
                       f'sizeof file_{i}, {len(data)}, {"true" if immutable else "false"}}},')
    if total > BYTES_MAX:
        sys.exit(f"webui: the bundle has {total} bytes, {BYTES_MAX} are allowed")
    page = (folder / "index.html").read_bytes() if folder else b""
    parts.append(array("page", page + b"\0"))
    parts.append("const jg_bundle_file jg_bundle_files[] = {\n" + "\n".join(entries) + "\n    {0},\n};\n"
                 f"const size_t jg_bundle_file_count = {len(files)};\n"
                 f"const jaeger_str jg_bundle_page = {{(const char *)page, {len(page)}}};\n")
    out.write_text("".join(parts))


def release():
    root = pathlib.Path("subprojects/webui")
    build((pathlib.Path(os.environ["MESON_SOURCE_ROOT"]) / root).resolve(), pathlib.Path(os.environ["MESON_DIST_ROOT"]) / root / "dist")


def main():
    if sys.argv[1:] == ["dist"]:
        release()
        return
    root, out, depfile = map(pathlib.Path, sys.argv[1:4])
    # Names and what is in folders: a new file must be seen too.
    names = sources(root) + [p for p in (root / "dist" / "index.html",) if p.exists()]
    folders = {p.parent for p in names}
    depfile.write_text(f"{out}: " + " ".join(str(p).replace(" ", "\\ ") for p in [*names, *sorted(folders - {root})]) + "\n")
    write(bundle(root.resolve(), out.resolve().with_suffix(".dist"), sys.argv[4]), out)


main()
