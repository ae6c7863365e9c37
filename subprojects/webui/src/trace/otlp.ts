// SPDX-License-Identifier: Apache-2.0
// OTLP-JSON and Jaeger's JSON (files, and servers without columns) into columns and details. All of it is someone
// else's data: fields may be missing, wrong or hostile.
import { type Columns, Flag, KINDS } from './model';

export interface AnyValue {
  stringValue?: string;
  boolValue?: boolean;
  intValue?: string | number;
  doubleValue?: number | string;
  bytesValue?: string;
  arrayValue?: { values?: AnyValue[] };
  kvlistValue?: { values?: KeyValue[] };
}
export interface KeyValue {
  key: string;
  value?: AnyValue;
}
export interface OtlpSpan {
  traceId?: string;
  spanId?: string;
  parentSpanId?: string;
  name?: string;
  kind?: number | string;
  startTimeUnixNano?: string | number;
  endTimeUnixNano?: string | number;
  attributes?: KeyValue[];
  status?: { code?: number | string; message?: string };
  traceState?: string;
  events?: { timeUnixNano?: string | number; name?: string; attributes?: KeyValue[] }[];
  links?: { traceId?: string; spanId?: string; attributes?: KeyValue[] }[];
}
export interface OtlpDocument {
  resourceSpans?: {
    resource?: { attributes?: KeyValue[] };
    scopeSpans?: {
      scope?: { name?: string; version?: string; attributes?: KeyValue[] };
      spans?: OtlpSpan[];
    }[];
  }[];
}

export type Value = string | number | boolean | bigint | null | Value[] | { [key: string]: Value };
export interface Attr {
  key: string;
  value: Value;
}
export interface SpanDetail {
  id: string;
  name: string;
  service: string;
  kind: string;
  attributes: Attr[];
  resource: Attr[];
  scope: { name: string; version: string };
  status: { code: number; message: string };
  traceState: string;
  warnings: string[];
  events: { atNs: bigint; name: string; attributes: Attr[] }[];
  links: { traceId: string; spanId: string; attributes: Attr[] }[];
}

const DEPTH_MAX = 32;
const WARNINGS = '@jaeger@warnings';

export function valueOf(v: AnyValue | undefined, depth = 0): Value {
  if (!v || depth > DEPTH_MAX) return null;
  if (v.stringValue !== undefined) return String(v.stringValue);
  if (v.boolValue !== undefined) return Boolean(v.boolValue);
  if (v.intValue !== undefined) {
    try {
      const big = BigInt(v.intValue);
      return Number.isSafeInteger(Number(big)) ? Number(big) : big;
    } catch {
      return String(v.intValue);
    }
  }
  if (v.doubleValue !== undefined) return Number(v.doubleValue);
  if (v.bytesValue !== undefined) return v.bytesValue;
  if (v.arrayValue) return (v.arrayValue.values ?? []).map((x) => valueOf(x, depth + 1));
  if (v.kvlistValue)
    return Object.fromEntries((v.kvlistValue.values ?? []).map((x) => [x.key, valueOf(x.value, depth + 1)]));
  return null;
}

export function textOf(value: Value): string {
  if (typeof value === 'string') return value;
  return JSON.stringify(value, (_, x: unknown) => (typeof x === 'bigint' ? x.toString() : x)) ?? '';
}

const attrs = (list: KeyValue[] | undefined): Attr[] =>
  Array.isArray(list) ? list.map((a) => ({ key: String(a.key ?? ''), value: valueOf(a.value) })) : [];

const big = (value: string | number | undefined): bigint => {
  try {
    return BigInt(value ?? 0);
  } catch {
    return 0n;
  }
};

function kindOf(kind: number | string | undefined): number {
  if (typeof kind === 'number') return kind >= 0 && kind <= 5 ? kind : 0;
  return Math.max(0, KINDS.indexOf((kind ?? '').replace('SPAN_KIND_', '').toLowerCase()));
}

function statusOf(code: number | string | undefined): number {
  return code === 2 || code === 'STATUS_CODE_ERROR' ? 2 : code === 1 || code === 'STATUS_CODE_OK' ? 1 : 0;
}

