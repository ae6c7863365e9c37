// SPDX-License-Identifier: Apache-2.0
// The set of traces that two are compared of: a menu that tells what each is, read when it is opened.
import { useEffect, useState } from 'preact/hooks';
import type { Summary } from '../lib/api';
import { ago, count, duration, plural, time } from '../lib/format';
import { summaryOf } from '../search/run';
import { load } from '../trace/store';
import { Dot } from '../ui/bits';

const AT_ONCE = 4;

/** What is known of each; `undefined` as long as it is read, or it cannot be. */
function useSummaries(ids: string[], wanted: boolean): Map<string, Summary | 'gone'> {
  const [known, setKnown] = useState<Map<string, Summary | 'gone'>>(new Map());
  useEffect(() => {
    if (!wanted) return undefined;
    const abort = new AbortController(),
      left = ids.filter((id) => !known.has(id));
    const next = async (): Promise<void> => {
      for (let id = left.shift(); id !== undefined && !abort.signal.aborted; id = left.shift()) {
        const now = id;
        const found = await load(now, abort.signal).then(
          (source) => summaryOf(source.trace),
          () => 'gone' as const,
        );
        if (!abort.signal.aborted) setKnown((map) => new Map(map).set(now, found));
      }
    };
    for (let k = 0; k < AT_ONCE; k++) void next();
    return () => abort.abort();
  }, [ids, wanted]);
  return known;
}

interface Props {
  side: string;
  current: string;
  ids: string[];
  onPick: (id: string) => void;
}

export function Cohort({ side, current, ids, onPick }: Props) {
  const [open, setOpen] = useState(false);
  const known = useSummaries(ids, open);
  const line = (id: string) => {
    const t = known.get(id);
    if (!t || t === 'gone') return <span class="soft">{t ? 'not there any more' : 'Loading…'}</span>;
    return (
      <>
        <span class="cut grow">
          <Dot service={t.rootService} /> <b>{t.rootService || '(no root span)'}</b> {t.root}
        </span>
        <span title={time(t.startMs)}>
          {duration(t.durationNs)} · {plural(t.spans, 'span')}
          {t.errors > 0 && <span class="error-text"> · {plural(t.errors, 'error')}</span>} · {ago(t.startMs)}
        </span>
      </>
    );
  };
  return (
    <details class="menu cohort" open={open} onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary class="button" aria-label={`Choose ${side} of ${plural(ids.length, 'trace')}`}>
        {count(ids.length)} ▾
      </summary>
      <div role="group" aria-label={`Traces for ${side}`}>
        {ids.map((id) => (
          <button
            key={id}
            type="button"
            aria-pressed={id === current}
            onClick={() => {
              setOpen(false);
              onPick(id);
            }}
          >
            <code class="soft">{id.replace(/^0{16}/, '').slice(0, 7)}</code>
            {line(id)}
          </button>
        ))}
      </div>
    </details>
  );
}
