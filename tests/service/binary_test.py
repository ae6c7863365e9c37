#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a built binary as a user does: commands, refusals, signals. binary_test.py BINARY PORT"""
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

binary, port = sys.argv[1], int(sys.argv[2])
folder = pathlib.Path(tempfile.mkdtemp(prefix="jaeger-binary-test-"))
READY = "Everything is ready. Begin running and processing data."
SOUND = """
receivers: {{nop: }}
exporters: {{nop: }}
service:
  pipelines: {{traces: {{receivers: [nop], exporters: [nop]}}}}
  telemetry: {telemetry}
"""
QUIET = SOUND.format(telemetry="{metrics: {level: none}}")


def served(port, more=""):
    reader = "{pull: {exporter: {prometheus: {host: 127.0.0.1, port: %d%s}}}}" % (port, more)
    return SOUND.format(telemetry="{metrics: {readers: [%s]}}" % reader)


def run(*args, env=None, timeout=20):
    return subprocess.run([binary, *args], capture_output=True, text=True, timeout=timeout,
                          env={**os.environ, **(env or {})})


def write(text, name="config.yaml"):
    path = folder / name
    path.write_text(text)
    return str(path)


class Running:
    """The binary in the background, its stderr in a file."""

    def __init__(self, *args):
        self.log = tempfile.NamedTemporaryFile(dir=folder, delete=False)
        self.process = subprocess.Popen([binary, *args], stdout=subprocess.DEVNULL, stderr=self.log)

    def text(self):
        return pathlib.Path(self.log.name).read_text()

    def wait_for(self, words, count=1, seconds=10):
        end = time.monotonic() + seconds
        while self.text().count(words) < count:
            if time.monotonic() > end or self.process.poll() is not None:
                raise AssertionError(f"{words!r} did not appear {count} times in:\n{self.text()}")
            time.sleep(0.005)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


