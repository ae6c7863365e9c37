// SPDX-License-Identifier: Apache-2.0
// Flame graph: one canvas, a menu for each frame, and a table of what took the time. The rows of frames: frames.ts.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { isDark, serviceColor, token } from '../lib/color';
import { count, duration, plural } from '../lib/format';
import { context, copy, Dot, useSize } from '../ui/bits';
import { ContextMenu, type MenuEntry } from '../ui/contextmenu';
import { callPathsOf } from './aggregate';
import { alike, type Frame, frames, neighbour, type Shape, totals, weigh } from './frames';
import type { View } from './view';

const ROW = 21,
  ROWS_MAX = 1000,
  TOTALS_MAX = 200;
const WHOLE: Shape = { top: -1, above: true, collapsed: new Set() };

interface Paint {
  list: Frame[];
  width: number;
  height: number;
  dark: boolean;
  /** Undefined: all are lit. */
  lit: ReadonlySet<number> | undefined;
  at: number | undefined;
  collapsed: ReadonlySet<number>;
}

function paint(canvas: HTMLCanvasElement, { list, width, height, dark, lit, at, collapsed }: Paint): void {
  const g = context(canvas, width, height);
  g.font = '11px system-ui, sans-serif';
  g.textBaseline = 'middle';
  for (const { node, x: from, w: part, y } of list) {
    const x = from * width,
      w = part * width,
      top = y * ROW;
    if (w < 0.4 || top >= height) continue;
    const dim = !!lit && !lit.has(node.id);
    g.globalAlpha = dim ? 0.25 : 1;
    g.fillStyle = serviceColor(node.service, dark);
    g.fillRect(x, top, Math.max(w - 1, 0.5), ROW - 2);
    if (node.errors) {
      g.fillStyle = token('--error');
      g.fillRect(x, top + ROW - 5, Math.max(w - 1, 0.5), 3);
    }
    if (w > 34) {
      g.globalAlpha = 1;
      g.fillStyle = dim ? token('--soft') : dark ? '#0b0f14' : '#fff';
      const max = Math.floor((w - 8) / 6.1),
        text = `${collapsed.has(node.id) ? '▸ ' : ''}${node.service} ${node.name}${node.count > 1 ? ` ×${node.count}` : ''}`;
      g.fillText(text.length > max ? text.slice(0, max - 1) + '…' : text, x + 5, top + ROW / 2 - 0.5);
    }
    g.globalAlpha = 1;
    if (node.id === at) {
      g.strokeStyle = token('--text');
      g.lineWidth = 2;
      g.strokeRect(x + 1, top + 1, Math.max(w - 3, 1), ROW - 4);
    }
  }
}

function wordsOf({ node }: Frame): string {
  const facts = [
    plural(node.count, 'span'),
    `total ${duration(node.total)}`,
    `self ${duration(node.self)}`,
    ...(node.errors ? [plural(node.errors, 'error')] : []),
  ];
  return `${node.service} ${node.name}: ${facts.join(' · ')}`;
}

