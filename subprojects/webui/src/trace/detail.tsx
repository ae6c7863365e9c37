// SPDX-License-Identifier: Apache-2.0
// One span, in a panel beside the rows. Every value is text; only links with http(s) can be followed.
import { useEffect, useState } from 'preact/hooks';
import { failed } from '../lib/api';
import { serviceColor } from '../lib/color';
import { capabilities, config, safeUrl } from '../lib/config';
import { count, duration, plural, time } from '../lib/format';
import { asksAncestors, linksOf, type LinkType, type Scope } from '../lib/links';
import { hrefTo } from '../lib/router';
import { copy, Dot, drag, Loading } from '../ui/bits';
import { traceFacts } from './facts';
import { children, rowOfSpan, spanId } from './model';
import { type Attr, type SpanDetail, textOf, type Value } from './otlp';
import type { View } from './view';

function Text({ value }: { value: Value }) {
  if (typeof value === 'number' || typeof value === 'bigint')
    return <span class="v-num">{String(value)}</span>;
  if (typeof value === 'boolean') return <span class="v-bool">{String(value)}</span>;
  if (typeof value !== 'string')
    return <>{JSON.stringify(value, (_, x: unknown) => (typeof x === 'bigint' ? x.toString() : x), 2)}</>;
  if (/^https?:\/\/\S+$/i.test(value) && safeUrl(value))
    return (
      <a href={value} target="_blank" rel="noopener noreferrer">
        {value}
      </a>
    );
  if (/^\s*[[{]/.test(value) && value.length < 100_000) {
    try {
      return <>{JSON.stringify(JSON.parse(value), null, 2)}</>;
    } catch {
      /* not JSON: as it is */
    }
  }
  return <>{value}</>;
}

function Long({ value }: { value: Value }) {
  const [all, show] = useState(false);
  if (typeof value === 'string' && value.length > 2000 && !all)
    return (
      <>
        {value.slice(0, 2000)}…{' '}
        <button class="small" onClick={() => show(true)}>
          Show all {count(value.length)} characters
        </button>
      </>
    );
  return <Text value={value} />;
}

/** Of one span: whose names link patterns may use. */
type Around = Omit<Scope, 'list'>;

function Attrs({ list, type, around }: { list: Attr[]; type: LinkType; around: Around }) {
  return (
    <table class="attrs">
      <tbody>
        {list.map((a, i) => (
          <tr key={i}>
            <th scope="row">{a.key}</th>
            <td>
              <Long value={a.value} />
              {linksOf(type, a, { ...around, list }).map((l) => (
                <div key={l.url}>
                  <a href={l.url} target="_blank" rel="noopener noreferrer">
                    {l.text} ↗
                  </a>
                </div>
              ))}
              <button
                class="copy small"
                aria-label={`Copy ${a.key}`}
                onClick={() => void copy(textOf(a.value), `Copied ${a.key}`)}
              >
                copy
              </button>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function ordered(list: Attr[]): Attr[] {
  const rank = (key: string) => {
    const i = config.topTagPrefixes.findIndex((p) => key.startsWith(p));
    return i < 0 ? config.topTagPrefixes.length : i;
  };
  return [...list].sort((a, b) => rank(a.key) - rank(b.key) || a.key.localeCompare(b.key));
}

interface Part {
  detail: SpanDetail;
  view: View;
  row: number;
  around: Around;
}

function Events({ detail, view, row, around }: Part) {
  const [all, show] = useState(false);
  const list = all ? detail.events : detail.events.slice(0, 10);
  if (list.length === 0) return null;
  return (
    <section>
      <h3>
        Events <span class="badge">{count(detail.events.length)}</span>
      </h3>
      {list.map((e, i) => {
        const at = Number(e.atNs - view.t.t0) - view.t.start[row];
        const isException =
          e.name === 'exception' || e.attributes.some((a) => a.key.startsWith('exception.'));
        return (
          <details class="event" key={i} open={isException || detail.events.length <= 2}>
            <summary>
              <b class={isException ? 'error-text' : ''}>{e.name || 'event'}</b>{' '}
              <span class="soft">
                {at >= 0 ? '+' : ''}
                {duration(at)}
              </span>
            </summary>
            {e.attributes.length > 0 && <Attrs list={e.attributes} type="logs" around={around} />}
          </details>
        );
      })}
      {!all && detail.events.length > list.length && (
        <button class="small" onClick={() => show(true)}>
          Show all {count(detail.events.length)}
        </button>
      )}
    </section>
  );
}

function SpanButton({ view, row }: { view: View; row: number }) {
  const { t } = view;
  return (
    <button class="quiet small" onClick={() => view.select(row)}>
      <Dot service={t.services[t.service[row]]} /> {t.services[t.service[row]]}{' '}
      <span class="cut">{t.names[t.name[row]]}</span>
    </button>
  );
}

function Links({ detail, view, around }: Part) {
  if (detail.links.length === 0) return null;
  return (
    <section aria-label="Links">
      <h3>
        Links <span class="badge">{detail.links.length}</span>
      </h3>
      {detail.links.map((l, i) => {
        const row = l.traceId.padStart(32, '0') === view.t.traceId ? rowOfSpan(view.t, l.spanId) : -1;
        return (
          <div class="event" key={i}>
            <div style={{ padding: '4px 8px' }}>
              {row >= 0 ? (
                <SpanButton view={view} row={row} />
              ) : (
                <a href={hrefTo(`/trace/${encodeURIComponent(l.traceId)}`, { span: l.spanId })}>
                  <code>
                    {l.traceId.slice(0, 16)}… / {l.spanId}
                  </code>
                </a>
              )}
            </div>
            {l.attributes.length > 0 && <Attrs list={l.attributes} type="tags" around={around} />}
          </div>
        );
      })}
    </section>
  );
}

const BACK_MAX = 50;
const DAY_US = 86400e6;

/** A search for spans of other traces that link to this one: they began a day around it, or so. */
function linksFromElsewhere(view: View, row: number): string {
  const startUs = Number(view.t.t0 / 1000n),
    id = view.t.traceId;
  return hrefTo('/search', {
    filter: `traceID != "${id}" and some(link, link:traceID = "${id}" and link:spanID = "${spanId(view.t, row)}")`,
    lookback: 'custom',
    start: String(startUs - DAY_US),
    end: String(startUs + DAY_US),
  });
}

/** Spans of this trace that link to this one; those of other traces are a search away. */
function Referrers({ view, row }: { view: View; row: number }) {
  const [all, show] = useState(false);
  const list = view.referrers(row);
  return (
    <section aria-label="References to this span">
      <h3>
        Referenced by <span class="badge">{count(list.length)}</span>
      </h3>
      {(all ? list : list.slice(0, BACK_MAX)).map((from) => (
        <div class="event" key={from}>
          <SpanButton view={view} row={from} />
        </div>
      ))}
      {!all && list.length > BACK_MAX && (
        <button class="small" onClick={() => show(true)}>
          Show all
        </button>
      )}
      {!view.source.uploaded && capabilities.searchWithoutServiceName && (
        <p>
          <a href={linksFromElsewhere(view, row)}>Find links from other traces</a>
        </p>
      )}
    </section>
  );
}

const ANCESTORS_MAX = 100;

/** The span and, once they are needed and there, its ancestors. */
function useAround(detail: SpanDetail, view: View, row: number): Around {
  const [line, setLine] = useState([detail]);
  const { t } = view;
  useEffect(() => {
    if (!asksAncestors(detail)) return undefined;
    const rows: number[] = [];
    for (let p = t.parent[row]; p >= 0 && rows.length < ANCESTORS_MAX; p = t.parent[p]) rows.push(p);
    if (rows.length === 0) return undefined;
    const abort = new AbortController();
    view.source.details(rows, abort.signal).then(
      (map) => setLine([detail, ...rows.flatMap((r) => map.get(r) ?? [])]),
      failed(() => undefined),
    );
    return () => abort.abort();
  }, [detail]);
  return { line, trace: traceFacts(t) };
}

function Body({ detail, view, row }: { detail: SpanDetail; view: View; row: number }) {
  const around = useAround(detail, view, row);
  const part = { detail, view, row, around };
  const [filter, setFilter] = useState('');
  const fits = (a: Attr) =>
    !filter || `${a.key}=${textOf(a.value)}`.toLowerCase().includes(filter.toLowerCase());
  const attributes = ordered(detail.attributes).filter(fits),
    resource = ordered(detail.resource).filter(fits);
  const many = detail.attributes.length + detail.resource.length > 8;
  return (
    <div class="body">
      {detail.status.code === 2 && (
        <p class="notice">
          <b>Error</b>
          {detail.status.message && `: ${detail.status.message}`}
        </p>
      )}
      {detail.warnings.map((w, i) => (
        <p class="notice warn" key={i}>
          <b>Warning:</b> {w}
        </p>
      ))}
      {many && (
        <input
          style={{ width: '100%', marginTop: '4px' }}
          placeholder="Filter attributes"
          aria-label="Filter attributes"
          value={filter}
          onInput={(e) => setFilter(e.currentTarget.value)}
        />
      )}
      <section>
        <h3>
          Attributes <span class="badge">{attributes.length}</span>
        </h3>
        {attributes.length ? (
          <Attrs list={attributes} type="tags" around={around} />
        ) : (
          <p class="soft">None</p>
        )}
      </section>
      <Events {...part} />
      <Links {...part} />
      <Referrers view={view} row={row} />
      <section>
        <h3>
          Process <span class="badge">{resource.length}</span>
        </h3>
        <Attrs list={resource} type="process" around={around} />
      </section>
      {(detail.scope.name || detail.traceState) && (
        <section>
          <h3>Scope</h3>
          <Attrs
            list={[
              { key: 'scope.name', value: detail.scope.name },
              { key: 'scope.version', value: detail.scope.version },
              { key: 'tracestate', value: detail.traceState },
            ].filter((a) => a.value)}
            type="process"
            around={around}
          />
        </section>
      )}
      <section class="row wrap">
        <button
          class="small"
          onClick={() =>
            void copy(
              JSON.stringify(detail, (_, x: unknown) => (typeof x === 'bigint' ? x.toString() : x), 2),
              'Copied the span as JSON',
            )
          }
        >
          Copy JSON
        </button>
        <a
          class="button small"
          style={{ height: '24px', fontSize: '12px' }}
          href={hrefTo('/search', {
            service: detail.service,
            operation: detail.name,
            lookback: config.search.defaultLookback,
          })}
        >
          Find similar spans
        </a>
      </section>
    </div>
  );
}

export function Panel({ view }: { view: View }) {
  const { t } = view,
    row = view.selected.value;
  const [loaded, setLoaded] = useState<{ row: number; detail?: SpanDetail; error?: string }>();
  const [width, setWidth] = useState(420);
  useEffect(() => {
    const abort = new AbortController();
    // The neighbours come along, so that walking with the keys does not wait.
    const rows = [row, ...[1, -1, 2, -2, 3, 4, 5, 6].map((d) => row + d)].filter((r) => r >= 0 && r < t.n);
    view.source.details(rows, abort.signal).then(
      (map) =>
        setLoaded({
          row,
          detail: map.get(row),
          error: map.has(row) ? undefined : 'The server does not have this span any more.',
        }),
      failed((error) => setLoaded({ row, error })),
    );
    return () => abort.abort();
  }, [row, view]);
  const parts = children(t, row).length;
  const critical = view.path.value?.total[row] ?? 0;
  const startMs = Number(t.t0 / 1000n) / 1000 + t.start[row] / 1e6;
  return (
    <aside class="panel" aria-label="Span" style={{ width: `${width}px` }}>
      <div
        class="grip-x"
        style={{ left: 0, position: 'absolute' }}
        onPointerDown={(e) => {
          const begin = width,
            x0 = e.clientX;
          drag(e, (x) => setWidth(Math.max(280, Math.min(window.innerWidth * 0.7, begin - x + x0))));
        }}
      />
      <header>
        <h2>{t.names[t.name[row]] || '(no name)'}</h2>
        <button class="close quiet" aria-label="Close" onClick={() => view.select(-1)}>
          ✕
        </button>
        <div class="row wrap" style={{ margin: '4px 0' }}>
          <span class="chip">
            <i style={{ background: serviceColor(t.services[t.service[row]]) }} />
            <span class="cut">{t.services[t.service[row]] || '?'}</span>
          </span>
          {t.kind[row] > 0 && (
            <span class="badge">
              {['', 'internal', 'server', 'client', 'producer', 'consumer'][t.kind[row]]}
            </span>
          )}
          <code class="soft">{spanId(t, row)}</code>
          <button
            class="quiet small"
            title="Copy a link to this span (y)"
            onClick={() => void copy(location.href, 'Copied the link')}
          >
            link
          </button>
        </div>
        <div class="facts" style={{ padding: 0 }}>
          <span>
            Duration <b>{duration(t.duration[row])}</b>
          </span>
          <span>
            Self <b>{duration(t.self[row])}</b>
          </span>
          <span title={time(startMs)}>
            Starts at <b>{duration(t.start[row])}</b>
          </span>
          {parts > 0 && (
            <span>
              <b>{plural(parts, 'child', 'children')}</b>
            </span>
          )}
          {critical > 0 && (
            <span>
              Critical <b>{duration(critical)}</b>
            </span>
          )}
        </div>
      </header>
      {loaded?.row === row ? (
        loaded.detail ? (
          <Body key={row} detail={loaded.detail} view={view} row={row} />
        ) : (
          <div class="body">
            <p class="notice">{loaded.error}</p>
          </div>
        )
      ) : (
        <Loading what="Loading the span…" />
      )}
    </aside>
  );
}
