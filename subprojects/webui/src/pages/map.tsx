// SPDX-License-Identifier: Apache-2.0
// Which service calls which, from the dependencies of the chosen time.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { dependencies, type Edge, failed } from '../lib/api';
import { serviceColor } from '../lib/color';
import { config } from '../lib/config';
import { count, parseLookback, plural } from '../lib/format';
import { go, hrefTo, param, setParams } from '../lib/router';
import { Graph } from '../graph/graph';
import { Dot, Empty, Failure, Loading } from '../ui/bits';

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

export function MapPage() {
  document.title = 'Map – Jaeger';
  const lookback = param('lookback') ?? '7d',
    focus = param('service'),
    hops = Number(param('hops') ?? 2),
    least = Number(param('min') ?? 0);
  const [edges, setEdges] = useState<Edge[]>();
  const [error, setError] = useState('');
  const [find, setFind] = useState('');
  const load = () => {
    const abort = new AbortController();
    setError('');
    setEdges(undefined);
    dependencies(Date.now(), parseLookback(lookback) ?? 604800e3, abort.signal).then(
      setEdges,
      failed(setError),
    );
    return () => abort.abort();
  };
  useEffect(load, [lookback]);
  const shown = useMemo(() => {
    let list = (edges ?? []).filter((e) => e.callCount >= least);
    if (focus) {
      const near = around(list, focus, hops);
      list = list.filter((e) => near.has(e.parent) && near.has(e.child));
    }
    const calls = new Map<string, { in: number; out: number }>();
    for (const e of list) {
      const p = calls.get(e.parent) ?? { in: 0, out: 0 },
        c = e.parent === e.child ? p : (calls.get(e.child) ?? { in: 0, out: 0 });
      p.out += e.callCount;
      c.in += e.callCount;
      calls.set(e.parent, p);
      calls.set(e.child, c);
    }
    return {
      edges: list.map((e) => ({
        from: e.parent,
        to: e.child,
        label: count(e.callCount),
        weight: e.callCount,
        hint: `${e.parent} → ${e.child}: ${plural(e.callCount, 'call')}`,
      })),
      nodes: [...calls].map(([name, c]) => ({
        id: name,
        title: name || '(none)',
        sub: `${count(c.in)} in · ${count(c.out)} out`,
        color: serviceColor(name),
        hint: `${name}: ${count(c.in)} calls in, ${count(c.out)} out`,
      })),
    };
  }, [edges, focus, hops, least]);
  const tooMany = shown.nodes.length > config.dependencies.dagMaxNumServices;
  const table = param('view') === 'table';
  return (
    <div class="page" style={{ paddingBottom: '14px' }}>
      <div class="row wrap">
        <h1>Service map</h1>
        <select
          aria-label="Time range"
          value={lookback}
          onChange={(e) => setParams({ lookback: e.currentTarget.value })}
        >
          {[
            ['1h', 'Last hour'],
            ['6h', 'Last 6 hours'],
            ['24h', 'Last 24 hours'],
            ['2d', 'Last 2 days'],
            ['7d', 'Last 7 days'],
            ['4w', 'Last 4 weeks'],
          ].map(([v, text]) => (
            <option key={v} value={v}>
              {text}
            </option>
          ))}
        </select>
        <input
          aria-label="Find a service"
          placeholder="Find a service"
          value={find}
          onInput={(e) => setFind(e.currentTarget.value)}
        />
        <label class="row">
          Calls ≥{' '}
          <input
            type="number"
            min="0"
            style={{ width: '84px' }}
            value={least || ''}
            onChange={(e) => setParams({ min: e.currentTarget.value })}
          />
        </label>
        {focus && (
          <span class="chip">
            <Dot service={focus} />
            <span class="cut">{focus}</span>
          </span>
        )}
        {focus && (
          <>
            <label class="row">
              Hops{' '}
              <select value={hops} onChange={(e) => setParams({ hops: e.currentTarget.value })}>
                {[1, 2, 3, 4, 5].map((n) => (
                  <option key={n}>{n}</option>
                ))}
              </select>
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
        <span class="soft grow" role="status">
          {edges && `${plural(shown.nodes.length, 'service')}, ${plural(shown.edges.length, 'connection')}`}
        </span>
        <div class="tabs" role="tablist">
          <button role="tab" aria-selected={!table} onClick={() => setParams({ view: undefined })}>
            Graph
          </button>
          <button role="tab" aria-selected={table} onClick={() => setParams({ view: 'table' })}>
            Table
          </button>
        </div>
      </div>
      {error ? (
        <Failure error={error} onRetry={load} />
      ) : !edges ? (
        <Loading what="Loading the dependencies…" />
      ) : shown.nodes.length === 0 ? (
        <Empty title="No connections between services">
          <p>
            {edges.length
              ? 'No connection passes the filter.'
              : 'No trace of this time crosses from one service to another.'}
          </p>
        </Empty>
      ) : table || tooMany ? (
        <>
          {tooMany && (
            <p class="notice warn">
              {count(shown.nodes.length)} services are too many for a readable graph
              (dependencies.dagMaxNumServices is {count(config.dependencies.dagMaxNumServices)}): choose one
              below.
            </p>
          )}
          <table class="grid">
            <thead>
              <tr>
                <th scope="col">From</th>
                <th scope="col">To</th>
                <th scope="col" class="num">
                  Calls
                </th>
              </tr>
            </thead>
            <tbody>
              {[...shown.edges]
                .sort((x, y) => y.weight - x.weight)
                .filter((e) => !find || (e.from + e.to).toLowerCase().includes(find.toLowerCase()))
                .slice(0, 2000)
                .map((e) => (
                  <tr key={e.from + '\0' + e.to}>
                    <td>
                      <button
                        class="quiet small"
                        onClick={() => setParams({ service: e.from, view: undefined })}
                      >
                        <Dot service={e.from} /> {e.from}
                      </button>
                    </td>
                    <td>
                      <button
                        class="quiet small"
                        onClick={() => setParams({ service: e.to, view: undefined })}
                      >
                        <Dot service={e.to} /> {e.to}
                      </button>
                    </td>
                    <td class="num">{count(e.weight)}</td>
                  </tr>
                ))}
            </tbody>
          </table>
        </>
      ) : (
        <div class="card split" style={{ padding: 0, overflow: 'hidden' }}>
          <Graph
            nodes={shown.nodes}
            edges={shown.edges}
            label="Service map"
            find={find}
            focus={focus}
            onOpen={(id) => {
              if (id === focus)
                go(hrefTo('/search', { service: id, lookback: config.search.defaultLookback }));
              else setParams({ service: id }, false);
            }}
          />
        </div>
      )}
    </div>
  );
}
