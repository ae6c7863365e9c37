// SPDX-License-Identifier: Apache-2.0
// Who calls a service and whom it calls, hop by hop, over many traces. Spans of one service in a row are one stop.
import { Flag, type Trace } from '../trace/model';

export interface Stop {
  id: string;
  hop: number; // 0: the focus, below: callers, above: callees
  service: string;
  operation: string; // "" where only services are told apart
  calls: number;
  errors: number;
  trace: string; // one in which it is
}
export interface Step {
  from: string;
  to: string;
  calls: number;
  errors: number;
}
export interface Paths {
  stops: Map<string, Stop>;
  steps: Map<string, Step>;
  traces: number; // that pass the focus
}

export interface Focus {
  service: string;
  operation: string;
  withOperations: boolean;
  up: number; // hops
  down: number;
}

export function newPaths(): Paths {
  return { stops: new Map(), steps: new Map(), traces: 0 };
}

/** One trace as seen from the focus. */
class Walk {
  private readonly key: Uint32Array; // stops that are alike have one number

  constructor(
    private readonly t: Trace,
    private readonly focus: Focus,
    private readonly paths: Paths,
  ) {
    this.key = new Uint32Array(t.n);
    const wide = focus.withOperations || focus.operation !== '';
    for (let i = 0; i < t.n; i++)
      this.key[i] = t.service[i] * (wide ? t.names.length : 1) + (wide ? t.name[i] : 0);
  }

  private stop(hop: number, row: number): Stop {
    const { t, focus } = this;
    const service = t.services[t.service[row]];
    const named = focus.withOperations || (hop === 0 && focus.operation !== '');
    const operation = named ? t.names[t.name[row]] : '';
    const id = `${hop} ${service}\n${operation}`;
    let s = this.paths.stops.get(id);
    if (!s)
      this.paths.stops.set(id, (s = { id, hop, service, operation, calls: 0, errors: 0, trace: t.traceId }));
    s.calls++;
    if (t.flags[row] & Flag.error) s.errors++;
    return s;
  }

  private step(from: Stop, to: Stop, row: number): void {
    if (from.id === to.id) return;
    const id = `${from.id}\r${to.id}`;
    let s = this.paths.steps.get(id);
    if (!s) this.paths.steps.set(id, (s = { from: from.id, to: to.id, calls: 0, errors: 0 }));
    s.calls++;
    if (this.t.flags[row] & Flag.error) s.errors++;
  }

  private upwards(row: number, here: Stop): void {
    let below = here,
      child = row;
    for (let p = this.t.parent[row], hop = 0; p >= 0 && hop < this.focus.up; p = this.t.parent[p]) {
      if (this.key[p] === this.key[child]) continue;
      const caller = this.stop(-++hop, p);
      this.step(caller, below, child);
      below = caller;
      child = p;
    }
  }

  private downwards(row: number, here: Stop): void {
    const { t } = this,
      end = row + t.size[row];
    const hop = new Map([[row, { hop: 0, stop: here }]]);
    for (let i = row + 1; i < end; i++) {
      const parent = hop.get(t.parent[i]);
      if (!parent) continue;
      if (this.key[i] === this.key[t.parent[i]]) hop.set(i, parent);
      else if (parent.hop < this.focus.down) {
        const stop = this.stop(parent.hop + 1, i);
        this.step(parent.stop, stop, i);
        hop.set(i, { hop: parent.hop + 1, stop });
      }
    }
  }

  run(): void {
    const { t, focus } = this;
    let seen = false;
    for (let i = 0; i < t.n; i++) {
      const isFocus =
        t.services[t.service[i]] === focus.service &&
        (!focus.operation || t.names[t.name[i]] === focus.operation);
      if (!isFocus) continue;
      const here = this.stop(0, i);
      this.upwards(i, here);
      this.downwards(i, here);
      i += t.size[i] - 1; // what it calls of itself belongs to it
      seen = true;
    }
    if (seen) this.paths.traces++;
  }
}

export function addPaths(paths: Paths, t: Trace, focus: Focus): void {
  new Walk(t, focus, paths).run();
}
