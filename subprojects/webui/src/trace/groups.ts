// SPDX-License-Identifier: Apache-2.0
// Siblings of one service and name that ran again and again: shown as one row ("ran 340 times") until it is opened.
import { quantile } from '../lib/format';
import type { Trace } from './model';

export interface Group {
  rows: number[]; // ascending; the first stands for all
  total: number;
  p95: number;
  errors: number; // in their subtrees
  begin: number;
  end: number;
}

export interface Groups {
  /** By row: the first of its group, or -1. */
  leader: Int32Array;
  of: Map<number, Group>;
}

export const GROUP_MIN = 10;

/** @param least how many siblings make a group */
export function groupSiblings(t: Trace, least = GROUP_MIN): Groups {
  const leader = new Int32Array(t.n).fill(-1),
    of = new Map<number, Group>();
  const first = new Map<number, number>(),
    times = new Int32Array(t.n);
  for (let i = 0; i < t.n; i++) {
    const p = t.parent[i];
    if (p < 0) continue;
    const key = (p * t.services.length + t.service[i]) * t.names.length + t.name[i];
    const head = first.get(key);
    if (head === undefined) first.set(key, i);
    leader[i] = head ?? i;
    times[leader[i]]++;
  }
  for (let i = 0; i < t.n; i++) {
    const head = leader[i];
    if (head < 0) continue;
    if (times[head] < least) {
      leader[i] = -1;
      continue;
    }
    let g = of.get(head);
    if (!g) of.set(head, (g = { rows: [], total: 0, p95: 0, errors: 0, begin: t.start[i], end: 0 }));
    g.rows.push(i);
    g.total += t.duration[i];
    g.errors += t.errorsBelow[i];
    g.end = Math.max(g.end, t.start[i] + t.duration[i]);
  }
  for (const g of of.values()) g.p95 = quantile(Float64Array.from(g.rows, (i) => t.duration[i]).sort(), 0.95);
  return { leader, of };
}

/** Rows that are shown: not below a folded one, allowed by the filter, and of each closed group the first. */
export function visibleRows(
  t: Trace,
  folded: Uint8Array,
  keep?: Uint8Array,
  groups?: Groups,
  open?: ReadonlySet<number>,
): Int32Array {
  const rows = new Int32Array(t.n);
  let count = 0;
  for (let i = 0; i < t.n;) {
    const head = groups ? groups.leader[i] : -1,
      closed = head >= 0 && !open?.has(head);
    if (closed && head !== i) {
      i += t.size[i];
      continue;
    }
    if (!keep || keep[i]) rows[count++] = i;
    i += folded[i] || closed ? t.size[i] : 1;
  }
  return rows.subarray(0, count);
}
