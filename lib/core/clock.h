/* SPDX-License-Identifier: Apache-2.0
 * Time. All code asks here, so that tests can turn the clock.
 */
#ifndef JG_CORE_CLOCK_H
#define JG_CORE_CLOCK_H

#include <stdint.h>

#define JG_NS_PER_US 1000ull
#define JG_NS_PER_MS 1000000ull
#define JG_NS_PER_S  1000000000ull

uint64_t jg_clock_mono_ns(void); /* CLOCK_MONOTONIC, never 0 */
uint64_t jg_clock_unix_ns(void); /* CLOCK_REALTIME */

/** Tests: shift both clocks by so much from now on. Process-wide. */
void jg_clock_advance(int64_t ns);
/** Tests: shift CLOCK_REALTIME only, as when someone sets the clock. */
void jg_clock_step_unix(int64_t ns);

#endif
