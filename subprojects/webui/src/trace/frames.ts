// SPDX-License-Identifier: Apache-2.0
// Frames of the flame graph: spans of one call path are one, its width their time. Nothing here recurses.
import type { PathNode } from './aggregate';

export interface Frame {
  node: PathNode;
  x: number; // of the whole width, 0 to 1
  w: number;
  y: number; // row
}

export interface Shape {
  /** Only this node and what is below is drawn to scale; -1: all. */
  top: number;
  /** Without the rows above the top. */
  above: boolean;
  /** Nodes whose children are not drawn. */
  collapsed: ReadonlySet<number>;
}

export interface Weights {
  weight: number[];
  kids: number[][];
}

/** A frame is as wide as its own time and its children's together. */
export function weigh(nodes: PathNode[]): Weights {
  const weight = nodes.map((n) => Math.max(n.self, 0)),
    kids: number[][] = nodes.map(() => []);
  for (let i = nodes.length - 1; i >= 0; i--) {
    const p = nodes[i].parent;
    if (p >= 0) {
      weight[p] += weight[i];
      kids[p].push(i);
    }
  }
  for (const list of kids) list.reverse();
  return { weight, kids };
}

export function frames(nodes: PathNode[], { weight, kids }: Weights, shape: Shape): Frame[] {
  const { top, above, collapsed } = shape,
    result: Frame[] = [];
  const roots = top >= 0 ? [top] : nodes.filter((n) => n.parent < 0).map((n) => n.id);
  const all = roots.reduce((sum, r) => sum + weight[r], 0) || 1;
  const base = top >= 0 && !above ? nodes[top].depth : 0;
  if (top >= 0 && above)
    for (let p = nodes[top].parent; p >= 0; p = nodes[p].parent)
      result.unshift({ node: nodes[p], x: 0, w: 1, y: nodes[p].depth });
  const stack: [number, number][] = [];
  let x = 0;
  for (const r of roots) {
    stack.push([r, x]);
    x += weight[r] / all;
  }
  for (let step = stack.pop(); step; step = stack.pop()) {
    const [i, from] = step;
    result.push({ node: nodes[i], x: from, w: weight[i] / all, y: nodes[i].depth - base });
    if (collapsed.has(i)) continue;
    let at = from;
    for (const k of kids[i]) {
      stack.push([k, at]);
      at += weight[k] / all;
    }
  }
  return result;
}

/** Of equal service and operation. */
export function alike(nodes: PathNode[], id: number): Set<number> {
  const { service, name } = nodes[id];
  return new Set(nodes.filter((n) => n.service === service && n.name === name).map((n) => n.id));
}

export interface Total {
  service: string;
  name: string;
  id: number; // of its first node
  count: number;
  self: number;
  total: number; // of the outermost ones: recursion counts once
}

/** What each service and operation took in all its frames, most of its own time first. */
export function totals(nodes: PathNode[], { weight }: Weights): Total[] {
  const byName = new Map<string, Total>();
  for (const n of nodes) {
    const key = `${n.service}\0${n.name}`;
    let sum = byName.get(key);
    if (!sum)
      byName.set(key, (sum = { service: n.service, name: n.name, id: n.id, count: 0, self: 0, total: 0 }));
    sum.count += n.count;
    sum.self += Math.max(n.self, 0);
    let p = n.parent;
    while (p >= 0 && !(nodes[p].service === n.service && nodes[p].name === n.name)) p = nodes[p].parent;
    if (p < 0) sum.total += weight[n.id];
  }
  return [...byName.values()].sort((a, b) => b.self - a.self);
}

/** The next frame for an arrow key; undefined: there is none. */
export function neighbour(list: Frame[], at: Frame, key: string): Frame | undefined {
  const middle = at.x + at.w / 2;
  switch (key) {
    case 'ArrowUp':
      return list.find((f) => f.y === at.y - 1 && f.x <= middle && middle <= f.x + f.w);
    case 'ArrowDown':
      return list
        .filter((f) => f.y === at.y + 1 && f.node.parent === at.node.id)
        .reduce<Frame | undefined>((best, f) => (!best || f.w > best.w ? f : best), undefined);
    case 'ArrowRight':
      return list
        .filter((f) => f.y === at.y && f.x > at.x)
        .reduce<Frame | undefined>((best, f) => (!best || f.x < best.x ? f : best), undefined);
    case 'ArrowLeft':
      return list
        .filter((f) => f.y === at.y && f.x < at.x)
        .reduce<Frame | undefined>((best, f) => (!best || f.x > best.x ? f : best), undefined);
    case 'Home':
      return list.find((f) => f.y === 0);
    default:
      return undefined;
  }
}
