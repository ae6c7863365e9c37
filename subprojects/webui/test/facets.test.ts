// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import type { Summary } from '../src/lib/api';
import { bucketOf, countsOf, facetsOfText, facetsToText, narrow, toggled } from '../src/search/facets';
import { upperRows } from '../src/search/upper';

const trace = (root: string, durationNs: number, errors: number, services: string[]): Summary => ({
  traceId: root,
  root,
  rootService: services[0],
  startMs: 0,
  durationNs,
  spans: 1,
  errors,
  orphans: 0,
  services: services.map((name) => ({ name, spans: 1, errors: 0 })),
});
const list = [
  trace('a', 5e5, 0, ['x', 'y']),
  trace('b', 5e6, 2, ['x']),
  trace('b', 5e6, 0, ['z']),
  trace('c', 2e10, 1, ['y', 'y']),
];

describe('facets', () => {
  it('count traces by what the other facets leave', () => {
    expect(countsOf(list, {}, 'service')).toEqual([
      ['x', 2],
      ['y', 2],
      ['z', 1],
    ]);
    expect(countsOf(list, { status: ['With errors'] }, 'service')).toEqual([
      ['x', 1],
      ['y', 1],
    ]);
    expect(countsOf(list, { status: ['With errors'] }, 'status')).toEqual([
      ['With errors', 2],
      ['Without errors', 2],
    ]);
    expect(countsOf(list, { service: ['z'], duration: ['> 10 s'] }, 'duration')).toEqual([
      ['1–10 ms', 1],
      ['> 10 s', 0],
    ]);
  });
  it('narrow: values are alternatives, facets must all fit', () => {
    expect(narrow(list, {})).toBe(list);
    expect(narrow(list, { operation: ['a', 'b'], status: ['Without errors'] }).map((t) => t.root)).toEqual([
      'a',
      'b',
    ]);
  });
  it('are in the URL, whatever is made up there', () => {
    const chosen = toggled(toggled({}, 'service', 'x'), 'service', 'y');
    expect(facetsOfText(facetsToText(chosen))).toEqual({ service: ['x', 'y'] });
    expect(facetsToText(toggled(toggled(chosen, 'service', 'x'), 'service', 'y'))).toBeUndefined();
    for (const text of ['', 'null', '{', '[1]', '{"service":"x"}', '{"service":[1,{}],"__proto__":["x"]}'])
      expect(narrow(list, facetsOfText(text))).toHaveLength(4);
  });
  it('put durations into buckets', () =>
    expect([0, 999_999, 1e6, 1e9, 1e12].map(bucketOf)).toEqual([
      '< 1 ms',
      '< 1 ms',
      '1–10 ms',
      '1–10 s',
      '> 10 s',
    ]));
});

describe('a preview', () => {
  const depth = Int32Array.from([0, 1, 2, 2, 1, 2]);
  it('has whole levels as long as they fit', () => {
    expect(upperRows({ n: 6, depth }, 6)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(upperRows({ n: 6, depth }, 4)).toEqual([0, 1, 4]);
    expect(upperRows({ n: 6, depth }, 2)).toEqual([0, 1]);
    expect(upperRows({ n: 0, depth }, 2)).toEqual([]);
  });
});
