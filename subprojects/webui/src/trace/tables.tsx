// SPDX-License-Identifier: Apache-2.0
// The list of all spans.
import { useMemo, useState } from 'preact/hooks';
import { count, duration } from '../lib/format';
import { Dot } from '../ui/bits';
import { type Column, useSort } from '../ui/sort';
import { Flag, spanId } from './model';
import { kindText, type View } from './view';

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
