// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { words, wordsFit } from '../src/trace/find';
import type { SpanDetail } from '../src/trace/otlp';

const span: SpanDetail = {
  id: '00000000000000fe',
  name: 'GET /cart',
  service: 'Shop',
  kind: 'server',
  attributes: [
    { key: 'http.status', value: 503 },
    { key: 'list', value: ['blue'] },
  ],
  resource: [{ key: 'host', value: 'node-7' }],
  scope: { name: '', version: '' },
  status: { code: 0, message: '' },
  traceState: '',
  warnings: [],
  events: [{ atNs: 0n, name: 'retry', attributes: [{ key: 'attempt', value: 2 }] }],
  links: [],
};

describe('the search box', () => {
  it('splits words, phrases and what is negated', () =>
    expect(words('a -b -c=d "e f" -"g h=i" - "-j" "" -""')).toEqual([
      { text: 'a', role: 'wanted' },
      { text: 'b', role: 'leftOut' },
      { text: 'c=d', role: 'unwanted' },
      { text: 'e f', role: 'wanted' },
      { text: 'g h=i', role: 'unwanted' },
      { text: '-', role: 'wanted' },
      { text: '-j', role: 'wanted' },
    ]));
  // The same table as tests/query/span_find_test.c: both sides find the same.
  it.each([
    ['shop', true],
    ['"GET /cart"', true],
    ['"cart GET"', false],
    ['cart nothing', false],
    ['http.status=50', true],
    ['http.status=4', false],
    ['attempt=2', true],
    ['503 -http', false],
    ['503 -STATUS', false],
    ['503 -attempt', true],
    ['node-7 -host', false],
    ['-attempt', false],
    ['cart -attempt=2', false],
    ['cart -attempt=3', true],
    ['-attempt=3', true],
    ['-host=node', false],
    ['"-attempt"', false],
    ['', false],
  ])('%s', (query, want) => expect(wordsFit(words(query), span)).toBe(want));
});
