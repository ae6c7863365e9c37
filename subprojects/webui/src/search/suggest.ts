// SPDX-License-Identifier: Apache-2.0
// Where completions come from: the fields of the language, and keys and values as the newest traces have them.
import { attributeKeys, attributeValues, operations, services } from '../lib/api';
import { bare, FIELDS, nameOf, type Place, tagText, VALUES, valueText } from './complete';

export interface Suggestion {
  text: string; // shown
  insert: string;
  hint?: string;
}

const MAX = 40;
const OPERATORS: [string, string][] = [
  ['=', 'equals'],
  ['!=', 'is there and differs'],
  ['>', 'above'],
  ['<', 'below'],
  ['>=', 'at least'],
  ['<=', 'at most'],
  ['=~', 'matches a pattern'],
  ['!~', 'matches no pattern'],
  ['in', 'one of (…)'],
  ['exists', 'is there'],
];
const JOINS: [string, string][] = [
  ['and', 'both'],
  ['or', 'either'],
];

const fits = (text: string, part: string): boolean => text.toLowerCase().includes(part.toLowerCase());
const listed = (pairs: [string, string][], part: string): Suggestion[] =>
  pairs.filter(([text]) => text.startsWith(part)).map(([text, hint]) => ({ text, insert: `${text} `, hint }));

async function values(name: string, part: string, service: string, signal: AbortSignal): Promise<string[]> {
  if (name in VALUES) return VALUES[name];
  if (name === 'service' || name === 'rootService') return services();
  if (name === 'name' || name === 'rootName')
    return service ? [...new Set((await operations(service)).map((o) => o.name))] : [];
  return attributeValues(name, part, service, signal);
}

/** Of a filter. Failures are no suggestions: the field works without. */
export async function filterSuggestions(
  place: Place,
  service: string,
  signal: AbortSignal,
): Promise<Suggestion[]> {
  const part = bare(place.part);
  if (place.wanted === 'operator') return listed(OPERATORS, part);
  if (place.wanted === 'join') return listed(JOINS, part.toLowerCase());
  if (place.wanted === 'name') {
    const fields = FIELDS.filter((f) => fits(f, part)).map((f) => ({
      text: f,
      insert: `${f} `,
      hint: 'field',
    }));
    const keys = await attributeKeys(part, service, signal);
    return [...fields, ...keys.map((k) => ({ text: k, insert: `${nameOf(k)} ` }))].slice(0, MAX);
  }
  if (place.wanted !== 'value') return [];
  const all = await values(place.name, part, service, signal);
  return all
    .filter((v) => fits(v, part))
    .slice(0, MAX)
    .map((v) => ({ text: v, insert: `${valueText(v, place.name)} ` }));
}

/** Of tags. */
export async function tagSuggestions(
  place: Place,
  service: string,
  signal: AbortSignal,
): Promise<Suggestion[]> {
  const part = bare(place.part);
  if (place.wanted === 'name') {
    const keys = await attributeKeys(part, service, signal);
    return ['error', ...keys]
      .filter((k) => fits(k, part))
      .slice(0, MAX)
      .map((k) => ({ text: k, insert: `${k}=` }));
  }
  const all = place.name === 'error' ? ['true'] : await attributeValues(place.name, part, service, signal);
  return all
    .filter((v) => fits(v, part))
    .slice(0, MAX)
    .map((v) => ({ text: v, insert: `${tagText(v)} ` }));
}
