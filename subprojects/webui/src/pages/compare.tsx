// SPDX-License-Identifier: Apache-2.0
// Two traces by call path: what was added, removed, called more often or took longer.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { Graph } from '../graph/graph';
import { serviceColor } from '../lib/color';
import { failed } from '../lib/api';
import { count, duration, plural } from '../lib/format';
import { cohortOf, compareHref, picked } from '../lib/picked';
import { go, hrefTo, param, place, setParams } from '../lib/router';
import { callPaths, diff, type DiffNode } from '../trace/aggregate';
import { load, type Source } from '../trace/store';
import { Dot, Empty, Failure, Loading } from '../ui/bits';
import { Cohort } from './cohort';

function useTrace(id: string) {
  const [state, set] = useState<{ source?: Source; error?: string; id?: string }>({});
  useEffect(() => {
    set({});
    if (!id) return undefined;
    const abort = new AbortController();
    load(id, abort.signal).then(
      (source) => set({ source, id }),
      failed((error) => set({ error, id })),
    );
    return () => abort.abort();
  }, [id]);
  return state;
}

interface PickerProps {
  side: string;
  id: string;
  onPick: (id: string) => void;
  state: { source?: Source; error?: string };
  cohort: string[];
}

function Picker({ side, id, onPick, state, cohort }: PickerProps) {
  const [text, setText] = useState(id);
  useEffect(() => setText(id), [id]);
  const t = state.source?.trace;
  return (
    <form
      class="card grow"
      onSubmit={(e) => {
        e.preventDefault();
        onPick(text.trim());
      }}
    >
      <div class="row">
        <span class="badge">{side}</span>
        <input
          class="grow mono"
          aria-label={`Trace ${side}`}
          placeholder="Trace ID"
          value={text}
          onInput={(e) => setText(e.currentTarget.value)}
          onBlur={() => {
            if (text.trim() !== id) onPick(text.trim());
          }}
        />
        {cohort.length > 0 && <Cohort side={side} current={id} ids={cohort} onPick={onPick} />}
      </div>
      {t ? (
        <div class="facts" style={{ padding: '6px 0 0' }}>
          <a href={hrefTo(`/trace/${t.traceId}`)}>
            <Dot service={t.services[t.service[0]]} />{' '}
            <b style={{ color: 'inherit' }}>{t.services[t.service[0]]}</b> {t.names[t.name[0]]}
          </a>
          <span>
            <b>{duration(t.end)}</b>
          </span>
          <span>
            <b>{count(t.n)}</b> spans
          </span>
          {t.errors > 0 && <span class="error-text">{plural(t.errors, 'error')}</span>}
        </div>
      ) : (
        <p class={state.error ? 'error-text' : 'soft'} style={{ margin: '6px 0 0' }}>
          {state.error ?? (id ? 'Loading…' : 'Paste a trace ID, or pick traces in the search.')}
        </p>
      )}
    </form>
  );
}

function status(d: DiffNode): 'add' | 'gone' | 'more' | 'less' | 'same' {
  if (!d.a) return 'add';
  if (!d.b) return 'gone';
  return d.b.count > d.a.count ? 'more' : d.b.count < d.a.count ? 'less' : 'same';
}
const WORDS = { add: 'added', gone: 'removed', more: 'more', less: 'fewer', same: '' };

function Change({ a, b }: { a: number | undefined; b: number | undefined }) {
  if (a === undefined || b === undefined) return <td class="num soft">–</td>;
  const d = b - a;
  if (Math.abs(d) < Math.max(a, b) * 0.01) return <td class="num soft">=</td>;
  return (
    <td class={`num ${d > 0 ? 'delta-gone' : 'delta-add'}`}>
      {d > 0 ? '+' : '−'}
      {duration(Math.abs(d))}
      {a > 0 && (
        <span class="soft">
          {' '}
          ({d > 0 ? '+' : '−'}
          {Math.round((100 * Math.abs(d)) / a)} %)
        </span>
      )}
    </td>
  );
}

