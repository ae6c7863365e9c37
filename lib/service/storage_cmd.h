/* SPDX-License-Identifier: Apache-2.0
 * The command `storage` of every binary.
 */
#ifndef JG_SERVICE_STORAGE_CMD_H
#define JG_SERVICE_STORAGE_CMD_H

/** argv[0]: "storage", argv[1]: stats, verify, compact or export. @return exit code */
int jg_storage_command(int argc, char **argv);

#endif
