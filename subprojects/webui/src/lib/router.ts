// SPDX-License-Identifier: Apache-2.0
// The address bar as a signal. All state worth sharing lives in it; paths and parameters are the official UI's.
import { computed, effect, signal } from '@preact/signals';

/** "/" or "/jaeger/": what the server wrote into <base>. */
export const prefix = new URL(document.baseURI).pathname;

interface Place {
  path: string;
  query: URLSearchParams;
}

function here(): Place {
  const path = location.pathname.startsWith(prefix)
    ? location.pathname.slice(prefix.length)
    : location.pathname.slice(1);
  return { path: '/' + path.replace(/\/+$/, ''), query: new URLSearchParams(location.search) };
}

export const place = signal<Place>(here());
export const path = computed(() => place.value.path);

export function hrefTo(to: string, query?: Record<string, string | undefined> | URLSearchParams): string {
  const params = query instanceof URLSearchParams ? query : new URLSearchParams();
  if (query && !(query instanceof URLSearchParams))
    for (const [key, value] of Object.entries(query))
      if (value !== undefined && value !== '') params.set(key, value);
  const text = params.toString();
  return prefix + to.replace(/^\//, '') + (text ? '?' + text : '');
}

export function go(href: string, options: { replace?: boolean } = {}): void {
  if (options.replace) history.replaceState(null, '', href);
  else history.pushState(null, '', href);
  place.value = here();
  if (!options.replace) window.scrollTo(0, 0);
}

/** Set some parameters of the current page; undefined removes one. */
export function setParams(changes: Record<string, string | undefined>, replace = true): void {
  const query = new URLSearchParams(location.search);
  for (const [key, value] of Object.entries(changes)) {
    if (value === undefined || value === '') query.delete(key);
    else query.set(key, value);
  }
  const text = query.toString();
  const href = location.pathname + (text ? '?' + text : '');
  if (href !== location.pathname + location.search) go(href, { replace });
}

export function param(name: string): string | undefined {
  return place.value.query.get(name) ?? undefined;
}

let searched: string | undefined;
/** Where the last results are; undefined: nothing was searched since the page was loaded. */
export function lastSearch(): string | undefined {
  return searched;
}
effect(() => {
  const { path: at, query } = place.value;
  if (at === '/search' && query.size > 0) searched = hrefTo('/search', query);
});

window.addEventListener('popstate', () => {
  place.value = here();
});
// Plain left clicks on our own links stay in the page.
document.addEventListener('click', (event) => {
  if (
    event.defaultPrevented ||
    event.button !== 0 ||
    event.metaKey ||
    event.ctrlKey ||
    event.shiftKey ||
    event.altKey
  )
    return;
  const link = (event.target as Element | null)?.closest?.('a[href]') as HTMLAnchorElement | null;
  if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
  if (!link.pathname.startsWith(prefix) || link.pathname.startsWith(prefix + 'api/')) return;
  event.preventDefault();
  go(link.href);
});
