// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { callPaths, diff, statistics } from '../src/trace/aggregate';
import { readColumns } from '../src/trace/columns';
import {
  build,
  children,
  type Columns,
  criticalPath,
  Flag,
  foldFrom,
  rowOfSpan,
  spanId,
  withAncestors,
} from '../src/trace/model';
import { groupSiblings, visibleRows } from '../src/trace/groups';

/** [parent, start, duration, flags] in any order; names are n0, n1, … unless given. */
function columns(spans: [number, number, number, number?, number?][]): Columns {
  const n = spans.length,
    ids = new Uint8Array(8 * n);
  for (let i = 0; i < n; i++) {
    ids[8 * i + 7] = (i + 1) & 255;
    ids[8 * i + 6] = (i + 1) >> 8;
  }
  return {
    n,
    traceId: 'a'.repeat(32),
    t0: 0n,
    services: ['s', 't'],
    names: ['a', 'b', 'c', 'd'],
    ids,
    start: Float64Array.from(spans, (s) => s[1]),
    duration: Float64Array.from(spans, (s) => s[2]),
    parent: Int32Array.from(spans, (s) => s[0]),
    service: new Uint32Array(n),
    name: Uint32Array.from(spans, (s, i) => s[4] ?? i % 4),
    kind: new Uint8Array(n),
    flags: Uint8Array.from(spans, (s) => s[3] ?? 0),
  };
}

describe('the tree', () => {
  it('is in preorder, children by start, whatever the order they came in', () => {
    const t = build(
      columns([
        [2, 30, 5],
        [2, 10, 5],
        [-1, 0, 100],
        [1, 11, 1],
      ]),
    );
    expect([...t.rowOf]).toEqual([3, 1, 0, 2]);
    expect([...t.depth]).toEqual([0, 1, 2, 1]);
    expect([...t.size]).toEqual([4, 2, 1, 1]);
    expect([...t.parent]).toEqual([-1, 0, 1, 0]);
    expect(children(t, 0)).toEqual([1, 3]);
    expect(spanId(t, 0)).toBe('0000000000000003');
    expect(rowOfSpan(t, '0000000000000001')).toBe(3);
    expect(rowOfSpan(t, 'nonsense')).toBe(-1);
  });
  it('holds every span once when parents form cycles', () => {
    const t = build(
      columns([
        [1, 5, 1],
        [0, 3, 1],
        [2, 1, 1],
        [-1, 0, 9],
      ]),
    );
    expect(t.size.length).toBe(4);
    expect(new Set(t.rowOf).size).toBe(4);
    for (let i = 0; i < t.n; i++) expect(t.parent[i]).toBeLessThan(i);
    expect(t.orphans).toBe(2);
  });
  it('takes chains and fans of 50,000 spans', () => {
    const chain = build(
      columns(Array.from({ length: 50_000 }, (_, i) => [i - 1, i, 100_000 - i] as [number, number, number])),
    );
    expect(chain.maxDepth).toBe(49_999);
    expect(criticalPath(chain).total[49_999]).toBeGreaterThan(0);
    expect(callPaths(chain).length).toBeLessThanOrEqual(5000);
    const fan = build(
      columns(Array.from({ length: 50_000 }, (_, i) => [i ? 0 : -1, i, 1] as [number, number, number])),
    );
    expect(fan.size[0]).toBe(50_000);
    expect(callPaths(fan).length).toBe(5);
  });
  it('survives random parents, times and durations', () => {
    let seed = 7;
    const random = (n: number) => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return seed % n;
    };
    for (let round = 0; round < 200; round++) {
      const n = 1 + random(40);
      const t = build(
        columns(
          Array.from(
            { length: n },
            () =>
              [random(n + 1) - 1, random(1000), random(1000), random(64)] as [number, number, number, number],
          ),
        ),
      );
      expect(new Set(t.rowOf).size).toBe(n);
      const path = criticalPath(t);
      for (let i = 0; i < n; i++) {
        expect(t.self[i]).toBeGreaterThanOrEqual(0);
        expect(t.self[i]).toBeLessThanOrEqual(t.duration[i]);
        expect(path.total[i]).toBeLessThanOrEqual(t.duration[i]);
        expect(i + t.size[i]).toBeLessThanOrEqual(n);
      }
      expect(visibleRows(t, new Uint8Array(n)).length).toBe(n);
    }
  });
  it('counts errors below', () => {
    const t = build(
      columns([
        [-1, 0, 9],
        [0, 1, 2, Flag.error],
        [1, 1, 1, Flag.error],
        [0, 4, 1],
      ]),
    );
    expect([...t.errorsBelow]).toEqual([2, 2, 1, 0]);
    expect(t.errors).toBe(2);
  });
});

