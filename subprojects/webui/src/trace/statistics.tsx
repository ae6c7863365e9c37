// SPDX-License-Identifier: Apache-2.0
// Spans summed up by service, operation or any attribute, and by a second one within each group.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { failed, type KeyCount } from '../lib/api';
import { count, duration } from '../lib/format';
import { param, setParams } from '../lib/router';
import { Dot } from '../ui/bits';
import { type Column, useSort } from '../ui/sort';
import { type Grouping, type Stat, statistics } from './aggregate';
import type { View } from './view';

const ROWS_MAX = 2000;
const SERVICE = 'service',
  NAME = 'name',
  ATTRIBUTE = 'attribute:';

const COLUMNS: Column<Stat>[] = [
  ['name', 'Group', (s) => s.title ?? '\uffff'],
  ['count', 'Count', (s) => s.count],
  ['errors', 'Errors', (s) => s.errors],
  ['total', 'Total', (s) => s.total],
  ['avg', 'Avg', (s) => s.avg],
  ['min', 'Min', (s) => s.min],
  ['max', 'Max', (s) => s.max],
  ['p95', 'p95', (s) => s.p95],
  ['self', 'Self', (s) => s.self],
  ['selfAvg', 'Self avg', (s) => s.selfAvg],
  ['selfMin', 'Self min', (s) => s.selfMin],
  ['selfMax', 'Self max', (s) => s.selfMax],
];
const NUMBERS = COLUMNS.slice(1);
const COUNTS = ['count', 'errors'];

/** How hot a figure is among all, 0 to 1. */
export function heat(value: number, most: number): number {
  return most > 0 && Number.isFinite(value) ? Math.max(0, Math.min(1, value / most)) : 0;
}

function useGrouping(view: View, by: string | undefined): { grouping?: Grouping; error?: string } {
  const [loaded, set] = useState<{ view: View; by: string; grouping?: Grouping; error?: string }>();
  const { t } = view;
  useEffect(() => {
    if (!by?.startsWith(ATTRIBUTE)) return undefined;
    const abort = new AbortController();
    view.source.values(by.slice(ATTRIBUTE.length), abort.signal).then(
      (grouping) => set({ view, by, grouping }),
      failed((error) => set({ view, by, error })),
    );
    return () => abort.abort();
  }, [view, by]);
  if (by === SERVICE) return { grouping: { of: t.service, titles: t.services } };
  if (by === NAME) return { grouping: { of: t.name, titles: t.names } };
  return loaded?.view === view && loaded.by === by ? loaded : {};
}

function useKeys(view: View): KeyCount[] {
  const [keys, set] = useState<KeyCount[]>([]);
  useEffect(() => {
    const abort = new AbortController();
    view.source.keys(abort.signal).then(
      (list) => set(list.sort((a, b) => a.key.localeCompare(b.key))),
      failed(() => undefined),
    );
    return () => abort.abort();
  }, [view]);
  return keys;
}

interface ChoiceProps {
  label: string;
  value: string;
  none?: string;
  keys: KeyCount[];
  onChange: (value: string) => void;
}

function Choice({ label, value, none, keys, onChange }: ChoiceProps) {
  const unknown = value.startsWith(ATTRIBUTE) && !keys.some((k) => ATTRIBUTE + k.key === value);
  return (
    <label class="row">
      {label}
      <select value={value} onChange={(e) => onChange(e.currentTarget.value)}>
        {none && <option value="">{none}</option>}
        <option value={SERVICE}>Service</option>
        <option value={NAME}>Operation</option>
        <optgroup label="Attributes">
          {unknown && <option value={value}>{value.slice(ATTRIBUTE.length)}</option>}
          {keys.map((k) => (
            <option key={k.key} value={ATTRIBUTE + k.key}>
              {k.key} ({count(k.spans)})
            </option>
          ))}
        </optgroup>
      </select>
    </label>
  );
}

function nameOf(by: string): string {
  return by === SERVICE ? 'service' : by === NAME ? 'operation' : by.slice(ATTRIBUTE.length);
}

interface RowProps {
  s: Stat;
  by: string;
  /** The group it is in. */
  sub: Stat | undefined;
  hot: number;
  selfAll: number;
  onOpen: (row: number) => void;
}

