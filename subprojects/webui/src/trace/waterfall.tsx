// SPDX-License-Identifier: Apache-2.0
// Rows of names (DOM: a treegrid, only those on screen) beside one canvas of bars. A frame costs what is visible.
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { isDark, serviceColor } from '../lib/color';
import { duration } from '../lib/format';
import { param } from '../lib/router';
import { context, useSize } from '../ui/bits';
import { drawBars } from './bars';
import { indexOf } from './keys';
import { Minimap } from './minimap';
import { Flag } from './model';
import { Row } from './row';
import { Ruler } from './ruler';
import type { View } from './view';
import { nameWidth, ROW } from './widths';

const MINIMAP = 56,
  RULER = 26,
  SETTLED_MS = 150,
  SEEN_MAX = 60,
  NEAR_PX = 5;

let colorCache: { services: string[]; dark: boolean; colors: string[] } | undefined;
function colorsOf(services: string[], dark: boolean): string[] {
  if (colorCache?.services !== services || colorCache.dark !== dark)
    colorCache = { services, dark, colors: services.map((s) => serviceColor(s, dark)) };
  return colorCache.colors;
}

/** Details of the rows that stay on screen for a moment: for pills, peers and the times of events. */
function useSeen(view: View, first: number, last: number): void {
  const rows = view.rows.value;
  useEffect(() => {
    const abort = new AbortController();
    const timer = setTimeout(() => {
      const wanted = [...rows.subarray(first, last)].filter((r) => !view.group(r) && !view.seen.value.has(r));
      if (wanted.length === 0) return;
      view.source.details(wanted.slice(0, SEEN_MAX), abort.signal).then(
        (found) => {
          const before = view.seen.value.size > 4000 ? [] : view.seen.value;
          view.seen.value = new Map([...before, ...found]);
        },
        () => undefined, // the rows are readable without
      );
    }, SETTLED_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [view, rows, first, last]);
}

/** Ctrl+wheel zooms at the pointer, a sideways wheel pans. */
function useWheel(view: View, scroller: { current: HTMLElement | null }): void {
  useEffect(() => {
    const element = scroller.current!;
    const wheel = (e: WheelEvent) => {
      const x = e.clientX - element.getBoundingClientRect().left - nameWidth.value;
      const w = element.clientWidth - nameWidth.value,
        span = view.to.value - view.from.value;
      if ((e.ctrlKey || e.metaKey) && x > 0) {
        e.preventDefault();
        view.zoomBy(
          Math.exp(Math.max(-60, Math.min(60, e.deltaY)) * 0.008),
          view.from.value + (x / w) * span,
        );
      } else if (Math.abs(e.deltaX) > Math.abs(e.deltaY) || e.shiftKey) {
        e.preventDefault();
        view.pan((e.shiftKey && !e.deltaX ? e.deltaY : e.deltaX) / Math.max(w, 1));
      }
    };
    element.addEventListener('wheel', wheel, { passive: false });
    return () => element.removeEventListener('wheel', wheel);
  }, [view]);
}

interface Tip {
  x: number;
  y: number;
  lines: string[];
}

/** What the pointer is over, among the bars. */
function tipAt(view: View, row: number, ns: number, nsPerPx: number): string[] {
  const { t } = view,
    group = view.group(row);
  if (group)
    return [
      `${t.services[t.service[row]]} ${t.names[t.name[row]]}`,
      `ran ${group.rows.length} times · ${duration(group.total)} in all · p95 ${duration(group.p95)}`,
    ];
  const lines = [`${t.services[t.service[row]]} ${t.names[t.name[row]]}`];
  lines.push(
    `${duration(t.duration[row])}, self ${duration(t.self[row])} · starts at ${duration(t.start[row])}`,
  );
  const near = view.seen.value
    .get(row)
    ?.events.filter((e) => Math.abs(Number(e.atNs - t.t0) - ns) < NEAR_PX * nsPerPx)
    .slice(0, 5);
  for (const e of near ?? []) lines.push(`◆ ${e.name || 'event'} at ${duration(Number(e.atNs - t.t0))}`);
  const path = view.path.value;
  for (let s = path ? path.head[row] : -1; path && s >= 0; s = path.next[s])
    if (ns >= path.from[s] && ns <= path.to[s])
      lines.push(`critical path: ${duration(path.to[s] - path.from[s])}`);
  if (t.flags[row] & Flag.error) lines.push('error');
  return lines;
}

export function Waterfall({ view }: { view: View }) {
  const { t } = view;
  const scroller = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [box, { width, height }] = useSize<HTMLDivElement>();
  const [scrollTop, setScrollTop] = useState(0);
  const [tip, setTip] = useState<Tip>();
  const rows = view.rows.value,
    selected = view.selected.value,
    dark = isDark.value;
  const bare = param('uiEmbed') === 'v0' && param('uiTimelineHideMinimap') === '1';
  const viewHeight = Math.max(0, height - RULER - (bare ? 0 : MINIMAP));
  const first = Math.max(0, Math.min(rows.length, Math.floor(scrollTop / ROW)));
  const last = Math.min(rows.length, Math.ceil((scrollTop + viewHeight) / ROW) + 1);
  const [barWidth, setBarWidth] = useState(0);
  useLayoutEffect(() => {
    setBarWidth((scroller.current?.clientWidth ?? width) - nameWidth.value);
  }, [width, nameWidth.value, rows.length > 50]);
  const colors = colorsOf(t.services, dark);
  useSeen(view, first, last);
  useWheel(view, scroller);

  useLayoutEffect(() => {
    if (!canvas.current || barWidth < 20 || viewHeight < 10) return;
    const area = { rows, first, last, scrollTop, width: barWidth, height: viewHeight, dark, colors };
    drawBars(context(canvas.current, barWidth, viewHeight), view, area);
  });

  // Bring the selected row into sight when it changed from elsewhere.
  useEffect(() => {
    const element = scroller.current,
      at = indexOf(rows, selected);
    if (!element || at < 0 || viewHeight < 10) return;
    const top = at * ROW;
    if (top < element.scrollTop) element.scrollTop = Math.max(0, top - viewHeight / 3);
    else if (top + ROW > element.scrollTop + viewHeight) element.scrollTop = top - (viewHeight * 2) / 3;
  }, [selected, rows, viewHeight > 10]);

  const number = (e: MouseEvent, name: 'fold' | 'group' | 'row') => {
    const value = (e.target as HTMLElement).closest<HTMLElement>(`[data-${name}]`)?.dataset[name];
    return value === undefined ? undefined : Number(value);
  };
  const click = (e: MouseEvent) => {
    const fold = number(e, 'fold'),
      group = number(e, 'group'),
      row = number(e, 'row');
    if (fold !== undefined) view.toggle(fold, e.altKey);
    else if (group !== undefined) view.toggleGroup(group);
    else if (row !== undefined) view.select(view.selected.value === row ? -1 : row);
  };
  const move = (e: PointerEvent) => {
    const b = scroller.current!.getBoundingClientRect(),
      x = e.clientX - b.left - nameWidth.value;
    const at = Math.floor((e.clientY - b.top + scroller.current!.scrollTop) / ROW);
    if (x < 0 || x > barWidth || at >= rows.length) {
      view.cursor.value = undefined;
      setTip(undefined);
      return;
    }
    const span = view.to.value - view.from.value,
      ns = view.from.value + (x / barWidth) * span;
    view.cursor.value = ns;
    setTip({
      x: e.clientX - b.left,
      y: at * ROW + ROW - scroller.current!.scrollTop,
      lines: tipAt(view, rows[at], ns, span / barWidth),
    });
  };
  const leave = () => {
    view.cursor.value = undefined;
    setTip(undefined);
  };
  const cursor = view.cursor.value;
  return (
    <div class="water" ref={box}>
      {!bare && <Minimap view={view} />}
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
        onScroll={(e) => {
          setTip(undefined);
          setScrollTop(e.currentTarget.scrollTop);
        }}
        onClick={click}
        onPointerMove={move}
        onPointerLeave={leave}
        onDblClick={(e) => {
          const row = number(e, 'row');
          if (row !== undefined) view.zoomTo(row);
        }}
      >
        <div class="sticky" style={{ marginLeft: `${nameWidth.value}px` }}>
          <canvas ref={canvas} aria-hidden="true" />
          {cursor !== undefined && (
            <div
              class="cursor"
              style={{
                left: `${((cursor - view.from.value) / (view.to.value - view.from.value)) * barWidth}px`,
                height: `${viewHeight}px`,
              }}
            />
          )}
        </div>
        <div style={{ height: `${rows.length * ROW}px`, position: 'relative' }} role="rowgroup">
          {Array.from({ length: Math.max(0, last - first) }, (_, k) => {
            const row = rows[first + k];
            return <Row key={k} view={view} row={row} at={first + k} color={colors[t.service[row]]} />;
          })}
        </div>
        {rows.length === 0 && <p class="soft none">No span passes the filter.</p>}
      </div>
      {tip && (
        <div
          class="tip bartip"
          style={{
            left: tip.x < width - 300 ? `${tip.x + 12}px` : undefined,
            right: tip.x < width - 300 ? undefined : `${width - tip.x + 12}px`,
            top: `${Math.min(tip.y + RULER + (bare ? 0 : MINIMAP) + 4, height - 70)}px`,
          }}
        >
          {tip.lines.map((line, i) => (
            <div key={i} class={i ? 'soft' : ''}>
              {line}
            </div>
          ))}
        </div>
      )}
    </div>
  );
}
