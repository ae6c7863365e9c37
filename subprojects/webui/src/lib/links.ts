// SPDX-License-Identifier: Apache-2.0
// Jaeger's linkPatterns: "#{key}" is looked up in the span, its resource and (for traces) the trace.
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

export function linksOf(
  type: 'tags' | 'process' | 'logs',
  attr: Attr,
  detail: SpanDetail,
  traceId: string,
): Link[] {
  const lookup = (name: string): string | undefined => {
    if (name === attr.key) return textOf(attr.value);
    if (name === 'trace.traceID') return traceId;
    const found =
      detail.attributes.find((a) => a.key === name) ?? detail.resource.find((a) => a.key === name);
    return found && textOf(found.value);
  };
  return config.linkPatterns.flatMap((pattern: LinkPattern) => {
    if (
      pattern.type !== type ||
      !matches(pattern.key, attr.key) ||
      (pattern.value !== undefined && pattern.value !== textOf(attr.value))
    )
      return [];
    return filled(pattern, lookup);
  });
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
