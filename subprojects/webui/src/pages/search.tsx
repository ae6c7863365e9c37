// SPDX-License-Identifier: Apache-2.0
// Find traces: the form, its state in the URL (parameters of the official UI), results as plot and list.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { failed, type Find, operations, type Operation, search, services, type Summary } from '../lib/api';
import { capabilities, config } from '../lib/config';
import {
  ago,
  count,
  duration,
  formatTags,
  parseDuration,
  parseLookback,
  parseTags,
  plural,
  quantile,
  time,
  zone,
} from '../lib/format';
import { forget, recent, remember } from '../lib/recent';
import { go, hrefTo, param, place, setParams } from '../lib/router';
import { openFiles } from '../trace/open';
import { uploadedTraces } from '../trace/store';
import { Dot, download, Empty, Failure, Loading } from '../ui/bits';
import { type Brush, Scatter } from '../ui/scatter';

const LOOKBACKS: [string, string][] = [
  ['5m', '5 minutes'],
  ['15m', '15 minutes'],
  ['30m', '30 minutes'],
  ['1h', 'hour'],
  ['3h', '3 hours'],
  ['6h', '6 hours'],
  ['12h', '12 hours'],
  ['24h', '24 hours'],
  ['2d', '2 days'],
  ['7d', '7 days'],
  ['14d', '2 weeks'],
  ['4w', '4 weeks'],
];
const ORDERS: [string, string, (a: Summary, b: Summary) => number][] = [
  ['MOST_RECENT', 'Newest first', (a, b) => b.startMs - a.startMs],
  ['OLDEST', 'Oldest first', (a, b) => a.startMs - b.startMs],
  ['LONGEST_FIRST', 'Longest first', (a, b) => b.durationNs - a.durationNs],
  ['SHORTEST_FIRST', 'Shortest first', (a, b) => a.durationNs - b.durationNs],
  ['MOST_SPANS', 'Most spans', (a, b) => b.spans - a.spans],
  ['LEAST_SPANS', 'Fewest spans', (a, b) => a.spans - b.spans],
  ['MOST_ERRORS', 'Most errors', (a, b) => b.errors - a.errors],
  ['NAME', 'Name', (a, b) => (a.rootService + a.root).localeCompare(b.rootService + b.root)],
];
const ALL = '';
const CARD = 76;

function tagsOfUrl(): string {
  const json = param('tags');
  if (json)
    try {
      return formatTags(JSON.parse(json) as Record<string, string>);
    } catch {
      return json;
    }
  return place.value.query
    .getAll('tag')
    .map((t) => t.replace(':', '='))
    .join(' ');
}

function stateOfUrl() {
  return {
    service: param('service') ?? ALL,
    operation: param('operation') ?? '',
    tags: tagsOfUrl(),
    lookback: param('lookback') ?? config.search.defaultLookback,
    limit: param('limit') ?? '20',
    minDuration: param('minDuration') ?? '',
    maxDuration: param('maxDuration') ?? '',
    start: param('start') ?? '',
    end: param('end') ?? '',
  };
}
type Form = ReturnType<typeof stateOfUrl>;

const local = (us: string): string => {
  const ms = Number(us) / 1000;
  return Number.isFinite(ms) && us
    ? new Date(ms - new Date(ms).getTimezoneOffset() * 60e3).toISOString().slice(0, 19)
    : '';
};
const micros = (text: string): string => (text ? String(new Date(text).getTime() * 1000) : '');

/** @throws Error with what is wrong in the form */
function findOf(form: Form): Find {
  const tags = parseTags(form.tags);
  for (const text of [form.minDuration, form.maxDuration])
    if (text && parseDuration(text) === undefined)
      throw new Error(`“${text}” is not a duration like 1.2s, 100ms or 500us.`);
  if (
    form.minDuration &&
    form.maxDuration &&
    parseDuration(form.minDuration)! > parseDuration(form.maxDuration)!
  )
    throw new Error('The shortest duration is above the longest.');
  let endMs = Date.now(),
    startMs = endMs - (parseLookback(form.lookback) ?? 3600e3);
  if (form.lookback === 'custom') {
    [startMs, endMs] = [Number(form.start) / 1000, Number(form.end) / 1000];
    if (!(startMs < endMs)) throw new Error('The time range ends before it begins.');
  }
  return {
    service: form.service || undefined,
    operation: form.operation || undefined,
    startMs,
    endMs,
    tags,
    limit: Math.max(1, Math.min(config.search.maxLimit, Number(form.limit) || 20)),
    minDuration: form.minDuration.replace(/\s/g, ''),
    maxDuration: form.maxDuration.replace(/\s/g, ''),
  };
}

