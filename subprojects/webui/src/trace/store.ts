// SPDX-License-Identifier: Apache-2.0
// Where traces come from: columns of our server, OTLP of any other, or a file. Details and searches are asked for late.
import { findInTrace, spanDetails, traceColumns, traceOtlp } from '../lib/api';
import { readColumns } from './columns';
import { build, spanId, type Trace } from './model';
import { details, fromOtlp, type Loaded, type SpanDetail, textOf } from './otlp';

export interface Source {
  trace: Trace;
  uploaded: boolean;
  /** Full spans of these rows; missing ones are left out. */
  details(rows: number[], signal?: AbortSignal): Promise<Map<number, SpanDetail>>;
  /** The same trace, if more of it has arrived. Absent: it does not change. */
  again?(signal: AbortSignal): Promise<Source | undefined>;
  /** Rows in which all words are found. */
  find(query: string, signal?: AbortSignal): Promise<Uint8Array>;
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
  };
}

/** Words and "phrases", as the server splits them. */
export function words(query: string): string[] {
  return [...query.matchAll(/"([^"]*)"?|(\S+)/g)]
    .map((m) => (m[1] ?? m[2] ?? '').toLowerCase())
    .filter(Boolean)
    .slice(0, 16);
}

function haystack(detail: SpanDetail): string[] {
  const pairs = [...detail.attributes, ...detail.resource, ...detail.events.flatMap((e) => e.attributes)];
  return [
    detail.service,
    detail.name,
    detail.id,
    ...detail.events.map((e) => e.name),
    ...pairs.map((a) => `${a.key}=${textOf(a.value)}`),
  ].map((text) => text.toLowerCase());
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
      for (const [row, detail] of byRow) {
        const texts = haystack(detail);
        if (wanted.length && wanted.every((word) => texts.some((text) => text.includes(word))))
          found[row] = 1;
      }
      return Promise.resolve(found);
    },
  };
}
