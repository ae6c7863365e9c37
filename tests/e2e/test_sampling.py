# SPDX-License-Identifier: Apache-2.0
"""Real clients poll the sampling endpoints and apply what they get."""
import json
import signal
import time

import pytest
import requests

from conftest import Jaeger, go, java, node, shipped_agent
from ports import free_ports

STRATEGIES = {
    "default_strategy": {"type": "probabilistic", "param": 0.5,
                         "operation_strategies": [{"operation": "/health", "type": "probabilistic", "param": 0}]},
    "service_strategies": [
        {"service": "all", "type": "probabilistic", "param": 1},
        {"service": "limited", "type": "ratelimiting", "param": 7},
        {"service": "half", "type": "probabilistic", "param": 0.5,
         "operation_strategies": [{"operation": "often", "type": "probabilistic", "param": 1}]},
    ],
}


def config(sampling, http, grpc, health, otlp, extra_processors="", store="memory: {max_traces: 1000}"):
    return f"""
service:
  extensions: [jaeger_storage, remote_sampling, healthcheckv2]
  pipelines:
    traces: {{receivers: [otlp], processors: [{extra_processors}], exporters: [jaeger_storage_exporter]}}
  telemetry: {{metrics: {{level: none}}}}
extensions:
  healthcheckv2: {{use_v2: true, http: {{endpoint: "127.0.0.1:{health}"}}}}
  jaeger_storage: {{backends: {{main: {{{store}}}}}}}
  remote_sampling:
    {sampling}
    http: {{endpoint: "127.0.0.1:{http}"}}
    grpc: {{endpoint: "127.0.0.1:{grpc}"}}
receivers:
  otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{otlp}"}}}}}}
processors: {{adaptive_sampling: }}
exporters:
  jaeger_storage_exporter: {{trace_storage: main}}
"""


def sampling_server(directory, sampling, **more):
    directory.mkdir(exist_ok=True)
    http, grpc, health, otlp = free_ports(4)
    server = Jaeger(directory, config=config(sampling, http, grpc, health, otlp, **more))
    server.sampling, server.health, server.http = http, health, otlp
    server.sampling_grpc = grpc
    return server.start()


@pytest.fixture
def sampling(tmp_path):
    path = tmp_path / "strategies.json"
    path.write_text(json.dumps(STRATEGIES))
    server = sampling_server(tmp_path, f"file: {{path: {path}, reload_interval: 100ms}}")
    server.strategies = path
    yield server
    server.stop()


def strategy(server, service):
    reply = requests.get(f"http://127.0.0.1:{server.sampling}/sampling", params={"service": service}, timeout=10)
    assert reply.status_code == 200, reply.text
    return reply.json()


def wait_until(check, seconds=20):
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)


SAMPLERS = {
    "OpenTelemetry for Node": lambda *args: node("sampler.js", "opentelemetry", *args),
    "OpenTelemetry for Go": go,
    "jaeger-client for Node": lambda *args: node("sampler.js", "jaeger-client", *args),
    "jaeger-client for Java": lambda *args: java("sampler", *args),
}


@pytest.mark.parametrize("client", SAMPLERS)
def test_sampler_applies_what_it_polls(sampling, client):
    got = SAMPLERS[client](f"127.0.0.1:{sampling.sampling}", "half", "often", "/health", "other")
    assert got["often"] == 1 and got["/health"] < 0.01 and 0.4 < got["other"] < 0.6


def python_sampler(server, service):
    """jaeger-client's sampler; its polling runs in its own thread."""
    pytest.importorskip("jaeger_client", reason="pip install -r tests/e2e/requirements.txt")
    from jaeger_client.local_agent_net import LocalAgentSender
    from jaeger_client.sampler import ConstSampler, RemoteControlledSampler
    channel = LocalAgentSender("127.0.0.1", server.sampling, 6831)
    return RemoteControlledSampler(channel, service, init_sampler=ConstSampler(False), sampling_refresh_interval=0.1)


def is_sampled(sampler, operation, count=1000):
    return sum(sampler.is_sampled(n * 0x9e3779b97f4a7c15 % 2**64, operation)[0] for n in range(count)) / count


def test_jaeger_client_for_python(sampling):
    half, limited = python_sampler(sampling, "half"), python_sampler(sampling, "limited")
    try:
        wait_until(lambda: is_sampled(half, "often") == 1)
        assert is_sampled(half, "/health") <= 0.001
        assert 0.4 < is_sampled(half, "other") < 0.6
        # the default's operations come with its probability; this sampler polls on a thread of its own
        wait_until(lambda: 0.4 < is_sampled(limited, "other") < 0.6)
        changed = {"service_strategies": [{"service": "half", "type": "probabilistic", "param": 0},
                                          {"service": "limited", "type": "ratelimiting", "param": 7}]}
        sampling.strategies.write_text(json.dumps(changed))
        wait_until(lambda: is_sampled(half, "often") == 0)
        wait_until(lambda: 0 < is_sampled(limited, "other", 100) < 0.1)
    finally:
        half.close()
        limited.close()


def test_bad_file_keeps_the_old_strategies(sampling):
    sampling.strategies.write_text('{"service_strategies":\n  [{"service": true}]}')
    wait_until(lambda: "strategies.json:2:" in sampling.output())
    assert strategy(sampling, "limited")["rateLimitingSampling"] == {"maxTracesPerSecond": 7}
    sampling.strategies.write_text(json.dumps({"default_strategy": {"type": "probabilistic", "param": 0.125}}))
    wait_until(lambda: strategy(sampling, "limited").get("probabilisticSampling") == {"samplingRate": 0.125})


