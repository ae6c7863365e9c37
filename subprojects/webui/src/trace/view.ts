// SPDX-License-Identifier: Apache-2.0
// The state of one trace page as signals: what is folded, found, selected, and the window of time that is shown.
import { computed, type ReadonlySignal, signal } from '@preact/signals';
import { param, setParams } from '../lib/router';
import { type Group, groupSiblings, visibleRows } from './groups';
import { criticalPath, Flag, foldFrom, KINDS, rowOfSpan, spanId, type Trace, withAncestors } from './model';
import type { SpanDetail } from './otlp';
import type { Source } from './store';

/** What decides which rows are shown; kept when spans arrive. */
function makeFilter() {
  return {
    only: signal(false), // hide what does not match
    errorsOnly: signal(false),
    hidden: signal<ReadonlySet<string>>(new Set(place('hide'))), // services
    minDuration: signal(0),
    critical: signal(false),
    grouped: signal(param('group') !== '0'),
  };
}
const place = (name: string): string[] => param(name)?.split(',').filter(Boolean) ?? [];

type Filter = ReturnType<typeof makeFilter>;

export class View {
  readonly t: Trace;
  readonly whole: number;
  readonly folded = signal<Uint8Array>(new Uint8Array(0));
  readonly openGroups = signal<ReadonlySet<number>>(new Set());
  readonly query = signal('');
  readonly matches = signal<Uint8Array | undefined>(undefined);
  readonly selected = signal(-1);
  readonly subtree = signal(-1); // only this row and what is below
  readonly from = signal(0);
  readonly to = signal(1);
  readonly cursor = signal<number | undefined>(undefined); // where the pointer is [ns]
  /** Details of rows that were on screen, for marks and pills. */
  readonly seen = signal<ReadonlyMap<number, SpanDetail>>(new Map());
  readonly filter: Filter;
  private readonly linked = signal<ReadonlyMap<number, number[]> | undefined>(undefined);
  private askedLinks = false;
  private running: AbortController | undefined;

  constructor(
    readonly source: Source,
    before?: View,
  ) {
    const t = (this.t = source.trace);
    this.whole = Math.max(t.end, 1);
    this.filter = before?.filter ?? makeFilter();
    this.folded.value = new Uint8Array(t.n);
    this.to.value = this.whole;
    if (before) this.carry(before);
    else this.fromUrl();
  }

  private fromUrl(): void {
    this.query.value = param('uiFind') ?? '';
    const span = param('span'),
      zoom = /^(\d+)-(\d+)$/.exec(param('zoom') ?? '');
    if (span) this.selected.value = rowOfSpan(this.t, span);
    if (zoom) this.zoom(Number(zoom[1]), Number(zoom[2]));
    if (this.selected.value >= 0) this.reveal(this.selected.value);
  }

  /** The same trace with more spans: what was done to it stays. */
  private carry(before: View): void {
    const { t } = this,
      old = before.t;
    const folded = new Set<string>(),
      open = new Set<string>();
    before.folded.value.forEach((on, row) => on && folded.add(spanId(old, row)));
    for (const row of before.openGroups.value) open.add(spanId(old, row));
    if (folded.size || open.size) {
      const groups = new Set<number>();
      for (let row = 0; row < t.n; row++) {
        const id = spanId(t, row);
        if (folded.has(id) && t.size[row] > 1) this.folded.value[row] = 1;
        if (open.has(id)) groups.add(row);
      }
      this.openGroups.value = groups;
    }
    if (before.selected.value >= 0) this.selected.value = rowOfSpan(t, spanId(old, before.selected.value));
    if (before.subtree.value >= 0) this.subtree.value = rowOfSpan(t, spanId(old, before.subtree.value));
    if (before.from.value > 0 || before.to.value < before.whole)
      this.zoom(before.from.value, before.to.value);
    this.query.value = before.query.value;
    if (this.query.value) void this.find(this.query.value).catch(() => undefined);
  }

  private readonly groups = computed(() => (this.filter.grouped.value ? groupSiblings(this.t) : undefined));

