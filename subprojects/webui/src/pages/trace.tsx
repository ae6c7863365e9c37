// SPDX-License-Identifier: Apache-2.0
// One trace: head with its facts, search, and the views on it.
import '../trace/trace.css';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { archive, failed } from '../lib/api';
import { serviceColor } from '../lib/color';
import { capabilities, config } from '../lib/config';
import { count, duration, parseDuration, plural, time } from '../lib/format';
import { traceLinks } from '../lib/links';
import { go, hrefTo, param, setParams } from '../lib/router';
import { Panel } from '../trace/detail';
import { Flame } from '../trace/flame';
import { criticalPath, Flag } from '../trace/model';
import { PathGraph } from '../trace/pathgraph';
import { load, type Source } from '../trace/store';
import { SpansTable, Statistics } from '../trace/tables';
import { makeView, type View } from '../trace/view';
import { Waterfall, waterfallKey } from '../trace/waterfall';
import { copy, Dot, Failure, Loading, Menu, toast } from '../ui/bits';

const TABS: [string, string][] = [
  ['timeline', 'Waterfall'],
  ['flame', 'Flame'],
  ['statistics', 'Statistics'],
  ['spans', 'Spans'],
  ['graph', 'Graph'],
];

function Find({ view }: { view: View }) {
  const [text, setText] = useState(view.query.value);
  const timer = useRef(0);
  const [error, setError] = useState('');
  const find = (value: string) => {
    setError('');
    view.find(value).then(() => undefined, failed(setError));
  };
  useEffect(() => {
    if (view.query.value) find(view.query.value);
    return () => clearTimeout(timer.current);
  }, []);
  const m = view.matches.value,
    total = view.matchCount.value;
  let position = 0;
  if (m && view.selected.value >= 0 && m[view.selected.value])
    for (let i = 0; i <= view.selected.value; i++) position += m[i];
  const step = (back: boolean) => {
    const now = view.matches.value;
    if (now && total) view.jump((row) => now[row] === 1, back);
  };
  return (
    <div class="find" role="search">
      <input
        id="find-in-trace"
        aria-label="Find in the trace"
        placeholder='Find: word "a phrase" key=value'
        spellcheck={false}
        value={text}
        title={error}
        aria-invalid={!!error}
        onInput={(e) => {
          const v = e.currentTarget.value;
          setText(v);
          clearTimeout(timer.current);
          timer.current = window.setTimeout(() => find(v), 200);
        }}
        onKeyDown={(e) => {
          if (e.key === 'Enter') {
            e.preventDefault();
            step(e.shiftKey);
          }
          if (e.key === 'Escape') {
            e.stopPropagation();
            if (text) {
              setText('');
              find('');
            } else e.currentTarget.blur();
          }
        }}
      />
      {m && (
        <>
          <span class="soft" id="match-count" role="status" style={{ minWidth: '56px', textAlign: 'center' }}>
            {position ? `${count(position)} / ` : ''}
            {count(total)}
          </span>
          <button
            class="quiet"
            aria-label="Previous match"
            title="Previous (N)"
            disabled={!total}
            onClick={() => step(true)}
          >
            ↑
          </button>
          <button
            class="quiet"
            aria-label="Next match"
            title="Next (n)"
            disabled={!total}
            onClick={() => step(false)}
          >
            ↓
          </button>
          <button
            aria-pressed={view.only.value}
            title="Hide spans that do not match"
            onClick={() => {
              view.only.value = !view.only.value;
            }}
          >
            Only these
          </button>
        </>
      )}
      {error && <span class="error-text">{error}</span>}
    </div>
  );
}

function Filters({ view }: { view: View }) {
  const [min, setMin] = useState('');
  const hidden = view.hiddenServices.value;
  return (
    <>
      {view.t.errors > 0 && (
        <button
          aria-pressed={view.errorsOnly.value}
          onClick={() => {
            view.errorsOnly.value = !view.errorsOnly.value;
          }}
        >
          Errors only
        </button>
      )}
      {config.criticalPathEnabled && (
        <button
          aria-pressed={view.critical.value}
          title="What the end waited for (c)"
          onClick={() => {
            view.critical.value = !view.critical.value;
          }}
        >
          Critical path
        </button>
      )}
      <details class="menu">
        <summary class="button">
          Services{hidden.size > 0 && ` (${view.t.services.length - hidden.size}/${view.t.services.length})`}{' '}
          ▾
        </summary>
        <div style={{ left: 0, right: 'auto', maxHeight: '60vh', overflow: 'auto' }}>
          {view.counts.value.map((s) => (
            <label key={s.index} class="row">
              <input
                type="checkbox"
                checked={!hidden.has(s.index)}
                onChange={() => {
                  const next = new Set(hidden);
                  if (!next.delete(s.index)) next.add(s.index);
                  view.hiddenServices.value = next;
                }}
              />
              <Dot service={s.name} />
              <span class="grow cut">{s.name || '(none)'}</span>
              <span class="soft">{count(s.spans)}</span>
            </label>
          ))}
          {hidden.size > 0 && (
            <button
              onClick={() => {
                view.hiddenServices.value = new Set();
              }}
            >
              Show all
            </button>
          )}
        </div>
      </details>
      <input
        aria-label="Shortest duration shown"
        placeholder="≥ 1ms"
        style={{ width: '76px' }}
        value={min}
        aria-invalid={!!min && parseDuration(min) === undefined}
        onInput={(e) => {
          setMin(e.currentTarget.value);
          view.minDuration.value = parseDuration(e.currentTarget.value) ?? 0;
        }}
      />
    </>
  );
}

