// SPDX-License-Identifier: Apache-2.0
// The shell: header, pages by path, keys that work everywhere. Pages but the search come when they are asked for.
import { render } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import './app.css';
import { setTheme, theme } from './lib/color';
import { config, safeUrl } from './lib/config';
import { localZone, setUtc, utc, zone } from './lib/format';
import { compareHref, picked } from './lib/picked';
import { go, hrefTo, param, path } from './lib/router';
import { Account } from './ui/account';
import { Late, Menu, Toast } from './ui/bits';
import { Help, openHelp } from './ui/help';
import { SearchPage } from './pages/search';
import { openFiles } from './trace/open';

const tracePage = () => import('./pages/trace').then((m) => m.TracePage);
const comparePage = () => import('./pages/compare').then((m) => m.ComparePage);
const mapPage = () => import('./pages/map').then((m) => m.MapPage);
const deepPage = () => import('./pages/deep').then((m) => m.DeepPage);
const pipelinePage = () => import('./pages/pipeline').then((m) => m.PipelinePage);
const qualityPage = () => import('./pages/quality').then((m) => m.QualityPage);
const monitorPage = () => import('./pages/monitor').then((m) => m.MonitorPage);

function Page() {
  const at = path.value;
  const compare = /^\/trace\/([^/]*)\.\.\.([^/]*)$/.exec(at);
  if (compare)
    return (
      <Late
        key="compare"
        load={comparePage}
        props={{ a: decodeURIComponent(compare[1]), b: decodeURIComponent(compare[2]) }}
      />
    );
  const trace = /^\/trace\/([^/]+)$/.exec(at);
  if (trace) return <Late key={at} load={tracePage} props={{ id: decodeURIComponent(trace[1]) }} />;
  if (at === '/dependencies') return <Late key="map" load={mapPage} props={{}} />;
  if (at === '/deep-dependencies') return <Late key="deep" load={deepPage} props={{}} />;
  if (at === '/pipeline') return <Late key="pipeline" load={pipelinePage} props={{}} />;
  if (at === '/quality-metrics') return <Late key="quality" load={qualityPage} props={{}} />;
  if (at === '/monitor') return <Late key="monitor" load={monitorPage} props={{}} />;
  if (at === '/' || at === '/search') return <SearchPage />;
  return (
    <div class="center">
      <div class="empty">
        <h2>There is no such page</h2>
        <p>{at}</p>
        <a href={hrefTo('/search')}>Go to the search</a>
      </div>
    </div>
  );
}

const comparison = (): string => compareHref(picked.value[0] ?? '', picked.value[1] ?? '');

function Nav() {
  const at = path.value;
  const links: [string, string, boolean][] = [
    [hrefTo('/search'), 'Search', at === '/' || at === '/search'],
    [comparison(), 'Compare', at.includes('...')],
  ];
  if (config.dependencies.menuEnabled)
    links.push([hrefTo('/dependencies'), 'Map', at === '/dependencies' || at === '/deep-dependencies']);
  if (config.monitor.menuEnabled) links.push([hrefTo('/monitor'), 'Monitor', at === '/monitor']);
  if (config.qualityMetrics.menuEnabled)
    links.push([hrefTo('/quality-metrics'), config.qualityMetrics.menuLabel, at === '/quality-metrics']);
  links.push([hrefTo('/pipeline'), 'Pipeline', at === '/pipeline']);
  return (
    <nav aria-label="Pages">
      {links.map(([to, text, current]) => (
        <a key={text} href={to} aria-current={current ? 'page' : undefined}>
          {text}
        </a>
      ))}
    </nav>
  );
}

function Lookup() {
  const [text, setText] = useState('');
  const submit = (event: Event) => {
    event.preventDefault();
    const wanted = text.trim();
    if (!wanted) return;
    const id = /[0-9a-f]{16,32}/i.exec(wanted)?.[0];
    if (id || /^[0-9a-f]+$/i.test(wanted)) go(hrefTo(`/trace/${id ?? wanted}`));
    else go(hrefTo('/search', { service: wanted, lookback: config.search.defaultLookback }));
    setText('');
  };
  return (
    <form role="search" onSubmit={submit}>
      <input
        id="lookup"
        aria-label="Trace ID or service"
        placeholder="Trace ID or service"
        autocomplete="off"
        spellcheck={false}
        value={text}
        onInput={(e) => setText(e.currentTarget.value)}
      />
      <kbd aria-hidden="true">Ctrl K</kbd>
    </form>
  );
}

