// SPDX-License-Identifier: Apache-2.0
// Find traces. What is asked for is in the URL; a URL with a search in it runs it.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { ask, type Summary } from '../lib/api';
import { capabilities } from '../lib/config';
import { count, duration, plural, quantile } from '../lib/format';
import { compareHref, pick, picked } from '../lib/picked';
import { remember, save } from '../lib/recent';
import { go, hrefTo, param, place, setParams } from '../lib/router';
import { store, stored } from '../lib/stored';
import { outliers } from '../search/outliers';
import { FacetBar } from '../search/facetbar';
import { facetsOfText, narrow } from '../search/facets';
import { SearchForm } from '../search/form';
import { Searches } from '../search/lists';
import { Preview } from '../search/preview';
import { Cards, sorted, Table } from '../search/results';
import { type Found, useSearch } from '../search/run';
import { ASKING, type Form, formOfUrl, KEYS, ORDERS, paramsOf } from '../search/state';
import { download, Empty, Failure, Late, Loading, toast } from '../ui/bits';
import { type Brush, Scatter } from '../ui/scatter';
import './search.css';

const DOWNLOAD_MAX = 100,
  AT_ONCE = 6;
const deepPage = () => import('../graph/deep').then((m) => m.DeepOfTraces);

/** @return Jaeger's or OTLP's document of all of them */
async function documents(traces: Summary[], otlp: boolean): Promise<string> {
  const ids = traces.slice(0, DOWNLOAD_MAX).map((t) => t.traceId),
    parts: unknown[] = [];
  for (let at = 0; at < ids.length; at += AT_ONCE)
    parts.push(
      ...(await Promise.all(
        ids.slice(at, at + AT_ONCE).map(async (id) => {
          const body: unknown = await (await ask(otlp ? `api/v3/traces/${id}` : `api/traces/${id}`)).json();
          return otlp
            ? (body as { result: { resourceSpans: unknown[] } }).result.resourceSpans
            : (body as { data: unknown[] }).data;
        }),
      )),
    );
  return JSON.stringify(otlp ? { resourceSpans: parts.flat() } : { data: parts.flat() });
}

function Save() {
  const [name, setName] = useState<string>();
  const query = KEYS.flatMap((k) => place.value.query.getAll(k).map((v): [string, string] => [k, v]));
  if (name === undefined) return <button onClick={() => setName('')}>Save…</button>;
  return (
    <form
      class="row"
      onSubmit={(e) => {
        e.preventDefault();
        save(name, new URLSearchParams(query).toString());
        toast('Saved: it is on the start page of the search');
        setName(undefined);
      }}
    >
      <input
        id="save-name"
        aria-label="Name of this search"
        placeholder="Name of this search"
        value={name}
        ref={(element) => element?.focus()}
        onInput={(e) => setName(e.currentTarget.value)}
        onKeyDown={(e) => e.key === 'Escape' && setName(undefined)}
      />
      <button disabled={!name.trim()}>Save</button>
    </form>
  );
}

function Download({ traces }: { traces: Summary[] }) {
  const [busy, setBusy] = useState(false);
  const get = async (otlp: boolean) => {
    setBusy(true);
    try {
      download(`traces-${Date.now()}.json`, await documents(traces, otlp));
    } catch (e) {
      toast((e as Error).message);
    }
    setBusy(false);
  };
  return (
    <select
      aria-label="Download"
      disabled={busy}
      value=""
      title={`The shown traces, ${DOWNLOAD_MAX} at most`}
      onChange={(e) => {
        const what = e.currentTarget.value;
        e.currentTarget.value = '';
        void get(what === 'otlp');
      }}
    >
      <option value="" disabled>
        {busy ? 'Downloading…' : 'Download'}
      </option>
      <option value="jaeger">Jaeger JSON</option>
      <option value="otlp">OTLP JSON</option>
    </select>
  );
}

interface ListProps {
  found: Found;
  busy: boolean;
  onMore: () => void;
}