/** Every span of the document, with its group. */
export function* details(doc: OtlpDocument): Generator<[SpanDetail, OtlpSpan]> {
  for (const group of doc.resourceSpans ?? []) {
    const resource = attrs(group.resource?.attributes);
    const service = textOf(resource.find((a) => a.key === 'service.name')?.value ?? '');
    for (const scoped of group.scopeSpans ?? []) {
      for (const span of scoped.spans ?? []) {
        const all = attrs(span.attributes);
        const warnings = all.find((a) => a.key === WARNINGS)?.value;
        yield [
          {
            id: (span.spanId ?? '').toLowerCase(),
            name: span.name ?? '',
            service,
            kind: KINDS[kindOf(span.kind)] ?? '',
            attributes: all.filter((a) => a.key !== WARNINGS),
            resource,
            scope: { name: scoped.scope?.name ?? '', version: scoped.scope?.version ?? '' },
            status: { code: statusOf(span.status?.code), message: span.status?.message ?? '' },
            traceState: span.traceState ?? '',
            warnings: Array.isArray(warnings) ? warnings.map(textOf) : warnings ? [textOf(warnings)] : [],
            events: (span.events ?? []).map((e) => ({
              atNs: big(e.timeUnixNano),
              name: e.name ?? '',
              attributes: attrs(e.attributes),
            })),
            links: (span.links ?? []).map((l) => ({
              traceId: l.traceId ?? '',
              spanId: l.spanId ?? '',
              attributes: attrs(l.attributes),
            })),
          },
          span,
        ];
      }
    }
  }
}

interface Named {
  list: string[];
  at: Map<string, number>;
}
function number(names: Named, text: string): number {
  let index = names.at.get(text);
  if (index === undefined) {
    index = names.list.push(text) - 1;
    names.at.set(text, index);
  }
  return index;
}

/** One trace in columns. `details` are in the same order. */
export interface Loaded {
  columns: Columns;
  details: SpanDetail[];
}

/** A document may hold several traces. */
export function fromOtlp(doc: OtlpDocument): Loaded[] {
  const byTrace = new Map<string, [SpanDetail, OtlpSpan][]>();
  for (const pair of details(doc)) {
    const id = (pair[1].traceId ?? '').toLowerCase().padStart(32, '0');
    const list = byTrace.get(id);
    if (list) list.push(pair);
    else byTrace.set(id, [pair]);
  }
  return [...byTrace].map(([id, spans]) => toColumns(id, spans));
}

function toColumns(traceId: string, spans: [SpanDetail, OtlpSpan][]): Loaded {
  const n = spans.length;
  const services: Named = { list: [], at: new Map() },
    names: Named = { list: [], at: new Map() };
  const rows = new Map<string, number>();
  let t0 = 0n;
  spans.forEach(([detail, span], i) => {
    if (!rows.has(detail.id)) rows.set(detail.id, i);
    const start = big(span.startTimeUnixNano);
    if (start > 0n && (t0 === 0n || start < t0)) t0 = start;
  });
  const c: Columns = {
    n,
    traceId,
    t0,
    services: services.list,
    names: names.list,
    start: new Float64Array(n),
    duration: new Float64Array(n),
    ids: new Uint8Array(8 * n),
    parent: new Int32Array(n).fill(-1),
    service: new Uint32Array(n),
    name: new Uint32Array(n),
    kind: new Uint8Array(n),
    flags: new Uint8Array(n),
  };
  spans.forEach(([detail, span], i) => {
    const start = big(span.startTimeUnixNano),
      end = big(span.endTimeUnixNano),
      parentId = (span.parentSpanId ?? '').toLowerCase();
    c.start[i] = start > 0n ? Number(start - t0) : 0;
    c.duration[i] = start > 0n && end > start ? Number(end - start) : 0;
    for (let k = 0; k < 8; k++) c.ids[8 * i + k] = parseInt(detail.id.slice(2 * k, 2 * k + 2), 16) || 0;
    const parent = rows.get(parentId);
    const hasParent = /[1-9a-f]/.test(parentId);
    if (hasParent && parent !== undefined && parent !== i) c.parent[i] = parent;
    c.service[i] = number(services, detail.service);
    c.name[i] = number(names, detail.name);
    c.kind[i] = kindOf(span.kind);
    c.flags[i] =
      (detail.status.code === 2 ? Flag.error : 0) |
      (detail.status.code === 1 ? Flag.ok : 0) |
      (detail.events.length ? Flag.events : 0) |
      (detail.links.length ? Flag.links : 0) |
      (detail.warnings.length ? Flag.warnings : 0) |
      (hasParent && c.parent[i] < 0 ? Flag.orphan : 0);
  });
  return { columns: c, details: spans.map(([detail]) => detail) };
}

/* ---- Jaeger's JSON ---- */

interface JaegerTag {
  key: string;
  type?: string;
  value: unknown;
}
interface JaegerSpan {
  traceID?: string;
  spanID?: string;
  parentSpanID?: string;
  operationName?: string;
  processID?: string;
  startTime?: number;
  duration?: number;
  references?: { refType?: string; traceID?: string; spanID?: string }[];
  tags?: JaegerTag[];
  logs?: { timestamp?: number; fields?: JaegerTag[] }[];
  warnings?: string[] | null;
  process?: { serviceName?: string; tags?: JaegerTag[] };
}
export interface JaegerTrace {
  traceID?: string;
  spans?: JaegerSpan[];
  processes?: Record<string, { serviceName?: string; tags?: JaegerTag[] }>;
}

