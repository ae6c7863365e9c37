// SPDX-License-Identifier: Apache-2.0
// Prometheus' text format, as far as our own server writes it: samples with labels; comments are left out.

export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

const LINE = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (NaN|[-+]?Inf|[-+.\de]+)(?: |$)/;
const LABEL = /([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"/g;

const unescape = (text: string): string => text.replace(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c));

export function parseMetrics(text: string): Sample[] {
  const samples: Sample[] = [];
  for (const line of text.split('\n')) {
    if (line.startsWith('#')) continue;
    const match = LINE.exec(line);
    if (!match) continue;
    const labels: Record<string, string> = {};
    for (const [, key, value] of (match[2] ?? '').matchAll(LABEL)) labels[key] = unescape(value);
    samples.push({ name: match[1], labels, value: Number(match[3].replace('Inf', 'Infinity')) });
  }
  return samples;
}

/** What the page asks of one answer. */
export class Metrics {
  private readonly byName = new Map<string, Sample[]>();

  constructor(
    text: string,
    readonly atMs: number,
  ) {
    for (const s of parseMetrics(text)) {
      // Counters may or may not end in _total.
      const name = s.name.replace(/_total$/, ''),
        list = this.byName.get(name);
      if (list) list.push(s);
      else this.byName.set(name, [s]);
    }
  }

  all(name: string): Sample[] {
    return this.byName.get(name) ?? [];
  }

  /** Of all series that have these labels; undefined: there is none. */
  sum(name: string, labels: Record<string, string> = {}): number | undefined {
    const fitting = this.all(name).filter((s) => Object.entries(labels).every(([k, v]) => s.labels[k] === v));
    return fitting.length ? fitting.reduce((sum, s) => sum + s.value, 0) : undefined;
  }
}
