// SPDX-License-Identifier: Apache-2.0
// Layouts, beside the page's thread.
import dagre from '@dagrejs/dagre';
import { force } from './force';

export interface LayoutNode {
  id: string;
  width: number;
  height: number;
}
export interface LayoutEdge {
  from: string;
  to: string;
}
export interface LayoutAsk {
  job: number;
  nodes: LayoutNode[];
  edges: LayoutEdge[];
  style: 'layered' | 'force';
}
export interface LayoutAnswer {
  job: number;
  width: number;
  height: number;
  nodes: [string, number, number][];
  edges: [number, number][][];
}

const DENSE = 400; // edges; above, dagre takes seconds to minutes, and its detours are not readable either

self.addEventListener('message', (event: MessageEvent<LayoutAsk>) => {
  const ask = event.data;
  if (ask.style === 'force') self.postMessage(force(ask));
  else self.postMessage(ask.edges.length > DENSE ? layers(ask) : layered(ask));
});

function layered({ job, nodes, edges }: LayoutAsk): LayoutAnswer {
  const g = new dagre.graphlib.Graph({ multigraph: true });
  g.setGraph({ rankdir: 'LR', nodesep: 18, ranksep: 70, edgesep: 8, marginx: 20, marginy: 20 });
  g.setDefaultEdgeLabel(() => ({}));
  for (const n of nodes) g.setNode(n.id, { width: n.width, height: n.height });
  edges.forEach((e, i) => g.setEdge(e.from, e.to, {}, String(i)));
  dagre.layout(g);
  return {
    job,
    width: g.graph().width ?? 0,
    height: g.graph().height ?? 0,
    nodes: nodes.map((n) => {
      const at = g.node(n.id);
      return [n.id, at.x, at.y];
    }),
    edges: edges.map((e, i) =>
      (g.edge({ v: e.from, w: e.to, name: String(i) }).points ?? []).map(
        (p: { x: number; y: number }) => [p.x, p.y] as [number, number],
      ),
    ),
  };
}

/** Columns by distance from what nobody calls (or least), ordered by the mean of the neighbours; edges are one curve. */
function layers({ job, nodes, edges }: LayoutAsk): LayoutAnswer {
  const at = new Map(nodes.map((n, i) => [n.id, i])),
    calls: number[][] = nodes.map(() => []),
    callers: number[][] = nodes.map(() => []);
  for (const e of edges) {
    const a = at.get(e.from)!,
      b = at.get(e.to)!;
    if (a !== b) {
      calls[a].push(b);
      callers[b].push(a);
    }
  }
  const column = new Int32Array(nodes.length).fill(-1);
  const byCallers = nodes
    .map((_, i) => i)
    .sort((a, b) => callers[a].length - callers[b].length || calls[b].length - calls[a].length);
  for (const root of byCallers) {
    if (column[root] >= 0) continue;
    column[root] = 0;
    for (const queue = [root]; queue.length;) {
      const i = queue.shift()!;
      for (const k of calls[i])
        if (column[k] < 0) {
          column[k] = column[i] + 1;
          queue.push(k);
        }
    }
  }
  // A column holds what fits the eye; more goes to further ones.
  const most = Math.max(12, Math.ceil(Math.sqrt(nodes.length) * 1.6)),
    columns: number[][] = [];
  for (let c = 0; c <= Math.max(0, ...column); c++) {
    const inside = byCallers.filter((i) => column[i] === c);
    for (let from = 0; from < inside.length; from += most) columns.push(inside.slice(from, from + most));
  }
  const y = new Float64Array(nodes.length),
    x = new Float64Array(nodes.length);
  const place = () =>
    columns.forEach((list) =>
      list.forEach((i, k) => {
        y[i] = (k - (list.length - 1) / 2) * 58;
      }),
    );
  place();
  for (let sweep = 0; sweep < 8; sweep++) {
    const mean = (i: number) => {
      const near = [...calls[i], ...callers[i]];
      return near.length ? near.reduce((sum, k) => sum + y[k], 0) / near.length : y[i];
    };
    for (const list of columns) {
      const means = new Map(list.map((i) => [i, mean(i)]));
      list.sort((a, b) => means.get(a)! - means.get(b)!);
    }
    place();
  }
  let left = 20;
  for (const list of columns) {
    const width = Math.max(0, ...list.map((i) => nodes[i].width));
    for (const i of list) x[i] = left + width / 2;
    left += width + 130;
  }
  const top = Math.min(0, ...y) - 40,
    height = Math.max(0, ...y) - top + 40;
  const answer: LayoutAnswer = {
    job,
    width: left - 110,
    height,
    nodes: nodes.map((n, i) => [n.id, x[i], y[i] - top]),
    edges: [],
  };
  for (const e of edges) {
    const a = at.get(e.from)!,
      b = at.get(e.to)!,
      side = x[b] >= x[a] ? 1 : -1;
    const x0 = x[a] + (side * nodes[a].width) / 2,
      x1 = x[b] - (side * nodes[b].width) / 2,
      y0 = y[a] - top,
      y1 = y[b] - top;
    const bend = x[a] === x[b] ? side * 60 : 0;
    answer.edges.push([
      [x0, y0],
      [x0 + side * 40, y0],
      [(x0 + x1) / 2 + bend, (y0 + y1) / 2],
      [x1 - side * 40, y1],
      [x1, y1],
    ]);
  }
  return answer;
}
