// SPDX-License-Identifier: Apache-2.0
// The calls to the server, all under the page's own prefix. Public APIs where there are such, /api/ui/v1 for columns.
import { config } from './config';
import { prefix } from './router';
import type { OtlpDocument } from '../trace/otlp';

export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

/** For the end of a promise: passes on why it failed, unless it was given up. */
export function failed(say: (message: string, error: Error) => void): (error: unknown) => void {
  return (cause) => {
    const error = cause instanceof Error ? cause : new Error(String(cause));
    if (error.name !== 'AbortError') say(error.message, error);
  };
}

function reason(text: string, response: Response): string {
  try {
    const body = JSON.parse(text) as { errors?: { msg?: string }[]; error?: { message?: string } };
    const message = body.errors?.[0]?.msg ?? body.error?.message;
    if (message) return message;
  } catch {
    /* not JSON: shown as it is */
  }
  return text.length > 0 && text.length < 300 && !text.startsWith('<')
    ? text.trim()
    : `${response.status} ${response.statusText}`;
}

export async function ask(path: string, init?: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(prefix + path, init);
  } catch (error) {
    if ((error as Error).name === 'AbortError') throw error;
    throw new ApiError('The server cannot be reached.', 0);
  }
  if (response.status === 401) throw new ApiError('You are not signed in. Reload the page to sign in.', 401);
  if (!response.ok) throw new ApiError(reason(await response.text(), response), response.status);
  return response;
}

async function json<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await ask(path, { signal })).json() as Promise<T>;
}

export async function services(): Promise<string[]> {
  return [...((await json<{ services?: string[] }>('api/v3/services')).services ?? [])].sort((a, b) =>
    a.localeCompare(b),
  );
}

export interface Operation {
  name: string;
  spanKind: string;
}
export async function operations(service: string): Promise<Operation[]> {
  return (
    (await json<{ operations?: Operation[] }>(`api/v3/operations?service=${encodeURIComponent(service)}`))
      .operations ?? []
  );
}

export interface Summary {
  traceId: string;
  root: string;
  rootService: string;
  startMs: number;
  durationNs: number;
  spans: number;
  errors: number;
  orphans: number;
  services: { name: string; spans: number; errors: number }[];
}

interface WireSummary {
  traceId: string;
  rootServiceName?: string;
  rootOperationName?: string;
  minStartTimeUnixNano?: string;
  maxEndTimeUnixNano?: string;
  spanCount?: number;
  errorSpanCount?: number;
  orphanSpanCount?: number;
  services?: { name?: string; spanCount?: number; errorSpanCount?: number }[];
}

function summaryOf(s: WireSummary): Summary {
  const start = BigInt(s.minStartTimeUnixNano ?? '0'),
    end = BigInt(s.maxEndTimeUnixNano ?? '0');
  return {
    traceId: s.traceId,
    root: s.rootOperationName ?? '',
    rootService: s.rootServiceName ?? '',
    startMs: Number(start / 1000n) / 1000,
    durationNs: end > start ? Number(end - start) : 0,
    spans: s.spanCount ?? 0,
    errors: s.errorSpanCount ?? 0,
    orphans: s.orphanSpanCount ?? 0,
    services: (s.services ?? []).map((x) => ({
      name: x.name ?? '',
      spans: x.spanCount ?? 0,
      errors: x.errorSpanCount ?? 0,
    })),
  };
}

export interface Find {
  service?: string;
  operation?: string;
  startMs: number;
  endMs: number;
  limit: number;
  minDuration?: string;
  maxDuration?: string;
  tags?: Record<string, string>;
  filter?: string;
  order?: Order;
  cursor?: string;
}

/** Orders the server knows, over the whole time range. */
export type Order = 'newest' | 'longest' | 'spans' | 'errors';

export interface Page {
  traces: Summary[];
  /** Of the next page; empty: this was the last. Undefined: the server has no pages (a foreign backend). */
  next: string | undefined;
  stoppedEarly: boolean;
}

