// SPDX-License-Identifier: Apache-2.0
// Polls a sampling endpoint until all traces of the first operation are sampled, and prints the share of each operation's.
//   sampler.js opentelemetry|jaeger-client HOST:PORT SERVICE OPERATION...
const [client, server, serviceName, ...operations] = process.argv.slice(2);
const POLL_MS = 100;

function id() {
    let text = '';
    for (let i = 0; i < 4; i++)
        text += Math.floor(Math.random() * 0x100000000).toString(16).padStart(8, '0');
    return text;
}

function opentelemetry() {
    const { context, SpanKind } = require('@opentelemetry/api');
    const { JaegerRemoteSampler } = require('@opentelemetry/sampler-jaeger-remote');
    const never = { shouldSample: () => ({ decision: 0 }), toString: () => 'never' };
    const sampler = new JaegerRemoteSampler({
        endpoint: `http://${server}`, serviceName, initialSampler: never, poolingInterval: POLL_MS,
    });
    return (operation) => sampler.shouldSample(context.active(), id(), operation, SpanKind.SERVER, {}, []).decision === 2;
}

function jaegerClient() {
    const { initTracer } = require('jaeger-client');
    const [host, port] = server.split(':');
    const tracer = initTracer({
        serviceName, sampler: { type: 'remote', param: 0, host, port, refreshIntervalMs: POLL_MS },
    }, {});
    return (operation) => tracer.startSpan(operation).context().isSampled();
}

const isSampled = { opentelemetry, 'jaeger-client': jaegerClient }[client]();

function share(operation) {
    let sampled = 0;
    for (let i = 0; i < 1000; i++)
        sampled += isSampled(operation);
    return sampled / 1000;
}

const end = Date.now() + 30000;
setInterval(() => {
    if (share(operations[0]) < 1 && Date.now() < end)
        return;
    console.log(JSON.stringify(Object.fromEntries(operations.map((name) => [name, share(name)]))));
    process.exit(0);
}, POLL_MS);
