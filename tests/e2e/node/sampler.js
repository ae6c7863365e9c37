// SPDX-License-Identifier: Apache-2.0
// Polls a sampling endpoint with OpenTelemetry's sampler and prints the share of traces it samples of each operation.
//   sampler.js URL SERVICE OPERATION...
const { context, SpanKind } = require('@opentelemetry/api');
const { JaegerRemoteSampler } = require('@opentelemetry/sampler-jaeger-remote');

const [url, serviceName, ...operations] = process.argv.slice(2);
const never = { shouldSample: () => ({ decision: 0 }), toString: () => 'never' };
const sampler = new JaegerRemoteSampler({ endpoint: url, serviceName, initialSampler: never, poolingInterval: 100 });

function id() {
    let text = '';
    for (let i = 0; i < 4; i++)
        text += Math.floor(Math.random() * 0x100000000).toString(16).padStart(8, '0');
    return text;
}

function share(operation) {
    let sampled = 0;
    for (let i = 0; i < 2000; i++)
        sampled += sampler.shouldSample(context.active(), id(), operation, SpanKind.SERVER, {}, []).decision === 2;
    return sampled / 2000;
}

setTimeout(() => {
    console.log(JSON.stringify(Object.fromEntries(operations.map((name) => [name, share(name)]))));
    process.exit(0);
}, 1500);