  private readonly keep = computed(() => {
    const { t, filter } = this,
      m = filter.only.value ? this.matches.value : undefined;
    const hidden = filter.hidden.value,
      errors = filter.errorsOnly.value,
      min = filter.minDuration.value;
    const top = this.subtree.value;
    if (!m && !errors && hidden.size === 0 && min === 0 && top < 0) return undefined;
    const hides = t.services.map((s) => hidden.has(s)),
      end = top < 0 ? t.n : top + t.size[top];
    const wanted = new Uint8Array(t.n);
    for (let i = Math.max(top, 0); i < end; i++)
      if (
        (!m || m[i]) &&
        (!errors || t.flags[i] & Flag.error) &&
        !hides[t.service[i]] &&
        t.duration[i] >= min
      )
        wanted[i] = 1;
    return withAncestors(t, wanted);
  });

  /** While something is filtered out every span is a row of its own. */
  private readonly grouping = computed(() => (this.keep.value ? undefined : this.groups.value));

  readonly rows = computed(() =>
    visibleRows(this.t, this.folded.value, this.keep.value, this.grouping.value, this.openGroups.value),
  );
  readonly path = computed(() => (this.filter.critical.value ? criticalPath(this.t) : undefined));
  readonly matchCount = computed(() => {
    let c = 0;
    for (const x of this.matches.value ?? []) c += x;
    return c;
  });
  readonly counts: ReadonlySignal<{ name: string; index: number; spans: number; errors: number }[]> =
    computed(() => {
      const { t } = this,
        list = t.services.map((name, index) => ({ name, index, spans: 0, errors: 0 }));
      for (let i = 0; i < t.n; i++) {
        const s = list[t.service[i]];
        s.spans++;
        if (t.flags[i] & Flag.error) s.errors++;
      }
      return list.sort((a, b) => b.spans - a.spans);
    });

  /** The group that a row stands for. @param open also one that is open */
  group(row: number, open = false): Group | undefined {
    const groups = this.grouping.value;
    if (!groups || groups.leader[row] !== row || this.openGroups.value.has(row) !== open) return undefined;
    return groups.of.get(row);
  }

  /** Does it, or what it stands for, match the search? */
  isMatch(row: number): boolean {
    const m = this.matches.value;
    if (!m) return false;
    return this.group(row) ? this.matchedGroups.value.has(row) : m[row] === 1;
  }

  private readonly matchedGroups = computed(() => {
    const found = new Set<number>(),
      m = this.matches.value,
      groups = this.grouping.value;
    if (m && groups)
      for (let i = 0; i < m.length; i++) if (m[i] && groups.leader[i] >= 0) found.add(groups.leader[i]);
    return found;
  });

  /** Rows whose links lead to this one; none until they are known. */
  referrers(row: number): number[] {
    if (!this.askedLinks) {
      this.askedLinks = true;
      const { t } = this;
      // Only spans with links can have led here; most traces have none.
      if (t.flags.some((f) => (f & Flag.links) !== 0))
        this.source.links().then(
          (pairs) => {
            const to = new Map<number, number[]>();
            for (let i = 0; i + 1 < pairs.length; i += 2) {
              const list = to.get(pairs[i + 1]);
              if (!list) to.set(pairs[i + 1], [pairs[i]]);
              else if (list[list.length - 1] !== pairs[i]) list.push(pairs[i]);
            }
            this.linked.value = to;
          },
          () => undefined,
        );
    }
    return this.linked.value?.get(row) ?? [];
  }

  toggleGroup(row: number): void {
    const next = new Set(this.openGroups.value);
    if (!next.delete(row)) next.add(row);
    this.openGroups.value = next;
  }

  /** Unfold and open what hides a row. */
  reveal(row: number): void {
    const { t } = this,
      folded = this.folded.value.slice(),
      open = new Set(this.openGroups.value);
    const before = open.size,
      groups = this.grouping.value;
    let changed = false;
    for (let p = row; p >= 0; p = t.parent[p]) {
      const leader = groups ? groups.leader[p] : -1;
      if (leader >= 0 && (leader !== p || p !== row)) open.add(leader);
      if (p !== row && folded[p]) {
        folded[p] = 0;
        changed = true;
      }
    }
    if (changed) this.folded.value = folded;
    if (open.size > before) this.openGroups.value = open;
  }

