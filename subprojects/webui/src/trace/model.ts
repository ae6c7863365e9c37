// SPDX-License-Identifier: Apache-2.0
// A trace in typed arrays. After build() a span's index is its row in the fully unfolded tree (depth first, children by
// start), so the subtree of i is [i, i + size[i]). Nothing here recurses: chains of 50,000 spans are common enough.

export const Flag = { error: 1, orphan: 2, events: 4, links: 8, warnings: 16, ok: 32 } as const;
export const KINDS = ['', 'internal', 'server', 'client', 'producer', 'consumer'];

/** As they come: any order, parents by index or -1, times in ns from t0. */
export interface Columns {
  n: number;
  traceId: string;
  t0: bigint;
  services: string[];
  names: string[];
  start: Float64Array;
  duration: Float64Array;
  ids: Uint8Array; // 8 bytes each
  parent: Int32Array;
  service: Uint32Array;
  name: Uint32Array;
  kind: Uint8Array;
  flags: Uint8Array;
}

export interface Trace extends Columns {
  depth: Int32Array;
  size: Int32Array; // of the subtree, itself included
  self: Float64Array; // ns in which no child ran
  end: number; // of the last span [ns from t0]
  rowOf: Int32Array; // from the order they came in
  errorsBelow: Int32Array; // errors in the subtree, itself included
  maxDepth: number;
  errors: number;
  orphans: number;
}

/** Indexes by start, longer spans first. */
function byStart(c: Columns): Uint32Array {
  const order = new Uint32Array(c.n);
  for (let i = 0; i < c.n; i++) order[i] = i;
  return order.sort((a, b) => c.start[a] - c.start[b] || c.duration[b] - c.duration[a] || a - b);
}

/** Preorder of the forest; each span exactly once, whatever the parents claim. Cycles are cut at their earliest span. */
function preorder(c: Columns, sorted: Uint32Array): { order: Uint32Array; parent: Int32Array } {
  const head = new Int32Array(c.n).fill(-1),
    next = new Int32Array(c.n).fill(-1);
  for (let k = c.n - 1; k >= 0; k--) {
    const i = sorted[k],
      p = c.parent[i];
    if (p >= 0) {
      next[i] = head[p]!;
      head[p] = i;
    }
  }
  const order = new Uint32Array(c.n),
    parent = new Int32Array(c.n).fill(-1),
    seen = new Uint8Array(c.n);
  const stack = new Int32Array(c.n + 1);
  let count = 0;
  const walk = (root: number) => {
    let top = 0;
    stack[top++] = root;
    seen[root] = 1;
    while (top > 0) {
      const i = stack[--top];
      order[count++] = i;
      const from = top;
      for (let k = head[i]; k >= 0; k = next[k]!) {
        if (seen[k]) continue;
        seen[k] = 1;
        parent[k] = i;
        stack[top++] = k;
      }
      stack.subarray(from, top).reverse();
    }
  };
  for (const i of sorted) if (c.parent[i] < 0) walk(i);
  for (const i of sorted) if (!seen[i]) walk(i);
  return { order, parent };
}

function permute<T extends Float64Array | Uint32Array | Uint8Array>(from: T, order: Uint32Array): T {
  const to = from.slice() as T;
  for (let row = 0; row < order.length; row++) to[row] = from[order[row]]!;
  return to;
}

export function build(c: Columns): Trace {
  const { n } = c;
  const { order, parent: oldParent } = preorder(c, byStart(c));
  const rowOf = new Int32Array(n);
  for (let row = 0; row < n; row++) rowOf[order[row]] = row;
  const ids = new Uint8Array(8 * n);
  const parent = new Int32Array(n),
    depth = new Int32Array(n),
    size = new Int32Array(n).fill(1),
    errorsBelow = new Int32Array(n);
  const flags = permute(c.flags, order);
  let maxDepth = 0,
    errors = 0,
    orphans = 0,
    end = 0;
  for (let row = 0; row < n; row++) {
    const from = order[row],
      p = oldParent[from];
    ids.set(c.ids.subarray(8 * from, 8 * from + 8), 8 * row);
    parent[row] = p < 0 ? -1 : rowOf[p];
    if (p < 0 && c.parent[from] >= 0) flags[row] |= Flag.orphan;
    depth[row] = p < 0 ? 0 : depth[parent[row]] + 1;
    maxDepth = Math.max(maxDepth, depth[row]);
    if (flags[row] & Flag.error) {
      errors++;
      errorsBelow[row] = 1;
    }
    if (flags[row] & Flag.orphan) orphans++;
    end = Math.max(end, c.start[from] + c.duration[from]);
  }
  for (let row = n - 1; row >= 0; row--) {
    const p = parent[row];
    if (p >= 0) {
      size[p] += size[row];
      errorsBelow[p] += errorsBelow[row];
    }
  }
  const trace: Trace = {
    ...c,
    ids,
    parent,
    depth,
    size,
    rowOf,
    flags,
    errorsBelow,
    maxDepth,
    errors,
    orphans,
    end,
    start: permute(c.start, order),
    duration: permute(c.duration, order),
    service: permute(c.service, order),
    name: permute(c.name, order),
    kind: permute(c.kind, order),
    self: new Float64Array(n),
  };
  selfTimes(trace);
  return trace;
}