function Row({ s, by, sub, hot, selfAll, onOpen }: RowProps) {
  const share = (100 * s.self) / selfAll;
  const style =
    hot > 0 ? { background: `color-mix(in srgb, var(--heat) ${Math.round(100 * hot)}%, transparent)` } : {};
  return (
    <tr class={`${sub ? 'sub' : ''}${s.matches ? ' match' : ''}${hot > 0 ? ' hot' : ''}`} style={style}>
      <th scope="row" class="cut">
        <button class="quiet small" title="Open the first span" onClick={() => onOpen(s.first)}>
          {sub && <span class="sr">{sub.title ?? 'without'}: </span>}
          {by === SERVICE && <Dot service={s.title ?? ''} />}{' '}
          {s.title === undefined ? (
            <i>without {nameOf(by)}</i>
          ) : (
            <span class="cut">{s.title === '' ? '(empty)' : s.title}</span>
          )}
        </button>
        {s.matches > 0 && <span class="badge">{count(s.matches)} found</span>}
      </th>
      {NUMBERS.map(([key, , of]) => {
        const value = of(s) as number;
        return (
          <td key={key} class={`num${key === 'errors' && value ? ' error-text' : ''}`}>
            {COUNTS.includes(key) ? count(value) : duration(value)}
            {key === 'self' && (
              <span class="meter" title={`${share.toFixed(1)} % of all self time`}>
                <i style={{ width: `${share}%` }} />
              </span>
            )}
          </td>
        );
      })}
    </tr>
  );
}

export function Statistics({ view, onOpen }: { view: View; onOpen: (row: number) => void }) {
  const by = param('by') ?? SERVICE,
    sub = param('sub') ?? '',
    hotBy = param('heat') ?? '';
  const [text, setText] = useState('');
  const keys = useKeys(view),
    main = useGrouping(view, by),
    second = useGrouping(view, sub || undefined);
  const sort = useSort(COLUMNS, 'self');
  const m = view.matches.value;
  const list = useMemo(
    () =>
      main.grouping && (!sub || second.grouping)
        ? statistics(view.t, main.grouping, second.grouping, m)
        : undefined,
    [view, by, sub, main.grouping, second.grouping, m],
  );
  const needle = text.trim().toLowerCase();
  const fits = (s: Stat) => (s.title ?? '').toLowerCase().includes(needle);
  const groups = (list ?? []).filter((s) => fits(s) || s.below.some(fits)).sort(sort.order);
  const rows = groups
    .flatMap((s) => [
      { s, sub: undefined },
      ...s.below
        .filter((x) => fits(s) || fits(x))
        .sort(sort.order)
        .map((x) => ({ s: x, sub: s })),
    ])
    .slice(0, ROWS_MAX);
  const selfAll = (list ?? []).reduce((all, s) => all + s.self, 0) || 1;
  const hotOf = NUMBERS.find(([key]) => key === hotBy)?.[2] as ((s: Stat) => number) | undefined;
  // Groups among groups, and what is within them among its like.
  const most = [false, true].map((level) =>
    hotOf ? Math.max(0, ...rows.filter((r) => !!r.sub === level).map((r) => hotOf(r.s))) : 0,
  );
  const error = main.error ?? second.error;
  return (
    <div class="pane">
      <div class="row wrap" style={{ marginBottom: '8px' }}>
        <Choice
          label="Group by"
          value={by}
          keys={keys}
          onChange={(v) =>
            setParams({ by: v === SERVICE ? undefined : v, ...(v === sub ? { sub: undefined } : {}) })
          }
        />
        <Choice
          label="then by"
          value={sub}
          none="(nothing)"
          keys={keys}
          onChange={(v) => setParams({ sub: v === by ? undefined : v })}
        />
        <label class="row">
          Colour by
          <select value={hotBy} onChange={(e) => setParams({ heat: e.currentTarget.value })}>
            <option value="">(nothing)</option>
            {NUMBERS.map(([key, title]) => (
              <option key={key} value={key}>
                {title}
              </option>
            ))}
          </select>
        </label>
        <input
          aria-label="Find groups"
          placeholder="Find groups"
          value={text}
          onInput={(e) => setText(e.currentTarget.value)}
        />
        <span class="soft" role="status">
          {list ? `${count(groups.length)} groups` : error ? '' : 'Loading…'}
          {rows.length === ROWS_MAX && `, the first ${count(ROWS_MAX)} rows are shown`}
        </span>
      </div>
      {error && <p class="notice">{error}</p>}
      {list && (
        <table class="grid stats">
          <thead>
            <tr>{COLUMNS.map(([key, title]) => sort.head(key, title, key !== 'name'))}</tr>
          </thead>
          <tbody>
            {rows.map((r, i) => (
              <Row
                key={i}
                s={r.s}
                by={r.sub ? sub : by}
                sub={r.sub}
                hot={hotOf ? heat(hotOf(r.s), most[r.sub ? 1 : 0]) : 0}
                selfAll={selfAll}
                onOpen={onOpen}
              />
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}
