// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { hash, serviceColor } from '../src/lib/color';
import { merge, safeUrl } from '../src/lib/config';
import { fill } from '../src/lib/links';

describe('link patterns', () => {
  const facts: Record<string, string> = { id: 'a/b', start: '1700000000000000', n: '41' };
  const look = (name: string) => facts[name];
  it('fill in and escape', () =>
    expect(fill('http://x/?id=#{id}', look, encodeURIComponent)).toBe('http://x/?id=a%2Fb'));
  it('format', () => {
    expect(fill('#{start | epoch_micros_to_date_iso}', look)).toBe('2023-11-14T22:13:20.000Z');
    expect(fill('#{n | add 1 | pad_start 5 0}', look)).toBe('00042');
  });
  it('are left out when a value is missing', () => expect(fill('#{none}', look)).toBeUndefined());
  it('lead only to the web', () => {
    expect(safeUrl('https://x/')).toBe('https://x/');
    for (const url of ['javascript:alert(1)', 'JaVaScRiPt:alert(1)', 'data:text/html,x', 'vbscript:x'])
      expect(safeUrl(url)).toBeUndefined();
  });
});

describe('configuration', () => {
  it('overrides known keys of the right type only', () =>
    expect(
      merge(
        { a: 1, b: { c: 'x' }, d: [1] },
        { a: 'no', b: { c: 'y', evil: 1 }, d: [2], more: 1, __proto__: { p: 1 } },
      ),
    ).toEqual({ a: 1, b: { c: 'y' }, d: [2] }));
});

it('colours are stable and differ', () => {
  expect(serviceColor('frontend', false)).toBe(serviceColor('frontend', false));
  expect(
    new Set(Array.from({ length: 40 }, (_, i) => serviceColor(`service-${i}`, false))).size,
  ).toBeGreaterThan(20);
  expect(hash('a')).not.toBe(hash('b'));
});
