// SPDX-License-Identifier: Apache-2.0
// Which spans of a trace a preview has room for.
import type { Trace } from '../trace/model';

/** The rows to show: whole levels as long as they fit, else the first ones. */
export function upperRows(t: Pick<Trace, 'n' | 'depth'>, most: number): number[] {
  const perDepth: number[] = [];
  for (let i = 0; i < t.n; i++) perDepth[t.depth[i]] = (perDepth[t.depth[i]] ?? 0) + 1;
  let levels = 0,
    sum = 0;
  while (levels < perDepth.length && sum + perDepth[levels] <= most) sum += perDepth[levels++];
  const rows: number[] = [];
  for (let i = 0; i < t.n && rows.length < most; i++) if (t.depth[i] < Math.max(levels, 2)) rows.push(i);
  return rows;
}
