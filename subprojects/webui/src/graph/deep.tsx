// SPDX-License-Identifier: Apache-2.0
// Call paths through one service: who calls it, over how many hops, and whom it calls, from a set of traces.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { serviceColor } from '../lib/color';
import { count, plural } from '../lib/format';
import { go, hrefTo, param, setParams } from '../lib/router';
import type { Trace } from '../trace/model';
import { load } from '../trace/store';
import { Empty } from '../ui/bits';
import { Graph } from './graph';
import { addPaths, type Focus, newPaths, type Paths } from './paths';

const AT_ONCE = 6,
  TRACES_MAX = 200;

/** The traces, as they come. */
function useTraces(ids: string[]): { traces: Trace[]; done: boolean } {
  const [state, set] = useState<{ traces: Trace[]; done: boolean }>({ traces: [], done: false });
  const key = ids.join();
  useEffect(() => {
    const abort = new AbortController(),
      traces: Trace[] = [],
      queue = ids.slice(0, TRACES_MAX);
    set({ traces: [], done: false });
    const work = async () => {
      for (let id = queue.shift(); id && !abort.signal.aborted; id = queue.shift())
        try {
          traces.push((await load(id, abort.signal)).trace);
          if (traces.length % AT_ONCE === 0) set({ traces: [...traces], done: false });
        } catch {
          /* it is gone: the others are shown */
        }
    };
    void Promise.all(Array.from({ length: AT_ONCE }, work)).then(() => {
      if (!abort.signal.aborted) set({ traces: [...traces], done: true });
    });
    return () => abort.abort();
  }, [key]);
  return state;
}

function drawn(paths: Paths) {
  const share = (x: { calls: number; errors: number }) =>
    x.errors ? `, ${Math.round((100 * x.errors) / x.calls)} % errors` : '';
  return {
    nodes: [...paths.stops.values()].map((s) => ({
      id: s.id,
      title: s.service || '(none)',
      sub: [s.operation, `${count(s.calls)}×`].filter(Boolean).join(' · '),
      color: serviceColor(s.service),
      className: s.hop === 0 ? 'focus' : '',
      hint: `${s.service} ${s.operation}: ${plural(s.calls, 'call')}${share(s)}, ${Math.abs(s.hop)} hops ${s.hop < 0 ? 'before' : 'after'}`,
    })),
    edges: [...paths.steps.values()].map((s) => ({
      from: s.from,
      to: s.to,
      weight: s.calls,
      label: count(s.calls),
      errorShare: s.errors / s.calls,
      hint: `${plural(s.calls, 'call')}${share(s)}`,
    })),
  };
}

function Hops({ name, text, value }: { name: string; text: string; value: number }) {
  return (
    <label class="row">
      {text}{' '}
      <select value={value} onChange={(e) => setParams({ [name]: e.currentTarget.value })}>
        {[0, 1, 2, 3, 4, 5, 10].map((n) => (
          <option key={n}>{n}</option>
        ))}
      </select>
    </label>
  );
}

interface Props {
  ids: string[];
  service: string;
  operation: string;
  onFocus: (service: string, operation: string) => void;
}

/** The graph with its controls; they live in the URL. */
export function DeepGraph({ ids, service, operation, onFocus }: Props) {
  const { traces, done } = useTraces(ids);
  const [find, setFind] = useState('');
  const withOperations = param('showOp') === '1',
    up = Number(param('up') ?? 3),
    down = Number(param('down') ?? 3);
  const paths = useMemo(() => {
    const focus: Focus = { service, operation, withOperations, up, down },
      result = newPaths();
    for (const t of traces) addPaths(result, t, focus);
    return result;
  }, [traces, service, operation, withOperations, up, down]);
  const graph = useMemo(() => drawn(paths), [paths]);
  return (
    <>
      <div class="row wrap">
        <Hops name="up" text="Hops before" value={up} />
        <Hops name="down" text="after" value={down} />
        <label class="row">
          <input
            type="checkbox"
            checked={withOperations}
            onChange={(e) => setParams({ showOp: e.currentTarget.checked ? '1' : undefined })}
          />
          Operations
        </label>
        <input
          aria-label="Find in the graph"
          placeholder="Find"
          value={find}
          onInput={(e) => setFind(e.currentTarget.value)}
        />
        <span class="soft" role="status" id="deep-status">
          {done ? '' : 'Reading traces… '}
          {plural(paths.traces, 'trace')} of {count(traces.length)} pass here
        </span>
      </div>
      {paths.stops.size === 0 && done ? (
        <Empty title="No calls">
          <p>No trace of the set passes this service.</p>
        </Empty>
      ) : (
        <div class="card graphbox">
          <Graph
            nodes={graph.nodes}
            edges={graph.edges}
            label={`Calls through ${service}`}
            find={find}
            onOpen={(id) => {
              const stop = paths.stops.get(id);
              if (stop && stop.hop !== 0) onFocus(stop.service, stop.operation);
              else if (stop) go(hrefTo(`/trace/${stop.trace}`));
            }}
          />
        </div>
      )}
    </>
  );
}

/** Of the results of a search. */
export function DeepOfTraces({ ids }: { ids: string[] }) {
  const { traces } = useTraces(ids.slice(0, 1));
  const asked = param('service') ?? traces[0]?.services[traces[0].service[0]];
  const service = param('focus') ?? asked;
  if (!service) return null;
  return (
    <DeepGraph
      ids={ids}
      service={service}
      operation={param('focusOp') ?? ''}
      onFocus={(focus, focusOp) => setParams({ focus, focusOp })}
    />
  );
}
