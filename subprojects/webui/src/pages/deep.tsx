// SPDX-License-Identifier: Apache-2.0
// Deep dependencies: call paths through a service, from its newest traces.
import { useEffect, useState } from 'preact/hooks';
import { failed, operations, search, services } from '../lib/api';
import { parseLookback, plural } from '../lib/format';
import { hrefTo, param, setParams } from '../lib/router';
import { DeepGraph } from '../graph/deep';
import { terms } from '../lib/terms';
import { Empty, Failure, Loading } from '../ui/bits';
import { MapTabs } from './map';

const RANGES: [string, string][] = [
  ['1h', 'Last hour'],
  ['6h', 'Last 6 hours'],
  ['24h', 'Last 24 hours'],
  ['7d', 'Last 7 days'],
];

export function DeepPage() {
  document.title = 'Deep dependencies – Jaeger';
  const [names, setNames] = useState<string[]>();
  const [ops, setOps] = useState<string[]>([]);
  const [ids, setIds] = useState<string[]>();
  const [error, setError] = useState('');
  const service = param('service') ?? '',
    operation = param('operation') ?? '';
  const lookback = param('lookback') ?? '24h',
    limit = param('limit') ?? '50';
  useEffect(() => {
    services().then(setNames, failed(setError));
  }, []);
  useEffect(() => {
    setOps([]);
    if (service)
      operations(service).then(
        (list) => setOps([...new Set(list.map((o) => o.name))].sort()),
        () => undefined,
      );
  }, [service]);
  const load = () => {
    const abort = new AbortController(),
      endMs = Date.now();
    setError('');
    setIds(undefined);
    if (service)
      search(
        {
          service,
          operation,
          startMs: endMs - (parseLookback(lookback) ?? 86400e3),
          endMs,
          limit: Number(limit) || 50,
        },
        abort.signal,
      ).then((page) => setIds(page.traces.map((t) => t.traceId)), failed(setError));
    return () => abort.abort();
  };
  useEffect(load, [service, operation, lookback, limit]);
  return (
    <div class="page">
      <div class="row wrap">
        <h1>Deep dependencies</h1>
        <select
          aria-label="Service"
          id="focus"
          value={service}
          onChange={(e) => setParams({ service: e.currentTarget.value, operation: undefined }, false)}
        >
          <option value="">Choose a service</option>
          {service && !names?.includes(service) && <option>{service}</option>}
          {names?.map((n) => (
            <option key={n}>{n}</option>
          ))}
        </select>
        <select
          aria-label={terms.operation}
          value={operation}
          onChange={(e) => setParams({ operation: e.currentTarget.value })}
        >
          <option value="">Every {terms.operation.toLowerCase()}</option>
          {operation && !ops.includes(operation) && <option>{operation}</option>}
          {ops.map((n) => (
            <option key={n}>{n}</option>
          ))}
        </select>
        <select
          aria-label="Time range"
          value={lookback}
          onChange={(e) => setParams({ lookback: e.currentTarget.value })}
        >
          {RANGES.map(([v, text]) => (
            <option key={v} value={v}>
              {text}
            </option>
          ))}
        </select>
        <select
          aria-label="Traces read"
          value={limit}
          onChange={(e) => setParams({ limit: e.currentTarget.value })}
        >
          {[20, 50, 100, 200].map((n) => (
            <option key={n} value={n}>
              {plural(n, 'trace')}
            </option>
          ))}
        </select>
        <a class="button" href={hrefTo('/search', { service, operation, lookback })}>
          Traces
        </a>
        <span class="grow" />
        <MapTabs current="deep" />
      </div>
      {error ? (
        <Failure error={error} onRetry={load} />
      ) : !service ? (
        <Empty title="Choose a service">
          <p>Its callers and callees are shown over several hops, as its newest traces have them.</p>
        </Empty>
      ) : !ids ? (
        <Loading what="Finding traces…" />
      ) : ids.length === 0 ? (
        <Empty title="No traces found">
          <p>This service has no traces in the chosen time.</p>
        </Empty>
      ) : (
        <DeepGraph
          ids={ids}
          service={service}
          operation={operation}
          onFocus={(s, o) => setParams({ service: s, operation: o || undefined }, false)}
        />
      )}
    </div>
  );
}
