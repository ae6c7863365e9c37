// SPDX-License-Identifier: Apache-2.0
// The spans of a trace as CSV (RFC 4180), parents before their children.
import { Flag, KINDS, spanId, type Trace } from './model';

/** Quoted where it must be; what a spreadsheet would take for a formula is made text. */
function cell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
}

export function csv(t: Trace): string {
  const lines = ['span_id,parent_id,service,name,kind,start_ns,duration_ns,self_ns,error'];
  for (let i = 0; i < t.n; i++) {
    const parent = t.parent[i] < 0 ? '' : spanId(t, t.parent[i]);
    const texts = [t.services[t.service[i]], t.names[t.name[i]], KINDS[t.kind[i]] ?? ''].map(cell);
    const start = String(t.t0 + BigInt(Math.round(t.start[i])));
    lines.push(
      [spanId(t, i), parent, ...texts, start, t.duration[i], t.self[i], t.flags[i] & Flag.error ? 1 : 0].join(
        ',',
      ),
    );
  }
  return lines.join('\r\n') + '\r\n';
}