  select(row: number): void {
    this.selected.value = row;
    if (row >= 0) this.reveal(row);
    setParams({ span: row >= 0 ? spanId(this.t, row) : undefined });
  }

  zoom(a: number, b: number): void {
    const width = Math.min(this.whole, Math.max(b - a, 1));
    const begin = Math.max(0, Math.min(a, this.whole - width));
    this.from.value = begin;
    this.to.value = begin + width;
  }
  zoomBy(factor: number, at = (this.from.value + this.to.value) / 2): void {
    this.zoom(at - (at - this.from.value) * factor, at + (this.to.value - at) * factor);
  }
  zoomTo(row: number): void {
    const { t } = this,
      pad = t.duration[row] * 0.05;
    this.zoom(t.start[row] - pad, t.start[row] + Math.max(t.duration[row], 1) + pad);
  }
  pan(part: number): void {
    const d = (this.to.value - this.from.value) * part;
    this.zoom(this.from.value + d, this.to.value + d);
  }

  toggle(row: number, deep = false): void {
    const { t } = this,
      next = this.folded.value.slice(),
      on = next[row] ? 0 : 1;
    next[row] = on;
    if (deep) for (let i = row + 1; i < row + t.size[row]; i++) if (t.size[i] > 1) next[i] = on;
    this.folded.value = next;
  }
  foldAll(): void {
    this.folded.value = foldFrom(this.t, 0);
  }
  unfoldAll(): void {
    this.folded.value = new Uint8Array(this.t.n);
  }
  /** Fold, or unfold, the deepest level that is open. */
  foldLevel(fold: boolean): void {
    const { t } = this,
      now = this.folded.value;
    let depth = fold ? -1 : Infinity;
    for (const i of this.rows.value)
      if (t.size[i] > 1 && (now[i] === 1) !== fold)
        depth = fold ? Math.max(depth, t.depth[i]) : Math.min(depth, t.depth[i]);
    const next = now.slice();
    for (let i = 0; i < t.n; i++) if (t.size[i] > 1 && t.depth[i] === depth) next[i] = fold ? 1 : 0;
    this.folded.value = next;
  }

  setGrouped(on: boolean): void {
    this.filter.grouped.value = on;
    setParams({ group: on ? undefined : '0' });
  }
  toggleService(name: string): void {
    const next = new Set(this.filter.hidden.value);
    if (!next.delete(name)) next.add(name);
    this.hideServices(next);
  }
  hideServices(names: ReadonlySet<string>): void {
    this.filter.hidden.value = names;
    setParams({ hide: [...names].join(',') });
  }

  /** The next row in the tree's order that passes; wraps around. */
  jump(passes: (row: number) => boolean, back = false): void {
    const { n } = this.t,
      begin = this.selected.value;
    for (let k = 1; k <= n; k++) {
      const row = back ? (Math.max(begin, 0) - k + 2 * n) % n : (begin + k + n) % n;
      if (!passes(row)) continue;
      this.select(row);
      return;
    }
  }
  jumpToError(back = false): void {
    this.jump((row) => (this.t.flags[row] & Flag.error) !== 0, back);
  }
  jumpToMatch(back = false): void {
    const m = this.matches.value;
    if (m && this.matchCount.value) this.jump((row) => m[row] === 1, back);
  }

  /** @throws what the server says; AbortError: another search began */
  async find(text: string): Promise<void> {
    this.query.value = text;
    this.running?.abort();
    if (!text.trim()) {
      this.matches.value = undefined;
      this.filter.only.value = false;
      setParams({ uiFind: undefined });
      return;
    }
    const mine = (this.running = new AbortController());
    const found = await this.source.find(text, mine.signal);
    if (mine.signal.aborted) return;
    this.matches.value = found;
    setParams({ uiFind: text });
  }
}

export function kindText(t: Trace, row: number): string {
  return KINDS[t.kind[row]] ?? '';
}
