// SPDX-License-Identifier: Apache-2.0
// Reads the answer of /api/ui/v1/trace/{id}: "JTC1", length of the head, head (JSON), columns at multiples of 8 bytes.
import type { Columns } from './model';

interface Head {
  n: number;
  traceId: string;
  t0: string;
  services: string[];
  names: string[];
}

export function readColumns(buffer: ArrayBuffer): Columns {
  const view = new DataView(buffer);
  if (buffer.byteLength < 8 || view.getUint32(0, false) !== 0x4a544331)
    throw new Error('not a trace in columns');
  const headBytes = view.getUint32(4, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, headBytes))) as Head;
  let at = 8 + headBytes;
  const { n } = head;
  const column = <T>(
    bytes: number,
    of: new (buffer: ArrayBuffer, offset: number, length: number) => T,
    length = n,
  ): T => {
    const result = new of(buffer, at, length);
    at += Math.ceil((n * bytes) / 8) * 8;
    return result;
  };
  return {
    n,
    traceId: head.traceId,
    t0: BigInt(head.t0),
    services: head.services,
    names: head.names,
    start: column(8, Float64Array),
    duration: column(8, Float64Array),
    ids: column(8, Uint8Array, 8 * n),
    parent: column(4, Int32Array),
    service: column(4, Uint32Array),
    name: column(4, Uint32Array),
    kind: column(1, Uint8Array),
    flags: column(1, Uint8Array),
  };
}
