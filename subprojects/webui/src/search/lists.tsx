// SPDX-License-Identifier: Apache-2.0
// Before anything was searched: saved and recent searches.
import { forget, recent, saved, unsave } from '../lib/recent';
import { hrefTo } from '../lib/router';
import { Empty } from '../ui/bits';
import { describe } from './state';

interface LineProps {
  query: string;
  name?: string;
  onDrop: () => void;
}

function Line({ query, name, onDrop }: LineProps) {
  const params = new URLSearchParams(query),
    { service, rest } = describe(params);
  return (
    <li>
      <a class="cut" href={hrefTo('/search', params)}>
        <b>{name ?? service}</b>{' '}
        <span class="soft">{name ? [service, rest].filter(Boolean).join(' · ') : rest}</span>
      </a>
      <button class="quiet small" aria-label={`Forget ${name ?? 'this search'}`} onClick={onDrop}>
        ✕
      </button>
    </li>
  );
}

export function Searches() {
  return (
    <Empty title="Find traces">
      <p>
        Choose a service and press “Find traces”, paste a trace ID above, or drop a file with traces (Jaeger
        or OTLP JSON) anywhere on the page.
      </p>
      {saved.value.length > 0 && (
        <>
          <h3>Saved searches</h3>
          <ul class="recent" id="saved">
            {saved.value.map((s) => (
              <Line key={s.name} query={s.query} name={s.name} onDrop={() => unsave(s.name)} />
            ))}
          </ul>
        </>
      )}
      {recent.value.length > 0 && (
        <>
          <h3>Recent searches</h3>
          <ul class="recent" id="recent">
            {recent.value.map((query) => (
              <Line key={query} query={query} onDrop={() => forget(query)} />
            ))}
          </ul>
        </>
      )}
    </Empty>
  );
}