/** What a person should look at first: where the time went, what failed, what was repeated. */
function Summary({ view }: { view: View }) {
  const { t } = view;
  const facts = useMemo(() => {
    const path = criticalPath(t);
    let slow = 0,
      cause = -1;
    for (let i = 0; i < t.n; i++) {
      if (path.total[i] > path.total[slow]) slow = i;
      if (cause < 0 && t.flags[i] & Flag.error && t.errorsBelow[i] === 1) cause = i;
    }
    // The same call many times below one parent: an N+1.
    let repeated = { row: -1, times: 0 };
    const runs = new Map<number, { row: number; times: number }>();
    for (let i = 0; i < t.n; i++) {
      if (t.parent[i] < 0) continue;
      const key = t.parent[i] * t.names.length + t.name[i],
        run = runs.get(key) ?? { row: i, times: 0 };
      run.times++;
      runs.set(key, run);
      if (run.times > repeated.times) repeated = run;
    }
    return { slow, slowNs: path.total[slow] ?? 0, cause, repeated };
  }, [view]);
  const name = (row: number) => (
    <span class="cut" style={{ maxWidth: '260px' }}>
      <b>{t.services[t.service[row]]}</b> {t.names[t.name[row]]}
    </span>
  );
  return (
    <div class="row wrap" style={{ gap: '0 6px' }}>
      {t.n > 1 && facts.slowNs > 0 && (
        <button class="quiet small" onClick={() => view.select(facts.slow)}>
          Most time: {name(facts.slow)} {duration(facts.slowNs)} (
          {Math.round((100 * facts.slowNs) / Math.max(t.end, 1))} %)
        </button>
      )}
      {facts.cause >= 0 && (
        <button class="quiet small" onClick={() => view.select(facts.cause)}>
          <span class="error-text">First error:</span> {name(facts.cause)}
        </button>
      )}
      {facts.repeated.times >= 10 && (
        <button class="quiet small" onClick={() => view.select(facts.repeated.row)}>
          Repeated: {name(facts.repeated.row)} ×{count(facts.repeated.times)}
        </button>
      )}
    </div>
  );
}

function Head({ view, source }: { view: View; source: Source }) {
  const { t } = view,
    startMs = Number(t.t0 / 1000n) / 1000;
  const service = t.services[t.service[0]] ?? '',
    name = t.names[t.name[0]] ?? '';
  const links = traceLinks({
    traceID: t.traceId,
    traceName: `${service}: ${name}`,
    duration: String(Math.round(t.end / 1000)),
    startTime: String(t.t0 / 1000n),
    endTime: String(t.t0 / 1000n + BigInt(Math.round(t.end / 1000))),
  });
  const keep = async () => {
    try {
      await archive(t.traceId);
      toast('Archived');
    } catch (e) {
      toast((e as Error).message);
    }
  };
  return (
    <>
      <div class="tracehead">
        <h1 class="clamp" title={`${service} ${name}`}>
          <i class="dot" style={{ background: serviceColor(service) }} /> {service || '(no service)'}{' '}
          <span class="soft">{name}</span>
        </h1>
        <code class="soft grow" title={t.traceId}>
          {t.traceId.replace(/^0{16}/, '').slice(0, 16)}
        </code>
        {t.orphans > 0 && (
          <span class="badge warn" title={`${plural(t.orphans, 'span')} without their parent`}>
            incomplete
          </span>
        )}
        {source.uploaded && <span class="badge">from a file</span>}
        <Menu label="More">
          {!source.uploaded && !config.disableJsonView && (
            <>
              <a
                target="_blank"
                rel="noopener"
                href={hrefTo(`/api/traces/${t.traceId}`, { prettyPrint: 'true' })}
              >
                Jaeger JSON ↗
              </a>
              <a
                target="_blank"
                rel="noopener"
                href={hrefTo(`/api/traces/${t.traceId}`, { raw: 'true', prettyPrint: 'true' })}
              >
                Jaeger JSON, raw ↗
              </a>
              <a href={hrefTo(`/api/v3/traces/${t.traceId}`)} download={`${t.traceId}.json`}>
                Download OTLP
              </a>
            </>
          )}
          <button onClick={() => void copy(t.traceId, 'Copied the trace ID')}>Copy trace ID</button>
          <a href={hrefTo(`/trace/${t.traceId}...`)}>Compare with…</a>
          {config.archiveEnabled && capabilities.archiveStorage && !source.uploaded && (
            <button onClick={() => void keep()}>Archive</button>
          )}
          {links.map((l) => (
            <a key={l.url} href={l.url} target="_blank" rel="noopener noreferrer">
              {l.text} ↗
            </a>
          ))}
        </Menu>
      </div>
      <div class="facts">
        <span>{time(startMs)}</span>
        <span>
          <b>{duration(t.end)}</b>
        </span>
        <span>
          <b>{count(t.n)}</b> spans
        </span>
        <span>
          <b>{count(t.services.length)}</b> services
        </span>
        <span>
          depth <b>{t.maxDepth + 1}</b>
        </span>
        {t.errors > 0 && (
          <span class="error-text">
            <b style={{ color: 'inherit' }}>{count(t.errors)}</b> {t.errors === 1 ? 'error' : 'errors'}
          </span>
        )}
        <span class="grow" />
        <Summary view={view} />
      </div>
    </>
  );
}

