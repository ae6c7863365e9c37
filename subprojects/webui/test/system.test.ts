// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import type { Summary } from '../src/lib/api';
import { bytes } from '../src/lib/format';
import { Metrics, parseMetrics } from '../src/lib/prometheus';
import { force } from '../src/graph/force';
import { layers } from '../src/graph/layers';
import { addPaths, newPaths } from '../src/graph/paths';
import { outliers } from '../src/search/outliers';
import { build } from '../src/trace/model';
import { fromOtlp } from '../src/trace/otlp';

test('metrics are read with their labels', () => {
  const text = '# HELP x y\nx_total{a="1",b="q\\"\\n"} 3\nx_total{a="2"} 4\nup 1e3\nbad line{\n';
  expect(parseMetrics(text)).toHaveLength(3);
  const m = new Metrics(text, 0);
  expect(m.sum('x')).toBe(7);
  expect(m.sum('x', { a: '2' })).toBe(4);
  expect(m.sum('x', { a: '3' })).toBeUndefined();
  expect(m.all('x')[0].labels).toEqual({ a: '1', b: 'q"\n' });
  expect(m.sum('up')).toBe(1000);
});

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1536, '1.5 KiB'],
  [5 * 2 ** 40, '5 TiB'],
])('%d bytes', (n, want) => {
  expect(bytes(n)).toBe(want);
});

test('outliers are far beyond others of their root', () => {
  const of = (traceId: string, durationNs: number, root = 'a') =>
    ({ traceId, durationNs, root, rootService: 's' }) as Summary;
  const calm = Array.from({ length: 20 }, (_, i) => of(`t${i}`, 1e6 + i * 1e4));
  expect([...outliers([...calm, of('slow', 9e6)])]).toEqual(['slow']);
  expect(outliers([...calm, of('other', 9e6, 'b')]).size).toBe(0);
  expect(outliers([]).size).toBe(0);
});

const page = { job: 1, style: 'force', aspect: 2 } as const;

test.each([force, layers])('two hundred services fill the page without overlaps', (layout) => {
  const nodes = Array.from({ length: 200 }, (_, i) => ({
    id: String(i),
    width: 60 + (i % 7) * 12,
    height: 20,
  }));
  // Shared ones that all call, a far island, cycles.
  const edges = nodes.flatMap((n, i) => [
    { from: n.id, to: String(i % 5) },
    { from: String(i < 190 ? (i * 7) % 190 : 195), to: n.id },
  ]);
  const answer = layout({ ...page, nodes, edges, compact: true });
  const area = nodes.reduce((sum, n) => sum + n.width * n.height, 0);
  expect(answer.width * answer.height).toBeLessThan(area * 8);
  expect(answer.width / answer.height).toBeGreaterThan(1);
  expect(answer.width / answer.height).toBeLessThan(4);
  for (let i = 0; i < 200; i++)
    for (let k = 0; k < i; k++) {
      const [, x0, y0] = answer.nodes[i],
        [, x1, y1] = answer.nodes[k];
      const apart = Math.abs(x0 - x1) >= (nodes[i].width + nodes[k].width) / 2 || Math.abs(y0 - y1) >= 20;
      if (!apart) expect.fail(`${i} and ${k} overlap`);
    }
});

test('a force layout places nodes apart, whatever the graph', () => {
  const nodes = Array.from({ length: 30 }, (_, i) => ({ id: String(i), width: 100, height: 40 }));
  const edges = nodes.slice(1).map((n, i) => ({ from: String(Math.floor(i / 3)), to: n.id }));
  const answer = force({ ...page, nodes, edges: [...edges, { from: '1', to: '1' }], compact: false });
  expect(answer.edges).toHaveLength(30);
  for (const [, x, y] of answer.nodes)
    expect(x >= 0 && y >= 0 && x <= answer.width && y <= answer.height).toBe(true);
  for (let i = 0; i < 30; i++)
    for (let k = 0; k < i; k++) {
      const [, x0, y0] = answer.nodes[i],
        [, x1, y1] = answer.nodes[k];
      expect(Math.hypot(x0 - x1, y0 - y1)).toBeGreaterThan(30);
    }
});

test('call paths go through the focus, hop by hop', () => {
  const span = (spanId: string, parentSpanId: string, name: string, code = 0) => ({
    traceId: 'a',
    spanId: spanId.padStart(16, '0'),
    parentSpanId: parentSpanId && parentSpanId.padStart(16, '0'),
    name,
    startTimeUnixNano: '1000',
    endTimeUnixNano: '2000',
    status: { code },
  });
  const service = (name: string, ...spans: ReturnType<typeof span>[]) => ({
    resource: { attributes: [{ key: 'service.name', value: { stringValue: name } }] },
    scopeSpans: [{ spans }],
  });
  const t = build(
    fromOtlp({
      resourceSpans: [
        service('web', span('1', '', 'GET')),
        service('shop', span('2', '1', 'order'), span('3', '2', 'inside')),
        service('db', span('4', '3', 'SELECT', 2), span('5', '3', 'SELECT')),
        service('other', span('6', '1', 'x')),
      ],
    })[0].columns,
  );
  const paths = newPaths();
  addPaths(paths, t, { service: 'shop', operation: '', withOperations: false, up: 5, down: 5 });
  expect([...paths.stops.values()].map((s) => [s.hop, s.service, s.calls, s.errors])).toEqual([
    [0, 'shop', 1, 0],
    [-1, 'web', 1, 0],
    [1, 'db', 2, 1],
  ]);
  expect([...paths.steps.values()].map((s) => [s.calls, s.errors])).toEqual([
    [1, 0],
    [2, 1],
  ]);
  expect(paths.traces).toBe(1);
  const none = newPaths();
  addPaths(none, t, { service: 'absent', operation: '', withOperations: true, up: 5, down: 5 });
  expect(none.stops.size).toBe(0);
});
