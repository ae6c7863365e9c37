// SPDX-License-Identifier: Apache-2.0
// A directed graph: layout in a worker, SVG with pan and zoom. Hovering or choosing a node shows what it touches.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { failed } from '../lib/api';
import { drag, Loading, useSize } from '../ui/bits';
import type { LayoutAnswer, LayoutAsk } from './layout.worker';

export interface GraphNode {
  id: string;
  title: string;
  sub?: string;
  color?: string;
  className?: string;
  hint?: string;
}
export interface GraphEdge {
  from: string;
  to: string;
  label?: string;
  weight?: number;
  hint?: string;
}
interface Props {
  nodes: GraphNode[];
  edges: GraphEdge[];
  label: string;
  find?: string;
  onOpen?: (id: string) => void;
  focus?: string | undefined;
  down?: boolean;
}

let worker: Worker | undefined;
let jobs = 0;

function layout(ask: Omit<LayoutAsk, 'job'>): { answer: Promise<LayoutAnswer>; cancel: () => void } {
  worker ??= new Worker(new URL('./layout.worker.ts', import.meta.url), { type: 'module' });
  const job = ++jobs,
    mine = worker;
  let listener: (e: MessageEvent<LayoutAnswer>) => void;
  const answer = new Promise<LayoutAnswer>((resolve, reject) => {
    listener = (e) => {
      if (e.data.job === job) {
        mine.removeEventListener('message', listener);
        resolve(e.data);
      }
    };
    mine.addEventListener('message', listener);
    mine.addEventListener('error', () => reject(new Error('The layout failed.')), { once: true });
    mine.postMessage({ ...ask, job });
  });
  return {
    answer,
    cancel: () => {
      mine.removeEventListener('message', listener);
      mine.terminate();
      if (worker === mine) worker = undefined;
    },
  };
}

const NODE_HEIGHT = 40;
const widthOf = (n: GraphNode) =>
  Math.min(240, Math.max(90, 30 + Math.max(n.title.length * 7, (n.sub?.length ?? 0) * 6)));
const cut = (text: string, width: number, per: number) => {
  const max = Math.floor((width - 26) / per);
  return text.length > max ? text.slice(0, max - 1) + '…' : text;
};

function pathOf(points: [number, number][]): string {
  if (points.length < 3) return points.map(([x, y], i) => `${i ? 'L' : 'M'}${x} ${y}`).join('');
  let d = `M${points[0][0]} ${points[0][1]}`;
  for (let i = 1; i < points.length - 1; i++) {
    const [x, y] = points[i],
      [nx, ny] = points[i + 1];
    const last = i === points.length - 2;
    d += `Q${x} ${y} ${last ? nx : (x + nx) / 2} ${last ? ny : (y + ny) / 2}`;
  }
  return d;
}

