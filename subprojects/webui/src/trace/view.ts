// SPDX-License-Identifier: Apache-2.0
// The state of one trace page as signals: what is folded, found, selected, and the window of time that is shown.
import { computed, signal } from '@preact/signals';
import { param, setParams } from '../lib/router';
import {
  criticalPath,
  Flag,
  foldFrom,
  rowOfSpan,
  spanId,
  type Trace,
  visibleRows,
  withAncestors,
} from './model';
import type { Source } from './store';

export type View = ReturnType<typeof makeView>;

export function makeView(source: Source) {
  const t = source.trace;
  const folded = signal<Uint8Array>(new Uint8Array(t.n));
  const query = signal(param('uiFind') ?? '');
  const matches = signal<Uint8Array | undefined>(undefined);
  const searching = signal(false);
  const only = signal(false); // hide what does not match
  const errorsOnly = signal(false);
  const hiddenServices = signal<ReadonlySet<number>>(new Set());
  const minDuration = signal(0);
  const critical = signal(false);
  const selected = signal(-1);
  const from = signal(0),
    to = signal(Math.max(t.end, 1));

  const whole = Math.max(t.end, 1);
  const keep = computed(() => {
    const m = only.value ? matches.value : undefined;
    if (!m && !errorsOnly.value && hiddenServices.value.size === 0 && minDuration.value === 0)
      return undefined;
    const wanted = new Uint8Array(t.n);
    for (let i = 0; i < t.n; i++)
      wanted[i] =
        (!m || m[i]) &&
        (!errorsOnly.value || t.flags[i] & Flag.error) &&
        !hiddenServices.value.has(t.service[i]) &&
        t.duration[i] >= minDuration.value
          ? 1
          : 0;
    return withAncestors(t, wanted);
  });
  const rows = computed(() => visibleRows(t, folded.value, keep.value));
  const path = computed(() => (critical.value ? criticalPath(t) : undefined));
  const matchCount = computed(() => {
    let c = 0;
    for (const x of matches.value ?? []) c += x;
    return c;
  });
  const counts = computed(() => {
    const list = t.services.map((name, index) => ({ name, index, spans: 0, errors: 0 }));
    for (let i = 0; i < t.n; i++) {
      const s = list[t.service[i]];
      s.spans++;
      if (t.flags[i] & Flag.error) s.errors++;
    }
    return list.sort((a, b) => b.spans - a.spans);
  });

  /** Unfold what hides a row. */
  const reveal = (row: number) => {
    const next = folded.value.slice();
    let changed = false;
    for (let p = t.parent[row]; p >= 0; p = t.parent[p]!)
      if (next[p]) {
        next[p] = 0;
        changed = true;
      }
    if (changed) folded.value = next;
  };
  const select = (row: number, intoUrl = true) => {
    selected.value = row;
    if (row >= 0) reveal(row);
    if (intoUrl) setParams({ span: row >= 0 ? spanId(t, row) : undefined });
  };
  const zoom = (a: number, b: number) => {
    const width = Math.min(whole, Math.max(b - a, 1));
    const begin = Math.max(0, Math.min(a, whole - width));
    from.value = begin;
    to.value = begin + width;
  };
  const zoomBy = (factor: number, at = (from.value + to.value) / 2) =>
    zoom(at - (at - from.value) * factor, at + (to.value - at) * factor);
  const pan = (part: number) => {
    const d = (to.value - from.value) * part;
    zoom(from.value + d, to.value + d);
  };
  const toggle = (row: number, deep = false) => {
    const next = folded.value.slice(),
      on = next[row] ? 0 : 1;
    next[row] = on;
    if (deep) for (let i = row + 1; i < row + t.size[row]; i++) if (t.size[i] > 1) next[i] = on;
    folded.value = next;
  };
  const foldAll = () => {
    folded.value = foldFrom(t, 0);
  };
  const unfoldAll = () => {
    folded.value = new Uint8Array(t.n);
  };
  /** Fold, or unfold, the deepest level that is open. */
  const foldLevel = (fold: boolean) => {
    const now = folded.value;
    let depth = fold ? -1 : Infinity;
    for (const i of rows.value)
      if (t.size[i] > 1 && (now[i] === 1) !== fold)
        depth = fold ? Math.max(depth, t.depth[i]) : Math.min(depth, t.depth[i]);
    const next = now.slice();
    for (let i = 0; i < t.n; i++) if (t.size[i] > 1 && t.depth[i] === depth) next[i] = fold ? 1 : 0;
    folded.value = next;
  };
  /** The next row in the tree's order that passes; wraps around. */
  const jump = (passes: (row: number) => boolean, back = false) => {
    const begin = selected.value;
    for (let k = 1; k <= t.n; k++) {
      const row = back
        ? (Math.max(begin, back && begin < 0 ? 0 : begin) - k + 2 * t.n) % t.n
        : (begin + k + t.n) % t.n;
      if (passes(row)) {
        select(row);
        return;
      }
    }
  };
  let running: AbortController | undefined;
  const find = async (text: string) => {
    query.value = text;
    running?.abort();
    if (!text.trim()) {
      matches.value = undefined;
      searching.value = false;
      only.value = false;
      setParams({ uiFind: undefined });
      return;
    }
    running = new AbortController();
    const mine = running;
    searching.value = true;
    try {
      const found = await source.find(text, mine.signal);
      if (mine.signal.aborted) return;
      matches.value = found;
      setParams({ uiFind: text });
    } finally {
      if (running === mine) searching.value = false;
    }
  };

  const wanted = param('span');
  if (wanted) selected.value = rowOfSpan(t, wanted);
  return {
    t,
    source,
    folded,
    query,
    matches,
    searching,
    only,
    errorsOnly,
    hiddenServices,
    minDuration,
    critical,
    selected,
    from,
    to,
    whole,
    rows,
    path,
    matchCount,
    counts,
    keep,
    select,
    reveal,
    zoom,
    zoomBy,
    pan,
    toggle,
    foldAll,
    unfoldAll,
    foldLevel,
    jump,
    find,
  };
}

export function kindText(t: Trace, row: number): string {
  return ['', 'internal', 'server', 'client', 'producer', 'consumer'][t.kind[row]] ?? '';
}
