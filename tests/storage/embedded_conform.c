/* SPDX-License-Identifier: Apache-2.0 */
#include "conform/storage_conform.h"

JG_STORAGE_CONFORM("embedded", "{directory: '@TMP@'}")