const plain = (value: unknown): string => (typeof value === 'string' ? value : '');

function tagValue(tag: JaegerTag): AnyValue {
  if (typeof tag.value === 'boolean' || tag.type === 'bool')
    return { boolValue: tag.value === true || tag.value === 'true' };
  if (tag.type === 'int64') return { intValue: String(tag.value) };
  if (typeof tag.value === 'number') return { doubleValue: tag.value };
  return { stringValue: typeof tag.value === 'string' ? tag.value : (JSON.stringify(tag.value) ?? '') };
}

const keyValues = (tags: JaegerTag[] | undefined): KeyValue[] =>
  (tags ?? []).map((tag) => ({ key: tag.key, value: tagValue(tag) }));
const micros = (us: number | undefined): string => String(BigInt(Math.round((us ?? 0) * 1000) || 0));

export function jaegerToOtlp(trace: JaegerTrace): OtlpDocument {
  const resourceSpans = (trace.spans ?? []).map((span) => {
    const process = span.process ?? trace.processes?.[span.processID ?? ''];
    const tags = span.tags ?? [];
    const find = (key: string) => tags.find((t) => t.key === key)?.value;
    const parent =
      span.references?.find((r) => r.traceID === span.traceID && r.refType === 'CHILD_OF') ??
      span.references?.find((r) => r.traceID === span.traceID);
    const error = find('error');
    const attributes = keyValues(tags.filter((t) => t.key !== 'span.kind'));
    if (span.warnings?.length)
      attributes.push({
        key: WARNINGS,
        value: { arrayValue: { values: span.warnings.map((w) => ({ stringValue: w })) } },
      });
    return {
      resource: {
        attributes: [
          { key: 'service.name', value: { stringValue: process?.serviceName ?? '' } },
          ...keyValues(process?.tags),
        ],
      },
      scopeSpans: [
        {
          spans: [
            {
              traceId: span.traceID ?? trace.traceID ?? '',
              spanId: (span.spanID ?? '').padStart(16, '0'),
              parentSpanId: (parent?.spanID ?? span.parentSpanID ?? '').padStart(16, '0'),
              name: span.operationName ?? '',
              kind: plain(find('span.kind')),
              attributes,
              startTimeUnixNano: micros(span.startTime),
              endTimeUnixNano: micros((span.startTime ?? 0) + (span.duration ?? 0)),
              status: { code: error !== undefined && error !== false && error !== 'false' ? 2 : 0 },
              events: (span.logs ?? []).map((log) => ({
                timeUnixNano: micros(log.timestamp),
                name: plain(log.fields?.find((f) => f.key === 'event')?.value) || 'log',
                attributes: keyValues(log.fields?.filter((f) => f.key !== 'event')),
              })),
              links: (span.references ?? [])
                .filter((r) => r !== parent)
                .map((r) => ({ traceId: r.traceID ?? '', spanId: r.spanID ?? '' })),
            },
          ],
        },
      ],
    };
  });
  return { resourceSpans };
}

/** A file: Jaeger or OTLP, one document, an array of them, or one a line. @throws Error with what is wrong */
export function readFile(text: string): Loaded[] {
  let documents: unknown[];
  try {
    documents = [JSON.parse(text)];
  } catch (error) {
    const lines = text.split('\n').filter((line) => line.trim());
    if (lines.length < 2) throw new Error(`Not JSON: ${(error as Error).message}`, { cause: error });
    documents = lines.map((line, i) => {
      try {
        return JSON.parse(line) as unknown;
      } catch {
        throw new Error(`Line ${i + 1} is not JSON.`);
      }
    });
  }
  const merged: OtlpDocument = { resourceSpans: [] };
  const visit = (value: unknown, depth: number): void => {
    if (Array.isArray(value)) {
      for (const item of value) visit(item, depth + 1);
      return;
    }
    if (depth > 4 || typeof value !== 'object' || value === null) return;
    const object = value as { resourceSpans?: unknown; spans?: unknown; data?: unknown; result?: unknown };
    if (Array.isArray(object.resourceSpans))
      merged.resourceSpans!.push(...(object as OtlpDocument).resourceSpans!);
    else if (Array.isArray(object.spans))
      merged.resourceSpans!.push(...jaegerToOtlp(object as JaegerTrace).resourceSpans!);
    else visit(object.data ?? object.result, depth + 1);
  };
  visit(documents, 0);
  const loaded = fromOtlp(merged).filter((trace) => trace.columns.n > 0);
  if (loaded.length === 0) throw new Error('No spans: neither Jaeger nor OTLP JSON.');
  return loaded;
}
