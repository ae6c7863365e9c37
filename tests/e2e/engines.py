# SPDX-License-Identifier: Apache-2.0
"""Programs of others that tests start: made or fetched once, into $ENGINES_CACHE (default: jaeger-engines in the user's
cache)."""
import os
import pathlib
import shutil
import subprocess
import tempfile

CACHE = pathlib.Path(os.environ.get("ENGINES_CACHE") or
                     pathlib.Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "jaeger-engines")


class Unavailable(RuntimeError):
    """It cannot be had on this machine."""


def fetch_jars(name, version, artifacts):
    """The folder with the jars of (group, artifact, version) and of what they need, by Maven."""
    lib = CACHE / f"{name.lower()}-{version}/lib"
    if (lib / ".complete").exists():
        return lib
    for program in ("java", "mvn"):
        if not shutil.which(program):
            raise Unavailable(f"no {program} to run {name} with")
    dependencies = "".join(f"<dependency><groupId>{g}</groupId><artifactId>{a}</artifactId><version>{v}</version>"
                           "</dependency>" for g, a, v in artifacts)
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "pom.xml").write_text(
            "<project><modelVersion>4.0.0</modelVersion><groupId>local</groupId><artifactId>engine</artifactId>"
            f"<version>1</version><dependencies>{dependencies}</dependencies></project>")
        lib.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["mvn", "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime",
                               f"-DoutputDirectory={lib}"], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise Unavailable(f"Maven cannot fetch {name}: {done.stdout[-500:]}")
    (lib / ".complete").touch()
    return lib
