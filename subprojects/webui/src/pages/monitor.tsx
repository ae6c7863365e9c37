// SPDX-License-Identifier: Apache-2.0
// Rate, errors and duration of a service and its operations, when the server has a metrics backend.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { ApiError, failed, metrics, type Series, services } from '../lib/api';
import { isDark, token } from '../lib/color';
import { config, safeUrl } from '../lib/config';
import { duration, parseLookback } from '../lib/format';
import { hrefTo, param, setParams } from '../lib/router';
import { Empty, Failure, Loading, Sorter, useSize } from '../ui/bits';

interface Line {
  name: string;
  points: [number, number | null][];
}

function Chart({ title, lines, format }: { title: string; lines: Line[]; format: (v: number) => string }) {
  const [box, { width }] = useSize<HTMLDivElement>();
  const plot = useRef<uPlot>();
  const dark = isDark.value;
  useEffect(() => {
    if (width < 50 || !box.current) return undefined;
    const times = [...new Set(lines.flatMap((l) => l.points.map(([t]) => t / 1000)))].sort((a, b) => a - b);
    const data = [
      times,
      ...lines.map((l) => {
        const at = new Map(l.points.map(([t, v]) => [t / 1000, v]));
        return times.map((t) => at.get(t) ?? null);
      }),
    ] as uPlot.AlignedData;
    const strokes = [token('--accent'), token('--warn'), token('--error')];
    const axis = {
      stroke: token('--soft'),
      grid: { stroke: token('--grid'), width: 1 },
      ticks: { show: false },
      font: '11px system-ui',
    };
    plot.current = new uPlot(
      {
        width,
        height: 190,
        cursor: { sync: { key: 'monitor' } },
        axes: [
          axis,
          { ...axis, size: 64, values: (_, list) => list.map((v) => (v === null ? '' : format(v))) },
        ],
        series: [
          {},
          ...lines.map((l, i) => ({
            label: l.name,
            stroke: strokes[i % 3],
            width: 1.6,
            spanGaps: false,
            value: (_: uPlot, v: number | null) => (v === null ? '–' : format(v)),
          })),
        ],
      },
      data,
      box.current,
    );
    return () => plot.current?.destroy();
  }, [lines, width, dark]);
  return (
    <section class="card">
      <h2>{title}</h2>
      <div ref={box} style={{ minHeight: '220px' }} />
      {lines.every((l) => l.points.length === 0) && <p class="soft">No data in this time.</p>}
    </section>
  );
}

function Spark({ points }: { points: [number, number | null][] }) {
  const values = points.map(([, v]) => v ?? 0),
    max = Math.max(...values, 1e-9);
  return (
    <svg width="90" height="20" viewBox="0 0 90 20" aria-hidden="true">
      <polyline
        fill="none"
        stroke="var(--accent)"
        stroke-width="1.4"
        points={values
          .map((v, i) => `${(i / Math.max(values.length - 1, 1)) * 88 + 1},${18 - (v / max) * 16}`)
          .join(' ')}
      />
    </svg>
  );
}

const latest = (s: Series | undefined) => {
  for (let i = (s?.points.length ?? 0) - 1; i >= 0; i--) {
    const v = s!.points[i][1];
    if (v !== null) return v;
  }
  return 0;
};
const ms = (v: number) => duration(v * 1e6),
  rate = (v: number) => `${v < 10 ? v.toFixed(2) : v.toFixed(0)}/s`,
  percent = (v: number) => `${(v * 100).toFixed(v < 0.1 ? 1 : 0)} %`;

interface Data {
  p50: Series[];
  p75: Series[];
  p95: Series[];
  calls: Series[];
  errors: Series[];
  opLatency: Series[];
  opCalls: Series[];
  opErrors: Series[];
}
async function fetchAll(
  service: string,
  kind: string,
  lookbackMs: number,
  signal: AbortSignal,
): Promise<Data> {
  const base = {
    service,
    endTs: String(Date.now()),
    lookback: String(lookbackMs),
    step: String(Math.max(60000, Math.round(lookbackMs / 120))),
    ratePer: '600000',
    spanKind: kind,
  };
  const grouped = { ...base, groupByOperation: 'true' };
  const [p50, p75, p95, calls, errors, opLatency, opCalls, opErrors] = await Promise.all([
    metrics('latencies', { ...base, quantile: '0.5' }, signal),
    metrics('latencies', { ...base, quantile: '0.75' }, signal),
    metrics('latencies', { ...base, quantile: '0.95' }, signal),
    metrics('calls', base, signal),
    metrics('errors', base, signal),
    metrics('latencies', { ...grouped, quantile: '0.95' }, signal),
    metrics('calls', grouped, signal),
    metrics('errors', grouped, signal),
  ]);
  return { p50, p75, p95, calls, errors, opLatency, opCalls, opErrors };
}

