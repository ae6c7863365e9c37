/* SPDX-License-Identifier: Apache-2.0
 * Feature gates: every one that Jaeger knows is accepted; a few change something here.
 */
#ifndef JG_SERVICE_GATES_H
#define JG_SERVICE_GATES_H

#include "core/attr.h"
#include <jaeger/base.h>

typedef enum jg_gate_stage { JG_GATE_ALPHA, JG_GATE_BETA, JG_GATE_STABLE } jg_gate_stage;

typedef struct jg_gate {
    const char *id;
    bool on; /* unless set otherwise */
    jg_gate_stage stage;
    const char *doc;
} jg_gate;

#define JG_GATES_MAX 64 /* the table is static; tests check that it fits */

extern const jg_gate jg_gates[];
extern const size_t jg_gate_count;

/** Fill `ret` (JG_GATES_MAX) with the defaults and apply "a,-b,+c"; NULL or empty: defaults.
 *  @return INVALID_ARGUMENT: an unknown gate, or a stable one switched off */
jaeger_status jg_gates_parse(const char *text, bool *ret, jaeger_error *err) JG_MUST_CHECK;
/** false for unknown ids. */
bool jg_gates_get(const bool *gates, const char *id);
/** Its id; NULL at the end. */
const char *jg_gates_at(size_t index);

#endif
