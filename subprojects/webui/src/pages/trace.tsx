// SPDX-License-Identifier: Apache-2.0
// One trace: head with its facts, search, and the views on it.
import { useEffect, useState } from 'preact/hooks';
import { failed } from '../lib/api';
import { config } from '../lib/config';
import { go, hrefTo, param, setParams } from '../lib/router';
import { Panel } from '../trace/detail';
import { EventsTable } from '../trace/events';
import { Flame } from '../trace/flame';
import { Head } from '../trace/head';
import { waterfallKey } from '../trace/keys';
import { useLive } from '../trace/live';
import { PathGraph } from '../trace/pathgraph';
import { load, type Source } from '../trace/store';
import { Statistics } from '../trace/statistics';
import { SpansTable } from '../trace/tables';
import { Filters, Find } from '../trace/toolbar';
import '../trace/trace.css';
import type { View } from '../trace/view';
import { Waterfall } from '../trace/waterfall';
import { copy, Failure, Loading } from '../ui/bits';

const TABS: [string, string][] = [
  ['timeline', 'Waterfall'],
  ['flame', 'Flame'],
  ['statistics', 'Statistics'],
  ['spans', 'Spans'],
  ['events', 'Events'],
  ['graph', 'Graph'],
];
const ZOOM_SETTLED_MS = 300;

function clear(view: View): void {
  if (view.selected.value >= 0) view.select(-1);
  else if (view.query.value) void view.find('');
  else view.subtree.value = -1;
}

/** @return true: it was one */
function traceKey(view: View, key: string): boolean {
  const actions: Record<string, () => void> = {
    '/': () => document.getElementById('find-in-trace')?.focus(),
    e: () => view.jumpToError(),
    E: () => view.jumpToError(true),
    n: () => view.jumpToMatch(),
    N: () => view.jumpToMatch(true),
    c: () => {
      view.filter.critical.value = !view.filter.critical.value;
    },
    y: () => {
      if (view.selected.value >= 0) void copy(location.href, 'Copied the link');
    },
    Escape: () => clear(view),
  };
  const action = Object.hasOwn(actions, key) ? actions[key] : undefined;
  action?.();
  return action !== undefined;
}

function useKeys(view: View, tab: string): void {
  useEffect(() => {
    const onKey = (e: KeyboardEvent) => {
      const target = e.target as HTMLElement,
        command = e.ctrlKey || e.metaKey;
      if (command && e.key === 'b') {
        e.preventDefault();
        document.getElementById('find-in-trace')?.focus();
        return;
      }
      if (
        e.altKey ||
        document.querySelector('dialog[open]') ||
        /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName)
      )
        return;
      const onControl = target.closest('button, a, summary') !== null;
      if (!command && traceKey(view, e.key)) e.preventDefault();
      else if (tab === 'timeline' && !onControl && waterfallKey(view, e)) e.preventDefault();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [view, tab]);
}

/** The shown part of the time goes into the URL once it rests. */
function useZoomInUrl(view: View): void {
  const from = view.from.value,
    to = view.to.value;
  useEffect(() => {
    const all = from <= 0 && to >= view.whole;
    const timer = setTimeout(
      () => setParams({ zoom: all ? undefined : `${Math.floor(from)}-${Math.ceil(to)}` }),
      ZOOM_SETTLED_MS,
    );
    return () => clearTimeout(timer);
  }, [view, from, to]);
}

function Tabs({ tab }: { tab: string }) {
  return (
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
  );
}

function Shown({ view, tab }: { view: View; tab: string }) {
  const open = (row: number) => {
    setParams({ view: undefined });
    view.select(row);
  };
  switch (tab) {
    case 'flame':
      return <Flame view={view} onOpen={open} />;
    case 'statistics':
      return <Statistics view={view} onOpen={open} />;
    case 'spans':
      return <SpansTable view={view} onOpen={open} />;
    case 'events':
      return <EventsTable view={view} onOpen={open} />;
    case 'graph':
      return <PathGraph view={view} onOpen={open} />;
    default:
      return (
        <>
          <Waterfall view={view} />
          {view.selected.value >= 0 && <Panel view={view} />}
        </>
      );
  }
}

function Loaded({ source }: { source: Source }) {
  const { view, live } = useLive(source),
    { t } = view;
  const tab = param('view') ?? 'timeline',
    embedded = param('uiEmbed') === 'v0';
  document.title = `${t.services[t.service[0]] ?? ''} ${t.names[t.name[0]] ?? 'Trace'} – Jaeger`;
  useKeys(view, tab);
  useZoomInUrl(view);
  return (
    <div class={`tracepage${embedded ? ' embedded' : ''}`}>
      {!(embedded && param('uiTimelineHideSummary') === '1') && (
        <Head view={view} live={live} short={embedded && param('uiTimelineCollapseTitle') === '1'} />
      )}
      <div class="toolbar">
        <Tabs tab={tab} />
        <span class="grow" />
        <Find key={t.traceId} view={view} />
        {tab === 'timeline' && <Filters view={view} />}
        {embedded && !config.forbidNewPage && (
          <a class="button" href={hrefTo(`/trace/${t.traceId}`)} target="_blank" rel="noopener">
            Open ↗
          </a>
        )}
      </div>
      <div class="split">
        <Shown view={view} tab={tab} />
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
      // IDs may come short or in upper case: the URL has the whole one.
      if (s.trace.traceId !== id)
        go(hrefTo(`/trace/${s.trace.traceId}`, new URLSearchParams(location.search)), { replace: true });
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
