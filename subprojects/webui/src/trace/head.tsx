// SPDX-License-Identifier: Apache-2.0
// Head of the trace page: what it is, its facts, and what to look at first.
import type { ComponentChildren } from 'preact';
import { useMemo } from 'preact/hooks';
import { archive } from '../lib/api';
import { serviceColor } from '../lib/color';
import { capabilities, config } from '../lib/config';
import { count, duration, plural, time } from '../lib/format';
import { traceLinks } from '../lib/links';
import { hrefTo, lastSearch } from '../lib/router';
import { copy, download, Menu, toast } from '../ui/bits';
import { csv } from './csv';
import { traceFacts } from './facts';
import { type Group, groupSiblings } from './groups';
import { criticalPath, Flag, type Trace } from './model';
import type { View } from './view';

interface Facts {
  slow: number; // the row with most time on the critical path
  slowNs: number;
  cause: number; // an error that no error below explains; -1: none
  repeated: Group | undefined; // the siblings that took most time together
}

function factsOf(t: Trace): Facts {
  const path = criticalPath(t);
  let slow = 0,
    cause = -1;
  for (let i = 0; i < t.n; i++) {
    if (path.total[i] > path.total[slow]) slow = i;
    if (cause < 0 && t.flags[i] & Flag.error && t.errorsBelow[i] === 1) cause = i;
  }
  let repeated: Group | undefined;
  for (const g of groupSiblings(t).of.values()) if (g.total > (repeated?.total ?? 0)) repeated = g;
  return { slow, slowNs: path.total[slow] ?? 0, cause, repeated };
}

/** What a person should look at first: where the time went, what failed, what was repeated. */
function Summary({ view }: { view: View }) {
  const { t } = view,
    facts = useMemo(() => factsOf(t), [t]);
  const jump = (row: number, children: ComponentChildren) => (
    <button class="quiet small" onClick={() => view.select(row)}>
      {children}{' '}
      <span class="cut">
        <b>{t.services[t.service[row]]}</b> {t.names[t.name[row]]}
      </span>
      {row === facts.slow &&
        ` ${duration(facts.slowNs)} (${Math.round((100 * facts.slowNs) / Math.max(t.end, 1))} %)`}
      {row === facts.repeated?.rows[0] &&
        ` ×${count(facts.repeated.rows.length)}, ${duration(facts.repeated.total)}`}
    </button>
  );
  return (
    <div class="row wrap first">
      {t.n > 1 && facts.slowNs > 0 && jump(facts.slow, 'Most time:')}
      {facts.cause >= 0 && jump(facts.cause, <span class="error-text">First error:</span>)}
      {facts.repeated && jump(facts.repeated.rows[0], 'Repeated:')}
    </div>
  );
}

export function Head({ view, live, short }: { view: View; live: boolean; short: boolean }) {
  const { t, source } = view,
    startMs = Number(t.t0 / 1000n) / 1000;
  const service = t.services[t.service[0]] ?? '',
    name = t.names[t.name[0]] ?? '';
  const links = traceLinks(traceFacts(t));
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
        {lastSearch() && (
          <a class="back" href={lastSearch()} title="Back to the results">
            ← Results
          </a>
        )}
        <h1 class="clamp" title={`${service} ${name}`}>
          <i class="dot" style={{ background: serviceColor(service) }} /> {service || '(no service)'}{' '}
          <span class="soft">{name}</span>
        </h1>
        {live && (
          <span class="live" title="Spans that still arrive are shown">
            live
          </span>
        )}
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
          <button onClick={() => download(`${t.traceId}.csv`, csv(t), 'text/csv')}>
            Download CSV of the spans
          </button>
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
      {!short && (
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
      )}
    </>
  );
}