class Commands(unittest.TestCase):
    def test_version_is_json_without_newline(self):
        done = run("version")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(set(json.loads(done.stdout)), {"gitCommit", "gitVersion", "buildDate"})
        self.assertFalse(done.stdout.endswith("\n"))
        self.assertRegex(done.stderr, r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d application version: git-commit=.*, git-version=v")

    def test_help_names_the_commands(self):
        for args in (["help"], ["-h"], ["--help"]):
            done = run(*args)
            self.assertEqual(done.returncode, 0)
            for word in ("validate", "print-config", "components", "featuregate", "--config", "--set", "--feature-gates"):
                self.assertIn(word, done.stdout)

    def test_components_lists_kinds(self):
        done = run("components")
        self.assertEqual(done.returncode, 0)
        for kind in ("buildinfo:", "receivers:", "processors:", "exporters:", "connectors:", "extensions:", "name: nop"):
            self.assertIn(kind, done.stdout)

    def test_featuregate_lists_all_or_one(self):
        self.assertGreater(len(run("featuregate").stdout.splitlines()), 35)
        one = run("featuregate", "service.AllowNoPipelines", "--feature-gates", "service.AllowNoPipelines")
        self.assertRegex(one.stdout, r"service\.AllowNoPipelines +true +Alpha")
        self.assertEqual(run("featuregate", "no.such").returncode, 1)

    def test_docs_names_keys(self):
        done = run("docs", "--format", "md")
        self.assertEqual(done.returncode, 0)
        self.assertIn("| `logs.level` | string | `info` |", done.stdout)
        self.assertEqual(run("docs", "--dir", str(folder)).returncode, 0)
        self.assertEqual((folder / "components.md").read_text(), done.stdout)

    def test_print_config_resolves(self):
        path = write(QUIET)
        done = run("print-config", "--config", path, "--set", "receivers.nop/two=", "--format", "json")
        self.assertEqual(done.returncode, 0, done.stderr)
        tree = json.loads(done.stdout)
        self.assertEqual(set(tree["receivers"]), {"nop", "nop/two"})
        self.assertEqual(tree["service"]["pipelines"]["traces"]["receivers"], ["nop"])
        self.assertIn("receivers:", run("print-initial-config", "--config", path).stdout)

    def test_the_built_in_configuration_is_sound(self):
        for host in ("", "0.0.0.0"):
            done = run("print-config", env={"JAEGER_LISTEN_HOST": host} if host else None)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(host or "localhost", done.stdout)

    def test_unknown_words(self):
        for args, want in (
            (["frobnicate"], 'unknown command "frobnicate" for "'),
            (["--frobnicate"], "unknown flag: --frobnicate"),
            (["--set", "a"], "missing equal sign"),
            (["--config", "s3:foo"], "s3:foo"),
            (["--config", str(folder / "absent.yaml")], "absent.yaml"),
            (["validate"], "at least one config flag must be provided"),
            (["--feature-gates", "no.such.gate"], 'no such feature gate "no.such.gate"'),
        ):
            done = run(*args)
            self.assertEqual(done.returncode, 1, args)
            self.assertIn("Error: ", done.stderr)
            self.assertIn(want, done.stderr, args)

    def test_unreadable_configuration(self):
        done = run("--config", str(folder))  # a folder
        self.assertEqual(done.returncode, 1)
        self.assertIn(str(folder), done.stderr)


class Validate(unittest.TestCase):
    head = "receivers: {nop: }\nexporters: {nop: }\n"
    bad = (
        ("", "empty configuration file"),
        ("exporters: {nop: }", "no receiver configuration specified in config"),
        ("receivers: {nop: }", "no exporter configuration specified in config"),
        (head, "service::pipelines: service must have at least one pipeline"),
        (head + "service: {pipelines: {traces: {exporters: [nop]}}}",
         "service::pipelines::traces: must have at least one receiver"),
        (head + "service: {pipelines: {traces: {receivers: [nop]}}}",
         "service::pipelines::traces: must have at least one exporter"),
        (head + "service: {pipelines: {traces: {receivers: [nop], processors: [x], exporters: [nop]}}}",
         'service::pipelines::traces: references processor "x" which is not configured'),
        (head + "service: {extensions: [x], pipelines: {traces: {receivers: [nop], exporters: [nop]}}}",
         'service::extensions: references extension "x" which is not configured'),
        (head + "service: {pipelines: {spans: {receivers: [nop], exporters: [nop]}}}",
         'unknown pipeline signal: "spans"'),
        ("receivers: {bogus: }", 'unknown type: "bogus" for id: "bogus" (valid values: ['),
        ("foo: 1", "'otelcol.configSettings' has invalid keys: foo"),
        ("receivers: {nop: {foo: 1}}", "'receivers' error reading configuration for \"nop\": "),
        ("receivers: {nop: {foo: 1}}", "has invalid keys: foo"),
        ("receivers: {nop: \nnop: }\n", "failed to get config"),
        ("receivers: {nop: , nop: }", "nop"),
        (head + "connectors: {nop: }", "unknown type"),
        ("receivers: {nop: }\nconnectors: {forward: }\nservice: {pipelines: {traces: {receivers: [nop, forward], "
         "exporters: [forward]}}}", 'cycle detected: connector "forward" (traces to traces) -> '),
        (head + "connectors: {forward: }\nservice: {pipelines: {traces: {receivers: [nop], exporters: [forward]}}}",
         'failed to build pipelines: connector "forward" used as exporter in [traces] pipeline but not used in any '
         'supported receiver pipeline'),
    )

    def test_bad_configurations(self):
        for text, want in self.bad:
            done = run("validate", "--config", write(text))
            self.assertEqual(done.returncode, 1, text)
            self.assertIn(want, done.stderr, text)
            self.assertEqual(done.stdout, "")

    def test_places(self):
        path = write("receivers:\n  nop:\n    foo: 1\n")
        self.assertIn(f"{path}:3", run("validate", "--config", path).stderr)

    def test_run_says_that_the_configuration_is_invalid(self):
        done = run("--config", write("receivers: {nop: }"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("Error: invalid configuration: no exporter", done.stderr)
        self.assertNotIn("invalid configuration: ", run("validate", "--config", write("receivers: {nop: }")).stderr)

    def test_sound_ones_pass_silently(self):
        done = run("validate", "--config", write(QUIET), "--feature-gates", "-es.config.rejectLegacyRotationFlags")
        self.assertEqual((done.returncode, done.stdout), (0, ""))
        self.assertEqual(len(done.stderr.splitlines()), 1)

    def test_no_pipelines_behind_a_gate(self):
        path = write("receivers: {nop: }\nexporters: {nop: }\nservice: {telemetry: {metrics: {level: none}}}")
        self.assertEqual(run("validate", "--config", path).returncode, 1)
        self.assertEqual(run("validate", "--config", path, "--feature-gates=service.AllowNoPipelines").returncode, 0)


class Signals(unittest.TestCase):
    def test_term_and_int_end_with_0(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with Running("--config", write(QUIET)) as jaeger:
                jaeger.wait_for(READY)
                jaeger.process.send_signal(number)
                self.assertEqual(jaeger.process.wait(10), 0)
                self.assertIn("Received signal from OS", jaeger.text())
                self.assertIn("Shutdown complete.", jaeger.text())

    def test_hup_reads_the_configuration_again(self):
        path = write(QUIET, "reload.yaml")
        with Running("--config", path) as jaeger:
            jaeger.wait_for(READY)
            jaeger.process.send_signal(signal.SIGHUP)
            jaeger.wait_for(READY, 2)
            self.assertIn("Config updated, restart service", jaeger.text())
            jaeger.process.send_signal(signal.SIGTERM)
            self.assertEqual(jaeger.process.wait(10), 0)

    def test_hup_with_a_bad_configuration_changes_nothing(self):
        path = write(QUIET, "reload.yaml")
        with Running("--config", path) as jaeger:
            jaeger.wait_for(READY)
            write("foo: 1", "reload.yaml")
            jaeger.process.send_signal(signal.SIGHUP)
            jaeger.wait_for("the old one stays in force")
            self.assertIn("has invalid keys: foo", jaeger.text())
            write(QUIET, "reload.yaml")
            jaeger.process.send_signal(signal.SIGHUP)
            jaeger.wait_for(READY, 2)
            jaeger.process.send_signal(signal.SIGTERM)
            self.assertEqual(jaeger.process.wait(10), 0)

    def test_it_is_quick_and_small(self):
        begin = time.monotonic()
        with Running("--config", write(QUIET)) as jaeger:
            jaeger.wait_for(READY)
            self.assertLess(time.monotonic() - begin, 1.0)
            status = pathlib.Path(f"/proc/{jaeger.process.pid}/status").read_text()
            if "SANITIZED" not in os.environ:
                self.assertLess(int(re.search(r"VmRSS:\s+(\d+)", status).group(1)), 12 * 1024)


class Logs(unittest.TestCase):
    def test_json_lines_hold_the_resource(self):
        text = SOUND.format(telemetry="{logs: {encoding: json, initial_fields: {zone: a}}, metrics: {level: none}, "
                                      "resource: {service.name: shop}}")
        with Running("--config", write(text)) as jaeger:
            jaeger.wait_for(READY)
            line = json.loads(next(x for x in jaeger.text().splitlines() if READY in x))
            self.assertEqual((line["level"], line["zone"], line["resource"]["service.name"]), ("info", "a", "shop"))

    def test_files(self):
        path = folder / "out.log"
        text = SOUND.format(telemetry="{logs: {output_paths: [%s]}, metrics: {level: none}}" % path)
        with Running("--config", write(text)) as jaeger:
            end = time.monotonic() + 10
            while not (path.exists() and READY in path.read_text()):
                self.assertLess(time.monotonic(), end)
                time.sleep(0.01)
            self.assertNotIn(READY, jaeger.text())


class Metrics(unittest.TestCase):
    def get(self, path="/metrics"):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            self.assertTrue(answer.headers["Content-Type"].startswith("text/plain; version=0.0.4"))
            return answer.read().decode()

    def test_metrics_are_served(self):
        with Running("--config", write(served(port))) as jaeger:
            jaeger.wait_for(READY)
            text = self.get()
            self.assertRegex(text, r"(?m)^otelcol_process_uptime [0-9.e+-]+$")
            self.assertRegex(text, r'(?m)^target_info\{service_instance_id="[0-9a-f-]{36}",service_name="jaeger",.*\} 1$')
            self.assertRegex(text, r"(?m)^otelcol_process_memory_rss [1-9]")
            with self.assertRaises(urllib.error.HTTPError) as caught:
                self.get("/other")
            self.assertEqual(caught.exception.code, 404)

    def test_suffixes_and_labels_as_configured(self):
        more = (", without_type_suffix: false, without_units: false, without_scope_info: false, "
                "with_resource_constant_labels: {included: ['service.*'], excluded: [service.instance.id]}")
        with Running("--config", write(served(port, more))) as jaeger:
            jaeger.wait_for(READY)
            self.assertRegex(self.get(), r'(?m)^otelcol_process_uptime_seconds_total\{service_name="jaeger",'
                                         r'service_version="[^"]+",otel_scope_name="libjaeger",otel_scope_version="[^"]+"\}')

    def test_levels_decide_what_is_shown(self):
        for level, shown, hidden in (("basic", "otelcol_process_uptime", "otelcol_processor_batch_batch_send_size_count"),
                                     ("normal", "otelcol_processor_batch_batch_send_size_count",
                                      "otelcol_processor_batch_batch_send_size_bytes_count"),
                                     ("detailed", "otelcol_processor_batch_batch_send_size_bytes_count", None)):
            path = write(served(port).replace("metrics: {", "metrics: {level: %s, " % level))
            with Running("--config", path, "--set", "processors.batch=", "--set",
                         "service.pipelines.traces.processors=[batch]") as jaeger:
                jaeger.wait_for(READY)
                text = self.get()
                self.assertIn(shown, text)
                if hidden:
                    self.assertNotIn(hidden, text)

    def test_a_port_in_use_is_told(self):
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", port))
            taken.listen()
            done = run("--config", write(served(port)))
            self.assertEqual(done.returncode, 1)
            self.assertIn("address already in use", done.stderr)
            self.assertIn(str(port), done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
