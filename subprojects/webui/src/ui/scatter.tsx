// SPDX-License-Identifier: Apache-2.0
// Results by time and duration (log scale). A dot's size is its spans, errors are ringed diamonds; a drag selects.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Summary } from '../lib/api';
import { isDark, serviceColor, token } from '../lib/color';
import { count, duration, plural, shortTime, time } from '../lib/format';
import { context, useSize } from './bits';

export interface Brush {
  fromMs: number;
  toMs: number;
  minNs: number;
  maxNs: number;
}
const LEFT = 56,
  RIGHT = 14,
  TOP = 12,
  BOTTOM = 22;

interface Props {
  traces: Summary[];
  outliers: Set<string>;
  brush: Brush | undefined;
  onBrush: (b: Brush | undefined) => void;
  onOpen: (t: Summary) => void;
}

export function Scatter({ traces, outliers, brush, onBrush, onOpen }: Props) {
  const [box, { width, height }] = useSize<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [hover, setHover] = useState<{ trace: Summary; x: number; y: number }>();
  const [area, setArea] = useState<{ x0: number; y0: number; x1: number; y1: number }>();

  let from = Infinity,
    to = -Infinity,
    low = Infinity,
    high = 0;
  for (const t of traces) {
    from = Math.min(from, t.startMs);
    to = Math.max(to, t.startMs);
    low = Math.min(low, Math.max(t.durationNs, 1));
    high = Math.max(high, t.durationNs);
  }
  const pad = Math.max((to - from) * 0.03, 500);
  from -= pad;
  to += pad;
  const lowLog = Math.log10(low) - 0.12,
    highLog = Math.max(Math.log10(Math.max(high, 1)) + 0.12, lowLog + 0.4);
  const w = Math.max(10, width - LEFT - RIGHT),
    h = Math.max(10, height - TOP - BOTTOM);
  const x = (t: Summary) => LEFT + ((t.startMs - from) / (to - from)) * w;
  const y = (ns: number) => TOP + h - ((Math.log10(Math.max(ns, 1)) - lowLog) / (highLog - lowLog)) * h;
  const r = (t: Summary) => Math.min(11, 2.6 + Math.sqrt(t.spans) * 0.42);

  const dark = isDark.value;
  useEffect(() => {
    if (!canvas.current || width < 50) return;
    const g = context(canvas.current, width, height);
    g.font = '11px system-ui, sans-serif';
    g.textBaseline = 'middle';
    const firstPower = Math.floor(lowLog),
      powers = highLog - lowLog;
    g.textAlign = 'right';
    for (let p = firstPower; p <= highLog; p++)
      for (const m of powers > 3 ? [1] : powers > 1.2 ? [1, 3] : [1, 2, 3, 5, 7]) {
        const ns = m * 10 ** p,
          at = y(ns);
        if (at < TOP - 1 || at > TOP + h + 1) continue;
        g.fillStyle = token('--grid');
        g.fillRect(LEFT, Math.round(at), w, 1);
        g.fillStyle = token('--soft');
        g.fillText(duration(ns), LEFT - 8, at);
      }
    g.textAlign = 'center';
    const marks = Math.max(2, Math.floor(w / 130));
    for (let i = 0; i <= marks; i++)
      g.fillText(
        shortTime(from + ((to - from) * i) / marks, to - from),
        Math.min(LEFT + w - 26, Math.max(LEFT + 26, LEFT + (w * i) / marks)),
        height - 10,
      );
    for (const t of [...traces].sort((a, b) => b.spans - a.spans)) {
      const cx = x(t),
        cy = y(t.durationNs),
        size = r(t);
      g.globalAlpha = 0.7;
      g.fillStyle = t.errors ? token('--error') : serviceColor(t.rootService, dark);
      g.beginPath();
      if (t.errors) {
        g.moveTo(cx, cy - size * 1.2);
        g.lineTo(cx + size * 1.2, cy);
        g.lineTo(cx, cy + size * 1.2);
        g.lineTo(cx - size * 1.2, cy);
        g.closePath();
      } else g.arc(cx, cy, size, 0, 7);
      g.fill();
      g.globalAlpha = 1;
      g.strokeStyle = token('--back');
      g.lineWidth = 1;
      g.stroke();
      if (outliers.has(t.traceId)) {
        g.strokeStyle = token('--warn');
        g.lineWidth = 1.5;
        g.beginPath();
        g.arc(cx, cy, size + 3.5, 0, 7);
        g.stroke();
      }
    }
  }, [traces, outliers, width, height, dark]);

  const nearest = (px: number, py: number) => {
    let best: Summary | undefined,
      distance = 18;
    for (const t of traces) {
      const d = Math.hypot(x(t) - px, y(t.durationNs) - py) - r(t);
      if (d < distance) {
        distance = d;
        best = t;
      }
    }
    return best;
  };
  const at = (e: PointerEvent) => {
    const b = box.current!.getBoundingClientRect();
    return [e.clientX - b.left, e.clientY - b.top] as const;
  };
  const nsAt = (py: number) => 10 ** (lowLog + ((TOP + h - py) / h) * (highLog - lowLog));
  const msAt = (px: number) => from + ((px - LEFT) / w) * (to - from);

  const down = (e: PointerEvent) => {
    box.current!.setPointerCapture(e.pointerId);
    const [px, py] = at(e);
    setArea({ x0: px, y0: py, x1: px, y1: py });
  };
  const move = (e: PointerEvent) => {
    const [px, py] = at(e);
    if (area) {
      setArea({ ...area, x1: px, y1: py });
      setHover(undefined);
      return;
    }
    const trace = nearest(px, py);
    setHover(trace && { trace, x: x(trace), y: y(trace.durationNs) });
  };
  const up = () => {
    if (!area) return;
    setArea(undefined);
    if (Math.abs(area.x1 - area.x0) < 5 && Math.abs(area.y1 - area.y0) < 5) {
      const trace = nearest(area.x0, area.y0);
      if (trace) onOpen(trace);
      else onBrush(undefined);
      return;
    }
    const [xa, xb] = [Math.min(area.x0, area.x1), Math.max(area.x0, area.x1)],
      [ya, yb] = [Math.min(area.y0, area.y1), Math.max(area.y0, area.y1)];
    onBrush({ fromMs: msAt(xa), toMs: msAt(xb), minNs: nsAt(yb), maxNs: nsAt(ya) });
  };
  const shown = area
    ? {
        left: Math.min(area.x0, area.x1),
        top: Math.min(area.y0, area.y1),
        width: Math.abs(area.x1 - area.x0),
        height: Math.abs(area.y1 - area.y0),
      }
    : brush && {
        left: LEFT + ((brush.fromMs - from) / (to - from)) * w,
        top: y(brush.maxNs),
        width: ((brush.toMs - brush.fromMs) / (to - from)) * w,
        height: y(brush.minNs) - y(brush.maxNs),
      };

  return (
    <div
      class="scatter"
      ref={box}
      role="img"
      aria-label={`Scatter plot of ${plural(traces.length, 'trace')} by time and duration; the list below has the same facts`}
      onPointerDown={down}
      onPointerMove={move}
      onPointerUp={up}
      onPointerLeave={() => setHover(undefined)}
      style={{ cursor: hover ? 'pointer' : 'crosshair', touchAction: 'none' }}
    >
      <canvas ref={canvas} />
      {shown && (
        <div
          style={{
            position: 'absolute',
            border: '1px solid var(--accent)',
            background: 'var(--accent-soft)',
            opacity: 0.45,
            left: `${shown.left}px`,
            top: `${shown.top}px`,
            width: `${shown.width}px`,
            height: `${shown.height}px`,
            pointerEvents: 'none',
          }}
        />
      )}
      {hover && (
        <div
          class="tip"
          style={{
            left: hover.x > width / 2 ? undefined : `${hover.x + 14}px`,
            right: hover.x > width / 2 ? `${width - hover.x + 14}px` : undefined,
            top: `${Math.min(hover.y, height - 76)}px`,
          }}
        >
          <b>{hover.trace.rootService || '(no root)'}</b> {hover.trace.root}
          <br />
          {duration(hover.trace.durationNs)} · {plural(hover.trace.spans, 'span')}
          {hover.trace.errors ? ` · ${plural(hover.trace.errors, 'error')}` : ''}
          {outliers.has(hover.trace.traceId) ? ' · outlier' : ''}
          <br />
          <span class="soft">{time(hover.trace.startMs)}</span>
        </div>
      )}
      <span class="sr">{count(traces.length)}</span>
    </div>
  );
}
