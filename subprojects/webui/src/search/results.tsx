// SPDX-License-Identifier: Apache-2.0
// Found traces as cards or as a table; only what is on screen is in the page.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Summary } from '../lib/api';
import { config } from '../lib/config';
import { ago, count, duration, plural, time } from '../lib/format';
import { hrefTo } from '../lib/router';
import { Dot, Sorter } from '../ui/bits';

const CARD = 76,
  ROW = 33,
  SERVICES_SHOWN = 8;

interface Props {
  traces: Summary[];
  outliers: Set<string>;
  picked: readonly string[];
  onPick: (id: string, on: boolean) => void;
  onPreview: (t: Summary) => void;
}

/** Space on a result looks into it; a click or Enter opens it. */
function onSpace(e: KeyboardEvent, t: Summary, onPreview: Props['onPreview']): void {
  if (e.key !== ' ') return;
  e.preventDefault();
  onPreview(t);
}

function Look({ t, onPreview }: { t: Summary; onPreview: Props['onPreview'] }) {
  return (
    <button
      class="look quiet small"
      title="Preview (Space)"
      aria-label={`Preview of ${t.rootService} ${t.root}`}
      onClick={() => onPreview(t)}
    >
      ▤
    </button>
  );
}

/** Which of `n` items of equal height the window shows. */
function useWindow(ref: { current: HTMLElement | null }, n: number, height: number) {
  const [range, setRange] = useState({ top: 0, height: window.innerHeight });
  useEffect(() => {
    const on = () =>
      setRange({ top: -(ref.current?.getBoundingClientRect().top ?? 0), height: window.innerHeight });
    on();
    window.addEventListener('scroll', on, { passive: true });
    window.addEventListener('resize', on);
    return () => {
      window.removeEventListener('scroll', on);
      window.removeEventListener('resize', on);
    };
  }, []);
  const first = Math.max(0, Math.min(n, Math.floor(range.top / height) - 6));
  return { first, last: Math.min(n, Math.max(first, Math.ceil((range.top + range.height) / height) + 6)) };
}

const short = (id: string): string => id.replace(/^0{16}/, '').slice(0, config.traceIdDisplayLength);

function Marks({ t, outlier }: { t: Summary; outlier: boolean }) {
  return (
    <>
      {t.errors > 0 && <span class="badge bad">{plural(t.errors, 'error')}</span>}
      {t.orphans > 0 && (
        <span class="badge warn" title={`${plural(t.orphans, 'span')} without their parent`}>
          incomplete
        </span>
      )}
      {outlier && (
        <span class="badge warn" title="Far longer than the other traces of this root">
          outlier
        </span>
      )}
    </>
  );
}

function Services({ t }: { t: Summary }) {
  const list = t.services.toSorted((a, b) => b.spans - a.spans);
  return (
    <div class="chips">
      {list.slice(0, SERVICES_SHOWN).map((s) => (
        <span class="chip" key={s.name}>
          <Dot service={s.name} />
          <span class="cut">{s.name}</span>
          <span class="soft">{s.spans}</span>
          {s.errors > 0 && (
            <span class="error-text" title={plural(s.errors, 'error')}>
              !
            </span>
          )}
        </span>
      ))}
      {list.length > SERVICES_SHOWN && <span class="soft">+{list.length - SERVICES_SHOWN}</span>}
    </div>
  );
}

function Pick({ t, picked, onPick }: { t: Summary; picked: readonly string[]; onPick: Props['onPick'] }) {
  return (
    <input
      type="checkbox"
      aria-label={`Pick ${t.root} to compare`}
      checked={picked.includes(t.traceId)}
      onChange={(e) => onPick(t.traceId, e.currentTarget.checked)}
    />
  );
}

