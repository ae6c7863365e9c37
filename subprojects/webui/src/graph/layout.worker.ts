// SPDX-License-Identifier: Apache-2.0
// Layouts, beside the page's thread.
import dagre from '@dagrejs/dagre';
import { force } from './force';
import { layers } from './layers';

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
  /** Width by height of where it is shown. */
  aspect: number;
  /** Many nodes: they are small and stand close. */
  compact: boolean;
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
  else self.postMessage(ask.compact || ask.edges.length > DENSE ? layers(ask) : layered(ask));
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
