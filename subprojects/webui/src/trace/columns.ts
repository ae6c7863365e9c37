// SPDX-License-Identifier: Apache-2.0
// Reads the answer of /api/ui/v1/trace/{id}: "JTC1", length of the head, head (JSON), columns at multiples of 8 bytes.
import type { Columns } from './model';

/** Bytes of an item of each column, in their order. */
const WIDTHS = [8, 8, 8, 4, 4, 4, 1, 1];
const MAGIC = 0x4a544331, // JTC1
  BEAT = 0x4a544231; // JTB1: nothing new, but the other side is there
const HEAD_MAX = 256 << 20;

interface Head {
  n: number;
  traceId: string;
  t0: string;
  services: string[];
  names: string[];
  etag?: string;
}

export function readColumns(buffer: ArrayBuffer): Columns & { etag: string } {
  const view = new DataView(buffer);
  if (buffer.byteLength < 8 || view.getUint32(0, false) !== MAGIC) throw new Error('not a trace in columns');
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
    etag: head.etag ?? '',
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

/** Cuts what comes in pieces into documents, each of which readColumns() reads. */
export class Documents {
  private held = new Uint8Array(1 << 16);
  private length = 0;
  private size: number | undefined; // of the document that begins the rest, once its head is there

  /** @return the documents that are complete now. @throws Error: it is something else */
  push(piece: Uint8Array): ArrayBuffer[] {
    this.reserve(this.length + piece.length);
    this.held.set(piece, this.length);
    this.length += piece.length;
    const whole: ArrayBuffer[] = [];
    for (let size = this.next(); size !== undefined && size <= this.length; size = this.next()) {
      if (size > 8) whole.push(this.held.slice(0, size).buffer);
      this.held.copyWithin(0, size, this.length);
      this.length -= size;
      this.size = undefined;
    }
    return whole;
  }

  private reserve(bytes: number): void {
    if (bytes <= this.held.length) return;
    const grown = new Uint8Array(Math.max(bytes, 2 * this.held.length));
    grown.set(this.held.subarray(0, this.length));
    this.held = grown;
  }

  /** Bytes of the document that begins here; undefined: its head is not there yet. */
  private next(): number | undefined {
    if (this.size !== undefined || this.length < 8) return this.size;
    const view = new DataView(this.held.buffer),
      magic = view.getUint32(0, false),
      headBytes = view.getUint32(4, true);
    if (magic === BEAT) return 8;
    if (magic !== MAGIC || headBytes > HEAD_MAX) throw new Error('not a trace in columns');
    if (this.length < 8 + headBytes) return undefined;
    const { n } = JSON.parse(new TextDecoder().decode(this.held.subarray(8, 8 + headBytes))) as Head;
    this.size = 8 + headBytes + WIDTHS.reduce((sum, width) => sum + Math.ceil((n * width) / 8) * 8, 0);
    return this.size;
  }
}
