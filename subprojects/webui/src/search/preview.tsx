// SPDX-License-Identifier: Apache-2.0
// A look into a trace without leaving the results: its upper spans as a small waterfall.
import { useEffect, useRef, useState } from 'preact/hooks';
import { failed, type Summary } from '../lib/api';
import { isDark, serviceColor, token } from '../lib/color';
import { duration, plural } from '../lib/format';
import { hrefTo } from '../lib/router';
import { Flag, type Trace } from '../trace/model';
import { load } from '../trace/store';
import { context, Dot, useSize } from '../ui/bits';
import { upperRows } from './upper';

const ROW = 15,
  ROWS = 22;

function paint(canvas: HTMLCanvasElement, t: Trace, rows: number[], width: number, dark: boolean): void {
  const g = context(canvas, width, rows.length * ROW),
    whole = Math.max(t.end, 1),
    left = Math.min(220, width * 0.4);
  g.font = '11px system-ui, sans-serif';
  g.textBaseline = 'middle';
  rows.forEach((i, k) => {
    const y = k * ROW,
      x = left + (t.start[i] / whole) * (width - left),
      w = Math.max(1.5, (t.duration[i] / whole) * (width - left));
    g.fillStyle = serviceColor(t.services[t.service[i]], dark);
    g.fillRect(x, y + 3, w, ROW - 6);
    if (t.flags[i] & Flag.error) {
      g.fillStyle = token('--error');
      g.fillRect(x, y + ROW - 5, w, 3);
    }
    const indent = 4 + Math.min(t.depth[i], 8) * 9,
      max = Math.floor((left - indent - 6) / 6),
      text = `${t.services[t.service[i]]} ${t.names[t.name[i]]}`;
    g.fillStyle = token(t.flags[i] & Flag.error ? '--error' : '--text');
    g.fillText(text.length > max ? text.slice(0, Math.max(0, max - 1)) + '…' : text, indent, y + ROW / 2);
  });
}

interface Props {
  of: Summary;
  onClose: () => void;
  onStep: (by: number) => void;
}

export function Preview({ of, onClose, onStep }: Props) {
  const [box, { width }] = useSize<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null),
    panel = useRef<HTMLElement>(null);
  const [state, set] = useState<{ id: string; trace?: Trace; error?: string }>();
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    panel.current?.focus();
    return () => before?.focus();
  }, []);
  useEffect(() => {
    const abort = new AbortController(),
      id = of.traceId;
    load(id, abort.signal).then(
      (source) => set({ id, trace: source.trace }),
      failed((error) => set({ id, error })),
    );
    return () => abort.abort();
  }, [of]);
  const t = state?.id === of.traceId ? state.trace : undefined,
    rows = t ? upperRows(t, ROWS) : [],
    dark = isDark.value;
  useEffect(() => {
    if (canvas.current && t && width > 60) paint(canvas.current, t, rows, width, dark);
  }, [t, width, dark]);
  const onKeyDown = (e: KeyboardEvent) => {
    const actions: Record<string, () => void> = {
      Escape: onClose,
      ' ': onClose,
      ArrowDown: () => onStep(1),
      j: () => onStep(1),
      ArrowUp: () => onStep(-1),
      k: () => onStep(-1),
    };
    if ((e.target as Element).closest('a, button') && e.key === ' ') return;
    const action = Object.hasOwn(actions, e.key) ? actions[e.key] : undefined;
    if (!action) return;
    e.preventDefault();
    e.stopPropagation();
    action();
  };
  return (
    <aside
      class="preview"
      role="dialog"
      aria-label={`Preview of ${of.rootService} ${of.root}`}
      tabIndex={-1}
      ref={panel}
      onKeyDown={onKeyDown}
    >
      <div class="row">
        <b class="cut grow">
          <Dot service={of.rootService} /> {of.rootService || '(no root span)'} {of.root}
        </b>
        <a class="button small" href={hrefTo(`/trace/${of.traceId}`)}>
          Open
        </a>
        <button class="quiet small" aria-label="Close the preview" onClick={onClose}>
          ✕
        </button>
      </div>
      <p class="soft" role="status">
        {duration(of.durationNs)} · {plural(of.spans, 'span')} · {plural(of.services.length, 'service')}
        {of.errors > 0 && <span class="error-text"> · {plural(of.errors, 'error')}</span>}
        {t && rows.length < t.n && ` · the upper ${rows.length} are shown`}
      </p>
      <div ref={box}>
        {state?.id === of.traceId && state.error ? (
          <p class="notice">{state.error}</p>
        ) : (
          <canvas
            ref={canvas}
            role="img"
            aria-label={rows
              .slice(0, 8)
              .map((i) => `${t!.services[t!.service[i]]} ${t!.names[t!.name[i]]} ${duration(t!.duration[i])}`)
              .join(', ')}
          />
        )}
      </div>
    </aside>
  );
}
