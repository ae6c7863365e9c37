// SPDX-License-Identifier: Apache-2.0
// Rows of names (DOM: a treegrid, only those on screen) beside one canvas of bars. A frame costs what is visible.
import { signal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { isDark, serviceColor, token } from '../lib/color';
import { duration, plural, ticks } from '../lib/format';
import { context, drag, useSize } from '../ui/bits';
import { Minimap } from './minimap';
import { Flag } from './model';
import { kindText, type View } from './view';

const ROW = 24,
  INDENT = 13;
const nameWidth = signal(readWidth());
function readWidth(): number {
  try {
    return Math.max(140, Math.min(900, Number(localStorage.getItem('jaeger.names')) || 380));
  } catch {
    return 380;
  }
}

function Ruler({ view, width }: { view: View; width: number }) {
  const [area, setArea] = useState<[number, number]>();
  const [cursor, setCursor] = useState<number>();
  const ticksBox = useRef<HTMLDivElement>(null);
  const from = view.from.value,
    to = view.to.value,
    span = to - from;
  const at = (x: number) => {
    const b = ticksBox.current!.getBoundingClientRect();
    return from + Math.max(0, Math.min(1, (x - b.left) / b.width)) * span;
  };
  const down = (e: PointerEvent) => {
    const begin = at(e.clientX);
    drag(
      e,
      (x) => setArea([Math.min(begin, at(x)), Math.max(begin, at(x))]),
      (x, moved) => {
        setArea(undefined);
        if (moved) view.zoom(Math.min(begin, at(x)), Math.max(begin, at(x)));
      },
    );
  };
  return (
    <div class="ruler">
      <div class="names" style={{ width: `${nameWidth.value}px` }}>
        <span class="grow cut">
          {plural(view.rows.value.length, 'row')} {view.rows.value.length < view.t.n && `of ${view.t.n}`}
        </span>
        <button
          class="quiet small"
          title="Unfold a level (o)"
          aria-label="Unfold a level"
          onClick={() => view.foldLevel(false)}
        >
          ›
        </button>
        <button
          class="quiet small"
          title="Fold a level (p)"
          aria-label="Fold a level"
          onClick={() => view.foldLevel(true)}
        >
          ‹
        </button>
        <button class="quiet small" title="Unfold all ([)" aria-label="Unfold all" onClick={view.unfoldAll}>
          »
        </button>
        <button class="quiet small" title="Fold all (])" aria-label="Fold all" onClick={view.foldAll}>
          «
        </button>
      </div>
      <div
        class="ticks"
        ref={ticksBox}
        onPointerDown={down}
        onDblClick={() => view.zoom(0, view.whole)}
        onPointerMove={(e) => setCursor(at(e.clientX))}
        onPointerLeave={() => setCursor(undefined)}
      >
        {ticks(from, to, Math.max(2, Math.floor((width - nameWidth.value) / 120)))
          .filter((ns) => (ns - from) / span < 0.96)
          .map((ns) => (
            <span key={ns} style={{ left: `${((ns - from) / span) * 100}%` }}>
              {duration(ns)}
            </span>
          ))}
        {area && (
          <div
            style={{
              position: 'absolute',
              top: 0,
              bottom: 0,
              left: `${((area[0] - from) / span) * 100}%`,
              width: `${((area[1] - area[0]) / span) * 100}%`,
              background: 'var(--accent)',
              opacity: 0.3,
            }}
          />
        )}
        {cursor !== undefined && !area && (
          <span
            style={{
              left: `${((cursor - from) / span) * 100}%`,
              background: 'var(--text)',
              color: 'var(--back)',
              padding: '0 4px',
              borderRadius: '3px',
              transform: 'translateX(-50%)',
            }}
          >
            {duration(cursor)}
          </span>
        )}
      </div>
      <div
        class="divider"
        role="separator"
        aria-orientation="vertical"
        aria-label="Width of the names"
        aria-valuenow={nameWidth.value}
        tabIndex={0}
        style={{ left: `${nameWidth.value}px` }}
        onKeyDown={(e) => {
          const d = { ArrowLeft: -20, ArrowRight: 20 }[e.key];
          if (d) {
            e.preventDefault();
            e.stopPropagation();
            nameWidth.value = Math.max(140, nameWidth.value + d);
          }
        }}
        onPointerDown={(e) => {
          const begin = nameWidth.value,
            x0 = e.clientX;
          drag(
            e,
            (x) => {
              nameWidth.value = Math.max(140, Math.min(width - 160, begin + x - x0));
            },
            () => {
              try {
                localStorage.setItem('jaeger.names', String(nameWidth.value));
              } catch {
                /* storage is off */
              }
            },
          );
        }}
      />
    </div>
  );
}

function drawBars(
  g: CanvasRenderingContext2D,
  view: View,
  rows: Int32Array,
  first: number,
  last: number,
  scrollTop: number,
  width: number,
  height: number,
  dark: boolean,
  colors: string[],
): void {
  const { t } = view,
    from = view.from.value,
    span = view.to.value - from,
    path = view.path.value,
    matches = view.matches.value;
  const text = token('--text'),
    soft = token('--soft'),
    error = token('--error'),
    back = token('--back'),
    select = token('--select'),
    panel = token('--critical');
  const scale = width / span;
  g.fillStyle = token('--grid');
  for (const ns of ticks(from, view.to.value, Math.max(2, Math.floor(width / 120))))
    g.fillRect(Math.round((ns - from) * scale), 0, 1, height);
  g.font = '11px system-ui, sans-serif';
  g.textBaseline = 'middle';
  for (let k = first; k < last; k++) {
    const i = rows[k],
      y = k * ROW - scrollTop;
    if (i === view.selected.value) {
      g.fillStyle = select;
      g.fillRect(0, y, width, ROW);
    }
    const x = (t.start[i] - from) * scale,
      w = Math.max(t.duration[i] * scale, 2),
      x0 = Math.max(x, -4),
      x1 = Math.min(x + w, width + 4);
    const dim = matches && !matches[i];
    g.globalAlpha = dim ? 0.35 : 1;
    if (x1 > 0 && x0 < width) {
      g.fillStyle = colors[t.service[i]]!;
      g.beginPath();
      g.roundRect(x0, y + 6, Math.max(2, x1 - x0), 12, 2.5);
      g.fill();
      if (t.flags[i] & Flag.error) {
        g.fillStyle = error;
        g.fillRect(x0, y + 18, Math.max(2, x1 - x0), 2);
      }
      if (view.folded.value[i] && t.size[i] > 1) {
        g.fillStyle = back;
        g.globalAlpha *= 0.55;
        for (let sx = Math.max(x0, 0) + 5; sx < Math.min(x1, width); sx += 7) g.fillRect(sx, y + 6, 1.5, 12);
        g.globalAlpha = dim ? 0.35 : 1;
      }
    }
    if (path) {
      g.fillStyle = panel;
      for (let s = path.head[i]; s >= 0; s = path.next[s]!) {
        const a = Math.max(0, (path.from[s] - from) * scale),
          b = Math.min(width, (path.to[s] - from) * scale);
        if (b > a) g.fillRect(a, y + 10.5, Math.max(b - a, 1), 3);
      }
    }
    if (t.flags[i] & Flag.events && x1 > 0 && x0 < width) {
      g.fillStyle = text;
      g.beginPath();
      g.arc(Math.min(Math.max(x0, 2) + 4, width), y + 12, 2, 0, 7);
      g.fill();
    }
    const label = duration(t.duration[i]),
      labelWidth = label.length * 6.3;
    g.fillStyle = soft;
    if (x1 + labelWidth + 8 < width && x1 > -4) {
      g.textAlign = 'left';
      g.fillText(label, Math.max(x1, 0) + 6, y + 12.5);
    } else if (x0 - labelWidth - 8 > 0) {
      g.textAlign = 'right';
      g.fillText(label, Math.min(x0, width) - 6, y + 12.5);
    } else if (x1 - Math.max(x0, 0) > labelWidth + 20) {
      g.textAlign = 'right';
      g.fillStyle = dark ? '#0b0f14' : '#fff';
      g.fillText(label, Math.min(x1, width) - 6, y + 12.5);
    }
    g.globalAlpha = 1;
  }
}

function Row({ view, row, at, color }: { view: View; row: number; at: number; color: string }) {
  const { t } = view,
    flags = t.flags[row],
    folded = view.folded.value[row] === 1,
    below = t.size[row] - 1,
    depth = t.depth[row];
  const matches = view.matches.value,
    selected = view.selected.value === row;
  const service = t.services[t.service[row]],
    name = t.names[t.name[row]];
  const hiddenErrors = folded && t.errorsBelow[row] > (flags & Flag.error ? 1 : 0);
  const indent = Math.min(depth * INDENT, nameWidth.value - 150 > 0 ? nameWidth.value - 150 : 0);
  const label = `${service || 'no service'} ${name}, ${duration(t.duration[row])}, starts at ${duration(t.start[row])}${flags & Flag.error ? ', error' : ''}${kindText(t, row) ? ', ' + kindText(t, row) : ''}`;
  return (
    <div
      class={`span${matches ? (matches[row] ? ' match' : ' dim') : ''}`}
      style={{ top: `${at * ROW}px` }}
      role="row"
      id={`row-${row}`}
      aria-level={depth + 1}
      aria-rowindex={at + 1}
      aria-selected={selected}
      aria-expanded={below ? !folded : undefined}
      aria-label={label}
      data-row={row}
    >
      <div
        class="label"
        role="gridcell"
        style={{ width: `${nameWidth.value}px`, paddingLeft: `${indent + 2}px` }}
      >
        <div class="guides" style={{ width: `${indent + 2}px`, backgroundSize: `${INDENT}px 100%` }} />
        <button class={`fold quiet${below ? '' : ' none'}`} tabIndex={-1} aria-hidden="true" data-fold={row}>
          {folded ? '▸' : '▾'}
          {below > 9999 ? '9k+' : below}
        </button>
        <i class="svc" style={{ background: color }} />
        {flags & Flag.error ? (
          <i class="err" title="Error">
            !
          </i>
        ) : hiddenErrors ? (
          <i class="err below" title="Errors below">
            !
          </i>
        ) : null}
        <span class="name" title={`${service} · ${name}`}>
          <b>{service || '?'}</b> <span>{name}</span>
        </span>
      </div>
    </div>
  );
}

export function Waterfall({ view }: { view: View }) {
  const { t } = view;
  const scroller = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [box, { width, height }] = useSize<HTMLDivElement>();
  const [scrollTop, setScrollTop] = useState(0);
  const [headHeight] = useState(56 + 26);
  const rows = view.rows.value,
    selected = view.selected.value,
    dark = isDark.value;
  const viewHeight = Math.max(0, height - headHeight);
  const first = Math.max(0, Math.floor(scrollTop / ROW)),
    last = Math.min(rows.length, Math.ceil((scrollTop + viewHeight) / ROW) + 1);
  const [barWidth, setBarWidth] = useState(0);
  useLayoutEffect(() => {
    setBarWidth((scroller.current?.clientWidth ?? width) - nameWidth.value);
  }, [width, nameWidth.value, rows.length > 50]);
  const colors = colorsOf(t.services, dark);

  useLayoutEffect(() => {
    if (!canvas.current || barWidth < 20 || viewHeight < 10) return;
    drawBars(
      context(canvas.current, barWidth, viewHeight),
      view,
      rows,
      first,
      last,
      scrollTop,
      barWidth,
      viewHeight,
      dark,
      colors,
    );
  }, [
    barWidth,
    viewHeight,
    scrollTop,
    rows,
    view.from.value,
    view.to.value,
    selected,
    view.matches.value,
    view.path.value,
    view.folded.value,
    dark,
  ]);

  // Bring the selected row into sight when it changed from elsewhere.
  useEffect(() => {
    const element = scroller.current;
    if (!element || selected < 0 || viewHeight < 10) return;
    const at = indexOf(rows, selected);
    if (at < 0) return;
    const top = at * ROW;
    if (top < element.scrollTop) element.scrollTop = Math.max(0, top - viewHeight / 3);
    else if (top + ROW > element.scrollTop + viewHeight) element.scrollTop = top - (viewHeight * 2) / 3;
  }, [selected, rows, viewHeight > 10]);

  useEffect(() => {
    const element = scroller.current!;
    const wheel = (e: WheelEvent) => {
      const x = e.clientX - element.getBoundingClientRect().left - nameWidth.value,
        w = element.clientWidth - nameWidth.value;
      if ((e.ctrlKey || e.metaKey) && x > 0) {
        e.preventDefault();
        view.zoomBy(
          Math.exp(Math.max(-60, Math.min(60, e.deltaY)) * 0.008),
          view.from.value + (x / w) * (view.to.value - view.from.value),
        );
      } else if (Math.abs(e.deltaX) > Math.abs(e.deltaY) || e.shiftKey) {
        e.preventDefault();
        view.pan((e.shiftKey && !e.deltaX ? e.deltaY : e.deltaX) / Math.max(w, 1));
      }
    };
    element.addEventListener('wheel', wheel, { passive: false });
    return () => element.removeEventListener('wheel', wheel);
  }, [view]);

  const click = (e: MouseEvent) => {
    const target = e.target as HTMLElement;
    const fold = target.closest<HTMLElement>('[data-fold]');
    if (fold) {
      view.toggle(Number(fold.dataset['fold']), e.altKey);
      return;
    }
    const row = target.closest<HTMLElement>('[data-row]');
    if (row) {
      const i = Number(row.dataset['row']);
      view.select(view.selected.value === i ? -1 : i);
    }
  };
  return (
    <div class="water" ref={box}>
      <Minimap view={view} />
      <Ruler view={view} width={width} />
      <div
        class="rows"
        id="rows"
        ref={scroller}
        role="treegrid"
        tabIndex={0}
        aria-label="Spans"
        aria-rowcount={rows.length}
        aria-activedescendant={selected >= 0 ? `row-${selected}` : undefined}
        onScroll={(e) => setScrollTop(e.currentTarget.scrollTop)}
        onClick={click}
        onDblClick={(e) => {
          const r = (e.target as HTMLElement).closest<HTMLElement>('[data-row]');
          if (r) zoomTo(view, Number(r.dataset['row']));
        }}
      >
        <div class="sticky" style={{ marginLeft: `${nameWidth.value}px` }}>
          <canvas ref={canvas} aria-hidden="true" />
        </div>
        <div style={{ height: `${rows.length * ROW}px`, position: 'relative' }} role="rowgroup">
          {Array.from({ length: Math.max(0, last - first) }, (_, k) => {
            const row = rows[first + k];
            return <Row key={k} view={view} row={row} at={first + k} color={colors[t.service[row]]} />;
          })}
        </div>
        {rows.length === 0 && (
          <p class="soft" style={{ padding: '24px' }}>
            No span passes the filter.
          </p>
        )}
      </div>
    </div>
  );
}

let colorCache: { services: string[]; dark: boolean; colors: string[] } | undefined;
function colorsOf(services: string[], dark: boolean): string[] {
  if (colorCache?.services !== services || colorCache.dark !== dark)
    colorCache = { services, dark, colors: services.map((s) => serviceColor(s, dark)) };
  return colorCache.colors;
}

/** Rows ascend. */
export function indexOf(rows: Int32Array, row: number): number {
  let low = 0,
    high = rows.length;
  while (low < high) {
    const mid = (low + high) >> 1;
    if (rows[mid] < row) low = mid + 1;
    else high = mid;
  }
  return rows[low] === row ? low : -1;
}

export function zoomTo(view: View, row: number): void {
  const { t } = view,
    pad = t.duration[row] * 0.05;
  view.zoom(t.start[row] - pad, t.start[row] + Math.max(t.duration[row], 1) + pad);
}

export function scrollRows(pages: number): void {
  const element = document.getElementById('rows');
  if (element) element.scrollTop += pages * element.clientHeight;
}

/** Keys of the tree and the timeline. @return true: it was one */
export function waterfallKey(view: View, e: KeyboardEvent): boolean {
  const { t } = view,
    rows = view.rows.value,
    row = view.selected.value,
    at = indexOf(rows, row);
  const step = (d: number) => {
    if (rows.length)
      view.select(
        rows[Math.max(0, Math.min(rows.length - 1, at < 0 ? (d > 0 ? 0 : rows.length - 1) : at + d))],
      );
  };
  const inTree = document.activeElement?.id === 'rows' || row >= 0;
  if (e.ctrlKey || e.metaKey) {
    if (e.key === 'ArrowUp') view.zoomBy(0.7);
    else if (e.key === 'ArrowDown') view.zoomBy(1 / 0.7);
    else return false;
    return true;
  }
  switch (e.key) {
    case 'ArrowDown':
    case 'j':
    case 'f':
      step(1);
      return true;
    case 'ArrowUp':
    case 'k':
    case 'b':
      step(-1);
      return true;
    case 'ArrowLeft':
      if (!inTree || row < 0) view.pan(e.shiftKey ? -0.5 : -0.1);
      else if (t.size[row] > 1 && !view.folded.value[row]) view.toggle(row);
      else if (t.parent[row] >= 0) view.select(t.parent[row]);
      return true;
    case 'ArrowRight':
      if (!inTree || row < 0) view.pan(e.shiftKey ? 0.5 : 0.1);
      else if (t.size[row] > 1 && view.folded.value[row]) view.toggle(row);
      else if (t.size[row] > 1) step(1);
      return true;
    case 'Home':
      if (rows.length) view.select(rows[0]);
      return true;
    case 'End':
      if (rows.length) view.select(rows[rows.length - 1]);
      return true;
    case 'PageDown':
      scrollRows(0.9);
      return true;
    case 'PageUp':
      scrollRows(-0.9);
      return true;
    case 's':
      scrollRows(0.25);
      return true;
    case 'w':
      scrollRows(-0.25);
      return true;
    case 'a':
    case 'A':
      view.pan(e.shiftKey ? -0.5 : -0.1);
      return true;
    case 'd':
    case 'D':
      view.pan(e.shiftKey ? 0.5 : 0.1);
      return true;
    case ']':
      view.foldAll();
      return true;
    case '[':
      view.unfoldAll();
      return true;
    case 'p':
      view.foldLevel(true);
      return true;
    case 'o':
      view.foldLevel(false);
      return true;
    case 'z':
      if (row >= 0) zoomTo(view, row);
      return true;
    case '0':
      view.zoom(0, view.whole);
      return true;
    default:
      return false;
  }
}
