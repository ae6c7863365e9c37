// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import type { PathNode } from '../src/trace/aggregate';
import { alike, frames, neighbour, totals, weigh } from '../src/trace/frames';

const node = (id: number, parent: number, depth: number, name: string, self: number): PathNode => ({
  id,
  parent,
  service: 's',
  name,
  count: 1,
  errors: 0,
  total: self,
  self,
  first: id,
  depth,
  path: String(id),
});
// a(10) -> b(30) -> c(20); a -> c(40)
const nodes = [
  node(0, -1, 0, 'a', 10),
  node(1, 0, 1, 'b', 30),
  node(2, 1, 2, 'c', 20),
  node(3, 0, 1, 'c', 40),
];
const weights = weigh(nodes);
const shape = { top: -1, above: true, collapsed: new Set<number>() };
const drawn = (part: Partial<typeof shape>) =>
  frames(nodes, weights, { ...shape, ...part })
    .map((f) => `${f.node.id}@${f.y} ${f.x.toFixed(2)}+${f.w.toFixed(2)}`)
    .sort();

describe('frames', () => {
  it('are as wide as their time and their children’s', () =>
    expect(drawn({})).toEqual(['0@0 0.00+1.00', '1@1 0.00+0.50', '2@2 0.00+0.20', '3@1 0.50+0.40']));
  it('keep what is above a focus, or not', () => {
    expect(drawn({ top: 1 })).toEqual(['0@0 0.00+1.00', '1@1 0.00+1.00', '2@2 0.00+0.40']);
    expect(drawn({ top: 1, above: false })).toEqual(['1@0 0.00+1.00', '2@1 0.00+0.40']);
  });
  it('end at what is collapsed', () =>
    expect(drawn({ collapsed: new Set([1]) })).toEqual(['0@0 0.00+1.00', '1@1 0.00+0.50', '3@1 0.50+0.40']));
  it('are found by name, and summed up without counting recursion twice', () => {
    expect([...alike(nodes, 2)]).toEqual([2, 3]);
    expect(totals(nodes, weights).map((x) => [x.name, x.count, x.self, x.total])).toEqual([
      ['c', 2, 60, 60],
      ['b', 1, 30, 50],
      ['a', 1, 10, 100],
    ]);
    const deep = [node(0, -1, 0, 'a', 5), node(1, 0, 1, 'a', 5)];
    expect(totals(deep, weigh(deep))[0]).toMatchObject({ count: 2, self: 10, total: 10 });
  });
  it('are walked by arrows', () => {
    const list = frames(nodes, weights, shape),
      at = (id: number) => list.find((f) => f.node.id === id)!;
    const step = (id: number, key: string) => neighbour(list, at(id), key)?.node.id;
    expect([step(0, 'ArrowDown'), step(1, 'ArrowRight'), step(3, 'ArrowLeft'), step(2, 'ArrowUp')]).toEqual([
      1, 3, 1, 1,
    ]);
    expect([step(0, 'ArrowUp'), step(2, 'ArrowDown'), step(2, 'Home'), step(2, 'x')]).toEqual([
      undefined,
      undefined,
      0,
      undefined,
    ]);
  });
});
