// SPDX-License-Identifier: Apache-2.0
// The bars beside the names, drawn on one canvas: only those on screen.
import { token } from '../lib/color';
import { duration, ticks } from '../lib/format';
import { Flag } from './model';
import type { View } from './view';
import { ROW } from './widths';

export interface Area {
  rows: Int32Array;
  first: number;
  last: number;
  scrollTop: number;
  width: number;
  height: number;
  dark: boolean;
  colors: string[]; // by service
}

/** One frame: where things are, and the colours of the theme. */
class Frame {
  readonly from: number;
  readonly scale: number;
  readonly text = token('--text');
  readonly soft = token('--soft');
  readonly error = token('--error');
  readonly back = token('--back');
  readonly critical = token('--critical');

  constructor(
    readonly g: CanvasRenderingContext2D,
    readonly view: View,
    readonly area: Area,
  ) {
    this.from = view.from.value;
    this.scale = area.width / (view.to.value - view.from.value);
  }

  x(ns: number): number {
    return (ns - this.from) * this.scale;
  }

  bar(row: number, y: number): void {
    const { g, view, area } = this,
      { t } = view;
    const x = this.x(t.start[row]),
      w = Math.max(t.duration[row] * this.scale, 2);
    const x0 = Math.max(x, -4),
      x1 = Math.min(x + w, area.width + 4);
    if (x1 <= 0 || x0 >= area.width) return;
    g.fillStyle = area.colors[t.service[row]];
    g.beginPath();
    g.roundRect(x0, y + 6, Math.max(2, x1 - x0), 12, 2.5);
    g.fill();
    if (t.flags[row] & Flag.error) {
      g.fillStyle = this.error;
      g.fillRect(x0, y + 18, Math.max(2, x1 - x0), 2);
    }
    if (view.folded.value[row] && t.size[row] > 1) {
      g.fillStyle = this.back;
      const alpha = g.globalAlpha;
      g.globalAlpha = alpha * 0.55;
      for (let sx = Math.max(x0, 0) + 5; sx < Math.min(x1, area.width); sx += 7)
        g.fillRect(sx, y + 6, 1.5, 12);
      g.globalAlpha = alpha;
    }
  }

  /** All of a group in one row; what falls on the same pixel is drawn once. */
  group(rows: number[], y: number): void {
    const { g, view, area } = this,
      { t } = view;
    let drawn = -Infinity;
    for (const row of rows) {
      const x = this.x(t.start[row]),
        end = Math.max(x + t.duration[row] * this.scale, x + 1);
      if (end <= drawn || end < 0 || x > area.width) continue;
      const x0 = Math.max(x, drawn, 0);
      g.fillStyle = t.errorsBelow[row] ? this.error : area.colors[t.service[row]];
      g.fillRect(x0, y + 7, Math.max(end - x0 - (end - x > 3 ? 0.5 : 0), 1), 10);
      drawn = end;
    }
  }

  criticalSegments(row: number, y: number): void {
    const { g, area } = this,
      path = this.view.path.value;
    if (!path) return;
    g.fillStyle = this.critical;
    for (let s = path.head[row]; s >= 0; s = path.next[s]) {
      const a = Math.max(0, this.x(path.from[s])),
        b = Math.min(area.width, this.x(path.to[s]));
      if (b > a) g.fillRect(a, y + 10.5, Math.max(b - a, 1), 3);
    }
  }

  /** At their times once the span is known, else one at its begin. */
  events(row: number, y: number): void {
    const { g, view, area } = this,
      { t } = view;
    if (!(t.flags[row] & Flag.events)) return;
    const detail = view.seen.value.get(row);
    const times = detail?.events.map((e) => Number(e.atNs - t.t0)) ?? [t.start[row] + 4 / this.scale];
    for (const ns of times.slice(0, 200)) {
      const x = this.x(ns);
      if (x < -2 || x > area.width + 2) continue;
      g.fillStyle = this.back;
      g.fillRect(x - 2, y + 8, 4, 8);
      g.fillStyle = this.text;
      g.fillRect(x - 1, y + 8, 2, 8);
    }
  }

  label(text: string, begin: number, end: number, y: number, striped: boolean): void {
    const { g, area } = this,
      width = text.length * 6.3;
    const x0 = Math.max(this.x(begin), -4),
      x1 = Math.min(Math.max(this.x(end), this.x(begin) + 2), area.width + 4);
    g.fillStyle = this.soft;
    if (x1 + width + 8 < area.width && x1 > -4) {
      g.textAlign = 'left';
      g.fillText(text, Math.max(x1, 0) + 6, y + 12.5);
    } else if (x0 - width - 8 > 0) {
      g.textAlign = 'right';
      g.fillText(text, Math.min(x0, area.width) - 6, y + 12.5);
    } else if (x1 - Math.max(x0, 0) > width + 20) {
      if (striped) return; // the row says it
      g.textAlign = 'right';
      g.fillStyle = area.dark ? '#0b0f14' : '#fff';
      g.fillText(text, Math.min(x1, area.width) - 6, y + 12.5);
    }
  }
}

export function drawBars(g: CanvasRenderingContext2D, view: View, area: Area): void {
  const { t } = view,
    frame = new Frame(g, view, area),
    { rows, width, height } = area;
  g.fillStyle = token('--grid');
  for (const ns of ticks(view.from.value, view.to.value, Math.max(2, Math.floor(width / 120))))
    g.fillRect(Math.round(frame.x(ns)), 0, 1, height);
  g.font = '11px system-ui, sans-serif';
  g.textBaseline = 'middle';
  const selected = token('--select');
  for (let k = area.first; k < area.last; k++) {
    const row = rows[k],
      y = k * ROW - area.scrollTop,
      group = view.group(row);
    if (row === view.selected.value) {
      g.fillStyle = selected;
      g.fillRect(0, y, width, ROW);
    }
    g.globalAlpha = view.matches.value && !view.isMatch(row) ? 0.35 : 1;
    if (group) frame.group(group.rows, y);
    else frame.bar(row, y);
    frame.criticalSegments(row, y);
    if (!group) frame.events(row, y);
    const begin = group ? group.begin : t.start[row],
      end = group ? group.end : begin + t.duration[row];
    frame.label(
      group ? `${duration(group.total)} in all` : duration(t.duration[row]),
      begin,
      end,
      y,
      !!group,
    );
    g.globalAlpha = 1;
  }
}
