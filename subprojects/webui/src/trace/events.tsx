// SPDX-License-Identifier: Apache-2.0
// All events of the trace by time, with the span that had them. Spans with events are read piece by piece.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { failed } from '../lib/api';
import { count, duration, plural } from '../lib/format';
import { Dot, Empty, Failure } from '../ui/bits';
import { Flag } from './model';
import { type Attr, textOf } from './otlp';
import type { View } from './view';

const SPANS_MAX = 4000,
  PIECE = 200,
  SHOWN = 500;

interface Event {
  row: number;
  at: number; // ns from the trace's begin
  name: string;
  attributes: Attr[];
  text: string; // lower case, to look in
}

/** Rows that have events, the first so many. */
function rowsWithEvents(view: View): number[] {
  const { t } = view,
    rows: number[] = [];
  for (let i = 0; i < t.n && rows.length < SPANS_MAX; i++) if (t.flags[i] & Flag.events) rows.push(i);
  return rows;
}

function useEvents(view: View) {
  const [state, setState] = useState<{ events: Event[]; read: number; error?: string }>({
    events: [],
    read: 0,
  });
  const rows = useMemo(() => rowsWithEvents(view), [view]);
  useEffect(() => {
    const abort = new AbortController();
    const read = async () => {
      const events: Event[] = [],
        { t } = view;
      for (let at = 0; at < rows.length; at += PIECE) {
        for (const [row, detail] of await view.source.details(rows.slice(at, at + PIECE), abort.signal))
          for (const e of detail.events) {
            const text = [e.name, ...e.attributes.map((a) => `${a.key}=${textOf(a.value)}`)]
              .join('\n')
              .toLowerCase();
            events.push({ row, at: Number(e.atNs - t.t0), name: e.name, attributes: e.attributes, text });
          }
        if (abort.signal.aborted) return;
        setState({ events: events.toSorted((a, b) => a.at - b.at), read: Math.min(rows.length, at + PIECE) });
      }
    };
    read().catch(failed((error) => setState((now) => ({ ...now, error }))));
    return () => abort.abort();
  }, [rows]);
  return { ...state, rows };
}

function Line({ view, event, onOpen }: { view: View; event: Event; onOpen: (row: number) => void }) {
  const { t } = view,
    service = t.services[t.service[event.row]];
  const bad = event.name === 'exception' || event.attributes.some((a) => a.key.startsWith('exception.'));
  return (
    <tr>
      <td class="num">{duration(event.at)}</td>
      <td class={`cut${bad ? ' error-text' : ''}`}>
        <b>{event.name || 'event'}</b>
      </td>
      <td class="cut">
        <button class="quiet small" onClick={() => onOpen(event.row)}>
          <Dot service={service} /> <b>{service}</b> {t.names[t.name[event.row]]}
        </button>
      </td>
      <td class="cut mono">
        {event.attributes.map((a) => (
          <span key={a.key} class="pair-text">
            <span class="soft">{a.key}=</span>
            {textOf(a.value).slice(0, 200)}{' '}
          </span>
        ))}
      </td>
    </tr>
  );
}

export function EventsTable({ view, onOpen }: { view: View; onOpen: (row: number) => void }) {
  const { events, read, rows, error } = useEvents(view);
  const [text, setText] = useState('');
  const [shown, setShown] = useState(SHOWN);
  const m = view.matches.value,
    needle = text.trim().toLowerCase();
  const list = useMemo(
    () => events.filter((e) => (!needle || e.text.includes(needle)) && (!m || m[e.row])),
    [events, needle, m],
  );
  if (rows.length === 0)
    return (
      <Empty title="No events">
        <p>No span of this trace has events.</p>
      </Empty>
    );
  return (
    <div class="pane">
      {error && <Failure error={error} />}
      <div class="row wrap head">
        <input
          aria-label="Filter events"
          placeholder="Name or attribute contains…"
          value={text}
          onInput={(e) => setText(e.currentTarget.value)}
        />
        <span class="soft" role="status">
          {plural(list.length, 'event')}
          {m ? ' of spans that match the search' : ''}
          {read < rows.length ? `, reading ${count(read)} of ${count(rows.length)} spans…` : ''}
          {rows.length === SPANS_MAX ? ` of the first ${count(SPANS_MAX)} spans that have some` : ''}
        </span>
      </div>
      <table class="grid events">
        <thead>
          <tr>
            <th scope="col" class="num">
              Time
            </th>
            <th scope="col">Event</th>
            <th scope="col">Span</th>
            <th scope="col">Attributes</th>
          </tr>
        </thead>
        <tbody>
          {list.slice(0, shown).map((e, i) => (
            <Line key={i} view={view} event={e} onOpen={onOpen} />
          ))}
        </tbody>
      </table>
      {list.length > shown && <button onClick={() => setShown(shown + SHOWN)}>Show more</button>}
    </div>
  );
}
