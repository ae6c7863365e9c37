// SPDX-License-Identifier: Apache-2.0
// Jaeger's linkPatterns: "#{key}" is looked up in the list that the attribute is in, then in the span and its
// ancestors, each with its resource; "#{trace.key}" in the trace. What is in a resource sees only that.
import type { Attr, SpanDetail } from '../trace/otlp';
import { textOf } from '../trace/otlp';
import { config, type LinkPattern, safeUrl } from './config';

export interface Link {
  url: string;
  text: string;
}

const FORMAT: Record<string, (value: string, ...args: string[]) => string> = {
  epoch_micros_to_date_iso: (v) => {
    const d = new Date(Number(v) / 1000);
    return Number.isNaN(d.getTime()) ? v : d.toISOString();
  },
  pad_start: (v, length = '0', fill = ' ') => v.padStart(Math.min(Number(length) || 0, 1000), fill),
  add: (v, n = '0') => String(Number(v) + Number(n)),
};

/** @return undefined: a name has no value. @param escape for what goes into a URL */
export function fill(
  template: string,
  lookup: (name: string) => string | undefined,
  escape = (x: string) => x,
): string | undefined {
  let missing = false;
  const text = template.replace(/#\{([^{}]*)\}/g, (_, inside: string) => {
    const [name, ...formats] = inside.split('|').map((x) => x.trim());
    let value = lookup(name);
    if (value === undefined) {
      missing = true;
      return '';
    }
    for (const format of formats) {
      const [which, ...args] = format.split(/\s+/);
      value = FORMAT[which]?.(value, ...args) ?? value;
    }
    return escape(value);
  });
  return missing ? undefined : text;
}

function matches(wanted: string | string[] | undefined, text: string): boolean {
  if (wanted === undefined) return true;
  return Array.isArray(wanted) ? wanted.includes(text) : wanted === text || wanted === '*';
}

export type LinkType = 'tags' | 'process' | 'logs';

/** Where a name is looked up. */
export interface Scope {
  /** What the attribute is among. */
  list: Attr[];
  /** The span, its parent, and so on. */
  line: SpanDetail[];
  trace: Record<string, string>;
}

const applies = (pattern: LinkPattern, type: LinkType, attr: Attr): boolean =>
  pattern.type === type &&
  matches(pattern.key, attr.key) &&
  (pattern.value === undefined || pattern.value === textOf(attr.value));

export function linksOf(type: LinkType, attr: Attr, scope: Scope, patterns = config.linkPatterns): Link[] {
  const inside = (list: Attr[], name: string) => list.find((a) => a.key === name);
  const lookup = (name: string): string | undefined => {
    if (name.startsWith('trace.')) return scope.trace[name.slice(6)];
    let found = name === attr.key ? attr : inside(scope.list, name);
    if (type !== 'process')
      for (const span of scope.line) {
        if (found) break;
        found = inside(span.attributes, name) ?? inside(span.resource, name);
      }
    return found && textOf(found.value);
  };
  return patterns.flatMap((pattern) => (applies(pattern, type, attr) ? filled(pattern, lookup) : []));
}

/** Is a link of this span missing because a name is not in it, but may be in its ancestors? */
export function asksAncestors(span: SpanDetail, patterns = config.linkPatterns): boolean {
  const has = new Set([...span.attributes, ...span.resource].map((a) => a.key));
  const open = patterns.filter(
    (p) =>
      p.type !== 'traces' &&
      p.type !== 'process' &&
      [...`${p.url} ${p.text}`.matchAll(/#\{([^{}|]*)/g)].some(([, name]) => {
        const key = name.trim();
        return !key.startsWith('trace.') && !has.has(key);
      }),
  );
  const tags = span.attributes.some((a) => open.some((p) => applies(p, 'tags', a)));
  return tags || span.events.some((e) => e.attributes.some((a) => open.some((p) => applies(p, 'logs', a))));
}

function filled(pattern: LinkPattern, lookup: (name: string) => string | undefined): Link[] {
  const url = fill(pattern.url, lookup, encodeURIComponent),
    text = fill(pattern.text, lookup);
  const safe = url !== undefined ? safeUrl(url) : undefined;
  return safe && text !== undefined ? [{ url: safe, text }] : [];
}

export function traceLinks(facts: Record<string, string>): Link[] {
  return config.linkPatterns
    .filter((p) => p.type === 'traces')
    .flatMap((p) => filled(p, (name) => facts[name.replace(/^trace\./, '')]));
}
