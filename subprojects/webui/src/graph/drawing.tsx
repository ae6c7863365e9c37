// SPDX-License-Identifier: Apache-2.0
// The nodes and edges of a laid out graph as SVG.
import type { GraphEdge, GraphNode } from './graph';
import type { LayoutAnswer } from './layout.worker';

const DENSE = 300,
  LABELS_MAX = 60;

/** So many nodes are small ones, with their title only. */
export const COMPACT = 80;

export interface Size {
  width: number;
  height: number;
}
export const sizeOf = (n: GraphNode, compact: boolean): Size =>
  compact
    ? { width: Math.min(140, Math.max(50, 18 + n.title.length * 6.5)), height: 20 }
    : {
        width: Math.min(240, Math.max(90, 30 + Math.max(n.title.length * 7, (n.sub?.length ?? 0) * 6))),
        height: 40,
      };

function cut(text: string, width: number, per: number): string {
  const max = Math.floor(width / per);
  return text.length > max ? text.slice(0, max - 1) + '…' : text;
}

function pathOf(points: [number, number][]): string {
  if (points.length < 3) return points.map(([x, y], i) => `${i ? 'L' : 'M'}${x} ${y}`).join('');
  let d = `M${points[0][0]} ${points[0][1]}`;
  for (let i = 1; i < points.length - 1; i++) {
    const [x, y] = points[i],
      [nx, ny] = points[i + 1];
    const last = i === points.length - 2;
    d += `Q${x} ${y} ${last ? nx : (x + nx) / 2} ${last ? ny : (y + ny) / 2}`;
  }
  return d;
}

interface EdgeProps {
  edge: GraphEdge;
  points: [number, number][];
  on: boolean;
  away: boolean;
  labelled: boolean;
  width: number;
}

function Edge({ edge, points, on, away, labelled, width }: EdgeProps) {
  const middle = points[Math.floor(points.length / 2)];
  const bad = (edge.errorShare ?? 0) > 0;
  return (
    <g class={away ? 'away' : ''}>
      <path
        class={`edge${on ? ' on' : ''}${bad ? ' failing' : ''}`}
        d={pathOf(points)}
        marker-end={bad ? 'url(#arrow-bad)' : 'url(#arrow)'}
        style={{ strokeWidth: `${width}px`, ...(bad ? { strokeDasharray: `${width * 3} ${width}` } : {}) }}
      >
        <title>{edge.hint ?? `${edge.from} → ${edge.to}`}</title>
      </path>
      {edge.label && middle && (on || labelled) && (
        <text class={`edge-text${bad ? ' failing' : ''}`} x={middle[0]} y={middle[1] - 3}>
          {edge.label}
          {bad && ` · ${percent(edge.errorShare!)} err`}
        </text>
      )}
    </g>
  );
}

export function percent(share: number): string {
  return share > 0 && share < 0.01 ? '<1 %' : `${Math.round(100 * share)} %`;
}

interface NodeProps {
  node: GraphNode;
  at: readonly [number, number];
  on: boolean;
  away: boolean;
  compact: boolean;
  onOpen: ((id: string) => void) | undefined;
  onHover: (id: string | undefined) => void;
}

function Node({ node: n, at, on, away, compact, onOpen, onHover }: NodeProps) {
  const { width: w, height: h } = sizeOf(n, compact);
  return (
    <g
      class={`node ${n.className ?? ''}${on ? ' on' : ''}${away ? ' away' : ''}`}
      transform={`translate(${at[0] - w / 2} ${at[1] - h / 2})`}
      role="button"
      tabIndex={0}
      aria-label={n.hint ?? `${n.title} ${n.sub ?? ''}`}
      onClick={() => onOpen?.(n.id)}
      onKeyDown={(e) => {
        if (e.key !== 'Enter' && e.key !== ' ') return;
        e.preventDefault();
        onOpen?.(n.id);
      }}
      onPointerEnter={() => onHover(n.id)}
      onPointerLeave={() => onHover(undefined)}
      onFocus={() => onHover(n.id)}
      onBlur={() => onHover(undefined)}
    >
      <rect width={w} height={h} rx={compact ? 5 : 7} />
      <rect
        width={compact ? 4 : 5}
        height={h - (compact ? 8 : 14)}
        x={compact ? 4 : 7}
        y={compact ? 4 : 7}
        rx="2"
        style={{ fill: n.color ?? 'var(--faint)', stroke: 'none' }}
      />
      {compact ? (
        <text class="tight" x="12" y="14">
          {cut(n.title, w - 15, 6.4)}
        </text>
      ) : (
        <>
          <text x="19" y={n.sub ? 17 : 24} style={{ fontWeight: 600 }}>
            {cut(n.title, w - 26, 6.9)}
          </text>
          {n.sub && (
            <text class="small" x="19" y="32">
              {cut(n.sub, w - 26, 5.8)}
            </text>
          )}
        </>
      )}
      <title>{n.hint ?? n.title}</title>
    </g>
  );
}

const Arrow = ({ id, fill }: { id: string; fill: string }) => (
  <marker
    id={id}
    viewBox="0 0 8 8"
    refX="7.5"
    refY="4"
    markerWidth="7"
    markerHeight="7"
    markerUnits="userSpaceOnUse"
    orient="auto"
  >
    <path d="M0 0 8 4 0 8z" fill={fill} />
  </marker>
);

interface Props {
  nodes: GraphNode[];
  edges: GraphEdge[];
  placed: LayoutAnswer;
  view: { x: number; y: number; k: number };
  label: string;
  needle: string | undefined;
  active: string | undefined;
  near: Set<string> | undefined;
  onOpen: ((id: string) => void) | undefined;
  onHover: (id: string | undefined) => void;
}

export function Drawing({ nodes, edges, placed, view, label, needle, active, near, onOpen, onHover }: Props) {
  const heaviest = edges.reduce((max, e) => Math.max(max, e.weight ?? 1), 1);
  const compact = nodes.length > COMPACT,
    dense = compact || edges.length > DENSE,
    most = heaviest > 1 ? (dense ? 2 : 4) / Math.log1p(heaviest) : 0;
  const at = new Map(placed.nodes.map(([id, x, y]) => [id, [x, y] as const]));
  return (
    <svg aria-label={label} class={dense ? 'dense' : ''}>
      <defs>
        <Arrow id="arrow" fill="var(--faint)" />
        <Arrow id="arrow-bad" fill="var(--error)" />
      </defs>
      <g transform={`translate(${view.x} ${view.y}) scale(${view.k})`}>
        {edges.map((e, i) => {
          const on = active !== undefined && (e.from === active || e.to === active);
          return (
            <Edge
              key={i}
              edge={e}
              points={placed.edges[i]}
              on={on}
              away={!!near && !on}
              labelled={edges.length <= LABELS_MAX && view.k > 0.45}
              width={1 + most * Math.log1p(e.weight ?? 1)}
            />
          );
        })}
        {nodes.map((n) => {
          const place = at.get(n.id);
          const found = !!needle && (n.title + (n.sub ?? '')).toLowerCase().includes(needle);
          return (
            place && (
              <Node
                key={n.id}
                node={n}
                at={place}
                on={found || n.id === active}
                away={(!!near && !near.has(n.id)) || (!!needle && !found)}
                compact={compact}
                onOpen={onOpen}
                onHover={onHover}
              />
            )
          );
        })}
      </g>
    </svg>
  );
}
