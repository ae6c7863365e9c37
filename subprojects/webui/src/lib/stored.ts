// SPDX-License-Identifier: Apache-2.0
// Small things kept in this browser. Storage may be off, full, or hold what another version wrote.

export function stored(key: string): string | undefined {
  try {
    return localStorage.getItem(`jaeger.${key}`) ?? undefined;
  } catch {
    return undefined;
  }
}

export function store(key: string, value: string | undefined): void {
  try {
    if (value === undefined) localStorage.removeItem(`jaeger.${key}`);
    else localStorage.setItem(`jaeger.${key}`, value);
  } catch {
    /* storage is off */
  }
}

/** A list of texts, at most so many. */
export function storedList(key: string, max: number): string[] {
  try {
    const list: unknown = JSON.parse(stored(key) ?? '[]');
    return Array.isArray(list) ? list.filter((x): x is string => typeof x === 'string').slice(0, max) : [];
  } catch {
    return [];
  }
}
