// SPDX-License-Identifier: Apache-2.0
// Tables whose heads sort them.
import { useState } from 'preact/hooks';
import { Sorter } from './bits';

/** Key, title, and what it is sorted by. */
export type Column<T> = [string, string, (x: T) => number | string];

/** @param first the key of the column that sorts at first */
export function useSort<T>(columns: Column<T>[], first: string) {
  const [sort, set] = useState({ by: first, up: false });
  const of = columns.find(([key]) => key === sort.by)![2];
  const order = (a: T, b: T) => {
    const x = of(a),
      y = of(b);
    return (sort.up ? 1 : -1) * (typeof x === 'string' ? x.localeCompare(y as string) : x - (y as number));
  };
  const head = (key: string, text: string, num = true) => (
    <th
      key={key}
      class={num ? 'num' : ''}
      scope="col"
      aria-sort={sort.by === key ? (sort.up ? 'ascending' : 'descending') : 'none'}
    >
      <Sorter
        active={sort.by === key}
        up={sort.up}
        onClick={() => set({ by: key, up: sort.by === key ? !sort.up : !num })}
      >
        {text}
      </Sorter>
    </th>
  );
  return { order, head, key: `${sort.by} ${sort.up}` };
}
