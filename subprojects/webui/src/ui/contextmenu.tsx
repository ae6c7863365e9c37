// SPDX-License-Identifier: Apache-2.0
// A menu at a place, for what a right click or the menu key offers. Arrows walk it, Esc closes it.
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

export interface MenuEntry {
  text: string;
  act: () => void;
  disabled?: boolean;
}
interface Props {
  x: number;
  y: number;
  label: string;
  entries: MenuEntry[];
  onClose: () => void;
}

export function ContextMenu({ x, y, label, entries, onClose }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const [at, setAt] = useState({ x, y });
  useLayoutEffect(() => {
    const { width, height } = box.current!.getBoundingClientRect();
    setAt({
      x: Math.max(4, Math.min(x, window.innerWidth - width - 4)),
      y: Math.max(4, Math.min(y, window.innerHeight - height - 4)),
    });
  }, [x, y]);
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    box.current?.querySelector<HTMLElement>('button:not(:disabled)')?.focus();
    const away = (e: Event) => {
      if (!box.current?.contains(e.target as Node)) onClose();
    };
    document.addEventListener('pointerdown', away);
    window.addEventListener('blur', onClose);
    return () => {
      document.removeEventListener('pointerdown', away);
      window.removeEventListener('blur', onClose);
      before?.focus();
    };
  }, []);
  const onKeyDown = (e: KeyboardEvent) => {
    const all = [...box.current!.querySelectorAll<HTMLElement>('button:not(:disabled)')];
    const now = all.indexOf(document.activeElement as HTMLElement);
    const to = { ArrowDown: now + 1, ArrowUp: now - 1 + all.length, Home: 0, End: all.length - 1 }[e.key];
    if (to !== undefined) all[to % all.length].focus();
    else if (e.key === 'Escape' || e.key === 'Tab') onClose();
    else if (e.key !== 'Enter' && e.key !== ' ') return;
    e.stopPropagation();
    if (e.key !== 'Enter' && e.key !== ' ') e.preventDefault();
  };
  return (
    <div
      class="contextmenu"
      role="menu"
      aria-label={label}
      ref={box}
      style={{ left: `${at.x}px`, top: `${at.y}px` }}
      onKeyDown={onKeyDown}
      onContextMenu={(e) => e.preventDefault()}
    >
      {entries.map((entry) => (
        <button
          key={entry.text}
          role="menuitem"
          tabIndex={-1}
          disabled={entry.disabled}
          onClick={() => {
            onClose();
            entry.act();
          }}
        >
          {entry.text}
        </button>
      ))}
    </div>
  );
}
