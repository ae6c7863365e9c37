// SPDX-License-Identifier: Apache-2.0
// Statistics and the list of all spans.
import { useMemo, useState } from 'preact/hooks';
import { count, duration } from '../lib/format';
import { Dot, Sorter } from '../ui/bits';
import { type Stat, statistics } from './aggregate';
import { Flag, spanId } from './model';
import { kindText, type View } from './view';

type Column<T> = [string, string, (x: T) => number | string];

function useSort<T>(columns: Column<T>[], first: string) {
  const [sort, set] = useState({ by: first, up: false });
  const of = columns.find(([key]) => key === sort.by)![2];
  const order = (a: T, b: T) => {
    const x = of(a),
      y = of(b);
    return (sort.up ? 1 : -1) * (typeof x === 'string' ? x.localeCompare(y as string) : x - (y as number));
  };
  const head = (key: string, text: string, num = true) => (
    <th
      key={key}
      class={num ? 'num' : ''}
      scope="col"
      aria-sort={sort.by === key ? (sort.up ? 'ascending' : 'descending') : 'none'}
    >
      <Sorter
        active={sort.by === key}
        up={sort.up}
        onClick={() => set({ by: key, up: sort.by === key ? !sort.up : !num })}
      >
        {text}
      </Sorter>
    </th>
  );
  return { order, head, key: `${sort.by} ${sort.up}` };
}

const STATS: Column<Stat>[] = [
  ['name', 'Name', (s) => s.service + s.name],
  ['count', 'Count', (s) => s.count],
  ['errors', 'Errors', (s) => s.errors],
  ['total', 'Total', (s) => s.total],
  ['self', 'Self', (s) => s.self],
  ['avg', 'Average', (s) => s.avg],
  ['min', 'Min', (s) => s.min],
  ['max', 'Max', (s) => s.max],
  ['p95', 'p95', (s) => s.p95],
];

export function Statistics({ view, onOpen }: { view: View; onOpen: (row: number) => void }) {
  const [by, setBy] = useState<'service' | 'name' | 'both'>('service');
  const sort = useSort(STATS, 'self');
  const list = useMemo(() => statistics(view.t, by), [by, view]);
  const selfAll = list.reduce((sum, s) => sum + s.self, 0) || 1;
  return (
    <div class="pane">
      <div class="row" style={{ marginBottom: '8px' }}>
        <label class="row">
          Group by{' '}
          <select value={by} onChange={(e) => setBy(e.currentTarget.value as typeof by)}>
            <option value="service">Service</option>
            <option value="name">Operation</option>
            <option value="both">Service and operation</option>
          </select>
        </label>
        <span class="soft">{count(list.length)} groups</span>
      </div>
      <table class="grid">
        <thead>
          <tr>{STATS.map(([key, text]) => sort.head(key, text, key !== 'name'))}</tr>
        </thead>
        <tbody>
          {[...list]
            .sort(sort.order)
            .slice(0, 1000)
            .map((s) => (
              <tr key={s.key}>
                <td class="cut">
                  <button class="quiet small" onClick={() => onOpen(s.first)}>
                    {s.service && <Dot service={s.service} />} {s.service && <b>{s.service}</b>} {s.name}
                  </button>
                </td>
                <td class="num">{count(s.count)}</td>
                <td class={`num${s.errors ? ' error-text' : ' faint'}`}>{count(s.errors)}</td>
                <td class="num">{duration(s.total)}</td>
                <td class="num">
                  {duration(s.self)}
                  <span class="meter" title={`${((100 * s.self) / selfAll).toFixed(1)} %`}>
                    <i style={{ width: `${(100 * s.self) / selfAll}%` }} />
                  </span>
                </td>
                <td class="num">{duration(s.avg)}</td>
                <td class="num">{duration(s.min)}</td>
                <td class="num">{duration(s.max)}</td>
                <td class="num">{duration(s.p95)}</td>
              </tr>
            ))}
        </tbody>
      </table>
    </div>
  );
}

const PAGE = 100;
export function SpansTable({ view, onOpen }: { view: View; onOpen: (row: number) => void }) {
  const { t } = view;
  const [text, setText] = useState('');
  const [service, setService] = useState('');
  const [shown, setShown] = useState(PAGE);
  const columns: Column<number>[] = [
    ['service', 'Service', (i) => t.services[t.service[i]]],
    ['name', 'Operation', (i) => t.names[t.name[i]]],
    ['kind', 'Kind', (i) => kindText(t, i)],
    ['start', 'Start', (i) => t.start[i]],
    ['duration', 'Duration', (i) => t.duration[i]],
    ['self', 'Self', (i) => t.self[i]],
    ['id', 'Span ID', (i) => spanId(t, i)],
  ];
  const sort = useSort(columns, 'duration');
  const m = view.matches.value;
  const list = useMemo(() => {
    const needle = text.toLowerCase(),
      rows: number[] = [];
    const nameFits = t.names.map((n) => n.toLowerCase().includes(needle));
    for (let i = 0; i < t.n; i++)
      if ((!service || t.services[t.service[i]] === service) && nameFits[t.name[i]] && (!m || m[i]))
        rows.push(i);
    return rows.sort(sort.order);
  }, [text, service, sort.key, m]);
  return (
    <div class="pane">
      <div class="row wrap" style={{ marginBottom: '8px' }}>
        <input
          aria-label="Filter by operation"
          placeholder="Operation contains…"
          value={text}
          onInput={(e) => {
            setText(e.currentTarget.value);
            setShown(PAGE);
          }}
        />
        <select aria-label="Service" value={service} onChange={(e) => setService(e.currentTarget.value)}>
          <option value="">All services</option>
          {view.counts.value.map((s) => (
            <option key={s.index}>{s.name}</option>
          ))}
        </select>
        <span class="soft" aria-live="polite">
          {count(list.length)} spans{m ? ' that match the search' : ''}
        </span>
      </div>
      <table class="grid">
        <thead>
          <tr>
            {columns.map(([key, title]) =>
              sort.head(key, title, ['start', 'duration', 'self'].includes(key)),
            )}
          </tr>
        </thead>
        <tbody>
          {list.slice(0, shown).map((i) => (
            <tr key={i}>
              <td class="cut">
                <Dot service={t.services[t.service[i]]} /> {t.services[t.service[i]]}
              </td>
              <td class="cut">
                <button class="quiet small" onClick={() => onOpen(i)}>
                  {t.flags[i] & Flag.error ? <span class="badge bad">error</span> : null} {t.names[t.name[i]]}
                </button>
              </td>
              <td>{kindText(t, i)}</td>
              <td class="num">{duration(t.start[i])}</td>
              <td class="num">{duration(t.duration[i])}</td>
              <td class="num">{duration(t.self[i])}</td>
              <td>
                <code class="soft">{spanId(t, i)}</code>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {shown < list.length && (
        <p>
          <button onClick={() => setShown(shown + 500)}>Show more</button>
        </p>
      )}
    </div>
  );
}
