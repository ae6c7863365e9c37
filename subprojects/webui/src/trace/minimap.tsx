// SPDX-License-Identifier: Apache-2.0
// The whole trace in 56 pixels: drag to zoom, drag the edges of the window, double click to see everything.
import { useEffect, useRef, useState } from 'preact/hooks';
import { isDark, serviceColor, token } from '../lib/color';
import { context, drag, useSize } from '../ui/bits';
import { Flag } from './model';
import type { View } from './view';

export function Minimap({ view }: { view: View }) {
  const { t } = view;
  const [box, { width, height }] = useSize<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [area, setArea] = useState<[number, number]>();
  const dark = isDark.value;
  useEffect(() => {
    if (!canvas.current || width < 10) return;
    const g = context(canvas.current, width, height);
    const colors = t.services.map((s) => serviceColor(s, dark)),
      error = token('--error');
    // Spans that fall on the same pixels are drawn once: 200,000 spans cost what fits on the canvas.
    const rowHeight = Math.max(1, Math.min(4, (height - 8) / t.n));
    const drawn = new Set<number>();
    for (let i = 0; i < t.n; i++) {
      const y = 4 + Math.floor((i / t.n) * (height - 8)),
        x = Math.floor((t.start[i] / view.whole) * width);
      const w = Math.max(1, Math.round((t.duration[i] / view.whole) * width)),
        bad = t.flags[i] & Flag.error;
      const key = ((y * 4096 + x) * 4096 + w) * 2 + (bad ? 1 : 0);
      if (drawn.has(key)) continue;
      drawn.add(key);
      g.fillStyle = bad ? error : colors[t.service[i]];
      g.fillRect(x, y, w, rowHeight);
    }
  }, [width, height, dark]);
  const at = (x: number) => Math.max(0, Math.min(1, (x - box.current!.getBoundingClientRect().left) / width));
  const down = (e: PointerEvent) => {
    const begin = at(e.clientX);
    drag(
      e,
      (x) => setArea([Math.min(begin, at(x)), Math.max(begin, at(x))]),
      (x, moved) => {
        setArea(undefined);
        const end = at(x);
        if (moved) {
          view.zoom(Math.min(begin, end) * view.whole, Math.max(begin, end) * view.whole);
          return;
        }
        const half = (view.to.value - view.from.value) / 2;
        view.zoom(begin * view.whole - half, begin * view.whole + half);
      },
    );
  };
  const grip = (edge: 'from' | 'to') => (e: PointerEvent) => {
    e.stopPropagation();
    drag(e, (x) => {
      const ns = at(x) * view.whole;
      if (edge === 'from') view.zoom(Math.min(ns, view.to.value - 1), view.to.value);
      else {
        const begin = view.from.value;
        view.zoom(begin, Math.max(ns, begin + 1));
      }
    });
  };
  const a = (view.from.value / view.whole) * 100,
    b = (view.to.value / view.whole) * 100;
  return (
    <div
      class="minimap"
      ref={box}
      onPointerDown={down}
      onDblClick={() => view.zoom(0, view.whole)}
      aria-hidden="true"
    >
      <canvas ref={canvas} />
      <div class="shade" style={{ left: 0, width: `${a}%` }} />
      <div class="shade" style={{ left: `${b}%`, right: 0 }} />
      {area && (
        <div
          style={{
            position: 'absolute',
            top: 0,
            bottom: 0,
            left: `${area[0] * 100}%`,
            width: `${(area[1] - area[0]) * 100}%`,
            background: 'var(--accent)',
            opacity: 0.25,
          }}
        />
      )}
      <div class="grip" style={{ left: `${a}%` }} onPointerDown={grip('from')} />
      <div class="grip" style={{ left: `${b}%` }} onPointerDown={grip('to')} />
    </div>
  );
}
