// SPDX-License-Identifier: Apache-2.0
// Small pieces that every page uses.
import { signal } from '@preact/signals';
import type { ComponentChildren, ComponentType } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { serviceColor } from '../lib/color';

export function Dot({ service }: { service: string }) {
  return <i class="dot" style={{ background: serviceColor(service) }} />;
}

export function Loading({ what, onCancel }: { what: string; onCancel?: () => void }) {
  // Fast answers show nothing: no flicker below 200 ms.
  const [shown, show] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => show(true), 200);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div class="center" role="status" aria-busy="true">
      {shown && (
        <div class="empty">
          <div class="spin" />
          <p>{what}</p>
          {onCancel && <button onClick={onCancel}>Cancel</button>}
        </div>
      )}
    </div>
  );
}

export function Failure({ error, onRetry }: { error: string; onRetry?: () => void }) {
  return (
    <div class="notice row" role="alert">
      <span class="grow">{error}</span>
      {onRetry && <button onClick={onRetry}>Try again</button>}
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="center">
      <div class="empty">
        <svg
          viewBox="0 0 56 56"
          fill="none"
          stroke="currentColor"
          stroke-width="3"
          stroke-linecap="round"
          aria-hidden="true"
        >
          <path d="M8 12h30M14 22h22M22 32h20M30 42h8" />
        </svg>
        <h2>{title}</h2>
        {children}
      </div>
    </div>
  );
}

/** A page in a chunk of its own. */
export function Late<P extends object>({ load, props }: { load: () => Promise<ComponentType<P>>; props: P }) {
  const [page, setPage] = useState<{ of: ComponentType<P> }>();
  const [failed, fail] = useState(false);
  useEffect(() => {
    load().then(
      (of) => setPage({ of }),
      () => fail(true),
    );
  }, []);
  if (failed)
    return (
      <div class="center" role="alert">
        <div class="empty">
          <h2>This part of the page could not be loaded.</h2>
          <button onClick={() => location.reload()}>Reload</button>
        </div>
      </div>
    );
  if (!page) return <Loading what="Loading the page…" />;
  return <page.of {...props} />;
}

const toastText = signal('');
let toastTimer = 0;
export function toast(text: string): void {
  toastText.value = text;
  clearTimeout(toastTimer);
  toastTimer = window.setTimeout(() => {
    toastText.value = '';
  }, 2200);
}
export function Toast() {
  return <div role="status">{toastText.value && <div class="toast">{toastText.value}</div>}</div>;
}

export async function copy(text: string, what = 'Copied'): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toast(what);
  } catch {
    toast('The browser does not allow copying here.');
  }
}

export function download(name: string, content: BlobPart, type = 'application/json'): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** Width and height of an element, as it changes. */
export function useSize<T extends HTMLElement>() {
  const ref = useRef<T>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  useEffect(() => {
    const element = ref.current;
    if (!element) return undefined;
    const observer = new ResizeObserver(() =>
      setSize({ width: element.clientWidth, height: element.clientHeight }),
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [ref, size] as const;
}

/** A canvas of CSS pixels, sharp on any screen. */
export function context(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D {
  const ratio = window.devicePixelRatio || 1;
  const w = Math.max(1, Math.round(width * ratio)),
    h = Math.max(1, Math.round(height * ratio));
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const g = canvas.getContext('2d')!;
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.clearRect(0, 0, width, height);
  return g;
}

export function Menu({ label, children }: { label: string; children: ComponentChildren }) {
  const [open, setOpen] = useState(false);
  const ref = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return undefined;
    const close = (event: Event) => {
      if (
        event instanceof KeyboardEvent ? event.key === 'Escape' : !ref.current?.contains(event.target as Node)
      )
        setOpen(false);
    };
    document.addEventListener('pointerdown', close);
    document.addEventListener('keydown', close);
    return () => {
      document.removeEventListener('pointerdown', close);
      document.removeEventListener('keydown', close);
    };
  }, [open]);
  return (
    <div class="menu" ref={ref}>
      <button aria-expanded={open} onClick={() => setOpen(!open)}>
        {label} <span aria-hidden="true">▾</span>
      </button>
      {open && <div onClick={() => setOpen(false)}>{children}</div>}
    </div>
  );
}

export function Sorter({
  active,
  up,
  onClick,
  children,
}: {
  active: boolean;
  up: boolean;
  onClick: () => void;
  children: ComponentChildren;
}) {
  return (
    <button onClick={onClick}>
      {children} <span aria-hidden="true">{active ? (up ? '▲' : '▼') : ''}</span>
    </button>
  );
}

/** Pointer drags: calls `move` with the pointer until it is let go. */
export function drag(
  event: PointerEvent,
  move: (x: number, y: number) => void,
  done?: (x: number, moved: boolean) => void,
): void {
  const target = event.currentTarget as HTMLElement;
  target.setPointerCapture(event.pointerId);
  let moved = false;
  const onMove = (e: PointerEvent) => {
    moved ||= Math.abs(e.clientX - event.clientX) > 3 || Math.abs(e.clientY - event.clientY) > 3;
    move(e.clientX, e.clientY);
  };
  const onUp = (e: PointerEvent) => {
    target.removeEventListener('pointermove', onMove);
    target.removeEventListener('pointerup', onUp);
    target.removeEventListener('pointercancel', onUp);
    done?.(e.clientX, moved);
  };
  target.addEventListener('pointermove', onMove);
  target.addEventListener('pointerup', onUp);
  target.addEventListener('pointercancel', onUp);
}
