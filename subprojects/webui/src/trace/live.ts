// SPDX-License-Identifier: Apache-2.0
// A trace that is still arriving is asked for again until nothing came for a while. What was folded, found and
// selected stays.
import { useEffect, useRef, useState } from 'preact/hooks';
import { View } from './view';
import type { Source } from './store';

const EVERY_MS = 2000,
  QUIET_MS = 45_000,
  RECENT_MS = 90_000;

export function useLive(source: Source): { view: View; live: boolean } {
  const [view, setView] = useState(() => new View(source));
  const [live, setLive] = useState(false);
  const current = useRef(view);
  useEffect(() => {
    const { t } = current.current;
    const endMs = Number(t.t0 / 1_000_000n) + t.end / 1e6;
    if (!source.again || Date.now() - endMs > RECENT_MS) return undefined;
    const abort = new AbortController();
    let changedMs = Date.now(),
      timer = 0;
    const look = async () => {
      try {
        const next = document.hidden ? undefined : await current.current.source.again?.(abort.signal);
        if (abort.signal.aborted) return;
        if (next) {
          changedMs = Date.now();
          current.current = new View(next, current.current);
          setView(current.current);
        }
      } catch {
        /* the next time may go better */
      }
      if (!abort.signal.aborted && Date.now() - changedMs < QUIET_MS)
        timer = window.setTimeout(() => void look(), EVERY_MS);
      else setLive(false);
    };
    setLive(true);
    timer = window.setTimeout(() => void look(), EVERY_MS);
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [source]);
  return { view, live };
}
