/* SPDX-License-Identifier: Apache-2.0
 * One stream into several consumers: one after the other, on the caller's thread. Every one is called and
 * gets its own reference; the errors are combined, so one failing exporter fails the request though the
 * others stored it.
 */
#ifndef JG_PIPELINE_FANOUT_H
#define JG_PIPELINE_FANOUT_H

#include <jaeger/batch.h>

/** A consumer, and whether it defers (jaeger/component.h). */
typedef struct jg_sink {
    jaeger_consumer to;
    bool (*defers)(void *self); /* NULL: no */
} jg_sink;

/** @param to `count` consumers; copied into the arena. One consumer is returned as it is; several together do
 *  not defer.
 *  @return to.consume NULL: out of memory */
jg_sink jg_fanout_new(jaeger_arena *arena, const jg_sink *to, size_t count);

/** One stream of several signals: each batch goes to the consumer of its signal. @param to of traces, metrics
 *  and logs, copied into the arena; consume NULL: there are no such batches. One consumer is returned as it
 * is; several defer if all do, or are prompt.
 *  @return to.consume NULL: out of memory */
jg_sink jg_signals_split(jaeger_arena *arena, const jg_sink to[3]);

#endif
