// SPDX-License-Identifier: Apache-2.0
// Which service calls which, from the dependencies of the chosen time; errors and times from its newest traces.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { dependencies, type Edge, failed, type Sample, sampledEdges } from '../lib/api';
import { serviceColor } from '../lib/color';
import { config } from '../lib/config';
import { count, duration, parseLookback, plural } from '../lib/format';
import { go, hrefTo, param, setParams } from '../lib/router';
import { percent } from '../graph/drawing';
import { Graph } from '../graph/graph';
import { Dot, Empty, Failure, Loading } from '../ui/bits';

const RANGES: [string, string][] = [
  ['1h', 'Last hour'],
  ['6h', 'Last 6 hours'],
  ['24h', 'Last 24 hours'],
  ['2d', 'Last 2 days'],
  ['7d', 'Last 7 days'],
  ['4w', 'Last 4 weeks'],
];
const ROWS_MAX = 2000;

/** Services at most so many calls away from the focus, in either direction. */
export function around(edges: Edge[], focus: string, hops: number): Set<string> {
  const near = new Set([focus]);
  for (let hop = 0; hop < hops; hop++) {
    const now = new Set(near);
    for (const e of edges) {
      if (now.has(e.parent)) near.add(e.child);
      if (now.has(e.child)) near.add(e.parent);
    }
  }
  return near;
}

/** The tabs of this page and of the deep dependencies, which belong together. */
export function MapTabs({ current }: { current: 'graph' | 'table' | 'deep' }) {
  const service = param('service'),
    lookback = param('lookback');
  const at = (view?: string) => hrefTo('/dependencies', { lookback, service, view });
  return (
    <nav class="tabs" aria-label="Kinds of map">
      <a href={at()} aria-current={current === 'graph' ? 'page' : undefined}>
        Graph
      </a>
      <a href={at('table')} aria-current={current === 'table' ? 'page' : undefined}>
        Table
      </a>
      {config.deepDependencies.menuEnabled && (
        <a
          href={hrefTo('/deep-dependencies', { service })}
          aria-current={current === 'deep' ? 'page' : undefined}
        >
          Deep
        </a>
      )}
    </nav>
  );
}

interface Link extends Edge {
  /** Of those calls that the newest traces have. */
  errorShare: number | undefined;
  meanNs: number | undefined;
}

function useEdges(lookback: string) {
  const [edges, setEdges] = useState<Edge[]>();
  const [sample, setSample] = useState<Sample>();
  const [error, setError] = useState('');
  const load = () => {
    const abort = new AbortController(),
      back = parseLookback(lookback) ?? 604800e3;
    setError('');
    setEdges(undefined);
    setSample(undefined);
    dependencies(Date.now(), back, abort.signal).then(setEdges, failed(setError));
    // A foreign server has no such answer: the map is then without errors.
    sampledEdges(Date.now(), back, abort.signal).then(setSample, () => undefined);
    return () => abort.abort();
  };
  useEffect(load, [lookback]);
  const links = useMemo(() => {
    const known = new Map(sample?.edges.map((e) => [`${e.parent}\0${e.child}`, e]));
    return edges?.map((e): Link => {
      const s = known.get(`${e.parent}\0${e.child}`);
      return { ...e, errorShare: s && s.errors / s.calls, meanNs: s?.meanNs };
    });
  }, [edges, sample]);
  return { links, sample, error, load };
}

function hintOf(e: Link): string {
  const facts = [plural(e.callCount, 'call')];
  if (e.errorShare !== undefined) facts.push(`${percent(e.errorShare)} errors`);
  if (e.meanNs !== undefined) facts.push(`${duration(e.meanNs)} on average`);
  return `${e.parent} → ${e.child}: ${facts.join(', ')}`;
}

function graphOf(list: Link[]) {
  const calls = new Map<string, { in: number; out: number }>();
  const of = (name: string) => {
    let c = calls.get(name);
    if (!c) calls.set(name, (c = { in: 0, out: 0 }));
    return c;
  };
  for (const e of list) {
    of(e.parent).out += e.callCount;
    of(e.child).in += e.callCount;
  }
  return {
    edges: list.map((e) => ({
      from: e.parent,
      to: e.child,
      label: count(e.callCount),
      weight: e.callCount,
      hint: hintOf(e),
      errorShare: e.errorShare ?? 0,
    })),
    nodes: [...calls].map(([name, c]) => ({
      id: name,
      title: name || '(none)',
      sub: `${count(c.in)} in · ${count(c.out)} out`,
      color: serviceColor(name),
      hint: `${name}: ${count(c.in)} calls in, ${count(c.out)} out`,
    })),
  };
}

