// SPDX-License-Identifier: Apache-2.0
// A trace that is still arriving: the server pushes it whenever it has grown. A lost answer is taken up where it
// ended; where answers do not come in pieces, or too many pages watch, the page asks now and then instead. What was
// folded, found and selected stays.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Source } from './store';
import { View } from './view';

const EVERY_MS = 2000,
  FIRST_BEAT_MS = 3000, // the server sends one at once
  QUIET_MS = 45_000,
  RECENT_MS = 90_000,
  LOST_MAX = 3; // in a row

const sleep = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });

/** Until the page can be seen: what nobody looks at holds no connection. */
const visible = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const look = () => {
      if (document.hidden && !signal.aborted) return;
      document.removeEventListener('visibilitychange', look);
      resolve();
    };
    document.addEventListener('visibilitychange', look);
    signal.addEventListener('abort', look);
    look();
  });

/** Aborts with the outer signal, when the page is hidden, and when nothing comes at first. */
function guard(outer: AbortSignal): { signal: AbortSignal; beat: () => void; done: () => void } {
  const own = new AbortController();
  const end = () => own.abort();
  const hide = () => document.hidden && own.abort();
  const timer = setTimeout(end, FIRST_BEAT_MS);
  outer.addEventListener('abort', end);
  document.addEventListener('visibilitychange', hide);
  return {
    signal: own.signal,
    beat: () => clearTimeout(timer),
    done: () => {
      clearTimeout(timer);
      outer.removeEventListener('abort', end);
      document.removeEventListener('visibilitychange', hide);
    },
  };
}

interface Follow {
  source: () => Source;
  grown: (next: Source) => void;
  quiet: () => boolean;
}

/** @return it cannot be had: ask instead */
async function pushed({ source, grown, quiet }: Follow, signal: AbortSignal): Promise<void> {
  for (let lost = 0; lost < LOST_MAX && !quiet();) {
    await visible(signal);
    const now = source();
    if (signal.aborted || !now.watch) return;
    const guarded = guard(signal);
    let came = false;
    try {
      await now.watch(
        guarded.signal,
        () => {
          guarded.beat();
          came = true;
        },
        grown,
      );
      lost = 0;
    } catch {
      if (!came && !document.hidden) return; // nothing ever comes: no use to try again
      if (!document.hidden) lost++;
      await sleep(lost * 300, signal);
    } finally {
      guarded.done();
    }
  }
}

async function asked({ source, grown, quiet }: Follow, signal: AbortSignal): Promise<void> {
  while (!quiet() && !signal.aborted) {
    await sleep(EVERY_MS, signal);
    await visible(signal);
    if (signal.aborted) return;
    try {
      const next = await source().again?.(signal);
      if (next && !signal.aborted) grown(next);
    } catch {
      /* the next time may go better */
    }
  }
}

export function useLive(source: Source): { view: View; live: boolean } {
  const [view, setView] = useState(() => new View(source));
  const [live, setLive] = useState(false);
  const current = useRef(view);
  useEffect(() => {
    const { t } = current.current;
    const endMs = Number(t.t0 / 1_000_000n) + t.end / 1e6;
    if (!source.again || Date.now() - endMs > RECENT_MS) return undefined;
    const abort = new AbortController();
    let changedMs = Date.now();
    const follow: Follow = {
      source: () => current.current.source,
      grown: (next) => {
        changedMs = Date.now();
        current.current = new View(next, current.current);
        setView(current.current);
      },
      quiet: () => Date.now() - changedMs > QUIET_MS,
    };
    setLive(true);
    void pushed(follow, abort.signal)
      .then(() => asked(follow, abort.signal))
      .then(() => setLive(false));
    return () => abort.abort();
  }, [source]);
  return { view, live };
}