function Head({
  found,
  shown,
  odd,
  brush,
  onBrush,
}: {
  found: Found;
  shown: Summary[];
  odd: Set<string>;
  brush: Brush | undefined;
  onBrush: (b: Brush | undefined) => void;
}) {
  const durations = useMemo(() => shown.map((t) => t.durationNs).sort((a, b) => a - b), [shown]);
  const view = param('view') === 'ddg' ? 'graph' : (param('layout') ?? 'list');
  const tabs: [string, string, Record<string, string | undefined>][] = [
    ['list', 'List', { layout: undefined, view: undefined }],
    ['table', 'Table', { layout: 'table', view: undefined }],
    ['graph', 'Graph', { view: 'ddg' }],
  ];
  const facts = [
    `median ${duration(quantile(durations, 0.5))}`,
    `p95 ${duration(quantile(durations, 0.95))}`,
  ];
  if (odd.size) facts.push(plural(odd.size, 'outlier'));
  if (found.tookMs) facts.push(`found in ${Math.round(found.tookMs)} ms`);
  const total = plural(found.traces.length, 'trace') + (found.next ? ' and more' : '');
  return (
    <div class="bar-row">
      <h1 aria-live="polite" id="count">
        {shown.length < found.traces.length ? `${count(shown.length)} of ${total}` : total}
      </h1>
      <span class="soft grow">{facts.join(' · ')}</span>
      {brush && <button onClick={() => onBrush(undefined)}>Clear selection</button>}
      <Save />
      <Download traces={shown} />
      <div class="tabs" role="tablist" aria-label="Show as">
        {tabs.map(([key, text, change]) => (
          <button key={key} role="tab" aria-selected={view === key} onClick={() => setParams(change)}>
            {text}
          </button>
        ))}
      </div>
    </div>
  );
}

function Picked({ ids, onClear }: { ids: readonly string[]; onClear: () => void }) {
  const hint =
    ids.length === 1
      ? ': pick one more to compare'
      : ids.length > 2
        ? ': the first two at first, the others can be chosen there'
        : '';
  const compare = () => go(compareHref(ids[0], ids[1]));
  return (
    <div class="pick">
      <span class="grow">
        {plural(ids.length, 'trace')} picked{hint}
      </span>
      <button onClick={onClear}>Clear</button>
      <button class="main" disabled={ids.length < 2} onClick={compare}>
        Compare
      </button>
    </div>
  );
}

function List({ found, busy, onMore }: ListProps) {
  const [brush, setBrush] = useState<Brush>();
  const [preview, setPreview] = useState<Summary>();
  const facets = param('facets'),
    chosen = useMemo(() => facetsOfText(facets), [facets]);
  const sort = param('sort') ?? (found.ordered ? undefined : FALLBACK[param('order') ?? 'newest']);
  const odd = useMemo(() => outliers(found.traces), [found]);
  const shown = useMemo(() => {
    const inside = (t: Summary) =>
      !brush ||
      (t.startMs >= brush.fromMs &&
        t.startMs <= brush.toMs &&
        t.durationNs >= brush.minNs &&
        t.durationNs <= brush.maxNs);
    return sorted(narrow(found.traces, chosen).filter(inside), sort);
  }, [found, brush, sort, chosen]);
  const props = { traces: shown, outliers: odd, picked: picked.value, onPick: pick, onPreview: setPreview };
  const step = (by: number) => {
    const next = shown[shown.findIndex((t) => t.traceId === preview?.traceId) + by];
    if (next) setPreview(next);
  };
  const order = ORDERS.find(([name]) => name === param('order'))?.[1] ?? 'Newest';
  return (
    <>
      {!(param('uiEmbed') === 'v0' && param('uiSearchHideGraph') === '1') && (
        <Scatter
          traces={narrow(found.traces, chosen)}
          outliers={odd}
          brush={brush}
          onBrush={setBrush}
          onOpen={(t) => go(hrefTo(`/trace/${t.traceId}`))}
        />
      )}
      <Head found={found} shown={shown} odd={odd} brush={brush} onBrush={setBrush} />
      <FacetBar traces={found.traces} chosen={chosen} />
      {shown.length === 0 && (
        <p class="notice">None of the {plural(found.traces.length, 'trace')} passes what is chosen above.</p>
      )}
      {found.stoppedEarly && (
        <p class="notice warn">
          The search stopped early, at its budget of traces or time: traces may be missing. Narrow the time
          range or the filter.
        </p>
      )}
      {param('view') === 'ddg' ? (
        <Late load={deepPage} props={{ ids: shown.map((t) => t.traceId) }} />
      ) : param('layout') === 'table' ? (
        <Table {...props} sort={param('sort')} onSort={(by) => setParams({ sort: by })} />
      ) : (
        <Cards {...props} />
      )}
      {found.next && (
        <button id="more" disabled={busy} onClick={onMore}>
          {busy ? 'Loading…' : `Load more (${order.toLowerCase()} first)`}
        </button>
      )}
      {preview && <Preview of={preview} onClose={() => setPreview(undefined)} onStep={step} />}
      {picked.value.length > 0 && <Picked ids={picked.value} onClear={() => (picked.value = [])} />}
    </>
  );
}

