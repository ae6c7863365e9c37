// SPDX-License-Identifier: Apache-2.0
// The server itself: what comes in, what waits, what was refused, what is kept, and how clients are told to sample.
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ApiError, type Component, failed, samplingOf, services, type Strategy, telemetry } from '../lib/api';
import { bytes, count, duration, plural } from '../lib/format';
import { param, setParams } from '../lib/router';
import { Metrics } from '../lib/prometheus';
import { percent } from '../graph/drawing';
import { Empty, Failure, Loading } from '../ui/bits';
import './pipeline.css';

const EVERY_MS = 3000,
  HISTORY = 40;

interface State {
  components: Component[];
  history: Metrics[]; // oldest first
}

/** Asked again and again while the page is looked at. */
function useTelemetry() {
  const [state, setState] = useState<State>();
  const [problem, setProblem] = useState<{ message: string; off: boolean }>();
  const [round, again] = useState(0);
  useEffect(() => {
    const abort = new AbortController();
    const look = () => {
      if (document.hidden) return;
      telemetry(abort.signal).then(
        ({ components, metrics }) => {
          setProblem(undefined);
          setState((now) => ({
            components,
            history: [...(now?.history ?? []), new Metrics(metrics, Date.now())].slice(-HISTORY),
          }));
        },
        failed((message, e) =>
          setProblem({ message, off: e instanceof ApiError && (e.status === 404 || e.status === 403) }),
        ),
      );
    };
    look();
    const timer = setInterval(look, EVERY_MS);
    return () => {
      clearInterval(timer);
      abort.abort();
    };
  }, [round]);
  return { state, problem, retry: () => again(round + 1) };
}

/** Per second, between each two answers. */
function rates(history: Metrics[], name: string, labels: Record<string, string>): number[] {
  return history.slice(1).map((m, i) => {
    const seconds = (m.atMs - history[i].atMs) / 1000;
    return (
      Math.max(0, (m.sum(name, labels) ?? 0) - (history[i].sum(name, labels) ?? 0)) / Math.max(seconds, 0.1)
    );
  });
}

function Rate({ values }: { values: number[] }) {
  const last = values.at(-1),
    most = Math.max(...values, 1e-9);
  const points = values.map((v, i) => `${(i / (HISTORY - 2)) * 88 + 1},${18 - (v / most) * 16}`).join(' ');
  return (
    <span class="row rate">
      <svg width="90" height="20" viewBox="0 0 90 20" aria-hidden="true">
        <polyline points={points} />
      </svg>
      {last === undefined ? '…' : `${last < 10 ? last.toFixed(1) : count(Math.round(last))}/s`}
    </span>
  );
}

const number = (value: number | undefined, bad = false) => (
  <td class={`num${bad && value ? ' error-text' : ''}`}>{value === undefined ? '–' : count(value)}</td>
);

