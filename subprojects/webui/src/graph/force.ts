// SPDX-License-Identifier: Apache-2.0
// Force layout: nodes push each other away, edges pull. Starts on a spiral, so the same graph looks the same. Then it is
// spread over the page's shape, and what overlaps is moved apart: every name can be read.
import type { LayoutAnswer, LayoutAsk } from './layout.worker';

const EDGE = 190,
  PAD = 8, // between nodes
  ROOM = 1.8, // area for each of their own
  STEPS_MAX = 320,
  WORK_MAX = 90e6; // pairs looked at

export function force(ask: LayoutAsk): LayoutAnswer {
  const { job, nodes, edges } = ask;
  const n = nodes.length,
    at = new Map(nodes.map((node, i) => [node.id, i]));
  const x = new Float64Array(n),
    y = new Float64Array(n),
    dx = new Float64Array(n),
    dy = new Float64Array(n);
  const degree = new Float64Array(n).fill(1);
  const pairs = edges.map((e) => [at.get(e.from)!, at.get(e.to)!] as const).filter(([a, b]) => a !== b);
  for (const [a, b] of pairs) {
    degree[a]++;
    degree[b]++;
  }
  // The busiest in the middle, the others around on a golden spiral.
  const order = [...nodes.keys()].sort((a, b) => degree[b] - degree[a]);
  order.forEach((i, k) => {
    const r = EDGE * 0.75 * Math.sqrt(k),
      angle = k * 2.399963;
    x[i] = r * Math.cos(angle);
    y[i] = r * Math.sin(angle);
  });
  const steps = Math.max(30, Math.min(STEPS_MAX, Math.floor(WORK_MAX / (n * n + 1))));
  for (let step = 0; step < steps; step++) {
    dx.fill(0);
    dy.fill(0);
    for (let i = 0; i < n; i++)
      for (let k = i + 1; k < n; k++) {
        let ax = x[i] - x[k];
        const ay = (y[i] - y[k]) * 1.9; // nodes are wider than high
        if (ax === 0 && ay === 0) ax = 0.1;
        const push = (EDGE * EDGE * 1.1) / (ax * ax + ay * ay);
        dx[i] += ax * push;
        dy[i] += ay * push;
        dx[k] -= ax * push;
        dy[k] -= ay * push;
      }
    for (const [a, b] of pairs) {
      const ax = x[b] - x[a],
        ay = y[b] - y[a],
        length = Math.hypot(ax, ay) || 1;
      const pull = ((length / EDGE) * 0.9) / Math.sqrt(Math.min(degree[a], degree[b]));
      dx[a] += ax * pull;
      dy[a] += ay * pull;
      dx[b] -= ax * pull;
      dy[b] -= ay * pull;
    }
    const most = EDGE * 0.5 * (1 - step / steps) + 1;
    for (let i = 0; i < n; i++) {
      dx[i] -= x[i] * 0.35;
      dy[i] -= y[i] * 0.55;
      const length = Math.hypot(dx[i], dy[i]) || 1,
        move = Math.min(length * 0.1, most) / length;
      x[i] += dx[i] * move;
      y[i] += dy[i] * move;
    }
  }
  if (ask.compact) spread(ask, x, y);
  separate(nodes, x, y);
  return placed(job, nodes, edges, at, x, y);
}

/** Stretch to the shape of the page, with about half of it free; a few that are far out come nearer. */
function spread({ nodes, aspect }: LayoutAsk, x: Float64Array, y: Float64Array): void {
  const area = nodes.reduce((sum, n) => sum + (n.width + PAD) * (n.height + PAD), 0) * ROOM;
  const height = Math.sqrt(area / aspect);
  for (const [values, size] of [
    [x, height * aspect],
    [y, height],
  ] as const) {
    const sorted = values.slice().sort(),
      low = sorted[Math.floor(sorted.length * 0.02)],
      high = sorted[Math.ceil(sorted.length * 0.98) - 1];
    for (let i = 0; i < values.length; i++)
      values[i] = (Math.max(0, Math.min(1, (values[i] - low) / (high - low || 1))) - 0.5) * size;
  }
}

/** Push overlapping nodes apart, each half the way, where the way is shorter. */
function separate(nodes: LayoutAsk['nodes'], x: Float64Array, y: Float64Array): void {
  const n = nodes.length,
    rounds = Math.max(10, Math.min(150, Math.floor(WORK_MAX / (n * n + 1))));
  for (let round = 0, moved = true; round < rounds && moved; round++) {
    moved = false;
    for (let i = 0; i < n; i++)
      for (let k = i + 1; k < n; k++) {
        const ax = x[k] - x[i],
          ay = y[k] - y[i];
        const overX = (nodes[i].width + nodes[k].width) / 2 + PAD - Math.abs(ax),
          overY = (nodes[i].height + nodes[k].height) / 2 + PAD - Math.abs(ay);
        if (overX <= 0.5 || overY <= 0.5) continue;
        moved = true;
        if (overX < overY) {
          const d = (ax < 0 ? -1 : 1) * (overX / 2);
          x[i] -= d;
          x[k] += d;
        } else {
          const d = (ay < 0 ? -1 : 1) * (overY / 2);
          y[i] -= d;
          y[k] += d;
        }
      }
  }
}

/** Moved to the first quadrant; edges from border to border. */
function placed(
  job: number,
  nodes: LayoutAsk['nodes'],
  edges: LayoutAsk['edges'],
  at: Map<string, number>,
  x: Float64Array,
  y: Float64Array,
): LayoutAnswer {
  const left = Math.min(0, ...nodes.map((n, i) => x[i] - n.width / 2)) - 20;
  const top = Math.min(0, ...nodes.map((n, i) => y[i] - n.height / 2)) - 20;
  const width = Math.max(...nodes.map((n, i) => x[i] + n.width / 2)) - left + 20;
  const height = Math.max(...nodes.map((n, i) => y[i] + n.height / 2)) - top + 20;
  const border = (i: number, k: number): [number, number] => {
    const ax = x[k] - x[i],
      ay = y[k] - y[i];
    const scale = Math.min(
      nodes[i].width / 2 / (Math.abs(ax) || 1e-9),
      nodes[i].height / 2 / (Math.abs(ay) || 1e-9),
      0.5,
    );
    return [x[i] + ax * scale - left, y[i] + ay * scale - top];
  };
  return {
    job,
    width,
    height,
    nodes: nodes.map((n, i) => [n.id, x[i] - left, y[i] - top]),
    edges: edges.map((e) => {
      const a = at.get(e.from)!,
        b = at.get(e.to)!;
      const [x0, y0] = border(a, b),
        [x1, y1] = border(b, a);
      // A little to the side, so that both directions can be seen.
      const bend = 0.06;
      return [
        [x0, y0],
        [(x0 + x1) / 2 - (y1 - y0) * bend, (y0 + y1) / 2 + (x1 - x0) * bend],
        [x1, y1],
      ];
    }),
  };
}
