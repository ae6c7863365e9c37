// SPDX-License-Identifier: Apache-2.0
// How good a service's traces are: checks of each of its spans, with examples of what failed.
import { useEffect, useState } from 'preact/hooks';
import { failed, type Quality, quality, services } from '../lib/api';
import { config } from '../lib/config';
import { count } from '../lib/format';
import { hrefTo, param, setParams } from '../lib/router';
import { Empty, Failure, Loading } from '../ui/bits';

const HOURS: [string, string][] = [
  ['1', 'Last hour'],
  ['6', 'Last 6 hours'],
  ['48', 'Last 2 days'],
  ['168', 'Last 7 days'],
];

/** "HasRoot" as words. */
const wordsOf = (name: string): string =>
  name
    .replace(/(?<=[a-z])(?=[A-Z])/g, ' ')
    .replace(/^(.)(.*)$/s, (_, a: string, b: string) => a + b.toLowerCase());

function Examples({ list }: { list: Quality['metrics'][number]['failureExamples'] }) {
  return (
    <>
      {(list ?? []).map((e, i) => (
        <a
          key={`${e.traceID} ${i}`}
          class="mono"
          href={hrefTo(`/trace/${encodeURIComponent(e.traceID)}`, { span: e.spanIDs?.[0] })}
        >
          {e.traceID.replace(/^0+/, '').slice(0, 7)}{' '}
        </a>
      ))}
    </>
  );
}

function Metrics({ of }: { of: Quality }) {
  return (
    <table class="grid" aria-label="Checks">
      <thead>
        <tr>
          <th scope="col">Check</th>
          <th scope="col">Meaning</th>
          <th scope="col" class="num">
            Passed
          </th>
          <th scope="col" class="num">
            Failed
          </th>
          <th scope="col" class="num">
            Not judged
          </th>
          <th scope="col">Examples of failures</th>
        </tr>
      </thead>
      <tbody>
        {of.metrics.map((m) => {
          const share = m.passCount + m.failureCount ? m.passCount / (m.passCount + m.failureCount) : 1;
          return (
            <tr key={m.name}>
              <td>
                <b>{wordsOf(m.name)}</b>
              </td>
              <td>{m.description}</td>
              <td class="num">
                {count(m.passCount)}
                <span class="meter" title={`${(100 * share).toFixed(1)} %`}>
                  <i style={{ width: `${100 * share}%` }} />
                </span>
              </td>
              <td class={`num${m.failureCount ? ' error-text' : ' soft'}`}>{count(m.failureCount)}</td>
              <td class="num soft">{count(m.exemptionCount ?? 0)}</td>
              <td>
                <Examples list={m.failureExamples} />
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function Report({ of }: { of: Quality }) {
  const banner = typeof of.bannerText === 'string' ? of.bannerText : of.bannerText?.value;
  if (of.metrics.length === 0)
    return (
      <Empty title="Nothing to judge">
        <p>The service has no spans in this time.</p>
      </Empty>
    );
  return (
    <>
      {banner && <p class="soft">{banner}</p>}
      <div class="row wrap scores">
        {of.scores.map((s) => (
          <div class="card" key={s.key}>
            <h2>{s.label}</h2>
            <b class="score">{count(s.value)}</b> <span class="soft">of {count(s.max)}</span>
          </div>
        ))}
      </div>
      <Metrics of={of} />
      {(of.clients ?? []).length > 0 && (
        <table class="grid" aria-label="Clients">
          <thead>
            <tr>
              <th scope="col">Client library</th>
              <th scope="col" class="num">
                Spans
              </th>
              <th scope="col">Example</th>
            </tr>
          </thead>
          <tbody>
            {of.clients!.map((c) => (
              <tr key={c.version}>
                <td>{c.version}</td>
                <td class="num">{count(c.count)}</td>
                <td>
                  <Examples list={c.examples} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}

export function QualityPage() {
  document.title = `${config.qualityMetrics.menuLabel} – Jaeger`;
  const [names, setNames] = useState<string[]>([]);
  const [of, setOf] = useState<Quality>();
  const [error, setError] = useState('');
  const service = param('service') ?? names[0] ?? '',
    hours = param('hours') ?? '48';
  useEffect(() => {
    services().then(
      setNames,
      failed((message) => setError(message)),
    );
  }, []);
  const load = () => {
    if (!service) return undefined;
    const abort = new AbortController();
    setOf(undefined);
    setError('');
    quality(service, hours, abort.signal).then(
      setOf,
      failed((message) => setError(message)),
    );
    return () => abort.abort();
  };
  useEffect(load, [service, hours]);
  const choice = service && !names.includes(service) ? [service, ...names] : names;
  return (
    <div class="page">
      <div class="row wrap">
        <h1>{config.qualityMetrics.menuLabel}</h1>
        <select
          aria-label="Service"
          value={service}
          onChange={(e) => setParams({ service: e.currentTarget.value })}
        >
          {choice.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
        <select
          aria-label="Time range"
          value={hours}
          onChange={(e) => setParams({ hours: e.currentTarget.value })}
        >
          {HOURS.map(([value, text]) => (
            <option key={value} value={value}>
              {text}
            </option>
          ))}
        </select>
      </div>
      {error ? (
        <Failure error={error} onRetry={load} />
      ) : of ? (
        <Report of={of} />
      ) : (
        <Loading what="Looking at the newest traces…" />
      )}
    </div>
  );
}
