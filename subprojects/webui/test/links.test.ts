// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { hash, serviceColor } from '../src/lib/color';
import { type LinkPattern, merge, safeUrl } from '../src/lib/config';
import { asksAncestors, fill, linksOf } from '../src/lib/links';
import type { Attr, SpanDetail } from '../src/trace/otlp';

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

describe('names of link patterns', () => {
  const span = (attributes: Attr[], resource: Attr[] = []): SpanDetail => ({
    id: '01',
    name: '',
    service: '',
    kind: '',
    attributes,
    resource,
    scope: { name: '', version: '' },
    status: { code: 0, message: '' },
    traceState: '',
    warnings: [],
    events: [],
    links: [],
  });
  const id = { key: 'id', value: 'a/b' },
    zone = { key: 'zone', value: 'own' };
  const line = [span([id]), span([], [zone]), span([{ key: 'zone', value: 'far' }])];
  const pattern = (type: string, url: string): LinkPattern[] => [{ type, key: 'id', url, text: '#{id}' }];
  const urls = (type: 'tags' | 'process' | 'logs', url: string, list = [id]) =>
    linksOf(type, id, { list, line, trace: { traceID: 'abc' } }, pattern(type, url)).map((l) => l.url);

  it('are looked up in the list, then in the nearest ancestor', () => {
    expect(urls('tags', 'http://x/#{id}/#{zone}')).toEqual(['http://x/a%2Fb/own']);
    expect(urls('logs', 'http://x/#{zone}', [id, { key: 'zone', value: 'event' }])).toEqual([
      'http://x/event',
    ]);
    expect(urls('tags', 'http://x/#{trace.traceID}')).toEqual(['http://x/abc']);
    expect(urls('tags', 'http://x/#{nobody}')).toEqual([]);
  });
  it('of a resource are looked up there only', () => expect(urls('process', 'http://x/#{zone}')).toEqual([]));
  it('lead nowhere but to the web', () => expect(urls('tags', 'javascript:alert(#{id})')).toEqual([]));
  it('make ancestors be asked for only when one is missing', () => {
    expect(asksAncestors(line[0], pattern('tags', 'http://x/#{zone}'))).toBe(true);
    expect(asksAncestors(line[0], pattern('tags', 'http://x/#{id | pad_start 5 0}'))).toBe(false);
    expect(asksAncestors(line[0], pattern('tags', 'http://x/#{trace.traceID}'))).toBe(false);
    expect(asksAncestors(line[1], pattern('tags', 'http://x/#{zone}'))).toBe(false);
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
