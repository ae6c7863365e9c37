/* SPDX-License-Identifier: Apache-2.0
 * The search rules, under the name that drivers know.
 */
#ifndef JG_STORAGE_MATCH_H
#define JG_STORAGE_MATCH_H

#include "model/match.h"

#endif
