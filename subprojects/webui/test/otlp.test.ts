// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { build, Flag } from '../src/trace/model';
import { jaegerToOtlp, readFile, textOf, valueOf } from '../src/trace/otlp';

const T = '0'.repeat(31) + 'a';
const otlp = {
  resourceSpans: [
    {
      resource: { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] },
      scopeSpans: [
        {
          spans: [
            {
              traceId: T,
              spanId: '0000000000000002',
              parentSpanId: '0000000000000001',
              name: 'child',
              kind: 3,
              startTimeUnixNano: '1700000000000000010',
              endTimeUnixNano: '1700000000000000020',
              status: { code: 2 },
            },
            {
              traceId: T,
              spanId: '0000000000000001',
              name: 'root',
              kind: 'SPAN_KIND_SERVER',
              startTimeUnixNano: '1700000000000000000',
              endTimeUnixNano: '1700000000000000100',
            },
          ],
        },
      ],
    },
  ],
};
const jaeger = {
  data: [
    {
      traceID: T,
      processes: { p1: { serviceName: 'shop', tags: [] } },
      spans: [
        {
          traceID: T,
          spanID: '1',
          operationName: 'root',
          processID: 'p1',
          startTime: 1700000000000000,
          duration: 100,
          references: [],
          tags: [
            { key: 'span.kind', type: 'string', value: 'server' },
            { key: 'big', type: 'int64', value: '9007199254740993' },
          ],
          logs: [
            {
              timestamp: 1700000000000001,
              fields: [
                { key: 'event', value: 'hello' },
                { key: 'n', type: 'int64', value: 1 },
              ],
            },
          ],
        },
        {
          traceID: T,
          spanID: '2',
          operationName: 'child',
          processID: 'p1',
          startTime: 1700000000000010,
          duration: 5,
          references: [
            { refType: 'CHILD_OF', traceID: T, spanID: '1' },
            { refType: 'FOLLOWS_FROM', traceID: 'b', spanID: '9' },
          ],
          tags: [{ key: 'error', type: 'bool', value: true }],
          warnings: ['clock skew'],
        },
      ],
    },
  ],
};

describe('files', () => {
  it('OTLP: kinds by number or name, nanoseconds kept', () => {
    const [one] = readFile(JSON.stringify(otlp));
    const t = build(one.columns);
    expect(t.names[t.name[0]]).toBe('root');
    expect([...t.kind]).toEqual([2, 3]);
    expect([...t.start]).toEqual([0, 10]);
    expect(t.parent[1]).toBe(0);
    expect(t.errors).toBe(1);
  });
  it('Jaeger: references, logs, warnings, errors', () => {
    const [one] = readFile(JSON.stringify(jaeger));
    const t = build(one.columns);
    expect(t.parent[1]).toBe(0);
    expect(t.flags[1] & (Flag.error | Flag.links | Flag.warnings)).toBe(
      Flag.error | Flag.links | Flag.warnings,
    );
    expect(one.details[0].events[0]).toMatchObject({ name: 'hello', attributes: [{ key: 'n', value: 1 }] });
    expect(one.details[0].attributes[0]).toEqual({ key: 'big', value: 9007199254740993n });
    expect(one.details[1].warnings).toEqual(['clock skew']);
    expect(one.details[1].links).toHaveLength(1);
  });
  it('one document a line, and several traces', () => {
    const other = JSON.stringify(otlp).replaceAll(T, '0'.repeat(31) + 'b');
    expect(readFile(`${JSON.stringify(otlp)}\n${other}\n`)).toHaveLength(2);
    expect(readFile(`[${JSON.stringify(otlp)},${other}]`)).toHaveLength(2);
  });
  it.each([
    ['{', 'Not JSON'],
    ['{}', 'No spans'],
    ['[1,null,"x"]', 'No spans'],
    ['{"a":1}\n{', 'Line 2'],
  ])('%s is refused', (text, why) => expect(() => readFile(text)).toThrow(why));
  it('strange fields do not throw', () => {
    expect(
      readFile(
        '{"resourceSpans":[{"scopeSpans":[{"spans":[{"spanId":"zz","startTimeUnixNano":"x","attributes":[{"key":"k"}]}]}]}]}',
      )[0].columns.n,
    ).toBe(1);
    expect(jaegerToOtlp({}).resourceSpans).toEqual([]);
  });
});

it('values: large integers stay exact, deep ones end', () => {
  expect(valueOf({ intValue: '9223372036854775807' })).toBe(9223372036854775807n);
  expect(
    textOf(
      valueOf({
        kvlistValue: {
          values: [
            {
              key: 'a',
              value: { arrayValue: { values: [{ boolValue: true }, { intValue: '9223372036854775807' }] } },
            },
          ],
        },
      }),
    ),
  ).toBe('{"a":[true,"9223372036854775807"]}');
  let deep: object = { stringValue: 'x' };
  for (let i = 0; i < 5000; i++) deep = { arrayValue: { values: [deep] } };
  expect(() => valueOf(deep)).not.toThrow();
});
