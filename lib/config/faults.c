/* SPDX-License-Identifier: Apache-2.0
 * See faults.h.
 */
#include "config/faults.h"

#include "config/load.h"
#include "core/err.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TAIL_BYTES 32 /* "\nand 18446744073709551615 more" and its end */

static void add_line(jg_faults *faults, const char *line, size_t len)
{
    size_t room = sizeof faults->text - TAIL_BYTES - faults->len, joint = faults->count ? 1 : 0;
    faults->count++;
    if (faults->hidden || (len + joint > room && faults->len)) {
        faults->hidden++;
        return;
    }
    if (joint)
        faults->text[faults->len++] = '\n';
    len = JG_MIN(len, room); /* a first line that is too long is cut */
    memcpy(faults->text + faults->len, line, len);
    faults->len += len;
    faults->text[faults->len] = 0;
}

void jg_faults_add(jg_faults *faults, const jaeger_config *node, const char *format, ...)
{
    jaeger_error fault;
    char text[sizeof fault.message];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void)jg_config_fail(&fault, node, "%s", text);
    add_line(faults, fault.message, strlen(fault.message));
}

void jg_faults_add_error(jg_faults *faults, const jaeger_error *err)
{
    for (const char *line = err->message; line;) {
        const char *end = strchr(line, '\n');
        add_line(faults, line, end ? (size_t)(end - line) : strlen(line));
        line = end ? end + 1 : NULL;
    }
}

jaeger_status jg_faults_end(const jg_faults *faults, jaeger_error *err)
{
    if (faults->count == 0)
        return JAEGER_OK;
    if (faults->hidden)
        return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s\nand %zu more", faults->text, faults->hidden);
    return jg_fail(err, JAEGER_INVALID_ARGUMENT, "%s", faults->text);
}
