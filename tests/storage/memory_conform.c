/* SPDX-License-Identifier: Apache-2.0 */
#include "conform/storage_conform.h"

/* It is gone after a stop; all else holds. */
JG_STORAGE_CONFORM_SKIP("memory", "max_traces: 100000", JG_SKIP_REOPEN)
