// SPDX-License-Identifier: Apache-2.0
// Searches that were made, kept in this browser.
import { signal } from '@preact/signals';

const KEY = 'jaeger.recent',
  MAX = 8;

function read(): string[] {
  try {
    const list: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]');
    return Array.isArray(list) ? list.filter((x): x is string => typeof x === 'string').slice(0, MAX) : [];
  } catch {
    return [];
  }
}

export const recent = signal(read());

function keep(list: string[]): void {
  recent.value = list;
  try {
    localStorage.setItem(KEY, JSON.stringify(list));
  } catch {
    /* storage is off */
  }
}

/** @param query the parameters without times, so that the same search is kept once */
export function remember(query: string): void {
  keep([query, ...recent.value.filter((x) => x !== query)].slice(0, MAX));
}
export function forget(query: string): void {
  keep(recent.value.filter((x) => x !== query));
}
