// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { Documents, readColumns } from '../src/trace/columns';

function document(n: number, etag: string): Uint8Array {
  let head = JSON.stringify({ n, traceId: 'a'.repeat(32), t0: '5', services: ['s'], names: ['x'], etag });
  head = head.padEnd(Math.ceil(head.length / 8) * 8);
  const columns = [8, 8, 8, 4, 4, 4, 1, 1].reduce((sum, w) => sum + Math.ceil((n * w) / 8) * 8, 0);
  const all = new Uint8Array(8 + head.length + columns);
  all.set(new TextEncoder().encode('JTC1'));
  new DataView(all.buffer).setUint32(4, head.length, true);
  all.set(new TextEncoder().encode(head), 8);
  return all;
}
const BEAT = Uint8Array.from([0x4a, 0x54, 0x42, 0x31, 0, 0, 0, 0]);
const join = (...parts: Uint8Array[]) => Uint8Array.from(parts.flatMap((p) => [...p]));

describe('documents in pieces', () => {
  const bytes = join(BEAT, document(1, 'one'), document(3, 'three'), BEAT, BEAT, document(30_000, 'many'));
  it.each([1, 7, 4096, bytes.length])('of %i bytes', (size) => {
    const documents = new Documents(),
      seen: string[] = [];
    for (let at = 0; at < bytes.length; at += size)
      for (const whole of documents.push(bytes.slice(at, at + size))) {
        const columns = readColumns(whole);
        seen.push(`${columns.n} ${columns.etag} ${columns.flags.length}`);
      }
    expect(seen).toEqual(['1 one 1', '3 three 3', '30000 many 30000']);
  });
  it('are refused when they are something else', () =>
    expect(() => new Documents().push(new TextEncoder().encode('{"data":null}'))).toThrow('not a trace'));
});
