// SPDX-License-Identifier: Apache-2.0
// The search form as text, its place in the URL (parameters of the official UI, and ours), and what it asks for.
import type { Find, Order } from '../lib/api';
import { config } from '../lib/config';
import { formatTags, parseDuration, parseLookback, parseTags } from '../lib/format';
import { param, place } from '../lib/router';

export interface Form {
  service: string;
  operation: string;
  kind: string;
  tags: string;
  filter: string;
  lookback: string;
  limit: string;
  minDuration: string;
  maxDuration: string;
  start: string; // Unix µs, with lookback "custom"
  end: string;
  order: Order;
  adjust: boolean; // leave out the last moments, whose traces are not whole yet
}

export const LOOKBACKS: [string, string][] = [
  ['5m', '5 minutes'],
  ['15m', '15 minutes'],
  ['30m', '30 minutes'],
  ['1h', 'hour'],
  ['3h', '3 hours'],
  ['6h', '6 hours'],
  ['12h', '12 hours'],
  ['24h', '24 hours'],
  ['2d', '2 days'],
  ['7d', '7 days'],
  ['14d', '2 weeks'],
  ['4w', '4 weeks'],
];
export const ORDERS: [Order, string][] = [
  ['newest', 'Newest'],
  ['longest', 'Longest'],
  ['spans', 'Most spans'],
  ['errors', 'Most errors'],
];
export const KINDS = ['server', 'client', 'internal', 'producer', 'consumer'];

export const EMPTY: Form = {
  service: '',
  operation: '',
  kind: '',
  tags: '',
  filter: '',
  lookback: config.search.defaultLookback,
  limit: '20',
  minDuration: '',
  maxDuration: '',
  start: '',
  end: '',
  order: 'newest',
  adjust: true,
};

/** Parameters that make a search: one of them in the URL runs it. */
export const ASKING = [
  'service',
  'operation',
  'kind',
  'tags',
  'tag',
  'filter',
  'start',
  'minDuration',
  'lookback',
];
export const KEYS = [...ASKING, 'end', 'limit', 'maxDuration', 'order', 'adjust'];

function tagsOfUrl(): string {
  const json = param('tags');
  if (json)
    try {
      return formatTags(JSON.parse(json) as Record<string, string>);
    } catch {
      return json;
    }
  return place.value.query
    .getAll('tag')
    .map((t) => t.replace(':', '='))
    .join(' ');
}

export function formOfUrl(): Form {
  const text = (
    name: 'service' | 'operation' | 'kind' | 'filter' | 'lookback' | 'limit' | 'minDuration' | 'maxDuration',
  ) => param(name) ?? EMPTY[name];
  const start = param('start') ?? '',
    end = param('end') ?? '',
    lookback = param('lookback');
  return {
    service: text('service'),
    operation: text('operation'),
    kind: text('kind'),
    tags: tagsOfUrl(),
    filter: text('filter'),
    lookback: lookback ?? (start && end ? 'custom' : EMPTY.lookback),
    limit: text('limit'),
    minDuration: text('minDuration'),
    maxDuration: text('maxDuration'),
    start,
    end,
    order: ORDERS.find(([name]) => name === param('order'))?.[0] ?? 'newest',
    adjust: param('adjust') !== '0',
  };
}

/** @throws Error when the tags cannot be read */
export function paramsOf(form: Form): Record<string, string | undefined> {
  const tags = parseTags(form.tags);
  const custom = form.lookback === 'custom';
  return {
    service: form.service,
    operation: form.operation,
    kind: form.kind,
    filter: form.filter.trim(),
    lookback: form.lookback,
    limit: form.limit,
    minDuration: form.minDuration,
    maxDuration: form.maxDuration,
    tags: Object.keys(tags).length ? JSON.stringify(tags) : undefined,
    start: custom ? form.start : undefined,
    end: custom ? form.end : undefined,
    order: form.order === 'newest' ? undefined : form.order,
    adjust: form.adjust ? undefined : '0',
  };
}

/** The kind is a condition like those of the filter. `shift`: where the filter begins in it. */
export function filterOf(form: Form): { filter: string | undefined; shift: number } {
  const filter = form.filter.trim();
  if (!form.kind) return { filter: filter || undefined, shift: 0 };
  return {
    filter: filter ? `(${filter}) and kind = ${form.kind}` : `kind = ${form.kind}`,
    shift: filter ? 1 : 0,
  };
}

function checkDurations(form: Form): void {
  for (const text of [form.minDuration, form.maxDuration])
    if (text && parseDuration(text) === undefined)
      throw new Error(`“${text}” is not a duration like 1.2s, 100ms or 500us.`);
  const min = parseDuration(form.minDuration),
    max = parseDuration(form.maxDuration);
  if (min !== undefined && max !== undefined && min > max)
    throw new Error('The shortest duration is above the longest.');
}

function rangeOf(form: Form): { startMs: number; endMs: number } {
  if (form.lookback !== 'custom') {
    const late = form.adjust ? (parseLookback(config.search.adjustEndTime) ?? 0) : 0;
    const endMs = Date.now() - late;
    return { startMs: endMs - (parseLookback(form.lookback) ?? 3600e3), endMs };
  }
  const startMs = Number(form.start) / 1000,
    endMs = Number(form.end) / 1000;
  if (!(startMs < endMs)) throw new Error('The time range ends before it begins.');
  return { startMs, endMs };
}

/** @throws Error with what is wrong in the form */
export function findOf(form: Form): Find {
  checkDurations(form);
  const { filter } = filterOf(form);
  return {
    ...rangeOf(form),
    service: form.service || undefined,
    operation: form.operation || undefined,
    tags: parseTags(form.tags),
    filter,
    order: form.order,
    limit: Math.max(1, Math.min(config.search.maxLimit, Number(form.limit) || 20)),
    minDuration: form.minDuration.replace(/\s/g, ''),
    maxDuration: form.maxDuration.replace(/\s/g, ''),
  };
}

/** In words, for lists of searches. */
export function describe(query: URLSearchParams): { service: string; rest: string } {
  let tags = query.get('tags') ?? '';
  try {
    if (tags) tags = formatTags(JSON.parse(tags) as Record<string, string>);
  } catch {
    /* as it is */
  }
  const min = query.get('minDuration'),
    max = query.get('maxDuration'),
    lookback = query.get('lookback');
  const order = ORDERS.find(([name]) => name === query.get('order'))?.[1];
  const parts = [
    query.get('operation'),
    query.get('kind'),
    tags,
    query.get('filter'),
    min && `≥ ${min}`,
    max && `≤ ${max}`,
    lookback && lookback !== 'custom' && `last ${lookback}`,
    order && order !== 'Newest' && order.toLowerCase(),
  ];
  return { service: query.get('service') || 'All services', rest: parts.filter(Boolean).join(' · ') };
}