export function Graph({ nodes, edges, label, find, onOpen, focus, down }: Props) {
  const [box, { width, height }] = useSize<HTMLDivElement>();
  const [placed, setPlaced] = useState<LayoutAnswer>();
  const [error, setError] = useState('');
  const [hover, setHover] = useState<string>();
  const [view, setView] = useState({ x: 0, y: 0, k: 1 });
  const moved = useRef(false);
  const key = useMemo(
    () =>
      nodes.map((n) => `${n.id} ${n.title.length}`).join('\n') +
      '|' +
      edges.map((e) => e.from + '>' + e.to).join('\n') +
      String(down),
    [nodes, edges, down],
  );

  useEffect(() => {
    setPlaced(undefined);
    setError('');
    moved.current = false;
    const { answer, cancel } = layout({
      nodes: nodes.map((n) => ({ id: n.id, width: widthOf(n), height: NODE_HEIGHT })),
      edges: edges.map((e) => ({ from: e.from, to: e.to })),
      down: down ?? false,
    });
    let done = false;
    answer.then((a) => {
      done = true;
      setPlaced(a);
    }, failed(setError));
    return () => {
      if (!done) cancel();
    };
  }, [key]);

  const fit = () => {
    if (!placed || width < 10) return;
    const k = Math.min(1.15, Math.max(0.05, Math.min(width / placed.width, height / placed.height)));
    setView({ k, x: (width - placed.width * k) / 2, y: (height - placed.height * k) / 2 });
  };
  useEffect(() => {
    if (!moved.current) fit();
  }, [placed, width, height]);

  const zoom = (factor: number, x = width / 2, y = height / 2) => {
    moved.current = true;
    setView((v) => {
      const k = Math.max(0.04, Math.min(4, v.k * factor));
      return { k, x: x - ((x - v.x) / v.k) * k, y: y - ((y - v.y) / v.k) * k };
    });
  };
  useEffect(() => {
    const element = box.current!;
    const wheel = (e: WheelEvent) => {
      e.preventDefault();
      const b = element.getBoundingClientRect();
      zoom(Math.exp(-Math.max(-80, Math.min(80, e.deltaY)) * 0.004), e.clientX - b.left, e.clientY - b.top);
    };
    element.addEventListener('wheel', wheel, { passive: false });
    return () => element.removeEventListener('wheel', wheel);
  }, []);

  const active = hover ?? focus;
  const near = useMemo(() => {
    if (!hover) return undefined;
    const set = new Set([hover]);
    for (const e of edges) {
      if (e.from === hover) set.add(e.to);
      if (e.to === hover) set.add(e.from);
    }
    return set;
  }, [hover, edges]);
  const heaviest = edges.reduce((max, e) => Math.max(max, e.weight ?? 1), 1);
  const needle = find?.trim().toLowerCase();
  const at = new Map(placed?.nodes.map(([id, x, y]) => [id, [x, y] as const]));
  return (
    <div
      class="graph"
      ref={box}
      role="group"
      aria-label={label}
      onPointerDown={(e) => {
        const v = view,
          x0 = e.clientX,
          y0 = e.clientY;
        if ((e.target as Element).closest('.node, button')) return;
        moved.current = true;
        drag(e, (x, y) => setView({ ...v, x: v.x + x - x0, y: v.y + y - y0 }));
      }}
    >
      {error ? (
        <div class="center">
          <p class="notice">{error}</p>
        </div>
      ) : !placed ? (
        <div style={{ display: 'flex', height: '100%' }}>
          <Loading what="Laying out the graph…" />
        </div>
      ) : (
        <svg aria-label={label} class={edges.length > 300 ? 'dense' : ''}>
          <defs>
            <marker
              id="arrow"
              viewBox="0 0 8 8"
              refX="7.5"
              refY="4"
              markerWidth="7"
              markerHeight="7"
              markerUnits="userSpaceOnUse"
              orient="auto"
            >
              <path d="M0 0 8 4 0 8z" fill="var(--faint)" />
            </marker>
          </defs>
          <g transform={`translate(${view.x} ${view.y}) scale(${view.k})`}>
            {edges.map((e, i) => {
              const points = placed.edges[i],
                on = active !== undefined && (e.from === active || e.to === active);
              const middle = points[Math.floor(points.length / 2)];
              return (
                <g key={i} class={near && !on ? 'away' : ''}>
                  <path
                    class={`edge${on ? ' on' : ''}`}
                    d={pathOf(points)}
                    marker-end="url(#arrow)"
                    style={{
                      strokeWidth: `${1 + (((edges.length > 300 ? 2 : 4) * Math.log1p(e.weight ?? 1)) / Math.log1p(heaviest)) * (heaviest > 1 ? 1 : 0)}px`,
                    }}
                  >
                    <title>{e.hint ?? `${e.from} → ${e.to}`}</title>
                  </path>
                  {e.label && middle && (on || (edges.length <= 60 && view.k > 0.45)) && (
                    <text class="edge-text" x={middle[0]} y={middle[1] - 3}>
                      {e.label}
                    </text>
                  )}
                </g>
              );
            })}
            {nodes.map((n) => {
              const place = at.get(n.id);
              if (!place) return null;
              const w = widthOf(n),
                found = needle ? n.title.toLowerCase().includes(needle) : false;
              return (
                <g
                  key={n.id}
                  class={`node ${n.className ?? ''}${found || n.id === active ? ' on' : ''}${(near && !near.has(n.id)) || (needle && !found) ? ' away' : ''}`}
                  transform={`translate(${place[0] - w / 2} ${place[1] - NODE_HEIGHT / 2})`}
                  role="button"
                  tabIndex={0}
                  aria-label={n.hint ?? `${n.title} ${n.sub ?? ''}`}
                  onClick={() => onOpen?.(n.id)}
                  onKeyDown={(e) => {
                    if (e.key === 'Enter' || e.key === ' ') {
                      e.preventDefault();
                      onOpen?.(n.id);
                    }
                  }}
                  onPointerEnter={() => setHover(n.id)}
                  onPointerLeave={() => setHover(undefined)}
                  onFocus={() => setHover(n.id)}
                  onBlur={() => setHover(undefined)}
                >
                  <rect width={w} height={NODE_HEIGHT} rx="7" />
                  <rect
                    width="5"
                    height={NODE_HEIGHT - 14}
                    x="7"
                    y="7"
                    rx="2.5"
                    style={{ fill: n.color ?? 'var(--faint)', stroke: 'none' }}
                  />
                  <text x="19" y={n.sub ? 17 : 24} style={{ fontWeight: 600 }}>
                    {cut(n.title, w, 6.9)}
                  </text>
                  {n.sub && (
                    <text class="small" x="19" y="32">
                      {cut(n.sub, w, 5.8)}
                    </text>
                  )}
                  <title>{n.hint ?? n.title}</title>
                </g>
              );
            })}
          </g>
        </svg>
      )}
      <div class="zoomers">
        <button aria-label="Zoom in" onClick={() => zoom(1.3)}>
          +
        </button>
        <button aria-label="Zoom out" onClick={() => zoom(1 / 1.3)}>
          −
        </button>
        <button
          onClick={() => {
            moved.current = false;
            fit();
          }}
        >
          Fit
        </button>
      </div>
    </div>
  );
}
