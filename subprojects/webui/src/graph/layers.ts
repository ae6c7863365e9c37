// SPDX-License-Identifier: Apache-2.0
// A layered layout for many nodes and edges: columns by distance from what nobody calls (or least), ordered by the mean
// of the neighbours; edges are one curve. A column holds as many as fill the page best.
import type { LayoutAnswer, LayoutAsk } from './layout.worker';

const SWEEPS = 8;

interface Links {
  calls: number[][];
  callers: number[][];
}

function linksOf({ nodes, edges }: LayoutAsk, at: Map<string, number>): Links {
  const calls: number[][] = nodes.map(() => []),
    callers: number[][] = nodes.map(() => []);
  for (const e of edges) {
    const a = at.get(e.from)!,
      b = at.get(e.to)!;
    if (a === b) continue;
    calls[a].push(b);
    callers[b].push(a);
  }
  return { calls, callers };
}

/** Nodes of each distance, those with the fewest callers first. */
function levels({ calls, callers }: Links): number[][] {
  const level = new Int32Array(calls.length).fill(-1);
  const byCallers = calls
    .map((_, i) => i)
    .sort((a, b) => callers[a].length - callers[b].length || calls[b].length - calls[a].length);
  for (const root of byCallers) {
    if (level[root] >= 0) continue;
    level[root] = 0;
    for (let queue = [root]; queue.length;) {
      const next: number[] = [];
      for (const i of queue)
        for (const k of calls[i])
          if (level[k] < 0) {
            level[k] = level[i] + 1;
            next.push(k);
          }
      queue = next;
    }
  }
  const result: number[][] = [];
  for (const i of byCallers) (result[level[i]] ??= []).push(i);
  return result;
}

function split(list: number[][], most: number): number[][] {
  return list.flatMap((inside) => {
    const parts = Math.ceil(inside.length / most),
      each = Math.ceil(inside.length / parts);
    return Array.from({ length: parts }, (_, k) => inside.slice(k * each, (k + 1) * each));
  });
}

interface Spacing {
  pitch: number; // from row to row
  gap: number; // between columns
}

/** The columns that can be shown largest. */
function columnsOf(ask: LayoutAsk, list: number[][], { pitch, gap }: Spacing): number[][] {
  let best: number[][] = [],
    bestScale = 0;
  for (let most = 4; most <= Math.max(12, ask.nodes.length); most++) {
    const columns = split(list, most);
    const width = columns.reduce(
      (sum, c) => sum + gap + c.reduce((max, i) => Math.max(max, ask.nodes[i].width), 0),
      0,
    );
    const height = pitch * columns.reduce((max, c) => Math.max(max, c.length), 0);
    const scale = Math.min(ask.aspect / width, 1 / height);
    if (scale > bestScale) {
      bestScale = scale;
      best = columns;
    }
    if (columns.length === list.length) break; // they only would grow
  }
  return best;
}

export function layers(ask: LayoutAsk): LayoutAnswer {
  const { job, nodes, edges } = ask;
  const at = new Map(nodes.map((n, i) => [n.id, i])),
    links = linksOf(ask, at);
  const tall = nodes.reduce((max, n) => Math.max(max, n.height), 0);
  const spacing = ask.compact ? { pitch: tall + 7, gap: 38 } : { pitch: tall + 18, gap: 130 };
  const columns = columnsOf(ask, levels(links), spacing);
  const x = new Float64Array(nodes.length),
    y = new Float64Array(nodes.length);
  const place = () => {
    for (const list of columns)
      list.forEach((i, k) => {
        y[i] = (k - (list.length - 1) / 2) * spacing.pitch;
      });
  };
  place();
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const mean = (i: number) => {
      const near = [...links.calls[i], ...links.callers[i]];
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
    const width = list.reduce((max, i) => Math.max(max, nodes[i].width), 0);
    for (const i of list) x[i] = left + width / 2;
    left += width + spacing.gap;
  }
  const top = Math.min(0, ...y) - tall,
    height = Math.max(0, ...y) - top + tall;
  return {
    job,
    width: left - spacing.gap + 20,
    height,
    nodes: nodes.map((n, i) => [n.id, x[i], y[i] - top]),
    edges: edges.map((e) => curve(at.get(e.from)!, at.get(e.to)!, nodes, x, y, top)),
  };
}

function curve(
  a: number,
  b: number,
  nodes: LayoutAsk['nodes'],
  x: Float64Array,
  y: Float64Array,
  top: number,
): [number, number][] {
  const side = x[b] >= x[a] ? 1 : -1;
  const x0 = x[a] + (side * nodes[a].width) / 2,
    x1 = x[b] - (side * nodes[b].width) / 2,
    y0 = y[a] - top,
    y1 = y[b] - top;
  const bend = x[a] === x[b] ? side * 60 : 0;
  return [
    [x0, y0],
    [x0 + side * 16, y0],
    [(x0 + x1) / 2 + bend, (y0 + y1) / 2],
    [x1 - side * 16, y1],
    [x1, y1],
  ];
}
