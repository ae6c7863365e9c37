// SPDX-License-Identifier: Apache-2.0
// Flame graph: spans of one call path are one frame, its width their total time. Iterative, one canvas.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { isDark, serviceColor, token } from '../lib/color';
import { duration, plural } from '../lib/format';
import { context, useSize } from '../ui/bits';
import { callPaths, type PathNode } from './aggregate';
import type { View } from './view';

const ROW = 21;
interface Frame {
  node: PathNode;
  x: number;
  w: number;
  y: number;
}

/** Frames below `top` (-1: all). A frame is as wide as the larger of its own time and its children's. */
export function frames(nodes: PathNode[], top: number): Frame[] {
  const weight = nodes.map((n) => Math.max(n.self, 0)),
    kids: number[][] = nodes.map(() => []);
  for (let i = nodes.length - 1; i >= 0; i--) {
    const p = nodes[i].parent;
    if (p >= 0) {
      weight[p] += weight[i];
      kids[p].unshift(i);
    }
  }
  const roots = top >= 0 ? [top] : nodes.filter((n) => n.parent < 0).map((n) => n.id);
  const all = roots.reduce((sum, r) => sum + weight[r], 0) || 1,
    result: Frame[] = [];
  const base = top >= 0 ? nodes[top].depth : 0;
  const stack: [number, number][] = [];
  let x = 0;
  for (const r of roots) {
    stack.push([r, x]);
    x += weight[r] / all;
  }
  for (let step = stack.pop(); step; step = stack.pop()) {
    const [i, from] = step,
      w = weight[i] / all;
    result.push({ node: nodes[i], x: from, w, y: nodes[i].depth - base });
    let at = from;
    for (const k of kids[i]) {
      stack.push([k, at]);
      at += weight[k] / all;
    }
  }
  return result;
}

export function Flame({ view, onOpen }: { view: View; onOpen: (row: number) => void }) {
  const [box, { width }] = useSize<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [top, setTop] = useState(-1);
  const [hover, setHover] = useState<{ frame: Frame; x: number; y: number }>();
  const nodes = useMemo(() => callPaths(view.t), [view]);
  const list = useMemo(() => frames(nodes, top), [nodes, top]);
  const rows = Math.min(1000, list.reduce((max, f) => Math.max(max, f.y), 0) + 1),
    height = rows * ROW + 4;
  const dark = isDark.value,
    needle = view.query.value.trim().toLowerCase();
  useEffect(() => {
    if (!canvas.current || width < 20) return;
    const g = context(canvas.current, width, height);
    g.font = '11px system-ui, sans-serif';
    g.textBaseline = 'middle';
    for (const f of list) {
      const x = f.x * width,
        w = f.w * width;
      if (w < 0.4 || f.y >= rows) continue;
      const hit =
        needle &&
        !(f.node.name.toLowerCase().includes(needle) || f.node.service.toLowerCase().includes(needle));
      g.globalAlpha = hit ? 0.25 : 1;
      g.fillStyle = serviceColor(f.node.service, dark);
      g.fillRect(x, f.y * ROW, Math.max(w - 1, 0.5), ROW - 2);
      if (f.node.errors) {
        g.fillStyle = token('--error');
        g.fillRect(x, f.y * ROW + ROW - 5, Math.max(w - 1, 0.5), 3);
      }
      if (w > 34) {
        g.fillStyle = dark ? '#0b0f14' : '#fff';
        const max = Math.floor((w - 8) / 6.1),
          text = `${f.node.service} ${f.node.name}${f.node.count > 1 ? ` ×${f.node.count}` : ''}`;
        g.fillText(text.length > max ? text.slice(0, max - 1) + '…' : text, x + 5, f.y * ROW + ROW / 2 - 0.5);
      }
      g.globalAlpha = 1;
    }
  }, [list, width, dark, needle]);
  const at = (e: MouseEvent) => {
    const b = canvas.current!.getBoundingClientRect(),
      x = (e.clientX - b.left) / width,
      y = Math.floor((e.clientY - b.top) / ROW);
    return list.find((f) => f.y === y && x >= f.x && x < f.x + f.w);
  };
  return (
    <div class="pane">
      <div class="row" style={{ marginBottom: '8px' }}>
        {top >= 0 && <button onClick={() => setTop(-1)}>Whole trace</button>}
        <span class="soft">
          Width is time spent, without waiting for children twice; the same calls are one frame. Click to
          zoom, double click to open the first span.
        </span>
      </div>
      <div
        class="flame"
        ref={box}
        onMouseMove={(e) => {
          const frame = at(e),
            b = box.current!.getBoundingClientRect();
          setHover(frame && { frame, x: e.clientX - b.left, y: e.clientY - b.top });
        }}
        onMouseLeave={() => setHover(undefined)}
        onClick={(e) => {
          const f = at(e);
          if (f) setTop(f.node.id === top ? -1 : f.node.id);
        }}
        onDblClick={(e) => {
          const f = at(e);
          if (f) onOpen(f.node.first);
        }}
      >
        <canvas ref={canvas} role="img" aria-label="Flame graph; the statistics view has its figures" />
        {hover && (
          <div
            class="tip"
            style={{ left: `${Math.min(hover.x + 12, width - 260)}px`, top: `${hover.y + 14}px` }}
          >
            <b>{hover.frame.node.service}</b> {hover.frame.node.name}
            <br />
            {plural(hover.frame.node.count, 'span')} · total {duration(hover.frame.node.total)} · self{' '}
            {duration(hover.frame.node.self)}
            {hover.frame.node.errors ? ` · ${plural(hover.frame.node.errors, 'error')}` : ''}
          </div>
        )}
      </div>
    </div>
  );
}