function Header() {
  const next = { system: 'light', light: 'dark', dark: 'system' } as const;
  const names = { system: 'Theme: as the system', light: 'Theme: light', dark: 'Theme: dark' };
  const icons = { system: '◐', light: '☀', dark: '☾' };
  return (
    <header class="top">
      <a class="brand" href={hrefTo('/search')}>
        <svg viewBox="0 0 22 22" fill="currentColor" aria-hidden="true">
          <rect x="1" y="3" width="19" height="4" rx="2" />
          <rect x="4" y="9" width="11" height="4" rx="2" opacity=".75" />
          <rect x="10" y="15" width="9" height="4" rx="2" opacity=".55" />
        </svg>
        <span>Jaeger</span>
      </a>
      <Nav />
      <Lookup />
      <Account />
      {config.menu.map((item) => (
        <CustomMenu key={item.label} item={item} />
      ))}
      {config.themes.enabled && (
        <button
          class="quiet"
          title={names[theme.value]}
          aria-label={names[theme.value]}
          onClick={() => setTheme(next[theme.value])}
        >
          {icons[theme.value]}
        </button>
      )}
      <button
        class="quiet zone"
        title={`Times are in ${zone.value}; change to ${utc.value ? localZone : 'UTC'}`}
        aria-label={`Times are in ${zone.value}`}
        onClick={() => setUtc(!utc.value)}
      >
        {utc.value ? 'UTC' : 'Local'}
      </button>
      <button class="quiet" title="Keys (?)" aria-label="Keyboard help" onClick={openHelp}>
        ?
      </button>
    </header>
  );
}

function CustomMenu({ item }: { item: (typeof config.menu)[number] }) {
  const link = (one: typeof item) => {
    const url = one.url && safeUrl(one.url);
    return url ? (
      <a key={one.label} href={url} target={one.anchorTarget ?? '_blank'} rel="noopener noreferrer">
        {one.label}
      </a>
    ) : null;
  };
  return item.items ? <Menu label={item.label}>{item.items.map(link)}</Menu> : link(item);
}

let chord = 0;
function onKey(event: KeyboardEvent): void {
  const target = event.target as HTMLElement;
  const typing =
    /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName) && (target as HTMLInputElement).type !== 'checkbox';
  if ((event.ctrlKey || event.metaKey) && event.key === 'k') {
    event.preventDefault();
    document.getElementById('lookup')?.focus();
    return;
  }
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === '?') {
    openHelp();
    return;
  }
  if (event.key === 'g') {
    chord = Date.now();
    return;
  }
  const to = {
    s: hrefTo('/search'),
    c: comparison(),
    m: hrefTo('/dependencies'),
    o: hrefTo('/monitor'),
    d: hrefTo('/deep-dependencies'),
    p: hrefTo('/pipeline'),
    q: hrefTo('/quality-metrics'),
  }[event.key];
  if (to && Date.now() - chord < 1000) {
    event.stopImmediatePropagation();
    chord = 0;
    go(to);
  }
}

/** Menus made of <details> close by a click elsewhere and by Esc. */
function closeMenus(event: Event): void {
  if (event instanceof KeyboardEvent && event.key !== 'Escape') return;
  const target = event.target as Element;
  for (const menu of document.querySelectorAll<HTMLDetailsElement>('details.menu[open]')) {
    const inside = menu.contains(target);
    if (inside && !(event instanceof KeyboardEvent)) continue;
    menu.open = false;
    if (!inside) continue;
    menu.querySelector('summary')?.focus();
    event.stopPropagation();
  }
}

async function onDrop(event: DragEvent): Promise<void> {
  const files = [...(event.dataTransfer?.files ?? [])];
  if (files.length === 0) return;
  event.preventDefault();
  await openFiles(files);
}

function App() {
  const main = useRef<HTMLElement>(null);
  useEffect(() => {
    document.addEventListener('keydown', onKey);
    document.addEventListener('keydown', closeMenus, true);
    document.addEventListener('pointerdown', closeMenus);
    document.addEventListener('dragover', (e) => e.preventDefault());
    document.addEventListener('drop', (e) => void onDrop(e));
    const forced = param('uiTheme');
    if (forced === 'dark' || forced === 'light') setTheme(forced, false);
  }, []);
  const embedded = param('uiEmbed') === 'v0';
  return (
    <>
      <a
        class="skip"
        href="#main"
        onClick={(e) => {
          e.preventDefault();
          main.current?.focus();
        }}
      >
        Skip to the content
      </a>
      {!embedded && <Header />}
      <main id="main" tabIndex={-1} ref={main}>
        <Page />
      </main>
      <Help />
      <Toast />
    </>
  );
}

render(<App />, document.getElementById('app')!);