@pytest.mark.parametrize("way", ["grpc", "http"])
def test_proxy_in_front(sampling, tmp_path, way):
    ask = {"grpc": f"grpc: {{endpoint: '127.0.0.1:{sampling.sampling_grpc}', tls: {{insecure: true}}}}",
           "http": f"http: {{endpoint: 'http://127.0.0.1:{sampling.sampling}/sampling'}}"}[way]
    front = sampling_server(tmp_path / "front", f"proxy: {{cache_ttl: 1s, {ask}}}")
    try:
        want = {service: strategy(sampling, service) for service in ("half", "limited", "unknown")}
        assert {service: strategy(front, service) for service in want} == want
        sampling.stop()
        assert {service: strategy(front, service) for service in want} == want
    finally:
        front.stop()


def test_agent_proxies_sampling_to_the_collector(sampling, tmp_path):
    agent = shipped_agent(tmp_path / "agent", JAEGER_SAMPLING=f"127.0.0.1:{sampling.sampling_grpc}")
    try:
        want = {service: strategy(sampling, service) for service in ("half", "limited", "unknown")}
        assert {service: strategy(agent, service) for service in want} == want
        sampling.stop()
        assert {service: strategy(agent, service) for service in want} == want
        metrics = requests.get(f"http://127.0.0.1:{agent.metrics}/metrics", timeout=5).text
        assert 'jaeger_remote_sampling_http_server_requests{' in metrics and 'type="sampling"' in metrics
    finally:
        agent.stop()


def root(probability, name="GET /"):
    return {"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
        "scopeSpans": [{"spans": [{
            "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": name,
            "startTimeUnixNano": str(time.time_ns()), "endTimeUnixNano": str(time.time_ns()),
            "attributes": [{"key": "sampler.type", "value": {"stringValue": "probabilistic"}},
                           {"key": "sampler.param", "value": {"doubleValue": probability}}]}]}]}]}


@pytest.mark.parametrize("store", ["memory", "embedded"])
def test_adaptive_sampling_brings_traffic_to_the_target(tmp_path, store):
    """100 requests a second, a client that polls every 100 ms: about 10 samples a second in the end."""
    storage = {"memory": "memory: {max_traces: 1000}", "embedded": f"embedded: {{directory: {tmp_path}/data}}"}[store]
    server = sampling_server(
        tmp_path, "adaptive: {sampling_store: main, target_samples_per_second: 10, initial_sampling_probability: 1, "
        "calculation_interval: 1s, calculation_delay: 1s, leader_lease_refresh_interval: 1s}",
        extra_processors="adaptive_sampling", store=storage)
    try:
        probability, carry, sent, begin = 1.0, 0.0, [], time.monotonic()
        while time.monotonic() < begin + 12:
            for entry in strategy(server, "shop")["operationSampling"]["perOperationStrategies"]:
                probability = entry["probabilisticSampling"]["samplingRate"]
            carry += 10 * probability
            for _ in range(int(carry)):
                requests.post(f"http://127.0.0.1:{server.http}/v1/traces", json=root(probability), timeout=10)
                sent.append(time.monotonic())
            carry -= int(carry)
            time.sleep(max(0, begin + 0.1 * (len(sent) and int((time.monotonic() - begin) / 0.1) + 1) - time.monotonic()))
        late = [t for t in sent if t > begin + 7]
        assert 0.5 < len(late) / 5 / 10 < 1.5, (len(late), probability)
        if store == "embedded":  # what was calculated outlives the process
            server.stop()
            server.start()
            assert strategy(server, "shop")["operationSampling"]["perOperationStrategies"]
    finally:
        server.stop()


def test_another_collector_takes_over_when_the_leader_is_killed(tmp_path, engine):
    """Two collectors share a sampling store; kill -9 gives the leader no time to hand anything over."""
    settings = "adaptive: {sampling_store: shared, calculation_interval: 1s, calculation_delay: 1s, " \
        "leader_lease_refresh_interval: 1s, follower_lease_refresh_interval: 3s, target_samples_per_second: 1000, " \
        "initial_sampling_probability: 0.5}"
    store = f"memory: {{max_traces: 1000}}}}, shared: {{opensearch: {{server_urls: ['{engine.url}']}}"
    leads = "is now the leader of adaptive sampling"

    def node(name):
        return sampling_server(tmp_path / name, settings, extra_processors="adaptive_sampling", store=store)

    def has_operation(server, name):
        """It is served, once enough of it was sent: what is not seen for a while leaves the list."""
        requests.post(f"http://127.0.0.1:{second.http}/v1/traces", json=root(0.5, name), timeout=30)
        entries = strategy(server, "shop")["operationSampling"]["perOperationStrategies"]
        return any(entry["operation"] == name for entry in entries)

    first = node("first")
    second = None
    try:
        wait_until(lambda: leads in first.output(), 60)
        second = node("second")
        wait_until(lambda: has_operation(first, "GET /"), 60)  # the follower counts, the leader calculates
        assert leads not in second.output()
        first.stop(signal.SIGKILL)
        wait_until(lambda: leads in second.output(), 60)
        wait_until(lambda: has_operation(second, "GET /new"), 60)
    finally:
        for server in filter(None, (first, second)):
            server.stop()