function searchQuery(find: Find): URLSearchParams {
  const query = new URLSearchParams({
    'query.startTimeMin': new Date(find.startMs).toISOString(),
    'query.startTimeMax': new Date(find.endMs).toISOString(),
    'query.searchDepth': String(find.limit),
  });
  const optional = {
    serviceName: find.service,
    operationName: find.operation,
    durationMin: find.minDuration,
    durationMax: find.maxDuration,
    attributes: find.tags && Object.keys(find.tags).length ? JSON.stringify(find.tags) : undefined,
    filter: find.filter,
    order: find.order,
    cursor: find.cursor,
  };
  for (const [key, value] of Object.entries(optional)) if (value) query.set(`query.${key}`, value);
  return query;
}

export async function search(find: Find, signal?: AbortSignal): Promise<Page> {
  const answer = await json<{ summaries?: WireSummary[]; nextCursor?: string; stoppedEarly?: boolean }>(
    `api/v3/trace-summaries?${searchQuery(find)}`,
    signal,
  );
  return {
    traces: (answer.summaries ?? []).map(summaryOf),
    next: answer.nextCursor,
    stoppedEarly: answer.stoppedEarly === true,
  };
}

/** Keys of attributes that hold `part`, of all levels. */
export async function attributeKeys(part: string, service: string, signal?: AbortSignal): Promise<string[]> {
  const query = new URLSearchParams({ q: part, service, limit: '60' });
  return (await json<{ data?: string[] }>(`api/attributes?${query}`, signal)).data ?? [];
}

export async function attributeValues(
  key: string,
  part: string,
  service: string,
  signal?: AbortSignal,
): Promise<string[]> {
  const query = new URLSearchParams({ q: part, service, limit: '60' });
  return (
    (await json<{ data?: string[] }>(`api/attributes/${encodeURIComponent(key)}/values?${query}`, signal))
      .data ?? []
  );
}

/** The columns of a trace; "same": nothing changed since `etag`; undefined: the server has no columns (a foreign one). */
export async function traceColumns(
  id: string,
  signal?: AbortSignal,
  etag?: string,
): Promise<{ buffer: ArrayBuffer; etag: string } | 'same' | undefined> {
  const headers = etag ? { 'If-None-Match': etag } : undefined;
  try {
    const response = await ask(`api/ui/v1/trace/${encodeURIComponent(id)}`, { signal, headers });
    if (!response.headers.get('content-type')?.startsWith('application/x-trace-columns')) return undefined;
    return { buffer: await response.arrayBuffer(), etag: response.headers.get('etag') ?? '' };
  } catch (error) {
    if (error instanceof ApiError && error.status === 304) return 'same';
    if (error instanceof ApiError && error.status === 404 && error.message.includes('page not found'))
      return undefined;
    throw error;
  }
}

export async function traceOtlp(id: string, signal?: AbortSignal): Promise<OtlpDocument> {
  return (await json<{ result: OtlpDocument }>(`api/v3/traces/${encodeURIComponent(id)}`, signal)).result;
}

export function spanDetails(id: string, spanIds: string[], signal?: AbortSignal): Promise<OtlpDocument> {
  return json<OtlpDocument>(`api/ui/v1/trace/${id}/spans?ids=${spanIds.join(',')}`, signal);
}

export function findInTrace(
  id: string,
  query: string,
  signal?: AbortSignal,
): Promise<{ n: number; matches: number[] }> {
  return json(`api/ui/v1/trace/${id}/find?q=${encodeURIComponent(query)}`, signal);
}

/** An answer in which the trace comes anew whenever it has grown. @param etag of the trace that is there already */
export async function watchTrace(
  id: string,
  etag: string,
  signal: AbortSignal,
): Promise<ReadableStreamDefaultReader<Uint8Array>> {
  const answer = await ask(`api/ui/v1/trace/${id}/watch?after=${encodeURIComponent(etag)}`, {
    signal,
    cache: 'no-store',
  });
  if (!answer.body) throw new ApiError('The browser cannot read answers in pieces.', 0);
  return answer.body.getReader();
}