function Table({ list }: { list: DiffNode[] }) {
  const [changes, setChanges] = useState(false);
  const shown = list.filter(
    (d) => !changes || status(d) !== 'same' || Math.abs(d.b!.total - d.a!.total) > d.a!.total * 0.1,
  );
  return (
    <>
      <div class="row">
        <button aria-pressed={changes} onClick={() => setChanges(!changes)}>
          Only changes
        </button>
        <span class="soft">{plural(shown.length, 'call path')}</span>
      </div>
      <table class="grid">
        <thead>
          <tr>
            <th scope="col">Call path</th>
            <th scope="col" />
            <th scope="col" class="num">
              Spans A
            </th>
            <th scope="col" class="num">
              B
            </th>
            <th scope="col" class="num">
              Total A
            </th>
            <th scope="col" class="num">
              B
            </th>
            <th scope="col" class="num">
              Change
            </th>
            <th scope="col" class="num">
              Self change
            </th>
          </tr>
        </thead>
        <tbody>
          {shown.slice(0, 2000).map((d) => {
            const s = status(d);
            return (
              <tr key={d.path}>
                <td
                  class="cut"
                  style={{ paddingLeft: `${10 + Math.min(d.depth, 24) * 14}px`, maxWidth: '520px' }}
                >
                  <Dot service={d.service} /> <b>{d.service}</b> {d.name}
                </td>
                <td>
                  {s !== 'same' && (
                    <span class={`badge ${s === 'add' || s === 'more' ? '' : ''}`}>
                      <span class={s === 'add' || s === 'more' ? 'delta-add' : 'delta-gone'}>{WORDS[s]}</span>
                    </span>
                  )}
                </td>
                <td class="num">{d.a ? count(d.a.count) : '–'}</td>
                <td class="num">{d.b ? count(d.b.count) : '–'}</td>
                <td class="num">{d.a ? duration(d.a.total) : '–'}</td>
                <td class="num">{d.b ? duration(d.b.total) : '–'}</td>
                <Change a={d.a?.total} b={d.b?.total} />
                <Change a={d.a?.self} b={d.b?.self} />
              </tr>
            );
          })}
        </tbody>
      </table>
    </>
  );
}

export function ComparePage({ a, b }: { a: string; b: string }) {
  const left = useTrace(a),
    right = useTrace(b);
  document.title = 'Compare – Jaeger';
  const graph = param('view') === 'graph';
  const others = place.value.query.getAll('cohort');
  const cohort = useMemo(
    () => cohortOf(a, b, [...others, ...picked.value]),
    [a, b, others.join(), picked.value],
  );
  const to = (x: string, y: string) => {
    const href = compareHref(x, y, cohortOf(x, y, cohort));
    go(graph ? `${href}&view=graph` : href);
  };
  const list = useMemo(
    () =>
      left.source && right.source
        ? diff(callPaths(left.source.trace), callPaths(right.source.trace))
        : undefined,
    [left.source, right.source],
  );
  const drawn = useMemo(() => {
    const some = (list ?? []).slice(0, 500),
      ids = new Map(some.map((d, i) => [d.path, String(i)]));
    return {
      nodes: some.map((d, i) => ({
        id: String(i),
        title: d.name || '(no name)',
        sub: `${d.service} · ${d.a?.count ?? 0} → ${d.b?.count ?? 0}`,
        color: serviceColor(d.service),
        className: !d.a ? 'add' : !d.b ? 'gone' : '',
        hint: `${d.service} ${d.name}: ${d.a ? plural(d.a.count, 'span') : 'not in A'}, then ${d.b ? plural(d.b.count, 'span') : 'not in B'}`,
      })),
      edges: some
        .filter((d) => d.parent !== undefined && ids.has(d.parent))
        .map((d) => ({ from: ids.get(d.parent!)!, to: ids.get(d.path)! })),
    };
  }, [list]);
  const sums = useMemo(() => {
    const c = { add: 0, gone: 0, more: 0, less: 0, same: 0 };
    for (const d of list ?? []) c[status(d)]++;
    return c;
  }, [list]);
  return (
    <div class="page">
      <div class="row wrap" style={{ alignItems: 'stretch' }}>
        <Picker side="A" id={a} onPick={(id) => to(id, b)} state={left} cohort={cohort} />
        {a && b && (
          <button class="swap" title="Swap the two" aria-label="Swap A and B" onClick={() => to(b, a)}>
            ⇄
          </button>
        )}
        <Picker side="B" id={b} onPick={(id) => to(a, id)} state={right} cohort={cohort} />
      </div>
      {!a || !b ? (
        <Empty title="Compare two traces">
          <p>Pick traces in the search results, or paste their IDs above.</p>
        </Empty>
      ) : left.error || right.error ? (
        <Failure error={left.error ?? right.error ?? ''} />
      ) : !list ? (
        <Loading what="Loading the traces…" />
      ) : (
        <>
          <div class="row wrap">
            <div class="tabs" role="tablist">
              <button role="tab" aria-selected={!graph} onClick={() => setParams({ view: undefined })}>
                Table
              </button>
              <button role="tab" aria-selected={graph} onClick={() => setParams({ view: 'graph' })}>
                Graph
              </button>
            </div>
            <span class="soft grow" role="status">
              <span class="delta-add">{sums.add} added</span> ·{' '}
              <span class="delta-gone">{sums.gone} removed</span> · {sums.more} more often · {sums.less} less
              often · {sums.same} as often
            </span>
          </div>
          {graph ? (
            <div class="card split" style={{ padding: 0, minHeight: '420px', overflow: 'hidden' }}>
              <Graph nodes={drawn.nodes} edges={drawn.edges} label="Call paths of both traces" />
            </div>
          ) : (
            <Table list={list} />
          )}
        </>
      )}
    </div>
  );
}