export function Cards({ traces, outliers, picked, onPick, onPreview }: Props) {
  const list = useRef<HTMLUListElement>(null);
  const { first, last } = useWindow(list, traces.length, CARD);
  const longest = traces.reduce((max, t) => Math.max(max, t.durationNs), 1);
  return (
    <ul
      class="traces"
      ref={list}
      style={{ height: `${traces.length * CARD}px` }}
      aria-label={plural(traces.length, 'trace')}
    >
      {traces.slice(first, last).map((t, i) => (
        <li
          key={t.traceId}
          style={{ top: `${(first + i) * CARD}px` }}
          aria-posinset={first + i + 1}
          aria-setsize={traces.length}
        >
          <label title="Pick to compare">
            <Pick t={t} picked={picked} onPick={onPick} />
          </label>
          <Look t={t} onPreview={onPreview} />
          <a class="trace" href={hrefTo(`/trace/${t.traceId}`)} onKeyDown={(e) => onSpace(e, t, onPreview)}>
            <div class="fill" style={{ width: `${(100 * t.durationNs) / longest}%` }} />
            <div class="line">
              <b class="cut">{t.rootService || '(no root span)'}</b>
              <span class="cut grow">{t.root}</span>
              <code class="soft">{short(t.traceId)}</code>
              <b>{duration(t.durationNs)}</b>
            </div>
            <div class="line low">
              <span class="badge">{plural(t.spans, 'span')}</span>
              <Marks t={t} outlier={outliers.has(t.traceId)} />
              <Services t={t} />
              <span class="soft when">
                {time(t.startMs)} · {ago(t.startMs)}
              </span>
            </div>
          </a>
        </li>
      ))}
    </ul>
  );
}

const COLUMNS: [string, string, (t: Summary) => number | string][] = [
  ['name', 'Trace', (t) => `${t.rootService} ${t.root}`],
  ['spans', 'Spans', (t) => t.spans],
  ['errors', 'Errors', (t) => t.errors],
  ['duration', 'Duration', (t) => t.durationNs],
  ['start', 'Start', (t) => t.startMs],
];

/** "duration", "-start": a column, and whether it falls. */
export function sorted(traces: Summary[], by: string | undefined): Summary[] {
  const falls = by?.startsWith('-'),
    of = COLUMNS.find(([key]) => key === by?.replace('-', ''))?.[2];
  if (!of) return traces;
  return traces.toSorted((a, b) => {
    const x = of(a),
      y = of(b);
    const order = typeof x === 'string' ? x.localeCompare(String(y)) : x - Number(y);
    return falls ? -order : order;
  });
}

interface TableProps extends Props {
  sort: string | undefined;
  onSort: (by: string) => void;
}

export function Table({ traces, outliers, picked, onPick, onPreview, sort, onSort }: TableProps) {
  const body = useRef<HTMLTableSectionElement>(null);
  const { first, last } = useWindow(body, traces.length, ROW);
  const longest = traces.reduce((max, t) => Math.max(max, t.durationNs), 1);
  const space = (rows: number) => rows > 0 && <tr style={{ height: `${rows * ROW}px` }} aria-hidden="true" />;
  return (
    <table class="grid found" aria-rowcount={traces.length + 1}>
      <thead>
        <tr>
          <th scope="col">
            <span class="sr">Pick</span>
          </th>
          {COLUMNS.map(([key, text]) => {
            const up = sort === key,
              down = sort === `-${key}`;
            return (
              <th
                key={key}
                scope="col"
                class={key === 'name' ? '' : 'num'}
                aria-sort={up ? 'ascending' : down ? 'descending' : 'none'}
              >
                <Sorter
                  active={up || down}
                  up={up}
                  onClick={() => onSort(down || (key === 'name' && !up) ? key : `-${key}`)}
                >
                  {text}
                </Sorter>
              </th>
            );
          })}
        </tr>
      </thead>
      <tbody ref={body}>
        {space(first)}
        {traces.slice(first, last).map((t, i) => (
          <tr key={t.traceId} aria-rowindex={first + i + 2} style={{ height: `${ROW}px` }}>
            <td>
              <Pick t={t} picked={picked} onPick={onPick} />
            </td>
            <td class="cut">
              <a
                href={hrefTo(`/trace/${t.traceId}`)}
                title={`${t.rootService} ${t.root}`}
                onKeyDown={(e) => onSpace(e, t, onPreview)}
              >
                <Dot service={t.rootService} /> <b>{t.rootService || '(no root span)'}</b> {t.root}
              </a>{' '}
              <Marks t={t} outlier={outliers.has(t.traceId)} /> <Look t={t} onPreview={onPreview} />
            </td>
            <td class="num">{count(t.spans)}</td>
            <td class={`num${t.errors ? ' error-text' : ' soft'}`}>{count(t.errors)}</td>
            <td class="num">
              {duration(t.durationNs)}
              <span class="meter">
                <i style={{ width: `${(100 * t.durationNs) / longest}%` }} />
              </span>
            </td>
            <td class="num" title={ago(t.startMs)}>
              {time(t.startMs)}
            </td>
          </tr>
        ))}
        {space(traces.length - last)}
      </tbody>
    </table>
  );
}
