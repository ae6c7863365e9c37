/* SPDX-License-Identifier: Apache-2.0
 * One stream into several consumers: one after the other, on the caller's thread. Every one is called and
 * gets its own reference; the errors are combined, so one failing exporter fails the request though the
 * others stored it.
 */
#ifndef JG_PIPELINE_FANOUT_H
#define JG_PIPELINE_FANOUT_H

#include <jaeger/batch.h>

/** @param to `count` consumers; copied into the arena. One consumer is returned as it is.
 *  @return consume NULL: out of memory */
jaeger_consumer jg_fanout_new(jaeger_arena *arena, const jaeger_consumer *to, size_t count);

/** One stream of several signals: each batch goes to the consumer of its signal. @param to of traces, metrics
 *  and logs, copied into the arena; consume NULL: there are no such batches. One consumer is returned as it
 * is.
 *  @return consume NULL: out of memory */
jaeger_consumer jg_signals_split(jaeger_arena *arena, const jaeger_consumer to[3]);

#endif
