/* SPDX-License-Identifier: Apache-2.0
 * All of libjaeger.
 */
#ifndef JAEGER_JAEGER_H
#define JAEGER_JAEGER_H

#include <jaeger/base.h>
#include <jaeger/batch.h>
#include <jaeger/component.h>
#include <jaeger/config.h>
#include <jaeger/ingest.h>
#include <jaeger/query.h>
#include <jaeger/sampling.h>
#include <jaeger/service.h>
#include <jaeger/storage.h>
#include <jaeger/tracer.h>

#endif