function Loaded({ source }: { source: Source }) {
  const view = useMemo(() => makeView(source), [source]);
  const { t } = view;
  const tab = param('view') ?? 'timeline';
  const open = (row: number) => {
    setParams({ view: undefined });
    view.select(row);
  };
  document.title = `${t.services[t.service[0]] ?? ''} ${t.names[t.name[0]] ?? 'Trace'} – Jaeger`;
  useEffect(() => {
    const onKey = (e: KeyboardEvent) => {
      const target = e.target as HTMLElement;
      const focusFind = () => {
        e.preventDefault();
        document.getElementById('find-in-trace')?.focus();
      };
      if ((e.ctrlKey || e.metaKey) && e.key === 'b') {
        focusFind();
        return;
      }
      if (
        e.altKey ||
        document.querySelector('dialog[open]') ||
        /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName)
      )
        return;
      const plain = !e.ctrlKey && !e.metaKey,
        error = (row: number) => (t.flags[row] & Flag.error) !== 0,
        m = view.matches.value;
      if (plain && e.key === '/') focusFind();
      else if (plain && e.key === 'e' && t.errors) view.jump(error);
      else if (plain && e.key === 'E' && t.errors) view.jump(error, true);
      else if (plain && e.key === 'n' && m && view.matchCount.value) view.jump((row) => m[row] === 1);
      else if (plain && e.key === 'N' && m && view.matchCount.value) view.jump((row) => m[row] === 1, true);
      else if (plain && e.key === 'c') view.critical.value = !view.critical.value;
      else if (plain && e.key === 'y' && view.selected.value >= 0)
        void copy(location.href, 'Copied the link');
      else if (plain && e.key === 'Escape') {
        if (view.selected.value >= 0) view.select(-1);
        else if (view.query.value) void view.find('');
      } else if (tab === 'timeline' && !target.closest('button, a, summary') && waterfallKey(view, e))
        e.preventDefault();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [view, tab]);
  const embedded = param('uiEmbed') === 'v0';
  return (
    <div class="tracepage" style={embedded ? { height: '100vh' } : {}}>
      {!(embedded && param('uiTimelineHideSummary') === '1') && <Head view={view} source={source} />}
      <div class="toolbar">
        <div class="tabs" role="tablist" aria-label="Views">
          {TABS.map(([key, text]) => (
            <button
              key={key}
              role="tab"
              aria-selected={tab === key}
              onClick={() => setParams({ view: key === 'timeline' ? undefined : key }, false)}
            >
              {text}
            </button>
          ))}
        </div>
        <span class="grow" />
        <Find key={view.t.traceId} view={view} />
        {tab === 'timeline' && <Filters view={view} />}
      </div>
      <div class="split">
        {tab === 'timeline' && <Waterfall view={view} />}
        {tab === 'timeline' && view.selected.value >= 0 && <Panel view={view} />}
        {tab === 'flame' && <Flame view={view} onOpen={open} />}
        {tab === 'statistics' && <Statistics view={view} onOpen={open} />}
        {tab === 'spans' && <SpansTable view={view} onOpen={open} />}
        {tab === 'graph' && <PathGraph view={view} onOpen={open} />}
      </div>
    </div>
  );
}

export function TracePage({ id }: { id: string }) {
  const [source, setSource] = useState<Source>();
  const [error, setError] = useState('');
  const begin = () => {
    const abort = new AbortController();
    setError('');
    load(id, abort.signal).then((s) => {
      setSource(s);
      if (s.trace.traceId !== id) {
        const q = new URLSearchParams(location.search);
        go(hrefTo(`/trace/${s.trace.traceId}`, q), { replace: true });
      }
    }, failed(setError));
    return () => abort.abort();
  };
  useEffect(begin, [id]);
  if (error)
    return (
      <div class="page">
        <Failure error={`Trace ${id}: ${error}`} onRetry={begin} />
        <p class="soft">
          It may not have arrived yet, may be older than what is kept, or the ID is not complete.
        </p>
      </div>
    );
  if (!source) return <Loading what="Loading the trace…" />;
  return <Loaded source={source} />;
}
