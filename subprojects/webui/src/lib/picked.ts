// SPDX-License-Identifier: Apache-2.0
// Traces that were picked to compare: kept while the page lives, and in the link of a comparison as "cohort".
import { signal } from '@preact/signals';
import { hrefTo } from './router';

export const PICKED_MAX = 50;
export const picked = signal<readonly string[]>([]);

export function pick(id: string, on: boolean): void {
  const rest = picked.value.filter((x) => x !== id);
  picked.value = on ? [...rest, id].slice(-PICKED_MAX) : rest;
}

/** Of a comparison; either may be missing. */
export function compareHref(a: string, b: string, cohort: readonly string[] = picked.value): string {
  const query = new URLSearchParams(cohort.slice(0, PICKED_MAX).map((id) => ['cohort', id]));
  return hrefTo(`/trace/${encodeURIComponent(a)}...${encodeURIComponent(b)}`, query);
}

/** The two of the pages and the others, each once. */
export function cohortOf(a: string, b: string, others: readonly string[]): string[] {
  return [...new Set([a, b, ...others])].filter(Boolean).slice(0, PICKED_MAX);
}
