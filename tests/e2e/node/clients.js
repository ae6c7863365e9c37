// SPDX-License-Identifier: Apache-2.0
// Sends the trace of test_clients.py with an old client, unmodified, and prints the trace's id.
//   clients.js CLIENT '{"compact": port, "binary": port, "http": port, "grpc": port, "zipkin": port}'
const [client, portsText] = process.argv.slice(2);
const ports = JSON.parse(portsText);
const TAGS = { 'http.method': 'GET', n: 42, ratio: 0.25, yes: true, text: 'ü <&>' };

function jaegerClient(reporter) {
    const { initTracer } = require('jaeger-client');
    const tracer = initTracer({
        serviceName: 'shop', traceId128bit: true, sampler: { type: 'const', param: 1 }, reporter,
    }, {});
    const root = tracer.startSpan('GET /cart', { tags: { 'span.kind': 'server', ...TAGS } });
    const child = tracer.startSpan('SELECT', { childOf: root, tags: { 'span.kind': 'client', error: true } });
    child.log({ event: 'row', index: 7 });
    child.finish();
    root.finish();
    return new Promise((done) => tracer.close(() => done(root.context().traceIdStr.padStart(32, '0'))));
}

async function opentelemetry(options) {
    const { context, trace, SpanKind, SpanStatusCode } = require('@opentelemetry/api');
    const { JaegerExporter } = require('@opentelemetry/exporter-jaeger');
    const { SimpleSpanProcessor, TracerProvider } = require('@opentelemetry/sdk-trace');
    const { resourceFromAttributes } = require('resources2');
    const provider = new TracerProvider({
        resource: resourceFromAttributes({ 'service.name': 'shop', zone: 'a-1' }),
        spanProcessors: [new SimpleSpanProcessor({ exporter: new JaegerExporter(options) })],
    });
    const tracer = provider.getTracer('e2e-lib', '1.2.3');
    const root = tracer.startSpan('GET /cart', { kind: SpanKind.SERVER, attributes: TAGS });
    const child = tracer.startSpan('SELECT', { kind: SpanKind.CLIENT }, trace.setSpan(context.active(), root));
    child.addEvent('row', { index: 7 });
    child.setStatus({ code: SpanStatusCode.ERROR, message: 'broken' });
    child.end();
    root.end();
    await provider.forceFlush();
    await provider.shutdown();
    return root.spanContext().traceId;
}

function zipkin(version) {
    const { Annotation, BatchRecorder, ExplicitContext, jsonEncoder, Tracer } = require('zipkin');
    const { HttpLogger } = require('zipkin-transport-http');
    const logger = new HttpLogger({
        endpoint: `http://127.0.0.1:${ports.zipkin}/api/${version}/spans`, httpInterval: 50,
        jsonEncoder: jsonEncoder[`JSON_${version.toUpperCase()}`],
    });
    const tracer = new Tracer({
        ctxImpl: new ExplicitContext(), recorder: new BatchRecorder({ logger }), localServiceName: 'shop', traceId128Bit: true,
    });
    const root = tracer.createRootId();
    const rootSpan = tracer.letId(root, () => {
        tracer.recordServiceName('shop');
        tracer.recordRpc('GET /cart');
        tracer.recordAnnotation(new Annotation.ServerRecv());
        Object.entries(TAGS).forEach(([key, value]) => tracer.recordBinary(key, String(value)));
        const child = tracer.createChildId();
        tracer.letId(child, () => {
            tracer.recordServiceName('shop');
            tracer.recordRpc('SELECT');
            tracer.recordAnnotation(new Annotation.ClientSend());
            tracer.recordMessage('row');
            tracer.recordBinary('error', 'broken');
            tracer.recordAnnotation(new Annotation.ClientRecv());
        });
        tracer.recordAnnotation(new Annotation.ServerSend());
        return root;
    });
    return new Promise((done) => {
        const wait = setInterval(() => {}, 1000); // the logger's timer does not keep the process alive
        logger.on('success', () => {
            clearInterval(wait);
            done(rootSpan.traceId);
        });
    });
}

const CLIENTS = {
    jaeger_client_udp: () => jaegerClient({ agentHost: '127.0.0.1', agentPort: ports.binary }),
    jaeger_client_http: () => jaegerClient({ collectorEndpoint: `http://127.0.0.1:${ports.http}/api/traces` }),
    otel_jaeger_udp: () => opentelemetry({ host: '127.0.0.1', port: ports.binary }),
    otel_jaeger_http: () => opentelemetry({ endpoint: `http://127.0.0.1:${ports.http}/api/traces` }),
    zipkin_v1: () => zipkin('v1'),
    zipkin_v2: () => zipkin('v2'),
};

CLIENTS[client]().then((traceId) => console.log(JSON.stringify({ traceId })));
