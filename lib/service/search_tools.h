/* SPDX-License-Identifier: Apache-2.0
 * The commands for OpenSearch and Elasticsearch of every binary, with the names and flags of Jaeger's tools:
 * es-index-cleaner, es-rollover init|rollover|lookback, esmapping-generator; and our own es-dependencies.
 */
#ifndef JG_SERVICE_SEARCH_TOOLS_H
#define JG_SERVICE_SEARCH_TOOLS_H

#include <stdbool.h>

/** Is that the name of such a command? */
bool jg_search_tools_have(const char *command);
/** argv[0]: the command. Answers on stdout, faults on stderr. @return exit code; 1: it failed, 2: usage */
int jg_search_tools_run(int argc, char **argv);

#endif
