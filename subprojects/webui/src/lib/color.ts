// SPDX-License-Identifier: Apache-2.0
// Service colours: hue and shade by hash, the same on every page; lightness follows the theme.
import { signal } from '@preact/signals';

export type Theme = 'system' | 'light' | 'dark';
const stored = document.documentElement.dataset['theme'];
export const theme = signal<Theme>(stored === 'dark' || stored === 'light' ? stored : 'system');
const systemDark = window.matchMedia('(prefers-color-scheme: dark)');
export const isDark = signal(theme.value === 'dark' || (theme.value === 'system' && systemDark.matches));

function apply(): void {
  isDark.value = theme.value === 'dark' || (theme.value === 'system' && systemDark.matches);
}
systemDark.addEventListener('change', apply);

export function setTheme(next: Theme, keep = true): void {
  theme.value = next;
  if (next === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = next;
  try {
    if (keep && next === 'system') localStorage.removeItem('jaeger.theme');
    else if (keep) localStorage.setItem('jaeger.theme', next);
  } catch {
    /* storage is off */
  }
  apply();
}

export function hash(text: string): number {
  let h = 2166136261;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 16777619);
  h ^= h >>> 15;
  h = Math.imul(h, 2246822519);
  h = Math.imul(h ^ (h >>> 13), 3266489909);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Hues that can be told apart, without the reds (errors have those). */
const HUES = [52, 72, 96, 122, 146, 168, 192, 216, 240, 262, 284, 304, 326, 348];
const SHADES = {
  light: [
    [0.54, 0.13],
    [0.62, 0.12],
    [0.46, 0.11],
  ],
  dark: [
    [0.7, 0.12],
    [0.8, 0.09],
    [0.62, 0.13],
  ],
} as const;

export function serviceColor(service: string, dark = isDark.value): string {
  const h = hash(service),
    [light, chroma] = SHADES[dark ? 'dark' : 'light'][Math.floor(h / 16) % 3];
  return `oklch(${light} ${chroma} ${HUES[Math.floor(h / 64) % HUES.length]})`;
}

const tokens = new Map<string, string>();
let tokensOf: boolean | undefined;
/** The value of a CSS custom property, for canvases. */
export function token(name: string): string {
  if (tokensOf !== isDark.value) {
    tokens.clear();
    tokensOf = isDark.value;
  }
  let value = tokens.get(name);
  if (value === undefined) {
    value = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    tokens.set(name, value);
  }
  return value;
}
