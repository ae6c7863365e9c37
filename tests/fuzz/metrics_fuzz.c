/* SPDX-License-Identifier: Apache-2.0
 * OTLP metrics as they may come: whatever passes the check can be shown and written.
 */
#include "exporters/prometheus/series.h"
#include "model/batch.h"
#include "model/metrics_edit.h"
#include "wire/otlp_json.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** Every second point goes, the others are written anew. */
static jg_metric_verdict edit_point(void *self, const jg_metric_point *point, jaeger_str metric, jg_buf *out)
{
    size_t *n = self;
    (void)metric;
    if (++*n % 2 == 0)
        return JG_METRIC_LEAVE_OUT;
    jg_buf_str(out, point->body);
    return JG_METRIC_WRITTEN;
}

/** What is left of a sound message is one, too. */
static void check_edit(jaeger_batch *batch)
{
    size_t n = 0;
    jaeger_batch *edited = jaeger_batch_ref(batch);
    const jg_metric_editor editor = {.point = edit_point, .self = &n};
    jaeger_error err;
    if (jg_metrics_edit_batch(&edited, &editor, &err) == JAEGER_INVALID_ARGUMENT)
        abort();
    jaeger_batch_unref(edited);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    jaeger_batch *batch;
    jaeger_str part;
    jg_prom_store store;
    const jg_prom_options options = {.resource_labels = true, .expiry_ns = 1};
    const jg_prom_page page = {.open_metrics = true, .timestamps = true};
    if (jaeger_batch_from_otlp_metrics((void *)(uintptr_t)data, size, NULL, NULL, &batch, NULL) != JAEGER_OK)
        return 0;
    if (jg_prom_store_init(&store, &options)) {
        JG_AUTO_BUF jg_buf out = JG_BUF_INIT(16u << 20);
        for (size_t i = 0; jg_batch_payload(batch, i, &part); i++)
            jg_prom_store_take(&store, part, 1);
        jg_prom_write_page(&store, &page, &out);
        jg_prom_store_expire(&store, 10);
    }
    jg_prom_store_done(&store);
    JG_AUTO_BUF jg_buf text = JG_BUF_INIT(16u << 20);
    jg_json_out json = JG_JSON_OUT_INIT(&text);
    jg_otlp_json_write_metrics(&json, batch);
    check_edit(batch);
    jaeger_batch_unref(batch);
    return 0;
}
