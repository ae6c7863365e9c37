// SPDX-License-Identifier: Apache-2.0
// Spans summed up: by a column for the statistics, by call path for the graph and the comparison.
import { quantile } from '../lib/format';
import { Flag, type Trace } from './model';

export interface Stat {
  key: string;
  service: string;
  name: string;
  count: number;
  errors: number;
  total: number;
  self: number;
  min: number;
  max: number;
  avg: number;
  p95: number;
  first: number;
}

export function statistics(t: Trace, by: 'service' | 'name' | 'both', keep?: Uint8Array): Stat[] {
  const groups = new Map<number, Stat & { durations: number[] }>();
  for (let i = 0; i < t.n; i++) {
    if (keep && !keep[i]) continue;
    const key =
      by === 'service' ? t.service[i] : by === 'name' ? t.name[i] : t.service[i] * t.names.length + t.name[i];
    let g = groups.get(key);
    if (!g) {
      const service = by === 'name' ? '' : t.services[t.service[i]],
        name = by === 'service' ? '' : t.names[t.name[i]];
      groups.set(
        key,
        (g = {
          key: `${service}\0${name}`,
          service,
          name,
          count: 0,
          errors: 0,
          total: 0,
          self: 0,
          min: Infinity,
          max: 0,
          avg: 0,
          p95: 0,
          first: i,
          durations: [],
        }),
      );
    }
    const d = t.duration[i];
    g.count++;
    g.durations.push(d);
    if (t.flags[i] & Flag.error) g.errors++;
    g.total += d;
    g.self += t.self[i];
    g.min = Math.min(g.min, d);
    g.max = Math.max(g.max, d);
  }
  return [...groups.values()].map(({ durations, ...g }) => ({
    ...g,
    avg: g.total / g.count,
    p95: quantile(Float64Array.from(durations).sort(), 0.95),
  }));
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

/** @return nodes parents first, undefined beyond a limit no graph is readable at */
export function callPaths(t: Trace): PathNode[] {
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
  return nodes;
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
