// SPDX-License-Identifier: Apache-2.0
// Facets of the results as menus with counts; what is chosen is in the URL.
import type { Summary } from '../lib/api';
import { count } from '../lib/format';
import { setParams } from '../lib/router';
import { Dot } from '../ui/bits';
import { type Chosen, countsOf, type Facet, FACETS, facetsToText, toggled } from './facets';

const TITLES: Record<Facet, string> = {
  service: 'Services',
  operation: 'Root',
  status: 'Status',
  duration: 'Duration',
};
const VALUES_MAX = 200;

interface Props {
  traces: Summary[];
  chosen: Chosen;
}

export function FacetBar({ traces, chosen }: Props) {
  const set = (next: Chosen) => setParams({ facets: facetsToText(next) });
  const any = FACETS.some((facet) => chosen[facet]?.length);
  return (
    <div class="facets" role="group" aria-label="Narrow the results">
      {FACETS.map((facet) => {
        const on = chosen[facet] ?? [],
          values = countsOf(traces, chosen, facet);
        if (values.length < 2 && on.length === 0) return null;
        return (
          <details class="menu" key={facet}>
            <summary class={`button small${on.length ? ' on' : ''}`}>
              {TITLES[facet]}
              {on.length > 0 && ` (${on.length})`} ▾
            </summary>
            <div class="servicelist" role="group" aria-label={TITLES[facet]}>
              {values.slice(0, VALUES_MAX).map(([value, n]) => (
                <label key={value} class="row">
                  <input
                    type="checkbox"
                    checked={on.includes(value)}
                    onChange={() => set(toggled(chosen, facet, value))}
                  />
                  {facet === 'service' && <Dot service={value} />}
                  <span class="cut grow">{value || '(none)'}</span>
                  <span class="soft">{count(n)}</span>
                </label>
              ))}
            </div>
          </details>
        );
      })}
      {FACETS.flatMap((facet) =>
        (chosen[facet] ?? []).map((value) => (
          <button
            key={`${facet} ${value}`}
            class="chip"
            aria-label={`Remove ${value}`}
            onClick={() => set(toggled(chosen, facet, value))}
          >
            <span class="cut">{value || '(none)'}</span> ✕
          </button>
        )),
      )}
      {any && (
        <button class="quiet small" onClick={() => set({})}>
          Clear all
        </button>
      )}
    </div>
  );
}
