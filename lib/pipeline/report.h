/* SPDX-License-Identifier: Apache-2.0
 * What is wrong with a configuration: all of it, one fault a line, as a person wants to read it.
 */
#ifndef JG_PIPELINE_REPORT_H
#define JG_PIPELINE_REPORT_H

#include "core/buf.h"

/** How far the configuration got; later stages are not entered once an earlier one has faults. */
typedef enum jg_fault_stage {
    JG_FAULT_DECODE,   /* unknown keys, wrong types, unknown components */
    JG_FAULT_VALIDATE, /* references, missing sections, checks of components */
    JG_FAULT_BUILD     /* the graph and the creation of components */
} jg_fault_stage;

typedef struct jg_report {
    jg_buf text;
    size_t count;
    jg_fault_stage stage; /* of the faults in `text` */
} jg_report;

#define JG_REPORT_BYTES_MAX (64u << 10) /* a reader gives up long before */
#define JG_REPORT_INIT      ((jg_report){.text = JG_BUF_INIT(JG_REPORT_BYTES_MAX)})

void jg_report_done(jg_report *report);
#define JG_AUTO_REPORT JG_CLEANUP(jg_report_done)

void jg_report_add(jg_report *report, const char *format, ...) JG_PRINTF(2, 3);
/** Put every fault into `err`: INVALID_ARGUMENT, or OK if there is none. */
jaeger_status jg_report_status(const jg_report *report, jaeger_error *err);

#endif