function Table({ heads, children, label }: { heads: string[]; children: ComponentChildren; label: string }) {
  return (
    <table class="grid" aria-label={label}>
      <thead>
        <tr>
          {heads.map((h, i) => (
            <th key={h} scope="col" class={i > 0 && h !== 'Transport' ? 'num' : ''}>
              {h}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>{children}</tbody>
    </table>
  );
}

const idle = (values: (number | undefined)[]) => (values.some(Boolean) ? '' : 'soft');

function Receivers({ state }: { state: State }) {
  const now = state.history.at(-1)!;
  const running = new Set(state.components.filter((c) => c.kind === 'receiver').map((c) => c.id));
  const rows = now.all('otelcol_receiver_accepted_spans').map((s) => s.labels);
  const silent = [...running].filter((id) => !rows.some((r) => r['receiver'] === id));
  return (
    <section class="card">
      <h2>Receivers</h2>
      <Table label="Receivers" heads={['Receiver', 'Transport', 'Accepted', 'Now', 'Refused', 'Failed']}>
        {rows.map((r) => {
          const labels = { receiver: r['receiver'], transport: r['transport'] };
          const accepted = now.sum('otelcol_receiver_accepted_spans', labels);
          const refused = now.sum('otelcol_receiver_refused_spans', labels);
          const lost = now.sum('otelcol_receiver_failed_spans', labels);
          return (
            <tr key={`${r['receiver']} ${r['transport']}`} class={idle([accepted, refused, lost])}>
              <td>
                <b>{r['receiver']}</b>
              </td>
              <td>{r['transport']}</td>
              {number(accepted)}
              <td class="num">
                <Rate values={rates(state.history, 'otelcol_receiver_accepted_spans', labels)} />
              </td>
              {number(refused, true)}
              {number(lost, true)}
            </tr>
          );
        })}
        {silent.map((id) => (
          <tr key={id} class="soft">
            <td>
              <b>{id}</b>
            </td>
            <td class="num" colSpan={5}>
              runs, nothing came yet
            </td>
          </tr>
        ))}
      </Table>
    </section>
  );
}

function Exporters({ state }: { state: State }) {
  const now = state.history.at(-1)!;
  const ids = [
    ...new Set(
      [...now.all('otelcol_exporter_sent_spans'), ...now.all('otelcol_exporter_queue_size')].map(
        (s) => s.labels['exporter'],
      ),
    ),
  ];
  return (
    <section class="card">
      <h2>Exporters and queues</h2>
      <Table label="Exporters" heads={['Exporter', 'Sent', 'Now', 'Failed', 'Not queued', 'Queue']}>
        {ids.map((exporter) => {
          const size = now.sum('otelcol_exporter_queue_size', { exporter });
          const room = now.sum('otelcol_exporter_queue_capacity', { exporter });
          return (
            <tr key={exporter}>
              <td>
                <b>{exporter}</b>
              </td>
              {number(now.sum('otelcol_exporter_sent_spans', { exporter }))}
              <td class="num">
                <Rate values={rates(state.history, 'otelcol_exporter_sent_spans', { exporter })} />
              </td>
              {number(now.sum('otelcol_exporter_send_failed_spans', { exporter }), true)}
              {number(now.sum('otelcol_exporter_enqueue_failed_spans', { exporter }), true)}
              <td class="num">
                {size === undefined || !room ? (
                  <span class="soft">none: waits for the store</span>
                ) : (
                  <>
                    {count(size)} of {count(room)}
                    <span class="meter">
                      <i style={{ width: `${(100 * size) / room}%` }} />
                    </span>
                  </>
                )}
              </td>
            </tr>
          );
        })}
      </Table>
    </section>
  );
}

function Disk({ now, directory }: { now: Metrics; directory: string }) {
  const size = now.sum('jaeger_storage_disk_bytes', { directory }) ?? 0;
  const limit = now.sum('jaeger_storage_disk_limit_bytes', { directory }) ?? 0;
  const keeps = now.sum('jaeger_storage_retention_seconds', { directory }) ?? 0;
  return (
    <tr>
      <td class="cut" title={directory}>
        <b>embedded</b> <code class="soft">{directory}</code>
      </td>
      <td class="num">{bytes(size)}</td>
      <td class="num">{limit ? bytes(limit) : 'until the disk is full'}</td>
      <td class="num">{keeps ? duration(keeps * 1e9) : 'no age limit'}</td>
    </tr>
  );
}

function Storage({ state }: { state: State }) {
  const now = state.history.at(-1)!;
  const disks = now.all('jaeger_storage_disk_bytes').map((s) => s.labels['directory']);
  const memory = now.sum('jaeger_memory_bytes');
  const requests = now.sum('jaeger_storage_requests', { result: 'ok' }) ?? 0;
  const wrong = now.sum('jaeger_storage_requests', { result: 'err' }) ?? 0;
  return (
    <section class="card">
      <h2>Storage</h2>
      <Table label="Storage" heads={['Store', 'Takes', 'May take', 'Keeps']}>
        {disks.map((d) => (
          <Disk key={d} now={now} directory={d} />
        ))}
        {memory !== undefined && (
          <tr>
            <td>
              <b>memory</b>
            </td>
            <td class="num">
              {bytes(memory)}, {plural(now.sum('jaeger_memory_traces') ?? 0, 'trace')}
            </td>
            <td class="num">{bytes(now.sum('jaeger_memory_limit_bytes') ?? 0)}</td>
            <td class="num">newest {plural(now.sum('jaeger_memory_limit_traces') ?? 0, 'trace')}</td>
          </tr>
        )}
      </Table>
      {disks.length === 0 && memory === undefined && (
        <p class="soft">The store is elsewhere: it does not tell its size.</p>
      )}
      <p class="soft">
        {plural(requests, 'query', 'queries')} answered,{' '}
        {wrong > 0 ? <span class="error-text">{count(wrong)} failed</span> : 'none failed'}.
      </p>
    </section>
  );
}

function Pipelines({ components }: { components: Component[] }) {
  const names = [...new Set(components.map((c) => c.pipeline).filter((p): p is string => p !== null))];
  const list = (pipeline: string, kinds: string[]) =>
    components
      .filter((c) => c.pipeline === pipeline && kinds.includes(c.kind))
      .map((c) => (
        <span key={c.kind + c.id} class="badge" title={c.kind}>
          {c.id}
        </span>
      ));
  return (
    <section class="card">
      <h2>Pipelines</h2>
      {names.map((name) => (
        <div key={name} class="row wrap flow">
          <b>{name}</b>
          {list(name, ['receiver'])}
          <span aria-hidden="true">→</span>
          {list(name, ['processor'])}
          <span aria-hidden="true">→</span>
          {list(name, ['exporter', 'connector'])}
        </div>
      ))}
      <div class="row wrap flow">
        <span class="soft">extensions</span>
        {components
          .filter((c) => c.kind === 'extension')
          .map((c) => (
            <span key={c.id} class="badge">
              {c.id}
            </span>
          ))}
      </div>
    </section>
  );
}

function StrategyText({ strategy: s }: { strategy: Strategy }) {
  return (
    <>
      <p>
        {s.tracesPerSecond !== undefined
          ? `At most ${plural(s.tracesPerSecond, 'trace')} a second of each client`
          : s.rate !== undefined
            ? `${percent(s.rate)} of the traces`
            : 'By operation'}
        {s.defaultRate !== undefined && `; operations that are not listed: ${percent(s.defaultRate)}`}
        {s.lowerBound ? `; at least ${s.lowerBound} a second of each operation` : ''}.
      </p>
      {(s.operations?.length ?? 0) > 0 && (
        <Table label="Sampling by operation" heads={['Operation', 'Sampled']}>
          {s.operations?.map((o) => (
            <tr key={o.operation}>
              <td class="cut">{o.operation}</td>
              <td class="num">{percent(o.rate)}</td>
            </tr>
          ))}
        </Table>
      )}
    </>
  );
}

function Sampling() {
  const [names, setNames] = useState<string[]>([]);
  const [state, setState] = useState<{ strategy?: Strategy; error?: string; off?: boolean }>({});
  const service = param('service') ?? names[0] ?? '';
  useEffect(() => {
    services().then(setNames, () => undefined);
  }, []);
  useEffect(() => {
    const abort = new AbortController();
    samplingOf(service, abort.signal).then(
      (strategy) => setState({ strategy }),
      failed((error, e) => setState({ error, off: e instanceof ApiError && e.status === 501 })),
    );
    return () => abort.abort();
  }, [service]);
  return (
    <section class="card">
      <h2>Sampling in force</h2>
      {state.off ? (
        <p class="soft">
          This process answers no questions about sampling: the extension <code>remote_sampling</code> does
          not run here.
        </p>
      ) : (
        <>
          <label class="row">
            Service{' '}
            <select
              id="sampling-service"
              value={service}
              onChange={(e) => setParams({ service: e.currentTarget.value })}
            >
              {service && !names.includes(service) && <option>{service}</option>}
              {names.map((n) => (
                <option key={n}>{n}</option>
              ))}
            </select>
          </label>
          {state.error ? (
            <Failure error={state.error} />
          ) : (
            state.strategy && <StrategyText strategy={state.strategy} />
          )}
        </>
      )}
    </section>
  );
}

function Facts({ now }: { now: Metrics }) {
  const up = now.sum('otelcol_process_uptime') ?? now.sum('otelcol_process_uptime_seconds');
  const cpu = now.sum('otelcol_process_cpu_seconds');
  return (
    <div class="facts flat">
      {up !== undefined && (
        <span>
          Up for <b>{duration(Math.floor(up) * 1e9)}</b>
        </span>
      )}
      <span>
        Memory <b>{bytes(now.sum('otelcol_process_memory_rss') ?? 0)}</b>
      </span>
      {cpu !== undefined && up !== undefined && (
        <span title="Since the start">
          CPU <b>{percent(cpu / Math.max(up, 1))}</b>
        </span>
      )}
    </div>
  );
}

export function PipelinePage() {
  document.title = 'Pipeline – Jaeger';
  const { state, problem, retry } = useTelemetry();
  if (problem?.off)
    return (
      <Empty title="The server does not show its state">
        <p>{problem.message}</p>
      </Empty>
    );
  if (!state)
    return problem ? (
      <Failure error={problem.message} onRetry={retry} />
    ) : (
      <Loading what="Asking the server…" />
    );
  return (
    <div class="page">
      <div class="row wrap">
        <h1>Pipeline</h1>
        <Facts now={state.history.at(-1)!} />
      </div>
      {problem && <Failure error={`Not up to date: ${problem.message}`} onRetry={retry} />}
      <Pipelines components={state.components} />
      <Receivers state={state} />
      <Exporters state={state} />
      <div class="cards">
        <Storage state={state} />
        <Sampling />
      </div>
    </div>
  );
}
