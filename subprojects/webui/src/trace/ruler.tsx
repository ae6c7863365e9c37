// SPDX-License-Identifier: Apache-2.0
// Head of the waterfall: folding, the scale of time (drag to zoom, double click for everything), width of the names.
import { useRef, useState } from 'preact/hooks';
import { count, duration, plural, ticks } from '../lib/format';
import { drag } from '../ui/bits';
import type { View } from './view';
import { keepNameWidth, nameWidth, setNameWidth } from './widths';

function Folding({ view }: { view: View }) {
  const rows = view.rows.value.length;
  const button = (sign: string, what: string, key: string, act: () => void) => (
    <button class="quiet small" title={`${what} (${key})`} aria-label={what} onClick={act}>
      {sign}
    </button>
  );
  return (
    <div class="names" style={{ width: `${nameWidth.value}px` }}>
      <span class="grow cut">
        {plural(rows, 'row')} {rows < view.t.n && `of ${count(view.t.n)}`}
      </span>
      {button('›', 'Unfold a level', 'o', () => view.foldLevel(false))}
      {button('‹', 'Fold a level', 'p', () => view.foldLevel(true))}
      {button('»', 'Unfold all', '[', () => view.unfoldAll())}
      {button('«', 'Fold all', ']', () => view.foldAll())}
    </div>
  );
}

function Divider({ width }: { width: number }) {
  return (
    <div
      class="divider"
      role="separator"
      aria-orientation="vertical"
      aria-label="Width of the names"
      aria-valuenow={nameWidth.value}
      aria-valuemin={140}
      aria-valuemax={Math.max(140, width - 160)}
      tabIndex={0}
      style={{ left: `${nameWidth.value}px` }}
      onKeyDown={(e) => {
        const by = { ArrowLeft: -20, ArrowRight: 20 }[e.key];
        if (!by) return;
        e.preventDefault();
        e.stopPropagation();
        setNameWidth(nameWidth.value + by, width);
        keepNameWidth();
      }}
      onPointerDown={(e) => {
        const begin = nameWidth.value - e.clientX;
        drag(e, (x) => setNameWidth(begin + x, width), keepNameWidth);
      }}
    />
  );
}

export function Ruler({ view, width }: { view: View; width: number }) {
  const [area, setArea] = useState<[number, number]>();
  const box = useRef<HTMLDivElement>(null);
  const from = view.from.value,
    to = view.to.value,
    span = to - from,
    cursor = view.cursor.value;
  const percent = (ns: number) => `${((ns - from) / span) * 100}%`;
  const at = (x: number) => {
    const b = box.current!.getBoundingClientRect();
    return from + Math.max(0, Math.min(1, (x - b.left) / b.width)) * span;
  };
  const down = (e: PointerEvent) => {
    const begin = at(e.clientX),
      range = (x: number): [number, number] => [Math.min(begin, at(x)), Math.max(begin, at(x))];
    drag(
      e,
      (x) => setArea(range(x)),
      (x, moved) => {
        setArea(undefined);
        if (moved) view.zoom(...range(x));
      },
    );
  };
  const marks = ticks(from, to, Math.max(2, Math.floor((width - nameWidth.value) / 120)));
  return (
    <div class="ruler">
      <Folding view={view} />
      <div
        class="ticks"
        ref={box}
        onPointerDown={down}
        onDblClick={() => view.zoom(0, view.whole)}
        onPointerMove={(e) => {
          view.cursor.value = at(e.clientX);
        }}
        onPointerLeave={() => {
          view.cursor.value = undefined;
        }}
      >
        {marks
          .filter((ns) => (ns - from) / span < 0.96)
          .map((ns) => (
            <span key={ns} style={{ left: percent(ns) }}>
              {duration(ns)}
            </span>
          ))}
        {area && (
          <div
            class="range"
            style={{ left: percent(area[0]), width: `${((area[1] - area[0]) / span) * 100}%` }}
          />
        )}
        {cursor !== undefined && !area && (
          <span class="here" style={{ left: percent(cursor) }}>
            {duration(cursor)}
          </span>
        )}
      </div>
      <Divider width={width} />
    </div>
  );
}