function Totals({
  list,
  lit,
  onPick,
}: {
  list: ReturnType<typeof totals>;
  lit: number | undefined;
  onPick: (id: number) => void;
}) {
  const all = list.reduce((sum, x) => sum + x.self, 0) || 1;
  return (
    <table class="grid flametable">
      <thead>
        <tr>
          <th scope="col">Operation</th>
          <th scope="col" class="num">
            Spans
          </th>
          <th scope="col" class="num">
            Self
          </th>
          <th scope="col" class="num">
            Total
          </th>
        </tr>
      </thead>
      <tbody>
        {list.slice(0, TOTALS_MAX).map((x) => (
          <tr key={x.id}>
            <td class="cut">
              <button
                class="quiet small"
                aria-pressed={lit === x.id}
                title="Highlight"
                onClick={() => onPick(x.id)}
              >
                <Dot service={x.service} /> <b>{x.service}</b> <span class="cut">{x.name}</span>
              </button>
            </td>
            <td class="num">{count(x.count)}</td>
            <td class="num">
              {duration(x.self)} <span class="soft">{Math.round((100 * x.self) / all)} %</span>
            </td>
            <td class="num">{duration(x.total)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function Flame({ view, onOpen }: { view: View; onOpen: (row: number) => void }) {
  const [box, { width }] = useSize<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [shape, setShape] = useState(WHOLE);
  const [similar, setSimilar] = useState<number>(); // whose like are lit
  const [at, setAt] = useState<number>(); // the node under the keyboard
  const [hover, setHover] = useState<{ frame: Frame; x: number; y: number }>();
  const [menu, setMenu] = useState<{ frame: Frame; x: number; y: number }>();
  const [table, setTable] = useState(false);
  const { nodes, nodeOf } = useMemo(() => callPathsOf(view.t), [view]);
  const weights = useMemo(() => weigh(nodes), [nodes]);
  const list = useMemo(() => frames(nodes, weights, shape), [nodes, weights, shape]);
  const sums = useMemo(() => (table ? totals(nodes, weights) : []), [nodes, weights, table]);
  const rows = Math.min(ROWS_MAX, list.reduce((max, f) => Math.max(max, f.y), 0) + 1),
    height = rows * ROW + 4;
  const dark = isDark.value,
    matches = view.matches.value;
  const found = useMemo(() => {
    if (!matches) return undefined;
    const set = new Set<number>();
    for (let i = 0; i < matches.length; i++) if (matches[i]) set.add(nodeOf[i]);
    return set;
  }, [matches, nodeOf]);
  const lit = useMemo(() => (similar === undefined ? found : alike(nodes, similar)), [similar, found, nodes]);
  useEffect(() => {
    if (canvas.current && width >= 20)
      paint(canvas.current, { list, width, height, dark, lit, at, collapsed: shape.collapsed });
  }, [list, width, height, dark, lit, at]);
  // Other spans came: what was chosen by number is somebody else's now.
  useEffect(() => {
    setShape(WHOLE);
    setSimilar(undefined);
    setAt(undefined);
  }, [nodes]);

  const under = (e: MouseEvent) => {
    const b = canvas.current!.getBoundingClientRect(),
      x = (e.clientX - b.left) / width,
      y = Math.floor((e.clientY - b.top) / ROW);
    return list.find((f) => f.y === y && x >= f.x && x < f.x + f.w);
  };
  const focusOn = (id: number) => setShape((s) => ({ ...s, top: s.top === id ? -1 : id, above: true }));
  const collapse = (id: number) => {
    const collapsed = new Set(shape.collapsed);
    if (!collapsed.delete(id)) collapsed.add(id);
    setShape({ ...shape, collapsed });
  };
  const entriesOf = ({ node }: Frame): MenuEntry[] => [
    { text: 'Focus on this', act: () => focusOn(node.id), disabled: shape.top === node.id },
    {
      text: 'Collapse what is above',
      act: () => setShape((s) => ({ ...s, top: node.id, above: false })),
      disabled: node.parent < 0,
    },
    {
      text: shape.collapsed.has(node.id) ? 'Expand' : 'Collapse',
      act: () => collapse(node.id),
      disabled: weights.kids[node.id].length === 0,
    },
    {
      text: similar === node.id ? 'End the highlight' : 'Highlight its like',
      act: () => setSimilar(similar === node.id ? undefined : node.id),
    },
    { text: 'Copy the name', act: () => void copy(`${node.service} ${node.name}`, 'Copied the name') },
    { text: 'Open the first span', act: () => onOpen(node.first) },
    { text: 'Reset the view', act: () => setShape(WHOLE) },
  ];
  const openMenu = (frame: Frame) => {
    const b = canvas.current!.getBoundingClientRect();
    setMenu({
      frame,
      x: b.left + (frame.x + Math.min(frame.w / 2, 0.1)) * width,
      y: b.top + (frame.y + 1) * ROW,
    });
  };
  const onKeyDown = (e: KeyboardEvent) => {
    const now = list.find((f) => f.node.id === at) ?? list.find((f) => f.y === 0);
    if (!now) return;
    const next = at === undefined && e.key.startsWith('Arrow') ? now : neighbour(list, now, e.key);
    if (next) setAt(next.node.id);
    else if (e.key === 'Enter') focusOn(now.node.id);
    else if (e.key === ' ' || e.key === 'ContextMenu' || (e.key === 'F10' && e.shiftKey)) openMenu(now);
    else if (e.key === 'Escape' && (shape !== WHOLE || similar !== undefined)) {
      setShape(WHOLE);
      setSimilar(undefined);
    } else if (!e.key.startsWith('Arrow')) return;
    e.preventDefault();
    e.stopPropagation();
  };
  const told = list.find((f) => f.node.id === at);
  const altered = shape.top >= 0 || shape.collapsed.size > 0;
  return (
    <div class="pane">
      <div class="row wrap" style={{ marginBottom: '8px' }}>
        <button aria-pressed={table} onClick={() => setTable(!table)}>
          Table
        </button>
        {altered && <button onClick={() => setShape(WHOLE)}>Whole trace</button>}
        {similar !== undefined && <button onClick={() => setSimilar(undefined)}>End the highlight</button>}
        <span class="soft grow">
          Width is time spent, without waiting for children twice; the same calls are one frame. Click to
          focus, right click for more, double click to open the first span.
        </span>
        {found && (
          <span class="soft" role="status">
            {plural(found.size, 'frame')} found
          </span>
        )}
      </div>
      <div class="flamebox">
        {table && (
          <Totals list={sums} lit={similar} onPick={(id) => setSimilar(similar === id ? undefined : id)} />
        )}
        <div
          class="flame"
          ref={box}
          onMouseMove={(e) => {
            const frame = under(e),
              b = box.current!.getBoundingClientRect();
            setHover(frame && { frame, x: e.clientX - b.left, y: e.clientY - b.top });
          }}
          onMouseLeave={() => setHover(undefined)}
          onClick={(e) => {
            const f = under(e);
            if (f) focusOn(f.node.id);
          }}
          onDblClick={(e) => {
            const f = under(e);
            if (f) onOpen(f.node.first);
          }}
          onContextMenu={(e) => {
            const f = under(e);
            if (!f) return;
            e.preventDefault();
            setHover(undefined);
            setMenu({ frame: f, x: e.clientX, y: e.clientY });
          }}
        >
          <canvas
            ref={canvas}
            role="application"
            tabIndex={0}
            aria-label="Flame graph: arrows walk the frames, Enter focuses, the menu key or Space opens a menu"
            aria-describedby="flame-at"
            onKeyDown={onKeyDown}
          />
          <span class="sr" id="flame-at" aria-live="polite">
            {told && wordsOf(told)}
          </span>
          {hover && !menu && (
            <div
              class="tip"
              style={{
                left: `${Math.max(0, Math.min(hover.x + 12, width - 260))}px`,
                top: `${hover.y + 14}px`,
              }}
            >
              {wordsOf(hover.frame)}
            </div>
          )}
        </div>
      </div>
      {menu && (
        <ContextMenu
          x={menu.x}
          y={menu.y}
          label={`${menu.frame.node.service} ${menu.frame.node.name}`}
          entries={entriesOf(menu.frame)}
          onClose={() => setMenu(undefined)}
        />
      )}
    </div>
  );
}