/** Children come by start, so their union is one sweep. */
function selfTimes(t: Trace): void {
  for (let i = 0; i < t.n; i++) {
    const begin = t.start[i],
      end = begin + t.duration[i];
    let covered = 0,
      at = begin;
    for (let c = i + 1; c < i + t.size[i]; c += t.size[c]) {
      const from = Math.max(at, t.start[c]),
        to = Math.min(end, t.start[c] + t.duration[c]);
      if (to > from) {
        covered += to - from;
        at = to;
      }
    }
    t.self[i] = t.duration[i] - covered;
  }
}

const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));
export function spanId(t: Columns, row: number): string {
  let text = '';
  for (let k = 8 * row; k < 8 * row + 8; k++) text += HEX[t.ids[k]];
  return text;
}

/** Of several spans with one ID, the first. */
export function rowsById(t: Trace): Map<string, number> {
  const rows = new Map<string, number>();
  for (let row = t.n - 1; row >= 0; row--) rows.set(spanId(t, row), row);
  return rows;
}

export function rowOfSpan(t: Trace, id: string): number {
  if (!/^[0-9a-f]{16}$/i.test(id)) return -1;
  const bytes = Array.from({ length: 8 }, (_, k) => parseInt(id.slice(2 * k, 2 * k + 2), 16));
  for (let row = 0; row < t.n; row++) {
    let k = 0;
    while (k < 8 && t.ids[8 * row + k] === bytes[k]) k++;
    if (k === 8) return row;
  }
  return -1;
}

export function children(t: Trace, row: number): number[] {
  const list: number[] = [];
  for (let c = row + 1; c < row + t.size[row]; c += t.size[c]) list.push(c);
  return list;
}

/** The segments of time that decided the end, by row: head[row] is its first segment, next[] the further ones. */
export interface CriticalPath {
  head: Int32Array;
  next: number[];
  from: number[];
  to: number[];
  total: Float64Array;
}

/** From each root's end backwards: the child that ended last is what was waited for. */
export function criticalPath(t: Trace): CriticalPath {
  const path: CriticalPath = {
    head: new Int32Array(t.n).fill(-1),
    next: [],
    from: [],
    to: [],
    total: new Float64Array(t.n),
  };
  const add = (row: number, from: number, to: number) => {
    if (to <= from) return;
    path.next.push(path.head[row]);
    path.from.push(from);
    path.to.push(to);
    path.head[row] = path.from.length - 1;
    path.total[row] += to - from;
  };
  let root = 0; // the one that spans most: others ran beside it
  for (let r = 0; r < t.n; r += t.size[r]) if (t.duration[r] > t.duration[root]) root = r;
  if (t.n === 0) return path;
  const work: [number, number][] = [[root, t.start[root] + t.duration[root]]];
  for (let step = work.pop(); step; step = work.pop()) {
    const [row, limit] = step;
    const begin = t.start[row];
    let at = Math.min(limit, begin + t.duration[row]);
    const ended = children(t, row)
      .map((c) => [c, t.start[c] + t.duration[c]] as const)
      .sort((a, b) => b[1] - a[1]);
    for (const [child, childEnd] of ended) {
      const to = Math.min(childEnd, at);
      if (t.start[child] >= at || to <= begin || childEnd > begin + t.duration[row] + 1) continue;
      if (childEnd > at) continue; // ran beside what was waited for
      add(row, to, at);
      work.push([child, to]);
      at = Math.max(begin, t.start[child]);
      if (at <= begin) break;
    }
    add(row, begin, at);
  }
  return path;
}

/** Matches and all their ancestors. */
export function withAncestors(t: Trace, matches: Uint8Array): Uint8Array {
  const keep = matches.slice();
  for (let i = t.n - 1; i >= 0; i--) if (keep[i] && t.parent[i] >= 0) keep[t.parent[i]] = 1;
  return keep;
}

/** Fold spans at `depth` and below that have children. */
export function foldFrom(t: Trace, depth: number): Uint8Array {
  const folded = new Uint8Array(t.n);
  for (let i = 0; i < t.n; i++) if (t.size[i] > 1 && t.depth[i] >= depth) folded[i] = 1;
  return folded;
}