/** The order of what came, where the server knows no order. */
const FALLBACK: Record<string, string> = {
  newest: '-start',
  longest: '-duration',
  spans: '-spans',
  errors: '-errors',
};

export function SearchPage() {
  document.title = 'Search – Jaeger';
  const search = useSearch();
  const [hidden, setHidden] = useState(stored('form') === 'hidden');
  const q = place.value.query;
  const asked = ASKING.some((key) => q.has(key));
  const mayRun = q.get('service') || q.get('filter') || capabilities.searchWithoutServiceName;
  const key = [...KEYS, 'uploaded', 'traceID'].map((k) => q.getAll(k).join()).join('|');
  useEffect(() => {
    if (q.has('uploaded')) search.showUploads();
    else if (q.has('traceID') && !q.get('service')) search.showIds(q.getAll('traceID').slice(0, 50));
    else if (asked && mayRun) search.run(formOfUrl());
    else search.clear();
  }, [key]);
  const submit = (form: Form) => {
    const params = new URLSearchParams();
    for (const [name, value] of Object.entries({
      ...paramsOf(form),
      layout: param('layout'),
      view: param('view'),
    }))
      if (value) params.set(name, value);
    const url = hrefTo('/search', params);
    store('service', form.service || undefined);
    if (form.lookback !== 'custom') remember(hrefTo('', paramsOf(form)).split('?')[1] ?? '');
    if (url === location.pathname + location.search) search.run(form);
    else go(url);
  };
  const toggle = () => {
    store('form', hidden ? undefined : 'hidden');
    setHidden(!hidden);
  };
  const { found, busy, error } = search;
  return (
    <div class={`search${hidden ? ' alone' : ''}`}>
      <aside aria-label="Search form" hidden={hidden}>
        <SearchForm busy={busy === 'search'} fault={search.fault} onFind={submit} />
      </aside>
      <section class="results" aria-label="Results" aria-busy={busy !== ''}>
        <button
          class="quiet small aside-toggle"
          aria-expanded={!hidden}
          onClick={toggle}
          title="Show or hide the form"
        >
          {hidden ? '» Form' : '«'}
          <span class="sr"> {hidden ? '' : 'Hide the form'}</span>
        </button>
        {error && <Failure error={error} onRetry={() => search.run(formOfUrl())} />}
        {busy === 'search' ? (
          <Loading what="Searching…" onCancel={search.stop} />
        ) : !found || search.fault ? (
          !error && <Searches />
        ) : found.traces.length === 0 ? (
          <Empty title="No traces found">
            <p>Nothing in this time range fits. Look back further, or loosen tags, filter and durations.</p>
          </Empty>
        ) : (
          <List key={key} found={found} busy={busy === 'more'} onMore={() => search.more(formOfUrl())} />
        )}
      </section>
    </div>
  );
}
