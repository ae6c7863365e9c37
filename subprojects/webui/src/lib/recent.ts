// SPDX-License-Identifier: Apache-2.0
// Searches that were made, and those that were given a name. A search is the query of its URL.
import { signal } from '@preact/signals';
import { store, storedList } from './stored';

const RECENT_MAX = 8,
  SAVED_MAX = 50;

export const recent = signal(storedList('recent', RECENT_MAX));

/** @param query the parameters without times, so that the same search is kept once */
export function remember(query: string): void {
  recent.value = [query, ...recent.value.filter((x) => x !== query)].slice(0, RECENT_MAX);
  store('recent', JSON.stringify(recent.value));
}

export function forget(query: string): void {
  recent.value = recent.value.filter((x) => x !== query);
  store('recent', JSON.stringify(recent.value));
}

export interface Saved {
  name: string;
  query: string;
}

function readSaved(): Saved[] {
  return storedList('saved', SAVED_MAX).flatMap((line) => {
    const at = line.indexOf('\n');
    return at > 0 ? [{ name: line.slice(0, at), query: line.slice(at + 1) }] : [];
  });
}

export const saved = signal(readSaved());

function keep(list: Saved[]): void {
  saved.value = list.slice(0, SAVED_MAX);
  store('saved', JSON.stringify(saved.value.map((s) => `${s.name}\n${s.query}`)));
}

/** Another search of that name is replaced. */
export function save(name: string, query: string): void {
  const clean = name.replace(/\s+/g, ' ').trim();
  if (clean) keep([{ name: clean, query }, ...saved.value.filter((s) => s.name !== clean)]);
}
export function unsave(name: string): void {
  keep(saved.value.filter((s) => s.name !== name));
}