export interface KeyCount {
  key: string;
  spans: number;
}
/** Keys of attributes, of spans and their resources. */
export async function keysOfTrace(id: string, signal?: AbortSignal): Promise<KeyCount[]> {
  return (await json<{ keys: KeyCount[] }>(`api/ui/v1/trace/${id}/keys`, signal)).keys;
}
/** `of[i]`: number of the i-th span's value; -1: none; beyond the list: one of the values that are too many. */
export function valuesInTrace(
  id: string,
  key: string,
  signal?: AbortSignal,
): Promise<{ of: number[]; values: string[] }> {
  return json(`api/ui/v1/trace/${id}/values?key=${encodeURIComponent(key)}`, signal);
}
/** Pairs of spans: who links, and to whom. */
export async function linksInTrace(id: string, signal?: AbortSignal): Promise<number[]> {
  return (await json<{ links: number[] }>(`api/ui/v1/trace/${id}/links`, signal)).links;
}

export async function archive(id: string): Promise<void> {
  await ask(`api/archive/${id}`, { method: 'POST' });
}

export interface Edge {
  parent: string;
  child: string;
  callCount: number;
}
export async function dependencies(endMs: number, lookbackMs: number, signal?: AbortSignal): Promise<Edge[]> {
  const answer = await json<{ data?: Edge[] } | Edge[]>(
    `api/dependencies?endTs=${endMs}&lookback=${lookbackMs}`,
    signal,
  );
  return (Array.isArray(answer) ? answer : answer.data) ?? [];
}

/** Calls of the newest traces, with what failed. */
export interface Sample {
  traces: number;
  /** The time range has more of them, or may have. */
  more?: boolean;
  edges: { parent: string; child: string; calls: number; errors: number; meanNs: number }[];
}
export function sampledEdges(endMs: number, lookbackMs: number, signal?: AbortSignal): Promise<Sample> {
  return json(`api/ui/v1/edges?endTs=${endMs}&lookback=${lookbackMs}&limit=10000`, signal);
}

interface Example {
  traceID: string;
  spanIDs?: string[];
}
/** As jaeger-ui reads it. */
export interface Quality {
  bannerText?: string | { value: string };
  scores: { key: string; label: string; max: number; value: number }[];
  metrics: {
    name: string;
    description: string;
    passCount: number;
    failureCount: number;
    exemptionCount?: number;
    failureExamples?: Example[];
  }[];
  clients?: { version: string; count: number; examples: Example[] }[];
}
export function quality(service: string, hours: string, signal?: AbortSignal): Promise<Quality> {
  const path = config.qualityMetrics.apiEndpoint.replace(/^\/+/, '');
  return json(`${path}?${new URLSearchParams({ hours, service })}`, signal);
}

export interface Component {
  id: string;
  kind: string;
  pipeline: string | null;
}
/** What runs, and the service's metrics in Prometheus' text format. */
export function telemetry(signal?: AbortSignal): Promise<{ components: Component[]; metrics: string }> {
  return json('api/ui/v1/telemetry', signal);
}

export interface Strategy {
  rate?: number;
  tracesPerSecond?: number;
  defaultRate?: number;
  lowerBound?: number;
  operations?: { operation: string; rate: number }[];
}
export function samplingOf(service: string, signal?: AbortSignal): Promise<Strategy> {
  return json(`api/ui/v1/sampling?service=${encodeURIComponent(service)}`, signal);
}

/** Who is logged in, and which tenants they may look at (docs/ui.md). */
export interface Session {
  user: string;
  tenant: string;
  tenants: string[];
  anyTenant: boolean;
  cookie: string;
}
export function session(): Promise<Session> {
  return json('api/ui/v1/session');
}

export interface Series {
  labels: Record<string, string>;
  points: [number, number | null][];
}
interface WireMetrics {
  metrics?: {
    labels?: { name: string; value: string }[];
    metricPoints?: { timestamp: string; gaugeValue?: { doubleValue?: number | string } }[];
  }[];
}

export async function metrics(
  kind: 'latencies' | 'calls' | 'errors',
  query: Record<string, string>,
  signal?: AbortSignal,
): Promise<Series[]> {
  const answer = await json<WireMetrics>(`api/metrics/${kind}?${new URLSearchParams(query)}`, signal);
  return (answer.metrics ?? []).map((m) => ({
    labels: Object.fromEntries((m.labels ?? []).map((l) => [l.name, l.value])),
    points: (m.metricPoints ?? []).map((p) => {
      const value = Number(p.gaugeValue?.doubleValue ?? 0);
      return [Date.parse(p.timestamp), Number.isFinite(value) ? value : null];
    }),
  }));
}
