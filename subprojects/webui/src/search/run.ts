// SPDX-License-Identifier: Apache-2.0
// Running a search: first page, further pages, and traces that come from elsewhere (files, IDs in the URL).
import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, failed, search, type Summary } from '../lib/api';
import { load, uploadedTraces } from '../trace/store';
import type { Trace } from '../trace/model';
import { errorAt } from './complete';
import type { Fault } from './form';
import { filterOf, findOf, type Form } from './state';

export interface Found {
  traces: Summary[];
  next: string | undefined;
  /** The server looked at a part of the range only. */
  stoppedEarly: boolean;
  /** The server knows the order; else it holds for what came. */
  ordered: boolean;
  tookMs: number;
}

export function summaryOf(t: Trace): Summary {
  const services = t.services.map((name) => ({ name, spans: 0, errors: 0 }));
  for (let i = 0; i < t.n; i++) services[t.service[i]].spans++;
  return {
    traceId: t.traceId,
    root: t.names[t.name[0]] ?? '',
    rootService: t.services[t.service[0]] ?? '',
    startMs: Number(t.t0 / 1000n) / 1000,
    durationNs: t.end,
    spans: t.n,
    errors: t.errors,
    orphans: t.orphans,
    services,
  };
}

const here = (traces: Summary[]): Found => ({
  traces,
  next: '',
  stoppedEarly: false,
  ordered: false,
  tookMs: 0,
});

export function useSearch() {
  const [found, setFound] = useState<Found>();
  const [busy, setBusy] = useState<'' | 'search' | 'more'>('');
  const [error, setError] = useState('');
  const [fault, setFault] = useState<Fault>();
  const running = useRef<AbortController>();
  const begin = (what: 'search' | 'more'): AbortSignal => {
    running.current?.abort();
    running.current = new AbortController();
    setBusy(what);
    setError('');
    setFault(undefined);
    return running.current.signal;
  };
  const stop = () => {
    running.current?.abort();
    setBusy('');
  };
  useEffect(() => stop, []);

  const refused = (form: Form) =>
    failed((message, cause) => {
      setBusy('');
      const { filter, shift } = filterOf(form);
      const isFilter = cause instanceof ApiError && cause.status === 400 && /(^|\.)filter: /.test(message);
      const at = filter === undefined ? undefined : errorAt(message, filter);
      if (isFilter)
        setFault({
          message,
          at: at === undefined ? undefined : Math.max(0, Math.min(form.filter.length, at - shift)),
        });
      else setError(message);
    });
  const run = (form: Form) => {
    const signal = begin('search'),
      start = performance.now();
    try {
      search(findOf(form), signal).then((page) => {
        const ordered = page.next !== undefined;
        setFound({ ...page, ordered, tookMs: performance.now() - start });
        setBusy('');
      }, refused(form));
    } catch (e) {
      setError((e as Error).message);
      setBusy('');
    }
  };
  const more = (form: Form) => {
    if (!found?.next) return;
    const signal = begin('more'),
      known = new Set(found.traces.map((t) => t.traceId));
    search({ ...findOf(form), cursor: found.next }, signal).then((page) => {
      const fresh = page.traces.filter((t) => !known.has(t.traceId));
      setFound({ ...found, ...page, traces: [...found.traces, ...fresh] });
      setBusy('');
    }, refused(form));
  };
  const show = (traces: Summary[]) => {
    stop();
    setError('');
    setFound(here(traces));
  };
  const showUploads = () => show(uploadedTraces().map((s) => summaryOf(s.trace)));
  /** Traces named in the URL; those that are not there are left out. */
  const showIds = (ids: string[]) => {
    const signal = begin('search');
    void Promise.allSettled(ids.map((id) => load(id, signal))).then((list) => {
      if (signal.aborted) return;
      setBusy('');
      setFound(here(list.flatMap((r) => (r.status === 'fulfilled' ? [summaryOf(r.value.trace)] : []))));
    });
  };
  const clear = () => {
    stop();
    setFound(undefined);
    setError('');
  };
  return { found, busy, error, fault, run, more, stop, clear, showUploads, showIds };
}
