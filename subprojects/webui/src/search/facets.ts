// SPDX-License-Identifier: Apache-2.0
// What the found traces have in common, to narrow them by: services, roots, errors, durations.
import type { Summary } from '../lib/api';

export const FACETS = ['service', 'operation', 'status', 'duration'] as const;
export type Facet = (typeof FACETS)[number];
/** Values of one facet are alternatives; all facets must fit. */
export type Chosen = Readonly<Partial<Record<Facet, readonly string[]>>>;

const BUCKETS: [number, string][] = [
  [1e6, '< 1 ms'],
  [1e7, '1–10 ms'],
  [1e8, '10–100 ms'],
  [1e9, '100 ms – 1 s'],
  [1e10, '1–10 s'],
  [Infinity, '> 10 s'],
];

export function bucketOf(durationNs: number): string {
  return BUCKETS.find(([below]) => durationNs < below)![1];
}

export function valuesOf(t: Summary, facet: Facet): string[] {
  switch (facet) {
    case 'service':
      return t.services.map((s) => s.name);
    case 'operation':
      return [t.root];
    case 'status':
      return [t.errors > 0 ? 'With errors' : 'Without errors', ...(t.orphans > 0 ? ['Incomplete'] : [])];
    case 'duration':
      return [bucketOf(t.durationNs)];
  }
}

function fits(t: Summary, chosen: Chosen, except?: Facet): boolean {
  return FACETS.every((facet) => {
    const wanted = chosen[facet];
    return facet === except || !wanted?.length || valuesOf(t, facet).some((v) => wanted.includes(v));
  });
}

export function narrow(traces: Summary[], chosen: Chosen): Summary[] {
  return FACETS.some((facet) => chosen[facet]?.length) ? traces.filter((t) => fits(t, chosen)) : traces;
}

/** Values with the number of traces that each would leave or add, most first; durations in their order. */
export function countsOf(traces: Summary[], chosen: Chosen, facet: Facet): [string, number][] {
  const counts = new Map<string, number>((chosen[facet] ?? []).map((value) => [value, 0]));
  for (const t of traces)
    if (fits(t, chosen, facet))
      for (const value of new Set(valuesOf(t, facet))) counts.set(value, (counts.get(value) ?? 0) + 1);
  const list = [...counts];
  const place = (text: string) => BUCKETS.findIndex(([, name]) => name === text);
  return facet === 'duration'
    ? list.sort((a, b) => place(a[0]) - place(b[0]))
    : list.sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
}

export function toggled(chosen: Chosen, facet: Facet, value: string): Chosen {
  const now = chosen[facet] ?? [];
  return { ...chosen, [facet]: now.includes(value) ? now.filter((v) => v !== value) : [...now, value] };
}

/** As one parameter of the URL; undefined: nothing is chosen. */
export function facetsToText(chosen: Chosen): string | undefined {
  const some = Object.entries(chosen).filter(([, values]) => values.length > 0);
  return some.length ? JSON.stringify(Object.fromEntries(some)) : undefined;
}

/** What is not of this form is left out: somebody may have made it up. */
export function facetsOfText(text: string | undefined): Chosen {
  try {
    const raw = JSON.parse(text ?? '{}') as Record<string, unknown>;
    return Object.fromEntries(
      FACETS.flatMap((facet) => {
        const values = raw[facet];
        return Array.isArray(values) ? [[facet, values.filter((v) => typeof v === 'string')]] : [];
      }),
    );
  } catch {
    return {};
  }
}
