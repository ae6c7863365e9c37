// SPDX-License-Identifier: Apache-2.0
// The list of keys.
import { useEffect, useRef } from 'preact/hooks';
import { signal } from '@preact/signals';

const open = signal(false);
export function openHelp(): void {
  open.value = true;
}

export const KEYS: [string, string][] = [
  ['Ctrl K', 'Trace ID or service'],
  ['g s · g c · g m · g d', 'Search, Compare, Map, Deep'],
  ['g o · g p · g q', 'Monitor, Pipeline, Quality'],
  ['?', 'This help'],
  ['/ or Ctrl B', 'Find in the trace'],
  ['n / N', 'Next, previous match'],
  ['e / E', 'Next, previous error'],
  ['↑ ↓ or j k', 'Row up, down'],
  ['← →', 'Fold, unfold; to parent, child'],
  ['Home / End', 'First, last row'],
  ['Enter', 'Details of the span'],
  ['] / [', 'Fold all, unfold all'],
  ['p / o', 'Fold, unfold a level'],
  ['f / b', 'Next, previous span'],
  ['s / w', 'Scroll down, up'],
  ['a / d', 'Pan left, right (Shift: more)'],
  ['Ctrl ↑ / Ctrl ↓', 'Zoom in, out'],
  ['z', 'Zoom to the span'],
  ['0', 'Whole trace'],
  ['c', 'Critical path'],
  ['r', 'Group repeated siblings'],
  ['.', 'Only this span and below'],
  ['x', 'Hide the service'],
  ['y', 'Copy a link to the span'],
  ['Esc', 'Close, clear'],
];

export function Help() {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (open.value) ref.current?.showModal();
  }, [open.value]);
  if (!open.value) return null;
  return (
    <dialog
      ref={ref}
      aria-label="Keys"
      onClose={() => {
        open.value = false;
      }}
      onClick={(e) => {
        if (e.target === ref.current) ref.current?.close();
      }}
    >
      <div class="row">
        <h2 class="grow">Keys</h2>
        <button class="quiet" aria-label="Close" onClick={() => ref.current?.close()}>
          ✕
        </button>
      </div>
      <ul class="keys">
        {KEYS.map(([key, what]) => (
          <li key={key}>
            <span>{what}</span>
            <kbd>{key}</kbd>
          </li>
        ))}
      </ul>
    </dialog>
  );
}