function EdgeTable({ links, find }: { links: Link[]; find: string }) {
  const needle = find.toLowerCase();
  const rows = links
    .filter((e) => !find || `${e.parent} ${e.child}`.toLowerCase().includes(needle))
    .sort((x, y) => y.callCount - x.callCount);
  const service = (name: string) => (
    <button class="quiet small" onClick={() => setParams({ service: name, view: undefined })}>
      <Dot service={name} /> {name}
    </button>
  );
  return (
    <table class="grid">
      <thead>
        <tr>
          <th scope="col">From</th>
          <th scope="col">To</th>
          <th scope="col" class="num">
            Calls
          </th>
          <th scope="col" class="num">
            Errors
          </th>
          <th scope="col" class="num">
            Average
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.slice(0, ROWS_MAX).map((e) => (
          <tr key={`${e.parent}\0${e.child}`}>
            <td>{service(e.parent)}</td>
            <td>{service(e.child)}</td>
            <td class="num">{count(e.callCount)}</td>
            <td class={`num${e.errorShare ? ' error-text' : ' soft'}`}>
              {e.errorShare === undefined ? '–' : percent(e.errorShare)}
            </td>
            <td class="num">{e.meanNs === undefined ? '–' : duration(e.meanNs)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Controls({ find, onFind }: { find: string; onFind: (text: string) => void }) {
  const focus = param('service');
  const select = (name: string, label: string, value: string, options: [string, string][]) => (
    <select aria-label={label} value={value} onChange={(e) => setParams({ [name]: e.currentTarget.value })}>
      {options.map(([v, text]) => (
        <option key={v} value={v}>
          {text}
        </option>
      ))}
    </select>
  );
  return (
    <>
      {select('lookback', 'Time range', param('lookback') ?? '7d', RANGES)}
      {select('layout', 'Layout', param('layout') ?? 'layered', [
        ['layered', 'Layered'],
        ['force', 'Force'],
      ])}
      <input
        aria-label="Find a service"
        placeholder="Find a service"
        value={find}
        onInput={(e) => onFind(e.currentTarget.value)}
      />
      <label class="row">
        Calls ≥{' '}
        <input
          type="number"
          min="0"
          class="short"
          value={param('min') ?? ''}
          onChange={(e) => setParams({ min: e.currentTarget.value })}
        />
      </label>
      {focus && (
        <>
          <span class="chip">
            <Dot service={focus} />
            <span class="cut">{focus}</span>
          </span>
          <label class="row">
            Hops{' '}
            {select(
              'hops',
              'Hops',
              param('hops') ?? '2',
              ['1', '2', '3', '4', '5'].map((n) => [n, n]),
            )}
          </label>
          <a
            class="button"
            href={hrefTo('/search', { service: focus, lookback: config.search.defaultLookback })}
          >
            Traces
          </a>
          <button onClick={() => setParams({ service: undefined, hops: undefined })}>Show all</button>
        </>
      )}
    </>
  );
}

export function MapPage() {
  document.title = 'Map – Jaeger';
  const focus = param('service'),
    hops = Number(param('hops') ?? 2),
    least = Number(param('min') ?? 0);
  const { links, sample, error, load } = useEdges(param('lookback') ?? '7d');
  const [find, setFind] = useState('');
  const list = useMemo(() => {
    const heavy = (links ?? []).filter((e) => e.callCount >= least);
    if (!focus) return heavy;
    const near = around(heavy, focus, hops);
    return heavy.filter((e) => near.has(e.parent) && near.has(e.child));
  }, [links, focus, hops, least]);
  const shown = useMemo(() => graphOf(list), [list]);
  const most = config.dependencies.dagMaxNumServices,
    tooMany = shown.nodes.length > most;
  const table = param('view') === 'table';
  const open = (id: string) => {
    if (id === focus) go(hrefTo('/deep-dependencies', { service: id }));
    else setParams({ service: id }, false);
  };
  return (
    <div class="page">
      <div class="row wrap">
        <h1>Service map</h1>
        <Controls find={find} onFind={setFind} />
        <span class="soft grow" role="status">
          {links && `${plural(shown.nodes.length, 'service')}, ${plural(list.length, 'connection')}`}
          {sample &&
            sample.traces > 0 &&
            ` · errors of ${sample.more === false ? 'all' : 'the newest'} ${plural(sample.traces, 'trace')}`}
        </span>
        <MapTabs current={table ? 'table' : 'graph'} />
      </div>
      {tooMany && !table && (
        <p class="notice warn">
          {count(shown.nodes.length)} services are too many for a readable graph
          (dependencies.dagMaxNumServices is {count(most)}): choose one below.
        </p>
      )}
      {error ? (
        <Failure error={error} onRetry={load} />
      ) : !links ? (
        <Loading what="Loading the dependencies…" />
      ) : shown.nodes.length === 0 ? (
        <Empty title="No connections between services">
          <p>
            {links.length
              ? 'No connection passes the filter.'
              : 'No trace of this time crosses from one service to another.'}
          </p>
        </Empty>
      ) : table || tooMany ? (
        <EdgeTable links={list} find={find} />
      ) : (
        <div class="card graphbox">
          <Graph
            nodes={shown.nodes}
            edges={shown.edges}
            label="Service map"
            find={find}
            focus={focus}
            layout={param('layout') === 'force' ? 'force' : 'layered'}
            onOpen={open}
          />
        </div>
      )}
    </div>
  );
}
