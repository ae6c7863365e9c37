// SPDX-License-Identifier: Apache-2.0
// Spans summed up: by a column for the statistics, by call path for the graph and the comparison.
import { quantile } from '../lib/format';
import { Flag, type Trace } from './model';

/** A number for each row: which of the titles it belongs to. -1: to none; beyond the titles: to one that has no place
 * in the list. */
export interface Grouping {
  of: ArrayLike<number>;
  titles: readonly string[];
}

export interface Stat {
  /** Of the group; undefined: spans that belong to none. */
  title: string | undefined;
  count: number;
  errors: number;
  matches: number;
  total: number;
  avg: number;
  min: number;
  max: number;
  p95: number;
  self: number;
  selfAvg: number;
  selfMin: number;
  selfMax: number;
  first: number;
  below: Stat[];
}

const FURTHER = 'further values';

function sum(t: Trace, rows: number[], title: string | undefined, matches: Uint8Array | undefined): Stat {
  const s: Stat = {
    title,
    count: rows.length,
    errors: 0,
    matches: 0,
    total: 0,
    avg: 0,
    min: Infinity,
    max: 0,
    p95: 0,
    self: 0,
    selfAvg: 0,
    selfMin: Infinity,
    selfMax: 0,
    first: rows[0],
    below: [],
  };
  const durations = new Float64Array(rows.length);
  rows.forEach((i, k) => {
    const d = t.duration[i],
      self = t.self[i];
    durations[k] = d;
    if (t.flags[i] & Flag.error) s.errors++;
    if (matches?.[i]) s.matches++;
    s.total += d;
    s.self += self;
    s.min = Math.min(s.min, d);
    s.max = Math.max(s.max, d);
    s.selfMin = Math.min(s.selfMin, self);
    s.selfMax = Math.max(s.selfMax, self);
  });
  s.avg = s.total / s.count;
  s.selfAvg = s.self / s.count;
  s.p95 = quantile(durations.sort(), 0.95);
  return s;
}

function split(rows: ArrayLike<number>, by: Grouping): [string | undefined, number[]][] {
  const groups = new Map<number, number[]>();
  for (let k = 0; k < rows.length; k++) {
    const number = Math.min(by.of[rows[k]], by.titles.length),
      list = groups.get(number);
    if (list) list.push(rows[k]);
    else groups.set(number, [rows[k]]);
  }
  return [...groups].map(([n, list]) => [n < 0 ? undefined : (by.titles[n] ?? FURTHER), list]);
}

/** @param sub the groups within each group */
export function statistics(t: Trace, by: Grouping, sub?: Grouping, matches?: Uint8Array): Stat[] {
  const all = Int32Array.from({ length: t.n }, (_, i) => i);
  return split(all, by).map(([title, rows]) => {
    const s = sum(t, rows, title, matches);
    if (sub) s.below = split(rows, sub).map(([name, part]) => sum(t, part, name, matches));
    return s;
  });
}

/** Spans of one service and name below the same path are one node. */
export interface PathNode {
  id: number;
  parent: number;
  service: string;
  name: string;
  count: number;
  errors: number;
  total: number;
  self: number;
  first: number;
  depth: number;
  path: string;
}

const NODES_MAX = 5000;

/** @return nodes, parents first; beyond a limit no graph is readable at, spans count for none of them */
export function callPaths(t: Trace): PathNode[] {
  return callPathsOf(t).nodes;
}

/** @return nodeOf: the node of each row */
export function callPathsOf(t: Trace): { nodes: PathNode[]; nodeOf: Int32Array } {
  const nodes: PathNode[] = [],
    nodeOf = new Int32Array(t.n),
    at = new Map<string, number>();
  for (let i = 0; i < t.n; i++) {
    const parent = t.parent[i] < 0 ? -1 : nodeOf[t.parent[i]];
    const key = `${parent}|${t.service[i]}|${t.name[i]}`;
    let id = at.get(key);
    if (id === undefined) {
      if (nodes.length >= NODES_MAX) {
        nodeOf[i] = Math.max(0, parent);
        continue;
      }
      id = nodes.length;
      at.set(key, id);
      const service = t.services[t.service[i]],
        name = t.names[t.name[i]];
      nodes.push({
        id,
        parent,
        service,
        name,
        count: 0,
        errors: 0,
        total: 0,
        self: 0,
        first: i,
        depth: parent < 0 ? 0 : nodes[parent].depth + 1,
        path: `${parent < 0 ? '' : nodes[parent].path}\u0001${service}\u0000${name}`,
      });
    }
    nodeOf[i] = id;
    const n = nodes[id];
    n.count++;
    n.total += t.duration[i];
    n.self += t.self[i];
    if (t.flags[i] & Flag.error) n.errors++;
  }
  return { nodes, nodeOf };
}

export interface DiffNode {
  path: string;
  parent: string | undefined;
  service: string;
  name: string;
  depth: number;
  a: PathNode | undefined;
  b: PathNode | undefined;
}

/** Paths of both, A's order first, B's additions after their parent's last. */
export function diff(a: PathNode[], b: PathNode[]): DiffNode[] {
  const byPath = new Map<string, DiffNode>();
  const add = (nodes: PathNode[], side: 'a' | 'b') => {
    for (const n of nodes) {
      let d = byPath.get(n.path);
      if (!d)
        byPath.set(
          n.path,
          (d = {
            path: n.path,
            parent: n.parent < 0 ? undefined : nodes[n.parent].path,
            service: n.service,
            name: n.name,
            depth: n.depth,
            a: undefined,
            b: undefined,
          }),
        );
      d[side] = n;
    }
  };
  add(a, 'a');
  add(b, 'b');
  const below = new Map<string | undefined, DiffNode[]>();
  for (const d of byPath.values()) {
    const list = below.get(d.parent);
    if (list) list.push(d);
    else below.set(d.parent, [d]);
  }
  const result: DiffNode[] = [],
    stack = [...(below.get(undefined) ?? [])].reverse();
  for (let d = stack.pop(); d; d = stack.pop()) {
    result.push(d);
    stack.push(...[...(below.get(d.path) ?? [])].reverse());
  }
  return result;
}
