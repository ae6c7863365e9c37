// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { errorAt, nameOf, placeInFilter, placeInTags, tagText, valueText } from '../src/search/complete';

const at = (text: string) => {
  const caret = text.indexOf('|'),
    p = placeInFilter(text.replace('|', ''), caret);
  return `${p.wanted}:${p.part}${p.wanted === 'value' ? `<${p.name}` : ''}`;
};

describe('what a filter wants at the caret', () => {
  test.each([
    ['|', 'name:'],
    ['ht|', 'name:ht'],
    ['ht|tp.route = 1', 'name:ht'],
    ['http.route |', 'operator:'],
    ['http.route =|', 'value:<http.route'],
    ['http.route = "GE|', 'value:"GE<http.route'],
    ['http.route = "GET /x" |', 'join:'],
    ['a = 1 an|', 'join:an'],
    ['a = 1 and |', 'name:'],
    ['a = 1 && (b|', 'name:b'],
    ['not a|', 'name:a'],
    ['a in (|', 'value:<a'],
    ['a in (x, |', 'value:<a'],
    ['a in (x, y) |', 'join:'],
    ['a not in (|', 'value:<a'],
    ['exists(k|', 'name:k'],
    ['hasError |', 'join:'],
    ['{ service = |', 'value:<service'],
    ['some(event, event.na|', 'name:event.na'],
    ['a exists |', 'join:'],
  ])('%s', (text, want) => {
    expect(at(text)).toBe(want);
  });

  test('the whole word is replaced', () => {
    expect(placeInFilter('http.route = x', 6)).toMatchObject({ from: 0, to: 10, part: 'http.r' });
  });
});

test('tags want keys, then their values', () => {
  expect(placeInTags('error=true http.r', 17)).toMatchObject({ wanted: 'name', part: 'http.r', from: 11 });
  expect(placeInTags('http.route="GET /', 17)).toMatchObject({
    wanted: 'value',
    name: 'http.route',
    part: '"GET /',
  });
});

test('odd names and values are quoted', () => {
  expect(nameOf('http.route')).toBe('http.route');
  expect(nameOf('kind')).toBe('span."kind"');
  expect(nameOf('a "b"')).toBe('span."a \\"b\\""');
  expect(valueText('GET /', 'http.route')).toBe('"GET /"');
  expect(valueText('500', 'code')).toBe('500');
  expect(valueText('server', 'kind')).toBe('server');
  expect(tagText('a b')).toBe('"a b"');
});

test('columns of the server count bytes', () => {
  expect(errorAt('query.filter: column 12: no', 'duration > 5')).toBe(11);
  expect(errorAt('query.filter: column 4: no', 'äb >')).toBe(2);
  expect(errorAt('out of memory', 'a')).toBeUndefined();
});
