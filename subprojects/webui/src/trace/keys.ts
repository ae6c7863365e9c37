// SPDX-License-Identifier: Apache-2.0
// Keys of the tree and the timeline.
import type { View } from './view';

/** Rows ascend. @return its place among them, or -1 */
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

function scrollRows(pages: number): void {
  const element = document.getElementById('rows');
  if (element) element.scrollTop += pages * element.clientHeight;
}

function step(view: View, by: number): void {
  const rows = view.rows.value,
    at = indexOf(rows, view.selected.value);
  if (rows.length === 0) return;
  const next = at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by;
  view.select(rows[Math.max(0, Math.min(rows.length - 1, next))]);
}

/** Into the row, or along the time. */
function right(view: View, row: number, far: boolean): void {
  const { t } = view;
  if (row < 0) view.pan(far ? 0.5 : 0.1);
  else if (view.group(row)) view.toggleGroup(row);
  else if (t.size[row] > 1 && view.folded.value[row]) view.toggle(row);
  else if (t.size[row] > 1) step(view, 1);
}

function left(view: View, row: number, far: boolean): void {
  const { t } = view;
  if (row < 0) view.pan(far ? -0.5 : -0.1);
  else if (t.size[row] > 1 && !view.folded.value[row] && !view.group(row)) view.toggle(row);
  else if (view.group(row, true)) view.toggleGroup(row);
  else if (t.parent[row] >= 0) view.select(t.parent[row]);
}

/** @return true: it was one */
export function waterfallKey(view: View, e: KeyboardEvent): boolean {
  const { t } = view,
    rows = view.rows.value,
    row = view.selected.value;
  if (e.ctrlKey || e.metaKey) {
    if (e.key === 'ArrowUp') view.zoomBy(0.7);
    else if (e.key === 'ArrowDown') view.zoomBy(1 / 0.7);
    else return false;
    return true;
  }
  const far = e.shiftKey;
  const actions: Record<string, () => void> = {
    ArrowDown: () => step(view, 1),
    j: () => step(view, 1),
    f: () => step(view, 1),
    ArrowUp: () => step(view, -1),
    k: () => step(view, -1),
    b: () => step(view, -1),
    ArrowLeft: () => left(view, row, far),
    ArrowRight: () => right(view, row, far),
    Home: () => rows.length && view.select(rows[0]),
    End: () => rows.length && view.select(rows[rows.length - 1]),
    PageDown: () => scrollRows(0.9),
    PageUp: () => scrollRows(-0.9),
    s: () => scrollRows(0.25),
    w: () => scrollRows(-0.25),
    a: () => view.pan(-0.1),
    A: () => view.pan(-0.5),
    d: () => view.pan(0.1),
    D: () => view.pan(0.5),
    ']': () => view.foldAll(),
    '[': () => view.unfoldAll(),
    p: () => view.foldLevel(true),
    o: () => view.foldLevel(false),
    z: () => row >= 0 && view.zoomTo(row),
    '0': () => view.zoom(0, view.whole),
    r: () => view.setGrouped(!view.filter.grouped.value),
    '.': () => {
      view.subtree.value = view.subtree.value === row ? -1 : row;
    },
    x: () => row >= 0 && view.toggleService(t.services[t.service[row]]),
  };
  const action = Object.hasOwn(actions, e.key) ? actions[e.key] : undefined;
  action?.();
  return action !== undefined;
}
