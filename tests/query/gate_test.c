/* SPDX-License-Identifier: Apache-2.0 */
#include "core/clock.h"
#include "query/gate.h"
#include "support/test.h"

static void gate_lets_so_many_in_and_no_more(void **state)
{
    (void)state;
    jg_gate gate;
    jg_gate_pass passes[3];
    int gone = 1;
    jaeger_call call = JAEGER_CALL_INIT, left = JAEGER_CALL_INIT, late = JAEGER_CALL_INIT;
    left.cancelled = &gone;
    jg_gate_init(&gate, 2);
    assert_ok(jg_gate_enter(&gate, &passes[0], &call));
    assert_ok(jg_gate_enter(&gate, &passes[1], &call));
    assert_int_equal(jg_gate_enter(&gate, &passes[2], &left), JAEGER_CANCELLED);
    late.deadline_ns = jg_clock_mono_ns() + JG_NS_PER_MS;
    assert_int_equal(jg_gate_enter(&gate, &passes[2], &late), JAEGER_DEADLINE_EXCEEDED);
    jg_gate_leave(&passes[2]); /* has none */
    jg_gate_leave(&passes[0]);
    jg_gate_leave(&passes[0]); /* gave it back already */
    assert_ok(jg_gate_enter(&gate, &passes[2], &call));
    assert_int_equal(gate.running, 2);
    jg_gate_leave(&passes[1]);
    jg_gate_leave(&passes[2]);
    assert_int_equal(gate.running, 0);
    jg_gate_done(&gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(gate_lets_so_many_in_and_no_more)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
