/* SPDX-License-Identifier: Apache-2.0
 * The suite once more with tiny segments, so that nearly all is read from files.
 */
#include "conform/storage_conform.h"

JG_STORAGE_CONFORM("embedded", "{directory: '@TMP@', flush: {spans: 3}}")
