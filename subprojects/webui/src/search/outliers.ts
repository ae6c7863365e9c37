// SPDX-License-Identifier: Apache-2.0
// Traces that took far longer than others of the same root: beyond the median by more than five times the median
// deviation, on the logarithmic scale on which durations lie.
import type { Summary } from '../lib/api';

const GROUP_MIN = 8,
  DEVIATIONS = 5,
  RATIO_MIN = 1.5;

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

export function outliers(traces: Summary[]): Set<string> {
  const groups = new Map<string, Summary[]>();
  for (const t of traces) {
    const key = `${t.rootService}\0${t.root}`,
      group = groups.get(key);
    if (group) group.push(t);
    else groups.set(key, [t]);
  }
  const found = new Set<string>();
  for (const group of groups.values()) {
    if (group.length < GROUP_MIN) continue;
    const logs = group.map((t) => Math.log(Math.max(t.durationNs, 1)));
    const middle = median(logs);
    const deviation = median(logs.map((x) => Math.abs(x - middle)));
    const limit = middle + Math.max(DEVIATIONS * deviation, Math.log(RATIO_MIN));
    group.forEach((t, i) => {
      if (logs[i] > limit) found.add(t.traceId);
    });
  }
  return found;
}
