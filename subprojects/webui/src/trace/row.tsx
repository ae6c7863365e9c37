// SPDX-License-Identifier: Apache-2.0
// The name of one span, or of a group of siblings, in the tree beside the bars.
import { config } from '../lib/config';
import { count, duration } from '../lib/format';
import { Flag } from './model';
import { type SpanDetail, textOf } from './otlp';
import { kindText, type View } from './view';
import { INDENT, nameWidth, ROW } from './widths';

const PILLS = [
  'http.request.method',
  'http.method',
  'http.response.status_code',
  'http.status_code',
  'rpc.grpc.status_code',
  'db.system.name',
  'db.system',
  'rpc.system',
  'messaging.system',
  'gen_ai.request.model',
];
const PILLS_MAX = 3;

/** What is worth a word in the row: method, status, kind of system. */
export function pillsOf(detail: SpanDetail): { text: string; bad: boolean }[] {
  const list: { text: string; bad: boolean }[] = [];
  for (const key of PILLS) {
    const attr = detail.attributes.find((a) => a.key === key);
    if (!attr || list.length === PILLS_MAX) continue;
    const text = textOf(attr.value).slice(0, 24);
    if (text && !list.some((p) => p.text === text))
      list.push({ text, bad: key.startsWith('http') && /^[45]\d\d$/.test(text) });
  }
  return list;
}

/** Whom a client span called, where that service sends no spans of its own. */
function peerOf(view: View, row: number, detail: SpanDetail): string | undefined {
  if (view.t.size[row] > 1 || !['client', 'producer'].includes(detail.kind)) return undefined;
  const attr = detail.attributes.find((a) => a.key === 'peer.service');
  return attr && textOf(attr.value);
}

function labelOf(view: View, row: number): string {
  const { t } = view,
    group = view.group(row),
    service = t.services[t.service[row]] || 'no service';
  const name = `${service} ${t.names[t.name[row]]}`;
  if (group)
    return `${name}, ran ${count(group.rows.length)} times, ${duration(group.total)} in all, p95 ${duration(group.p95)}${group.errors ? `, ${count(group.errors)} errors` : ''}`;
  const facts = [name, duration(t.duration[row]), `starts at ${duration(t.start[row])}`];
  if (t.flags[row] & Flag.error) facts.push('error');
  if (kindText(t, row)) facts.push(kindText(t, row));
  return facts.join(', ');
}

function Mark({ view, row }: { view: View; row: number }) {
  const { t } = view,
    own = t.flags[row] & Flag.error,
    group = view.group(row);
  const hides = view.folded.value[row] === 1 && t.errorsBelow[row] > (own ? 1 : 0);
  if (own && !group)
    return (
      <i class="err" title="Error">
        !
      </i>
    );
  if (hides || (group?.errors ?? 0) > 0)
    return (
      <i class="err below" title="Errors inside">
        !
      </i>
    );
  return null;
}

function Extras({ view, row }: { view: View; row: number }) {
  const group = view.group(row),
    opened = view.group(row, true);
  if (group)
    return (
      <span class="times" data-group={row} title={`Ran ${count(group.rows.length)} times: open`}>
        ran {count(group.rows.length)} times · p95 {duration(group.p95)}
      </span>
    );
  const detail = view.seen.value.get(row),
    peer = detail && peerOf(view, row, detail);
  return (
    <>
      {opened && (
        <span class="times" data-group={row} title="Close the group">
          ×{count(opened.rows.length)}
        </span>
      )}
      {peer && <span class="soft cut">→ {peer}</span>}
      {detail &&
        config.traceTimeline.spanPillsEnabled &&
        pillsOf(detail).map((p) => (
          <span key={p.text} class={`pill${p.bad ? ' bad' : ''}`}>
            {p.text}
          </span>
        ))}
    </>
  );
}

interface Props {
  view: View;
  row: number;
  at: number;
  color: string;
}

export function Row({ view, row, at, color }: Props) {
  const { t } = view,
    group = view.group(row),
    folded = view.folded.value[row] === 1;
  const below = group ? group.rows.length : t.size[row] - 1,
    closed = group !== undefined || folded;
  const service = t.services[t.service[row]],
    name = t.names[t.name[row]];
  const indent = Math.max(0, Math.min(t.depth[row] * INDENT, nameWidth.value - 150));
  const matched = view.matches.value ? (view.isMatch(row) ? ' match' : ' dim') : '';
  return (
    <div
      class={`span${matched}${group ? ' group' : ''}`}
      style={{ top: `${at * ROW}px` }}
      role="row"
      id={`row-${row}`}
      aria-level={t.depth[row] + 1}
      aria-rowindex={at + 1}
      aria-selected={view.selected.value === row}
      aria-expanded={below ? !closed : undefined}
      aria-label={labelOf(view, row)}
      data-row={row}
    >
      <div
        class="label"
        role="gridcell"
        style={{ width: `${nameWidth.value}px`, paddingLeft: `${indent + 2}px` }}
      >
        <div class="guides" style={{ width: `${indent + 2}px`, backgroundSize: `${INDENT}px 100%` }} />
        <span
          class={`fold${below ? '' : ' none'}`}
          aria-hidden="true"
          {...(group ? { 'data-group': row } : { 'data-fold': row })}
        >
          {closed ? '▸' : '▾'}
          {below > 9999 ? '9k+' : below}
        </span>
        <i class="svc" style={{ background: color }} />
        <Mark view={view} row={row} />
        <span class="name" title={`${service} · ${name}`}>
          <b>{service || '?'}</b> <span>{name}</span>
        </span>
        <Extras view={view} row={row} />
      </div>
    </div>
  );
}
