// SPDX-License-Identifier: Apache-2.0
// The trace as a graph of call paths: equal calls below one parent are one node.
import { useMemo } from 'preact/hooks';
import { Graph } from '../graph/graph';
import { serviceColor } from '../lib/color';
import { duration, plural } from '../lib/format';
import { Empty } from '../ui/bits';
import { callPaths } from './aggregate';
import type { View } from './view';

const NODES_MAX = 600;

export function PathGraph({ view, onOpen }: { view: View; onOpen: (row: number) => void }) {
  const nodes = useMemo(() => callPaths(view.t), [view]);
  const shown = useMemo(
    () => ({
      nodes: nodes.slice(0, NODES_MAX).map((n) => ({
        id: String(n.id),
        title: n.name || '(no name)',
        sub: `${n.service} · ${n.count > 1 ? `×${n.count} · ` : ''}${duration(n.total)}`,
        color: serviceColor(n.service),
        className: n.errors ? 'bad' : '',
        hint: `${n.service} ${n.name}: ${plural(n.count, 'span')}, total ${duration(n.total)}, self ${duration(n.self)}${n.errors ? `, ${plural(n.errors, 'error')}` : ''}`,
      })),
      edges: nodes
        .slice(0, NODES_MAX)
        .filter((n) => n.parent >= 0)
        .map((n) => ({ from: String(n.parent), to: String(n.id), weight: n.count })),
    }),
    [nodes],
  );
  if (nodes.length === 0) return <Empty title="No spans" />;
  return (
    <div class="split" style={{ flexDirection: 'column' }}>
      {nodes.length > NODES_MAX && (
        <p class="notice warn" style={{ margin: '8px 14px 0' }}>
          {nodes.length} call paths; the first {NODES_MAX} are shown.
        </p>
      )}
      <Graph
        nodes={shown.nodes}
        edges={shown.edges}
        label="Call paths of the trace"
        find={view.query.value}
        onOpen={(id) => onOpen(nodes[Number(id)].first)}
      />
    </div>
  );
}
