// SPDX-License-Identifier: Apache-2.0
// What the server wrote into the page: Jaeger's UI configuration (the keys that make sense here) and capabilities.

export interface LinkPattern {
  type: string;
  key?: string | string[];
  value?: string;
  url: string;
  text: string;
}
export interface MenuItem {
  label: string;
  url?: string;
  anchorTarget?: string;
  items?: MenuItem[];
}

export interface Config {
  archiveEnabled: boolean;
  criticalPathEnabled: boolean;
  disableFileUploadControl: boolean;
  disableJsonView: boolean;
  traceIdDisplayLength: number;
  topTagPrefixes: string[];
  dependencies: { menuEnabled: boolean; dagMaxNumServices: number };
  monitor: { menuEnabled: boolean; docsLink: string };
  search: {
    defaultLookback: string;
    maxLookback: { label: string; value: string };
    maxLimit: number;
    adjustEndTime: string;
  };
  themes: { enabled: boolean };
  menu: MenuItem[];
  linkPatterns: LinkPattern[];
  deepDependencies: { menuEnabled: boolean };
  qualityMetrics: { menuEnabled: boolean; menuLabel: string; apiEndpoint: string };
  traceTimeline: { spanPillsEnabled: boolean };
  traceDiff: { helpLink: string };
  useOpenTelemetryTerms: boolean;
  forbidNewPage: boolean;
}

export interface Capabilities {
  archiveStorage: boolean;
  metricsStorage: boolean;
  searchWithoutServiceName: boolean;
}

declare global {
  interface Window {
    getJaegerUiConfig?: () => unknown;
    getJaegerBackendCapabilities?: () => unknown;
  }
}

const defaults: Config = {
  archiveEnabled: false,
  criticalPathEnabled: true,
  disableFileUploadControl: false,
  disableJsonView: false,
  traceIdDisplayLength: 7,
  topTagPrefixes: ['http.'],
  dependencies: { menuEnabled: true, dagMaxNumServices: 1200 },
  monitor: { menuEnabled: true, docsLink: 'https://www.jaegertracing.io/docs/latest/spm/' },
  search: {
    defaultLookback: '1h',
    maxLookback: { label: '4 weeks', value: '4w' },
    maxLimit: 1500,
    adjustEndTime: '',
  },
  themes: { enabled: true },
  menu: [],
  linkPatterns: [],
  deepDependencies: { menuEnabled: true },
  qualityMetrics: { menuEnabled: true, menuLabel: 'Trace Quality', apiEndpoint: '/api/quality-metrics' },
  traceTimeline: { spanPillsEnabled: true },
  traceDiff: { helpLink: '' },
  useOpenTelemetryTerms: false,
  forbidNewPage: false,
};

/** Objects are merged, everything else replaces; a value of another type than the default is left out. */
export function merge<T>(base: T, over: unknown): T {
  if (over === undefined || over === null) return base;
  if (Array.isArray(base)) return (Array.isArray(over) ? over : base) as T;
  if (typeof base !== 'object' || base === null) return (typeof over === typeof base ? over : base) as T;
  if (typeof over !== 'object') return base;
  const result: Record<string, unknown> = { ...(base as Record<string, unknown>) };
  for (const [key, value] of Object.entries(over))
    if (Object.hasOwn(result, key)) result[key] = merge(result[key], value);
  return result as T;
}

function ask(of: (() => unknown) | undefined): unknown {
  try {
    return of?.();
  } catch {
    return undefined;
  }
}

export const config: Config = merge(defaults, ask(window.getJaegerUiConfig));
export const capabilities: Capabilities = merge(
  { archiveStorage: false, metricsStorage: false, searchWithoutServiceName: false },
  ask(window.getJaegerBackendCapabilities),
);

/** Only these may stand behind a configured link: no script runs by a click. */
export function safeUrl(url: string): string | undefined {
  try {
    const parsed = new URL(url, document.baseURI);
    return ['http:', 'https:', 'mailto:'].includes(parsed.protocol) ? url : undefined;
  } catch {
    return undefined;
  }
}
