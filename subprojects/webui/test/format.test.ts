// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import {
  duration,
  formatTags,
  parseDuration,
  parseLookback,
  parseTags,
  quantile,
  ticks,
} from '../src/lib/format';

describe('durations', () => {
  it.each([
    [0, '0'],
    [1, '1 ns'],
    [999, '999 ns'],
    [1500, '1.5 µs'],
    [1_234_000, '1.23 ms'],
    [67_900_000, '67.9 ms'],
    [1e9, '1 s'],
    [100e9, '1 m 40 s'],
    [60e9, '1 m'],
    [3600e9, '1 h'],
    [90_000e9, '1 d 1 h'],
    [-1500, '−1.5 µs'],
    [NaN, '–'],
  ])('%d ns is %s', (ns, text) => expect(duration(ns)).toBe(text));
  it.each([
    ['1.2s', 1.2e9],
    ['100ms', 1e8],
    ['500us', 5e5],
    ['500µs', 5e5],
    ['1m30s', 90e9],
    ['2 h', 7200e9],
  ])('%s is read', (text, ns) => expect(parseDuration(text)).toBe(ns));
  it.each(['', '1', 's', '1x', '-1s', '1s2'])('"%s" is none', (text) =>
    expect(parseDuration(text)).toBeUndefined(),
  );
  it('lookbacks', () => {
    expect(parseLookback('2d')).toBe(172800e3);
    expect(parseLookback('custom')).toBeUndefined();
  });
});

describe('tags', () => {
  it('are read and written', () => {
    const text = 'error=true http.url="/a b" q="say \\"hi\\"" empty=""';
    const tags = parseTags(text);
    expect(tags).toEqual({ error: 'true', 'http.url': '/a b', q: 'say "hi"', empty: '' });
    expect(parseTags(formatTags(tags))).toEqual(tags);
  });
  it.each([
    ['error', 'needs a value'],
    ['=x', 'key is missing'],
    ['a="x', 'not closed'],
  ])('%s is refused', (text, why) => expect(() => parseTags(text)).toThrow(why));
});

it('ticks are round and inside', () => {
  expect(ticks(0, 100, 5)).toEqual([0, 20, 40, 60, 80, 100]);
  expect(ticks(5, 5, 3)).toEqual([5]);
});
it('quantiles', () => {
  expect(quantile([1, 2, 3, 4], 0.5)).toBe(3);
  expect(quantile([], 0.5)).toBe(0);
});
