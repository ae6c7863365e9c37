// SPDX-License-Identifier: Apache-2.0
// Durations, times and the small languages of the search form. Durations are nanoseconds in doubles.
import { computed, signal } from '@preact/signals';
import { store, stored } from './stored';

const UNITS: [number, string][] = [
  [86400e9, 'd'],
  [3600e9, 'h'],
  [60e9, 'm'],
  [1e9, 's'],
  [1e6, 'ms'],
  [1e3, 'µs'],
];

/** 1.23 ms, 2 m 5 s: three digits at most, the next unit above a minute. */
export function duration(ns: number): string {
  if (!Number.isFinite(ns)) return '–';
  if (ns < 0) return '−' + duration(-ns);
  for (let i = 0; i < UNITS.length; i++) {
    const [size, name] = UNITS[i];
    if (ns < size) continue;
    if (size >= 60e9) {
      const [nextSize, nextName] = UNITS[i + 1];
      const whole = Math.floor(ns / size);
      const rest = Math.floor((ns - whole * size) / nextSize);
      return rest ? `${whole} ${name} ${rest} ${nextName}` : `${whole} ${name}`;
    }
    const value = ns / size;
    return `${trim(value)} ${name}`;
  }
  return ns === 0 ? '0' : `${trim(ns)} ns`;
}

function trim(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value
    .toFixed(digits)
    .replace(/(\.\d*?)0+$/, '$1')
    .replace(/\.$/, '');
}

const GO_UNITS: Record<string, number> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** A Go duration ("1.2s", "1m30s") in ns; undefined: not one. */
export function parseDuration(text: string): number | undefined {
  const clean = text.replace(/\s+/g, '');
  if (!/^(\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))*$/.test(clean))
    return undefined;
  let total = 0;
  for (const [, number, unit] of clean.matchAll(/([\d.]+)(ns|us|µs|μs|ms|s|m|h)/g))
    total += Number(number) * GO_UNITS[unit];
  return total;
}

/** "5m", "2h", "7d", "3w" in ms. */
export function parseLookback(text: string): number | undefined {
  const match = /^(\d+)(s|m|h|d|w)$/.exec(text);
  if (!match) return undefined;
  return Number(match[1]) * { s: 1e3, m: 60e3, h: 3600e3, d: 86400e3, w: 604800e3 }[match[2] as 's'];
}

/** key=value pairs, values may be quoted. @throws Error saying where */
export function parseTags(text: string): Record<string, string> {
  const tags: Record<string, string> = {};
  let at = 0;
  const space = () => {
    while (at < text.length && /\s/.test(text[at])) at++;
  };
  for (space(); at < text.length; space()) {
    const begin = at;
    while (at < text.length && !/[\s=]/.test(text[at])) at++;
    const key = text.slice(begin, at);
    if (!key) throw new Error(`a key is missing before "=" at ${begin + 1}`);
    if (text[at] !== '=') throw new Error(`"${key}" needs a value: ${key}=…`);
    at++;
    let value = '';
    if (text[at] === '"') {
      for (at++; at < text.length && text[at] !== '"'; at++) {
        if (text[at] === '\\' && at + 1 < text.length) at++;
        value += text[at];
      }
      if (text[at] !== '"') throw new Error(`the quote after ${key}= is not closed`);
      at++;
    } else {
      const from = at;
      while (at < text.length && !/\s/.test(text[at])) at++;
      value = text.slice(from, at);
    }
    tags[key] = value;
  }
  return tags;
}

export function formatTags(tags: Record<string, string>): string {
  return Object.entries(tags)
    .map(
      ([key, value]) =>
        `${key}=${/^[^\s"\\]+$/.test(value) ? value : `"${value.replace(/[\\"]/g, '\\$&')}"`}`,
    )
    .join(' ');
}

const SIZES = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
export function bytes(n: number): string {
  let unit = 0;
  for (; n >= 1024 && unit < SIZES.length - 1; unit++) n /= 1024;
  return `${unit ? trim(n) : n} ${SIZES[unit]}`;
}

const numbers = new Intl.NumberFormat();
export function count(n: number): string {
  return numbers.format(n);
}
export function plural(n: number, one: string, many = one + 's'): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/** Times are shown in the reader's zone, or in UTC. */
export const utc = signal(stored('zone') === 'UTC');
export function setUtc(on: boolean): void {
  utc.value = on;
  store('zone', on ? 'UTC' : undefined);
}
export const localZone = new Intl.DateTimeFormat().resolvedOptions().timeZone;
export const zone = computed(() => (utc.value ? 'UTC' : localZone));

const formats = computed(() => {
  const of = (options: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat(undefined, { ...options, timeZone: zone.value });
  const minute = { hour: '2-digit', minute: '2-digit' } as const,
    day = { month: 'short', day: 'numeric' } as const;
  return {
    full: of({ ...day, ...minute, year: 'numeric', second: '2-digit', fractionalSecondDigits: 3 }),
    clock: of({ ...minute, second: '2-digit' }),
    day: of({ ...day, ...minute }),
  };
});
export function time(ms: number): string {
  return formats.value.full.format(ms);
}
export function shortTime(ms: number, spanMs = 0): string {
  return (spanMs > 86400e3 ? formats.value.day : formats.value.clock).format(ms);
}

/** For <input type=datetime-local>, in the shown zone. */
export function toInput(ms: number): string {
  const offset = utc.value ? 0 : new Date(ms).getTimezoneOffset() * 60e3;
  return Number.isFinite(ms) ? new Date(ms - offset).toISOString().slice(0, 19) : '';
}
export function fromInput(text: string): number {
  return new Date(utc.value ? `${text}Z` : text).getTime();
}

const relative = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' });
export function ago(ms: number, now = Date.now()): string {
  const seconds = (ms - now) / 1000;
  for (const [size, unit] of [
    [86400, 'day'],
    [3600, 'hour'],
    [60, 'minute'],
  ] as const)
    if (Math.abs(seconds) >= size) return relative.format(Math.round(seconds / size), unit);
  return relative.format(Math.round(seconds), 'second');
}

/** About `wanted` round numbers between the two. */
export function ticks(from: number, to: number, wanted: number): number[] {
  const span = to - from;
  if (!(span > 0)) return [from];
  const raw = span / wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 2.5, 5, 10].find((m) => power * m >= raw) ?? 10);
  const list: number[] = [];
  for (let at = Math.ceil(from / step) * step; at <= to + step * 1e-9; at += step) list.push(at);
  return list;
}

export function quantile(sorted: ArrayLike<number>, q: number): number {
  if (sorted.length === 0) return 0;
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
}
