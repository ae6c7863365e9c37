// SPDX-License-Identifier: Apache-2.0
// Sends a parent and a child over OTLP/HTTP JSON with the Node SDK; prints what was sent.
const { context, trace, SpanKind } = require('@opentelemetry/api');
const { OTLPTraceExporter } = require('@opentelemetry/exporter-trace-otlp-http');
const { Resource } = require('@opentelemetry/resources');
const { BasicTracerProvider, SimpleSpanProcessor } = require('@opentelemetry/sdk-trace-base');

const provider = new BasicTracerProvider({
    resource: new Resource({ 'service.name': 'node-shop' }),
    spanProcessors: [new SimpleSpanProcessor(new OTLPTraceExporter({ url: process.argv[2] }))],
});
const tracer = provider.getTracer('node-lib', '0.1');
const parent = tracer.startSpan('parent', { kind: SpanKind.SERVER, attributes: { answer: 42, ratio: 0.5, ok: true } });
const child = tracer.startSpan('child', {}, trace.setSpan(context.active(), parent));
child.end();
parent.end();
provider.forceFlush().then(() => provider.shutdown()).then(() => {
    console.log(JSON.stringify({
        traceId: parent.spanContext().traceId,
        startNs: String(BigInt(parent.startTime[0]) * 1000000000n + BigInt(parent.startTime[1])),
    }));
});
