// SPDX-License-Identifier: Apache-2.0
// Where traces come from: columns of our server, OTLP of any other, or a file. Details and searches are asked for late.
import {
  findInTrace,
  type KeyCount,
  keysOfTrace,
  linksInTrace,
  spanDetails,
  traceColumns,
  traceOtlp,
  valuesInTrace,
  watchTrace,
} from '../lib/api';
import type { Grouping } from './aggregate';
import { Documents, readColumns } from './columns';
import { words, wordsFit } from './find';
import { build, rowsById, spanId, type Trace } from './model';
import { type Attr, details, fromOtlp, type Loaded, type SpanDetail, textOf } from './otlp';

export interface Source {
  trace: Trace;
  uploaded: boolean;
  /** Full spans of these rows; missing ones are left out. */
  details(rows: number[], signal?: AbortSignal): Promise<Map<number, SpanDetail>>;
  /** The same trace, if more of it has arrived. Absent: it does not change. */
  again?(signal: AbortSignal): Promise<Source | undefined>;
  /** Hand out the trace whenever it has grown, until the server ends the answer; `beat`: something came.
   *  @throws it cannot be had, or was lost */
  watch?(signal: AbortSignal, beat: () => void, grown: (next: Source) => void): Promise<void>;
  /** Rows in which all words are found. */
  find(query: string, signal?: AbortSignal): Promise<Uint8Array>;
  /** Keys of attributes, and the spans by the values of one. */
  keys(signal?: AbortSignal): Promise<KeyCount[]>;
  values(key: string, signal?: AbortSignal): Promise<Grouping>;
  /** Links within the trace: rows [from, to, from, to, …]. */
  links(signal?: AbortSignal): Promise<number[]>;
}

const uploads = new Map<string, Source>();
const AT_ONCE = 200;

export function addUpload(loaded: Loaded): Source {
  const source = fromMemory(loaded, true);
  uploads.set(source.trace.traceId, source);
  return source;
}
export function uploadedTraces(): Source[] {
  return [...uploads.values()];
}

export async function load(id: string, signal?: AbortSignal): Promise<Source> {
  const padded = /^[0-9a-f]{1,32}$/i.test(id) ? id.toLowerCase().padStart(32, '0') : id;
  const upload = uploads.get(padded);
  if (upload) return upload;
  const columns = await traceColumns(id, signal);
  if (columns && columns !== 'same') return fromServer(build(readColumns(columns.buffer)), columns.etag);
  const loaded = fromOtlp(await traceOtlp(id, signal))[0];
  if (!loaded) throw new Error('trace not found');
  return fromMemory(loaded, false);
}

function fromServer(trace: Trace, etag: string): Source {
  const cache = new Map<number, SpanDetail>();
  return {
    trace,
    uploaded: false,
    async again(signal) {
      const columns = await traceColumns(trace.traceId, signal, etag);
      return columns && columns !== 'same'
        ? fromServer(build(readColumns(columns.buffer)), columns.etag)
        : undefined;
    },
    async watch(signal, beat, grown) {
      const reader = await watchTrace(trace.traceId, etag, signal),
        documents = new Documents();
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        beat();
        const last = documents.push(part.value).pop(); // of several only the newest counts
        if (!last) continue;
        const columns = readColumns(last);
        grown(fromServer(build(columns), columns.etag));
      }
    },
    async details(rows, signal) {
      const wanted = rows.filter((row) => !cache.has(row));
      for (let at = 0; at < wanted.length; at += AT_ONCE) {
        const part = wanted.slice(at, at + AT_ONCE);
        const rowOf = new Map(part.map((row) => [spanId(trace, row), row]));
        for (const [detail] of details(await spanDetails(trace.traceId, [...rowOf.keys()], signal))) {
          const row = rowOf.get(detail.id);
          if (row !== undefined) cache.set(row, detail);
        }
      }
      const result = new Map<number, SpanDetail>();
      for (const row of rows) {
        const detail = cache.get(row);
        if (detail) result.set(row, detail);
      }
      if (cache.size > 5000) cache.clear();
      return result;
    },
    async find(query, signal) {
      const found = new Uint8Array(trace.n);
      const answer = await findInTrace(trace.traceId, query, signal);
      for (const index of answer.matches) if (index < trace.n) found[trace.rowOf[index]] = 1;
      return found;
    },
    keys: (signal) => keysOfTrace(trace.traceId, signal),
    async values(key, signal) {
      const answer = await valuesInTrace(trace.traceId, key, signal);
      const of = new Int32Array(trace.n).fill(-1);
      answer.of.slice(0, trace.n).forEach((number, index) => (of[trace.rowOf[index]] = number));
      return { of, titles: answer.values };
    },
    async links(signal) {
      const pairs = await linksInTrace(trace.traceId, signal);
      return pairs.every((index) => index < trace.n) ? pairs.map((index) => trace.rowOf[index]) : [];
    },
  };
}

/** Groups of spans by a key of their own or of their resource. */
function grouped(n: number, byRow: Map<number, SpanDetail>, key: string): Grouping {
  const of = new Int32Array(n).fill(-1),
    numbers = new Map<string, number>();
  const has = (a: Attr) => a.key === key;
  for (const [row, detail] of byRow) {
    const attr = detail.attributes.find(has) ?? detail.resource.find(has);
    if (!attr) continue;
    const text = textOf(attr.value).slice(0, 256);
    let number = numbers.get(text);
    if (number === undefined) numbers.set(text, (number = numbers.size));
    of[row] = number;
  }
  return { of, titles: [...numbers.keys()] };
}

function counted(byRow: Map<number, SpanDetail>): KeyCount[] {
  const spans = new Map<string, number>();
  for (const detail of byRow.values())
    for (const key of new Set([...detail.attributes, ...detail.resource].map((a) => a.key)))
      spans.set(key, (spans.get(key) ?? 0) + 1);
  return [...spans].map(([key, n]) => ({ key, spans: n }));
}

function linked(trace: Trace, byRow: Map<number, SpanDetail>): number[] {
  const rows = rowsById(trace),
    pairs: number[] = [];
  for (const [row, detail] of byRow)
    for (const link of detail.links) {
      const to = link.traceId.padStart(32, '0') === trace.traceId ? rows.get(link.spanId) : undefined;
      if (to !== undefined) pairs.push(row, to);
    }
  return pairs;
}

function fromMemory(loaded: Loaded, uploaded: boolean): Source {
  const trace = build(loaded.columns);
  const byRow = new Map<number, SpanDetail>(loaded.details.map((detail, i) => [trace.rowOf[i], detail]));
  return {
    trace,
    uploaded,
    details: (rows) =>
      Promise.resolve(
        new Map(
          rows.flatMap((row) => {
            const d = byRow.get(row);
            return d ? [[row, d] as const] : [];
          }),
        ),
      ),
    find(query) {
      const found = new Uint8Array(trace.n),
        wanted = words(query);
      for (const [row, detail] of byRow) if (wordsFit(wanted, detail)) found[row] = 1;
      return Promise.resolve(found);
    },
    keys: () => Promise.resolve(counted(byRow)),
    values: (key) => Promise.resolve(grouped(trace.n, byRow, key)),
    links: () => Promise.resolve(linked(trace, byRow)),
  };
}
