// SPDX-License-Identifier: Apache-2.0
// Search in the trace, and what hides rows of the waterfall.
import { useEffect, useRef, useState } from 'preact/hooks';
import { failed } from '../lib/api';
import { config } from '../lib/config';
import { count, parseDuration } from '../lib/format';
import { Dot } from '../ui/bits';
import type { View } from './view';

const FIND_HELP =
  'All words must be found in one span. -key: attributes with such a key are not looked at. -key=value: spans without it.';

export function Find({ view }: { view: View }) {
  const [text, setText] = useState(view.query.value);
  const timer = useRef(0);
  const [error, setError] = useState('');
  const find = (value: string) => {
    setError('');
    view.find(value).then(() => undefined, failed(setError));
  };
  useEffect(() => {
    if (view.query.value) find(view.query.value);
    return () => clearTimeout(timer.current);
  }, []);
  const m = view.matches.value,
    total = view.matchCount.value;
  let position = 0;
  if (m && view.selected.value >= 0 && m[view.selected.value])
    for (let i = 0; i <= view.selected.value; i++) position += m[i];
  const step = (back: boolean) => view.jumpToMatch(back);
  return (
    <div class="find" role="search">
      <input
        id="find-in-trace"
        aria-label="Find in the trace"
        placeholder='Find: word "a phrase" key=value -key'
        spellcheck={false}
        value={text}
        title={error || FIND_HELP}
        aria-invalid={!!error}
        onInput={(e) => {
          const v = e.currentTarget.value;
          setText(v);
          clearTimeout(timer.current);
          timer.current = window.setTimeout(() => find(v), 200);
        }}
        onKeyDown={(e) => {
          if (e.key === 'Enter') {
            e.preventDefault();
            step(e.shiftKey);
          }
          if (e.key === 'Escape') {
            e.stopPropagation();
            if (text) {
              setText('');
              find('');
            } else e.currentTarget.blur();
          }
        }}
      />
      {m && (
        <>
          <span class="soft" id="match-count" role="status" style={{ minWidth: '56px', textAlign: 'center' }}>
            {position ? `${count(position)} / ` : ''}
            {count(total)}
          </span>
          <button
            class="quiet"
            aria-label="Previous match"
            title="Previous (N)"
            disabled={!total}
            onClick={() => step(true)}
          >
            ↑
          </button>
          <button
            class="quiet"
            aria-label="Next match"
            title="Next (n)"
            disabled={!total}
            onClick={() => step(false)}
          >
            ↓
          </button>
          <button
            aria-pressed={view.filter.only.value}
            title="Hide spans that do not match"
            onClick={() => {
              view.filter.only.value = !view.filter.only.value;
            }}
          >
            Only these
          </button>
        </>
      )}
      {error && <span class="error-text">{error}</span>}
    </div>
  );
}

function Services({ view }: { view: View }) {
  const hidden = view.filter.hidden.value,
    all = view.t.services.length;
  const counted = view.counts.value;
  return (
    <details class="menu">
      <summary class="button">Services{hidden.size > 0 && ` (${all - hidden.size}/${all})`} ▾</summary>
      <div class="servicelist">
        {counted.map((s) => (
          <div key={s.index} class="row">
            <label class="row grow">
              <input
                type="checkbox"
                checked={!hidden.has(s.name)}
                onChange={() => view.toggleService(s.name)}
              />
              <Dot service={s.name} />
              <span class="grow cut">{s.name || '(none)'}</span>
              <span class="soft">{count(s.spans)}</span>
            </label>
            <button
              class="quiet small"
              aria-label={`Only ${s.name}`}
              onClick={() => view.hideServices(new Set(counted.filter((x) => x !== s).map((x) => x.name)))}
            >
              only
            </button>
          </div>
        ))}
        {hidden.size > 0 && <button onClick={() => view.hideServices(new Set())}>Show all</button>}
      </div>
    </details>
  );
}

export function Filters({ view }: { view: View }) {
  const [min, setMin] = useState('');
  const { filter } = view;
  const toggle = (state: { value: boolean }, text: string, title: string) => (
    <button aria-pressed={state.value} title={title} onClick={() => (state.value = !state.value)}>
      {text}
    </button>
  );
  return (
    <>
      {view.t.errors > 0 && toggle(filter.errorsOnly, 'Errors only', 'Hide spans without an error')}
      {config.criticalPathEnabled && toggle(filter.critical, 'Critical path', 'What the end waited for (c)')}
      <button
        aria-pressed={filter.grouped.value}
        title="Siblings that ran ten times or more are one row (r)"
        onClick={() => view.setGrouped(!filter.grouped.value)}
      >
        Group repeats
      </button>
      <Services view={view} />
      {view.subtree.value >= 0 && (
        <button
          aria-pressed="true"
          title="Show the whole trace again (.)"
          onClick={() => (view.subtree.value = -1)}
        >
          Subtree only
        </button>
      )}
      <input
        aria-label="Shortest duration shown"
        placeholder="≥ 1ms"
        class="short"
        value={min}
        aria-invalid={!!min && parseDuration(min) === undefined}
        onInput={(e) => {
          setMin(e.currentTarget.value);
          filter.minDuration.value = parseDuration(e.currentTarget.value) ?? 0;
        }}
      />
    </>
  );
}