function Operations({ data, service }: { data: Data; service: string }) {
  const [sort, setSort] = useState({ by: 'impact', up: false });
  const rows = useMemo(() => {
    const by = (list: Series[]) => new Map(list.map((s) => [s.labels['operation'] ?? '', s]));
    const lat = by(data.opLatency),
      calls = by(data.opCalls),
      errors = by(data.opErrors);
    const all = [...new Set([...lat.keys(), ...calls.keys()])].map((name) => ({
      name,
      latency: latest(lat.get(name)),
      rate: latest(calls.get(name)),
      error: latest(errors.get(name)),
      points: calls.get(name)?.points ?? [],
    }));
    const most = Math.max(...all.map((r) => r.latency * r.rate), 1e-9);
    return all.map((r) => ({ ...r, impact: (r.latency * r.rate) / most }));
  }, [data]);
  const value = (r: (typeof rows)[number]) => r[sort.by as 'impact'];
  const sorted = [...rows].sort(
    (a, b) =>
      (sort.up ? 1 : -1) *
      (typeof value(a) === 'string' ? String(value(a)).localeCompare(String(value(b))) : value(a) - value(b)),
  );
  const head = (key: string, text: string, num = true) => (
    <th scope="col" class={num ? 'num' : ''}>
      <Sorter
        active={sort.by === key}
        up={sort.up}
        onClick={() => setSort({ by: key, up: sort.by === key ? !sort.up : false })}
      >
        {text}
      </Sorter>
    </th>
  );
  return (
    <section class="card">
      <h2>Operations</h2>
      <table class="grid">
        <thead>
          <tr>
            {head('name', 'Operation', false)}
            {head('latency', 'p95')}
            {head('rate', 'Requests')}
            <th scope="col" />
            {head('error', 'Errors')}
            {head('impact', 'Impact')}
            <th scope="col" />
          </tr>
        </thead>
        <tbody>
          {sorted.map((r) => (
            <tr key={r.name}>
              <td class="cut">{r.name}</td>
              <td class="num">{ms(r.latency)}</td>
              <td class="num">{rate(r.rate)}</td>
              <td>
                <Spark points={r.points} />
              </td>
              <td class={`num${r.error > 0 ? ' error-text' : ''}`}>{percent(r.error)}</td>
              <td class="num">
                <span class="meter">
                  <i style={{ width: `${r.impact * 100}%` }} />
                </span>
              </td>
              <td>
                <a
                  href={hrefTo('/search', {
                    service,
                    operation: r.name,
                    lookback: config.search.defaultLookback,
                  })}
                >
                  Traces
                </a>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Setup() {
  const docs = safeUrl(config.monitor.docsLink);
  return (
    <Empty title="No metrics backend">
      <p>
        This page shows request rate, errors and latency of each service from metrics that are computed of
        spans. The server has no metrics storage configured: name a Prometheus in{' '}
        <code>jaeger_storage.metric_backends</code>, and that backend in{' '}
        <code>jaeger_query.storage.metrics</code>.
      </p>
      <p>
        {docs && (
          <a href={docs} target="_blank" rel="noopener noreferrer">
            How to set it up ↗
          </a>
        )}
      </p>
      <p>
        <a href={hrefTo('/search')}>Look at traces instead</a>
      </p>
    </Empty>
  );
}

export function MonitorPage() {
  document.title = 'Monitor – Jaeger';
  const [names, setNames] = useState<string[]>();
  const [state, setState] = useState<{ data?: Data; error?: string; off?: boolean }>({});
  const service = param('service') ?? names?.[0] ?? '',
    kind = param('spanKind') ?? 'server',
    lookback = param('lookback') ?? '1h';
  useEffect(() => {
    services().then(
      setNames,
      failed((error) => setState({ error })),
    );
  }, []);
  const load = () => {
    const abort = new AbortController();
    setState({});
    fetchAll(service || 'none', kind, parseLookback(lookback) ?? 3600e3, abort.signal).then(
      (data) => setState({ data }),
      failed((error, e) => {
        setState(
          e instanceof ApiError && (e.status === 501 || /no metrics backend/i.test(error))
            ? { off: true }
            : { error },
        );
        abort.abort();
      }),
    );
    return () => abort.abort();
  };
  useEffect(() => (names ? load() : undefined), [names, service, kind, lookback]);
  const lines = useMemo(
    () =>
      state.data && {
        latency: [
          ['p50', state.data.p50],
          ['p75', state.data.p75],
          ['p95', state.data.p95],
        ].map(([name, s]) => ({ name: name as string, points: (s as Series[])[0]?.points ?? [] })),
        errors: [{ name: 'errors', points: state.data.errors[0]?.points ?? [] }],
        calls: [{ name: 'requests', points: state.data.calls[0]?.points ?? [] }],
      },
    [state.data],
  );
  if (state.off) return <Setup />;
  return (
    <div class="page">
      <div class="row wrap">
        <h1>Monitor</h1>
        <select
          aria-label="Service"
          value={service}
          onChange={(e) => setParams({ service: e.currentTarget.value })}
        >
          {names?.map((n) => (
            <option key={n}>{n}</option>
          ))}
        </select>
        <select
          aria-label="Span kind"
          value={kind}
          onChange={(e) => setParams({ spanKind: e.currentTarget.value })}
        >
          {['server', 'client', 'internal', 'producer', 'consumer'].map((k) => (
            <option key={k}>{k}</option>
          ))}
        </select>
        <select
          aria-label="Time range"
          value={lookback}
          onChange={(e) => setParams({ lookback: e.currentTarget.value })}
        >
          {[
            ['5m', '5 minutes'],
            ['15m', '15 minutes'],
            ['1h', 'hour'],
            ['6h', '6 hours'],
            ['24h', '24 hours'],
            ['48h', '2 days'],
          ].map(([v, text]) => (
            <option key={v} value={v}>
              Last {text}
            </option>
          ))}
        </select>
        <button onClick={load}>Refresh</button>
      </div>
      {state.error ? (
        <Failure error={state.error} onRetry={load} />
      ) : !state.data || !lines ? (
        <Loading what="Loading metrics…" />
      ) : (
        <>
          <div class="cards">
            <Chart title="Latency" lines={lines.latency} format={ms} />
            <Chart title="Errors" lines={lines.errors} format={percent} />
            <Chart title="Requests" lines={lines.calls} format={rate} />
          </div>
          <Operations data={state.data} service={service} />
        </>
      )}
    </div>
  );
}
