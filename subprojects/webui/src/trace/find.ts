// SPDX-License-Identifier: Apache-2.0
// The search box on traces that are in memory, by the rules of the server (lib/query/span_find.h).
import { type SpanDetail, textOf } from './otlp';

export interface Word {
  text: string;
  /** Unwanted: a span in which it is found does not match. Left out: attributes with such keys are not looked at. */
  role: 'wanted' | 'unwanted' | 'leftOut';
}

const WORDS_MAX = 16;

/** Words and "phrases"; "-" in front negates. */
export function words(query: string): Word[] {
  return [...query.matchAll(/(-?)"([^"]*)"?|(-?)(\S+)/g)]
    .map((m): Word => {
      const minus = m[1] || (m[4] ? m[3] : ''),
        text = (m[2] ?? m[4] ?? '').toLowerCase();
      return { text, role: !minus ? 'wanted' : text.indexOf('=') > 0 ? 'unwanted' : 'leftOut' };
    })
    .filter((word) => word.text)
    .slice(0, WORDS_MAX);
}

/** All words hold; none to hold: no. */
export function wordsFit(list: Word[], detail: SpanDetail): boolean {
  const leftOut = list.filter((w) => w.role === 'leftOut'),
    asked = list.filter((w) => w.role !== 'leftOut');
  if (asked.length === 0) return false;
  const pairs = [...detail.attributes, ...detail.resource, ...detail.events.flatMap((e) => e.attributes)];
  const texts = [
    detail.service,
    detail.name,
    detail.id,
    ...detail.events.map((e) => e.name),
    ...pairs
      .filter((a) => !leftOut.some((w) => a.key.toLowerCase().includes(w.text)))
      .map((a) => `${a.key}=${textOf(a.value)}`),
  ].map((text) => text.toLowerCase());
  return asked.every((w) => texts.some((text) => text.includes(w.text)) === (w.role === 'wanted'));
}