describe('times', () => {
  it('self is what no child covers, overlaps once', () => {
    const t = build(
      columns([
        [-1, 0, 100],
        [0, 10, 30],
        [0, 20, 40],
        [0, 90, 50],
      ]),
    );
    expect(t.self[0]).toBe(100 - 50 - 10);
  });
  it('the critical path follows what ended last', () => {
    const t = build(
      columns([
        [-1, 0, 100],
        [0, 10, 20],
        [0, 10, 60],
        [2, 20, 30],
      ]),
    );
    const path = criticalPath(t),
      total = [...path.total];
    expect(total.reduce((a, b) => a + b)).toBe(100);
    const row = (i: number) => t.rowOf[i];
    expect(total[row(0)]).toBe(40);
    expect(total[row(1)]).toBe(0);
    expect(total[row(2)]).toBe(30);
    expect(total[row(3)]).toBe(30);
  });
});

describe('folding and filters', () => {
  const t = build(
    columns([
      [-1, 0, 100],
      [0, 1, 10],
      [1, 2, 5],
      [0, 50, 10],
    ]),
  );
  it('hides what is below a folded span', () => {
    expect([...visibleRows(t, foldFrom(t, 1))]).toEqual([0, 1, 3]);
    expect([...visibleRows(t, foldFrom(t, 0))]).toEqual([0]);
  });
  it('keeps the ancestors of matches', () => {
    expect([...visibleRows(t, new Uint8Array(4), withAncestors(t, Uint8Array.from([0, 0, 1, 0])))]).toEqual([
      0, 1, 2,
    ]);
  });
});

describe('sums', () => {
  it('statistics add up', () => {
    const t = build(
      columns([
        [-1, 0, 100],
        [0, 10, 30, Flag.error],
      ]),
    );
    const [all] = statistics(t, { of: t.service, titles: t.services }, undefined, Uint8Array.from([0, 1]));
    expect(all).toMatchObject({
      title: 's',
      count: 2,
      errors: 1,
      matches: 1,
      total: 130,
      avg: 65,
      min: 30,
      max: 100,
      self: 100,
      selfAvg: 50,
      selfMin: 30,
      selfMax: 70,
      below: [],
    });
  });
  it('statistics split by attributes, and tell what has none or too many values', () => {
    const t = build(columns(Array.from({ length: 6 }, (_, i) => [i ? 0 : -1, i, 10, 0, i % 2])));
    const list = statistics(
      t,
      { of: [0, 0, 1, -1, 7, 8], titles: ['x', 'y'] },
      { of: t.name, titles: t.names },
    );
    expect(list.map((s) => [s.title, s.count, s.below.map((x) => `${x.title} ${x.count}`)])).toEqual([
      ['x', 2, ['a 1', 'b 1']],
      ['y', 1, ['a 1']],
      [undefined, 1, ['b 1']],
      ['further values', 2, ['a 1', 'b 1']],
    ]);
  });
  it('call paths merge equal siblings, and two traces compare by them', () => {
    const a = callPaths(
      build(
        columns([
          [-1, 0, 100, 0, 0],
          [0, 1, 5, 0, 1],
          [0, 10, 5, 0, 1],
          [0, 20, 5, 0, 2],
        ]),
      ),
    );
    const b = callPaths(
      build(
        columns([
          [-1, 0, 100, 0, 0],
          [0, 1, 5, 0, 1],
          [0, 10, 5, 0, 3],
        ]),
      ),
    );
    expect(a.map((x) => x.count)).toEqual([1, 2, 1]);
    expect(diff(a, b).map((d) => [d.name, d.a?.count, d.b?.count])).toEqual([
      ['a', 1, 1],
      ['b', 2, 1],
      ['c', 1, undefined],
      ['d', undefined, 1],
    ]);
  });
});

describe('columns', () => {
  it('are refused when they are something else', () => {
    expect(() => readColumns(new ArrayBuffer(4))).toThrow('not a trace');
    expect(() => readColumns(new TextEncoder().encode('{"data":null}').buffer)).toThrow('not a trace');
  });
});

describe('groups of siblings', () => {
  const fan = (n: number) =>
    build(
      columns(
        Array.from(
          { length: n + 1 },
          (_, i) => [i ? 0 : -1, i, i ? 10 : 1000, 0, 0] as [number, number, number, number, number],
        ),
      ),
    );

  it('ten alike are one row, nine are not', () => {
    for (const [n, rows] of [
      [9, 10],
      [10, 2],
      [340, 2],
    ]) {
      const t = fan(n),
        groups = groupSiblings(t);
      expect(visibleRows(t, new Uint8Array(t.n), undefined, groups, new Set())).toHaveLength(rows);
    }
  });

  it('an open group shows all, and knows their sum', () => {
    const t = fan(340),
      groups = groupSiblings(t),
      group = groups.of.get(1)!;
    expect(group).toMatchObject({ total: 3400, p95: 10, begin: 1, end: 350 });
    expect(visibleRows(t, new Uint8Array(t.n), undefined, groups, new Set([1]))).toHaveLength(341);
  });
});
