// SPDX-License-Identifier: Apache-2.0
// A directed graph: layout in a worker, pan and zoom. Hovering or choosing a node shows what it touches.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import './graph.css';
import { failed } from '../lib/api';
import { COMPACT, Drawing, sizeOf } from './drawing';
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
  /** Of its calls, 0 to 1. */
  errorShare?: number;
}
interface Props {
  nodes: GraphNode[];
  edges: GraphEdge[];
  label: string;
  find?: string;
  onOpen?: (id: string) => void;
  focus?: string | undefined;
  layout?: 'layered' | 'force';
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

export function Graph({ nodes, edges, label, find, onOpen, focus, layout: style = 'layered' }: Props) {
  const [box, { width, height }] = useSize<HTMLDivElement>();
  const [answered, setPlaced] = useState<{ key: string; layout: LayoutAnswer }>();
  const [error, setError] = useState('');
  const [hover, setHover] = useState<string>();
  const [view, setView] = useState({ x: 0, y: 0, k: 1 });
  const moved = useRef(false);
  const key = useMemo(
    () =>
      nodes.map((n) => `${n.id} ${n.title.length}`).join('\n') +
      '|' +
      edges.map((e) => e.from + '>' + e.to).join('\n') +
      style,
    [nodes, edges, style],
  );

  // A layout of other nodes is none: edges are drawn by index.
  const placed = answered?.key === key ? answered.layout : undefined;

  useEffect(() => {
    if (nodes.length === 0 || width < 10) return undefined; // first its place, then what fills it
    setError('');
    moved.current = false;
    const { answer, cancel } = layout({
      nodes: nodes.map((n) => ({ id: n.id, ...sizeOf(n, nodes.length > COMPACT) })),
      edges: edges.map((e) => ({ from: e.from, to: e.to })),
      style,
      aspect: width > 10 && height > 10 ? width / height : 1.8,
      compact: nodes.length > COMPACT,
    });
    let done = false;
    answer.then((a) => {
      done = true;
      setPlaced({ key, layout: a });
    }, failed(setError));
    return () => {
      if (!done) cancel();
    };
  }, [key, width < 10]);

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

  const near = useMemo(() => {
    if (!hover) return undefined;
    const set = new Set([hover]);
    for (const e of edges) {
      if (e.from === hover) set.add(e.to);
      if (e.to === hover) set.add(e.from);
    }
    return set;
  }, [hover, edges]);
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
        <Drawing
          nodes={nodes}
          edges={edges}
          placed={placed}
          view={view}
          label={label}
          needle={find?.trim().toLowerCase()}
          active={hover ?? focus}
          near={near}
          onOpen={onOpen}
          onHover={setHover}
        />
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