function urlOf(form: Form): Record<string, string | undefined> {
  const tags = parseTags(form.tags);
  const custom = form.lookback === 'custom';
  return {
    service: form.service,
    operation: form.operation,
    lookback: form.lookback,
    limit: form.limit,
    minDuration: form.minDuration,
    maxDuration: form.maxDuration,
    tags: Object.keys(tags).length ? JSON.stringify(tags) : undefined,
    start: custom ? form.start : undefined,
    end: custom ? form.end : undefined,
  };
}

function SearchForm({ busy, onFind }: { busy: boolean; onFind: (form: Form) => void }) {
  const [form, setForm] = useState(stateOfUrl);
  const [names, setNames] = useState<string[]>();
  const [ops, setOps] = useState<Operation[]>([]);
  const [error, setError] = useState('');
  const [down, setDown] = useState('');
  useEffect(() => setForm(stateOfUrl()), [place.value]);
  const loadServices = () => {
    setDown('');
    services().then(setNames, failed(setDown));
  };
  useEffect(loadServices, []);
  useEffect(() => {
    let gone = false;
    setOps([]);
    if (form.service)
      operations(form.service).then(
        (list) => {
          if (!gone) setOps(list);
        },
        () => undefined,
      );
    return () => {
      gone = true;
    };
  }, [form.service]);
  const set = (change: Partial<Form>) => {
    setError('');
    setForm({ ...form, ...change });
  };
  const submit = (event: Event) => {
    event.preventDefault();
    try {
      if (!form.service && !capabilities.searchWithoutServiceName)
        throw new Error('Choose a service: this storage cannot search all of them.');
      findOf(form);
      onFind(form);
    } catch (e) {
      setError((e as Error).message);
    }
  };
  const max = parseLookback(config.search.maxLookback.value) ?? Infinity;
  const opNames = [...new Set(ops.map((o) => o.name))].sort((a, b) => a.localeCompare(b));
  return (
    <form onSubmit={submit} aria-label="Search">
      {down && <Failure error={`Services: ${down}`} onRetry={loadServices} />}
      <label class="field">
        <span>Service {names && <span>{count(names.length)}</span>}</span>
        <select
          id="service"
          value={form.service}
          onChange={(e) => set({ service: e.currentTarget.value, operation: '' })}
        >
          <option value={ALL}>
            {capabilities.searchWithoutServiceName
              ? 'All services'
              : names?.length === 0
                ? 'No services yet'
                : 'Choose a service'}
          </option>
          {form.service && !names?.includes(form.service) && <option>{form.service}</option>}
          {names?.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
      <label class="field">
        <span>Operation {opNames.length > 0 && <span>{count(opNames.length)}</span>}</span>
        <input
          id="operation"
          list="operations"
          placeholder="Any"
          autocomplete="off"
          spellcheck={false}
          value={form.operation}
          onInput={(e) => set({ operation: e.currentTarget.value })}
        />
        <datalist id="operations">
          {opNames.map((name) => (
            <option key={name} value={name} />
          ))}
        </datalist>
      </label>
      <label class="field">
        <span>Tags</span>
        <input
          id="tags"
          placeholder='error=true http.route="/cart"'
          autocomplete="off"
          spellcheck={false}
          value={form.tags}
          aria-invalid={error.includes('=')}
          onInput={(e) => set({ tags: e.currentTarget.value })}
        />
      </label>
      <label class="field">
        <span>Time</span>
        <select
          id="lookback"
          value={form.lookback}
          onChange={(e) => {
            const lookback = e.currentTarget.value;
            if (lookback !== 'custom') {
              set({ lookback });
              return;
            }
            const now = Date.now();
            set({
              lookback,
              start: String((now - (parseLookback(form.lookback) ?? 3600e3)) * 1000),
              end: String(now * 1000),
            });
          }}
        >
          {LOOKBACKS.filter(([value]) => parseLookback(value)! <= max).map(([value, text]) => (
            <option key={value} value={value}>
              Last {text}
            </option>
          ))}
          {!LOOKBACKS.some(([value]) => value === form.lookback) && form.lookback !== 'custom' && (
            <option value={form.lookback}>Last {form.lookback}</option>
          )}
          <option value="custom">Between two times</option>
        </select>
      </label>
      {form.lookback === 'custom' && (
        <>
          <label class="field">
            <span>
              From <span title="Time zone">{zone}</span>
            </span>
            <input
              type="datetime-local"
              step="1"
              value={local(form.start)}
              onInput={(e) => set({ start: micros(e.currentTarget.value) })}
            />
          </label>
          <label class="field">
            <span>To</span>
            <input
              type="datetime-local"
              step="1"
              value={local(form.end)}
              onInput={(e) => set({ end: micros(e.currentTarget.value) })}
            />
          </label>
        </>
      )}
      <div class="pair">
        <label class="field">
          <span>Longer than</span>
          <input
            id="minDuration"
            placeholder="100ms"
            value={form.minDuration}
            onInput={(e) => set({ minDuration: e.currentTarget.value })}
          />
        </label>
        <label class="field">
          <span>Shorter than</span>
          <input
            id="maxDuration"
            placeholder="1.2s"
            value={form.maxDuration}
            onInput={(e) => set({ maxDuration: e.currentTarget.value })}
          />
        </label>
      </div>
      <label class="field">
        <span>Limit</span>
        <input
          id="limit"
          type="number"
          min="1"
          max={config.search.maxLimit}
          value={form.limit}
          onInput={(e) => set({ limit: e.currentTarget.value })}
        />
      </label>
      {error && (
        <p class="error-text" role="alert">
          {error}
        </p>
      )}
      <button class="main" id="find" style={{ width: '100%' }} disabled={busy}>
        Find traces
      </button>
      {!config.disableFileUploadControl && (
        <label class="button" style={{ width: '100%', justifyContent: 'center', marginTop: '8px' }}>
          Open a file…
          <input
            class="sr"
            type="file"
            accept=".json,.jsonl"
            multiple
            onChange={(e) => void openFiles([...(e.currentTarget.files ?? [])])}
          />
        </label>
      )}
    </form>
  );
}

function useScroll(ref: { current: HTMLElement | null }) {
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
  return range;
}

function Results({
  traces,
  picked,
  onPick,
}: {
  traces: Summary[];
  picked: string[];
  onPick: (id: string, on: boolean) => void;
}) {
  const list = useRef<HTMLUListElement>(null);
  const { top, height } = useScroll(list);
  const first = Math.max(0, Math.floor(top / CARD) - 4),
    last = Math.min(traces.length, Math.ceil((top + height) / CARD) + 4);
  const longest = traces.reduce((max, t) => Math.max(max, t.durationNs), 1);
  return (
    <ul
      class="traces"
      ref={list}
      style={{ height: `${traces.length * CARD}px` }}
      aria-label={`${traces.length} traces`}
    >
      {traces.slice(first, last).map((t, i) => (
        <li
          key={t.traceId}
          style={{ top: `${(first + i) * CARD}px` }}
          aria-posinset={first + i + 1}
          aria-setsize={traces.length}
        >
          <label title="Pick to compare">
            <input
              type="checkbox"
              aria-label={`Pick ${t.root} to compare`}
              checked={picked.includes(t.traceId)}
              onChange={(e) => onPick(t.traceId, e.currentTarget.checked)}
            />
          </label>
          <a class="trace" href={hrefTo(`/trace/${t.traceId}`)}>
            <div class="fill" style={{ width: `${(100 * t.durationNs) / longest}%` }} />
            <div class="line">
              <b class="cut">{t.rootService || '(no root span)'}</b>
              <span class="cut grow">{t.root}</span>
              <code class="soft">
                {t.traceId.replace(/^0{16}/, '').slice(0, config.traceIdDisplayLength)}
              </code>
              <b>{duration(t.durationNs)}</b>
            </div>
            <div class="line low">
              <span class="badge">{plural(t.spans, 'span')}</span>
              {t.errors > 0 && <span class="badge bad">{plural(t.errors, 'error')}</span>}
              {t.orphans > 0 && (
                <span class="badge warn" title={`${plural(t.orphans, 'span')} without their parent`}>
                  incomplete
                </span>
              )}
              <div class="chips">
                {[...t.services]
                  .sort((a, b) => b.spans - a.spans)
                  .slice(0, 8)
                  .map((s) => (
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
                {t.services.length > 8 && <span class="soft">+{t.services.length - 8}</span>}
              </div>
              <span class="soft" title={time(t.startMs)}>
                {time(t.startMs)} · {ago(t.startMs)}
              </span>
            </div>
          </a>
        </li>
      ))}
    </ul>
  );
}

function Recent() {
  const list = recent.value;
  return (
    <Empty title="Find traces">
      <p>
        Choose a service and press “Find traces”, paste a trace ID above, or drop a file with traces (Jaeger
        or OTLP JSON) anywhere on the page.
      </p>
      {list.length > 0 && (
        <>
          <h3 style={{ textAlign: 'left' }}>Recent searches</h3>
          <ul class="recent">
            {list.map((query) => {
              const q = new URLSearchParams(query);
              const tags = q.get('tags');
              const parts = [
                q.get('operation'),
                tags &&
                  (() => {
                    try {
                      return formatTags(JSON.parse(tags) as Record<string, string>);
                    } catch {
                      return tags;
                    }
                  })(),
                q.get('minDuration') && `≥ ${q.get('minDuration')}`,
                q.get('maxDuration') && `≤ ${q.get('maxDuration')}`,
                `last ${q.get('lookback') ?? ''}`,
              ].filter(Boolean);
              return (
                <li key={query}>
                  <a class="cut" href={hrefTo('/search', q)}>
                    <b>{q.get('service') || 'All services'}</b> <span class="soft">{parts.join(' · ')}</span>
                  </a>
                  <button class="quiet small" aria-label="Forget this search" onClick={() => forget(query)}>
                    ✕
                  </button>
                </li>
              );
            })}
          </ul>
        </>
      )}
    </Empty>
  );
}

function uploadedSummaries(): Summary[] {
  return uploadedTraces().map(({ trace: t }) => ({
    traceId: t.traceId,
    root: t.names[t.name[0]] ?? '',
    rootService: t.services[t.service[0]] ?? '',
    startMs: Number(t.t0 / 1000n) / 1000,
    durationNs: t.end,
    spans: t.n,
    errors: t.errors,
    orphans: t.orphans,
    services: t.services.map((name, s) => {
      let spans = 0;
      for (let i = 0; i < t.n; i++) if (t.service[i] === s) spans++;
      return { name, spans, errors: 0 };
    }),
  }));
}

export function SearchPage() {
  const [found, setFound] = useState<Summary[]>();
  const [error, setError] = useState('');
  const [busy, setBusy] = useState(false);
  const [tookMs, setTook] = useState(0);
  const [brush, setBrush] = useState<Brush>();
  const [picked, setPicked] = useState<string[]>([]);
  const running = useRef<AbortController>();
  document.title = 'Search – Jaeger';

  const run = (form: Form) => {
    running.current?.abort();
    const abort = new AbortController();
    running.current = abort;
    const begin = performance.now();
    setBusy(true);
    setError('');
    setBrush(undefined);
    setPicked([]);
    let find: Find;
    try {
      find = findOf(form);
    } catch (e) {
      setError((e as Error).message);
      setBusy(false);
      return;
    }
    search(find, abort.signal).then(
      (list) => {
        setFound(list);
        setTook(performance.now() - begin);
        setBusy(false);
      },
      failed((message) => {
        setError(message);
        setBusy(false);
      }),
    );
  };
  const submit = (form: Form) => {
    const url = hrefTo('/search', urlOf(form));
    const q = new URL(url, location.href).searchParams;
    if (form.lookback !== 'custom') remember(q.toString());
    if (url === location.pathname + location.search) run(form);
    else go(url);
  };
  // A URL with a search in it runs it: links, back and forward.
  const q = place.value.query;
  const asked = ['service', 'operation', 'tags', 'tag', 'start', 'minDuration', 'lookback'].some((key) =>
    q.has(key),
  );
  const key = [
    'service',
    'operation',
    'tags',
    'tag',
    'start',
    'end',
    'lookback',
    'limit',
    'minDuration',
    'maxDuration',
  ]
    .map((k) => q.getAll(k).join())
    .join('|');
  useEffect(() => {
    if (q.has('uploaded')) {
      setFound(uploadedSummaries());
      setError('');
    } else if (asked && (q.get('service') || capabilities.searchWithoutServiceName)) run(stateOfUrl());
    else setFound(undefined);
  }, [key, q.get('uploaded')]);
  useEffect(() => () => running.current?.abort(), []);

  const order = ORDERS.find(([name]) => name === param('sort')) ?? ORDERS[0];
  const shown = useMemo(
    () =>
      (found ?? [])
        .filter(
          (t) =>
            !brush ||
            (t.startMs >= brush.fromMs &&
              t.startMs <= brush.toMs &&
              t.durationNs >= brush.minNs &&
              t.durationNs <= brush.maxNs),
        )
        .sort(order[2]),
    [found, brush, order],
  );
  const durations = useMemo(() => shown.map((t) => t.durationNs).sort((a, b) => a - b), [shown]);
  const pick = (id: string, on: boolean) =>
    setPicked((now) => (on ? [...now, id] : now.filter((x) => x !== id)));
  const save = async () => {
    const all = await Promise.all(
      shown
        .slice(0, 100)
        .map(
          async (t) =>
            ((await (await fetch(hrefTo(`/api/traces/${t.traceId}`))).json()) as { data: unknown[] }).data,
        ),
    );
    download(`traces-${Date.now()}.json`, JSON.stringify({ data: all.flat() }));
  };

  return (
    <div class="search">
      <aside>
        <SearchForm busy={busy} onFind={submit} />
      </aside>
      <section class="results" aria-label="Results" aria-busy={busy}>
        {error && <Failure error={error} onRetry={() => run(stateOfUrl())} />}
        {busy ? (
          <Loading
            what="Searching…"
            onCancel={() => {
              running.current?.abort();
              setBusy(false);
            }}
          />
        ) : found === undefined ? (
          !error && <Recent />
        ) : found.length === 0 ? (
          <Empty title="No traces found">
            <p>Nothing in this time range fits. Look back further, or loosen tags and durations.</p>
          </Empty>
        ) : (
          <>
            <Scatter
              traces={found}
              brush={brush}
              onBrush={setBrush}
              onOpen={(t) => go(hrefTo(`/trace/${t.traceId}`))}
            />
            <div class="bar-row">
              <h1 aria-live="polite">
                {brush
                  ? `${count(shown.length)} of ${plural(found.length, 'trace')}`
                  : plural(found.length, 'trace')}
              </h1>
              <span class="soft grow">
                median {duration(quantile(durations, 0.5))} · p95 {duration(quantile(durations, 0.95))} ·
                found in {Math.round(tookMs)} ms
                {found.length >= Number(param('limit') ?? 20) ? ' · limit reached' : ''}
              </span>
              {brush && <button onClick={() => setBrush(undefined)}>Clear selection</button>}
              <button onClick={() => void save()} title="The shown traces as Jaeger JSON (100 at most)">
                Download
              </button>
              <select
                aria-label="Order"
                value={order[0]}
                onChange={(e) => setParams({ sort: e.currentTarget.value })}
              >
                {ORDERS.map(([value, text]) => (
                  <option key={value} value={value}>
                    {text}
                  </option>
                ))}
              </select>
            </div>
            <Results traces={shown} picked={picked} onPick={pick} />
            {picked.length > 0 && (
              <div class="pick">
                <span class="grow">
                  {plural(picked.length, 'trace')} picked
                  {picked.length === 1
                    ? ': pick one more to compare'
                    : picked.length > 2
                      ? ': the first two are compared'
                      : ''}
                </span>
                <button onClick={() => setPicked([])}>Clear</button>
                <button
                  class="main"
                  disabled={picked.length < 2}
                  onClick={() => go(hrefTo(`/trace/${picked[0]}...${picked[1]}`))}
                >
                  Compare
                </button>
              </div>
            )}
          </>
        )}
      </section>
    </div>
  );
}
