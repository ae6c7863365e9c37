/* SPDX-License-Identifier: Apache-2.0
 * What jaeger_main needs of a service beyond jaeger/service.h.
 */
#ifndef JG_SERVICE_BUILD_H
#define JG_SERVICE_BUILD_H

#include "pipeline/sections.h"
#include "service/telemetry.h"
#include <jaeger/service.h>

typedef struct jg_build_options {
    bool check_only;       /* for `validate`: start nothing, open no files */
    bool standard_streams; /* log into the process's own streams if the configuration names them */
} jg_build_options;

/** jaeger_service_new with all faults, however many. On INVALID_ARGUMENT `report` has them (its stage tells
 * where they come from); other failures are in `err` alone. */
jaeger_status jg_service_build(const jaeger_service_options *options, const jg_build_options *build,
                               jaeger_service **ret, jg_report *report, jaeger_error *err) JG_MUST_CHECK;
/** The faults as one text, with the words that name their stage. @param bare without "invalid configuration:
 * " */
jaeger_status jg_service_fail(const jg_report *report, bool bare, jg_buf *out, jaeger_error *err);
const jg_sections *jg_service_sections(const jaeger_service *service);
/** Log a line in the service's name. */
const jaeger_logger *jg_service_logger(const jaeger_service *service);
/** The types that `options` and the library offer. */
jg_types jg_service_types(const jaeger_service_options *options);

#endif
