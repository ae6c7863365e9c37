// SPDX-License-Identifier: Apache-2.0
// What link patterns may use of a trace, by Jaeger's names; times in µs.
import type { Trace } from './model';

export function traceFacts(t: Trace): Record<string, string> {
  return {
    traceID: t.traceId,
    traceName: `${t.services[t.service[0]] ?? ''}: ${t.names[t.name[0]] ?? ''}`,
    duration: String(Math.round(t.end / 1000)),
    startTime: String(t.t0 / 1000n),
    endTime: String(t.t0 / 1000n + BigInt(Math.round(t.end / 1000))),
  };
}
